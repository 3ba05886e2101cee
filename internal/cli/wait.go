package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli/client"
)

// pollEvery is how often the state is read again though no event told of a change: projects may not see
// events, and a counter changes without one.
const pollEvery = 2 * time.Second

// wakes returns a channel that gets a value after something happened, and a function that stops that.
func (s *session) wakes(ctx context.Context) (<-chan struct{}, func()) {
	ctx, cancel := context.WithCancel(ctx)
	wake, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			err := s.Follow(ctx, "latest", func(client.Event) error {
				select {
				case wake <- struct{}{}:
				default: // one is enough
				}
				return nil
			})
			if client.HasCode(err, http.StatusForbidden, http.StatusNotFound) {
				return // no events for us: reading again now and then has to do
			}
			pause(ctx, time.Second) // the server may be starting anew
		}
	}()
	return wake, func() { cancel(); <-ended }
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// every calls fn at once, after each event, and now and then, until it returns true or an error, or ctx ends.
func (s *session) every(ctx context.Context, fn func() (bool, error)) error {
	wake, stop := s.wakes(ctx)
	defer stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		done, err := fn()
		var gone *client.Unreachable
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &gone): // it may be starting anew
			fmt.Fprintf(s.hints, "%v; trying again\n", err)
		case done || err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-tick.C:
		}
	}
}

func (p *Program) watchCommand() *cobra.Command {
	o := &options{}
	var until string
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "watch [KIND NAME | KIND/NAME]",
		Short: "Follow an object until it is as wanted, or everything that happens",
		Long: `Follow an object: each change of its status and of the condition that it waits for. --for ends it once the
object has a status (ACTIVE), all its conditions hold (ok), or it is gone (deleted); the exit code is 1 if
that did not come in time. Without an object, everything that happens, as heddle events --watch.`,
		Example:           "  heddle watch port web --for ACTIVE --timeout 60s\n  heddle watch router/edge --for ok\n  heddle watch",
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: p.completeObjects(nil),
	}
	p.command(cmd, o, func(ctx context.Context, s *session, args []string) error {
		if len(args) == 0 {
			if until != "" {
				return usagef("--for needs an object")
			}
			return s.followEvents(ctx, "latest", func(object) bool { return true })
		}
		all, err := selections(args)
		if err != nil {
			return err
		}
		if len(all) != 1 || len(all[0].words) != 1 || all[0].resource.kind == "" {
			return usagef("one object is watched at a time: KIND NAME, one of network, subnet, port, router, floatingip, portforwarding, host")
		}
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, limit, errTooLate)
			defer cancel()
		}
		err = s.watchObject(ctx, all[0].resource, all[0].words[0], until)
		if errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), errTooLate) {
			return &failure{exitNo, fmt.Errorf("%s/%s was not %s within %v", all[0].resource.name, all[0].words[0], orAny(until), limit)}
		}
		return err
	})
	cmd.Flags().StringVar(&until, "for", "", "`state` to wait for: ACTIVE, DOWN, ok or deleted")
	cmd.Flags().DurationVar(&limit, "timeout", 0, "how long to wait; default for ever")
	o.formatFlag(cmd)
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{"ACTIVE", "DOWN", "ok", "deleted"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// errTooLate is why a wait ends that has a limit.
var errTooLate = errors.New("it took too long")

// watchObject prints an object's state whenever it changes, until it is as wanted.
func (s *session) watchObject(ctx context.Context, r *resource, word, until string) error {
	id, err := s.resolveID(ctx, r, word)
	if err != nil {
		if code, _ := ExitCode(err); code == exitNotFound && until == "deleted" {
			return nil
		}
		return err
	}
	last := ""
	return s.every(ctx, func() (bool, error) {
		var o object
		err := s.Get(ctx, objectPath(r.kind, id), nil, &o)
		switch {
		case client.IsNotFound(err):
			s.printf("%s %s/%s deleted\n", s.now(), r.name, word)
			if until != "" && until != "deleted" {
				return false, notFoundf("%s/%s was deleted", r.name, word)
			}
			return true, nil
		case err != nil:
			return false, err
		}
		if line := s.stateLine(o); line != last {
			last = line
			if err := s.printState(o, line); err != nil {
				return false, err
			}
		}
		return reached(o, until), nil
	})
}

func reached(o object, until string) bool {
	switch {
	case until == "":
		return false
	case strings.EqualFold(until, "ok"):
		return o.yes("ok")
	}
	return strings.EqualFold(o.text("status"), until)
}

func (s *session) now() string { return s.program.Now().UTC().Format(time.RFC3339) }

func (s *session) printState(o object, line string) error {
	if s.format.Table() || s.format.Name() {
		s.printf("%s %s\n", s.now(), line)
		return nil
	}
	delete(o, "effects") // they are large, and not what is waited for
	return s.documentLine(o)
}

// documentLine prints a document of an endless list: JSON in one line, YAML between "---".
func (s *session) documentLine(o object) error {
	if s.format.JSON() {
		b, err := json.Marshal(o)
		if err != nil {
			return err
		}
		s.printf("%s\n", b)
		return nil
	}
	if s.format.YAML() {
		s.printf("---\n")
	}
	return s.format.Document(s.out, map[string]any(o))
}

// stateLine is an object's status, and the conditions that do not hold.
func (s *session) stateLine(o object) string {
	name := o.text("name")
	if name == "" {
		name = o.text("id")
	}
	line := o.text("kind") + "/" + name + " " + s.style.State(o.text("status"))
	if o.yes("ok") {
		return line + " all conditions hold"
	}
	for _, c := range o.objects("conditions") {
		if holding(c) == "no" {
			line += " " + strings.TrimSuffix(c.text("type")+" "+c.text("host"), " ") + ": " + s.style.Warn(c.text("reason")) + " " + c.text("message") + ";"
		}
	}
	return strings.TrimSuffix(line, ";")
}

// watchList prints tables, and then the rows that change.
func (s *session) watchList(ctx context.Context, all []selection, bare bool) error {
	last := make([]map[string]string, len(all))
	return s.every(ctx, func() (bool, error) {
		for i, x := range all {
			objects, err := s.choose(ctx, x)
			if err != nil {
				return false, err
			}
			if last[i], err = s.printChanged(ctx, x.resource, objects, last[i], bare); err != nil {
				return false, err
			}
		}
		return false, nil
	})
}

// printChanged prints the objects that differ from those printed before, and returns what was printed.
func (s *session) printChanged(ctx context.Context, r *resource, objects []object, before map[string]string, bare bool) (map[string]string, error) {
	s.names = map[string]map[string]string{} // names change, too
	shown, now := []object{}, map[string]string{}
	for _, o := range objects {
		text, err := json.Marshal(o)
		if err != nil {
			return nil, err
		}
		key := r.id(o) + " " + o.text("host") + " " + o.text("from") + " " + o.text("to")
		now[key] = string(text)
		if before[key] != now[key] {
			shown = append(shown, o)
		}
	}
	for key := range before {
		if _, there := now[key]; !there {
			s.printf("%s/%s deleted\n", r.name, strings.TrimSpace(key))
		}
	}
	if !s.format.Table() {
		for _, o := range shown {
			if s.format.Name() {
				s.printf("%s/%s\n", r.name, r.id(o))
			} else if err := s.documentLine(o); err != nil {
				return nil, err
			}
		}
		return now, nil
	}
	if len(shown) == 0 {
		return now, nil
	}
	t := s.table(ctx, r, shown)
	if bare || before != nil {
		t.Titles = nil
	}
	return now, t.Write(s.out)
}
