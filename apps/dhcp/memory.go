package dhcp

import (
	"slices"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// NewPlanner returns a planner that gives what p gives, and remembers what it planned: only networks that
// changed are planned anew. It may be called from many goroutines. What is in the namespaces it gives is
// shared between specs, and must not be written.
func NewPlanner(p Planner) spec.Planner {
	var memory spec.Memory[state, result]
	return func(m *model.Model, _ spec.Observed, s *spec.Spec) error {
		pass := memory.Begin(s.Host)
		err := each(m, s, func(n *model.Network, at *model.Placement) result {
			now := state{stamp: m.StampOf(n.ID), subnets: m.SubnetsOf(n.ID), at: at}
			return pass.Plan(n.ID, now, func() result { return p.service(m, n, at) })
		})
		if err == nil {
			pass.End(m)
		}
		return err
	}
}

// state is all that the service of a network is planned from.
type state struct {
	stamp   *model.Stamp // of the network and its ports
	subnets []*model.Subnet
	at      *model.Placement
}

// Same reports whether the same follows from both.
func (a state) Same(b state) bool {
	return a.stamp != nil && a.stamp == b.stamp && a.at == b.at && slices.Equal(a.subnets, b.subnets)
}
