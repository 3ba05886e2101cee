package ovsdb

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
)

// fabric is what a host with one peer wants.
func fabric(local, remote string) []row.Row {
	l, r := netip.MustParseAddr(local), netip.MustParseAddr(remote)
	controllers := []string{"tcp:127.0.0.1:1"}
	rows := []row.Row{
		row.Bridge{Name: "br-int", DatapathType: "netdev", Controllers: controllers, OtherConfig: row.DefaultOtherConfig()},
		row.Bridge{Name: "br-tun", DatapathType: "netdev", Controllers: controllers, OtherConfig: row.DefaultOtherConfig()},
		row.NewTunnel("br-tun", "vxlan", l, r), row.NewTunnel("br-tun", "gre", l, r), row.NewTunnel("br-tun", "geneve", l, r),
	}
	a, b := row.Cable("br-int", row.PatchTun, "br-tun", row.PatchInt)
	return append(rows, a, b)
}

// sorted returns what ovs-vsctl show prints with bridges and ports in the order of their names.
func sorted(show string) string {
	blocks := regexp.MustCompile(`(?m)^ {4}(Bridge|Manager)`)
	ports := regexp.MustCompile(`(?m)^ {8}Port`)
	split := func(re *regexp.Regexp, s string) []string {
		at := append(re.FindAllStringIndex(s, -1), []int{len(s)})
		var parts []string
		for i := range len(at) - 1 {
			parts = append(parts, strings.TrimRight(s[at[i][0]:at[i+1][0]], "\n ")+"\n")
		}
		slices.Sort(parts)
		return parts
	}
	var b strings.Builder
	for _, block := range split(blocks, show) {
		head, _, _ := strings.Cut(block, "        Port ")
		b.WriteString(head + strings.Join(split(ports, block), ""))
	}
	return b.String()
}

func TestFabricAppearsInOnePassAsNeutronMakesIt(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	want := fabric("10.99.0.1", "10.99.0.2")
	if err := s.Apply(t.Context(), difference(t, s, want...)); err != nil {
		t.Fatal(err)
	}
	// The next line also says that State shows what Apply wrote.
	if c := difference(t, s, want...); !c.Empty() {
		t.Errorf("not converged after one pass: %+v", c)
	}
	golden(t, "show.txt", sorted(h.show())+
		h.vsctl("--columns=fail_mode,datapath_type,protocols,other_config,external_ids", "list", "Bridge", "br-int")+"\n"+
		h.vsctl("--columns=connection_mode,max_backoff,inactivity_probe,external_ids", "list", "Controller")+"\n"+
		h.vsctl("--columns=external_ids", "list", "Port", "patch-tun")+"\n")
}

func TestWhatIsNotWantedGoesAndWhatOthersMadeStays(t *testing.T) {
	h := newHost(t)
	h.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "fail_mode=standalone",
		"--", "add-port", "br-phy", "eth9")
	h.vsctl("add-br", "br-tun", "--", "set-controller", "br-tun", "tcp:192.0.2.9:6653",
		"--", "set", "bridge", "br-tun", "protocols=OpenFlow10,OpenFlow15", "other_config:hwaddr=02:00:00:00:00:01",
		"external_ids:note=mine", "--", "add-port", "br-tun", "mirror0", "--", "set", "interface", "mirror0", "type=internal")
	h.vsctl("add-port", "br-tun", "vxlan-0a630007", "--", "set", "interface", "vxlan-0a630007", "type=vxlan",
		"options:remote_ip=10.99.0.7", "options:key=5")
	before := sorted(h.show())
	s := h.dial()
	converge(t, s, append(fabric("10.99.0.1", "10.99.0.2"),
		row.NewTunnel("br-tun", "vxlan", netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("10.99.0.7")))...)
	during := sorted(h.show())
	for _, line := range []string{`Controller "tcp:192.0.2.9:6653"`, `Controller "tcp:127.0.0.1:1"`, "Port mirror0", "Port eth9"} {
		if !strings.Contains(during, line) {
			t.Errorf("no %s in\n%s", line, during)
		}
	}
	if got := h.vsctl("get", "bridge", "br-tun", "protocols"); got != "[OpenFlow10, OpenFlow13, OpenFlow15]" {
		t.Errorf("protocols %s", got)
	}
	if got := h.vsctl("get", "bridge", "br-tun", "other_config"); got != `{hwaddr="02:00:00:00:00:01", mac-table-size="50000"}` {
		t.Errorf("other_config %s", got)
	}
	if got := h.vsctl("get", "interface", "vxlan-0a630007", "options"); strings.Contains(got, "key=5") {
		t.Errorf("options of a tunnel under our name %s", got)
	}
	converge(t, s) // nothing is wanted
	after := sorted(h.show())
	// Adopted things keep their settings: fail mode secure, and the tunnel's options.
	for _, gone := range []string{"br-int", "127.0.0.1:1", "0a630002", "patch-int"} {
		if strings.Contains(after, gone) {
			t.Errorf("%s is left in\n%s", gone, after)
		}
	}
	for line := range strings.Lines(before) {
		if !strings.Contains(after, strings.TrimSpace(line)) && !strings.Contains(line, "options:") {
			t.Errorf("lost: %s", line)
		}
	}
	if got := h.vsctl("get", "bridge", "br-tun", "external_ids"); got != "{note=mine}" {
		t.Errorf("external_ids of a bridge that was let go %s", got)
	}
}

