package node

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/netns"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// outcome is what a loop over all namespaces last reached. It is guarded by the runner.
type outcome struct {
	revs   map[string]uint64 // confirmed, by namespace
	failed map[string]error  // by namespace
	err    error             // of the whole
}

// of returns how far a namespace is.
func (o outcome) of(name string) (uint64, error) {
	if o.err != nil {
		return o.revs[name], o.err
	}
	return o.revs[name], o.failed[name]
}

// next is the outcome after a pass over namespaces of revisions.
func (o outcome) next(revs map[string]uint64, failed map[string]error, err error) outcome {
	out := outcome{revs: map[string]uint64{}, failed: failed, err: err}
	for name, rev := range revs {
		if err != nil || failed[name] != nil {
			rev = o.revs[name]
		}
		out.revs[name] = rev
	}
	return out
}

// partLoop keeps one Part at work.
type partLoop struct {
	run     *Runner
	part    Part
	kick    chan struct{} // capacity 1
	trouble trouble
	state   outcome
}

func newPartLoop(r *Runner, p Part) *partLoop {
	return &partLoop{run: r, part: p, kick: make(chan struct{}, 1), trouble: trouble{log: r.cfg.Log.WithField("part", p.Name()), what: "part " + p.Name()}}
}

// wake asks for a pass.
func (l *partLoop) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

func (l *partLoop) pass(ctx context.Context) error {
	want, _, known := l.run.wanted()
	if !known {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, passTime)
	defer cancel()
	failed, err := l.part.Sync(ctx, want)
	revs := map[string]uint64{}
	for name, w := range want {
		if w.Ready {
			revs[name] = w.Rev
		}
	}
	l.run.mu.Lock()
	before, came := l.state, false
	l.state = l.state.next(revs, failed, err)
	for name, rev := range l.state.revs {
		came = came || rev > 0 && before.revs[name] == 0
	}
	l.run.mu.Unlock()
	if came && l.part.Name() == l.run.cfg.Rules {
		l.run.ports.loop.Verify() // ports may have waited for it
	}
	l.run.changed()
	if err != nil {
		return err
	}
	var all []error
	for _, name := range sortedKeys(failed) {
		all = append(all, &namespaceError{name, failed[name]})
	}
	return errors.Join(all...)
}

// namespaceError says which namespace an error is of.
type namespaceError struct {
	name string
	err  error
}

func (e *namespaceError) Error() string { return e.name + ": " + e.err.Error() }

// Unwrap returns the error without the name.
func (e *namespaceError) Unwrap() error { return e.err }

// loop makes passes until ctx ends: when asked to, when the last one failed, and every Resync.
func (l *partLoop) loop(ctx context.Context) error {
	backoff := reconcile.Exponential(200*time.Millisecond, 10*time.Second)
	attempt := 0
	for {
		err := l.pass(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.trouble.note(err)
		wait := l.run.cfg.Resync
		if attempt++; err == nil {
			attempt = 0
		} else {
			wait = min(wait, backoff(attempt))
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-l.kick:
		case <-t.C:
		}
		t.Stop()
	}
}

// portsLoop keeps the ports of br-int.
type portsLoop struct {
	run     *Runner
	loop    *reconcile.Loop[string, netns.Port]
	trouble trouble
	want    reconcile.Want[string, netns.Port] // last one handed to the loop, by its goroutine
	node    *spec.Node                         // it was made from
	offload bool
	state   outcome // guarded by the runner
}

func newPortsLoop(r *Runner) *portsLoop {
	l := &portsLoop{run: r, trouble: trouble{log: r.cfg.Log.WithField("bridge", "br-int"), what: "plugging ports"}}
	l.loop = reconcile.NewLoop[string, netns.Port](gated{r.cfg.Kernel.Ports(), r.waiting}, l.desired)
	l.loop.Resync, l.loop.Timeout, l.loop.Report = r.cfg.Resync, passTime, l.done
	l.offload = r.cfg.Kernel.Offload()
	return l
}

// errNoSpec is why nothing is done at first.
var errNoSpec = errors.New("no spec yet")

func (l *portsLoop) desired() (reconcile.Want[string, netns.Port], error) {
	l.run.mu.Lock()
	l.node = l.run.node
	l.run.mu.Unlock()
	if l.node == nil {
		return l.want, errNoSpec
	}
	objects := l.run.cfg.Kernel.Ports().Desired(l.node.Namespaces)
	version := l.want.Version
	if version == 0 || !maps.Equal(objects, l.want.Objects) {
		version++
	}
	l.want = reconcile.Want[string, netns.Port]{Rev: l.node.Rev, Version: version, Objects: objects}
	return l.want, nil
}

func (l *portsLoop) done(r reconcile.Result[string, netns.Port]) {
	if errors.Is(r.Err, errNoSpec) {
		return
	}
	if !r.Change.Empty() && r.Err == nil {
		l.trouble.log.WithFields(logrus.Fields{"added": len(r.Change.Add), "updated": len(r.Change.Update), "deleted": len(r.Change.Delete)}).Info("ports changed")
	}
	failed, err := l.byNamespace(r.Err)
	if !onlyEarly(r.Err) {
		l.trouble.note(r.Err)
	}
	revs := map[string]uint64{}
	for name, ns := range l.node.Namespaces {
		revs[name] = ns.Rev
	}
	l.run.mu.Lock()
	defer l.run.mu.Unlock()
	l.state = l.state.next(revs, failed, err)
	if r.Err == nil {
		for verb, m := range map[string]map[string]netns.Port{"put back": r.Drift.Add, "set right": r.Drift.Update, "removed": r.Drift.Delete} {
			for _, port := range sortedKeys(m) {
				l.run.repairedLocked(l.owner(port), verb+" port "+port)
			}
		}
	}
	if now := l.run.cfg.Kernel.Offload(); now != l.offload {
		// br-int told what datapath it has: links are to be looked at with other eyes.
		l.offload = now
		l.loop.Kick()
		for _, s := range l.run.spaces {
			s.loop.Verify()
		}
	}
	l.run.changed()
}

// onlyEarly reports whether all that is wrong is that links and rules are still being made.
func onlyEarly(err error) bool {
	var ports netns.PortErrors
	if !errors.As(err, &ports) {
		return false
	}
	for _, err := range ports {
		if !early(err) {
			return false
		}
	}
	return true
}

// byNamespace finds the namespaces that failed ports belong to.
func (l *portsLoop) byNamespace(err error) (map[string]error, error) {
	var ports netns.PortErrors
	if !errors.As(err, &ports) {
		return nil, err
	}
	failed := map[string]error{}
	for _, port := range sortedKeys(ports) {
		if name := l.owner(port); name != "" && failed[name] == nil {
			failed[name] = &namespaceError{port, ports[port]}
		}
	}
	return failed, nil
}

// owner is the namespace that a port is wanted by; empty if there is none.
func (l *portsLoop) owner(port string) string {
	for name, ns := range l.node.Namespaces {
		for _, link := range ns.Links {
			if link.Peer == port {
				return name
			}
		}
	}
	return ""
}
