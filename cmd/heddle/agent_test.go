package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/northbound/nodeapi"
	"github.com/heddle-sdn/heddle/store/model"

	"github.com/sirupsen/logrus"
)

// desk is the controller of a test: a spec that the test changes, and the last status.
type desk struct {
	mu      sync.Mutex
	node    spec.Node
	changed chan struct{}
	status  spec.NodeStatus
	reports int
}

func newDesk(host string) *desk {
	return &desk{node: spec.Node{Host: host, Rev: 1, Namespaces: map[string]spec.Namespace{}}, changed: make(chan struct{})}
}

func (d *desk) Spec(host string) (spec.Node, <-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if host != d.node.Host {
		return spec.Node{}, d.changed, nodeapi.ErrUnknownHost
	}
	return d.node, d.changed, nil
}

func (d *desk) Leases(string, []spec.Lease) error { return nil }

func (d *desk) Report(_ string, s spec.NodeStatus) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = s
	d.reports++
	return nil
}

// want makes namespaces those of the host.
func (d *desk) want(list ...spec.Namespace) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.node.Rev++
	d.node.Namespaces = map[string]spec.Namespace{}
	for _, ns := range list {
		ns.Rev = d.node.Rev
		d.node.Namespaces[ns.Name] = ns
	}
	close(d.changed)
	d.changed = make(chan struct{})
}

// realized reports whether the last status says that everything is in place, and nothing else there.
func (d *desk) realized() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.Rev != d.node.Rev || len(d.status.Objects) != len(d.node.Namespaces) {
		return false
	}
	for name, ns := range d.node.Namespaces {
		if o, ok := d.status.Objects[name]; !ok || o.Rev != ns.Rev || o.Error != "" || o.Removing {
			return false
		}
	}
	return true
}

func (d *desk) last() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := json.MarshalIndent(d.status, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (d *desk) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = spec.NodeStatus{}
}

// serve serves the node API until the test ends or the returned function is called.
func (d *desk) serve(t testing.TB, addr string) (url string, stop func()) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: nodeapi.New(nodeapi.Config{Specs: d, Reports: d, Auth: identity.NoAuth{}, Log: logrus.NewEntry(log)})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	stop = func() { _ = srv.Close(); <-done }
	t.Cleanup(stop)
	return "http://" + ln.Addr().String(), stop
}

// lan returns n namespaces with a link each on one subnet.
func lan(n int) []spec.Namespace {
	var out []spec.Namespace
	for i := range n {
		out = append(out, spec.Namespace{Name: fmt.Sprintf("qrouter-%d", i), Object: fmt.Sprintf("router/%d", i),
			Links: []spec.Link{{Name: "qr-1", Peer: fmt.Sprintf("tap%d", i), Port: model.ID(fmt.Sprintf("port%d", i)), MAC: of.MAC{0xfa, 0x16, 0x3e, 0, byte(i >> 8), byte(i)},
				MTU: 1450, Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i + 1)}), 16)}}},
			Routes:  []spec.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.255.1")}},
			Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}})
	}
	return out
}

// machine is a host of a lab with a br-int that forwards as a plain switch, and an agent.
type machine struct {
	*lab.Host
	t      testing.TB
	bin    string
	url    string
	state  string
	cmd    *exec.Cmd
	cancel context.CancelFunc
	log    bytes.Buffer
}

func newMachine(t testing.TB) (*machine, *desk, func()) {
	t.Helper()
	labtest.Skip(t)
	bin := filepath.Join(t.TempDir(), "heddle")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	l := labtest.Up(t, lab.Config{Hosts: lab.Hosts(1)})
	m := &machine{Host: l.Hosts()[0], t: t, bin: bin, state: t.TempDir()}
	if _, err := m.Vsctl(t.Context(), "add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev"); err != nil {
		t.Fatal(err)
	}
	d := newDesk("net1")
	url, stop := d.serve(t, net.JoinHostPort(l.Address().String(), "0"))
	m.url = url
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			t.Logf("log of the agent:\n%s\nits last status: %s", &m.log, d.last())
		}
	})
	return m, d, stop
}

