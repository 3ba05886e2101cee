package main

import (
	"context"
	"errors"
	"time"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// sequenceMended is the model.Sequence that counts how often the store could be written again.
const sequenceMended = "mended"

// mendEvery is how often a store that cannot be written is tried.
const mendEvery = time.Second

// committed is told of every commit. That the store cannot be written is logged when it begins and
// when it ends; /readyz says it meanwhile.
func (s *server) committed(c store.CommitStats) {
	s.metrics.Committed(c)
	var failure *error
	if c.Err != nil {
		failure = &c.Err
	}
	switch before := s.commitFailure.Swap(failure); {
	case before == nil && failure != nil:
		s.log.WithError(c.Err).Error("store cannot be written: changes are refused, hosts keep forwarding")
	case before != nil && failure == nil:
		s.log.Info("store can be written again")
	}
}

// mend writes to a store whose last commit failed, a full disk say, until that succeeds. Without it a
// server that is not ready, and therefore gets no requests, would never learn that it could be; and what
// hosts reported meanwhile would wait for their next change: the new revision makes them report again.
func (s *server) mend(ctx context.Context) error {
	tick := time.NewTicker(mendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		failure := s.commitFailure.Load()
		if failure == nil || errors.Is(*failure, store.ErrUncertain) {
			continue // in the latter case nothing but a restart helps, and /readyz says so
		}
		_, _ = s.store.Update(ctx, func(tx *store.Tx) error { // its failure is told to committed
			var times uint64
			if q, ok := tx.Model().Sequences.Get(sequenceMended); ok {
				times = q.Last
			}
			tx.Put(&model.Sequence{Name: sequenceMended, Last: times + 1})
			return nil
		})
	}
}
