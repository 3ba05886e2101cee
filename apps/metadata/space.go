package metadata

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/child"
)

// Bounds of what instances may ask of the proxy.
const (
	mostConnections = 256      // at a time, of one namespace
	mostBody        = 64 << 10 // bytes of a question
	mostHeader      = 16 << 10 // bytes
	perSecond       = 50       // questions of one address, after a burst
	burst           = 4 * perSecond
	readTimeout     = 10 * time.Second
	writeTimeout    = 90 * time.Second // Nova may take its time
	idleTimeout     = 5 * time.Second
)

// space is the listener of one namespace.
type space struct {
	inode  uint64 // of the namespace
	server *http.Server
	done   chan struct{} // closed when the server has ended
	want   atomic.Pointer[wanted]

	mu     sync.Mutex
	tokens map[netip.Addr]*bucket // only of addresses that are known
}

// wanted is who may ask, in the form that is looked up.
type wanted struct {
	spec.Metadata
	askers map[netip.Addr]*asker
}

func newWanted(m spec.Metadata) *wanted {
	w := &wanted{Metadata: m, askers: make(map[netip.Addr]*asker, len(m.Instances))}
	ports := map[string]*asker{}
	for text, i := range m.Instances {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			continue // nobody can ask from it
		}
		a := ports[string(i.Port)]
		if a == nil {
			a = &asker{Instance: i}
			ports[string(i.Port)] = a
		}
		a.addresses = append(a.addresses, ip)
		w.askers[ip] = a
	}
	for _, a := range ports {
		slices.SortFunc(a.addresses, netip.Addr.Compare)
	}
	return w
}

// bucket holds the questions that an address may ask at once.
type bucket struct {
	tokens float64
	at     time.Time
}

// allow reports whether an address may ask now.
func (s *space) allow(from netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.tokens[from]
	if b == nil {
		b = &bucket{tokens: burst, at: now}
		s.tokens[from] = b
	}
	b.tokens = min(burst, b.tokens+perSecond*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// set changes who may ask.
func (s *space) set(m spec.Metadata) {
	w := newWanted(m)
	s.want.Store(w)
	s.mu.Lock()
	defer s.mu.Unlock()
	for ip := range s.tokens {
		if _, ok := w.askers[ip]; !ok {
			delete(s.tokens, ip)
		}
	}
}

// port is where the proxy listens: in a router's namespace packets are redirected to it.
func port(m spec.Metadata) string {
	if m.Router != "" {
		return ":9697"
	}
	return ":80"
}

// open listens in the namespace at path.
func open(path string, m spec.Metadata, handler func(*space) http.Handler) (*space, error) {
	s := &space{done: make(chan struct{}), tokens: map[netip.Addr]*bucket{}}
	s.set(m)
	var err error
	if s.inode, err = inodeOf(path); err != nil {
		return nil, err
	}
	var l net.Listener
	err = child.InNamespace(path, func() (err error) {
		// Not on the metadata addresses alone: they may come later, and a router redirects to its own.
		var c net.ListenConfig
		l, err = c.Listen(context.Background(), "tcp", port(m))
		return err
	})
	if err != nil {
		return nil, err
	}
	s.server = &http.Server{Handler: handler(s), ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: mostHeader, ErrorLog: silent()}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(limit(l, mostConnections)) // it ends when it is closed, and for nothing else
	}()
	return s, nil
}

// close ends the listener and everything that is being asked.
func (s *space) close() error {
	err := s.server.Close()
	<-s.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// inodeOf tells one namespace from another of the same name.
func inodeOf(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("%s has no inode", path)
	}
	return st.Ino, nil
}

// limited is a listener of which only so many connections are open at a time.
type limited struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func limit(l net.Listener, most int) net.Listener {
	return &limited{Listener: l, slots: make(chan struct{}, most), done: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotted{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// slotted is a connection that gives its slot back.
type slotted struct {
	net.Conn
	free func()
}

func (c *slotted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
