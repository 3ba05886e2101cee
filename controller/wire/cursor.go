package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Reasons of a DecodeError, for errors.Is.
var (
	// ErrShort says that the bytes end before the item does.
	ErrShort = errors.New("bytes missing")
	// ErrLength says that a length field contradicts what it measures.
	ErrLength = errors.New("impossible length")
	// ErrValue says that a field holds a value the protocol does not allow there.
	ErrValue = errors.New("value not allowed")
)

// DecodeError says what could not be decoded and where.
type DecodeError struct {
	What   string // the item, such as "flow stats"
	Offset int    // of the failing part, in bytes from the start of what the decoder was given
	Reason error  // ErrShort, ErrLength or ErrValue
}

// Error says what could not be decoded, where, and why.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("decode %s at byte %d: %v", e.What, e.Offset, e.Reason)
}

// Unwrap gives the reason.
func (e *DecodeError) Unwrap() error { return e.Reason }

// Cursor reads big-endian numbers from a slice. The first failure sticks: later reads give zeros, and Err tells. So a
// decoder may read a whole fixed part and check once.
type Cursor struct {
	buf  []byte // not yet read
	base int    // offset of buf[0] in what the outermost decoder was given
	what string
	err  error

	nested bool // inside a ct action
}

// NewCursor reads b; what names the item in errors.
func NewCursor(b []byte, what string) Cursor { return Cursor{buf: b, what: what} }

// Err is the first failure, nil if there was none.
func (c *Cursor) Err() error { return c.err }

// Len is the number of bytes left.
func (c *Cursor) Len() int { return len(c.buf) }

// Offset is the position in what the outermost decoder was given.
func (c *Cursor) Offset() int { return c.base }

// Fail records a failure at the current position, unless there was one before.
func (c *Cursor) Fail(reason error) {
	if c.err == nil {
		c.err = &DecodeError{What: c.what, Offset: c.base, Reason: reason}
	}
	c.buf = nil
}

// Bytes reads n bytes without copying them; nil if fewer are left.
func (c *Cursor) Bytes(n int) []byte {
	if n < 0 || n > len(c.buf) {
		c.Fail(ErrShort)
		return nil
	}
	b := c.buf[:n:n]
	c.buf = c.buf[n:]
	c.base += n
	return b
}

// Skip passes over n bytes.
func (c *Cursor) Skip(n int) { c.Bytes(n) }

// Rest reads all that is left.
func (c *Cursor) Rest() []byte { return c.Bytes(len(c.buf)) }

// Sub reads n bytes as an item of its own.
func (c *Cursor) Sub(n int, what string) Cursor {
	base := c.base
	return Cursor{buf: c.Bytes(n), base: base, what: what, err: c.err, nested: c.nested}
}

// Join takes over the failure of an item read with Sub.
func (c *Cursor) Join(sub *Cursor) {
	if sub.err != nil && c.err == nil {
		c.err = sub.err
		c.buf = nil
	}
}

// U8 reads one byte.
func (c *Cursor) U8() uint8 {
	if b := c.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads two bytes.
func (c *Cursor) U16() uint16 {
	if b := c.Bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U32 reads four bytes.
func (c *Cursor) U32() uint32 {
	if b := c.Bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes.
func (c *Cursor) U64() uint64 {
	if b := c.Bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text reads n bytes up to the first NUL.
func (c *Cursor) text(n int) string {
	b := c.Bytes(n)
	for i, ch := range b {
		if ch == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// Shorthands of the encoders.

func put16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }
func put32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }
func put64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// extend makes dst n bytes longer. The new bytes may hold anything, so the caller must write them all.
func extend(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		dst = regrow(dst, n)
	}
	return dst[:len(dst)+n]
}

// regrow is the rare part of extend, kept apart so that extend costs a comparison.
//
//go:noinline
func regrow(dst []byte, n int) []byte { return slices.Grow(dst, n) }

const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// pad appends n zero bytes, at most 32.
func pad(dst []byte, n int) []byte { return append(dst, zeros[:n]...) }

// pad8 appends zero bytes until what began at start is a multiple of 8 long.
func pad8(dst []byte, start int) []byte {
	n := len(dst)
	dst = extend(dst, 8)
	binary.BigEndian.PutUint64(dst[n:n+8], 0)
	return dst[:n+(start-n)&7]
}

// putText appends s cut or padded with zeros to n bytes, of which the last is always zero.
func putText(dst []byte, s string, n int) []byte {
	if len(s) > n-1 {
		s = s[:n-1]
	}
	dst = append(dst, s...)
	return append(dst, make([]byte, n-len(s))...)
}

// setLength16 writes the length of what began at start into the two bytes at offset at of it.
func setLength16(dst []byte, start, at int) {
	binary.BigEndian.PutUint16(dst[start+at:], uint16(len(dst)-start))
}

func roundUp8(n int) int { return (n + 7) &^ 7 }
