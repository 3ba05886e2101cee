package ofconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/ofconn/fakeswitch"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// plug connects a fake switch to addr until the test ends, and again whenever
// the connection ends if again is true.
func plug(t testing.TB, sw *fakeswitch.Switch, addr string, again bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			_ = sw.Dial(ctx, addr) // how it ends is what the tests look at from the other end
			if !again || ctx.Err() != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		receive(t, "end of the fake switch", done)
	})
}

// connected is a fake switch with a session to it.
func connected(t testing.TB, o fakeswitch.Options, cfg ofconn.Config) (*fakeswitch.Switch, *ofconn.Session) {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log, _ = testLog(t)
	}
	addr, sessions := listen(t, cfg)
	sw := fakeswitch.New(o)
	plug(t, sw, addr, false)
	return sw, receive(t, "session", sessions)
}

// The same tests pass with a real Open vSwitch: what the fake enforces is what
// that does.
func TestFakeBehavesAsOVS(t *testing.T) {
	_, s := connected(t, fakeswitch.Options{DPID: 0xa1, Ports: []of.Port{{No: 1, Name: "p1"}, {No: 2, Name: "p2"}}}, ofconn.Config{})
	if ports := s.Ports(); s.DPID() != 0xa1 || len(ports) != 3 || ports["br0"].No != of.PortLocal {
		t.Errorf("datapath id %v, ports %v", s.DPID(), ports)
	}
	t.Run("commit_dump_delete", func(t *testing.T) { testCommit(t, s) })
	t.Run("refused_flow_changes_nothing", func(t *testing.T) { testRefused(t, s) })
	t.Run("stale_role_is_refused", func(t *testing.T) { testRole(t, s) })
	t.Run("groups_meters", func(t *testing.T) { testGroupsMeters(t, s) })
}

func TestPortsFollowStatus(t *testing.T) {
	ev := newEvents()
	sw, s := connected(t, fakeswitch.Options{Ports: []of.Port{{No: 1, Name: "p1"}}}, ofconn.Config{Handler: ev})
	before := s.Ports()
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"added", func() { sw.SetPort(of.Port{No: 2, Name: "p2"}) }, "br0 p1 p2"},
		{"renamed", func() { sw.SetPort(of.Port{No: 2, Name: "p9"}) }, "br0 p1 p9"},
		{"deleted", func() { sw.RemovePort(1) }, "br0 p9"},
	} {
		changed := s.PortsChanged()
		step.do()
		receive(t, "change", changed)
		receive(t, "event", ev.ports)
		if got := names(s.Ports()); got != step.want {
			t.Errorf("%s: ports %q, want %q", step.name, got, step.want)
		}
	}
	if names(before) != "br0 p1" {
		t.Errorf("a snapshot changed to %q", names(before))
	}
}

