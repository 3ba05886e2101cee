package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

// memory is a Backend that tests can hold up and make fail.
type memory struct {
	mu      sync.Mutex
	rev     uint64
	records map[ref][]byte
	commits []uint64 // revisions
	fail    []error  // outcomes of the next commits, nil for success
	closed  int

	hold    chan struct{} // if not nil, a commit waits for a token of it
	holding chan struct{} // receives one when a commit waits
}

func (b *memory) Load(_ context.Context, each func(Record) error) (uint64, error) {
	for k, v := range b.records {
		if err := each(Record{Kind: k.kind, Key: k.key, Value: v}); err != nil {
			return 0, err
		}
	}
	return b.rev, nil
}

func (b *memory) Commit(_ context.Context, base, rev uint64, records []Record) error {
	if b.hold != nil {
		b.holding <- struct{}{}
		<-b.hold
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if base != b.rev {
		return fmt.Errorf("commit on %d, at %d", base, b.rev)
	}
	if len(b.fail) > 0 {
		err := b.fail[0]
		b.fail = b.fail[1:]
		if err != nil {
			return err
		}
	}
	for _, r := range records {
		if r.Value == nil {
			delete(b.records, ref{r.Kind, r.Key})
		} else {
			b.records[ref{r.Kind, r.Key}] = r.Value
		}
	}
	b.rev = rev
	b.commits = append(b.commits, rev)
	return nil
}

func (b *memory) Close() error { b.closed++; return nil }

func (b *memory) committed() []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]uint64(nil), b.commits...)
}

// held makes a backend whose commits wait for release.
func held() *memory {
	return &memory{records: map[ref][]byte{}, hold: make(chan struct{}), holding: make(chan struct{}, 100)}
}

func opened(t *testing.T, b *memory) *Store {
	t.Helper()
	if b.records == nil {
		b.records = map[ref][]byte{}
	}
	s, err := Open(context.Background(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.hold != nil {
			close(b.hold)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// put is a transaction that stores a host.
func put(name string) func(*Tx) error {
	return func(tx *Tx) error {
		tx.Put(&model.Host{Name: name, Rev: tx.Rev()})
		return nil
	}
}

type result struct {
	model *model.Model
	err   error
}

// async runs an update in the background.
func async(s *Store, fn func(*Tx) error) <-chan result {
	c := make(chan result, 1)
	go func() {
		m, err := s.Update(context.Background(), fn)
		c <- result{m, err}
	}()
	return c
}

// gathered waits until n transactions wait for the commit under way.
func gathered(t *testing.T, s *Store, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d transactions are gathered", n), func() bool {
		s.turn <- struct{}{}
		defer func() { <-s.turn }()
		return len(s.open.changes) == n
	})
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// receive returns what comes out of a channel soon.
func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came within 10 s")
		panic("unreachable")
	}
}
