package wire_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// textOf is the whole line that ovs-ofctl has for a case.
func textOf(f of.Flow, c flowCase) string {
	sep := ","
	if strings.HasPrefix(c.text, "actions=") {
		sep = " "
	}
	return fmt.Sprintf("cookie=0x%x, priority=%d%s%s", uint64(f.Cookie), f.Priority, sep, c.text)
}

func TestFlowsPrintAsOvsOfctlPrintsThem(t *testing.T) {
	cases := allCases()
	for i, f := range flowsOf(cases) {
		t.Run(cases[i].name, func(t *testing.T) {
			if got, want := f.String(), textOf(f, cases[i]); got != want {
				t.Errorf("text\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestFlowsSurvivePackAndUnpack(t *testing.T) {
	cases := allCases()
	for i, f := range flowsOf(cases) {
		t.Run(cases[i].name, func(t *testing.T) {
			k, e, err := wire.Pack(f)
			if err != nil {
				t.Fatal(err)
			}
			back, err := wire.Unpack(k, e)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := back.String(), f.String(); got != want {
				t.Errorf("flow\n got %s\nwant %s", got, want)
			}
			k2, e2, err := wire.Pack(back)
			if err != nil || k2 != k || e2 != e {
				t.Errorf("packed again: %x %x %v, want %x %x", k2, e2, err, k, e)
			}
		})
	}
}

// prepare makes a bridge with the port, group and meter that the cases name.
func prepare(t *testing.T, o *ovstest.OVS, bridge string) *client {
	t.Helper()
	o.AddBridge(bridge)
	for n := 1; n <= 4; n++ {
		o.AddPort(bridge, fmt.Sprintf("%sp%d", bridge, n), n)
	}
	c := dial(t, o.MgmtSocket(bridge))
	c.write(must(wire.AppendGroupMod(nil, c.next(), wire.GroupAdd, of.GroupEntry{ID: 1, Buckets: []of.Bucket{{Actions: []of.Action{of.Output{Port: 1}}}}})))
	c.write(must(wire.AppendMeterMod(nil, c.next(), wire.MeterAdd, of.MeterEntry{
		ID: 1, Flags: of.MeterKbps, Bands: []of.MeterBand{{Type: of.BandDrop, Rate: 1000}}})))
	if err := c.barrier(); err != nil {
		t.Fatal(err)
	}
	return c
}

// packed is a dump by cookie.
func packed(t *testing.T, c *client) map[of.Cookie]wire.FlowStat {
	t.Helper()
	m := map[of.Cookie]wire.FlowStat{}
	for _, s := range c.flows() {
		m[s.Cookie] = s
	}
	return m
}

// compare checks that a flow stands in a dump with exactly the bytes that we would send.
func compare(t *testing.T, f of.Flow, dump map[of.Cookie]wire.FlowStat) {
	t.Helper()
	s, ok := dump[f.Cookie]
	if !ok {
		t.Fatal("flow is not in the dump")
	}
	wantKey, wantEntry, err := wire.Pack(f)
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.Key()
	if err != nil {
		t.Fatal(err)
	}
	if key != wantKey {
		t.Errorf("key\n got %d %x\nwant %d %x", key.Priority, key.Match, wantKey.Priority, wantKey.Match)
	}
	if string(s.Match) != wantKey.Match {
		t.Errorf("the switch orders the match otherwise\n got %x\nwant %x", s.Match, wantKey.Match)
	}
	if e := s.Entry(); e != wantEntry {
		t.Errorf("entry\n got %+v %x\nwant %+v %x", e, e.Instructions, wantEntry, wantEntry.Instructions)
	}
}

func TestSwitchGivesBackWhatWeSend(t *testing.T) {
	o := ovstest.Start(t)
	c := prepare(t, o, "br0")
	cases := allCases()
	flows := flowsOf(cases)
	for i, f := range flows {
		c.write(must(wire.AppendFlowMod(nil, c.next(), &wire.FlowMod{Flow: f})))
		if err := c.barrier(); err != nil {
			t.Errorf("%s: %v", cases[i].name, err)
		}
	}
	dump := packed(t, c)
	lines := map[string]string{}
	for _, line := range strings.Split(o.OFCtl("dump-flows", "--no-stats", "br0"), "\n") {
		line = strings.TrimSpace(line)
		cookie, _, _ := strings.Cut(line, ",")
		lines[cookie] = line
	}
	for i, f := range flows {
		t.Run(cases[i].name, func(t *testing.T) {
			compare(t, f, dump)
			if got, want := lines["cookie="+f.Cookie.String()], textOf(f, cases[i]); cases[i].differs != "bytes" && got != want {
				t.Errorf("ovs-ofctl dump-flows\n got %s\nwant %s", got, want)
			}
			s := dump[f.Cookie]
			back, err := s.Flow()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := back.String(), textOf(f, cases[i]); got != want {
				t.Errorf("decoded\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestOvsOfctlReadsOurText(t *testing.T) {
	o := ovstest.Start(t)
	c := prepare(t, o, "br0")
	cases := allCases()
	flows := flowsOf(cases)
	var text strings.Builder
	for i, f := range flows {
		if cases[i].differs == "" {
			fmt.Fprintln(&text, f)
		}
	}
	file := filepath.Join(o.RunDir, "flows")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	o.OFCtl("parse-flows", file)
	o.OFCtl("add-flows", "br0", file)
	dump := packed(t, c)
	for i, f := range flows {
		if cases[i].differs == "" {
			t.Run(cases[i].name, func(t *testing.T) { compare(t, f, dump) })
		}
	}
}

func TestTimeoutsAndFlagsComeBack(t *testing.T) {
	o := ovstest.Start(t)
	c := prepare(t, o, "br0")
	f := of.Flow{
		Table: 20, Priority: 1, Cookie: 0x5d02000000000003, IdleTimeout: 500, HardTimeout: 600,
		Flags: of.SendFlowRem | of.CheckOverlap | of.ResetCounts | of.NoPktCounts | of.NoByteCounts,
		Match: of.Match{of.VLANMasked(2, 0xfff)}, Actions: []of.Action{of.Output{Port: 3}},
	}
	c.write(must(wire.AppendFlowMod(nil, c.next(), &wire.FlowMod{Flow: f})))
	if err := c.barrier(); err != nil {
		t.Fatal(err)
	}
	compare(t, f, packed(t, c))
	if got := strings.TrimSpace(o.OFCtl("dump-flows", "--no-stats", "br0")); got != f.String() {
		t.Errorf("ovs-ofctl dump-flows\n got %s\nwant %s", got, f)
	}
}
