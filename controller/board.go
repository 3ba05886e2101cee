package controller

import (
	"maps"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store"
)

// board is what hosts have confirmed. Status is derived from it.
type board struct {
	store   *store.Store
	metrics Metrics

	mu      sync.Mutex
	hosts   map[string]status.Host
	shown   status.View // of hosts, nil once they changed
	commits []commit    // not confirmed by every connected host yet, oldest first
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

// planned takes over which targets a host needs, and what keeps its networks from being whole.
func (b *board) planned(name string, s *spec.Spec) {
	b.change(name, func(h *status.Host) {
		h.Pending = s.Pending
		maps.DeleteFunc(h.Targets, func(target string, t status.Target) bool {
			return target != targetOVSDB && !s.Needs[target]
		})
		for bridge, needed := range s.Needs {
			if _, had := h.Targets[bridge]; needed && !had {
				h.Targets[bridge] = status.Target{}
			}
		}
	})
}

// connected notes that a target came or went.
func (b *board) connected(name, target string, up bool) {
	b.change(name, func(h *status.Host) {
		t := h.Targets[target]
		t.Connected = up
		h.Targets[target] = t
		h.OVSDB = h.OVSDB || target == targetOVSDB
	})
}

// confirmed notes that a target holds a revision, or why it does not.
func (b *board) confirmed(name, target string, rev uint64, err error) {
	b.change(name, func(h *status.Host) {
		t := h.Targets[target]
		if err != nil {
			t.Err = err.Error()
		} else {
			t.Rev, t.At, t.Err = rev, time.Now().UTC(), ""
		}
		h.Targets[target] = t
	})
}

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

// settleLocked measures the revisions that every connected host has confirmed.
func (b *board) settleLocked() {
	if len(b.commits) == 0 {
		return
	}
	oldest := b.commits[len(b.commits)-1].rev
	for _, h := range b.hosts {
		if h.Down() == "" && len(h.Targets) > 0 {
			rev, _ := h.Confirmed()
			oldest = min(oldest, rev)
		}
	}
	done := 0
	for done < len(b.commits) && b.commits[done].rev <= oldest {
		b.metrics.Converged(time.Since(b.commits[done].at))
		done++
	}
	b.commits = b.commits[done:]
}
