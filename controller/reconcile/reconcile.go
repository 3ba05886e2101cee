// Package reconcile makes what is equal what should be: read the target, compare, change the
// difference, confirm. It never acts on its own memory of the target, and never on a desired state
// that could not be computed.
package reconcile

import (
	"context"
	"time"
)

// Change is the difference between a wanted and an actual state.
type Change[K comparable, V any] struct {
	Add    map[K]V // wanted, missing
	Update map[K]V // wanted, different; the wanted values
	Delete map[K]V // not wanted; the actual values
}

// Empty reports whether there is nothing to do.
func (c Change[K, V]) Empty() bool { return c.Len() == 0 }

// Len is the number of objects that change.
func (c Change[K, V]) Len() int { return len(c.Add) + len(c.Update) + len(c.Delete) }

// Diff returns what turns have into want.
func Diff[K comparable, V any](want, have map[K]V, equal func(want, have V) bool) Change[K, V] {
	c := Change[K, V]{Add: map[K]V{}, Update: map[K]V{}, Delete: map[K]V{}}
	for k, w := range want {
		if h, ok := have[k]; !ok {
			c.Add[k] = w
		} else if !equal(w, h) {
			c.Update[k] = w
		}
	}
	for k, h := range have {
		if _, ok := want[k]; !ok {
			c.Delete[k] = h
		}
	}
	return c
}

// Target is the place a state is kept: the flows of a bridge, the rows of an OVSDB.
type Target[K comparable, V any] interface {
	// Actual reads the part of the target that is ours, now. An error means not known, never empty.
	Actual(ctx context.Context) (map[K]V, error)
	// Apply carries out a change and returns once the target has confirmed it. It may be asked to
	// repeat what half happened.
	Apply(ctx context.Context, c Change[K, V]) error
	// Equal reports whether an actual value is as wanted. Calling equal values different is
	// harmless, the reverse is not.
	Equal(want, have V) bool
}

// PartReader is a Target that can read less than all of itself. A loop uses it for a pass after which
// only the want changed: what was in step with the want before is, as far as anyone knows, still so.
// That is verified by reading all of it when the target said that it was altered, when a pass failed,
// and every Resync.
type PartReader[K comparable, V any] interface {
	// ActualPart reads at least the objects that a step of the want concerns. touched are the wanted
	// values of before and of now that the step is about. within reports whether an object belongs to
	// what was read; nil stands for all objects.
	ActualPart(ctx context.Context, touched []V) (have map[K]V, within func(V) bool, err error)
}

// Want is a desired state.
type Want[K comparable, V any] struct {
	Rev     uint64  // the store revision it was planned from
	Version uint64  // changes whenever Objects does; 0 is never used
	Objects map[K]V // not written after it was handed out
}

// Result is the outcome of one pass.
type Result[K comparable, V any] struct {
	Rev      uint64 // revision that the target now holds; meaningless if Err is set
	Change   Change[K, V]
	Drift    Change[K, V] // the part of Change that no new want explains: the target was altered by others
	Checked  bool         // the target was read; false when only the revision moved on
	Whole    bool         // all of it was read
	Duration time.Duration
	Reading  time.Duration // the part of Duration until the Change was known
	Err      error
}

// Drift returns the part of a change that the step from one want to the next does not explain. A nil
// before is the first pass, on which nothing is called drift.
func Drift[K comparable, V any](c Change[K, V], before, now map[K]V, equal func(a, b V) bool) Change[K, V] {
	if before == nil || c.Empty() {
		return Change[K, V]{}
	}
	d := Change[K, V]{Add: map[K]V{}, Update: map[K]V{}, Delete: map[K]V{}}
	for k, v := range c.Add {
		if b, had := before[k]; had && equal(now[k], b) {
			d.Add[k] = v
		}
	}
	for k, v := range c.Update {
		if b, had := before[k]; had && equal(now[k], b) {
			d.Update[k] = v
		}
	}
	for k, v := range c.Delete {
		if _, had := before[k]; !had {
			d.Delete[k] = v
		}
	}
	return d
}
