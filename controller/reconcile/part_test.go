package reconcile

import (
	"context"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// drawers is a shelf of which one can read drawers: objects are in the drawer of their value's tens.
type drawers struct {
	*shelf
	parts int // reads of a part
}

func (s *drawers) ActualPart(ctx context.Context, touched []int) (map[string]int, func(int) bool, error) {
	open := map[int]bool{}
	for _, v := range touched {
		open[v/10] = true
	}
	within := func(v int) bool { return open[v/10] }
	have, err := s.Actual(ctx)
	s.with(func() { s.reads--; s.parts++ })
	maps.DeleteFunc(have, func(_ string, v int) bool { return !within(v) })
	return have, within, err
}

func (s *drawers) counts() (whole, parts int) {
	s.with(func() { whole, parts = s.reads, s.parts })
	return whole, parts
}

func TestPassReadsOnlyThePartThatTheWantChangedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := &drawers{shelf: newShelf()}, &desk{}
		d.set(map[string]int{"a": 1, "b": 11})
		l, last := runOn(t, s, d, func(l *Loop[string, int]) { l.Resync = time.Minute })
		synctest.Wait()
		s.with(func() { s.objects["x"] = 12 }) // nobody wants it, and nobody said
		for i := range 10 {
			d.set(map[string]int{"a": 2 + i%2, "b": 11})
			l.Kick()
			time.Sleep(time.Second)
		}
		if whole, parts := s.counts(); whole != 1 || parts != 10 {
			t.Errorf("%d reads of all and %d of a part, want 1 and 10", whole, parts)
		}
		if r := last(); !r.Checked || r.Whole || len(r.Change.Update) != 1 {
			t.Errorf("last pass: %+v", r)
		}
		if s.get()["x"] == 0 {
			t.Error("a part that the want did not change in was changed")
		}
		// Kicks must not put off the time when all is read.
		for range 60 {
			d.set(map[string]int{"a": 1 + rand.IntN(9), "b": 11})
			l.Kick()
			time.Sleep(time.Second)
		}
		if whole, _ := s.counts(); whole != 2 || s.get()["x"] != 0 {
			t.Errorf("after the resync: %d reads of all, %v", whole, s.get())
		}
		l.Verify()
		synctest.Wait()
		if whole, _ := s.counts(); whole != 3 {
			t.Errorf("after Verify: %d reads of all", whole)
		}
	})
}

func TestWholeTargetIsReadAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := &drawers{shelf: newShelf()}, &desk{}
		d.set(map[string]int{"a": 1})
		l, _ := runOn(t, s, d, func(l *Loop[string, int]) { l.Backoff = Exponential(time.Second, time.Second) })
		synctest.Wait()
		// Two objects of another drawer are wanted, one gets there, and then neither is wanted.
		s.with(func() { s.failAt = 1 })
		d.set(map[string]int{"a": 1, "b": 11, "c": 12})
		l.Kick()
		synctest.Wait()
		if len(s.get()) != 2 {
			t.Fatalf("half of it: %v", s.get())
		}
		d.set(map[string]int{"a": 2})
		s.with(func() { s.failAt = -1 })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := s.get(); !maps.Equal(got, map[string]int{"a": 2}) {
			t.Errorf("have %v", got)
		}
	})
}

func TestReadingPartsLeadsToTheSameState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(3, 4))
		s, d := &drawers{shelf: newShelf()}, &desk{}
		want := map[string]int{}
		d.set(maps.Clone(want))
		l, _ := runOn(t, s, d, nil)
		for range 2000 {
			for range rnd.IntN(3) {
				if k := string(rune('a' + rnd.IntN(20))); rnd.IntN(3) == 0 {
					delete(want, k)
				} else {
					want[k] = 1 + rnd.IntN(50)
				}
			}
			d.set(maps.Clone(want))
			l.Kick()
			synctest.Wait()
			if got := s.get(); !maps.Equal(got, want) {
				t.Fatalf("have %v, want %v", got, want)
			}
		}
		if whole, parts := s.counts(); whole != 1 || parts < 1000 {
			t.Errorf("%d reads of all, %d of a part", whole, parts)
		}
	})
}
