package ovsdb

import (
	"context"
	"errors"
)

// Errors of a session.
var (
	// ErrClosed is the error of a session that this side closed.
	ErrClosed = errors.New("session closed")
	// ErrSilent is the error of a session whose host sent nothing for too long, not even the answer to an echo.
	ErrSilent = errors.New("host is silent")
)

// Session is a connection to one host's database whose contents have been read once. It is safe for concurrent use.
// A session that ended stays so; the next connection of the host is a new one.
type Session struct{}

// RemoteAddr returns the address of the host's end, "192.0.2.7:51234".
func (s *Session) RemoteAddr() string { return "" }

// Identity returns who the host says it is, now.
func (s *Session) Identity() Identity { return s.State().Identity }

// State returns the database as it is now; after the session ended, as it was last.
func (s *Session) State() *State { return nil }

// Changed returns a channel that is closed at the next change of the database. To miss none: first get the channel,
// then read State, then wait.
func (s *Session) Changed() <-chan struct{} { return nil }

// Done returns a channel that is closed when the session has ended; Err then says why.
func (s *Session) Done() <-chan struct{} { return nil }

// Err returns why the session ended, nil while it lasts.
func (s *Session) Err() error { return nil }

// Close ends the session and waits until its goroutines are gone.
func (s *Session) Close() error { return nil }

// Handler uses a session and returns when it is done with it, at the latest when ctx ends or the session is Done.
type Handler func(ctx context.Context, s *Session)
