package dhcp_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/internal/nstest"
)

// lease6 asks for an IPv6 address as a VM with a MAC address does, and returns what the client was told;
// nil if it got no answer in the time given.
func (h *host) lease6(name, mac string, args ...string) map[string]string {
	h.t.Helper()
	vm, dir := "vm-"+name, h.t.TempDir()
	nstest.IP(h.t, "-n %s link set eth0 down", vm)
	nstest.IP(h.t, "-n %s link set eth0 address %s", vm, mac)
	nstest.IP(h.t, "-n %s link set eth0 up", vm)
	h.await6(vm, "inet6 fe80", "addr", "show", "dev", "eth0", "-tentative")
	told := filepath.Join(dir, "told")
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncase $reason in BOUND6|RENEW6) env > "+told+";; esac\n"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	pidFile := filepath.Join(dir, "pid")
	cmd := nstest.In(vm, append([]string{"timeout", "6", "dhclient", "-6", "-1", "-D", "LL", "-sf", script, "-cf", "/dev/null",
		"-lf", filepath.Join(dir, "leases"), "-pf", pidFile}, append(args, "eth0")...)...)
	err := cmd.Run()
	if text, err := os.ReadFile(pidFile); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // without giving the lease back
		}
	}
	if err != nil {
		return nil
	}
	text, err := os.ReadFile(told)
	if err != nil {
		return nil
	}
	got := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			got[k] = v
		}
	}
	return got
}

// await6 waits until ip -6 tells a text of a namespace.
func (h *host) await6(ns, want string, show ...string) {
	h.t.Helper()
	var out []byte
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		out, _ = exec.Command("ip", append([]string{"-n", ns, "-6"}, show...)...).Output()
		if strings.Contains(string(out), want) {
			return
		}
	}
	h.t.Fatalf("%s: no %q in 10 s:\n%s", ns, want, out)
}

func TestStatefulIPv6(t *testing.T) {
	h := newHost(t)
	nstest.Need(t, "dhclient")
	s := newSite().subnet("s6", "fd00:1::/64", "fd00:1::1", modes("dhcpv6-stateful", "dhcpv6-stateful"), servers("fd00::53")).dhcpPort("s6 fd00:1::2").
		port("p1", "", 1, []string{"s6 fd00:1::5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	h.must(ns)
	h.expect(h.lease6(net1, "fa:16:3e:00:00:01"), "new_ip6_address", "fd00:1::5", "new_dhcp6_name_servers", "fd00::53", "new_dhcp6_domain_search", "openstacklocal.")
	await(t, "the advertised MTU", func() bool {
		out, _ := nstest.In("vm-"+net1, "cat", "/proc/sys/net/ipv6/conf/eth0/mtu").Output()
		return string(out) == "1450\n"
	})
	if out, _ := exec.Command("ip", "-n", "vm-"+net1, "-6", "route", "show", "default").Output(); len(out) > 0 {
		t.Errorf("without a router there is a default route: %s", out)
	}
	if got := h.lease6(net1, "fa:16:3e:00:00:66"); got != nil {
		t.Errorf("a MAC address that nobody knows got %v", got)
	}
	pid := h.pid(net1)
	s.m = s.m.Without(must(s.m.Ports.Get("p1")))
	s.port("p2", "", 2, []string{"s6 fd00:1::5"})
	h.must(plan(t, s.m, "gw1").Namespaces)
	h.expect(h.lease6(net1, "fa:16:3e:00:00:02"), "new_ip6_address", "fd00:1::5")
	if h.pid(net1) != pid {
		t.Error("dnsmasq was restarted")
	}
}

func TestExtraOptionsOfIPv6(t *testing.T) {
	for mode, how := range map[string]struct {
		ip   string
		args []string
	}{
		"dhcpv6-stateful":  {ip: "fd00:1::5"},
		"dhcpv6-stateless": {ip: "fd00:1::f816:3eff:fe00:1", args: []string{"-S"}},
	} {
		t.Run(mode, func(t *testing.T) {
			h := newHost(t)
			nstest.Need(t, "dhclient")
			s := newSite().subnet("s6", "fd00:1::/64", "fd00:1::1", modes(mode, mode), servers("fd00::53")).dhcpPort("s6 fd00:1::2")
			h.plug(plan(t, s.m, "gw1").Namespaces)
			h.must(plan(t, s.m, "gw1").Namespaces)
			pid := h.pid(net1)
			for _, server := range []string{"fd00::54", "fd00::55"} {
				s.port("p1", "", 1, []string{"s6 " + how.ip}, extra(6, "dns-server", server))
				h.must(plan(t, s.m, "gw1").Namespaces)
				h.expect(h.lease6(net1, "fa:16:3e:00:00:01", how.args...), "new_dhcp6_name_servers", server)
			}
			if h.pid(net1) != pid {
				t.Error("dnsmasq was restarted, or crashed")
			}
		})
	}
}

func TestIPv6WithoutRouter(t *testing.T) {
	for mode, wants := range map[string][]string{"slaac": nil, "dhcpv6-stateless": {"new_dhcp6_name_servers", "fd00::53"}} {
		t.Run(mode, func(t *testing.T) {
			h := newHost(t)
			nstest.Need(t, "dhclient")
			s := newSite().subnet("s6", "fd00:1::/64", "fd00:1::1", modes(mode, mode), servers("fd00::53")).dhcpPort("s6 fd00:1::f816:3eff:fe00:dd").
				port("p1", "", 1, []string{"s6 fd00:1::f816:3eff:fe00:1"})
			ns := plan(t, s.m, "gw1").Namespaces
			h.plug(ns)
			nstest.IP(t, "-n vm-%s link set eth0 address fa:16:3e:00:00:01", net1)
			h.must(ns)
			h.await6("vm-"+net1, "inet6 fd00:1::f816:3eff:fe00:1/64", "addr", "show", "dev", "eth0")
			if wants != nil {
				h.expect(h.lease6(net1, "fa:16:3e:00:00:01", "-S"), wants...)
			}
		})
	}
}

func TestServiceThatMovesKnowsItsHosts(t *testing.T) {
	// Two gateway hosts; the network's service moves from one to the other, and a VM that renews is not
	// refused by a server that never saw it.
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	h.must(ns)
	script := "/run/udhcpc-renew.sh"
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho $1 $ip\n[ $1 = bound ] && ip addr add $ip/24 dev eth0\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	nstest.IP(t, "-n vm-%s link set eth0 address fa:16:3e:00:00:01", net1)
	cmd := nstest.In("vm-"+net1, "udhcpc", "-i", "eth0", "-f", "-s", script)
	var out lockedBuffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	await(t, "a lease", func() bool { return strings.Contains(out.String(), "bound 10.1.0.5") })
	h.must(nil) // with all its files
	h.must(ns)
	if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil { // renew
		t.Fatal(err)
	}
	await(t, "a renewal", func() bool { return strings.Contains(out.String(), "renew 10.1.0.5") })
	if strings.Contains(out.String(), "nak") {
		t.Errorf("the client was refused:\n%s", out.String())
	}
}

// lockedBuffer is a buffer that a command writes and a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
