package neutron

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store/model"
)

// Parsers of attributes that are lists of objects.

// toPools reads the ranges of a subnet's allocation pools.
func toPools(v any) ([]model.Range, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, reason("Invalid data format for IP pool: '" + str(v) + "'")
	}
	out := make([]model.Range, 0, len(list))
	for _, e := range list {
		o, err := keysOf(e, []string{"start", "end"}, "start", "end")
		if err != nil {
			return nil, reason("Invalid data format for IP pool: '" + str(e) + "'")
		}
		first, err := toAddr(o["start"])
		if err != nil {
			return nil, err
		}
		last, err := toAddr(o["end"])
		if err != nil {
			return nil, err
		}
		out = append(out, model.Range{First: first, Last: last})
	}
	return out, nil
}

// toNameservers reads a list of different IP addresses.
func toNameservers(v any) ([]string, error) {
	list, err := toList(v)
	if err != nil {
		return nil, reason("Invalid data format for nameserver: '" + str(v) + "'")
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		a, err := toAddr(e)
		if err != nil {
			return nil, reason("'" + str(e) + "' is not a valid nameserver. '" + str(e) + "' is not a valid IP address")
		}
		if slices.Contains(out, a.String()) {
			return nil, reason("Duplicate nameserver '" + a.String() + "'")
		}
		out = append(out, a.String())
	}
	return out, nil
}

// toHostRoutes reads a list of different routes.
func toHostRoutes(v any) ([]model.Route, error) {
	list, err := toList(v)
	if err != nil {
		return nil, reason("Invalid data format for hostroute: '" + str(v) + "'")
	}
	out := make([]model.Route, 0, len(list))
	for _, e := range list {
		o, err := keysOf(e, []string{"destination", "nexthop"}, "destination", "nexthop")
		if err != nil {
			return nil, err
		}
		to, err := toPrefix(o["destination"])
		if err != nil {
			return nil, reason("'" + str(o["destination"]) + "' is not a valid IP subnet")
		}
		hop, err := toAddr(o["nexthop"])
		if err != nil {
			return nil, err
		}
		r := model.Route{Destination: to, NextHop: hop}
		if slices.Contains(out, r) {
			return nil, reason("Duplicate hostroute '" + str(e) + "'")
		}
		out = append(out, r)
	}
	return out, nil
}

// toFixedIPs reads the addresses asked for; each names a subnet, an address, or both.
func toFixedIPs(v any) ([]model.FixedIP, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, reason("Invalid data format for fixed IP: '" + str(v) + "'")
	}
	out := make([]model.FixedIP, 0, len(list))
	for _, e := range list {
		o, ok := e.(map[string]any)
		if !ok {
			return nil, reason("Invalid data format for fixed IP: '" + str(e) + "'")
		}
		var f model.FixedIP
		var err error
		if ip, given := o["ip_address"]; given && ip != nil {
			if f.IP, err = toAddr(ip); err != nil {
				return nil, err
			}
			same := func(o model.FixedIP) bool { return o.IP == f.IP }
			if slices.ContainsFunc(out, same) {
				return nil, reason("Duplicate IP address '" + f.IP.String() + "'")
			}
		}
		if id, given := o["subnet_id"]; given && id != nil {
			if f.Subnet, err = toID(id); err != nil {
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// toAddressPairs reads the further addresses that a port may use; a pair without MAC address means
// the port's.
func toAddressPairs(v any) ([]model.AddressPair, error) {
	list, err := toList(v)
	if err != nil {
		return nil, reason("Allowed address pairs must be a list")
	}
	out := make([]model.AddressPair, 0, len(list))
	for _, e := range list {
		o, err := keysOf(e, []string{"ip_address", "mac_address"}, "ip_address")
		if err != nil {
			return nil, err
		}
		var p model.AddressPair
		s, _ := o["ip_address"].(string)
		if prefix, err := netip.ParsePrefix(s); err == nil {
			p.IP = prefix.String()
		} else if a, err := toAddr(s); err == nil {
			p.IP = a.String()
		} else {
			return nil, reason("'" + str(o["ip_address"]) + "' is not a valid IP address or subnet")
		}
		if mac, given := o["mac_address"]; given && mac != nil {
			if p.MAC, err = toMAC(mac); err != nil {
				return nil, err
			}
		}
		if slices.Contains(out, p) {
			return nil, reason("Request contains duplicate address pair: mac_address " + p.MAC.String() + " ip_address " + p.IP)
		}
		out = append(out, p)
	}
	return out, nil
}

// toDHCPOptions reads extra DHCP options; a null value removes one.
func toDHCPOptions(v any) ([]l2.DHCPOptionChange, error) {
	list, err := toList(v)
	if err != nil {
		return nil, err
	}
	out := make([]l2.DHCPOptionChange, 0, len(list))
	for _, e := range list {
		o, err := keysOf(e, []string{"opt_name", "opt_value", "ip_version"}, "opt_name", "opt_value")
		if err != nil {
			return nil, err
		}
		var c l2.DHCPOptionChange
		if c.Name, err = toText(64)(o["opt_name"]); err != nil {
			return nil, err
		}
		if strings.TrimSpace(c.Name) == "" {
			return nil, reason("'" + c.Name + "' Blank strings are not permitted")
		}
		if value := o["opt_value"]; value != nil {
			s, err := toText(maxText)(value)
			if err != nil {
				return nil, err
			}
			c.Value = &s
		}
		if version, given := o["ip_version"]; given {
			if c.IPVersion, err = toIPVersion(version); err != nil {
				return nil, err
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// keysOf reads an object that has the needed keys and no others than known.
func keysOf(v any, known []string, needed ...string) (map[string]any, error) {
	o, ok := v.(map[string]any)
	if !ok {
		return nil, reason("'" + str(v) + "' is not a dictionary")
	}
	for _, k := range needed {
		if _, ok := o[k]; !ok {
			return nil, reason("Invalid input. '" + str(v) + "' must be a dictionary with keys: " + reprStrings(needed))
		}
	}
	for k := range o {
		if !slices.Contains(known, k) {
			return nil, reason("Invalid input. '" + str(v) + "' must be a dictionary with keys: " + reprStrings(known))
		}
	}
	return o, nil
}

const maxProfile = 4095 // bytes of a binding profile as JSON

// toProfile reads a binding profile: any object that is not too long.
func toProfile(v any) (map[string]any, error) {
	o, err := toObject(v)
	if err != nil {
		return nil, err
	}
	if b, err := json.Marshal(o); err != nil || len(b) > maxProfile {
		return nil, invalidInput("binding:profile value too large")
	}
	return o, nil
}

// toHostName reads the first label of a DNS name, in lower case; it may be empty.
func toHostName(v any) (string, error) {
	s, err := toLower(maxText)(v)
	if err != nil || s == "" {
		return s, err
	}
	if !isLabel(s) {
		return "", reason("'" + s + "' not a valid PQDN or FQDN. Reason: it must be one label of 1 to 63 letters, digits and inner hyphens")
	}
	return s, nil
}

// toDomain reads a DNS domain in lower case, with or without the final dot; it may be empty.
func toDomain(v any) (string, error) {
	s, err := toLower(maxText)(v)
	if err != nil || s == "" {
		return s, err
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if !isLabel(label) {
			return "", reason("'" + s + "' not a valid PQDN or FQDN. Reason: each label must be 1 to 63 letters, digits and inner hyphens")
		}
	}
	return s, nil
}

// isLabel checks the letters-digits-hyphen rule (RFC 1123 §2.1).
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}
