package interp

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/heddle-sdn/heddle/controller/of"
)

// bits is some bits of a field that a match asks for.
type bits struct {
	field of.Field
	mask  of.Value
}

// ask is a match with each bit of a packet named by one field only: tags by vlan_tci, TOS by nw_tos, registers by the
// 32-bit ones. Matches of the same meaning have the same ask.
type ask struct {
	bits   []bits // by field
	values []of.Value
}

// read makes the ask that of a match, which must be known.
func (a *ask) read(m of.Match) {
	a.bits, a.values = a.bits[:0], a.values[:0]
	for _, f := range m {
		if f.AsksNothing() {
			continue
		}
		v, mask := f.Value, f.FullMask()
		switch x := f.Field; {
		case x == of.FieldInPortNXM:
			a.add(of.FieldInPort, of.Num(uint64(wide(v.Lo))), of.Ones(32))
		case x == of.FieldVLANVID:
			a.add(of.FieldVLANTCI, v, mask)
		case x == of.FieldVLANPCP:
			a.add(of.FieldVLANTCI, v.Shl(13).Or(of.Num(of.VLANPresent)), mask.Shl(13).Or(of.Num(of.VLANPresent)))
		case x == of.FieldIPDSCP:
			a.add(of.FieldIPTOS, v.Shl(2), mask.Shl(2))
		case x == of.FieldIPTOS:
			a.add(of.FieldIPTOS, v, of.Num(0xfc))
		case x == of.FieldIPECN:
			a.add(of.FieldIPTOS, v, mask)
		case x >= of.FieldXReg0 && x <= of.FieldXReg7:
			a.regs(2*int(x-of.FieldXReg0), 2, v, mask)
		case x >= of.FieldXXReg0 && x <= of.FieldXXReg3:
			a.regs(4*int(x-of.FieldXXReg0), 4, v, mask)
		default:
			a.add(x, v, mask)
		}
	}
}

// known reports whether a match asks only for what a Packet holds.
func known(m of.Match) bool {
	for i := range m {
		if !modelled(m[i].Field) && !m[i].AsksNothing() {
			return false
		}
	}
	return true
}

// takes reports whether a packet is what a known match asks for. It is what finding the match's ask comes to.
func takes(m of.Match, p *Packet) bool {
	for i := range m {
		f := &m[i]
		have, v, mask := p.Get(f.Field), f.Value, f.Mask
		switch f.Field {
		case of.FieldUnknown:
			continue
		case of.FieldInPortNXM:
			have, v = of.Num(uint64(p.InPort)), of.Num(uint64(wide(v.Lo)))
		case of.FieldVLANPCP:
			if !p.VLANs[0].Present() {
				return false
			}
		case of.FieldIPTOS:
			mask = of.Num(0xfc)
		}
		if !mask.IsZero() {
			have, v = have.And(mask), v.And(mask)
		}
		if have != v {
			return false
		}
	}
	return true
}

// regs asks for n registers from the first on, the first in the highest bits.
func (a *ask) regs(first, n int, v, mask of.Value) {
	for i := range n {
		shift := 32 * (n - 1 - i)
		a.add(of.FieldReg(first+i), v.Shr(shift).And(of.Ones(32)), mask.Shr(shift).And(of.Ones(32)))
	}
}

// add asks for bits in addition to what is asked for of the field already.
func (a *ask) add(f of.Field, v, mask of.Value) {
	if mask.IsZero() {
		return
	}
	i, has := slices.BinarySearchFunc(a.bits, f, func(b bits, f of.Field) int { return cmp.Compare(b.field, f) })
	if has {
		a.bits[i].mask = a.bits[i].mask.Or(mask)
		a.values[i] = a.values[i].AndNot(mask).Or(v.And(mask))
		return
	}
	a.bits = slices.Insert(a.bits, i, bits{f, mask})
	a.values = slices.Insert(a.values, i, v.And(mask))
}

// modelled reports whether a Packet holds the field.
func modelled(f of.Field) bool {
	return f.Known() && f != of.FieldConjID && !(f >= of.FieldMPLSTC && f <= of.FieldMPLSLabel)
}

// table is one flow table: a tuple space. Flows that look at the same bits are in one group, in which a packet finds
// those it matches by one look-up.
//
// The groups are made when the table was looked at a few times: to follow a packet or two, it is quicker to go through
// all flows.
type table struct {
	groups []*group // by their highest priority, descending

	grouped atomic.Bool // all flows are in groups
	mu      sync.Mutex  // for what follows, until then
	flows   []*of.Flow  // that are in no group, in the order in which they came
	looks   int
}

// A table of fewer than fewFlows flows is put into groups at the first look, others after manyLooks.
const (
	fewFlows  = 64
	manyLooks = 8
)

// group is the flows that look at the same bits.
type group struct {
	bits  []bits
	top   uint16           // highest priority
	flows map[string]entry // by the values asked for
}

// entry is the flows that ask for the same values of the same bits. There is hardly ever more than one.
type entry struct {
	first  *of.Flow   // of the highest priority
	others []*of.Flow // by priority, descending
}

