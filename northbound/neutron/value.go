package neutron

import (
	"cmp"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// scalar is the value of a scalar attribute: what is rendered, compared with filters and sorted by.
// The zero scalar is null.
type scalar struct {
	kind valueKind
	num  int64
	str  string
}

// valueKind orders values of different kinds; null comes first, as the reference sorts it.
type valueKind uint8

const (
	kindNull valueKind = iota
	kindBool
	kindInt
	kindText
)

// none is the value of an attribute that has none.
var none = scalar{}

// boolean is a boolean value.
func boolean(b bool) scalar {
	if b {
		return scalar{kind: kindBool, num: 1}
	}
	return scalar{kind: kindBool}
}

// integer is an integer value.
func integer(n int) scalar { return scalar{kind: kindInt, num: int64(n)} }

// text is a string value.
func text[S ~string](s S) scalar { return scalar{kind: kindText, str: string(s)} }

// textOrNull is a string value, or null for the empty string.
func textOrNull[S ~string](s S) scalar {
	if s == "" {
		return none
	}
	return text(s)
}

// compare orders values: null, false, true, integers, strings.
func (v scalar) compare(o scalar) int {
	if c := cmp.Compare(v.kind, o.kind); c != 0 {
		return c
	}
	if c := cmp.Compare(v.num, o.num); c != 0 {
		return c
	}
	return cmp.Compare(v.str, o.str)
}

// append adds the value as JSON.
func (v scalar) append(dst []byte) []byte {
	switch v.kind {
	case kindBool:
		return strconv.AppendBool(dst, v.num != 0)
	case kindInt:
		return strconv.AppendInt(dst, v.num, 10)
	case kindText:
		return appendString(dst, v.str)
	}
	return append(dst, "null"...)
}

const hexDigits = "0123456789abcdef"

// plain marks the bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := range utf8.RuneSelf {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

// appendString adds s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start, i := 0, 0
	for i < len(s) {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendStrings adds a list of strings as JSON.
func appendStrings[S ~string](dst []byte, list []S) []byte {
	return appendList(dst, list, func(dst []byte, s S) []byte { return appendString(dst, string(s)) })
}

// appendList adds a JSON list of what item adds for each element.
func appendList[E any](dst []byte, list []E, item func([]byte, E) []byte) []byte {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item(dst, e)
	}
	return append(dst, ']')
}

// appendPairs adds a JSON object of strings; pairs alternates keys and values.
func appendPairs(dst []byte, pairs ...string) []byte {
	dst = append(dst, '{')
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, pairs[i])
		dst = append(dst, ':')
		dst = appendString(dst, pairs[i+1])
	}
	return append(dst, '}')
}

// appendAny adds a value that was decoded from JSON.
func appendAny(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return append(dst, "null"...) // cannot be: it came out of a JSON document
	}
	return append(dst, b...)
}
