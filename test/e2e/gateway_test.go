package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

// internet is the address of the host beyond the external network.
var internet = netip.MustParseAddr("198.51.100.1")

// What the port of x tells its instance.
const (
	userData  = "#cloud-config"
	publicKey = "ssh-ed25519 AAAAC3Nza x@y"
)

// agentRepairLimit is how long a gateway host may stay altered.
const agentRepairLimit = 10 * time.Second

// gateway is a fabric with two gateway hosts, of which net1 has an agent, and a tenant with two networks
// and a router to the internet.
type gateway struct {
	*fabric
	agent     *agent // of net1
	outside   network
	red, blue network
	x, y      *vm // on red and on blue, each on another host than the router
	router    string
}

func newGateway(t testing.TB) *gateway {
	t.Helper()
	f := newGatewayFabric(t, []lab.HostConfig{{Name: "net1", Gateway: true}, {Name: "net2", Gateway: true}, {Name: "cmp1"}})
	g := &gateway{fabric: f, agent: f.agent("net1"), outside: f.outside()}
	g.red = f.served("red", "tenant-a", "10.0.31.0/24", object{"dns_nameservers": []string{"192.0.2.53"},
		"host_routes": []object{{"destination": "192.0.2.128/25", "nexthop": "10.0.31.9"}}})
	g.blue = f.served("blue", "tenant-a", "10.0.32.0/24")
	g.x = f.client("x", "cmp1", g.red, object{"binding:profile": object{"user_data": userData, "public_keys": []string{publicKey}}})
	g.y = f.client("y", "cmp1", g.blue)
	f.active(g.x, g.y)
	return g
}

// in returns the gateway for a subtest.
func (g *gateway) in(t testing.TB) *gateway {
	h := *g
	h.fabric = g.fabric.in(t)
	return &h
}

func TestGateway(t *testing.T) {
	g := newGateway(t)
	t.Run("leases_have_the_options_of_the_subnet", func(t *testing.T) { g.in(t).testLease() })
	t.Run("leases_are_shown", func(t *testing.T) { g.in(t).testLeaseIsShown() })
	t.Run("an_unknown_mac_gets_no_lease", func(t *testing.T) { g.in(t).testStranger() })
	t.Run("a_port_is_active_once_its_dhcp_entry_is", func(t *testing.T) { g.in(t).testDHCPCondition() })
	t.Run("metadata_without_a_router", func(t *testing.T) { g.in(t).testMetadata() })
	g.router = g.fabric.router("tenant-a", &g.outside, g.red, g.blue)
	t.Run("router_between_two_networks", func(t *testing.T) { g.in(t).allReach(10*time.Second, g.x, g.y) })
	t.Run("source_nat_to_the_internet", func(t *testing.T) { g.in(t).testSNAT() })
	t.Run("metadata_by_the_router", func(t *testing.T) { g.in(t).testMetadata() })
	t.Run("floating_ip", func(t *testing.T) { g.in(t).testFloatingIP() })
	t.Run("tenants_with_the_same_addresses", func(t *testing.T) { g.in(t).testOverlap() })
	t.Run("drift_is_repaired_and_reported", func(t *testing.T) { g.testDrift(t) })
	t.Run("kill_9_of_the_agent_changes_nothing", func(t *testing.T) {
		g := g.in(t)
		g.unchanged(func() {
			g.agent.kill()
			g.reaches(time.Second, g.x, internet) // nobody keeps it, and it works
			g.agent.start()
			g.agent.awaitStart()
		})
	})
	t.Run("kill_9_of_the_server_changes_nothing", func(t *testing.T) {
		g := g.in(t)
		g.unchanged(func() {
			g.server.kill()
			g.reaches(time.Second, g.x, internet)
			g.server.start()
			for _, h := range g.lab.Hosts() {
				g.awaitHost(h.Name)
			}
			g.api.awaitEvent(t, 15*time.Second, 0, "agent_up", "net1", "")
			g.active(g.x, g.y)
		})
	})
}

