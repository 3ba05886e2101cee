package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/heddle-sdn/heddle/apps/netns"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// Defaults of Config.
const (
	defaultResync    = 8 * time.Second
	defaultHeartbeat = 5 * time.Second
)

// Bounds of what is waited for.
const (
	passTime    = time.Minute     // one pass of any loop
	firstAnswer = 2 * time.Second // the controller's word at the start, before the saved spec is worked on
)

// reportGap is the least time between two reports.
const reportGap = 50 * time.Millisecond

// Config is what a Runner works with.
type Config struct {
	Host   string // as the controller knows it
	State  *StateDir
	Source Source
	Kernel *netns.Host
	Parts  []Part
	Rules  string // name of the part that has to be in place before a namespace's ports are plugged in; empty: none
	Leases Leases // nil: none are told
	Log    *logrus.Entry

	Resync    time.Duration // how often everything is read though nothing happened; default 8 s
	Heartbeat time.Duration // how often the status is reported though it did not change; default 5 s
}

// Runner is the agent. Its loops run side by side: one for each namespace, one for the ports of br-int,
// one for each part.
type Runner struct {
	cfg     Config
	started time.Time
	slots   chan struct{} // passes over namespaces that run at a time: each holds a thread
	report  chan struct{} // capacity 1: the status changed
	parts   []*partLoop
	ports   *portsLoop
	wg      sync.WaitGroup // loops of namespaces

	mu      sync.Mutex
	node    *spec.Node                // nil: nothing is known
	had     map[string]spec.Namespace // what the last run had, until the first spec; may be here still
	spaces  map[string]*space
	repairs []spec.Repair
	repair  uint64 // id of the last
	ctx     context.Context
}

// New returns an agent that has not begun.
func New(c Config) *Runner {
	if c.Resync == 0 {
		c.Resync = defaultResync
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = defaultHeartbeat
	}
	r := &Runner{cfg: c, started: time.Now(), slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0)), report: make(chan struct{}, 1), spaces: map[string]*space{}}
	for _, p := range c.Parts {
		r.parts = append(r.parts, newPartLoop(r, p))
	}
	r.ports = newPortsLoop(r)
	return r
}

// Run works until ctx ends, and then returns nil with all of its goroutines gone and everything it made
// left in place.
func (r *Runner) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	g.Go(func() error { return r.poll(ctx, r.begin(ctx)) })
	g.Go(func() error { return r.reports(ctx) })
	if sink, takes := r.cfg.Source.(LeaseSink); takes && r.cfg.Leases != nil {
		g.Go(func() error { return r.leases(ctx, sink) })
	}
	g.Go(func() error { return r.scan(ctx) })
	g.Go(func() error { return r.watch(ctx, "namespaces", r.cfg.Kernel.Watch, r.verify) })
	g.Go(func() error { return r.watch(ctx, "names of namespaces", r.cfg.Kernel.WatchNames, r.verify) })
	g.Go(func() error { return r.watch(ctx, "nftables", r.cfg.Kernel.WatchRules, r.rulesChanged) })
	g.Go(func() error { return r.ports.loop.Run(ctx) })
	for _, p := range r.parts {
		g.Go(func() error { return p.loop(ctx) })
	}
	err := g.Wait()
	r.wg.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// begin takes the spec that the controller has now, and returns its revision. What this host had when it
// went down may be another's by now: the saved spec is for when the controller does not answer at once.
func (r *Runner) begin(ctx context.Context) (rev uint64) {
	first, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	n, err := r.cfg.Source.Spec(first, 0)
	if err != nil {
		r.restore()
		return 0
	}
	if saved, err := r.cfg.State.Load(); err == nil && saved != nil { // what cannot be read is found by looking
		r.had = saved.Namespaces
	}
	r.cfg.Log.WithFields(logrus.Fields{"rev": n.Rev, "namespaces": len(n.Namespaces)}).Info("working on the controller's spec")
	r.take(n)
	return n.Rev
}

// restore begins with the spec of the last run, so that a host comes up though its controller is away.
func (r *Runner) restore() {
	n, err := r.cfg.State.Load()
	switch {
	case err != nil:
		r.cfg.Log.WithError(err).Error("the saved spec cannot be used; nothing is done before the controller gives one")
	case n == nil:
	case n.Host != r.cfg.Host:
		r.cfg.Log.WithFields(logrus.Fields{"host": r.cfg.Host, "saved": n.Host}).Error("the saved spec is another host's; nothing is done before the controller gives one")
	default:
		r.cfg.Log.WithFields(logrus.Fields{"rev": n.Rev, "namespaces": len(n.Namespaces)}).Info("working on the saved spec")
		r.set(*n)
	}
}

// take works on a spec of the controller's from now on, also after a reboot.
func (r *Runner) take(n spec.Node) {
	r.set(n)
	if err := r.cfg.State.Save(n); err != nil {
		r.cfg.Log.WithError(err).Error("a reboot would find the spec of before")
	}
}

