package dhcp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/nstest"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(keeperDir); dir != "" {
		keeper(dir)
		return
	}
	nstest.Main(m)
}

// host is a gateway host with a client that is cabled to each of its services.
type host struct {
	t       testing.TB
	dir     string
	servers *dhcp.Servers
	died    chan string
}

func newHost(t testing.TB) *host {
	t.Helper()
	nstest.Need(t, "dnsmasq", "udhcpc")
	h := &host{t: t, dir: openDir(t), died: make(chan string, 10)}
	h.open()
	t.Cleanup(func() {
		if _, err := h.pass(nil); err != nil {
			t.Errorf("remove servers: %v", err)
		}
		h.servers.Close()
		files, _ := os.ReadDir(h.dir)
		for _, f := range files {
			if f.IsDir() {
				t.Errorf("directory %s is left", f.Name())
			}
		}
	})
	return h
}

// openDir is a directory that every user may enter, unlike t.TempDir.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "dhcp")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (h *host) open() {
	h.t.Helper()
	s, err := dhcp.NewServers(dhcp.ServersConfig{Dir: h.dir, Logger: silent(), Died: func(name string, _ int) { h.died <- name }})
	if err != nil {
		h.t.Fatal(err)
	}
	h.servers = s
}

func silent() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

// plug makes the namespaces of a plan, each with a client "vm-<its name>" on eth0.
func (h *host) plug(namespaces map[string]spec.Namespace) {
	h.t.Helper()
	for name, ns := range namespaces {
		vm, link := "vm-"+name, ns.Links[0]
		nstest.Namespace(h.t, name)
		nstest.Namespace(h.t, vm)
		nstest.IP(h.t, "-n %s link add %s address %s mtu %d type veth peer name eth0 netns %s", name, link.Name, link.MAC, link.MTU, vm)
		for _, a := range link.Addresses {
			nstest.IP(h.t, "-n %s addr add %s dev %s nodad", name, a, link.Name)
		}
		nstest.IP(h.t, "-n %s link set %s up", name, link.Name)
		nstest.IP(h.t, "-n %s link set eth0 up", vm)
	}
}

// pass makes the servers as planned, once, and returns what had to change.
func (h *host) pass(namespaces map[string]spec.Namespace) (reconcile.Change[string, dhcp.Server], error) {
	have, err := h.servers.Actual(h.t.Context())
	if h.t.Context().Err() != nil { // in a cleanup
		have, err = h.servers.Actual(context.Background())
	}
	if err != nil {
		return reconcile.Change[string, dhcp.Server]{}, err
	}
	c := reconcile.Diff(h.servers.Wanted(namespaces), have, h.servers.Equal)
	return c, h.servers.Apply(context.Background(), c)
}

func (h *host) must(namespaces map[string]spec.Namespace) reconcile.Change[string, dhcp.Server] {
	h.t.Helper()
	c, err := h.pass(namespaces)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *host) pid(name string) int {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, name, "pid"))
	if err != nil {
		h.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		h.t.Fatal(err)
	}
	return pid
}

func (h *host) log(name string) string {
	text, _ := os.ReadFile(filepath.Join(h.dir, name, "log"))
	return string(text)
}

// lease asks for an address as a VM with a MAC address does, for a second at most, and returns what the
// client was told; nil if nobody answered.
func (h *host) lease(name, mac string, args ...string) map[string]string {
	h.t.Helper()
	vm := "vm-" + name
	nstest.IP(h.t, "-n %s link set eth0 down", vm)
	nstest.IP(h.t, "-n %s link set eth0 address %s", vm, mac)
	nstest.IP(h.t, "-n %s link set eth0 up", vm)
	return ask(h.t, vm, args...)
}

var script = sync.OnceValues(func() (string, error) {
	path := "/run/udhcpc.sh"
	return path, os.WriteFile(path, []byte("#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nexec env\n"), 0o755)
})

func ask(t testing.TB, vm string, args ...string) map[string]string {
	t.Helper()
	path, err := script()
	if err != nil {
		t.Fatal(err)
	}
	cmd := nstest.In(vm, append([]string{"udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "4", "-T", "1", "-A", "1", "-s", path,
		"-O", "mtu", "-O", "staticroutes", "-O", "msstaticroutes", "-O", "search", "-O", "tftp", "-O", "bootfile"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return nil
	}
	told := map[string]string{}
	for line := range strings.Lines(out.String()) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			told[k] = v
		}
	}
	return told
}

