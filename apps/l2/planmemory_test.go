package l2_test

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// TestPlannerWithMemoryPlansWhatPlanPlans changes the model and what is observed at random, one thing
// after another, and plans a host after each.
func TestPlannerWithMemoryPlansWhatPlanPlans(t *testing.T) {
	const steps = 3000
	rnd := rand.New(rand.NewPCG(1, 2))
	m := fabric()
	planner := l2.NewPlanner()
	seen := map[string]spec.Observed{}
	for _, h := range []string{"h1", "h2", "h3"} {
		seen[h] = observed(t, m, h)
	}
	for step := range steps {
		host := []string{"h1", "h2", "h3"}[rnd.IntN(3)]
		if rnd.IntN(3) > 0 {
			m = changed(rnd, m)
		} else {
			seen[host] = seenOtherwise(rnd, seen[host])
		}
		want, err := spec.Plan(m, seen[host], host, l2.Plan)
		if err != nil {
			t.Fatal(err)
		}
		got, err := spec.Plan(m, seen[host], host, planner)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("step %d: plan of %s:\n%s\n%v\nwithout memory:\n%s\n%v", step, host, text(got), got.Pending, text(want), want.Pending)
		}
	}
}

// changed returns the model with one thing changed.
func changed(rnd *rand.Rand, m *model.Model) *model.Model {
	ports := m.Ports.Sorted()
	port, _ := m.Ports.Get(ports[rnd.IntN(len(ports))])
	host := []string{"h1", "h2", "h3"}[rnd.IntN(3)]
	vlan := func(network model.ID) *model.LocalVLAN {
		return &model.LocalVLAN{Host: host, Network: network, VLAN: uint16(10 + rnd.IntN(4000))}
	}
	switch rnd.IntN(7) {
	case 0:
		p := *port
		p.AdminUp = !p.AdminUp
		return m.With(&p)
	case 1:
		p := *port
		p.MAC[5]++
		return m.With(&p)
	case 2:
		return m.Without(&model.Plug{Port: port.ID, Host: host})
	case 3:
		if _, has := m.VLAN(host, port.Network); !has {
			m = m.With(vlan(port.Network))
		}
		return m.With(&model.Plug{Port: port.ID, Network: port.Network, Host: host, Iface: "tap-" + string(port.ID), Rev: rnd.Uint64N(100)})
	case 4:
		if len(m.PortsAt(host, port.Network)) == 0 {
			return m.Without(vlan(port.Network))
		}
		return m.With(vlan(port.Network))
	case 5:
		n, _ := m.Networks.Get(port.Network)
		next := *n
		next.AdminUp = !next.AdminUp
		return m.With(&next)
	default:
		h, _ := m.Hosts.Get(host)
		next := *h
		if next.Override.EncapTypes == nil {
			next.Override.EncapTypes = []model.NetworkType{model.TypeGRE}
		} else {
			next.Override.EncapTypes = nil
		}
		return m.With(&next)
	}
}

// seenOtherwise returns what is observed with one port there or gone, or renumbered.
func seenOtherwise(rnd *rand.Rand, o spec.Observed) spec.Observed {
	out := spec.Observed{Ports: map[string]map[string]of.Port{}, Rows: &spec.Rows{Controller: o.Rows.Controller, Bridges: o.Rows.Bridges, Plugged: maps.Clone(o.Rows.Plugged)}}
	for bridge, ports := range o.Ports {
		out.Ports[bridge] = maps.Clone(ports)
	}
	names := map[string][]string{
		row.IntBridge: {"patch-tun", "int-br-ex", "tap-vx1", "tap-vx2", "tap-gr1", "tap-pv1"},
		row.TunBridge: {"patch-int", "vxlan-0a630001", "vxlan-0a630002", "gre-0a630002"},
		"br-ex":       {"phy-br-ex"},
	}
	for bridge, of := range names {
		name := of[rnd.IntN(len(of))]
		switch port, has := out.Ports[bridge][name]; {
		case rnd.IntN(2) > 0:
		case has && rnd.IntN(2) > 0:
			delete(out.Ports[bridge], name)
		default:
			port.No++
			out.Ports[bridge][name] = port
		}
	}
	if iface := "tap-vx1"; rnd.IntN(2) > 0 {
		out.Rows.Plugged[iface] = []string{"vx1", "other", ""}[rnd.IntN(3)]
	}
	return out
}

// TestPlannerWithMemoryPlansOnlyWhatChanged holds parts of two plans against each other.
func TestPlannerWithMemoryPlansOnlyWhatChanged(t *testing.T) {
	m := fabric()
	o := observed(t, m, "h1")
	planner := l2.NewPlanner()
	before, err := spec.Plan(m, o, "h1", planner)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := m.Ports.Get("vx3")
	moved := *port
	moved.MAC[0] += 4
	after, err := spec.Plan(m.With(&moved), o, "h1", planner)
	if err != nil {
		t.Fatal(err)
	}
	for _, bridge := range []string{"br-int", "br-tun"} {
		var fresh int
		for i, part := range after.Bridges[bridge].Parts {
			if part != before.Bridges[bridge].Parts[i] {
				fresh++
			}
		}
		if fresh != 1 {
			t.Errorf("%s: %d parts were planned anew, want that of one network", bridge, fresh)
		}
	}
}

func BenchmarkPlanBeside2000Ports(b *testing.B) {
	m := large(1000)
	o := observed(b, m, "h1")
	port, _ := m.Ports.Get("p7-0")
	for name, planner := range map[string]spec.Planner{"without_memory": l2.Plan, "with_memory": l2.NewPlanner()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				next := *port
				next.MAC[5]++
				port = &next
				m = m.With(port)
				if _, err := spec.Plan(m, o, "h1", planner); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
