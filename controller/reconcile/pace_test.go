package reconcile

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPaceKeepsWorkToItsShareOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Pace{Rest: 3, Burst: 300 * time.Millisecond}
		begin := time.Now()
		for range 100 {
			if err := p.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			p.Worked(10 * time.Millisecond)
		}
		// A hundred times 10 ms of work and three times as much rest, but for the burst.
		if took := time.Since(begin); took < 3650*time.Millisecond || took > 4*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestPaceDoesNotHoldUpAFewPiecesOfWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Pace{Rest: 8, Burst: 200 * time.Millisecond}
		for range 3 {
			for range 8 {
				asked := time.Now()
				if err := p.Wait(t.Context()); err != nil || time.Since(asked) > 0 {
					t.Fatalf("waited %v, %v", time.Since(asked), err)
				}
				p.Worked(3 * time.Millisecond)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestPaceHasALongestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Pace{Rest: 8, Burst: 200 * time.Millisecond, Most: 300 * time.Millisecond}
		for range 3 {
			time.Sleep(5 * time.Second)
			p.Worked(5 * time.Second)
			asked := time.Now()
			if err := p.Wait(t.Context()); err != nil || time.Since(asked) != 300*time.Millisecond {
				t.Fatalf("waited %v, %v", time.Since(asked), err)
			}
		}
	})
}

func TestPaceStopsWaitingWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Pace{Rest: 1}
		p.Worked(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
