package interp

import (
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Packet is a packet inside a switch: what its headers say, and what the switch keeps beside it. A member that the
// packet has no header for is zero and is never read: IPSrc of an ARP packet, for example. It is a plain value; a
// copy is a clone.
//
// Addresses are the zero Addr when they are not known; they then read as 0.0.0.0 or ::.
type Packet struct {
	InPort       of.PortNo
	Tunnel       Tunnel // it came by, or will leave by
	Metadata     uint64
	Regs         [16]uint32
	Mark         uint32 // pkt_mark
	CT           Connection
	ActsetOutput of.PortNo // where the action set sends the packet; 0 for nowhere yet, which matches read as PortUnset

	EthSrc, EthDst of.MAC
	VLANs          [2]VLAN // outer tag first
	EthType        uint16  // behind the tags; below 0x600 for frames that have a length there

	IP        IP // of IPv4 and IPv6
	Transport Transport
	ARP       ARP
	ND        ND
}

// VLAN is an 802.1Q tag. The zero VLAN is none.
type VLAN struct {
	TPID uint16 // of.EthTypeVLAN, or 0x88a8; 0 is taken as of.EthTypeVLAN
	TCI  uint16 // priority in the upper three bits, of.VLANPresent, and the id in the lower twelve
}

// Tag is an 802.1Q tag with an id, 0 to 4095, and priority 0.
func Tag(vid uint16) VLAN {
	return VLAN{TPID: of.EthTypeVLAN, TCI: of.VLANPresent | vid&0xfff}
}

// Present reports whether there is a tag.
func (v VLAN) Present() bool { return v.TCI&of.VLANPresent != 0 }

// VID is the id of the tag, 0 if there is none.
func (v VLAN) VID() uint16 { return v.TCI & 0xfff }

// PCP is the priority of the tag, 0 to 7.
func (v VLAN) PCP() uint8 { return uint8(v.TCI >> 13) }

// Tunnel is what is known of the tunnel that a packet came by or is to leave by.
type Tunnel struct {
	ID       uint64     // the key: VNI of VXLAN and Geneve, key of GRE
	Src, Dst netip.Addr // outer addresses, both of one family
	Flags    uint16     // tun_flags: bit 0 is OAM
	GBPID    uint16     // VXLAN group policy
	GBPFlags uint8
}

// Connection is what the connection tracker said of a packet.
type Connection struct {
	State of.CTStateFlags
	Zone  uint16
	Mark  uint32
	Label of.Value
	// The original direction of the connection.
	Src, Dst         netip.Addr
	Proto            uint8
	SrcPort, DstPort uint16
}

// IP is the header of IPv4 or IPv6.
type IP struct {
	Src, Dst netip.Addr
	Proto    uint8
	TOS      uint8 // DSCP in the upper six bits, ECN in the lower two
	TTL      uint8 // or hop limit
	Frag     Frag
	Label    uint32 // of IPv6, 20 bits
}

// Frag says whether a packet is a fragment (ip_frag in ovs-fields(7)).
type Frag uint8

// Bits of Frag.
const (
	FragAny   Frag = 1 // it is a fragment
	FragLater Frag = 2 // and not the first; it has no transport header
)

// Transport is the header of TCP, UDP, SCTP, ICMP or ICMPv6, as the IP protocol says.
type Transport struct {
	Src, Dst uint16 // ports; of ICMP and ICMPv6, type and code
	TCPFlags uint16
}

// ARP is an ARP or RARP packet.
type ARP struct {
	Op       uint16 // 1 request, 2 reply; up to 255
	SPA, TPA netip.Addr
	SHA, THA of.MAC
}

// ND is the part of an IPv6 neighbour solicitation or advertisement behind its ICMPv6 header.
type ND struct {
	Target   netip.Addr
	SLL, TLL of.MAC // option of the one, and of the other
}

// Tags is how many VLAN tags the packet has.
func (p *Packet) Tags() int {
	for i, v := range p.VLANs {
		if !v.Present() {
			return i
		}
	}
	return len(p.VLANs)
}

// visible is the tags that are on the wire: an outer one that was zeroed without being taken off, by a load, hides the
// inner one.
func (p *Packet) visible() [2]VLAN {
	var tags [2]VLAN
	copy(tags[:], p.VLANs[:p.Tags()])
	return tags
}

// pushVLAN puts an empty tag outside of the others. A third tag pushes the innermost out of sight.
func (p *Packet) pushVLAN(tpid uint16) {
	p.VLANs[1] = p.VLANs[0]
	p.VLANs[0] = VLAN{TPID: tpid, TCI: of.VLANPresent}
}

// popVLAN takes the outer tag off.
func (p *Packet) popVLAN() {
	if n := p.Tags(); n > 0 {
		copy(p.VLANs[:n], p.VLANs[1:n])
		p.VLANs[n-1] = VLAN{}
	}
}

// local is the packet without what a switch keeps beside it: as it leaves by a port and comes in by the port at the
// other end of the wire.
func (p Packet) local() Packet {
	p.Metadata, p.Regs, p.Mark, p.CT, p.ActsetOutput, p.Tunnel = 0, [16]uint32{}, 0, Connection{}, 0, Tunnel{}
	return p
}

// At is the packet as it arrives by a port of another switch, or by the same switch's again, after it left over a
// wire: nothing remains that is not on the wire.
func (p Packet) At(in of.PortNo) Packet {
	p = p.local()
	p.InPort = in
	return p
}

// Tunnelled is the packet as it comes out of a tunnel by port in: as At, and with the tunnel's key and outer addresses
// beside it. The key is that with which it went in.
func (p Packet) Tunnelled(in of.PortNo, src, dst netip.Addr) Packet {
	key := p.Tunnel.ID
	p = p.At(in)
	p.Tunnel = Tunnel{ID: key, Src: src, Dst: dst}
	return p
}
