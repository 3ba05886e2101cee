package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"golang.org/x/sync/errgroup"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

// The gateway host that is measured at size.
const (
	servedNetworks    = 200 // networks with DHCP
	servedRouters     = 20  // routers, each with ten of the networks
	networksPerRouter = servedNetworks / servedRouters
)

// gatewayRounds is how many floating IPs and leases are measured for a median.
const gatewayRounds = 21

// gateway is a lab of a gateway host with an agent, and a compute host, with an external network.
type gateway struct {
	*server
	lab     *lab.Lab
	agent   *agentProcess
	outside string // external network
}

// agentProcess is a heddle agent on the gateway host.
type agentProcess struct {
	b     *testing.B
	host  *lab.Host
	args  []string
	state string
	log   string

	cmd  *exec.Cmd
	stop context.CancelFunc
}

func newGateway(b *testing.B, more ...lab.HostConfig) *gateway {
	b.Helper()
	l := labtest.Up(b, lab.Config{Hosts: append(lab.Hosts(2), more...), External: true})
	var hosts []*host
	for _, h := range l.Hosts() {
		hosts = append(hosts, newHost(b, h.Name, h.Path("/run/openvswitch"), nil))
	}
	s := newServer(b, l.Address().String())
	s.kill()
	api := net.JoinHostPort(l.Address().String(), freePort(b, l.Address().String()))
	for i, arg := range s.args {
		if arg == "--listen-api" {
			s.args[i+1], s.base = api, "http://"+api
		}
	}
	s.args = append(s.args, "--allow-remote-noauth", "--physnets", "physnet1")
	s.start()
	join(b, s, hosts)
	g := &gateway{server: s, lab: l, agent: newAgent(b, s, l.Hosts()[0])}
	var made struct{ Network struct{ ID string } }
	ok(b, s.post("/v2.0/networks", object{"network": object{"name": "outside", "provider:network_type": "flat",
		"provider:physical_network": "physnet1", "router:external": true}}, &made))
	g.outside = made.Network.ID
	ok(b, s.post("/v2.0/subnets", object{"subnet": object{"network_id": g.outside, "ip_version": 4, "cidr": "198.51.100.0/24",
		"gateway_ip": "198.51.100.1", "enable_dhcp": false, "allocation_pools": []object{{"start": "198.51.100.100", "end": "198.51.100.250"}}}}, nil))
	return g
}

// newAgent starts an agent on a host; it ends with the benchmark.
func newAgent(b *testing.B, s *server, host *lab.Host) *agentProcess {
	b.Helper()
	dir := b.TempDir()
	a := &agentProcess{b: b, host: host, state: filepath.Join(dir, "state"), log: filepath.Join(dir, "log")}
	a.args = []string{"agent", "--server", s.base, "--host", a.host.Name, "--state-dir", a.state}
	b.Cleanup(func() {
		a.kill()
		if b.Failed() {
			text, _ := os.ReadFile(a.log)
			b.Logf("end of the agent's log:\n%s", text[max(0, len(text)-8000):])
		}
	})
	a.start()
	return a
}

func (a *agentProcess) start() {
	a.b.Helper()
	log := must[*os.File](a.b)(os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))
	defer log.Close()
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.b.Context()))
	a.cmd, a.stop = a.host.Command(ctx, program, a.args...), cancel
	a.cmd.Stdout, a.cmd.Stderr = log, log
	ok(a.b, a.cmd.Start())
}

func (a *agentProcess) kill() {
	if a.cmd != nil {
		a.stop()
		_ = a.cmd.Wait() // killed
		a.cmd = nil
	}
}

// output runs a line of shell on the gateway host.
func (a *agentProcess) output(line string) string {
	a.b.Helper()
	return strings.TrimSpace(must[string](a.b)(a.host.Output(a.b.Context(), "sh", "-c", line)))
}

// rss returns how many megabytes of memory the agent has in use, and the most it ever had.
func (a *agentProcess) rss() (now, peak float64) {
	a.b.Helper()
	fields := strings.Fields(a.output("awk '/^VmRSS|^VmHWM/{print $1, $2}' /proc/$(pidof heddle)/status"))
	for i := 0; i+1 < len(fields); i += 2 {
		kilobytes, err := strconv.ParseFloat(fields[i+1], 64)
		ok(a.b, err)
		switch fields[i] {
		case "VmRSS:":
			now = kilobytes / 1024
		case "VmHWM:":
			peak = kilobytes / 1024
		}
	}
	return now, peak
}

