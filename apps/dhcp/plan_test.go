package dhcp_test

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

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

// site is a model under construction: one network, "net1", whose DHCP service is on host gw1.
type site struct{ m *model.Model }

func newSite(change ...func(*model.Network)) *site {
	n := &model.Network{Meta: model.Meta{ID: "net1", Rev: 3}, AdminUp: true, Type: model.TypeVXLAN, SegmentID: 7, MTU: 1450, Tag: 1}
	for _, c := range change {
		c(n)
	}
	s := &site{m: &model.Model{Rev: 42}}
	s.add(n, &model.Placement{Service: model.ServiceDHCP, Object: "net1", Host: "gw1", Rev: 5})
	return s
}

func (s *site) add(rs ...model.Resource) *site {
	for _, r := range rs {
		s.m = s.m.With(r)
	}
	return s
}

func (s *site) subnet(id model.ID, cidr, gateway string, change ...func(*model.Subnet)) *site {
	p := netip.MustParsePrefix(cidr)
	sub := &model.Subnet{Meta: model.Meta{ID: id, Rev: 4}, Network: "net1", IPVersion: 4, CIDR: p, EnableDHCP: true}
	if p.Addr().Is6() {
		sub.IPVersion = 6
	}
	if gateway != "" {
		sub.Gateway = netip.MustParseAddr(gateway)
	}
	for _, c := range change {
		c(sub)
	}
	return s.add(sub)
}

// port adds a port; addresses are "subnet address".
func (s *site) port(id model.ID, owner string, n byte, addresses []string, change ...func(*model.Port)) *site {
	p := &model.Port{Meta: model.Meta{ID: id, Rev: uint64(10 + n)}, Network: "net1", AdminUp: true, DeviceOwner: owner, Tag: 100 + uint32(n),
		MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, n}}
	for _, a := range addresses {
		sub, ip, _ := strings.Cut(a, " ")
		p.FixedIPs = append(p.FixedIPs, model.FixedIP{Subnet: model.ID(sub), IP: netip.MustParseAddr(ip)})
	}
	for _, c := range change {
		c(p)
	}
	return s.add(p)
}

func (s *site) dhcpPort(addresses ...string) *site {
	return s.port("dddddddd-0001-4000", model.OwnerDHCP, 0xdd, addresses)
}

func modes(ra, address string) func(*model.Subnet) {
	return func(s *model.Subnet) { s.RAMode, s.AddressMode = ra, address }
}

func servers(ips ...string) func(*model.Subnet) { return func(s *model.Subnet) { s.DNS = ips } }

func hostRoutes(pairs ...string) func(*model.Subnet) {
	return func(s *model.Subnet) {
		for _, p := range pairs {
			d, via, _ := strings.Cut(p, " ")
			s.HostRoutes = append(s.HostRoutes, model.Route{Destination: netip.MustParsePrefix(d), NextHop: netip.MustParseAddr(via)})
		}
	}
}

func extra(version int, pairs ...string) func(*model.Port) {
	return func(p *model.Port) {
		for i := 0; i < len(pairs); i += 2 {
			p.DHCPOptions = append(p.DHCPOptions, model.DHCPOption{Name: pairs[i], Value: pairs[i+1], IPVersion: version})
		}
	}
}

