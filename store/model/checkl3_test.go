package model

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
)

// routed is a sound model of a router between an internal and an external network, with a floating IP and
// a port forwarding.
func routed() []Resource {
	leg := func(id, network, subnet ID, owner, device string, mac byte, ip string) *Port {
		return &Port{Meta: Meta{ID: id}, Network: network, DeviceOwner: owner, DeviceID: device, MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 1, mac}, Tag: 10 + uint32(mac),
			FixedIPs: []FixedIP{{subnet, netip.MustParseAddr(ip)}}}
	}
	at := netip.MustParseAddr
	return []Resource{
		&Sequence{Name: SequenceTag, Last: 99},
		&Network{Meta: Meta{ID: "in"}, Type: TypeVXLAN, SegmentID: 1, MTU: 1450, Tag: 1},
		&Network{Meta: Meta{ID: "out"}, Type: TypeLocal, External: true, MTU: 1500, Tag: 2},
		subnet("sin", "in", netip.MustParsePrefix("10.0.0.0/24")),
		subnet("sout", "out", netip.MustParsePrefix("203.0.113.0/24")),
		&Router{Meta: Meta{ID: "r"}, Gateway: &RouterGateway{Network: "out", Port: "gw", SNAT: true}},
		leg("gw", "out", "sout", OwnerRouterGateway, "r", 1, "203.0.113.9"),
		leg("leg", "in", "sin", OwnerRouterInterface, "r", 2, "10.0.0.1"),
		leg("vm", "in", "sin", "", "", 3, "10.0.0.5"),
		leg("vm2", "in", "sin", "", "", 4, "10.0.0.6"),
		leg("fp", "out", "sout", OwnerFloatingIP, "f", 5, "203.0.113.10"),
		leg("fp2", "out", "sout", OwnerFloatingIP, "f2", 6, "203.0.113.11"),
		&FloatingIP{Meta: Meta{ID: "f"}, Network: "out", Port: "fp", IP: at("203.0.113.10"), Target: "vm", FixedIP: at("10.0.0.5"), Router: "r"},
		&FloatingIP{Meta: Meta{ID: "f2"}, Network: "out", Port: "fp2", IP: at("203.0.113.11"), Router: "r"},
		&PortForwarding{Meta: Meta{ID: "w"}, FloatingIP: "f2", Protocol: "tcp", External: PortRange{80, 80}, Internal: PortRange{8080, 8080}, Target: "vm2", IP: at("10.0.0.6")},
		&Host{Name: "h", Said: HostSettings{Gateway: new(true)}},
		&Placement{Service: ServiceRouter, Object: "r", Host: "h"},
	}
}

// altered returns a copy of a resource of a model with a change.
func altered[R any](m *Model, kind, key string, change func(*R)) Resource {
	r := *any(m.Get(kind, key)).(*R)
	change(&r)
	return any(&r).(Resource)
}

func TestCheckFindsWhatIsBrokenInLayer3(t *testing.T) {
	m := build(routed())
	if err := Check(m); err != nil {
		t.Fatalf("the sound model: %v", err)
	}
	for _, c := range []struct {
		name string
		with Resource
		want string
	}{
		{"gateway_on_internal_network", altered(m, "network", "out", func(n *Network) { n.External = false }), "router r has its gateway on out, which is no external network"},
		{"gateway_port_of_another", altered(m, "port", "gw", func(p *Port) { p.DeviceID = "x" }), "router r has gateway port gw, which is not its own"},
		{"second_gateway_port", altered(m, "port", "vm2", func(p *Port) { p.DeviceID, p.DeviceOwner = "r", OwnerRouterGateway }), "port vm2 is owned by router r, which has another gateway"},
		{"overlapping_subnets", altered(m, "subnet", "sout", func(s *Subnet) { s.CIDR = netip.MustParsePrefix("10.0.0.0/16") }), "router r is on subnets sin and sout, which overlap"},
		{"address_not_held", altered(m, "floatingip", "f", func(f *FloatingIP) { f.Port = "fp2" }), "floating IP f has port fp2, which does not hold its address 203.0.113.10"},
		{"one_address_twice", altered(m, "floatingip", "f2", func(f *FloatingIP) { f.IP = netip.MustParseAddr("203.0.113.10") }), "floating address out/203.0.113.10 belongs to"},
		{"target_gone", altered(m, "floatingip", "f", func(f *FloatingIP) { f.Target = "nowhere" }), "floating IP f leads to address 10.0.0.5 of port nowhere, which it does not have"},
		{"router_without_gateway", altered(m, "router", "r", func(r *Router) { r.Gateway = nil }), "floating IP f is translated by router r, which has no gateway on its network"},
		{"router_elsewhere", altered(m, "port", "leg", func(p *Port) { p.DeviceID = "x" }), "floating IP f leads to 10.0.0.5, which router r does not reach"},
		{"router_for_nothing", altered(m, "floatingip", "f", func(f *FloatingIP) { f.Target = "" }), "floating IP f leads nowhere and has router r"},
		{"both_uses", altered(m, "portforwarding", "w", func(w *PortForwarding) { w.FloatingIP = "f" }), "floating IP f leads to a port and has port forwardings"},
		{"forwarding_of_nothing", altered(m, "portforwarding", "w", func(w *PortForwarding) { w.FloatingIP = "x" }), "port forwarding w is of floating IP x, which does not exist"},
		{"ranges_of_two_sizes", altered(m, "portforwarding", "w", func(w *PortForwarding) { w.External.Last = 90 }), "port forwarding w maps 80:90 to 8080:8080"},
		{"external_port_twice", &PortForwarding{Meta: Meta{ID: "w2"}, FloatingIP: "f2", Protocol: "tcp", External: PortRange{70, 80}, Internal: PortRange{70, 80}, Target: "vm2",
			IP: netip.MustParseAddr("10.0.0.6")}, "port forwardings w and w2 are of the same external port"},
		{"place_on_a_plain_host", altered(m, "host", "h", func(h *Host) { h.Said = HostSettings{} }), "placement router/r is on h, which is no gateway host"},
		{"place_for_nothing", &Placement{Service: ServiceDHCP, Object: "x", Host: "h"}, "placement dhcp/x is of what needs none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Check(m.With(c.with)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want …%s…", err, c.want)
			}
		})
	}
}

func TestPlacedAtTellsServicesApart(t *testing.T) {
	m := build([]Resource{
		&Placement{Service: ServiceRouter, Object: "b", Host: "h"}, &Placement{Service: ServiceRouter, Object: "a", Host: "h"},
		&Placement{Service: ServiceDHCP, Object: "c", Host: "h"}, &Placement{Service: ServiceDHCP, Object: "d", Host: "other"},
	})
	for service, want := range map[string]string{ServiceRouter: "a b", ServiceDHCP: "c", "rout": "", "x": ""} {
		var got []string
		for _, id := range m.PlacedAt("h", service) {
			got = append(got, string(id))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", service, got, want)
		}
	}
}