func (g *gateway) testLease() {
	t := g.t
	got, err := g.lease(g.x, 10)
	ok(t, err)
	for option, want := range map[string]string{"ip": g.x.IP().String(), "subnet": "255.255.255.0", "router": "10.0.31.1", "dns": "192.0.2.53",
		"domain": "cloud.test", "mtu": "1450", "hostname": "host-" + strings.ReplaceAll(g.x.IP().String(), ".", "-")} {
		if got[option] != want {
			t.Errorf("option %s is %q, want %q", option, got[option], want)
		}
	}
	ok(t, wantEqual("name in the API", g.x.port.Names[0].FQDN, got["hostname"]+"."+got["domain"]+"."))
	for _, route := range []string{"192.0.2.128/25 10.0.31.9", "0.0.0.0/0 10.0.31.1", "169.254.169.254/32 "} {
		if !strings.Contains(got["staticroutes"], route) {
			t.Errorf("routes are %q, want %q among them", got["staticroutes"], route)
		}
	}
	g.leased(g.y)
}

// testLeaseIsShown: who has an address, and until when, is told by the agent.
func (g *gateway) testLeaseIsShown() {
	g.leased(g.x)
	eventually(g.t, 10*time.Second, "the API shows the lease", func() error {
		var out struct {
			Leases []struct {
				IP, State, Host string
				Expires         time.Time
			}
		}
		if err := g.api.get("/v1/leases?port="+g.x.port.ID, &out); err != nil {
			return err
		}
		if len(out.Leases) != 1 || out.Leases[0].IP != g.x.IP().String() || out.Leases[0].State != "leased" || out.Leases[0].Host != "net1" || out.Leases[0].Expires.Before(time.Now()) {
			return fmt.Errorf("it shows %+v", out.Leases)
		}
		return nil
	})
}

// testStranger: a virtual machine with an address that no port has. It is on a host and a network that
// others get leases on.
func (g *gateway) testStranger() {
	p := g.port("stranger", g.red)
	v, err := g.lab.PlugVM(g.t.Context(), lab.VMConfig{Name: "stranger", Host: "cmp1", Port: p.ID, MAC: "02:00:00:00:00:99"})
	ok(g.t, err)
	g.active(&vm{v, p})
	if got, err := g.lease(&vm{v, p}, 3); err == nil {
		g.t.Errorf("it got %s", got["ip"])
	}
	ok(g.t, v.Delete(g.t.Context()))
	ok(g.t, g.api.delete("/v2.0/ports/"+p.ID))
}

// testDHCPCondition stops the agent: a port has all of its flows, and no entry of DHCP.
func (g *gateway) testDHCPCondition() {
	g.agent.kill()
	v := g.client("early", "cmp1", g.red)
	s := g.awaitPort(5*time.Second, v.port.ID, "BUILD", "ServicePending")
	for _, c := range s.Conditions {
		if c.Reason == "ServicePending" && (c.Type != "DHCP" || c.Host != "net1") {
			g.t.Errorf("condition is %+v, want one of DHCP on net1", c)
		}
	}
	g.agent.start()
	g.active(v)
	g.leased(v)
	ok(g.t, v.Delete(g.t.Context()))
	ok(g.t, g.api.delete("/v2.0/ports/"+v.port.ID))
}

// testSNAT: the internet host, which knows nothing of tenants' networks, answers.
func (g *gateway) testSNAT() {
	g.leased(g.x, g.y) // their routes
	g.reaches(10*time.Second, g.x, internet)
	g.reaches(10*time.Second, g.y, internet)
	if out, err := g.lab.Internet(within(g.t, 5*time.Second), "ping", "-c1", "-W1", g.x.IP().String()).CombinedOutput(); err == nil {
		g.t.Errorf("the internet reaches an address of a tenant:\n%s", out)
	}
}

// testMetadata: an instance reads about itself, and about nobody else.
func (g *gateway) testMetadata() {
	t := g.t
	g.leased(g.x, g.y) // their routes
	for _, v := range []*vm{g.x, g.y} {
		want := "host-" + strings.ReplaceAll(v.IP().String(), ".", "-")
		eventually(t, 10*time.Second, v.Name+" reads its name", func() error {
			got, err := v.Output(t.Context(), "curl", "-sS", "-m", "2", "http://169.254.169.254/latest/meta-data/hostname")
			return errors.Join(err, wantEqual("hostname", strings.TrimSpace(got), want))
		})
	}
	for path, want := range map[string]string{"latest/user-data": userData, "latest/meta-data/public-keys/0/openssh-key": publicKey} {
		got, err := g.x.Output(t.Context(), "curl", "-sSf", "-m", "2", "http://169.254.169.254/"+path)
		ok(t, errors.Join(err, wantEqual(path, strings.TrimSpace(got), want)))
	}
	if got, err := g.y.Output(t.Context(), "curl", "-sSf", "-m", "2", "http://169.254.169.254/latest/user-data"); err == nil {
		t.Errorf("a port without user data is told %q", got)
	}
}

