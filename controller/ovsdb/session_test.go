package ovsdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/internal/tlsfiles"
	"github.com/heddle-sdn/heddle/internal/tlstest"
)

func TestHostJoinsWithSetManager(t *testing.T) {
	h := newHost(t)
	h.vsctl("set", "open", ".", "external_ids:hostname=cmp1", "external_ids:heddle-encap-ip=10.99.0.1", "ovs_version=3.1.0")
	target, sessions := listen(t, &Listener{})
	h.vsctl("set-manager", "tcp:"+target)
	s := receive(t, sessions)
	id := s.Identity()
	if id.Name != "cmp1" || id.EncapIP.String() != "10.99.0.1" || id.OVSVersion != "3.1.0" || len(id.Problems) != 0 {
		t.Errorf("identity %+v", id)
	}
	if !strings.HasPrefix(s.RemoteAddr(), "127.0.0.1:") || s.LocalAddr() != target {
		t.Errorf("remote %s, local %s", s.RemoteAddr(), s.LocalAddr())
	}
	// A handler gets the session after the manager was tuned.
	if m := s.State().Managers; len(m) != 1 || m[0].MaxBackoff != 1000 || m[0].InactivityProbe != 10000 {
		t.Errorf("managers %+v", m)
	}

	changed := s.Changed()
	h.vsctl("set", "open", ".", "external_ids:hostname=cmp2")
	select {
	case <-changed:
	case <-time.After(5 * time.Second):
		t.Fatal("no word of a change")
	}
	eventually(t, "new name", func() bool { return s.Identity().Name == "cmp2" })

	start := time.Now()
	s.Close()
	if !errors.Is(s.Err(), ErrClosed) {
		t.Errorf("error %v", s.Err())
	}
	receive(t, sessions)
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("host came back after %s", d)
	}
}

func TestOperatorsManagerTimingIsKept(t *testing.T) {
	h := newHost(t)
	target, sessions := listen(t, &Listener{})
	h.vsctl("set-manager", "tcp:"+target, "ptcp:0:127.0.0.1", "tcp:127.0.0.1:1", "--", "set", "manager", "tcp:127.0.0.1:1", "max_backoff=8000",
		"--", "set", "manager", "tcp:"+target, "inactivity_probe=7000")
	s := receive(t, sessions)
	for _, m := range s.State().Managers {
		want := Manager{InactivityProbe: -1, MaxBackoff: -1}
		switch m.Target {
		case "tcp:" + target:
			want = Manager{InactivityProbe: 7000, MaxBackoff: 1000}
		case "tcp:127.0.0.1:1":
			want.MaxBackoff = 8000
		}
		if m.InactivityProbe != want.InactivityProbe || m.MaxBackoff != want.MaxBackoff {
			t.Errorf("%s: probe %d, backoff %d", m.Target, m.InactivityProbe, m.MaxBackoff)
		}
	}
}

// freePort returns a loopback TCP port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

func TestDialerComesBackAfterTheDatabaseRestarts(t *testing.T) {
	port := freePort(t)
	h := newHost(t, "--remote=ptcp:"+port+":127.0.0.1")
	h.vsctl("set", "open", ".", "external_ids:system-id=abc")
	ctx, cancel := context.WithCancel(t.Context())
	sessions := make(chan *Session, 8)
	done := make(chan error)
	d := &Dialer{Target: "tcp:127.0.0.1:" + port, MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond, Log: quiet()}
	go func() {
		done <- d.Run(ctx, func(ctx context.Context, s *Session) {
			sessions <- s
			<-ctx.Done() // ends with the session
		})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	s := receive(t, sessions)
	want := fabric("10.99.0.1", "10.99.0.2")
	converge(t, s, want...)
	h.stopServer()
	<-s.Done()
	if s.Err() == nil {
		t.Error("no error after the database went away")
	}
	if _, err := s.Actual(t.Context()); err == nil {
		t.Error("Actual knows what a host has that is gone")
	}
	if err := s.Apply(t.Context(), writeAll(want)); err == nil {
		t.Error("Apply reached a host that is gone")
	}
	if s.State().Bridge("br-int") == nil || s.Identity().Name != "abc" {
		t.Error("last state is lost")
	}
	h.startServer()
	s = receive(t, sessions)
	if c := difference(t, s, want...); !c.Empty() {
		t.Errorf("rows did not survive: %+v", c)
	}
}

func TestUnusableTargetIsAnErrorAtOnce(t *testing.T) {
	for _, target := range []string{"", "tcp", "tcp:", "tcp:[::1", "udp:127.0.0.1:1", "ssl:127.0.0.1:6640", "ptcp:6640", "unix:", "tcp::6640"} {
		if err := (&Dialer{Target: target, Log: quiet()}).Run(t.Context(), nil); err == nil {
			t.Errorf("%q is accepted", target)
		}
	}
	for target, want := range map[string]string{
		"tcp:10.0.0.1": "10.0.0.1:6640", "tcp:[::1]": "[::1]:6640", "ssl:h:1": "h:1", "tcp:[fe80::1%eth0]:5": "[fe80::1%eth0]:5", "unix:/a b": "/a b",
	} {
		if _, address, _, err := ParseTarget(target); err != nil || address != want {
			t.Errorf("%s is %q, %v", target, address, err)
		}
	}
}

// relay passes bytes between a host and a listener until it is cut: then both ends stay open and hear nothing.
type relay struct {
	ln  net.Listener
	mu  sync.Mutex
	cut bool
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{ln: ln}
	var wg sync.WaitGroup
	var conns []net.Conn
	wg.Go(func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			r.mu.Lock()
			conns = append(conns, a, b)
			r.mu.Unlock()
			for _, p := range [][2]net.Conn{{a, b}, {b, a}} {
				wg.Go(func() { r.pump(p[0], p[1]) })
			}
		}
	})
	t.Cleanup(func() {
		ln.Close()
		r.mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		r.mu.Unlock()
		wg.Wait()
	})
	return r
}

