package bridgenic

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// journal is what is on disk of a move: enough to roll it back after a crash at any moment, and to undo it
// much later.
type journal struct {
	Phase    phase  `json:"phase"`
	Boot     string `json:"boot"`     // the time between two boots in which it began
	Before   State  `json:"before"`   // what the host was like when it began
	Original State  `json:"original"` // before the first move, if there were several since
	Moved    bool   `json:"moved"`    // the NIC had been moved when it began
}

type phase string

const (
	moving phase = "moving" // steps may have been taken; the host is to be as before
	moved  phase = "moved"  // it is done and confirmed
)

// original is the state before the first move; of a NIC that was not moved the state of now.
func (j *journal) original(have State) State {
	switch {
	case j != nil:
		return j.Original
	case have.Plugged:
		return State{} // somebody else has made it a port, and what the bridge had before is not known
	}
	return have
}

// journalFile is the file of a NIC's journal.
type journalFile string

const journalPrefix, journalSuffix = "bridge-nic-", ".json"

func (m *Mover) journal(nic string) journalFile {
	return journalFile(filepath.Join(m.Dir, journalPrefix+nic+journalSuffix))
}

func (m *Mover) journals() ([]journalFile, error) {
	names, err := filepath.Glob(filepath.Join(m.Dir, journalPrefix+"*"+journalSuffix))
	var files []journalFile
	for _, n := range names {
		files = append(files, journalFile(n))
	}
	return files, err
}

// load returns the journal, nil if there is none.
func (f journalFile) load() (*journal, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	var j journal
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, fmt.Errorf("read journal %s: %w", f, err)
	}
	return &j, nil
}

// save writes the journal so that after a crash there is either this one or the last.
func (f journalFile) save(j *journal) error {
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	next, err := os.OpenFile(string(f)+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	_, err = next.Write(append(text, '\n'))
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), string(f))
	}
	if err == nil {
		err = syncDir(filepath.Dir(string(f)))
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

func (f journalFile) remove() error {
	err := os.Remove(string(f))
	if err == nil {
		err = syncDir(filepath.Dir(string(f)))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove journal: %w", err)
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// errBusy says that another process moves a NIC.
var errBusy = errors.New("another process moves a NIC of this host")

// lock keeps other processes from moving NICs until the function that it returns is called, or the process
// ends.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "bridge-nic.lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errBusy
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return func() { _ = file.Close() }, nil
}