func (g *gateway) testFloatingIP() {
	t := g.t
	id, ip := g.floatingIP(g.outside, g.x)
	t.Logf("first answer after %v", g.fromInternet(10*time.Second, ip).Round(time.Millisecond))
	eventually(t, 5*time.Second, "floating IP is ACTIVE", func() error {
		var got struct{ Floatingip struct{ Status string } }
		return errors.Join(g.api.get("/v2.0/floatingips/"+id, &got), wantEqual("status", got.Floatingip.Status, "ACTIVE"))
	})
	// Outwards it is the address that is seen.
	answers(t, internetHost{g.fabric}, "internet")
	g.hears(g.x, "tcp", at(internet, askedAt), "internet", ip)
	// From the inside, also by oneself.
	g.reaches(5*time.Second, g.y, ip)
	g.reaches(5*time.Second, g.x, ip)
	// Given back, it leads nowhere.
	ok(t, g.api.delete("/v2.0/floatingips/"+id))
	eventually(t, 10*time.Second, "the address is gone", func() error {
		if g.lab.Internet(within(t, 5*time.Second), "ping", "-c1", "-W1", ip.String()).Run() == nil {
			return errors.New("it answers")
		}
		return nil
	})
	g.reaches(5*time.Second, g.x, internet)
}

// testOverlap: another tenant with the same addresses has its own DHCP server and its own router.
func (g *gateway) testOverlap() {
	t := g.t
	n := g.served("green", "tenant-b", "10.0.31.0/24")
	v := g.client("v", "cmp1", n, fixed(n, g.x.IP().String()))
	peer := g.client("peer", "net2", n, fixed(n, "10.0.31.77"))
	g.active(v, peer)
	g.leased(v, peer)
	seen := captureOn(t, peer.VM)
	g.fabric.router("tenant-b", &g.outside, n)
	g.reaches(10*time.Second, v, internet)
	g.reaches(5*time.Second, g.x, internet)
	g.unreachable(g.x, peer.IP())
	g.unreachable(v, g.y.IP())
	mac, err := net.ParseMAC(g.x.MAC)
	ok(t, err)
	for _, frame := range seen.end() {
		if bytes.Contains(frame, mac) {
			t.Errorf("a frame of another tenant came through: %x", frame)
		}
	}
}

func (g *gateway) testDrift(t *testing.T) {
	router, server := "qrouter-"+g.router, "qdhcp-"+g.red.ID
	g.in(t).announces("2001:db8:31::/64")
	nft, radvd := "ip netns exec "+router+" nft ", g.agent.state+"/ra/"+router+"/pid"
	for _, c := range []struct{ name, damage, good, event string }{
		{"route", "ip -n " + router + " route del default", "ip -n " + router + " route | grep -q ^default", "put back route/0.0.0.0/0"},
		{"address", "ip -n " + router + " addr del 10.0.31.1/24 dev $(ip -n " + router + " -o addr | awk '/10.0.31.1/{print $2}')",
			"ip -n " + router + " addr | grep -q 10.0.31.1/24", "10.0.31.1/24"},
		{"nftables_table", nft + "flush ruleset", nft + "list ruleset | grep -q snat", "put back table inet heddle"},
		{"nftables_rule", nft + "flush chain inet heddle postrouting", nft + "list chain inet heddle postrouting | grep -q fip_snat", "of chain postrouting"},
		{"nftables_element", nft + "add element inet heddle fip_dnat '{ 198.51.100.77 : 10.0.31.77 }'", "! " + nft + "get element inet heddle fip_dnat '{ 198.51.100.77 }'",
			"removed element 198.51.100.77 : 10.0.31.77 of fip_dnat"},
		{"setting", "ip netns exec " + router + " sysctl -w net.ipv4.ip_forward=0", "ip netns exec " + router + " sysctl net.ipv4.ip_forward | grep -q 1", "net.ipv4.ip_forward"},
		{"veth", "ip -n " + router + " link del $(ip -n " + router + " -o addr | awk '/10.0.31.1/{print $2}')",
			"ip -n " + router + " addr | grep -q 10.0.31.1/24", "put back link/qr-"},
		{"radvd", "kill -9 $(cat " + radvd + ")", "kill -0 $(cat " + radvd + ")", "radvd"},
		{"namespace_of_the_router", "ip netns del " + router, nft + "list ruleset | grep -q snat && kill -0 $(cat " + radvd + ") && ip netns pids " + router + " | grep -q $(cat " + radvd + ")",
			`"target":"` + router + `"`},
		{"namespace_of_dhcp", "ip netns del " + server, "ip netns pids " + server + " | grep -q $(cat " + g.agent.state + "/dhcp/" + server + "/pid)", `"target":"` + server + `"`},
		{"dnsmasq", "kill -9 $(cat " + g.agent.state + "/dhcp/" + server + "/pid)", "kill -0 $(cat " + g.agent.state + "/dhcp/" + server + "/pid)", "dnsmasq"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := g.in(t)
			last, err := g.api.lastEvent()
			ok(t, err)
			g.sh("net1", c.damage)
			took := eventually(t, agentRepairLimit, "it is repaired", func() error {
				_, err := g.host("net1").Output(t.Context(), "sh", "-c", c.good)
				return err
			})
			t.Logf("repaired in %v", took.Round(time.Millisecond))
			g.api.awaitEvent(t, 10*time.Second, last, "drift", "net1", c.event)
			g.leased(g.x)
			g.reaches(10*time.Second, g.x, internet)
		})
	}
}

