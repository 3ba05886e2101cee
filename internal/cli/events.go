package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli/client"
)

// allEvents is as many events as the server keeps.
const allEvents = 10000

// eventLine is an event in one line.
func (s *session) eventLine(e object) string {
	host := e.text("host")
	if host == "" {
		host = "-"
	}
	return strings.TrimRight(fmt.Sprintf("%s  %-18s %-10s %s", e.text("time"), e.text("kind"), host, lineOf(asMap(e["body"]))), " ")
}

func (p *Program) eventsCommand() *cobra.Command {
	o := &options{}
	var watch bool
	var kinds []string
	var host, about string
	var limit int
	cmd := p.command(&cobra.Command{
		Use:     "events",
		Short:   "Show what happened, or follow it",
		Example: "  heddle events --kind drift,reconcile_failed\n  heddle events --watch --host cmp1\n  heddle events --object port/web -o json",
		Args:    cobra.NoArgs,
	}, o, func(ctx context.Context, s *session, _ []string) error {
		id := ""
		if about != "" {
			var err error
			if _, id, err = s.resolveObject(ctx, about); err != nil {
				return err
			}
		}
		wanted := func(e object) bool {
			return (len(kinds) == 0 || slices.Contains(kinds, e.text("kind"))) && (host == "" || e.text("host") == host) &&
				(id == "" || e.text("host") == id || strings.Contains(e.text("body"), id))
		}
		events, last, err := s.recentEvents(ctx, wanted, limit)
		if err != nil {
			return err
		}
		if !watch && !s.format.Table() {
			items := make([]any, len(events))
			for i, e := range events {
				items[i] = map[string]any(e)
			}
			return s.format.Document(s.out, map[string]any{"items": items})
		}
		for _, e := range events {
			if err := s.printEvent(e); err != nil {
				return err
			}
		}
		if !watch {
			return nil
		}
		return s.followEvents(ctx, last, wanted)
	})
	f := cmd.Flags()
	f.BoolVarP(&watch, "watch", "w", false, "go on, and show what happens")
	f.StringSliceVar(&kinds, "kind", nil, "events of these `kinds`: changed, drift, host_down")
	f.StringVar(&host, "host", "", "events of the host with this `name`")
	f.StringVar(&about, "object", "", "events that speak of `KIND/NAME`: port/web")
	f.IntVar(&limit, "limit", 100, "`how many`, the newest")
	o.formatFlag(cmd)
	p.completeFlag(cmd, "host", "host")
	return cmd
}

// recentEvents returns the newest events that are wanted, the oldest of them first, and after which id what
// happens next is to be read.
func (s *session) recentEvents(ctx context.Context, wanted func(object) bool, limit int) ([]object, string, error) {
	if limit < 0 || limit > allEvents {
		return nil, "", usagef("--limit is 0 to %d", allEvents)
	}
	var answer object
	if err := s.Get(ctx, "/v1/events", url.Values{"limit": {strconv.Itoa(allEvents)}}, &answer); err != nil {
		return nil, "", err
	}
	last := answer.text("last")
	if last == "" || last == "0" {
		last = "latest"
	}
	events := slices.DeleteFunc(answer.objects("events"), func(e object) bool { return !wanted(e) })
	return events[max(0, len(events)-limit):], last, nil
}

func (s *session) printEvent(e object) error {
	if s.format.Table() || s.format.Name() {
		s.printf("%s\n", s.eventLine(e))
		return nil
	}
	return s.documentLine(e)
}

// followEvents prints what happens after an event, until ctx ends. It reads on where it was when the
// connection breaks.
func (s *session) followEvents(ctx context.Context, after string, wanted func(object) bool) error {
	for {
		err := s.Follow(ctx, after, func(e client.Event) error {
			if e.Kind == client.KindGap {
				fmt.Fprintln(s.hints, "events were lost here: the server was started anew, or they are no longer kept")
				return nil
			}
			after = e.ID.String()
			o := object{"id": e.ID, "time": e.Time, "kind": e.Kind, "body": e.Body}
			if e.Host != "" {
				o["host"] = e.Host
			}
			if !wanted(o) {
				return nil
			}
			return s.printEvent(o)
		})
		var gone *client.Unreachable
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.As(err, &gone) {
			return err
		}
		fmt.Fprintf(s.hints, "%v; trying again\n", err)
		pause(ctx, pollEvery)
	}
}

func (p *Program) historyCommand() *cobra.Command {
	o := &options{}
	params := map[string]*string{}
	cmd := p.command(&cobra.Command{
		Use:               "history [KIND/NAME]",
		Short:             "Show who changed what, and what followed on which host",
		Long:              "Show who changed what, and what followed on which host, the newest first; of one object if it is named.\n-o wide shows every attribute that changed.",
		Example:           "  heddle history\n  heddle history port/web -o wide\n  heddle history --user ann",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeObjects(nil),
	}, o, func(ctx context.Context, s *session, args []string) error {
		query := url.Values{}
		for name, v := range params {
			if *v != "" {
				query.Set(name, *v)
			}
		}
		if len(args) == 1 {
			asked, err := s.historyOf(ctx, args[0])
			if err != nil {
				return err
			}
			query.Set("object", asked)
		}
		var answer object
		if err := s.Get(ctx, "/v1/history", query, &answer); err != nil {
			return err
		}
		if !s.format.Table() {
			return s.format.Document(s.out, map[string]any(answer))
		}
		for _, c := range answer.objects("changes") {
			s.printChange(c)
		}
		return nil
	})
	for name, says := range map[string]string{"user": "changes by a `user`", "request": "the changes of a `request`", "since": "changes after a `revision`",
		"before": "changes before a `revision`", "limit": "`how many`, the newest (100)"} {
		params[name] = cmd.Flags().String(name, "", says)
	}
	o.formatFlag(cmd)
	return cmd
}

// historyOf is the object to ask the history of. One that was deleted is known by its id alone.
func (s *session) historyOf(ctx context.Context, word string) (string, error) {
	kind, id, err := s.resolveObject(ctx, word)
	if code, _ := ExitCode(err); code != exitNotFound {
		return kind + "/" + id, err
	}
	noun, name, _ := strings.Cut(word, "/")
	r, unknown := resourceNamed(noun)
	if unknown != nil || !uuid.MatchString(name) {
		return "", err
	}
	return r.name + "/" + name, nil
}

func (s *session) printChange(c object) {
	s.printf("%s  %s by %s, request %s\n", s.style.Bold("revision "+c.text("rev")), c.text("time"), orNobody(c.text("user")), orNobody(c.text("request")))
	for _, x := range c.objects("changes") {
		_, paint := s.mark(x.text("op"))
		s.printf("  %s %s\n", objectColumn(object{"object": x["object"], "object_name": x["name"]}), paint(done(x.text("op"))))
		if !s.format.Wide() {
			continue
		}
		for _, f := range x.objects("fields") {
			s.printf("    %s: %s -> %s\n", f.text("field"), s.style.Bad(compact(f["before"])), s.style.Good(compact(f["after"])))
		}
	}
	for _, f := range c.objects("followed") {
		s.printf("  %s\n", s.style.Dim(fmt.Sprintf("%s on host %s: %s added, %s updated, %s deleted in %s ms",
			f.text("target"), f.text("host"), zero(f.text("added")), zero(f.text("updated")), zero(f.text("deleted")), zero(f.text("ms")))))
	}
}

// zero is a number that may be left out.
func zero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}
