package controller

import (
	"maps"
	"reflect"

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
	hasRows bool // it was made with the OVSDB at hand
	rows    reconcile.Want[row.Key, row.Row]
}

// bridgePlan is what one bridge should hold.
type bridgePlan struct {
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
		return &plan{spec: before.spec, err: err, bridges: before.bridges, hasRows: before.hasRows, rows: before.rows}
	}
	p := &plan{spec: s, bridges: make(map[string]bridgePlan, len(s.Bridges)), hasRows: o.Rows != nil}
	for name, b := range s.Bridges {
		p.bridges[name] = newBridgePlan(before.bridges[name], m.Rev, b)
	}
	p.rows = reconcile.Want[row.Key, row.Row]{Rev: m.Rev, Version: before.rows.Version, Objects: before.rows.Objects}
	if !reflect.DeepEqual(s.Rows, before.rows.Objects) {
		p.rows.Version, p.rows.Objects = before.rows.Version+1, s.Rows
	}
	return p
}

func newBridgePlan(before bridgePlan, rev uint64, b *spec.Bridge) bridgePlan {
	out := bridgePlan{learn: b.Learn, err: b.Err, flows: before.flows}
	out.flows.Rev = rev
	if out.err != nil {
		return out
	}
	entries := make(map[of.Key]wire.Entry, len(b.Flows))
	for _, f := range b.Flows {
		key, entry, err := wire.Pack(f)
		if err != nil {
			out.err = err
			return out
		}
		entries[key] = entry
	}
	if !maps.Equal(entries, before.flows.Objects) || !reflect.DeepEqual(b.Learn, before.learn) {
		out.flows.Version++
		out.flows.Objects = entries
	}
	return out
}
