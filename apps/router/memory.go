package router

import (
	"slices"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// NewPlanner returns a planner that gives what Plan gives, and remembers what it planned: only routers for
// which something changed are planned anew, with all instances on their networks that may ask for metadata
// and all their rules. It may be called from many goroutines. What is in the namespaces it gives is shared
// between specs, and must not be written.
func NewPlanner(rules Rules) spec.Planner {
	var memory spec.Memory[state, result]
	return func(m *model.Model, _ spec.Observed, s *spec.Spec) error {
		pass := memory.Begin(s.Host)
		err := each(m, s, func(r *model.Router, at *model.Placement) result {
			return pass.Plan(r.ID, stateOf(m, r, at), func() result { return plan(m, r, at, rules) })
		})
		if err == nil {
			pass.End(m)
		}
		return err
	}
}

// state is all that a router is planned from.
type state struct {
	router   *model.Router
	at       *model.Placement
	networks []attached
	floating []*model.FloatingIP
	forwards []*model.PortForwarding
}

// attached is a network that a port of the router is on.
type attached struct {
	stamp   *model.Stamp // of the network and all of its ports, the router's too
	subnets []*model.Subnet
}

func stateOf(m *model.Model, r *model.Router, at *model.Placement) state {
	s := state{router: r, at: at, floating: m.FloatingIPsOf(r.ID)}
	for _, p := range m.PortsOfDevice(string(r.ID)) {
		s.networks = append(s.networks, attached{m.StampOf(p.Network), m.SubnetsOf(p.Network)})
	}
	for _, f := range s.floating {
		s.forwards = append(s.forwards, m.ForwardingsOf(f.ID)...)
	}
	return s
}

// Same reports whether the same follows from both.
func (a state) Same(b state) bool {
	return a.router == b.router && a.at == b.at && slices.Equal(a.floating, b.floating) && slices.Equal(a.forwards, b.forwards) &&
		slices.EqualFunc(a.networks, b.networks, func(x, y attached) bool {
			return x.stamp != nil && x.stamp == y.stamp && slices.Equal(x.subnets, y.subnets)
		})
}
