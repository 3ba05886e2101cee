package dhcp

import (
	"maps"
	"slices"
	"sync"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// NewPlanner returns a planner that gives what p gives, and remembers what it planned: only networks that
// changed are planned anew. It may be called from many goroutines. What is in the namespaces it gives is
// shared between specs, and must not be written.
func NewPlanner(p Planner) spec.Planner {
	mem := &memory{hosts: map[string]map[model.ID]remembered{}}
	return func(m *model.Model, _ spec.Observed, s *spec.Spec) error { return mem.plan(p, m, s) }
}

type memory struct {
	mu    sync.Mutex
	hosts map[string]map[model.ID]remembered // by host and network
}

// remembered is what followed for a network from a state of it: what is in a model is never written, so
// the same pointers are the same state.
type remembered struct {
	stamp   *model.Stamp // of the network and its ports
	subnets []*model.Subnet
	at      *model.Placement
	result  result
}

func (r remembered) of(now remembered) bool {
	return r.stamp != nil && r.stamp == now.stamp && r.at == now.at && slices.Equal(r.subnets, now.subnets)
}

func (x *memory) plan(p Planner, m *model.Model, s *spec.Spec) error {
	x.mu.Lock()
	before := x.hosts[s.Host]
	x.mu.Unlock()
	after := map[model.ID]remembered{}
	err := each(m, s, func(n *model.Network, at *model.Placement) result {
		now := remembered{stamp: m.StampOf(n.ID), subnets: m.SubnetsOf(n.ID), at: at}
		if old := before[n.ID]; old.of(now) {
			now = old
		} else {
			now.result = p.service(m, n, at)
		}
		after[n.ID] = now
		return now.result
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hosts[s.Host] = after
	maps.DeleteFunc(x.hosts, func(host string, of map[model.ID]remembered) bool {
		_, known := m.Hosts.Get(host)
		return !known && len(of) == 0
	})
	return nil
}
