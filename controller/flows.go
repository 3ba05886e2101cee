package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Switch is a connected bridge, as operators see it.
type Switch struct {
	DPID    of.DPID
	Host    string // empty if no host claims it
	Bridge  string
	Remote  string
	Managed bool // Heddle programs it
	Ports   map[string]of.Port
	Since   time.Time // of a bridge nobody claims
}

// Switches returns all connected bridges by host and name, unclaimed ones first.
func (c *Controller) Switches() []Switch {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Switch
	for id, s := range c.unknown {
		out = append(out, Switch{DPID: id, Remote: s.sw.RemoteAddr(), Ports: s.sw.Ports(), Since: s.since})
	}
	for _, h := range c.hosts {
		for _, b := range h.connected() {
			_, managed := b.planned()
			out = append(out, Switch{DPID: b.sw.DPID(), Host: h.name, Bridge: b.name, Remote: b.sw.RemoteAddr(), Managed: managed, Ports: b.sw.Ports()})
		}
	}
	slices.SortFunc(out, func(a, b Switch) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Bridge, b.Bridge), cmp.Compare(a.DPID, b.DPID))
	})
	return out
}

// FlowState is how a flow stands between what is wanted and what the switch has.
type FlowState string

// The states of a flow.
const (
	FlowOK      FlowState = "ok"      // wanted, and there
	FlowMissing FlowState = "missing" // wanted, and not there
	FlowAltered FlowState = "altered" // there, and not as wanted
	FlowStale   FlowState = "stale"   // Heddle's, and no longer wanted
	FlowLearned FlowState = "learned" // made by the switch from a frame
	FlowForeign FlowState = "foreign" // not Heddle's: shown, never touched
)

// Flow is one flow of a bridge: wanted, actual, or both.
type Flow struct {
	State   FlowState
	Flow    of.Flow  // as it is; as it is wanted if it is missing
	Want    *of.Flow // as it is wanted, if that is not as it is
	Table   string   // name of its table, empty if the table is not one of Heddle's
	Kind    string   // kind of its cause; empty for foreign flows
	Object  string   // the API object that caused it, "port/<id>"; empty if there is none
	Packets uint64
	Bytes   uint64
	Age     time.Duration
}

// Flows reads a bridge and compares it with what is wanted, in the order of tables, descending
// priority and text. It changes nothing.
func (c *Controller) Flows(ctx context.Context, id of.DPID) ([]Flow, error) {
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
	out := make([]Flow, 0, len(stats))
	seen := make(map[of.Key]bool, len(stats))
	for _, s := range stats {
		f, err := compareFlow(s, want)
		if err != nil {
			return nil, err
		}
		seen[s.Key] = true
		out = append(out, f)
	}
	for k, e := range want.flows.Objects {
		if seen[k] {
			continue
		}
		f, err := wire.Unpack(k, e)
		if err != nil {
			return nil, err
		}
		out = append(out, Flow{State: FlowMissing, Flow: f})
	}
	for i := range out {
		c.explain(&out[i], tables)
	}
	sortFlows(out)
	return out, nil
}

func compareFlow(s ofconn.Stat, want bridgePlan) (Flow, error) {
	f, err := wire.Unpack(s.Key, s.Entry)
	if err != nil {
		return Flow{}, err
	}
	out := Flow{State: FlowStale, Flow: f, Packets: s.Packets, Bytes: s.Bytes, Age: s.Age}
	wanted, isWanted := want.flows.Objects[s.Key]
	switch {
	case !pipeline.Ours(s.Entry.Cookie) && !isWanted:
		out.State = FlowForeign
	case isWanted && wanted == s.Entry:
		out.State = FlowOK
	case isWanted:
		w, err := wire.Unpack(s.Key, wanted)
		if err != nil {
			return Flow{}, err
		}
		out.State, out.Want = FlowAltered, &w
	case mayStay(s.Key, s.Entry, want.learn):
		out.State = FlowLearned
	}
	return out, nil
}

// explain fills in the names of what a flow's numbers stand for.
func (c *Controller) explain(f *Flow, tables *pipeline.Pipeline) {
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

func sortFlows(flows []Flow) {
	text := make(map[*Flow]string, len(flows))
	byText := func(f *Flow) string {
		t, ok := text[f]
		if !ok {
			t = f.Flow.Match.String()
			text[f] = t
		}
		return t
	}
	refs := make([]*Flow, len(flows))
	for i := range flows {
		refs[i] = &flows[i]
	}
	slices.SortFunc(refs, func(a, b *Flow) int {
		return cmp.Or(cmp.Compare(a.Flow.Table, b.Flow.Table), cmp.Compare(b.Flow.Priority, a.Flow.Priority), cmp.Compare(byText(a), byText(b)))
	})
	sorted := make([]Flow, len(flows))
	for i, r := range refs {
		sorted[i] = *r
	}
	copy(flows, sorted)
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
