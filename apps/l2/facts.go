package l2

import (
	"context"
	"reflect"
	"slices"

	"github.com/heddle-sdn/heddle/apps/placement"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Facts stores what is observed of hosts. Nothing is written when the model says the same already.
type Facts struct {
	Ops   *Ops
	Store *store.Store
}

// Said stores what a host says of itself; a host that was not known joins by it.
func (f Facts) Said(ctx context.Context, host string, said model.HostSettings) error {
	if h, ok := f.Store.Snapshot().Hosts.Get(host); ok && reflect.DeepEqual(h.Said, said) {
		return nil
	}
	_, err := f.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := f.Ops.SetHostSaid(tx, host, said)
		return err
	})
	return err
}

// Agent stores whether a host's node agent reports.
func (f Facts) Agent(ctx context.Context, host string, state model.AgentState) error {
	if h, ok := f.Store.Snapshot().Hosts.Get(host); !ok || h.Agent == state {
		return nil
	}
	_, err := f.Store.Update(ctx, func(tx *store.Tx) error { return f.Ops.SetAgent(tx, host, state) })
	return err
}

// Plugged stores the interfaces that a host has, by port: new ones are bound, those that are gone are
// unbound. Ids that name no port are passed over; they are looked at again when a port was created.
func (f Facts) Plugged(ctx context.Context, host string, ifaces map[model.ID]string) error {
	if came, went := plugChange(f.Store.Snapshot(), host, ifaces); len(came)+len(went) == 0 {
		return nil
	}
	_, err := f.Store.Update(ctx, func(tx *store.Tx) error { return f.Ops.Plug(tx, host, ifaces) })
	return err
}

// Plug binds the interfaces that a host has, by port, and unbinds those that it has no more.
func (o *Ops) Plug(tx *store.Tx, host string, ifaces map[model.ID]string) error {
	came, went := plugChange(tx.Model(), host, ifaces)
	for _, port := range went {
		o.Unbind(tx, port, host)
	}
	for _, port := range came {
		if _, err := o.Bind(tx, port, host, ifaces[port]); err != nil {
			return err
		}
	}
	return nil
}

// Arrived stores that the hosts of services have them. One that was moved again meanwhile has not arrived.
func (f Facts) Arrived(ctx context.Context, moved []*model.Placement) error {
	if len(moved) == 0 {
		return nil
	}
	_, err := f.Store.Update(ctx, func(tx *store.Tx) error {
		for _, p := range moved {
			if now, ok := tx.Model().Placements.Get(p.Key()); ok && now.Rev == p.Rev {
				placement.Arrived(tx, p.Service, p.Object)
			}
		}
		return nil
	})
	return err
}

// plugChange returns, sorted, the ports that have to be bound to a host and unbound from it.
func plugChange(m *model.Model, host string, ifaces map[model.ID]string) (came, went []model.ID) {
	for _, p := range m.PlugsAt(host) {
		if ifaces[p.Port] == "" {
			went = append(went, p.Port)
		}
	}
	for port, iface := range ifaces {
		if _, ok := m.Ports.Get(port); !ok {
			continue
		}
		if plug, ok := m.Plugs.Get(model.PlugKey(port, host)); !ok || plug.Iface != iface {
			came = append(came, port)
		}
	}
	slices.Sort(came)
	return came, went
}
