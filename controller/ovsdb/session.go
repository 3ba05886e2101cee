package ovsdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Errors of a session.
var (
	// ErrClosed is the error of a session that this side closed.
	ErrClosed = errors.New("session closed")
	// ErrSilent is wrapped by the error of a session whose host sent nothing for too long, not even the answer to
	// an echo.
	ErrSilent = errors.New("host is silent")
)

// Options are the settings of sessions. Zero values stand for the defaults.
type Options struct {
	// Probe is how long a host may be silent before it is sent an echo; after three times as long its session
	// ends with ErrSilent. Default 5 s.
	Probe time.Duration
	// Setup is how long a connection may take to become a session: TLS, schema and first read. Default 15 s.
	Setup time.Duration
	// MaxMessage is the size in bytes of the largest message a host may send. Default 16 MiB, about the first
	// read of 20,000 ports.
	MaxMessage int
}

func (o Options) withDefaults() Options {
	if o.Probe <= 0 {
		o.Probe = 5 * time.Second
	}
	if o.Setup <= 0 {
		o.Setup = 15 * time.Second
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = 16 << 20
	}
	return o
}

// Handler uses a session and returns when it is done with it, at the latest when ctx ends, which it does with the
// session. The session is closed when it returns.
type Handler func(ctx context.Context, s *Session)

// serve calls handle with a context that ends with the session, and closes the session afterwards.
func (s *Session) serve(ctx context.Context, handle Handler) {
	ctx, cancel := context.WithCancel(ctx)
	defer s.Close()
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	handled := make(chan struct{})
	defer close(handled)
	wg.Go(func() {
		select {
		case <-s.done:
			cancel()
		case <-handled:
		}
	})
	handle(ctx, s)
}

// Session is a connection to one host's database whose contents have been read once. It is safe for concurrent use.
// A session that ended stays so; the next connection of the host is a new one.
//
// It is a reconcile.Target for the rows of package row: Actual, Apply and Equal.
type Session struct {
	remote string
	local  string
	gate   *gate
	client client.Client
	cache  *cache.TableCache

	mu      sync.Mutex
	tables  tables        // nil before the first read
	changed chan struct{} // closed at the next change
	builder builder       // makes states of tables
	state   *State        // nil when tables changed since it was built

	gated chan struct{} // closed when gate is set
	done  chan struct{} // closed when everything of the session has stopped
}

// newSession makes a session of a connection, which it owns from then on, also when it fails.
func newSession(ctx context.Context, conn net.Conn, opt Options) (*Session, error) {
	opt = opt.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, opt.Setup)
	defer cancel()
	s := &Session{remote: conn.RemoteAddr().String(), local: conn.LocalAddr().String(), changed: make(chan struct{}),
		gated: make(chan struct{}), done: make(chan struct{})}
	if t, ok := conn.(*tls.Conn); ok {
		if err := t.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	if err := s.connect(ctx, conn, opt); err != nil {
		return nil, err
	}
	go s.watch()
	if err := s.sync(ctx); err != nil {
		s.gate.fail(err)
		<-s.done
		return nil, s.gate.err // the first cause; err may be no more than its echo
	}
	return s, nil
}

// connect puts the gate on the connection and libovsdb behind it.
func (s *Session) connect(ctx context.Context, conn net.Conn, opt Options) error {
	ln, err := listenPrivate(ctx)
	if err != nil {
		_ = conn.Close()
		return err
	}
	defer ln.Close()
	dialled := make(chan error, 1)
	go func() {
		err := s.dialLibrary(ctx, ln.Addr().String())
		dialled <- err
		_ = ln.Close() // ends the Accept below if nobody came
	}()
	lib, err := ln.Accept()
	if err != nil {
		_ = conn.Close()
		return errors.Join(<-dialled, err)
	}
	s.gate = newGate(conn, lib, opt, s.updated)
	close(s.gated)
	s.gate.start()
	if err := <-dialled; err != nil {
		s.gate.fail(err)
		s.gate.wait()
		return s.gate.err
	}
	return nil
}