func names(ports map[string]of.Port) string {
	var out []string
	for _, n := range []string{"br0", "p1", "p2", "p9"} {
		if _, ok := ports[n]; ok {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}

func TestMonitorTellsAddChangeDelete(t *testing.T) {
	ctx := testContext(t)
	sw, s := connected(t, fakeswitch.Options{}, ofconn.Config{})
	// More flows than fit into one part, so that the initial answer has several.
	if err := s.Commit(ctx, ofconn.Change{Add: packed(t, 250)}); err != nil {
		t.Fatal(err)
	}
	updates := make(chan wire.MonitorUpdate, 1000)
	if err := s.Watch(ctx, ofconn.Monitor{Table: 20}, func(u wire.MonitorUpdate) { updates <- u }); err != nil {
		t.Fatal(err)
	}
	if len(updates) != 250 {
		t.Errorf("%d flows told at the start, want 250 before Watch returns", len(updates))
	}
	for range 250 {
		<-updates
	}
	f := unicast(1)
	f.Actions = []of.Action{of.Output{Port: 3}}
	other := of.Flow{Table: 21}
	for _, m := range []wire.FlowMod{
		{Command: wire.Add, Flow: f}, {Command: wire.Add, Flow: other}, {Command: wire.DeleteStrict, Flow: f},
	} {
		if err := sw.Apply(m); err != nil {
			t.Fatal(err)
		}
	}
	if u := receive(t, "update", updates); u.Event != wire.MonitorModified {
		t.Errorf("changed flow: %v", u.Event)
	}
	if u := receive(t, "update", updates); u.Event != wire.MonitorDeleted || u.Reason != wire.RemovedDelete || u.Table != 20 {
		t.Errorf("deleted flow: %v table %d", u.Event, u.Table)
	}
	if err := s.Commit(ctx, ofconn.Change{Delete: []of.Key{pack(t, unicast(2)).Key}}); err != nil {
		t.Fatal(err)
	}
	if u := receive(t, "update", updates); u.Event != wire.MonitorAbbrev {
		t.Errorf("our own change: %v, want it abbreviated", u.Event)
	}
}

func TestNoMonitorIsAnErrorOfItsOwn(t *testing.T) {
	_, s := connected(t, fakeswitch.Options{NoMonitor: true}, ofconn.Config{})
	err := s.Watch(testContext(t), ofconn.Monitor{Table: of.TableAll}, func(wire.MonitorUpdate) {})
	if !errors.Is(err, ofconn.ErrNoMonitor) {
		t.Errorf("watch: %v, want ErrNoMonitor", err)
	}
}

// Two masters: the one with the newer generation wins and fences the other.
func TestNewerGenerationFencesTheOlder(t *testing.T) {
	ctx := testContext(t)
	log, _ := testLog(t)
	addr, sessions := listen(t, ofconn.Config{Log: log})
	sw := fakeswitch.New(fakeswitch.Options{})
	plug(t, sw, addr, false)
	old := receive(t, "session", sessions)
	plug(t, sw, addr, false)
	young := receive(t, "session", sessions)
	if err := old.Role(ctx, true, 1); err != nil {
		t.Fatal(err)
	}
	if err := young.Role(ctx, true, 2); err != nil {
		t.Fatal(err)
	}
	var refused *ofconn.RefusedError
	if err := old.Commit(ctx, ofconn.Change{Add: packed(t, 1)}); !errors.As(err, &refused) {
		t.Errorf("the old master's change: %v, want a refusal", err)
	}
	if err := old.Role(ctx, true, 1); !errors.Is(err, ofconn.ErrStaleRole) {
		t.Errorf("the old master's role: %v, want ErrStaleRole", err)
	}
	if err := young.Commit(ctx, ofconn.Change{Add: packed(t, 1)}); err != nil {
		t.Errorf("the new master's change: %v", err)
	}
}

func TestHelloVersions(t *testing.T) {
	for _, c := range []struct {
		name string
		opts fakeswitch.Options
		log  string // in the line that says why; empty if the session must come up
	}{
		{"only_1.3", fakeswitch.Options{Versions: 1 << 4}, ""},
		{"1.0_to_1.5", fakeswitch.Options{Versions: 0x7e}, ""},
		{"1.0_and_1.4", fakeswitch.Options{Versions: 1<<1 | 1<<5}, "offers 1.0, 1.4"},
		{"only_1.5", fakeswitch.Options{Versions: 1 << 6}, "offers 1.5"},
		{"1.3_without_bitmap", fakeswitch.Options{Versions: 1 << 4, NoBitmap: true}, ""},
		{"1.4_without_bitmap", fakeswitch.Options{Versions: 1<<4 | 1<<5, NoBitmap: true}, ""},
		{"1.0_without_bitmap", fakeswitch.Options{Versions: 1 << 1, NoBitmap: true}, "offers 1.0 or older"},
		{"unknown_version", fakeswitch.Options{Versions: 1 << 31}, "offers version 0x1f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, lines := testLog(t)
			addr, sessions := listen(t, ofconn.Config{Log: log})
			plug(t, fakeswitch.New(c.opts), addr, false)
			if c.log == "" {
				receive(t, "session", sessions)
				return
			}
			expectLog(t, lines, c.log)
		})
	}
}

// expectLog waits for a line with the text in its message or error.
func expectLog(t testing.TB, lines <-chan *logrus.Entry, text string) {
	t.Helper()
	var seen []string
	timeout := time.After(patience)
	for {
		select {
		case e := <-lines:
			line := fmt.Sprint(e.Message, " ", e.Data)
			if strings.Contains(line, text) {
				return
			}
			seen = append(seen, line)
		case <-timeout:
			t.Fatalf("no log line with %q, only %q", text, seen)
		}
	}
}

// A peer that cannot speak 1.3 is told so, in its own version.
func TestHelloFailedIsSent(t *testing.T) {
	log, _ := testLog(t)
	addr, _ := listen(t, ofconn.Config{Log: log})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write(wire.AppendHello(nil, 9, 1<<1)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	hello, err := wire.DecodeHeader(all)
	if err != nil || hello.Type != wire.TypeHello || wire.DecodeHello(all[8:hello.Length]).Versions != 1<<wire.Version {
		t.Fatalf("first message % x, want HELLO with 1.3 alone", all)
	}
	h, err := wire.DecodeHeader(all[hello.Length:])
	if err != nil || h.Type != wire.TypeError || h.Version != 1 || h.XID != 9 {
		t.Fatalf("second message %+v, want ERROR of version 1", h)
	}
	e, err := wire.DecodeErrorMessage(all[hello.Length+8:])
	if err != nil || e.Type != wire.ErrHelloFailed || e.Code != wire.HelloIncompatible || !strings.Contains(string(e.Data), "you offer 1.0") {
		t.Errorf("error %v", e)
	}
}
