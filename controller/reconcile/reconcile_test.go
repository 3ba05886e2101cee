package reconcile

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shelf is a target in memory that can fail.
type shelf struct {
	mu       sync.Mutex
	objects  map[string]int
	failRead error
	failAt   int // Apply stops half way after so many objects; negative: never
	reads    int
	writes   int
}

func newShelf() *shelf { return &shelf{objects: map[string]int{}, failAt: -1} }

var errBroken = errors.New("broken")

func (s *shelf) Actual(context.Context) (map[string]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return maps.Clone(s.objects), s.failRead
}

func (s *shelf) Apply(_ context.Context, c Change[string, int]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	step := func(do func()) error {
		if s.failAt == 0 {
			return errBroken
		}
		s.failAt--
		s.writes++
		do()
		return nil
	}
	for _, m := range []map[string]int{c.Add, c.Update} {
		for k, v := range m {
			if err := step(func() { s.objects[k] = v }); err != nil {
				return err
			}
		}
	}
	for k := range c.Delete {
		if err := step(func() { delete(s.objects, k) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Equal(a, b int) bool { return a == b }

func (s *shelf) get() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects)
}

func (s *shelf) with(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// desk is a desired state that a test changes.
type desk struct {
	mu   sync.Mutex
	want Want[string, int]
	err  error
}

func (d *desk) desired() (Want[string, int], error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.want, d.err
}

func (d *desk) set(objects map[string]int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = Want[string, int]{Rev: d.want.Rev + 1, Version: d.want.Version + 1, Objects: objects}
}

func (d *desk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// run starts a loop in a bubble of virtual time and stops it at the end of the test.
func run(t *testing.T, s *shelf, d *desk, set func(*Loop[string, int])) (l *Loop[string, int], last func() Result[string, int]) {
	return runOn(t, s, d, set)
}

// runOn is run for a target that is made of a shelf.
func runOn(t *testing.T, s Target[string, int], d *desk, set func(*Loop[string, int])) (l *Loop[string, int], last func() Result[string, int]) {
	var mu sync.Mutex
	var res Result[string, int]
	l = NewLoop(s, d.desired)
	l.Report = func(r Result[string, int]) { mu.Lock(); res = r; mu.Unlock() }
	if set != nil {
		set(l)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	return l, func() Result[string, int] { mu.Lock(); defer mu.Unlock(); return res }
}

func TestAnyStateToAnyStateDespiteFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		random := func() map[string]int {
			m := map[string]int{}
			for range rnd.IntN(20) {
				m[string(rune('a'+rnd.IntN(26)))] = rnd.IntN(3)
			}
			return m
		}
		s, d := newShelf(), &desk{}
		d.set(random())
		l, _ := run(t, s, d, nil)
		for range 500 {
			want := random()
			s.with(func() {
				s.failAt = rnd.IntN(10)
				if rnd.IntN(3) == 0 {
					s.objects = random()
				}
				if rnd.IntN(4) == 0 {
					s.failRead = errBroken
				}
			})
			d.set(want)
			l.Verify()
			synctest.Wait()
			s.with(func() { s.failAt, s.failRead = -1, nil })
			time.Sleep(time.Minute) // virtual: longer than any backoff
			if got := s.get(); !maps.Equal(got, want) {
				t.Fatalf("have %v, want %v", got, want)
			}
		}
	})
}

func TestUnknownIsNotEmpty(t *testing.T) {
	for name, breaks := range map[string]func(*shelf, *desk){
		"desired_state_unknown": func(_ *shelf, d *desk) { d.fail(errBroken) },
		"actual_state_unknown":  func(s *shelf, _ *desk) { s.with(func() { s.failRead = errBroken }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := newShelf(), &desk{}
				s.objects = map[string]int{"a": 1, "b": 2}
				breaks(s, d)
				l, last := run(t, s, d, nil)
				l.Verify()
				time.Sleep(time.Hour)
				if !errors.Is(last().Err, errBroken) {
					t.Errorf("result %+v, want an error", last())
				}
				if s.writes != 0 || len(s.get()) != 2 {
					t.Errorf("%d writes, %v left: something was touched", s.writes, s.get())
				}
			})
		})
	}
}

func TestKickReadsOnlyIfTheWantChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newShelf(), &desk{}
		d.set(map[string]int{"a": 1})
		l, last := run(t, s, d, nil)
		synctest.Wait()
		d.mu.Lock()
		d.want.Rev = 9
		d.mu.Unlock()
		l.Kick()
		synctest.Wait()
		if s.reads != 1 || last().Rev != 9 || last().Checked {
			t.Errorf("%d reads, result %+v; want the first read only, and revision 9", s.reads, last())
		}
		l.Verify()
		synctest.Wait()
		if s.reads != 2 || !last().Checked {
			t.Errorf("%d reads after Verify, want 2", s.reads)
		}
	})
}

func TestDriftIsWhatNoNewWantExplains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newShelf(), &desk{}
		d.set(map[string]int{"a": 1, "b": 1, "c": 1})
		_, last := run(t, s, d, func(l *Loop[string, int]) { l.Resync = time.Second })
		synctest.Wait()
		if !last().Drift.Empty() || len(last().Change.Add) != 3 {
			t.Fatalf("first pass: %+v, want three adds and no drift", last())
		}
		s.with(func() { delete(s.objects, "a"); s.objects["b"] = 7; s.objects["x"] = 1 })
		d.set(map[string]int{"a": 1, "b": 1, "d": 1})
		time.Sleep(1100 * time.Millisecond)
		r := last().Drift
		if len(r.Add) != 1 || len(r.Update) != 1 || len(r.Delete) != 1 {
			t.Errorf("drift %+v, want a put back, b set right, x removed", r)
		}
		if _, wanted := r.Delete["c"]; wanted {
			t.Error("c left the want; that is no drift")
		}
	})
}

func TestFailedPassIsTriedAgainWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newShelf(), &desk{}
		d.set(map[string]int{"a": 1})
		s.failRead = errBroken
		run(t, s, d, func(l *Loop[string, int]) { l.Backoff = Exponential(time.Second, 4*time.Second) })
		time.Sleep(1 + 2 + 4*time.Second + 500*time.Millisecond)
		synctest.Wait()
		s.with(func() {
			if s.reads < 3 || s.reads > 5 {
				t.Errorf("%d reads in 7.5 s, want four or so: at 0, 1, 3 and 7 s", s.reads)
			}
		})
		s.with(func() { s.failRead = nil })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !maps.Equal(s.get(), map[string]int{"a": 1}) {
			t.Errorf("have %v", s.get())
		}
	})
}
