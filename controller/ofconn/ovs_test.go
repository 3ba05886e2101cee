package ofconn_test

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// freePort is a TCP port of loopback that was free a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port
}

// viaController makes a session the one way in: the bridge dials us.
func viaController(t testing.TB, o *ovstest.OVS, bridge string, cfg ofconn.Config) <-chan *ofconn.Session {
	t.Helper()
	addr, sessions := listen(t, cfg)
	o.VSCtl("set-controller", bridge, "tcp:"+addr)
	return sessions
}

// viaListener makes a session the other way in: we dial the bridge.
func viaListener(t testing.TB, o *ovstest.OVS, bridge string, cfg ofconn.Config) <-chan *ofconn.Session {
	t.Helper()
	port := freePort(t)
	o.VSCtl("set-controller", bridge, fmt.Sprintf("ptcp:%d:127.0.0.1", port))
	return dial(t, ofconn.Dialer{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Config: cfg})
}

var waysIn = map[string]func(testing.TB, *ovstest.OVS, string, ofconn.Config) <-chan *ofconn.Session{
	"bridge_dials":   viaController,
	"bridge_listens": viaListener,
}

func TestOVSBothWaysIn(t *testing.T) {
	for name, connect := range waysIn {
		t.Run(name, func(t *testing.T) {
			o := ovstest.Start(t)
			o.AddBridge("br0")
			o.AddPort("br0", "p1", 1)
			o.AddPort("br0", "p2", 2)
			o.VSCtl("set", "bridge", "br0", "other_config:datapath-id=00000000000000a1")
			log, _ := testLog(t)
			ev := newEvents()
			sessions := connect(t, o, "br0", ofconn.Config{Log: log, Handler: ev})
			s := receive(t, "session", sessions)

			t.Run("names_and_ports", func(t *testing.T) {
				if s.DPID() != 0xa1 {
					t.Errorf("datapath id %v", s.DPID())
				}
				ports := s.Ports()
				if len(ports) != 3 || ports["p1"].No != 1 || ports["p2"].No != 2 || ports["br0"].No != of.PortLocal {
					t.Errorf("ports %+v", ports)
				}
			})
			t.Run("ports_are_followed", func(t *testing.T) { testPortsFollowed(t, o, s, ev) })
			t.Run("commit_dump_delete", func(t *testing.T) { testCommit(t, s) })
			t.Run("refused_flow_changes_nothing", func(t *testing.T) { testRefused(t, s) })
			t.Run("stale_role_is_refused", func(t *testing.T) { testRole(t, s) })
			t.Run("learned_flow_is_watched", func(t *testing.T) { testLearn(t, o, s, ev) })
			t.Run("packet_out_comes_back_in", func(t *testing.T) { testPackets(t, s, ev) })
			t.Run("groups_meters", func(t *testing.T) { testGroupsMeters(t, s) })
			t.Run("stats", func(t *testing.T) { testStats(t, s) })
		})
	}
}

func testPortsFollowed(t *testing.T, o *ovstest.OVS, s *ofconn.Session, ev *events) {
	changed := s.PortsChanged()
	o.AddPort("br0", "p3", 3)
	receive(t, "port change", changed)
	if got := receive(t, "port status", ev.ports); got.Port.Name != "p3" || got.Reason != wire.PortAdded {
		t.Errorf("port status %+v", got)
	}
	eventually(t, "p3 is there", func() bool { return s.Ports()["p3"].No == 3 })
	o.VSCtl("del-port", "p3")
	eventually(t, "p3 is gone", func() bool { _, ok := s.Ports()["p3"]; return !ok })
}