// announces gives the router an interface on a network whose hosts make their addresses by themselves.
func (g *gateway) announces(cidr string) {
	g.t.Helper()
	n := g.served("six", "tenant-a", cidr, object{"ip_version": 6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"})
	ok(g.t, g.api.put("/v2.0/routers/"+g.router+"/add_router_interface", object{"subnet_id": n.Subnet}, nil))
	eventually(g.t, 10*time.Second, "radvd runs", func() error {
		_, err := g.host("net1").Output(g.t.Context(), "sh", "-c", "kill -0 $(cat "+g.agent.state+"/ra/qrouter-"+g.router+"/pid)")
		return err
	})
}

// unchanged fails the test if a disturbance changes what runs on net1: namespaces, links, addresses,
// rules, daemons.
func (g *gateway) unchanged(disturb func()) {
	g.t.Helper()
	look := func() string {
		return g.sh("net1", `stat -c '%n %i' /run/netns/q*; for n in /run/netns/q*; do n=${n##*/}; ip -n $n -o link | cut -d: -f1-2; ip -n $n -o addr | cut -d'\' -f1; ip -n $n route
			ip netns exec $n nft -a list ruleset; ip netns pids $n; done; ovs-vsctl --columns=_uuid,name list Port`)
	}
	before := look()
	if !strings.Contains(before, "table inet") {
		g.t.Fatalf("nothing to compare:\n%s", before)
	}
	disturb()
	// Longer than everything is read again.
	always(g.t, 9*time.Second, "net1 is as before", func() error {
		time.Sleep(time.Second)
		return wantEqual("net1", look(), before)
	})
	g.leased(g.x, g.y)
	g.allReach(5*time.Second, g.x, g.y)
	g.reaches(5*time.Second, g.x, internet)
}

// TestGatewayHostIsLost takes the power of the gateway host that holds everything, and then cuts the next
// one off its controller.
func TestGatewayHostIsLost(t *testing.T) {
	g := newGateway(t)
	g.router = g.fabric.router("tenant-a", &g.outside, g.red, g.blue)
	g.leased(g.x, g.y)
	_, ip := g.floatingIP(g.outside, g.x)
	g.works(20*time.Second, ip)
	g.fabric.agent("net2")
	g.api.awaitEvent(t, 10*time.Second, 0, "agent_up", "net2", "")

	t.Run("without_power_it_is_replaced", func(t *testing.T) {
		g := g.in(t)
		ok(t, g.host("net1").Kill())
		g.agent.kill()
		t.Logf("another host serves after %v", g.works(40*time.Second, ip).Round(100*time.Millisecond))
		g.api.awaitEvent(t, time.Second, 0, "agent_lost", "net1", "")
	})
	t.Run("back_it_takes_nothing", func(t *testing.T) {
		g := g.in(t)
		ok(t, g.host("net1").Boot(t.Context()))
		last, err := g.api.lastEvent()
		ok(t, err)
		g.agent.start()
		g.api.awaitEvent(t, 20*time.Second, last, "agent_up", "net1", "")
		g.works(5*time.Second, ip)
		ok(t, wantEqual("namespaces of net1", g.namespaces("net1"), ""))
	})
	t.Run("cut_off_it_is_replaced_and_cleans_up", func(t *testing.T) {
		g := g.in(t)
		ctx := context.WithoutCancel(t.Context())
		ok(t, g.host("net2").CutManagement(ctx, true))
		eventually(t, 40*time.Second, "all is on net1", func() error {
			if made := g.namespaces("net1"); !strings.Contains(made, "qrouter-"+g.router) || strings.Count(made, "qdhcp-") != 2 {
				return fmt.Errorf("it has %q", made)
			}
			return nil
		})
		g.works(10*time.Second, ip)
		ok(t, g.host("net2").CutManagement(ctx, false))
		eventually(t, 30*time.Second, "net2 has cleaned up", func() error { return wantEqual("namespaces", g.namespaces("net2"), "") })
		g.works(5*time.Second, ip)
	})
}

// works waits until leases, routes and addresses of the outside work, and returns how long that took.
func (g *gateway) works(limit time.Duration, floating netip.Addr) time.Duration {
	g.t.Helper()
	begin := time.Now()
	g.reaches(limit, g.x, internet)
	g.reaches(limit, g.y, internet)
	g.allReach(limit, g.x, g.y)
	g.fromInternet(limit, floating)
	g.leased(g.x, g.y)
	return time.Since(begin)
}

// namespaces are those of Heddle on a host.
func (g *gateway) namespaces(host string) string {
	g.t.Helper()
	return g.sh(host, "ls /run/netns | grep ^q || true")
}

// TestServerAndAgentInOneProcess has everything on one host, as on a laptop, with tokens.
func TestServerAndAgentInOneProcess(t *testing.T) {
	f := &fabric{t: t, lab: labtest.Up(t, lab.Config{Name: fmt.Sprintf("%s-%d", mark, labs.Add(1)), Hosts: lab.Hosts(1)})}
	h := f.host("net1")
	api := net.JoinHostPort(h.Management().String(), "9696")
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "tokens.yaml"), []byte("- {token: root, user: root, project_id: admin, roles: [admin]}\n"+
		"- {token: one, user: net1, project_id: admin, roles: [agent]}\n- {token: other, user: net2, project_id: admin, roles: [agent]}\n"), 0o600))
	ok(t, os.WriteFile(filepath.Join(dir, "token"), []byte("one\n"), 0o600))
	log, err := os.Create(filepath.Join(dir, "log"))
	ok(t, err)
	defer log.Close()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := h.Command(ctx, program, "server", "--data-dir", filepath.Join(dir, "data"), "--listen-api", api, "--auth", "tokens",
		"--token-file", filepath.Join(dir, "tokens.yaml"), "--agent", "--agent-host", "net1", "--agent-state-dir", filepath.Join(dir, "agent"),
		"--agent-token-file", filepath.Join(dir, "token"))
	cmd.Stdout, cmd.Stderr = log, log
	ok(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("end of the log:\n%s", text[max(0, len(text)-8000):])
		}
	})
	f.api = newClient(api).as("root")
	eventually(t, 20*time.Second, "server answers", func() error { return f.api.get("/livez", nil) })
	ok(t, h.Join(t.Context(), "tcp:127.0.0.1:6640"))
	f.awaitHost("net1")
	n := f.served("net", "tenant-a", "10.0.31.0/24")
	v := f.client("v", "net1", n)
	f.active(v)
	f.leased(v)
	// The token of an agent is good for its host, and for nothing else.
	for path, want := range map[string]int{"/node/v1/net1/spec": 200, "/node/v1/net2/spec": 403, "/v1/hosts": 403} {
		code := 200
		var refused *statusError
		if err := newClient(api).as("one").get(path, nil); errors.As(err, &refused) {
			code = refused.Code
		}
		if code != want {
			t.Errorf("GET %s with the token of net1's agent: %d, want %d", path, code, want)
		}
	}
}
