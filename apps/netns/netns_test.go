package netns

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/nstest"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// router is a namespace with as many interfaces as asked for, and a gateway.
func router(name string, interfaces int) *spec.Namespace {
	ns := &spec.Namespace{Name: name, Object: "router/" + name, Rev: 1, Sysctls: map[string]string{
		"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}}
	ns.Links = append(ns.Links, spec.Link{Name: "qg-1", Peer: peer(name, 0), Port: "gw", MAC: of.MAC{0xfa, 0x16, 0x3e, 1, 0, 0}, MTU: 1500,
		Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.5/24"), netip.MustParsePrefix("203.0.113.9/32"), netip.MustParsePrefix("2001:db8::5/64")}})
	for i := range interfaces {
		ns.Links = append(ns.Links, spec.Link{Name: fmt.Sprintf("qr-%d", i), Peer: peer(name, i+1), Port: model.ID(fmt.Sprintf("if%d", i)),
			MAC: of.MAC{0xfa, 0x16, 0x3e, 2, byte(i >> 8), byte(i)}, MTU: 1450,
			Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 24)}})
	}
	ns.Routes = []spec.Route{
		{Destination: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("203.0.113.1")},
		{Destination: netip.MustParsePrefix("::/0"), Via: netip.MustParseAddr("2001:db8::1")},
	}
	if interfaces > 0 {
		ns.Routes = append(ns.Routes,
			spec.Route{Destination: netip.MustParsePrefix("192.168.7.0/24"), Via: netip.MustParseAddr("10.0.0.9")},
			spec.Route{Destination: netip.MustParsePrefix("198.51.100.0/24"), Link: "qr-0"},
			spec.Route{Destination: netip.MustParsePrefix("198.51.101.0/24"), Via: netip.MustParseAddr("172.16.0.1"), Link: "qr-0", Metric: 5})
	}
	return ns
}

func peer(name string, i int) string {
	sum := 0
	for _, c := range name {
		sum = sum*31 + int(c)
	}
	return fmt.Sprintf("tap%06x%03d", sum&0xffffff, i)
}

// open returns the host of the test, with nothing on it.
func open(t testing.TB) *Host {
	t.Helper()
	nstest.Need(t)
	log := logrus.New()
	log.SetOutput(testWriter{t})
	log.SetLevel(logrus.WarnLevel)
	h, err := Open(Config{Log: logrus.NewEntry(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		found, err := h.Namespaces(context.Background(), nil)
		if err != nil {
			t.Error(err)
		}
		for _, f := range found {
			if f.Ours {
				pass(t, h.Namespace(f.Name), nil)
			}
		}
		h.Close()
	})
	return h
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// pass is one pass of a loop; it returns what it changed.
func pass(t testing.TB, n *Target, ns *spec.Namespace) reconcile.Change[Path, Object] {
	t.Helper()
	c, err := tryPass(n, ns)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryPass(n *Target, ns *spec.Namespace) (reconcile.Change[Path, Object], error) {
	want, err := n.Want(ns)
	if err != nil {
		return reconcile.Change[Path, Object]{}, err
	}
	have, err := n.Actual(context.Background())
	if err != nil {
		return reconcile.Change[Path, Object]{}, err
	}
	c := reconcile.Diff(want, have, n.Equal)
	if c.Empty() {
		return c, nil
	}
	return c, n.Apply(context.Background(), c)
}

// settled fails the test unless the namespace is as wanted.
func settled(t testing.TB, n *Target, ns *spec.Namespace) {
	t.Helper()
	if c := pass(t, n, ns); !c.Empty() {
		t.Errorf("it is not as wanted: add %v, update %v, delete %v", c.Add, c.Update, c.Delete)
	}
}

// sh runs a command line and returns what it printed.
func sh(t testing.TB, line string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

func inode(t testing.TB, name string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(DefaultDir, name), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestNamespaceIsMadeAndStays(t *testing.T) {
	h := open(t)
	ns := router("qrouter-a", 3)
	n := h.Namespace(ns.Name)
	pass(t, n, ns)
	settled(t, n, ns)

	for _, c := range []struct{ cmd, want string }{
		{"ip -n qrouter-a -br addr show qr-0", "10.0.0.1/24"},
		{"ip -n qrouter-a -br addr show qg-1", "203.0.113.5/24 203.0.113.9/32 2001:db8::5/64"},
		{"ip -n qrouter-a link show qr-0", "mtu 1450"},
		{"ip -n qrouter-a link show qr-0", "fa:16:3e:02:00:00"},
		{"ip -n qrouter-a link show qr-0", "alias heddle:port/if0"},
		{"ip -n qrouter-a link show lo", "LOOPBACK,UP"},
		{"ip -n qrouter-a route show default", "default via 203.0.113.1 dev qg-1 proto 72"},
		{"ip -n qrouter-a route show 198.51.101.0/24", "via 172.16.0.1 dev qr-0 proto 72 metric 5 onlink"},
		{"ip -n qrouter-a -6 route show default", "default via 2001:db8::1 dev qg-1 proto 72 metric 1024"},
		{"ip -n qrouter-a route show 192.168.7.0/24", "via 10.0.0.9 dev qr-0"},
		{"ip netns exec qrouter-a sysctl net.ipv4.ip_forward", "= 1"},
		{"ip netns exec qrouter-a ethtool -k qr-0", "tx-checksumming: off"},
		{"ip link show " + peer("qrouter-a", 1), "UP"},
		{"sysctl net.ipv6.conf." + peer("qrouter-a", 1) + ".disable_ipv6", "= 1"},
	} {
		if got := sh(t, c.cmd); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s; want %q", c.cmd, got, c.want)
		}
	}
	if got := sh(t, "ip -n qrouter-a addr"); strings.Contains(got, "tentative") {
		t.Errorf("an address waits for duplicates to be found: %s", got)
	}

	// Another agent, which remembers nothing, finds it as it is.
	before := inode(t, ns.Name)
	links := sh(t, "ip -n qrouter-a -o link | cut -d: -f1-2")
	other := open(t)
	settled(t, other.Namespace(ns.Name), ns)
	if inode(t, ns.Name) != before || sh(t, "ip -n qrouter-a -o link | cut -d: -f1-2") != links {
		t.Error("the namespace was made anew")
	}

	pass(t, n, nil)
	if _, err := os.Stat(filepath.Join(DefaultDir, ns.Name)); !os.IsNotExist(err) {
		t.Errorf("the name after removal: %v", err)
	}
	if got := sh(t, "ip -o link"); strings.Contains(got, "tap") {
		t.Errorf("links after removal: %s", got)
	}
}

func TestDriftIsRepaired(t *testing.T) {
	h := open(t)
	ns := router("qrouter-b", 2)
	n := h.Namespace(ns.Name)
	pass(t, n, ns)
	tap := peer(ns.Name, 1)
	for name, damage := range map[string]string{
		"route_deleted":          "ip -n qrouter-b route del default",
		"route_changed":          "ip -n qrouter-b route replace default via 203.0.113.77 proto 72",
		"route_deleted_v6":       "ip -n qrouter-b -6 route del default",
		"onlink_route_deleted":   "ip -n qrouter-b route del 198.51.100.0/24",
		"route_of_ours_too_many": "ip -n qrouter-b route add 192.0.2.0/24 via 10.0.0.7 proto 72",
		"onlink_of_ours_added":   "ip -n qrouter-b route add 192.0.2.0/24 dev qr-0 proto 72",
		"address_deleted":        "ip -n qrouter-b addr del 10.0.0.1/24 dev qr-0",
		"address_added":          "ip -n qrouter-b addr add 10.9.9.9/24 dev qr-0",
		"addresses_flushed":      "ip -n qrouter-b addr flush dev qr-0",
		"link_deleted":           "ip -n qrouter-b link del qr-0",
		"peer_deleted":           "ip link del " + tap,
		"link_down":              "ip -n qrouter-b link set qr-0 down",
		"peer_down":              "ip link set down " + tap,
		"loopback_down":          "ip -n qrouter-b link set lo down",
		"mtu":                    "ip -n qrouter-b link set qr-0 mtu 1300",
		"peer_mtu":               "ip link set mtu 1300 " + tap,
		"mac":                    "ip -n qrouter-b link set qr-0 address 02:00:00:00:00:01",
		"checksums":              "ip netns exec qrouter-b ethtool -K qr-0 tx on",
		"sysctl":                 "ip netns exec qrouter-b sysctl -w net.ipv4.ip_forward=0",
		"peer_speaks":            "sysctl -w net.ipv6.conf." + tap + ".disable_ipv6=0",
		"namespace_deleted":      "ip netns del qrouter-b",
		"peer_renamed":           "ip link set " + tap + " name tapother",
		"peer_is_another":        "ip link set " + tap + " name tapother; ip link add " + tap + " group 1212499012 type bridge",
	} {
		t.Run(name, func(t *testing.T) {
			settled(t, n, ns)
			sh(t, damage)
			// What a link took along is found missing by the second pass.
			for range 3 {
				if c := pass(t, n, ns); c.Empty() {
					break
				}
			}
			settled(t, n, ns)
			if got := sh(t, "ip -n qrouter-b route show default"); !strings.Contains(got, "203.0.113.1 dev qg-1") {
				t.Errorf("default route: %s", got)
			}
		})
	}
}

func TestForeignThingsAreNotTouched(t *testing.T) {
	h := open(t)
	ns := router("qrouter-c", 1)
	n := h.Namespace(ns.Name)
	pass(t, n, ns)
	nstest.IP(t, "-n qrouter-c link add dummy0 type bridge")
	nstest.IP(t, "-n qrouter-c link set dummy0 up")
	nstest.IP(t, "-n qrouter-c addr add 172.20.0.1/16 dev dummy0")
	nstest.IP(t, "-n qrouter-c route add 192.0.2.0/24 via 172.20.0.2 proto static")
	settled(t, n, ns)
	if got := sh(t, "ip -n qrouter-c route; ip -n qrouter-c addr"); !strings.Contains(got, "192.0.2.0/24") || !strings.Contains(got, "172.20.0.1/16") {
		t.Errorf("what an operator made is gone: %s", got)
	}

	nstest.Namespace(t, "operators")
	f := h.Namespace("operators")
	if _, err := tryPass(f, nil); err == nil {
		t.Error("a foreign namespace was read as ours")
	}
	if _, err := tryPass(f, router("operators", 1)); err == nil || !strings.Contains(err.Error(), "not made by Heddle") {
		t.Errorf("a foreign namespace of a wanted name: %v", err)
	}
	if err := h.Remove("operators"); err == nil {
		t.Error("a foreign namespace was removed")
	}
	nstest.IP(t, "link add %s type bridge", peer("qrouter-d", 0))
	defer nstest.IP(t, "link del %s", peer("qrouter-d", 0))
	if _, err := tryPass(h.Namespace("qrouter-d"), router("qrouter-d", 0)); err == nil || !strings.Contains(err.Error(), "not made by Heddle") {
		t.Errorf("a peer of a taken name: %v", err)
	}
	found, err := h.Namespaces(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range found {
		got[f.Name] = f.Ours
	}
	if want := map[string]bool{"operators": false, "qrouter-c": true, "qrouter-d": true}; !maps.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestWhatACrashLeavesIsRecognised(t *testing.T) {
	h := open(t)
	ns := router("qrouter-e", 1)
	n := h.Namespace(ns.Name)
	file := filepath.Join(DefaultDir, ns.Name)
	crash := map[string]func(){
		"file_without_mount": func() {
			if err := h.placeFile(ns.Name, markPrefix+"router/x\n"); err != nil {
				t.Fatal(err)
			}
		},
		"namespace_without_links": func() {
			if err := h.create(ns.Name, "router/x"); err != nil {
				t.Fatal(err)
			}
		},
		"name_taken_off": func() {
			pass(t, n, ns)
			if err := unix.Unmount(file, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
		},
		"pair_down_and_bare": func() {
			await(t, "the kernel to remove the pairs of an ended namespace", func() bool { return !strings.Contains(sh(t, "ip -o link"), "tap") })
			if err := h.create(ns.Name, ns.Object); err != nil {
				t.Fatal(err)
			}
			fd, err := h.openNamed(ns.Name)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if err := h.look(fd, func(v *view) error {
				e := &editor{view: v, host: h, ns: fd}
				return e.sendVeth(Veth{Name: "qr-0", Peer: peer(ns.Name, 1), MAC: of.MAC{2}, MTU: 1400})
			}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, do := range crash {
		t.Run(name+"_and_wanted", func(t *testing.T) {
			do()
			for range 3 {
				_ = pass(t, n, ns)
			}
			settled(t, n, ns)
			pass(t, n, nil)
		})
		t.Run(name+"_and_not_wanted", func(t *testing.T) {
			do()
			found, err := h.Namespaces(t.Context(), nil)
			if err != nil || len(found) != 1 || !found[0].Ours {
				t.Fatalf("found %v, %v; want one of ours", found, err)
			}
			pass(t, n, nil)
			settled(t, n, nil)
			if _, err := os.Stat(file); !os.IsNotExist(err) {
				t.Errorf("the name: %v", err)
			}
		})
	}
}

// A process in a namespace keeps it alive without its name, and with it the names of its links.
func TestNamespaceThatAProcessKeepsAlive(t *testing.T) {
	h := open(t)
	ns := router("qrouter-f", 1)
	n := h.Namespace(ns.Name)
	pass(t, n, ns)
	sleep := nstest.In(ns.Name, "sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	await(t, "the process to be in the namespace", func() bool { return sh(t, "ip netns pids qrouter-f") != "" })
	sh(t, "umount -l /run/netns/qrouter-f; rm /run/netns/qrouter-f")
	for range 2 {
		pass(t, n, ns)
	}
	settled(t, n, ns)
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestBadRouteKeepsNothingElseFromBeingDone(t *testing.T) {
	h := open(t)
	ns := router("qrouter-g", 1)
	ns.Routes = append(ns.Routes, spec.Route{Destination: netip.MustParsePrefix("192.0.2.0/24"), Via: netip.MustParseAddr("172.31.9.9")})
	n := h.Namespace(ns.Name)
	if _, err := tryPass(n, ns); err == nil || !strings.Contains(err.Error(), "route to 192.0.2.0/24 via 172.31.9.9") {
		t.Errorf("error %v, want one about the route", err)
	}
	ns.Routes = ns.Routes[:len(ns.Routes)-1]
	settled(t, n, ns)
}

// A link that moves to another namespace of the host waits for the other to let go.
func TestPeerMovesBetweenNamespaces(t *testing.T) {
	h := open(t)
	a, b := router("qrouter-h", 0), router("qrouter-i", 0)
	b.Links[0].Peer = a.Links[0].Peer
	na, nb := h.Namespace(a.Name), h.Namespace(b.Name)
	pass(t, na, a)
	if _, err := tryPass(nb, b); err == nil || !strings.Contains(err.Error(), "still plugged into namespace qrouter-h") {
		t.Errorf("error %v, want that the link is in use", err)
	}
	pass(t, na, nil)
	for range 2 {
		pass(t, nb, b)
	}
	settled(t, nb, b)
}

func TestNewAddressIsAnnouncedOnceAndAgain(t *testing.T) {
	nstest.Need(t, "tcpdump")
	h := open(t)
	ns := router("qrouter-j", 0)
	n := h.Namespace(ns.Name)
	pass(t, n, ns)
	var out bytes.Buffer
	dump := exec.Command("tcpdump", "-i", ns.Links[0].Peer, "-nel", "--immediate-mode", "arp or icmp6[0]=136")
	dump.Stdout = &out
	stderr, err := dump.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dump.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stderr.Read(make([]byte, 200)); err != nil { // it says that it listens
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // tcpdump says so before it does
	ns.Links[0].Addresses = append(ns.Links[0].Addresses, netip.MustParsePrefix("203.0.113.77/32"), netip.MustParsePrefix("2001:db8::77/128"))
	pass(t, n, ns)
	for range 5 {
		pass(t, n, ns)
	}
	time.Sleep(announceGap + 500*time.Millisecond)
	_ = dump.Process.Signal(unix.SIGINT)
	_ = dump.Wait()
	for want, times := range map[string]int{
		"fa:16:3e:01:00:00 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 60: Request who-has 203.0.113.77 tell 203.0.113.77": 2,
		"2001:db8::77 > ff02::1: ICMP6, neighbor advertisement, tgt is 2001:db8::77":                                               2,
		"tell 203.0.113.5": 1, // the second time for an address that was new just before
	} {
		if got := strings.Count(out.String(), want); got != times {
			t.Errorf("%q is there %d times, want %d: %s", want, got, times, &out)
		}
	}
}

func TestNoThreadStaysInAWrongNamespace(t *testing.T) {
	h := open(t)
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	const loops, rounds = 8, 15
	for i := range loops {
		go func() {
			ns := router(fmt.Sprintf("qrouter-t%d", i), 2)
			n := h.Namespace(ns.Name)
			for range rounds {
				if _, err := tryPass(n, ns); err != nil {
					done <- err
					return
				}
				if _, err := tryPass(n, nil); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range loops {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	await(t, "all threads to be in the host's namespace", func() bool {
		tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			// A thread may end between the listing and the look.
			if ns, err := os.Readlink(task); err == nil && ns != own {
				return false
			}
		}
		return true
	})
}

func TestWatchTellsWhereAChangeWas(t *testing.T) {
	h := open(t)
	ns := router("qrouter-k", 1)
	n := h.Namespace(ns.Name)
	pass(t, n, ns)
	ctx, cancel := context.WithCancel(t.Context())
	names := make(chan string, 1000)
	done := make(chan error)
	go func() { done <- h.Watch(ctx, func(name string) { names <- name }) }()
	hear := func(what string, want string) {
		t.Helper()
		limit := time.After(5 * time.Second)
		for {
			select {
			case got := <-names:
				if got == want {
					return
				}
			case <-limit:
				t.Fatalf("nothing heard of %s", what)
			}
		}
	}
	// The first change may come before the watch began.
	limit := time.Now().Add(5 * time.Second)
	for heard := false; !heard && time.Now().Before(limit); {
		sh(t, "ip -n qrouter-k addr add 10.7.7.7/32 dev qr-0; ip -n qrouter-k addr del 10.7.7.7/32 dev qr-0")
		select {
		case <-names:
			heard = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	for what, line := range map[string]string{
		"an address": "ip -n qrouter-k addr add 10.7.7.7/32 dev qr-0",
		"a route":    "ip -n qrouter-k route add 10.8.0.0/16 via 10.0.0.9",
		"a link":     "ip -n qrouter-k link set qr-0 mtu 1400",
	} {
		time.Sleep(20 * time.Millisecond)
		for len(names) > 0 {
			<-names
		}
		sh(t, line)
		hear(what, "qrouter-k")
	}
	sh(t, "ip link set down "+peer(ns.Name, 1))
	hear("the host's end", "")
	for len(names) > 0 {
		<-names
	}
	sh(t, "ip netns del qrouter-k")
	hear("the end of the namespace", "qrouter-k")
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("Watch ended with %v", err)
	}
}
