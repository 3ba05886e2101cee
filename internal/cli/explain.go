package cli

import (
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// explainOptions are the flags of explain and trace.
type explainOptions struct {
	options
	params map[string]*string
	rev    uint64
}

// packetFlags are the flags that describe the packet, with the parameters of /v1/explain that they are.
var packetFlags = []struct{ flag, param, says string }{
	{"protocol", "protocol", "icmp (default), tcp, udp or arp"},
	{"port", "dst_port", "destination `port` of TCP or UDP"},
	{"source-port", "src_port", "source `port` of TCP or UDP"},
	{"source-ip", "src_ip", "source `address`, if it is another than the sender's system would choose"},
	{"source-mac", "src_mac", "source MAC `address`, likewise"},
	{"mac", "dst_mac", "destination MAC `address`: nobody is asked for it"},
	{"state", "state", "desired (default): what hosts should do, or actual: what their bridges hold now"},
}

const explainLong = `FROM is a port by name or id, host/NAME/INTERFACE, or external: someone outside. TO is a port or an IP
address. No packet is sent. The answer is yes if the packet is delivered and, where the protocol has one, the
answer to it as well.`

func (p *Program) explainCommand() *cobra.Command {
	return p.explaining(&cobra.Command{
		Use:   "explain FROM TO",
		Short: "Say what becomes of a packet, in words, and where it ends and why",
		Long: `Say what becomes of a packet: its way over hosts, tunnels and routers, in words; with -o wide each flow,
route and rule as well.

` + explainLong,
		Example: "  heddle explain web db\n  heddle explain web 198.51.100.1 --protocol tcp --port 443 -o wide\n  heddle explain external 198.51.100.9 --state actual",
	}, func(s *session, a object) { s.printExplained(a, s.format.Wide()) })
}

func (p *Program) traceCommand() *cobra.Command {
	return p.explaining(&cobra.Command{
		Use:     "trace FROM TO",
		Short:   "Show every table that a packet passes, as ofproto/trace does, across hosts",
		Long:    "Show every table, route and rule that a packet passes and what it is then, as ovs-appctl ofproto/trace\nprints it, across hosts and namespaces.\n\n" + explainLong,
		Example: "  heddle trace web db --state actual\n  heddle trace host/cmp1/tap0 10.0.22.1 --protocol arp",
	}, (*session).printTrace)
}

func (p *Program) explaining(cmd *cobra.Command, show func(*session, object)) *cobra.Command {
	o := &explainOptions{params: map[string]*string{}}
	cmd.Args = cobra.ExactArgs(2)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		return p.completeInTurn(cmd, args, word, "port", "port")
	}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, args []string) error {
		answer, err := s.explain(ctx, o, args[0], args[1])
		if err != nil {
			return err
		}
		if s.format.Table() {
			show(s, answer)
		} else if err := s.format.Document(s.out, map[string]any(answer)); err != nil {
			return err
		}
		return verdict(answer)
	})
	o.formatFlag(cmd)
	for _, f := range packetFlags {
		o.params[f.param] = cmd.Flags().String(f.flag, "", f.says)
	}
	cmd.Flags().Uint64Var(&o.rev, "rev", 0, "explain the `revision` of the past")
	_ = cmd.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions([]string{"icmp", "tcp", "udp", "arp"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"desired", "actual"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (s *session) explain(ctx context.Context, o *explainOptions, from, to string) (object, error) {
	query := url.Values{}
	var err error
	if from != "external" && !strings.HasPrefix(from, "host/") {
		if from, err = s.portOf(ctx, from); err != nil {
			return nil, err
		}
	}
	if _, err := netip.ParseAddr(to); err != nil {
		if to, err = s.portOf(ctx, to); err != nil {
			return nil, err
		}
	}
	query.Set("from", from)
	query.Set("to", to)
	for param, value := range o.params {
		if *value != "" {
			query.Set(param, *value)
		}
	}
	if o.rev != 0 {
		query.Set("rev", strconv.FormatUint(o.rev, 10))
	}
	var answer object
	return answer, s.Get(ctx, "/v1/explain", query, &answer)
}

// portOf reads "web", "port/web" or an id as "port/ID".
func (s *session) portOf(ctx context.Context, word string) (string, error) {
	if kind, name, is := strings.Cut(word, "/"); is {
		if r, err := resourceNamed(kind); err != nil || r.name != "port" {
			return "", usagef("%q is neither a port nor an address, host/NAME/INTERFACE or external", word)
		}
		word = name
	}
	id, err := s.resolveID(ctx, mustResource("port"), word)
	return "port/" + id, err
}

// verdict is the exit code of an answer.
func verdict(a object) error {
	verdicts := []object{a}
	if reply := asMap(a["reply"]); reply != nil {
		verdicts = append(verdicts, reply)
	}
	for _, v := range verdicts {
		switch word := v.text("verdict"); {
		case word == "unknown":
			return &failure{code: exitUnknown}
		case word == "dropped", word == "flooded" && len(v.objects("delivered")) == 0:
			return no
		}
	}
	return nil
}

func (s *session) printExplained(a object, wide bool) {
	s.printf("%s\n", s.style.Dim(a.text("packet")))
	s.printWay(a.objects("steps"), wide)
	s.printVerdict("", a)
	if reply := object(asMap(a["reply"])); reply != nil {
		s.printf("\n%s\n", s.style.Bold("the answer"))
		s.printWay(reply.objects("steps"), wide)
		s.printVerdict("the answer is ", reply)
	}
}

func (s *session) printVerdict(before string, a object) {
	line := before + s.style.State(a.text("verdict"))
	if reason := a.text("reason"); reason != "" {
		line += " " + s.style.Bad(reason)
	}
	s.printf("%s: %s\n", line, a.text("message"))
}

// printWay prints steps under their hosts and places. A copy of a packet is a branch, and stands deeper.
func (s *session) printWay(steps []object, wide bool) {
	depth, seen := map[string]int{}, map[string]bool{}
	place := ""
	for _, step := range steps {
		parent := step.text("parent")
		d := depth[parent]
		switch {
		case step.text("kind") == "neighbour": // what is asked first, and is no copy of the packet
			depth[step.text("id")] = d + 1
		case seen[parent]:
			d++ // not the first that follows from it
			depth[step.text("id")] = d
		default:
			seen[parent] = true
			depth[step.text("id")] = d
		}
		if at := strings.TrimSpace(step.text("host") + " " + step.text("where")); at != place {
			place = at
			s.printf("%s\n", s.style.Bold(at))
		}
		indent := strings.Repeat("  ", d+1)
		says := step.text("says")
		if t := step.text("table_name"); t != "" {
			says = t + ": " + says
		}
		if state := step.text("state"); state != "" && state != "ok" {
			says = s.style.State(state) + " " + says
		}
		switch step.text("kind") {
		case "drop":
			says = s.style.Bad(says)
		case "deliver", "answer":
			says = s.style.Good(says)
		}
		s.printf("%s%s\n", indent, says)
		if text := step.text("text"); wide && text != "" {
			s.printf("%s  %s\n", indent, s.style.Dim(text))
		}
	}
}

// printTrace prints steps as ofproto/trace does: tables by number with the flow that matched, and the packet
// where it changed.
func (s *session) printTrace(a object) {
	s.printf("Flow: %s\n", a.text("packet"))
	s.printTraceSteps(a.objects("steps"))
	s.printVerdict("", a)
	if reply := object(asMap(a["reply"])); reply != nil {
		s.printf("\n%s\n", s.style.Bold("the answer"))
		s.printTraceSteps(reply.objects("steps"))
		s.printVerdict("the answer is ", reply)
	}
}

func (s *session) printTraceSteps(steps []object) {
	place := ""
	for _, step := range steps {
		if at := strings.TrimSpace(step.text("host") + " " + step.text("where")); at != place {
			place = at
			title := step.text("where") + " on host " + step.text("host")
			if step.text("where") == "" || step.text("host") == "" {
				title = at
			}
			s.printf("\n%s\n%s\n", s.style.Bold(title), strings.Repeat("-", len(title)))
		}
		text := step.text("text")
		switch {
		case step.text("table") != "":
			s.printf("%2s. %s\n", step.text("table"), step.text("table_name"))
			s.printf("    %s\n", orNobody(text))
		case text != "":
			s.printf(" >> %s: %s\n", step.text("kind"), text)
		default:
			s.printf(" >> %s: %s\n", step.text("kind"), step.text("says"))
		}
		if step.text("changed") != "" {
			s.printf("     -> %s\n", step.text("packet"))
		}
	}
	s.printf("\n")
}
