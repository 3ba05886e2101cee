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

// writable are fields that actions may write, with the prerequisites of their row.
var writable = []of.Field{
	of.FieldReg0, of.FieldReg1, of.FieldReg2, of.FieldReg3, of.FieldXReg0, of.FieldXReg1, of.FieldXXReg0, of.FieldMetadata, of.FieldTunID, of.FieldPktMark,
	of.FieldEthSrc, of.FieldEthDst, of.FieldVLANVID, of.FieldVLANPCP,
	of.FieldIPv4Src, of.FieldIPv4Dst, of.FieldIPv6Src, of.FieldIPv6Dst, of.FieldIPv6Label, of.FieldIPDSCP, of.FieldIPECN, of.FieldIPTTL,
	of.FieldTCPSrc, of.FieldTCPDst, of.FieldUDPSrc, of.FieldUDPDst, of.FieldSCTPSrc, of.FieldSCTPDst,
	of.FieldICMPType, of.FieldICMPCode, of.FieldARPOp, of.FieldARPSPA, of.FieldARPTPA, of.FieldARPSHA, of.FieldARPTHA,
	of.FieldNDTarget, of.FieldNDSLL, of.FieldNDTLL,
}

// field is one of the fields that can be written by now.
func (g *generator) field(f facts) of.Field {
	for {
		x := writable[g.IntN(len(writable))]
		if f.has(x.Info().Prereq) && (x != of.FieldVLANVID || f.tagged) {
			return x
		}
	}
}

func (g *generator) value(x of.Field) of.Value {
	switch x.Info().Format {
	case of.Ethernet:
		return g.mac().Value()
	case of.IPv4Addr:
		return of.AddrValue(g.ip4())
	case of.IPv6Addr:
		return of.AddrValue(g.ip6())
	}
	switch x {
	case of.FieldVLANVID:
		return of.Num(of.VLANPresent | uint64(g.vid()))
	case of.FieldARPOp: // Open vSwitch leaves a packet as it is whose operation becomes 0
		return of.Num(1 + g.small())
	}
	return of.Num(g.small()).And(of.Ones(x.Bits()))
}

// write is an action that changes the packet, and what is known behind it.
func (g *generator) write(f facts) (of.Action, facts) {
	switch g.IntN(11) {
	case 0, 1, 2:
		x := g.field(f)
		return of.SetField{Field: x, Value: g.value(x)}, f
	case 3:
		x := g.field(f)
		for x == of.FieldVLANVID || x == of.FieldARPOp {
			x = g.field(f)
		}
		n := g.IntN(x.Bits())
		return of.Load{Dst: of.Bits(x, n, n), Value: g.small() & 1}, f
	case 9:
		x := pick(g, of.FieldReg0, of.FieldEthDst, of.FieldMetadata, of.FieldXReg1, of.FieldTunID)
		mask := of.Num(1 + g.small())
		return of.RegLoad2{Field: x, Value: of.Num(g.small()).And(mask), Mask: mask}, f
	case 10:
		return g.load(f)
	case 4:
		return g.move(f), f
	case 5:
		if f.tagged {
			// Two tags may have been there.
			f.tagged = false
			return of.PopVLAN{}, f
		}
		f.tagged = true
		return of.PushVLAN{EthType: of.EthTypeVLAN}, f
	case 6:
		if f.has(of.NeedIP) {
			return of.DecTTL{}, f
		}
		return of.SetTunnel(g.small()), f
	case 7:
		if f.has(of.NeedIP) {
			return of.SetTTL{TTL: uint8(g.IntN(3))}, f
		}
		return of.SetReg(g.IntN(2), uint32(g.small())), f
	}
	return of.Load{Dst: of.Bits(of.FieldReg0, 0, 15), Value: uint64(g.port() & 0xffff)}, f
}

// load writes a field that actions of OpenFlow 1.3 do not write.
func (g *generator) load(f facts) (of.Action, facts) {
	switch g.IntN(4) {
	case 0:
		f.tagged = false
		return of.Load{Dst: of.Whole(of.FieldVLANTCI)}, f
	case 1:
		f.tagged = true
		return of.Load{Dst: of.Whole(of.FieldVLANTCI), Value: of.VLANPresent | uint64(g.vid())}, f
	case 2:
		if !g.oneWay {
			return of.Load{Dst: of.Whole(of.FieldInPortNXM), Value: uint64(g.port() & 0xffff)}, f
		}
	}
	if f.has(of.NeedIP) {
		return of.Load{Dst: of.Whole(of.FieldIPTOS), Value: 4 * g.small()}, f
	}
	return of.SetQueue{Queue: uint32(g.small())}, f
}

// move copies bits between two fields that are there.
func (g *generator) move(f facts) of.Action {
	src, dst := g.field(f), g.field(f)
	for dst == of.FieldVLANVID || src == of.FieldVLANVID || dst == of.FieldARPOp {
		src, dst = g.field(f), g.field(f)
	}
	n := 1 + g.IntN(min(src.Bits(), dst.Bits()))
	from, to := g.IntN(src.Bits()-n+1), g.IntN(dst.Bits()-n+1)
	return of.Move{Src: of.Bits(src, from, from+n-1), Dst: of.Bits(dst, to, to+n-1)}
}

