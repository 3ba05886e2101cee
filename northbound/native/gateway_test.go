package native

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// The ids of the objects that newGateway adds.
const (
	blueNet  = "b1000000-0000-4000-8000-0000000000c1" // subnet of blue
	tiny     = "12000000-0000-4000-8000-0000000000c2" // subnet of red without a free address
	outside  = "e1000000-0000-4000-8000-000000000001" // external network
	outNet   = "e1000000-0000-4000-8000-0000000000c1" // its subnet
	edge     = "71000000-0000-4000-8000-000000000001" // router
	edgeIn   = "b1000000-0000-4000-8000-0000000000d1" // its interface on blue
	edgeOut  = "e1000000-0000-4000-8000-0000000000d1" // its gateway
	blueDHCP = "b1000000-0000-4000-8000-0000000000d2"
	fip      = "f1000000-0000-4000-8000-000000000001" // to port web
	fipPort  = "e1000000-0000-4000-8000-0000000000d2"
	shared   = "f1000000-0000-4000-8000-000000000002" // floating IP with a port forwarding to web
	forward  = "f1000000-0000-4000-8000-0000000000f1"
)

// newGateway is the fixture with h1 as a gateway host: it runs the DHCP service of network blue, and router
// edge between blue and an external network, with a floating IP and a port forwarding.
func newGateway(t testing.TB) *fixture {
	t.Helper()
	f := newFixture(t)
	m := f.store.m
	meta := func(id, name, project string, rev uint64) model.Meta {
		return model.Meta{ID: model.ID(id), Name: name, Project: project, Created: at(0), Updated: at(int(rev)), Revision: 1, Rev: rev,
			Request: "req-" + name, User: "ann"}
	}
	addr := netip.MustParseAddr
	ip := func(subnet, s string) []model.FixedIP {
		return []model.FixedIP{{Subnet: model.ID(subnet), IP: addr(s)}}
	}
	web, _ := m.Ports.Get(bluePt1)
	db, _ := m.Ports.Get(bluePt2)
	vm := func(p *model.Port, s string) *model.Port {
		q := *p
		q.FixedIPs, q.DeviceOwner, q.DeviceID = ip(blueNet, s), "compute:nova", "vm-"+p.Name
		return &q
	}
	h2, _ := m.Hosts.Get("h2")
	reached := *h2
	reached.Override.EncapIP = addr("10.0.0.2")
	redPort, _ := m.Ports.Get(redPt1)
	taken := *redPort
	taken.FixedIPs = ip(tiny, "10.9.0.2")
	for _, r := range []model.Resource{
		&reached, vm(web, "10.0.22.3"), vm(db, "10.0.22.4"), &taken,
		&model.Subnet{Meta: meta(blueNet, "blue-v4", "acme", 10), Network: blue, IPVersion: 4, CIDR: netip.MustParsePrefix("10.0.22.0/24"),
			Gateway: addr("10.0.22.1"), EnableDHCP: true, DNS: []string{"9.9.9.9"}, Pools: []model.Range{{First: addr("10.0.22.2"), Last: addr("10.0.22.254")}}},
		&model.Subnet{Meta: meta(tiny, "", "other", 10), Network: red, IPVersion: 4, CIDR: netip.MustParsePrefix("10.9.0.0/30"),
			Gateway: addr("10.9.0.1"), Pools: []model.Range{{First: addr("10.9.0.2"), Last: addr("10.9.0.2")}}},
		&model.Network{Meta: meta(outside, "public", "ops", 10), AdminUp: true, External: true, Type: model.TypeFlat, Physnet: "physnet1", MTU: 1500, Tag: 10},
		&model.Subnet{Meta: meta(outNet, "public-v4", "ops", 10), Network: outside, IPVersion: 4, CIDR: netip.MustParsePrefix("198.51.100.0/24"),
			Gateway: addr("198.51.100.1"), Pools: []model.Range{{First: addr("198.51.100.2"), Last: addr("198.51.100.254")}}},
		&model.Router{Meta: meta(edge, "edge", "acme", 10), AdminUp: true, Gateway: &model.RouterGateway{Network: outside, Port: edgeOut, SNAT: true},
			Routes: []model.Route{{Destination: netip.MustParsePrefix("192.168.7.0/24"), NextHop: addr("10.0.22.4")}}},
		&model.Port{Meta: meta(edgeIn, "", "acme", 10), Network: blue, AdminUp: true, MAC: mac(0xd1), FixedIPs: ip(blueNet, "10.0.22.1"), Tag: 11,
			DeviceID: edge, DeviceOwner: model.OwnerRouterInterface},
		&model.Port{Meta: meta(edgeOut, "", "", 10), Network: outside, AdminUp: true, MAC: mac(0xd2), FixedIPs: ip(outNet, "198.51.100.5"), Tag: 12,
			DeviceID: edge, DeviceOwner: model.OwnerRouterGateway},
		&model.Port{Meta: meta(blueDHCP, "", "acme", 10), Network: blue, AdminUp: true, MAC: mac(0xd3), FixedIPs: ip(blueNet, "10.0.22.2"), Tag: 13,
			DeviceID: "dhcp", DeviceOwner: model.OwnerDHCP, BindingHost: "h1"},
		&model.Port{Meta: meta(fipPort, "", "", 10), Network: outside, AdminUp: true, MAC: mac(0xd4), FixedIPs: ip(outNet, "198.51.100.9"), Tag: 14,
			DeviceID: fip, DeviceOwner: model.OwnerFloatingIP},
		&model.FloatingIP{Meta: meta(fip, "", "acme", 11), Network: outside, Port: fipPort, IP: addr("198.51.100.9"), Target: bluePt1, FixedIP: addr("10.0.22.3"), Router: edge},
		&model.FloatingIP{Meta: meta(shared, "", "acme", 11), Network: outside, IP: addr("198.51.100.10"), Router: edge},
		&model.PortForwarding{Meta: meta(forward, "", "acme", 12), FloatingIP: shared, Protocol: "tcp", External: model.PortRange{First: 2222, Last: 2222},
			Internal: model.PortRange{First: 22, Last: 22}, Target: bluePt1, IP: addr("10.0.22.3")},
		&model.Placement{Service: model.ServiceRouter, Object: edge, Host: "h1", Rev: 10},
		&model.Placement{Service: model.ServiceDHCP, Object: blue, Host: "h1", Rev: 10},
	} {
		m = m.With(r)
	}
	next := *m
	next.Rev = 12
	f.store.m = &next
	f.fabric.plans = map[string]*spec.Spec{}
	for _, host := range []string{"h1", "h2"} {
		seen := spec.Observed{Ports: map[string]map[string]of.Port{}, Rows: &spec.Rows{Controller: "tcp:10.0.0.9:6653",
			Bridges: map[string]bool{"br-int": true, "br-tun": true, "br-ex": true}, Plugged: map[string]string{"tapweb": bluePt1, "tapdb": bluePt2, "tapred": redPt1}}}
		plan, err := spec.Plan(f.store.m, seen, host, l2.Plan, dhcp.Plan, router.Plan(nat.Rules))
		if err != nil {
			t.Fatal(err)
		}
		f.fabric.plans[host] = plan
	}
	h1 := f.fabric.state["h1"]
	h1.Node = &status.Node{Connected: true, Seen: at(60), Started: at(2), Objects: map[string]spec.NodeObject{
		"qrouter-" + edge: {Rev: 11, Error: "nft: no such table", Errors: map[string]string{"nft": "no such table"}},
		"qdhcp-" + blue:   {Rev: 12},
		"qrouter-gone":    {Removing: true},
	}}
	h1.Tunnels = map[string]status.Tunnel{
		"gre-0a000002":   {State: status.TunnelUp, Since: at(20), Watched: true, Egress: "br-phy", Carrier: true, MTU: 1400},
		"vxlan-0a000002": {State: status.TunnelDown, Since: at(30), Watched: true, Egress: "br-phy", Carrier: true, MTU: 1400},
	}
	f.fabric.state["h1"] = h1
	return f
}

