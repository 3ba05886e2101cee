package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heddle-sdn/heddle/internal/cli/client"
)

// changeOptions are the flags of everything that changes something.
type changeOptions struct {
	options
	plan bool
	sets []string
}

func (o *changeOptions) flags(cmd *cobra.Command) {
	o.formatFlag(cmd)
	cmd.Flags().BoolVar(&o.plan, "plan", false, "do nothing; show what would change, on every host. heddle apply --plan-id does it later")
}

// change sends a request that changes something, or asks what it would change. It returns the answer, nil
// if it was a plan, which it prints.
func (s *session) change(ctx context.Context, o *changeOptions, method, path string, body any) (object, error) {
	if !o.plan {
		var answer object
		err := s.Do(ctx, method, path, nil, body, &answer)
		return answer, err
	}
	p, err := s.plan(ctx, method, path, nil, body)
	if err != nil {
		return nil, err
	}
	return nil, s.printPlan(p)
}

// plan asks what a request would change. A server without plans would do it, so it is not asked.
func (s *session) plan(ctx context.Context, method, path string, query url.Values, body any) (object, error) {
	able, err := s.serves(ctx, "/v1/plans")
	if err != nil {
		return nil, err
	}
	if !able {
		return nil, usagef("server %s cannot plan: it has no /v1/plans", s.Server())
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("plan", "true")
	var answer object
	if err := s.Do(ctx, method, path, query, body, &answer); err != nil {
		return nil, err
	}
	p, is := answer["plan"].(map[string]any)
	if !is {
		return nil, errors.New("the server did not answer with a plan; look whether it did what should have been planned")
	}
	return p, nil
}

// wrap puts a body under the resource's name, as /v2.0 has it.
func (r *resource) wrap(body object) any {
	if r.one == "" {
		return body
	}
	return map[string]any{r.one: body}
}

// unwrap is the reverse of wrap, for an answer.
func (r *resource) unwrap(answer object) object {
	if inner, is := answer[r.one].(map[string]any); r.one != "" && is {
		return inner
	}
	return answer
}

// told prints what was done to an object, or the object for programs.
func (s *session) told(r *resource, o object, done string) error {
	switch {
	case s.format.Name():
		s.printf("%s/%s\n", r.name, r.id(o))
	case s.format.Table() && r.labelOf(o) != r.id(o):
		s.printf("%s/%s %s: %s\n", r.name, r.labelOf(o), done, r.id(o))
	case s.format.Table():
		s.printf("%s/%s %s\n", r.name, r.id(o), done)
	default:
		return s.format.Document(s.out, map[string]any(o))
	}
	return nil
}

// sets adds --set MEMBER=VALUE, for what has no flag.
func (o *changeOptions) setsFlag(f *pflag.FlagSet) {
	f.StringArrayVar(&o.sets, "set", nil, "`MEMBER=VALUE`: any attribute of the API, the value as JSON or text (binding:profile='{\"a\":1}')")
}

// addSets puts --set into a body.
func (o *changeOptions) addSets(body object) error {
	for _, pair := range o.sets {
		member, value, is := strings.Cut(pair, "=")
		if !is {
			return usagef("--set %q is not of the form MEMBER=VALUE", pair)
		}
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			v = value
		}
		body[member] = v
	}
	return nil
}

func (p *Program) createCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "create",
		Short: "Create an object",
		Example: `  heddle create network blue
  heddle create subnet blue-v4 --network blue --cidr 10.0.22.0/24
  heddle create port web --network blue --ip 10.0.22.9
  heddle create router edge --gateway public
  heddle create floatingip --network public --port web --plan`,
	}
	for _, r := range kindsOfThings() {
		if r.create != "" {
			parent.AddCommand(p.createOne(r))
		}
	}
	return parent
}

