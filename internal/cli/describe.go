package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli/client"
	"github.com/heddle-sdn/heddle/internal/cli/output"
)

// describedEvents is how many recent events describe looks through, and shownEvents how many it shows.
const (
	describedEvents = "1000"
	shownEvents     = 10
)

func (p *Program) describeCommand() *cobra.Command {
	o := &options{}
	cmd := p.command(&cobra.Command{
		Use:   "describe KIND NAME… | KIND/NAME…",
		Short: "Show all there is to know of objects: conditions, effects on hosts, events",
		Long: `Show all there is to know of objects: their attributes, the chain of conditions with what does not
hold and why, everything that they cause on every host, their last change, and recent events.`,
		Example:           "  heddle describe port web\n  heddle describe host cmp1\n  heddle describe router/edge -o json",
		ValidArgsFunction: p.completeObjects(nil),
	}, o, func(ctx context.Context, s *session, args []string) error {
		all, err := selections(args)
		if err != nil {
			return err
		}
		shown := 0
		for _, x := range all {
			if len(x.words) == 0 {
				return usagef("which %s to describe is missing; heddle get %s lists them", x.resource.name, x.resource.plural)
			}
			for _, word := range x.words {
				if shown > 0 && s.format.Table() {
					s.printf("\n")
				}
				if err := s.describe(ctx, x.resource, word); err != nil {
					return err
				}
				shown++
			}
		}
		return nil
	})
	o.formatFlag(cmd)
	return cmd
}

// described is an object with what /v1 knows of it.
type described struct {
	resource *resource
	object   object // as its own API shows it
	whole    object // as /v1/objects shows it; nil if it is not there
	events   []object
}

func (s *session) describe(ctx context.Context, r *resource, word string) error {
	o, err := s.resolve(ctx, r, word)
	if err != nil {
		return err
	}
	d := described{resource: r, object: o}
	switch {
	case r.name == "namespace":
		if err := s.Get(ctx, "/v1/hosts/"+url.PathEscape(o.text("host"))+"/namespaces/"+url.PathEscape(o.text("name")), nil, &d.object); err != nil {
			return err
		}
	case r.lone && !r.neutron:
		if d.object, err = s.show(ctx, r, r.id(o)); err != nil {
			return err
		}
	}
	if r.name == "plan" {
		return s.printPlan(d.object)
	}
	if r.kind != "" {
		err := s.Get(ctx, objectPath(r.kind, r.id(o)), nil, &d.whole)
		if err != nil && !client.IsNotFound(err) {
			return err
		}
		if d.events, err = s.eventsOf(ctx, r, r.id(o)); err != nil {
			return err
		}
	}
	if !s.format.Table() {
		return s.describeDocument(d)
	}
	s.printDescribed(ctx, d)
	return nil
}

// describeDocument prints one document with everything.
func (s *session) describeDocument(d described) error {
	if s.format.Name() {
		s.printf("%s/%s\n", d.resource.name, d.resource.id(d.object))
		return nil
	}
	doc := map[string]any{}
	for k, v := range d.whole {
		doc[k] = v
	}
	doc["attributes"] = map[string]any(d.object)
	if d.events != nil {
		events := make([]any, len(d.events))
		for i, e := range d.events {
			events[i] = map[string]any(e)
		}
		doc["events"] = events
	}
	return s.format.Document(s.out, doc)
}