var sites = map[string]*site{
	"routed_v4": newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1", servers("9.9.9.9", "1.1.1.1")).dhcpPort("s4 10.1.0.2").
		port("p1", "compute:nova", 1, []string{"s4 10.1.0.125"}).
		port("p2", "", 2, []string{"s4 10.1.0.210"}, func(p *model.Port) { p.DNSName = "db" }).
		port("r1", model.OwnerRouterInterface, 9, []string{"s4 10.1.0.1"}),
	"isolated_v4": newSite(func(n *model.Network) { n.DNSDomain = "example.test." }).subnet("s4", "10.1.0.0/22", "10.1.0.1").
		dhcpPort("s4 10.1.0.2").port("p1", "compute:nova", 1, []string{"s4 10.1.3.125"}),
	"routes_and_no_gateway": newSite().subnet("s4", "10.1.0.0/24", "", hostRoutes("192.0.2.0/24 10.1.0.7", "198.51.100.0/25 10.1.0.8")).
		dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"}),
	"default_route_by_host_route": newSite().subnet("s4", "10.1.0.0/24", "", hostRoutes("0.0.0.0/0 10.1.0.254")).
		dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"}),
	"no_dns_wanted": newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1", servers("0.0.0.0")).
		subnet("s6", "fd00:1::/64", "fd00:1::1", servers("::"), modes("dhcpv6-stateful", "dhcpv6-stateful")).dhcpPort("s4 10.1.0.2", "s6 fd00:1::2"),
	"several_subnets": newSite().subnet("s4a", "10.1.0.0/24", "10.1.0.1").subnet("s4b", "10.2.0.0/24", "10.2.0.1").
		subnet("s4c", "10.3.0.0/24", "10.3.0.1", func(s *model.Subnet) { s.EnableDHCP = false }).
		dhcpPort("s4a 10.1.0.2", "s4b 10.2.0.2").
		port("p1", "", 1, []string{"s4a 10.1.0.5", "s4b 10.2.0.5", "s4c 10.3.0.5"}).
		port("r1", model.OwnerRouterInterface, 9, []string{"s4b 10.2.0.1"}),
	"extra_options": newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").subnet("s6", "fd00:1::/64", "fd00:1::1", modes("", "dhcpv6-stateless")).
		dhcpPort("s4 10.1.0.2", "s6 fd00:1::f816:3eff:fe00:dd").
		port("p1", "", 1, []string{"s4 10.1.0.5", "s6 fd00:1::5"}, extra(4, "tftp-server", "10.1.0.9", "tag:!ipxe,bootfile-name", "pxelinux.0", "150", "10.1.0.9"), extra(6, "dns-server", "fd00::53,fd00::54", "59", "tftp://[fd00::9]/x")).
		port("p2", "", 2, []string{"s4 10.1.0.6"}, extra(4, "client-id", "01:02:03"), extra(6, "dns-server", "fd00::53")).
		port("p3", "", 3, []string{"s4 10.1.0.7"}, extra(4, "domain-name", "evil\ntag:subnet-s4,option:router,10.1.0.66")),
	"v6_slaac_routed": newSite().subnet("s6", "fd00:1::/64", "fd00:1::1", modes("slaac", "slaac")).dhcpPort("s6 fd00:1::f816:3eff:fe00:dd").
		port("p1", "", 1, []string{"s6 fd00:1::f816:3eff:fe00:1"}).port("r1", model.OwnerRouterInterface, 9, []string{"s6 fd00:1::1"}),
	"v6_slaac_isolated": newSite().subnet("s6", "fd00:1::/64", "fd00:1::1", modes("slaac", "slaac"), servers("fd00::53")).dhcpPort("s6 fd00:1::f816:3eff:fe00:dd").
		port("p1", "", 1, []string{"s6 fd00:1::f816:3eff:fe00:1"}),
	"v6_stateless_isolated": newSite().subnet("s6", "fd00:1::/64", "fd00:1::1", modes("dhcpv6-stateless", "dhcpv6-stateless")).dhcpPort("s6 fd00:1::f816:3eff:fe00:dd").
		port("p1", "", 1, []string{"s6 fd00:1::f816:3eff:fe00:1"}),
	"v6_stateful_routed": newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").
		subnet("s6", "fd00:1::/64", "fd00:1::1", modes("dhcpv6-stateful", "dhcpv6-stateful"), servers("fd00::53")).dhcpPort("s4 10.1.0.2", "s6 fd00:1::2").
		port("p1", "", 1, []string{"s4 10.1.0.5", "s6 fd00:1::5"}).port("r1", model.OwnerRouterInterface, 9, []string{"s6 fd00:1::1"}).
		port("r2", model.OwnerRouterInterface, 8, []string{"s4 10.1.0.1"}),
	"v6_stateful_isolated": newSite().subnet("s6", "fd00:1::/64", "fe80::1", modes("dhcpv6-stateful", "dhcpv6-stateful")).dhcpPort("s6 fd00:1::2").
		port("p1", "", 1, []string{"s6 fd00:1::5"}),
	"v6_without_modes":  newSite().subnet("s6", "fd00:1::/64", "fd00:1::1").dhcpPort("s6 fd00:1::2").port("p1", "", 1, []string{"s6 fd00:1::5"}),
	"network_down":      newSite(func(n *model.Network) { n.AdminUp = false }).subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2"),
	"no_subnet_wants":   newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1", func(s *model.Subnet) { s.EnableDHCP = false }).dhcpPort(),
	"port_is_not_there": newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1"),
}

