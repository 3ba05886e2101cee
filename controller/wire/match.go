package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
)

// ErrField says that a match or action names a field that cannot be encoded there.
var ErrField = errors.New("field cannot be encoded")

// row is what the encoder and decoder need of of.FieldInfo, in the order they need it.
type row struct {
	oxm, sub       uint32   // header without mask bit, with the length of an unmasked payload
	oxmExp, subExp uint32   // experimenter id, 0 for none
	full           of.Value // all bits
	bytes          uint8    // width of the value
	shift          uint8    // moves a value of at most 8 bytes to the upper end of 64 bits
	short          bool     // at most 8 bytes wide and no experimenter id
}

// rows and byHeader are derived from the registry of package of and never written again.
var (
	rows     = makeRows() // the last row is empty, for numbers that are no field
	byHeader = makeHeaderIndex()
)

func makeRows() (rs [of.NumFields + 1]row) {
	for f := of.FieldUnknown + 1; f < of.NumFields; f++ {
		info := f.Info()
		full := of.FieldMatch{Field: f}.FullMask()
		rs[f] = row{
			oxm: head(info.OXM, info.Bytes), oxmExp: info.OXM.Experimenter,
			sub: head(info.Sub, info.Bytes), subExp: info.Sub.Experimenter,
			bytes: info.Bytes, full: full,
		}
		if info.Bytes <= 8 && info.OXM.Experimenter == 0 {
			rs[f].short, rs[f].shift = true, 64-8*info.Bytes
		}
	}
	return rs
}

func head(h of.Header, bytes uint8) uint32 {
	length := uint32(bytes)
	if h.Class == of.ClassExperimenter {
		length += 4
	}
	return uint32(h.Class)<<16 | uint32(h.Number)<<9 | length
}

// headerKey identifies a field on the wire: class and number, and the experimenter id.
type headerKey struct {
	head uint32 // class<<7 | number
	exp  uint32
}

func makeHeaderIndex() map[headerKey]of.Field {
	index := map[headerKey]of.Field{}
	for f := of.FieldUnknown + 1; f < of.NumFields; f++ {
		index[headerKey{rows[f].oxm >> 9, rows[f].oxmExp}] = f
		index[headerKey{rows[f].sub >> 9, rows[f].subExp}] = f
	}
	return index
}

// basicFields and nxmFields are byHeader for the two classes that nearly every TLV has, without hashing.
var (
	basicFields = makeClassIndex(of.ClassBasic)
	nxmFields   = makeClassIndex(of.ClassNXM1)
)

func makeClassIndex(class uint32) (index [128]of.Field) {
	for n := range uint32(128) {
		index[n] = byHeader[headerKey{class<<7 | n, 0}]
	}
	return index
}

// fieldOf is the field with this header, or FieldUnknown.
func fieldOf(header, exp uint32) of.Field {
	switch header >> 16 {
	case of.ClassBasic:
		return basicFields[header>>9&0x7f]
	case of.ClassNXM1:
		return nxmFields[header>>9&0x7f]
	}
	return byHeader[headerKey{header >> 9, exp}]
}

// maxSorted is how many members of an unordered match are sorted without an allocation.
const maxSorted = 32

// AppendOXM appends a match as OXM TLVs in canonical order: the order of the constants of.Field…, which is the one OVS
// emits, with unknown TLVs last, by their bytes. The order of m does not matter. A field that occurs twice is an error.
// Whether a switch will accept the match is not looked at; of.Match.Check does that.
func AppendOXM(dst []byte, m of.Match) ([]byte, error) { return appendTLVs(dst, m, 0) }

// AppendMatch appends a match as ofp_match: type, length, TLVs in canonical order, padding to 8 bytes
// (OpenFlow 1.3.5 §7.2.3.1).
func AppendMatch(dst []byte, m of.Match) ([]byte, error) { return appendTLVs(dst, m, matchHead) }

// matchHead is the length of what stands before the TLVs of an ofp_match; oxmMatch is the only type of it there is
// (OFPMT_OXM).
const (
	matchHead = 4
	oxmMatch  = 1
)

