package ofconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netrack/openflow"
	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Session is a connection to one switch after the handshake. It ends when the
// connection does, when the switch breaks the protocol, or with
// [Session.Close]; from then on every method returns the same error.
type Session struct {
	cfg      Config
	log      atomic.Pointer[logrus.Entry]
	t        *transport
	features wire.Features
	calls    calls
	ports    portTable
	watches  watches
	dumped   atomic.Int64 // flows in the last dump

	out    chan batch
	urgent chan []byte
	// change is held by the one change in progress. A channel, so that waiting
	// for it ends with a context.
	change chan struct{}
	bundle uint32 // id of the last bundle, guarded by change

	ready  atomic.Bool // S5 was reached: events go to the handler
	life   context.Context
	end    context.CancelCauseFunc // of life
	ending sync.Once
	err    error         // valid once done is closed
	done   chan struct{} // closed when the session ends
	wg     sync.WaitGroup
}

// prepare makes a session over a connection on which HELLO was exchanged; its
// goroutines are not running yet. It ends with ctx.
func prepare(ctx context.Context, t *transport, cfg Config, log *logrus.Entry) *Session {
	s := &Session{
		cfg:    cfg,
		t:      t,
		out:    make(chan batch, queueLen),
		urgent: make(chan []byte, answerLen),
		change: make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	s.log.Store(log)
	s.life, s.end = context.WithCancelCause(ctx)
	s.ports.init()
	return s
}

// start starts the session's goroutines, for wait to wait for.
func (s *Session) start() {
	s.wg.Go(s.readLoop)
	s.wg.Go(s.writeLoop)
}

// logger is the session's log. It is replaced once, when the switch has a name.
func (s *Session) logger() *logrus.Entry { return s.log.Load() }

// DPID is the datapath id by which the switch named itself.
func (s *Session) DPID() of.DPID { return s.features.DPID }

// Features is what the switch said of itself in the handshake.
func (s *Session) Features() wire.Features { return s.features }

// RemoteAddr is the address of the switch's end of the connection.
func (s *Session) RemoteAddr() string { return s.t.conn.RemoteAddr().String() }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is why the session ended, and nil before it did.
func (s *Session) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Close ends the session at once. A change that was not committed yet is
// dropped by the switch. It may be called several times and from anywhere.
func (s *Session) Close() error {
	s.fail(ErrClosed)
	return nil
}

// Shutdown lets a change in progress finish and ends the session, or ends it
// when ctx does, whichever is first.
func (s *Session) Shutdown(ctx context.Context) error {
	defer s.fail(ErrClosed)
	if err := s.lockChange(ctx); err != nil {
		if s.Err() != nil {
			return nil // ended by itself
		}
		return fmt.Errorf("waiting for a change to finish: %w", err)
	}
	return nil
}

// lockChange waits for the change in progress; unlockChange lets the next one go.
func (s *Session) lockChange(ctx context.Context) error {
	if err := s.Err(); err != nil {
		return err
	}
	select {
	case s.change <- struct{}{}:
		return nil
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Session) unlockChange() { <-s.change }

// fail ends the session; the first reason counts. It does not wait for the
// goroutines, so they may call it too.
func (s *Session) fail(err error) {
	s.ending.Do(func() {
		s.err = err
		close(s.done)
		s.end(err)
		s.calls.fail(err)
		// Closing is what wakes a blocked Read or Write. Its error says nothing
		// that err does not.
		_ = s.t.close()
	})
}

// wait returns when the session's goroutines are gone, which they are soon
// after it has ended.
func (s *Session) wait() { s.wg.Wait() }

// broken ends the session because an answer cannot be decoded, and says which.
func (s *Session) broken(t wire.Type, body []byte, err error) error {
	err = protocolError(wire.Header{Type: t}, body, err)
	s.fail(err)
	return err
}

// readLoop reads and handles messages until the session ends.
func (s *Session) readLoop() {
	for {
		h, body, err := s.t.receive()
		if err != nil {
			s.fail(readError(err))
			return
		}
		if err := s.handle(h, body); err != nil {
			s.fail(err)
			return
		}
	}
}

// handle deals with one message. A panic, in a decoder or in an event handler,
// costs this one session instead of the process.
func (s *Session) handle(h wire.Header, body []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.logger().WithField("stack", string(debug.Stack())).Errorf("panic in handling a message: %v", r)
			err = protocolError(h, body, fmt.Errorf("panic: %v", r))
		}
	}()
	if h.Version != wire.Version && h.Type != wire.TypeHello {
		return protocolError(h, body, fmt.Errorf("version %#x after agreeing on %#x", h.Version, wire.Version))
	}
	if err := s.dispatch(h, body); err != nil {
		return protocolError(h, body, err)
	}
	return nil
}

