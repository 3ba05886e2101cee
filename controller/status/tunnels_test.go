package status_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// mesh is n hosts that hold a VXLAN network of MTU 1450, in a fabric where GRE is in use too, with all
// their tunnels up and a way out of 1500 bytes.
func mesh(n int) (*model.Model, status.View) {
	m := new(model.Model)
	m = m.With(&model.Network{Meta: model.Meta{ID: "n", Name: "blue"}, AdminUp: true, Type: model.TypeVXLAN, SegmentID: 7, MTU: 1450, Tag: 1})
	m = m.With(&model.Network{Meta: model.Meta{ID: "g"}, AdminUp: true, Type: model.TypeGRE, SegmentID: 8, MTU: 1458, Tag: 2})
	v := status.View{}
	for i := 1; i <= n; i++ {
		name := fmt.Sprint("h", i)
		m = m.With(&model.Host{Name: name, Said: model.HostSettings{EncapIP: address(i), EncapTypes: []model.NetworkType{model.TypeGRE, model.TypeVXLAN}}})
		m = m.With(&model.LocalVLAN{Host: name, Network: "n", VLAN: 1})
		h := host(name)
		h.Tunnels = map[string]status.Tunnel{}
		for j := 1; j <= n; j++ {
			for _, t := range []string{"gre", "vxlan"} {
				if i != j {
					h.Tunnels[row.TunnelName(t, address(j))] = status.Tunnel{State: status.TunnelUp, Watched: true, Egress: "eth0", Carrier: true, MTU: 1500, Since: time.Unix(100, 0)}
				}
			}
		}
		v[name] = h
	}
	return m, v
}

func address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }

// cut takes down the tunnels of some types between two hosts.
func cut(v status.View, a, b int, types ...string) {
	for _, t := range types {
		for _, end := range [][2]int{{a, b}, {b, a}} {
			name := row.TunnelName(t, address(end[1]))
			is := v[fmt.Sprint("h", end[0])].Tunnels[name]
			is.State, is.Since = status.TunnelDown, time.Unix(200, 0)
			v[fmt.Sprint("h", end[0])].Tunnels[name] = is
		}
	}
}

func alter(v status.View, host string, tunnel string, change func(*status.Tunnel)) {
	is := v[host].Tunnels[tunnel]
	change(&is)
	v[host].Tunnels[tunnel] = is
}

