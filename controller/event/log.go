package event

import (
	"sync"
	"time"
)

// Log keeps the newest events. Writers never wait for readers: a reader that falls behind by more
// than the log's size is told of the gap. Readers see events in the order of their ids.
type Log struct {
	now func() time.Time

	mu   sync.Mutex
	ring []Event
	last uint64        // id of the newest event, 0 if there is none
	more chan struct{} // closed by the next Append
}

// NewLog returns a log that keeps size events and reads the time from now.
func NewLog(size int, now func() time.Time) *Log {
	return &Log{now: now, ring: make([]Event, size), more: make(chan struct{})}
}

// Append adds an event of a host; host is empty if it is nobody's in particular.
func (l *Log) Append(host string, b Body) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.ring[l.last%uint64(len(l.ring))] = Event{ID: l.last, Time: l.now().UTC(), Kind: b.Kind(), Host: host, Body: b}
	close(l.more)
	l.more = make(chan struct{})
}

// Since returns the events after id, oldest first. gap says that some of them are no longer kept, or
// that id is of another process's log. more is closed when there are newer events.
func (l *Log) Since(id uint64) (evs []Event, gap bool, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id > l.last {
		id, gap = 0, true
	}
	if kept := uint64(len(l.ring)); l.last > kept && id < l.last-kept {
		id, gap = l.last-kept, true
	}
	evs = make([]Event, 0, l.last-id)
	for n := id + 1; n <= l.last; n++ {
		evs = append(evs, l.ring[n%uint64(len(l.ring))])
	}
	return evs, gap, l.more
}

// Last returns the id of the newest event, 0 if there is none.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}
