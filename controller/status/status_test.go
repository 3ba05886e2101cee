package status_test

import (
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// fabric is network n on hosts h1 and h2, with port p plugged on h1 at revision 10.
func fabric() (*model.Model, *model.Port) {
	p := &model.Port{Meta: model.Meta{ID: "p", Rev: 8}, Network: "n", AdminUp: true, MAC: of.MAC{2}, Tag: 2}
	m := new(model.Model)
	for _, r := range []model.Resource{
		&model.Network{Meta: model.Meta{ID: "n", Rev: 5}, AdminUp: true, Type: model.TypeVXLAN, SegmentID: 7, Tag: 1},
		p,
		&model.Host{Name: "h1"}, &model.Host{Name: "h2"},
		&model.LocalVLAN{Host: "h1", Network: "n", VLAN: 1, Rev: 10}, &model.LocalVLAN{Host: "h2", Network: "n", VLAN: 1, Rev: 6},
		&model.Plug{Port: "p", Network: "n", Host: "h1", Iface: "tapp", Rev: 10},
	} {
		m = m.With(r)
	}
	return m, p
}

// host is a host whose targets are connected and have confirmed revision 10.
func host(name string) status.Host {
	t := status.Target{Connected: true, Rev: 10}
	return status.Host{Name: name, OVSDB: true, Targets: map[string]status.Target{"ovsdb": t, "br-int": t, "br-tun": t}}
}

func TestPortSaysWhyItIsNotActive(t *testing.T) {
	set := func(h status.Host, target string, change func(*status.Target)) {
		got := h.Targets[target]
		change(&got)
		h.Targets[target] = got
	}
	for name, c := range map[string]struct {
		change func(m **model.Model, p *model.Port, v status.View)
		status string
		reason status.Reason // of the first condition that does not hold
	}{
		"all_confirmed": {func(**model.Model, *model.Port, status.View) {}, status.Active, ""},
		"port_is_administratively_down": {func(_ **model.Model, p *model.Port, _ status.View) {
			p.AdminUp = false
		}, status.Down, status.AdminDown},
		"not_plugged": {func(m **model.Model, _ *model.Port, _ status.View) {
			*m = (*m).Without(&model.Plug{Port: "p", Host: "h1"})
		}, status.Down, status.NotPlugged},
		"bound_to_a_host_that_never_joined": {func(m **model.Model, p *model.Port, _ status.View) {
			*m = (*m).Without(&model.Plug{Port: "p", Host: "h1"})
			p.BindingHost = "nowhere"
		}, status.Down, status.NoSuchHost},
		"host_unknown_since_our_restart": {func(_ **model.Model, _ *model.Port, v status.View) {
			delete(v, "h1")
		}, status.Down, status.HostDown},
		"ovsdb_gone": {func(_ **model.Model, _ *model.Port, v status.View) {
			set(v["h1"], "ovsdb", func(t *status.Target) { t.Connected = false })
		}, status.Down, status.HostDown},
		"bridge_gone": {func(_ **model.Model, _ *model.Port, v status.View) {
			set(v["h1"], "br-tun", func(t *status.Target) { t.Connected = false })
		}, status.Down, status.SwitchDown},
		"own_host_has_not_confirmed": {func(_ **model.Model, _ *model.Port, v status.View) {
			set(v["h1"], "br-int", func(t *status.Target) { t.Rev = 9 })
		}, status.Build, status.FlowsPending},
		"other_host_has_not_confirmed": {func(_ **model.Model, _ *model.Port, v status.View) {
			set(v["h2"], "br-tun", func(t *status.Target) { t.Rev = 9 })
		}, status.Build, status.FlowsPending},
		"other_host_refuses": {func(_ **model.Model, _ *model.Port, v status.View) {
			set(v["h2"], "br-tun", func(t *status.Target) { t.Rev, t.Err = 9, "table full" })
		}, status.Build, status.ApplyFailed},
		"other_host_is_away_and_not_waited_for": {func(_ **model.Model, _ *model.Port, v status.View) {
			set(v["h2"], "br-tun", func(t *status.Target) { t.Rev, t.Connected = 9, false })
		}, status.Active, ""},
		"tunnel_missing_on_own_host": {func(_ **model.Model, _ *model.Port, v status.View) {
			h := v["h1"]
			h.Pending = map[model.ID]spec.Pending{"n": {Reason: "TunnelPortMissing", Msg: "no tunnel"}}
			v["h1"] = h
		}, status.Build, "TunnelPortMissing"},
		"tunnel_missing_for_another_network": {func(_ **model.Model, _ *model.Port, v status.View) {
			h := v["h1"]
			h.Pending = map[model.ID]spec.Pending{"other": {Reason: "TunnelPortMissing"}}
			v["h1"] = h
		}, status.Active, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, p := fabric()
			v := status.View{"h1": host("h1"), "h2": host("h2")}
			c.change(&m, p, v)
			got := v.Port(m, p)
			var reason status.Reason
			for _, cond := range got.Conditions {
				if !cond.OK {
					reason = cond.Reason
					if cond.Msg == "" {
						t.Errorf("condition %+v does not say more", cond)
					}
					break
				}
			}
			if got.Status != c.status || reason != c.reason {
				t.Errorf("%s because of %q, want %s because of %q\n%+v", got.Status, reason, c.status, c.reason, got)
			}
		})
	}
}

func TestMigratingPortBelongsToItsNewestPlug(t *testing.T) {
	m, p := fabric()
	m = m.With(&model.Plug{Port: "p", Network: "n", Host: "h2", Iface: "tapp", Rev: 12})
	if home := m.HostOf(p); home.Host != "h2" {
		t.Errorf("home is %s, want h2, where it was plugged last", home.Host)
	}
	p.BindingHost = "h1"
	if home := m.HostOf(p); home.Host != "h1" {
		t.Errorf("home is %s, want h1, which the caller named", home.Host)
	}
}
