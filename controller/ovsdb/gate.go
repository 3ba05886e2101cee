package ovsdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// gate sits between a host and libovsdb. It owns both connections: when one breaks or the host misbehaves, it closes
// both.
type gate struct {
	host net.Conn
	lib  net.Conn // our end of the socket that libovsdb dialled
	opt  Options

	mu     sync.Mutex // filter
	filter *filter
	write  sync.Mutex // host's outbound side

	// updated is called for each update of the host once libovsdb's cache holds it, and no other is under way.
	updated func([]rowRef)
	deliver sync.Mutex    // held while libovsdb works on an update
	synced  chan struct{} // libovsdb answered the sync that follows an update

	once sync.Once
	err  error
	done chan struct{} // closed by fail, after err is set
	wg   sync.WaitGroup
}

// silentProbes is after how many probe intervals without a byte the host counts as gone.
const silentProbes = 3

func newGate(host, lib net.Conn, opt Options, updated func([]rowRef)) *gate {
	return &gate{host: host, lib: lib, opt: opt, filter: newFilter(), updated: updated,
		synced: make(chan struct{}, 1), done: make(chan struct{})}
}

// start starts the goroutines of the gate; wait waits for their end, which fail brings about.
func (g *gate) start() {
	g.wg.Add(2)
	go func() { defer g.wg.Done(); g.fail(g.fromHost()) }()
	go func() { defer g.wg.Done(); g.fail(g.fromLib()) }()
}

func (g *gate) wait() { g.wg.Wait() }

// fail ends the gate. The first error stays.
func (g *gate) fail(err error) {
	g.once.Do(func() {
		g.err = err
		close(g.done)
		_ = g.host.Close() // an error here has no one to care: the connection is given up
		_ = g.lib.Close()
	})
}

func (g *gate) fromHost() error {
	in := &counter{r: g.host}
	frames := newFramer(in, g.opt.MaxMessage)
	silent := 0 // probe intervals that passed since the last byte
	for {
		if err := g.host.SetReadDeadline(time.Now().Add(g.opt.Probe)); err != nil {
			return fmt.Errorf("reading from host: %w", err)
		}
		before := in.n
		msg, err := frames.next()
		if in.n != before {
			silent = 0
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if silent++; silent >= silentProbes {
				return fmt.Errorf("%w: nothing received for %s", ErrSilent, silentProbes*g.opt.Probe)
			}
			err = g.toHost(echo(probeID))
		} else if err == nil {
			err = g.admit(msg)
		}
		if errors.Is(err, io.EOF) {
			return errGone
		}
		if err != nil {
			return err
		}
	}
}

// errGone is the error of a session whose host ended it in the usual way.
var errGone = errors.New("host closed the connection")

// counter counts the bytes that were read.
type counter struct {
	r io.Reader
	n uint64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	return n, err
}

// admit passes a message of the host on, or answers it.
func (g *gate) admit(msg []byte) error {
	g.mu.Lock()
	a, err := g.filter.inbound(msg)
	g.mu.Unlock()
	switch {
	case err != nil:
		return err
	case a.touched != nil:
		return g.update(a.toLib, a.touched)
	case a.toLib != nil:
		return g.toLib(a.toLib)
	case a.toHost != nil:
		return g.toHost(a.toHost)
	}
	return nil
}

// update gives libovsdb an update and waits until its cache holds it: libovsdb handles one message after the other, so
// the answer to the echo behind the update says so. From the outside the cache only ever changes by whole updates.
func (g *gate) update(msg []byte, touched []rowRef) error {
	g.deliver.Lock()
	defer g.deliver.Unlock()
	if err := g.toLib(append(msg, echo(syncID)...)); err != nil {
		return err
	}
	timeout := time.NewTimer(g.opt.Setup)
	defer timeout.Stop()
	select {
	case <-g.synced:
		g.updated(touched)
		return nil
	case <-g.done:
		return g.err
	case <-timeout.C:
		return fmt.Errorf("libovsdb works on an update of %d rows for more than %s", len(touched), g.opt.Setup)
	}
}

// still calls f while no update is under way.
func (g *gate) still(f func()) {
	g.deliver.Lock()
	defer g.deliver.Unlock()
	f()
}

func (g *gate) toLib(msg []byte) error {
	if _, err := g.lib.Write(msg); err != nil {
		return fmt.Errorf("to libovsdb: %w", err)
	}
	return nil
}

func (g *gate) fromLib() error {
	frames := newFramer(g.lib, 1<<30)
	for {
		msg, err := frames.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return errors.New("libovsdb closed the connection")
			}
			return fmt.Errorf("from libovsdb: %w", err)
		}
		g.mu.Lock()
		synced, err := g.filter.outbound(msg)
		g.mu.Unlock()
		switch {
		case err != nil:
			return err
		case synced:
			g.synced <- struct{}{}
		default:
			if err := g.toHost(msg); err != nil {
				return err
			}
		}
	}
}

// toHost writes one message to the host, which must take it within the time after which it counts as silent.
func (g *gate) toHost(msg []byte) error {
	g.write.Lock()
	defer g.write.Unlock()
	if err := g.host.SetWriteDeadline(time.Now().Add(silentProbes * g.opt.Probe)); err != nil {
		return fmt.Errorf("writing to host: %w", err)
	}
	if _, err := g.host.Write(msg); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%w: it takes no data", ErrSilent)
		}
		return fmt.Errorf("writing to host: %w", err)
	}
	return nil
}

// listenPrivate listens on a unix socket that only this user can reach, until the listener is closed or ctx ends.
func listenPrivate(ctx context.Context) (net.Listener, error) {
	dir, err := os.MkdirTemp("", "heddle-ovsdb-") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("socket for libovsdb: %w", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", filepath.Join(dir, "s"))
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("socket for libovsdb: %w", err)
	}
	p := &privateListener{Listener: ln, dir: dir}
	p.stop = context.AfterFunc(ctx, func() { _ = ln.Close() })
	return p, nil
}

// privateListener removes its directory when it is closed.
type privateListener struct {
	net.Listener
	dir  string
	stop func() bool
}

func (p *privateListener) Close() error {
	p.stop()
	return errors.Join(p.Listener.Close(), os.RemoveAll(p.dir))
}
