package ofconn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/netrack/openflow"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// transport is a connection that carries whole OpenFlow messages. Reads must
// come from one goroutine and writes from one other; close may come from any.
type transport struct {
	conn  openflow.Conn
	bulk  io.Writer // the same connection, for messages that are bytes already
	below *deadlineConn
	meter Metrics
}

// newTransport puts the library's framing on c. Every write of at most one
// batch must finish within writeTimeout.
func newTransport(c net.Conn, writeTimeout time.Duration, m Metrics) (*transport, error) {
	below := &deadlineConn{Conn: c, timeout: writeTimeout, meter: m}
	conn := openflow.NewConn(below)
	// The library's Conn interface has no Write, its concrete type does. The
	// pinned version cannot change, so this fails for everybody or nobody.
	bulk, ok := conn.(io.Writer)
	if !ok {
		return nil, errors.New("the OpenFlow library's connection has no Write method")
	}
	return &transport{conn: conn, bulk: bulk, below: below, meter: m}, nil
}

// receive returns the next message: its header and what follows the header.
// The body is the caller's to keep.
func (t *transport) receive() (wire.Header, []byte, error) {
	req, err := t.conn.Receive()
	if err != nil {
		return wire.Header{}, nil, err
	}
	t.meter.Received(int(req.Header.Length))
	h := wire.Header{
		Version: req.Header.Version,
		Type:    wire.Type(req.Header.Type),
		Length:  req.Header.Length,
		XID:     req.Header.Transaction,
	}
	// The library reads the body into a buffer of its own; take it as it is
	// rather than copy up to 64 KiB a message.
	if b, ok := req.Body.(*bytes.Buffer); ok {
		return h, b.Bytes(), nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return h, nil, fmt.Errorf("reading message body: %w", err)
	}
	return h, body, nil
}

// write queues encoded messages behind those before them; flush sends them.
// More than 4 KiB at a time is sent without being copied.
func (t *transport) write(messages []byte) error {
	_, err := t.bulk.Write(messages)
	return err
}

func (t *transport) flush() error { return t.conn.Flush() }
func (t *transport) close() error { return t.conn.Close() }

// received is the number of bytes read so far; it grows also in the middle of
// a message.
func (t *transport) received() uint64 { return t.below.in.Load() }

// deadlineConn gives every Write its own deadline and counts bytes. The
// library cannot do the first: its WriteTimeout is set after the write
// (TestNetrackSetsWriteDeadlineAfterTheWrite).
type deadlineConn struct {
	net.Conn
	timeout time.Duration
	meter   Metrics
	in      atomic.Uint64
}

func (c *deadlineConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.Add(uint64(n))
	return n, err
}

func (c *deadlineConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, fmt.Errorf("setting the write deadline: %w", err)
	}
	n, err := c.Conn.Write(b)
	c.meter.Sent(n)
	return n, err
}
