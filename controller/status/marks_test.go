package status_test

import (
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/status"
)

func TestMarksTellSinceWhenARevisionIsHeld(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var m status.Marks
	m = m.With(5, at(10)).With(5, at(11)).With(7, at(20))
	for rev, want := range map[uint64]time.Time{4: at(10), 5: at(10), 6: at(20), 7: at(20), 8: {}} {
		if got := m.Since(rev, at(1)); !got.Equal(want) {
			t.Errorf("revision %d is held since %v, want %v", rev, got, want)
		}
	}
	older := m
	for rev := uint64(8); rev < 500; rev++ {
		m = m.With(rev, at(int(rev)))
	}
	if got := m.Since(5, at(1)); !got.Equal(at(1)) {
		t.Errorf("a revision of before the marks is held since %v, want the object's change", got)
	}
	if got := m.Since(499, at(1)); !got.Equal(at(499)) {
		t.Errorf("the newest revision is held since %v", got)
	}
	if got := older.Since(7, at(1)); !got.Equal(at(20)) {
		t.Errorf("marks that somebody holds were written: %v", got)
	}
}