func TestBridgeWithPortsOfOthersIsLetGoInsteadOfDeleted(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	converge(t, s, fabric("10.99.0.1", "10.99.0.2")...)
	h.vsctl("add-port", "br-int", "tap1")
	eventually(t, "tap1 is seen", func() bool { return s.State().Port("tap1") != nil })
	converge(t, s)
	if got := h.vsctl("list-ports", "br-int"); got != "tap1" {
		t.Errorf("ports of br-int: %q", got)
	}
	if got := h.vsctl("get-controller", "br-int"); got != "" {
		t.Errorf("controller of br-int: %q", got)
	}
	if got := h.vsctl("list-br"); got != "br-int" {
		t.Errorf("bridges: %q", got)
	}
}

func TestWrongTunnelAddressIsCorrectedInPlace(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	converge(t, s, fabric("10.99.0.111", "10.99.0.2")...)
	before := h.vsctl("get", "port", "vxlan-0a630002", "_uuid")
	converge(t, s, fabric("10.99.0.1", "10.99.0.2")...)
	if got := h.vsctl("get", "port", "vxlan-0a630002", "_uuid"); got != before {
		t.Errorf("the port was made anew: %s, was %s", got, before)
	}
	if got := h.vsctl("get", "interface", "vxlan-0a630002", "options:local_ip"); got != `"10.99.0.1"` {
		t.Errorf("local address %s", got)
	}
	converge(t, s, fabric("10.99.0.1", "10.99.0.3")...)
	if got := strings.Fields(h.vsctl("list-ports", "br-tun")); !slices.Equal(got,
		[]string{"geneve-0a630003", "gre-0a630003", "patch-int", "vxlan-0a630003"}) {
		t.Errorf("ports after the peer's address changed: %q", got)
	}
}

