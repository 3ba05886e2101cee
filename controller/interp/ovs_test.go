package interp_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
)

// twoBridges is a lab of br0, with ports of every kind, and br1 behind a patch cable.
func twoBridges(t *testing.T) *lab {
	t.Helper()
	return newLab(t, map[string][]interp.Port{
		"br0": {
			{No: 1, Name: "p1"},
			{No: 2, Name: "p2", VLANMode: interp.Access, VLAN: 10},
			{No: 3, Name: "p3", VLANMode: interp.NativeUntagged, VLAN: 10, Trunks: []uint16{20}},
			{No: 4, Name: "p4", Trunks: []uint16{20, 30}},
			{No: 5, Name: "p5", VLANMode: interp.NativeTagged, VLAN: 30},
			{No: 6, Name: "vxlan1", Remote: remote},
			{No: 7, Name: "gre1", Remote: remote},
			{No: 8, Name: "patch0"},
			{No: of.PortLocal, Name: "br0"},
		},
		"br1": {{No: 1, Name: "patch1"}, {No: 2, Name: "q2"}, {No: 3, Name: "q3", VLANMode: interp.Access, VLAN: 20}, {No: of.PortLocal, Name: "br1"}},
	}, cable{"br0", "patch0", "br1", "patch1"})
}

// seeds calls f with one random seed after the other for a few seconds. Each is logged; INTERP_SEED starts with the
// one it says, so that what failed can be run again.
func seeds(t *testing.T, f func(seed uint64)) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("INTERP_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	for start := time.Now(); time.Since(start) < 5*time.Second; seed++ {
		t.Logf("INTERP_SEED=%d", seed)
		f(seed)
	}
}

// TestTracesAreThoseOfOpenVSwitch gives random flows and groups to Open vSwitch and compares what it says of random
// packets with what Run says.
func TestTracesAreThoseOfOpenVSwitch(t *testing.T) {
	l := twoBridges(t)
	packets := 0
	seeds(t, func(seed uint64) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), tables: 6, sets: seed%2 == 0}
		flows, groups := map[string][]of.Flow{}, map[string][]of.GroupEntry{}
		for _, bridge := range []string{"br0", "br1"} {
			g.ports, g.groups, g.oneWay = []of.PortNo{1, 2, 3, 4, 5, 6, 7, 8}, nil, false
			if bridge == "br1" {
				g.ports, g.oneWay = []of.PortNo{1, 2, 3}, true
			}
			for id := range of.GroupID(3) {
				// Buckets name only groups that are there before.
				groups[bridge] = append(groups[bridge], g.group(1+id))
				g.groups = append(g.groups, 1+id)
			}
			flows[bridge] = g.flows(40)
			l.load(bridge, flows[bridge], groups[bridge])
		}
		br0 := l.bridges(flows, groups)["br0"]
		l.learnMACs(br0, g.learned())
		g.ports = []of.PortNo{1, 2, 3, 4, 5, 6, 7, 8, of.PortLocal}
		for range 200 {
			l.compare(br0, g.packet())
			packets++
		}
	})
	t.Logf("%d packets", packets)
}

// learnMACs lets NORMAL of br0 know addresses, and forget those of before, in both worlds.
func (l *lab) learnMACs(b *interp.Bridge, macs []interp.MAC) {
	l.Helper()
	for _, m := range l.macs {
		l.call("fdb/del", "br0", fmt.Sprint(m.VLAN), m.Address.String())
	}
	l.macs = macs
	for _, m := range macs {
		b.Learn(m)
		p, _ := b.Port(m.Port)
		l.call("fdb/add", "br0", p.Name, fmt.Sprint(m.VLAN), m.Address.String())
	}
}

// learned is addresses for the table of NORMAL.
func (g *generator) learned() []interp.MAC {
	var out []interp.MAC
	for n := range byte(3) {
		for _, vlan := range []uint16{0, 10, 20} {
			if g.oneIn(3) {
				out = append(out, interp.MAC{VLAN: vlan, Address: of.MAC{0xfa, 0x16, 0x3e, 0, 0, n}, Port: pick[of.PortNo](g, 1, 2, 3, 6, 8)})
			}
		}
	}
	return out
}

