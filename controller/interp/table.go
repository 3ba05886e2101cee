package interp

import (
	"cmp"
	"encoding/binary"
	"slices"

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

// read makes the ask that of a match. It reports false if the match asks for what a Packet does not hold.
func (a *ask) read(m of.Match) bool {
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
		case !modelled(x):
			return false
		default:
			a.add(x, v, mask)
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
type table struct {
	groups []*group // by their highest priority, descending; those of equal priority by their bits
}

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
	var buf [64]byte
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
			found, rival = flow, nil
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

// add puts a flow into the table, in place of the one that has the same match and priority.
func (t *table) add(a *ask, f *of.Flow) {
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
func (t *table) remove(a *ask, priority uint16) bool {
	g, key := t.group(a), string(a.appendKey(nil))
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
	slices.SortFunc(t.groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.top, a.top), slices.CompareFunc(a.bits, b.bits, bits.compare))
	})
}

func (b bits) compare(c bits) int {
	return cmp.Or(cmp.Compare(b.field, c.field), cmp.Compare(b.mask.Hi, c.mask.Hi), cmp.Compare(b.mask.Lo, c.mask.Lo))
}