// cpu returns the processor time that the agent and what it started and waited for have used.
func (a *agentProcess) cpu() time.Duration {
	a.b.Helper()
	ticks, err := strconv.Atoi(a.output("sed 's/.*) //' /proc/$(pidof heddle)/stat | awk '{print $12 + $13 + $14 + $15}'"))
	ok(a.b, err)
	return time.Duration(ticks) * time.Second / 100
}

// served makes a network whose subnet has DHCP, and returns both ids.
func (g *gateway) served(name, cidr string) (network, subnet string, err error) {
	var made struct{ Network, Subnet struct{ ID string } }
	if err := g.post("/v2.0/networks", object{"network": object{"name": name}}, &made); err != nil {
		return "", "", err
	}
	err = g.post("/v2.0/subnets", object{"subnet": object{"network_id": made.Network.ID, "ip_version": 4, "cidr": cidr}}, &made)
	return made.Network.ID, made.Subnet.ID, err
}

// router makes a router to the outside with interfaces on subnets.
func (g *gateway) router(name string, subnets ...string) (string, error) {
	var made struct{ Router struct{ ID string } }
	if err := g.post("/v2.0/routers", object{"router": object{"name": name, "external_gateway_info": object{"network_id": g.outside}}}, &made); err != nil {
		return "", err
	}
	for _, subnet := range subnets {
		if err := g.do("PUT", "/v2.0/routers/"+made.Router.ID+"/add_router_interface", object{"subnet_id": subnet}, nil); err != nil {
			return "", err
		}
	}
	return made.Router.ID, nil
}

// realised is nil once all objects of some kinds, and there are so many of each, are as wanted.
func (g *gateway) realised(counts map[string]int) error {
	for kind, n := range counts {
		var got struct {
			Objects []struct {
				Name, Reason string
				OK           bool
			}
		}
		if err := g.do("GET", "/v1/objects/"+kind+"?limit=1000", nil, &got); err != nil {
			return err
		}
		if len(got.Objects) != n {
			return fmt.Errorf("%d of kind %s, want %d", len(got.Objects), kind, n)
		}
		for _, o := range got.Objects {
			if !o.OK {
				return fmt.Errorf("%s %s: %s", kind, o.Name, o.Reason)
			}
		}
	}
	return nil
}

// BenchmarkGatewayFromNothing makes 200 networks with DHCP and 20 routers on one gateway host, and then
// kills its agent and starts it again.
//
//	build-s              from the first request until every port is ACTIVE and the agent has confirmed
//	                     every namespace
//	requests-s           … until the last request was answered
//	agent-MB, peak-MB    resident memory of the agent, then and at most
//	dnsmasq              how many run
//	again-s              from the start of a new agent until it has confirmed all
//	changed              dnsmasq processes that are not those of before
func BenchmarkGatewayFromNothing(b *testing.B) {
	for range b.N {
		g := newGateway(b)
		begin := time.Now()
		g.populate(b)
		requests := time.Since(begin)
		// Of each network the port of its DHCP server, and an interface of a router; of each router its gateway.
		awaitActive(b, g.server, 2*servedNetworks+servedRouters)
		all := map[string]int{"network": servedNetworks + 1, "router": servedRouters}
		await(b, 3*time.Minute, "the agent has confirmed", func() error { return g.realised(all) })
		b.ReportMetric(time.Since(begin).Seconds(), "build-s")
		b.ReportMetric(requests.Seconds(), "requests-s")
		now, peak := g.agent.rss()
		b.ReportMetric(now, "agent-MB")
		b.ReportMetric(peak, "peak-MB")
		b.ReportMetric(g.agent.cpu().Seconds(), "agent-cpu-s")
		servers := g.agent.output("pidof dnsmasq")
		b.ReportMetric(float64(len(strings.Fields(servers))), "dnsmasq")

		g.agent.kill()
		await(b, 10*time.Second, "the agent has ended", func() error {
			if pids, err := g.agent.host.Output(b.Context(), "pidof", "heddle"); err == nil {
				return fmt.Errorf("process %s is there", pids)
			}
			return nil
		})
		begin = time.Now()
		g.agent.start()
		await(b, time.Minute, "the agent has confirmed", func() error {
			var got struct {
				Agents []struct{ Host, Started string }
			}
			if err := g.do("GET", "/v1/agents", nil, &got); err != nil {
				return err
			}
			for _, a := range got.Agents {
				if at, err := time.Parse(time.RFC3339, a.Started); err != nil || at.Before(begin) {
					return errors.Join(err, fmt.Errorf("the agent of %s has not reported again", a.Host))
				}
			}
			return g.realised(all)
		})
		b.ReportMetric(time.Since(begin).Seconds(), "again-s")
		before := map[string]bool{}
		for _, pid := range strings.Fields(servers) {
			before[pid] = true
		}
		changed := 0
		for _, pid := range strings.Fields(g.agent.output("pidof dnsmasq")) {
			if !before[pid] {
				changed++
			}
		}
		b.ReportMetric(float64(changed), "changed")
		b.ReportMetric(0, "ns/op")
	}
}

