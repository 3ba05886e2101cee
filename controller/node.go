package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"reflect"
	"time"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// agentLostAfter is how long an agent may be silent before it counts as lost; it reports every few
// seconds. agentCheck is how often that is looked at.
const (
	agentLostAfter = 15 * time.Second
	agentCheck     = time.Second
)

// ErrUnknownHost says that a host never joined: its OVSDB has to connect before its agent.
var ErrUnknownHost = errors.New("host is not known")

// newNode returns what a host's agent should make. Its revision is a hash of the contents: a restart of
// the server that plans the same asks nothing of the agents.
func newNode(before spec.Node, host string, namespaces map[string]spec.Namespace) spec.Node {
	if before.Rev != 0 && reflect.DeepEqual(before.Namespaces, namespaces) {
		return before
	}
	h := fnv.New64a()
	if err := json.NewEncoder(h).Encode(namespaces); err != nil {
		panic(fmt.Sprintf("controller: a plan that JSON cannot say: %v", err))
	}
	return spec.Node{Rev: max(h.Sum64(), 1), Host: host, Namespaces: namespaces}
}

// Spec returns what the agent of a host should make, and a channel that is closed when that may have
// changed.
func (c *Controller) Spec(hostName string) (spec.Node, <-chan struct{}, error) {
	h := c.host(hostName)
	if h == nil {
		return spec.Node{}, c.ownersChanged(), fmt.Errorf("%w: %s", ErrUnknownHost, hostName)
	}
	changed := h.nextPlan()
	p := h.plan.Load()
	switch {
	case p == nil:
		return spec.Node{}, changed, errNoPlan
	case p.err != nil:
		return spec.Node{}, changed, p.err
	}
	return p.node, changed, nil
}

// Report takes the status of a host's agent.
func (c *Controller) Report(hostName string, s spec.NodeStatus) error {
	h := c.host(hostName)
	if h == nil {
		return fmt.Errorf("%w: %s", ErrUnknownHost, hostName)
	}
	repairs, back := c.board.reported(hostName, s)
	if back {
		c.cfg.Events.Append(hostName, event.AgentUp{Started: s.Started})
		h.log.Info("agent reports")
	}
	for _, r := range repairs {
		c.cfg.Events.Append(hostName, event.Drift{Target: r.Namespace, Altered: []string{r.Text}, Objects: h.objectsOf(r.Namespace)})
	}
	if err := c.cfg.Facts.Agent(context.Background(), hostName, model.AgentUp); err != nil {
		return fmt.Errorf("store that the agent is there: %w", err)
	}
	return nil
}

// objectsOf names what a namespace is for; nothing if it is not wanted.
func (h *host) objectsOf(namespace string) []string {
	if p := h.plan.Load(); p != nil && p.node.Namespaces[namespace].Object != "" {
		return []string{p.node.Namespaces[namespace].Object}
	}
	return nil
}

// watchAgents notes the services that arrived on the hosts that they were moved to, and the agents that
// stopped reporting, until ctx ends. An agent that was up when the
// server started has as long to report as any.
func (c *Controller) watchAgents(ctx context.Context) {
	start := time.Now()
	tick := time.NewTicker(agentCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.cfg.Facts.Arrived(ctx, c.arrived()); err != nil && ctx.Err() == nil {
			c.cfg.Log.WithError(err).Warn("that services arrived cannot be stored; tried again")
		}
		if time.Since(start) < agentLostAfter {
			continue
		}
		view := c.board.view()
		for name, h := range c.cfg.Store.Snapshot().Hosts.All() {
			node := view[name].Node
			if h.Agent != model.AgentUp || node != nil && time.Since(node.Seen) < agentLostAfter {
				continue
			}
			c.board.lost(name)
			c.cfg.Events.Append(name, event.AgentLost{})
			c.cfg.Log.WithField("host", name).Warn("agent is lost; its routers and DHCP servers move, if there is another gateway host")
			if err := c.cfg.Facts.Agent(ctx, name, model.AgentLost); err != nil && ctx.Err() == nil {
				c.cfg.Log.WithError(err).WithField("host", name).Warn("loss of an agent cannot be stored; tried again")
			}
		}
	}
}

// arrived returns the services that moved and that nothing is missing of any more.
func (c *Controller) arrived() []*model.Placement {
	m := c.cfg.Store.Snapshot()
	var out []*model.Placement
	for host := range m.Hosts.All() {
		for _, p := range m.LeavingFrom(host) {
			if c.board.view().Arrived(m, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// reported notes a status. It returns the repairs that were not reported before, and whether the agent
// is back.
func (b *board) reported(name string, s spec.NodeStatus) (repairs []spec.Repair, back bool) {
	b.change(name, func(h *status.Host) {
		var last uint64
		if h.Node != nil && h.Node.Started.Equal(s.Started) {
			last = h.Node.LastRepair
		}
		for _, r := range s.Repairs {
			if r.ID > last {
				repairs, last = append(repairs, r), r.ID
			}
		}
		back = h.Node == nil || !h.Node.Connected
		h.Node = h.Node.Reported(s, last, b.now())
	})
	return repairs, back
}

func (b *board) lost(name string) {
	b.change(name, func(h *status.Host) {
		if h.Node != nil {
			n := *h.Node
			if n.Connected {
				n.Since = b.now()
			}
			n.Connected = false
			h.Node = &n
		}
	})
}
