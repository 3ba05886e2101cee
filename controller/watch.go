package controller

import (
	"context"

	"github.com/heddle-sdn/heddle/apps/maclearn"
	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// watch has the switch tell of every flow that comes and goes by another's hand. Learned ones become
// the MAC view; any other of Heddle's own is a reason to read the switch again.
func (b *bridge) watch(ctx context.Context) error {
	return b.sw.Watch(ctx, ofconn.Monitor{Table: of.TableAll}, b.flowChanged)
}

// flowChanged runs on the session's reading goroutine. Before the loop has its first plan nothing
// needs verifying: its first pass reads the switch anyway.
func (b *bridge) flowChanged(u wire.MonitorUpdate) {
	if !pipeline.Ours(u.Cookie) {
		if u.Event == wire.MonitorAdded && b.replaces(u) {
			b.loop.Verify()
		}
		return
	}
	if kind, _ := pipeline.Cause(u.Cookie); kind != pipeline.KindLearned {
		if u.Event != wire.MonitorAdded || !b.wanted(u) {
			b.loop.Verify()
		}
		return
	}
	f, err := u.Flow()
	mac, ok := pipeline.ReadLearned(f)
	if err != nil || !ok {
		b.loop.Verify()
		return
	}
	if u.Event == wire.MonitorDeleted {
		b.forgot(mac, u.Reason.String())
		return
	}
	b.learned(mac)
	if plan, planned := b.planned(); planned && !mac.Holds(plan.learn) {
		b.loop.Verify()
	}
}

// replaces reports whether an added flow of someone else's stands where a planned one should.
func (b *bridge) replaces(u wire.MonitorUpdate) bool {
	key, err := u.Key()
	if err != nil {
		return false
	}
	plan, _ := b.planned()
	_, want := plan.flows.Objects[key]
	return want
}

// wanted reports whether an added flow is as planned: the first report after a connect tells of every
// flow there is.
func (b *bridge) wanted(u wire.MonitorUpdate) bool {
	key, err := u.Key()
	if err != nil {
		return false
	}
	plan, _ := b.planned()
	want, ok := plan.flows.Objects[key]
	return ok && want.Cookie == u.Cookie && want.Instructions == string(u.Instructions)
}

func (b *bridge) learned(mac pipeline.MAC) {
	news, moved := b.h.c.cfg.MACs.Learn(maclearn.Bridge{Host: b.h.name, Name: b.name}, mac.VLAN, mac.Address, mac.Port)
	if news {
		b.h.c.cfg.Events.Append(b.h.name, event.MACLearned{Bridge: b.name, Network: b.network(mac.VLAN), VLAN: mac.VLAN,
			MAC: mac.Address.String(), Via: b.portName(mac.Port), Moved: moved})
	}
}

func (b *bridge) forgot(mac pipeline.MAC, cause string) {
	if b.h.c.cfg.MACs.Forget(maclearn.Bridge{Host: b.h.name, Name: b.name}, mac.VLAN, mac.Address) {
		b.h.c.cfg.Events.Append(b.h.name, event.MACForgotten{Bridge: b.name, Network: b.network(mac.VLAN), VLAN: mac.VLAN,
			MAC: mac.Address.String(), Cause: cause})
	}
}

// network returns the id of the network that has a local VLAN on the bridge's host, or nothing.
func (b *bridge) network(vlan uint16) string {
	id, _ := b.h.c.cfg.Store.Snapshot().NetworkOfVLAN(b.h.name, vlan)
	return string(id)
}

func (b *bridge) portName(no of.PortNo) string {
	for name, p := range b.sw.Ports() {
		if p.No == no {
			return name
		}
	}
	return no.String()
}