func TestGatewayAnswers(t *testing.T) {
	f := newGateway(t)
	for name, path := range map[string]string{
		"whoami":                "/v1/whoami",
		"topology":              "/v1/topology",
		"topology_without_port": "/v1/topology?ports=0",
		"tunnels":               "/v1/tunnels",
		"tunnels_down":          "/v1/tunnels?host=h1&state=down&limit=1",
		"host_tunnel_down":      "/v1/hosts/h1",
		"agents":                "/v1/agents",
		"leases":                "/v1/leases",
		"leases_of_port":        "/v1/leases?network=" + blue + "&port=" + bluePt1,
		"namespaces":            "/v1/hosts/h1/namespaces",
		"namespace_router":      "/v1/hosts/h1/namespaces/qrouter-" + edge,
		"namespace_dhcp":        "/v1/hosts/h1/namespaces/qdhcp-" + blue,
		"namespace_leaving":     "/v1/hosts/h1/namespaces/qrouter-gone",
		"objects_networks":      "/v1/objects/network",
		"objects_ports":         "/v1/objects/port?q=10.0.22&limit=2&offset=1",
		"objects_ports_by_name": "/v1/objects/port?name=web",
		"objects_of_project":    "/v1/objects/subnet?project_id=other",
		"objects_hosts":         "/v1/objects/host",
		"object_network":        "/v1/objects/network/" + blue,
		"object_subnet":         "/v1/objects/subnet/" + blueNet,
		"object_subnet_full":    "/v1/objects/subnet/" + tiny,
		"object_port":           "/v1/objects/port/" + bluePt1,
		"object_router":         "/v1/objects/router/" + edge,
		"object_floatingip":     "/v1/objects/floatingip/" + fip,
		"object_forwarding":     "/v1/objects/portforwarding/" + forward,
		"object_host":           "/v1/objects/host/h1",
	} {
		t.Run(name, func(t *testing.T) {
			w := f.call("GET", path, "")
			if w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			golden(t, name, w)
		})
	}
}

