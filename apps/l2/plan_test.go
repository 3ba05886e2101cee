package l2_test

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fabric is three hosts and four networks: vx on all hosts, gr on h1 and h2, ge on h1 alone, and the
// VLAN network pv on h1 and h3. Port vx2 moves from h2 to h3 right now.
func fabric() *model.Model {
	m := &model.Model{Rev: 42}
	add := func(rs ...model.Resource) {
		for _, r := range rs {
			m = m.With(r)
		}
	}
	for i := 1; i <= 3; i++ {
		h := &model.Host{Name: fmt.Sprintf("h%d", i), Said: model.HostSettings{
			EncapIP: netip.AddrFrom4([4]byte{10, 99, 0, byte(i)}), EncapTypes: []model.NetworkType{model.TypeGRE, model.TypeVXLAN, model.TypeGeneve},
			BridgeMappings: map[string]string{"physnet1": "br-ex"}, DatapathType: "netdev"}}
		add(h)
	}
	network := func(id model.ID, tag uint32, t model.NetworkType, segment uint32) {
		n := &model.Network{Meta: model.Meta{ID: id}, AdminUp: true, Type: t, SegmentID: segment, Tag: tag}
		if t == model.TypeVLAN {
			n.Physnet = "physnet1"
		}
		add(n)
	}
	network("vx", 1, model.TypeVXLAN, 1001)
	network("gr", 2, model.TypeGRE, 1)
	network("ge", 3, model.TypeGeneve, 10001)
	network("pv", 4, model.TypeVLAN, 100)
	port := func(id model.ID, network model.ID, n byte, hosts ...string) {
		add(&model.Port{Meta: model.Meta{ID: id}, Network: network, AdminUp: true, MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, n}, Tag: 100 + uint32(n),
			FixedIPs: []model.FixedIP{{Subnet: "s", IP: netip.AddrFrom4([4]byte{10, 0, 22, n})}}})
		for i, h := range hosts {
			add(&model.Plug{Port: id, Network: network, Host: h, Iface: "tap-" + string(id), Rev: uint64(10 + i)})
		}
	}
	port("vx1", "vx", 1, "h1")
	port("vx2", "vx", 2, "h2", "h3")
	port("vx3", "vx", 3, "h3")
	port("vx4", "vx", 4) // not plugged
	port("gr1", "gr", 1, "h1")
	port("gr2", "gr", 2, "h2")
	port("ge1", "ge", 9, "h1")
	port("pv1", "pv", 5, "h1")
	port("pv3", "pv", 6, "h3")
	for i, at := range []struct {
		host    string
		network model.ID
		vlan    uint16
	}{
		{"h1", "vx", 1}, {"h1", "gr", 2}, {"h1", "ge", 3}, {"h1", "pv", 4}, {"h2", "vx", 7}, {"h2", "gr", 8}, {"h3", "vx", 1}, {"h3", "pv", 2},
	} {
		add(&model.LocalVLAN{Host: at.host, Network: at.network, VLAN: at.vlan, Rev: uint64(i)})
	}
	return m
}

// large is three hosts and a number of VXLAN networks, each with two ports on two of the hosts.
func large(networks int) *model.Model {
	m := fabric()
	for i := range networks {
		network := model.ID(fmt.Sprint("n", i))
		m = m.With(&model.Network{Meta: model.Meta{ID: network}, AdminUp: true, Type: model.TypeVXLAN, SegmentID: uint32(2000 + i), Tag: uint32(10000 + i)})
		for j := range 2 {
			port, host := model.ID(fmt.Sprintf("p%d-%d", i, j)), fmt.Sprintf("h%d", 1+(i+j)%3)
			m = m.With(&model.Port{Meta: model.Meta{ID: port}, Network: network, AdminUp: true, MAC: of.MAC{0xfa, 0x16, byte(j), byte(i >> 8), byte(i), 1}, Tag: uint32(20000 + 2*i + j),
				FixedIPs: []model.FixedIP{{Subnet: "s", IP: netip.AddrFrom4([4]byte{10, 0, 22, byte(j)})}}})
			m = m.With(&model.Plug{Port: port, Network: network, Host: host, Iface: "tap-" + string(port), Rev: 5})
			m = m.With(&model.LocalVLAN{Host: host, Network: network, VLAN: uint16(10 + i), Rev: 5})
		}
	}
	return m
}

