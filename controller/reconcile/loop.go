package reconcile

import (
	"context"
	"sync/atomic"
	"time"
)

// Loop keeps one target as wanted. Its fields are set before Run and not changed after.
type Loop[K comparable, V any] struct {
	Target Target[K, V]
	// Desired returns what should be. An error means not known yet: the pass touches nothing.
	Desired func() (Want[K, V], error)
	// Resync is how often the target is read though nobody asked; 0 is never.
	Resync time.Duration
	// Timeout bounds one pass; 0 is no bound.
	Timeout time.Duration
	// Pace spaces the reads of the target. The default is to read at most an eighth of the time, but for
	// bursts of 70 ms. Time that goes into changes does not count: those have to be made once, however
	// many passes there are.
	Pace Pace
	// Backoff returns the wait before attempt n (1, 2, …) after a pass failed.
	Backoff func(attempt int) time.Duration
	// Report is told of every pass, in order, from the goroutine of Run.
	Report func(Result[K, V])

	kick   chan struct{} // capacity 1: many kicks before a pass are one
	verify atomic.Bool
}

// NewLoop returns a loop for a target; the caller sets the other fields.
func NewLoop[K comparable, V any](t Target[K, V], desired func() (Want[K, V], error)) *Loop[K, V] {
	return &Loop[K, V]{Target: t, Desired: desired, Backoff: Exponential(100*time.Millisecond, 10*time.Second),
		Pace:   Pace{Rest: 7, Burst: 500 * time.Millisecond, Most: 500 * time.Millisecond},
		Report: func(Result[K, V]) {}, kick: make(chan struct{}, 1)}
}

// Kick asks for a pass because the want may have changed. If it did not, the target is not read.
func (l *Loop[K, V]) Kick() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// Verify asks for a pass that reads the target whatever the want is.
func (l *Loop[K, V]) Verify() {
	l.verify.Store(true)
	l.Kick()
}

// Run makes passes until ctx ends and returns its error. The first pass starts at once.
func (l *Loop[K, V]) Run(ctx context.Context) error {
	var (
		done     Want[K, V] // last want that the target confirmed
		attempt  int
		retry    = newTimer()
		resync   = newTimer()
		mustRead = true
	)
	defer retry.Stop()
	defer resync.Stop()
	for {
		mustRead = l.verify.Swap(false) || mustRead
		want, r := l.pass(ctx, done, mustRead)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.Report(r)
		if r.Checked {
			l.Pace.Worked(r.Reading)
		}
		if r.Err != nil {
			attempt++
			mustRead = true // who knows what was half done
			retry.Reset(l.Backoff(attempt))
		} else {
			attempt, mustRead, done = 0, false, want
			retry.Stop()
		}
		if l.Resync > 0 && (r.Whole || r.Err != nil) {
			resync.Reset(l.Resync)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.kick:
		case <-retry.C:
		case <-resync.C:
			mustRead = true
		}
		if err := l.Pace.Wait(ctx); err != nil {
			return err
		}
	}
}

func (l *Loop[K, V]) pass(ctx context.Context, done Want[K, V], mustRead bool) (Want[K, V], Result[K, V]) {
	start := time.Now()
	var r Result[K, V]
	want, err := l.Desired()
	if err == nil && (mustRead || want.Version != done.Version) {
		r.Checked = true
		if l.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, l.Timeout)
			defer cancel()
		}
		err = l.converge(ctx, &r, done, want, mustRead)
		r.Drift = Drift(r.Change, done.Objects, want.Objects, l.Target.Equal)
	}
	r.Rev, r.Err, r.Duration = want.Rev, err, time.Since(start)
	return want, r
}

// converge reads, compares and changes, and notes in r what it did.
func (l *Loop[K, V]) converge(ctx context.Context, r *Result[K, V], done, want Want[K, V], whole bool) error {
	start := time.Now()
	objects, have, err := l.read(ctx, r, done, want, whole)
	if err == nil {
		r.Change = Diff(objects, have, l.Target.Equal)
	}
	r.Reading = time.Since(start)
	if err != nil || r.Change.Empty() {
		return err
	}
	return l.Target.Apply(ctx, r.Change)
}

// read returns what is wanted and what there is, of all of the target or of the part that the want
// differs in from the one that is done.
func (l *Loop[K, V]) read(ctx context.Context, r *Result[K, V], done, want Want[K, V], whole bool) (objects, have map[K]V, err error) {
	part, can := l.Target.(PartReader[K, V])
	if whole || !can {
		r.Whole = true
		have, err = l.Target.Actual(ctx)
		return want.Objects, have, err
	}
	have, within, err := part.ActualPart(ctx, touched(done.Objects, want.Objects, l.Target.Equal))
	if within == nil {
		r.Whole = true
		return want.Objects, have, err
	}
	objects = map[K]V{}
	for k, v := range want.Objects {
		if within(v) {
			objects[k] = v
		}
	}
	return objects, have, err
}

// touched returns the values of all objects that differ between two wants, as they were and as they are.
func touched[K comparable, V any](before, now map[K]V, equal func(a, b V) bool) []V {
	step := Diff(now, before, equal)
	out := make([]V, 0, step.Len()+len(step.Update))
	for _, v := range step.Add {
		out = append(out, v)
	}
	for k, v := range step.Update {
		out = append(out, v, before[k])
	}
	for _, v := range step.Delete {
		out = append(out, v)
	}
	return out
}

// Exponential returns a backoff that starts at first and doubles up to most.
func Exponential(first, most time.Duration) func(attempt int) time.Duration {
	return func(attempt int) time.Duration {
		d := first
		for ; attempt > 1 && d < most; attempt-- {
			d *= 2
		}
		return min(d, most)
	}
}

// newTimer returns a timer that is not running.
func newTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