func plan(t *testing.T, m *model.Model, host string) *spec.Spec {
	t.Helper()
	s, err := spec.Plan(m, spec.Observed{}, host, dhcp.Plan)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(s *spec.Spec) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Namespaces)) {
		ns := s.Namespaces[name]
		fmt.Fprintf(&b, "%s for %s at revision %d\n", name, ns.Object, ns.Rev)
		for _, l := range ns.Links {
			fmt.Fprintf(&b, "link %s peer %s port %s mac %s mtu %d\n", l.Name, l.Peer, l.Port, l.MAC, l.MTU)
			for _, a := range l.Addresses {
				fmt.Fprintf(&b, "address %s\n", a)
			}
		}
		for _, r := range ns.Routes {
			fmt.Fprintf(&b, "route %s via %s dev %s\n", r.Destination, r.Via, r.Link)
		}
		for _, k := range slices.Sorted(maps.Keys(ns.Sysctls)) {
			fmt.Fprintf(&b, "sysctl %s=%s\n", k, ns.Sysctls[k])
		}
		fmt.Fprintf(&b, "\n%s\n", strings.Join(ns.DHCP.Args, "\n  "))
		for _, f := range slices.Sorted(maps.Keys(ns.DHCP.Files)) {
			fmt.Fprintf(&b, "\n# %s\n%s", f, ns.DHCP.Files[f])
		}
	}
	for id, p := range s.Pending {
		fmt.Fprintf(&b, "pending %s: %s: %s\n", id, p.Reason, p.Msg)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			got := text(plan(t, site.m, "gw1"))
			path := filepath.Join("testdata", name+".golden")
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
				t.Errorf("plan differs from %s; got\n%s", path, got)
			}
		})
	}
}

func TestPlanIsThatOfTheHost(t *testing.T) {
	for name, site := range sites {
		if s := plan(t, site.m, "gw2"); len(s.Namespaces) != 0 {
			t.Errorf("%s: gw2 plans %d namespaces, its network is on gw1", name, len(s.Namespaces))
		}
		if a, b := plan(t, site.m, "gw1"), plan(t, site.m, "gw1"); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: two plans of one model differ", name)
		}
	}
}

func TestMemoryChangesNothing(t *testing.T) {
	remembering := dhcp.NewPlanner(dhcp.Planner{})
	check := func(what string, m *model.Model) {
		t.Helper()
		for range 2 {
			got, err := spec.Plan(m, spec.Observed{}, "gw1", remembering)
			if err != nil {
				t.Fatal(err)
			}
			if want := plan(t, m, "gw1"); !reflect.DeepEqual(got, want) {
				t.Errorf("after %s: got\n%s\nwant\n%s", what, text(got), text(want))
			}
		}
	}
	for name, site := range sites {
		check(name, site.m)
	}
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2")
	check("a first network", s.m)
	s.port("p1", "", 1, []string{"s4 10.1.0.5"})
	check("a new port", s.m)
	s.subnet("s4", "10.1.0.0/24", "10.1.0.254")
	check("another gateway", s.m)
	s.subnet("s5", "10.2.0.0/24", "10.2.0.1")
	check("another subnet", s.m)
	s.add(&model.Network{Meta: model.Meta{ID: "net1", Rev: 99}, AdminUp: true, MTU: 1400, Tag: 1})
	check("another MTU", s.m)
	s.add(&model.Placement{Service: model.ServiceDHCP, Object: "net1", Host: "gw2", Rev: 100})
	check("a move", s.m)
	s.add(&model.Placement{Service: model.ServiceDHCP, Object: "net1", Host: "gw1", Rev: 101})
	check("a move back", s.m)
	s.m = s.m.Without(must(s.m.Ports.Get("p1")))
	check("a port less", s.m)
}

func TestPortOfTheHostIsPreferred(t *testing.T) {
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").
		port("aaaaaaaa-1111", model.OwnerDHCP, 1, []string{"s4 10.1.0.2"}, func(p *model.Port) { p.BindingHost = "gw2" }).
		port("bbbbbbbb-2222", model.OwnerDHCP, 2, []string{"s4 10.1.0.3"}, func(p *model.Port) { p.BindingHost = "gw1" })
	got := plan(t, s.m, "gw1").Namespaces["qdhcp-net1"]
	if l := got.Links[0]; l.Name != "ns-bbbbbbbb-22" || l.Addresses[0] != netip.MustParsePrefix("10.1.0.3/24") {
		t.Errorf("link %+v, want the port bound to gw1", l)
	}
	if strings.Contains(got.DHCP.Files["host"], "10.1.0.2") {
		t.Errorf("a DHCP port is among the hosts:\n%s", got.DHCP.Files["host"])
	}
}

func TestNamesOfConfiguredDomain(t *testing.T) {
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	got, err := spec.Plan(s.m, spec.Observed{}, "gw1", dhcp.Planner{Domain: "cloud.test."}.Plan)
	if err != nil {
		t.Fatal(err)
	}
	d := got.Namespaces["qdhcp-net1"].DHCP
	if !slices.Contains(d.Args, "--domain=cloud.test") || d.Files["addn_hosts"] != "10.1.0.5\thost-10-1-0-5.cloud.test. host-10-1-0-5\n" {
		t.Errorf("args %q, names %q", d.Args, d.Files["addn_hosts"])
	}
}
