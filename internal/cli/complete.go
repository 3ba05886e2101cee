package cli

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin is how long a shell may wait for names: who presses a key will not wait longer.
const completeWithin = time.Second

// names asks the server for the names of a resource; none if it does not answer in time. Each has a
// description behind a tab, as cobra wants it.
func (p *Program) names(cmd *cobra.Command, r *resource) []string {
	o := &options{}
	o.connection.timeout = completeWithin
	for flag, into := range map[string]*string{"server": &o.server, "token-file": &o.tokenFile, "tls-ca": &o.ca, "tls-cert": &o.cert, "tls-key": &o.key, "project": &o.project} {
		*into, _ = cmd.Flags().GetString(flag) // every command that completes has them
	}
	s, err := p.open(cmd, o)
	if err != nil {
		return nil
	}
	defer s.Close()
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeWithin)
	defer cancel()
	all, err := s.everything(ctx, r, url.Values{})
	if err != nil {
		return nil
	}
	count := map[string]int{}
	for _, x := range all {
		count[r.labelOf(x)]++
	}
	var out []string
	for _, x := range all {
		name, id := r.labelOf(x), r.id(x)
		switch {
		case name == id:
			out = append(out, id)
		case count[name] > 1:
			out = append(out, id+"\t"+name) // the name alone would not do
		default:
			out = append(out, name+"\t"+id)
		}
	}
	return out
}

// completeObjects completes KIND and then NAME…, or KIND/NAME…; with a resource, NAME… only.
func (p *Program) completeObjects(only *resource) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if only != nil {
			return p.names(cmd, only), cobra.ShellCompDirectiveNoFileComp
		}
		if noun, _, is := strings.Cut(word, "/"); is {
			return p.slashed(cmd, noun), cobra.ShellCompDirectiveNoFileComp
		}
		if len(args) == 0 {
			var kinds []string
			for _, r := range kindsOfThings() {
				kinds = append(kinds, r.plural+"\t"+r.says)
			}
			return kinds, cobra.ShellCompDirectiveNoFileComp
		}
		r, err := resourceNamed(args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return p.names(cmd, r), cobra.ShellCompDirectiveNoFileComp
	}
}

// slashed returns the names of a kind as KIND/NAME.
func (p *Program) slashed(cmd *cobra.Command, noun string) []string {
	r, err := resourceNamed(noun)
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range p.names(cmd, r) {
		out = append(out, noun+"/"+name)
	}
	return out
}

// completeAttributes completes the flags that name other objects.
func (p *Program) completeAttributes(cmd *cobra.Command, r *resource) {
	for _, a := range r.attributes {
		if a.refers != "" && cmd.Flags().Lookup(a.flag) != nil {
			p.completeFlag(cmd, a.flag, a.refers)
		}
	}
}

// completeFilters completes the filters of get.
func (p *Program) completeFilters(cmd *cobra.Command) {
	for _, kind := range []string{"network", "host", "port", "router", "floatingip"} {
		p.completeFlag(cmd, kind, kind)
	}
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions([]string{"ACTIVE", "BUILD", "DOWN"}, cobra.ShellCompDirectiveNoFileComp))
}

// completeFlag completes a flag with the names of a resource.
func (p *Program) completeFlag(cmd *cobra.Command, flag, kind string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return p.names(cmd, mustResource(kind)), cobra.ShellCompDirectiveNoFileComp
	})
}

// completeRouter completes ROUTER SUBNET.
func (p *Program) completeRouter(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return p.completeInTurn(cmd, args, word, "router", "subnet")
}

// completeGateway completes ROUTER NETWORK.
func (p *Program) completeGateway(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return p.completeInTurn(cmd, args, word, "router", "network")
}

func (p *Program) completeInTurn(cmd *cobra.Command, args []string, word string, kinds ...string) ([]string, cobra.ShellCompDirective) {
	if len(args) >= len(kinds) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if noun, _, is := strings.Cut(word, "/"); is {
		return p.slashed(cmd, noun), cobra.ShellCompDirectiveNoFileComp
	}
	return p.names(cmd, mustResource(kinds[len(args)])), cobra.ShellCompDirectiveNoFileComp
}
