package bolt

import (
	"errors"
	"fmt"
	"strings"
)

// ErrLocked is wrapped when another process uses the data directory.
var ErrLocked = errors.New("data directory is in use")

// errFault is wrapped when bbolt panicked or its memory map could not be read.
var errFault = errors.New("reading the data file failed")

// DamagedError says that the data file cannot be used as it is, and what to do about it.
type DamagedError struct {
	Path    string // the data file
	Problem error
	Command string // restores the best copy that there is; empty if there is none
	Copy    *Info  // what Command restores
}

// Error says what is wrong and what to do, over several lines.
func (e *DamagedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "data file %s cannot be used: %v\nnothing was changed, and switches keep forwarding as they do now\n", e.Path, e.Problem)
	if e.Copy == nil {
		fmt.Fprintf(&b, "there is no verified snapshot to restore; put a good copy of the file in its place, or move it away to start with an empty fabric")
		return b.String()
	}
	fmt.Fprintf(&b, "to go on with revision %d of %s, run:\n  %s", e.Copy.Rev, e.Copy.Time.UTC().Format("2006-01-02T15:04:05Z"), e.Command)
	return b.String()
}

// Unwrap returns the problem.
func (e *DamagedError) Unwrap() error { return e.Problem }