// dialLibrary lets libovsdb connect to the gate, list the databases and read the schema.
func (s *Session) dialLibrary(ctx context.Context, path string) error {
	m, err := clientModel()
	if err != nil {
		return err
	}
	log := logr.New(errorSink{s})
	s.client, err = client.NewOVSDBClient(m, client.WithEndpoint("unix:"+path), client.WithLogger(&log))
	if err != nil {
		return err
	}
	return guard(func() error { return s.client.Connect(ctx) })
}

// sync reads the tables for the first time and asks for their changes.
func (s *Session) sync(ctx context.Context) error {
	return guard(func() error {
		if s.cache = s.client.Cache(); s.cache == nil {
			return client.ErrNotConnected
		}
		var monitors []client.TableMonitor
		for table, cs := range columns {
			t := client.TableMonitor{Table: table}
			for c := range cs {
				t.Fields = append(t.Fields, c)
			}
			monitors = append(monitors, t)
		}
		m := s.client.NewMonitor()
		// monitor_cond rather than monitor_cond_since: a session does not outlive its connection, so there is
		// no past to resume.
		m.Method, m.Tables = ovsdb.ConditionalMonitorRPC, monitors
		if _, err := s.client.Monitor(ctx, m); err != nil {
			return fmt.Errorf("reading the database: %w", err)
		}
		s.gate.still(s.readAll)
		return nil
	})
}

// watch ends the session when its gate ended.
func (s *Session) watch() {
	<-s.gate.done
	s.gate.wait()
	s.client.Close()
	s.mu.Lock()
	s.kick()
	s.mu.Unlock()
	close(s.done)
}

// guard turns a panic of libovsdb in a goroutine of ours into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("libovsdb panicked: %v", r)
		}
	}()
	return f()
}

// kick tells of a change. The caller holds mu.
func (s *Session) kick() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// RemoteAddr returns the address of the host's end, "192.0.2.7:51234".
func (s *Session) RemoteAddr() string { return s.remote }

// LocalAddr returns the address of this end, "192.0.2.1:6640": one at which the host can reach Heddle, unless addresses
// are translated on the way. It is no address of TCP when the session runs over a unix socket.
func (s *Session) LocalAddr() string { return s.local }

// Identity returns who the host says it is, now.
func (s *Session) Identity() Identity { return s.State().Identity }

// Changed returns a channel that is closed at the next change of the database, and when the session ends. To miss
// none: first get the channel, then read State, then wait. Many changes in a row may close it once.
func (s *Session) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Done returns a channel that is closed when the session has ended; Err then says why.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session ended, nil while it lasts.
func (s *Session) Err() error {
	select {
	case <-s.gate.done:
		return s.gate.err
	default:
		return nil
	}
}

// Close ends the session and waits until its goroutines are gone.
func (s *Session) Close() error {
	s.gate.fail(ErrClosed)
	<-s.done
	return nil
}

// errorSink listens to what libovsdb logs: it tells nobody in another way when it could not apply an update, and goes
// on with a cache that is not the database. Such an error ends the session.
type errorSink struct{ s *Session }

// Init implements logr.LogSink.
func (errorSink) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink: only errors are of interest.
func (errorSink) Enabled(int) bool { return false }

// Info implements logr.LogSink.
func (errorSink) Info(int, string, ...any) {}

// WithValues implements logr.LogSink.
func (e errorSink) WithValues(...any) logr.LogSink { return e }

// WithName implements logr.LogSink.
func (e errorSink) WithName(string) logr.LogSink { return e }

// Error implements logr.LogSink.
func (e errorSink) Error(err error, msg string, _ ...any) {
	select {
	case <-e.s.gated:
		e.s.gate.fail(fmt.Errorf("libovsdb: %s: %w", msg, err))
	default: // Connect has not got anywhere and returns the error
	}
}
