package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli/checks"
	"github.com/heddle-sdn/heddle/internal/cli/client"
	"github.com/heddle-sdn/heddle/internal/cli/hostcheck"
)

// doctorOptions are the flags of doctor.
type doctorOptions struct {
	options
	local bool
	deep  bool
	host  hostcheck.Options
}

func (p *Program) doctorCommand() *cobra.Command {
	o := &doctorOptions{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with the installation, or with --local this host, and say what to do",
		Long: `Look for what is wrong, and say what to do. Without --local it asks the server: whether it is ready, hosts,
tunnels and agents are well, what objects wait for, drift, clocks; with --deep all flows of all bridges are
compared as well. With --local it looks at the host it runs on, and needs no server: Open vSwitch and its
connections, bridges and their cable, the tunnel address, and for the other end of each tunnel whether it is
reached by packets as large as need be; clock, disks, and on a gateway host the programs it needs.

The exit code is 1 if something is wrong. What is only to be looked at does not count.`,
		Example: "  heddle doctor\n  heddle doctor --local --mtu 1550\n  heddle doctor -o json",
		Args:    cobra.NoArgs,
	}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, _ []string) error {
		if o.local {
			return s.printChecks(hostcheck.Check(ctx, hostcheck.System{}, o.host))
		}
		d := &doctor{session: s}
		d.all(ctx, o.deep)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return s.printChecks(d.List)
	})
	o.formatFlag(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.local, "local", false, "look at this host")
	f.BoolVar(&o.deep, "deep", false, "compare all flows of all bridges")
	f.IntVar(&o.host.MTU, "mtu", 1500, "`bytes` that the underlay has to carry, for --local: heddle server --underlay-mtu")
	f.BoolVar(&o.host.Gateway, "gateway", false, "this host has to be able to run routers, for --local")
	return cmd
}

// printChecks prints findings, and is no if something is wrong.
func (s *session) printChecks(l checks.List) error {
	if s.format.Table() || s.format.Name() {
		for _, c := range l.All {
			line := fmt.Sprintf("%-4s  %s", c.State, c.What)
			if c.Says != "" {
				line += ": " + c.Says
			}
			s.printf("%s\n", strings.Replace(line, string(c.State), s.style.State(string(c.State)), 1))
			if c.Do != "" {
				s.printf("      %s\n", s.style.Bold("-> "+c.Do))
			}
		}
		s.printf("\n%d ok, %d to look at, %d wrong\n", l.Count(checks.OK), l.Count(checks.Warn), l.Count(checks.Fail))
	} else {
		items := make([]any, len(l.All))
		for i, c := range l.All {
			item := map[string]any{"state": string(c.State), "what": c.What}
			if c.Says != "" {
				item["says"] = c.Says
			}
			if c.Do != "" {
				item["do"] = c.Do
			}
			items[i] = item
		}
		if err := s.format.Document(s.out, map[string]any{"ok": l.Count(checks.Fail) == 0, "checks": items}); err != nil {
			return err
		}
	}
	if l.Count(checks.Fail) > 0 {
		return no
	}
	return nil
}

// doctor asks a server how its installation is.
type doctor struct {
	*session
	checks.List
}

func (d *doctor) all(ctx context.Context, deep bool) {
	if !d.server(ctx) {
		return
	}
	admin := d.whoami(ctx)
	if admin {
		d.status(ctx)
		d.hosts(ctx)
		d.tunnels(ctx)
		d.agents(ctx)
		d.events(ctx)
	}
	d.objects(ctx, admin)
	if admin && deep {
		d.flows(ctx)
	}
}

// ask reads something; that it cannot be read is a finding.
func (d *doctor) ask(ctx context.Context, what, path string, query url.Values, into *object) bool {
	if err := d.Get(ctx, path, query, into); err != nil {
		d.Fail(what, err.Error(), "GET "+path+" failed; the server's log says more")
		return false
	}
	return true
}

// clockSkew is how far clocks may differ before logs and events are hard to compare.
const clockSkew = 2 * time.Second

// server looks whether it lives, is ready, and has about the same time.
func (d *doctor) server(ctx context.Context) bool {
	what := "server " + d.Server()
	begun := d.program.Now()
	_, code, err := d.Text(ctx, "/livez", nil)
	var gone *client.Unreachable
	switch {
	case errors.As(err, &gone):
		d.Fail(what, "it cannot be reached: "+gone.Err.Error(), "is heddle server running there, does --server name it, and does a firewall let this machine through? Hosts go on forwarding without it")
		return false
	case err != nil:
		d.Fail(what, err.Error(), "look at --server, and at the server's log")
		return false
	case code != http.StatusOK:
		d.Fail(what, fmt.Sprintf("/livez answers %d", code), "is it a Heddle server that --server names?")
		return false
	}
	d.OK(what, "it answers")
	text, code, err := d.Text(ctx, "/readyz", url.Values{"verbose": {""}})
	if err != nil {
		d.Fail("ready", err.Error(), "look at the server's log")
		return false
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if why, bad := strings.CutPrefix(line, "[-]"); bad {
			d.Fail("ready", why, readyHelp(why))
		}
	}
	if code == http.StatusOK {
		d.OK("ready", "all checks hold")
	}
	d.clock(ctx, begun)
	return true
}

