package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"

	"github.com/heddle-sdn/heddle/store"
)

// opensAsOrRefuses checks the promise about a damaged file: it is refused, or nothing of it is missing.
func opensAsOrRefuses(t *testing.T, dir string, file []byte, want, what string) (refused bool) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dataFile(dir), file)
	s, err := tryOpen(dir)
	var damaged *DamagedError
	if errors.As(err, &damaged) || errors.Is(err, store.ErrNewerVersion) {
		if got := readFile(t, dataFile(dir)); !bytes.Equal(got, file) {
			t.Fatalf("%s: the refused file was changed", what)
		}
		return true
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer s.Close()
	if got := text(t, s.Snapshot()); got != want {
		t.Fatalf("%s: opened with something else: %.300s", what, got)
	}
	return false
}

func TestFlippedBitsAreNoticedOrHarmless(t *testing.T) {
	src, want := filled(t)
	file := trimmed(t, readFile(t, dataFile(src)))
	used := usedBytes(t, file)
	dir := filepath.Join(t.TempDir(), "d")
	rng := rand.New(rand.NewPCG(3, 4))
	n, refused := 400, 0
	if testing.Short() {
		n = 150
	}
	for i := range n {
		bad := append([]byte(nil), file...)
		at, bit := rng.IntN(used), rng.IntN(8)
		if i < 200 { // the headers and their neighbourhood in full
			at, bit = i/2%100+i%2*os.Getpagesize(), rng.IntN(8)
		}
		bad[at] ^= 1 << bit
		if opensAsOrRefuses(t, dir, bad, want, fmt.Sprintf("bit %d of byte %d", bit, at)) {
			refused++
		}
	}
	if refused < n/4 {
		t.Errorf("only %d of %d flips were noticed", refused, n)
	}
}

// trimmed is a file without most of what it has allocated ahead.
func trimmed(t *testing.T, file []byte) []byte {
	t.Helper()
	return file[:usedBytes(t, file)+2*os.Getpagesize()]
}

// usedBytes is how much of a file its header counts as in use.
func usedBytes(t *testing.T, file []byte) int {
	t.Helper()
	m, _, err := readHeaders(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return int(m.pages * m.pageSize)
}

func TestTruncatedFilesAreRefused(t *testing.T) {
	src, want := filled(t)
	file := trimmed(t, readFile(t, dataFile(src)))
	used := usedBytes(t, file)
	dir := filepath.Join(t.TempDir(), "d")
	for size := 0; size <= len(file); size += 1777 {
		what := fmt.Sprintf("%d of %d bytes", size, len(file))
		if refused := opensAsOrRefuses(t, dir, file[:size], want, what); refused != (size < used) {
			t.Errorf("%s: refused is %v, %d are used", what, refused, used)
		}
	}
}

func TestScrambledPagesAreNoticedOrHarmless(t *testing.T) {
	src, want := filled(t)
	file := trimmed(t, readFile(t, dataFile(src)))
	page := os.Getpagesize()
	pages := usedBytes(t, file) / page
	dir := filepath.Join(t.TempDir(), "d")
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 200 {
		bad := append([]byte(nil), file...)
		a, b := rng.IntN(pages), rng.IntN(pages)
		what := ""
		switch i % 3 {
		case 0:
			copy(bad[a*page:(a+1)*page], file[b*page:])
			what = fmt.Sprintf("page %d over page %d", b, a)
		case 1:
			clear(bad[a*page : (a+1)*page])
			what = fmt.Sprintf("page %d zeroed", a)
		case 2:
			for j := range page {
				bad[a*page+j] = byte(rng.Uint32())
			}
			what = fmt.Sprintf("page %d random", a)
		}
		opensAsOrRefuses(t, dir, bad, want, what)
	}
}

func quiet() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(new(bytes.Buffer))
	return logrus.NewEntry(l)
}

// snapshots makes a directory with a data file at revision 3 and snapshots of revisions 1 and 2.
func snapshots(t *testing.T) (dir string, at2 string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "it's here") // needs quoting
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), b, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	shots := NewSnapshotter(b, SnapshotOptions{Now: func() time.Time { return now }}, quiet())
	for _, name := range []string{"a", "b"} {
		at2 = text(t, putHost(t, s, name, 5000))
		if _, err := shots.Take(); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	putHost(t, s, "c", 5000)
	closeStore(t, s)
	return dir, at2
}

