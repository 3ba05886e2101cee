package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// object is a document of the API.
type object map[string]any

// member returns what a dotted path leads to, nil if that is nothing.
func (o object) member(path string) any {
	var at any = map[string]any(o)
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, ".")
		m, is := at.(map[string]any)
		if !is {
			return nil
		}
		at = m[name]
	}
	return at
}

// text returns a member as people read it: lists are joined by commas, times have whole seconds.
func (o object) text(path string) string {
	return fraction.ReplaceAllString(textOf(o.member(path)), "$1$2")
}

// fraction finds the fraction of a second in times of RFC 3339.
var fraction = regexp.MustCompile(`(\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+(Z|[+-]\d\d:\d\d)`)

// objects returns a member that is a list of documents.
func (o object) objects(path string) []object {
	list, _ := o.member(path).([]any)
	out := make([]object, 0, len(list))
	for _, x := range list {
		if m, is := x.(map[string]any); is {
			out = append(out, m)
		}
	}
	return out
}

// yes reports whether a member is true.
func (o object) yes(path string) bool { return o.member(path) == true }

// number returns a member that is a number, 0 if it is none.
func (o object) number(path string) float64 {
	n, is := o.member(path).(json.Number)
	if !is {
		return 0
	}
	f, _ := n.Float64() // a JSON number is a float, or too large to matter
	return f
}

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = textOf(x)
		}
		return strings.Join(parts, ",")
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range sortedKeys(v) {
			parts = append(parts, k+"="+textOf(v[k]))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
