package interp

import (
	"fmt"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
)

// normal forwards the packet as a switch without flows does: by the VLANs of its ports and by the addresses that it
// learned.
func (r *run) normal() {
	p := &r.packet
	in := r.bridge.ports[p.InPort]
	if in == nil {
		r.drop(NoPort, fmt.Sprintf("bridge %s has no port %s", r.bridge.name, p.InPort))
		return
	}
	tags := p.visible()
	if !in.takes(tags[0].VID()) {
		r.drop(WrongVLAN, fmt.Sprintf("port %s does not take VLAN %d", in.label(), tags[0].VID()))
		return
	}
	tags = in.inside(tags)
	if reserved(p.EthDst) {
		r.drop(ReservedMAC, "")
		return
	}
	vlan := tags[0].VID()
	if !p.EthSrc.IsMulticast() {
		r.trace.Learned = append(r.trace.Learned, Learned{Bridge: r.bridge, MAC: MAC{VLAN: vlan, Address: p.EthSrc, Port: in.No}})
	}
	if no, known := r.bridge.macs[macKey{vlan, p.EthDst}]; known && !p.EthDst.IsMulticast() {
		switch out := r.bridge.ports[no]; {
		case out == nil:
			r.drop(NoPort, fmt.Sprintf("learned port %s is not there", no))
		case out == in:
			r.drop(LearnedBack, "")
		default:
			r.note("%s is behind port %s", p.EthDst, out.label())
			r.normalTo(out, tags)
		}
		return
	}
	r.note("%s is not known in VLAN %d: flooding", p.EthDst, vlan)
	before := len(*r.into)
	for _, out := range r.bridge.order {
		if out != in && !out.NoFlood && out.carries(tags) {
			r.normalTo(out, tags)
		}
	}
	if len(*r.into) == before {
		r.drop(WrongVLAN, fmt.Sprintf("no other port carries VLAN %d", vlan))
	}
}

// normalTo sends the packet out of a port with the tags that a packet has there that has the given tags inside the
// switch.
func (r *run) normalTo(out *Port, inside [2]VLAN) {
	before := r.packet.VLANs
	r.packet.VLANs = out.outside(inside)
	r.send(out.No)
	r.packet.VLANs = before
}

// takes reports whether a frame with the outer tag vid, 0 for none, may come in by the port.
func (p *Port) takes(vid uint16) bool {
	switch {
	case p.VLANMode == Access:
		return vid == 0
	case p.VLANMode != Trunk && vid == 0:
		return true
	}
	return p.trunks(vid)
}

// trunks reports whether a port that is not an access port carries a VLAN. One with a native VLAN always carries that,
// and never VLAN 0, since frames without a tag are in the native VLAN there.
func (p *Port) trunks(vid uint16) bool {
	if p.VLANMode != Trunk && (vid == 0 || vid == p.VLAN) {
		return vid == p.VLAN
	}
	return len(p.Trunks) == 0 || slices.Contains(p.Trunks, vid)
}

// carries reports whether frames with the tags inside the switch may leave by the port.
func (p *Port) carries(inside [2]VLAN) bool {
	if p.VLANMode == Access {
		return inside[0].VID() == p.VLAN && inside[1].VID() == 0
	}
	return p.trunks(inside[0].VID())
}

// inside is the tags that a frame has inside the switch that came in by the port.
func (p *Port) inside(tags [2]VLAN) [2]VLAN {
	native := VLAN{TPID: tags[0].TPID, TCI: tags[0].TCI&0xe000 | of.VLANPresent | p.VLAN}
	switch {
	case p.VLANMode == Access:
		return [2]VLAN{native}
	case p.VLANMode != Trunk && tags[0].VID() == 0:
		return [2]VLAN{native, tags[1]}
	}
	return tags
}

// outside is the tags with which a frame leaves by the port. A tag of id 0 and priority 0 is none.
func (p *Port) outside(tags [2]VLAN) [2]VLAN {
	switch {
	case p.VLANMode == Access:
		return [2]VLAN{}
	case p.VLANMode == NativeUntagged && tags[0].VID() == p.VLAN:
		tags = [2]VLAN{tags[1]}
	}
	for i, tag := range tags {
		switch {
		case tag.TCI&^of.VLANPresent == 0:
			tags[i] = VLAN{}
		case tag.TPID == 0:
			tags[i].TPID = of.EthTypeVLAN
		}
	}
	return tags
}

// reserved reports whether an address is one that bridges do not forward: those of IEEE 802.1D, and of protocols of
// Extreme and Cisco that OVS knows.
func reserved(m of.MAC) bool {
	switch v := m.Value().Lo; v {
	case 0x00e02b000000, 0x00e02b000004, 0x00e02b000006, 0x01000c000000, 0x01000ccccccc, 0x01000ccccccd, 0x01000ccdcdcd:
		return true
	default:
		return v&^0xf == 0x0180c2000000 || v >= 0x01000cccccc0 && v <= 0x01000cccccc7
	}
}
