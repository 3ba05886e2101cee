package native

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/status"
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
	paths := slices.DeleteFunc(hosts.allPaths(), func(p status.Path) bool {
		return q.has("host") && p.From != q.text("host") && p.To != q.text("host") || states != nil && !slices.Contains(states, string(p.State))
	})
	start, end := page.bounds(len(paths))
	return writeJSON(w, http.StatusOK, map[string]any{"tunnels": s.viewTunnels(r.Context(), paths[start:end]), "matched": len(paths), "offset": start})
}

// allPaths returns the tunnels of all hosts, those that are down first.
func (v hostsView) allPaths() []status.Path {
	out := []status.Path{}
	for _, name := range v.m.Hosts.Sorted() {
		if h, ok := v.m.Hosts.Get(name); ok {
			out = append(out, v.pathsOf(h)...)
		}
	}
	rank := map[status.TunnelState]int{status.TunnelDown: 0, status.TunnelUnknown: 1, status.TunnelUp: 2}
	slices.SortStableFunc(out, func(a, b status.Path) int { return cmp.Compare(rank[a.State], rank[b.State]) })
	return out
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
