package nat_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/child"
	"github.com/heddle-sdn/heddle/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// lab is two routers on one external network, with machines behind them and one outside. All addresses
// behind the second router are also behind the first.
//
//	out 198.51.100.1 ── r1 198.51.100.2 ─┬─ 10.0.0.0/24: vm1 .11, vm2 .12
//	                 │                   └─ 10.0.1.0/24: vm3 .13
//	                 └─ r2 198.51.100.3 ─── 10.0.0.0/24: vm4 .11
type lab struct {
	t      testing.TB
	target *nat.Target
	want   map[string]site // by namespace
	told   []string        // what others had altered
}

const (
	r1 = "qrouter-1"
	r2 = "qrouter-2"
)

func newLab(t testing.TB) *lab {
	t.Helper()
	nstest.Need(t, "nft")
	if tt, ok := t.(*testing.T); ok {
		t.Cleanup(func() { goleak.VerifyNone(tt) })
	}
	l := &lab{t: t, want: map[string]site{r1: newSite("198.51.100.2"), r2: newSite("198.51.100.3")}}
	l.target = nat.NewTarget(nat.TargetConfig{Altered: func(namespace string, texts []string) {
		for _, text := range texts {
			l.told = append(l.told, namespace+": "+text)
		}
	}})
	nstest.Namespace(t, "wire")
	for _, br := range []string{"ext", "a", "b", "c"} {
		nstest.IP(t, "-n wire link add name br-%s type bridge", br)
		nstest.IP(t, "-n wire link set br-%s up", br)
	}
	l.machine("out", "ext", "198.51.100.1/24", "")
	l.router(r1, map[string]string{"qg-1": "ext 198.51.100.2/24", "qr-1": "a 10.0.0.1/24", "qr-2": "b 10.0.1.1/24"})
	l.router(r2, map[string]string{"qg-1": "ext 198.51.100.3/24", "qr-1": "c 10.0.0.1/24"})
	l.machine("vm1", "a", "10.0.0.11/24", "10.0.0.1")
	l.machine("vm2", "a", "10.0.0.12/24", "10.0.0.1")
	l.machine("vm3", "b", "10.0.1.13/24", "10.0.1.1")
	l.machine("vm4", "c", "10.0.0.11/24", "10.0.0.1")
	return l
}

func (l *lab) machine(name, bridge, address, gateway string) {
	l.t.Helper()
	nstest.Namespace(l.t, name)
	l.link(name, "eth0", bridge, address)
	if gateway != "" {
		nstest.IP(l.t, "-n %s route add default via %s", name, gateway)
	}
}

func (l *lab) router(name string, links map[string]string) {
	l.t.Helper()
	nstest.Namespace(l.t, name)
	for link, on := range links {
		bridge, address, _ := strings.Cut(on, " ")
		l.link(name, link, bridge, address)
	}
	l.run(name, "sysctl", "-qw", "net.ipv4.ip_forward=1")
	nstest.IP(l.t, "-n %s route add default via 198.51.100.1", name)
}

func (l *lab) link(ns, link, bridge, address string) {
	l.t.Helper()
	far := "p" + strings.TrimPrefix(ns, "qrouter-") + "-" + link
	nstest.Cable(l.t, ns, link, "wire", far)
	nstest.IP(l.t, "-n wire link set %s master br-%s", far, bridge)
	nstest.IP(l.t, "-n %s addr add %s dev %s", ns, address, link)
}

func (l *lab) run(ns string, args ...string) string {
	l.t.Helper()
	out, err := nstest.In(ns, args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%v in %s: %v: %s", args, ns, err, out)
	}
	return string(out)
}

// floatingIP gives an address to a machine behind a router, and puts it on the router's link.
func (l *lab) floatingIP(router, ip, fixed string) {
	s := l.want[router]
	s.floatingIP(ip, fixed)
	l.want[router] = s
	_ = exec.Command("ip", "-n", router, "addr", "add", ip+"/32", "dev", "qg-1").Run() // it may be there already
}

// takeAway takes a floating IP away; its address stays on the link, so that nothing but the table ends it.
func (l *lab) takeAway(router, ip string) {
	s := l.want[router]
	s.floatingIP(ip, "")
	l.want[router] = s
}

