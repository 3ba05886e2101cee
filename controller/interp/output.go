package interp

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// output sends the packet to a port, real or reserved.
func (r *run) output(port of.PortNo) {
	switch port {
	case of.PortInPort:
		r.send(r.packet.InPort)
	case of.PortTable:
		r.lookup(0, r.packet.InPort, false)
	case of.PortNormal:
		r.normal()
	case of.PortFlood, of.PortAll:
		r.flood(port == of.PortAll)
	case of.PortController:
		r.send(port)
	case of.PortAny:
	default:
		if port == r.packet.InPort {
			r.drop(SameLink, "")
			return
		}
		r.send(port)
	}
}

func (r *run) outputReg(a of.OutputReg) {
	port := r.packet.subfield(a.Src)
	if port.Hi != 0 || port.Lo > 0xffff {
		r.drop(NoPort, fmt.Sprintf("output port %s is out of range", port))
		return
	}
	r.output(wide(port.Lo))
}

func (r *run) flood(all bool) {
	for _, p := range r.bridge.order {
		if p.No != r.packet.InPort && (all || !p.NoFlood) {
			r.send(p.No)
		}
	}
}

// send lets the packet out by a port of this bridge, or into the bridge at the other end of a patch cable.
func (r *run) send(no of.PortNo) {
	if r.stopped != NoReason {
		return
	}
	r.outputs++
	if no == of.PortController {
		r.add(Step{Kind: KindOutput, Port: no})
		r.ends = true
		return
	}
	port := r.bridge.ports[no]
	switch {
	case port == nil:
		r.drop(NoPort, fmt.Sprintf("bridge %s has no port %s", r.bridge.name, no))
	case port.Down:
		r.drop(PortDown, fmt.Sprintf("port %s of bridge %s is down", port.label(), r.bridge.name))
	case port.peer != nil:
		s := r.add(Step{Kind: KindOutput, Port: no})
		r.below(s, func() { r.cross(port) })
	default:
		s := r.add(Step{Kind: KindOutput, Port: no})
		s.Packet.VLANs = s.Packet.visible()
		if port.Remote.IsValid() {
			s.Packet.Tunnel.Src, s.Packet.Tunnel.Dst = port.Local, port.Remote
		}
		r.ends = true
	}
}

func (p *Port) label() string {
	if p.Name != "" {
		return p.Name
	}
	return p.No.String()
}

// cross takes a copy of the packet through a patch cable and lets the other bridge do with it what it does. Only what
// is on the wire, and the mark, is the same there. The limits count across bridges.
func (r *run) cross(out *Port) {
	here := *r
	mark := r.packet.Mark
	r.packet = r.packet.At(out.peerPort)
	r.packet.Mark = mark
	r.bridge, r.table, r.actionSet, r.setGroup = out.peer, 0, nil, false
	s := r.add(Step{Kind: KindBridge, Port: out.peerPort})
	r.below(s, func() {
		if p := r.bridge.ports[out.peerPort]; p.Down {
			r.drop(PortDown, fmt.Sprintf("port %s of bridge %s is down", p.label(), r.bridge.name))
			return
		}
		r.lookup(0, r.packet.InPort, false)
		r.finish()
	})
	here.lookups, here.outputs, here.ends = r.lookups, r.outputs, r.ends
	if r.stopped == NotModelled {
		here.stopped = NotModelled // a limit stays where it was reached
	}
	*r = here
}
