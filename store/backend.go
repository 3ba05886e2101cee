package store

import (
	"context"
	"errors"
)

// Record is one stored resource, or in a commit the order to remove it.
type Record struct {
	Kind  string // model.Resource.Kind
	Key   string // model.Resource.Key
	Value []byte // JSON; nil removes the record
}

// Backend is where records are kept. Its methods are called by one goroutine at a time, except
// Close, which is called once and last.
type Backend interface {
	// Load visits every record and returns the revision they are of; 0 is a store never written to.
	Load(ctx context.Context, each func(Record) error) (rev uint64, err error)
	// Commit makes the records, which lead from revision base to rev, durable all together; of several
	// records of one kind and key the last counts. It must not keep the slice. After an
	// error none of them is there, unless the error is [ErrUncertain].
	Commit(ctx context.Context, base, rev uint64, records []Record) error
	// Close releases the backend.
	Close() error
}

var (
	// ErrUncertain is wrapped by a Backend when a commit failed and may nevertheless be found after
	// a restart. The store then refuses every further update: going on could contradict it.
	ErrUncertain = errors.New("outcome of the last commit is unknown; restart to load what is stored")
	// ErrNewerVersion is wrapped when what is stored was written by a newer Heddle.
	ErrNewerVersion = errors.New("written by a newer version of heddle")
	// ErrClosed is returned by updates of a store that was closed.
	ErrClosed = errors.New("store is closed")
)
