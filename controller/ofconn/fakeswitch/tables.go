package fakeswitch

import (
	"maps"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Refusals (OpenFlow 1.3.5 §7.4.4).
var (
	errBadVersion   = wire.Error{Type: wire.ErrBadRequest, Code: 0}
	errBadType      = wire.Error{Type: wire.ErrBadRequest, Code: wire.BadRequestType}
	errBadMultipart = wire.Error{Type: wire.ErrBadRequest, Code: 2}
	errBadExpType   = wire.Error{Type: wire.ErrBadRequest, Code: 4}
	errBadLength    = wire.Error{Type: wire.ErrBadRequest, Code: 6}
	errIsSlave      = wire.Error{Type: wire.ErrBadRequest, Code: 10}
	errBadOutPort   = wire.Error{Type: wire.ErrBadAction, Code: 4}
	errBadOutGroup  = wire.Error{Type: wire.ErrBadAction, Code: 9}
	errGotoTable    = wire.Error{Type: wire.ErrBadInstruction, Code: 2}
	errTableFull    = wire.Error{Type: wire.ErrFlowModFailed, Code: 1}
	errBadTable     = wire.Error{Type: wire.ErrFlowModFailed, Code: 2}
	errOverlap      = wire.Error{Type: wire.ErrFlowModFailed, Code: 3}
	errGroupExists  = wire.Error{Type: wire.ErrGroupModFailed, Code: 0}
	errUnknownGroup = wire.Error{Type: wire.ErrGroupModFailed, Code: 8}
	errMeterExists  = wire.Error{Type: wire.ErrMeterModFailed, Code: 1}
	errUnknownMeter = wire.Error{Type: wire.ErrMeterModFailed, Code: 3}
	errStaleRole    = wire.Error{Type: wire.ErrRoleRequestFailed, Code: wire.RoleStale}
)

// tables are what a switch holds. A clone shares the flows, which never change.
type tables struct {
	flows  map[of.Key]*flow
	counts map[of.TableID]int
	groups map[of.GroupID]of.GroupEntry
	meters map[of.MeterID]of.MeterEntry
	limit  int // flows of a table; 0 for none
}

type flow struct {
	key   of.Key
	entry wire.Entry
	flow  of.Flow
	since time.Time
}

// change is what became of one flow.
type change struct {
	event  wire.MonitorEvent
	flow   *flow
	reason wire.RemovedReason
}

func newTables(limit int) tables {
	return tables{
		flows:  make(map[of.Key]*flow),
		counts: make(map[of.TableID]int),
		groups: make(map[of.GroupID]of.GroupEntry),
		meters: make(map[of.MeterID]of.MeterEntry),
		limit:  limit,
	}
}

func (t *tables) clone() tables {
	return tables{maps.Clone(t.flows), maps.Clone(t.counts), maps.Clone(t.groups), maps.Clone(t.meters), t.limit}
}

// check refuses a flow mod that is wrong whatever flows there are; in a bundle
// that happens already when it is added.
func (t *tables) check(m *wire.FlowMod) error {
	if m.Command == wire.Delete || m.Command == wire.DeleteStrict {
		return nil
	}
	if m.Flow.Table == of.TableAll {
		return errBadTable
	}
	return t.checkActions(m.Flow.Table, m.Flow.Actions)
}

func (t *tables) checkActions(table of.TableID, actions []of.Action) error {
	for _, a := range actions {
		switch a := a.(type) {
		case of.Output:
			if a.Port == 0 || a.Port == of.PortAny || a.Port > of.PortMax && a.Port < of.PortUnset {
				return errBadOutPort
			}
		case of.Group:
			if _, there := t.groups[a.ID]; !there {
				return errBadOutGroup
			}
		case of.GotoTable:
			if a.Table <= table {
				return errGotoTable
			}
		case of.WriteActions:
			if err := t.checkActions(table, a.Actions); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply does a flow mod and returns what it changed (OpenFlow 1.3.5 §6.4).
func (t *tables) apply(m *wire.FlowMod) ([]change, error) {
	if err := t.check(m); err != nil {
		return nil, err
	}
	key, entry, err := wire.Pack(m.Flow)
	if err != nil {
		return nil, errBadLength
	}
	switch m.Command {
	case wire.Add:
		return t.add(&flow{key: key, entry: entry, flow: m.Flow, since: time.Now()})
	case wire.Modify, wire.ModifyStrict:
		return t.modify(m, key, entry), nil
	default:
		return t.delete(m, key), nil
	}
}

func (t *tables) add(f *flow) ([]change, error) {
	old := t.flows[f.key]
	if f.flow.Flags&of.CheckOverlap != 0 {
		for _, other := range t.flows {
			if other != old && other.key.Table == f.key.Table && other.key.Priority == f.key.Priority && overlap(other.flow.Match, f.flow.Match) {
				return nil, errOverlap
			}
		}
	}
	event := wire.MonitorModified
	if old == nil {
		if t.limit > 0 && t.counts[f.key.Table] >= t.limit {
			return nil, errTableFull
		}
		t.counts[f.key.Table]++
		event = wire.MonitorAdded
	}
	t.flows[f.key] = f
	return []change{{event: event, flow: f}}, nil
}

// modify changes the instructions and nothing else.
func (t *tables) modify(m *wire.FlowMod, key of.Key, entry wire.Entry) []change {
	var out []change
	for _, old := range t.selected(m, key) {
		f := *old
		f.entry.Instructions, f.flow.Actions = entry.Instructions, m.Flow.Actions
		t.flows[f.key] = &f
		out = append(out, change{event: wire.MonitorModified, flow: &f})
	}
	return out
}

func (t *tables) delete(m *wire.FlowMod, key of.Key) []change {
	var out []change
	for _, f := range t.selected(m, key) {
		delete(t.flows, f.key)
		t.counts[f.key.Table]--
		out = append(out, change{event: wire.MonitorDeleted, flow: f, reason: wire.RemovedDelete})
	}
	return out
}

// selected are the flows that a modify or delete means.
func (t *tables) selected(m *wire.FlowMod, key of.Key) []*flow {
	var out []*flow
	if m.Command == wire.ModifyStrict || m.Command == wire.DeleteStrict {
		if f := t.flows[key]; f != nil && t.meant(f, m) {
			out = append(out, f)
		}
		return out
	}
	for _, f := range t.flows {
		if (m.Flow.Table == of.TableAll || m.Flow.Table == f.key.Table) && t.meant(f, m) && covers(m.Flow.Match, f.flow.Match) {
			out = append(out, f)
		}
	}
	return out
}

// meant applies the cookie mask and the output filters.
func (t *tables) meant(f *flow, m *wire.FlowMod) bool {
	return f.entry.Cookie&m.CookieMask == m.Flow.Cookie&m.CookieMask && outputsTo(f.flow.Actions, m.OutPort, m.OutGroup)
}

func outputsTo(actions []of.Action, port of.PortNo, group of.GroupID) bool {
	hasPort, hasGroup := port == 0, group == 0
	for _, a := range actions {
		switch a := a.(type) {
		case of.Output:
			hasPort = hasPort || a.Port == port
		case of.Group:
			hasGroup = hasGroup || a.ID == group
		}
	}
	return hasPort && hasGroup
}

// covers reports whether every packet that fits m fits filter too.
func covers(filter, m of.Match) bool {
	for _, want := range filter {
		got, ok := m.Find(want.Field)
		if !ok {
			return false
		}
		mask := want.FullMask()
		if got.FullMask().And(mask) != mask || got.Value.And(mask) != want.Value.And(mask) {
			return false
		}
	}
	return true
}

// overlap reports whether some packet fits both.
func overlap(a, b of.Match) bool {
	for _, x := range a {
		y, ok := b.Find(x.Field)
		if !ok {
			continue
		}
		mask := x.FullMask().And(y.FullMask())
		if x.Value.And(mask) != y.Value.And(mask) {
			return false
		}
	}
	return true
}

// group does a group mod (OpenFlow 1.3.5 §6.5).
func (t *tables) group(cmd wire.GroupCommand, g of.GroupEntry) error {
	_, there := t.groups[g.ID]
	switch cmd {
	case wire.GroupAdd:
		if there {
			return errGroupExists
		}
		t.groups[g.ID] = g
	case wire.GroupModify:
		if !there {
			return errUnknownGroup
		}
		t.groups[g.ID] = g
	case wire.GroupDelete:
		if g.ID == of.GroupAll {
			clear(t.groups)
		}
		delete(t.groups, g.ID)
	}
	return nil
}

// meter does a meter mod (OpenFlow 1.3.5 §7.3.4.4).
func (t *tables) meter(cmd wire.MeterCommand, m of.MeterEntry) error {
	_, there := t.meters[m.ID]
	switch cmd {
	case wire.MeterAdd:
		if there {
			return errMeterExists
		}
		t.meters[m.ID] = m
	case wire.MeterModify:
		if !there {
			return errUnknownMeter
		}
		t.meters[m.ID] = m
	case wire.MeterDelete:
		if m.ID == of.MeterAll {
			clear(t.meters)
		}
		delete(t.meters, m.ID)
	}
	return nil
}