// populate makes the networks and routers, with some clients at a time.
func (g *gateway) populate(b *testing.B) {
	b.Helper()
	var next atomic.Int64
	var asking errgroup.Group
	for range clients {
		asking.Go(func() error {
			for {
				r := int(next.Add(1)) - 1
				if r >= servedRouters {
					return nil
				}
				var subnets []string
				for i := range networksPerRouter {
					_, subnet, err := g.served(fmt.Sprintf("net%d-%d", r, i), fmt.Sprintf("10.%d.%d.0/24", r, i))
					if err != nil {
						return err
					}
					subnets = append(subnets, subnet)
				}
				if _, err := g.router(fmt.Sprint("router", r), subnets...); err != nil {
					return err
				}
			}
		})
	}
	ok(b, asking.Wait())
}

// BenchmarkFloatingIPToReply measures from the POST of a floating IP for a port until a ping from outside
// is answered by the virtual machine on another host. The host outside asks for addresses every 5 ms.
//
//	median-ms, p90-ms   from sending the request
//	post-ms             … until its answer
func BenchmarkFloatingIPToReply(b *testing.B) {
	for range b.N {
		g := newGateway(b)
		network, subnet, err := g.served("inside", "10.1.0.0/24")
		ok(b, err)
		must[string](b)(g.router("router", subnet))
		p, vm := g.vm(b, "vm", network)
		ok(b, vm.PlugAs(b.Context(), p.ID))
		awaitActive(b, g.server, 4)
		await(b, time.Minute, "the router forwards", func() error {
			_, err := vm.Output(b.Context(), "ping", "-c1", "-W1", "198.51.100.1")
			return err
		})
		must[[]byte](b)(g.lab.Internet(b.Context(), "sh", "-c", "echo 5 >/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms").Output())
		var whole, posts samples
		for i := range gatewayRounds {
			ip := fmt.Sprintf("198.51.100.%d", 110+i)
			answered, stop := g.pingFromOutside(b, ip)
			begin := time.Now()
			var made struct{ FloatingIP struct{ ID string } }
			ok(b, g.post("/v2.0/floatingips", object{"floatingip": object{"floating_network_id": g.outside, "floating_ip_address": ip, "port_id": p.ID}}, &made))
			posts = append(posts, time.Since(begin))
			select {
			case at := <-answered:
				whole = append(whole, at.Sub(begin))
			case <-time.After(20 * time.Second):
				b.Fatalf("%s does not answer", ip)
			}
			stop()
			ok(b, g.do("DELETE", "/v2.0/floatingips/"+made.FloatingIP.ID, nil, nil))
			await(b, 20*time.Second, "the agent has confirmed", func() error { return g.realised(map[string]int{"network": 2, "router": 1}) })
		}
		report(b, whole, posts)
	}
}

// pingFromOutside has the host outside ping an address every 5 ms, and returns a channel that gets the
// moment of the first answer.
func (g *gateway) pingFromOutside(b *testing.B, ip string) (answered <-chan time.Time, stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	cmd := g.lab.Internet(ctx, "ping", "-n", "-i", "0.005", ip)
	out, err := cmd.StdoutPipe()
	ok(b, err)
	ok(b, cmd.Start())
	first := make(chan time.Time, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "ttl=63 ") { // forwarded once: not the router's own answer
				select {
				case first <- time.Now():
				default:
				}
			}
		}
	}()
	return first, func() {
		cancel()
		_ = cmd.Wait() // killed
	}
}