func (h *host) expect(got map[string]string, want ...string) {
	h.t.Helper()
	for i := 0; i < len(want); i += 2 {
		if got[want[i]] != want[i+1] {
			h.t.Errorf("%s is %q, want %q; all: %v", want[i], got[want[i]], want[i+1], got)
		}
	}
}

const net1 = "qdhcp-net1"

func TestLeaseHasEveryOption(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1", servers("9.9.9.9", "1.1.1.1"), hostRoutes("192.0.2.0/24 10.1.0.7")).dhcpPort("s4 10.1.0.2").
		port("p1", "", 1, []string{"s4 10.1.0.125"}).
		port("p2", "", 2, []string{"s4 10.1.0.210"}, func(p *model.Port) { p.DNSName = "db" }, extra(4, "dns-server", "8.8.8.8", "bootfile-name", "pxelinux.0", "nonsense", "x"))
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	h.must(ns)
	got := h.lease(net1, "fa:16:3e:00:00:01")
	h.expect(got, "ip", "10.1.0.125", "subnet", "255.255.255.0", "mtu", "1450", "dns", "9.9.9.9 1.1.1.1", "domain", "openstacklocal", "router", "10.1.0.1",
		"hostname", "host-10-1-0-125", "lease", "86400", "serverid", "10.1.0.2",
		"staticroutes", "192.0.2.0/24 10.1.0.7 169.254.169.254/32 10.1.0.2 0.0.0.0/0 10.1.0.1",
		"msstaticroutes", "192.0.2.0/24 10.1.0.7 169.254.169.254/32 10.1.0.2 0.0.0.0/0 10.1.0.1") // option 249
	got = h.lease(net1, "fa:16:3e:00:00:02")
	h.expect(got, "ip", "10.1.0.210", "hostname", "db", "dns", "8.8.8.8", "bootfile", "pxelinux.0", "router", "10.1.0.1")
	if got := h.lease(net1, "fa:16:3e:00:00:66"); got != nil {
		t.Errorf("a MAC address that nobody knows got %v", got)
	}
	if !strings.Contains(h.log(net1), "bad dhcp-option at line") {
		t.Errorf("log does not tell of the option that dnsmasq does not know:\n%s", h.log(net1))
	}
}

func TestChangeOfPortsKeepsTheProcess(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	h.must(ns)
	pid := h.pid(net1)
	h.expect(h.lease(net1, "fa:16:3e:00:00:01"), "ip", "10.1.0.5")

	s.port("p2", "", 2, []string{"s4 10.1.0.6"})
	h.must(plan(t, s.m, "gw1").Namespaces)
	h.expect(h.lease(net1, "fa:16:3e:00:00:02"), "ip", "10.1.0.6")

	// The address of a port that is gone goes to another at once, though its lease has a day to go.
	s.m = s.m.Without(must(s.m.Ports.Get("p1")))
	s.port("p3", "", 3, []string{"s4 10.1.0.5"})
	h.must(plan(t, s.m, "gw1").Namespaces)
	h.expect(h.lease(net1, "fa:16:3e:00:00:03"), "ip", "10.1.0.5")
	if got := h.lease(net1, "fa:16:3e:00:00:01"); got != nil {
		t.Errorf("a port that is gone got %v", got)
	}
	if h.pid(net1) != pid {
		t.Error("dnsmasq was restarted")
	}
	if c := h.must(plan(t, s.m, "gw1").Namespaces); !c.Empty() {
		t.Errorf("a second pass changes %+v", c)
	}
}

