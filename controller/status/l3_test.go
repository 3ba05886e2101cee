package status_test

import (
	"testing"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// gateway is router r, placed on h1 at revision 9, with floating IP f, which leads to port p of network n.
func gateway() (*model.Model, status.View) {
	m, p := fabric()
	served := *p
	served.FixedIPs = []model.FixedIP{{Subnet: "s"}}
	for _, r := range []model.Resource{
		&served,
		&model.Subnet{Meta: model.Meta{ID: "s"}, Network: "n", IPVersion: 4, EnableDHCP: true},
		&model.Router{Meta: model.Meta{ID: "r", Rev: 8}, AdminUp: true},
		&model.Port{Meta: model.Meta{ID: "i", Rev: 9}, Network: "n", AdminUp: true, DeviceOwner: model.OwnerRouterInterface, DeviceID: "r", BindingHost: "h1"},
		&model.Plug{Port: "i", Network: "n", Host: "h1", Rev: 10},
		&model.FloatingIP{Meta: model.Meta{ID: "f", Rev: 9}, Router: "r", Target: "p"},
		&model.Placement{Service: model.ServiceRouter, Object: "r", Host: "h1", Rev: 9},
		&model.Placement{Service: model.ServiceDHCP, Object: "n", Host: "h1", Rev: 9},
	} {
		m = m.With(r)
	}
	h := host("h1")
	h.Node = &status.Node{Connected: true, Objects: map[string]spec.NodeObject{"qrouter-r": {Rev: 9}, "qdhcp-n": {Rev: 9}}}
	return m, status.View{"h1": h, "h2": host("h2")}
}

// TestAServiceArrivesWhenFramesGoThere: the host that it leaves lets go no sooner.
func TestAServiceArrivesWhenFramesGoThere(t *testing.T) {
	build := func() (*model.Model, status.View, *model.Placement) {
		m, v := gateway()
		p := &model.Placement{Service: model.ServiceRouter, Object: "r", Host: "h1", Leaving: "h2", Rev: 9}
		m = m.With(p)
		return m, v, p
	}
	m, v, p := build()
	if !v.Arrived(m, p) {
		t.Error("it has not arrived")
	}
	for name, lack := range map[string]func(m *model.Model, v status.View) *model.Model{
		"agent_is_gone": func(m *model.Model, v status.View) *model.Model { v["h1"].Node.Connected = false; return m },
		"namespace_is_behind": func(m *model.Model, v status.View) *model.Model {
			v["h1"].Node.Objects["qrouter-r"] = spec.NodeObject{Rev: 8}
			return m
		},
		"part_fails": func(m *model.Model, v status.View) *model.Model {
			v["h1"].Node.Objects["qrouter-r"] = spec.NodeObject{Rev: 9, Error: "nft: no", Errors: map[string]string{"nft": "no"}}
			return m
		},
		"port_is_not_plugged": func(m *model.Model, v status.View) *model.Model { return m.Without(&model.Plug{Port: "i", Host: "h1"}) },
		"others_send_elsewhere": func(m *model.Model, v status.View) *model.Model {
			v["h2"].Targets["br-tun"] = status.Target{Connected: true, Rev: 9}
			return m
		},
	} {
		m, v, p := build()
		if v.Arrived(lack(m, v), p) {
			t.Errorf("%s: it has arrived", name)
		}
	}
}
