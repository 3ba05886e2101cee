package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

// past lists what the history tells, newest first: "3 req-3 ann: +a -b ~c".
func past(t *testing.T, s *Store) (lines []string, oldest uint64) {
	t.Helper()
	oldest, err := s.History(all, func(p Past) bool {
		line := fmt.Sprintf("%d %s %s:", p.Rev, p.Cause.Request, p.Cause.User)
		for _, e := range p.Edits {
			switch {
			case e.Before == nil:
				line += " +" + e.After.Key()
			case e.After == nil:
				line += " -" + e.Before.Key()
			default:
				line += " ~" + e.After.Key()
			}
		}
		lines = append(lines, line)
		if p.Before.Rev != p.Rev-1 || p.After.Rev != p.Rev {
			t.Errorf("change %d is between revisions %d and %d", p.Rev, p.Before.Rev, p.After.Rev)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, oldest
}

func all(Touched) bool { return true }

func TestHistoryOutlivesTheProcess(t *testing.T) {
	b := &memory{records: map[ref][]byte{}}
	now := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	s, err := Open(context.Background(), b, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	was := map[uint64]string{0: ""}
	for i, fn := range []func(*Tx) error{
		put("a"),
		func(tx *Tx) error {
			tx.Put(&model.Host{Name: "b"})
			tx.Put(&model.Host{Name: "c", OVSDB: "1"})
			return nil
		},
		func(tx *Tx) error {
			tx.Put(&model.Host{Name: "c", OVSDB: "2"})
			tx.Delete(&model.Host{Name: "a"})
			return nil
		},
		put("a"),
	} {
		ctx := WithCause(context.Background(), Cause{Request: fmt.Sprint("req-", i+1), User: "ann"})
		m, err := s.Update(ctx, fn)
		if err != nil {
			t.Fatal(err)
		}
		was[m.Rev] = hosts(m)
	}
	want := []string{"4 req-4 ann: +a", "3 req-3 ann: ~c -a", "2 req-2 ann: +b +c", "1 req-1 ann: +a"}
	if got, oldest := past(t, s); !slices.Equal(got, want) || oldest != 1 {
		t.Errorf("before: %q from %d", got, oldest)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = opened(t, b)
	if got, oldest := past(t, s); !slices.Equal(got, want) || oldest != 1 {
		t.Errorf("after a restart: %q from %d", got, oldest)
	}
	for rev, want := range was {
		if m, err := s.At(rev); err != nil || hosts(m) != want || m.Rev != rev {
			t.Errorf("revision %d: %v, %v, want %s", rev, m, err, want)
		}
	}
	var first []uint64
	if _, err := s.History(all, func(p Past) bool { first = append(first, p.Rev); return len(first) < 2 }); err != nil || !slices.Equal(first, []uint64{4, 3}) {
		t.Errorf("the first two: %v, %v", first, err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	b := &memory{records: map[ref][]byte{}}
	s, err := Open(context.Background(), b, Options{History: 3, Remember: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		if _, err := s.Update(context.Background(), put(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	check := func(s *Store, kept int) {
		t.Helper()
		got, oldest := past(t, s)
		n := 0
		for k := range b.records {
			if k.kind == historyKind {
				n++
			}
		}
		if len(got) != kept || n != kept || oldest != uint64(8-kept) {
			t.Errorf("history %q from %d, %d records, want %d", got, oldest, n, kept)
		}
	}
	check(s, 3)
	if _, err := s.At(3); !errors.Is(err, ErrForgotten) || !strings.Contains(err.Error(), "the oldest is 4") {
		t.Errorf("revision 3: %v", err)
	}
	if m, err := s.At(4); err != nil || m.Hosts.Len() != 4 {
		t.Errorf("revision 4: %v", err)
	}
	_ = s.Close()
	check(opened(t, b), 3)
}

// TestFailedCommitLeavesNoHistory: what did not come to be is not told, and what left to make room for it
// is still there.
func TestFailedCommitLeavesNoHistory(t *testing.T) {
	full := errors.New("no space left")
	b := &memory{records: map[ref][]byte{}}
	s, err := Open(context.Background(), b, Options{History: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 2 {
		if _, err := s.Update(context.Background(), put(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	b.fail = []error{full}
	if _, err := s.Update(context.Background(), put("lost")); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if got, oldest := past(t, s); len(got) != 2 || oldest != 1 {
		t.Errorf("history %q from %d", got, oldest)
	}
}

// TestStoreWithoutHistoryOpens: one that an older version wrote.
func TestStoreWithoutHistoryOpens(t *testing.T) {
	b := &memory{rev: 9, records: map[ref][]byte{{"host", "a"}: []byte(`{"name":"a","said":{},"override":{},"rev":1}`)}}
	s := opened(t, b)
	if got, oldest := past(t, s); len(got) != 0 || oldest != 10 {
		t.Errorf("history %q from %d", got, oldest)
	}
	if _, err := s.At(8); !errors.Is(err, ErrForgotten) {
		t.Errorf("revision 8: %v", err)
	}
	if _, err := s.Update(context.Background(), put("b")); err != nil {
		t.Fatal(err)
	}
	if got, oldest := past(t, s); !slices.Equal(got, []string{"10  : +b"}) || oldest != 10 {
		t.Errorf("history %q from %d", got, oldest)
	}
	if m, err := s.At(9); err != nil || hosts(m) != "a " {
		t.Errorf("revision 9: %v, %v", m, err)
	}
}

// TestHistoryUndoesAnything walks back over random changes of a model with indices.
func TestHistoryUndoesAnything(t *testing.T) {
	b := &memory{records: map[ref][]byte{}}
	s, err := Open(context.Background(), b, Options{Remember: 1})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	id := func(prefix string) model.ID { return model.ID(prefix + fmt.Sprint(rng.IntN(4))) }
	was := map[uint64]string{}
	for range 200 {
		m, err := s.Update(context.Background(), func(tx *Tx) error {
			for range 1 + rng.IntN(3) {
				n, p := id("n"), id("p")
				switch rng.IntN(4) {
				case 0:
					tx.Put(&model.Network{Meta: model.Meta{ID: n, Name: fmt.Sprint(rng.IntN(9))}, Type: model.TypeLocal, Tag: uint32(n[1])})
				case 1:
					tx.Put(&model.Port{Meta: model.Meta{ID: p, Name: fmt.Sprint(rng.IntN(9))}, Network: n, DeviceID: fmt.Sprint(rng.IntN(2)), Tag: uint32(p[1]) + 100})
				case 2:
					tx.Delete(&model.Network{Meta: model.Meta{ID: n}})
				case 3:
					tx.Delete(&model.Port{Meta: model.Meta{ID: p}})
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		was[m.Rev] = everything(m)
	}
	_ = s.Close()
	s = opened(t, b)
	n := 0
	visit := func(p Past) bool {
		n++
		if got := everything(p.After); got != was[p.Rev] {
			t.Errorf("revision %d:\n%s\nwas\n%s", p.Rev, got, was[p.Rev])
		}
		if got, want := everything(p.Before), was[p.Rev-1]; got != want {
			t.Errorf("before revision %d:\n%s\nwas\n%s", p.Rev, got, want)
		}
		return true
	}
	if _, err := s.History(all, visit); err != nil || n != len(was) {
		t.Errorf("%d changes of %d: %v", n, len(was), err)
	}
	n = 0 // what is passed over is undone all the same
	if _, err := s.History(func(c Touched) bool { return c.Rev%7 == 0 }, visit); err != nil || n != len(was)/7 {
		t.Errorf("%d changes of %d: %v", n, len(was)/7, err)
	}
	for rev, want := range was {
		if m, err := s.At(rev); err != nil || everything(m) != want {
			t.Errorf("revision %d: %v", rev, err)
		}
	}
}

// TestExchangedAddressesAreUndone: each of two ports got what the other had.
func TestExchangedAddressesAreUndone(t *testing.T) {
	b := &memory{records: map[ref][]byte{}}
	s := opened(t, b)
	ips := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	for i := range 2 {
		if _, err := s.Update(context.Background(), func(tx *Tx) error {
			for j, id := range []model.ID{"a", "b"} {
				tx.Delete(&model.Port{Meta: model.Meta{ID: id}})
				tx.Put(&model.Port{Meta: model.Meta{ID: id}, Network: "n", Tag: uint32(j + 1), FixedIPs: []model.FixedIP{{Subnet: "s", IP: ips[(i+j)%2]}}})
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := s.At(1)
	if err != nil {
		t.Fatal(err)
	}
	for j, id := range []model.ID{"a", "b"} {
		if user, _ := m.AddressUser("s", ips[j]); user != id {
			t.Errorf("at revision 1 %s is %s's, was %s's", ips[j], user, id)
		}
	}
}

// FuzzHistoryRecord: whatever a record of the past holds, it is read or refused.
func FuzzHistoryRecord(f *testing.F) {
	f.Add([]byte(`{"time":"2026-11-22T15:04:05Z","request":"req-1","user":"ann","edits":[{"kind":"host","key":"a","before":{"name":"a","said":{},"override":{},"rev":1}},{"kind":"host","key":"b"}]}`))
	f.Add([]byte(`{"edits":[{"kind":"fishpond","key":"a","before":{}}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, value []byte) {
		m := (&model.Model{}).With(&model.Host{Name: "b"})
		after, err := NewDecoder().Add(m, Record{Kind: historyKind, Key: historyKey(1), Value: value})
		if err == nil && after != m {
			t.Error("a record of the past changed the model")
		}
	})
}

// everything is a model in words, with what its indices say.
func everything(m *model.Model) string {
	var lines []string
	for r := range m.All {
		line := fmt.Sprintf("%s %s %+v", r.Kind(), r.Key(), r)
		if n, ok := r.(*model.Network); ok {
			for _, p := range m.PortsOf(n.ID) {
				line += " " + p.Key()
			}
		}
		if p, ok := r.(*model.Port); ok {
			line += fmt.Sprint(" ", len(m.PortsOfDevice(p.DeviceID)))
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
