package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

// Options are what a store is opened with.
type Options struct {
	Now      func() time.Time  // the clock of transactions; default time.Now
	Observe  func(CommitStats) // called after each commit, by the committing goroutine; may be nil
	Remember int               // edits kept for ChangesSince; default 8192
	History  int               // changes kept durably, the newest; default 20,000
}

// CommitStats describes one commit of the backend.
type CommitStats struct {
	Updates int           // transactions in it
	Records int           // records of resources written or removed
	Took    time.Duration // until durable, or until it failed
	Err     error
}

// Store is the durable model. Its methods may be called from any goroutine.
type Store struct {
	backend Backend
	opts    Options

	published atomic.Pointer[published]
	changes   ring
	history   history

	// turn holds one token; who has taken it may touch the fields below. A channel and not a mutex,
	// so that waiting for it ends with the caller's context.
	turn    chan struct{}
	head    *model.Model // the newest model, which may not be durable yet
	open    *batch       // gathers changes while flight is on its way; never nil
	flight  *batch       // being made durable by run; nil when none
	failure error        // why the store takes no more updates

	wake chan struct{} // tells run that open holds changes; capacity 1
	quit chan struct{} // closed by Close
	done chan struct{} // closed when run has ended
}

type published struct {
	model *model.Model
	next  chan struct{} // closed when a newer model is published
}

// batch is a group of transactions that become durable together.
type batch struct {
	changes []Change
	records []Record      // of all changes, in their order: a later one of the same key counts
	past    []Record      // of the history, one a change
	head    *model.Model  // the model after the last of them
	done    chan struct{} // closed when err and the fate of the changes are settled
	err     error
}

// errStale settles a batch that was built on one that could not be committed: nothing is wrong with
// its transactions, they run again.
var errStale = errors.New("built on a commit that failed")

