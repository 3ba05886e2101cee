package status

import "time"

// Marks are when a target came to hold which revisions: the newest of them, oldest first. A value is never
// written again; [Marks.With] makes the next.
type Marks []Mark

// Mark says that a target held a revision, and none newer, from a time on.
type Mark struct {
	Rev uint64
	At  time.Time
}

// maxMarks is how many revisions are remembered of a target. Objects that changed before take the time of
// their change.
const maxMarks = 64

// With returns the marks with a revision that is held now; those of before if it was held already.
func (m Marks) With(rev uint64, now time.Time) Marks {
	if n := len(m); n > 0 && m[n-1].Rev == rev {
		return m
	}
	// Appending writes behind what others hold, or copies.
	m = append(m, Mark{rev, now})
	return m[max(0, len(m)-maxMarks):]
}

// Since returns from when on a revision has been held; of one that was held before the oldest mark it is
// asked the object's change, which was held a moment later.
func (m Marks) Since(rev uint64, changed time.Time) time.Time {
	for i, mark := range m {
		if mark.Rev >= rev {
			if i == 0 && len(m) == maxMarks {
				return changed
			}
			return mark.At
		}
	}
	return time.Time{}
}
