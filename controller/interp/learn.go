package interp

import (
	"github.com/heddle-sdn/heddle/controller/of"
)

// learn notes the flow that a learn action makes. It is not put into its table here: that is up to who runs the packet.
func (r *run) learn(a of.Learn, s *Step) {
	f := learned(a, &r.packet)
	r.trace.Learned = append(r.trace.Learned, Learned{Bridge: r.bridge, Flow: &f})
	r.add(Step{Kind: KindNote, Flow: &f, Note: "learns " + f.String()})
	if a.ResultDst.Bits != 0 {
		o := int(a.ResultDst.Offset)
		r.setField(a.ResultDst.Field, of.Num(1).Shl(o), of.Num(1).Shl(o))
		r.changed(s)
	}
}

// learned is the flow that a learn action makes from a packet.
func learned(a of.Learn, p *Packet) of.Flow {
	f := of.Flow{Table: a.Table, Priority: a.Priority, Cookie: a.Cookie, IdleTimeout: a.IdleTimeout, HardTimeout: a.HardTimeout}
	if a.SendFlowRem {
		f.Flags = of.SendFlowRem
	}
	for _, s := range a.Specs {
		v := s.Value
		if !s.Immediate {
			v = p.subfield(s.Src)
		}
		switch s.Kind {
		case of.LearnMatch:
			f.Match = alsoBits(f.Match, s.Dst, v)
		case of.LearnLoad:
			f.Actions = append(f.Actions, of.Load{Dst: s.Dst, Value: v.Lo})
		case of.LearnOutput:
			if port := wide(v.Lo); v.Hi == 0 && v.Lo <= 0xffffffff && sendable(of.PortNo(v.Lo), port) {
				f.Actions = append(f.Actions, of.Output{Port: port})
			}
		}
	}
	return f
}

// sendable reports whether a learned flow may have an output to a port; one to another is left out.
func sendable(port, wide of.PortNo) bool {
	switch wide {
	case of.PortInPort, of.PortFlood, of.PortLocal, of.PortAll:
		return true
	}
	return port < 0xff00
}

// alsoBits adds a match on a subfield to a match that may look at other bits of the field already.
func alsoBits(m of.Match, s of.Subfield, v of.Value) of.Match {
	field, offset := s.Field, int(s.Offset)
	mask := of.Ones(int(s.Bits)).Shl(offset)
	v = v.Shl(offset)
	if field == of.FieldVLANTCI && mask.AndNot(of.Num(of.VLANPresent|0xfff)).IsZero() {
		field = of.FieldVLANVID // as OVS tells such a flow
	}
	for i := range m {
		if m[i].Field == field {
			old := m[i].FullMask()
			m[i] = of.Masked(field, m[i].Value.AndNot(mask).Or(v), old.Or(mask))
			return m
		}
	}
	return append(m, of.Masked(field, v, mask))
}
