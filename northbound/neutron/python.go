package neutron

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The reference is written in Python and quotes what it was sent in its messages; the functions here
// say a JSON value as it does. Long values are cut: a message is for people.
const maxQuoted = 2048

// str is Python's str(v) of a decoded JSON value.
func str(v any) string {
	if s, ok := v.(string); ok {
		return cut(s)
	}
	return repr(v)
}

// repr is Python's repr(v) of a decoded JSON value. Keys are sorted: a JSON object has no order here.
func repr(v any) string {
	var b strings.Builder
	writeRepr(&b, v)
	return cut(b.String())
}

// reprStrings is Python's repr of a list of strings.
func reprStrings(list []string) string {
	items := make([]any, len(list))
	for i, s := range list {
		items[i] = s
	}
	return repr(items)
}

func cut(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	return strings.ToValidUTF8(s[:maxQuoted], "") + "…"
}

// writeRepr stops adding to b once it holds more than will be shown.
func writeRepr(b *strings.Builder, v any) {
	if b.Len() > maxQuoted {
		return
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case json.Number:
		b.WriteString(v.String())
	case string:
		writeQuoted(b, v)
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, e)
			if b.Len() > maxQuoted {
				return
			}
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteString(", ")
			}
			writeQuoted(b, k)
			b.WriteString(": ")
			writeRepr(b, v[k])
			if b.Len() > maxQuoted {
				return
			}
		}
		b.WriteByte('}')
	default:
		fmt.Fprint(b, v)
	}
}

var pythonEscapes = strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`, "\r", `\r`)

func writeQuoted(b *strings.Builder, s string) {
	s = cut(s)
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		b.WriteString(`"` + strings.ReplaceAll(s, `\`, `\\`) + `"`)
		return
	}
	b.WriteString("'" + pythonEscapes.Replace(s) + "'")
}
