package router_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

var update = flag.Bool("update", false, "write golden files anew")

func fixed(pairs ...string) []model.FixedIP {
	var out []model.FixedIP
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, model.FixedIP{Subnet: model.ID(pairs[i]), IP: netip.MustParseAddr(pairs[i+1])})
	}
	return out
}

func subnet(id, network, cidr, gateway string, more func(*model.Subnet)) *model.Subnet {
	s := &model.Subnet{Meta: model.Meta{ID: model.ID(id), Rev: 3}, Network: model.ID(network), CIDR: netip.MustParsePrefix(cidr), IPVersion: 4, EnableDHCP: true}
	if gateway != "" {
		s.Gateway = netip.MustParseAddr(gateway)
	}
	if s.CIDR.Addr().Is6() {
		s.IPVersion = 6
	}
	if more != nil {
		more(s)
	}
	return s
}

func port(id, network, device, owner string, last byte, ips []model.FixedIP) *model.Port {
	return &model.Port{Meta: model.Meta{ID: model.ID(id), Project: "p1", Rev: 4}, Network: model.ID(network), DeviceID: device, DeviceOwner: owner,
		MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, last}, FixedIPs: ips}
}

// world is all of a router with a gateway, a dual-stack network and a provider network, placed on gw1.
func world() []model.Resource {
	vm := port("vm000000-0000-0000-0000-000000000001", "blue", "inst-1", "compute:nova", 9, fixed("blue4", "10.0.0.9", "blue6", "fd00::9"))
	vm.DNSName = "web"
	vm.Profile = map[string]any{"public_keys": []any{"ssh-ed25519 AAAA me"}, "user_data": "#!/bin/sh\n"}
	return []model.Resource{
		&model.Network{Meta: model.Meta{ID: "ext", Rev: 1}, External: true, MTU: 1500, Tag: 1},
		&model.Network{Meta: model.Meta{ID: "blue", Rev: 2}, MTU: 1450, Tag: 2, Type: model.TypeVXLAN, SegmentID: 5},
		subnet("ext4", "ext", "198.51.100.0/24", "198.51.100.1", nil),
		subnet("ext4b", "ext", "192.0.2.0/24", "192.0.2.1", nil),
		subnet("ext6", "ext", "2001:db8::/64", "2001:db8::1", nil),
		subnet("blue4", "blue", "10.0.0.0/24", "10.0.0.1", nil),
		subnet("blue6", "blue", "fd00::/64", "fd00::1", func(s *model.Subnet) {
			s.RAMode, s.AddressMode, s.DNS = "slaac", "slaac", []string{"2001:4860:4860::8888"}
		}),
		&model.Router{Meta: model.Meta{ID: "r1", Rev: 5}, AdminUp: true, Gateway: &model.RouterGateway{Network: "ext", Port: "11111111-1111-1111-1111-111111111111", SNAT: true},
			Routes: []model.Route{{Destination: netip.MustParsePrefix("10.9.0.0/16"), NextHop: netip.MustParseAddr("10.0.0.50")}}},
		port("11111111-1111-1111-1111-111111111111", "ext", "r1", model.OwnerRouterGateway, 1, fixed("ext4", "198.51.100.2", "ext6", "2001:db8::2")),
		port("22222222-2222-2222-2222-222222222222", "blue", "r1", model.OwnerRouterInterface, 2, fixed("blue4", "10.0.0.1")),
		port("33333333-3333-3333-3333-333333333333", "blue", "r1", model.OwnerRouterInterface, 3, fixed("blue6", "fd00::1")),
		vm,
		port("dhcp0000-0000-0000-0000-000000000001", "blue", "dhcp-1", model.OwnerDHCP, 8, fixed("blue4", "10.0.0.2")),
		&model.FloatingIP{Meta: model.Meta{ID: "f1", Rev: 7}, Network: "ext", IP: netip.MustParseAddr("198.51.100.9"), Router: "r1", Target: vm.ID, FixedIP: netip.MustParseAddr("10.0.0.9")},
		&model.Placement{Service: model.ServiceRouter, Object: "r1", Host: "gw1", Rev: 6},
		&model.Router{Meta: model.Meta{ID: "down", Rev: 5}},
		&model.Placement{Service: model.ServiceRouter, Object: "down", Host: "gw1", Rev: 6},
	}
}

func put(all []model.Resource) *model.Model {
	m := &model.Model{Rev: 9}
	for _, r := range all {
		m = m.With(r)
	}
	return m
}

func plan(t *testing.T, m *model.Model, host string) []byte {
	t.Helper()
	s, err := spec.Plan(m, spec.Observed{}, host, router.Plan(nat.Rules))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s.Namespaces); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestNamespaceOfARouterMatchesGolden(t *testing.T) {
	got := plan(t, put(world()), "gw1")
	file := filepath.Join("testdata", "router.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPlanDoesNotDependOnTheOrderOfWrites(t *testing.T) {
	forward, backward := world(), world()
	slices.Reverse(backward)
	if a, b := plan(t, put(forward), "gw1"), plan(t, put(backward), "gw1"); !bytes.Equal(a, b) {
		t.Errorf("two plans of one state:\n%s\n%s", a, b)
	}
}

func TestRoutersOfOtherHostsAreNotPlanned(t *testing.T) {
	if got := plan(t, put(world()), "gw2"); string(got) != "{}\n" {
		t.Errorf("got %s", got)
	}
}

func TestRouterOfANetworkThatIsGoneCannotBePlanned(t *testing.T) {
	m := put(world()).Without(&model.Network{Meta: model.Meta{ID: "blue"}})
	if _, err := spec.Plan(m, spec.Observed{}, "gw1", router.Plan(nat.Rules)); err == nil {
		t.Error("no error")
	}
}
