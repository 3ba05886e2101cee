package store

import (
	"errors"
	"fmt"

	"github.com/heddle-sdn/heddle/store/model"
)

// Errors of [Store.At].
var (
	ErrForgotten = errors.New("the revision is no longer remembered") // there were too many changes since
	ErrFuture    = errors.New("the revision is yet to come")
)

// At returns the model as it was at a revision, as far back as the store keeps changes.
func (s *Store) At(rev uint64) (*model.Model, error) {
	now := s.Snapshot()
	if rev > now.Rev {
		return nil, fmt.Errorf("revision %d: %w: the newest is %d", rev, ErrFuture, now.Rev)
	}
	if changes, gap := s.ChangesSince(rev); !gap {
		m := now
		for i := len(changes) - 1; i >= 0; i-- {
			if changes[i].Rev <= now.Rev { // or it was committed since
				m = undo(m, changes[i])
			}
		}
		return m, nil
	}
	first, records := s.history.upTo(now.Rev)
	if rev+1 < first {
		return nil, fmt.Errorf("revision %d: %w: the oldest is %d", rev, ErrForgotten, first-1)
	}
	was := now
	err := walk(now, rev+1, records[rev+1-first:], func(p Past) error {
		was = p.Before
		return nil
	})
	return was, err
}