func (p *Program) createOne(r *resource) *cobra.Command {
	o := &changeOptions{}
	named := r.label == "name" || r.key == "name"
	use, args := r.name, cobra.NoArgs
	if named {
		use, args = r.name+" NAME", cobra.ExactArgs(1)
	}
	cmd := &cobra.Command{Use: use, Aliases: r.short, Short: "Create one of the " + r.says, Args: args}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, args []string) error {
		body := object{}
		if named && r.key != "name" {
			body["name"] = args[0]
		}
		if s.project != "" && r.neutron && r.fetch == nil {
			body["project_id"] = s.project
		}
		if err := s.read(ctx, cmd.Flags(), r, body); err != nil {
			return err
		}
		if err := o.addSets(body); err != nil {
			return err
		}
		path := r.path
		switch {
		case r.key == "name":
			path = r.itemPath(args[0])
			// PUT would replace what was said of one that is there.
			if err := s.Get(ctx, path, nil, nil); err == nil {
				return &failure{exitRefused, fmt.Errorf("there is %s %s already; heddle set %s %s changes it", r.name, args[0], r.name, args[0])}
			} else if !client.IsNotFound(err) {
				return err
			}
		case r.pathOf != nil:
			if body.text("floatingip_id") == "" {
				return usagef("--floatingip is needed: whose port is it?")
			}
			path = forwardingsPath(body.text("floatingip_id"))
		}
		if r.complete != nil {
			if err := r.complete(ctx, s, nil, body); err != nil {
				return err
			}
		}
		answer, err := s.change(ctx, o, r.create, path, r.wrap(body))
		if err != nil || answer == nil {
			return err
		}
		return s.told(r, r.unwrap(answer), "created")
	})
	o.flags(cmd)
	o.setsFlag(cmd.Flags())
	define(cmd.Flags(), r, "create")
	p.completeAttributes(cmd, r)
	return cmd
}

func (p *Program) setCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:     "set",
		Aliases: []string{"update"},
		Short:   "Change objects",
		Example: `  heddle set port web --up=false
  heddle set router edge --gateway none --plan
  heddle set floatingip 198.51.100.9 --port web
  heddle set host cmp1 --tunnel-ip 10.0.0.2`,
	}
	for _, r := range kindsOfThings() {
		if r.update != "" {
			parent.AddCommand(p.setOne(r))
		}
	}
	return parent
}

func (p *Program) setOne(r *resource) *cobra.Command {
	o := &changeOptions{}
	cmd := &cobra.Command{Use: r.name + " NAME…", Aliases: r.short, Short: "Change some of the " + r.says, Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: p.completeObjects(r)}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, args []string) error {
		for _, word := range args {
			before, err := s.resolve(ctx, r, word)
			if err != nil {
				return err
			}
			body := object{}
			if err := s.read(ctx, cmd.Flags(), r, body); err != nil {
				return err
			}
			if err := o.addSets(body); err != nil {
				return err
			}
			if len(body) == 0 {
				return usagef("nothing to change was given: heddle set %s --help lists what there is", r.name)
			}
			if r.complete != nil {
				if err := r.complete(ctx, s, before, body); err != nil {
					return err
				}
			}
			answer, err := s.change(ctx, o, r.update, r.objectPath(before), r.wrap(body))
			if err != nil {
				return err
			}
			if answer == nil {
				continue
			}
			if err := s.told(r, r.unwrap(answer), "changed"); err != nil {
				return err
			}
		}
		return nil
	})
	o.flags(cmd)
	o.setsFlag(cmd.Flags())
	define(cmd.Flags(), r, "set")
	p.completeAttributes(cmd, r)
	return cmd
}

