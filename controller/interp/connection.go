package interp

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Tracker plays the connection tracker: it returns the packet as a ct action gives it on, with CT set and, if the
// action translates, with other addresses. CT.Zone of p is the zone of the action, CT.Mark and CT.Label are what its
// exec wrote.
type Tracker func(p Packet, a of.CT) Packet

// NewConnection is a Tracker to which each packet begins a connection: ct_state=+trk+new. It is what ofproto/trace
// assumes unless it is told otherwise.
func NewConnection(p Packet, _ of.CT) Packet {
	p.CT.State = of.CTTrk | of.CTNew
	return p
}

// connection does a ct action: with Recirc, a copy goes on in another table with what the tracker knows. The actions
// behind ct see the packet without it.
func (r *run) connection(a of.CT) {
	p := r.packet
	p.CT.Zone = a.Zone
	if a.ZoneSrc.Bits != 0 {
		p.CT.Zone = uint16(p.subfield(a.ZoneSrc).Lo)
	}
	for _, x := range a.Actions {
		if _, nat := x.(of.NAT); nat {
			continue
		}
		inner := *r
		inner.packet = p
		inner.rewrite(x, &Step{})
		p = inner.packet
	}
	switch {
	case !a.Recirc:
	case r.tracked >= MaxTracked:
		r.drop(TooDeep, fmt.Sprintf("through the connection tracker more than %d times", MaxTracked))
	case r.trace.lookups >= maxAll:
		r.stop(TooLong, fmt.Sprintf("more than %d look-ups of all copies", maxAll))
	default:
		here := *r
		r.packet, r.depth, r.lookups, r.outputs = r.bridge.track(p, a), 0, 0, 0
		r.tracked++
		s := r.add(Step{Kind: KindTracked})
		r.below(s, func() { r.start(a.Table) })
		here.ends = r.ends
		switch {
		case r.limited():
			void(s.Steps) // the copy is a packet of its own, with limits of its own
		case r.stopped == NotModelled:
			here.stopped = NotModelled
		}
		*r = here
	}
	r.packet.CT = Connection{}
}
