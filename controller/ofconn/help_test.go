package ofconn_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// patience is how long a test waits for something that should happen at once.
const patience = 20 * time.Second

// testContext ends before the test's own deadline would.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// lines collects log lines, which tests look at.
type lines struct{ ch chan *logrus.Entry }

func (l lines) Levels() []logrus.Level { return logrus.AllLevels }
func (l lines) Fire(e *logrus.Entry) error {
	select {
	case l.ch <- e:
	default:
	}
	return nil
}

// testLog writes to the test's log and to the channel.
func testLog(t testing.TB) (*logrus.Entry, <-chan *logrus.Entry) {
	l := logrus.New()
	l.SetOutput(t.Output())
	l.SetLevel(logrus.DebugLevel)
	l.SetFormatter(&logrus.TextFormatter{DisableTimestamp: true, DisableColors: true})
	h := lines{make(chan *logrus.Entry, 1000)}
	l.AddHook(h)
	return logrus.NewEntry(l), h.ch
}

// events is a Handler that puts everything into channels.
type events struct {
	ports   chan wire.PortStatus
	removed chan wire.FlowRemoved
	packets chan wire.PacketIn
	errors  chan wire.Error
}

func newEvents() *events {
	return &events{
		make(chan wire.PortStatus, 100), make(chan wire.FlowRemoved, 100),
		make(chan wire.PacketIn, 100), make(chan wire.Error, 100),
	}
}

func (e *events) PortStatus(_ *ofconn.Session, m wire.PortStatus)   { e.ports <- m }
func (e *events) FlowRemoved(_ *ofconn.Session, m wire.FlowRemoved) { e.removed <- m }
func (e *events) PacketIn(_ *ofconn.Session, m wire.PacketIn)       { e.packets <- m }
func (e *events) Error(_ *ofconn.Session, m wire.Error)             { e.errors <- m }

// receive takes the next value out of a channel, or fails the test.
func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

// hold is a Handle that gives its session to the channel and keeps it open.
func hold(ch chan<- *ofconn.Session) ofconn.Handle {
	return func(ctx context.Context, s *ofconn.Session) {
		ch <- s
		<-ctx.Done()
	}
}

// dial keeps dialling until the test ends and returns the sessions it makes.
func dial(t testing.TB, d ofconn.Dialer) <-chan *ofconn.Session {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sessions := make(chan *ofconn.Session, 100)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, hold(sessions)) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, "end of the dialer", ended); !errors.Is(err, context.Canceled) {
			t.Errorf("dialer ended with %v", err)
		}
	})
	return sessions
}

// listen serves on loopback until the test ends and returns the address and
// the sessions.
func listen(t testing.TB, cfg ofconn.Config) (string, <-chan *ofconn.Session) {
	t.Helper()
	sessions := make(chan *ofconn.Session, 2000)
	return serve(t, cfg, hold(sessions)), sessions
}

func serve(t testing.TB, cfg ofconn.Config, handle ofconn.Handle) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	l := ofconn.NewListener(cfg)
	go func() { ended <- l.Serve(ctx, ln, handle) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, "end of the listener", ended); !errors.Is(err, context.Canceled) {
			t.Errorf("listener ended with %v", err)
		}
	})
	return ln.Addr().String()
}

// pack packs a flow or fails the test.
func pack(t testing.TB, f of.Flow) ofconn.Flow {
	t.Helper()
	k, e, err := wire.Pack(f)
	if err != nil {
		t.Fatal(err)
	}
	return ofconn.Flow{Key: k, Entry: e}
}

// unicast is flow n of a table 20 as br-tun has it.
func unicast(n int) of.Flow {
	return of.Flow{
		Table: 20, Priority: 2, Cookie: 0x5d01_0000_0000_0001,
		Match: of.Match{of.VLAN(uint16(1 + n%4000)), of.EthDst(of.MAC{0xfa, 0x16, 0x3e, byte(n >> 16), byte(n >> 8), byte(n)})},
		Actions: []of.Action{
			of.PopVLAN{}, of.SetTunnel(uint64(1000 + n%4000)), of.Output{Port: of.PortNo(1 + n%3)},
		},
	}
}

func packed(t testing.TB, n int) []ofconn.Flow {
	flows := make([]ofconn.Flow, n)
	for i := range flows {
		flows[i] = pack(t, unicast(i))
	}
	return flows
}

// sameFlows fails the test unless have is exactly the wanted flows.
func sameFlows(t testing.TB, have map[of.Key]wire.Entry, want []ofconn.Flow) {
	t.Helper()
	if len(have) != len(want) {
		t.Errorf("%d flows, want %d", len(have), len(want))
	}
	for _, f := range want {
		if e, ok := have[f.Key]; !ok || e != f.Entry {
			t.Fatalf("flow %s: %s", text(f), map[bool]string{false: "missing", true: "differs: " + text(ofconn.Flow{Key: f.Key, Entry: e})}[ok])
		}
	}
}

func text(f ofconn.Flow) string {
	flow, err := wire.Unpack(f.Key, f.Entry)
	if err != nil {
		return fmt.Sprintf("%+v: %v", f, err)
	}
	return flow.String()
}

// eventually polls until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