func (p *Program) deleteCommand() *cobra.Command {
	o := &changeOptions{}
	var missing bool
	cmd := p.command(&cobra.Command{
		Use:   "delete KIND NAME… | KIND/NAME…",
		Short: "Delete objects",
		Long: `Delete objects, each meant by its name, its id, or the beginning of its id. It goes on after one that
cannot be deleted, and fails in the end.`,
		Example:           "  heddle delete port web db\n  heddle delete port/web network/blue --plan",
		ValidArgsFunction: p.completeObjects(nil),
	}, &o.options, func(ctx context.Context, s *session, args []string) error {
		all, err := selections(args)
		if err != nil {
			return err
		}
		var errs []error
		for _, x := range all {
			if !x.resource.remove {
				return usagef("%s cannot be deleted", x.resource.plural)
			}
			if len(x.words) == 0 {
				return usagef("which %s to delete is missing", x.resource.name)
			}
			for _, word := range x.words {
				err := s.deleteOne(ctx, o, x.resource, word)
				if code, _ := ExitCode(err); missing && code == exitNotFound {
					continue
				}
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	})
	o.flags(cmd)
	cmd.Flags().BoolVar(&missing, "ignore-not-found", false, "what is not there needs no deleting")
	return cmd
}

func (s *session) deleteOne(ctx context.Context, o *changeOptions, r *resource, word string) error {
	before, err := s.resolve(ctx, r, word)
	if err != nil {
		return err
	}
	if _, err := s.change(ctx, o, http.MethodDelete, r.objectPath(before), nil); err != nil {
		if client.IsNotFound(err) {
			return &failure{exitNotFound, err}
		}
		return err
	}
	if o.plan {
		return nil
	}
	return s.told(r, before, "deleted")
}

func (p *Program) routerCommand() *cobra.Command {
	parent := &cobra.Command{Use: "router", Short: "Attach routers to networks, and to the outside",
		Example: "  heddle router add-interface edge blue-v4\n  heddle router set-gateway edge public"}
	for _, verb := range []struct{ name, path, done, says string }{
		{"add-interface", "add_router_interface", "attached", "Attach a router to a subnet, as its gateway, or by a port"},
		{"remove-interface", "remove_router_interface", "detached", "Detach a router from a subnet, or remove a port of it"},
	} {
		o := &changeOptions{}
		cmd := p.command(&cobra.Command{Use: verb.name + " ROUTER SUBNET|port/NAME", Short: verb.says, Args: cobra.ExactArgs(2),
			ValidArgsFunction: p.completeRouter},
			&o.options, func(ctx context.Context, s *session, args []string) error {
				router, err := s.resolve(ctx, mustResource("router"), args[0])
				if err != nil {
					return err
				}
				kind, name, is := strings.Cut(args[1], "/")
				if !is {
					kind, name = "subnet", args[1]
				}
				end, err := resourceNamed(kind)
				if err != nil {
					return err
				}
				if end.name != "subnet" && end.name != "port" {
					return usagef("a router is attached to a subnet or by a port, not to a %s", end.name)
				}
				id, err := s.resolveID(ctx, end, name)
				if err != nil {
					return err
				}
				answer, err := s.change(ctx, o, http.MethodPut, mustResource("router").objectPath(router)+"/"+verb.path, object{end.name + "_id": id})
				if err != nil || answer == nil {
					return err
				}
				if !s.format.Table() {
					return s.format.Document(s.out, map[string]any(answer))
				}
				s.printf("router/%s %s: %s/%s\n", mustResource("router").labelOf(router), verb.done, end.name, name)
				return nil
			})
		o.flags(cmd)
		parent.AddCommand(cmd)
	}
	for _, verb := range []struct{ name, says string }{
		{"set-gateway", "Lead a router to an external network"},
		{"unset-gateway", "Take a router's way to the outside"},
	} {
		o := &changeOptions{}
		use, count := verb.name+" ROUTER NETWORK", 2
		if verb.name == "unset-gateway" {
			use, count = verb.name+" ROUTER", 1
		}
		cmd := p.command(&cobra.Command{Use: use, Short: verb.says, Args: cobra.ExactArgs(count), ValidArgsFunction: p.completeGateway},
			&o.options, func(ctx context.Context, s *session, args []string) error {
				r := mustResource("router")
				router, err := s.resolve(ctx, r, args[0])
				if err != nil {
					return err
				}
				body := object{"external_gateway_info": nil}
				if len(args) == 2 {
					id, err := s.resolveID(ctx, mustResource("network"), args[1])
					if err != nil {
						return err
					}
					body = object{"external_gateway_info": map[string]any{"network_id": id}}
				}
				answer, err := s.change(ctx, o, http.MethodPut, r.objectPath(router), r.wrap(body))
				if err != nil || answer == nil {
					return err
				}
				return s.told(r, r.unwrap(answer), "changed")
			})
		o.flags(cmd)
		parent.AddCommand(cmd)
	}
	return parent
}