// dispatch knows what each type of message is for.
func (s *Session) dispatch(h wire.Header, body []byte) error {
	switch h.Type {
	case wire.TypeEchoRequest:
		reply, err := wire.AppendEchoReply(nil, h.XID, body)
		if err != nil {
			return err
		}
		s.sendUrgent(reply)
		return nil
	case wire.TypeEchoReply:
		return nil // that it came is all we wanted to know
	case wire.TypeError:
		return s.handleError(h, body)
	case wire.TypePortStatus:
		return s.handlePortStatus(body)
	case wire.TypeFlowRemoved:
		m, err := wire.DecodeFlowRemoved(body)
		if err != nil {
			return err
		}
		if s.ready.Load() {
			s.cfg.Handler.FlowRemoved(s, m)
		}
		return nil
	case wire.TypePacketIn:
		m, err := wire.DecodePacketIn(body)
		if err != nil {
			return err
		}
		if s.ready.Load() {
			s.cfg.Handler.PacketIn(s, m)
		}
		return nil
	case wire.TypeMultipartReply:
		if h.XID == 0 {
			return s.handleUpdates(body)
		}
	}
	// Everything else answers a request. One that nobody waits for answers a
	// request whose caller gave up, or is a type we do not know; neither hurts.
	return s.calls.answer(h, body, s.cfg.MaxReply)
}

// do sends one message and returns its answer, which must be of type want and
// of one part.
func (s *Session) do(ctx context.Context, want wire.Type, encode encoder) ([]byte, error) {
	var body []byte
	err := s.stream(ctx, want, encode, func(part []byte) error {
		body = part
		return nil
	})
	return body, err
}

// stream sends one request and calls each with the body of every part of the
// answer, in order, as they come, on the caller's goroutine.
func (s *Session) stream(ctx context.Context, want wire.Type, encode encoder, each func(body []byte) error) error {
	p, err := s.calls.begin(want, nil)
	if err != nil {
		return err
	}
	defer s.calls.end(p)
	message, err := encode(nil, p.xid)
	if err != nil {
		return err
	}
	if err := s.send(ctx, batch{bytes: message}); err != nil {
		return err
	}
	return s.await(ctx, p, each)
}

// await calls each with the parts of an answer until it is whole.
func (s *Session) await(ctx context.Context, p *call, each func(body []byte) error) error {
	timeout := time.NewTimer(s.cfg.AnswerTimeout)
	defer timeout.Stop()
	for {
		select {
		case <-p.signal:
			timeout.Reset(s.cfg.AnswerTimeout)
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			s.fail(ErrNoAnswer)
			return s.Err()
		}
		parts, whole, err := s.calls.next(p)
		if err != nil {
			return err
		}
		for _, body := range parts {
			if err := each(body); err != nil {
				return err
			}
		}
		if whole {
			return nil
		}
	}
}

// confirm sends a message that is answered only if it is refused, and waits
// for the barrier behind it. A refusal is returned as wire.Error.
func (s *Session) confirm(ctx context.Context, encode encoder) error {
	sp := s.calls.beginSpan(1)
	defer s.calls.endSpan(sp)
	message, err := encode(nil, sp.first)
	if err != nil {
		return err
	}
	if err := s.send(ctx, batch{bytes: message}); err != nil {
		return err
	}
	if err := s.Barrier(ctx); err != nil {
		return err
	}
	if errs, _ := s.calls.refused(sp); len(errs) > 0 {
		return errs[0].err
	}
	return nil
}

// Barrier returns when the switch has finished everything sent before
// (OpenFlow 1.3.5 §7.3.7).
func (s *Session) Barrier(ctx context.Context) error {
	_, err := s.do(ctx, wire.TypeBarrierReply, plain(wire.AppendBarrierRequest))
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	return nil
}

// encoder appends a whole message with the given xid.
type encoder func(dst []byte, xid uint32) ([]byte, error)

// plain is an encoder that cannot fail.
func plain(encode func(dst []byte, xid uint32) []byte) encoder {
	return func(dst []byte, xid uint32) ([]byte, error) { return encode(dst, xid), nil }
}

// readError says what the end of a connection means.
func readError(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return ErrGone
	case errors.Is(err, openflow.ErrCorruptedHeader):
		return fmt.Errorf("malformed header: length less than %d: %w", wire.HeaderLen, err)
	}
	return fmt.Errorf("reading from the switch: %w", err)
}

// writeError says what it means that a write failed.
func writeError(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return fmt.Errorf("switch does not read: %w", err)
	}
	return fmt.Errorf("writing to the switch: %w", err)
}
