package metadata

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// Config says where namespaces are and who answers. The zero value answers by itself.
type Config struct {
	Dir string // of named namespaces; default "/run/netns"
	// Endpoint is a metadata service as Nova has it, "http://192.0.2.1:8775"; nil: none.
	Endpoint *url.URL
	// Secret is shared with the endpoint (Nova's metadata_proxy_shared_secret).
	Secret string
	// Transport reaches the endpoint; nil is one that uses no proxy of the environment.
	Transport http.RoundTripper
	Log       *logrus.Entry
}

// Proxy answers for metadata in namespaces. It is a [reconcile.Target] of who may ask there, by
// namespace. What it holds ends with the process. Its methods may be called from any goroutine, for one
// namespace from one at a time.
type Proxy struct {
	cfg     Config
	forward http.Handler // to the endpoint; nil: none
	idle    func()       // closes connections to the endpoint that are not used

	mu     sync.Mutex
	spaces map[string]*space
}

var _ reconcile.Target[string, spec.Metadata] = (*Proxy)(nil)

// NewProxy returns a proxy that listens nowhere yet.
func NewProxy(c Config) (*Proxy, error) {
	if c.Dir == "" {
		c.Dir = "/run/netns"
	}
	if c.Log == nil {
		c.Log = logrus.NewEntry(logrus.StandardLogger())
	}
	p := &Proxy{cfg: c, spaces: map[string]*space{}, idle: func() {}}
	if c.Endpoint != nil {
		if c.Endpoint.Scheme != "http" && c.Endpoint.Scheme != "https" || c.Endpoint.Host == "" {
			return nil, fmt.Errorf("metadata endpoint %s is no http or https address", c.Endpoint.Redacted())
		}
		if p.cfg.Transport == nil {
			own := newTransport()
			p.cfg.Transport, p.idle = own, own.CloseIdleConnections
		}
		p.forward = newForwarder(p.cfg)
	}
	return p, nil
}

// Close ends all listeners.
func (p *Proxy) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for name, s := range p.spaces {
		errs = append(errs, s.close())
		delete(p.spaces, name)
	}
	p.idle()
	return errors.Join(errs...)
}

// Actual returns where it listens. A namespace that was made anew is one where it does not.
func (p *Proxy) Actual(context.Context) (map[string]spec.Metadata, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]spec.Metadata{}
	for name, s := range p.spaces {
		inode, err := inodeOf(p.path(name))
		ended := false
		select {
		case <-s.done:
			ended = true
		default:
		}
		if err != nil || inode != s.inode || ended {
			delete(p.spaces, name)
			_ = s.close() // nobody can reach it any more
			continue
		}
		out[name] = s.want.Load().Metadata
	}
	return out, nil
}

// Equal reports whether the same may ask for the same.
func (p *Proxy) Equal(want, have spec.Metadata) bool {
	return want.Router == have.Router && want.Network == have.Network && maps.EqualFunc(want.Instances, have.Instances, func(a, b spec.Instance) bool {
		return slices.Equal(a.PublicKey, b.PublicKey) && a.Port == b.Port && a.Device == b.Device && a.Project == b.Project &&
			a.Hostname == b.Hostname && a.MAC == b.MAC && a.MTU == b.MTU && a.UserData == b.UserData
	})
}

// Apply starts and stops to listen. A change of who may ask disturbs nobody who asks. The error holds one
// of each namespace that failed.
func (p *Proxy) Apply(_ context.Context, c reconcile.Change[string, spec.Metadata]) error {
	var errs []error
	for name := range c.Delete {
		errs = append(errs, wrap(name, p.remove(name)))
	}
	for _, changed := range []map[string]spec.Metadata{c.Add, c.Update} {
		for name, want := range changed {
			errs = append(errs, wrap(name, p.put(name, want)))
		}
	}
	return errors.Join(errs...)
}

func wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("metadata in namespace %s: %w", name, err)
}

func (p *Proxy) put(name string, want spec.Metadata) error {
	p.mu.Lock()
	s := p.spaces[name]
	p.mu.Unlock()
	if s != nil {
		if port(s.want.Load().Metadata) == port(want) {
			s.set(want)
			return nil
		}
		if err := p.remove(name); err != nil {
			return err
		}
	}
	s, err := open(p.path(name), want, func(s *space) http.Handler { return p.handler(name, s) })
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spaces[name] = s
	return nil
}

func (p *Proxy) remove(name string) error {
	p.mu.Lock()
	s := p.spaces[name]
	delete(p.spaces, name)
	p.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.close()
}

func (p *Proxy) path(name string) string { return filepath.Join(p.cfg.Dir, name) }

// handler answers what comes to a namespace.
func (p *Proxy) handler(name string, s *space) http.Handler {
	log := p.cfg.Log.WithField("namespace", name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := source(r)
		a := s.want.Load().askers[from]
		log := log.WithField("address", from)
		switch {
		case a == nil:
			log.Debug("somebody unknown asks for metadata")
			http.Error(w, "404 this address is not known", http.StatusNotFound)
		case !s.allow(from, time.Now()):
			log.WithField("port", a.Port).Debug("metadata is asked for too often")
			w.Header().Set("Retry-After", "1")
			http.Error(w, "429 asked too often", http.StatusTooManyRequests)
		case !cleanPath(r.URL.Path):
			http.Error(w, "400 the path is not clean", http.StatusBadRequest)
		case p.forward != nil:
			r.Body = http.MaxBytesReader(w, r.Body, mostBody)
			p.forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), askerKey{}, &question{asker: a, from: from, log: log})))
		default:
			a.serve(w, r)
		}
	})
}

// source is the address that a request comes from.
func source(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}

// cleanPath refuses paths that a service could take for others than they look like.
func cleanPath(path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	return !slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

// serve answers without an endpoint.
func (a *asker) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "405 metadata can only be read", http.StatusMethodNotAllowed)
		return
	}
	body, contentType, ok := a.answer(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, body) // an instance that hangs up has what it wants
	}
}

// silent keeps net/http from writing about every connection that an instance breaks.
func silent() *stdlog.Logger { return stdlog.New(io.Discard, "", 0) }
