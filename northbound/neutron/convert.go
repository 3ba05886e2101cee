package neutron

import (
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

// Values of a request are any: what encoding/json makes of JSON, with numbers as json.Number. A
// parser turns one into what the model wants. It fails either as the reference's converters do
// ([invalidInput]) or with a [reason], which becomes "Invalid input for ATTRIBUTE. Reason: …".

// reason says why a value is wrong, in the words of the reference's validators.
type reason string

// Error returns the words.
func (r reason) Error() string { return string(r) }

// parser reads a value of a request.
type parser[V any] func(v any) (V, error)

// toBool accepts what the reference's converter does: booleans, and numbers and words that mean one.
func toBool(v any) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(str(v))) {
	case "1", "t", "true", "on", "y", "yes":
		return true, nil
	case "0", "f", "false", "off", "n", "no":
		return false, nil
	}
	return false, invalidInput("'%s' cannot be converted to boolean", str(v))
}

// toInt accepts integers, strings that hold one, and what Python's int() makes of floats and booleans.
func toInt(v any) (int, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n, nil
		}
		if f, err := v.Float64(); err == nil && math.Abs(f) < 1<<53 {
			return int(f), nil
		}
	case string:
		if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
			return n, nil
		}
	}
	return 0, invalidInput("'%s' is not an integer", str(v))
}

// toNonNegative reads an integer that is zero or more.
func toNonNegative(v any) (int, error) {
	n, err := toInt(v)
	if err == nil && n < 0 {
		err = reason("'" + strconv.Itoa(n) + "' should be non-negative")
	}
	return n, err
}

// toText reads a string of at most max characters.
func toText(max int) parser[string] {
	return func(v any) (string, error) {
		s, ok := v.(string)
		if !ok {
			return "", reason("'" + str(v) + "' is not a valid string")
		}
		if utf8.RuneCountInString(s) > max {
			return "", reason("'" + cut(s) + "' exceeds maximum length of " + strconv.Itoa(max))
		}
		return s, nil
	}
}

// toLower reads a string of at most max characters and makes it lower case.
func toLower(max int) parser[string] {
	return func(v any) (string, error) {
		s, err := toText(max)(v)
		return strings.ToLower(s), err
	}
}

// toOneOf reads one of the given strings.
func toOneOf(valid ...string) parser[string] {
	return func(v any) (string, error) {
		s, ok := v.(string)
		if !ok || !slices.Contains(valid, s) {
			return "", reason(str(v) + " is not in valid_values")
		}
		return s, nil
	}
}

// toIPVersion reads 4 or 6.
func toIPVersion(v any) (int, error) {
	n, err := toInt(v)
	if err == nil && n != 4 && n != 6 {
		err = reason(strconv.Itoa(n) + " is not in valid_values")
	}
	return n, err
}

// toID reads the id of an object.
func toID(v any) (model.ID, error) {
	s, ok := v.(string)
	if !ok || !isUUID(s) {
		return "", reason("'" + str(v) + "' is not a valid UUID")
	}
	return model.ID(s), nil
}

// isUUID accepts, as Python does, 32 hexadecimal digits with or without hyphens.
func isUUID(s string) bool {
	if len(s) != 36 && len(s) != 32 {
		return false
	}
	digits := 0
	for _, c := range []byte(s) {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
			digits++
		case c != '-':
			return false
		}
	}
	return digits == 32
}

// toIDs reads a list of different ids.
func toIDs(v any) ([]model.ID, error) {
	list, err := toList(v)
	if err != nil {
		return nil, err
	}
	out := make([]model.ID, 0, len(list))
	for _, e := range list {
		id, err := toID(e)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, id) {
			return nil, reason("Duplicate items in the list: '" + string(id) + "'")
		}
		out = append(out, id)
	}
	return out, nil
}

// toList reads a list; null stands for an empty one.
func toList(v any) ([]any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	}
	return nil, reason("'" + str(v) + "' is not a list")
}

// toTexts reads a list of different strings of at most max characters.
func toTexts(max int) parser[[]string] {
	return func(v any) ([]string, error) {
		list, ok := v.([]any)
		if !ok {
			return nil, reason("'" + str(v) + "' is not a list")
		}
		out := make([]string, 0, len(list))
		for _, e := range list {
			s, err := toText(max)(e)
			if err != nil {
				return nil, err
			}
			if slices.Contains(out, s) {
				return nil, reason("Duplicate items in the list: '" + s + "'")
			}
			out = append(out, s)
		}
		return out, nil
	}
}

// toMAC reads a unicast Ethernet address, in colon, hyphen or bare notation.
func toMAC(v any) (of.MAC, error) {
	s, _ := v.(string)
	mac, err := parseMAC(s)
	if err != nil || mac.IsZero() {
		return of.MAC{}, reason("'" + str(v) + "' is not a valid MAC address")
	}
	return mac, nil
}

func parseMAC(s string) (of.MAC, error) {
	s = strings.ReplaceAll(s, "-", ":")
	if len(s) == 12 {
		s = s[:2] + ":" + s[2:4] + ":" + s[4:6] + ":" + s[6:8] + ":" + s[8:10] + ":" + s[10:]
	}
	return of.ParseMAC(s)
}

// toAddr reads an IP address without zone.
func toAddr(v any) (netip.Addr, error) {
	s, _ := v.(string)
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, reason("'" + str(v) + "' is not a valid IP address")
	}
	return a, nil
}

// toPrefix reads a subnet in CIDR notation and clears its host bits.
func toPrefix(v any) (netip.Prefix, error) {
	s, _ := v.(string)
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, invalidInput("%s is not in a CIDR format", str(v))
	}
	return p.Masked(), nil
}

// toObject reads a JSON object; null stands for an empty one.
func toObject(v any) (map[string]any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, reason("'" + str(v) + "' is not a dictionary")
}

// toRef reads the id of an object of a kind that does not exist here, or null: anything but null is
// not found. Resource is named as in the reference's message, kind is its exception.
func toRef(resource, kind string) parser[struct{}] {
	return func(v any) (struct{}, error) {
		if v == nil {
			return struct{}{}, nil
		}
		id, err := toID(v)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, model.Errorf(model.NotFound, kind, "%s %s could not be found.", resource, id)
	}
}