// appendTLVs appends the TLVs of a match: alone if head is 0, as ofp_match if it is matchHead.
func appendTLVs(dst []byte, m of.Match, head int) ([]byte, error) {
	start := len(dst)
	n := start + head
	dst = extend(dst, head+shortTLV*len(m))
	last := of.FieldUnknown
	for i := range m {
		f := &m[i]
		if f.Field <= last || f.Field >= of.NumFields {
			return appendUnordered(dst[:start], m, head)
		}
		last = f.Field
		r := &rows[f.Field]
		if r.short && f.Mask == (of.Value{}) {
			n += putShortTLV(dst[n:n+shortTLV], r, f.Value.Lo)
			continue
		}
		dst = appendTLV(dst[:n], r, f.Value, f.Mask)
		n = len(dst)
		dst = extend(dst, shortTLV*(len(m)-1-i))
	}
	if head == 0 {
		return dst[:n], nil
	}
	return closeMatch(dst[:n], start)
}

// closeMatch writes the head of the match that began at start, and its padding.
func closeMatch(dst []byte, start int) ([]byte, error) {
	n := len(dst)
	if n-start > MaxMessage {
		return dst[:start], ErrTooLong
	}
	dst = extend(dst, 8)
	binary.BigEndian.PutUint32(dst[start:], oxmMatch<<16|uint32(n-start))
	binary.BigEndian.PutUint64(dst[n:n+8], 0)
	return dst[:start+roundUp8(n-start)], nil
}

// appendMatchBytes is AppendMatch for TLVs that are encoded already.
func appendMatchBytes[B []byte | string](dst []byte, tlvs B) ([]byte, error) {
	start := len(dst)
	return closeMatch(append(extend(dst, matchHead), tlvs...), start)
}

