package interp

import (
	"fmt"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
)

// String is the trace as text, in the manner of ofproto/trace: each look-up with the flow that took the packet, below
// it the flow's actions, below those what they led to.
func (t *Trace) String() string {
	w := traceWriter{}
	w.line(0, "Flow: %s", t.Packet)
	if len(t.Steps) > 0 {
		w.line(0, "")
		w.bridge(0, t.Steps[0].Bridge)
	}
	w.steps(0, t.Steps)
	w.line(0, "")
	w.line(0, "Final flow: %s", t.Final)
	w.b.WriteString("Outputs:")
	for _, o := range t.Outputs() {
		fmt.Fprintf(&w.b, " %s:%s", o.Bridge.name, o.Bridge.label(o.Port))
	}
	w.b.WriteByte('\n')
	return w.b.String()
}

func (b *Bridge) label(no of.PortNo) string {
	if p := b.ports[no]; p != nil {
		return p.label()
	}
	return no.String()
}

type traceWriter struct{ b strings.Builder }

func (w *traceWriter) line(depth int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		w.b.WriteString(strings.Repeat(" ", 4*depth))
	}
	w.b.WriteString(text + "\n")
}

func (w *traceWriter) bridge(depth int, b *Bridge) {
	title := fmt.Sprintf("bridge(%q)", b.name)
	w.line(depth, "%s", title)
	w.line(depth, "%s", strings.Repeat("-", len(title)))
}

func (w *traceWriter) steps(depth int, steps []*Step) {
	for _, s := range steps {
		w.step(depth, s)
	}
}

func (w *traceWriter) step(depth int, s *Step) {
	below := depth + 1
	switch s.Kind {
	case KindTable:
		w.line(depth, "%2d. %s", s.Table, flowLine(s.Flow))
		if s.Rival != nil {
			w.line(below, " >> or, for it has the same priority: %s", flowLine(s.Rival))
		}
	case KindAction:
		w.line(depth, "%s", s.Action)
	case KindOutput:
		w.line(depth, " -> leaves by port %s: %s", s.Bridge.label(s.Port), s.Packet)
	case KindBucket:
		w.line(depth, "bucket %d", s.Bucket)
	case KindSet:
		w.line(depth, "--. Executing action set:")
	case KindBridge:
		w.line(0, "")
		w.bridge(depth, s.Bridge)
		below = depth
	case KindTracked:
		w.line(depth, " -> a copy comes back from the connection tracker: %s", s.Packet)
	case KindDrop:
		w.line(depth, " >> %s", strings.TrimSuffix(s.Reason.String()+": "+s.Note, ": "))
	case KindNote:
		w.line(depth, " -> %s", s.Note)
	}
	w.steps(below, s.Steps)
}

// flowLine is a flow as ofproto/trace names it: without its actions.
func flowLine(f *of.Flow) string {
	if f == nil {
		return "No match."
	}
	parts := []string{f.Match.String(), fmt.Sprintf("priority %d", f.Priority)}
	if parts[0] == "" {
		parts = parts[1:]
	}
	if f.Cookie != 0 {
		parts = append(parts, "cookie "+f.Cookie.String())
	}
	return strings.Join(parts, ", ")
}