func TestChangeOfPortsWithExtraOptions(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2")
	h.plug(plan(t, s.m, "gw1").Namespaces)
	h.must(plan(t, s.m, "gw1").Namespaces)
	pid := h.pid(net1)
	for i, domain := range []string{"one.test", "two.test", "three.test"} {
		s.port("p1", "", 1, []string{"s4 10.1.0.5"}, extra(4, "domain-name", domain))
		s.port(model.ID(fmt.Sprint("q", i)), "", byte(10+i), []string{fmt.Sprint("s4 10.1.0.", 10+i)})
		h.must(plan(t, s.m, "gw1").Namespaces)
		h.expect(h.lease(net1, "fa:16:3e:00:00:01"), "ip", "10.1.0.5", "domain", domain)
		if c := h.must(plan(t, s.m, "gw1").Namespaces); !c.Empty() {
			t.Errorf("a second pass changes %+v", c)
		}
	}
	if h.pid(net1) != pid {
		t.Error("dnsmasq was restarted, or crashed")
	}
	// The next user of the address has no options of the one before.
	s.m = s.m.Without(must(s.m.Ports.Get("p1")))
	s.port("p2", "", 2, []string{"s4 10.1.0.5"})
	h.must(plan(t, s.m, "gw1").Namespaces)
	h.expect(h.lease(net1, "fa:16:3e:00:00:02"), "ip", "10.1.0.5", "domain", "openstacklocal")
}

func TestFilesAlteredByOthersAreRepaired(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	h.must(ns)
	pid := h.pid(net1)
	for name, damage := range map[string]func(path string) error{
		"emptied":              func(p string) error { return os.WriteFile(filepath.Join(p, "host"), nil, 0o644) },
		"deleted":              func(p string) error { return os.Remove(filepath.Join(p, "opts")) },
		"added":                func(p string) error { return os.WriteFile(filepath.Join(p, "more"), nil, 0o644) },
		"keeper_died_too_soon": func(p string) error { return os.WriteFile(filepath.Join(p, ".changed"), nil, 0o644) },
	} {
		if err := damage(filepath.Join(h.dir, net1)); err != nil {
			t.Fatal(err)
		}
		if c := h.must(ns); len(c.Update) != 1 {
			t.Errorf("%s: found %+v, want an update", name, c)
		}
		if c := h.must(ns); !c.Empty() {
			t.Errorf("%s: not repaired: %+v", name, c)
		}
	}
	h.expect(h.lease(net1, "fa:16:3e:00:00:01"), "ip", "10.1.0.5", "router", "10.1.0.1")
	if h.pid(net1) != pid {
		t.Error("dnsmasq was restarted")
	}
}

func TestKilledServerComesBackWithItsLeases(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	h.must(ns)
	h.expect(h.lease(net1, "fa:16:3e:00:00:01"), "ip", "10.1.0.5")
	pid := h.pid(net1)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case name := <-h.died:
		if name != net1 {
			t.Errorf("%s is said to be dead", name)
		}
	case <-time.After(2 * time.Second):
		t.Fatal("nobody noticed in 2 s")
	}
	c := h.must(ns)
	if len(c.Update) != 1 || h.pid(net1) == pid {
		t.Errorf("change %+v, process %d after %d", c, h.pid(net1), pid)
	}
	h.expect(h.lease(net1, "fa:16:3e:00:00:01", "-r", "10.1.0.5"), "ip", "10.1.0.5")
}

func TestDamagedServerIsReplaced(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	for name, damage := range map[string]func(pid int) error{
		"stopped": func(pid int) error {
			err := syscall.Kill(pid, syscall.SIGSTOP)
			await(t, "the process to stop", func() bool {
				text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
				return bytes.Contains(text, []byte(") T "))
			})
			return err
		},
		"pid_file_lost":  func(int) error { return os.Remove(filepath.Join(h.dir, net1, "pid")) },
		"directory_lost": func(int) error { return os.RemoveAll(filepath.Join(h.dir, net1)) },
		"pid_file_names_another": func(int) error {
			return os.WriteFile(filepath.Join(h.dir, net1, "pid"), []byte(strconv.Itoa(os.Getppid()+2)), 0o644)
		},
	} {
		h.must(ns)
		pid := h.pid(net1)
		if err := damage(pid); err != nil {
			t.Fatal(err)
		}
		if c := h.must(ns); c.Empty() {
			t.Errorf("%s: nothing found", name)
		}
		if c := h.must(ns); !c.Empty() {
			t.Errorf("%s: not repaired: %+v", name, c)
		}
		if err := syscall.Kill(pid, 0); err == nil && h.pid(net1) != pid {
			if state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); len(state) > 0 {
				t.Errorf("%s: the old process is still there", name)
			}
		}
		h.expect(h.lease(net1, "fa:16:3e:00:00:01"), "ip", "10.1.0.5")
	}
}

