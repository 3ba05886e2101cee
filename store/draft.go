package store

import (
	"context"
	"fmt"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

// Draft runs transactions on a model of its own and stores nothing: it shows what they would do. All of
// them together are one change, as if a single transaction had made it. It has the methods of a [Store]
// that transactions are run with, and belongs to one goroutine.
type Draft struct {
	now func() time.Time
	tx  *Tx // nil until the first update
	of  *model.Model
}

// NewDraft returns a draft on a model. now is the clock of its transactions.
func NewDraft(m *model.Model, now func() time.Time) *Draft { return &Draft{now: now, of: m} }

// Base returns the model that the draft was made on.
func (d *Draft) Base() *model.Model { return d.of }

// Snapshot returns the model with all changes of the draft.
func (d *Draft) Snapshot() *model.Model {
	if d.tx == nil {
		return d.of
	}
	m := *d.tx.model
	m.Rev = d.tx.rev
	return &m
}

// Update runs fn on the draft's model. An error of fn undoes all of fn, and is returned as it is.
func (d *Draft) Update(ctx context.Context, fn func(*Tx) error) (*model.Model, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("update: %w", err)
	}
	tx := NewTx(d.of, d.now().UTC().Round(0), CauseOf(ctx))
	if d.tx != nil {
		tx = d.tx.Branch()
	}
	if err := fn(tx); err != nil {
		return nil, err
	}
	d.tx = tx
	return d.Snapshot(), nil
}

// Changed returns what the draft changes, without a revision unless it changes anything.
func (d *Draft) Changed() Change {
	if d.tx == nil {
		return Change{}
	}
	edits := d.tx.Edits()
	if len(edits) == 0 {
		return Change{}
	}
	return Change{Rev: d.tx.rev, Time: d.tx.now, Cause: d.tx.cause, Edits: edits}
}

// Replay makes the edits of a change again, as they are.
func (tx *Tx) Replay(edits []Edit) {
	for _, e := range edits {
		if e.After != nil {
			tx.Put(e.After)
		} else {
			tx.Delete(e.Before)
		}
	}
}