func (g *generator) output() of.Action {
	switch g.IntN(12) {
	case 0:
		return of.Output{Port: g.back()}
	case 1:
		return of.Output{Port: of.PortNormal}
	case 2:
		return of.Output{Port: pick(g, of.PortFlood, of.PortAll)}
	case 3:
		return of.ToController()
	case 4:
		return of.OutputReg{Src: of.Bits(of.FieldReg0, 0, 15), MaxLen: 0xffff}
	case 5:
		return of.Output{Port: 99}
	case 6:
		return of.Output{Port: of.PortLocal}
	}
	return of.Output{Port: g.port()}
}

func (g *generator) back() of.PortNo {
	if g.oneWay {
		return g.port()
	}
	return of.PortInPort
}

// actions are those of a flow of a table.
func (g *generator) actions(table int, f facts) []of.Action {
	var out []of.Action
	for range g.IntN(6) {
		switch g.IntN(10) {
		case 0, 1, 2, 3:
			var a of.Action
			a, f = g.write(f)
			out = append(out, a)
		case 4, 5, 6:
			out = append(out, g.output())
		case 7:
			out = append(out, g.resubmit(table, f))
		case 8:
			if len(g.groups) > 0 {
				out = append(out, of.Group{ID: pick(g, g.groups...)})
			}
		case 9:
			switch n := g.IntN(3); {
			case n == 0 && f.has(of.NeedIP) && !g.sets:
				ct := of.CT{Zone: uint16(g.small()), Recirc: table+1 < g.tables, Table: of.TableID(g.later(table)), Commit: g.oneIn(2)}
				if g.oneIn(2) {
					ct.ZoneSrc = of.Bits(of.FieldReg0, 0, 15)
				}
				if ct.Commit {
					ct.Actions = []of.Action{of.SetField{Field: of.FieldCTMark, Value: of.Num(g.small())}}
				}
				out = append(out, ct)
			case n == 1:
				out = append(out, of.CTClear{})
			default:
				out = append(out, of.Note{Data: []byte{1}})
			}
		}
	}
	return append(out, g.instructions(table, f)...)
}

// later is a table behind the one given, if there is one.
func (g *generator) later(table int) int { return min(g.tables-1, table+1+g.IntN(3)) }

// resubmit goes to a later table, so that runs end.
func (g *generator) resubmit(table int, f facts) of.Action {
	if table+1 == g.tables {
		return of.Note{Data: []byte{2}}
	}
	r := of.Resubmit{Table: of.TableID(g.later(table)), Port: of.PortInPort}
	if g.oneIn(4) {
		r.Port = g.port()
	}
	r.CT = f.tracked && f.has(of.NeedIP) && g.oneIn(2)
	return r
}

func (g *generator) instructions(table int, f facts) []of.Action {
	var out []of.Action
	if g.oneIn(8) {
		out = append(out, of.ClearActions{})
	}
	if g.sets && g.oneIn(4) {
		out = append(out, of.WriteActions{Actions: g.actionSet(f)})
	}
	if g.oneIn(6) {
		out = append(out, of.WriteMetadata{Value: g.small() & 2, Mask: 2})
	}
	if table+1 < g.tables && g.oneIn(2) {
		out = append(out, of.GotoTable{Table: of.TableID(g.later(table))})
	}
	return out
}

// actionSet is actions that may be in an action set or a bucket.
func (g *generator) actionSet(f facts) []of.Action {
	var out []of.Action
	for range 1 + g.IntN(4) {
		switch g.IntN(4) {
		case 0, 1:
			var a of.Action
			a, f = g.write(f) // with what is known behind it, or there are more tags than OVS takes
			if _, isPop := a.(of.PopVLAN); !isPop {
				out = append(out, a)
			}
		case 2:
			out = append(out, of.Output{Port: pick(g, g.port(), g.back(), of.PortNormal)})
		case 3:
			out = append(out, of.Output{Port: g.port()})
		}
	}
	if len(g.groups) > 0 && g.oneIn(4) {
		out = append(out, of.Group{ID: pick(g, g.groups...)})
	}
	return out
}

// flows are those of a bridge, all of other priorities, so that it is defined which one takes a packet.
func (g *generator) flows(n int) []of.Flow {
	var out []of.Flow
	for _, priority := range g.Perm(n) {
		table := g.IntN(g.tables)
		if g.oneIn(3) {
			table = 0
		}
		m, f := g.match()
		out = append(out, of.Flow{Table: of.TableID(table), Priority: uint16(1 + priority), Match: m, Actions: g.actions(table, f)})
	}
	for table := range g.tables {
		if !g.oneIn(3) {
			out = append(out, of.Flow{Table: of.TableID(table), Actions: g.actions(table, facts{})})
		}
	}
	return out
}

// group is a group of a type whose choice is defined.
func (g *generator) group(id of.GroupID) of.GroupEntry {
	out := of.GroupEntry{ID: id, Type: pick(g, of.GroupTypeAll, of.GroupTypeIndirect, of.GroupTypeFastFailover)}
	n := 1 + g.IntN(3)
	if out.Type == of.GroupTypeIndirect {
		n = 1
	}
	for range n {
		b := of.Bucket{Actions: g.actionSet(facts{})}
		if out.Type == of.GroupTypeFastFailover {
			b.WatchPort = g.port()
			if id > 1 && g.oneIn(2) {
				b.WatchPort, b.WatchGroup = of.PortAny, id-1
			}
		}
		out.Buckets = append(out.Buckets, b)
	}
	return out
}
