package ofconn_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/ofconn/fakeswitch"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// faltering is a net.Listener whose first Accepts fail.
type faltering struct {
	net.Listener
	mu    sync.Mutex
	fails int
	err   error
}

func (l *faltering) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails > 0 {
		l.fails--
		return nil, &net.OpError{Op: "accept", Err: l.err}
	}
	return l.Listener.Accept()
}

func TestAcceptIsTriedAgain(t *testing.T) {
	log, lines := testLog(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := ofconn.NewListener(ofconn.Config{Log: log})
	sessions := make(chan *ofconn.Session, 1)
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx, &faltering{Listener: ln, fails: 3, err: syscall.EMFILE}, hold(sessions)) }()
	plug(t, fakeswitch.New(fakeswitch.Options{}), ln.Addr().String(), false)
	receive(t, "session", sessions)
	expectLog(t, lines, "too many open files")
	cancel()
	if err := receive(t, "end of Serve", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
}

func TestMaxConnsRefusesTheNext(t *testing.T) {
	log, lines := testLog(t)
	addr, sessions := listen(t, ofconn.Config{Log: log, MaxConns: 2})
	first := fakeswitch.New(fakeswitch.Options{DPID: 1})
	plug(t, first, addr, false)
	plug(t, fakeswitch.New(fakeswitch.Options{DPID: 2}), addr, false)
	receive(t, "session", sessions)
	receive(t, "session", sessions)
	plug(t, fakeswitch.New(fakeswitch.Options{DPID: 3}), addr, false)
	expectLog(t, lines, "connection refused: 2 are open")
	first.Disconnect()
	expectLog(t, lines, "switch disconnected")
	third := fakeswitch.New(fakeswitch.Options{DPID: 3})
	plug(t, third, addr, true) // the place may become free a moment later
	if s := receive(t, "session", sessions); s.DPID() != 3 {
		t.Errorf("switch %v in the free place", s.DPID())
	}
}

// slowCommit makes every commit of the switch take a while.
func slowCommit(d time.Duration) fakeswitch.Fault {
	return fakeswitch.OnBundle(wire.BundleCommit, fakeswitch.Reaction{Delay: d})
}

func TestShutdownLetsAChangeFinish(t *testing.T) {
	log, _ := testLog(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := ofconn.NewListener(ofconn.Config{Log: log})
	flows := packed(t, 10)
	began := make(chan struct{})
	committed := make(chan error, 1)
	served := make(chan error, 1)
	go func() {
		served <- l.Serve(context.Background(), ln, func(ctx context.Context, s *ofconn.Session) {
			close(began)
			committed <- s.Commit(ctx, ofconn.Change{Add: flows})
			<-ctx.Done()
		})
	}()
	inCommit := make(chan struct{})
	slow := slowCommit(300 * time.Millisecond)
	sw := fakeswitch.New(fakeswitch.Options{Fault: func(m fakeswitch.Message) fakeswitch.Reaction {
		r := slow(m)
		if r.Delay > 0 {
			close(inCommit)
		}
		return r
	}})
	plug(t, sw, ln.Addr().String(), false)
	receive(t, "session", began)
	receive(t, "commit", inCommit)
	if err := l.Shutdown(testContext(t)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := receive(t, "end of the change", committed); err != nil {
		t.Errorf("change in progress: %v", err)
	}
	if err := receive(t, "end of Serve", served); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if len(sw.Entries()) != 10 {
		t.Errorf("%d flows", len(sw.Entries()))
	}
	if err := l.Serve(context.Background(), ln, nil); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

func TestShutdownThatTakesTooLongCloses(t *testing.T) {
	log, _ := testLog(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := ofconn.NewListener(ofconn.Config{Log: log})
	sessions := make(chan *ofconn.Session, 1)
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background(), ln, hold(sessions)) }()
	sw := fakeswitch.New(fakeswitch.Options{Fault: slowCommit(time.Hour)})
	plug(t, sw, ln.Addr().String(), false)
	s := receive(t, "session", sessions)
	committed := make(chan error, 1)
	go func() { committed <- s.Commit(testContext(t), ofconn.Change{Add: packed(t, 1)}) }()
	eventually(t, "the change has begun", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		return s.Commit(ctx, ofconn.Change{Delete: []of.Key{{}}}) != nil
	})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := l.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v, want that time ran out", err)
	}
	if err := receive(t, "end of the change", committed); !errors.Is(err, ofconn.ErrClosed) {
		t.Errorf("change: %v, want ErrClosed", err)
	}
	receive(t, "end of Serve", served)
}