func (m *machine) start() {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.cmd = m.Command(ctx, m.bin, "agent", "--server", m.url, "--host", "net1", "--state-dir", m.state)
	m.cmd.Stdout, m.cmd.Stderr = &m.log, &m.log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// kill ends the agent with SIGKILL.
func (m *machine) kill() {
	if m.cmd == nil {
		return
	}
	m.cancel()
	_ = m.cmd.Wait()
	m.cmd = nil
}

func (m *machine) sh(line string) string {
	m.t.Helper()
	out, err := m.Output(m.t.Context(), "sh", "-c", line)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

func await(t testing.TB, limit time.Duration, what string, done func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > limit {
			t.Fatalf("waited %s for %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

func TestAgentMakesKeepsAndRemoves(t *testing.T) {
	m, d, stop := newMachine(t)
	ns := lan(3)
	d.want(ns...)
	m.start()
	await(t, 20*time.Second, "all to be realized", d.realized)
	m.sh("ip netns exec qrouter-0 ping -c1 -W5 10.0.0.2")
	m.sh("ip netns exec qrouter-0 ping -c1 -W5 10.0.0.3")
	if got := m.sh("ovs-vsctl get Interface tap1 external_ids"); !strings.Contains(got, "iface-id=port1") || !strings.Contains(got, `attached-mac="fa:16:3e:00:00:01"`) {
		t.Errorf("external_ids of a port: %s", got)
	}
	if got := m.sh("nft list table netdev heddle-agent"); strings.Count(got, "policy drop") != 3 {
		t.Errorf("guards: %s", got)
	}
	// TCP works only if the sender completes its checksums itself.
	m.sh(`cd /tmp; ip netns exec qrouter-1 timeout 10 bash -c 'exec 3<>/dev/tcp/10.0.0.1/7' 2>&1 | grep -q refused`)

	t.Run("kill_9_and_start_changes_nothing", func(t *testing.T) {
		look := "stat -c %i /run/netns/*; ip -o link | cut -d: -f1-2; for n in /run/netns/*; do nsenter --net=$n ip -o link | cut -d: -f1-2; done; ovs-vsctl --columns=_uuid,name list Port"
		before := m.sh(look)
		m.kill()
		d.forget()
		m.start()
		await(t, 20*time.Second, "the new agent to find all as it is", d.realized)
		if after := m.sh(look); after != before {
			t.Errorf("changed:\n%s\nbefore:\n%s", after, before)
		}
	})
	t.Run("drift_is_repaired", func(t *testing.T) {
		for what, c := range map[string]struct{ damage, good string }{
			"route":     {"ip -n qrouter-0 route del default", "ip -n qrouter-0 route | grep -q '^default'"},
			"address":   {"ip -n qrouter-0 addr flush dev qr-1", "ip -n qrouter-0 addr show qr-1 | grep -q 10.0.0.1/16"},
			"link":      {"ip -n qrouter-0 link del qr-1", "ip netns exec qrouter-0 ping -c1 -W1 10.0.0.2"},
			"peer":      {"ip link del tap0", "ip netns exec qrouter-0 ping -c1 -W1 10.0.0.2"},
			"namespace": {"ip netns del qrouter-0", "ip netns exec qrouter-0 ping -c1 -W1 10.0.0.2"},
			"port":      {"ovs-vsctl del-port tap0", "ip netns exec qrouter-0 ping -c1 -W1 10.0.0.2"},
			"guard":     {"nft delete table netdev heddle-agent", "nft list chain netdev heddle-agent guard-tap0 | grep -q 'policy drop'"},
			"sysctl":    {"ip netns exec qrouter-0 sysctl -qw net.ipv4.ip_forward=0", "ip netns exec qrouter-0 sysctl net.ipv4.ip_forward | grep -q 1"},
		} {
			m.sh(c.damage)
			took := await(t, 10*time.Second, "repair of a "+what, func() bool { _, err := m.Output(t.Context(), "sh", "-c", c.good); return err == nil })
			t.Logf("%s repaired in %s", what, took.Round(time.Millisecond))
		}
		await(t, 10*time.Second, "repairs to be told", func() bool {
			return strings.Contains(d.last(), "put back route/0.0.0.0/0") && strings.Contains(d.last(), "port tap0")
		})
	})
	t.Run("reboot_without_controller", func(t *testing.T) {
		await(t, 10*time.Second, "all to be realized", d.realized)
		m.kill()
		stop()
		m.sh("for n in /run/netns/*; do ip netns del ${n##*/}; done; ovs-vsctl del-port tap0 -- del-port tap1 -- del-port tap2")
		await(t, 5*time.Second, "the kernel to forget", func() bool { return !strings.Contains(m.sh("ip -o link"), "tap") })
		m.start()
		await(t, 10*time.Second, "namespaces from the saved spec", func() bool {
			_, err := m.Output(t.Context(), "sh", "-c", "ip netns exec qrouter-0 ping -c1 -W1 10.0.0.3")
			return err == nil
		})
	})
	t.Run("what_is_not_wanted_goes", func(t *testing.T) {
		m.kill()
		d.serve(t, strings.TrimPrefix(m.url, "http://"))
		m.sh("ip netns add foreign; ovs-vsctl add-port br-int foreign0 -- set Interface foreign0 type=internal external_ids:iface-id=x")
		d.want(ns[1])
		if got := m.sh(m.bin + " agent gc --dry-run --state-dir " + m.state); !strings.Contains(got, "foreign") || strings.Count(got, "wanted") != 6 {
			t.Errorf("gc with the spec of before: %s", got)
		}
		m.start()
		await(t, 20*time.Second, "the rest to be gone", func() bool { return d.realized() && !strings.Contains(m.sh("ip -o link"), "tap2") })
		await(t, 10*time.Second, "namespaces to be gone", func() bool {
			return strings.Join(strings.Fields(m.sh("ls /run/netns")), " ") == "foreign qrouter-1"
		})
		await(t, 10*time.Second, "ports to be gone", func() bool {
			return strings.Join(strings.Fields(m.sh("ovs-vsctl list-ports br-int")), " ") == "foreign0 tap1"
		})
		await(t, 10*time.Second, "guards to be gone", func() bool { return strings.Count(m.sh("nft list table netdev heddle-agent"), "chain") == 1 })
	})
	t.Run("gc_removes_leftovers_only", func(t *testing.T) {
		if _, err := m.Output(t.Context(), m.bin, "agent", "gc", "--state-dir", m.state); err == nil {
			t.Error("gc works beside an agent")
		}
		m.kill()
		b, err := os.ReadFile(filepath.Join(m.state, "spec.json"))
		if err != nil {
			t.Fatal(err)
		}
		var n spec.Node
		if err := json.Unmarshal(b, &n); err != nil {
			t.Fatal(err)
		}
		n.Namespaces = map[string]spec.Namespace{}
		if b, err = json.Marshal(n); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(m.state, "spec.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := m.sh(m.bin + " agent gc --dry-run --state-dir " + m.state); strings.Count(got, "leftover") != 2 {
			t.Errorf("gc --dry-run: %s", got)
		}
		m.sh(m.bin + " agent gc --state-dir " + m.state)
		if got := m.sh("ls /run/netns; ovs-vsctl list-ports br-int"); strings.Join(strings.Fields(got), " ") != "foreign foreign0" {
			t.Errorf("left after gc: %s", got)
		}
	})
}

func TestAgentKilledAtAnyMomentConverges(t *testing.T) {
	m, d, _ := newMachine(t)
	for round := range 8 {
		n := 20
		if round%2 == 1 {
			n = 3 // most are to go
		}
		d.want(lan(n)...)
		for range 3 {
			m.start()
			time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
			m.kill()
		}
	}
	ns := lan(20)
	d.want(ns...)
	d.forget()
	m.start()
	await(t, 30*time.Second, "all to be realized", d.realized)
	if got := m.sh("ls /run/netns | wc -l; ovs-vsctl list-ports br-int | wc -l; ip -o link | grep -c 'tap.*qlen\\|tap.*alias'"); strings.Join(strings.Fields(got), " ") != "20 20 20" {
		t.Errorf("namespaces, ports, links: %s; want 20 of each", got)
	}
	m.sh("ip netns exec qrouter-0 ping -c1 -W5 10.0.0.20")
	d.want()
	await(t, 30*time.Second, "all to be gone", d.realized)
	await(t, 10*time.Second, "ports to be gone", func() bool { return strings.TrimSpace(m.sh("ovs-vsctl list-ports br-int; ls /run/netns")) == "" })
}
