package cli

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli/output"
)

// topOptions are the flags of top.
type topOptions struct {
	options
	host, bridge string
	interval     time.Duration
	limit        int
	once         bool
}

// sample is the counters of things at one moment, by what they are called.
type sample struct {
	at     time.Time
	counts map[string]counters
}

// counters are what was counted of one thing.
type counters struct {
	row            []string // what it is, as the table shows it
	packets, bytes float64
}

// subjects are what top can show: how to count, and the titles of what comes before the rates.
var subjects = map[string]struct {
	titles []string
	count  func(ctx context.Context, s *session, o *topOptions) (map[string]counters, error)
}{
	"flows":   {[]string{"HOST", "BRIDGE", "TABLE", "OBJECT", "MATCH"}, countFlows},
	"objects": {[]string{"OBJECT"}, countObjects},
	"ports":   {[]string{"PORT"}, countPorts},
	"tunnels": {[]string{"FROM", "TO", "TYPE", "INTERFACE"}, countTunnels},
}

func (p *Program) topCommand() *cobra.Command {
	o := &topOptions{}
	cmd := &cobra.Command{
		Use:   "top [tunnels|flows|ports|objects]",
		Short: "Show what carries most traffic",
		Long: `Show what carries most traffic, by the difference of counters between two looks: tunnels (what they send;
the default), flows, or API ports and all objects by the packets that their flows match on all bridges. On a
terminal it is shown again and again; elsewhere, or with --once, one time.`,
		Example:   "  heddle top\n  heddle top flows --host cmp1 --bridge br-tun --interval 5s --once",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: sortedKeys(subjects),
	}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, args []string) error {
		what := "tunnels"
		if len(args) == 1 {
			what = args[0]
		}
		if _, is := subjects[what]; !is {
			return usagef("top shows %s, not %q", strings.Join(sortedKeys(subjects), ", "), what)
		}
		if o.interval <= 0 {
			return usagef("--interval has to be more than nothing")
		}
		return s.top(ctx, o, what)
	})
	f := cmd.Flags()
	f.StringVar(&o.host, "host", "", "only on the host with this `name`")
	f.StringVar(&o.bridge, "bridge", "", "only on bridges with this `name`, of flows")
	f.DurationVar(&o.interval, "interval", 2*time.Second, "time between two looks")
	f.IntVar(&o.limit, "limit", 20, "`how many` to show")
	f.BoolVar(&o.once, "once", false, "one time, on a terminal as well")
	o.formatFlag(cmd)
	p.completeFlag(cmd, "host", "host")
	return cmd
}

func (s *session) top(ctx context.Context, o *topOptions, what string) error {
	live := output.Terminal(s.out) && !o.once && s.format.Table()
	look := func() (sample, error) {
		counts, err := subjects[what].count(ctx, s, o)
		return sample{time.Now(), counts}, err // not the program's clock, which tests hold still
	}
	before, err := look()
	for {
		if err != nil {
			return err
		}
		pause(ctx, o.interval)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var now sample
		if now, err = look(); err != nil {
			return err
		}
		if live {
			s.printf("\x1b[H\x1b[2J") // cursor home, erase display (ECMA-48)
		}
		if err := s.printRates(subjects[what].titles, rates(before, now), o.limit); err != nil || !live {
			return err
		}
		before = now
	}
}

// rate is what one thing carried per second.
type rate struct {
	row           []string
	packets, bits float64
}

// rates are the differences of two samples, the most first. What is new has no rate yet, and a counter that
// fell began anew.
func rates(before, now sample) []rate {
	seconds := now.at.Sub(before.at).Seconds()
	var out []rate
	for key, c := range now.counts {
		was, known := before.counts[key]
		if !known || c.packets < was.packets || c.bytes < was.bytes {
			continue
		}
		out = append(out, rate{c.row, (c.packets - was.packets) / seconds, (c.bytes - was.bytes) * 8 / seconds})
	}
	slices.SortFunc(out, func(a, b rate) int {
		switch {
		case a.bits != b.bits:
			return sign(b.bits - a.bits)
		case a.packets != b.packets:
			return sign(b.packets - a.packets)
		}
		return slices.Compare(a.row, b.row)
	})
	return out
}

