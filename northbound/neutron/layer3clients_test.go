package neutron

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/agents"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/external"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/extraroutes"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/portforwarding"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	"github.com/gophercloud/gophercloud/v2/pagination"
)

// gopherLayer3 is a gophercloud client of a server with two gateway hosts, and an internal and an external
// network on it with a subnet each.
func gopherLayer3(t *testing.T) (c *gophercloud.ServiceClient, in, inSub, ext string) {
	t.Helper()
	a := newAPI(t, func(c *Config) { c.Status = awake{} })
	a.gatewayHosts("gw1", "gw2")
	srv := httptest.NewServer(a.handler)
	t.Cleanup(srv.Close)
	t.Cleanup(a.sound)
	c = &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{HTTPClient: *srv.Client()},
		Endpoint:       srv.URL + "/",
		ResourceBase:   srv.URL + "/v2.0/",
	}
	ctx, outside := t.Context(), true
	n := ok[*networks.Network](t, "create network")(networks.Create(ctx, c, networks.CreateOpts{Name: "in"}).Extract())
	x := ok[*networks.Network](t, "create external network")(networks.Create(ctx, c, external.CreateOptsExt{
		CreateOptsBuilder: networks.CreateOpts{Name: "ext"}, External: &outside}).Extract())
	s := ok[*subnets.Subnet](t, "create subnet")(subnets.Create(ctx, c, subnets.CreateOpts{NetworkID: n.ID, CIDR: "10.0.0.0/24", IPVersion: 4}).Extract())
	off := false
	ok[*subnets.Subnet](t, "create external subnet")(subnets.Create(ctx, c, subnets.CreateOpts{
		NetworkID: x.ID, CIDR: "203.0.113.0/24", IPVersion: 4, EnableDHCP: &off}).Extract())
	return c, n.ID, s.ID, x.ID
}

func TestGophercloudRouters(t *testing.T) {
	c, in, inSub, ext := gopherLayer3(t)
	ctx, snat := t.Context(), false
	r := ok[*routers.Router](t, "create router")(routers.Create(ctx, c, routers.CreateOpts{
		Name: "r", GatewayInfo: &routers.GatewayInfo{NetworkID: ext, EnableSNAT: &snat,
			ExternalFixedIPs: []routers.ExternalFixedIP{{IPAddress: "203.0.113.9"}}},
	}).Extract())
	if r.GatewayInfo.ExternalFixedIPs[0].IPAddress != "203.0.113.9" || *r.GatewayInfo.EnableSNAT || r.Status != "ACTIVE" {
		t.Errorf("router: %+v", r)
	}
	i := ok[*routers.InterfaceInfo](t, "add interface")(routers.AddInterface(ctx, c, r.ID, routers.AddInterfaceOpts{SubnetID: inSub}).Extract())
	if i.SubnetID != inSub || i.ID != r.ID || i.PortID == "" {
		t.Errorf("interface: %+v", i)
	}
	routes := []routers.Route{{DestinationCIDR: "172.16.0.0/12", NextHop: "10.0.0.9"}}
	r = ok[*routers.Router](t, "set routes")(routers.Update(ctx, c, r.ID, routers.UpdateOpts{Routes: &routes}).Extract())
	more := []routers.Route{{DestinationCIDR: "192.168.7.0/24", NextHop: "10.0.0.10"}}
	r = ok[*routers.Router](t, "add route")(extraroutes.Add(ctx, c, r.ID, extraroutes.Opts{Routes: &more}).Extract())
	if len(r.Routes) != 2 {
		t.Errorf("routes: %v", r.Routes)
	}
	r = ok[*routers.Router](t, "remove route")(extraroutes.Remove(ctx, c, r.ID, extraroutes.Opts{Routes: &routes}).Extract())
	if len(r.Routes) != 1 || r.Routes[0] != more[0] {
		t.Errorf("routes: %v", r.Routes)
	}
	page := ok[pagination.Page](t, "list agents")(routers.ListL3Agents(c, r.ID).AllPages(ctx))
	if l := ok[[]routers.L3Agent](t, "extract agents")(routers.ExtractL3Agents(page)); len(l) != 1 || l[0].Binary != "neutron-l3-agent" || !l[0].Alive {
		t.Errorf("agents: %+v", l)
	}
	ok[*routers.Router](t, "clear routes")(routers.Update(ctx, c, r.ID, routers.UpdateOpts{Routes: &[]routers.Route{}}).Extract())
	if err := routers.Delete(ctx, c, r.ID).ExtractErr(); !gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		t.Errorf("delete a router with an interface: %v", err)
	}
	ok[*routers.InterfaceInfo](t, "remove interface")(routers.RemoveInterface(ctx, c, r.ID, routers.RemoveInterfaceOpts{SubnetID: inSub}).Extract())
	p := ok[*ports.Port](t, "create port")(ports.Create(ctx, c, ports.CreateOpts{NetworkID: in}).Extract())
	ok[*routers.InterfaceInfo](t, "add interface by port")(routers.AddInterface(ctx, c, r.ID, routers.AddInterfaceOpts{PortID: p.ID}).Extract())
	ok[*routers.InterfaceInfo](t, "remove interface by port")(routers.RemoveInterface(ctx, c, r.ID, routers.RemoveInterfaceOpts{PortID: p.ID}).Extract())
	r = ok[*routers.Router](t, "clear gateway")(routers.Update(ctx, c, r.ID, routers.UpdateOpts{GatewayInfo: &routers.GatewayInfo{}}).Extract())
	if r.GatewayInfo.NetworkID != "" {
		t.Errorf("gateway after clearing: %+v", r.GatewayInfo)
	}
	if err := routers.Delete(ctx, c, r.ID).ExtractErr(); err != nil {
		t.Errorf("delete router: %v", err)
	}
}