func TestRefusalNamesTheCommandThatRestores(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, dir string){
		"truncated": func(t *testing.T, dir string) {
			if err := os.Truncate(dataFile(dir), 9000); err != nil {
				t.Fatal(err)
			}
		},
		"empty": func(t *testing.T, dir string) { writeFile(t, dataFile(dir), nil) },
		"gone": func(t *testing.T, dir string) {
			if err := os.Remove(dataFile(dir)); err != nil {
				t.Fatal(err)
			}
		},
		"garbage": func(t *testing.T, dir string) {
			writeFile(t, dataFile(dir), bytes.Repeat([]byte("garbage "), 5000))
		},
		"record_altered": func(t *testing.T, dir string) {
			file := readFile(t, dataFile(dir))
			writeFile(t, dataFile(dir), bytes.ReplaceAll(file, []byte("xxxx"), []byte("xxyx")))
		},
		"directory": func(t *testing.T, dir string) {
			if err := errors.Join(os.Remove(dataFile(dir)), os.Mkdir(dataFile(dir), 0o700)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, at2 := snapshots(t)
			harm(t, dir)
			_, err := tryOpen(dir)
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("got %v", err)
			}
			snapshot := filepath.Join(dir, "snapshots", "heddle-000002-20261122T150505Z.db")
			want := fmt.Sprintf("heddle restore --data-dir %s --snapshot %s", quote(dir), quote(snapshot))
			if !strings.Contains(err.Error(), want) || !strings.Contains(want, `'\''`) {
				t.Errorf("no command\n%s\nin\n%v", want, err)
			}
			info, aside, err := Restore(dir, damaged.Copy.Path, time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			if info.Rev != 2 || (aside == "") != (name == "gone") {
				t.Errorf("restored %+v, moved the old file to %q", info, aside)
			}
			if aside != "" {
				if _, err := os.Stat(aside); err != nil {
					t.Error(err)
				}
			}
			s := openStore(t, dir)
			if got := text(t, s.Snapshot()); got != at2 {
				t.Errorf("got %.200s", got)
			}
			putHost(t, s, "d", 0)
		})
	}
}

func TestDamagedSnapshotIsNeitherNamedNorRestored(t *testing.T) {
	dir, _ := snapshots(t)
	newest := Snapshots(dir)[0]
	file := readFile(t, newest)
	writeFile(t, newest, bytes.ReplaceAll(file, []byte("xxxx"), []byte("xxyx")))
	writeFile(t, dataFile(dir), nil)

	_, err := tryOpen(dir)
	var damaged *DamagedError
	if !errors.As(err, &damaged) || damaged.Copy == nil || damaged.Copy.Rev != 1 {
		t.Errorf("got %v", err)
	}
	if _, _, err := Restore(dir, newest, time.Now()); err == nil {
		t.Error("a damaged snapshot was restored")
	}
	if file := readFile(t, dataFile(dir)); len(file) != 0 {
		t.Error("a refused restore changed the data file")
	}
}

func TestRefusalWithoutSnapshotsSaysSo(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dataFile(dir), nil)
	_, err := tryOpen(dir)
	if err == nil || !strings.Contains(err.Error(), "file is empty") || !strings.Contains(err.Error(), "there is no verified snapshot") {
		t.Errorf("got %v", err)
	}
}

// FuzzCheckPages gives bbolt the files that the page check lets through: it must cope with them.
func FuzzCheckPages(f *testing.F) {
	dir := f.TempDir()
	closeStore(f, openStore(f, dir))
	f.Add(readFile(f, dataFile(dir)))
	small := filepath.Join(f.TempDir(), "small.db")
	db, err := bbolt.Open(small, 0o600, &bbolt.Options{PageSize: 1024})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 30 {
		if err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("host"))
			if err != nil {
				return err
			}
			return b.Put([]byte(fmt.Sprintf("host%d", i)), bytes.Repeat([]byte("x"), 20*i))
		}); err != nil {
			f.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(readFile(f, small))
	for _, page := range []int{0, 1} { // a header page of another type is a header all the same to bbolt
		odd := readFile(f, small)
		odd[page*1024+8] ^= 0x04
		f.Add(odd)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := checkPages(bytes.NewReader(file), int64(len(file))); err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "f.db")
		writeFile(t, path, file)
		_, _ = Verify(path)
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			t.Fatalf("bbolt refuses what the check lets through: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
