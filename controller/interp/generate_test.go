package interp_test

import (
	"math/rand/v2"
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
)

// generator makes random flows that Open vSwitch accepts, and random packets, out of few values so that they meet.
type generator struct {
	*rand.Rand
	ports  []of.PortNo
	groups []of.GroupID
	tables int
	// oneWay keeps flows from sending packets back to where they came from: two bridges that do make circles, and
	// Open vSwitch takes long to print what happens in those.
	oneWay bool
	// sets says that there are action sets, and no ct: Open vSwitch 3.1 dies of a packet that goes into the connection
	// tracker with an action set (assertion in recirc_alloc_id__).
	sets bool
}

func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) mac() of.MAC {
	return pick(g, of.MAC{0xfa, 0x16, 0x3e, 0, 0, 1}, of.MAC{0xfa, 0x16, 0x3e, 0, 0, 2}, of.MAC{0xfa, 0x16, 0x3e, 0xff, 0, 3},
		of.MAC{1, 0, 0x5e, 0, 0, 1}, of.Broadcast, of.MAC{1, 0x80, 0xc2, 0, 0, 3})
}

func (g *generator) ip4() netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(g.IntN(2)), 0, byte(g.IntN(3))})
}

func (g *generator) ip6() netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(g.IntN(2)), 15: byte(g.IntN(3))})
}

func (g *generator) vid() uint16     { return pick[uint16](g, 10, 20, 30) }
func (g *generator) port() of.PortNo { return g.ports[g.IntN(len(g.ports))] }
func (g *generator) small() uint64   { return uint64(g.IntN(4)) }

// packet is a packet with any of the headers there are.
func (g *generator) packet() interp.Packet {
	p := interp.Packet{InPort: g.port(), EthSrc: g.mac(), EthDst: g.mac(), EthType: pick[uint16](g, of.EthTypeIPv4, of.EthTypeIPv4, of.EthTypeIPv6, of.EthTypeARP, of.EthTypeRARP, 0x1234)}
	if g.oneIn(2) {
		p.VLANs[0] = interp.VLAN{TPID: of.EthTypeVLAN, TCI: of.VLANPresent | g.vid() | uint16(g.IntN(2))<<13}
	}
	switch p.EthType {
	case of.EthTypeIPv4:
		p.IP = interp.IP{Src: g.ip4(), Dst: g.ip4(), Proto: pick[uint8](g, of.ProtoTCP, of.ProtoUDP, of.ProtoSCTP, of.ProtoICMP, 47)}
	case of.EthTypeIPv6:
		p.IP = interp.IP{Src: g.ip6(), Dst: g.ip6(), Proto: pick[uint8](g, of.ProtoTCP, of.ProtoUDP, of.ProtoSCTP, of.ProtoICMP6, of.ProtoICMP6, 47), Label: uint32(g.IntN(2))}
	default:
		p.ARP = interp.ARP{Op: uint16(1 + g.IntN(2)), SPA: g.ip4(), TPA: g.ip4(), SHA: g.mac(), THA: g.mac()}
	}
	if p.IP.Proto != 0 {
		p.IP.TOS, p.IP.TTL = uint8(g.IntN(8)), pick[uint8](g, 0, 1, 2, 64)
		p.IP.Frag = pick(g, interp.Frag(0), 0, 0, 0, interp.FragAny, interp.FragAny|interp.FragLater)
		p.Transport = interp.Transport{Src: uint16(g.small()), Dst: uint16(g.small())}
		if p.IP.Proto == of.ProtoTCP {
			p.Transport.TCPFlags = uint16(g.IntN(0x20))
		}
	}
	if p.IP.Frag&interp.FragLater != 0 {
		p.Transport = interp.Transport{}
	} else if p.IP.Proto == of.ProtoICMP6 && g.oneIn(2) {
		p.Transport = interp.Transport{Src: uint16(135 + g.IntN(2))}
		p.ND.Target = g.ip6()
		if p.Transport.Src == 135 {
			p.ND.SLL = g.mac()
		} else {
			p.ND.TLL = g.mac()
		}
	}
	g.keep(&p)
	return p
}