// pass makes one pass over the target and returns what it changed.
func (l *lab) pass() (reconcile.Change[string, nat.Table], error) {
	l.t.Helper()
	want := map[string]nat.Table{}
	for name, s := range l.want {
		inside := []string{"qr-1", "qr-2"}
		if name == r2 {
			inside = inside[:1]
		}
		if table, ok := l.target.Want(spec.Namespace{Name: name, NFT: nat.Rules(s.Model, s.router(), []string{"qg-1"}, inside)}); ok {
			want[name] = table
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	have, err := l.target.Actual(ctx)
	if err != nil {
		return reconcile.Change[string, nat.Table]{}, err
	}
	c := reconcile.Diff(want, have, l.target.Equal)
	return c, l.target.Apply(ctx, c)
}

// apply makes a pass, after which a second one must find nothing to do.
func (l *lab) apply() {
	l.t.Helper()
	if _, err := l.pass(); err != nil {
		l.t.Fatal(err)
	}
	if c, err := l.pass(); err != nil || !c.Empty() {
		l.t.Fatalf("a second pass changes %d tables: %v", c.Len(), err)
	}
}

// serve answers each line that comes to a TCP port of a machine with the machine's name and the address
// that it sees.
func (l *lab) serve(ns, address string) {
	l.t.Helper()
	var ln net.Listener
	err := child.InNamespace("/run/netns/"+ns, func() (err error) {
		ln, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	done := make(chan struct{})
	open := make(chan net.Conn, 1000)
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open <- c
			go echo(ns, c)
		}
	}()
	l.t.Cleanup(func() {
		ln.Close()
		<-done
		close(open)
		for c := range open {
			c.Close()
		}
	})
}

func echo(name string, c net.Conn) {
	from, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if _, err := fmt.Fprintf(c, "%s sees %s\n", name, from.Addr().Unmap().WithZone("")); err != nil {
			return
		}
	}
}

// serveUDP is serve for datagrams.
func (l *lab) serveUDP(ns, address string) {
	l.t.Helper()
	var conn net.PacketConn
	err := child.InNamespace("/run/netns/"+ns, func() (err error) {
		conn, err = net.ListenPacket("udp4", address)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 64); ; {
			_, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(to{conn, from}, "%s sees %s\n", ns, from.(*net.UDPAddr).IP)
		}
	}()
	l.t.Cleanup(func() { conn.Close(); <-done })
}

// to writes datagrams to one address.
type to struct {
	net.PacketConn
	addr net.Addr
}

func (t to) Write(b []byte) (int, error) { return t.WriteTo(b, t.addr) }

// dialUDP returns a session of datagrams, which has sent none yet; it ends with the test.
func (l *lab) dialUDP(ns, to string) *session {
	l.t.Helper()
	var c net.Conn
	err := child.InNamespace("/run/netns/"+ns, func() (err error) {
		c, err = net.Dial("udp4", to)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	return &session{c, bufio.NewReader(c)}
}

// session is a connection from a machine.
type session struct {
	net.Conn
	answers *bufio.Reader
}

// dial connects from a machine to an address; it ends with the test.
func (l *lab) dial(ns, to string) (*session, error) {
	var c net.Conn
	err := child.InNamespace("/run/netns/"+ns, func() (err error) {
		c, err = net.DialTimeout("tcp", to, 2*time.Second)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.t.Cleanup(func() { c.Close() })
	return &session{c, bufio.NewReader(c)}, nil
}

// ask sends a line and returns the answer.
func (s *session) ask(wait time.Duration) (string, error) {
	if err := s.SetDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(s, "who?\n"); err != nil {
		return "", err
	}
	line, err := s.answers.ReadString('\n')
	return strings.TrimSpace(line), err
}

// expect connects and says what the answer is.
func (l *lab) expect(ns, to, answer string) *session {
	l.t.Helper()
	s, err := l.dial(ns, to)
	if err != nil {
		l.t.Errorf("%s to %s: %v, want %q", ns, to, err, answer)
		return nil
	}
	l.alive(s, answer)
	return s
}

// alive expects an answer on a session.
func (l *lab) alive(s *session, answer string) {
	l.t.Helper()
	if got, err := s.ask(5 * time.Second); err != nil || got != answer {
		l.t.Errorf("session to %s: %q, %v; want %q", s.RemoteAddr(), got, err, answer)
	}
}

// dead expects that a session gets no answer any more.
func (l *lab) dead(s *session) {
	l.t.Helper()
	got, err := s.ask(500 * time.Millisecond)
	var op *net.OpError
	if err == nil || !errors.As(err, &op) && !errors.Is(err, io.EOF) {
		l.t.Errorf("session to %s goes on: %q, %v", s.RemoteAddr(), got, err)
	}
}

func (l *lab) refused(ns, to string) {
	l.t.Helper()
	if s, err := l.dial(ns, to); err == nil {
		got, err := s.ask(time.Second)
		l.t.Errorf("%s reaches %s: %q, %v", ns, to, got, err)
	}
}