// readyHelp says what to do about a check of /readyz that does not hold.
func readyHelp(why string) string {
	if strings.HasPrefix(why, "store") {
		return "is the disk of --data-dir full or read-only? Changes are refused until it can be written; hosts go on forwarding"
	}
	return "a host that connects is read first; if it lasts, heddle get hosts -o wide says what keeps it"
}

func (d *doctor) clock(ctx context.Context, begun time.Time) {
	server, err := d.Time(ctx)
	if err != nil || server.IsZero() {
		return
	}
	ended := d.program.Now()
	// The header has whole seconds.
	ahead, behind := server.Sub(ended), begun.Sub(server)-time.Second
	switch skew := max(ahead, behind); {
	case skew > clockSkew:
		d.Warn("clock", fmt.Sprintf("this machine's and the server's differ by %v", skew.Round(time.Second)), "run a time service on both")
	default:
		d.OK("clock", "the server's is this machine's")
	}
}

// whoami looks who asks. It reports whether it is an administrator.
func (d *doctor) whoami(ctx context.Context) bool {
	var who object
	err := d.Get(ctx, "/v1/whoami", nil, &who)
	switch {
	case client.HasCode(err, http.StatusUnauthorized):
		d.Fail("token", err.Error(), "give the token of an administrator")
		return false
	case err != nil:
		d.Fail("token", err.Error(), "is it a Heddle server that --server names?")
		return false
	case !who.yes("admin"):
		d.Warn("token", fmt.Sprintf("%s of project %s is no administrator: hosts and tunnels are not looked at", who.text("user"), who.text("project_id")), "use the token of an administrator")
		return false
	}
	d.OK("token", "administrator %s", who.text("user"))
	return true
}

func (d *doctor) status(ctx context.Context) {
	var st object
	if !d.ask(ctx, "status", "/v1/status", nil, &st) {
		return
	}
	version := st.text("version")
	if version != d.program.Version {
		d.Warn("version", fmt.Sprintf("the server is %s, this program %s", version, d.program.Version), "use the same version of both")
	} else {
		d.OK("version", "%s", version)
	}
	if behind := st.text("hosts.behind"); behind != "" {
		d.Warn("revision", fmt.Sprintf("hosts %s have not confirmed revision %s yet", behind, st.text("revision")), "that is over in a moment, or heddle describe host says what keeps it")
	} else {
		d.OK("revision", "all connected hosts have confirmed revision %s", st.text("revision"))
	}
	if n := st.text("switches.unclaimed"); n != "" && n != "0" {
		d.Warn("bridges", n+" connected bridges belong to no host", "heddle get switches -o wide says what to do about each")
	}
}

func (d *doctor) hosts(ctx context.Context) {
	var answer object
	if !d.ask(ctx, "hosts", "/v1/hosts", nil, &answer) {
		return
	}
	hosts := answer.objects("hosts")
	if len(hosts) == 0 {
		d.Warn("hosts", "there are none", "on each host: ovs-vsctl set-manager tcp:THIS-SERVER:6640")
	}
	for _, h := range hosts {
		what := "host " + h.text("name")
		problems := h.objects("problems")
		for _, p := range problems {
			d.Fail(what, p.text("reason")+": "+p.text("message"), "heddle doctor --local on the host looks closer")
		}
		switch {
		case len(problems) > 0:
		case !h.yes("connected"):
			d.Fail(what, "it is not connected", "heddle doctor --local on the host looks closer")
		default:
			d.OK(what, "connected, no problems")
		}
	}
}

func (d *doctor) tunnels(ctx context.Context) {
	var answer object
	if !d.ask(ctx, "tunnels", "/v1/tunnels", nil, &answer) {
		return
	}
	up := 0
	for _, t := range answer.objects("tunnels") {
		what := fmt.Sprintf("%s tunnel %s to %s", t.text("type"), t.text("from"), t.text("to"))
		says := strings.TrimPrefix(t.text("reason")+": "+t.text("message"), ": ")
		switch t.text("state") {
		case "up":
			up++
		case "down":
			d.Fail(what, strings.TrimSuffix("down: "+says, ": "), "heddle doctor --local on host "+t.text("from")+" tries the way to the other end")
		default:
			d.Warn(what, strings.TrimSuffix("not known: "+says, ": "), "heddle doctor --local on host "+t.text("from")+" tries the way to the other end")
		}
	}
	if up > 0 {
		d.OK("tunnels", "%d directions are up", up)
	}
}