func TestTunnelThatIsDownSaysWhy(t *testing.T) {
	const tunnel = "vxlan-0a000002"
	for name, c := range map[string]struct {
		hosts  int
		change func(m **model.Model, v status.View)
		state  status.TunnelState
		says   string
	}{
		"up": {3, func(**model.Model, status.View) {}, status.TunnelUp, ""},
		"peer_has_the_wrong_address": {3, func(_ **model.Model, v status.View) {
			cut(v, 1, 2, "gre", "vxlan")
			cut(v, 3, 2, "gre", "vxlan")
		}, status.TunnelDown, "no tunnel of host h2 is up: is its tunnel address 10.0.0.2 really one of host h2"},
		"own_address_is_wrong": {3, func(_ **model.Model, v status.View) {
			cut(v, 1, 2, "gre", "vxlan")
			cut(v, 1, 3, "gre", "vxlan")
		}, status.TunnelDown, "no tunnel of host h1 is up: is its tunnel address 10.0.0.1 really one of host h1"},
		"one_of_two_addresses_is_wrong": {2, func(_ **model.Model, v status.View) {
			cut(v, 1, 2, "gre", "vxlan")
		}, status.TunnelDown, "are the tunnel addresses 10.0.0.1 of host h1 and 10.0.0.2 of host h2 right"},
		"a_firewall_drops_one_type": {3, func(_ **model.Model, v status.View) { cut(v, 1, 2, "vxlan") },
			status.TunnelDown, "the gre tunnel between the same hosts is up, so something between them does not let UDP port 4789 through"},
		"one_pair_is_cut": {4, func(_ **model.Model, v status.View) { cut(v, 1, 2, "gre", "vxlan") },
			status.TunnelDown, "though both hosts have tunnels that are up"},
		"one_direction_is_cut": {4, func(_ **model.Model, v status.View) {
			cut(v, 1, 2, "gre", "vxlan")
			alter(v, "h1", tunnel, func(is *status.Tunnel) { is.Hears = true })
		}, status.TunnelDown, "what host h2 sends arrives, but it gets nothing from host h1"},
		"no_route": {3, func(_ **model.Model, v status.View) {
			cut(v, 1, 2, "vxlan")
			alter(v, "h1", tunnel, func(is *status.Tunnel) { is.Egress = "" })
		}, status.TunnelDown, "host h1 has no route to 10.0.0.2"},
		"no_carrier": {3, func(_ **model.Model, v status.View) {
			cut(v, 1, 2, "vxlan")
			alter(v, "h1", tunnel, func(is *status.Tunnel) { is.Carrier = false })
		}, status.TunnelDown, "interface eth0 of host h1, by which its packets leave, has no carrier"},
		"peer_is_away": {3, func(_ **model.Model, v status.View) {
			cut(v, 1, 2, "gre", "vxlan")
			v["h2"] = status.Host{Name: "h2", OVSDB: true, Targets: map[string]status.Target{"ovsdb": {}}}
		}, status.TunnelDown, "host h2 is not connected to Heddle either"},
		"peer_has_no_ovsdb": {3, func(_ **model.Model, v status.View) {
			cut(v, 1, 2, "vxlan")
			v["h2"] = status.Host{Name: "h2", Targets: map[string]status.Target{"br-tun": {Connected: true}}}
		}, status.TunnelUnknown, "its end may not be watched"},
		"port_cannot_be_made": {3, func(_ **model.Model, v status.View) {
			alter(v, "h1", tunnel, func(is *status.Tunnel) { is.State, is.Err = status.TunnelUnknown, "File exists" })
		}, status.TunnelDown, "cannot make port vxlan-0a000002: File exists"},
		"port_is_missing": {3, func(_ **model.Model, v status.View) { delete(v["h1"].Tunnels, tunnel) }, status.TunnelDown, "has no port vxlan-0a000002"},
		"just_made": {3, func(_ **model.Model, v status.View) {
			v["h1"].Tunnels[tunnel] = status.Tunnel{State: status.TunnelUnknown, Starting: true, Watched: true}
		}, status.TunnelUnknown, "a moment ago"},
		"not_watched": {3, func(_ **model.Model, v status.View) {
			v["h1"].Tunnels[tunnel] = status.Tunnel{State: status.TunnelUnknown}
		},
			status.TunnelUnknown, "not watched"},
		"own_host_does_not_tell": {3, func(_ **model.Model, v status.View) { v["h1"].Targets["ovsdb"] = status.Target{} },
			status.TunnelUnknown, "the OVSDB of host h1 is not connected"},
		"own_bridge_is_away": {3, func(_ **model.Model, v status.View) { v["h1"].Targets["br-tun"] = status.Target{} },
			status.TunnelUnknown, "br-tun of host h1 is not connected"},
	} {
		t.Run(name, func(t *testing.T) {
			m, v := mesh(c.hosts)
			c.change(&m, v)
			h1, _ := m.Hosts.Get("h1")
			h2, _ := m.Hosts.Get("h2")
			p, ok := v.Path(m, h1, h2, model.TypeVXLAN)
			if !ok || p.State != c.state || !strings.Contains(p.Msg, c.says) || (p.Msg == "") != (c.says == "") {
				t.Errorf("%v %s: %q, want %s that says %q", ok, p.State, p.Msg, c.state, c.says)
			}
		})
	}
}

