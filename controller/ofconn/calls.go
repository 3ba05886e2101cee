package ofconn

import (
	"fmt"
	"math"
	"sync"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// calls is the table of requests that wait for an answer, by xid. Xids start
// at 1: 0 is what a switch puts on updates that answer no request.
type calls struct {
	mu      sync.Mutex
	last    uint32
	waiting map[uint32]*call
	// spans are ranges of xids whose messages have no answer but an error.
	spans []*span
	err   error // set when the session is over
}

// call is one request that waits. Its parts grow under calls.mu; signal is
// full while there is something its caller has not seen.
type call struct {
	xid    uint32
	want   wire.Type
	inline func(body []byte) error // if set, gets the parts on the reading goroutine
	parts  [][]byte                // bodies of the answer, one each multipart message
	size   int
	whole  bool
	err    error
	signal chan struct{}
}

// span collects the errors that answer messages first to last.
type span struct {
	first, last uint32
	errs        []refusal // the first few
	count       int
}

// refusal is an OFPT_ERROR and the message of a span it answers.
type refusal struct {
	xid uint32
	err wire.Error
}

// maxRefusals bounds what is kept of the errors of one change. More than the
// first is only of use to a person.
const maxRefusals = 16

// take reserves n consecutive xids and returns the first.
func (c *calls) take(n int) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.takeLocked(n)
}

func (c *calls) takeLocked(n int) uint32 {
	// After four billion messages start over, and never hand out 0.
	if uint64(c.last)+uint64(n) > math.MaxUint32 {
		c.last = 0
	}
	first := c.last + 1
	c.last += uint32(n)
	return first
}

// begin registers a request and returns it with its xid. With inline, the
// parts of the answer are not kept for next but given to it, in order with all
// other messages.
func (c *calls) begin(want wire.Type, inline func(body []byte) error) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	p := &call{xid: c.takeLocked(1), want: want, inline: inline, signal: make(chan struct{}, 1)}
	if c.waiting == nil {
		c.waiting = make(map[uint32]*call)
	}
	c.waiting[p.xid] = p
	return p, nil
}

// end forgets a request. An answer that comes later is ignored.
func (c *calls) end(p *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, p.xid)
	p.parts = nil
}

// beginSpan registers n messages that are answered only by errors.
func (c *calls) beginSpan(n int) *span {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.takeLocked(n)
	sp := &span{first: first, last: first + uint32(n) - 1}
	c.spans = append(c.spans, sp)
	return sp
}

func (c *calls) endSpan(sp *span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.spans {
		if other == sp {
			c.spans = append(c.spans[:i], c.spans[i+1:]...)
			return
		}
	}
}

// refused returns what the span has collected.
func (c *calls) refused(sp *span) ([]refusal, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sp.errs, sp.count
}

// next waits for nothing: it returns the parts that came since the last time
// and whether the answer is whole.
func (c *calls) next(p *call) (parts [][]byte, whole bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	parts, p.parts = p.parts, nil
	return parts, p.whole, p.err
}

// answer gives a message to the request with its xid, if there is one. An
// error means that the switch broke the protocol.
func (c *calls) answer(h wire.Header, body []byte, limit int) error {
	c.mu.Lock()
	p := c.waiting[h.XID]
	c.mu.Unlock()
	if p == nil {
		return nil
	}
	if h.Type != p.want {
		return fmt.Errorf("answer to request %d has type %v, want %v", h.XID, h.Type, p.want)
	}
	more := false
	if h.Type == wire.TypeMultipartReply {
		m, err := wire.DecodeMultipart(body)
		if err != nil {
			return err
		}
		more = m.More
	}
	if p.inline != nil {
		if err := p.inline(body); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.inline == nil {
		if p.size += len(body); p.size > limit {
			return fmt.Errorf("answer to request %d exceeds %d bytes", h.XID, limit)
		}
		p.parts = append(p.parts, body)
	}
	if !more {
		c.finishLocked(p, nil)
	} else {
		notify(p.signal)
	}
	return nil
}

// refuse gives an error message to the request it answers and reports whether
// there was one.
func (c *calls) refuse(xid uint32, err wire.Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.waiting[xid]; p != nil {
		c.finishLocked(p, err)
		return true
	}
	for _, sp := range c.spans {
		if xid < sp.first || xid > sp.last {
			continue
		}
		sp.count++
		if len(sp.errs) < maxRefusals {
			sp.errs = append(sp.errs, refusal{xid, err})
		}
		return true
	}
	return false
}

// fail ends every request with err, and those that would begin later.
func (c *calls) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for _, p := range c.waiting {
		c.finishLocked(p, err)
	}
}

func (c *calls) finishLocked(p *call, err error) {
	p.whole, p.err = true, err
	delete(c.waiting, p.xid)
	notify(p.signal)
}

// notify fills a channel of capacity 1.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
