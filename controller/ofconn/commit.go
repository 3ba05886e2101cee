package ofconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Flow is a packed flow: what [wire.Pack] gives.
type Flow struct {
	Key   of.Key
	Entry wire.Entry
}

// Purge deletes every flow that Match covers, in Table or in all with
// of.TableAll, whose cookie equals Cookie in the bits of CookieMask. It is for
// flows that the switch made itself, such as learned ones, whose keys are not known.
type Purge struct {
	Table              of.TableID
	Match              of.Match
	Cookie, CookieMask of.Cookie
}

// Change is what [Session.Commit] does to the flows of a switch, in this order:
// purges, deletes, adds. A flow whose key is there already is replaced and
// keeps its counters.
type Change struct {
	Purge  []Purge
	Delete []of.Key
	Add    []Flow
}

// Len is the number of messages the change takes.
func (c *Change) Len() int { return len(c.Purge) + len(c.Delete) + len(c.Add) }

// append appends message i of the change.
func (c *Change) append(dst []byte, xid uint32, i int) ([]byte, error) {
	if i < len(c.Purge) {
		p := &c.Purge[i]
		return wire.AppendFlowMod(dst, xid, &wire.FlowMod{
			Command: wire.Delete, Flow: of.Flow{Table: p.Table, Match: p.Match, Cookie: p.Cookie}, CookieMask: p.CookieMask,
		})
	}
	if i -= len(c.Purge); i < len(c.Delete) {
		return wire.AppendEntryMod(dst, xid, wire.DeleteStrict, c.Delete[i], wire.Entry{})
	}
	f := &c.Add[i-len(c.Delete)]
	return wire.AppendEntryMod(dst, xid, wire.Add, f.Key, f.Entry)
}

// size is a guess at the bytes of all messages, never far too low.
func (c *Change) size() int {
	const fixed = wire.HeaderLen + bundleHead + 40 + 8 + 8 // message, flow mod, match, padding
	n := fixed*c.Len() + 64*len(c.Purge)
	for i := range c.Delete {
		n += len(c.Delete[i].Match)
	}
	for i := range c.Add {
		n += len(c.Add[i].Key.Match) + len(c.Add[i].Entry.Instructions)
	}
	return n
}

// bundleHead is the length of a bundle-add message before the message in it.
const bundleHead = 24

// Bundles are atomic, so that no packet sees half a change, and ordered.
const bundleFlags = wire.BundleAtomic | wire.BundleOrdered

// Commit does a change as one atomic bundle (ONF extension 230): all of it or
// nothing. When it returns nil the switch has done and confirmed it. If the
// switch refused a part, the error is a *RefusedError and the flows are those
// of before. After any other error, and after ctx ended, it is not known
// whether the change was done; the flows must be read again.
//
// One change of a session is done at a time; further calls wait.
func (s *Session) Commit(ctx context.Context, c Change) error {
	if c.Len() == 0 {
		return nil
	}
	if err := s.lockChange(ctx); err != nil {
		return fmt.Errorf("waiting for the change before: %w", err)
	}
	defer s.unlockChange()
	s.bundle++
	err := s.commit(ctx, &c, s.bundle)
	var refused *RefusedError
	if err != nil && !errors.As(err, &refused) {
		return fmt.Errorf("bundle of %d changes: %w", c.Len(), err)
	}
	return err
}

// commit takes a bundle through its life:
//
//	open, mods, barrier   sent in one go; the barrier's reply says that every
//	                      error about them has come. A mod that is refused here
//	                      would not fail the commit: the rest would go in. So
//	                      any error → discard.
//	commit, barrier       done at once, all or nothing; refused with an error on
//	                      the mod that is to blame and one on the commit. Sent
//	                      in one go: after a large commit it takes OVS a while
//	                      to look for the next message
func (s *Session) commit(ctx context.Context, c *Change, id uint32) error {
	// The open message counts as the first of the span.
	sp := s.calls.beginSpan(1 + c.Len())
	defer s.calls.endSpan(sp)
	if err := s.sendBundle(ctx, c, id, sp.first); err != nil {
		s.discard(ctx, id)
		return err
	}
	if err := s.Barrier(ctx); err != nil {
		s.discard(ctx, id)
		return err
	}
	if err := s.refused(c, sp); err != nil {
		s.discard(ctx, id)
		return err
	}
	if err := s.control(ctx, id, wire.BundleCommit); err != nil {
		var e wire.Error
		if !errors.As(err, &e) {
			return err
		}
		if refused := s.refused(c, sp); refused != nil {
			return refused
		}
		return &RefusedError{Count: c.Len(), Err: e}
	}
	return nil
}

