package ui

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

// TestDashboard shows a small cloud to a browser: two tenants with a router, a floating IP and DHCP each, a
// network without either, VMs on three hosts, and a port that nobody plugged.
func TestDashboard(t *testing.T) {
	needBrowser(t)
	l := labtest.Up(t, lab.Config{Hosts: []lab.HostConfig{{Name: "net1", Gateway: true}, {Name: "cmp1"}, {Name: "cmp2"}}, External: true})
	addr := l.Address().String()
	s := start(t, addr, "--allow-remote-noauth", "--physnets", "physnet1", "--listen-openflow", addr+":6653", "--listen-ovsdb", addr+":6640")
	for _, h := range l.Hosts() {
		ok(t, h.Join(t.Context(), "tcp:"+addr+":6640"))
	}
	s.agent(l.Host("net1"))
	c := cloud{s, l}
	c.populate()
	facts := map[string]string{"UI_LAB": l.Name()}
	t.Run("views", func(t *testing.T) { s.in(t).browse("views.test.mjs", facts) })
	t.Run("behaviour", func(t *testing.T) { s.in(t).browse("behaviour.test.mjs", facts) })
	t.Run("causes", func(t *testing.T) { s.in(t).browse("causes.test.mjs", facts) })
	t.Run("fifty_thousand_flows", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "flows")
		var b strings.Builder
		for i := range 50_000 {
			fmt.Fprintf(&b, "table=200,priority=1,dl_vlan=%d,dl_dst=fa:16:3e:%02x:%02x:%02x,actions=drop\n", 1+i%4000, i>>16, i>>8&0xff, i&0xff)
		}
		ok(t, os.WriteFile(file, []byte(b.String()), 0o600))
		if out, err := l.Host("cmp2").Command(t.Context(), "ovs-ofctl", "-O", "OpenFlow13", "add-flows", "br-tun", file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		s.in(t).browse("manyflows.test.mjs", facts)
	})
}

// in returns the server for a subtest.
func (s *server) in(t *testing.T) *server { return &server{t: t, url: s.url, pid: s.pid} }

// cloud makes what the browser is shown.
type cloud struct {
	*server
	lab *lab.Lab
}

func (c cloud) populate() {
	c.t.Helper()
	external := c.create("networks", "network", object{"name": "internet", "router:external": true,
		"provider:network_type": "flat", "provider:physical_network": "physnet1"})["id"]
	c.create("subnets", "subnet", object{"network_id": external, "ip_version": 4, "cidr": "198.51.100.0/24", "gateway_ip": "198.51.100.1", "enable_dhcp": false,
		"allocation_pools": []object{{"start": "198.51.100.100", "end": "198.51.100.200"}}})
	for i, tenant := range []string{"green", "amber"} {
		network, subnet := c.network(tenant, tenant, "vxlan", "10.0.33.0/24")
		router := c.create("routers", "router", object{"name": tenant + "-router", "project_id": tenant, "external_gateway_info": object{"network_id": external}})["id"]
		c.do("PUT", fmt.Sprintf("/v2.0/routers/%v/add_router_interface", router), object{"subnet_id": subnet}, nil)
		port := c.vm(tenant+"-web", tenant, network, "10.0.33.10", fmt.Sprint("cmp", i+1))
		c.create("floatingips", "floatingip", object{"floating_network_id": external, "port_id": port, "project_id": tenant})
	}
	red, _ := c.network("red-gre", "red", "gre", "10.0.22.0/24")
	for i, host := range []string{"net1", "cmp1", "cmp2"} {
		c.vm(fmt.Sprint("red", i+1), "red", red, fmt.Sprint("10.0.22.", 11+i), host)
	}
	c.create("ports", "port", object{"name": "lonely", "project_id": "red", "network_id": red})
	c.eventually(60*time.Second, "the VMs' ports are ACTIVE", func() error {
		var list struct {
			Ports []struct{ Name, Status string }
		}
		c.do("GET", "/v2.0/ports", nil, &list)
		for _, p := range list.Ports {
			if p.Name != "" && p.Name != "lonely" && p.Status != "ACTIVE" {
				return fmt.Errorf("%s is %s", p.Name, p.Status)
			}
		}
		return nil
	})
}

func (c cloud) network(name, project, kind, cidr string) (network, subnet any) {
	c.t.Helper()
	network = c.create("networks", "network", object{"name": name, "project_id": project, "provider:network_type": kind})["id"]
	return network, c.create("subnets", "subnet", object{"name": name, "project_id": project, "network_id": network, "ip_version": 4, "cidr": cidr})["id"]
}

func (c cloud) vm(name, project string, network any, ip, host string) (port any) {
	c.t.Helper()
	p := c.create("ports", "port", object{"name": name, "project_id": project, "network_id": network, "fixed_ips": []object{{"ip_address": ip}}})
	addr := netip.MustParseAddr(ip)
	_, err := c.lab.PlugVM(c.t.Context(), lab.VMConfig{Name: name, Host: host, Port: p["id"].(string), MAC: p["mac_address"].(string),
		Addresses: []netip.Prefix{netip.PrefixFrom(addr, 24)}})
	ok(c.t, err)
	return p["id"]
}

// TestLogin has users with tokens of two projects, and an administrator.
func TestLogin(t *testing.T) {
	needBrowser(t)
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	ok(t, os.WriteFile(file, []byte(`
- {token: ann-secret, user: ann, project_id: acme, roles: [member]}
- {token: bob-secret, user: bob, project_id: bolt, roles: [member]}
- {token: root-secret, user: root, project_id: ops, roles: [admin]}
`), 0o600))
	start(t, "127.0.0.1", "--auth", "tokens", "--token-file", file, "--listen-openflow", "127.0.0.1:0", "--listen-ovsdb", "127.0.0.1:0").browse("login.test.mjs", nil)
}