func TestGophercloudFloatingIPs(t *testing.T) {
	c, in, inSub, ext := gopherLayer3(t)
	ctx := t.Context()
	r := ok[*routers.Router](t, "create router")(routers.Create(ctx, c, routers.CreateOpts{GatewayInfo: &routers.GatewayInfo{NetworkID: ext}}).Extract())
	ok[*routers.InterfaceInfo](t, "add interface")(routers.AddInterface(ctx, c, r.ID, routers.AddInterfaceOpts{SubnetID: inSub}).Extract())
	p := ok[*ports.Port](t, "create port")(ports.Create(ctx, c, ports.CreateOpts{NetworkID: in, Name: "vm"}).Extract())
	f := ok[*floatingips.FloatingIP](t, "create")(floatingips.Create(ctx, c, floatingips.CreateOpts{
		FloatingNetworkID: ext, FloatingIP: "203.0.113.77", Description: "d", PortID: p.ID}).Extract())
	if f.FloatingIP != "203.0.113.77" || f.FixedIP != p.FixedIPs[0].IPAddress || f.RouterID != r.ID {
		t.Errorf("floating IP: %+v", f)
	}
	none := ""
	f = ok[*floatingips.FloatingIP](t, "disassociate")(floatingips.Update(ctx, c, f.ID, floatingips.UpdateOpts{PortID: &none}).Extract())
	if f.PortID != "" || f.RouterID != "" || f.Status != "DOWN" {
		t.Errorf("disassociated: %+v", f)
	}
	page := ok[pagination.Page](t, "list")(floatingips.List(c, floatingips.ListOpts{FloatingNetworkID: ext}).AllPages(ctx))
	if l := ok[[]floatingips.FloatingIP](t, "extract")(floatingips.ExtractFloatingIPs(page)); len(l) != 1 {
		t.Errorf("list: %+v", l)
	}

	w := ok[*portforwarding.PortForwarding](t, "create forwarding")(portforwarding.Create(ctx, c, f.ID, portforwarding.CreateOpts{
		Protocol: "tcp", ExternalPort: 2230, InternalPort: 22, InternalPortID: p.ID, InternalIPAddress: p.FixedIPs[0].IPAddress}).Extract())
	if w.ExternalPort != 2230 || w.Protocol != "tcp" {
		t.Errorf("forwarding: %+v", w)
	}
	text := "ssh"
	w = ok[*portforwarding.PortForwarding](t, "update forwarding")(portforwarding.Update(ctx, c, f.ID, w.ID, portforwarding.UpdateOpts{
		Description: &text, ExternalPortRange: "2231:2231", InternalPortRange: "23:23"}).Extract())
	if w.ExternalPort != 2231 || w.Description != text || w.InternalPort != 23 {
		t.Errorf("updated forwarding: %+v", w)
	}
	page = ok[pagination.Page](t, "list forwardings")(portforwarding.List(c, portforwarding.ListOpts{Protocol: "tcp"}, f.ID).AllPages(ctx))
	if l := ok[[]portforwarding.PortForwarding](t, "extract")(portforwarding.ExtractPortForwardings(page)); len(l) != 1 || l[0].ID != w.ID {
		t.Errorf("forwardings: %+v", l)
	}
	if err := portforwarding.Delete(ctx, c, f.ID, w.ID).ExtractErr(); err != nil {
		t.Errorf("delete forwarding: %v", err)
	}
	if err := floatingips.Delete(ctx, c, f.ID).ExtractErr(); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestGophercloudAgents(t *testing.T) {
	c, in, _, _ := gopherLayer3(t)
	ctx := t.Context()
	page := ok[pagination.Page](t, "list")(agents.List(c, agents.ListOpts{AgentType: "DHCP agent"}).AllPages(ctx))
	l := ok[[]agents.Agent](t, "extract")(agents.ExtractAgents(page))
	if len(l) != 2 {
		t.Fatalf("DHCP agents: %+v", l)
	}
	served := 0
	for _, a := range l {
		a := ok[*agents.Agent](t, "get")(agents.Get(ctx, c, a.ID).Extract())
		if !a.Alive || a.HeartbeatTimestamp.IsZero() || a.AvailabilityZone != "nova" {
			t.Errorf("agent: %+v", a)
		}
		for _, n := range ok[[]networks.Network](t, "networks")(agents.ListDHCPNetworks(ctx, c, a.ID).Extract()) {
			if n.ID == in {
				served++
			}
		}
	}
	if served != 1 {
		t.Errorf("the network is served by %d agents", served)
	}
}

func TestStockCommandLineClientRoutes(t *testing.T) {
	if testing.Short() {
		t.Skip("short: the openstack client takes about a second for each command")
	}
	if _, err := exec.LookPath("openstack"); err != nil {
		t.Skip("openstack is not installed (Debian: python3-openstackclient)")
	}
	a := newAPI(t, func(c *Config) { c.Status = awake{} })
	a.gatewayHosts("gw1")
	ext, in := a.external("ext", "203.0.113.0/24"), a.network(`{"name":"in"}`)
	sub := a.subnet(in, "10.0.0.0/24")
	vm := a.port(`{"network_id":"` + in + `","name":"vm","fixed_ips":[{"ip_address":"10.0.0.50"}]}`)
	srv := httptest.NewServer(a.handler)
	t.Cleanup(srv.Close)
	run := func(args ...string) any { t.Helper(); return openstack(t, srv.URL, args...) }
	list := func(args ...string) int { t.Helper(); return len(run(append(args, "-f", "json")...).([]any)) }

	run("router", "create", "r1", "-f", "json")
	run("router", "add", "subnet", "r1", sub)
	run("router", "set", "r1", "--external-gateway", "ext")
	run("router", "add", "route", "r1", "--route", "destination=172.16.0.0/12,gateway=10.0.0.9", "-f", "json")
	if r := run("router", "show", "r1", "-f", "json").(map[string]any); r["external_gateway_info"] == nil || len(r["routes"].([]any)) != 1 || len(r["interfaces_info"].([]any)) != 1 {
		t.Errorf("router show: %v", r)
	}
	if n := list("router", "list", "--long"); n != 1 {
		t.Errorf("router list: %d", n)
	}
	f := run("floating", "ip", "create", "ext", "--port", vm, "-f", "json").(map[string]any)
	address := f["floating_ip_address"].(string)
	if f["fixed_ip_address"] != "10.0.0.50" {
		t.Errorf("floating ip create: %v", f)
	}
	run("floating", "ip", "unset", "--port", address)
	w := run("floating", "ip", "port", "forwarding", "create", "--internal-ip-address", "10.0.0.50", "--port", vm, "--internal-protocol-port", "22",
		"--external-protocol-port", "2222", "--protocol", "tcp", address, "-f", "json").(map[string]any)
	if n := list("floating", "ip", "port", "forwarding", "list", address); n != 1 {
		t.Errorf("floating ip port forwarding list: %d", n)
	}
	run("floating", "ip", "port", "forwarding", "delete", address, w["id"].(string))
	if n := list("floating", "ip", "list", "--network", ext); n != 1 {
		t.Errorf("floating ip list: %d", n)
	}
	run("floating", "ip", "delete", address)
	if n := list("network", "agent", "list"); n != 4 {
		t.Errorf("network agent list: %d", n)
	}
	if n := list("network", "agent", "list", "--router", "r1"); n != 1 {
		t.Errorf("network agent list --router: %d", n)
	}
	if n := list("network", "agent", "list", "--network", "in"); n != 1 {
		t.Errorf("network agent list --network: %d", n)
	}
	if n := list("availability", "zone", "list", "--network"); n != 2 {
		t.Errorf("availability zone list: %d", n)
	}
	run("router", "remove", "route", "r1", "--route", "destination=172.16.0.0/12,gateway=10.0.0.9", "-f", "json")
	run("router", "unset", "r1", "--external-gateway")
	run("router", "remove", "subnet", "r1", sub)
	run("router", "delete", "r1")
	a.sound()
}
