package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

// Cause says who asked for a change; it is kept with the change.
type Cause struct {
	Request string // id of the API request, "req-…"; empty when no request caused it
	User    string // who sent it
}

type causeKey struct{}

// WithCause returns a context whose updates are attributed to c.
func WithCause(ctx context.Context, c Cause) context.Context {
	return context.WithValue(ctx, causeKey{}, c)
}

// CauseOf returns what [WithCause] put into the context, or the zero Cause.
func CauseOf(ctx context.Context) Cause {
	c, _ := ctx.Value(causeKey{}).(Cause)
	return c
}

// Tx is a transaction: a view of the newest model and the changes made so far. It must not be used
// after the function that it was handed to has returned.
type Tx struct {
	model *model.Model
	base  *model.Model
	rev   uint64
	now   time.Time
	cause Cause
	edits []Edit
	index map[ref]int // position in edits
}

// Edit is the change of one resource.
type Edit struct {
	Before model.Resource // nil: it did not exist
	After  model.Resource // nil: it exists no more
}

type ref struct{ kind, key string }

// NewTx returns a transaction on a model that nobody stores: for tests of pure transaction
// functions and for trying a change out. Its result is [Tx.Model].
func NewTx(m *model.Model, now time.Time, c Cause) *Tx {
	return &Tx{model: m, base: m, rev: m.Rev + 1, now: now, cause: c}
}

// Model returns the model with the changes made so far.
func (tx *Tx) Model() *model.Model { return tx.model }

// Now returns the time of the transaction; it does not move while the transaction runs.
func (tx *Tx) Now() time.Time { return tx.now }

// Rev returns the revision that the commit of this transaction will have.
func (tx *Tx) Rev() uint64 { return tx.rev }

// Cause returns who asked for the transaction.
func (tx *Tx) Cause() Cause { return tx.cause }

// Put stores r in place of what has its kind and key. r must not be written to afterwards.
func (tx *Tx) Put(r model.Resource) {
	tx.note(r.Kind(), r.Key(), r)
	tx.model = tx.model.With(r)
}

// Delete removes the resource of r's kind and key; to remove what is not there changes nothing.
func (tx *Tx) Delete(r model.Resource) {
	if tx.model.Get(r.Kind(), r.Key()) == nil {
		return
	}
	tx.note(r.Kind(), r.Key(), nil)
	tx.model = tx.model.Without(r)
}

func (tx *Tx) note(kind, key string, after model.Resource) {
	k := ref{kind, key}
	if i, ok := tx.index[k]; ok {
		tx.edits[i].After = after
		return
	}
	if tx.index == nil {
		tx.index = map[ref]int{}
	}
	tx.index[k] = len(tx.edits)
	tx.edits = append(tx.edits, Edit{Before: tx.base.Get(kind, key), After: after})
}

// Branch returns a transaction that goes on from tx and leaves it as it is, to find out what a step would
// change. [Tx.Join] takes over what it did.
func (tx *Tx) Branch() *Tx {
	b := *tx
	b.edits, b.index = slices.Clone(tx.edits), maps.Clone(tx.index)
	return &b
}

// Join makes tx what a branch of it has become. tx must not have changed since.
func (tx *Tx) Join(b *Tx) { tx.model, tx.edits, tx.index = b.model, b.edits, b.index }

// Base returns the model that the transaction began with.
func (tx *Tx) Base() *model.Model { return tx.base }

// Edits returns what the transaction has changed so far.
func (tx *Tx) Edits() []Edit { return tx.Branch().finish() }

// StampNew fills the fields of a new object that tell of its making: times, revision, cause.
func (tx *Tx) StampNew(m *model.Meta) {
	m.Created = tx.now
	m.Revision = 0
	tx.Stamp(m)
}

// Stamp fills the fields of a changed object that tell of its last change, and raises its revision
// number by one.
func (tx *Tx) Stamp(m *model.Meta) {
	m.Updated = tx.now
	m.Revision++
	m.Rev = tx.rev
	m.Request = tx.cause.Request
	m.User = tx.cause.User
}

// finish drops the edits that came to nothing (made and deleted again) and returns the rest.
func (tx *Tx) finish() []Edit {
	kept := tx.edits[:0]
	for _, e := range tx.edits {
		if e.Before != nil || e.After != nil {
			kept = append(kept, e)
		}
	}
	return kept
}
