package native

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// tunnelView is one direction of a tunnel: the port by which a host reaches another.
type tunnelView struct {
	From      string             `json:"from"`
	To        string             `json:"to"`
	Type      string             `json:"type"`
	Interface string             `json:"interface"`
	Local     string             `json:"local_ip"`
	Remote    string             `json:"remote_ip"`
	State     status.TunnelState `json:"state"`
	Since     time.Time          `json:"since,omitzero"`
	Reason    status.Reason      `json:"reason,omitempty"`  // of one that is not up
	Message   string             `json:"message,omitempty"` // likewise: why, and what to check
	Egress    string             `json:"egress,omitempty"`  // interface by which its packets leave
	MTU       int                `json:"egress_mtu,omitempty"`
	*countersView
}

// countersView is what went through a tunnel since its port was made.
type countersView struct {
	RxBytes   uint64 `json:"rx_bytes"`
	TxBytes   uint64 `json:"tx_bytes"`
	RxPackets uint64 `json:"rx_packets"`
	TxPackets uint64 `json:"tx_packets"`
}

func (s *server) listTunnels(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "host", "state", "limit", "offset")
	if err != nil {
		return err
	}
	page, err := q.page()
	if err != nil {
		return err
	}
	states, err := q.oneOf("state", string(status.TunnelUp), string(status.TunnelDown), string(status.TunnelUnknown))
	if err != nil {
		return err
	}
	hosts := s.viewHosts(s.Store.Snapshot())
	paths := []status.Path{}
	hosts.eachPath(func(p status.Path) bool {
		if (!q.has("host") || p.From == q.text("host") || p.To == q.text("host")) && (states == nil || slices.Contains(states, string(p.State))) {
			paths = append(paths, p)
		}
		return true
	}, states == nil || slices.Contains(states, string(status.TunnelUp)))
	start, end := page.bounds(len(paths))
	return writeJSON(w, http.StatusOK, map[string]any{"tunnels": s.viewTunnels(r.Context(), paths[start:end]), "matched": len(paths), "offset": start})
}

// eachPath visits the tunnels of all hosts by state: those that are down, unknown and, if they are asked
// for, up; in each state by host, other host and type. It ends when yield returns false.
func (v hostsView) eachPath(yield func(status.Path) bool, up bool) {
	hosts := v.m.Hosts.Sorted()
	of := func(state status.TunnelState, paths func(*model.Host) []status.Path) bool {
		for _, name := range hosts {
			h, ok := v.m.Hosts.Get(name)
			if !ok {
				continue
			}
			for _, p := range paths(h) {
				if p.State == state && !yield(p) {
					return false
				}
			}
		}
		return true
	}
	_ = of(status.TunnelDown, v.notUp) && of(status.TunnelUnknown, v.notUp) && up && of(status.TunnelUp, v.pathsOf)
}

// somePaths returns the first tunnels of those that eachPath visits, at most limit, and how many there are.
func (v hostsView) somePaths(limit int) (paths []status.Path, total int) {
	paths = []status.Path{}
	for _, h := range v.m.Hosts.All() {
		total += v.mesh.Count(h)
	}
	if limit > 0 {
		v.eachPath(func(p status.Path) bool {
			paths = append(paths, p)
			return len(paths) < limit
		}, true)
	}
	return paths, total
}

// viewTunnels shows tunnels with their counters, which are read from the bridges now; never nil.
func (s *server) viewTunnels(ctx context.Context, paths []status.Path) []tunnelView {
	out := make([]tunnelView, 0, len(paths))
	if len(paths) == 0 {
		return out
	}
	counters := s.Fabric.TunnelCounters(ctx)
	for _, p := range paths {
		v := tunnelView{From: p.From, To: p.To, Type: string(p.Type), Interface: p.Interface, Local: p.Local.String(), Remote: p.Remote.String(),
			State: p.State, Since: p.Since, Reason: p.Reason, Message: p.Msg, Egress: p.Egress, MTU: p.MTU}
		if c, ok := counters[p.From][p.Interface]; ok {
			v.countersView = &countersView{c.RxBytes, c.TxBytes, c.RxPackets, c.TxPackets}
		}
		out = append(out, v)
	}
	return out
}