func TestWhatIsAlteredByHandIsRepaired(t *testing.T) {
	for _, c := range []struct{ name, cmd string }{
		{"fail_mode", "del-fail-mode br-int"},
		{"controller_removed", "del-controller br-tun"},
		{"controller_replaced", "set-controller br-tun tcp:192.0.2.9:6653"},
		{"controller_settings", "set controller br-int max_backoff=8000 -- set controller br-int connection_mode=in-band"},
		{"datapath_type", "set bridge br-int datapath_type=system"},
		{"protocols", "set bridge br-int protocols=OpenFlow10"},
		{"other_config", "set bridge br-int other_config:mac-table-size=5"},
		{"port_deleted", "del-port vxlan-0a630002"},
		{"port_moved", "del-port gre-0a630002 -- add-port br-int gre-0a630002 -- set port gre-0a630002 external_ids:heddle=created"},
		{"option_added", "set interface vxlan-0a630002 options:csum=true"},
		{"type_changed", "set interface patch-tun type=internal"},
		{"peer_changed", "set interface patch-tun options:peer=nowhere"},
		{"bridge_deleted", "del-br br-tun"},
		{"marks_removed", "remove bridge br-int external_ids heddle -- remove port patch-tun external_ids heddle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			s := h.dial()
			want := fabric("10.99.0.1", "10.99.0.2")
			converge(t, s, want...)
			changed := s.Changed()
			h.vsctl(strings.Fields(c.cmd)...)
			<-changed
			eventually(t, "the change is seen", func() bool { return !difference(t, s, want...).Empty() })
			converge(t, s, want...)
			if got := h.vsctl("get", "bridge", "br-int", "fail_mode"); got != "secure" {
				t.Errorf("fail mode of br-int %s", got)
			}
			ports := []string{"geneve-0a630002", "gre-0a630002", "patch-int", "vxlan-0a630002"}
			if got := strings.Fields(h.vsctl("list-ports", "br-tun")); !slices.Equal(got, ports) {
				t.Errorf("ports of br-tun: %q", got)
			}
			if got := h.vsctl("get-controller", "br-tun"); !strings.Contains(got, "tcp:127.0.0.1:1") {
				t.Errorf("controllers of br-tun: %q", got)
			}
		})
	}
}

func TestPluggedPortsAreTagged(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	base := fabric("10.99.0.1", "10.99.0.2")
	converge(t, s, base...)
	h.vsctl("add-port", "br-int", "tapA", "--", "set", "interface", "tapA", "external_ids:iface-id=A",
		"external_ids:attached-mac=fa:16:3e:04:bd:fb", "external_ids:vm-uuid=vm1")
	h.vsctl("add-port", "br-int", "tapB", "tag=9", "--", "set", "interface", "tapB", "external_ids:iface-id=B")
	h.vsctl("add-port", "br-int", "tapC", "tag=7", "vlan_mode=trunk", "--", "set", "interface", "tapC", "external_ids:iface-id=C")
	h.vsctl("add-port", "br-int", "other", "tag=8")
	eventually(t, "the ports are seen", func() bool { return s.State().Port("other") != nil })

	plugs := s.State().Plugged("br-int")
	if len(plugs) != 3 {
		t.Fatalf("%d plugs", len(plugs))
	}
	if p := plugs[0]; p.IfaceID != "A" || p.Port != "tapA" || p.Interface != "tapA" || p.Bridge != "br-int" ||
		p.MAC.String() != "fa:16:3e:04:bd:fb" || p.VM != "vm1" || p.Tag != 0 {
		t.Errorf("plug %+v", p)
	}
	tags := func() string {
		return strings.Join(strings.Fields(h.vsctl("get", "port", "tapA", "tag", "--", "get", "port", "tapB", "tag", "--",
			"get", "port", "tapC", "tag", "vlan_mode", "--", "get", "port", "other", "tag")), " ")
	}
	for _, c := range []struct {
		name string
		want []row.Row
		tags string
	}{
		{"unknown_ports_are_dead", nil, "4095 4095 4095 access 8"},
		{"known_port_gets_its_vlan", []row.Row{row.Tag{Port: "tapA", VLAN: 3, IfaceID: "A"}}, "3 4095 4095 access 8"},
		{"vlan_changes", []row.Row{row.Tag{Port: "tapA", VLAN: 5}}, "5 4095 4095 access 8"},
		{"name_of_another_port_is_dead", []row.Row{row.Tag{Port: "tapA", VLAN: 5, IfaceID: "Z"}}, "4095 4095 4095 access 8"},
		{"port_that_is_not_there_is_no_error", []row.Row{row.Tag{Port: "tapX", VLAN: 5}, row.Tag{Port: "tapC", VLAN: 6}}, "4095 4095 6 access 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := append(slices.Clone(base), c.want...)
			if err := s.Apply(t.Context(), difference(t, s, want...)); err != nil {
				t.Fatal(err)
			}
			if got := tags(); got != c.tags {
				t.Errorf("tags %s, want %s", got, c.tags)
			}
		})
	}
	t.Run("port_of_others_is_refused", func(t *testing.T) {
		err := s.Apply(t.Context(), difference(t, s, append(slices.Clone(base), row.Tag{Port: "other", VLAN: 3})...))
		if err == nil || !strings.Contains(err.Error(), "tag other") {
			t.Errorf("error %v", err)
		}
	})
}