// eventsOf returns the newest events that speak of an object, the oldest first. Only administrators may see
// events.
func (s *session) eventsOf(ctx context.Context, r *resource, id string) ([]object, error) {
	var answer object
	err := s.Get(ctx, "/v1/events", url.Values{"limit": {describedEvents}}, &answer)
	if client.HasCode(err, http.StatusForbidden, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	events := slices.DeleteFunc(answer.objects("events"), func(e object) bool {
		return !(r.name == "host" && e.text("host") == id) && !strings.Contains(e.text("body"), id)
	})
	return events[max(0, len(events)-shownEvents):], nil
}

func (s *session) printDescribed(ctx context.Context, d described) {
	r, o := d.resource, d.object
	title := r.name + " " + r.labelOf(o)
	if d.whole != nil {
		state := d.whole.text("status")
		title += "  " + s.style.State(state)
		if !d.whole.yes("ok") && !strings.EqualFold(state, "down") {
			title += "  " + s.style.Warn("not as it should be")
		}
	}
	s.printf("%s\n", s.style.Bold(title))
	s.printConditions(d.whole)
	s.section("Attributes")
	s.printMembers(ctx, o)
	if d.whole != nil {
		s.printRelated(d.whole)
		s.printEffects(d.whole)
		if c := (object)(asMap(d.whole["changed"])); c != nil {
			s.section("Last change")
			s.printf("  revision %s at %s by %s, request %s\n", c.text("rev"), c.text("at"), orNobody(c.text("user")), orNobody(c.text("request")))
		}
	}
	if len(d.events) > 0 {
		s.section("Events")
		for _, e := range d.events {
			s.printf("  %s\n", s.eventLine(e))
		}
	}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func orNobody(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (s *session) section(title string) { s.printf("\n%s\n", s.style.Bold(title)) }

// holding says how a condition is: "note" if it does not hold and may be meant so.
func holding(c object) string {
	switch {
	case c.yes("ok"):
		return "yes"
	case c.yes("unknown"):
		return "unknown"
	case c.yes("info"):
		return "note"
	}
	return "no"
}

// worst is the condition to tell of first: the first that does not hold and should, else the first that does
// not hold; nil if all hold.
func worst(conditions []object) object {
	var other object
	for _, c := range conditions {
		switch holding(c) {
		case "no":
			return c
		case "yes":
		default:
			if other == nil {
				other = c
			}
		}
	}
	return other
}

// printConditions prints the chain of conditions; the first that does not hold is what the object waits for.
func (s *session) printConditions(whole object) {
	conditions := whole.objects("conditions")
	if len(conditions) == 0 {
		return
	}
	s.section("Conditions")
	since := slices.ContainsFunc(conditions, func(c object) bool { return c.text("since") != "" })
	t := output.Table{Paint: func(column int, text string) string {
		if column == 0 {
			return "  " + s.style.State(strings.TrimSpace(text))
		}
		return text
	}}
	for _, c := range conditions {
		row := []string{"  " + holding(c), c.text("type"), c.text("host")}
		if since {
			row = append(row, c.text("since"))
		}
		why := c.text("reason")
		if m := c.text("message"); m != "" {
			why = strings.TrimPrefix(why+": "+m, ": ")
		}
		if why != "" {
			row = append(row, why)
		}
		t.Rows = append(t.Rows, row)
	}
	_ = t.Write(s.out) // as printf
}

// printMembers prints what an object has, one member a line; lists of documents one element a line.
func (s *session) printMembers(ctx context.Context, o object) {
	t := output.Table{}
	add := func(name, value string) { t.Rows = append(t.Rows, []string{"  " + name, value}) }
	for _, name := range sortedKeys(o) {
		value := o[name]
		switch v := value.(type) {
		case nil:
			continue
		case map[string]any:
			for _, inner := range sortedKeys(v) {
				if text := textOf(v[inner]); text != "" {
					add(name+"."+inner, text)
				}
			}
			continue
		case []any:
			if len(v) > 0 && asMap(v[0]) != nil {
				for i, x := range v {
					title := ""
					if i == 0 {
						title = name
					}
					add(title, lineOf(asMap(x)))
				}
				continue
			}
		}
		text := textOf(value)
		if text == "" || name == "state" || name == "tenant_id" {
			continue
		}
		if kind, is := strings.CutSuffix(name, "_id"); is {
			for _, known := range []string{"network", "router", "port", "subnet"} {
				if strings.HasSuffix(kind, known) {
					if called := s.nameOf(ctx, known, text); called != text {
						text += "  (" + called + ")"
					}
					break
				}
			}
		}
		add(name, text)
	}
	// The first column of continued lists is empty on purpose, not unknown.
	width := 0
	for _, row := range t.Rows {
		width = max(width, len(row[0]))
	}
	for _, row := range t.Rows {
		s.printf("%-*s  %s\n", width, row[0], strings.Join(strings.Fields(row[1]), " "))
	}
}

// lineOf is a document in one line: what is text first, then the rest.
func lineOf(m map[string]any) string {
	if text, is := m["text"].(string); is {
		if says := textOf(m["says"]); says != "" {
			return text + "  # " + says
		}
		return text
	}
	var parts []string
	for _, k := range sortedKeys(m) {
		if text := textOf(m[k]); text != "" {
			parts = append(parts, k+"="+text)
		}
	}
	return strings.Join(parts, " ")
}

func (s *session) printRelated(whole object) {
	related := whole.objects("related")
	if len(related) == 0 {
		return
	}
	s.section("Related")
	t := output.Table{}
	for _, x := range related {
		name := x.text("name")
		if name == "" {
			name = x.text("id")
		}
		id := x.text("id")
		if id == name {
			id = ""
		}
		t.Rows = append(t.Rows, []string{"  " + x.text("relation"), x.text("kind") + "/" + name, id})
	}
	for i := range t.Rows {
		if t.Rows[i][2] == "" {
			t.Rows[i] = t.Rows[i][:2]
		}
	}
	_ = t.Write(s.out) // as printf
}

// printEffects prints what an object causes, by host and place.
func (s *session) printEffects(whole object) {
	effects, unread := whole.objects("effects"), whole.objects("unread")
	if len(effects)+len(unread) == 0 {
		return
	}
	s.section("Effects")
	slices.SortStableFunc(effects, func(a, b object) int {
		if c := strings.Compare(a.text("host"), b.text("host")); c != 0 {
			return c
		}
		return strings.Compare(a.text("where"), b.text("where"))
	})
	host, where := "", ""
	for _, e := range effects {
		if e.text("host") != host {
			host, where = e.text("host"), ""
			s.printf("  host %s\n", s.style.Bold(host))
		}
		if e.text("where") != where {
			where = e.text("where")
			s.printf("    %s\n", where)
		}
		line := e.text("type") + " " + e.text("text")
		if state := e.text("state"); state != "" {
			line = s.style.State(state) + " " + line
		}
		s.printf("      %s\n", line)
		if says := e.text("says"); says != "" {
			s.printf("        %s\n", s.style.Dim(says))
		}
	}
	for _, u := range unread {
		s.printf("  %s\n", s.style.Warn(strings.TrimSpace(fmt.Sprintf("host %s %s", u.text("host"), u.text("where")))+" is not known: "+u.text("cause")))
	}
}
