package native

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/store/model"
)

// The states of a tunnel.
const (
	tunnelUnknown = "unknown" // it is not watched, or its host does not tell
)

// tunnelView is one direction of a tunnel: the port by which a host reaches another.
type tunnelView struct {
	From      string `json:"from"`
	To        string `json:"to"` // empty if no known host has the address
	Type      string `json:"type"`
	Interface string `json:"interface"`
	Local     string `json:"local_ip"`
	Remote    string `json:"remote_ip"`
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
}

func (s *server) listTunnels(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"tunnels": s.tunnels(s.Store.Snapshot())})
}

// tunnels returns the tunnels that are planned, by host, other host and type; never nil.
func (s *server) tunnels(m *model.Model) []tunnelView {
	owner := map[netip.Addr]string{}
	for _, name := range m.Hosts.Sorted() {
		if h, ok := m.Hosts.Get(name); ok {
			owner[h.Settings().EncapIP.Unmap()] = name
		}
	}
	out := []tunnelView{}
	for _, host := range m.Hosts.Sorted() {
		plan := s.Fabric.Planned(host)
		if plan == nil {
			continue
		}
		for _, r := range plan.Rows {
			if t, is := r.(row.Tunnel); is {
				out = append(out, tunnelView{From: host, To: owner[t.Remote], Type: t.Type, Interface: t.Name, Local: t.Local.String(), Remote: t.Remote.String(),
					State: tunnelUnknown})
			}
		}
	}
	slices.SortFunc(out, func(a, b tunnelView) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Remote, b.Remote), cmp.Compare(a.Type, b.Type))
	})
	return out
}