func testCommit(t *testing.T, s *ofconn.Session) {
	ctx := testContext(t)
	flows := packed(t, 20000)
	if err := s.Commit(ctx, ofconn.Change{Add: flows}); err != nil {
		t.Fatal(err)
	}
	have, err := s.Flows(ctx, of.TableAll, 0x5d<<56, 0xff<<56)
	if err != nil {
		t.Fatal(err)
	}
	sameFlows(t, have, flows)
	if sum, err := s.CountFlows(ctx, 20, 0, 0); err != nil || sum.Flows != 20000 {
		t.Errorf("%d flows counted, %v", sum.Flows, err)
	}
	// Half by key, the rest by cookie.
	c := ofconn.Change{Purge: []ofconn.Purge{{Table: 20, Match: of.Match{of.VLAN(2)}, Cookie: 0x5d << 56, CookieMask: 0xff << 56}}}
	for _, f := range flows[:10000] {
		c.Delete = append(c.Delete, f.Key)
	}
	if err := s.Commit(ctx, c); err != nil {
		t.Fatal(err)
	}
	stats, err := s.FlowStats(ctx, 20, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := 10000 - 2; len(stats) != want { // VLAN 2 had two of those that remained: 12001 and 16001
		t.Errorf("%d flows left, want %d", len(stats), want)
	}
	if err := s.Commit(ctx, ofconn.Change{Purge: []ofconn.Purge{{Table: of.TableAll, Cookie: 0x5d << 56, CookieMask: 0xff << 56}}}); err != nil {
		t.Fatal(err)
	}
	if have, err := s.Flows(ctx, of.TableAll, 0, 0); err != nil || len(have) != 0 {
		t.Errorf("%d flows left after the purge, %v", len(have), err)
	}
}

func testRefused(t *testing.T, s *ofconn.Session) {
	ctx := testContext(t)
	old := packed(t, 10)
	if err := s.Commit(ctx, ofconn.Change{Add: old}); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]of.Flow{
		"when_added":     {Table: 20, Priority: 7, Match: of.Match{of.InPort(1)}, Actions: []of.Action{of.Output{Port: 0xfffffff0}}},
		"when_committed": {Table: 20, Priority: 2, Match: of.Match{of.VLAN(2)}, Flags: of.CheckOverlap},
		"missing_group":  {Table: 20, Priority: 7, Match: of.Match{of.InPort(2)}, Actions: []of.Action{of.Group{ID: 99}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := ofconn.Change{Delete: []of.Key{old[0].Key}, Add: packed(t, 3000)[2000:]}
			c.Add[500] = pack(t, bad)
			err := s.Commit(ctx, c)
			var refused *ofconn.RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("commit: %v, want a refusal", err)
			}
			if !refused.Known || refused.Flow.String() != bad.String() {
				t.Errorf("refused flow is %q, want %q (%v)", refused.Flow, bad, err)
			}
			have, err := s.Flows(ctx, of.TableAll, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			sameFlows(t, have, old)
		})
	}
	if err := s.Commit(ctx, ofconn.Change{Purge: []ofconn.Purge{{Table: of.TableAll}}}); err != nil {
		t.Fatal(err)
	}
}

func testRole(t *testing.T, s *ofconn.Session) {
	ctx := testContext(t)
	if err := s.Role(ctx, true, 7); err != nil {
		t.Fatal(err)
	}
	if err := s.Role(ctx, true, 6); !errors.Is(err, ofconn.ErrStaleRole) {
		t.Errorf("an older generation: %v, want ErrStaleRole", err)
	}
	if err := s.Role(ctx, false, 8); err != nil {
		t.Fatal(err)
	}
	var refused *ofconn.RefusedError
	if err := s.Commit(ctx, ofconn.Change{Add: packed(t, 3)}); !errors.As(err, &refused) {
		t.Errorf("a slave's change: %v, want a refusal", err)
	}
	if err := s.Role(ctx, true, 9); err != nil {
		t.Fatal(err)
	}
}

// frame is an Ethernet frame with a VLAN tag.
func frame(dst, src of.MAC, vlan uint16) []byte {
	b := append(append([]byte{}, dst[:]...), src[:]...)
	b = append(b, 0x81, 0, byte(vlan>>8), byte(vlan), 0x88, 0xb5)
	return append(b, make([]byte, 46)...)
}