func TestShutdownDoesNotWaitForHandshakes(t *testing.T) {
	log, _ := testLog(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := ofconn.NewListener(ofconn.Config{Log: log, HandshakeTimeout: time.Hour})
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background(), ln, nil) }()
	sw := fakeswitch.New(fakeswitch.Options{Mute: true})
	plug(t, sw, ln.Addr().String(), false)
	eventually(t, "the switch is connected", func() bool { return sw.Connections() == 1 })
	if err := l.Shutdown(testContext(t)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := receive(t, "end of Serve", served); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestDialerComesBack(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	log, lines := testLog(t)
	sw := fakeswitch.New(fakeswitch.Options{DPID: 5})
	ctx, cancel := context.WithCancel(context.Background())
	listening := make(chan error, 1)
	go func() { listening <- sw.Listen(ctx, ln) }()
	sessions := dial(t, ofconn.Dialer{Addr: addr, Config: ofconn.Config{Log: log}, MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond})
	s := receive(t, "session", sessions)
	sw.Restart()
	receive(t, "end", s.Done())
	if !errors.Is(s.Err(), ofconn.ErrGone) {
		t.Errorf("session ended with %v, want ErrGone", s.Err())
	}
	s = receive(t, "session after a restart", sessions)

	// Nobody listens for a while: one line, not one for each try.
	cancel()
	receive(t, "end of the switch", listening)
	receive(t, "end", s.Done())
	expectLog(t, lines, "switch cannot be reached")
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Skipf("the port was taken by somebody else: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	go func() { listening <- sw.Listen(ctx, ln) }()
	receive(t, "session when it is back", sessions)
	for len(lines) > 0 {
		if e := <-lines; e.Message == "switch cannot be reached, trying again" {
			t.Error("the failure was logged again")
		}
	}
	cancel()
	receive(t, "end of the switch", listening)
}

func TestDialRefusesOtherNetworks(t *testing.T) {
	err := ofconn.Dialer{Network: "udp", Addr: "127.0.0.1:1"}.Dial(testContext(t), func(context.Context, *ofconn.Session) {})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("dial over udp: %v", err)
	}
}

// What a controller asks after the session has ended fails at once.
func TestEveryRequestFailsAfterClose(t *testing.T) {
	_, s := connected(t, fakeswitch.Options{}, ofconn.Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	_, flowsErr := s.Flows(ctx, of.TableAll, 0, 0)
	_, groupsErr := s.Groups(ctx)
	for what, err := range map[string]error{
		"barrier": s.Barrier(ctx), "role": s.Role(ctx, true, 1), "flows": flowsErr, "groups": groupsErr,
		"commit": s.Commit(ctx, ofconn.Change{Add: packed(t, 1)}),
		"watch":  s.Watch(ctx, ofconn.Monitor{}, func(wire.MonitorUpdate) {}),
		"packet": s.PacketOut(ctx, wire.PacketOut{InPort: of.PortController}),
	} {
		if !errors.Is(err, ofconn.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", what, err)
		}
	}
}

// The limits of a change: nothing to do is nothing sent, and a flow that cannot
// be encoded is named before anything is done.
func TestCommitOfNothingAndOfTooMuch(t *testing.T) {
	sw, s := connected(t, fakeswitch.Options{}, ofconn.Config{})
	if err := s.Commit(testContext(t), ofconn.Change{}); err != nil {
		t.Errorf("empty change: %v", err)
	}
	long := unicast(1)
	for range 5000 {
		long.Actions = append(long.Actions, of.Output{Port: 1})
	}
	if k, e, err := wire.Pack(long); err == nil {
		if err := s.Commit(testContext(t), ofconn.Change{Add: append(packed(t, 3), ofconn.Flow{Key: k, Entry: e})}); !errors.Is(err, wire.ErrTooLong) {
			t.Errorf("flow of 80 kB: %v, want ErrTooLong", err)
		}
	}
	if len(sw.Entries()) != 0 {
		t.Errorf("%d flows", len(sw.Entries()))
	}
	if err := s.Commit(testContext(t), ofconn.Change{Add: packed(t, 3)}); err != nil {
		t.Errorf("the next change: %v", err)
	}
}
