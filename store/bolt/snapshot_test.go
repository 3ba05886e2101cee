package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

func openBoth(t *testing.T, dir string) (*Backend, *store.Store) {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), b, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return b, s
}

func TestSnapshotsAreRotated(t *testing.T) {
	dir := t.TempDir()
	b, s := openBoth(t, dir)
	now := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	shots := NewSnapshotter(b, SnapshotOptions{Keep: 3, Now: func() time.Time { return now }}, quiet())
	for i := range 5 {
		putHost(t, s, fmt.Sprint(i), 10)
		info, err := shots.Take()
		if err != nil {
			t.Fatal(err)
		}
		if info.Rev != uint64(i+1) {
			t.Errorf("snapshot %d is of revision %d", i, info.Rev)
		}
		now = now.Add(time.Second)
	}
	want := []string{"heddle-000005-20261122T150409Z.db", "heddle-000004-20261122T150408Z.db", "heddle-000003-20261122T150407Z.db"}
	var got []string
	for _, p := range Snapshots(dir) {
		got = append(got, filepath.Base(p))
		if _, err := Verify(p); err != nil {
			t.Error(err)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	entries, err := os.ReadDir(filepath.Join(dir, snapshotDir))
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files: %v", len(entries), err)
	}
}

func TestModelThatBreaksInvariantsGivesNoSnapshot(t *testing.T) {
	dir := t.TempDir()
	b, s := openBoth(t, dir)
	_, err := s.Update(t.Context(), func(tx *store.Tx) error {
		tx.Put(&model.LocalVLAN{Host: "h", Network: "n", VLAN: 7})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSnapshotter(b, SnapshotOptions{}, quiet()).Take(); err == nil {
		t.Error("a snapshot was taken")
	}
	entries, err := os.ReadDir(filepath.Join(dir, snapshotDir))
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestRunTakesSnapshotsWhenDue(t *testing.T) {
	for name, o := range map[string]SnapshotOptions{
		"after_changes":  {Changes: 2, Interval: time.Hour, MinGap: time.Millisecond},
		"after_interval": {Changes: 1000, Interval: time.Millisecond, MinGap: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b, s := openBoth(t, dir)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- NewSnapshotter(b, o, quiet()).Run(ctx) }()
			for round := range 3 {
				before := s.Snapshot().Rev
				for i := range 4 {
					putHost(t, s, fmt.Sprintf("%d-%d", round, i), 10)
				}
				for deadline := time.Now().Add(10 * time.Second); !snapshotSince(dir, before); time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("round %d: no snapshot after revision %d: %v", round, before, Snapshots(dir))
					}
				}
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

func TestRestartsKeepTheIntervalOfSnapshots(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	o := SnapshotOptions{Interval: time.Hour, Now: func() time.Time { return now }}
	b, s := openBoth(t, dir)
	shots := NewSnapshotter(b, o, quiet())
	if rev, within := shots.newest(); rev != 0 || within != 0 {
		t.Errorf("no snapshot: revision %d, due within %v, want at once", rev, within)
	}
	putHost(t, s, "h", 10)
	if _, err := shots.Take(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ later, within time.Duration }{
		"at_once":        {0, time.Hour},
		"in_between":     {20 * time.Minute, 40 * time.Minute},
		"much_later":     {3 * time.Hour, -2 * time.Hour},
		"clock_set_back": {-5 * time.Hour, time.Hour},
	} {
		later := o
		later.Now = func() time.Time { return now.Add(c.later) }
		if rev, within := NewSnapshotter(b, later, quiet()).newest(); rev != 1 || within != c.within {
			t.Errorf("%s: revision %d, due within %v, want %v", name, rev, within, c.within)
		}
	}
}

// snapshotSince reports whether the newest snapshot is newer than a revision.
func snapshotSince(dir string, rev uint64) bool {
	shots := Snapshots(dir)
	if len(shots) == 0 {
		return false
	}
	info, err := Verify(shots[0])
	return err == nil && info.Rev > rev
}

func TestSnapshotIsConsistentUnderWrites(t *testing.T) {
	dir := t.TempDir()
	b, s := openBoth(t, dir)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			// Both or none: a snapshot with one of them is torn.
			_, err := s.Update(context.Background(), func(tx *store.Tx) error {
				tx.Put(&model.Host{Name: "left", Rev: tx.Rev()})
				tx.Put(&model.Host{Name: "right", Rev: tx.Rev()})
				tx.Put(&model.Sequence{Name: fmt.Sprint(i % 500), Last: uint64(i)})
				return nil
			})
			if err != nil {
				done <- err
				return
			}
		}
	}()
	shots := NewSnapshotter(b, SnapshotOptions{Keep: 100}, quiet())
	for range 10 {
		if _, err := shots.Take(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, p := range Snapshots(dir) {
		other := t.TempDir()
		if _, _, err := Restore(other, p, time.Now()); err != nil {
			t.Fatal(err)
		}
		m := openStore(t, other).Snapshot()
		left, _ := m.Hosts.Get("left")
		right, _ := m.Hosts.Get("right")
		if m.Rev > 0 && (left == nil || right == nil || left.Rev != m.Rev || right.Rev != m.Rev) {
			t.Errorf("%s of revision %d holds %v and %v", p, m.Rev, left, right)
		}
	}
}

func TestFullDiskFailsWritesAndRecovers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := openStore(t, dir)
	first := putHost(t, s, "first", 1000)
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; _, err = f.Write(block) {
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	var last error
	for i := 0; i < 50 && last == nil; i++ { // the first ones find free pages
		_, last = s.Update(t.Context(), func(tx *store.Tx) error {
			for j := range 20 {
				tx.Put(&model.Host{Name: fmt.Sprintf("big%d-%d", i, j), OVSDB: string(make([]byte, 5000))})
			}
			return nil
		})
	}
	if !errors.Is(last, syscall.ENOSPC) || errors.Is(last, store.ErrUncertain) {
		t.Fatalf("writing to a full disk: %v", last)
	}
	want := text(t, s.Snapshot())
	if s.Snapshot().Rev < first.Rev {
		t.Error("the old state is gone")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	m := putHost(t, s, "after", 1000)
	if m.Rev != s.Snapshot().Rev || text(t, m) == want {
		t.Error("the write after space came back is not there")
	}
	want = text(t, m)
	closeStore(t, s)
	s = openStore(t, dir)
	if got := text(t, s.Snapshot()); got != want {
		t.Errorf("after reopening: %.200s", got)
	}
	closeStore(t, s)
}