func testLearn(t *testing.T, o *ovstest.OVS, s *ofconn.Session, ev *events) {
	ctx := testContext(t)
	vid := of.Bits(of.FieldVLANTCI, 0, 11)
	learner := pack(t, of.Flow{Table: 0, Priority: 1, Cookie: 0x5d << 56, Actions: []of.Action{of.Learn{
		Table: 20, Priority: 1, HardTimeout: 300, Cookie: 0x5d0a << 48, SendFlowRem: true,
		Specs: []of.LearnSpec{
			of.LearnMatchSame(vid),
			of.LearnMatchField(of.Whole(of.FieldEthDst), of.Whole(of.FieldEthSrc)),
			of.LearnOutputTo(of.Whole(of.FieldInPort)),
		},
	}}})
	updates := make(chan wire.MonitorUpdate, 10)
	if err := s.Commit(ctx, ofconn.Change{Add: []ofconn.Flow{learner, pack(t, unicast(1))}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Watch(ctx, ofconn.Monitor{Table: 20, Own: true}, func(u wire.MonitorUpdate) { updates <- u }); err != nil {
		t.Fatal(err)
	}
	expect := func(event wire.MonitorEvent, prio uint16) of.Flow {
		t.Helper()
		u := receive(t, event.String(), updates)
		f, err := u.Flow()
		if err != nil {
			t.Fatal(err)
		}
		if u.Event != event || u.Priority != prio {
			t.Fatalf("update %v %v, want %v", u.Event, f, event)
		}
		return f
	}
	expect(wire.MonitorAdded, 2) // was there before

	mac := of.MAC{0xfa, 0x16, 0x3e, 0, 0, 9}
	o.AppCtl("netdev-dummy/receive", "p1", fmt.Sprintf("%x", frame(of.Broadcast, mac, 5)))
	f := expect(wire.MonitorAdded, 1)
	if m, ok := f.Match.Find(of.FieldEthDst); !ok || m.Value.MAC() != mac {
		t.Errorf("learned %v", f)
	}
	// Deleted by ourselves: Own asks to be told.
	if err := s.Commit(ctx, ofconn.Change{Purge: []ofconn.Purge{{Table: 20, Cookie: 0x5d0a << 48, CookieMask: 0xffff << 48}}}); err != nil {
		t.Fatal(err)
	}
	expect(wire.MonitorDeleted, 1)
	if r := receive(t, "flow removed", ev.removed); r.Reason != wire.RemovedDelete || r.Cookie != 0x5d0a<<48 {
		t.Errorf("flow removed: %+v", r)
	}
	// Deleted by somebody else.
	o.OFCtl("del-flows", "br0", "table=20")
	expect(wire.MonitorDeleted, 2)
	if err := s.Commit(ctx, ofconn.Change{Delete: []of.Key{learner.Key}}); err != nil {
		t.Fatal(err)
	}
}

func testPackets(t *testing.T, s *ofconn.Session, ev *events) {
	ctx := testContext(t)
	punt := pack(t, of.Flow{Table: 0, Priority: 1, Cookie: 0x77, Match: of.Match{of.InPort(1)}, Actions: []of.Action{of.ToController()}})
	if err := s.Commit(ctx, ofconn.Change{Add: []ofconn.Flow{punt}}); err != nil {
		t.Fatal(err)
	}
	data := frame(of.Broadcast, of.MAC{2}, 9)
	if err := s.PacketOut(ctx, wire.PacketOut{InPort: 1, Actions: []of.Action{of.Output{Port: of.PortTable}}, Data: data}); err != nil {
		t.Fatal(err)
	}
	p := receive(t, "packet-in", ev.packets)
	if p.Cookie != 0x77 || string(p.Data) != string(data) {
		t.Errorf("packet-in %+v", p)
	}
	err := s.PacketOut(ctx, wire.PacketOut{InPort: 1, Actions: []of.Action{of.Group{ID: 4711}}, Data: data})
	if !errors.As(err, new(wire.Error)) {
		t.Errorf("packet to a group that is not there: %v, want a wire.Error", err)
	}
	if err := s.Commit(ctx, ofconn.Change{Delete: []of.Key{punt.Key}}); err != nil {
		t.Fatal(err)
	}
}

func testGroupsMeters(t *testing.T, s *ofconn.Session) {
	ctx := testContext(t)
	group := of.GroupEntry{ID: 5, Type: of.GroupTypeSelect, Buckets: []of.Bucket{
		{Weight: 1, Actions: []of.Action{of.Output{Port: 1}}}, {Weight: 2, Actions: []of.Action{of.Output{Port: 2}}},
	}}
	if err := s.Group(ctx, wire.GroupAdd, group); err != nil {
		t.Fatal(err)
	}
	if err := s.Group(ctx, wire.GroupAdd, group); !errors.As(err, new(wire.Error)) {
		t.Errorf("the same group again: %v, want a wire.Error", err)
	}
	groups, err := s.Groups(ctx)
	if err != nil || len(groups) != 1 || groups[0].String() != group.String() {
		t.Errorf("groups %v, %v", groups, err)
	}
	if stats, err := s.GroupStats(ctx); err != nil || len(stats) != 1 || len(stats[0].Buckets) != 2 {
		t.Errorf("group stats %+v, %v", stats, err)
	}
	meter := of.MeterEntry{ID: 3, Flags: of.MeterKbps, Bands: []of.MeterBand{{Type: of.BandDrop, Rate: 1000}}}
	if err := s.Meter(ctx, wire.MeterAdd, meter); err != nil {
		t.Fatal(err)
	}
	meters, err := s.Meters(ctx)
	if err != nil || len(meters) != 1 || meters[0].String() != meter.String() {
		t.Errorf("meters %v, %v", meters, err)
	}
	if stats, err := s.MeterStats(ctx); err != nil || len(stats) != 1 {
		t.Errorf("meter stats %+v, %v", stats, err)
	}
	if ports, err := s.PortStats(ctx); err != nil || len(ports) != 3 {
		t.Errorf("%d ports, %v", len(ports), err)
	}
}

func testStats(t *testing.T, s *ofconn.Session) {
	ctx := testContext(t)
	if tables, err := s.TableStats(ctx); err != nil || len(tables) < 200 {
		t.Errorf("%d tables, %v", len(tables), err)
	}
	if desc, err := s.Desc(ctx); err != nil || desc.Manufacturer != "Nicira, Inc." {
		t.Errorf("desc %+v, %v", desc, err)
	}
}
