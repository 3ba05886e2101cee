package controller

import (
	"maps"
	"reflect"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/store/model"
)

// plan is a host's Spec in the form that its loops compare. It is not written once it is published.
type plan struct {
	spec    *spec.Spec
	err     error // nothing is known
	bridges map[string]bridgePlan
	hasRows bool            // it was made with the OVSDB at hand
	plugs   map[string]bool // then, the ports of br-int with an iface-id that it knows
	rows    reconcile.Want[row.Key, row.Row]
	rewired bool      // more than tags differs from the rows of the plan before
	node    spec.Node // for the host's agent
}

// bridgePlan is what one bridge should hold.
type bridgePlan struct {
	parts []*spec.Part // that flows is made of
	flows reconcile.Want[of.Key, wire.Entry]
	learn map[uint16]pipeline.LearnScope
	err   error // nothing is known of this bridge
}

// newPlan plans a host. What is as in the plan before keeps its version, so that loops see at once
// that there is nothing new for them.
func newPlan(before *plan, m *model.Model, o spec.Observed, host string, planners []spec.Planner) *plan {
	if before == nil {
		before = &plan{}
	}
	s, err := spec.Plan(m, o, host, planners...)
	if err != nil {
		return &plan{spec: before.spec, err: err, bridges: before.bridges, hasRows: before.hasRows, rows: before.rows, node: before.node}
	}
	p := &plan{spec: s, bridges: make(map[string]bridgePlan, len(s.Bridges)), hasRows: o.Rows != nil}
	for name, b := range s.Bridges {
		p.bridges[name] = newBridgePlan(before.bridges[name], m.Rev, b)
	}
	p.rows = reconcile.Want[row.Key, row.Row]{Rev: m.Rev, Version: before.rows.Version, Objects: before.rows.Objects}
	if !maps.EqualFunc(s.Rows, before.rows.Objects, sameRow) {
		p.rows.Version, p.rows.Objects = before.rows.Version+1, s.Rows
		p.rewired = !maps.EqualFunc(wiring(s.Rows), wiring(before.rows.Objects), sameRow)
	}
	p.node = newNode(before.node, host, s.Namespaces)
	return p
}

func newBridgePlan(before bridgePlan, rev uint64, b *spec.Bridge) bridgePlan {
	out := bridgePlan{parts: before.parts, flows: before.flows, learn: b.Learn, err: b.Err}
	out.flows.Rev = rev
	if out.err != nil {
		return out
	}
	if !slices.Equal(b.Parts, before.parts) {
		out.parts = b.Parts
		if entries := pack(b.Parts); !maps.Equal(entries, before.flows.Objects) {
			out.flows.Version++
			out.flows.Objects = entries
			return out
		}
	}
	if !maps.EqualFunc(b.Learn, before.learn, sameScope) {
		out.flows.Version++
	}
	return out
}

// pack puts the flows of all parts together.
func pack(parts []*spec.Part) map[of.Key]wire.Entry {
	n := 0
	for _, p := range parts {
		n += len(p.Keys)
	}
	entries := make(map[of.Key]wire.Entry, n)
	for _, p := range parts {
		for i, k := range p.Keys {
			entries[k] = p.Entries[i]
		}
	}
	return entries
}

func sameScope(a, b pipeline.LearnScope) bool {
	return a.Key == b.Key && slices.Equal(a.Ports, b.Ports)
}

// wiring returns the rows that are no tags.
func wiring(rows map[row.Key]row.Row) map[row.Key]row.Row {
	out := map[row.Key]row.Row{}
	for k, r := range rows {
		if k.Kind != row.KindTag {
			out[k] = r
		}
	}
	return out
}

// sameRow is reflect.DeepEqual, and quick for the kind of row that a host has thousands of.
func sameRow(a, b row.Row) bool {
	if tag, is := a.(row.Tag); is {
		return b == row.Row(tag)
	}
	return reflect.DeepEqual(a, b)
}
