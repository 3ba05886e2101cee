package interp_test

import (
	"github.com/heddle-sdn/heddle/controller/of"
)

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
