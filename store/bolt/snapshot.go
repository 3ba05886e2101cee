package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"
)

// SnapshotOptions say when snapshots are taken and how many are kept. Zero fields have defaults.
type SnapshotOptions struct {
	Interval time.Duration    // one at least this often while there are changes; default 1 h
	Changes  uint64           // one after so many revisions, however soon; default 1000
	MinGap   time.Duration    // but none so soon after another; default 1 min
	Keep     int              // newest snapshots kept; default 24
	Now      func() time.Time // default time.Now
}

func (o SnapshotOptions) withDefaults() SnapshotOptions {
	if o.Interval == 0 {
		o.Interval = time.Hour
	}
	if o.Changes == 0 {
		o.Changes = 1000
	}
	if o.MinGap == 0 {
		o.MinGap = time.Minute
	}
	if o.Keep == 0 {
		o.Keep = 24
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Snapshotter takes verified copies of a backend's file while it is in use.
type Snapshotter struct {
	backend *Backend
	opts    SnapshotOptions
	log     *logrus.Entry
}

// NewSnapshotter returns a snapshotter, which does nothing before Run or Take.
func NewSnapshotter(b *Backend, o SnapshotOptions, log *logrus.Entry) *Snapshotter {
	return &Snapshotter{backend: b, opts: o.withDefaults(), log: log}
}

// Run takes snapshots until the context ends. The interval goes on from the newest there is: a server
// that starts again and again must not replace a day's snapshots by those of a minute. A snapshot that fails is logged and tried again when the next is due.
func (s *Snapshotter) Run(ctx context.Context) error {
	last, within := s.newest()
	for {
		if err := s.wait(ctx, last, within); err != nil {
			return err
		}
		if info, err := s.Take(); err != nil {
			s.log.WithError(err).Error("snapshot failed")
		} else {
			s.log.WithFields(logrus.Fields{"rev": info.Rev, "path": info.Path}).Info("snapshot taken and verified")
			last = info.Rev
		}
		if err := sleep(ctx, s.opts.MinGap); err != nil {
			return err
		}
		within = s.opts.Interval
	}
}

// wait returns once a snapshot is due: after many changes, or after any and the time.
func (s *Snapshotter) wait(ctx context.Context, last uint64, within time.Duration) error {
	timer := time.NewTimer(within)
	defer timer.Stop()
	over := false
	for {
		rev, advanced := s.backend.Rev()
		if rev != last && (over || rev-last >= s.opts.Changes) {
			return nil
		}
		select {
		case <-timer.C:
			over = true
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Take copies the file as of now, verifies the copy and only then gives it the name of a snapshot.
// Then it removes the oldest ones beyond those to keep.
func (s *Snapshotter) Take() (Info, error) {
	dir := filepath.Join(s.backend.dir, snapshotDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Info{}, fmt.Errorf("make snapshot directory: %w", err)
	}
	temp := filepath.Join(dir, "unverified.db")
	if err := os.RemoveAll(temp); err != nil {
		return Info{}, fmt.Errorf("take snapshot: %w", err)
	}
	if err := guard(func() error {
		return s.backend.db.View(func(tx *bbolt.Tx) error { return writeCopy(tx, temp) })
	}); err != nil {
		return Info{}, fmt.Errorf("take snapshot: %w", err)
	}
	info, err := Verify(temp)
	if err != nil {
		return info, errors.Join(err, os.Remove(temp))
	}
	info.Path = filepath.Join(dir, snapshotName(info.Rev, s.opts.Now()))
	if err := moveDurably(temp, info.Path); err != nil {
		return info, err
	}
	return info, s.rotate()
}

// rotate removes all but the newest snapshots.
func (s *Snapshotter) rotate() error {
	all := Snapshots(s.backend.dir)
	var errs []error
	for _, path := range all[min(s.opts.Keep, len(all)):] {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// newest returns the revision of the newest snapshot and when the next one is due.
func (s *Snapshotter) newest() (rev uint64, within time.Duration) {
	all := Snapshots(s.backend.dir)
	if len(all) == 0 {
		return 0, 0
	}
	rev, stamp, _ := parseSnapshotName(filepath.Base(all[0]))
	at, err := time.Parse(stampLayout, stamp)
	if err != nil {
		return rev, 0 // digits that are no time
	}
	return rev, min(at.Add(s.opts.Interval).Sub(s.opts.Now()), s.opts.Interval) // also if the clock was set back
}

const stampLayout = "20060102T150405Z"

var snapshotPattern = regexp.MustCompile(`^heddle-(\d{6,20})-(\d{8}T\d{6}Z)\.db$`)

func snapshotName(rev uint64, at time.Time) string {
	return fmt.Sprintf("heddle-%06d-%s.db", rev, at.UTC().Format(stampLayout))
}

func parseSnapshotName(name string) (rev uint64, stamp string, ok bool) {
	m := snapshotPattern.FindStringSubmatch(name)
	if m == nil {
		return 0, "", false
	}
	rev, err := strconv.ParseUint(m[1], 10, 64)
	return rev, m[2], err == nil
}

// Snapshots returns the paths of a data directory's snapshots, newest first. Each was verified when
// it was taken.
func Snapshots(dataDir string) []string {
	dir := filepath.Join(dataDir, snapshotDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // none were taken yet, or none can be read: the same to whoever looks for one
	}
	type found struct {
		path, stamp string
		rev         uint64
	}
	var all []found
	for _, e := range entries {
		if rev, stamp, ok := parseSnapshotName(e.Name()); ok {
			all = append(all, found{filepath.Join(dir, e.Name()), stamp, rev})
		}
	}
	// By time before revision: after a restore revisions start again from an older one.
	slices.SortFunc(all, func(a, b found) int {
		if c := strings.Compare(b.stamp, a.stamp); c != 0 {
			return c
		}
		if a.rev > b.rev {
			return -1
		}
		return 1
	})
	paths := make([]string, len(all))
	for i, f := range all {
		paths[i] = f.path
	}
	return paths
}

// quote makes a path safe to paste into a shell.
func quote(path string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_./:@%+=-]+$`).MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
