package ofconn

import (
	"context"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// batchSize is how many bytes of encoded messages go into one write. A bit
// less than the largest message, so that a batch with one more message in it
// never has to grow far.
const batchSize = 64 << 10

// batches recycles the buffers of large changes. A change that fits in less
// gets a buffer of its own size: a thousand sessions must not hold 64 KiB each.
var batches = sync.Pool{New: func() any {
	b := make([]byte, 0, batchSize+batchSize/8)
	return &b
}}

// batch is encoded whole messages on their way to the switch.
type batch struct {
	bytes  []byte
	pooled *[]byte // where bytes came from, or nil
}

// newBatch returns an empty batch for about size bytes.
func newBatch(size int) batch {
	if size < batchSize/2 {
		return batch{bytes: make([]byte, 0, size)}
	}
	pooled := batches.Get().(*[]byte)
	return batch{bytes: (*pooled)[:0], pooled: pooled}
}

// free gives the buffer back.
func (b batch) free() {
	if b.pooled != nil {
		*b.pooled = b.bytes[:0]
		batches.Put(b.pooled)
	}
}

// queueLen is how many batches may wait for the writing goroutine. Two keep it
// busy while the next is encoded; more would only hide a slow switch.
const queueLen = 2

// answerLen is how many answers to echo requests may wait. A switch that asks
// faster than it reads gets no answer to the rest: nothing we hold for it may
// grow without bound, and the reading goroutine must not wait for the writing one.
const answerLen = 16

// send queues encoded messages and waits while the queue is full.
func (s *Session) send(ctx context.Context, b batch) error {
	select {
	case s.out <- b:
		return nil
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendUrgent queues a small message ahead of others, or drops it.
func (s *Session) sendUrgent(message []byte) {
	select {
	case s.urgent <- message:
	default:
		s.logger().Debug("answer dropped: the switch does not read")
	}
}

// writeLoop writes what is queued until the session ends, and asks the switch
// for a sign of life when it has been quiet. It flushes when nothing waits, so
// that small messages that come together leave together.
func (s *Session) writeLoop() {
	alive := newPulse(s.cfg.EchoInterval, s.cfg.DeadAfter)
	ticker := time.NewTicker(alive.interval)
	defer ticker.Stop()
	for {
		var err error
		select {
		case m := <-s.urgent:
			err = s.t.write(m)
		default:
			select {
			case <-s.done:
				return
			case m := <-s.urgent:
				err = s.t.write(m)
			case b := <-s.out:
				err = s.t.write(b.bytes)
				if len(b.bytes) >= batchSize {
					// A switch that takes large batches is alive although it
					// answers nothing until the last of them.
					alive.beat()
				}
				b.free()
			case <-ticker.C:
				switch alive.tick(s.t.received()) {
				case pulseAsk:
					err = s.t.write(wire.AppendHeader(nil, wire.Header{
						Version: wire.Version, Type: wire.TypeEchoRequest, Length: wire.HeaderLen, XID: s.calls.take(1),
					}))
				case pulseDead:
					s.fail(ErrDead)
					return
				}
			}
		}
		if err == nil && len(s.urgent) == 0 && len(s.out) == 0 {
			err = s.t.flush()
		}
		if err != nil {
			s.fail(writeError(err))
			return
		}
	}
}

// pulse decides when to ask for a sign of life and when to give up. It counts
// in ticks, so it needs no clock.
type pulse struct {
	interval time.Duration
	ask      int // quiet ticks after which to ask, and again after each further
	dead     int // quiet ticks after which to give up
	quiet    int
	seen     uint64
}

type verdict int

const (
	pulseFine verdict = iota
	pulseAsk
	pulseDead
)

// newPulse ticks often enough that a switch is given up at most a third later
// than deadAfter.
func newPulse(echo, deadAfter time.Duration) *pulse {
	interval := max(min(echo, deadAfter/3), time.Millisecond)
	return &pulse{
		interval: interval,
		ask:      max(1, int(echo/interval)),
		dead:     max(2, int((deadAfter+interval-1)/interval)),
	}
}

// tick is called once an interval with the number of bytes received so far.
func (p *pulse) tick(received uint64) verdict {
	if received != p.seen {
		p.seen, p.quiet = received, 0
		return pulseFine
	}
	p.quiet++
	switch {
	case p.quiet >= p.dead:
		return pulseDead
	case p.quiet >= p.ask:
		return pulseAsk
	}
	return pulseFine
}

// beat is a sign of life that is not a received byte.
func (p *pulse) beat() { p.quiet = 0 }