// keep sets some of what a switch keeps beside a packet.
func (g *generator) keep(p *interp.Packet) {
	if g.oneIn(4) {
		p.Metadata = g.small()
	}
	for i := range p.Regs {
		if g.oneIn(8) {
			p.Regs[i] = uint32(g.small())
		}
	}
	if g.oneIn(8) {
		p.Mark = uint32(g.small())
	}
	if g.oneIn(4) {
		p.Tunnel.ID = g.small()
	}
	if g.oneIn(8) {
		p.CT = interp.Connection{State: of.CTTrk | pick(g, of.CTEst, of.CTNew, of.CTEst|of.CTRpl), Mark: uint32(g.small()), Zone: uint16(g.small())}
		if g.oneIn(2) || p.ND != (interp.ND{}) {
			return // no tuple; a trace does not print that of neighbour discovery
		}
		switch p.EthType {
		case of.EthTypeIPv4:
			p.CT.Src, p.CT.Dst, p.CT.Proto = g.ip4(), g.ip4(), pick[uint8](g, of.ProtoTCP, of.ProtoUDP)
		case of.EthTypeIPv6:
			p.CT.Src, p.CT.Dst, p.CT.Proto = g.ip6(), g.ip6(), pick[uint8](g, of.ProtoTCP, of.ProtoUDP)
		default:
			return
		}
		p.CT.SrcPort, p.CT.DstPort = uint16(g.small()), uint16(g.small())
	}
}

// facts is what a flow's match says of the packets that its actions get.
type facts struct {
	ethType uint16
	proto   uint8
	icmp    uint64
	tagged  bool
	tracked bool
}

func (f facts) has(p of.Prereq) bool {
	ip4, ip6 := f.ethType == of.EthTypeIPv4, f.ethType == of.EthTypeIPv6
	switch p {
	case of.NoPrereq:
		return true
	case of.NeedVLAN:
		return f.tagged
	case of.NeedIPv4:
		return ip4
	case of.NeedIPv6:
		return ip6
	case of.NeedIP:
		return ip4 || ip6
	case of.NeedARP:
		return f.ethType == of.EthTypeARP || f.ethType == of.EthTypeRARP
	case of.NeedTCP:
		return (ip4 || ip6) && f.proto == of.ProtoTCP
	case of.NeedUDP:
		return (ip4 || ip6) && f.proto == of.ProtoUDP
	case of.NeedSCTP:
		return (ip4 || ip6) && f.proto == of.ProtoSCTP
	case of.NeedICMP:
		return ip4 && f.proto == of.ProtoICMP
	case of.NeedICMP6:
		return ip6 && f.proto == of.ProtoICMP6
	case of.NeedNS:
		return ip6 && f.proto == of.ProtoICMP6 && f.icmp == 135
	case of.NeedNA:
		return ip6 && f.proto == of.ProtoICMP6 && f.icmp == 136
	case of.NeedND:
		return f.has(of.NeedNS) || f.has(of.NeedNA)
	}
	return false
}

