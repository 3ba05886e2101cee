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

	once sync.Once
	err  error
	done chan struct{} // closed by fail, after err is set
	wg   sync.WaitGroup
}

// silentProbes is after how many probe intervals without a byte the host counts as gone.
const silentProbes = 3

func newGate(host, lib net.Conn, opt Options) *gate {
	return &gate{host: host, lib: lib, opt: opt, filter: newFilter(), done: make(chan struct{})}
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
			err = g.toHost(probe())
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
	toLib, toHost, err := g.filter.inbound(msg)
	g.mu.Unlock()
	if err != nil {
		return err
	}
	if toLib != nil {
		if _, err := g.lib.Write(toLib); err != nil {
			return fmt.Errorf("to libovsdb: %w", err)
		}
	}
	if toHost != nil {
		return g.toHost(toHost)
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
		err = g.filter.outbound(msg)
		g.mu.Unlock()
		if err == nil {
			err = g.toHost(msg)
		}
		if err != nil {
			return err
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