// find returns the flow of highest priority that takes the packet, and another that could be taken as well, with the
// same priority: nil if there is none.
func (t *table) find(p *Packet) (found, rival *of.Flow) {
	if !t.grouped.Load() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.looks++; len(t.flows) >= fewFlows && t.looks <= manyLooks {
			return t.scan(p)
		}
		t.makeGroups()
	}
	var buf [64]byte
	var from *group // that found is of
	for _, g := range t.groups {
		if found != nil && g.top < found.Priority {
			break
		}
		key := buf[:0]
		for i := range g.bits {
			key = appendValue(key, p.Get(g.bits[i].field).And(g.bits[i].mask), g.bits[i].mask)
		}
		flow := g.flows[string(key)].first
		switch {
		case flow == nil:
		case found == nil || flow.Priority > found.Priority:
			found, rival, from = flow, nil, g
		case flow.Priority == found.Priority && g.compare(from) < 0:
			found, rival, from = flow, found, g
		case flow.Priority == found.Priority:
			rival = flow
		}
	}
	return found, rival
}

// appendValue appends the bytes of v that a mask has bits in.
func appendValue(dst []byte, v, mask of.Value) []byte {
	if mask.Hi != 0 {
		dst = binary.BigEndian.AppendUint64(dst, v.Hi)
	}
	if mask.Lo>>32 != 0 {
		return binary.BigEndian.AppendUint64(dst, v.Lo)
	}
	return binary.BigEndian.AppendUint32(dst, uint32(v.Lo))
}

func (a *ask) appendKey(dst []byte) []byte {
	for i := range a.bits {
		dst = appendValue(dst, a.values[i], a.bits[i].mask)
	}
	return dst
}

// scan is find in a table without groups.
func (t *table) scan(p *Packet) (found, rival *of.Flow) {
	for _, f := range t.flows {
		switch {
		case found != nil && f.Priority < found.Priority || !takes(f.Match, p):
		case found == nil || f.Priority > found.Priority:
			found, rival = f, nil
		default:
			var a, b ask
			a.read(found.Match)
			b.read(f.Match)
			switch order := slices.CompareFunc(b.bits, a.bits, bits.compare); {
			case order == 0:
				found = f // they are the same flow, and the later one counts
			case order < 0:
				found, rival = f, found
			default:
				rival = f
			}
		}
	}
	return found, rival
}

// makeGroups puts all flows into groups.
func (t *table) makeGroups() {
	var a ask
	for _, f := range t.flows {
		a.read(f.Match)
		t.put(&a, f)
	}
	t.flows = nil
	t.grouped.Store(true)
}

// add puts a flow into the table, in place of the one that has the same match and priority.
func (t *table) add(f *of.Flow) {
	if !t.grouped.Load() {
		t.flows = append(t.flows, f)
		return
	}
	var a ask
	a.read(f.Match)
	t.put(&a, f)
}

func (t *table) put(a *ask, f *of.Flow) {
	var buf [64]byte
	key := a.appendKey(buf[:0])
	g := t.group(a)
	if g == nil {
		g = &group{bits: slices.Clone(a.bits), top: f.Priority, flows: map[string]entry{}}
		t.groups = append(t.groups, g)
		t.sort()
	}
	e := g.flows[string(key)]
	e.add(f)
	g.flows[string(key)] = e
	if f.Priority > g.top {
		g.top = f.Priority
		t.sort()
	}
}

func (e *entry) add(f *of.Flow) {
	switch {
	case e.first == nil || e.first.Priority == f.Priority:
		e.first = f
		return
	case f.Priority > e.first.Priority:
		e.first, f = f, e.first
	}
	i, same := slices.BinarySearchFunc(e.others, f.Priority, byPriority)
	if same {
		e.others[i] = f
		return
	}
	e.others = slices.Insert(e.others, i, f)
}

// remove takes out the flow with a priority and reports whether there was one.
func (e *entry) remove(priority uint16) bool {
	if e.first == nil {
		return false
	}
	if e.first.Priority == priority {
		e.first = nil
		if len(e.others) > 0 {
			e.first, e.others = e.others[0], e.others[1:]
		}
		return true
	}
	i, has := slices.BinarySearchFunc(e.others, priority, byPriority)
	if has {
		e.others = slices.Delete(e.others, i, i+1)
	}
	return has
}

// remove takes out the flow with the match and priority and reports whether there was one.
func (t *table) remove(m of.Match, priority uint16) bool {
	t.makeGroups()
	var a ask
	a.read(m)
	g, key := t.group(&a), string(a.appendKey(nil))
	if g == nil {
		return false
	}
	e := g.flows[key]
	if !e.remove(priority) {
		return false
	}
	if g.flows[key] = e; e.first == nil {
		delete(g.flows, key)
	}
	switch {
	case len(g.flows) == 0:
		t.groups = slices.DeleteFunc(t.groups, func(x *group) bool { return x == g })
	case g.top == priority:
		g.top = 0
		for _, e := range g.flows {
			g.top = max(g.top, e.first.Priority)
		}
		t.sort()
	}
	return true
}

func byPriority(f *of.Flow, priority uint16) int { return cmp.Compare(priority, f.Priority) }

// group is the one whose flows look at the bits asked for, nil if there is none.
func (t *table) group(a *ask) *group {
	for _, g := range t.groups {
		if slices.Equal(g.bits, a.bits) {
			return g
		}
	}
	return nil
}

func (t *table) sort() {
	slices.SortFunc(t.groups, func(a, b *group) int { return cmp.Compare(b.top, a.top) })
}

// compare gives groups an order that does not depend on their flows.
func (g *group) compare(h *group) int { return slices.CompareFunc(g.bits, h.bits, bits.compare) }

func (b bits) compare(c bits) int {
	return cmp.Or(cmp.Compare(b.field, c.field), cmp.Compare(b.mask.Hi, c.mask.Hi), cmp.Compare(b.mask.Lo, c.mask.Lo))
}
