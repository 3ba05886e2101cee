package native

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/northbound/httpd"
)

// newEpoch is what the ids of events start behind: the time at which the server started, in
// microseconds. The log counts from 1 in every process; with the epoch added, ids ascend over restarts
// as well (a process has fewer than a million events a second), so that a client that comes back with
// an id of an earlier process is told of the gap instead of being given the wrong events. They stay
// below 2^53, what JavaScript counts exactly, for some centuries.
func newEpoch(started time.Time) uint64 { return uint64(max(started.UnixMicro(), 0)) }

// eventID is the id that clients see of an event of the log; 0 stays 0: before the first.
func (s *server) eventID(logged uint64) uint64 {
	if logged == 0 {
		return 0
	}
	return s.epoch + logged
}

// since returns the events after the id that a client saw last.
func (s *server) since(seen uint64) (evs []event.Event, gap bool, more <-chan struct{}) {
	var logged uint64
	earlier := seen != 0 && seen <= s.epoch // of an earlier process
	if seen > s.epoch {
		logged = seen - s.epoch
	}
	evs, gap, more = s.Events.Since(logged)
	for i := range evs {
		evs[i].ID = s.eventID(evs[i].ID)
	}
	return evs, gap || earlier, more
}

// latest as ?after= skips everything that has happened.
const latest = "latest"

// events answers with a list, or follows the log if the client accepts a stream.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "after", "limit")
	if err != nil {
		return err
	}
	if r.Method == http.MethodGet && wantsStream(r) {
		return s.followEvents(w, r, q)
	}
	limit, err := q.number("limit", defaultEvents)
	if err != nil {
		return err
	}
	if limit == 0 || limit > maxEvents {
		return badRequest("query: limit is %d, which is not within 1 to %d", limit, maxEvents)
	}
	after, err := s.after(q, "")
	if err != nil {
		return err
	}
	evs, gap, _ := s.since(after)
	if n := uint64(len(evs)); n > limit {
		if q.has("after") {
			evs = evs[:limit]
		} else {
			evs = evs[n-limit:] // the newest
		}
	}
	last := after
	switch {
	case len(evs) > 0:
		last = evs[len(evs)-1].ID
	case gap:
		last = 0 // the log is empty
	}
	return writeJSON(w, http.StatusOK, map[string]any{"events": evs, "gap": gap && after != 0, "last": last})
}

const (
	defaultEvents = 100
	maxEvents     = 10000
)

// wantsStream reports whether the client accepts text/event-stream (WHATWG HTML §9.2).
func wantsStream(r *http.Request) bool {
	for _, v := range r.Header.Values("Accept") {
		for kind := range strings.SplitSeq(v, ",") {
			if kind, _, _ = strings.Cut(kind, ";"); strings.EqualFold(strings.TrimSpace(kind), "text/event-stream") {
				return true
			}
		}
	}
	return false
}

// after returns the id that the client saw last. A browser that comes back repeats the query of its
// first request, so its Last-Event-ID wins.
func (s *server) after(q query, lastEventID string) (uint64, error) {
	if lastEventID != "" {
		id, err := strconv.ParseUint(lastEventID, 10, 64)
		if err != nil {
			return 0, badRequest("Last-Event-ID: %q is not the id of an event", lastEventID)
		}
		return id, nil
	}
	if q.text("after") == latest {
		return s.eventID(s.Events.Last()), nil
	}
	return q.number("after", 0)
}

// followEvents streams the log as server-sent events until the client goes, the server stops, or the
// client does not take what it asked for.
func (s *server) followEvents(w http.ResponseWriter, r *http.Request, q query) error {
	if q.has("limit") {
		return badRequest("query: a stream of events has no limit")
	}
	after, err := s.after(q, r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		return &apiError{http.StatusServiceUnavailable, "TooManyStreams",
			"too many clients follow events at the moment; without Accept: text/event-stream the answer is a list"}
	}
	httpd.ExchangeOf(r.Context()).Stream = true
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would wait for more
	w.WriteHeader(http.StatusOK)
	c := &follower{s: s, out: newStream(w, s.StreamTimeout), after: after, fresh: after == 0}
	defer c.out.close()
	c.follow(r.Context().Done(), httpd.Draining(r.Context()))
	return nil
}

// follower is a client that follows events.
type follower struct {
	s     *server
	out   *stream
	after uint64 // id of the event sent last
	fresh bool   // it has seen nothing yet: what is no longer kept is no gap for it
}

// follow sends events until gone or stopping is closed or the client takes nothing for too long: then
// the write fails, net/http closes the connection, and the client may come back and go on where it
// was. What it did not read by then is lost to nobody: the log keeps it, or tells of the gap.
func (c *follower) follow(gone, stopping <-chan struct{}) {
	beat := time.NewTicker(c.s.Heartbeat)
	defer beat.Stop()
	c.out.buf = append(c.out.buf, "retry: 1000\n\n"...)
	for {
		evs, gap, more := c.s.since(c.after)
		if !c.send(evs, gap && !c.fresh) {
			return
		}
		c.fresh = false
		select {
		case <-gone:
			return
		case <-stopping:
			return
		case <-beat.C:
			c.out.buf = append(c.out.buf, ": heartbeat\n\n"...)
		case <-more:
		}
	}
}

// send writes events, in parts of about flushAt bytes; it reports whether the client took them.
func (c *follower) send(evs []event.Event, gap bool) bool {
	if gap {
		c.out.buf = appendGap(c.out.buf, c.after, evs)
		c.after = 0 // the log is empty, or what follows says where the client is
	}
	for _, e := range evs {
		c.out.buf = appendEvent(c.out.buf, e)
		c.after = e.ID
		if !c.out.flush(flushAt) {
			return false
		}
	}
	return c.out.flush(1)
}

// appendEvent appends an event in the form of WHATWG HTML §9.2.6.
func appendEvent(b []byte, e event.Event) []byte {
	data, err := marshal(e)
	if err != nil {
		data = []byte("{}") // bodies are plain values; the id still moves on
	}
	b = strconv.AppendUint(append(b, "id: "...), e.ID, 10)
	b = append(append(b, "\nevent: "...), e.Kind...)
	return append(append(append(b, "\ndata: "...), data...), "\n\n"...)
}

// appendGap appends the event that says that others were lost: the client has to read the state anew.
// It has no id, so that a client that comes back does not skip what follows it.
func appendGap(b []byte, after uint64, evs []event.Event) []byte {
	b = strconv.AppendUint(append(b, "event: gap\ndata: {\"after\":"...), after, 10)
	if len(evs) > 0 {
		b = strconv.AppendUint(append(b, `,"before":`...), evs[0].ID, 10)
	}
	return append(b, "}\n\n"...)
}
