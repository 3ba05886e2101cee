package provenance_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/provenance"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
)

// cloud is gateway host gw with router r between network n, of IPv4 and IPv6, and external network ext, and
// host cmp with virtual machine web, to which a floating IP and a port forwarding lead.
func cloud() *model.Model {
	types := []model.NetworkType{model.TypeVXLAN}
	meta := func(id, name string) model.Meta { return model.Meta{ID: model.ID(id), Name: name} }
	fixed := func(s ...string) (out []model.FixedIP) {
		for i := 0; i < len(s); i += 2 {
			out = append(out, model.FixedIP{Subnet: model.ID(s[i]), IP: addr(s[i+1])})
		}
		return out
	}
	m := new(model.Model)
	for _, r := range []model.Resource{
		&model.Host{Name: "gw", Said: model.HostSettings{EncapIP: addr("10.99.0.1"), EncapTypes: types, BridgeMappings: map[string]string{"phys": "br-ex"}}},
		&model.Host{Name: "cmp", Said: model.HostSettings{EncapIP: addr("10.99.0.2"), EncapTypes: types}},
		&model.Network{Meta: meta("n", "blue"), AdminUp: true, Type: model.TypeVXLAN, SegmentID: 7, MTU: 1450, Tag: 1},
		&model.Network{Meta: meta("ext", "public"), AdminUp: true, External: true, Type: model.TypeFlat, Physnet: "phys", MTU: 1500, Tag: 2},
		&model.Subnet{Meta: meta("s4", "blue-v4"), Network: "n", IPVersion: 4, CIDR: prefix("10.0.0.0/24"), Gateway: addr("10.0.0.1"), EnableDHCP: true, DNS: []string{"9.9.9.9"},
			HostRoutes: []model.Route{{Destination: prefix("192.0.2.0/24"), NextHop: addr("10.0.0.5")}}},
		&model.Subnet{Meta: meta("s6", ""), Network: "n", IPVersion: 6, CIDR: prefix("fd00::/64"), Gateway: addr("fd00::1"), EnableDHCP: true, RAMode: "slaac", AddressMode: "slaac",
			DNS: []string{"fd00::53"}},
		&model.Subnet{Meta: meta("x", "public-v4"), Network: "ext", IPVersion: 4, CIDR: prefix("198.51.100.0/24"), Gateway: addr("198.51.100.1")},
		&model.Subnet{Meta: meta("y", "more"), Network: "ext", IPVersion: 4, CIDR: prefix("203.0.113.0/24"), Gateway: addr("203.0.113.1")},
		&model.Router{Meta: meta("r", "edge"), AdminUp: true, Gateway: &model.RouterGateway{Network: "ext", Port: "gate", SNAT: true},
			Routes: []model.Route{{Destination: prefix("192.168.7.0/24"), NextHop: addr("10.0.0.5")}}},
		&model.Port{Meta: meta("inside", ""), Network: "n", AdminUp: true, MAC: of.MAC{2, 1}, FixedIPs: fixed("s4", "10.0.0.1", "s6", "fd00::1"), Tag: 11,
			DeviceID: "r", DeviceOwner: model.OwnerRouterInterface},
		&model.Port{Meta: meta("gate", ""), Network: "ext", AdminUp: true, MAC: of.MAC{2, 2}, FixedIPs: fixed("x", "198.51.100.5"), Tag: 12,
			DeviceID: "r", DeviceOwner: model.OwnerRouterGateway},
		&model.Port{Meta: meta("dhcp", ""), Network: "n", AdminUp: true, MAC: of.MAC{2, 3}, FixedIPs: fixed("s4", "10.0.0.2"), Tag: 13, DeviceOwner: model.OwnerDHCP, BindingHost: "gw"},
		&model.Port{Meta: meta("web", "web"), Network: "n", AdminUp: true, MAC: of.MAC{2, 4}, FixedIPs: fixed("s4", "10.0.0.5"), Tag: 14, DeviceOwner: "compute:nova", DeviceID: "vm",
			DHCPOptions: []model.DHCPOption{{Name: "bootfile-name", Value: "pxe", IPVersion: 4}}},
		&model.Port{Meta: meta("web2", "web2"), Network: "n", AdminUp: true, MAC: of.MAC{2, 5}, FixedIPs: fixed("s4", "10.0.0.55"), Tag: 15, DeviceOwner: "compute:nova", DeviceID: "vm2"},
		&model.FloatingIP{Meta: meta("f", ""), Network: "ext", IP: addr("198.51.100.9"), Target: "web", FixedIP: addr("10.0.0.5"), Router: "r"},
		&model.FloatingIP{Meta: meta("g", ""), Network: "ext", IP: addr("198.51.100.10"), Router: "r"},
		&model.PortForwarding{Meta: meta("w", ""), FloatingIP: "g", Protocol: "udp", External: model.PortRange{First: 53, Last: 54}, Internal: model.PortRange{First: 1053, Last: 1054},
			Target: "web2", IP: addr("10.0.0.55")},
		&model.Placement{Service: model.ServiceRouter, Object: "r", Host: "gw"}, &model.Placement{Service: model.ServiceDHCP, Object: "n", Host: "gw"},
		&model.Plug{Port: "web", Network: "n", Host: "cmp", Iface: "tapweb"}, &model.LocalVLAN{Host: "cmp", Network: "n", VLAN: 3},
		&model.Plug{Port: "inside", Network: "n", Host: "gw", Iface: "tapinside"}, &model.LocalVLAN{Host: "gw", Network: "n", VLAN: 5},
	} {
		m = m.With(r)
	}
	return m
}

