package native

import (
	"encoding/json"
	"net/http"
	"time"
)

// flushAt is how many bytes of a long answer are sent at once.
const flushAt = 64 << 10

// stream sends a long answer in parts, to a client that takes each of them in time.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // for each part
	buf     []byte        // not sent yet
	failed  bool
}

func newStream(w http.ResponseWriter, timeout time.Duration) *stream {
	return &stream{w: w, control: http.NewResponseController(w), timeout: timeout}
}

// flush sends what is buffered once it is at least atLeast bytes; it reports whether the client still
// takes it. If it does not, net/http closes the connection when the handler returns.
func (s *stream) flush(atLeast int) bool {
	if s.failed || len(s.buf) < atLeast {
		return !s.failed
	}
	s.deadline(time.Now().Add(s.timeout))
	if _, err := s.w.Write(s.buf); err != nil || s.control.Flush() != nil {
		s.failed = true
	}
	s.buf = s.buf[:0]
	return !s.failed
}

// close sends the rest; the connection may be used for other requests then.
func (s *stream) close() {
	if s.flush(0) {
		s.deadline(time.Time{})
	}
}

// deadline bounds the writes from now on. Only tests have writers that know no deadline.
func (s *stream) deadline(t time.Time) { _ = s.control.SetWriteDeadline(t) }

// appendMember appends a member of a JSON object behind sep, '{' or ','. The name needs no escapes.
func appendMember(b []byte, sep byte, name, value string) []byte {
	b = append(append(append(b, sep, '"'), name...), `":`...)
	return appendString(b, value)
}

// appendString appends a JSON string (RFC 8259 §7). Nearly all are plain ASCII.
func appendString[T string | []byte](b []byte, s T) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(string(s))
			if err != nil {
				panic(err) // a string always encodes
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