func TestThereAreTunnelsBetweenHostsThatCanHaveThem(t *testing.T) {
	m, v := mesh(3)
	h1, _ := m.Hosts.Get("h1")
	if paths := v.Paths(m, h1); len(paths) != 4 {
		t.Errorf("%d tunnels of one of three hosts with two types in use: %+v", len(paths), paths)
	}
	alone := *h1
	alone.Override.EncapIP = address(2) // that of h2
	if p, ok := v.Path(m, &alone, mustHost(t, m, "h2"), model.TypeVXLAN); ok {
		t.Errorf("tunnel to the own address: %+v", p)
	}
	if p, ok := v.Path(m, h1, mustHost(t, m, "h2"), model.TypeGeneve); ok {
		t.Errorf("tunnel of a type that nobody uses: %+v", p)
	}
}

func mustHost(t *testing.T, m *model.Model, name string) *model.Host {
	t.Helper()
	h, ok := m.Hosts.Get(name)
	if !ok {
		t.Fatalf("no host %s", name)
	}
	return h
}

// condition returns the condition of a type; the test fails if there is none.
func condition(t *testing.T, o status.Object, kind string) status.Condition {
	t.Helper()
	for _, c := range o.Conditions {
		if c.Type == kind {
			return c
		}
	}
	t.Fatalf("no condition %s in %+v", kind, o.Conditions)
	return status.Condition{}
}

func TestNetworkNeedsAnUnderlayThatIsWideEnough(t *testing.T) {
	for name, c := range map[string]struct {
		mtu         int // of what the tunnels of h2 leave by
		ok, unknown bool
		says        string
	}{
		"wide_enough": {1500, true, false, ""},
		"too_narrow":  {1499, false, false, "network blue has MTU 1450 and VXLAN needs 50 bytes more; eth0 of host h2 carries 1499: lower the network's MTU to 1449"},
		"not_known":   {0, false, true, "its MTU is not known: it has to be at least 1500"},
	} {
		t.Run(name, func(t *testing.T) {
			m, v := mesh(3)
			for tunnel := range v["h2"].Tunnels {
				alter(v, "h2", tunnel, func(is *status.Tunnel) { is.MTU = c.mtu })
			}
			n, _ := m.Networks.Get("n")
			got := condition(t, v.Object(m, n), "MTU")
			if got.OK != c.ok || got.Unknown != c.unknown || !strings.Contains(got.Msg, c.says) {
				t.Errorf("%+v", got)
			}
			if host := condition(t, v.Object(m, mustHost(t, m, "h2")), "MTU"); host.OK != c.ok || host.Unknown != c.unknown {
				t.Errorf("of the host: %+v", host)
			}
			if ok := v.Object(m, n).OK(); ok != (c.ok || c.unknown) {
				t.Errorf("the network is ok: %v", ok)
			}
		})
	}
}

func TestTunnelThatIsDownConcernsPortsAndNetworks(t *testing.T) {
	m, v := mesh(3)
	p := &model.Port{Meta: model.Meta{ID: "p"}, Network: "n", AdminUp: true, Tag: 3}
	m = m.With(p).With(&model.Plug{Port: "p", Network: "n", Host: "h1", Iface: "tapp"})
	cut(v, 1, 2, "vxlan")
	n, _ := m.Networks.Get("n")
	for _, r := range []model.Resource{p, n, mustHost(t, m, "h1"), mustHost(t, m, "h2")} {
		o := v.Object(m, r)
		c := condition(t, o, "Tunnels")
		if c.OK || c.Reason != status.TunnelIsDown || c.Since != time.Unix(200, 0) || !strings.Contains(c.Msg, "UDP port 4789") || o.OK() {
			t.Errorf("%s: %+v", r.Kind(), c)
		}
	}
	if c := condition(t, v.Object(m, mustHost(t, m, "h3")), "Tunnels"); !c.OK || c.Since != time.Unix(100, 0) {
		t.Errorf("a host whose tunnels are up: %+v", c)
	}
}