func (r *relay) pump(from, to net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		r.mu.Lock()
		cut := r.cut
		r.mu.Unlock()
		if err != nil {
			if !cut {
				to.Close()
			}
			return
		}
		if !cut {
			to.Write(buf[:n])
		}
	}
}

func TestSilentHostIsNoticed(t *testing.T) {
	h := newHost(t)
	target, sessions := listen(t, &Listener{Options: Options{Probe: 60 * time.Millisecond}})
	r := newRelay(t, target)
	h.vsctl("set-manager", "tcp:"+r.ln.Addr().String())
	s := receive(t, sessions)
	select {
	case <-s.Done():
		t.Fatalf("ended though the host answers echoes: %v", s.Err())
	case <-time.After(500 * time.Millisecond):
	}
	r.mu.Lock()
	r.cut = true
	r.mu.Unlock()
	start := time.Now()
	<-s.Done()
	if d := time.Since(start); !errors.Is(s.Err(), ErrSilent) || d > 2*time.Second {
		t.Errorf("%v after %s", s.Err(), d)
	}
}

func TestTLSBothWays(t *testing.T) {
	dir := t.TempDir()
	ca := tlstest.NewCA(t, "test CA")
	files := ca.Write(t, dir, "both")
	server, err := tlsfiles.Server(files.Cert, files.Key, files.CA)
	if err != nil {
		t.Fatal(err)
	}
	client, err := tlsfiles.Client(files.Cert, files.Key, files.CA)
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"--private-key=" + files.Key, "--certificate=" + files.Cert, "--ca-cert=" + files.CA}
	port := freePort(t)
	h := newHost(t, append(keys, "--remote=pssl:"+port+":127.0.0.1")...)

	t.Run("host_dials", func(t *testing.T) {
		target, sessions := listen(t, &Listener{TLS: server})
		h.vsctl("set-manager", "ssl:"+target)
		converge(t, receive(t, sessions), fabric("10.99.0.1", "10.99.0.2")...)
		plain, err := net.Dial("tcp", target)
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		plain.Write([]byte(`{"method":"echo","params":[],"id":1}`))
		plain.SetReadDeadline(time.Now().Add(5 * time.Second))
		buf := make([]byte, 100)
		if n, err := plain.Read(buf); err == nil && buf[0] == '{' {
			t.Errorf("plain text is answered: %s", buf[:n])
		}
		h.vsctl("del-manager")
	})
	for _, c := range []struct {
		name string
		tls  *tls.Config
		ok   bool
	}{{"host_listens", client, true}, {"host_refuses_a_stranger", stranger(t), false}} {
		t.Run(c.name, func(t *testing.T) {
			d := &Dialer{TLS: c.tls, Options: Options{Setup: 3 * time.Second}}
			s, err := d.dial(t.Context(), "tcp", "127.0.0.1:"+port, true)
			if (err == nil) != c.ok {
				t.Errorf("error %v", err)
			}
			if s != nil {
				s.Close()
			}
		})
	}
}

// stranger returns the configuration of a client whose certificate is of another authority.
func stranger(t *testing.T) *tls.Config {
	files := tlstest.NewCA(t, "other CA").Write(t, t.TempDir(), "stranger")
	cfg, err := tlsfiles.Client(files.Cert, files.Key, files.CA)
	if err != nil {
		t.Fatal(err)
	}
	cfg.VerifyConnection = nil // it takes the host for what it is not
	return cfg
}

func TestStateIsNeverHalfOfATransaction(t *testing.T) {
	h := newHost(t)
	h.vsctl("add-br", "br0", "--", "add-port", "br0", "p1")
	reader, writer := h.dial(), h.dial()
	st := writer.State()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			v := mapOf(map[string]string{"n": strconv.Itoa(i)})
			ops := []operation{
				update(tableBridge, st.Bridge("br0").UUID, map[string]any{"external_ids": v}),
				update(tablePort, st.Port("p1").UUID, map[string]any{"external_ids": v}),
				update(tableInterface, st.Interface("p1").UUID, map[string]any{"external_ids": v}),
			}
			if err := writer.transact(ctx, ops); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	seen := map[string]bool{}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		s := reader.State()
		b, p, i := s.Bridge("br0").ExternalIDs["n"], s.Port("p1").ExternalIDs["n"], s.Interface("p1").ExternalIDs["n"]
		if b != p || p != i {
			t.Errorf("bridge %s, port %s, interface %s", b, p, i)
			break
		}
		seen[b] = true
	}
	cancel()
	wg.Wait()
	if len(seen) < 10 {
		t.Errorf("only %d states seen", len(seen))
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	converge(t, s, fabric("10.99.0.1", "10.99.0.2")...)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := 0; s.Err() == nil; n++ {
				local := fmt.Sprintf("10.99.1.%d", (n+i)%200+1)
				// Errors are what this test makes.
				_ = s.Apply(context.Background(), writeAll(fabric(local, "10.99.0.2")))
			}
		})
	}
	wg.Go(func() {
		for s.Err() == nil {
			<-s.Changed()
			s.State()
		}
	})
	eventually(t, "writes", func() bool { return s.State().Interface("gre-0a630002").Options["local_ip"] != "10.99.0.1" })
	s.Close()
	wg.Wait()
}

// writeAll is a change that writes all rows.
func writeAll(want []row.Row) change { return change{Update: row.Map(want...)} }
