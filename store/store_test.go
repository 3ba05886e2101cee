package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

func TestUpdateReturnsTheModelItMade(t *testing.T) {
	b := &memory{}
	s := opened(t, b)
	m, err := s.Update(context.Background(), put("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Hosts.Get("a"); !ok || m.Rev != 1 {
		t.Errorf("revision %d with host a: %v, want revision 1 with it", m.Rev, ok)
	}
	if s.Snapshot() != m {
		t.Error("the snapshot is not the model that the update returned")
	}
	if got := b.committed(); !slices.Equal(got, []uint64{1}) {
		t.Errorf("commits %v", got)
	}
}

func TestSnapshotNeverShowsWhatIsNotDurable(t *testing.T) {
	b := held()
	s := opened(t, b)
	changed := s.Changed(0)
	done := async(s, put("a"))
	receive(t, b.holding)
	if rev := s.Snapshot().Rev; rev != 0 {
		t.Errorf("snapshot is at %d while the commit is under way", rev)
	}
	select {
	case <-done:
		t.Error("update returned before its commit")
	case <-changed:
		t.Error("change was announced before its commit")
	default:
	}
	b.hold <- struct{}{}
	if r := receive(t, done); r.err != nil || s.Snapshot().Rev != 1 {
		t.Errorf("after the commit: %v, snapshot %d", r.err, s.Snapshot().Rev)
	}
	receive(t, changed)
}

func TestUpdatesThatWaitAreCommittedTogetherAndAlone(t *testing.T) {
	b := held()
	s := opened(t, b)
	first := async(s, put("first"))
	receive(t, b.holding)

	bad := errors.New("bad")
	var good []<-chan result
	for i := range 5 {
		good = append(good, async(s, put(fmt.Sprintf("good%d", i))))
	}
	gathered(t, s, 5)
	failing := async(s, func(tx *Tx) error {
		tx.Put(&model.Host{Name: "trace"})
		return bad
	})
	panicked := make(chan any, 1)
	go func() {
		defer func() { panicked <- recover() }()
		_, _ = s.Update(context.Background(), func(tx *Tx) error {
			tx.Put(&model.Host{Name: "trace"})
			panic("oops")
		})
	}()
	if got := receive(t, panicked); got != "oops" {
		t.Errorf("the panic came out as %v", got)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_, _ = s.Update(context.Background(), func(tx *Tx) error {
			tx.Put(&model.Host{Name: "trace"})
			runtime.Goexit()
			return nil
		})
	}()
	receive(t, exited)
	noop := async(s, func(tx *Tx) error { return nil })
	last := async(s, put("last"))
	gathered(t, s, 6)

	b.hold <- struct{}{}
	if r := receive(t, first); r.err != nil {
		t.Error(r.err)
	}
	receive(t, b.holding)
	select {
	case <-noop:
		t.Error("a transaction that saw undurable changes returned before they were durable")
	default:
	}
	b.hold <- struct{}{}
	for _, c := range append(good, last, noop) {
		if r := receive(t, c); r.err != nil {
			t.Error(r.err)
		}
	}
	if r := receive(t, failing); r.err != bad {
		t.Errorf("failing transaction returned %v", r.err)
	}
	if got := b.committed(); !slices.Equal(got, []uint64{1, 7}) {
		t.Errorf("commits %v, want one of the first and one of the six that waited", got)
	}
	if _, ok := s.Snapshot().Hosts.Get("trace"); ok || s.Snapshot().Hosts.Len() != 7 {
		t.Errorf("%d hosts, trace of a failed transaction: %v", s.Snapshot().Hosts.Len(), ok)
	}
}

func TestFailedCommitLeavesTheOldStateAndTheStoreGoesOn(t *testing.T) {
	b := held()
	full := errors.New("no space left")
	b.fail = []error{full}
	s := opened(t, b)
	lost := async(s, put("lost"))
	receive(t, b.holding)
	// These ran on a model that will never be: they have to run again without it.
	sawLost := make(chan bool, 2)
	after := async(s, func(tx *Tx) error {
		_, ok := tx.Model().Hosts.Get("lost")
		sawLost <- ok
		return put("after")(tx)
	})
	gathered(t, s, 1)
	refused := async(s, func(tx *Tx) error {
		if _, ok := tx.Model().Hosts.Get("lost"); ok {
			return errors.New("lost exists")
		}
		return nil
	})
	eventually(t, "the second transaction has run", func() bool { return len(sawLost) == 1 })
	b.hold <- struct{}{}
	if r := receive(t, lost); !errors.Is(r.err, full) {
		t.Errorf("update of the failed commit returned %v", r.err)
	}
	receive(t, b.holding)
	b.hold <- struct{}{}
	if r := receive(t, after); r.err != nil {
		t.Error(r.err)
	}
	if r := receive(t, refused); r.err != nil {
		t.Errorf("an error that came of a state that was never durable got out: %v", r.err)
	}
	if first, second := <-sawLost, <-sawLost; !first || second {
		t.Errorf("saw the lost host: first %v, then %v", first, second)
	}
	if m := s.Snapshot(); m.Hosts.Len() != 1 || m.Rev != 1 {
		t.Errorf("%d hosts at revision %d", m.Hosts.Len(), m.Rev)
	}
}

func TestUncertainCommitStopsFurtherUpdates(t *testing.T) {
	b := &memory{fail: []error{fmt.Errorf("sync: %w", ErrUncertain)}}
	s := opened(t, b)
	for range 2 {
		if _, err := s.Update(context.Background(), put("a")); !errors.Is(err, ErrUncertain) {
			t.Errorf("got %v", err)
		}
	}
	if s.Snapshot().Hosts.Len() != 0 {
		t.Error("the snapshot shows what may be lost")
	}
}

type panicking struct{ memory }

func (p *panicking) Commit(context.Context, uint64, uint64, []Record) error { panic("fault") }

func TestPanickingBackendIsAnUncertainCommit(t *testing.T) {
	s, err := Open(context.Background(), &panicking{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Update(context.Background(), put("a")); !errors.Is(err, ErrUncertain) {
		t.Errorf("got %v", err)
	}
}

func TestNothingChangedMakesNoRevision(t *testing.T) {
	b := &memory{}
	s := opened(t, b)
	for name, fn := range map[string]func(*Tx) error{
		"nothing":             func(tx *Tx) error { return nil },
		"made_and_deleted":    func(tx *Tx) error { h := &model.Host{Name: "x"}; tx.Put(h); tx.Delete(h); return nil },
		"deleted_unknown":     func(tx *Tx) error { tx.Delete(&model.Host{Name: "x"}); return nil },
		"refused_by_function": func(tx *Tx) error { tx.Put(&model.Host{Name: "x"}); return errors.New("no") },
		"cannot_be_encoded": func(tx *Tx) error {
			tx.Put(&model.Port{Meta: model.Meta{ID: "p"}, Profile: map[string]any{"x": math.Inf(1)}})
			return nil
		},
	} {
		_, err := s.Update(context.Background(), fn)
		if wantErr := name == "refused_by_function" || name == "cannot_be_encoded"; (err != nil) != wantErr {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rev := s.Snapshot().Rev; rev != 0 || len(b.committed()) != 0 {
		t.Errorf("revision %d after %d commits", rev, len(b.committed()))
	}
}

func TestTransactionReadsItsOwnWrites(t *testing.T) {
	s := opened(t, &memory{})
	_, err := s.Update(context.Background(), func(tx *Tx) error {
		tx.Put(&model.Host{Name: "a", OVSDB: "1"})
		tx.Put(&model.Host{Name: "a", OVSDB: "2"})
		tx.Put(&model.Host{Name: "b"})
		tx.Delete(&model.Host{Name: "b"})
		if h, _ := tx.Model().Hosts.Get("a"); h == nil || h.OVSDB != "2" || tx.Model().Hosts.Len() != 1 {
			t.Errorf("transaction sees %v", h)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	changes, gap := s.ChangesSince(0)
	if gap || len(changes) != 1 || len(changes[0].Edits) != 1 || changes[0].Edits[0].Before != nil {
		t.Errorf("changes %+v, gap %v", changes, gap)
	}
}

func TestCauseAndClockAreStamped(t *testing.T) {
	now := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	s, err := Open(context.Background(), &memory{records: map[ref][]byte{}}, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := WithCause(context.Background(), Cause{Request: "req-1", User: "ann"})
	m, err := s.Update(ctx, func(tx *Tx) error {
		n := &model.Network{Meta: model.Meta{ID: "n"}}
		tx.StampNew(&n.Meta)
		tx.Put(n)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n, _ := m.Networks.Get("n")
	want := model.Meta{ID: "n", Created: now, Updated: now, Revision: 1, Rev: 1, Request: "req-1", User: "ann"}
	if fmt.Sprint(n.Meta) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", n.Meta, want)
	}
	now = now.Add(time.Hour)
	m, err = s.Update(context.Background(), func(tx *Tx) error {
		c := *n
		tx.Stamp(&c.Meta)
		tx.Put(&c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n, _ = m.Networks.Get("n")
	want = model.Meta{ID: "n", Created: now.Add(-time.Hour), Updated: now, Revision: 2, Rev: 2}
	if fmt.Sprint(n.Meta) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", n.Meta, want)
	}
}

func TestCancelledUpdateDoesNotRun(t *testing.T) {
	s := opened(t, &memory{})
	inside, leave := make(chan struct{}), make(chan struct{})
	slow := async(s, func(tx *Tx) error { close(inside); <-leave; return nil })
	receive(t, inside)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 1)
	go func() {
		_, err := s.Update(ctx, func(*Tx) error { t.Error("a cancelled update ran"); return nil })
		got <- err
	}()
	cancel()
	if err := receive(t, got); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(leave)
	receive(t, slow)
}

func TestCloseCommitsWhatWasAdmitted(t *testing.T) {
	b := held()
	s, err := Open(context.Background(), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := async(s, put("first"))
	receive(t, b.holding)
	second := async(s, put("second"))
	gathered(t, s, 1)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	close(b.hold)
	for _, c := range []<-chan result{first, second} {
		if r := receive(t, c); r.err != nil {
			t.Error(r.err)
		}
	}
	if err := receive(t, closed); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil || b.closed != 1 {
		t.Errorf("second close: %v, backend closed %d times", err, b.closed)
	}
	if _, err := s.Update(context.Background(), put("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("update after close: %v", err)
	}
	if len(b.records) != 4 { // of two hosts, and of two changes
		t.Errorf("%d records", len(b.records))
	}
}

func TestChangesAreRememberedUpToALimit(t *testing.T) {
	s, err := Open(context.Background(), &memory{records: map[ref][]byte{}, rev: 10}, Options{Remember: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if changes, gap := s.ChangesSince(10); gap || len(changes) != 0 {
		t.Errorf("fresh store: %v, gap %v", changes, gap)
	}
	if _, gap := s.ChangesSince(9); !gap {
		t.Error("what was before the start is not known, and no gap is told")
	}
	for i := range 6 {
		if _, err := s.Update(context.Background(), put(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for since, want := range map[uint64]string{11: "[13 14 15 16] gap", 12: "[13 14 15 16]", 14: "[15 16]", 16: "[]", 99: "[]"} {
		changes, gap := s.ChangesSince(since)
		revs := []uint64{}
		for _, c := range changes {
			revs = append(revs, c.Rev)
		}
		got := fmt.Sprint(revs)
		if gap {
			got += " gap"
		}
		if got != want {
			t.Errorf("since %d: %s, want %s", since, got, want)
		}
	}
}

func TestObserveTellsOfEachCommit(t *testing.T) {
	var stats []CommitStats
	b := &memory{records: map[ref][]byte{}}
	s, err := Open(context.Background(), b, Options{Observe: func(c CommitStats) { stats = append(stats, c) }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(context.Background(), put("a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(stats) != 1 || stats[0].Updates != 1 || stats[0].Records != 1 || stats[0].Err != nil {
		t.Errorf("got %+v", stats)
	}
}

func TestStoreOpensWithWhatWasCommitted(t *testing.T) {
	b := &memory{}
	s := opened(t, b)
	want, err := s.Update(context.Background(), put("a"))
	if err != nil {
		t.Fatal(err)
	}
	again := opened(t, &memory{records: b.records, rev: b.rev})
	if got := again.Snapshot(); got.Rev != want.Rev || got.Hosts.Len() != 1 {
		t.Errorf("revision %d with %d hosts", got.Rev, got.Hosts.Len())
	}
}

func TestDecodeRefusesWhatItDoesNotKnowEntirely(t *testing.T) {
	for name, c := range map[string]struct {
		rec  Record
		want string
	}{
		"unknown_kind":  {Record{"fishpond", "r", []byte("{}")}, "newer version"},
		"unknown_field": {Record{"host", "a", []byte(`{"name":"a","colour":"red"}`)}, "colour"},
		"other_key":     {Record{"host", "b", []byte(`{"name":"a"}`)}, `key "a"`},
		"not_json":      {Record{"host", "a", []byte(`{"name":`)}, "EOF"},
		"two_values":    {Record{"host", "a", []byte(`{"name":"a"}{}`)}, "more than one"},
		"null":          {Record{"host", "a", []byte(`null`)}, `key ""`},
	} {
		_, err := NewDecoder().Decode(c.rec)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that says %s", name, err, c.want)
		}
	}
	_, err := NewDecoder().Decode(Record{"fishpond", "r", []byte("{}")})
	if !errors.Is(err, ErrNewerVersion) {
		t.Errorf("unknown kind is %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for kind := range model.Kinds() {
		f.Add(kind, "k", []byte(`{}`))
	}
	f.Add("port", "p", []byte(`{"id":"p","mac":"fa:16:3e:00:00:01","fixed_ips":[{"subnet":"s","ip":"10.0.0.1"}],"profile":{"a":[1]}}`))
	f.Add("subnet", "s", []byte(`{"id":"s","cidr":"10.0.0.0/24","pools":[{"first":"10.0.0.2","last":"10.0.0.254"}]}`))
	f.Add("host", "h", []byte(`{"name":"h","said":{"encap_ip":"10.0.0.1"},"bridges":{"br-tun":1}}`))
	f.Add("vlan", "h/n", []byte(`{"host":"h","network":"n","vlan":1}`))
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, kind, key string, value []byte) {
		res, err := d.Decode(Record{kind, key, value})
		if err != nil {
			return
		}
		// What is accepted can be stored, found again, and means the same then.
		m := (&model.Model{}).With(res)
		if m.Get(kind, key) == nil {
			t.Fatalf("%s %q is not found under its key", kind, key)
		}
		_ = model.Check(m)
		again, err := Edit{After: res}.record()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(again); err != nil {
			t.Fatalf("%s\nbecame\n%s\nwhich is refused: %v", value, again.Value, err)
		}
	})
}
