package row

import (
	"net/netip"
	"strings"
	"testing"
)

func TestTunnelName(t *testing.T) {
	for _, c := range []struct{ typ, remote, want string }{
		{"vxlan", "10.99.0.1", "vxlan-0a630001"},
		{"gre", "255.255.255.255", "gre-ffffffff"},
		{"geneve", "10.99.0.2", "geneve-0a630002"},
		{"geneve", "::ffff:10.99.0.2", "geneve-0a630002"},
		{"vxlan", "fd00::1", "vxlan-" + hash8(string(netip.MustParseAddr("fd00::1").AsSlice()))},
	} {
		if got := TunnelName(c.typ, netip.MustParseAddr(c.remote)); got != c.want || !ValidName(got) {
			t.Errorf("%s to %s: %s, want %s", c.typ, c.remote, got, c.want)
		}
	}
	if TunnelName("gre", netip.MustParseAddr("fd00::1")) == TunnelName("gre", netip.MustParseAddr("fd00::2")) {
		t.Error("two addresses have one name")
	}
}

func TestMappingPorts(t *testing.T) {
	for _, bridge := range []string{"br-ex", "br-provider1", "br-provider-123", "br-provider-124", "b"} {
		onInt, onBridge := MappingPorts(bridge)
		if !ValidName(onInt) || !ValidName(onBridge) || onInt == onBridge {
			t.Errorf("%s: %s, %s", bridge, onInt, onBridge)
		}
	}
	if a, b := MappingPorts("br-ex"); a != "int-br-ex" || b != "phy-br-ex" {
		t.Errorf("ports of br-ex: %s, %s", a, b)
	}
	a, _ := MappingPorts("br-provider-123")
	if b, _ := MappingPorts("br-provider-124"); a == b {
		t.Errorf("two bridges have one port %s", a)
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"br-int": true, "a": true, "0123456789abcde": true, "0123456789abcdef": false, "": false, ".": false, "..": false,
		"a/b": false, "a b": false, "a:b": false, "a%d": false, "é": false, "a\n": false,
	} {
		if ValidName(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}

func TestEqual(t *testing.T) {
	addr := netip.MustParseAddr
	full := Bridge{Name: "b", FailMode: "secure", DatapathType: "netdev", Controllers: []string{"x"}, Protocols: []string{"OpenFlow13"},
		OtherConfig: map[string]string{"k": "v"}}
	with := func(change func(*Bridge)) Bridge {
		b := full
		change(&b)
		return b
	}
	tun := NewTunnel("br-tun", "gre", addr("10.0.0.1"), addr("10.0.0.2"))
	moved := tun
	moved.Local = addr("10.0.0.3")
	for _, c := range []struct {
		name       string
		want, have Row
		equal      bool
	}{
		{"same", full, full, true},
		{"wanted_fail_mode_is_secure", Bridge{Name: "b"}, Bridge{Name: "b", FailMode: "secure"}, true},
		{"standalone", full, with(func(b *Bridge) { b.FailMode = "standalone" }), false},
		{"others_additions_are_no_difference", full, with(func(b *Bridge) {
			b.Protocols = []string{"OpenFlow10", "OpenFlow13"}
			b.OtherConfig = map[string]string{"k": "v", "l": "w"}
		}), true},
		{"datapath_of_an_adopted_bridge_is_no_difference", full, with(func(b *Bridge) { b.DatapathType = "" }), true},
		{"datapath", full, with(func(b *Bridge) { b.DatapathType = "system" }), false},
		{"controller_missing", full, with(func(b *Bridge) { b.Controllers = nil }), false},
		{"controller_too_many", full, with(func(b *Bridge) { b.Controllers = []string{"x", "y"} }), false},
		{"empty_controller_is_none", with(func(b *Bridge) { b.Controllers = []string{"", "x"} }), full, true},
		{"protocol_missing", full, with(func(b *Bridge) { b.Protocols = []string{"OpenFlow10"} }), false},
		{"protocol_13_goes_without_saying", Bridge{Name: "b"}, Bridge{Name: "b", Protocols: []string{"OpenFlow10"}}, false},
		{"no_protocols_is_all", full, with(func(b *Bridge) { b.Protocols = nil }), true},
		{"config_value", full, with(func(b *Bridge) { b.OtherConfig = map[string]string{"k": "w"} }), false},
		{"tunnel", tun, tun, true},
		{"tunnel_address", tun, moved, false},
		{"tunnel_altered_by_hand", tun, Port{Bridge: "br-tun", Name: tun.Name}, false},
		{"another_kind", tun, full, false},
		{"tag", Tag{Port: "p", VLAN: 1}, Tag{Port: "p", VLAN: 1, IfaceID: "i"}, true},
		{"tag_of_another_port", Tag{Port: "p", VLAN: 1, IfaceID: "j"}, Tag{Port: "p", VLAN: 1, IfaceID: "i"}, false},
		{"vlan", Tag{Port: "p", VLAN: 2}, Tag{Port: "p", VLAN: 1}, false},
		{"nothing", nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if Equal(c.want, c.have) != c.equal {
				t.Errorf("equal is %t", !c.equal)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for _, c := range []struct {
		name string
		row  Row
		err  string // "" for none
	}{
		{"bridge", Bridge{Name: "br-int", DatapathType: "netdev"}, ""},
		{"bridge_standalone", Bridge{Name: "br-int", FailMode: "standalone"}, "fail mode"},
		{"bridge_datapath", Bridge{Name: "br-int", DatapathType: "dpdk"}, "datapath type"},
		{"bridge_without_name", Bridge{}, "cannot be the name"},
		{"patch", Patch{Bridge: "b", Name: "p", Peer: "q"}, ""},
		{"patch_to_itself", Patch{Bridge: "b", Name: "p", Peer: "p"}, "peer"},
		{"patch_without_bridge", Patch{Name: "p", Peer: "q"}, "cannot be the name"},
		{"tunnel", NewTunnel("b", "vxlan", a, b), ""},
		{"tunnel_type", NewTunnel("b", "stt", a, b), "tunnel type"},
		{"tunnel_without_local", NewTunnel("b", "gre", netip.Addr{}, b), "from invalid IP"},
		{"tag", Tag{Port: "p", VLAN: 4094}, ""},
		{"tag_zero", Tag{Port: "p"}, "vlan 0"},
		{"tag_dead", Tag{Port: "p", VLAN: DeadVLAN}, "vlan 4095"},
		{"found_port", Port{Name: "p"}, "cannot be wanted"},
		{"nil", nil, "cannot be wanted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check(c.row)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestMap(t *testing.T) {
	a, b := Cable("br-int", PatchTun, "br-tun", PatchInt)
	m := Map(a, b, Tag{Port: PatchTun, VLAN: 1}, Bridge{Name: "br-int"})
	if len(m) != 4 || m[Key{KindPort, PatchInt}] != Row(b) || b.Peer != PatchTun {
		t.Errorf("rows %v", m)
	}
	if got := (Key{KindTag, "p"}).String() + ", " + a.Key().String() + ", " + (Key{Name: "x"}).String(); got != "tag p, port patch-tun, kind 0 x" {
		t.Errorf("keys %s", got)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("br-ex", []byte{10, 0, 0, 1})
	f.Add("a-very-long-one", []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, bridge string, addr []byte) {
		if a, ok := netip.AddrFromSlice(addr); ok {
			for _, typ := range TunnelTypes() {
				if n := TunnelName(typ, a); !ValidName(n) {
					t.Errorf("tunnel name %q", n)
				}
			}
		}
		if ValidName(bridge) {
			if x, y := MappingPorts(bridge); !ValidName(x) || !ValidName(y) {
				t.Errorf("ports %q and %q", x, y)
			}
		}
	})
}
