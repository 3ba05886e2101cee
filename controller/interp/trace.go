package interp

import (
	"github.com/heddle-sdn/heddle/controller/of"
)

// Trace is what became of a packet.
type Trace struct {
	Packet Packet  // as it came in
	Steps  []*Step // what was done with it, in order; the first is the look-up in table 0
	Final  Packet  // as it is in the bridge when all is done
	// Learned are the flows and addresses that switches would learn from the packet, in order.
	Learned []Learned
	// Limit is TooDeep or TooLong if the packet would go on for longer than a switch lets it. The switch then
	// drops it altogether.
	Limit Reason

	lookups int // of all copies
}

// Kind is what a Step is.
type Kind uint8

// The kinds of steps.
const (
	KindTable   Kind = iota // the packet was looked up in Table: Flow took it, or none; below, the flow's actions
	KindAction              // Action was done; below, what it led to
	KindOutput              // the packet left the bridge by Port; below, what a patch cable led to
	KindBucket              // a bucket of a group took a copy of the packet; below, its actions
	KindSet                 // the pipeline ended and its action set was done; below, its actions
	KindBridge              // the packet came into Bridge by Port, through a patch cable
	KindTracked             // a copy of the packet came back from the connection tracker; below, what it led to
	KindDrop                // nothing is done with the packet from here on, or with this copy of it, for Reason
	KindNote                // something worth knowing; it has no effect
)

// Step is one thing that was done with a packet.
type Step struct {
	Kind   Kind
	Bridge *Bridge
	Table  of.TableID // the table the packet is in
	Flow   *of.Flow   // of KindTable; nil if no flow took the packet. Of KindNote, a flow that is learned
	Rival  *of.Flow   // of KindTable; another flow of the same priority that takes the packet: OpenFlow leaves open which one
	Action of.Action  // of KindAction
	Port   of.PortNo  // of KindOutput and KindBridge
	Bucket int        // of KindBucket
	Packet Packet     // after the step alone, before those below it; of KindOutput as it left
	Reason Reason     // of KindDrop
	Void   bool       // of KindOutput: nothing leaves after all, since the packet ran into a limit later on
	Note   string     // in words, for people; may be empty
	Steps  []*Step    // what the step led to, in order
}

// Reason says why a packet, or a copy of one, goes no further.
type Reason uint8

// The reasons.
const (
	NoReason    Reason = iota
	NoFlow             // no flow of the table takes it
	FlowDrops          // a flow without actions took it
	NoOutput           // its actions were done and none of them sends it anywhere
	SameLink           // an output to the port that it came in by is left out
	NoPort             // the bridge has no such port
	PortDown           // the port is down
	NoGroup            // the bridge has no such group
	NoBucket           // no bucket of the group is live
	TTLExpired         // its time to live has run out
	WrongVLAN          // NORMAL does not take frames of its VLAN from this port, or it has none
	ReservedMAC        // NORMAL does not forward its destination address (IEEE 802.1D §7.12.6)
	LearnedBack        // NORMAL learned that its destination is where it came from
	TooDeep            // tables led to tables too deeply, see MaxDepth; or a copy came back from the tracker too often, see MaxTracked
	TooLong            // tables led to tables too often, see MaxLookups
	TooWide            // there were more copies than a switch makes; those before it leave
	NotModelled        // an action that this package does not know came up
)

// String is the reason's name: "NoFlow".
func (r Reason) String() string {
	names := [...]string{"", "NoFlow", "FlowDrops", "NoOutput", "SameLink", "NoPort", "PortDown", "NoGroup", "NoBucket", "TTLExpired",
		"WrongVLAN", "ReservedMAC", "LearnedBack", "TooDeep", "TooLong", "TooWide", "NotModelled"}
	if int(r) < len(names) {
		return names[r]
	}
	return "unknown"
}

// Learned is something that a bridge learns from a packet: a flow, by a learn action, or the address of its sender, by
// NORMAL.
type Learned struct {
	Bridge *Bridge
	Flow   *of.Flow // nil if it is an address
	MAC    MAC
}

// Apply makes the bridge learn it.
func (l Learned) Apply() {
	if l.Flow != nil {
		l.Bridge.Add(*l.Flow)
		return
	}
	l.Bridge.Learn(l.MAC)
}

// Output is a copy of the packet that left a bridge by a port that is not a patch port, or that went to controllers,
// by PortController.
type Output struct {
	Bridge *Bridge
	Port   of.PortNo
	Packet Packet
	Step   *Step
}

// Outputs lists the copies of the packet that leave, in order.
func (t *Trace) Outputs() []Output {
	var out []Output
	t.Walk(func(s *Step, _ []*Step) {
		if s.Kind == KindOutput && !s.Void && !patched(s) {
			out = append(out, Output{s.Bridge, s.Port, s.Packet, s})
		}
	})
	return out
}

func patched(s *Step) bool {
	p := s.Bridge.ports[s.Port]
	return p != nil && p.peer != nil
}

// Drops lists the steps at which copies of the packet, or all of it, go no further, in order.
func (t *Trace) Drops() []*Step {
	var out []*Step
	t.Walk(func(s *Step, _ []*Step) {
		if s.Kind == KindDrop {
			out = append(out, s)
		}
	})
	return out
}

// Walk calls visit for each step before those below it, with the steps that it is below of, the outermost first. The
// slice is valid during the call.
func (t *Trace) Walk(visit func(s *Step, above []*Step)) { walk(t.Steps, nil, visit) }

func walk(steps, above []*Step, visit func(*Step, []*Step)) {
	for _, s := range steps {
		visit(s, above)
		walk(s.Steps, append(above, s), visit)
	}
}

// void says of all outputs among the steps that they do not happen.
func void(steps []*Step) {
	walk(steps, nil, func(s *Step, _ []*Step) { s.Void = s.Void || s.Kind == KindOutput })
}
