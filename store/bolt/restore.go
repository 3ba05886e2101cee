package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Info describes a file that was verified.
type Info struct {
	Path    string
	Rev     uint64
	Time    time.Time // when its newest change was copied: the file's modification time
	Records uint64
	// OneHeader: one of the file's two headers is damaged. What the other leads to is sound, and may
	// be one commit behind.
	OneHeader bool
}

// Verify reads all of a data file or snapshot that no process writes to: its pages, its seal, every
// record, and the model's invariants.
func Verify(path string) (Info, error) {
	info := Info{Path: path}
	var err error
	if info.OneHeader, err = checkFile(path); err != nil {
		return info, fmt.Errorf("verify %s: %w", path, err)
	}
	err = readOnly(path, func(tx *bbolt.Tx) error {
		if err := checkTx(tx); err != nil {
			return err
		}
		m, d := &model.Model{}, store.NewDecoder()
		s, _, err := readRecords(tx, func(r store.Record) (err error) {
			m, err = d.Add(m, r)
			return err
		})
		if err != nil {
			return err
		}
		info.Rev, info.Records = s.Rev, s.Records
		return model.Check(m)
	})
	if err != nil {
		return info, fmt.Errorf("verify %s: %w", path, err)
	}
	stat, err := os.Stat(path)
	if err != nil {
		return info, fmt.Errorf("verify: %w", err)
	}
	info.Time = stat.ModTime()
	return info, nil
}

// checkTx runs bbolt's own check, a second opinion on what checkPages has found sound.
func checkTx(tx *bbolt.Tx) error {
	var first error
	for err := range tx.Check() { // to its end: the checking goroutine waits for each error to be taken
		if first == nil {
			first = err
		}
	}
	return first
}

// checkFile runs checkPages on a file.
func checkFile(path string) (oneHeader bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !stat.Mode().IsRegular() {
		return false, errors.New("not a regular file")
	}
	return checkPages(f, stat.Size())
}

func readOnly(path string, fn func(*bbolt.Tx) error) error {
	return guard(func() (err error) {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		return db.View(fn)
	})
}

// Restore puts a snapshot in the place of a data directory's file. The snapshot is verified before
// anything is touched; the file that was there is moved aside and its new path returned, empty if
// there was none. The server must not be running.
func Restore(dataDir, snapshot string, now time.Time) (restored Info, aside string, err error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return restored, "", fmt.Errorf("make data directory: %w", err)
	}
	held, err := lock(dataDir)
	if err != nil {
		return restored, "", err
	}
	defer held.Close()
	if restored, err = Verify(snapshot); err != nil {
		return restored, "", err
	}
	path := filepath.Join(dataDir, fileName)
	temp := path + ".restore"
	defer os.Remove(temp) // which is not there any more if all went well
	if err := copyFile(snapshot, temp); err != nil {
		return restored, "", err
	}
	if _, err := os.Lstat(path); err == nil {
		aside = path + ".broken-" + now.UTC().Format(stampLayout)
		if err := os.Rename(path, aside); err != nil {
			return restored, "", fmt.Errorf("move the old file aside: %w", err)
		}
	}
	return restored, aside, moveDurably(temp, path)
}

// copyFile writes a durable copy of a verified file, with both headers in order.
func copyFile(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("copy to %s: %w", to, err)
	}
	err := readOnly(from, func(tx *bbolt.Tx) error { return writeCopy(tx, to) })
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, to, err)
	}
	return nil
}

// writeCopy writes what a transaction sees into a new file, durably; on error there is no file.
func writeCopy(tx *bbolt.Tx, path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(path)
		}
	}()
	if _, err := tx.WriteTo(f); err != nil {
		return err
	}
	return f.Sync()
}

// moveDurably renames a file within its directory and waits until the directory is on disk.
func moveDurably(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("put file in place: %w", err)
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// damaged makes the error for a data file that cannot be used. The best copy to go on with is the
// file itself if only a header of it is gone, else the newest snapshot that verifies now.
func (b *Backend) damaged(problem error, oneHeader bool) error {
	e := &DamagedError{Path: b.path, Problem: problem}
	candidates := Snapshots(b.dir)
	if oneHeader {
		candidates = append([]string{b.path}, candidates...)
	}
	for _, path := range candidates {
		if info, err := Verify(path); err == nil {
			e.Copy = &info
			e.Command = fmt.Sprintf("heddle restore --data-dir %s --snapshot %s", quote(b.dir), quote(path))
			break
		}
	}
	return e
}
