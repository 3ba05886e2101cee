package interp

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// action does one action or instruction. It reports whether the list that the action is in goes on.
func (r *run) action(a of.Action) bool {
	s := r.add(Step{Kind: KindAction, Action: a})
	goesOn := true
	r.below(s, func() { goesOn = r.execute(a, s) })
	return goesOn
}

// changed notes that the step changed the packet.
func (r *run) changed(s *Step) { s.Packet = r.packet }

func (r *run) execute(a of.Action, s *Step) bool {
	switch a := a.(type) {
	case of.Output:
		r.output(a.Port)
	case of.OutputReg:
		r.outputReg(a)
	case of.Controller:
		r.send(of.PortController)
	case of.Group:
		return r.group(a.ID)
	case of.GotoTable:
		r.lookup(a.Table, r.packet.InPort, false)
	case of.Resubmit:
		r.resubmit(a)
	case of.Learn:
		r.learn(a, s)
	case of.CT:
		r.connection(a)
	case of.WriteActions:
		r.write(a.Actions)
		r.changed(s)
	case of.ClearActions:
		r.actionSet, r.setGroup, r.packet.ActsetOutput = nil, false, 0
		r.changed(s)
	case of.DecTTL:
		return r.decTTL(a, s)
	case of.Meter:
		r.note("meter %d may drop or mark the packet; rates are not modelled", a.ID)
	case of.Conjunction:
		r.note("a conjunction does nothing when it is executed")
	case of.SetQueue, of.Note:
	default:
		return r.rewrite(a, s)
	}
	return true
}

// rewrite does the actions that change the packet alone.
func (r *run) rewrite(a of.Action, s *Step) bool {
	p := &r.packet
	switch a := a.(type) {
	case of.SetField:
		r.setField(a.Field, a.Value, of.Ones(128))
	case of.RegLoad2:
		mask := a.Mask
		if mask.IsZero() {
			mask = of.Ones(128)
		}
		r.setField(a.Field, a.Value, mask)
	case of.Load:
		o := int(a.Dst.Offset)
		r.setField(a.Dst.Field, of.Num(a.Value).Shl(o), of.Ones(int(a.Dst.Bits)).Shl(o))
	case of.Move:
		r.move(a)
	case of.PushVLAN:
		p.pushVLAN(a.EthType)
	case of.PopVLAN:
		p.popVLAN()
	case of.SetTTL:
		if p.isIP() {
			p.IP.TTL = a.TTL
		}
	case of.WriteMetadata:
		mask := a.Mask
		if mask == 0 {
			mask = ^uint64(0)
		}
		p.Metadata = p.Metadata&^mask | a.Value&mask
	case of.CTClear:
		if p.CT.State&of.CTTrk != 0 {
			p.CT = Connection{}
		}
	default:
		r.stop(NotModelled, fmt.Sprintf("action %s is not modelled", a))
		return false
	}
	r.changed(s)
	return true
}

func (r *run) setField(f of.Field, v, mask of.Value) {
	if !modelled(f) {
		r.stop(NotModelled, fmt.Sprintf("field %s is not modelled", f))
		return
	}
	if !r.packet.set(f, v, mask) {
		r.note("the packet has no %s to set", f)
	}
}

func (r *run) move(a of.Move) {
	p := &r.packet
	if !p.has(a.Src.Field.Info().Prereq) || !p.has(a.Dst.Field.Info().Prereq) {
		r.note("the packet does not have both %s and %s", a.Src.Field, a.Dst.Field)
		return
	}
	bits := p.subfield(a.Src)
	r.setField(a.Dst.Field, bits.Shl(int(a.Dst.Offset)), of.Ones(int(a.Dst.Bits)).Shl(int(a.Dst.Offset)))
}

// subfield is some bits of a field of the packet.
func (p *Packet) subfield(s of.Subfield) of.Value {
	return p.Get(s.Field).Shr(int(s.Offset)).And(of.Ones(int(s.Bits)))
}

// decTTL ends the list when the time to live runs out: what called for the list goes on.
func (r *run) decTTL(a of.DecTTL, s *Step) bool {
	p := &r.packet
	if !p.isIP() {
		return true
	}
	if p.IP.TTL > 1 {
		p.IP.TTL--
		r.changed(s)
		return true
	}
	for range max(1, len(a.Controllers)) {
		r.send(of.PortController)
	}
	r.drop(TTLExpired, "")
	return false
}

func (r *run) resubmit(a of.Resubmit) {
	in, table := a.Port, a.Table
	if in == 0 || in == of.PortInPort {
		in = r.packet.InPort
	}
	if table == of.TableAll {
		table = r.table
	}
	r.lookup(table, in, a.CT)
}
