package wire

import (
	"github.com/heddle-sdn/heddle/controller/of"
)

// Message types of the ONF bundle extension to OpenFlow 1.3 (ONF extension 230).
const (
	ONFBundleControl = 2300
	ONFBundleAdd     = 2301
)

// BundleControl is the step of a bundle that a control message asks for or confirms.
type BundleControl uint16

// The steps. Each request is confirmed by the number after it.
const (
	BundleOpen BundleControl = iota
	BundleOpened
	BundleClose
	BundleClosed
	BundleCommit
	BundleCommitted
	BundleDiscard
	BundleDiscarded
)

// BundleFlags say how a bundle is applied.
type BundleFlags uint16

// Bits of BundleFlags.
const (
	BundleAtomic  BundleFlags = 1 << 0 // packets see all of it or nothing
	BundleOrdered BundleFlags = 1 << 1 // messages are applied in the order they were added
)

// Bundle is the body of a bundle control message; of a bundle-add message it is the part before the message added.
type Bundle struct {
	ID      uint32 // chosen by the controller, one at a time per connection
	Control BundleControl
	Flags   BundleFlags // the same in every message of a bundle
}

// Experimenter is the head of an experimenter message.
type Experimenter struct {
	ID   uint32 // such as of.ExperimenterONF
	Type uint32
	Body []byte // a view of the message
}

// DecodeExperimenter reads the body of an experimenter message.
func DecodeExperimenter(body []byte) (Experimenter, error) {
	c := NewCursor(body, "experimenter message")
	e := Experimenter{ID: c.U32(), Type: c.U32()}
	e.Body = c.Rest()
	return e, c.err
}

func beginONF(dst []byte, xid, kind uint32) []byte {
	return put32(put32(begin(dst, TypeExperimenter, xid), of.ExperimenterONF), kind)
}

// AppendBundleControl appends a whole bundle control message.
func AppendBundleControl(dst []byte, xid uint32, b Bundle) []byte {
	start := len(dst)
	dst = put16(put16(put32(beginONF(dst, xid, ONFBundleControl), b.ID), uint16(b.Control)), uint16(b.Flags))
	dst, _ = finish(dst, start)
	return dst
}

// DecodeBundleControl reads what follows the head of a bundle control message, as Experimenter.Body gives it.
func DecodeBundleControl(body []byte) (Bundle, error) {
	c := NewCursor(body, "bundle control")
	b := Bundle{ID: c.U32(), Control: BundleControl(c.U16()), Flags: BundleFlags(c.U16())}
	return b, c.err
}

// BeginBundleAdd appends the head of a bundle-add message. Append one whole message behind it with the same xid, then
// call EndBundleAdd with the length that dst had before.
func BeginBundleAdd(dst []byte, xid, bundle uint32, flags BundleFlags) []byte {
	dst = put32(beginONF(dst, xid, ONFBundleAdd), bundle)
	return put16(put16(dst, 0), uint16(flags))
}

// EndBundleAdd completes the bundle-add message that begins at start, or takes it back if it is too long.
func EndBundleAdd(dst []byte, start int) ([]byte, error) { return finish(dst, start) }

// AppendBundleAdd appends a whole bundle-add message around msg, a whole message with the same xid.
func AppendBundleAdd(dst []byte, xid, bundle uint32, flags BundleFlags, msg []byte) ([]byte, error) {
	return EndBundleAdd(append(BeginBundleAdd(dst, xid, bundle, flags), msg...), len(dst))
}

// DecodeBundleAdd reads what follows the head of a bundle-add message, as Experimenter.Body gives it. The message
// added is a view of it.
func DecodeBundleAdd(body []byte) (b Bundle, msg []byte, err error) {
	c := NewCursor(body, "bundle add")
	b.ID = c.U32()
	c.Skip(2)
	b.Flags = BundleFlags(c.U16())
	rest := c.buf
	h, err := DecodeHeader(rest)
	switch {
	case c.err != nil:
		return Bundle{}, nil, c.err
	case err != nil:
		return Bundle{}, nil, err
	case int(h.Length) > len(rest):
		c.Fail(ErrLength)
		return Bundle{}, nil, c.err
	}
	return b, rest[:h.Length], nil
}
