package model

import (
	"errors"
	"fmt"
	"strings"
)

// Reason is the class of an [Error]; each northbound maps it to its own status codes.
type Reason int

// The reasons an operation on the model can be refused for.
const (
	Invalid      Reason = iota + 1 // the request is wrong by itself
	NotFound                       // the object, or one it names, does not exist
	Conflict                       // it contradicts what exists
	InUse                          // others depend on it
	Exhausted                      // no value is left to allocate
	Forbidden                      // the caller may not
	Precondition                   // the caller's If-Match does not hold
)

// Error says why a request cannot be carried out, for people and for programs.
type Error struct {
	Reason   Reason
	Kind     string   // machine-readable name, the Networking API's exception name: "NetworkInUse"
	Msg      string   // for people: what, where, and what to do
	Blockers []string // ids of the objects in the way, if any
}

// Error returns the message for people.
func (e *Error) Error() string { return e.Msg }

// Errorf makes an [Error] with a formatted message.
func Errorf(r Reason, kind, format string, args ...any) *Error {
	return &Error{Reason: r, Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// NotFoundError is the answer for an id that names nothing; resource is capitalised and singular
// ("Network"), as the Networking API writes it.
func NotFoundError(resource string, id ID) *Error {
	return Errorf(NotFound, strings.ReplaceAll(resource, " ", "")+"NotFound", "%s %s could not be found.", resource, id)
}

// IsNotFound reports whether err, or an error it wraps, says that something does not exist.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == NotFound
}
