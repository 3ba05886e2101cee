package node

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/netns"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// keptRepairs bounds what a status tells of the past.
const keptRepairs = 50

type (
	kernelWant   = reconcile.Want[netns.Path, netns.Object]
	kernelResult = reconcile.Result[netns.Path, netns.Object]
)

// space is one namespace and the loop that keeps it. What is below the line is guarded by the runner.
type space struct {
	run     *Runner
	name    string
	target  *netns.Target
	loop    *reconcile.Loop[netns.Path, netns.Object]
	ctx     context.Context
	stop    context.CancelFunc
	trouble trouble
	want    kernelWant // last one handed to the loop, by its goroutine

	ns    *spec.Namespace // nil: it is to go
	rev   uint64          // confirmed
	err   error
	ready bool // the namespace is there
}

func newSpace(r *Runner, name string) *space {
	log := r.cfg.Log.WithField("namespace", name)
	s := &space{run: r, name: name, target: r.cfg.Kernel.Namespace(name), trouble: trouble{log: log, what: "namespace"}}
	s.ctx, s.stop = context.WithCancel(r.ctx)
	s.loop = reconcile.NewLoop[netns.Path, netns.Object](limited{s.target, r.slots}, s.desired)
	// Each at another time, so that a host of a thousand is not read all at once.
	s.loop.Resync = r.cfg.Resync*3/4 + rand.N(r.cfg.Resync/4+1)
	s.loop.Timeout = passTime
	s.loop.Report = s.done
	return s
}

// wantLocked says what the namespace should be; nil is that there should be none.
func (s *space) wantLocked(ns *spec.Namespace) {
	if same(s.ns, ns) {
		return
	}
	s.ns = ns
	s.loop.Kick()
}

// desired is called by the loop.
func (s *space) desired() (kernelWant, error) {
	s.run.mu.Lock()
	ns, rev := s.ns, s.run.node.Rev
	s.run.mu.Unlock()
	objects, err := s.target.Want(ns)
	if err != nil {
		return kernelWant{}, err
	}
	if ns != nil {
		rev = ns.Rev
	}
	version := s.want.Version
	if version == 0 || !maps.Equal(objects, s.want.Objects) {
		version++
	}
	s.want = kernelWant{Rev: rev, Version: version, Objects: objects}
	return s.want, nil
}

// done notes the outcome of a pass.
func (s *space) done(r kernelResult) {
	s.trouble.note(r.Err)
	if !r.Change.Empty() {
		s.trouble.log.WithFields(logrus.Fields{"rev": r.Rev, "added": len(r.Change.Add), "updated": len(r.Change.Update),
			"deleted": len(r.Change.Delete), "took": r.Duration.Round(time.Microsecond).String()}).Info("namespace changed")
	}
	run := s.run
	run.mu.Lock()
	defer run.mu.Unlock()
	woke := s.ready != s.target.Exists() || s.rev != r.Rev
	s.ready, s.err = s.target.Exists(), r.Err
	if r.Err == nil {
		woke = woke || s.rev != r.Rev
		s.rev = r.Rev
		if s.ns == nil && r.Checked && len(s.want.Objects) == 0 {
			// Nothing is left of it. A spec that wants it again starts another loop.
			delete(run.spaces, s.name)
			s.stop()
		}
	}
	for _, text := range drifted(r) {
		run.repairedLocked(s.name, text)
	}
	if !r.Change.Empty() {
		run.ports.loop.Verify()
	}
	if woke || !r.Change.Empty() {
		for _, p := range run.parts {
			p.wake()
		}
	}
	run.changed()
}

// drifted says what others altered, a line each.
func drifted(r kernelResult) []string {
	var out []string
	for verb, m := range map[string]map[netns.Path]netns.Object{"put back": r.Drift.Add, "set right": r.Drift.Update, "removed": r.Drift.Delete} {
		for path := range m {
			out = append(out, verb+" "+string(path))
		}
	}
	if r.Err != nil {
		return nil // told once it is done
	}
	slices.SortFunc(out, strings.Compare)
	return out
}

func (r *Runner) repairedLocked(namespace, text string) {
	r.repair++
	r.repairs = append(r.repairs, spec.Repair{ID: r.repair, At: time.Now().UTC(), Namespace: namespace, Text: text})
	if n := len(r.repairs) - keptRepairs; n > 0 {
		r.repairs = slices.Delete(r.repairs, 0, n)
	}
	r.cfg.Log.WithFields(logrus.Fields{"namespace": namespace, "repair": text}).Warn("someone altered the host; it is put right")
}

// limited keeps the number of passes that run at a time down.
type limited struct {
	*netns.Target
	slots chan struct{}
}

func (l limited) Actual(ctx context.Context) (map[netns.Path]netns.Object, error) {
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	return l.Target.Actual(ctx)
}

func (l limited) Apply(ctx context.Context, c reconcile.Change[netns.Path, netns.Object]) error {
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	return l.Target.Apply(ctx, c)
}
