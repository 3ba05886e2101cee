package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli/output"
)

// selection is what get was asked for.
type selection struct {
	resource *resource
	words    []string          // names and ids; none: all
	flags    map[string]string // filters, by the names of their flags
	equal    []string          // --filter member=value
}

// getOptions are the flags of get.
type getOptions struct {
	options
	filters map[string]*string
	equal   []string
	watch   bool
}

func (p *Program) getCommand() *cobra.Command {
	o := &getOptions{filters: map[string]*string{}}
	cmd := p.command(&cobra.Command{
		Use:   "get KIND[,KIND…] [NAME…] | KIND/NAME…",
		Short: "Show objects in a table",
		Long: `Show objects in a table, or for programs.

An object is meant by its name, its id, or the beginning of its id. ` + kindsText() + `

Filters are those of the kind (heddle get flows --host cmp1 --table to_unicast), and
--filter MEMBER=VALUE for any member of the JSON.`,
		Example: `  heddle get ports --network blue
  heddle get net,sub -o wide
  heddle get port web db -o yaml
  heddle get port/web router/edge
  heddle get flows --host cmp1 --bridge br-tun --table to_unicast
  heddle get ports --status BUILD -o jsonpath='{range .items[*]}{.id}{"\n"}{end}'`,
		ValidArgsFunction: p.completeObjects(nil),
	}, &o.options, func(ctx context.Context, s *session, args []string) error {
		return s.get(ctx, o, args)
	})
	o.formatFlag(cmd)
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "no titles over the columns")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "go on, and show what changes")
	cmd.Flags().StringArrayVar(&o.equal, "filter", nil, "`MEMBER=VALUE`: those whose member has the value (provider:network_type=vxlan, state.ok=false)")
	for name, says := range filterFlags() {
		o.filters[name] = cmd.Flags().String(name, "", says)
	}
	for _, r := range kindsOfThings() {
		for _, f := range r.filters {
			if f.truth {
				cmd.Flags().Lookup(f.flag).NoOptDefVal = "true"
			}
		}
	}
	p.completeFilters(cmd)
	return cmd
}

// kindsText lists the kinds for help.
func kindsText() string {
	var b strings.Builder
	b.WriteString("Kinds:\n\n")
	for _, r := range kindsOfThings() {
		fmt.Fprintf(&b, "  %-16s %-12s %s\n", r.plural, strings.Join(r.short, " "), r.says)
	}
	return strings.TrimRight(b.String(), "\n")
}

// filterFlags are the filters of all kinds: their flags with what they say.
func filterFlags() map[string]string {
	of := map[string][]string{}
	for _, r := range kindsOfThings() {
		for _, f := range r.filters {
			of[f.flag] = append(of[f.flag], r.plural)
		}
	}
	out := map[string]string{}
	for name, kinds := range of {
		out[name] = "filter `value`, of " + strings.Join(kinds, ", ")
	}
	return out
}

// selections reads the arguments of get.
func selections(args []string) ([]selection, error) {
	if len(args) == 0 {
		return nil, usagef("what to get is missing: heddle get --help lists the kinds")
	}
	if !strings.Contains(args[0], "/") {
		var out []selection
		for _, word := range strings.Split(args[0], ",") {
			r, err := resourceNamed(word)
			if err != nil {
				return nil, err
			}
			out = append(out, selection{resource: r, words: args[1:]})
		}
		if len(out) > 1 && len(args) > 1 {
			return nil, usagef("names go with one kind, or as KIND/NAME")
		}
		return out, nil
	}
	var out []selection
	for _, arg := range args {
		noun, name, is := strings.Cut(arg, "/")
		if !is {
			return nil, usagef("%q is not of the form KIND/NAME, as the arguments before are", arg)
		}
		r, err := resourceNamed(noun)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(out, func(x selection) bool { return x.resource.name == r.name })
		if at < 0 {
			out = append(out, selection{resource: r})
			at = len(out) - 1
		}
		out[at].words = append(out[at].words, name)
	}
	return out, nil
}

// given are the filters that the flags name. A filter that one of the kinds does not have is refused: it
// must not show everything.
func (o *getOptions) given(all []selection) error {
	for name, value := range o.filters {
		if *value == "" {
			continue
		}
		for i := range all {
			r := all[i].resource
			if !slices.ContainsFunc(r.filters, func(f filter) bool { return f.flag == name }) {
				return usagef("--%s is no filter of %s; --filter MEMBER=VALUE compares any member", name, r.plural)
			}
			if all[i].flags == nil {
				all[i].flags = map[string]string{}
			}
			all[i].flags[name] = *value
		}
	}
	for i := range all {
		all[i].equal = o.equal
	}
	return nil
}

