package ofconn

import (
	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// Handler receives what switches say without being asked, from the moment a
// session is READY. Methods are called on the reading goroutine of the
// session, so the events of one switch come in order, one at a time, and
// nothing else of that switch is read meanwhile: they must return soon and must
// not call a method of the session that waits for an answer.
type Handler interface {
	// PortStatus says that a port was added, changed or deleted.
	// [Session.Ports] holds the change already.
	PortStatus(s *Session, m wire.PortStatus)
	// FlowRemoved says that a flow with SendFlowRem is gone.
	FlowRemoved(s *Session, m wire.FlowRemoved)
	// PacketIn brings a packet that a flow sent to the controller. The data is
	// the receiver's to keep.
	PacketIn(s *Session, m wire.PacketIn)
	// Error brings an error that answers none of our requests, or one whose
	// caller has given up.
	Error(s *Session, err wire.Error)
}

type noEvents struct{}

func (noEvents) PortStatus(*Session, wire.PortStatus)   {}
func (noEvents) FlowRemoved(*Session, wire.FlowRemoved) {}
func (noEvents) PacketIn(*Session, wire.PacketIn)       {}
func (noEvents) Error(*Session, wire.Error)             {}

func (s *Session) handlePortStatus(body []byte) error {
	m, err := wire.DecodePortStatus(body)
	if err != nil {
		return err
	}
	if err := s.ports.update(m); err != nil {
		return err
	}
	if s.ready.Load() {
		s.cfg.Handler.PortStatus(s, m)
	}
	return nil
}

// handleError ties an error to the request it answers: errors carry its xid.
func (s *Session) handleError(h wire.Header, body []byte) error {
	e, err := wire.DecodeErrorMessage(body)
	if err != nil {
		return err
	}
	if s.calls.refuse(h.XID, e) || !s.ready.Load() {
		return nil
	}
	s.logger().WithError(e).WithFields(logrus.Fields{"xid": h.XID}).Warn("switch reports an error")
	s.cfg.Handler.Error(s, e)
	return nil
}
