// Package explaintest is a small cloud for tests of explanations: two compute hosts, a gateway host, two
// tenants with equal addresses, a router with an external network.
package explaintest

import (
	"fmt"
	"maps"
	"net/netip"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// The ids of objects that tests ask about.
const (
	Web    model.ID = "11000000-0000-4000-8000-000000000000" // blue, 10.0.0.11, cmp1, floating IP 198.51.100.11
	App    model.ID = "12000000-0000-4000-8000-000000000000" // blue, 10.0.0.12, cmp1
	DB     model.ID = "13000000-0000-4000-8000-000000000000" // blue, 10.0.0.13, cmp2
	Other  model.ID = "14000000-0000-4000-8000-000000000000" // green, 10.0.1.14, cmp2
	Rival  model.ID = "21000000-0000-4000-8000-000000000000" // red, of another tenant, 10.0.0.11, cmp2
	Spare  model.ID = "15000000-0000-4000-8000-000000000000" // blue, 10.0.0.15, plugged nowhere
	Server model.ID = "16000000-0000-4000-8000-000000000000" // provider network lan, 172.16.0.16, cmp2
	Client model.ID = "17000000-0000-4000-8000-000000000000" // lan, 172.16.0.17, cmp1
	Router model.ID = "20000000-0000-4000-8000-000000000001" // on gw1
)

// Ports of the router and of DHCP.
const (
	legBlue  model.ID = "31000000-0000-4000-8000-000000000000"
	legGreen model.ID = "32000000-0000-4000-8000-000000000000"
	gateway  model.ID = "33000000-0000-4000-8000-000000000000"
	dhcpBlue model.ID = "34000000-0000-4000-8000-000000000000"
)

// World is the cloud. Its model may be replaced, and what is seen of hosts spoiled.
type World struct {
	Model *model.Model
	// Spoil changes the state of a host before it is used.
	Spoil  func(host string, s *view.HostState)
	seen   map[string]map[string]map[string]of.Port
	Actual bool // flows are read from switches that hold what they should
}

// Planners are those of a server.
func Planners() []spec.Planner { return []spec.Planner{l2.Plan, dhcp.Plan, router.Plan(nat.Rules)} }

// New returns the cloud, all of it in place.
func New() *World {
	w := &World{Model: cloud(), seen: map[string]map[string]map[string]of.Port{}}
	for name := range w.Model.Hosts.All() {
		s, err := view.Suppose(w.Model, name, spec.Observed{}, nil, Planners()...)
		if err != nil {
			panic(err)
		}
		w.seen[name] = renumber(s.Ports)
	}
	return w
}

// renumber numbers the ports of each bridge as a switch would, and gives provider bridges a NIC.
func renumber(all map[string]map[string]of.Port) map[string]map[string]of.Port {
	out := map[string]map[string]of.Port{}
	for bridge, ports := range all {
		out[bridge] = map[string]of.Port{}
		for name, p := range ports {
			if !p.No.Reserved() {
				p.No -= 0xffff
			}
			out[bridge][name] = p
		}
		if bridge != row.IntBridge && bridge != row.TunBridge {
			out[bridge]["eth1"] = of.Port{No: 50, Name: "eth1"}
		}
	}
	return out
}

// Put puts resources into the model.
func (w *World) Put(all ...model.Resource) {
	for _, r := range all {
		w.Model = w.Model.With(r)
	}
}

// Drop takes resources out of the model.
func (w *World) Drop(all ...model.Resource) {
	for _, r := range all {
		w.Model = w.Model.Without(r)
	}
}

// Forget makes a port of a bridge be gone.
func (w *World) Forget(host, bridge, port string) { delete(w.seen[host][bridge], port) }

// Disconnect makes the bridges of a host be away.
func (w *World) Disconnect(host string) { w.seen[host] = nil }

// Host returns the state of a host.
func (w *World) Host(name string) (*view.HostState, error) {
	h, ok := w.Model.Hosts.Get(name)
	if !ok {
		return nil, fmt.Errorf("no host %s", name)
	}
	rows := &spec.Rows{Bridges: map[string]bool{}, Plugged: map[string]string{}}
	for _, bridge := range h.Settings().BridgeMappings {
		rows.Bridges[bridge] = true
	}
	for _, plug := range w.Model.PlugsAt(name) {
		rows.Plugged[plug.Iface] = string(plug.Port)
	}
	seen := spec.Observed{Ports: w.seen[name], Rows: rows}
	if seen.Ports == nil {
		seen = spec.Observed{}
	}
	s, err := view.Suppose(w.Model, name, seen, nil, Planners()...)
	if err != nil {
		return nil, err
	}
	s.Node = &status.Node{Connected: true}
	if w.Actual {
		s.Flows = map[string][]view.Flow{}
		for bridge, b := range s.Spec.Bridges {
			for _, f := range b.Flows() {
				s.Flows[bridge] = append(s.Flows[bridge], view.Flow{State: view.FlowOK, Flow: f})
			}
		}
	}
	if w.Spoil != nil {
		s.Tunnels = maps.Clone(s.Tunnels)
		w.Spoil(name, s)
	}
	return s, nil
}

func cloud() *model.Model {
	m := &model.Model{}
	for _, r := range resources() {
		m = m.With(r)
	}
	m.Rev = 9
	return m
}

func resources() []model.Resource {
	yes := true
	addr := netip.MustParseAddr
	prefix := netip.MustParsePrefix
	meta := func(id model.ID, name, project string) model.Meta {
		return model.Meta{ID: id, Name: name, Project: project, Rev: 5, Request: "req-" + name, User: "ann"}
	}
	types := []model.NetworkType{model.TypeVXLAN}
	mappings := map[string]string{"physnet1": "br-ex"}
	out := []model.Resource{
		&model.Host{Name: "cmp1", Said: model.HostSettings{EncapIP: addr("192.0.2.1"), EncapTypes: types, BridgeMappings: mappings}},
		&model.Host{Name: "cmp2", Said: model.HostSettings{EncapIP: addr("192.0.2.2"), EncapTypes: types, BridgeMappings: mappings}},
		&model.Host{Name: "gw1", Said: model.HostSettings{EncapIP: addr("192.0.2.3"), EncapTypes: types, BridgeMappings: mappings, Gateway: &yes}, Agent: model.AgentUp},
		&model.Network{Meta: meta("blue", "blue", "acme"), AdminUp: true, Type: model.TypeVXLAN, SegmentID: 1001, MTU: 1450, Tag: 1},
		&model.Network{Meta: meta("green", "green", "acme"), AdminUp: true, Type: model.TypeVXLAN, SegmentID: 1002, MTU: 1450, Tag: 2},
		&model.Network{Meta: meta("red", "red", "other"), AdminUp: true, Type: model.TypeVXLAN, SegmentID: 1003, MTU: 1450, Tag: 3},
		&model.Network{Meta: meta("ext", "public", "ops"), AdminUp: true, External: true, Type: model.TypeFlat, Physnet: "physnet1", MTU: 1500, Tag: 4},
		&model.Network{Meta: meta("lan", "lan", "acme"), AdminUp: true, Type: model.TypeVLAN, Physnet: "physnet1", SegmentID: 100, MTU: 1500, Tag: 5},
		&model.Subnet{Meta: meta("blue-s", "blue-4", "acme"), Network: "blue", IPVersion: 4, CIDR: prefix("10.0.0.0/24"), Gateway: addr("10.0.0.1"), EnableDHCP: true},
		&model.Subnet{Meta: meta("blue-6", "blue-6", "acme"), Network: "blue", IPVersion: 6, CIDR: prefix("fd00::/64"), Gateway: addr("fd00::1")},
		&model.Subnet{Meta: meta("green-s", "green-4", "acme"), Network: "green", IPVersion: 4, CIDR: prefix("10.0.1.0/24"), Gateway: addr("10.0.1.1")},
		&model.Subnet{Meta: meta("red-s", "red-4", "other"), Network: "red", IPVersion: 4, CIDR: prefix("10.0.0.0/24"), Gateway: addr("10.0.0.1")},
		&model.Subnet{Meta: meta("ext-s", "public-4", "ops"), Network: "ext", IPVersion: 4, CIDR: prefix("198.51.100.0/24"), Gateway: addr("198.51.100.1")},
		&model.Subnet{Meta: meta("lan-s", "lan-4", "acme"), Network: "lan", IPVersion: 4, CIDR: prefix("172.16.0.0/24"), Gateway: addr("172.16.0.1")},
		&model.Router{Meta: meta(Router, "edge", "acme"), AdminUp: true, Gateway: &model.RouterGateway{Network: "ext", Port: gateway, SNAT: true}},
		&model.FloatingIP{Meta: meta("40000000-0000-4000-8000-000000000011", "", "acme"), Network: "ext", Port: "fip-port", IP: addr("198.51.100.11"), Target: Web, FixedIP: addr("10.0.0.11"), Router: Router},
		&model.FloatingIP{Meta: meta("40000000-0000-4000-8000-000000000012", "", "acme"), Network: "ext", Port: "fip-free-port", IP: addr("198.51.100.12")},
		&model.Placement{Service: model.ServiceRouter, Object: Router, Host: "gw1"},
		&model.Placement{Service: model.ServiceDHCP, Object: "blue", Host: "gw1"},
	}
	port := func(id model.ID, network model.ID, owner, device string, last byte, ips ...string) *model.Port {
		p := &model.Port{Meta: meta(id, "", "acme"), Network: network, AdminUp: true, MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, last}, DeviceOwner: owner, DeviceID: device, Tag: 10 + uint32(last)}
		for i := 0; i < len(ips); i += 2 {
			p.FixedIPs = append(p.FixedIPs, model.FixedIP{Subnet: model.ID(ips[i]), IP: addr(ips[i+1])})
		}
		out = append(out, p)
		return p
	}
	vm := func(id model.ID, name, network string, last byte, ips ...string) {
		p := port(id, model.ID(network), "compute:nova", "vm-"+name, last, ips...)
		p.Name = name
		if network == "red" {
			p.Project = "other"
		}
	}
	vm(Web, "web", "blue", 0x11, "blue-s", "10.0.0.11", "blue-6", "fd00::11")
	vm(App, "app", "blue", 0x12, "blue-s", "10.0.0.12")
	vm(DB, "db", "blue", 0x13, "blue-s", "10.0.0.13", "blue-6", "fd00::13")
	vm(Other, "other", "green", 0x14, "green-s", "10.0.1.14")
	vm(Spare, "spare", "blue", 0x15, "blue-s", "10.0.0.15")
	vm(Rival, "rival", "red", 0x21, "red-s", "10.0.0.11")
	vm(Server, "server", "lan", 0x16, "lan-s", "172.16.0.16")
	vm(Client, "client", "lan", 0x17, "lan-s", "172.16.0.17")
	port(legBlue, "blue", model.OwnerRouterInterface, string(Router), 0x01, "blue-s", "10.0.0.1")
	port(legGreen, "green", model.OwnerRouterInterface, string(Router), 0x02, "green-s", "10.0.1.1")
	port(gateway, "ext", model.OwnerRouterGateway, string(Router), 0x03, "ext-s", "198.51.100.2")
	port(dhcpBlue, "blue", model.OwnerDHCP, "dhcp-blue", 0x04, "blue-s", "10.0.0.2")
	port("fip-port", "ext", model.OwnerFloatingIP, "40000000-0000-4000-8000-000000000011", 0x05, "ext-s", "198.51.100.11")
	port("fip-free-port", "ext", model.OwnerFloatingIP, "40000000-0000-4000-8000-000000000012", 0x06, "ext-s", "198.51.100.12")
	plug := func(host string, vlans map[model.ID]uint16, ports map[model.ID]model.ID) {
		for network, vlan := range vlans {
			out = append(out, &model.LocalVLAN{Host: host, Network: network, VLAN: vlan})
		}
		for id, network := range ports {
			out = append(out, &model.Plug{Port: id, Network: network, Host: host, Iface: "tap" + string(id[:11]), Rev: 6})
		}
	}
	plug("cmp1", map[model.ID]uint16{"blue": 1, "lan": 2}, map[model.ID]model.ID{Web: "blue", App: "blue", Client: "lan"})
	plug("cmp2", map[model.ID]uint16{"blue": 5, "green": 6, "red": 7, "lan": 8}, map[model.ID]model.ID{DB: "blue", Other: "green", Rival: "red", Server: "lan"})
	plug("gw1", map[model.ID]uint16{"blue": 1, "green": 2, "ext": 3}, map[model.ID]model.ID{
		legBlue: "blue", legGreen: "green", gateway: "ext", dhcpBlue: "blue"})
	return out
}