// sendBundle encodes and queues open and mods, one batch at a time. The first
// message has xid first, the others follow.
func (s *Session) sendBundle(ctx context.Context, c *Change, id, first uint32) error {
	b := newBatch(c.size() + bundleHead)
	b.bytes = wire.AppendBundleControl(b.bytes, first, wire.Bundle{ID: id, Control: wire.BundleOpen, Flags: bundleFlags})
	for i := range c.Len() {
		xid := first + 1 + uint32(i)
		start := len(b.bytes)
		b.bytes = wire.BeginBundleAdd(b.bytes, xid, id, bundleFlags)
		var err error
		if b.bytes, err = c.append(b.bytes, xid, i); err == nil {
			b.bytes, err = wire.EndBundleAdd(b.bytes, start)
		}
		if err != nil {
			b.free()
			return fmt.Errorf("encoding %v: %w", c.name(i), err)
		}
		if len(b.bytes) >= batchSize {
			if err := s.send(ctx, b); err != nil {
				return err
			}
			b = newBatch(batchSize)
		}
	}
	return s.send(ctx, b)
}

// name says what message i of the change is, for people.
func (c *Change) name(i int) string {
	switch {
	case i < len(c.Purge):
		return fmt.Sprintf("purge of table %d, %v", c.Purge[i].Table, c.Purge[i].Match)
	case i < len(c.Purge)+len(c.Delete):
		return fmt.Sprintf("delete of %q", c.flow(i))
	}
	return fmt.Sprintf("flow %q", c.flow(i))
}

// flow is the flow that message i adds or deletes; zero for a purge, or if it
// cannot be decoded.
func (c *Change) flow(i int) of.Flow {
	var f Flow
	switch i -= len(c.Purge); {
	case i < 0:
		return of.Flow{}
	case i < len(c.Delete):
		f.Key = c.Delete[i]
	default:
		f = c.Add[i-len(c.Delete)]
	}
	flow, err := wire.Unpack(f.Key, f.Entry)
	if err != nil {
		return of.Flow{}
	}
	return flow
}

// refused returns a *RefusedError if messages of the span were refused.
func (s *Session) refused(c *Change, sp *span) error {
	errs, n := s.calls.refused(sp)
	if n == 0 {
		return nil
	}
	out := &RefusedError{Count: n, Err: errs[0].err}
	// Index 0 is the open message. If that was refused, so was the rest.
	if i := int(errs[0].xid-sp.first) - 1; i >= len(c.Purge) {
		out.Known, out.Flow = true, c.flow(i)
	}
	return out
}

// control sends a bundle control message with a barrier behind it, and waits
// until both are confirmed.
func (s *Session) control(ctx context.Context, id uint32, step wire.BundleControl) error {
	done, err := s.calls.begin(wire.TypeExperimenter, nil)
	if err != nil {
		return err
	}
	defer s.calls.end(done)
	barrier, err := s.calls.begin(wire.TypeBarrierReply, nil)
	if err != nil {
		return err
	}
	defer s.calls.end(barrier)
	messages := wire.AppendBundleControl(nil, done.xid, wire.Bundle{ID: id, Control: step, Flags: bundleFlags})
	messages = wire.AppendBarrierRequest(messages, barrier.xid)
	if err := s.send(ctx, batch{bytes: messages}); err != nil {
		return err
	}
	if err := s.await(ctx, done, func(body []byte) error { return s.confirmed(body, id, step) }); err != nil {
		return err
	}
	return s.await(ctx, barrier, func([]byte) error { return nil })
}

// confirmed checks the answer to a bundle control message.
func (s *Session) confirmed(body []byte, id uint32, step wire.BundleControl) error {
	x, err := wire.DecodeExperimenter(body)
	if err != nil {
		return s.broken(wire.TypeExperimenter, body, err)
	}
	got, err := wire.DecodeBundleControl(x.Body)
	if err != nil {
		return s.broken(wire.TypeExperimenter, body, err)
	}
	if x.ID != of.ExperimenterONF || x.Type != wire.ONFBundleControl || got.ID != id || got.Control != step+1 {
		return s.broken(wire.TypeExperimenter, body, fmt.Errorf("bundle %d: step %d answered with step %d of bundle %d", id, step, got.Control, got.ID))
	}
	return nil
}

// discardWait is how long Commit waits for a bundle to be dropped. A switch
// that is slower drops it at the latest when the session ends, and OVS after
// some seconds by itself.
const discardWait = time.Second

// discard drops a bundle that will not be committed, also after ctx has ended.
// Whether that succeeds changes nothing for the caller: no flow was touched.
func (s *Session) discard(ctx context.Context, id uint32) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardWait)
	defer cancel()
	if err := s.control(ctx, id, wire.BundleDiscard); err != nil {
		s.logger().WithError(err).Debug("bundle not discarded")
	}
}