// observed is a host on which OVS has made everything that is planned for it.
func observed(t testing.TB, m *model.Model, host string) spec.Observed {
	t.Helper()
	o := spec.Observed{Ports: map[string]map[string]of.Port{"br-int": {}, "br-tun": {}, "br-ex": {}},
		Rows: &spec.Rows{Controller: "tcp:192.0.2.1:6653", Bridges: map[string]bool{"br-ex": true}, Plugged: map[string]string{"tap-stranger": "nobody"}}}
	for _, p := range m.PlugsAt(host) {
		o.Rows.Plugged[p.Iface] = string(p.Port)
	}
	s, err := spec.Plan(m, o, host, l2.Plan)
	if err != nil {
		t.Fatal(err)
	}
	var next of.PortNo
	plug := func(bridge, name string) {
		next++
		o.Ports[bridge][name] = of.Port{No: next, Name: name}
	}
	for _, k := range sortedRows(s) {
		switch r := s.Rows[k].(type) {
		case row.Patch:
			plug(r.Bridge, r.Name)
		case row.Tunnel:
			plug(r.Bridge, r.Name)
		}
	}
	for _, p := range m.PlugsAt(host) {
		plug("br-int", p.Iface)
	}
	return o
}

func sortedRows(s *spec.Spec) []row.Key {
	return slices.SortedFunc(maps.Keys(s.Rows), func(a, b row.Key) int { return strings.Compare(a.String(), b.String()) })
}

func text(s *spec.Spec) string {
	var b strings.Builder
	for _, k := range sortedRows(s) {
		fmt.Fprintf(&b, "%s: %+v\n", k, s.Rows[k])
	}
	for _, name := range slices.Sorted(maps.Keys(s.Bridges)) {
		fmt.Fprintf(&b, "\n# %s\n", name)
		for _, f := range s.Bridges[name].Flows() {
			b.WriteString(f.String() + "\n")
		}
	}
	return b.String()
}

func TestPlanIsThatOfTheGoldenFiles(t *testing.T) {
	m := fabric()
	for _, host := range []string{"h1", "h2", "h3"} {
		t.Run(host, func(t *testing.T) {
			s, err := spec.Plan(m, observed(t, m, host), host, l2.Planner{Probe: time.Second}.Plan)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Pending) != 0 {
				t.Errorf("pending: %v", s.Pending)
			}
			path := filepath.Join("testdata", host+".plan")
			if *update {
				if err := os.WriteFile(path, []byte(text(s)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := text(s); got != string(want) {
				t.Errorf("%s is stale; look at what changed, then run go test ./apps/l2 -update\n--- want\n%s\n--- got\n%s", path, want, got)
			}
		})
	}
}

func TestPlanIsTheSameEveryTime(t *testing.T) {
	m := fabric()
	o := observed(t, m, "h1")
	first, err := spec.Plan(m, o, "h1", l2.Plan)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := spec.Plan(m, o, "h1", l2.Plan)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("two plans of one snapshot differ:\n%s\n%s", text(first), text(again))
		}
	}
}

