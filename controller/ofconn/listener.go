package ofconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Handle is what an owner does with a session that is READY. The session and
// ctx end together, and when Handle returns the session is closed.
type Handle func(ctx context.Context, s *Session)

// Listener accepts connections from switches. One Listener may serve several
// net.Listeners at once; Config.MaxConns counts over all.
type Listener struct {
	cfg Config

	mu       sync.Mutex
	opening  map[net.Conn]struct{} // not READY yet
	sessions map[*Session]struct{}
	conns    int
	closing  bool
	quit     chan struct{} // closed by Shutdown
	wg       sync.WaitGroup
}

// NewListener returns a Listener that is not serving yet.
func NewListener(cfg Config) *Listener {
	return &Listener{
		cfg:      cfg.withDefaults(),
		opening:  make(map[net.Conn]struct{}),
		sessions: make(map[*Session]struct{}),
		quit:     make(chan struct{}),
	}
}

// Serve accepts connections on ln until ctx ends or Shutdown is called, and
// calls handle on its own goroutine for each session that becomes READY. It
// returns when all of its sessions are gone; ln is closed then. The error is
// nil after Shutdown, ctx's after that ended, and otherwise why ln broke.
func (l *Listener) Serve(ctx context.Context, ln net.Listener, handle Handle) error {
	if !l.enter() {
		_ = ln.Close()
		return nil
	}
	defer l.wg.Done()
	ctx, cancel := context.WithCancel(ctx)
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel() // before the wait: this is what ends the sessions

	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	quit := make(chan struct{})
	defer close(quit)
	conns.Go(func() {
		select {
		case <-l.quit:
			_ = ln.Close()
		case <-quit:
		}
	})
	err := l.accept(ctx, ln, func(c net.Conn) {
		conns.Go(func() { l.serveConn(ctx, c, handle) })
	})
	_ = ln.Close()
	if l.isClosing() {
		// Shutdown ends the sessions one by one; wait for it without cancelling.
		conns.Wait()
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("accepting switches on %v: %w", ln.Addr(), err)
}

// accept calls each for every connection until ln is closed. Errors that pass,
// such as too many open files, are waited out.
func (l *Listener) accept(ctx context.Context, ln net.Listener, each func(net.Conn)) error {
	var pause time.Duration
	for {
		c, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			// Only the first of a row is logged: with no file descriptors left,
			// nothing is gained by a line a second.
			if pause == 0 {
				l.cfg.Log.WithError(err).Warn("accepting switches fails, trying again")
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			if !sleep(ctx, l.quit, pause) {
				return err
			}
			continue
		}
		pause = 0
		if !l.acquire(c) {
			l.cfg.Log.WithField("peer", c.RemoteAddr().String()).Warnf("connection refused: %d are open", l.cfg.MaxConns)
			l.cfg.Metrics.Rejected()
			_ = c.Close()
			continue
		}
		each(c)
	}
}

// serveConn takes a connection through its life and gives its place back.
func (l *Listener) serveConn(ctx context.Context, c net.Conn, handle Handle) {
	s, err := run(ctx, c, accepted, l.cfg, handle, func(s *Session) { l.opened(c, s) })
	if s == nil && ctx.Err() == nil && !l.isClosing() {
		l.cfg.Log.WithError(err).WithField("peer", c.RemoteAddr().String()).Warn("switch rejected")
	}
	l.release(c, s)
}

// Shutdown stops accepting, lets the change in progress of every session
// finish, closes the sessions, and waits until all handles have returned.
// Connections that are not READY are closed at once, and when ctx ends so are
// the others, and its error is returned.
func (l *Listener) Shutdown(ctx context.Context) error {
	var closers sync.WaitGroup
	for _, s := range l.close() {
		closers.Go(func() { _ = s.Shutdown(ctx) })
	}
	closers.Wait()
	l.wg.Wait()
	return ctx.Err()
}

// close forbids new sessions, closes connections that are not READY, and
// returns the sessions that are open.
func (l *Listener) close() []*Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closing {
		l.closing = true
		close(l.quit)
	}
	for c := range l.opening {
		_ = c.Close()
	}
	open := make([]*Session, 0, len(l.sessions))
	for s := range l.sessions {
		open = append(open, s)
	}
	return open
}

func (l *Listener) isClosing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}

// enter counts a Serve in, unless the Listener is closing.
func (l *Listener) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return false
	}
	l.wg.Add(1)
	return true
}

// acquire takes a place for a connection, if there is one.
func (l *Listener) acquire(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns >= l.cfg.MaxConns || l.closing {
		return false
	}
	l.conns++
	l.opening[c] = struct{}{}
	return true
}

// opened is told that the session of a connection is READY.
func (l *Listener) opened(c net.Conn, s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.opening, c)
	l.sessions[s] = struct{}{}
	if l.closing {
		s.fail(ErrClosed)
	}
}

// release gives the place of a connection back; its session is nil if it
// never became READY.
func (l *Listener) release(c net.Conn, s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
	delete(l.opening, c)
	delete(l.sessions, s)
}

// sleep waits for d and reports whether it could: not if ctx or quit ended first.
func sleep(ctx context.Context, quit <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-quit:
	}
	return false
}
