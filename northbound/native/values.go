package native

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Ports that a target has if it names none (RFC 7047 §9, OpenFlow 1.3.5 §6.3.3).
const (
	ovsdbPort    = "6640"
	openFlowPort = "6653"
)

// kindOf names the JSON type of a value, for people.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

// text reads a member that is text; where names it.
func text(where string, v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", badRequest("%s: %s where text is wanted", where, kindOf(v))
	}
	return s, nil
}

// texts reads a member that is an object of texts.
func texts(where string, v any) (map[string]string, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, badRequest("%s: %s where an object is wanted", where, kindOf(v))
	}
	out := make(map[string]string, len(m))
	for k, e := range m {
		s, err := text(where+"."+k, e)
		if err != nil {
			return nil, err
		}
		out[k] = s
	}
	return out, nil
}

var hostName = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z._-]{0,251}[0-9A-Za-z])?$`)

// parseTarget reads an active connection method of ovsdb(7), "tcp:HOST[:PORT]", "ssl:HOST[:PORT]" or
// "unix:PATH", and returns it with its port.
func parseTarget(where, s, defaultPort string) (string, error) {
	method, rest, _ := strings.Cut(s, ":")
	switch method {
	case "unix":
		if !strings.HasPrefix(rest, "/") || strings.ContainsRune(rest, 0) {
			return "", badRequest("%s: %q does not name a socket by its whole path", where, s)
		}
		return s, nil
	case "tcp", "ssl":
		host, port, err := net.SplitHostPort(rest)
		if err != nil {
			host, port = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]"), defaultPort
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", badRequest("%s: %q is not a port", where, port)
		}
		if _, err := netip.ParseAddr(host); err != nil && !resolvable(host) {
			return "", badRequest("%s: %q is neither an IP address nor a host's name", where, host)
		}
		return method + ":" + net.JoinHostPort(host, port), nil
	}
	return "", badRequest("%s: %q is not tcp:HOST:PORT, ssl:HOST:PORT or unix:PATH", where, s)
}

// resolvable reports whether s can be looked up: what looks like an IPv4 address and is none cannot.
func resolvable(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	_, err := strconv.ParseUint(last, 10, 64)
	return hostName.MatchString(s) && err != nil
}
