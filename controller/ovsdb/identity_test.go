package ovsdb

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// text prints what was understood of an identity, without what goes without saying.
func text(id Identity) string {
	parts := []string{id.Name}
	if id.EncapIP.IsValid() {
		parts = append(parts, id.EncapIP.String())
	}
	parts = append(parts, strings.Join(id.EncapTypes, "+"))
	if id.BridgeMappings != nil {
		parts = append(parts, fmt.Sprint(id.BridgeMappings))
	}
	if id.Gateway != nil {
		parts = append(parts, fmt.Sprintf("gateway=%t", *id.Gateway))
	}
	return strings.Join(append(parts, id.DatapathType), " ")
}

func TestParseIdentity(t *testing.T) {
	ids := func(kv ...string) map[string]string {
		m := map[string]string{"hostname": "h"}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	const all = "geneve+gre+vxlan"
	for _, c := range []struct {
		name     string
		in       map[string]string
		want     string
		problems string // parts of each, separated by "; "
	}{
		{"nothing", nil, " " + all + " ", "neither hostname nor system-id"},
		{"hostname_wins", ids("system-id", "s"), "h " + all + " ", ""},
		{"system_id_stands_in", map[string]string{"system-id": "s", "hostname": " "}, "s " + all + " ", ""},
		{"everything", ids("heddle-encap-ip", "10.99.0.1", "heddle-encap-type", "gre,vxlan,geneve", "heddle-bridge-mappings",
			"physnet1:br-ex", "heddle-gateway", "true", "heddle-datapath-type", "netdev"),
			"h 10.99.0.1 " + all + " map[physnet1:br-ex] gateway=true netdev", ""},
		{"no_gateway", ids("heddle-gateway", "false", "heddle-datapath-type", "system"), "h " + all + " gateway=false system", ""},
		{"ipv6", ids("heddle-encap-ip", " fd00::1 "), "h fd00::1 " + all + " ", ""},
		{"mapped_ipv4", ids("heddle-encap-ip", "::ffff:10.0.0.1"), "h 10.0.0.1 " + all + " ", ""},
		{"ip_is_a_name", ids("heddle-encap-ip", "cmp1"), "h " + all + " ", `heddle-encap-ip: "cmp1" is not`},
		{"ip_is_a_prefix", ids("heddle-encap-ip", "10.0.0.1/24"), "h " + all + " ", "is not an ip"},
		{"ip_has_a_zone", ids("heddle-encap-ip", "fe80::1%eth0"), "h " + all + " ", "cannot be the end"},
		{"ip_is_any", ids("heddle-encap-ip", "0.0.0.0"), "h " + all + " ", "cannot be the end"},
		{"ip_is_multicast", ids("heddle-encap-ip", "239.0.0.1"), "h " + all + " ", "cannot be the end"},
		{"one_type", ids("heddle-encap-type", "vxlan"), "h vxlan ", ""},
		{"spaces_and_doubles", ids("heddle-encap-type", " vxlan, gre,,vxlan"), "h gre+vxlan ", ""},
		{"unknown_type", ids("heddle-encap-type", "stt,gre"), "h gre ", `"stt" is not one of`},
		{"two_mappings", ids("heddle-bridge-mappings", "a:br-a, b : br-b"), "h " + all + " map[a:br-a b:br-b] ", ""},
		{"mapping_without_bridge", ids("heddle-bridge-mappings", "a"), "h " + all + " ", `"a" is not network:bridge`},
		{"mapping_of_one_network_twice", ids("heddle-bridge-mappings", "a:x,a:y"), "h " + all + " map[a:x] ", "a is both on x and on y"},
		{"mapping_to_one_bridge_twice", ids("heddle-bridge-mappings", "a:x,b:x"), "h " + all + " map[a:x] ", "x is the bridge of both a and b"},
		{"mapping_said_twice", ids("heddle-bridge-mappings", "a:x,a:x"), "h " + all + " map[a:x] ", ""},
		{"mapping_to_our_bridge", ids("heddle-bridge-mappings", "a:br-int,b:br-tun"), "h " + all + " ", `"br-int" cannot; "br-tun" cannot`},
		{"mapping_to_a_long_name", ids("heddle-bridge-mappings", "a:bridge-0123456789"), "h " + all + " ", "cannot be the bridge"},
		{"gateway_is_yes", ids("heddle-gateway", "yes"), "h " + all + " ", "neither true nor false"},
		{"datapath_unknown", ids("heddle-datapath-type", "dpdk"), "h " + all + " ", "neither system nor netdev"},
		{"all_wrong", ids("heddle-encap-ip", "x", "heddle-encap-type", "x", "heddle-bridge-mappings", "x", "heddle-gateway", "x",
			"heddle-datapath-type", "x"), "h  ", "encap-ip; encap-type; bridge-mappings; gateway; datapath-type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := ParseIdentity(c.in, "3.1.0")
			if got := text(id); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			problems := errors.Join(id.Problems...)
			var want []string
			if c.problems != "" {
				want = strings.Split(c.problems, "; ")
			}
			if len(id.Problems) != len(want) {
				t.Fatalf("problems: %v", problems)
			}
			for i, w := range want {
				if !strings.Contains(id.Problems[i].Error(), w) {
					t.Errorf("problem %q, want %q", id.Problems[i], w)
				}
			}
		})
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add("h", "10.0.0.1", "gre,vxlan", "a:br-a,b:br-b", "true", "netdev")
	f.Add("", "::", ",,", ":,a:,:b,a:b:c", "TRUE", "")
	f.Fuzz(func(t *testing.T, name, ip, types, mappings, gateway, datapath string) {
		id := ParseIdentity(map[string]string{KeyHostname: name, KeyEncapIP: ip, KeyEncapType: types,
			KeyBridgeMappings: mappings, KeyGateway: gateway, KeyDatapathType: datapath}, "")
		for network, bridge := range id.BridgeMappings {
			if network == "" || bridge == "" || bridge == "br-int" {
				t.Errorf("mapping %q to %q", network, bridge)
			}
		}
		if id.EncapIP.IsValid() && (id.EncapIP.Zone() != "" || id.EncapIP.IsUnspecified()) {
			t.Errorf("end point %s", id.EncapIP)
		}
		if id.DatapathType != "" && id.DatapathType != datapath && strings.TrimSpace(datapath) != id.DatapathType {
			t.Errorf("datapath type %q", id.DatapathType)
		}
	})
}