func TestAProjectSeesItsPartOfTheFabric(t *testing.T) {
	f := newGateway(t)
	for name, path := range map[string]string{
		"project_whoami":   "/v1/whoami",
		"project_topology": "/v1/topology",
		"project_leases":   "/v1/leases",
		"project_objects":  "/v1/objects/port",
		"project_object":   "/v1/objects/port/" + bluePt1,
		"project_router":   "/v1/objects/router/" + edge,
	} {
		w := f.call("GET", path, "", "X-Auth-Token: acme")
		if w.Code != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
			continue
		}
		golden(t, name, w)
		for _, secret := range []string{`"h1"`, `"h2"`, "host h1", "host h2", "1001", bluePt3, red, "10.0.0.1\""} {
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("GET %s tells a project of %s", path, secret)
			}
		}
	}
	for path, code := range map[string]int{
		"/v1/objects/network/" + red:     404,
		"/v1/objects/port/" + redPt1:     404,
		"/v1/objects/subnet/" + outNet:   404,
		"/v1/objects/network/" + outside: 200, // everybody may use it
		"/v1/objects/host":               403,
		"/v1/objects/host/h1":            403,
		"/v1/tunnels":                    403,
		"/v1/agents":                     403,
		"/v1/hosts/h1/namespaces":        403,
		"/v1/objects/cat":                404,
	} {
		if w := f.call("GET", path, "", "X-Auth-Token: acme"); w.Code != code {
			t.Errorf("GET %s as a project: %d %s, want %d", path, w.Code, w.Body, code)
		}
	}
}
