// Package history tells the event log what changed in the store: who changed which objects, and which
// ports were plugged where. The log is for people and views; nothing acts on it.
package history

import (
	"cmp"
	"context"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Store is what is followed; [store.Store] is one.
type Store interface {
	Snapshot() *model.Model
	Changed(after uint64) <-chan struct{}
	ChangesSince(rev uint64) (changes []store.Change, gap bool)
}

// Log is where events go; [event.Log] is one.
type Log interface {
	Append(host string, b event.Body)
}

// Missed says that the store changed faster than it could be followed: what happened after revision
// After and before what comes next in the log is not told.
type Missed struct {
	After uint64 `json:"after"`
}

// Kind names the type.
func (Missed) Kind() string { return "changes_missed" }

// Follow appends an event for everything that is committed after revision rev, in the order of
// revisions, until ctx ends. A caller that starts it before anything else writes passes the revision
// of its first snapshot and misses nothing.
func Follow(ctx context.Context, s Store, rev uint64, log Log) {
	for {
		changed := s.Changed(rev)
		changes, gap := s.ChangesSince(rev)
		if gap {
			log.Append("", Missed{After: rev})
		}
		if gap && len(changes) == 0 {
			rev = s.Snapshot().Rev
			continue
		}
		for _, c := range changes {
			tell(c, s.Snapshot(), log)
			rev = c.Rev
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// objects are the kinds that users know; the others follow from them.
var objects = map[string]bool{"network": true, "subnet": true, "port": true, "host": true,
	"router": true, "floatingip": true, "portforwarding": true}

// tell appends the events of one change. m is a model in which it has happened.
func tell(c store.Change, m *model.Model, log Log) {
	changed := event.Changed{Rev: c.Rev, Request: c.Cause.Request, User: c.Cause.User}
	for _, e := range c.Edits {
		switch {
		case e.After != nil && objects[e.After.Kind()]:
			changed.Put = append(changed.Put, name(e.After))
		case e.After == nil && objects[e.Before.Kind()]:
			changed.Deleted = append(changed.Deleted, name(e.Before))
		}
	}
	if len(changed.Put)+len(changed.Deleted) > 0 {
		log.Append("", changed)
	}
	for _, e := range c.Edits {
		if moved, host, ok := placed(c, e, m); ok {
			log.Append(host, moved)
		}
	}
	vlans := vlansIn(c)
	for _, e := range c.Edits {
		before, _ := e.Before.(*model.Plug)
		after, _ := e.After.(*model.Plug)
		if before != nil && (after == nil || after.Iface != before.Iface) {
			log.Append(before.Host, event.PortUnplugged{Port: string(before.Port), Interface: before.Iface})
		}
		if after != nil && (before == nil || after.Iface != before.Iface) {
			log.Append(after.Host, event.PortPlugged{Port: string(after.Port), Interface: after.Iface, VLAN: vlanOf(after, vlans, m)})
		}
	}
}

// placed is the event of a service that got another host, or of one that has none any more, and the host that
// it is of.
func placed(c store.Change, e store.Edit, m *model.Model) (moved event.ServiceMoved, host string, ok bool) {
	before, _ := e.Before.(*model.Placement)
	after, _ := e.After.(*model.Placement)
	if before == nil && after == nil || before != nil && after != nil && before.Host == after.Host {
		return moved, "", false
	}
	moved = event.ServiceMoved{Rev: c.Rev, Request: c.Cause.Request, User: c.Cause.User}
	p := after
	if before != nil {
		moved.From, p = before.Host, before
	}
	if after != nil {
		moved.To, moved.Cause = after.Host, string(after.Cause)
	} else if moved.Cause = notNeeded; m.NeedsPlace(p.Service, p.Object) {
		moved.Cause = string(model.CauseNoGateway)
	}
	moved.Service, moved.Object = p.Service, "network/"+string(p.Object)
	if p.Service == model.ServiceRouter {
		moved.Object = "router/" + string(p.Object)
	}
	return moved, cmp.Or(moved.To, moved.From), true
}

// notNeeded is why a service was taken away that nothing needs any more.
const notNeeded = "not_needed"

func name(r model.Resource) string { return r.Kind() + "/" + r.Key() }

// vlansIn are the local VLANs that a change gave, by their keys.
func vlansIn(c store.Change) map[string]uint16 {
	vlans := map[string]uint16{}
	for _, e := range c.Edits {
		if v, ok := e.After.(*model.LocalVLAN); ok {
			vlans[v.Key()] = v.VLAN
		}
	}
	return vlans
}

// vlanOf returns the local VLAN of a plug: given with it, or before. It is 0 if the port is unplugged
// again meanwhile.
func vlanOf(p *model.Plug, given map[string]uint16, m *model.Model) uint16 {
	if v, ok := given[model.VLANKey(p.Host, p.Network)]; ok {
		return v
	}
	v, _ := m.VLAN(p.Host, p.Network)
	return v
}