func (s *session) get(ctx context.Context, o *getOptions, args []string) error {
	all, err := selections(args)
	if err != nil {
		return err
	}
	if err := o.given(all); err != nil {
		return err
	}
	if o.watch {
		return s.watchList(ctx, all, o.noHeaders)
	}
	var found [][]object
	for _, x := range all {
		objects, err := s.choose(ctx, x)
		if err != nil {
			return err
		}
		found = append(found, objects)
	}
	if s.format.Table() {
		return s.printTables(ctx, all, found, o.noHeaders)
	}
	if s.format.Name() {
		for i, x := range all {
			for _, f := range found[i] {
				s.printf("%s/%s\n", x.resource.name, x.resource.id(f))
			}
		}
		return nil
	}
	items := []any{}
	for _, objects := range found {
		for _, f := range objects {
			items = append(items, map[string]any(f))
		}
	}
	// As kubectl has it, what was asked for by one name stands alone, and everything else is a list.
	if len(all) == 1 && len(all[0].words) == 1 && len(items) == 1 {
		return s.format.Document(s.out, items[0])
	}
	return s.format.Document(s.out, map[string]any{"items": items})
}

// choose finds what a selection means.
func (s *session) choose(ctx context.Context, x selection) ([]object, error) {
	r := x.resource
	chosen := url.Values{}
	for _, f := range r.filters {
		value, given := x.flags[f.flag]
		if !given {
			continue
		}
		if f.refers != "" {
			id, err := s.resolveID(ctx, mustResource(f.refers), value)
			if err != nil {
				return nil, err
			}
			value = id
		}
		chosen.Set(f.flag, value)
	}
	var found []object
	if len(x.words) == 0 {
		all, err := s.everything(ctx, r, chosen)
		if err != nil {
			return nil, err
		}
		found = all
	}
	for _, word := range x.words {
		o, err := s.resolve(ctx, r, word)
		if err != nil {
			return nil, err
		}
		found = append(found, o)
	}
	if err := s.withState(ctx, r, found); err != nil {
		return nil, err
	}
	return x.filter(found, chosen)
}

// filter leaves what the filters choose that the server did not apply.
func (x selection) filter(found []object, chosen url.Values) ([]object, error) {
	want := map[string]string{}
	for _, f := range x.resource.filters {
		if chosen.Has(f.flag) && f.member != "" && (f.param == "" || len(x.words) > 0) {
			want[f.member] = chosen.Get(f.flag)
		}
	}
	for _, pair := range x.equal {
		member, value, is := strings.Cut(pair, "=")
		if !is {
			return nil, usagef("--filter %q is not of the form MEMBER=VALUE", pair)
		}
		want[member] = value
	}
	return slices.DeleteFunc(found, func(o object) bool {
		for member, value := range want {
			if !holds(o.member(member), value) {
				return true
			}
		}
		return false
	}), nil
}

// holds reports whether a member is a value or, being a list, has it.
func holds(member any, value string) bool {
	if list, is := member.([]any); is {
		return slices.ContainsFunc(list, func(x any) bool { return textOf(x) == value })
	}
	return textOf(member) == value
}

func (s *session) printTables(ctx context.Context, all []selection, found [][]object, bare bool) error {
	shown := 0
	for i, x := range all {
		if len(found[i]) == 0 {
			continue
		}
		if shown > 0 {
			fmt.Fprintln(s.out)
		}
		shown++
		t := s.table(ctx, x.resource, found[i])
		if bare {
			t.Titles = nil
		}
		if err := t.Write(s.out); err != nil {
			return err
		}
	}
	if shown == 0 {
		io.WriteString(s.hints, "nothing found\n")
	}
	return nil
}

// table makes a table of objects of a kind.
func (s *session) table(ctx context.Context, r *resource, objects []object) *output.Table {
	var shown []column
	for _, c := range r.columns {
		if !c.wide || s.format.Wide() {
			shown = append(shown, c)
		}
	}
	t := &output.Table{Paint: func(column int, text string) string { return s.style.State(text) }}
	for _, c := range shown {
		t.Titles = append(t.Titles, c.title)
	}
	for _, o := range objects {
		row := make([]string, len(shown))
		for i, c := range shown {
			row[i] = s.cell(ctx, c, o)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (s *session) cell(ctx context.Context, c column, o object) string {
	switch {
	case c.show != nil:
		return c.show(o)
	case c.refers != "":
		if list, is := o.member(c.path).([]any); is {
			var names []string
			for _, id := range list {
				names = append(names, s.nameOf(ctx, c.refers, textOf(id)))
			}
			return strings.Join(names, ",")
		}
		return s.nameOf(ctx, c.refers, o.text(c.path))
	case o.member(c.path) == true:
		return "yes"
	case o.member(c.path) == false:
		return "no"
	}
	return o.text(c.path)
}
