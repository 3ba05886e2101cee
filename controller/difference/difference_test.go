package difference

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
)

// tun is br-tun with a network that is on one other host, and a port there.
func tun(t testing.TB, tunnel of.PortNo, remote of.MAC) *spec.Bridge {
	t.Helper()
	base, err := spec.NewPart(&pipeline.Tun, pipeline.TunFlows(pipeline.TunInput{PatchInt: 1}))
	if err != nil {
		t.Fatal(err)
	}
	n := pipeline.TunNetwork{Tag: 7, VLAN: 1, Type: model.TypeVXLAN, Key: 1001, Flood: []of.PortNo{tunnel},
		Remote: []pipeline.Remote{{Tag: 8, MAC: remote, IPs: []netip.Addr{addr("10.0.0.5")}, Via: tunnel}}}
	part, err := spec.NewPart(&pipeline.Tun, n.Flows())
	if err != nil {
		t.Fatal(err)
	}
	return &spec.Bridge{Parts: []*spec.Part{base, part}}
}

const router = `
	set inside {
		type ifname
		elements = {
			"qr-1",
		}
	}

	map fip_dnat {
		type ipv4_addr : ipv4_addr
		elements = {
			198.51.100.9 : 10.0.0.9,
		}
	}

	chain prerouting {
		type nat hook prerouting priority -100; policy accept;
		jump floatingip
	}
`

// gateway is a namespace with something of everything.
func gateway() spec.Namespace {
	return spec.Namespace{Name: "qrouter-r", Object: "router/r", Rev: 7,
		Links: []spec.Link{{Name: "qr-1", Peer: "tap1", Port: "p1", MAC: of.MAC{2, 0, 0, 0, 0, 1}, MTU: 1450,
			Addresses: []netip.Prefix{prefix("10.0.0.1/24"), prefix("fe80::a9fe:a9fe/64")}}},
		Routes: []spec.Route{{Destination: prefix("0.0.0.0/0"), Via: addr("198.51.100.1"), Link: "qg-1"},
			{Destination: prefix("10.9.0.0/16"), Via: addr("10.0.0.9")}, {Destination: prefix("10.8.0.1/32"), Link: "qr-1", Metric: 5}},
		Sysctls: map[string]string{"net.ipv4.ip_forward": "1"},
		NFT:     &spec.NFT{Family: "inet", Table: "heddle", Text: router},
		DHCP:    &spec.DHCP{Args: []string{"--no-hosts", "--leasefile-ro"}, Files: map[string]string{"host": "02:00:00:00:00:05,web,10.0.0.5\n", "opts": "tag:s,option:router,10.0.0.1\n"}},
		RA: []spec.RA{{Link: "qr-1", Source: addr("fe80::1"), MTU: 1450, Other: true, Prefixes: []spec.RAPrefix{{Prefix: prefix("fd00::/64"), Autonomous: true}},
			DNS: []netip.Addr{addr("fd00::53")}}},
		Metadata: &spec.Metadata{Router: "r", Instances: map[string]spec.Instance{"10.0.0.5": {Port: "p5", Device: "vm5", Project: "acme", Hostname: "web", MTU: 1450, PublicKey: []string{"k"}, UserData: "abc"}}},
	}
}

func side(s *spec.Spec) Side {
	return Side{Spec: s, Plugged: map[string]string{"tap5": "p5"}, Object: func(c of.Cookie) string {
		if kind, tag := pipeline.Cause(c); kind == pipeline.KindPort {
			return fmt.Sprint("port/", tag)
		}
		return ""
	}}
}

func rowsOf(rows ...row.Row) map[row.Key]row.Row { return row.Map(rows...) }

// text writes items as a person reads them.
func text(items []Item) string {
	var b strings.Builder
	for _, i := range items {
		fmt.Fprintf(&b, "%s %s %s %s\n", i.Where, i.Type, i.Op, i.Object)
		if i.Before != "" {
			fmt.Fprintf(&b, "\t- %s\n", i.Before)
		}
		fmt.Fprintf(&b, "\t%s %s\n", map[Op]string{Add: "+", Change: "+", Delete: "-"}[i.Op], i.Text)
	}
	return b.String()
}

