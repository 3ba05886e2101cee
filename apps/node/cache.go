package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// specFile is where the newest spec is kept in the state directory.
const specFile = "spec.json"

// StateDir is a directory in which one agent keeps what outlives it.
type StateDir struct {
	path string
	lock *os.File
}

// OpenStateDir makes the directory if need be, and takes it for this process. That another agent has it
// is an error.
func OpenStateDir(path string) (*StateDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := flock(lock); err != nil {
		_ = lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("state directory %s: another agent runs on it", path)
		}
		return nil, fmt.Errorf("lock state directory %s: %w", path, err)
	}
	return &StateDir{path: path, lock: lock}, nil
}

// lockTime is how long a lock is waited for: an agent that was killed lets go of it a moment after it is not
// to be seen any more.
const lockTime = 2 * time.Second

// flock locks a file.
func flock(file *os.File) error {
	for end := time.Now().Add(lockTime); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			return err
		}
	}
}

// Close gives the directory to others.
func (d *StateDir) Close() error { return d.lock.Close() }

// Path returns the path of a file in the directory.
func (d *StateDir) Path(name string) string { return filepath.Join(d.path, name) }

// Load returns the spec that was saved last; nil if none was. It may be called on a directory of a
// running agent.
func (d *StateDir) Load() (*spec.Node, error) { return LoadSpec(d.path) }

// LoadSpec is StateDir.Load without taking the directory.
func LoadSpec(dir string) (*spec.Node, error) {
	b, err := os.ReadFile(filepath.Join(dir, specFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read saved spec: %w", err)
	}
	var n spec.Node
	if err := json.Unmarshal(b, &n); err != nil {
		return nil, fmt.Errorf("read saved spec %s: %w", filepath.Join(dir, specFile), err)
	}
	return &n, nil
}

// Save replaces the saved spec. After a crash there is the one of before or the new one.
func (d *StateDir) Save(n spec.Node) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("save spec: %w", err)
		}
	}()
	b, err := json.MarshalIndent(n, "", " ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(d.Path(specFile+".new"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), d.Path(specFile)); err != nil {
		return err
	}
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