// TestLimitsAreThoseOfOpenVSwitch leads packets in circles.
func TestLimitsAreThoseOfOpenVSwitch(t *testing.T) {
	l := twoBridges(t)
	out := func(p of.PortNo) of.Action { return of.Output{Port: p} }
	resubmit := func(t of.TableID) of.Action { return of.Resubmit{Port: of.PortInPort, Table: t} }
	// fan sends the packet through each later table n times.
	fan := func(tables, n int) []of.Flow {
		var flows []of.Flow
		for table := range tables {
			f := of.Flow{Table: of.TableID(table)}
			for range n {
				f.Actions = append(f.Actions, resubmit(of.TableID(table+1)))
			}
			flows = append(flows, f)
		}
		return append(flows, of.Flow{Table: of.TableID(tables), Actions: []of.Action{of.SetReg(0, 1)}})
	}
	for name, c := range map[string]struct {
		br0, br1 []of.Flow
		limit    interp.Reason
	}{
		"to_itself":               {br0: []of.Flow{{Actions: []of.Action{out(1), resubmit(0), out(2)}}}, limit: interp.TooDeep},
		"two_tables":              {br0: []of.Flow{{Actions: []of.Action{resubmit(1), out(2)}}, {Table: 1, Actions: []of.Action{out(1), resubmit(0)}}}, limit: interp.TooDeep},
		"too_often":               {br0: fan(6, 5), limit: interp.TooLong},
		"often_enough":            {br0: append(fan(5, 4), of.Flow{Table: 7, Actions: []of.Action{out(1)}})},
		"deep_forward":            {br0: fan(200, 1)},
		"through_the_cable":       {br0: []of.Flow{{Actions: []of.Action{out(1), out(8), out(2)}}, {Priority: 1, Match: of.Match{of.InPort(8)}, Actions: []of.Action{out(3), out(of.PortInPort)}}}, br1: []of.Flow{{Actions: []of.Action{out(2), out(of.PortInPort)}}}},
		"limit_behind_the_cable":  {br0: []of.Flow{{Actions: []of.Action{out(8), out(1)}}}, br1: []of.Flow{{Actions: []of.Action{out(2), resubmit(0)}}}},
		"limit_in_a_tracked_copy": {br0: []of.Flow{{Match: of.Match{of.IPv4()}, Actions: []of.Action{of.CT{Recirc: true, Table: 1}, out(1)}}, {Table: 1, Actions: []of.Action{out(2), resubmit(1)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			l.T = t
			l.load("br0", c.br0, nil)
			l.load("br1", c.br1, nil)
			b := l.bridges(map[string][]of.Flow{"br0": c.br0, "br1": c.br1}, nil)["br0"]
			p := interp.Packet{InPort: 4, EthType: of.EthTypeIPv4}
			l.compare(b, p)
			if got := b.Run(p).Limit; got != c.limit {
				t.Errorf("limit %q, want %q", got, c.limit)
			}
		})
	}
}

// TestLivenessIsThatOfOpenVSwitch takes ports down that buckets watch.
func TestLivenessIsThatOfOpenVSwitch(t *testing.T) {
	ports := []interp.Port{{No: 1, Name: "p1"}, {No: 2, Name: "p2"}, {No: 3, Name: "p3"}}
	l := newLab(t, map[string][]interp.Port{"br0": ports})
	bucket := func(port of.PortNo, group of.GroupID, out of.PortNo) of.Bucket {
		return of.Bucket{WatchPort: port, WatchGroup: group, Actions: []of.Action{of.Output{Port: out}}}
	}
	groups := []of.GroupEntry{
		{ID: 1, Type: of.GroupTypeFastFailover, Buckets: []of.Bucket{bucket(2, 0, 1), bucket(3, 0, of.PortInPort)}},
		{ID: 2, Type: of.GroupTypeFastFailover, Buckets: []of.Bucket{bucket(of.PortAny, 1, 1), bucket(1, 0, of.PortLocal)}},
	}
	flows := []of.Flow{{Priority: 1, Match: of.Match{of.InPort(1)}, Actions: []of.Action{of.Group{ID: 1}}}, {Actions: []of.Action{of.Group{ID: 2}, of.Output{Port: 1}}}}
	l.load("br0", flows, groups)
	for _, down := range [][]string{nil, {"p2"}, {"p2", "p3"}} {
		now := slices.Clone(ports)
		for i := range now {
			if now[i].Down = slices.Contains(down, now[i].Name); now[i].Down {
				l.call("netdev-dummy/set-admin-state", now[i].Name, "down")
			}
		}
		l.waitDown(len(down))
		b := interp.NewBridge(interp.Config{Name: "br0", Ports: append(now, interp.Port{No: of.PortLocal, Name: "br0"}), Flows: flows, Groups: groups})
		for in := range of.PortNo(3) {
			l.compare(b, interp.Packet{InPort: 1 + in, EthType: 0x1234})
		}
	}
}

// waitDown waits for the switch to know that n ports are down.
func (l *lab) waitDown(n int) {
	l.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if out := l.ovs.OFCtl("show", "br0"); strings.Count(out, "LINK_DOWN") == n {
			return
		}
	}
	l.Fatalf("ports are not down:\n%s", l.ovs.OFCtl("show", "br0"))
}
