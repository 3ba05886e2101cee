package controller

import (
	"maps"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// board is what hosts have confirmed. Status is derived from it.
type board struct {
	store   *store.Store
	metrics Metrics

	mu      sync.Mutex
	hosts   map[string]status.Host
	shown   status.View // of hosts, nil once they changed
	commits []commit    // not confirmed by every connected host yet, oldest first
	awaited string      // a host that had not confirmed the oldest commit
}

type commit struct {
	rev uint64
	at  time.Time
}

const maxCommits = 4096 // remembered for Metrics.Converged; older ones are not measured

func newBoard(s *store.Store, m Metrics) *board {
	return &board{store: s, metrics: m, hosts: map[string]status.Host{}}
}

// view returns the state of all hosts; it must not be changed.
func (b *board) view() status.View {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown == nil {
		b.shown = maps.Clone(b.hosts)
	}
	return b.shown
}

// change replaces a host's entry.
func (b *board) change(name string, fn func(*status.Host)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.hosts[name]
	if !ok {
		h.Name = name
	}
	h.Targets = maps.Clone(h.Targets)
	if h.Targets == nil {
		h.Targets = map[string]status.Target{}
	}
	fn(&h)
	b.hosts[name], b.shown = h, nil
	b.settleLocked()
}

// planned takes over which targets a host needs, and what keeps its networks from being whole. Bridges that it did
// not need before may be connected already.
func (b *board) planned(name string, s *spec.Spec, connected map[string]bool) {
	b.change(name, func(h *status.Host) {
		waits := make(map[model.ID]time.Time, len(s.Pending))
		for network, why := range s.Pending {
			waits[network] = b.now()
			if h.Pending[network].Reason == why.Reason {
				waits[network] = h.Waits[network]
			}
		}
		h.Pending, h.Waits = s.Pending, waits
		maps.DeleteFunc(h.Targets, func(target string, t status.Target) bool {
			return target != targetOVSDB && !s.Needs[target]
		})
		for bridge, needed := range s.Needs {
			if _, had := h.Targets[bridge]; needed && !had {
				h.Targets[bridge] = status.Target{Connected: connected[bridge]}
			}
		}
	})
}

// connected notes that a target came or went.
func (b *board) connected(name, target string, up bool) {
	b.change(name, func(h *status.Host) {
		t := h.Targets[target]
		if t.Connected != up {
			t.Since = b.now()
		}
		t.Connected = up
		h.Targets[target] = t
		h.OVSDB = h.OVSDB || target == targetOVSDB
	})
}

// confirmed notes that a target holds a revision, or why it does not.
func (b *board) confirmed(name, target string, rev uint64, err error) {
	b.change(name, func(h *status.Host) {
		t, needed := h.Targets[target]
		if !needed {
			return // its host has just been planned without it
		}
		switch now := b.now(); {
		case err == nil:
			t.Rev, t.At, t.Err, t.ErrSince, t.Held = rev, now, "", time.Time{}, t.Held.With(rev, now)
		case t.Err == "":
			t.ErrSince = now
			fallthrough
		default:
			t.Err = err.Error()
		}
		h.Targets[target] = t
	})
}

// now is the time as it is told: in UTC.
func (b *board) now() time.Time { return time.Now().UTC() }

func (b *board) remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.hosts, name)
	b.shown = nil
}

// committed notes that a revision was committed now.
func (b *board) committed(rev uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.commits); n > 0 && b.commits[n-1].rev >= rev || n == maxCommits {
		return
	}
	b.commits = append(b.commits, commit{rev, time.Now()})
}

// settleLocked measures the revisions that every connected host has confirmed. It looks at all hosts
// only when the one that it waits for has caught up, since with many hosts it is called as often.
func (b *board) settleLocked() {
	for len(b.commits) > 0 {
		if h, ok := b.hosts[b.awaited]; ok && behind(h, b.commits[0].rev) {
			return
		}
		for name, h := range b.hosts {
			if behind(h, b.commits[0].rev) {
				b.awaited = name
				return
			}
		}
		b.metrics.Converged(time.Since(b.commits[0].at))
		b.commits = b.commits[1:]
	}
}

// behind reports whether a host is connected and one of its bridges has not confirmed a revision. Rows
// of the OVSDB do not count: they are written in their own time, and no frame waits for them.
func behind(h status.Host, rev uint64) bool {
	if h.Down() != "" {
		return false
	}
	for name, t := range h.Targets {
		if name != targetOVSDB && t.Rev < rev {
			return true
		}
	}
	return false
}