// Open loads everything from the backend and starts the goroutine that commits; Close stops it.
// The backend belongs to the store from here on, and is closed when Open fails.
func Open(ctx context.Context, b Backend, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Remember == 0 {
		o.Remember = 8192
	}
	if o.History == 0 {
		o.History = 20_000
	}
	s := &Store{
		backend: b,
		opts:    o,
		turn:    make(chan struct{}, 1),
		open:    newBatch(),
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	s.history.limit = o.History
	m, err := load(ctx, b, &s.history)
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	s.head = m
	s.changes.limit = o.Remember
	s.changes.first = m.Rev + 1
	s.published.Store(&published{model: m, next: make(chan struct{})})
	go s.run()
	return s, nil
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// Snapshot returns the newest durable model.
func (s *Store) Snapshot() *model.Model { return s.published.Load().model }

// Changed returns a channel that is closed once the snapshot is newer than revision after.
func (s *Store) Changed(after uint64) <-chan struct{} {
	p := s.published.Load()
	if p.model.Rev > after {
		return closed
	}
	return p.next
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// ChangesSince returns what was committed after revision rev, oldest first. gap means that some of
// it is no longer remembered.
func (s *Store) ChangesSince(rev uint64) (changes []Change, gap bool) { return s.changes.since(rev) }

// Update runs fn, in the caller's goroutine, on the newest model and returns the model that it made
// once that is durable. An error of fn undoes all of fn and is returned as it is. A transaction that
// changes nothing makes no revision.
//
// fn runs alone, may run more than once, and must have no effect but through its Tx. The context
// counts until fn runs; from then on Update waits to learn the outcome, so that "cancelled" always
// means "not done".
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) (*model.Model, error) {
	for {
		m, wait, err := s.attempt(ctx, fn)
		if wait == nil {
			return m, err
		}
		<-wait.batch.done
		switch failed := wait.batch.err; {
		case failed == nil:
			return m, err
		case failed == errStale || !wait.wrote:
			continue // what fn saw never came to be: ask it again
		default:
			return nil, failed
		}
	}
}

// pending is what a transaction has to wait for before its outcome counts.
type pending struct {
	batch *batch
	wrote bool // the transaction's own changes are in the batch
}

// attempt runs fn once. The result counts when the returned batch is durable; without one, at once.
func (s *Store) attempt(ctx context.Context, fn func(*Tx) error) (*model.Model, *pending, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("update: %w", ctx.Err())
	}
	defer func() { <-s.turn }() // also when fn panics or ends the goroutine: head is untouched then
	if s.failure != nil {
		return nil, nil, s.failure
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("update: %w", err)
	}
	// Without the monotonic reading, which storing would lose.
	tx := NewTx(s.head, s.opts.Now().UTC().Round(0), CauseOf(ctx))
	if err := fn(tx); err != nil {
		return nil, s.seen(), err
	}
	edits := tx.finish()
	if len(edits) == 0 {
		return s.head, s.seen(), nil
	}
	records, err := encode(edits)
	if err != nil {
		return nil, nil, err
	}
	change := Change{Rev: tx.rev, Time: tx.now, Cause: tx.cause, Edits: edits}
	past, err := historyRecord(change)
	if err != nil {
		return nil, nil, err
	}
	m := *tx.model
	m.Rev = tx.rev
	s.head = &m
	s.open.head = s.head
	s.open.changes = append(s.open.changes, change)
	s.open.records = append(s.open.records, records...)
	s.open.past = append(s.open.past, past)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return s.head, &pending{s.open, true}, nil
}

// seen returns the youngest batch that the head depends on, nil if the head is durable.
func (s *Store) seen() *pending {
	switch {
	case len(s.open.changes) > 0:
		return &pending{s.open, false}
	case s.flight != nil:
		return &pending{s.flight, false}
	}
	return nil
}

// run makes batches durable, one after another, until Close.
func (s *Store) run() {
	defer close(s.done)
	for {
		select {
		case <-s.wake:
			s.commit()
		case <-s.quit:
			s.commit() // those that were admitted before Close are still waiting
			return
		}
	}
}

func (s *Store) commit() {
	s.turn <- struct{}{}
	b := s.open
	if len(b.changes) == 0 {
		<-s.turn
		return
	}
	s.open, s.flight = newBatch(), b
	<-s.turn

	base := s.Snapshot().Rev
	start := time.Now()
	over := s.history.over(b.past)
	err := s.write(base, b.head.Rev, slices.Concat(b.records, b.past, over))
	if s.opts.Observe != nil {
		s.opts.Observe(CommitStats{Updates: len(b.changes), Records: len(b.records), Took: time.Since(start), Err: err})
	}

	s.turn <- struct{}{}
	s.flight = nil
	if err != nil {
		s.rollBack(b, fmt.Errorf("commit revision %d: %w", b.head.Rev, err))
	} else {
		s.history.add(b.past, len(over))
		s.publish(b)
	}
	<-s.turn
	close(b.done)
}

// write keeps a panicking backend from taking the process with it; how far it got is not known then.
func (s *Store) write(base, rev uint64, records []Record) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: backend panicked: %v", ErrUncertain, r)
		}
	}()
	return s.backend.Commit(context.Background(), base, rev, records)
}

func (s *Store) publish(b *batch) {
	s.changes.add(b.changes)
	old := s.published.Swap(&published{model: b.head, next: make(chan struct{})})
	close(old.next)
}

// rollBack returns to the durable model. Transactions that were gathered meanwhile saw what did not
// come to be; they run again.
func (s *Store) rollBack(b *batch, err error) {
	b.err = err
	if errors.Is(err, ErrUncertain) && s.failure == nil {
		s.failure = err
	}
	s.head = s.Snapshot()
	if len(s.open.changes) > 0 {
		s.open.err = errStale
		close(s.open.done)
		s.open = newBatch()
	}
}

// Close commits what was admitted, stops, and closes the backend. Later updates return [ErrClosed].
func (s *Store) Close() error {
	s.turn <- struct{}{}
	already := errors.Is(s.failure, ErrClosed)
	if !already {
		s.failure = ErrClosed
		close(s.quit)
	}
	<-s.turn
	<-s.done
	if already {
		return nil
	}
	return s.backend.Close()
}
