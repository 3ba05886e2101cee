package wire_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// client speaks OpenFlow over a unix socket with nothing between it and the codec under test.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	xid  uint32
}

type message struct {
	wire.Header
	body []byte
}

// dial connects to a bridge and exchanges hellos.
func dial(t *testing.T, socket string) *client {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, r: bufio.NewReader(conn), xid: 1}
	c.write(wire.AppendHello(nil, c.xid, 1<<wire.Version))
	hello := c.read()
	if hello.Type != wire.TypeHello {
		t.Fatalf("first message is %s, want HELLO", hello.Type)
	}
	if v := wire.DecodeHello(hello.body).Versions; v&(1<<wire.Version) == 0 {
		t.Fatalf("versions %#x do not hold 1.3", v)
	}
	return c
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() message {
	c.t.Helper()
	m, err := readMessage(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func readMessage(r io.Reader) (message, error) {
	var head [wire.HeaderLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, err
	}
	h, err := wire.DecodeHeader(head[:])
	if err != nil {
		return message{}, err
	}
	m := message{Header: h, body: make([]byte, h.Length-wire.HeaderLen)}
	_, err = io.ReadFull(r, m.body)
	return m, err
}

// next is a fresh xid.
func (c *client) next() uint32 { c.xid++; return c.xid }

// barrier waits until the switch has done all that was sent, and gives the errors it answered.
func (c *client) barrier() error {
	c.t.Helper()
	xid := c.next()
	c.write(wire.AppendBarrierRequest(nil, xid))
	var errs []error
	for {
		m := c.read()
		switch {
		case m.Type == wire.TypeError:
			e, err := wire.DecodeErrorMessage(m.body)
			if err != nil {
				c.t.Fatal(err)
			}
			errs = append(errs, fmt.Errorf("xid %d: %w", m.XID, e))
		case m.Type == wire.TypeBarrierReply && m.XID == xid:
			return errors.Join(errs...)
		case m.Type == wire.TypeEchoRequest:
			c.write(must(wire.AppendEchoReply(nil, m.XID, m.body)))
		}
	}
}

// ask sends a request and gives the first answer to it.
func (c *client) ask(xid uint32, request []byte) message {
	c.t.Helper()
	c.write(request)
	for {
		if m := c.read(); m.XID == xid {
			return m
		}
	}
}

// multipart sends a multipart request and gives the body of its answer, however many messages that takes.
func (c *client) multipart(xid uint32, request []byte) []byte {
	c.t.Helper()
	m := c.ask(xid, request)
	var body []byte
	for {
		if m.Type != wire.TypeMultipartReply {
			c.t.Fatalf("answer is %s %x, want MULTIPART_REPLY", m.Type, m.body)
		}
		part, err := wire.DecodeMultipart(m.body)
		if err != nil {
			c.t.Fatal(err)
		}
		body = append(body, part.Body...)
		if !part.More {
			return body
		}
		m = c.read()
	}
}

// flows dumps all flows.
func (c *client) flows() []wire.FlowStat {
	c.t.Helper()
	xid := c.next()
	body := c.multipart(xid, must(wire.AppendFlowStatsRequest(nil, xid, wire.FlowStatsRequest{Table: of.TableAll})))
	stats, err := wire.AppendFlowStats(nil, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return stats
}

// must is for encoders whose input is fixed in the test.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
