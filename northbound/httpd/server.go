package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// Limits on clients that are slow or idle. Bodies and answers have no limit here: a stream may last.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10 // bytes
	keepAlive     = 30 * time.Second
)

// Listen opens the address ("127.0.0.1:9696") for [Server.Serve]. With a TLS configuration, as package
// tlsfiles makes it, only TLS is spoken there.
func Listen(ctx context.Context, addr string, secure *tls.Config) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: keepAlive}
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the API: %w", err)
	}
	if secure != nil {
		ln = tls.NewListener(ln, withHTTP2(secure))
	}
	return ln, nil
}

// withHTTP2 returns the configuration with HTTP/2 offered (RFC 9113 §3.2), also in the configurations
// that GetConfigForClient hands out.
func withHTTP2(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.NextProtos = []string{"h2", "http/1.1"}
	if choose := c.GetConfigForClient; choose != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen == nil || err != nil {
				return chosen, err
			}
			chosen = chosen.Clone()
			chosen.NextProtos = c.NextProtos
			return chosen, nil
		}
	}
	return c
}

// Server serves a handler on any number of listeners.
type Server struct {
	Handler http.Handler
	Log     *logrus.Entry
	// Grace is how long requests may go on after the server was told to stop; default 10 s.
	Grace time.Duration
}

// Serve answers requests on ln until ctx ends; it closes ln. Then streams are told to end (see
// [Draining]), other requests have the grace to finish, and what is still open is cut. It returns nil
// after a stop that was asked for.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	grace := s.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	draining := make(chan struct{})
	base, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), drainingKey{}, draining))
	defer cancel()
	srv := &http.Server{
		Handler:           s.Handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(complaints{s.Log}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		_ = srv.Close() // never fails: the listener is gone already
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	close(draining)
	limit, done := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer done()
	if err := srv.Shutdown(limit); err != nil {
		s.Log.WithField("grace", grace.String()).Warn("API requests cut: they did not end in time")
		cancel()
		_ = srv.Close() // connections that fail to close are closed by the process's end
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}

type drainingKey struct{}

// Draining returns a channel that is closed when the server of a request is about to stop: a handler
// that streams must end then. It is nil, and never ready, outside of [Server].
func Draining(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(drainingKey{}).(chan struct{})
	return c
}

// complaints is where net/http writes what goes wrong with a connection: a bad TLS handshake, mostly.
type complaints struct{ log *logrus.Entry }

func (c complaints) Write(line []byte) (int, error) {
	c.log.Debug(strings.TrimSpace(string(line)))
	return len(line), nil
}