// poll gets specs that are newer than one.
func (r *Runner) poll(ctx context.Context, after uint64) error {
	attempt := 0
	backoff := reconcile.Exponential(200*time.Millisecond, 10*time.Second)
	for {
		n, err := r.cfg.Source.Spec(ctx, after)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrUnchanged):
			attempt = 0
			continue
		case err != nil:
			if attempt++; attempt == 1 {
				r.cfg.Log.WithError(err).Warn("no spec from the controller; the last one stays")
			}
			// Agents that lost one controller must not come back all at once.
			if !sleep(ctx, jitter(backoff(attempt))) {
				return ctx.Err()
			}
			continue
		}
		if attempt > 0 {
			r.cfg.Log.Info("the controller answers again")
		}
		attempt, after = 0, n.Rev
		r.take(n)
	}
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// sleep waits, and returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// set makes a spec the one to work on, and wakes who is concerned.
func (r *Runner) set(n spec.Node) {
	for name, ns := range n.Namespaces {
		ns.Name = name
		n.Namespaces[name] = ns
	}
	r.mu.Lock()
	r.node = &n
	for name, ns := range n.Namespaces {
		r.spaceLocked(name).wantLocked(&ns)
	}
	for name := range r.had {
		r.spaceLocked(name)
	}
	r.had = nil
	for name, s := range r.spaces {
		if _, wanted := n.Namespaces[name]; !wanted {
			s.wantLocked(nil)
		}
	}
	r.mu.Unlock()
	r.cfg.Log.WithFields(logrus.Fields{"rev": n.Rev, "namespaces": len(n.Namespaces)}).Debug("new spec")
	r.ports.loop.Kick()
	for _, p := range r.parts {
		p.wake()
	}
	r.changed()
}

// spaceLocked returns the loop of a namespace, which it starts if there is none.
func (r *Runner) spaceLocked(name string) *space {
	s, ok := r.spaces[name]
	if !ok {
		s = newSpace(r, name)
		r.spaces[name] = s
		r.wg.Add(1)
		go func() {
			defer r.wg.Done()
			defer s.stop()
			_ = s.loop.Run(s.ctx) // ends with ctx, and only so
		}()
	}
	return s
}

// scan looks for namespaces of ours that nobody wants: what a crashed run left, and what was placed
// elsewhere while this host was away.
func (r *Runner) scan(ctx context.Context) error {
	for {
		if known, ok := r.known(); ok {
			found, err := r.cfg.Kernel.Namespaces(ctx, known)
			if err != nil && ctx.Err() == nil {
				r.cfg.Log.WithError(err).Warn("leftovers cannot be looked for")
			}
			r.mu.Lock()
			for _, f := range found {
				if _, there := r.spaces[f.Name]; f.Ours && !there && ctx.Err() == nil {
					r.cfg.Log.WithFields(logrus.Fields{"namespace": f.Name, "object": f.Object}).Info("namespace is left over and will be removed")
					r.spaceLocked(f.Name)
				}
			}
			r.mu.Unlock()
		}
		if !sleep(ctx, r.cfg.Resync) {
			return ctx.Err()
		}
	}
}

// known returns the namespaces that have a loop; false if there is no spec yet.
func (r *Runner) known() (map[string]bool, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := make(map[string]bool, len(r.spaces))
	for name := range r.spaces {
		known[name] = true
	}
	return known, r.node != nil
}

// watch has namespaces looked at when the kernel tells of changes. Without it they are every Resync.
func (r *Runner) watch(ctx context.Context, what string, listen func(context.Context, func(name string)) error, changed func(name string)) error {
	for {
		err := listen(ctx, changed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.cfg.Log.WithError(err).Warn("changes of " + what + " are seen late")
		if !sleep(ctx, r.cfg.Resync) {
			return ctx.Err()
		}
	}
}

// verify has a namespace read; an empty name stands for the host's ends of links.
func (r *Runner) verify(name string) {
	if name == "" {
		r.ports.loop.Verify()
		return
	}
	r.mu.Lock()
	s := r.spaces[name]
	r.mu.Unlock()
	if s != nil {
		s.loop.Verify()
	}
}

// rulesChanged wakes who keeps the tables of a namespace that others changed; an empty name stands for any.
func (r *Runner) rulesChanged(name string) {
	for _, p := range r.parts {
		if w, ok := p.part.(RulesWatcher); ok && (name == "" || w.Foreign(name)) {
			p.wake()
		}
	}
}

// wanted returns the namespaces as parts get them; false if there is no spec yet.
func (r *Runner) wanted() (map[string]Wanted, uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.node == nil {
		return nil, 0, false
	}
	out := make(map[string]Wanted, len(r.node.Namespaces))
	for name, ns := range r.node.Namespaces {
		out[name] = Wanted{Namespace: ns, Ready: r.spaces[name].ready}
	}
	return out, r.node.Rev, true
}

// changed has the status reported.
func (r *Runner) changed() {
	select {
	case r.report <- struct{}{}:
	default:
	}
}

// same reports whether two specs of a namespace are equal.
func same(a, b *spec.Namespace) bool {
	return a == b || a != nil && b != nil && reflect.DeepEqual(*a, *b)
}

// trouble logs what goes wrong when it begins and when it ends.
type trouble struct {
	log  *logrus.Entry
	what string
	last string
}

func (t *trouble) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch {
	case text == t.last:
	case text == "":
		t.log.Info(t.what + " works again")
	default:
		t.log.WithError(err).Warn(fmt.Sprintf("%s failed; it is tried again", t.what))
	}
	t.last = text
}
