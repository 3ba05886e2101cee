package store

import (
	"errors"
	"fmt"

	"github.com/heddle-sdn/heddle/store/model"
)

// Errors of [Store.At].
var (
	ErrForgotten = errors.New("the revision is no longer remembered") // the store was opened since, or changed too often
	ErrFuture    = errors.New("the revision is yet to come")
)

// At returns the model as it was at a revision, as far back as the store remembers changes.
func (s *Store) At(rev uint64) (*model.Model, error) {
	now := s.Snapshot()
	if rev > now.Rev {
		return nil, fmt.Errorf("revision %d: %w: the newest is %d", rev, ErrFuture, now.Rev)
	}
	changes, gap := s.ChangesSince(rev)
	if gap {
		return nil, fmt.Errorf("revision %d: %w: the oldest is %d", rev, ErrForgotten, s.changes.oldest()-1)
	}
	m := now
	for i := len(changes) - 1; i >= 0; i-- {
		if changes[i].Rev > now.Rev {
			continue // committed since
		}
		for j := len(changes[i].Edits) - 1; j >= 0; j-- {
			switch e := changes[i].Edits[j]; {
			case e.Before != nil:
				m = m.With(e.Before)
			default:
				m = m.Without(e.After)
			}
		}
	}
	was := *m
	was.Rev = rev
	return &was, nil
}