func TestRowThatCannotBeWrittenDoesNotHoldUpOthers(t *testing.T) {
	tun := func(bridge, name string) row.Row {
		return row.Tunnel{Bridge: bridge, Name: name, Type: "gre", Local: netip.MustParseAddr("10.99.0.1"), Remote: netip.MustParseAddr("10.99.0.9")}
	}
	for _, c := range []struct {
		name string
		bad  row.Row
		err  string
	}{
		{"name_is_taken_on_another_bridge", tun("br-tun", "eth9"), "someone else's port of that name is on br-phy"},
		{"name_is_a_vms", tun("br-tun", "tap1"), "someone else's port"},
		{"name_is_a_bridge", tun("br-tun", "br-phy"), "someone else's port"},
		{"no_such_bridge", tun("br-none", "gre-x"), "no bridge br-none"},
		{"name_is_too_long", tun("br-tun", "gre-0123456789ab"), "cannot be the name"},
		{"bridge_named_as_a_port", row.Bridge{Name: "eth9"}, "its name is that of a port on br-phy"},
		{"host_refuses_the_value", row.Bridge{Name: "br-x", Protocols: []string{"OpenFlow99"}}, "bridge br-x: insert in table Bridge: constraint violation"},
		{"vlan_out_of_range", row.Tag{Port: "tap1", VLAN: 4095}, "vlan 4095"},
		{"addresses_of_two_families", row.Tunnel{Bridge: "br-tun", Name: "gre-x", Type: "gre", Local: netip.MustParseAddr("10.99.0.1"), Remote: netip.MustParseAddr("::9")}, "from 10.99.0.1 to ::9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.vsctl("add-br", "br-phy", "--", "add-port", "br-phy", "eth9", "--", "add-port", "br-phy", "tap1", "--",
				"set", "interface", "tap1", "external_ids:iface-id=x")
			s := h.dial()
			err := s.Apply(t.Context(), difference(t, s, append(fabric("10.99.0.1", "10.99.0.2"), c.bad)...))
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if got := difference(t, s, fabric("10.99.0.1", "10.99.0.2")...); !got.Empty() {
				t.Errorf("others not written: %+v", got)
			}
		})
	}
}

func TestPortWhoseMarkIsTakenOffMeanwhileIsKept(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	want := fabric("10.99.0.1", "10.99.0.2")
	converge(t, s, want...)
	stale := s.State()
	change := difference(t, s, want[:4]...) // without geneve and the cable
	h.vsctl("remove", "port", "geneve-0a630002", "external_ids", "heddle")
	steps, err := plan(stale, change)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if step.key.Name == "geneve-0a630002" {
			if err := s.transact(t.Context(), step.ops); err == nil || !strings.Contains(err.Error(), errGuard.Error()) {
				t.Errorf("deleting with an old view: %v", err)
			}
		}
	}
	if err := s.Apply(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if got := h.vsctl("list-ports", "br-tun"); !strings.Contains(got, "geneve-0a630002") || strings.Contains(got, "patch-int") {
		t.Errorf("ports %q", got)
	}
}

func TestManyRowsGoInOneTransaction(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	want := fabric("10.99.0.1", "10.99.0.2")
	for i := range 1000 {
		remote := netip.AddrFrom4([4]byte{10, 98, byte(i >> 8), byte(i)})
		want = append(want, row.NewTunnel("br-tun", "vxlan", netip.MustParseAddr("10.99.0.1"), remote))
	}
	if err := s.Apply(t.Context(), difference(t, s, want...)); err != nil {
		t.Fatal(err)
	}
	if c := difference(t, s, want...); !c.Empty() {
		t.Errorf("%d rows missing", c.Len())
	}
	if err := s.Apply(t.Context(), reconcile.Change[row.Key, row.Row]{}); err != nil {
		t.Errorf("empty change: %v", err)
	}
	if got := fmt.Sprint(len(s.State().Bridge("br-tun").Ports)); got != "1005" {
		t.Errorf("%s ports on br-tun", got)
	}
}
