package controller

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/maclearn"
	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// bridge is a connected bridge of a host.
type bridge struct {
	h       *host
	name    string
	sw      *ofconn.Session
	log     *logrus.Entry
	loop    *reconcile.Loop[of.Key, wire.Entry]
	counted counters
	// current is the plan of the pass under way: the pass reads learn scopes and flows of one plan.
	// Only the loop's goroutine touches it.
	current bridgePlan
}

var (
	errNotPlanned = errors.New("the bridge is not one that Heddle programs")
	errReplaced   = errors.New("the bridge connected anew")
)

// stranger is a connected bridge that no host claims.
type stranger struct {
	sw    *ofconn.Session
	since time.Time
}

// strangerAfter is how long a bridge may be unclaimed before an event says so: when a host joins, its
// bridges may be quicker than its OVSDB.
const strangerAfter = 5 * time.Second

// blindResync is the resync of a bridge that cannot tell when others change it.
const blindResync = 5 * time.Second

// ServeSwitch owns a session until it ends. It is an [ofconn.Handle].
func (c *Controller) ServeSwitch(ctx context.Context, sw *ofconn.Session) {
	c.serveSwitch(ctx, sw, func() (*host, string) { return c.ownerOf(sw.DPID()) })
}

// ServeDialled is the [ofconn.Handle] of a bridge that Heddle dials because a host names it.
func (c *Controller) ServeDialled(hostName, bridge string) ofconn.Handle {
	return func(ctx context.Context, sw *ofconn.Session) {
		c.serveSwitch(ctx, sw, func() (*host, string) { return c.host(hostName), bridge })
	}
}

func (c *Controller) serveSwitch(ctx context.Context, sw *ofconn.Session, owner func() (*host, string)) {
	log := c.cfg.Log.WithField("dpid", sw.DPID().String())
	c.meet(sw)
	defer c.part(sw)
	tell := time.NewTimer(strangerAfter)
	defer tell.Stop()
	for {
		changed := c.ownersChanged()
		if h, name := owner(); h != nil {
			c.part(sw)
			h.serveBridge(ctx, name, sw, log)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tell.C:
			log.WithField("remote", sw.RemoteAddr()).Warn("bridge belongs to no known host; it is not programmed")
			c.cfg.Events.Append("", event.SwitchUnknown{DPID: sw.DPID().String(), Remote: sw.RemoteAddr(),
				Hint: "run ovs-vsctl set-manager on its host, or name the datapath id under bridges in /v1/hosts"})
		}
	}
}

func (c *Controller) ownersChanged() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *Controller) meet(sw *ofconn.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unknown[sw.DPID()] = &stranger{sw, time.Now().UTC()}
}

func (c *Controller) part(sw *ofconn.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.unknown[sw.DPID()]; s != nil && s.sw == sw {
		delete(c.unknown, sw.DPID())
	}
}

// ownerOf returns the host that has a bridge with the datapath id, and the bridge's name; nil if no
// host is known to have it. A name given under /v1/hosts wins over what OVSDBs say.
func (c *Controller) ownerOf(id of.DPID) (*host, string) {
	m := c.cfg.Store.Snapshot()
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, h := range m.Hosts.All() {
		for bridge, dpid := range h.Bridges {
			if dpid == id && c.hosts[name] != nil {
				return c.hosts[name], bridge
			}
		}
	}
	for _, h := range c.hosts {
		if db := h.database(); db != nil {
			for _, b := range db.session.State().Bridges {
				if b.DPID == id {
					return h, b.Name
				}
			}
		}
	}
	return nil, ""
}

// serveBridge keeps one connected bridge as planned until its session ends.
func (h *host) serveBridge(ctx context.Context, name string, sw *ofconn.Session, log *logrus.Entry) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &bridge{h: h, name: name, sw: sw, log: log.WithFields(logrus.Fields{"host": h.name, "bridge": name})}
	if err := sw.Role(ctx, true, h.c.cfg.Generation); err != nil {
		b.log.WithError(err).Error("bridge does not take us as its master; another controller leads it")
		return
	}
	b.loop = reconcile.NewLoop(flowTarget{
		sw:     sw,
		learn:  func() map[uint16]pipeline.LearnScope { return b.current.learn },
		forgot: func(mac pipeline.MAC) { b.forgot(mac, "delete") },
	}, b.want)
	b.loop.Resync = h.c.cfg.Resync
	report := newReporter(h, name, b.log, flowText, func(e wire.Entry) string { return h.c.cause(e.Cookie) }).report
	b.loop.Report = func(r reconcile.Result[of.Key, wire.Entry]) {
		// Those the switch made itself, from frames that came as a network left or a VM moved.
		maps.DeleteFunc(r.Drift.Delete, func(k of.Key, e wire.Entry) bool { _, learned := learnedMAC(k, e); return learned })
		report(r)
	}
	h.attach(b)
	defer h.detach(b)
	if err := b.watch(ctx); err != nil {
		b.log.WithError(err).Warn("no flow monitor: the bridge is read every few seconds instead")
		b.loop.Resync = min(b.loop.Resync, blindResync)
	}
	var wg sync.WaitGroup
	wg.Go(func() { b.followPorts(ctx) })
	_ = b.loop.Run(ctx) // ends with the session
	cancel()
	wg.Wait()
}

// want returns the flows of the newest plan for this bridge.
func (b *bridge) want() (reconcile.Want[of.Key, wire.Entry], error) {
	p := b.h.plan.Load()
	if p == nil {
		return reconcile.Want[of.Key, wire.Entry]{}, errNoPlan
	}
	if p.err != nil {
		return reconcile.Want[of.Key, wire.Entry]{}, p.err
	}
	current, planned := p.bridges[b.name]
	if !planned {
		return reconcile.Want[of.Key, wire.Entry]{}, errNotPlanned
	}
	b.current = current
	return current.flows, current.err
}

// attach makes b the bridge of its name; an older session of the same bridge is closed.
func (h *host) attach(b *bridge) {
	h.mu.Lock()
	old := h.bridges[b.name]
	h.bridges[b.name] = b
	h.mu.Unlock()
	if old != nil {
		old.log.WithError(errReplaced).Info("older session closed")
		_ = old.sw.Close()
	}
	h.c.cfg.MACs.Reset(maclearn.Bridge{Host: h.name, Name: b.name})
	h.c.board.connected(h.name, b.name, true)
	h.c.cfg.Events.Append(h.name, event.SwitchUp{DPID: b.sw.DPID().String(), Bridge: b.name, Remote: b.sw.RemoteAddr()})
	b.log.WithField("remote", b.sw.RemoteAddr()).Info("bridge connected")
	h.wake()
}

func (h *host) detach(b *bridge) {
	h.mu.Lock()
	current := h.bridges[b.name] == b
	if current {
		delete(h.bridges, b.name)
	}
	h.mu.Unlock()
	if !current {
		return
	}
	cause := "shut down"
	if err := b.sw.Err(); err != nil {
		cause = err.Error()
	}
	h.c.board.connected(h.name, b.name, false)
	h.c.cfg.Events.Append(h.name, event.SwitchDown{DPID: b.sw.DPID().String(), Bridge: b.name, Cause: cause})
	b.log.WithField("cause", cause).Info("bridge disconnected")
	h.wake()
}

// followPorts plans anew when the bridge's ports change.
func (b *bridge) followPorts(ctx context.Context) {
	for {
		changed := b.sw.PortsChanged()
		b.h.wake()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}
