package status

import (
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// NodeMarks are since when a namespace is as it is.
type NodeMarks struct {
	Held     Marks     // which revisions it held since when
	ErrSince time.Time // when its error began; zero without one
}

// Reported returns what is known of an agent after a report, n being what was known before; n may be nil.
func (n *Node) Reported(s spec.NodeStatus, lastRepair uint64, now time.Time) *Node {
	out := &Node{Connected: true, Seen: now, Started: s.Started, Objects: s.Objects, LastRepair: lastRepair, Since: now, Held: make(map[string]NodeMarks, len(s.Objects))}
	var before map[string]NodeMarks
	if n != nil {
		before = n.Held
		if n.Connected {
			out.Since = n.Since
		}
	}
	for name, o := range s.Objects {
		m := before[name]
		m.Held = m.Held.With(o.Rev, now)
		switch {
		case o.Error == "":
			m.ErrSince = time.Time{}
		case m.ErrSince.IsZero():
			m.ErrSince = now
		}
		out.Held[name] = m
	}
	return out
}
