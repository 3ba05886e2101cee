package native

import (
	"net/http"
	"time"

	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// overview is the state of everything, in numbers.
type overview struct {
	Version  string         `json:"version,omitempty"`
	Started  time.Time      `json:"started"`
	Revision uint64         `json:"revision"` // of the store
	Counts   counts         `json:"counts"`
	Ports    map[string]int `json:"ports"` // by status
	Hosts    hostsOverview  `json:"hosts"`
	Switches switchOverview `json:"switches"`
	Drift    drift          `json:"drift"`
	Events   lastEvent      `json:"events"`
}

type counts struct {
	Networks int `json:"networks"`
	Subnets  int `json:"subnets"`
	Ports    int `json:"ports"`
	Plugged  int `json:"plugged"` // interfaces of ports on hosts
	Learned  int `json:"learned"` // addresses
}

type hostsOverview struct {
	Total int      `json:"total"`
	Up    int      `json:"up"`   // all targets connected
	Down  []string `json:"down"` // the others
	// Behind are the hosts that are up and have not confirmed the store's revision yet.
	Behind []string `json:"behind"`
}

type switchOverview struct {
	Connected int `json:"connected"`
	Unclaimed int `json:"unclaimed"` // of these, no host's
}

// drift counts since the server started.
type drift struct {
	Repaired uint64 `json:"repaired"`      // flows and rows that others had altered
	Failed   uint64 `json:"failed_passes"` // passes over a bridge or an OVSDB that failed
}

type lastEvent struct {
	Last uint64 `json:"last"` // for /v1/events?after=
}

func (s *server) showStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	m, state := s.Store.Snapshot(), s.Fabric.Status()
	v := overview{
		Version:  s.Version,
		Started:  s.started.UTC(),
		Revision: m.Rev,
		Counts:   counts{m.Networks.Len(), m.Subnets.Len(), m.Ports.Len(), m.Plugs.Len(), len(s.MACs.List())},
		Ports:    map[string]int{status.Active: 0, status.Build: 0, status.Down: 0},
		Hosts:    overviewOfHosts(m, state),
		Drift:    drift{s.Counters.Drifted(), s.Counters.Failed()},
		Events:   lastEvent{s.eventID(s.Events.Last())},
	}
	for _, p := range m.Ports.All() {
		v.Ports[state.Port(m, p).Status]++
	}
	for _, sw := range s.Fabric.Switches() {
		v.Switches.Connected++
		if sw.Host == "" {
			v.Switches.Unclaimed++
		}
	}
	return writeJSON(w, http.StatusOK, v)
}

func overviewOfHosts(m *model.Model, state status.View) hostsOverview {
	o := hostsOverview{Total: m.Hosts.Len(), Down: []string{}, Behind: []string{}}
	for _, name := range m.Hosts.Sorted() {
		h := state[name]
		if len(h.Targets) == 0 || h.Down() != "" {
			o.Down = append(o.Down, name)
			continue
		}
		o.Up++
		if rev, _ := h.Confirmed(); rev < m.Rev {
			o.Behind = append(o.Behind, name)
		}
	}
	return o
}
