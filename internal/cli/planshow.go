package cli

import (
	"encoding/json"
	"strings"
)

// printPlan prints what would change: objects, and then everything on every host, as a diff.
func (s *session) printPlan(p object) error {
	if s.format.Name() {
		s.printf("plan/%s\n", p.text("id"))
		return nil
	}
	if !s.format.Table() {
		return s.format.Document(s.out, map[string]any(p))
	}
	s.printChanges(p.objects("changes"))
	for _, h := range p.objects("hosts") {
		s.printf("\n%s\n", s.style.Bold("host "+h.text("host")))
		s.printDiff(h.objects("diff"))
	}
	for _, u := range p.objects("unplanned") {
		s.printf("\n%s %s\n", s.style.Warn("host "+u.text("host")+" is not planned:"), u.text("cause"))
	}
	sum := func(name string) string { return p.text("summary." + name) }
	s.printf("\n%s on revision %s: %s objects; on %s hosts %s to add, %s to change, %s to delete\n", p.text("id"), p.text("rev"),
		sum("objects"), sum("hosts"), sum("add"), sum("change"), sum("delete"))
	if id := p.text("id"); id != "" {
		s.printf("heddle apply --plan-id %s does it, until %s\n", id, p.text("expires"))
	}
	return nil
}

// printChanges prints the objects that change, attribute by attribute.
func (s *session) printChanges(changes []object) {
	for _, c := range changes {
		sign, paint := s.mark(c.text("op"))
		line := sign + " " + c.text("object")
		if name := c.text("name"); name != "" {
			line += " " + name
		}
		s.printf("%s\n", paint(line))
		for _, f := range c.objects("fields") {
			switch c.text("op") {
			case "create":
				s.printf("    %s: %s\n", f.text("field"), s.style.Good(compact(f["after"])))
			case "delete":
				s.printf("    %s: %s\n", f.text("field"), s.style.Bad(compact(f["before"])))
			default:
				s.printf("    %s: %s -> %s\n", f.text("field"), s.style.Bad(compact(f["before"])), s.style.Good(compact(f["after"])))
			}
		}
	}
}

// printDiff prints what changes on a host, by place.
func (s *session) printDiff(diff []object) {
	where := ""
	for _, d := range diff {
		if w := d.text("where"); w != where {
			where = w
			s.printf("  %s\n", where)
		}
		sign, paint := s.mark(d.text("op"))
		if before := d.text("before"); before != "" {
			s.printf("    %s\n", s.style.Bad("- "+before))
			sign, paint = "+", s.style.Good
		}
		s.printf("    %s\n", paint(sign+" "+d.text("text")))
		if says := d.text("says"); says != "" {
			s.printf("      %s\n", s.style.Dim(says))
		}
	}
}

// mark is how an operation is marked, and coloured.
func (s *session) mark(op string) (string, func(string) string) {
	switch op {
	case "create", "add":
		return "+", s.style.Good
	case "delete":
		return "-", s.style.Bad
	}
	return "~", s.style.Warn
}

// compact is a value as JSON, without the quotes of texts that need none.
func compact(v any) string {
	if text, is := v.(string); is && text != "" && !strings.ContainsAny(text, " \"'\n") {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return textOf(v)
	}
	return string(b)
}
