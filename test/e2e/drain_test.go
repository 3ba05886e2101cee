package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// runs is how many routers and DHCP servers a host runs, and what is wrong with it.
func (g *gateway) runs(host string) (routers, dhcp int, problems string) {
	g.t.Helper()
	var h struct {
		Counts   struct{ Routers, DHCP int }
		Problems []struct{ Reason, Message string }
	}
	ok(g.t, g.api.get("/v1/hosts/"+host, &h))
	return h.Counts.Routers, h.Counts.DHCP, fmt.Sprint(h.Problems)
}

func (g *gateway) drain(host string, drained bool) {
	g.t.Helper()
	ok(g.t, g.api.patch("/v1/hosts/"+host, object{"drained": drained}, nil))
}

// free waits until a host runs nothing, on the inside and on the outside.
func (g *gateway) free(host string) time.Duration {
	g.t.Helper()
	return eventually(g.t, 30*time.Second, host+" is free", func() error {
		routers, dhcp, _ := g.runs(host)
		if left := g.namespaces(host); routers+dhcp > 0 || left != "" {
			return fmt.Errorf("it runs %d routers and DHCP for %d networks, its namespaces are %q", routers, dhcp, left)
		}
		return nil
	})
}

// TestDrain takes gateway hosts out of service while instances work.
func TestDrain(t *testing.T) {
	g := newGateway(t)
	g.router = g.fabric.router("tenant-a", &g.outside, g.red, g.blue)
	g.leased(g.x, g.y)
	_, ip := g.floatingIP(g.outside, g.x)
	g.works(20*time.Second, ip)

	t.Run("without_another_everything_stays", func(t *testing.T) {
		g := g.in(t)
		last, err := g.api.lastEvent()
		ok(t, err)
		g.drain("net1", true)
		routers, dhcp, problems := g.runs("net1")
		if routers != 1 || dhcp != 2 || !strings.Contains(problems, "NoOtherGatewayHost") {
			t.Errorf("net1 runs %d routers and DHCP for %d networks; problems: %s", routers, dhcp, problems)
		}
		g.works(5*time.Second, ip)
		evs, err := g.api.events(last)
		ok(t, err)
		for _, e := range evs {
			if e.Kind == "service_moved" {
				t.Errorf("event %s", e.Body)
			}
		}
	})
	t.Run("it_moves_as_soon_as_one_can_take_it", func(t *testing.T) {
		whole := g.fabric // the agent is to outlive this part
		g := g.in(t)
		last, err := g.api.lastEvent()
		ok(t, err)
		g.moves(ip, func() {
			whole.agent("net2")
			t.Logf("net1 is free after %v", g.free("net1").Round(100*time.Millisecond))
		})
		for _, object := range []string{"router/" + g.router, "network/" + g.red.ID, "network/" + g.blue.ID} {
			g.api.awaitEvent(t, time.Second, last, "service_moved", "net2", `"object":"`+object+`","from":"net1","to":"net2","cause":"drained"`)
		}
		g.works(5*time.Second, ip)
		if routers, dhcp, problems := g.runs("net1"); routers+dhcp > 0 || strings.Contains(problems, "NoOtherGatewayHost") {
			t.Errorf("net1 runs %d routers and DHCP for %d networks; problems: %s", routers, dhcp, problems)
		}
	})
	t.Run("nothing_moves_back_by_itself", func(t *testing.T) {
		g := g.in(t)
		last, err := g.api.lastEvent()
		ok(t, err)
		g.drain("net1", false)
		n := g.served("third", "tenant-a", "10.0.33.0/24")
		g.api.awaitEvent(t, 5*time.Second, last, "service_moved", "net1", `"object":"network/`+n.ID+`","to":"net1","cause":"first_placement"`)
		if routers, dhcp, _ := g.runs("net2"); routers != 1 || dhcp != 2 {
			t.Errorf("net2 runs %d routers and DHCP for %d networks", routers, dhcp)
		}
	})
	t.Run("back_on_request_of_the_networking_api", func(t *testing.T) {
		g := g.in(t)
		last, err := g.api.lastEvent()
		ok(t, err)
		var agents struct{ Agents []struct{ ID string } }
		ok(t, g.api.get("/v2.0/agents?host=net2&binary=neutron-l3-agent", &agents))
		g.moves(ip, func() {
			ok(t, g.api.put("/v2.0/agents/"+agents.Agents[0].ID, object{"agent": object{"admin_state_up": false}}, nil))
			t.Logf("net2 is free after %v", g.free("net2").Round(100*time.Millisecond))
		})
		g.api.awaitEvent(t, time.Second, last, "service_moved", "net1", `"object":"router/`+g.router+`","from":"net2","to":"net1","cause":"drained"`)
		g.works(5*time.Second, ip)
	})
}

// moves lets instances and the internet work while something moves the router, and says what was lost.
func (g *gateway) moves(floating netip.Addr, happens func()) {
	t := g.t
	t.Helper()
	inside := ping(t, "between two networks", g.x.Command, g.y.IP())
	out := ping(t, "from an instance to the internet by its floating IP", g.x.Command, internet)
	in := ping(t, "from the internet to a floating IP", g.lab.Internet, floating)
	happens()
	// What is told a second time, and what was attracted late, is seen as well.
	always(t, 3*time.Second, "the internet reaches it", func() error {
		time.Sleep(500 * time.Millisecond)
		return g.lab.Internet(within(t, 5*time.Second), "ping", "-c1", "-W2", floating.String()).Run()
	})
	for _, p := range []*pings{inside, out, in} {
		p.end(t, 50)
	}
}
