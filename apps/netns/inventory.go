package netns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// State is whose something on the host is.
type State string

// The states.
const (
	InUse   State = "wanted"   // ours, and in the spec
	Left    State = "leftover" // ours, and not in the spec
	Unknown State = "unknown"  // ours, and there is no spec
	Foreign State = "foreign"  // not ours
)

// Item is a namespace or a port of br-int.
type Item struct {
	Kind   string // "namespace" or "port"
	Name   string
	Object string // what it was made for; empty if it is not ours
	State  State
}

// Inventory lists the named namespaces, and the ports of br-int that are ours, and says whose they are.
// Node is what the host should be; nil if that is not known. Should a part not be readable, the rest is
// returned with the error.
func (h *Host) Inventory(ctx context.Context, n *spec.Node) ([]Item, error) {
	state := func(ours, wanted bool) State {
		switch {
		case !ours:
			return Foreign
		case n == nil:
			return Unknown
		case wanted:
			return InUse
		}
		return Left
	}
	want := map[string]spec.Namespace{}
	if n != nil {
		want = n.Namespaces
	}
	found, err := h.Namespaces(ctx, nil)
	var items []Item
	for _, f := range found {
		_, wanted := want[f.Name]
		items = append(items, Item{Kind: "namespace", Name: f.Name, Object: f.Object, State: state(f.Ours, wanted)})
	}
	ports, portsErr := h.Ports().Actual(ctx)
	wantPorts := h.Ports().Desired(want)
	for _, name := range sortedKeys(ports) {
		_, wanted := wantPorts[name]
		items = append(items, Item{Kind: "port", Name: name, Object: "port/" + ports[name].ID, State: state(true, wanted)})
	}
	return items, errors.Join(err, portsErr)
}

// Collect removes the items that are left over, ports first.
func (h *Host) Collect(ctx context.Context, items []Item) error {
	var errs []error
	ports := reconcile.Change[string, Port]{Delete: map[string]Port{}}
	for _, i := range items {
		if i.Kind == "port" && i.State == Left {
			ports.Delete[i.Name] = Port{}
		}
	}
	if !ports.Empty() {
		errs = append(errs, h.Ports().Apply(ctx, ports))
	}
	for _, i := range items {
		if i.Kind != "namespace" || i.State != Left {
			continue
		}
		t := h.Namespace(i.Name)
		have, err := t.Actual(ctx)
		if err == nil && len(have) > 0 {
			err = t.Apply(ctx, reconcile.Change[Path, Object]{Delete: have})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("remove leftover %s: %w", i.Name, err))
		}
	}
	return errors.Join(errs...)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