// appendUnordered is appendTLVs for a match in any order and with any members.
func appendUnordered(dst []byte, m of.Match, head int) ([]byte, error) {
	var stack [maxSorted]int
	order := stack[:0]
	for i := range m {
		if !m[i].AsksNothing() {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int { return compareFields(&m[i], &m[j]) })
	start := len(dst)
	dst = extend(dst, head)
	for k, i := range order {
		f := &m[i]
		if k > 0 && compareFields(&m[order[k-1]], f) == 0 {
			return dst[:start], fmt.Errorf("encode match: %s occurs twice", f.Field)
		}
		if f.Field.Known() {
			dst = appendTLV(dst, &rows[f.Field], f.Value, f.Mask)
			continue
		}
		if len(f.Raw) < 4 || len(f.Raw) != 4+int(f.Raw[3]) {
			return dst[:start], fmt.Errorf("encode match: %w: raw tlv of %d bytes", ErrField, len(f.Raw))
		}
		dst = append(dst, f.Raw...)
	}
	if head == 0 {
		return dst, nil
	}
	return closeMatch(dst, start)
}

// compareFields orders known fields by number and unknown ones behind them by their bytes.
func compareFields(a, b *of.FieldMatch) int {
	ka, kb := a.Field.Known(), b.Field.Known()
	switch {
	case ka && kb:
		return int(a.Field) - int(b.Field)
	case ka:
		return -1
	case kb:
		return 1
	case a.Raw < b.Raw:
		return -1
	case a.Raw > b.Raw:
		return 1
	}
	return 0
}

// shortTLV is the room that putShortTLV needs.
const shortTLV = 12

// putShortTLV writes an exact TLV of a short field and gives its length. It writes eight bytes of value however few the
// field has; those behind it are zero and do not count. Nearly every TLV is one, hence worth a way of its own.
func putShortTLV(b []byte, r *row, v uint64) int {
	binary.BigEndian.PutUint32(b, r.oxm)
	binary.BigEndian.PutUint64(b[4:], v<<(r.shift&63))
	return 4 + int(r.bytes)
}

// appendTLV appends one OXM TLV of any field; a zero or full mask is not written.
func appendTLV(dst []byte, r *row, v, mask of.Value) []byte {
	if mask.IsZero() || mask == r.full {
		dst = put32(dst, r.oxm)
		if r.oxmExp != 0 {
			dst = put32(dst, r.oxmExp)
		}
		return appendValue(dst, r.bytes, v)
	}
	dst = put32(dst, maskedHead(r.oxm, r.bytes))
	if r.oxmExp != 0 {
		dst = put32(dst, r.oxmExp)
	}
	return appendValue(appendValue(dst, r.bytes, v), r.bytes, mask)
}

// maskedHead is a header with its mask bit set and the length of value and mask.
func maskedHead(h uint32, bytes uint8) uint32 { return h + uint32(bytes) | 0x100 }

func appendValue(dst []byte, bytes uint8, v of.Value) []byte {
	x := v.Lo
	switch bytes {
	case 1:
		return append(dst, byte(x))
	case 2:
		return append(dst, byte(x>>8), byte(x))
	case 4:
		return append(dst, byte(x>>24), byte(x>>16), byte(x>>8), byte(x))
	case 6:
		return append(dst, byte(x>>40), byte(x>>32), byte(x>>24), byte(x>>16), byte(x>>8), byte(x))
	case 8:
		return put64(dst, x)
	}
	return put64(put64(dst, v.Hi), x)
}

func readValue(b []byte) of.Value {
	switch len(b) {
	case 1:
		return of.Value{Lo: uint64(b[0])}
	case 2:
		return of.Value{Lo: uint64(binary.BigEndian.Uint16(b))}
	case 4:
		return of.Value{Lo: uint64(binary.BigEndian.Uint32(b))}
	case 8:
		return of.Value{Lo: binary.BigEndian.Uint64(b)}
	}
	var v of.Value
	for _, c := range b {
		v = v.Shl(8)
		v.Lo |= uint64(c)
	}
	return v
}

// matchView reads an ofp_match and gives its TLVs as they are.
func matchView(c *Cursor) []byte {
	kind, length := c.U16(), int(c.U16())
	switch {
	case c.err != nil:
		return nil
	case kind != oxmMatch:
		c.Fail(ErrValue)
		return nil
	case length < 4:
		c.Fail(ErrLength)
		return nil
	}
	tlvs := c.Bytes(length - 4)
	c.Skip(-length & 7)
	return tlvs
}

// DecodeMatch reads an ofp_match with its padding from the start of b and gives the number of bytes it took.
func DecodeMatch(b []byte) (m of.Match, n int, err error) {
	c := NewCursor(b, "match")
	m = decodeMatch(&c)
	return m, c.base, c.err
}

func decodeMatch(c *Cursor) of.Match {
	start := c.base
	tlvs := NewCursor(matchView(c), "match")
	tlvs.base = start + 4
	m := decodeOXM(&tlvs)
	c.Join(&tlvs)
	return m
}

// DecodeOXM reads OXM TLVs until b ends and gives them in canonical order. What is not in the registry of package of,
// or is there with another width or with an empty mask, is kept as FieldUnknown.
func DecodeOXM(b []byte) (of.Match, error) {
	c := NewCursor(b, "match")
	return decodeOXM(&c), c.err
}

func decodeOXM(c *Cursor) of.Match {
	var m of.Match
	if n := countTLVs(c.buf); n > 0 {
		m = make(of.Match, 0, n)
	}
	sorted := true
	for c.Len() > 0 {
		f := decodeTLV(c)
		if c.err != nil {
			return nil
		}
		m = append(m, f)
		if n := len(m); n > 1 && compareFields(&m[n-2], &m[n-1]) > 0 {
			sorted = false
		}
	}
	if !sorted {
		slices.SortStableFunc(m, func(a, b of.FieldMatch) int { return compareFields(&a, &b) })
	}
	return m
}

func countTLVs(b []byte) int {
	n := 0
	for len(b) >= 4 && len(b) >= 4+int(b[3]) {
		b = b[4+int(b[3]):]
		n++
	}
	return n
}

func decodeTLV(c *Cursor) of.FieldMatch {
	whole := c.buf
	header := c.U32()
	body := c.Bytes(int(header & 0xff))
	if c.err != nil {
		return of.FieldMatch{}
	}
	exp := uint32(0)
	payload := body
	if header>>16 == of.ClassExperimenter {
		if len(body) < 4 {
			c.Fail(ErrLength)
			return of.FieldMatch{}
		}
		exp, payload = binary.BigEndian.Uint32(body), body[4:]
	}
	if f := fieldOf(header, exp); f != of.FieldUnknown {
		width := int(rows[f].bytes)
		switch {
		case header&0x100 == 0 && len(payload) == width:
			return of.FieldMatch{Field: f, Value: readValue(payload)}
		case header&0x100 != 0 && len(payload) == 2*width:
			value, mask := readValue(payload[:width]), readValue(payload[width:])
			if mask == rows[f].full {
				mask = of.Value{}
			} else if mask.IsZero() {
				break
			}
			return of.FieldMatch{Field: f, Value: value, Mask: mask}
		}
	}
	return of.FieldMatch{Raw: string(whole[:4+len(body)])}
}
