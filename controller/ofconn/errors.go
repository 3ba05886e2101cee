package ofconn

import (
	"errors"
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

var (
	// ErrClosed is why a session ended that we closed ourselves.
	ErrClosed = errors.New("session closed")
	// ErrGone is why a session ended that the switch closed.
	ErrGone = errors.New("connection closed by the switch")
	// ErrDead is why a session ended whose switch said nothing for
	// Config.DeadAfter.
	ErrDead = errors.New("switch does not answer")
	// ErrNoAnswer is why a session ended whose switch was alive but left a
	// request without an answer for Config.AnswerTimeout.
	ErrNoAnswer = errors.New("switch does not answer a request")
	// ErrVersion means that the peer cannot speak OpenFlow 1.3.
	ErrVersion = errors.New("no OpenFlow version in common")
	// ErrStaleRole means that the switch has seen a newer generation id: some
	// other controller leads now.
	ErrStaleRole = errors.New("role refused: generation is stale")
	// ErrNoMonitor means that the switch has no flow monitor. FLOW_REMOVED and
	// dumps have to do.
	ErrNoMonitor = errors.New("switch has no flow monitor")
)

// RefusedError means that a switch refused a change. Nothing of the change was
// done: the flows are those of before.
type RefusedError struct {
	// Flow is the first refused flow. When Known is false the switch refused
	// the change as a whole, or a deletion, and Flow is zero.
	Flow  of.Flow
	Known bool
	// Count is how many messages of the change were refused.
	Count int
	Err   wire.Error
}

func (e *RefusedError) Error() string {
	if !e.Known {
		return fmt.Sprintf("change refused: %v", e.Err)
	}
	if e.Count > 1 {
		return fmt.Sprintf("%d flows refused, the first is %q: %v", e.Count, e.Flow, e.Err)
	}
	return fmt.Sprintf("flow %q refused: %v", e.Flow, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// ProtocolError means that a switch sent something that OpenFlow 1.3 does not
// allow here, or that cannot be decoded. It ends the session.
type ProtocolError struct {
	Type wire.Type // of the message
	Head []byte    // its first bytes, without the header
	Err  error
}

// headBytes is how much of a bad message is worth logging.
const headBytes = 48

func protocolError(h wire.Header, body []byte, err error) *ProtocolError {
	return &ProtocolError{Type: h.Type, Head: body[:min(len(body), headBytes)], Err: err}
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("malformed %v: %v (body begins %x)", e.Type, e.Err, e.Head)
}

func (e *ProtocolError) Unwrap() error { return e.Err }
