// Package explain finds out what would become of a packet: its way through the tables of bridges, over
// tunnels, through the namespaces of routers with their routes and rules, to where it arrives or ends,
// and why. No packet is sent. Everything is told of a model and of what is known of hosts, desired or
// actual; both are given, and nothing is changed.
package explain

import (
	"fmt"
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// Question is what packet to follow.
type Question struct {
	From Origin
	// To is where it is to go: a port, which stands for its address that From would use, or an address.
	Port    model.ID
	Address netip.Addr

	Protocol         string // "icmp", "tcp", "udp" or "arp"
	SrcPort, DstPort uint16
	SrcIP            netip.Addr // invalid: an address of From's
	SrcMAC, DstMAC   of.MAC     // zero: From's, and that of who takes the packet first
}

// Origin is where the packet comes from: one of its members is set.
type Origin struct {
	Port      model.ID
	Host      string // with Interface
	Interface string // on one of the host's bridges
	External  bool   // outside, on the network of the address that is asked for
}

// World is what is known of hosts. A host's state is asked for once, when a packet gets there.
type World interface {
	// Host returns the state of a host of the model.
	Host(name string) (*view.HostState, error)
}

// Verdict is what became of the packet.
type Verdict string

// The verdicts.
const (
	Delivered Verdict = "delivered" // it arrives where it was sent
	Dropped   Verdict = "dropped"   // it does not
	Flooded   Verdict = "flooded"   // it was for many, and arrives at those that are listed
	Unknown   Verdict = "unknown"   // it came to where nobody here knows how it goes on
)

// Answer is a packet's way.
type Answer struct {
	Verdict   Verdict    `json:"verdict"`
	Reason    Reason     `json:"reason,omitempty"` // why it was not delivered
	Message   string     `json:"message"`
	Packet    string     `json:"packet,omitempty"` // as it starts
	Delivered []Delivery `json:"delivered"`
	Steps     []Step     `json:"steps"`
	Reply     *Answer    `json:"reply,omitempty"` // of the packet that answers, if this one was delivered
}

// Delivery is who got a copy of the packet.
type Delivery struct {
	Port      model.ID `json:"port_id,omitempty"`
	Name      string   `json:"name"`
	Host      string   `json:"host,omitempty"`
	Interface string   `json:"interface,omitempty"`
}

// Kind is what a Step is.
type Kind string

// The kinds of steps.
const (
	KindStart     Kind = "start"     // the packet begins
	KindTable     Kind = "table"     // a flow took it
	KindOutput    Kind = "output"    // it left a bridge by a port
	KindPatch     Kind = "patch"     // it went through a cable between two bridges
	KindTunnel    Kind = "tunnel"    // it went through a tunnel to another host
	KindNamespace Kind = "namespace" // it came into a namespace
	KindRoute     Kind = "route"     // a route was chosen
	KindNFT       Kind = "nft"       // a rule did something
	KindNeighbour Kind = "neighbour" // the MAC address of the next who takes it was asked for
	KindAnswer    Kind = "answer"    // somebody answered for an address
	KindDeliver   Kind = "deliver"   // somebody got it
	KindDrop      Kind = "drop"      // it, or this copy, ends
)

// Step is one thing that happens to the packet. Steps are in the order of time; a step with a parent
// follows from it.
type Step struct {
	ID         int      `json:"id"`
	Parent     *int     `json:"parent"`
	Kind       Kind     `json:"kind"`
	Host       string   `json:"host,omitempty"`
	Where      string   `json:"where,omitempty"` // bridge or namespace
	Table      *int     `json:"table,omitempty"`
	TableName  string   `json:"table_name,omitempty"`
	Text       string   `json:"text,omitempty"` // flow, route or rule as its tool prints it
	Says       string   `json:"says"`
	Object     string   `json:"object,omitempty"`
	ObjectName string   `json:"object_name,omitempty"`
	State      string   `json:"state,omitempty"`  // of the flow, if the actual state was asked for
	Packet     string   `json:"packet,omitempty"` // after the step
	Changed    []string `json:"changed,omitempty"`
	Reason     Reason   `json:"reason,omitempty"`
}

// Error is a question that makes no sense.
type Error struct {
	NotFound bool // it names what there is not
	Msg      string
}

// Error returns the message.
func (e *Error) Error() string { return e.Msg }

func badQuestion(format string, args ...any) error { return &Error{Msg: fmt.Sprintf(format, args...)} }

func notFound(format string, args ...any) error {
	return &Error{NotFound: true, Msg: fmt.Sprintf(format, args...)}
}

// Explain follows a packet, and the one that answers it. Errors of a World are returned as they are,
// those of a question are [*Error].
func Explain(m *model.Model, w World, q Question) (*Answer, error) {
	return explain(&fabric{m: m, world: w, hosts: map[string]*host{}}, q)
}

// ExplainTo explains what [Explain] does to someone who knows some objects of the model alone, and
// nothing of hosts, bridges and tunnels.
func ExplainTo(sees func(model.Resource) bool, m *model.Model, w World, q Question) (*Answer, error) {
	a, err := explain(&fabric{m: m, world: w, hosts: map[string]*host{}, sees: sees}, q)
	if err == nil {
		a.withoutHosts()
	}
	return a, err
}

func explain(f *fabric, q Question) (*Answer, error) {
	asked, err := f.read(q)
	if err != nil {
		return nil, err
	}
	sessions := &kernel.Sessions{}
	way := &walk{fabric: f, sessions: sessions, goal: asked.goal}
	way.begin(asked)
	if f.err != nil {
		return nil, f.err
	}
	answer := way.answer(asked)
	if answer.Verdict == Delivered && asked.answered() && way.got != nil {
		back := &walk{fabric: f, sessions: sessions, goal: goal{station: &asked.from}}
		reply := way.got.reply()
		back.begin(reply)
		if f.err != nil {
			return nil, f.err
		}
		answer.Reply = back.answer(reply)
		if answer.Reply.Verdict != Delivered {
			answer.Message += "; its answer does not come back: " + answer.Reply.Message
		}
	}
	return answer, nil
}
