package router_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestMemoryChangesNothing(t *testing.T) {
	remembering := router.NewPlanner(nat.Rules)
	m := put(world())
	check := func(what string) {
		t.Helper()
		for range 2 {
			got, err := spec.Plan(m, spec.Observed{}, "gw1", remembering)
			if err != nil {
				t.Fatal(err)
			}
			want, err := spec.Plan(m, spec.Observed{}, "gw1", router.Plan(nat.Rules))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("after %s: got\n%+v\nwant\n%+v", what, got, want)
			}
		}
	}
	check("the beginning")
	before := ""
	step := func(what string, change func(*model.Model) *model.Model) {
		t.Helper()
		m = change(m)
		check(what)
		planned, err := spec.Plan(m, spec.Observed{}, "gw1", router.Plan(nat.Rules))
		if err != nil {
			t.Fatal(err)
		}
		now := fmt.Sprintf("%+v", planned.Namespaces)
		if now == before {
			t.Errorf("%s changes nothing: it shows nothing", what)
		}
		before = now
	}
	with := func(r model.Resource) func(*model.Model) *model.Model {
		return func(m *model.Model) *model.Model { return m.With(r) }
	}
	without := func(kind, key string) func(*model.Model) *model.Model {
		return func(m *model.Model) *model.Model { return m.Without(m.Get(kind, key)) }
	}
	second := port("vm000000-0000-0000-0000-000000000002", "blue", "inst-2", "compute:nova", 10, fixed("blue4", "10.0.0.10"))
	step("a new instance", with(second))
	step("an instance less", without("port", string(second.ID)))
	step("another MTU", with(&model.Network{Meta: model.Meta{ID: "blue", Rev: 20}, MTU: 1400, Tag: 2, Type: model.TypeVXLAN, SegmentID: 5}))
	step("another subnet outside", with(subnet("ext4c", "ext", "203.0.113.0/24", "203.0.113.1", nil)))
	step("another name server", with(subnet("blue6", "blue", "fd00::/64", "fd00::1", func(s *model.Subnet) {
		s.RAMode, s.AddressMode, s.DNS = "slaac", "slaac", []string{"2001:db8::53"}
	})))
	floating := &model.FloatingIP{Meta: model.Meta{ID: "f2", Rev: 21}, Network: "ext", IP: netip.MustParseAddr("198.51.100.10"), Router: "r1"}
	step("a floating IP", with(floating))
	forwarding := &model.PortForwarding{Meta: model.Meta{ID: "w1", Rev: 22}, FloatingIP: "f2", Protocol: "tcp", External: model.PortRange{First: 80, Last: 80},
		Internal: model.PortRange{First: 8080, Last: 8080}, Target: "vm000000-0000-0000-0000-000000000001", IP: netip.MustParseAddr("10.0.0.9")}
	step("a port forwarding", with(forwarding))
	changed := *forwarding
	changed.External = model.PortRange{First: 81, Last: 81}
	step("another port", with(&changed))
	step("no port forwarding", without(changed.Kind(), changed.Key()))
	step("no floating IP", without(floating.Kind(), floating.Key()))
	step("an interface less", without("port", "33333333-3333-3333-3333-333333333333"))
	step("a move", with(&model.Placement{Service: model.ServiceRouter, Object: "r1", Host: "gw2", Rev: 30}))
	step("a move back", with(&model.Placement{Service: model.ServiceRouter, Object: "r1", Host: "gw1", Rev: 31}))
	step("another move and back at once", with(&model.Placement{Service: model.ServiceRouter, Object: "r1", Host: "gw1", Rev: 33}))
	step("a router that is up now", with(&model.Router{Meta: model.Meta{ID: "down", Rev: 32}, AdminUp: true}))
}

func BenchmarkPlan(b *testing.B) {
	m := put(world())
	for i := range 1000 {
		m = m.With(port(fmt.Sprintf("vm%06d-0000-0000-0000-000000000000", i), "blue", fmt.Sprint("inst-", i), "compute:nova", byte(i), fixed("blue4", fmt.Sprintf("10.0.%d.%d", 1+i/250, 1+i%250))))
		m = m.With(&model.FloatingIP{Meta: model.Meta{ID: model.ID(fmt.Sprint("many-", i))}, Network: "ext", IP: netip.MustParseAddr(fmt.Sprintf("192.0.%d.%d", 1+i/250, 1+i%250)), Router: "r1",
			Target: model.ID(fmt.Sprintf("vm%06d-0000-0000-0000-000000000000", i)), FixedIP: netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", 1+i/250, 1+i%250))})
	}
	m = m.With(&model.Network{Meta: model.Meta{ID: "elsewhere"}, MTU: 1450, Tag: 3})
	for name, planner := range map[string]spec.Planner{"all": router.Plan(nat.Rules), "changed_elsewhere": router.NewPlanner(nat.Rules)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m = m.With(port("55555555-5555-5555-5555-555555555555", "elsewhere", "inst", "compute:nova", 9, nil))
				if _, err := spec.Plan(m, spec.Observed{}, "gw1", planner); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
