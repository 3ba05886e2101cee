package ovsdb

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// Listener takes the connections of hosts whose manager Heddle is ("ovs-vsctl set-manager tcp:HEDDLE:6640").
type Listener struct {
	Listener net.Listener
	TLS      *tls.Config // nil for plain TCP; else hosts must use ssl: managers
	Options  Options
	// MaxSessions bounds the connections: more are closed at once. Default 4096.
	MaxSessions int
	// MaxSetups bounds how many of them become sessions at the same time: the others wait. Default 32.
	MaxSetups int
	Log       *logrus.Entry
}

// acceptPauseMax bounds the pause after a failed accept; file descriptors that ran out come back when others end.
const acceptPauseMax = time.Second

// Serve accepts connections until ctx ends and calls handle for each that became a session, in a goroutine of its
// own. The session is closed when handle returns. Serve closes the listener and returns when every handle has
// returned: with nil after ctx ended, with an error when the listener was closed by someone else.
func (l *Listener) Serve(ctx context.Context, handle Handler) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Listener.Close() })
	defer stop()
	sessions := make(chan struct{}, cmp.Or(l.MaxSessions, 4096))
	setups := make(chan struct{}, cmp.Or(l.MaxSetups, 32))
	var failing, full trouble
	complaints := &complaints{last: map[string]string{}}
	for {
		conn, err := l.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting hosts: %w", err)
		case err != nil:
			failing.begin(func() { l.Log.WithError(err).Warn("cannot accept hosts for now") })
			wait(ctx, min(5*time.Millisecond<<min(failing.times, 8), acceptPauseMax))
			continue
		}
		failing.end(func() { l.Log.Info("accepting hosts again") })
		select {
		case sessions <- struct{}{}:
		default:
			_ = conn.Close()
			full.begin(func() { l.Log.WithField("sessions", cap(sessions)).Warn("too many hosts, closing new ones") })
			continue
		}
		full.end(func() { l.Log.Info("room for hosts again") })
		wg.Go(func() {
			defer func() { <-sessions }()
			l.serve(ctx, conn, setups, complaints, handle)
		})
	}
}

// serve makes a session of an accepted connection and has it handled.
func (l *Listener) serve(ctx context.Context, conn net.Conn, setups chan struct{}, complaints *complaints, handle Handler) {
	log := l.Log.WithField("remote", conn.RemoteAddr().String())
	select {
	case setups <- struct{}{}:
	case <-ctx.Done():
		_ = conn.Close()
		return
	}
	s, err := l.setup(ctx, conn)
	<-setups
	if err != nil {
		if ctx.Err() == nil && complaints.isNew(conn.RemoteAddr(), err.Error()) {
			log.WithError(err).Warn("connection did not become a session")
		}
		return
	}
	if complaints.isNew(conn.RemoteAddr(), "") {
		log.Info("connection became a session")
	}
	if err := s.tuneManager(ctx); err != nil {
		log.WithError(err).Warn("manager not tuned, the host may come back late after a restart")
	}
	s.serve(ctx, handle)
}

func (l *Listener) setup(ctx context.Context, conn net.Conn) (*Session, error) {
	if l.TLS != nil {
		conn = tls.Server(conn, l.TLS)
	}
	return newSession(ctx, conn, l.Options)
}

// trouble is something that is told when it begins and when it ends.
type trouble struct{ times int }

func (t *trouble) begin(tell func()) {
	if t.times++; t.times == 1 {
		tell()
	}
}

func (t *trouble) end(tell func()) {
	if t.times > 0 {
		t.times = 0
		tell()
	}
}

// complaints remembers what was last wrong with the connections of an address: a host that is set up wrong comes back
// every second.
type complaints struct {
	mu   sync.Mutex
	last map[string]string // address → error
}

// maxComplaints bounds the addresses that are remembered.
const maxComplaints = 1024

// isNew reports whether a connection of an address ended otherwise than the one before; an empty text is success, and
// so is what nothing is known of.
func (c *complaints) isNew(from net.Addr, text string) bool {
	host := from.String()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last[host] == text {
		return false
	}
	if text == "" {
		delete(c.last, host)
		return true
	}
	if len(c.last) >= maxComplaints {
		clear(c.last)
	}
	c.last[host] = text
	return true
}

// wait returns after d, or earlier when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
