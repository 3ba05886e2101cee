package ofconn

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// script is a connection whose peer says what is in r and takes everything.
type script struct {
	net.Conn
	r io.Reader
}

func (c script) Read(b []byte) (int, error)       { return c.r.Read(b) }
func (c script) Write(b []byte) (int, error)      { return len(b), nil }
func (c script) SetWriteDeadline(time.Time) error { return nil }
func (c script) Close() error                     { return nil }
func (c script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// play runs a session on what a switch says until that ends.
func play(t testing.TB, h Handler, said []byte) error {
	t.Helper()
	cfg := Config{Handler: h, MaxReply: 1 << 16}.withDefaults()
	tr, err := newTransport(script{r: bytes.NewReader(said)}, time.Second, cfg.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(context.Background(), tr, cfg, cfg.Log)
	s.ready.Store(true)
	s.ports.describe([]of.Port{{No: 1, Name: "p1"}})
	s.watches.add(&watch{table: of.TableAll, each: func(wire.MonitorUpdate) {}})
	// Requests that wait: 1 for a barrier, 2 for a dump, 3 to 5 for errors.
	if _, err := s.calls.begin(wire.TypeBarrierReply, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.calls.begin(wire.TypeMultipartReply, nil); err != nil {
		t.Fatal(err)
	}
	s.calls.beginSpan(3)
	s.start()
	s.wait()
	return s.Err()
}

// FuzzSession lets a switch say anything. The session must end, and not by a
// panic that handle had to catch.
func FuzzSession(f *testing.F) {
	seed := func(messages ...[]byte) { f.Add(bytes.Join(messages, nil)) }
	message := func(kind wire.Type, xid uint32, body ...byte) []byte {
		b, err := wire.AppendMessage(nil, kind, xid, body)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	seed()
	seed([]byte{4, 2, 0, 3, 0, 0, 0, 0})
	seed(message(wire.TypeBarrierReply, 1), message(wire.TypeEchoRequest, 9, 1, 2, 3), message(wire.TypeEchoReply, 9))
	seed(message(wire.TypeMultipartReply, 2, 0, 1, 0, 1, 0, 0, 0, 0), message(wire.TypeMultipartReply, 2, 0, 1, 0, 0, 0, 0, 0, 0))
	seed(message(wire.TypeMultipartReply, 1, 0, 1, 0, 1, 0, 0, 0, 0))
	seed(message(wire.TypeError, 4, 0, 2, 0, 4, 9, 9), message(wire.TypeError, 99, 0xff, 0xff, 9, 0, 0x4f, 0x4e, 0x46, 0))
	seed(wire.AppendPortStatus(nil, 0, wire.PortStatus{Port: of.Port{No: 2, Name: "p2"}}))
	if b, err := wire.AppendFlowRemoved(nil, 0, wire.FlowRemoved{Match: of.Match{of.InPort(1)}}); err == nil {
		seed(b)
	}
	if b, err := wire.AppendPacketIn(nil, 0, wire.PacketIn{Match: of.Match{of.InPort(1)}, Data: []byte("x")}); err == nil {
		seed(b)
	}
	if b, err := wire.AppendMonitorReply(nil, 0, wire.MonitorUpdate{Table: 20}, wire.MonitorUpdate{Event: wire.MonitorAbbrev, XID: 7}); err == nil {
		seed(b)
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		err := play(t, nil, said)
		if err == nil || strings.Contains(err.Error(), "panic") {
			t.Errorf("session ended with %v", err)
		}
	})
}

// FuzzGreet lets a peer say anything as its HELLO.
func FuzzGreet(f *testing.F) {
	f.Add(wire.AppendHello(nil, 1, 1<<wire.Version))
	f.Add(wire.AppendHello(nil, 1, 0x22))
	f.Add([]byte{6, 0, 0, 8, 0, 0, 0, 1})
	f.Add([]byte{4, 1, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, said []byte) {
		tr, err := newTransport(script{r: bytes.NewReader(said)}, time.Second, noMetrics{})
		if err != nil {
			t.Fatal(err)
		}
		// Only a HELLO can pass.
		if greet(tr) == nil && (len(said) < wire.HeaderLen || wire.Type(said[1]) != wire.TypeHello) {
			t.Errorf("% x passed for a HELLO", said)
		}
	})
}

// panicky is a Handler with a bug.
type panicky struct{ noEvents }

func (panicky) PortStatus(*Session, wire.PortStatus) { panic("bug") }

func TestPanicInHandlerCostsOneSession(t *testing.T) {
	err := play(t, panicky{}, wire.AppendPortStatus(nil, 0, wire.PortStatus{}))
	var broken *ProtocolError
	if !errors.As(err, &broken) || !strings.Contains(err.Error(), "panic: bug") {
		t.Errorf("session ended with %v", err)
	}
}

func TestProtocolErrorSaysWhatAndWhere(t *testing.T) {
	body := append([]byte{0xde, 0xad}, make([]byte, 100)...)
	m, err := wire.AppendMessage(nil, wire.TypeFlowRemoved, 0, body)
	if err != nil {
		t.Fatal(err)
	}
	err = play(t, nil, m)
	for _, want := range []string{"FLOW_REMOVED", "dead0000", "flow removed"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	if len(err.Error()) > 250 {
		t.Errorf("%d characters for one bad message", len(err.Error()))
	}
}

func TestXIDs(t *testing.T) {
	var c calls
	if got := c.take(1); got != 1 {
		t.Errorf("first xid %d, want 1", got)
	}
	if got := c.take(10); got != 2 {
		t.Errorf("next xid %d, want 2", got)
	}
	if got := c.take(1); got != 12 {
		t.Errorf("xid after ten %d, want 12", got)
	}
	c.last = 1<<32 - 3
	if got := c.take(5); got != 1 {
		t.Errorf("range that does not fit begins at %d, want 1: never 0", got)
	}
}

func TestErrorsBelongToTheirRequest(t *testing.T) {
	var c calls
	barrier, err := c.begin(wire.TypeBarrierReply, nil)
	if err != nil {
		t.Fatal(err)
	}
	mods := c.beginSpan(100)
	for i := range uint32(20) {
		if !c.refuse(mods.first+i, wire.Error{Code: uint16(i)}) {
			t.Fatalf("error about message %d belongs to nobody", i)
		}
	}
	errs, n := c.refused(mods)
	if n != 20 || len(errs) != maxRefusals || errs[3].xid != mods.first+3 {
		t.Errorf("%d errors, %d kept", n, len(errs))
	}
	if c.refuse(mods.last+1, wire.Error{}) {
		t.Error("an error beyond the change was taken for one of it")
	}
	if !c.refuse(barrier.xid, wire.Error{Code: 7}) {
		t.Error("the barrier's error belongs to nobody")
	}
	if _, whole, err := c.next(barrier); !whole || !errors.Is(err, wire.Error{Code: 7}) {
		t.Errorf("barrier: %v, %v", whole, err)
	}
	c.endSpan(mods)
	if c.refuse(mods.first, wire.Error{}) {
		t.Error("an error about a change that has ended was kept")
	}
}

func TestAnswerOfAnotherTypeIsAProtocolError(t *testing.T) {
	var c calls
	p, err := c.begin(wire.TypeBarrierReply, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.answer(wire.Header{Type: wire.TypeRoleReply, XID: p.xid}, nil, 100); err == nil {
		t.Error("a role reply answered a barrier")
	}
	c.end(p)
	if err := c.answer(wire.Header{Type: wire.TypeRoleReply, XID: p.xid}, nil, 100); err != nil {
		t.Errorf("answer to a request that gave up: %v", err)
	}
}

func TestPulse(t *testing.T) {
	p := newPulse(5*time.Second, 15*time.Second)
	if p.interval != 5*time.Second {
		t.Fatalf("interval %v", p.interval)
	}
	for i, want := range []verdict{pulseAsk, pulseAsk, pulseDead} {
		if got := p.tick(0); got != want {
			t.Errorf("quiet tick %d: %v, want %v", i, got, want)
		}
	}
	if p.tick(1); p.quiet != 0 {
		t.Error("a byte is no sign of life")
	}
	p.tick(1)
	p.beat()
	if got := p.tick(1); got != pulseAsk {
		t.Errorf("tick after a beat: %v", got)
	}
	long := newPulse(time.Minute, 15*time.Second) // asking later than giving up
	for range 2 {
		if got := long.tick(0); got == pulseDead {
			t.Error("given up too early")
		}
	}
}

func TestPortChangesDuringTheDescriptionAreKept(t *testing.T) {
	var p portTable
	p.init()
	p1, p2 := of.Port{No: 1, Name: "p1"}, of.Port{No: 2, Name: "p2"}
	for _, st := range []wire.PortStatus{
		{Reason: wire.PortDeleted, Port: p1}, {Reason: wire.PortAdded, Port: p2},
		{Reason: wire.PortModified, Port: of.Port{No: 2, Name: "p2", State: of.PortStateLinkDown}},
	} {
		if err := p.update(st); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.snapshot()) != 0 {
		t.Error("ports before their description")
	}
	p.describe([]of.Port{p1, p2})
	got := p.snapshot()
	if _, there := got["p1"]; there || !got["p2"].LinkDown() {
		t.Errorf("ports %+v", got)
	}
}

func TestDefaultsReplaceZeros(t *testing.T) {
	c := Config{EchoInterval: time.Second}.withDefaults()
	if c.EchoInterval != time.Second || c.DeadAfter != 15*time.Second || c.MaxConns == 0 || c.Log == nil {
		t.Errorf("%+v", c)
	}
}
