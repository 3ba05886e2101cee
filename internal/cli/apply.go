package cli

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli/client"
)

// documentOptions are the flags of apply, plan and diff.
type documentOptions struct {
	options
	files []string
	set   string
	prune bool
}

func (o *documentOptions) flags(cmd *cobra.Command) {
	o.formatFlag(cmd)
	cmd.Flags().StringArrayVarP(&o.files, "filename", "f", nil, "`file` or directory of YAML or JSON, - for the standard input; repeatable")
	cmd.Flags().StringVar(&o.set, "set", "", "`name` of the set that the objects belong to")
	cmd.Flags().BoolVar(&o.prune, "prune", false, "delete what belongs to the set and is not in the files")
}

const documentLong = `A file has lists of networks, subnets, routers, ports and floatingips, with the attributes of the Networking
API, and with names where that has ids:

  networks:
    - name: blue
  subnets:
    - {name: blue-v4, network: blue, cidr: 10.0.22.0/24}
  routers:
    - {name: edge, external_gateway: public, interfaces: [blue-v4]}
  ports:
    - {name: web, network: blue, fixed_ips: [{subnet: blue-v4, ip_address: 10.0.22.9}]}
  floatingips:
    - {network: public, port: web}`

func (p *Program) applyCommand() *cobra.Command {
	o := &documentOptions{}
	var planID string
	var plan bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE | --plan-id ID",
		Short: "Make objects what a file says, or do what was planned",
		Long: `Make objects what files say, all of them or none: what is missing is created, what is otherwise is changed,
and nothing if everything is so already. With --plan-id do exactly what a plan showed, which is refused if
anything changed since.

` + documentLong,
		Example: "  heddle apply -f office.yaml --project acme\n  heddle apply -f office/ --set office --prune\n  heddle apply --plan-id plan-0b5c…",
		Args:    cobra.NoArgs,
	}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, _ []string) error {
		switch {
		case planID != "" && len(o.files) > 0:
			return usagef("--plan-id and -f do not go together: the plan says what is done")
		case planID != "":
			return s.applyPlan(ctx, planID)
		case plan:
			made, _, err := s.planDocument(ctx, o, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return s.printPlan(made)
		}
		return s.applyDocument(ctx, o, cmd.InOrStdin())
	})
	o.flags(cmd)
	cmd.Flags().StringVar(&planID, "plan-id", "", "`id` of the plan to do")
	cmd.Flags().BoolVar(&plan, "plan", false, "do nothing; show what would change, as heddle plan does")
	p.completeFlag(cmd, "plan-id", "plan")
	return cmd
}

func (p *Program) planCommand() *cobra.Command {
	o := &documentOptions{}
	cmd := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Show what applying a file would change, on every host, and keep it as a plan",
		Long: `Show what applying files would change: objects, and every flow, OVSDB row, namespace, NAT rule and DHCP
line on every host. It is kept for 15 minutes as a plan, which heddle apply --plan-id does exactly as shown;
heddle get plans lists them. Every other command that changes something takes --plan.

` + documentLong,
		Example: "  heddle plan -f office.yaml\n  heddle delete port web --plan",
		Args:    cobra.NoArgs,
	}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, _ []string) error {
		made, _, err := s.planDocument(ctx, o, cmd.InOrStdin())
		if err != nil {
			return err
		}
		return s.printPlan(made)
	})
	o.flags(cmd)
	return cmd
}

func (p *Program) diffCommand() *cobra.Command {
	o := &documentOptions{}
	cmd := &cobra.Command{
		Use:     "diff -f FILE",
		Short:   "Tell whether objects are what a file says",
		Long:    "Tell what differs between files and what there is, as heddle plan does, and keep nothing. The exit code is\n0 without differences and 1 with some, others are errors.\n\n" + documentLong,
		Example: "  heddle diff -f office.yaml --set office --prune",
		Args:    cobra.NoArgs,
	}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, _ []string) error {
		made, _, err := s.planDocument(ctx, o, cmd.InOrStdin())
		if err != nil {
			return err
		}
		id := made.text("id")
		if err := s.Do(ctx, http.MethodDelete, "/v1/plans/"+url.PathEscape(id), nil, nil, nil); err != nil && !client.IsNotFound(err) {
			return err
		}
		if len(made.objects("changes")) == 0 {
			return nil
		}
		delete(made, "id")
		if err := s.printPlan(made); err != nil {
			return err
		}
		return no
	})
	o.flags(cmd)
	return cmd
}

// query is the parameters of a document.
func (o *documentOptions) query(s *session) url.Values {
	q := url.Values{}
	if o.set != "" {
		q.Set("set", o.set)
	}
	if o.prune {
		q.Set("prune", "true")
	}
	if s.project != "" {
		q.Set("project_id", s.project)
	}
	return q
}

const applyPath = "/v1/apply"

func (s *session) planDocument(ctx context.Context, o *documentOptions, in io.Reader) (object, *document, error) {
	doc, err := readDocument(o.files, in)
	if err != nil {
		return nil, nil, err
	}
	made, err := s.plan(ctx, http.MethodPost, applyPath, o.query(s), doc.body)
	return made, doc, doc.locate(err)
}

func (s *session) applyDocument(ctx context.Context, o *documentOptions, in io.Reader) error {
	doc, err := readDocument(o.files, in)
	if err != nil {
		return err
	}
	var answer object
	if err := s.Do(ctx, http.MethodPost, applyPath, o.query(s), doc.body, &answer); err != nil {
		return doc.locate(err)
	}
	return s.printApplied(answer)
}

func (s *session) applyPlan(ctx context.Context, id string) error {
	var answer object
	if err := s.Do(ctx, http.MethodPost, "/v1/plans/"+url.PathEscape(id)+"/apply", nil, nil, &answer); err != nil {
		return err
	}
	return s.printApplied(answer)
}

// printApplied prints what was done, one object a line.
func (s *session) printApplied(answer object) error {
	if !s.format.Table() && !s.format.Name() {
		return s.format.Document(s.out, map[string]any(answer))
	}
	changes := append(answer.objects("applied.changes"), answer.objects("plan.changes")...) // it has one of them
	for _, c := range changes {
		if s.format.Name() {
			s.printf("%s\n", c.text("object"))
			continue
		}
		_, paint := s.mark(c.text("op"))
		s.printf("%s %s\n", objectColumn(object{"object": c["object"], "object_name": c["name"]}), paint(done(c.text("op"))))
	}
	if s.format.Name() {
		return nil
	}
	if n := answer.text("applied.unchanged"); n != "" {
		s.printf("%s objects are as they should be already\n", n)
	}
	s.printf("revision %s\n", answer.text("applied.rev"))
	return nil
}

// done is an operation that was done.
func done(op string) string {
	switch op {
	case "create":
		return "created"
	case "delete":
		return "deleted"
	}
	return "changed"
}
