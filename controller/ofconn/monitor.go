package ofconn

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Monitor selects the flows that [Session.Watch] tells about.
type Monitor struct {
	Table of.TableID // of.TableAll for every table
	Match of.Match   // only flows that this covers; empty for all
	// Own tells also of changes that this session makes itself. Without it those
	// come as wire.MonitorAbbrev, with nothing but the xid of the message.
	Own bool
}

// watch is a Monitor that the switch has accepted.
type watch struct {
	table of.TableID
	each  func(wire.MonitorUpdate)
}

// watches are the monitors of a session, in the order in which they began.
type watches struct {
	mu   sync.Mutex
	list []*watch
	last uint32 // id of the last monitor
}

// Watch has the switch tell of flows: first, before Watch returns, one
// wire.MonitorAdded for each that is there, then every change as it happens,
// until the session ends. Events come in order, on the reading goroutine; each
// must return soon and must not call a method of the session that waits for an
// answer. If events come faster than they are handled the switch holds them
// back and tells the sum later, so none is lost.
//
// The updates that a switch sends name no monitor: if several monitors of a
// session overlap, each gets all updates of its table.
//
// The error is ErrNoMonitor if the switch has no flow monitor for OpenFlow 1.3
// (ONF extension 187). Watch waits for the first answer only as long as ctx
// lasts; the watch itself outlives it.
func (s *Session) Watch(ctx context.Context, m Monitor, each func(wire.MonitorUpdate)) error {
	w := &watch{table: m.Table, each: each}
	flags := wire.MonitorInitial | wire.MonitorAdd | wire.MonitorDelete | wire.MonitorModify | wire.MonitorActions
	if m.Own {
		flags |= wire.MonitorOwn
	}
	p, err := s.calls.begin(wire.TypeMultipartReply, func(body []byte) error {
		// Updates with xid 0 may follow the first part of the answer directly.
		s.watches.add(w)
		updates, err := monitorUpdates(body)
		for _, u := range updates {
			each(u)
		}
		return err
	})
	if err != nil {
		return err
	}
	defer s.calls.end(p)
	message, err := wire.AppendMonitorRequest(nil, p.xid, wire.MonitorRequest{
		ID: s.watches.id(), Flags: flags, Table: m.Table, Match: m.Match,
	})
	if err != nil {
		return fmt.Errorf("starting a flow monitor: %w", err)
	}
	if err = s.send(ctx, batch{bytes: message}); err == nil {
		err = s.await(ctx, p, nil) // the parts go to the function above
	}
	if err == nil {
		return nil
	}
	s.watches.remove(w)
	var refused wire.Error
	if errors.As(err, &refused) && noSuchRequest(refused) {
		return fmt.Errorf("%w: %w", ErrNoMonitor, err)
	}
	return fmt.Errorf("starting a flow monitor: %w", err)
}

// noSuchRequest reports whether a switch does not know the kind of request at
// all: BAD_MULTIPART, BAD_EXPERIMENTER or BAD_EXPERIMENTER_TYPE (OpenFlow
// 1.3.5 §7.4.4), or OVS's own forms of them.
func noSuchRequest(e wire.Error) bool {
	return e.Type == wire.ErrBadRequest || e.Type == wire.ErrExperimenter
}

// handleUpdates gives flow monitor updates to the watches of their tables.
func (s *Session) handleUpdates(body []byte) error {
	updates, err := monitorUpdates(body)
	list := s.watches.all()
	for _, u := range updates {
		for _, w := range list {
			if w.table == of.TableAll || w.table == u.Table || u.Event == wire.MonitorAbbrev {
				w.each(u)
			}
		}
	}
	return err
}

// monitorUpdates decodes a multipart reply with flow monitor updates. One of
// another kind holds none.
func monitorUpdates(body []byte) ([]wire.MonitorUpdate, error) {
	m, err := wire.DecodeMultipart(body)
	if err != nil {
		return nil, err
	}
	raw, ok := wire.IsMonitorReply(m)
	if !ok {
		return nil, nil
	}
	return wire.AppendMonitorUpdates(nil, raw)
}

func (w *watches) id() uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	return w.last
}

// add begins a watch, if it has not begun. The list is replaced and never
// changed, so all may be used without the lock.
func (w *watches) add(one *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range w.list {
		if other == one {
			return
		}
	}
	w.list = append(w.list[:len(w.list):len(w.list)], one)
}

func (w *watches) remove(one *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rest []*watch
	for _, other := range w.list {
		if other != one {
			rest = append(rest, other)
		}
	}
	w.list = rest
}

func (w *watches) all() []*watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list
}
