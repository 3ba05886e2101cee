package controller

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// readTimeout bounds how long a bridge may take to answer when it is read for somebody who waits.
const readTimeout = 3 * time.Second

// Planned returns what a host should be by its newest plan; nil while nothing is known of it. It must not
// be changed.
func (c *Controller) Planned(hostName string) *spec.Spec {
	h := c.host(hostName)
	if h == nil {
		return nil
	}
	p := h.plan.Load()
	if p == nil {
		return nil
	}
	return p.spec
}

// FlowsOf reads the flows with a cookie from each connected bridge that should have some, and compares
// them with what is wanted. Open vSwitch has an index of cookies, so that it costs what it finds. A bridge
// that does not answer says so, and keeps no other from being read.
func (c *Controller) FlowsOf(ctx context.Context, cookie of.Cookie) []view.BridgeFlows {
	var (
		mu  sync.Mutex
		out []view.BridgeFlows
		wg  sync.WaitGroup
	)
	for _, b := range c.bridges() {
		plan, _ := b.planned()
		want := plan.withCookie(cookie)
		if len(want) == 0 {
			continue
		}
		wg.Go(func() {
			read := c.readCookie(ctx, b, cookie, want)
			mu.Lock()
			defer mu.Unlock()
			out = append(out, read)
		})
	}
	wg.Wait()
	slices.SortFunc(out, func(a, b view.BridgeFlows) int { return strings.Compare(a.Host+" "+a.Bridge, b.Host+" "+b.Bridge) })
	return out
}

// bridges returns the connected bridges of all hosts.
func (c *Controller) bridges() []*bridge {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*bridge
	for _, h := range c.hosts {
		out = append(out, h.connected()...)
	}
	return out
}

// withCookie returns the flows of a plan that have a cookie.
func (p bridgePlan) withCookie(cookie of.Cookie) map[of.Key]wire.Entry {
	want := map[of.Key]wire.Entry{}
	for _, part := range p.parts {
		for i, e := range part.Entries {
			if e.Cookie == cookie {
				want[part.Keys[i]] = e
			}
		}
	}
	return want
}

func (c *Controller) readCookie(ctx context.Context, b *bridge, cookie of.Cookie, want map[of.Key]wire.Entry) view.BridgeFlows {
	out := view.BridgeFlows{Host: b.h.name, Bridge: b.name}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	stats, err := b.sw.FlowStats(ctx, of.TableAll, cookie, ^of.Cookie(0))
	if err != nil {
		out.Err = err
		stats = nil
	}
	flows, err := compareFlows(stats, want, nil)
	if err != nil {
		out.Err = err
		return out
	}
	for i := range flows {
		c.explain(&flows[i], pipeline.Of(b.name))
		if out.Err != nil {
			flows[i].State = view.FlowUnknown
		}
	}
	out.Flows = flows
	return out
}

// compareFlows compares what a switch has with what is wanted, in the order of tables, descending priority
// and match.
func compareFlows(stats []ofconn.Stat, want map[of.Key]wire.Entry, learn map[uint16]pipeline.LearnScope) ([]view.Flow, error) {
	out := make([]keyed, 0, len(stats))
	seen := make(map[of.Key]bool, len(stats))
	for _, s := range stats {
		f, err := compareFlow(s, want, learn)
		if err != nil {
			return nil, err
		}
		seen[s.Key] = true
		out = append(out, keyed{s.Key, f})
	}
	for k, e := range want {
		if seen[k] {
			continue
		}
		f, err := wire.Unpack(k, e)
		if err != nil {
			return nil, err
		}
		out = append(out, keyed{k, view.Flow{State: view.FlowMissing, Flow: f}})
	}
	slices.SortFunc(out, keyed.compare)
	flows := make([]view.Flow, len(out))
	for i := range out {
		flows[i] = out[i].flow
	}
	return flows, nil
}
