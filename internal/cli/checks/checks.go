// Package checks is what heddle doctor finds out: one finding after the other, each with what to do about it.
package checks

import "fmt"

// State is how a check came out.
type State string

// The states, from good to bad.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, or is not known; somebody should look
	Fail State = "fail"
)

// Check is one finding.
type Check struct {
	State State  `json:"state"`
	What  string `json:"what"`           // what was looked at: "tunnel cmp1 to net1"
	Says  string `json:"says,omitempty"` // what was found
	Do    string `json:"do,omitempty"`   // what to do about it, of what is not ok
}

// List collects findings. It is for one goroutine.
type List struct{ All []Check }

// OK adds something that is as it should be.
func (l *List) OK(what, format string, args ...any) {
	l.All = append(l.All, Check{State: OK, What: what, Says: fmt.Sprintf(format, args...)})
}

// Warn adds something that somebody should look at.
func (l *List) Warn(what, says, do string) {
	l.All = append(l.All, Check{State: Warn, What: what, Says: says, Do: do})
}

// Fail adds something that is wrong.
func (l *List) Fail(what, says, do string) {
	l.All = append(l.All, Check{State: Fail, What: what, Says: says, Do: do})
}

// Count returns how many findings have a state.
func (l *List) Count(s State) int {
	n := 0
	for _, c := range l.All {
		if c.State == s {
			n++
		}
	}
	return n
}
