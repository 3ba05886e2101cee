package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/heddle-sdn/heddle/store"
)

// Backend is a [store.Backend] in a bbolt file.
type Backend struct {
	dir  string
	path string
	lock *os.File
	db   *bbolt.DB

	mu       sync.Mutex // guards the fields below
	contents contents
	rev      uint64
	loaded   bool
	advanced chan struct{} // closed at the next commit
}

const (
	mmapSize = 1 << 30 // address space, not memory: bbolt need not wait for a running snapshot to map more
	growth   = 1 << 20 // bytes by which the file grows, once it has to
)

// Open takes the data directory, which it makes if it is missing, and opens its data file. A file that
// is not sound is left alone and reported as a [*DamagedError].
func Open(dataDir string) (*Backend, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	held, err := lock(dataDir)
	if err != nil {
		return nil, err
	}
	b := &Backend{dir: dataDir, path: filepath.Join(dataDir, fileName), lock: held, advanced: make(chan struct{})}
	if err := b.open(); err != nil {
		_ = held.Close()
		return nil, err
	}
	return b, nil
}

func (b *Backend) open() error {
	if _, err := os.Lstat(b.path); errors.Is(err, os.ErrNotExist) {
		// With snapshots there was a file once: to begin anew would take the whole fabric down.
		if len(Snapshots(b.dir)) > 0 {
			return b.damaged(errors.New("it is gone, but there are snapshots of it"), false)
		}
		if err := create(b.path); err != nil {
			return err
		}
	}
	oneHeader, err := checkFile(b.path)
	if err == nil && oneHeader {
		// A torn header of an unacknowledged commit looks like a damaged one of an acknowledged one.
		err = errors.New("one of its two headers is damaged, so the newest changes may be missing")
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("open data file: %w", err)
	case err != nil:
		return b.damaged(err, oneHeader)
	}
	return guard(func() error {
		b.db, err = bbolt.Open(b.path, 0o600, &bbolt.Options{
			Timeout: time.Second, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mmapSize, NoStatistics: true,
		})
		if err != nil {
			return fmt.Errorf("open %s: %w", b.path, err)
		}
		b.db.AllocSize = growth
		return nil
	})
}

// create makes an empty data file that is either wholly there or not at all.
func create(path string) error {
	temp := path + ".new"
	if err := os.RemoveAll(temp); err != nil {
		return fmt.Errorf("create data file: %w", err)
	}
	db, err := bbolt.Open(temp, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return fmt.Errorf("create data file: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return writeState(tx, contents{}.sealed(0)) })
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("create data file: %w", err)
	}
	return moveDurably(temp, path)
}

// Load implements [store.Backend].
func (b *Backend) Load(ctx context.Context, each func(store.Record) error) (uint64, error) {
	var s state
	var c contents
	err := guard(func() error {
		return b.db.View(func(tx *bbolt.Tx) (err error) {
			s, c, err = readRecords(tx, func(r store.Record) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return each(r)
			})
			return err
		})
	})
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, store.ErrNewerVersion) {
			return 0, err
		}
		return 0, b.damaged(err, false)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.contents, b.rev, b.loaded = c, s.Rev, true
	return s.Rev, nil
}

// Commit implements [store.Backend].
func (b *Backend) Commit(_ context.Context, base, rev uint64, records []store.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.loaded || b.rev != base {
		return fmt.Errorf("commit on revision %d: the file is at %d", base, b.rev)
	}
	next := b.contents
	err := guard(func() error { return b.write(&next, rev, records) })
	if errors.Is(err, errFault) {
		err = fmt.Errorf("%w: %w", store.ErrUncertain, err)
	}
	if err != nil {
		return err
	}
	b.contents, b.rev = next, rev
	close(b.advanced)
	b.advanced = make(chan struct{})
	return nil
}

func (b *Backend) write(c *contents, rev uint64, records []store.Record) error {
	tx, err := b.db.Begin(true)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit; frees the writer's lock otherwise
	for _, r := range records {
		if err := apply(tx, c, r); err != nil {
			return err
		}
	}
	if err := writeState(tx, c.sealed(rev)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return b.failed(rev, err)
	}
	return nil
}

func apply(tx *bbolt.Tx, c *contents, r store.Record) error {
	kind, err := tx.CreateBucketIfNotExists([]byte(r.Kind))
	if err != nil {
		return fmt.Errorf("bucket %s: %w", r.Kind, err)
	}
	key := []byte(r.Key)
	if old := kind.Get(key); old != nil {
		c.remove(store.Record{Kind: r.Kind, Key: r.Key, Value: old})
	}
	if r.Value == nil {
		err = kind.Delete(key)
	} else {
		c.add(r)
		err = kind.Put(key, r.Value)
	}
	if err != nil {
		return fmt.Errorf("write %s %q: %w", r.Kind, r.Key, err)
	}
	return nil
}

// failed tells apart the two ways in which a commit fails. Nearly always nothing of it is in force.
// When only the last step failed, to make the new header durable, the header may be there.
func (b *Backend) failed(rev uint64, cause error) error {
	var found uint64
	err := b.db.View(func(tx *bbolt.Tx) error {
		s, err := readState(tx)
		found = s.Rev
		return err
	})
	if err != nil || found == rev {
		return fmt.Errorf("%w: %w", store.ErrUncertain, cause)
	}
	return cause
}

// Size returns the size of the data file in bytes, 0 if it cannot be told.
func (b *Backend) Size() int64 {
	info, err := os.Stat(b.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Close implements [store.Backend].
func (b *Backend) Close() error {
	return errors.Join(b.db.Close(), b.lock.Close())
}

// Rev returns the revision that the file is at, and a channel that is closed when it moves on.
func (b *Backend) Rev() (uint64, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rev, b.advanced
}

// guard runs fn, in which bbolt reads a memory map, and turns its panics and the faults of a failing
// disk into errors.
func guard(fn func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errFault, r)
		}
	}()
	return fn()
}
