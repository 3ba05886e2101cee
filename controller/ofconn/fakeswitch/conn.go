package fakeswitch

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// conn is the connection of one controller. What belongs to the connection and
// is not the writer's is guarded by Switch.mu.
type conn struct {
	s        *Switch
	c        net.Conn
	role     wire.Role
	async    wire.Async
	bundles  map[uint32]*bundle
	monitors map[uint32]wire.MonitorRequest

	out    outbox
	once   sync.Once
	closed chan struct{}
}

// errHello ends a connection whose controller does not speak our version.
var errHello = errors.New("no version in common with the controller")

func newConn(s *Switch, c net.Conn) *conn {
	k := &conn{
		s: s, c: c, role: wire.RoleEqual,
		// The defaults of OVS for a controller it dials.
		async:    wire.Async{PacketIn: 3, PortStatus: 7, PortStatusSlave: 7, FlowRemoved: 15},
		bundles:  make(map[uint32]*bundle),
		monitors: make(map[uint32]wire.MonitorRequest),
		closed:   make(chan struct{}),
	}
	k.out.cond.L = &k.out.mu
	return k
}

// close ends the connection from any goroutine.
func (k *conn) close() {
	k.once.Do(func() {
		close(k.closed)
		_ = k.c.Close()
		k.out.end()
	})
}

// run reads and acts until the connection ends.
func (k *conn) run() error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer k.close()
	wg.Go(func() {
		if k.out.drain(k.c) != nil {
			k.close()
		}
	})
	if k.s.opts.Mute {
		k.out.hold()
	}
	k.hello()
	r := bufio.NewReader(k.c)
	for n := 0; ; n++ {
		h, body, err := read(r)
		if err != nil {
			select {
			case <-k.closed:
				return nil
			default:
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := k.handle(n, h, body); err != nil {
			k.out.flush()
			return err
		}
	}
}

func read(r io.Reader) (wire.Header, []byte, error) {
	head := make([]byte, wire.HeaderLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return wire.Header{}, nil, err
	}
	h, err := wire.DecodeHeader(head)
	if err != nil {
		return h, nil, err
	}
	body := make([]byte, int(h.Length)-wire.HeaderLen)
	_, err = io.ReadFull(r, body)
	return h, body, err
}

func (k *conn) hello() {
	m := wire.AppendHello(nil, 1, k.s.opts.Versions)
	if k.s.opts.NoBitmap {
		m, _ = wire.AppendMessage(nil, wire.TypeHello, 1, nil)
		for v := range 64 {
			if k.s.opts.Versions>>v&1 != 0 {
				m[0] = byte(v)
			}
		}
	}
	k.send(m)
}

// errFault ends a connection because the Fault asked for it.
var errFault = errors.New("closed by a fault")

// handle lets the fault decide about a message and acts on it.
func (k *conn) handle(n int, h wire.Header, body []byte) error {
	k.s.mu.Lock()
	fault := k.s.fault
	k.s.mu.Unlock()
	var r Reaction
	if fault != nil {
		r = fault(open(n, h, body))
	}
	if r.Delay > 0 {
		timer := time.NewTimer(r.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-k.closed:
			return errFault
		}
	}
	k.send(r.Send)
	switch {
	case r.Stall:
		<-k.closed
		return errFault
	case r.Close:
		return errFault
	case r.Ignore:
		return nil
	case r.Refuse != nil:
		k.refuse(h, body, *r.Refuse)
		return nil
	}
	if r.Half {
		mark := k.out.hold()
		if err := k.act(n, h, body); err != nil {
			return err
		}
		k.out.cut(mark)
		return errFault
	}
	return k.act(n, h, body)
}

// open decodes a message as far as faults look at it.
func open(n int, h wire.Header, body []byte) Message {
	m := Message{N: n, Header: h, Body: body}
	raw := body
	kind := h.Type
	if h.Type == wire.TypeExperimenter {
		x, err := wire.DecodeExperimenter(body)
		if err != nil || x.ID != of.ExperimenterONF {
			return m
		}
		switch x.Type {
		case wire.ONFBundleControl:
			if b, err := wire.DecodeBundleControl(x.Body); err == nil {
				m.Bundle = &b.Control
			}
		case wire.ONFBundleAdd:
			if _, inner, err := wire.DecodeBundleAdd(x.Body); err == nil {
				kind, raw = wire.Type(inner[1]), inner[wire.HeaderLen:]
			}
		}
	}
	if kind == wire.TypeFlowMod {
		if mod, err := wire.DecodeFlowMod(raw); err == nil {
			m.Mod = &mod
		}
	}
	return m
}

// send queues bytes for the controller.
func (k *conn) send(raw []byte) { k.out.put(raw) }

// sendEncoded queues an encoded message; one that cannot be encoded is a bug of
// the test that asked for it.
func (k *conn) sendEncoded(raw []byte, err error) {
	if err != nil {
		panic("fakeswitch: " + err.Error())
	}
	k.send(raw)
}

// refuse answers a message with an error that holds its first 64 bytes.
func (k *conn) refuse(h wire.Header, body []byte, e wire.Error) {
	e.Data = append(wire.AppendHeader(nil, h), body[:min(len(body), 64-wire.HeaderLen)]...)
	k.sendEncoded(wire.AppendErrorMessage(nil, h.XID, e))
}

// wants reports whether the controller asked for a message with this reason.
func (k *conn) wants(master, slave uint32, reason uint8) bool {
	mask := master
	if k.role == wire.RoleSlave {
		mask = slave
	}
	return mask>>reason&1 != 0
}

// outbox is what waits to be written; it grows as needed, so that a switch
// never waits for a controller.
type outbox struct {
	mu    sync.Mutex
	cond  sync.Cond
	buf   []byte
	busy  bool // bytes are being written
	held  bool // nothing may be written for now
	ended bool
}

func (o *outbox) put(raw []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, raw...)
	o.cond.Broadcast()
}

// drain writes until the outbox ends or the connection fails.
func (o *outbox) drain(w io.Writer) error {
	for {
		o.mu.Lock()
		for (len(o.buf) == 0 || o.held) && !o.ended {
			o.cond.Wait()
		}
		buf := o.buf
		o.buf, o.busy = nil, true
		ended := o.ended
		o.mu.Unlock()
		if ended {
			return nil
		}
		_, err := w.Write(buf)
		o.mu.Lock()
		o.busy = false
		o.cond.Broadcast()
		o.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// flush waits until everything is written.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for (len(o.buf) > 0 || o.busy) && !o.ended {
		o.cond.Wait()
	}
}

// hold stops writing after what was put so far and returns where that ends.
func (o *outbox) hold() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = true
	return len(o.buf)
}

// cut drops the second half of what was put since hold, and writes again.
func (o *outbox) cut(mark int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = o.buf[:mark+(len(o.buf)-mark)/2]
	o.held = false
	o.cond.Broadcast()
}

func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.cond.Broadcast()
}
