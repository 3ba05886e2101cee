package controller

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// host observes and plans one host.
type host struct {
	c    *Controller
	name string
	log  *logrus.Entry
	stop context.CancelFunc // ends run

	kick chan struct{}
	plan atomic.Pointer[plan] // newest; nil until the first

	mu      sync.Mutex
	db      *database          // nil while the OVSDB is not connected
	bridges map[string]*bridge // connected, by name
}

func newHost(c *Controller, name string) *host {
	return &host{c: c, name: name, log: c.cfg.Log.WithField("host", name), kick: make(chan struct{}, 1), bridges: map[string]*bridge{}}
}

// wake asks for a new plan.
func (h *host) wake() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// run plans whenever something changed, until ctx ends. Under a flood of changes a host is planned for
// at most a ninth of the time, each time for all that changed meanwhile; a few changes are not held up.
func (h *host) run(ctx context.Context) {
	pace := reconcile.Pace{Rest: 8, Burst: 500 * time.Millisecond}
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.kick:
		}
		if pace.Wait(ctx) != nil {
			return
		}
		start := time.Now()
		h.replan(ctx)
		pace.Worked(time.Since(start))
	}
}

// replan stores what was observed, plans, and wakes the loops.
func (h *host) replan(ctx context.Context) {
	h.storeFacts(ctx)
	start := time.Now()
	m := h.c.cfg.Store.Snapshot()
	o := h.observe()
	p := newPlan(h.plan.Load(), m, o, h.name, h.c.cfg.Planners)
	h.plan.Store(p)
	took := time.Since(start)
	h.c.cfg.Metrics.Planned(h.name, took)
	if p.err != nil {
		h.log.WithError(p.err).WithField("rev", m.Rev).Error("host cannot be planned; nothing is changed")
	} else {
		h.c.board.planned(h.name, p.spec)
	}
	h.kickLoops()
}

// storeFacts stores which ports are plugged. While that cannot be seen, what was seen last stays true.
func (h *host) storeFacts(ctx context.Context) {
	ifaces, known := h.plugged(h.c.cfg.Store.Snapshot())
	if !known {
		return
	}
	if err := h.c.cfg.Facts.Plugged(ctx, h.name, ifaces); err != nil && ctx.Err() == nil {
		h.log.WithError(err).Warn("plugged ports cannot be stored; tried again with the next change")
	}
}

// plugged returns the interfaces on br-int by the port they are of; known is false while neither the
// OVSDB nor, for a host that never had one, the bridge is connected.
func (h *host) plugged(m *model.Model) (ifaces map[model.ID]string, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.db != nil {
		// An ended session's state may be of before its end.
		return h.db.look().ifaces, h.db.session.Err() == nil
	}
	is, ok := m.Hosts.Get(h.name)
	b := h.bridges[row.IntBridge]
	if !ok || b == nil || !reflect.DeepEqual(is.Said, model.HostSettings{}) {
		return nil, false
	}
	ports := b.sw.Ports()
	ifaces = map[model.ID]string{}
	for id := range m.Ports.All() {
		if name := tapName(id); ports[name].No != 0 {
			ifaces[id] = name
		}
	}
	return ifaces, b.sw.Err() == nil
}

// tapName is the name that Nova gives to the interface of a port. On a host without OVSDB it is all
// that tells which port an interface is of.
func tapName(port model.ID) string { return "tap" + string(port[:min(11, len(port))]) }

// observe returns what is known of the host beside the model.
func (h *host) observe() spec.Observed {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := spec.Observed{Ports: map[string]map[string]of.Port{}}
	for name, b := range h.bridges {
		o.Ports[name] = b.sw.Ports()
	}
	if h.db != nil {
		o.Rows = h.db.look().rows
	}
	return o
}

func (h *host) database() *database {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.db
}

// kickLoops wakes the loops for the new plan.
func (h *host) kickLoops() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.db != nil {
		if h.db.read.Swap(false) {
			h.db.loop.Verify()
		} else {
			h.db.loop.Kick()
		}
	}
	for _, b := range h.bridges {
		b.loop.Kick()
	}
}

// disconnect ends the host's sessions. Whoever is still there connects anew, and joins anew.
func (h *host) disconnect() {
	if db := h.database(); db != nil {
		_ = db.session.Close()
	}
	for _, b := range h.connected() {
		_ = b.sw.Close()
	}
}

// database is the connected OVSDB of a host.
type database struct {
	h       *host
	session *ovsdb.Session
	named   bool // the host's name was given to us, and is not what it says
	loop    *reconcile.Loop[row.Key, row.Row]
	// read says that the OVSDB changed and has to be compared anew, once a plan knows of the change:
	// against an older plan, a port that was just plugged would look like one that nobody wants.
	read atomic.Bool

	seen sight // newest; under the host's mu
}

// sight is what one state of an OVSDB says, in the forms that planning needs.
type sight struct {
	state  *ovsdb.State
	rows   *spec.Rows
	ifaces map[model.ID]string // interfaces on br-int, by port
}

var errNoPlan = errors.New("the host is not planned yet")

// look returns what the OVSDB says now. The host's mu is held.
func (d *database) look() sight {
	state := d.session.State()
	if d.seen.state == state {
		return d.seen
	}
	plugs := state.Plugged(row.IntBridge)
	d.seen = sight{state: state, ifaces: make(map[model.ID]string, len(plugs)),
		rows: &spec.Rows{Controller: d.h.c.openFlowTarget(d.session), Bridges: map[string]bool{}, Plugged: make(map[string]string, len(plugs))}}
	for _, b := range state.Bridges {
		d.seen.rows.Bridges[b.Name] = true
	}
	for _, p := range plugs {
		d.seen.rows.Plugged[p.Interface] = p.IfaceID
		d.seen.ifaces[model.ID(p.IfaceID)] = p.Interface
	}
	return d.seen
}

// want returns the rows of the newest plan. A plan made without the OVSDB has none, and is no plan
// for it.
func (d *database) want() (reconcile.Want[row.Key, row.Row], error) {
	p := d.h.plan.Load()
	switch {
	case p == nil:
		return reconcile.Want[row.Key, row.Row]{}, errNoPlan
	case p.err != nil:
		return reconcile.Want[row.Key, row.Row]{}, p.err
	case !p.hasRows:
		return reconcile.Want[row.Key, row.Row]{}, errNoPlan
	}
	return p.rows, nil
}

// said are the settings in an OVSDB's external_ids.
func said(id ovsdb.Identity) model.HostSettings {
	s := model.HostSettings{EncapIP: id.EncapIP, BridgeMappings: maps.Clone(id.BridgeMappings), Gateway: id.Gateway, DatapathType: id.DatapathType}
	for _, t := range id.EncapTypes {
		s.EncapTypes = append(s.EncapTypes, model.NetworkType(t))
	}
	return s
}
