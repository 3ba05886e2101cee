package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

// The parts of a namespace, by the names that agents give them, that DHCP and address translation need.
var (
	dhcpParts = []string{"kernel", "ports", "dhcp"}
	natParts  = []string{"kernel", "ports", "nft"}
)

// stillThere returns the condition that a namespace holds a revision, of one that did and fails now: its
// agent cannot put right what has become of it. Of all parts of the namespace only some matter, nil for
// all.
func (v View) stillThere(c Condition, namespace string, parts []string) Condition {
	node := v[c.Host].Node
	if !c.OK || node == nil {
		return c
	}
	is := node.Objects[namespace]
	var why []string
	for _, part := range slices.Sorted(maps.Keys(is.Errors)) {
		if parts == nil || slices.Contains(parts, part) {
			why = append(why, part+": "+is.Errors[part])
		}
	}
	if len(why) > 0 {
		c.OK, c.Reason, c.Since = false, ServiceFailed, node.Held[namespace].ErrSince
		c.Msg = fmt.Sprintf("%s on host %s is no longer as wanted, and its agent cannot put it right: %s", namespace, c.Host, strings.Join(why, "; "))
	}
	return c
}
