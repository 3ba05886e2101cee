package pipeline_test

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/store/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

func mac(t testing.TB, s string) of.MAC {
	t.Helper()
	m, err := of.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tunInput is the br-tun of host 10.99.0.2 in a fabric of three hosts and three networks, one of each
// tunnel type. Port 1 is patch-int; ports 2 to 5 are tunnels.
func tunInput(t testing.TB) pipeline.TunInput {
	ip := netip.MustParseAddr
	return pipeline.TunInput{
		PatchInt: 1,
		Tunnels:  []pipeline.Tunnel{{2, model.TypeVXLAN}, {3, model.TypeGRE}, {4, model.TypeGeneve}, {5, model.TypeVXLAN}},
		Networks: []pipeline.TunNetwork{
			{Tag: 1, VLAN: 1, Type: model.TypeVXLAN, Key: 1001, Flood: []of.PortNo{2, 5}, Remote: []pipeline.Remote{
				{Tag: 11, MAC: mac(t, "fa:16:3e:9e:c2:b3"), IPs: []netip.Addr{ip("10.1.0.1")}, Via: 2},
				{Tag: 12, MAC: mac(t, "fa:16:3e:56:a3:60"), IPs: []netip.Addr{ip("10.1.0.2")}, Via: 5},
			}},
			{Tag: 2, VLAN: 2, Type: model.TypeGRE, Key: 1, Flood: []of.PortNo{3}, Remote: []pipeline.Remote{
				{Tag: 13, MAC: mac(t, "fa:16:3e:4b:84:c9"), IPs: []netip.Addr{ip("10.2.0.89")}, Via: 3},
			}},
			{Tag: 3, VLAN: 3, Type: model.TypeGeneve, Key: 10001, Flood: []of.PortNo{4}, Remote: []pipeline.Remote{
				{Tag: 14, MAC: mac(t, "fa:16:3e:96:20:09"), IPs: []netip.Addr{ip("10.3.0.65"), ip("fd00:3::65")}, Via: 4},
			}},
			{Tag: 4, VLAN: 4, Type: model.TypeVXLAN, Key: 1002},
		},
	}
}

// intInput is the br-int of the same host. Port 1 is patch-tun, port 2 int-br-ex, ports 10 and up are
// VMs; port 13 is being migrated away.
func intInput(t testing.TB) pipeline.IntInput {
	untagged, tagged := uint16(0), uint16(100)
	return pipeline.IntInput{
		PatchTun: 1, Providers: []of.PortNo{2},
		Networks: []pipeline.IntNetwork{
			{Tag: 1, VLAN: 1, Way: 1, Ports: []pipeline.LocalPort{
				{Tag: 21, OFPort: 10, MAC: mac(t, "fa:16:3e:04:bd:fb"), Home: true},
				{Tag: 22, OFPort: 11, MAC: mac(t, "fa:16:3e:04:bd:fc"), Home: true},
				{Tag: 23, OFPort: 13, MAC: mac(t, "fa:16:3e:04:bd:fd")},
			}, Remote: []pipeline.Remote{{Tag: 11, MAC: mac(t, "fa:16:3e:9e:c2:b3")}, {Tag: 23, MAC: mac(t, "fa:16:3e:04:bd:fd")}}},
			{Tag: 2, VLAN: 2, Way: 1, Ports: []pipeline.LocalPort{{Tag: 24, OFPort: 12, MAC: mac(t, "fa:16:3e:04:bd:fb"), Home: true}}},
			{Tag: 5, VLAN: 5, Way: 2, Segment: &untagged, Ports: []pipeline.LocalPort{{Tag: 25, OFPort: 14, MAC: mac(t, "fa:16:3e:00:00:05"), Home: true}}},
			{Tag: 6, VLAN: 6, Way: 2, Segment: &tagged, Ports: []pipeline.LocalPort{{Tag: 26, OFPort: 15, MAC: mac(t, "fa:16:3e:00:00:06"), Home: true}}},
			{Tag: 7, VLAN: 7, Ports: []pipeline.LocalPort{{Tag: 27, OFPort: 16, MAC: mac(t, "fa:16:3e:00:00:07"), Home: true}}},
		},
	}
}

func extInput() pipeline.ExtInput {
	return pipeline.ExtInput{PhyPort: 1, Networks: []pipeline.ExtNetwork{{Tag: 5, VLAN: 5}, {Tag: 6, VLAN: 6, Segment: 100}}}
}

// bridges are the golden files: a pipeline and the flows of an example host.
func bridges(t testing.TB) map[string]struct {
	tables *pipeline.Pipeline
	flows  []of.Flow
} {
	return map[string]struct {
		tables *pipeline.Pipeline
		flows  []of.Flow
	}{
		"tun":       {&pipeline.Tun, pipeline.TunFlows(tunInput(t))},
		"tun_empty": {&pipeline.Tun, pipeline.TunFlows(pipeline.TunInput{PatchInt: 1})},
		"int":       {&pipeline.Int, pipeline.IntFlows(intInput(t))},
		"int_empty": {&pipeline.Int, pipeline.IntFlows(pipeline.IntInput{PatchTun: 1})},
		"ext":       {&pipeline.Ext, pipeline.ExtFlows(extInput())},
	}
}

// text is the flows in the order a reader wants them: by table, priority descending, then as planned.
func text(flows []of.Flow) string {
	flows = slices.Clone(flows)
	slices.SortStableFunc(flows, func(a, b of.Flow) int {
		if a.Table != b.Table {
			return int(a.Table) - int(b.Table)
		}
		return int(b.Priority) - int(a.Priority)
	})
	var b strings.Builder
	for _, f := range flows {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

func golden(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is stale; look at what changed, then run go test ./controller/pipeline -update\n--- want\n%s\n--- got\n%s", path, want, got)
	}
}

func TestFlowsAreThoseOfTheGoldenFiles(t *testing.T) {
	for name, b := range bridges(t) {
		t.Run(name, func(t *testing.T) {
			golden(t, filepath.Join("testdata", name+".flows"), text(b.flows))
		})
	}
}

func TestFlowsKeepToTheDeclaration(t *testing.T) {
	for name, b := range bridges(t) {
		t.Run(name, func(t *testing.T) {
			if err := b.tables.Check(b.flows); err != nil {
				t.Error(err)
			}
			if x, y, ok := pipeline.Overlaps(b.flows); ok {
				t.Errorf("a packet may take either of\n%v\n%v", x, y)
			}
		})
	}
}

func TestCheckFindsWhatIsNotDeclared(t *testing.T) {
	ok := of.Flow{Table: pipeline.ToFlood, Priority: 1, Match: of.Match{of.VLAN(1)}, Cookie: pipeline.Base}
	for name, c := range map[string]struct {
		change func(*of.Flow)
		want   string
	}{
		"table":  {func(f *of.Flow) { f.Table = 77 }, "table 77 is not declared"},
		"match":  {func(f *of.Flow) { f.Match = of.Match{of.InPort(1)} }, "does not declare a match on in_port"},
		"goto":   {func(f *of.Flow) { f.Actions = []of.Action{of.GotoTable{Table: pipeline.LearnMAC}} }, "does not declare a way to table 10"},
		"cookie": {func(f *of.Flow) { f.Cookie = 7 }, "is not one of Heddle's"},
	} {
		t.Run(name, func(t *testing.T) {
			f := ok
			if err := pipeline.Tun.Check([]of.Flow{f}); err != nil {
				t.Fatal(err)
			}
			c.change(&f)
			if err := pipeline.Tun.Check([]of.Flow{f}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestOverlapsFindsFlowsThatShareAPacket(t *testing.T) {
	flow := func(m ...of.FieldMatch) of.Flow { return of.Flow{Priority: 5, Match: m} }
	for name, c := range map[string]struct {
		a, b of.Flow
		want bool
	}{
		"other_field":       {flow(of.InPort(1)), flow(of.VLAN(1)), true},
		"other_value":       {flow(of.InPort(1)), flow(of.InPort(2)), false},
		"masks_that_differ": {flow(of.EthDstMasked(of.MAC{1}, of.MAC{1})), flow(of.EthDst(of.MAC{3})), true},
		"masks_that_part":   {flow(of.EthDstMasked(of.MAC{1}, of.MAC{1})), flow(of.EthDst(of.MAC{2})), false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, got := pipeline.Overlaps([]of.Flow{c.a, c.b}); got != c.want {
				t.Errorf("Overlaps = %v", got)
			}
		})
	}
}

func TestCookieTellsItsCause(t *testing.T) {
	c := pipeline.CookieOf(pipeline.KindPort, 77)
	if kind, tag := pipeline.Cause(c); !pipeline.Ours(c) || kind != pipeline.KindPort || tag != 77 || c.String() != "0x5d0300000000004d" {
		t.Errorf("%v: kind %v, tag %d", c, kind, tag)
	}
	if pipeline.Ours(0x4a7aa95033fefb70) {
		t.Error("a stranger's cookie taken for ours")
	}
}

func TestLearnedFlowsAreHeldToTheirScope(t *testing.T) {
	learned := of.Flow{Table: pipeline.ToUnicast, Priority: 1, Cookie: pipeline.Learned,
		Match: of.Match{of.VLANMasked(3, 0xfff), of.EthDst(mac(t, "fa:16:3e:5b:4e:c1"))},
		Actions: []of.Action{
			of.Load{Dst: of.Whole(of.FieldVLANTCI)}, of.Load{Dst: of.Whole(of.FieldTunID), Value: 0x2711}, of.Output{Port: 4},
		}}
	m, ok := pipeline.ReadLearned(learned)
	if want := (pipeline.MAC{VLAN: 3, Address: mac(t, "fa:16:3e:5b:4e:c1"), Key: 0x2711, Port: 4}); !ok || m != want {
		t.Fatalf("ReadLearned = %+v, %v; want %+v", m, ok, want)
	}
	for name, c := range map[string]struct {
		scopes map[uint16]pipeline.LearnScope
		want   bool
	}{
		"network_is_here":            {map[uint16]pipeline.LearnScope{3: {Key: 0x2711, Ports: []of.PortNo{2, 4}}}, true},
		"network_left":               {map[uint16]pipeline.LearnScope{2: {Key: 0x2711, Ports: []of.PortNo{4}}}, false},
		"vlan_has_another_network":   {map[uint16]pipeline.LearnScope{3: {Key: 0x2712, Ports: []of.PortNo{4}}}, false},
		"other_host_dropped_network": {map[uint16]pipeline.LearnScope{3: {Key: 0x2711, Ports: []of.PortNo{2}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := m.Holds(c.scopes); got != c.want {
				t.Errorf("Holds = %v, want %v", got, c.want)
			}
		})
	}
}
