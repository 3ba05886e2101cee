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

	kick    chan struct{}
	plan    atomic.Pointer[plan] // newest; nil until the first
	planned inputs               // of plan; for run alone

	mu      sync.Mutex
	db      *database          // nil while the OVSDB is not connected
	bridges map[string]*bridge // connected, by name
	news    chan struct{}      // closed by the next plan
}

func newHost(c *Controller, name string) *host {
	return &host{c: c, name: name, log: c.cfg.Log.WithField("host", name), kick: make(chan struct{}, 1), bridges: map[string]*bridge{}, news: make(chan struct{})}
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
	pace := reconcile.Pace{Rest: 8, Burst: 500 * time.Millisecond, Most: 500 * time.Millisecond}
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.kick:
		}
		if pace.Wait(ctx) != nil {
			return
		}
		pace.Worked(h.replan(ctx))
	}
}

// replan looks at the host, stores what it sees, plans, and wakes the loops. Facts and plan are of one
// look: a plan that knew of an interface, and not yet of the port plugged in it, would undo it.
// It returns how long planning took; waiting for the disk is no work.
func (h *host) replan(ctx context.Context) time.Duration {
	db := h.database()
	changed := db != nil && db.read.Swap(false) // before looking: a change from now on is for the next time
	seen := h.look()
	if seen.inputs.rev = h.c.cfg.Store.Snapshot().Rev; seen.inputs.equal(h.planned) {
		h.kickLoops(db, h.plan.Load(), changed)
		return 0
	}
	stored := h.storeFacts(ctx, seen)
	start := time.Now()
	m := h.c.cfg.Store.Snapshot()
	p := newPlan(h.plan.Load(), m, seen.Observed, h.name, h.c.cfg.Planners)
	p.plugs = seen.plugs
	h.publish(p)
	took := time.Since(start)
	h.c.cfg.Metrics.Planned(h.name, took)
	if p.err != nil {
		h.log.WithError(p.err).WithField("rev", m.Rev).Error("host cannot be planned; nothing is changed")
	} else {
		connected := map[string]bool{}
		for _, b := range h.connected() {
			connected[b.name] = true
		}
		h.c.board.planned(h.name, p.spec, connected)
	}
	h.planned = inputs{}
	if stored && p.err == nil {
		h.planned = seen.inputs
		h.planned.rev = m.Rev
	}
	h.kickLoops(db, p, changed)
	return took
}

// inputs stand for all that facts and plan of a host depend on: with equal inputs, neither would change.
type inputs struct {
	rev   uint64 // of the store
	state *ovsdb.State
	ports map[string]<-chan struct{} // by bridge: closed when the ports of its session change
}

func (i inputs) equal(other inputs) bool {
	return i.rev == other.rev && i.state == other.state && maps.Equal(i.ports, other.ports)
}

// observed is what is known of a host, beside the model, at one moment.
type observed struct {
	spec.Observed
	sight            // of db
	db     *database // nil while the OVSDB is not connected
	int    *bridge   // br-int; nil while it is not connected
	inputs inputs    // but for the revision
}

func (h *host) look() observed {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := observed{Observed: spec.Observed{Ports: map[string]map[string]of.Port{}}, db: h.db, int: h.bridges[row.IntBridge],
		inputs: inputs{ports: map[string]<-chan struct{}{}}}
	for name, b := range h.bridges {
		o.inputs.ports[name] = b.sw.PortsChanged()
		o.Ports[name] = b.sw.Ports()
	}
	if h.db != nil {
		o.sight = h.db.look()
		o.Rows, o.inputs.state = o.rows, o.state
	}
	return o
}

// publish makes p the host's plan and tells those who wait for one.
func (h *host) publish(p *plan) {
	h.plan.Store(p)
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.news)
	h.news = make(chan struct{})
}

// nextPlan returns a channel that is closed by the next plan.
func (h *host) nextPlan() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.news
}

// storeFacts stores which ports are plugged, and reports whether that is done. While it cannot be seen,
// what was seen last stays true.
func (h *host) storeFacts(ctx context.Context, seen observed) (done bool) {
	ifaces, known := h.plugged(h.c.cfg.Store.Snapshot(), seen)
	if !known {
		return false
	}
	err := h.c.cfg.Facts.Plugged(ctx, h.name, ifaces)
	if err != nil && ctx.Err() == nil {
		h.log.WithError(err).Warn("plugged ports cannot be stored; tried again with the next change")
	}
	return err == nil
}