func TestWhatIsNotKnownIsNotPlanned(t *testing.T) {
	m := fabric()
	for name, c := range map[string]struct {
		change  func(o *spec.Observed)
		bridge  string
		unknown bool // the bridge is left as it is
		pending string
	}{
		"cable_of_br_tun_missing":  {func(o *spec.Observed) { delete(o.Ports["br-tun"], "patch-int") }, "br-tun", true, "PatchPortMissing"},
		"cable_of_br_int_missing":  {func(o *spec.Observed) { delete(o.Ports["br-int"], "patch-tun") }, "br-int", true, "PatchPortMissing"},
		"cable_of_br_ex_missing":   {func(o *spec.Observed) { delete(o.Ports["br-ex"], "phy-br-ex") }, "br-ex", true, "PatchPortMissing"},
		"tunnel_not_made_yet":      {func(o *spec.Observed) { delete(o.Ports["br-tun"], "vxlan-0a630002") }, "br-tun", false, "TunnelPortMissing"},
		"port_not_on_switch_yet":   {func(o *spec.Observed) { delete(o.Ports["br-int"], "tap-vx1") }, "br-int", false, "PortNotOnSwitch"},
		"way_to_physnet_not_there": {func(o *spec.Observed) { delete(o.Ports["br-int"], "int-br-ex") }, "br-int", false, "PhysnetMissing"},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(t, m, "h1")
			c.change(&o)
			s, err := spec.Plan(m, o, "h1", l2.Plan)
			if err != nil {
				t.Fatal(err)
			}
			if unknown := s.Bridges[c.bridge].Err != nil; unknown != c.unknown {
				t.Errorf("plan of %s: error %v, want one: %v", c.bridge, s.Bridges[c.bridge].Err, c.unknown)
			}
			if c.unknown && s.Bridges[c.bridge].Parts != nil {
				t.Error("an unknown bridge has flows planned")
			}
			var reasons []string
			for _, p := range s.Pending {
				reasons = append(reasons, p.Reason)
				if p.Msg == "" {
					t.Errorf("%s does not say more", p.Reason)
				}
			}
			if !slices.Contains(reasons, c.pending) {
				t.Errorf("pending %q, want %q among them", reasons, c.pending)
			}
		})
	}
}

func TestHostThatLeftTheModelHasNoPlan(t *testing.T) {
	if s, err := spec.Plan(fabric(), spec.Observed{}, "h9", l2.Plan); err == nil {
		t.Errorf("planned %+v", s)
	}
}

func TestUnconnectedBridgesAreNotPlanned(t *testing.T) {
	s, err := spec.Plan(fabric(), spec.Observed{}, "h1", l2.Plan)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Bridges) != 0 || len(s.Rows) != 0 {
		t.Errorf("planned %v and %v of a host that nothing is known of", s.Bridges, s.Rows)
	}
	if !s.Needs["br-int"] || !s.Needs["br-tun"] {
		t.Errorf("needs %v, want br-int and br-tun", s.Needs)
	}
}

func TestManyTunnelsAreProbedLessOften(t *testing.T) {
	for hosts, want := range map[int]time.Duration{2: time.Second, 100: time.Second, 200: 4 * time.Second, 600: 10 * time.Second} {
		m := new(model.Model).With(&model.Network{Meta: model.Meta{ID: "n"}, Type: model.TypeVXLAN, SegmentID: 1, Tag: 1})
		for i := range hosts {
			m = m.With(&model.Host{Name: fmt.Sprint("h", i), Said: model.HostSettings{EncapIP: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
				EncapTypes: []model.NetworkType{model.TypeVXLAN}}})
		}
		s, err := spec.Plan(m, spec.Observed{Rows: &spec.Rows{}}, "h0", l2.Planner{Probe: time.Second}.Plan)
		if err != nil {
			t.Fatal(err)
		}
		tunnels := 0
		for _, r := range s.Rows {
			if tunnel, is := r.(row.Tunnel); is {
				if tunnels++; tunnel.Probe != want {
					t.Fatalf("%d hosts: a probe every %s, want %s", hosts, tunnel.Probe, want)
				}
			}
		}
		if tunnels != hosts-1 {
			t.Errorf("%d hosts: %d tunnels", hosts, tunnels)
		}
	}
}

func TestProviderBridgeThatIsConnectedIsNeededWhateverTheOVSDBSays(t *testing.T) {
	m := new(model.Model).With(&model.Host{Name: "h1", Said: model.HostSettings{BridgeMappings: map[string]string{"physnet1": "br-ex"}}})
	connected := map[string]map[string]of.Port{"br-ex": {}}
	for name, c := range map[string]struct {
		seen spec.Observed
		want bool
	}{
		"connected_and_the_ovsdb_is_away": {spec.Observed{Ports: connected}, true},
		"there_and_not_connected":         {spec.Observed{Rows: &spec.Rows{Bridges: map[string]bool{"br-ex": true}}}, true},
		"not_there":                       {spec.Observed{Rows: &spec.Rows{}}, false},
		"nothing_is_known":                {spec.Observed{}, false},
	} {
		s, err := spec.Plan(m, c.seen, "h1", l2.Plan)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Needs["br-ex"]; got != c.want {
			t.Errorf("%s: needed %v", name, got)
		}
	}
}
