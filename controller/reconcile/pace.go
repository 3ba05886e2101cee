package reconcile

import (
	"context"
	"time"
)

// Pace keeps work that comes up again and again to a share of the time, so that many changes are worked
// on together; a single piece of work, or a few in a row, are not held up. It has one user at a time.
type Pace struct {
	// Rest is how long to rest for each unit of time that was worked.
	Rest int
	// Burst is how much rest may be owed before work has to wait.
	Burst time.Duration
	// Most is the longest that work ever waits, however slow the machine is; 0 is no limit.
	Most time.Duration

	rested time.Time // when nothing is owed any more
}

// Worked notes that work was done that took so long, until now.
func (p *Pace) Worked(took time.Duration) {
	p.rested = p.rested.Add(took) // in which there was no rest
	now := time.Now()
	if p.rested.Before(now) {
		p.rested = now
	}
	p.rested = p.rested.Add(time.Duration(p.Rest) * took)
	if most := now.Add(p.Burst + p.Most); p.Most > 0 && p.rested.After(most) {
		p.rested = most
	}
}

// Wait returns when work may go on, or with ctx's error when that ends.
func (p *Pace) Wait(ctx context.Context) error {
	goOn := p.rested.Add(-p.Burst)
	if !goOn.After(time.Now()) {
		return ctx.Err()
	}
	rest := time.NewTimer(time.Until(goOn))
	defer rest.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-rest.C:
		return nil
	}
}
