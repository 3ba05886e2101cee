package ovsdb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrMalformed is wrapped by the error of a session whose host sent something that is not OVSDB.
var ErrMalformed = errors.New("not ovsdb")

// maxDepth bounds the nesting of a message. What ovsdb-server sends has about ten levels.
const maxDepth = 32

// framer cuts a stream into JSON objects. JSON-RPC over TCP has no other frame (RFC 7047 §4).
type framer struct {
	r   *bufio.Reader
	max int
	buf []byte

	depth             int
	inString, escaped bool
}

func newFramer(r io.Reader, maxMessage int) *framer {
	return &framer{r: bufio.NewReaderSize(r, 8<<10), max: maxMessage}
}

// keepBuffer is the size of the buffer that is kept for the next message.
const keepBuffer = 16 << 10

// next returns the next object, which is valid until the following call. Its brackets match; whether it is JSON is
// for the decoder to say. After a read that timed out, next goes on where it stopped.
func (f *framer) next() ([]byte, error) {
	if f.depth == 0 {
		if cap(f.buf) > keepBuffer {
			f.buf = nil
		}
		f.buf = f.buf[:0]
	}
	for {
		if f.r.Buffered() == 0 {
			if _, err := f.r.Peek(1); err != nil {
				return nil, err
			}
		}
		chunk, _ := f.r.Peek(f.r.Buffered())
		n, whole, err := f.scan(chunk)
		if err != nil {
			return nil, err
		}
		f.buf = append(f.buf, chunk[:n]...)
		if _, err := f.r.Discard(n); err != nil {
			return nil, err
		}
		if len(f.buf) > f.max {
			return nil, fmt.Errorf("%w: message of more than %d bytes", ErrMalformed, f.max)
		}
		if whole {
			return bytes.TrimLeft(f.buf, " \t\r\n"), nil
		}
	}
}

// scan reads chunk up to the end of the object, if it is there, and returns how many bytes belong to it.
func (f *framer) scan(chunk []byte) (n int, whole bool, err error) {
	for i, c := range chunk {
		if f.inString {
			switch {
			case f.escaped:
				f.escaped = false
			case c == '\\':
				f.escaped = true
			case c == '"':
				f.inString = false
			}
			continue
		}
		switch c {
		case '{', '[':
			if f.depth == 0 && c != '{' {
				return 0, false, fmt.Errorf("%w: message starts with %q", ErrMalformed, c)
			}
			if f.depth++; f.depth > maxDepth {
				return 0, false, fmt.Errorf("%w: message with more than %d levels", ErrMalformed, maxDepth)
			}
		case '}', ']':
			if f.depth--; f.depth == 0 {
				return i + 1, true, nil
			}
			if f.depth < 0 {
				return 0, false, fmt.Errorf("%w: message starts with %q", ErrMalformed, c)
			}
		case '"':
			f.inString = true
			fallthrough
		default:
			if f.depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n' {
				return 0, false, fmt.Errorf("%w: message starts with %q", ErrMalformed, c)
			}
		}
	}
	return len(chunk), false, nil
}
