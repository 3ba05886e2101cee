package event

import (
	"sync"
	"testing"
	"time"
)

func newTestLog(size int) *Log {
	return NewLog(size, func() time.Time { return time.Unix(1700000000, 0) })
}

func TestSinceReturnsWhatCameAfter(t *testing.T) {
	l := newTestLog(4)
	for range 3 {
		l.Append("h1", HostDown{Cause: "cut"})
	}
	evs, gap, _ := l.Since(1)
	if gap || len(evs) != 2 || evs[0].ID != 2 || evs[1].ID != 3 || evs[0].Kind != "host_down" {
		t.Errorf("Since(1) = %+v, gap %v", evs, gap)
	}
}

func TestSinceTellsOfAGap(t *testing.T) {
	for name, c := range map[string]struct {
		events int
		since  uint64
		first  uint64
		gap    bool
	}{
		"nothing_lost":            {events: 4, since: 0, first: 1, gap: false},
		"overwritten":             {events: 9, since: 2, first: 6, gap: true},
		"oldest_kept_is_no_gap":   {events: 9, since: 5, first: 6, gap: false},
		"id_of_an_earlier_server": {events: 2, since: 900, first: 1, gap: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLog(4)
			for range c.events {
				l.Append("", HostDown{})
			}
			evs, gap, _ := l.Since(c.since)
			if gap != c.gap || len(evs) == 0 || evs[0].ID != c.first {
				t.Errorf("first %+v gap %v, want first %d gap %v", evs, gap, c.first, c.gap)
			}
		})
	}
}

func TestReaderSeesEveryEventInOrderWhileWritersAppend(t *testing.T) {
	const writers, each = 4, 200
	l := newTestLog(writers * each)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				l.Append("h", HostDown{})
			}
		})
	}
	var last uint64
	for last < writers*each {
		evs, gap, more := l.Since(last)
		if gap {
			t.Fatal("gap in a log that holds everything")
		}
		for _, e := range evs {
			if e.ID != last+1 {
				t.Fatalf("event %d after %d", e.ID, last)
			}
			last = e.ID
		}
		if len(evs) == 0 {
			<-more
		}
	}
	wg.Wait()
}
