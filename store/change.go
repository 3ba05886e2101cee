package store

import (
	"sync"
	"time"
)

// Change is one committed transaction.
type Change struct {
	Rev   uint64
	Time  time.Time
	Cause Cause
	Edits []Edit // in the order they were first made
}

// ring remembers the newest changes, up to a number of edits. It is safe for concurrent use.
type ring struct {
	limit int // edits

	mu      sync.Mutex
	changes []Change
	edits   int    // in changes
	first   uint64 // the oldest revision that is remembered, or the next one to come
}

func (r *ring) add(changes []Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		r.changes = append(r.changes, c)
		r.edits += len(c.Edits)
	}
	drop := 0
	for r.edits > r.limit && drop < len(r.changes)-1 {
		r.edits -= len(r.changes[drop].Edits)
		drop++
	}
	if drop > 0 {
		clear(r.changes[:drop]) // let go of the resources
		r.changes = r.changes[drop:]
		r.first = r.changes[0].Rev
	}
}

func (r *ring) since(rev uint64) ([]Change, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gap := rev+1 < r.first
	i := len(r.changes)
	for i > 0 && r.changes[i-1].Rev > rev {
		i--
	}
	return append([]Change(nil), r.changes[i:]...), gap
}
