package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/maclearn"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/provenance"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller"
	"github.com/heddle-sdn/heddle/controller/difference"
	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/history"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/tlsfiles"
	"github.com/heddle-sdn/heddle/internal/tracing"
	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/metrics"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/bolt"
	"github.com/heddle-sdn/heddle/store/model"
)

// keptEvents is the size of the event log.
const keptEvents = 10000

func newServerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run the controller and its REST API",
		Long: `Run the controller and its REST API.

Every flag can also be given as a variable of the environment (--data-dir is HEDDLE_DATA_DIR) or as a
key of the --config file (data-dir: /var/lib/heddle). A flag wins over the environment, that over the file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadServerConfig(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			err = runServer(cmd.Context(), c)
			if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
				return nil // told to stop before it had started
			}
			return err
		},
	}
	serverFlags(cmd.Flags())
	return cmd
}

// server is the parts of a running server.
type server struct {
	config  serverConfig
	log     *logrus.Entry
	ops     *l2.Ops
	routers *router.Ops
	nat     *nat.Ops
	metrics *metrics.Metrics
	backend *bolt.Backend
	store   *store.Store
	events  *event.Log
	macs    *maclearn.View
	control *controller.Controller

	commitFailure atomic.Pointer[error] // of the last commit, nil if it succeeded
}

// runServer runs until ctx ends or a part of the server breaks. Bridges keep their flows either way.
func runServer(ctx context.Context, c serverConfig) error {
	log, err := newLog(c.LogLevel, c.LogFormat)
	if err != nil {
		return err
	}
	ln, err := listen(ctx, c, log)
	if err != nil {
		return err
	}
	defer ln.close()
	s, err := newServer(ctx, c, log, ln.openFlowPort())
	if err != nil {
		return err
	}
	defer s.store.Close()
	return s.run(ctx, ln)
}

func newServer(ctx context.Context, c serverConfig, log *logrus.Entry, openFlowPort int) (*server, error) {
	s := &server{config: c, log: log, events: event.NewLog(keptEvents, time.Now), macs: maclearn.New(time.Now)}
	network, err := c.network()
	if err != nil {
		return nil, err
	}
	if s.ops, err = l2.New(network); err != nil {
		return nil, err
	}
	servers := dhcp.NewPorts(s.ops)
	s.routers, s.nat = router.New(s.ops), nat.New(s.ops)
	s.metrics = metrics.New(version(), s.fabric)
	if s.backend, err = bolt.Open(c.DataDir); err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, s.backend, store.Options{Observe: s.committed}); err != nil {
		return nil, err
	}
	// A store of a version without routers has networks whose DHCP has no place yet.
	if _, err := s.store.Update(ctx, servers.SettleAll); err != nil {
		return nil, errors.Join(fmt.Errorf("place DHCP servers: %w", err), s.store.Close())
	}
	generation, err := nextGeneration(ctx, s.store)
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	switching, serving := l2.Planner{Probe: c.TunnelProbe}, dhcp.Planner{Domain: c.DNSDomain}
	s.control = controller.New(controller.Config{
		Store: s.store, Facts: l2.Facts{Ops: s.ops, Store: s.store}, Plug: s.ops.Plug, Words: words,
		Planners: []spec.Planner{switching.Remembering(), dhcp.NewPlanner(serving), router.NewPlanner(nat.Rules)},
		Trial:    []spec.Planner{switching.Plan, serving.Plan, router.Plan(nat.Rules)},
		Events:   s.events, MACs: s.macs, Metrics: s.metrics, Log: log.WithField("component", "controller"), Generation: generation,
		OpenFlowPort: openFlowPort, OpenFlowTLS: c.tls("openflow"), Resync: c.Resync,
	})
	return s, nil
}

// words say what the things on a host are for.
func words(m *model.Model, host string, ports map[string]map[string]of.Port) difference.Words {
	return provenance.NewWords(m, host, ports)
}

// run starts every part and waits for the first that breaks, or for ctx.
func (s *server) run(ctx context.Context, ln *listeners) error {
	handler, err := s.api()
	if err != nil {
		return err
	}
	follow := func(context.Context) {}
	if s.config.OTLPEndpoint != "" {
		tracer, err := tracing.New(s.config.OTLPEndpoint, version().Version)
		if err != nil {
			return fmt.Errorf("--otlp-endpoint: %w", err)
		}
		defer s.endTraces(tracer)
		handler, follow = tracer.Around(handler), func(ctx context.Context) { tracer.Follow(ctx, s.events, 0) }
	}
	dial, err := newDial(s.config, s.metrics, s.log)
	if err != nil {
		return err
	}
	rev := s.store.Snapshot().Rev
	api := &httpd.Server{Handler: handler, Log: s.log.WithField("component", "api")}
	switches := ofconn.NewListener(ofconn.Config{Log: s.log.WithField("component", "openflow"), TLS: ln.openFlowTLS, Metrics: s.metrics})
	hosts := &ovsdb.Listener{Listener: ln.ovsdb, TLS: ln.ovsdbTLS, Log: s.log.WithField("component", "ovsdb")}
	snapshots := bolt.NewSnapshotter(s.backend, bolt.SnapshotOptions{
		Interval: s.config.SnapshotEvery, MinGap: min(s.config.SnapshotEvery, time.Minute), Keep: s.config.Snapshots}, s.log.WithField("component", "store"))

	g, ctx := errgroup.WithContext(ctx)
	parts := map[string]func() error{
		"controller": func() error { return s.control.Run(ctx) },
		"dial":       func() error { return s.control.KeepDialling(ctx, dial) },
		"openflow":   func() error { return switches.Serve(ctx, ln.openFlow, s.control.ServeSwitch) },
		"ovsdb":      func() error { return hosts.Serve(ctx, s.control.ServeHost) },
		"snapshots":  func() error { return snapshots.Run(ctx) },
		"mend":       func() error { return s.mend(ctx) },
		"history":    func() error { history.Follow(ctx, s.store, rev, s.events); return nil },
		"traces":     func() error { follow(ctx); return nil },
		"api":        func() error { return api.Serve(ctx, ln.api) },
	}
	if s.config.Agent {
		parts["agent"] = func() error { return s.runAgent(ctx, ln.api.Addr()) }
	}
	if path := s.config.DebugSocket; path != "" {
		parts["debug"] = func() error { return serveDebug(ctx, path) }
	}
	for name, part := range parts {
		g.Go(func() error {
			if err := part(); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	s.log.WithFields(logrus.Fields{"api": ln.api.Addr().String(), "openflow": ln.openFlow.Addr().String(), "ovsdb": ln.ovsdb.Addr().String(),
		"rev": rev, "auth": s.config.Auth, "tls": s.config.secured()}).Info("heddle serves")
	if err := g.Wait(); err != nil {
		return err
	}
	s.log.Info("stopped; bridges keep their flows")
	return nil
}

// endTraces sends the last spans, unless the collector takes longer than anybody wants to wait.
func (s *server) endTraces(t *tracing.Tracer) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		s.log.WithError(err).Warn("traces are incomplete")
	}
}

// listeners are the sockets of the server. They are open before anything else starts, so that a port
// in use is the first thing one hears of.
type listeners struct {
	api, openFlow, ovsdb  net.Listener
	openFlowTLS, ovsdbTLS *tls.Config
}

func listen(ctx context.Context, c serverConfig, log *logrus.Entry) (l *listeners, err error) {
	l = &listeners{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	secure := func(listener string) (*tls.Config, error) {
		if !c.tls(listener) {
			return nil, nil
		}
		t, err := c.tlsFiles(c.clientCA(listener), log.WithField("component", listener)).Server()
		if err != nil {
			return nil, fmt.Errorf("TLS of the %s listener: %w", listener, err)
		}
		return t, nil
	}
	apiTLS, err := secure("api")
	if err != nil {
		return l, err
	}
	if l.openFlowTLS, err = secure("openflow"); err != nil {
		return l, err
	}
	if l.ovsdbTLS, err = secure("ovsdb"); err != nil {
		return l, err
	}
	if l.api, err = httpd.Listen(ctx, c.ListenAPI, apiTLS); err != nil {
		return l, fmt.Errorf("--listen-api: %w", err)
	}
	if l.openFlow, err = net.Listen("tcp", c.ListenOpenFlow); err != nil {
		return l, fmt.Errorf("--listen-openflow: %w", err)
	}
	if l.ovsdb, err = net.Listen("tcp", c.ListenOVSDB); err != nil {
		return l, fmt.Errorf("--listen-ovsdb: %w", err)
	}
	return l, nil
}

func (l *listeners) close() {
	for _, ln := range []net.Listener{l.api, l.openFlow, l.ovsdb} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// tlsFiles are the server's certificate and the authorities of its peers. That changed files cannot be
// used is logged: connections go on with those of before, until these expire.
func (c serverConfig) tlsFiles(ca string, log *logrus.Entry) tlsfiles.Files {
	return tlsfiles.Files{Cert: c.TLSCert, Key: c.TLSKey, CA: ca, Failed: func(err error) {
		log.WithError(err).Error("new TLS files cannot be used; those of before still are")
	}}
}

func (l *listeners) openFlowPort() int { return l.openFlow.Addr().(*net.TCPAddr).Port }

// errNoTLS is why a server without certificates dials no host by TLS.
var errNoTLS = errors.New("ssl: needs --tls-cert, --tls-key and --client-ca")

// newDial returns how hosts and bridges that listen are reached: "tcp:" plainly, "ssl:" with the
// server's own certificate.
func newDial(c serverConfig, m ofconn.Metrics, log *logrus.Entry) (controller.Dial, error) {
	var secure *tls.Config
	if c.TLSCert != "" && c.ClientCA != "" {
		t, err := c.tlsFiles(c.ClientCA, log.WithField("component", "dial")).Client()
		if err != nil {
			return controller.Dial{}, fmt.Errorf("TLS to hosts that listen: %w", err)
		}
		secure = t
	}
	return controller.Dial{
		OVSDB: func(ctx context.Context, target string, handle ovsdb.Handler) error {
			if secure == nil && strings.HasPrefix(target, "ssl:") {
				return errNoTLS
			}
			d := ovsdb.Dialer{Target: target, TLS: secure, Log: log.WithField("component", "ovsdb")}
			return d.Run(ctx, handle)
		},
		OpenFlow: func(ctx context.Context, target string, handle ofconn.Handle) error {
			d := ofconn.Dialer{Config: ofconn.Config{Log: log.WithField("component", "openflow"), Metrics: m}}
			method, addr, _ := strings.Cut(target, ":")
			switch method {
			case "tcp", "unix":
				d.Network = method
			case "ssl":
				if secure == nil {
					return errNoTLS
				}
				d.Network, d.Config.TLS = "tcp", secure
			default:
				return fmt.Errorf("%q is not a target such as tcp:192.0.2.7:6653", target)
			}
			d.Addr = addr
			return d.Run(ctx, handle)
		},
	}, nil
}

func newLog(level, format string) (*logrus.Entry, error) {
	l := logrus.New()
	l.SetOutput(os.Stderr)
	parsed, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", level)
	}
	l.SetLevel(parsed)
	switch format {
	case "json":
		l.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	case "text":
		l.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: "2006-01-02T15:04:05.000Z07:00"})
	default:
		return nil, fmt.Errorf("--log-format %q is neither text nor json", format)
	}
	return logrus.NewEntry(l), nil
}