func TestServerOfAReplacedNamespaceMovesThere(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	h.must(ns)
	nstest.IP(t, "netns del %s", net1)
	nstest.IP(t, "netns del vm-%s", net1)
	if _, err := h.pass(ns); err == nil || !strings.Contains(err.Error(), net1+": start dnsmasq: open network namespace") {
		t.Errorf("without a namespace: %v", err)
	}
	h.plug(ns)
	h.must(ns)
	h.expect(h.lease(net1, "fa:16:3e:00:00:01"), "ip", "10.1.0.5")
}

func TestErrorHasWhatDnsmasqPrinted(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2")
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	ns[net1].DHCP.Args = append(ns[net1].DHCP.Args, "--dhcp-range=nonsense")
	_, err := h.pass(ns)
	if err == nil || !strings.Contains(err.Error(), "start dnsmasq: exit status 1") || !strings.Contains(err.Error(), "bad dhcp-range") {
		t.Errorf("error %v, want dnsmasq's words", err)
	}
}

func TestProcessesOfOthersAreLeftAlone(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2")
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	nstest.Namespace(t, "qdhcp-foreign")
	theirs := openDir(t)
	pidFile := filepath.Join(theirs, "qdhcp-foreign", "pid")
	if err := os.Mkdir(filepath.Dir(pidFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := nstest.In("qdhcp-foreign", "dnsmasq", "--conf-file=/dev/null", "--pid-file="+pidFile).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	h.must(ns)
	// A pid file of ours that names a stranger does not make it ours.
	if err := os.WriteFile(filepath.Join(h.dir, net1, "pid"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	h.must(ns)
	h.must(nil)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the process of somebody else is gone: %v", err)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2")
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	before := goleak.IgnoreCurrent()
	h.must(ns)
	h.servers.Close()
	goleak.VerifyNone(t, before)
	h.open()
	if c := h.must(ns); !c.Empty() {
		t.Errorf("the next keeper changes %+v", c)
	}
}

// keeperDir, in the environment, makes the test binary a keeper that serves net1 and then waits to be
// killed.
const keeperDir = "HEDDLE_DHCP_KEEPER"

func keeper(dir string) {
	s, err := dhcp.NewServers(dhcp.ServersConfig{Dir: dir, Logger: silent()})
	if err == nil {
		site := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
		planned, perr := spec.Plan(site.m, spec.Observed{}, "gw1", dhcp.Plan)
		if perr != nil {
			err = perr
		} else {
			err = s.Apply(context.Background(), reconcile.Change[string, dhcp.Server]{Add: s.Wanted(planned.Namespaces)})
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	select {}
}

func TestServerOfAKilledKeeperIsAdopted(t *testing.T) {
	h := newHost(t)
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), keeperDir+"="+h.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 200)
	n, _ := out.Read(line)
	if got := string(line[:n]); got != "ready\n" {
		t.Fatalf("keeper says %q", got)
	}
	pid := h.pid(net1)
	// The whole group, as systemd or a terminal would.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	h.expect(h.lease(net1, "fa:16:3e:00:00:01"), "ip", "10.1.0.5")
	if c := h.must(ns); !c.Empty() {
		t.Errorf("adoption changes %+v", c)
	}
	s.port("p2", "", 2, []string{"s4 10.1.0.6"})
	h.must(plan(t, s.m, "gw1").Namespaces)
	h.expect(h.lease(net1, "fa:16:3e:00:00:02"), "ip", "10.1.0.6")
	if h.pid(net1) != pid {
		t.Error("the server was restarted")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-h.died:
	case <-time.After(2 * time.Second):
		t.Error("the death of an adopted server was not noticed in 2 s")
	}
}

func TestStateDirectoryThatOthersMayNotEnter(t *testing.T) {
	h := newHost(t)
	h.servers.Close()
	if err := os.Chmod(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.open()
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2").port("p1", "", 1, []string{"s4 10.1.0.5"})
	ns := plan(t, s.m, "gw1").Namespaces
	h.plug(ns)
	h.must(ns)
	h.expect(h.lease(net1, "fa:16:3e:00:00:01"), "ip", "10.1.0.5")
}

// await waits for a condition, 5 s at most.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("no sign of %s in 5 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("not found")
	}
	return v
}
