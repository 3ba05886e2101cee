package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestChangesReachGatewayHosts changes what a gateway host serves while it does: addresses of ports, subnets,
// gateways, floating IPs, routes, and takes all of it away.
func TestChangesReachGatewayHosts(t *testing.T) {
	g := newGateway(t)
	g.router = g.fabric.router("tenant-a", &g.outside, g.red, g.blue)
	answers(t, g.x, "x")
	answers(t, g.y, "y")
	outside := internetHost{g.fabric}
	answers(t, outside, "internet")
	g.leased(g.x, g.y)
	running := func() string { return g.sh("net1", "cat "+g.agent.state+"/dhcp/qdhcp-"+g.red.ID+"/pid") }

	t.Run("another_address_of_a_port", func(t *testing.T) {
		g := g.in(t)
		before := running()
		v := g.client("moves", "cmp1", g.red)
		g.active(v)
		g.leased(v)
		v.port = g.changePort(v.port.ID, fixed(g.red, "10.0.31.77"))
		g.active(v)
		g.leased(v)
		old, err := g.api.portState(v.port.ID)
		ok(t, errors.Join(err, wantEqual("status", old.Status, "ACTIVE"), wantEqual("process of dnsmasq", running(), before)))
		ok(t, g.api.put("/v2.0/subnets/"+g.red.Subnet, object{"subnet": object{"dns_nameservers": []string{"192.0.2.54"}}}, nil))
		eventually(t, 10*time.Second, "another name server", func() error {
			got, err := g.lease(v, 3)
			return errors.Join(err, wantEqual("name server", got["dns"], "192.0.2.54"))
		})
		ok(t, errors.Join(wantEqual("process of dnsmasq", running(), before), v.Delete(t.Context()), g.api.delete("/v2.0/ports/"+v.port.ID)))
	})
	t.Run("a_subnet_more", func(t *testing.T) {
		g := g.in(t)
		second := g.red
		second.Prefix = netPrefix("10.0.41.0/24")
		second.Subnet = text(t, g.create("subnets", "subnet", object{"network_id": g.red.ID, "project_id": "tenant-a", "ip_version": 4, "cidr": second.Prefix.String()})["id"])
		v := g.client("second", "cmp1", g.red, object{"fixed_ips": []object{{"subnet_id": second.Subnet}}})
		g.active(v)
		got, err := g.lease(v, 10)
		ok(t, err)
		wantOptions(t, "second", got, map[string]string{"ip": v.IP().String(), "subnet": "255.255.255.0", "router": "10.0.41.1"})
		ok(t, g.api.put("/v2.0/routers/"+g.router+"/add_router_interface", object{"subnet_id": second.Subnet}, nil))
		g.hears(v, "tcp", at(internet, askedAt), "internet", g.gateOf(g.router))
		ok(t, errors.Join(v.Delete(t.Context()), g.api.delete("/v2.0/ports/"+v.port.ID),
			g.api.put("/v2.0/routers/"+g.router+"/remove_router_interface", object{"subnet_id": second.Subnet}, nil), g.api.delete("/v2.0/subnets/"+second.Subnet)))
		g.leased(g.x)
	})
	t.Run("a_floating_ip_goes_and_another_ones_sessions_stay", func(t *testing.T) {
		g := g.in(t)
		goes, ipX := g.floatingIP(g.outside, g.x)
		stays, ipY := g.floatingIP(g.outside, g.y)
		g.hears(outside, "tcp", at(ipX, askedAt), "x", internet)
		g.hears(outside, "tcp", at(ipY, askedAt), "y", internet)
		ofX, err := dial(outside, "tcp", at(ipX, askedAt))
		ok(t, err)
		defer ofX.Close()
		ofY, err := dial(outside, "tcp", at(ipY, askedAt))
		ok(t, err)
		defer ofY.Close()
		g.floatingStatus(goes, "ACTIVE")
		ok(t, g.api.put("/v2.0/floatingips/"+goes, object{"floatingip": object{"port_id": nil}}, nil))
		g.floatingStatus(goes, "DOWN")
		eventually(t, 5*time.Second, "x's session has ended", func() error {
			if _, err := ask(ofX); err == nil {
				return errors.New("it answers")
			}
			return nil
		})
		if tracked := g.sh("net1", "ip netns exec qrouter-"+g.router+" grep src="+g.x.IP().String()+" /proc/net/nf_conntrack | grep dst="+ipX.String()+" || true"); tracked != "" {
			t.Errorf("still tracked: %s", tracked)
		}
		got, err := ask(ofY)
		ok(t, errors.Join(err, wantEqual("answer in y's session", got, "y "+internet.String())))
		// Given to another port, it is that one's.
		ok(t, g.api.delete("/v2.0/floatingips/"+stays))
		ok(t, g.api.put("/v2.0/floatingips/"+goes, object{"floatingip": object{"port_id": g.y.port.ID}}, nil))
		g.hears(outside, "tcp", at(ipX, askedAt), "y", internet)
		g.floatingStatus(goes, "ACTIVE")
		ok(t, g.api.delete("/v2.0/floatingips/"+goes))
		g.hears(g.y, "tcp", at(internet, askedAt), "internet", g.gateOf(g.router))
	})
	t.Run("gateways", func(t *testing.T) {
		g := g.in(t)
		info := func(more object) {
			t.Helper()
			attrs := object{"network_id": g.outside.ID}
			for k, v := range more {
				attrs[k] = v
			}
			ok(t, g.api.put("/v2.0/routers/"+g.router, object{"router": object{"external_gateway_info": attrs}}, nil))
		}
		// Several addresses: the first is the one that is seen, and all answer.
		info(object{"external_fixed_ips": []object{{"subnet_id": g.outside.Subnet, "ip_address": "198.51.100.150"}, {"subnet_id": g.outside.Subnet, "ip_address": "198.51.100.151"}}})
		g.hears(g.x, "tcp", at(internet, askedAt), "internet", g.gateOf(g.router))
		g.fromInternet(10*time.Second, netPrefix("198.51.100.150/32").Addr())
		g.fromInternet(10*time.Second, netPrefix("198.51.100.151/32").Addr())
		// Without source NAT the addresses of the inside go out, and who has a route back answers them.
		info(object{"enable_snat": false})
		ok(t, g.lab.Internet(within(t, 5*time.Second), "ip", "route", "replace", g.red.Prefix.String(), "via", g.gateOf(g.router).String()).Run())
		g.hears(g.x, "tcp", at(internet, askedAt), "internet", g.x.IP())
		ok(t, g.lab.Internet(within(t, 5*time.Second), "ip", "route", "del", g.red.Prefix.String()).Run())
		info(object{"enable_snat": true})
		g.hears(g.x, "tcp", at(internet, askedAt), "internet", g.gateOf(g.router))
		// None.
		ok(t, g.api.put("/v2.0/routers/"+g.router, object{"router": object{"external_gateway_info": object{}}}, nil))
		g.cutOff(g.x, internet)
		g.reaches(5*time.Second, g.x, g.y.IP())
		info(nil)
		g.hears(g.x, "tcp", at(internet, askedAt), "internet", g.gateOf(g.router))
	})
	t.Run("extra_routes", func(t *testing.T) {
		g := g.in(t)
		beyond := netPrefix("203.0.113.200/32")
		_, err := g.y.Output(t.Context(), "ip", "addr", "add", beyond.String(), "dev", "lo")
		ok(t, err)
		route := object{"router": object{"routes": []object{{"destination": beyond.String(), "nexthop": g.y.IP().String()}}}}
		ok(t, g.api.put("/v2.0/routers/"+g.router+"/add_extraroutes", route, nil))
		g.hears(g.x, "tcp", at(beyond.Addr(), askedAt), "y", g.x.IP())
		ok(t, g.api.put("/v2.0/routers/"+g.router+"/remove_extraroutes", route, nil))
		g.cutOff(g.x, beyond.Addr())
	})
	t.Run("the_end", func(t *testing.T) {
		g := g.in(t)
		for _, n := range []network{g.red, g.blue} {
			ok(t, g.api.put("/v2.0/routers/"+g.router+"/remove_router_interface", object{"subnet_id": n.Subnet}, nil))
		}
		ok(t, g.api.delete("/v2.0/routers/"+g.router))
		ok(t, errors.Join(g.x.Delete(t.Context()), g.y.Delete(t.Context()), g.api.delete("/v2.0/ports/"+g.x.port.ID), g.api.delete("/v2.0/ports/"+g.y.port.ID)))
		ok(t, errors.Join(g.api.delete("/v2.0/networks/"+g.red.ID), g.api.delete("/v2.0/networks/"+g.blue.ID)))
		eventually(t, 15*time.Second, "nothing is left on net1", func() error {
			left := g.sh("net1", "ls /run/netns | grep ^q; ls "+g.agent.state+"/dhcp "+g.agent.state+"/ra | grep ^q; ip -o link | grep -o ' tap[^@:]*'; ovs-vsctl list-ports br-int | grep ^tap; pidof dnsmasq radvd; true")
			if left != "" {
				return fmt.Errorf("there is %q", left)
			}
			return nil
		})
	})
}

// floatingStatus waits until a floating IP has a status.
func (g *gateway) floatingStatus(id, status string) {
	g.t.Helper()
	eventually(g.t, 10*time.Second, "floating IP is "+status, func() error {
		var got struct{ Floatingip struct{ Status string } }
		return errors.Join(g.api.get("/v2.0/floatingips/"+id, &got), wantEqual("status", got.Floatingip.Status, status))
	})
}