// match is a random match and what it says.
func (g *generator) match() (of.Match, facts) {
	var m of.Match
	var f facts
	if g.oneIn(2) {
		m = append(m, of.InPort(g.port()))
	}
	switch g.IntN(6) {
	case 0:
		m = append(m, of.NoVLAN())
	case 1:
		m, f.tagged = append(m, of.VLAN(g.vid())), true
	case 2:
		m, f.tagged = append(m, of.AnyVLAN()), true
		if g.oneIn(2) {
			m = append(m, of.VLANPCP(uint8(g.IntN(2))))
		}
	case 3:
		m = append(m, of.VLANMasked(g.vid(), 0x00f))
	}
	if g.oneIn(3) {
		m = append(m, of.EthDst(g.mac()))
	} else if g.oneIn(4) {
		m = append(m, of.EthDstMasked(pick(g, of.MAC{}, of.MAC{1}), of.MAC{1}))
	}
	if g.oneIn(4) {
		m = append(m, of.EthSrcMasked(g.mac(), pick(g, of.Broadcast, of.MAC{0xff, 0xff, 0xff, 0, 0, 1})))
	}
	if g.oneIn(2) {
		m, f = g.layer3(m, f)
	}
	if g.oneIn(4) {
		m = append(m, of.MetadataMasked(g.small(), 1+g.small()))
	}
	if g.oneIn(4) {
		m = append(m, of.RegMasked(g.IntN(2), uint32(g.small()), 1+uint32(g.small())))
	} else if g.oneIn(8) {
		m = append(m, of.Masked(of.FieldXReg1, of.Value{Lo: g.small()<<32 | g.small()}, of.Value{Lo: 1<<32 | 3}))
	}
	if g.oneIn(6) {
		m = append(m, of.TunID(g.small()))
	}
	if g.oneIn(10) {
		m = append(m, of.PktMark(uint32(g.small())))
	}
	if g.oneIn(8) {
		m = append(m, of.CTState(of.CTTrk, of.CTInv|pick(g, 0, of.CTNew, of.CTEst)))
		if f.tracked = true; f.has(of.NeedIPv4) && g.oneIn(2) {
			m = append(m, of.FieldMatch{Field: of.FieldCTNWSrc, Value: of.AddrValue(g.ip4())})
		}
	}
	if g.oneIn(20) {
		m = append(m, of.Is(of.FieldActsetOutput, uint64(pick(g, of.PortUnset, g.port()))))
	}
	var asks of.Match
	for _, x := range m {
		if !x.AsksNothing() {
			asks = append(asks, x)
		}
	}
	return asks, f
}

// layer3 adds a match on a protocol and some of its fields.
func (g *generator) layer3(m of.Match, f facts) (of.Match, facts) {
	f.ethType = pick[uint16](g, of.EthTypeIPv4, of.EthTypeIPv4, of.EthTypeIPv6, of.EthTypeARP, 0x1234)
	m = append(m, of.EthType(f.ethType))
	switch f.ethType {
	case of.EthTypeARP:
		if g.oneIn(2) {
			m = append(m, of.ARPOp(uint16(1+g.IntN(2))))
		}
		if g.oneIn(2) {
			m = append(m, of.ARPTPA(g.ip4()))
		}
		if g.oneIn(3) {
			m = append(m, of.ARPSHA(g.mac()))
		}
		return m, f
	case of.EthTypeIPv4:
		if g.oneIn(2) {
			m = append(m, of.IPv4Dst(netip.PrefixFrom(g.ip4(), pick(g, 16, 24, 32))))
		}
		f.proto = pick[uint8](g, 0, of.ProtoTCP, of.ProtoUDP, of.ProtoSCTP, of.ProtoICMP)
	case of.EthTypeIPv6:
		if g.oneIn(2) {
			m = append(m, of.IPv6Src(netip.PrefixFrom(g.ip6(), pick(g, 64, 120, 128))))
		}
		f.proto = pick[uint8](g, 0, of.ProtoTCP, of.ProtoUDP, of.ProtoICMP6, of.ProtoICMP6)
	default:
		return m, f
	}
	if g.oneIn(6) {
		m = append(m, of.IPDSCP(uint8(g.IntN(2))), of.IPECN(uint8(g.IntN(2))))
	}
	later := false
	if g.oneIn(6) {
		frag := pick[uint64](g, 0, 1, 3)
		m, later = append(m, of.Is(of.FieldIPFrag, frag)), frag == 3
	}
	if f.proto == 0 {
		return m, f
	}
	m = append(m, of.IPProto(f.proto))
	if later {
		f.proto = 0 // no header that actions could write
		return m, f
	}
	if g.oneIn(2) {
		return m, f
	}
	switch f.proto {
	case of.ProtoTCP:
		m = append(m, of.TCPDst(uint16(g.small())), of.TCPFlags(2, 2))
	case of.ProtoUDP:
		m = append(m, of.UDPSrc(uint16(g.small())))
	case of.ProtoSCTP:
		m = append(m, of.SCTPDst(uint16(g.small())))
	case of.ProtoICMP:
		m = append(m, of.ICMPType(uint8(g.small())))
	case of.ProtoICMP6:
		f.icmp = uint64(135 + g.IntN(2))
		m = append(m, of.ICMP6Type(uint8(f.icmp)), of.ICMP6Code(0))
		if g.oneIn(2) {
			m = append(m, of.NDTarget(g.ip6()))
		}
	}
	return m, f
}
