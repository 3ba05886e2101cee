package spec

import (
	"maps"
	"sync"

	"github.com/heddle-sdn/heddle/store/model"
)

// Memory remembers what was planned of the objects of each host, with the state that it was planned from,
// so that planners plan anew only what changed. What is in a model is never written: a state is made of
// pointers into it, and the same pointers are the same state. What is remembered is shared between specs and
// must not be written either. Its zero value is ready to use, by many goroutines.
type Memory[S interface{ Same(S) bool }, R any] struct {
	mu    sync.Mutex
	hosts map[string]map[model.ID]remembered[S, R]
}

type remembered[S, R any] struct {
	state  S
	result R
}

// Pass is the planning of one host. It is for one goroutine.
type Pass[S interface{ Same(S) bool }, R any] struct {
	memory        *Memory[S, R]
	host          string
	before, after map[model.ID]remembered[S, R]
}

// Begin begins to plan a host.
func (x *Memory[S, R]) Begin(host string) *Pass[S, R] {
	x.mu.Lock()
	defer x.mu.Unlock()
	return &Pass[S, R]{memory: x, host: host, before: x.hosts[host], after: map[model.ID]remembered[S, R]{}}
}

// Plan returns what follows for an object from its state: what was planned before, if that was the same.
func (p *Pass[S, R]) Plan(id model.ID, state S, plan func() R) R {
	r, had := p.before[id]
	if !had || !state.Same(r.state) {
		r = remembered[S, R]{state, plan()}
	}
	p.after[id] = r
	return r.result
}

// End remembers what this pass planned, and nothing else of the host. A pass that fails is not ended. What
// is remembered of hosts that a model has no more, and that plan nothing, is forgotten.
func (p *Pass[S, R]) End(m *model.Model) {
	x := p.memory
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.hosts == nil {
		x.hosts = map[string]map[model.ID]remembered[S, R]{}
	}
	x.hosts[p.host] = p.after
	maps.DeleteFunc(x.hosts, func(host string, of map[model.ID]remembered[S, R]) bool {
		_, known := m.Hosts.Get(host)
		return !known && len(of) == 0
	})
}
