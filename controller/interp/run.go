package interp

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// The limits of Open vSwitch (MAX_DEPTH and MAX_RESUBMITS of ofproto-dpif-xlate, MAX_RECIRC_DEPTH of dpif-netdev).
const (
	// MaxDepth is how deeply look-ups may nest that lead to the same table or an earlier one.
	MaxDepth = 64
	// MaxLookups is how many look-ups there may be after the first.
	MaxLookups = MaxDepth * MaxDepth
	// MaxTracked is how often a copy may come back from the connection tracker.
	MaxTracked = 6
)

const (
	// maxOutputs is at how many copies Open vSwitch looks nothing up any more: each takes 8 of the 64 KiB that the
	// actions of a datapath may have. What else is in there is not counted here.
	maxOutputs = 1 << 16 / 8
	// maxAll bounds the look-ups after which copies still go through the connection tracker: each copy that comes back
	// has limits of its own.
	maxAll = 4 * MaxLookups
)

// Run finds out what becomes of a packet that comes into the bridge by its InPort. Nothing is changed: what the packet
// would teach is in the Trace.
func (b *Bridge) Run(p Packet) *Trace {
	t := &Trace{Packet: p}
	r := run{bridge: b, packet: p, trace: t, into: &t.Steps}
	r.start(0)
	if r.limited() {
		t.Limit = r.stopped
		void(t.Steps)
	} else if !r.ends {
		r.drop(NoOutput, "")
	}
	t.Final = r.packet
	return t
}

// run is a packet on its way.
type run struct {
	bridge *Bridge
	packet Packet
	table  of.TableID
	trace  *Trace
	into   *[]*Step // where the next step goes

	actionSet []of.Action
	setGroup  bool // the action set has a group

	depth, lookups int
	tracked        int // how often the copy came back from the connection tracker
	outputs        int
	stopped        Reason // TooDeep, TooLong, TooWide or NotModelled; nothing more is done
	ends           bool   // the packet was sent somewhere or there is a reason why not
}

// limited reports whether the run ended by a limit that has everything dropped.
func (r *run) limited() bool { return r.stopped == TooDeep || r.stopped == TooLong }

// add appends a step with what all steps have.
func (r *run) add(s Step) *Step {
	s.Bridge, s.Table, s.Packet = r.bridge, r.table, r.packet
	*r.into = append(*r.into, &s)
	return &s
}

// below makes the steps that do makes members of s.
func (r *run) below(s *Step, do func()) {
	before := r.into
	r.into = &s.Steps
	do()
	r.into = before
}

func (r *run) drop(why Reason, note string) {
	r.add(Step{Kind: KindDrop, Reason: why, Note: note})
	r.ends = true
}

func (r *run) note(format string, args ...any) {
	r.add(Step{Kind: KindNote, Note: fmt.Sprintf(format, args...)})
}

// stop ends the run: by a limit, or since nobody here knows how it goes on.
func (r *run) stop(why Reason, note string) {
	r.drop(why, note)
	r.stopped = why
}

// start looks the packet up from a table on, and does the action set in the end. This look-up does not count for the
// limits.
func (r *run) start(t of.TableID) {
	r.table = t
	r.trace.lookups++
	r.take(r.find(r.packet.InPort, false))
	r.finish()
}

// lookup takes the packet to a table, as if it had come in by the port in, and does what the flow says that takes it.
// With ct, the look-up sees the addresses of the connection's original direction.
func (r *run) lookup(t of.TableID, in of.PortNo, ct bool) {
	if !r.within() {
		return
	}
	if original := r.packet; ct && !original.turn() {
		r.note("resubmit(ct) of a packet that is not tracked or not IP: ignored")
		return
	}
	from := r.table
	if t <= from {
		r.depth++
		defer func() { r.depth-- }()
	}
	r.lookups++
	r.trace.lookups++
	r.table = t
	r.take(r.find(in, ct))
	r.table = from
}

// find looks the packet up in its table. A fragment looks as if its ports were 0, even the first one, since the others
// do not have any (fragment handling "normal" of ovs-ofctl(8)).
func (r *run) find(in of.PortNo, ct bool) (flow, rival *of.Flow) {
	t := &r.bridge.tables[r.table]
	if in == r.packet.InPort && !ct && r.packet.IP.Frag == 0 {
		return t.find(&r.packet)
	}
	seen := r.packet
	seen.InPort = in
	if ct {
		seen.turn()
	}
	if seen.IP.Frag != 0 {
		seen.Transport.Src, seen.Transport.Dst = 0, 0
	}
	return t.find(&seen)
}

// take does what the flow says that was found in the packet's table.
func (r *run) take(flow, rival *of.Flow) {
	s := r.add(Step{Kind: KindTable, Flow: flow, Rival: rival})
	r.below(s, func() {
		switch {
		case flow == nil:
			r.drop(NoFlow, "")
		case len(flow.Actions) == 0:
			r.drop(FlowDrops, "")
		default:
			r.actions(flow.Actions)
		}
	})
}

// within reports whether another look-up is within the limits, and stops the run if not.
func (r *run) within() bool {
	switch {
	case r.stopped != NoReason:
	case r.depth >= MaxDepth:
		r.stop(TooDeep, fmt.Sprintf("look-ups nest more than %d deep", MaxDepth))
	case r.lookups >= MaxLookups:
		r.stop(TooLong, fmt.Sprintf("more than %d look-ups", MaxLookups))
	case r.outputs >= maxOutputs:
		r.stop(TooWide, fmt.Sprintf("more than %d copies", maxOutputs))
	}
	return r.stopped == NoReason
}

// actions does a list of actions, as long as none of them ends it.
func (r *run) actions(list []of.Action) {
	for _, a := range list {
		if r.stopped != NoReason || !r.action(a) {
			return
		}
	}
}

// turn turns the packet to the original direction of its connection and reports whether it has one.
func (p *Packet) turn() bool {
	if p.CT.Proto == 0 || !p.isIP() {
		return false
	}
	p.IP.Src, p.IP.Dst, p.IP.Proto = p.CT.Src, p.CT.Dst, p.CT.Proto
	p.Transport.Src, p.Transport.Dst = p.CT.SrcPort, p.CT.DstPort
	return true
}