// cases are pairs of plans by what happens.
func cases(t testing.TB) map[string][2]Side {
	there := of.MAC{2, 0, 0, 0, 0, 5}
	patch, _ := row.Cable(row.IntBridge, row.PatchTun, row.TunBridge, row.PatchInt)
	bridge := row.Bridge{Name: "br-tun", DatapathType: "netdev", Controllers: []string{"tcp:192.0.2.1:6653"}, Protocols: []string{"OpenFlow13"}, OtherConfig: row.DefaultOtherConfig()}
	tunnel := row.NewTunnel("br-tun", "vxlan", addr("10.0.0.1"), addr("10.0.0.2"))
	whole := &spec.Spec{Bridges: map[string]*spec.Bridge{"br-tun": tun(t, 5, there)},
		Rows:       rowsOf(bridge, patch, tunnel, row.Tag{Port: "tap5", VLAN: 1, IfaceID: "p5"}, row.Tag{Port: "tap6", VLAN: 1, IfaceID: "p6"}),
		Namespaces: map[string]spec.Namespace{"qrouter-r": gateway()}}

	moved := *whole
	moved.Bridges = map[string]*spec.Bridge{"br-tun": tun(t, 6, of.MAC{2, 0, 0, 0, 0, 6})}
	named := side(&moved)
	named.Names = map[string]map[of.PortNo]string{"br-tun": {6: "vxlan-0a000003"}}

	altered := *whole
	otherBridge, otherTunnel := bridge, tunnel
	otherBridge.Controllers, otherTunnel.Local = []string{"ssl:192.0.2.1:6653"}, addr("10.0.0.9")
	altered.Rows = rowsOf(otherBridge, patch, otherTunnel, row.Tag{Port: "tap7", VLAN: 2, IfaceID: "p7"})
	ns := gateway()
	ns.Links[0].MTU, ns.Links[0].Addresses = 1400, ns.Links[0].Addresses[:1]
	ns.Routes = ns.Routes[:2]
	ns.Sysctls = map[string]string{"net.ipv4.ip_forward": "0", "net.ipv6.conf.all.forwarding": "1"}
	ns.NFT = &spec.NFT{Family: "inet", Table: "heddle", Text: strings.NewReplacer("198.51.100.9 : 10.0.0.9,", "198.51.100.9 : 10.0.0.10,\n\t\t\t198.51.100.10 : 10.0.0.9,",
		"jump floatingip", "ct state invalid drop\n\t\tjump floatingip").Replace(router)}
	ns.DHCP = &spec.DHCP{Args: ns.DHCP.Args[:1], Files: map[string]string{"host": "02:00:00:00:00:05,db,10.0.0.5\n02:00:00:00:00:06,web,10.0.0.6\n"}}
	ns.RA, ns.Metadata = nil, &spec.Metadata{Network: "n", Instances: ns.Metadata.Instances}
	altered.Namespaces = map[string]spec.Namespace{"qrouter-r": ns}

	return map[string][2]Side{
		"from_nothing":            {{}, side(whole)},
		"to_nothing":              {side(whole), {}},
		"port_moves_to_new_host":  {side(whole), named},
		"everything_is_otherwise": {side(whole), side(&altered)},
	}
}

func TestDifference(t *testing.T) {
	for name, c := range cases(t) {
		t.Run(name, func(t *testing.T) {
			got := text(Of(c[0], c[1]))
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("difference is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestEqualPlansDoNotDiffer(t *testing.T) {
	for name, c := range cases(t) {
		again := cases(t)[name] // made anew: no pointer is shared
		for i := range c {
			if d := Of(c[i], again[i]); len(d) > 0 {
				t.Errorf("%s: %s", name, text(d))
			}
		}
	}
}

// TestDifferenceLeadsThereAndBack: to make the changes of a difference is to come to the other plan, and
// the way back is the same with what is added and deleted exchanged.
func TestDifferenceLeadsThereAndBack(t *testing.T) {
	for name, c := range cases(t) {
		there, back := Of(c[0], c[1]), Of(c[1], c[0])
		type thing struct {
			where string
			typ   spec.LineType
			text  string
		}
		count := func(items []Item, sign int) map[thing]int {
			out := map[thing]int{}
			add := func(i Item, text string, n int) {
				if k := (thing{i.Where, i.Type, text}); text != "" {
					if out[k] += n; out[k] == 0 {
						delete(out, k)
					}
				}
			}
			for _, i := range items {
				switch i.Op {
				case Add:
					add(i, i.Text, sign)
				case Delete:
					add(i, i.Text, -sign)
				case Change:
					add(i, i.Text, sign)
					add(i, i.Before, -sign)
				}
			}
			return out
		}
		a, b := count(there, 1), count(back, -1)
		for k, n := range a {
			if b[k] != n {
				t.Errorf("%s: %v is %d there and %d back", name, k, n, b[k])
			}
		}
		if len(a) != len(b) {
			t.Errorf("%s: %d things there, %d back", name, len(a), len(b))
		}
	}
}

func TestWhatIsUnknownIsNotCompared(t *testing.T) {
	there := of.MAC{2, 0, 0, 0, 0, 5}
	known := &spec.Spec{Bridges: map[string]*spec.Bridge{"br-tun": tun(t, 5, there)}}
	unknown := &spec.Spec{Bridges: map[string]*spec.Bridge{"br-tun": {Err: errors.New("bridge br-tun has no port patch-int")}}}
	if d := append(Of(side(known), side(unknown)), Of(side(unknown), side(known))...); len(d) > 0 {
		t.Errorf("a bridge without a plan differs: %s", text(d))
	}
}

// TestEditsAreTheFewest holds the edits of random lists to what they have to do.
func TestEditsAreTheFewest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	list := func() []string {
		out := make([]string, rng.IntN(7))
		for i := range out {
			out[i] = string(rune('a' + rng.IntN(3)))
		}
		return out
	}
	for range 2000 {
		before, after := list(), list()
		items := edits(before, after)
		var kept, added []string
		gone := map[string]int{}
		for _, i := range items {
			if i.Op == Delete {
				gone[i.Text]++
			} else {
				added = append(added, i.Text)
			}
		}
		for _, l := range before {
			if gone[l] > 0 {
				gone[l]--
				continue
			}
			kept = append(kept, l)
		}
		both := append(slices.Clone(kept), added...)
		want := slices.Clone(after)
		slices.Sort(both)
		slices.Sort(want)
		if !slices.Equal(both, want) {
			t.Fatalf("%v to %v by %v", before, after, items)
		}
		if len(items) != len(before)+len(after)-2*common(before, after) {
			t.Fatalf("%v to %v takes %d edits: %v", before, after, len(items), items)
		}
	}
}

// common is the length of the longest list that both have in order, found by trying all.
func common(a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	if a[0] == b[0] {
		return 1 + common(a[1:], b[1:])
	}
	return max(common(a[1:], b), common(a, b[1:]))
}

func TestCount(t *testing.T) {
	f := Fabric{Hosts: []Host{{"a", []Item{{Op: Add}, {Op: Delete}}}, {"b", []Item{{Op: Add}, {Op: Change}}}}}
	if got := f.Count(); got != (Summary{Add: 2, Change: 1, Delete: 1}) {
		t.Errorf("%+v", got)
	}
}
