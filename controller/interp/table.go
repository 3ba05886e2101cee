package interp

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

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

// askOf reads a match. It reports false if the match asks for what a Packet does not hold.
func askOf(m of.Match) (ask, bool) {
	a := ask{bits: make([]bits, 0, len(m)), values: make([]of.Value, 0, len(m))}
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
			return ask{}, false
		default:
			a.add(x, v, mask)
		}
	}
	return a, true
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
	id    string                // of bits
	top   uint16                // highest priority
	flows map[string][]*of.Flow // by the values asked for; by priority, descending
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
		flows := g.flows[string(key)]
		switch {
		case len(flows) == 0:
		case found == nil || flows[0].Priority > found.Priority:
			found, rival = flows[0], nil
		case flows[0].Priority == found.Priority:
			rival = flows[0]
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

func (a *ask) key() string {
	var key []byte
	for i := range a.bits {
		key = appendValue(key, a.values[i], a.bits[i].mask)
	}
	return string(key)
}

func (a *ask) id() string {
	var id []byte
	for _, b := range a.bits {
		id = binary.BigEndian.AppendUint16(id, uint16(b.field))
		id = binary.BigEndian.AppendUint64(id, b.mask.Hi)
		id = binary.BigEndian.AppendUint64(id, b.mask.Lo)
	}
	return string(id)
}

// add puts a flow into the table, in place of the one that has the same match and priority.
func (t *table) add(a ask, f *of.Flow) {
	id := a.id()
	g := t.group(id)
	if g == nil {
		g = &group{bits: a.bits, id: id, top: f.Priority, flows: map[string][]*of.Flow{}}
		t.groups = append(t.groups, g)
	}
	key := a.key()
	flows := g.flows[key]
	i, same := slices.BinarySearchFunc(flows, f.Priority, byPriority)
	if same {
		flows[i] = f
		return
	}
	g.flows[key] = slices.Insert(flows, i, f)
	g.top = max(g.top, f.Priority)
	t.sort()
}

// remove takes out the flow with the match and priority and reports whether there was one.
func (t *table) remove(a ask, priority uint16) bool {
	g, key := t.group(a.id()), a.key()
	if g == nil {
		return false
	}
	i, has := slices.BinarySearchFunc(g.flows[key], priority, byPriority)
	if !has {
		return false
	}
	if g.flows[key] = slices.Delete(g.flows[key], i, i+1); len(g.flows[key]) == 0 {
		delete(g.flows, key)
	}
	if len(g.flows) == 0 {
		t.groups = slices.DeleteFunc(t.groups, func(x *group) bool { return x == g })
	} else if g.top == priority {
		g.top = 0
		for _, flows := range g.flows {
			g.top = max(g.top, flows[0].Priority)
		}
		t.sort()
	}
	return true
}

func byPriority(f *of.Flow, priority uint16) int { return cmp.Compare(priority, f.Priority) }

func (t *table) group(id string) *group {
	for _, g := range t.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

func (t *table) sort() {
	slices.SortFunc(t.groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.top, a.top), strings.Compare(a.id, b.id))
	})
}
