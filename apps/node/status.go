package node

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// The names of what is no Part, in spec.NodeObject.
const (
	partKernel = "kernel"
	partPorts  = "ports"
)

// Status is how far the host is.
func (r *Runner) Status() spec.NodeStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := spec.NodeStatus{Started: r.started.UTC(), Objects: map[string]spec.NodeObject{}, Repairs: slices.Clone(r.repairs)}
	if r.node == nil {
		return st
	}
	st.Rev = r.node.Rev
	for name, s := range r.spaces {
		if s.ns == nil {
			st.Objects[name] = object(map[string]error{partKernel: s.err}, 0, true)
			continue
		}
		rev, errs := s.rev, map[string]error{partKernel: s.err}
		note := func(part string, at uint64, err error) {
			rev, errs[part] = min(rev, at), err
		}
		at, err := r.ports.state.of(name)
		if early(err) {
			err = nil
		}
		note(partPorts, at, err)
		for _, p := range r.parts {
			at, err := p.state.of(name)
			note(p.part.Name(), at, err)
		}
		st.Objects[name] = object(errs, rev, false)
	}
	return st
}

func object(errs map[string]error, rev uint64, removing bool) spec.NodeObject {
	o := spec.NodeObject{Rev: rev, Removing: removing}
	for _, part := range sortedKeys(errs) {
		if err := errs[part]; err != nil {
			if o.Errors == nil {
				o.Errors = map[string]string{}
				o.Error = part + ": " + err.Error()
			}
			o.Errors[part] = err.Error()
		}
	}
	return o
}

// reports tells the controller when something changed, and every heartbeat. What could not be told is told
// again soon: the host may be about to join.
func (r *Runner) reports(ctx context.Context) error {
	bad := trouble{log: r.cfg.Log, what: "reporting"}
	backoff := reconcile.Exponential(reportGap, r.cfg.Heartbeat)
	attempt := 0
	for {
		err := r.cfg.Source.Report(ctx, r.Status())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		bad.note(err)
		if !sleep(ctx, reportGap) {
			return ctx.Err()
		}
		changed, wait := r.report, r.cfg.Heartbeat
		if attempt++; err == nil {
			attempt = 0
		} else {
			changed, wait = nil, jitter(backoff(attempt))
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
