package store

import (
	"encoding/json"
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
	was := now
	if changes, gap := s.ChangesSince(rev); !gap {
		for i := len(changes) - 1; i >= 0; i-- {
			if changes[i].Rev <= now.Rev { // or it was committed since
				was = undo(was, changes[i].Edits)
			}
		}
		return at(was, rev), nil
	}
	first, records := s.history.upTo(now.Rev)
	if rev+1 < first {
		return nil, fmt.Errorf("revision %d: %w: the oldest is %d", rev, ErrForgotten, first-1)
	}
	w := walker{decoder: NewDecoder(), model: now}
	for i := len(records) - 1; i >= int(rev+1-first); i-- {
		var p pastChange
		if err := json.Unmarshal(records[i], &p); err != nil {
			return nil, fmt.Errorf("change of revision %d: %w", first+uint64(i), err)
		}
		w.pass(p)
	}
	if err := w.settle(); err != nil {
		return nil, fmt.Errorf("model of revision %d: %w", rev, err)
	}
	return at(w.model, rev), nil
}

// at is a model with the revision that it is of.
func at(m *model.Model, rev uint64) *model.Model {
	was := *m
	was.Rev = rev
	return &was
}
