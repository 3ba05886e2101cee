package controller

import (
	"context"
	"fmt"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// Inspect returns what a host should be by a model, given what is there of it now, see [view.Suppose],
// and, if actual is set, what its bridges hold. It changes nothing.
func (c *Controller) Inspect(ctx context.Context, m *model.Model, hostName string, actual bool) (*view.HostState, error) {
	var seen observed
	h := c.host(hostName)
	if h != nil {
		seen = h.look()
	}
	out, err := view.Suppose(m, hostName, seen.Observed, h.planOf(m), c.cfg.Trial...)
	if err != nil {
		return nil, err
	}
	state := c.Status()
	out.Node = state[hostName].Node
	out.Paths = map[string]status.Path{}
	is, _ := m.Hosts.Get(hostName)
	for _, p := range state.Paths(m, is) {
		out.Paths[p.Interface] = p
	}
	if actual {
		c.readHost(ctx, h, seen, out)
	}
	return out, nil
}

// planOf returns the host's newest plan if it is of a model and was made with the OVSDB at hand, else nil.
func (h *host) planOf(m *model.Model) *spec.Spec {
	if h == nil {
		return nil
	}
	if p := h.plan.Load(); p != nil && p.err == nil && p.hasRows && p.spec.Rev == m.Rev {
		return p.spec
	}
	return nil
}

// readHost adds what the host's bridges hold, and how its tunnels are.
func (c *Controller) readHost(ctx context.Context, h *host, seen observed, out *view.HostState) {
	out.Flows = map[string][]view.Flow{}
	if h == nil {
		return
	}
	for _, b := range h.connected() {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		flows, err := c.Flows(ctx, b.sw.DPID())
		cancel()
		if err != nil {
			out.Away[b.name] = fmt.Sprintf("its flows cannot be read: %v", err)
			continue
		}
		out.Flows[b.name] = flows
	}
	if seen.state == nil {
		return
	}
	for name := range out.Ports[row.TunBridge] {
		i := seen.state.Interface(name)
		if i == nil {
			continue
		}
		if local, remote := i.TunnelTo(); remote.IsValid() {
			out.Tunnels[name] = row.Tunnel{Bridge: row.TunBridge, Name: name, Type: i.Type, Local: local, Remote: remote}
		}
	}
}