func (d *doctor) agents(ctx context.Context) {
	var answer object
	if !d.ask(ctx, "agents", "/v1/agents", nil, &answer) {
		return
	}
	for _, a := range answer.objects("agents") {
		what := "agent of " + a.text("host")
		switch {
		case !a.yes("connected"):
			d.Fail(what, "it does not report; last seen "+orNobody(a.text("seen")), "is heddle agent running on the host (systemctl status heddle-agent), and does its --server lead here? What it made goes on")
		case a.number("failed") > 0:
			errs := object(asMap(a["errors"]))
			for _, ns := range sortedKeys(errs) {
				d.Fail(what, ns+": "+errs.text(ns), "heddle doctor --local on the host looks for what its programs need")
			}
		case a.number("pending") > 0:
			d.Warn(what, a.text("pending")+" namespaces are not as wanted yet", "that is over in a moment, or heddle get namespaces says what keeps them")
		default:
			d.OK(what, "%s namespaces are as wanted", a.text("namespaces"))
		}
	}
}

// recent is how far back drift and failures are looked for.
const recent = time.Hour

func (d *doctor) events(ctx context.Context) {
	since := d.program.Now().Add(-recent)
	events, _, err := d.recentEvents(ctx, func(e object) bool {
		at, err := time.Parse(time.RFC3339, e.text("time"))
		return err != nil || at.After(since)
	}, allEvents)
	if err != nil {
		d.Fail("events", err.Error(), "the server's log says more")
		return
	}
	drift, failed := map[string]int{}, map[string]string{}
	for _, e := range events {
		place := strings.TrimSpace(e.text("host") + " " + e.text("body.target"))
		switch e.text("kind") {
		case "drift":
			drift[place]++
		case "reconcile_failed":
			failed[place] = e.text("body.cause")
		case "reconcile_recovered":
			delete(failed, place)
		}
	}
	for _, place := range sortedKeys(drift) {
		d.Warn("drift", fmt.Sprintf("%d times in the last hour somebody else changed what Heddle had made on %s; it was repaired", drift[place], place),
			"heddle events --kind drift says what; is another controller or script at work there?")
	}
	for _, place := range sortedKeys(failed) {
		d.Fail("changes", place+" refuses them: "+failed[place], "heddle events --kind reconcile_failed names flow and object")
	}
	if len(drift)+len(failed) == 0 {
		d.OK("drift", "none in the last hour")
	}
}

// quiet are reasons that are no fault by themselves: a port that nobody has plugged yet, for one.
var quiet = []string{"", "NotPlugged", "AdminDown", "NotAssociated"}

// objects looks what objects wait for: for each kind and reason how many, with what the first of them says.
func (d *doctor) objects(ctx context.Context, admin bool) {
	for _, r := range kindsOfThings() {
		if r.kind == "" || r.kind == "host" {
			continue
		}
		var answer object
		if !d.ask(ctx, r.plural, "/v1/objects/"+r.kind, url.Values{"limit": {"1000000"}}, &answer) {
			continue
		}
		count, first := map[string]int{}, map[string]object{}
		for _, o := range answer.objects("objects") {
			reason := o.text("reason")
			if o.yes("ok") || slices.Contains(quiet, reason) {
				continue
			}
			if count[reason]++; count[reason] == 1 {
				first[reason] = o
			}
		}
		for _, reason := range sortedKeys(count) {
			o := first[reason]
			name := o.text("name")
			if name == "" {
				name = o.text("id")
			}
			d.Fail(r.plural, fmt.Sprintf("%s, %d of them; %s/%s: %s", reason, count[reason], r.name, name, o.text("message")),
				fmt.Sprintf("heddle describe %s/%s; heddle get %s --filter state.reason=%s lists them", r.name, name, r.plural, reason))
		}
		if len(count) == 0 {
			d.OK(r.plural, "%s, and nothing is wrong with them", zero(answer.text("matched")))
		}
	}
}

// flows compares all flows of all bridges.
func (d *doctor) flows(ctx context.Context) {
	bridges, err := d.list(ctx, mustResource("switch"), nil)
	if err != nil {
		d.Fail("flows", err.Error(), "the server's log says more")
		return
	}
	for _, b := range bridges {
		if !b.yes("managed") {
			continue
		}
		what := fmt.Sprintf("flows of %s on %s", b.text("bridge"), b.text("host"))
		var answer object
		if !d.ask(ctx, what, "/v1/switches/"+b.text("dpid")+"/flows", url.Values{"limit": {"0"}}, &answer) {
			continue
		}
		n := func(state string) string { return zero(answer.text("summary." + state)) }
		if n("missing") != "0" || n("altered") != "0" || n("stale") != "0" {
			d.Fail(what, fmt.Sprintf("%s missing, %s altered, %s stale", n("missing"), n("altered"), n("stale")),
				"the next pass sets them right; if it does not, heddle describe host "+b.text("host")+" says why")
			continue
		}
		says := n("ok") + " as wanted"
		if n("foreign") != "0" {
			says += ", " + n("foreign") + " of others, which are left alone"
		}
		d.OK(what, "%s", says)
	}
}