func plan(t *testing.T, m *model.Model, host string) *spec.Spec {
	t.Helper()
	seen := spec.Observed{Ports: ports(), Rows: &spec.Rows{Controller: "tcp:10.9.9.9:6653", Bridges: map[string]bool{"br-ex": true},
		Plugged: map[string]string{"tapweb": "web", "tapinside": "inside"}}}
	s, err := spec.Plan(m, seen, host, l2.Plan, dhcp.Plan, router.Plan(nat.Rules))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ports() map[string]map[string]of.Port {
	return map[string]map[string]of.Port{
		"br-int": {row.PatchTun: {No: 1}, "int-br-ex": {No: 2}, "tapweb": {No: 3}, "tapinside": {No: 4}},
		"br-tun": {row.PatchInt: {No: 1}, "vxlan-0a630001": {No: 2}, "vxlan-0a630002": {No: 3}},
		"br-ex":  {"phy-br-ex": {No: 1}},
	}
}

func TestEveryLineHasAnObjectAndWords(t *testing.T) {
	m := cloud()
	for _, host := range []string{"gw", "cmp"} {
		s := plan(t, m, host)
		lines := provenance.Rows(m, host, s.Rows)
		for _, ns := range s.Namespaces {
			lines = append(lines, provenance.Namespace(m, host, ns)...)
		}
		for _, l := range lines {
			kind, id, _ := strings.Cut(l.Object, "/")
			if l.Text == "" || l.Says == "" || m.Get(kind, id) == nil {
				t.Errorf("%s %q of %q says %q", l.Type, l.Text, l.Object, l.Says)
			}
		}
		for name, b := range s.Bridges {
			names := provenance.NewNames(m, host, name, ports()[name])
			for _, f := range b.Flows() {
				if says := pipeline.Of(name).Says(&f, names); says == "" || strings.Contains(says, "port ") && strings.Contains(says, "gone") {
					t.Errorf("%s: %s says %q", name, f, says)
				}
			}
		}
	}
}

func TestLinesComeFromTheirObjects(t *testing.T) {
	m := cloud()
	gw, cmp := plan(t, m, "gw"), plan(t, m, "cmp")
	lines := append(provenance.Namespace(m, "gw", gw.Namespaces["qrouter-r"]), provenance.Namespace(m, "gw", gw.Namespaces["qdhcp-n"])...)
	lines = append(lines, provenance.Rows(m, "cmp", cmp.Rows)...)
	for _, want := range []struct{ text, object, says string }{
		{"198.51.100.9 : 10.0.0.5 (map fip_dnat)", "floatingip/f", "what is for floating IP 198.51.100.9 goes to 10.0.0.5 (VM port web)"},
		{"10.0.0.5 : 198.51.100.9 (map fip_snat)", "floatingip/f", ""},
		{"198.51.100.10 . 54 : 10.0.0.55 . 1054 (map pf_udp)", "portforwarding/w", "UDP to floating IP 198.51.100.10 port 54 goes to 10.0.0.55 port 1054 (VM port web2)"},
		{"198.51.100.10 (set own)", "floatingip/g", ""},
		{"198.51.100.5 (set own)", "port/gate", ""},
		{`"qg-gate" : 198.51.100.5 (map gateway)`, "port/gate", ""},
		{"198.51.100.9/32 dev qg-gate", "floatingip/f", ""},
		{"198.51.100.5/24 dev qg-gate", "port/gate", ""},
		{"10.0.0.1/24 dev qr-inside", "port/inside", ""},
		{"fe80::a9fe:a9fe/64 dev qr-inside", "router/r", "where instances ask for metadata"},
		{"default via 198.51.100.1 dev qg-gate", "subnet/x", "all else goes to 198.51.100.1, the gateway of subnet public-v4"},
		{"203.0.113.0/24 dev qg-gate", "subnet/y", ""},
		{"192.168.7.0/24 via 10.0.0.5", "router/r", "an extra route of router edge"},
		{"prefix fd00::/64 on qr-inside mtu 1450", "subnet/s6", ""},
		{"RDNSS fd00::53 on qr-inside", "port/inside", ""},
		{"10.0.0.5 is host-10-0-0-5", "port/web", ""},
		{"02:04:00:00:00:00,host-10-0-0-5.openstacklocal.,10.0.0.5 (file host)", "port/web", "VM port web, who asks as 02:04:00:00:00:00, gets 10.0.0.5 by DHCP"},
		{"02:05:00:00:00:00,host-10-0-0-55.openstacklocal.,10.0.0.55 (file host)", "port/web2", ""},
		{"tag:subnet-s4,option:dns-server,9.9.9.9 (file opts)", "subnet/s4", ""},
		{"tag:mac0-02,tag:mac1-04,tag:mac2-00,tag:mac3-00,tag:mac4-00,tag:mac5-00,option:bootfile-name,pxe (file opts)", "port/web", "an option that dnsmasq sends to VM port web"},
		{"--dhcp-range=set:subnet-s4,10.0.0.0,static,255.255.255.0,86400s", "subnet/s4", ""},
		{"port tapweb on br-int tag=3", "port/web", "interface tapweb, of VM port web of network blue, is in local VLAN 3"},
		{"port vxlan-0a630001 on br-tun type=vxlan options:local_ip=10.99.0.2 options:remote_ip=10.99.0.1 options:key=flow", "host/cmp",
			"the vxlan tunnel to host gw at 10.99.0.1, for all networks of that type"},
	} {
		found := false
		for _, l := range lines {
			if l.Text == want.text {
				found = true
				if l.Object != want.object || want.says != "" && l.Says != want.says {
					t.Errorf("%q is of %s and says %q; want %s and %q", l.Text, l.Object, l.Says, want.object, want.says)
				}
			}
		}
		if !found {
			t.Errorf("no line %q", want.text)
		}
	}
}

// TestLinesOfAnOlderPlanAreTold: a plan may be older than the model that it is explained with.
func TestLinesOfAnOlderPlanAreTold(t *testing.T) {
	m := cloud()
	ns := plan(t, m, "gw").Namespaces
	web, _ := m.Ports.Get("web")
	f, _ := m.FloatingIPs.Get("f")
	now := m.Without(web).Without(f)
	for _, l := range append(provenance.Namespace(now, "gw", ns["qrouter-r"]), provenance.Namespace(now, "gw", ns["qdhcp-n"])...) {
		switch l.Text {
		case "198.51.100.9 : 10.0.0.5 (map fip_dnat)":
			if l.Object != "router/r" {
				t.Errorf("a floating IP that is gone is of %s", l.Object)
			}
		case "198.51.100.9/32 dev qg-gate":
			if l.Object != "router/r" || l.Says != "" {
				t.Errorf("the address of a floating IP that is gone is of %s and says %q", l.Object, l.Says)
			}
		case "02:04:00:00:00:00,host-10-0-0-5.openstacklocal.,10.0.0.5 (file host)":
			if l.Object != "network/n" {
				t.Errorf("a port that is gone is of %s", l.Object)
			}
		}
	}
}

func TestFlowsAreSaidWithNames(t *testing.T) {
	m := cloud()
	s := plan(t, m, "cmp")
	var says []string
	for _, bridge := range []string{"br-int", "br-tun"} {
		names := provenance.NewNames(m, "cmp", bridge, ports()[bridge])
		for _, f := range s.Bridges[bridge].Flows() {
			says = append(says, pipeline.Of(bridge).Says(&f, names))
		}
	}
	all := strings.Join(says, "\n")
	for _, want := range []string{
		"frames from VM port web (10.0.0.5) on tapweb get local VLAN 3 of network blue",
		"frames of network blue for many, or for addresses that are not known, are copied to br-tun and tapweb",
		"leave by the vxlan tunnel to host gw with key 7",
		"frames with VNI 7 get local VLAN 3 of network blue",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no flow says %q:\n%s", want, all)
		}
	}
}
