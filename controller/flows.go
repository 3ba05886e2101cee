package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Switches returns all connected bridges by host and name, unclaimed ones first.
func (c *Controller) Switches() []view.Switch {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []view.Switch
	for id, s := range c.unknown {
		out = append(out, view.Switch{DPID: id, Remote: s.sw.RemoteAddr(), Ports: s.sw.Ports(), Since: s.since})
	}
	for _, h := range c.hosts {
		for _, b := range h.connected() {
			plan, managed := b.planned()
			out = append(out, view.Switch{DPID: b.sw.DPID(), Host: h.name, Bridge: b.name, Remote: b.sw.RemoteAddr(), Managed: managed,
				Flows: len(plan.flows.Objects), Ports: b.sw.Ports()})
		}
	}
	slices.SortFunc(out, func(a, b view.Switch) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Bridge, b.Bridge), cmp.Compare(a.DPID, b.DPID))
	})
	return out
}

// Flows reads a bridge and compares it with what is wanted, in the order of tables, descending
// priority and match. It changes nothing.
func (c *Controller) Flows(ctx context.Context, id of.DPID) ([]view.Flow, error) {
	sw, b := c.find(id)
	if sw == nil {
		return nil, fmt.Errorf("no bridge with datapath id %v is connected", id)
	}
	stats, err := sw.FlowStats(ctx, of.TableAll, 0, 0)
	if err != nil {
		return nil, err
	}
	var want bridgePlan
	var tables *pipeline.Pipeline
	if b != nil {
		want, _ = b.planned()
		tables = pipeline.Of(b.name)
	}
	flows, err := compareFlows(stats, want.flows.Objects, want.learn)
	for i := range flows {
		c.explain(&flows[i], tables)
	}
	return flows, err
}

// keyed is a flow with what it is sorted by.
type keyed struct {
	key  of.Key
	flow view.Flow
}

// compare orders by table, descending priority and match.
func (a keyed) compare(b keyed) int {
	return cmp.Or(cmp.Compare(a.key.Table, b.key.Table), cmp.Compare(b.key.Priority, a.key.Priority), cmp.Compare(a.key.Match, b.key.Match))
}

func compareFlow(s ofconn.Stat, want map[of.Key]wire.Entry, learn map[uint16]pipeline.LearnScope) (view.Flow, error) {
	f, err := wire.Unpack(s.Key, s.Entry)
	if err != nil {
		return view.Flow{}, err
	}
	out := view.Flow{State: view.FlowStale, Flow: f, Packets: s.Packets, Bytes: s.Bytes, Age: s.Age}
	wanted, isWanted := want[s.Key]
	switch {
	case !pipeline.Ours(s.Entry.Cookie) && !isWanted:
		out.State = view.FlowForeign
	case isWanted && wanted == s.Entry:
		out.State = view.FlowOK
	case isWanted:
		w, err := wire.Unpack(s.Key, wanted)
		if err != nil {
			return view.Flow{}, err
		}
		out.State, out.Want = view.FlowAltered, &w
	case mayStay(s.Key, s.Entry, learn):
		out.State = view.FlowLearned
	}
	return out, nil
}

// explain fills in the names of what a flow's numbers stand for.
func (c *Controller) explain(f *view.Flow, tables *pipeline.Pipeline) {
	if tables != nil {
		if t := tables.Table(f.Flow.Table); t != nil {
			f.Table = t.Name
		}
	}
	if pipeline.Ours(f.Flow.Cookie) {
		kind, _ := pipeline.Cause(f.Flow.Cookie)
		f.Kind, f.Object = kind.String(), c.cause(f.Flow.Cookie)
	}
}

// find returns the session of a connected bridge, and the bridge if a host claims it.
func (c *Controller) find(id of.DPID) (*ofconn.Session, *bridge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.hosts {
		for _, b := range h.connected() {
			if b.sw.DPID() == id {
				return b.sw, b
			}
		}
	}
	if s := c.unknown[id]; s != nil {
		return s.sw, nil
	}
	return nil, nil
}

func (h *host) connected() []*bridge {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*bridge, 0, len(h.bridges))
	for _, b := range h.bridges {
		out = append(out, b)
	}
	return out
}

// planned returns the newest plan of the bridge, and whether it has one.
func (b *bridge) planned() (bridgePlan, bool) {
	p := b.h.plan.Load()
	if p == nil {
		return bridgePlan{}, false
	}
	plan, ok := p.bridges[b.name]
	return plan, ok
}

// Problems returns what a connected host says of itself and cannot be read, one sentence each.
func (c *Controller) Problems(hostName string) []string {
	h := c.host(hostName)
	if h == nil {
		return nil
	}
	db := h.database()
	if db == nil {
		return nil
	}
	return problems(db.session.Identity())
}