// plugged returns the interfaces on br-int by the port they are of; known is false while neither the
// OVSDB nor, for a host that never had one, the bridge is connected.
func (h *host) plugged(m *model.Model, seen observed) (ifaces map[model.ID]string, known bool) {
	if seen.db != nil {
		// An ended session's state may be of before its end.
		return seen.ifaces, seen.db.session.Err() == nil
	}
	is, ok := m.Hosts.Get(h.name)
	if !ok || seen.int == nil || !reflect.DeepEqual(is.Said, model.HostSettings{}) {
		return nil, false
	}
	ports := seen.Ports[row.IntBridge]
	ifaces = map[model.ID]string{}
	for id := range m.Ports.All() {
		if name := tapName(id); ports[name].No != 0 {
			ifaces[id] = name
		}
	}
	return ifaces, seen.int.sw.Err() == nil
}

// tapName is the name that Nova gives to the interface of a port. On a host without OVSDB it is all
// that tells which port an interface is of.
func tapName(port model.ID) string { return "tap" + string(port[:min(11, len(port))]) }

func (h *host) database() *database {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.db
}

// kickLoops wakes the loops for a plan; changed says that the OVSDB changed.
func (h *host) kickLoops(db *database, p *plan, changed bool) {
	if db != nil {
		db.kick(p, changed)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
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
	// read says that the OVSDB changed and has to be compared anew, once a plan knows of the change.
	read atomic.Bool
	// current is the plan of the pass under way. Only the loop's goroutine touches it.
	current *plan
	kicked  uint64      // version of the rows that the loop was woken for last
	later   atomic.Bool // it will be woken for tags

	seen sight // newest; under the host's mu
}

// sight is what one state of an OVSDB says, in the forms that planning needs.
type sight struct {
	state  *ovsdb.State
	rows   *spec.Rows
	plugs  map[string]bool     // ports of br-int that have an iface-id, by name
	ifaces map[model.ID]string // interfaces on br-int, by the API's port
}

// tagDelay is how long a change of nothing but tags waits. Frames do not depend on tags, and for each
// write ovs-vswitchd goes through all its ports, before it takes a single flow: 25 ms beside 600 ports.
// So the flows of a port that was just plugged go first, and tags are written together.
const tagDelay = 100 * time.Millisecond

// kick wakes the loop: at once for bridges, cables and tunnels, later for tags. changed says that the
// OVSDB has to be compared whatever the plan is. Only the host's goroutine calls it.
func (d *database) kick(p *plan, changed bool) {
	tags := changed || p.rows.Version != d.kicked
	d.kicked = p.rows.Version
	switch {
	case p.rewired:
		d.loop.Verify()
	case tags && d.later.CompareAndSwap(false, true):
		time.AfterFunc(tagDelay, func() {
			d.later.Store(false)
			d.loop.Verify()
		})
	case !d.later.Load():
		d.loop.Kick() // it has a revision to confirm
	}
}

var errNoPlan = errors.New("the host is not planned yet")

// look returns what the OVSDB says now. The host's mu is held.
func (d *database) look() sight {
	state := d.session.State()
	if d.seen.state == state {
		return d.seen
	}
	plugs := state.Plugged(row.IntBridge)
	d.seen = sight{state: state, plugs: make(map[string]bool, len(plugs)), ifaces: make(map[model.ID]string, len(plugs)),
		rows: &spec.Rows{Controller: d.h.c.openFlowTarget(d.session), Bridges: map[string]bool{}, Plugged: make(map[string]string, len(plugs))}}
	for _, b := range state.Bridges {
		d.seen.rows.Bridges[b.Name] = true
	}
	for _, p := range plugs {
		d.seen.rows.Plugged[p.Interface] = p.IfaceID
		d.seen.plugs[p.Port] = true
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
	d.current = p
	return p.rows, nil
}

// rowTarget is the rows of an OVSDB, as far as the plan of the pass knows of them: a port that was
// plugged a moment ago is not one that nobody wants.
type rowTarget struct {
	*ovsdb.Session
	d *database
}

// Actual returns the rows that are there, without the tags of ports that the plan does not know. The tag of a
// port that was unplugged after the plan went with the port: nobody took it away.
func (t rowTarget) Actual(ctx context.Context) (map[row.Key]row.Row, error) {
	have, err := t.Session.Actual(ctx)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(have, func(k row.Key, _ row.Row) bool { return k.Kind == row.KindTag && !t.d.current.plugs[k.Name] })
	there := map[string]bool{}
	for _, p := range t.Session.State().Plugged(row.IntBridge) {
		there[p.Port] = true
	}
	for k, want := range t.d.current.rows.Objects {
		if k.Kind == row.KindTag && t.d.current.plugs[k.Name] && !there[k.Name] {
			have[k] = want
		}
	}
	return have, nil
}

// said are the settings in an OVSDB's external_ids.
func said(id ovsdb.Identity) model.HostSettings {
	s := model.HostSettings{EncapIP: id.EncapIP, BridgeMappings: maps.Clone(id.BridgeMappings), Gateway: id.Gateway, DatapathType: id.DatapathType}
	for _, t := range id.EncapTypes {
		s.EncapTypes = append(s.EncapTypes, model.NetworkType(t))
	}
	return s
}
