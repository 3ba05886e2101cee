package ofconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/netrack/openflow"
	"github.com/netrack/openflow/ofp"
	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// side tells which end of TLS we are.
type side int

const (
	accepted side = iota
	dialled
)

// open takes a connection from S0 to S5. Whatever happens it has
// Config.HandshakeTimeout for it. On an error the connection is closed.
func open(ctx context.Context, c net.Conn, as side, cfg Config) (_ *Session, err error) {
	life := ctx
	ctx, cancel := context.WithTimeout(ctx, cfg.HandshakeTimeout)
	defer cancel()
	// Until there is a session, closing is the only way to interrupt a read.
	bare := c // c becomes the TLS connection over it
	stop := context.AfterFunc(ctx, func() { _ = bare.Close() })
	defer func() {
		stop()
		if err != nil {
			_ = c.Close()
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				err = fmt.Errorf("handshake took longer than %v: %w", cfg.HandshakeTimeout, err)
			}
		}
	}()

	// S0 connected: with TLS, the handshake of that first.
	if c, err = secure(ctx, c, as, cfg.TLS); err != nil {
		return nil, err
	}
	t, err := newTransport(c, cfg.WriteTimeout, cfg.Metrics)
	if err != nil {
		return nil, err
	}
	// S1 HELLO.
	if err := greet(t); err != nil {
		return nil, err
	}
	s := prepare(life, t, cfg, cfg.Log.WithField("peer", c.RemoteAddr().String()))
	s.start()
	for _, step := range []func(context.Context) error{s.askFeatures, s.askEvents, s.askPorts} {
		if err := step(ctx); err != nil {
			s.fail(err)
			s.wait()
			// Why the session ended says more than what the step saw of it.
			if s.err != nil && !errors.Is(err, s.err) {
				err = fmt.Errorf("%w: %w", err, s.err)
			}
			return nil, err
		}
	}
	if !stop() {
		// The time ran out after the last answer: the connection is closed.
		s.fail(ctx.Err())
		s.wait()
		return nil, ctx.Err()
	}
	s.ready.Store(true)
	return s, nil
}

// secure does the TLS handshake, if there is TLS.
func secure(ctx context.Context, c net.Conn, as side, cfg *tls.Config) (net.Conn, error) {
	if cfg == nil {
		return c, nil
	}
	var tc *tls.Conn
	if as == accepted {
		tc = tls.Server(c, cfg)
	} else {
		tc = tls.Client(c, cfg)
	}
	if err := tc.HandshakeContext(ctx); err != nil {
		return c, fmt.Errorf("TLS: %w", err)
	}
	return tc, nil
}

// askFeatures is state S2: FEATURES_REQUEST (OpenFlow 1.3.5 §7.3.1).
//
//	FEATURES_REPLY           → S3; the switch has a name now
//	error, malformed, silence → close
//
// Other messages may come before the answer (OVS sends an ECHO_REQUEST to a
// slow controller); the session handles them as always.
func (s *Session) askFeatures(ctx context.Context) error {
	body, err := s.do(ctx, wire.TypeFeaturesReply, plain(wire.AppendFeaturesRequest))
	if err != nil {
		return fmt.Errorf("asking for features: %w", err)
	}
	if s.features, err = wire.DecodeFeatures(body); err != nil {
		return s.broken(wire.TypeFeaturesReply, body, err)
	}
	s.log.Store(s.logger().WithField("dpid", s.features.DPID.String()))
	return nil
}

// askEvents is state S3: SET_ASYNC (OpenFlow 1.3.5 §7.3.10) and SET_CONFIG
// (§7.3.2), each with a barrier behind it.
//
//	barrier passed → S4
//	ERROR          → S4 as well, with a warning: the switch works, but learned
//	                 addresses or ports may be seen late
//	silence        → close
//
// SET_ASYNC is sent always: on a connection that we dialled, OVS sends no
// event without it. SET_CONFIG too, because OVS sends no PACKET_IN there while
// miss_send_len is 0.
func (s *Session) askEvents(ctx context.Context) error {
	// Index 0 is for master and equal, 1 for slave: a slave follows ports only.
	const portChanges, anyRemoval, missOrAction = 1<<3 - 1, 1<<4 - 1, 1<<2 - 1
	async := openflow.NewRequest(openflow.TypeSetAsync, &ofp.AsyncConfig{
		PacketInMask:    [2]uint32{missOrAction, 0},
		PortStatusMask:  [2]uint32{portChanges, portChanges},
		FlowRemovedMask: [2]uint32{anyRemoval, 0},
	})
	config := openflow.NewRequest(openflow.TypeSetConfig, &ofp.SwitchConfig{MissSendLength: s.cfg.MissSendLen})
	for _, req := range []*openflow.Request{async, config} {
		err := s.confirm(ctx, fromLibrary(req))
		var refused wire.Error
		switch {
		case errors.As(err, &refused):
			s.logger().WithError(err).Warnf("switch refused %v", wire.Type(req.Header.Type))
		case err != nil:
			return fmt.Errorf("asking for events: %w", err)
		}
	}
	return nil
}

// askPorts is state S4: multipart PORT_DESC (OpenFlow 1.3.5 §7.3.5.7).
//
//	the last part    → S5 READY
//	error, malformed, silence → close
//
// PORT_STATUS may come in between; portTable knows how to merge the two.
func (s *Session) askPorts(ctx context.Context) error {
	if err := s.describePorts(ctx); err != nil {
		return fmt.Errorf("asking for ports: %w", err)
	}
	return nil
}

// fromLibrary is an encoder of a message that the library encodes.
func fromLibrary(req *openflow.Request) encoder {
	return func(dst []byte, xid uint32) ([]byte, error) {
		req.Header.Transaction = xid
		w := sliceWriter(dst)
		if _, err := req.WriteTo(&w); err != nil {
			return dst, fmt.Errorf("encoding %v: %w", wire.Type(req.Header.Type), err)
		}
		return w, nil
	}
}

// sliceWriter is a slice to which the library's encoders can write.
type sliceWriter []byte

func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

// run opens a session over c, hands it to handle, and returns when handle did
// and all goroutines of the session are gone. It logs the life of a session
// that became READY; why another did not is returned with a nil session.
func run(ctx context.Context, c net.Conn, as side, cfg Config, handle Handle, opened func(*Session)) (*Session, error) {
	began := time.Now()
	s, err := open(ctx, c, as, cfg)
	if err != nil {
		cfg.Metrics.Rejected()
		return nil, err
	}
	cfg.Metrics.Opened()
	defer cfg.Metrics.Closed()
	s.logger().WithFields(logrus.Fields{"ports": len(s.Ports()), "took": time.Since(began).Round(time.Microsecond)}).Info("switch connected")
	opened(s)
	stop := context.AfterFunc(ctx, func() { s.fail(ErrClosed) })
	handle(s.life, s)
	stop()
	s.fail(ErrClosed)
	s.wait()
	s.logger().WithError(s.err).Info("switch disconnected")
	return s, s.err
}