func sign(x float64) int {
	if x < 0 {
		return -1
	}
	return 1
}

func (s *session) printRates(titles []string, all []rate, limit int) error {
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	if !s.format.Table() {
		items := make([]any, len(all))
		for i, r := range all {
			item := map[string]any{"packets_per_second": r.packets, "bits_per_second": r.bits}
			for j, title := range titles {
				item[strings.ToLower(title)] = r.row[j]
			}
			items[i] = item
		}
		return s.format.Document(s.out, map[string]any{"items": items})
	}
	t := output.Table{Titles: append(slices.Clone(titles), "PACKETS/S", "BITS/S")}
	for _, r := range all {
		t.Rows = append(t.Rows, append(slices.Clone(r.row), short(r.packets), short(r.bits)))
	}
	return t.Write(s.out)
}

// short is a number with three digits and a unit of a thousand each.
func short(n float64) string {
	for _, unit := range []string{"", "k", "M", "G"} {
		if n < 1000 {
			if n >= 100 || n == float64(int64(n)) {
				return fmt.Sprintf("%.0f%s", n, unit)
			}
			return fmt.Sprintf("%.1f%s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.1fT", n)
}

func countTunnels(ctx context.Context, s *session, o *topOptions) (map[string]counters, error) {
	tunnels, err := s.list(ctx, mustResource("tunnel"), nil)
	if err != nil {
		return nil, err
	}
	out := map[string]counters{}
	for _, t := range tunnels {
		if o.host != "" && o.host != t.text("from") {
			continue
		}
		row := []string{t.text("from"), t.text("to"), t.text("type"), t.text("interface")}
		out[strings.Join(row, " ")] = counters{row, t.number("tx_packets"), t.number("tx_bytes")}
	}
	return out, nil
}

// topFlows are the flows of the chosen bridges.
func topFlows(ctx context.Context, s *session, o *topOptions) ([]object, error) {
	chosen := url.Values{}
	if o.host != "" {
		chosen.Set("host", o.host)
	}
	if o.bridge != "" {
		chosen.Set("bridge", o.bridge)
	}
	return fetchFlows(ctx, s, chosen)
}

func countFlows(ctx context.Context, s *session, o *topOptions) (map[string]counters, error) {
	flows, err := topFlows(ctx, s, o)
	if err != nil {
		return nil, err
	}
	out := map[string]counters{}
	for _, f := range flows {
		row := []string{f.text("host"), f.text("bridge"), strings.TrimSpace(f.text("table") + " " + f.text("table_name")), objectColumn(f), f.text("match")}
		out[strings.Join(row, " ")+f.text("priority")] = counters{row, f.number("packets"), f.number("bytes")}
	}
	return out, nil
}

func countObjects(ctx context.Context, s *session, o *topOptions) (map[string]counters, error) {
	return sumObjects(ctx, s, o, "")
}

func countPorts(ctx context.Context, s *session, o *topOptions) (map[string]counters, error) {
	return sumObjects(ctx, s, o, "port/")
}

// sumObjects adds up the flows of each object.
func sumObjects(ctx context.Context, s *session, o *topOptions, prefix string) (map[string]counters, error) {
	flows, err := topFlows(ctx, s, o)
	if err != nil {
		return nil, err
	}
	out := map[string]counters{}
	for _, f := range flows {
		name := f.text("object")
		if name == "" || !strings.HasPrefix(name, prefix) {
			continue
		}
		c := out[name]
		c.row = []string{objectColumn(f)}
		c.packets += f.number("packets")
		c.bytes += f.number("bytes")
		out[name] = c
	}
	return out, nil
}
