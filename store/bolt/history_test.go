package bolt

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/heddle-sdn/heddle/store"
)

// TestFileOfBeforeThereWasHistoryOpens: the file was written by a version that kept none.
func TestFileOfBeforeThereWasHistoryOpens(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "without-history.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, dataFile(dir), file)
	s := openStore(t, dir)
	if m := s.Snapshot(); m.Rev != 3 || m.Hosts.Len() != 3 {
		t.Errorf("%d hosts at revision %d, want 3 at 3", m.Hosts.Len(), m.Rev)
	}
	putHost(t, s, "new", 1)
	want := text(t, s.Snapshot())
	closeStore(t, s)
	s = openStore(t, dir)
	if got := text(t, s.Snapshot()); got != want {
		t.Errorf("opened again: %s, want %s", got, want)
	}
	var revs []uint64
	if oldest, err := s.History(all, func(p store.Past) bool { revs = append(revs, p.Rev); return true }); err != nil || oldest != 4 || len(revs) != 1 {
		t.Errorf("history %v from %d: %v", revs, oldest, err)
	}
}

// TestHistoryComesBackFromASnapshot: it is part of the file, and so of each copy.
func TestHistoryComesBackFromASnapshot(t *testing.T) {
	dir := t.TempDir()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), b, store.Options{History: 4})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		putHost(t, s, fmt.Sprint("h", i), 1)
	}
	info, err := NewSnapshotter(b, SnapshotOptions{Keep: 1}, quiet()).Take()
	if err != nil {
		t.Fatal(err)
	}
	putHost(t, s, "lost", 1)
	closeStore(t, s)
	copied := t.TempDir()
	writeFile(t, dataFile(copied), readFile(t, info.Path))
	s = openStore(t, copied)
	var revs []uint64
	oldest, err := s.History(all, func(p store.Past) bool { revs = append(revs, p.Rev); return true })
	if err != nil || oldest != 6 || fmt.Sprint(revs) != "[9 8 7 6]" {
		t.Errorf("history %v from %d: %v", revs, oldest, err)
	}
}

func all(store.Touched) bool { return true }
