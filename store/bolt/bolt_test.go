package bolt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// openStore opens the store of a directory; the test ends if it cannot be opened.
func openStore(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := tryOpen(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func tryOpen(dir string) (*store.Store, error) {
	b, err := Open(dir)
	if err != nil {
		return nil, err
	}
	return store.Open(context.Background(), b, store.Options{})
}

func closeStore(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// putHost stores a host with so many bytes of ballast.
func putHost(t testing.TB, s *store.Store, name string, ballast int) *model.Model {
	t.Helper()
	m, err := s.Update(context.Background(), func(tx *store.Tx) error {
		tx.Put(&model.Host{Name: name, OVSDB: strings.Repeat("x", ballast), Rev: tx.Rev()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// text is everything in a model, in an order that depends on nothing else.
func text(t testing.TB, m *model.Model) string {
	t.Helper()
	byKey := map[string]model.Resource{}
	for r := range m.All {
		byKey[r.Kind()+" "+r.Key()] = r
	}
	b, err := json.Marshal(byKey)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", m.Rev, b)
}

// filled makes a directory with a store of some hundred records over many pages, after changes and
// deletions, and returns what it holds.
func filled(t testing.TB) (dir, want string) {
	t.Helper()
	dir = t.TempDir()
	s := openStore(t, dir)
	for i := range 60 {
		putHost(t, s, fmt.Sprintf("host%03d", i), 50*i)
	}
	m, err := s.Update(context.Background(), func(tx *store.Tx) error {
		for i := 0; i < 60; i += 3 {
			tx.Delete(&model.Host{Name: fmt.Sprintf("host%03d", i)})
		}
		for i := range 200 {
			tx.Put(&model.Sequence{Name: fmt.Sprintf("sequence%03d", i), Last: uint64(i)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want = text(t, m)
	closeStore(t, s)
	return dir, want
}

func dataFile(dir string) string { return filepath.Join(dir, fileName) }

func TestEverythingIsThereAfterReopening(t *testing.T) {
	dir, want := filled(t)
	s := openStore(t, dir)
	if got := text(t, s.Snapshot()); got != want {
		t.Errorf("got  %.300s\nwant %.300s", got, want)
	}
	putHost(t, s, "more", 0)
	want = text(t, s.Snapshot())
	closeStore(t, s)
	if got := text(t, openStore(t, dir).Snapshot()); got != want {
		t.Errorf("second time: got %.300s", got)
	}
}

func TestVerifyAcceptsASoundFile(t *testing.T) {
	dir, _ := filled(t)
	info, err := Verify(dataFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if info.Rev != 61 || info.Records != 240+61 || info.OneHeader {
		t.Errorf("got %+v", info)
	}
}

func TestCommitOnAnotherRevisionIsRefused(t *testing.T) {
	b, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Commit(context.Background(), 0, 1, nil); err == nil {
		t.Error("a commit went through before the file was loaded")
	}
	if _, err := b.Load(context.Background(), func(store.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(context.Background(), 5, 6, nil); err == nil {
		t.Error("a commit on revision 5 of an empty file went through")
	}
}

func TestInvalidRecordFailsOnlyItsCommit(t *testing.T) {
	b, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	none := func(store.Record) error { return nil }
	if _, err := b.Load(context.Background(), none); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	// bbolt takes no key of more than 32 KiB.
	long := strings.Repeat("k", 1<<15+1)
	if err := b.Commit(ctx, 0, 1, []store.Record{{Kind: "host", Key: "a", Value: []byte("1")}, {Kind: "host", Key: long, Value: []byte("1")}}); err == nil || errors.Is(err, store.ErrUncertain) {
		t.Errorf("got %v", err)
	}
	if err := b.Commit(ctx, 0, 1, []store.Record{{Kind: "host", Key: "b", Value: []byte("1")}}); err != nil {
		t.Errorf("the next commit failed: %v", err)
	}
	var keys []string
	if _, err := b.Load(ctx, func(r store.Record) error { keys = append(keys, r.Key); return nil }); err != nil || fmt.Sprint(keys) != "[b]" {
		t.Errorf("keys %v: %v", keys, err)
	}
}

// rewrite changes a closed data file through bbolt.
func rewrite(t *testing.T, dir string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(dataFile(dir), 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func TestNewerVersionsFilesAreRefusedWithoutTalkOfDamage(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bbolt.Tx) error
		want   string
	}{
		"schema": {func(tx *bbolt.Tx) error {
			s := contents{}.sealed(3)
			s.Schema = schemaVersion + 1
			return writeState(tx, s)
		}, "its schema is 2, this version reads up to 1"},
		"kind": {func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("hologram"))
			if err != nil {
				return err
			}
			return b.Put([]byte("r1"), []byte("{}"))
		}, `record "r1" of kind "hologram"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			closeStore(t, openStore(t, dir))
			rewrite(t, dir, c.change)
			_, err := tryOpen(dir)
			var damaged *DamagedError
			if !errors.Is(err, store.ErrNewerVersion) || errors.As(err, &damaged) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestForeignFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	db, err := bbolt.Open(dataFile(dir), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = tryOpen(dir)
	if err == nil || !strings.Contains(err.Error(), "not a heddle data file") {
		t.Errorf("got %v", err)
	}
}

func TestHalfMadeFileOfACrashedFirstStartIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dataFile(dir)+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if rev := openStore(t, dir).Snapshot().Rev; rev != 0 {
		t.Errorf("revision %d", rev)
	}
}
