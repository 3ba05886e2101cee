// Package controller keeps hosts as planned: it knows switches, OVSDBs and loops, and no feature.
//
// Each host has one goroutine that observes it, plans it, and hands the plan to one reconcile loop per
// target: its OVSDB, and each of its connected bridges. What a target says travels back as events and
// as confirmed revisions; an event never writes to a switch, it wakes the host's goroutine.
package controller

import (
	"context"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/maclearn"
	"github.com/heddle-sdn/heddle/controller/difference"
	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Facts stores what was observed of hosts. Its methods store nothing, and return soon, when the model
// says the same already.
type Facts interface {
	// Said stores what a host says of itself.
	Said(ctx context.Context, host string, said model.HostSettings) error
	// Agent stores whether a host's node agent reports.
	Agent(ctx context.Context, host string, state model.AgentState) error
	// Plugged stores which ports have an interface on a host: all of them, by port.
	Plugged(ctx context.Context, host string, ifaces map[model.ID]string) error
	// Arrived stores that services which moved are all that they were on the hosts that they moved to, so
	// that those that they leave may let go.
	Arrived(ctx context.Context, moved []*model.Placement) error
}

// Metrics is told what the loops do. Its methods are called from many goroutines.
type Metrics interface {
	// Pass counts one pass of a target: how long it took and what it changed.
	Pass(host, target string, took time.Duration, added, updated, deleted, drifted int, err error)
	// Planned counts one plan of a host.
	Planned(host string, took time.Duration)
	// Converged is told how long a revision took from its commit until the last connected host had
	// confirmed it by a barrier.
	Converged(took time.Duration)
}

// Config is what a Controller works with. Every field but Words is needed.
type Config struct {
	Store *store.Store
	Facts Facts
	// Plug does to a model what Facts.Plugged does to the store: for trying a change out.
	Plug     func(tx *store.Tx, host string, ifaces map[model.ID]string) error
	Planners []spec.Planner
	// Words say what the things on a host are for, whose bridges have some ports. Nil: nothing is said.
	Words func(m *model.Model, host string, ports map[string]map[string]of.Port) difference.Words
	// Trial plan what Planners do, for plans that nobody carries out: they remember nothing, so that a
	// plan of the past does not push out what is remembered of now.
	Trial   []spec.Planner
	Events  *event.Log
	MACs    *maclearn.View
	Metrics Metrics
	Log     *logrus.Entry
	// Generation is the role generation of this process; a switch that knows a newer one refuses us.
	Generation uint64
	// OpenFlowPort is the TCP port at which bridges reach Heddle; hosts with OVSDB are told to dial it
	// at the address that their OVSDB connection came to.
	OpenFlowPort int
	// OpenFlowTLS makes hosts dial with ssl: instead of tcp:.
	OpenFlowTLS bool
	// Resync is how often a target is read though nothing happened.
	Resync time.Duration
}

// Controller runs hosts. Its methods may be called from any goroutine.
type Controller struct {
	cfg    Config
	board  *board
	leases leases

	mu      sync.Mutex
	hosts   map[string]*host
	unknown map[of.DPID]*stranger     // connected bridges that no host claims
	names   map[string]*ovsdb.Session // which machine has a host's name
	changed chan struct{}             // closed when the owner of a bridge may have become known
	run     context.Context           // of Run; hosts live in it
	wg      sync.WaitGroup            // hosts
}

// New returns a controller; Run starts it.
func New(cfg Config) *Controller {
	return &Controller{cfg: cfg, board: newBoard(cfg.Store, cfg.Metrics), leases: leases{of: map[string][]spec.Lease{}}, hosts: map[string]*host{},
		unknown: map[of.DPID]*stranger{}, names: map[string]*ovsdb.Session{}, changed: make(chan struct{})}
}

// Run keeps every host of the model planned until ctx ends, and returns when all is stopped.
func (c *Controller) Run(ctx context.Context) error {
	c.mu.Lock()
	c.run = ctx
	c.mu.Unlock()
	defer c.wg.Wait()
	c.wg.Go(func() { c.watchAgents(ctx) })
	for {
		m := c.cfg.Store.Snapshot()
		changed := c.cfg.Store.Changed(m.Rev)
		c.follow(m)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// follow starts hosts that are new in the model, stops those that left it, and wakes the others.
func (c *Controller) follow(m *model.Model) {
	for _, gone := range c.followHosts(m) {
		gone.stop()
		gone.disconnect()
		c.board.remove(gone.name)
		c.leases.forget(gone.name)
	}
}

func (c *Controller) followHosts(m *model.Model) (gone []*host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board.committed(m.Rev)
	for name := range m.Hosts.All() {
		h := c.hosts[name]
		if h == nil {
			h = newHost(c, name)
			c.hosts[name] = h
			ctx, cancel := context.WithCancel(c.run)
			h.stop = cancel
			c.wg.Go(func() { h.run(ctx) })
		}
		h.wake()
	}
	for name, h := range c.hosts {
		if _, ok := m.Hosts.Get(name); !ok {
			gone = append(gone, h)
			delete(c.hosts, name)
		}
	}
	c.noticeLocked()
	return gone
}

// notice wakes the connected bridges that have no owner yet.
func (c *Controller) notice() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noticeLocked()
}

func (c *Controller) noticeLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// host returns a running host, or nil.
func (c *Controller) host(name string) *host {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hosts[name]
}

// Status returns the state of all hosts at this moment.
func (c *Controller) Status() status.View { return c.board.view() }