// BenchmarkGatewayLost cuts the power of the gateway host that a router is on, beside another one, and
// measures until a ping from outside is answered again by a virtual machine with a floating IP.
//
//	away-s   from the loss until the first answer; an agent counts as lost after 15 s of silence
func BenchmarkGatewayLost(b *testing.B) {
	for range b.N {
		g := newGateway(b, lab.HostConfig{Name: "net2", Gateway: true})
		network, subnet, err := g.served("inside", "10.1.0.0/24")
		ok(b, err)
		router := must[string](b)(g.router("router", subnet))
		newAgent(b, g.server, g.lab.Host("net2"))
		p, vm := g.vm(b, "vm", network)
		ok(b, vm.PlugAs(b.Context(), p.ID))
		var made struct {
			FloatingIP struct {
				IP string `json:"floating_ip_address"`
			}
		}
		ok(b, g.post("/v2.0/floatingips", object{"floatingip": object{"floating_network_id": g.outside, "port_id": p.ID}}, &made))
		await(b, time.Minute, "all is as wanted", func() error { return g.realised(map[string]int{"network": 2, "router": 1, "floatingip": 1}) })
		var topology struct {
			Routers []struct{ ID, Host string }
		}
		ok(b, g.do("GET", "/v1/topology", nil, &topology))
		answered, stop := g.pingFromOutside(b, made.FloatingIP.IP)
		<-answered
		stop()
		for _, r := range topology.Routers {
			if r.ID == router {
				ok(b, g.lab.Host(r.Host).Kill())
			}
		}
		begin := time.Now()
		answered, stop = g.pingFromOutside(b, made.FloatingIP.IP)
		select {
		case at := <-answered:
			b.ReportMetric(at.Sub(begin).Seconds(), "away-s")
		case <-time.After(2 * time.Minute):
			b.Fatalf("%s does not answer any more", made.FloatingIP.IP)
		}
		stop()
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkPortToOffer measures from the POST of a port whose virtual machine is plugged at once until
// the DHCP server of its network, on another host, has answered its DISCOVER. The guest sends one every
// 5 ms.
//
//	median-ms, p90-ms   from sending the request
//	post-ms             … until its answer
func BenchmarkPortToOffer(b *testing.B) {
	for range b.N {
		g := newGateway(b)
		network, _, err := g.served("inside", "10.1.0.0/24")
		ok(b, err)
		awaitActive(b, g.server, 1)
		await(b, 20*time.Second, "the agent has confirmed", func() error { return g.realised(map[string]int{"network": 2}) })
		var whole, posts samples
		for i := range gatewayRounds {
			mac := fmt.Sprintf("fa:16:3e:99:00:%02x", i)
			vm := must[*lab.VM](b)(g.lab.PrepareVM(b.Context(), lab.VMConfig{Name: fmt.Sprint("vm", i), Host: g.lab.Hosts()[1].Name, MAC: mac}))
			begin := time.Now()
			p := must[port](b)(g.port(object{"network_id": network, "mac_address": mac}))
			posts = append(posts, time.Since(begin))
			ok(b, vm.PlugAs(b.Context(), p.ID))
			ip := must[net.IP](b)(offer(b.Context(), vm, mac))
			whole = append(whole, time.Since(begin))
			if ip.String() != p.Fixed[0].IP {
				b.Fatalf("offered %s, want %s", ip, p.Fixed[0].IP)
			}
		}
		report(b, whole, posts)
	}
}

// offer sends DISCOVER from a virtual machine until there is an offer, and returns the address offered.
func offer(ctx context.Context, vm *lab.VM, mac string) (net.IP, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	hw, err := net.ParseMAC(mac)
	if err != nil {
		return nil, err
	}
	var client *nclient4.Client
	if err := vm.Do(func() (err error) {
		client, err = nclient4.New("eth0", nclient4.WithHWAddr(hw), nclient4.WithTimeout(5*time.Millisecond), nclient4.WithRetry(6000))
		return err
	}); err != nil {
		return nil, err
	}
	defer client.Close()
	got, err := client.DiscoverOffer(ctx, dhcpv4.WithHwAddr(hw))
	if err != nil {
		return nil, fmt.Errorf("DHCP of %s: %w", vm.Name, err)
	}
	return got.YourIPAddr, nil
}

// vm makes a port and a virtual machine on the compute host that has its address, not plugged yet.
func (g *gateway) vm(b *testing.B, name, network string) (port, *lab.VM) {
	b.Helper()
	p := must[port](b)(g.port(object{"network_id": network}))
	cfg := lab.VMConfig{Name: name, Host: g.lab.Hosts()[1].Name, MAC: p.MAC}
	ip := must[netip.Prefix](b)(netip.ParsePrefix(p.Fixed[0].IP + "/24"))
	cfg.Addresses = append(cfg.Addresses, ip)
	cfg.Gateways = append(cfg.Gateways, ip.Masked().Addr().Next())
	return p, must[*lab.VM](b)(g.lab.PrepareVM(b.Context(), cfg))
}

func report(b *testing.B, whole, posts samples) {
	b.ReportMetric(millis(whole.median()), "median-ms")
	b.ReportMetric(millis(whole.percentile(90)), "p90-ms")
	b.ReportMetric(millis(posts.median()), "post-ms")
	b.ReportMetric(0, "ns/op")
}
