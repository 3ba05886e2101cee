package node

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// Wanted is a namespace as a part gets it.
type Wanted struct {
	spec.Namespace
	// Ready says that the namespace is there. A part makes nothing for one that is not, and takes
	// nothing of it away: it is about to come.
	Ready bool
}

// Part makes one aspect of namespaces: their DHCP servers, their nftables tables. Each part runs in a
// loop of its own, so that one which fails or hangs keeps no other from its work.
type Part interface {
	// Name is for people and for [spec.NodeObject]: "dhcp".
	Name() string
	// Sync reads what there is, and makes it so for all namespaces that are wanted, by name. What it has
	// of other namespaces it removes. It returns what failed: by namespace, or the error of the whole,
	// after which nothing is known of any. Calls do not overlap.
	Sync(ctx context.Context, want map[string]Wanted) (failed map[string]error, err error)
}

// RulesWatcher is a Part that wants to know of nftables tables that others change.
type RulesWatcher interface {
	// Foreign reports whether the tables of a namespace are not as they were last read or changed.
	Foreign(namespace string) bool
}

// targetPart is a Part over a target whose keys are the names of namespaces.
type targetPart[V any] struct {
	name   string
	target reconcile.Target[string, V]
	want   func(spec.Namespace) (V, bool)
	most   int
}

// FromTarget returns a Part that keeps a target as wanted: one object a namespace, by its name. Want
// takes the object out of a namespace; false is none. Each object is applied by itself, so that errors
// are known by namespace; up to parallel of them at a time.
func FromTarget[V any](name string, t reconcile.Target[string, V], parallel int, want func(spec.Namespace) (V, bool)) Part {
	return targetPart[V]{name: name, target: t, want: want, most: max(1, parallel)}
}

// Name returns the name that the part was made with.
func (p targetPart[V]) Name() string { return p.name }

// Foreign asks the target, if it is a [RulesWatcher].
func (p targetPart[V]) Foreign(namespace string) bool {
	w, ok := p.target.(RulesWatcher)
	return ok && w.Foreign(namespace)
}

// Sync makes one pass over the target.
func (p targetPart[V]) Sync(ctx context.Context, want map[string]Wanted) (map[string]error, error) {
	have, err := p.target.Actual(ctx)
	if err != nil {
		return nil, err
	}
	objects := map[string]V{}
	for name, w := range want {
		if !w.Ready {
			// Neither made nor removed.
			delete(have, name)
			continue
		}
		if v, ok := p.want(w.Namespace); ok {
			objects[name] = v
		}
	}
	c := reconcile.Diff(objects, have, p.target.Equal)
	// What goes, goes first: it may hold what another needs.
	failed := p.each(ctx, c.Delete, func(k string, v V) reconcile.Change[string, V] {
		return reconcile.Change[string, V]{Delete: map[string]V{k: v}}
	})
	maps.Copy(failed, p.each(ctx, c.Update, func(k string, v V) reconcile.Change[string, V] {
		return reconcile.Change[string, V]{Update: map[string]V{k: v}}
	}))
	maps.Copy(failed, p.each(ctx, c.Add, func(k string, v V) reconcile.Change[string, V] {
		return reconcile.Change[string, V]{Add: map[string]V{k: v}}
	}))
	return failed, nil
}

func (p targetPart[V]) each(ctx context.Context, objects map[string]V, change func(string, V) reconcile.Change[string, V]) map[string]error {
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		failed = map[string]error{}
		slots  = make(chan struct{}, p.most)
	)
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			err := ctx.Err()
			if err == nil {
				err = p.target.Apply(ctx, change(name, objects[name]))
			}
			if err != nil {
				mu.Lock()
				failed[name] = errors.Join(failed[name], err)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return failed
}
