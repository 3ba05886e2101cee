package wire_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// await reads until a message for which is gives true.
func (c *client) await(what string, is func(message) bool) message {
	c.t.Helper()
	for {
		m, err := readMessage(c.r)
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", what, err)
		}
		if is(m) {
			return m
		}
	}
}

func ofType(t wire.Type) func(message) bool { return func(m message) bool { return m.Type == t } }

// wantError checks that an answer is an error message with this name.
func wantError(t *testing.T, m message, name string) wire.Error {
	t.Helper()
	if m.Type != wire.TypeError {
		t.Fatalf("answer is %s, want ERROR %s", m.Type, name)
	}
	e, err := wire.DecodeErrorMessage(m.body)
	if err != nil {
		t.Fatal(err)
	}
	if e.Name() != name {
		t.Errorf("error %s, want %s", e.Name(), name)
	}
	return e
}

func TestSwitchTellsAboutItself(t *testing.T) {
	o := ovstest.Start(t)
	c := prepare(t, o, "br0")

	m := c.ask(c.next(), wire.AppendFeaturesRequest(nil, c.xid))
	f, err := wire.DecodeFeatures(m.body)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Trim(o.VSCtl("get", "bridge", "br0", "datapath_id"), "\"\n"); f.DPID.String() != want {
		t.Errorf("dpid %s, want %s", f.DPID, want)
	}
	if f.Tables != 254 || f.Capabilities&wire.CapQueueStats == 0 {
		t.Errorf("features %+v, want 254 tables and queue stats", f)
	}

	if d, err := wire.DecodeDesc(c.multipart(c.next(), must(wire.AppendMultipartRequest(nil, c.xid, wire.MultipartDesc, nil)))); err != nil ||
		d.Manufacturer != "Nicira, Inc." || d.Hardware != "Open vSwitch" {
		t.Errorf("desc %+v, %v", d, err)
	}

	ports, err := wire.DecodePortDesc(c.multipart(c.next(), must(wire.AppendMultipartRequest(nil, c.xid, wire.MultipartPortDesc, nil))))
	if err != nil {
		t.Fatal(err)
	}
	names := map[of.PortNo]string{}
	for _, p := range ports {
		names[p.No] = p.Name
	}
	if want := map[of.PortNo]string{1: "br0p1", 2: "br0p2", 3: "br0p3", 4: "br0p4", of.PortLocal: "br0"}; !reflect.DeepEqual(names, want) {
		t.Errorf("ports %v, want %v", names, want)
	}

	stats, err := wire.DecodePortStats(c.multipart(c.next(), wire.AppendPortStatsRequest(nil, c.xid, of.PortAny)))
	if err != nil || len(stats) != 5 {
		t.Errorf("port stats of %d ports, %v; want 5", len(stats), err)
	}
	one, err := wire.DecodePortStats(c.multipart(c.next(), wire.AppendPortStatsRequest(nil, c.xid, 2)))
	if err != nil || len(one) != 1 || one[0].Port != 2 {
		t.Errorf("port stats of port 2: %+v, %v", one, err)
	}

	c.write(must(wire.AppendFlowMod(nil, c.next(), &wire.FlowMod{Flow: of.Flow{Table: 3, Cookie: 0x10}})))
	tables, err := wire.DecodeTableStats(c.multipart(c.next(), must(wire.AppendMultipartRequest(nil, c.xid, wire.MultipartTable, nil))))
	if err != nil || len(tables) != 254 || tables[3].Active != 1 || tables[4].Active != 0 {
		t.Errorf("table stats of %d tables, %v; want 254 and one flow in table 3", len(tables), err)
	}
	sum, err := wire.DecodeAggregate(c.multipart(c.next(), must(wire.AppendAggregateRequest(nil, c.xid, wire.FlowStatsRequest{
		Table: of.TableAll, Cookie: 0x10, CookieMask: 0xf0}))))
	if err != nil || sum.Flows != 1 {
		t.Errorf("aggregate %+v, %v; want one flow", sum, err)
	}

	c.write(wire.AppendSetConfig(nil, c.next(), wire.Config{MissSendLen: 77}))
	if conf, err := wire.DecodeConfig(c.ask(c.next(), wire.AppendGetConfigRequest(nil, c.xid)).body); err != nil || conf.MissSendLen != 77 {
		t.Errorf("config %+v, %v; want 77", conf, err)
	}
	if m := c.ask(c.next(), must(wire.AppendEchoRequest(nil, c.xid, []byte("hello")))); m.Type != wire.TypeEchoReply || string(m.body) != "hello" {
		t.Errorf("echo %s %q", m.Type, m.body)
	}
}

func TestStaleMasterIsRefused(t *testing.T) {
	c := prepare(t, ovstest.Start(t), "br0")
	m := c.ask(c.next(), wire.AppendRoleRequest(nil, c.xid, wire.RoleMessage{Role: wire.RoleMaster, Generation: 7}))
	if r, err := wire.DecodeRole(m.body); err != nil || m.Type != wire.TypeRoleReply || r.Role != wire.RoleMaster || r.Generation != 7 {
		t.Fatalf("%s %+v %v, want master of generation 7", m.Type, r, err)
	}
	m = c.ask(c.next(), wire.AppendRoleRequest(nil, c.xid, wire.RoleMessage{Role: wire.RoleMaster, Generation: 6}))
	e := wantError(t, m, "OFPRRFC_STALE")
	if !errors.Is(e, wire.Error{Type: wire.ErrRoleRequestFailed, Code: wire.RoleStale}) {
		t.Errorf("%v is not a stale role", e)
	}
}

func TestErrorsNameTheRefusedMessage(t *testing.T) {
	c := prepare(t, ovstest.Start(t), "br0")
	for _, test := range []struct {
		flow of.Flow
		want string
	}{
		{of.Flow{Match: of.Match{of.TCPDst(80)}}, "OFPBMC_BAD_PREREQ"},
		{of.Flow{Actions: []of.Action{of.Group{ID: 99}}}, "OFPBAC_BAD_OUT_GROUP"},
		{of.Flow{Actions: []of.Action{of.Output{Port: 0xffffff01}}}, "OFPBAC_BAD_OUT_PORT"},
		{of.Flow{Table: 5, Actions: []of.Action{of.GotoTable{Table: 4}}}, "OFPBIC_BAD_TABLE_ID"},
		{of.Flow{Actions: []of.Action{of.Conjunction{ID: 1, Clause: 1, N: 2}, of.Output{Port: 1}}}, "NXBAC_BAD_CONJUNCTION"},
		{of.Flow{Actions: []of.Action{of.Meter{ID: 99}}}, "OFPMMFC_INVALID_METER"},
	} {
		xid := c.next()
		c.write(must(wire.AppendFlowMod(nil, xid, &wire.FlowMod{Flow: test.flow})))
		err := c.barrier()
		var e wire.Error
		if !errors.As(err, &e) || e.Name() != test.want {
			t.Errorf("%s: %v, want %s", test.flow, err, test.want)
			continue
		}
		if want := fmt.Sprintf("refused FLOW_MOD with xid %d: %s", xid, test.want); !strings.Contains(e.Error(), want) {
			t.Errorf("error text %q, want %q in it", e, want)
		}
	}
}

func TestDeleteByCookieLeavesForeignFlows(t *testing.T) {
	c := prepare(t, ovstest.Start(t), "br0")
	for i, cookie := range []of.Cookie{0x5d01000000000001, 0x5d02000000000002, 0x1234} {
		c.write(must(wire.AppendFlowMod(nil, c.next(), &wire.FlowMod{Flow: of.Flow{Priority: uint16(i), Cookie: cookie}})))
	}
	c.write(must(wire.AppendFlowMod(nil, c.next(), &wire.FlowMod{
		Command: wire.Delete, Flow: of.Flow{Table: of.TableAll, Cookie: 0x5d00000000000000}, CookieMask: 0xff00000000000000})))
	if err := c.barrier(); err != nil {
		t.Fatal(err)
	}
	if flows := c.flows(); len(flows) != 1 || flows[0].Cookie != 0x1234 {
		t.Errorf("%d flows are left, want the foreign one", len(flows))
	}
}

func TestStrictDeleteOfAPackedFlow(t *testing.T) {
	c := prepare(t, ovstest.Start(t), "br0")
	keep, drop := unicastFlow(1), unicastFlow(2)
	for _, f := range []of.Flow{keep, drop} {
		k, e, err := wire.Pack(f)
		if err != nil {
			t.Fatal(err)
		}
		c.write(must(wire.AppendEntryMod(nil, c.next(), wire.Add, k, e)))
	}
	k, _, _ := wire.Pack(drop)
	c.write(must(wire.AppendEntryMod(nil, c.next(), wire.DeleteStrict, k, wire.Entry{})))
	if err := c.barrier(); err != nil {
		t.Fatal(err)
	}
	flows := c.flows()
	if len(flows) != 1 {
		t.Fatalf("%d flows, want 1", len(flows))
	}
	if got, err := flows[0].Flow(); err != nil || got.String() != keep.String() {
		t.Errorf("%s %v is left, want %s", got, err, keep)
	}
}

func TestGroupsAndMetersComeBack(t *testing.T) {
	o := ovstest.Start(t)
	c := prepare(t, o, "br0")
	groups := []of.GroupEntry{
		{ID: 1, Buckets: []of.Bucket{{Actions: []of.Action{of.Output{Port: 1}}}}},
		{ID: 2, Type: of.GroupTypeSelect, Buckets: []of.Bucket{
			{Weight: 1, Actions: []of.Action{of.SetTunnel(5), of.Output{Port: 1}}}, {Weight: 2, Actions: []of.Action{of.Output{Port: 2}}}}},
		{ID: 3, Type: of.GroupTypeFastFailover, Buckets: []of.Bucket{
			{WatchPort: 1, Actions: []of.Action{of.Output{Port: 1}}}, {WatchGroup: 2, Actions: []of.Action{of.Output{Port: 2}}}}},
		{ID: 4, Type: of.GroupTypeIndirect, Buckets: []of.Bucket{{Actions: []of.Action{of.Output{Port: 3}}}}},
	}
	for _, g := range groups[1:] {
		c.write(must(wire.AppendGroupMod(nil, c.next(), wire.GroupAdd, g)))
	}
	meters := []of.MeterEntry{
		{ID: 1, Flags: of.MeterKbps, Bands: []of.MeterBand{{Type: of.BandDrop, Rate: 1000}}},
		{ID: 2, Flags: of.MeterPktps | of.MeterBurst, Bands: []of.MeterBand{{Type: of.BandDrop, Rate: 10, Burst: 20}}},
	}
	c.write(must(wire.AppendMeterMod(nil, c.next(), wire.MeterAdd, meters[1])))
	if err := c.barrier(); err != nil {
		t.Fatal(err)
	}

	check := func() {
		t.Helper()
		got, err := wire.DecodeGroupDesc(c.multipart(c.next(), must(wire.AppendMultipartRequest(nil, c.xid, wire.MultipartGroupDesc, nil))))
		if err != nil {
			t.Fatal(err)
		}
		byID := map[of.GroupID]of.GroupEntry{}
		for _, g := range got {
			byID[g.ID] = g
		}
		for _, g := range groups {
			if !reflect.DeepEqual(byID[g.ID], g) {
				t.Errorf("group\n got %v\nwant %v", byID[g.ID], g)
			}
		}
		config, err := wire.DecodeMeterConfig(c.multipart(c.next(), wire.AppendMeterRequest(nil, c.xid, wire.MultipartMeterConfig, of.MeterAll)))
		if err != nil {
			t.Fatal(err)
		}
		gotMeters := map[of.MeterID]string{}
		for _, m := range config {
			m.Flags &^= of.MeterStats // OVS always keeps them
			gotMeters[m.ID] = m.String()
		}
		for _, m := range meters {
			if gotMeters[m.ID] != m.String() {
				t.Errorf("meter\n got %s\nwant %s", gotMeters[m.ID], m)
			}
		}
	}
	check()

	groupStats, err := wire.DecodeGroupStats(c.multipart(c.next(), wire.AppendGroupStatsRequest(nil, c.xid, 2)))
	if err != nil || len(groupStats) != 1 || len(groupStats[0].Buckets) != 2 {
		t.Errorf("group stats %+v, %v; want two buckets", groupStats, err)
	}
	meterStats, err := wire.DecodeMeterStats(c.multipart(c.next(), wire.AppendMeterRequest(nil, c.xid, wire.MultipartMeter, 2)))
	if err != nil || len(meterStats) != 1 || len(meterStats[0].Bands) != 1 {
		t.Errorf("meter stats %+v, %v; want one band", meterStats, err)
	}

	// ovs-ofctl reads our text to the same end.
	c.write(must(wire.AppendGroupMod(nil, c.next(), wire.GroupDelete, of.GroupEntry{ID: of.GroupAll})))
	c.write(must(wire.AppendMeterMod(nil, c.next(), wire.MeterDelete, of.MeterEntry{ID: of.MeterAll})))
	if err := c.barrier(); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		o.OFCtl("add-group", "br0", g.String())
	}
	for _, m := range meters {
		o.OFCtl("add-meter", "br0", m.String())
	}
	check()
}

func TestBundleIsAllOrNothing(t *testing.T) {
	c := prepare(t, ovstest.Start(t), "br0")
	const flags = wire.BundleAtomic | wire.BundleOrdered
	control := func(id uint32, step wire.BundleControl) {
		t.Helper()
		m := c.ask(c.next(), wire.AppendBundleControl(nil, c.xid, wire.Bundle{ID: id, Control: step, Flags: flags}))
		if m.Type != wire.TypeExperimenter {
			t.Fatalf("answer to step %d is %s %x", step, m.Type, m.body)
		}
		e, err := wire.DecodeExperimenter(m.body)
		if err != nil || e.ID != of.ExperimenterONF || e.Type != wire.ONFBundleControl {
			t.Fatalf("answer to step %d: %+v %v", step, e, err)
		}
		if b, err := wire.DecodeBundleControl(e.Body); err != nil || b.ID != id || b.Control != step+1 {
			t.Fatalf("answer to step %d: %+v %v", step, b, err)
		}
	}
	add := func(id uint32, f of.Flow) {
		t.Helper()
		xid := c.next()
		k, e, err := wire.Pack(f)
		if err != nil {
			t.Fatal(err)
		}
		b := wire.BeginBundleAdd(nil, xid, id, flags)
		b = must(wire.AppendEntryMod(b, xid, wire.Add, k, e))
		c.write(must(wire.EndBundleAdd(b, 0)))
	}

	control(1, wire.BundleOpen)
	for i := range 100 {
		add(1, unicastFlow(i))
	}
	if err := c.barrier(); err != nil {
		t.Fatal(err)
	}
	if n := len(c.flows()); n != 0 {
		t.Errorf("%d flows before the commit, want none", n)
	}
	control(1, wire.BundleCommit)
	if n := len(c.flows()); n != 100 {
		t.Errorf("%d flows after the commit, want 100", n)
	}

	control(2, wire.BundleOpen)
	add(2, unicastFlow(1000))
	add(2, of.Flow{Actions: []of.Action{of.Output{Port: 0xffffff01}}})
	var e wire.Error
	if err := c.barrier(); !errors.As(err, &e) || e.Name() != "OFPBAC_BAD_OUT_PORT" {
		t.Errorf("refused flow in a bundle: %v", err)
	}
	control(2, wire.BundleDiscard)
	if n := len(c.flows()); n != 100 {
		t.Errorf("%d flows after the discard, want 100", n)
	}

	m := c.ask(c.next(), wire.AppendBundleControl(nil, c.xid, wire.Bundle{ID: 9, Control: wire.BundleCommit}))
	wantError(t, m, "OFPBFC_BAD_ID")
}

func TestFlowMonitorTellsOfLearnedFlows(t *testing.T) {
	o := ovstest.Start(t)
	c := prepare(t, o, "br0")
	m := c.ask(c.next(), must(wire.AppendMonitorRequest(nil, c.xid, wire.MonitorRequest{
		ID: 1, Table: 20, Flags: wire.MonitorInitial | wire.MonitorAdd | wire.MonitorDelete | wire.MonitorModify | wire.MonitorActions | wire.MonitorOwn})))
	if part, err := wire.DecodeMultipart(m.body); err != nil {
		t.Fatal(err)
	} else if body, ok := wire.IsMonitorReply(part); !ok || len(body) != 0 {
		t.Fatalf("answer %s %x, want no flows yet", m.Type, m.body)
	}
	learn := of.Flow{Cookie: 1, Actions: []of.Action{of.Learn{
		Table: 20, HardTimeout: 300, Priority: 1, Cookie: 0x5d02000000000000, Specs: []of.LearnSpec{
			of.LearnMatchSame(of.Bits(of.FieldVLANTCI, 0, 11)),
			of.LearnMatchField(of.Whole(of.FieldEthDst), of.Whole(of.FieldEthSrc)),
			of.LearnOutputTo(of.Whole(of.FieldInPort)),
		}}}}
	c.write(must(wire.AppendFlowMod(nil, c.next(), &wire.FlowMod{Flow: learn})))
	if err := c.barrier(); err != nil {
		t.Fatal(err)
	}
	packet := "fa163e56a360" + "fa163e9ec2b3" + "8100" + "0007" + "0800" + strings.Repeat("00", 50)
	o.AppCtl("netdev-dummy/receive", "br0p3", packet)

	update := func() wire.MonitorUpdate {
		t.Helper()
		for {
			m := c.await("a monitor update", ofType(wire.TypeMultipartReply))
			part, err := wire.DecodeMultipart(m.body)
			if err != nil {
				t.Fatal(err)
			}
			body, ok := wire.IsMonitorReply(part)
			if !ok {
				continue
			}
			if m.XID != 0 {
				t.Errorf("xid %d of an update, want 0", m.XID)
			}
			updates, err := wire.AppendMonitorUpdates(nil, body)
			if err != nil || len(updates) != 1 {
				t.Fatalf("%d updates, %v; want 1", len(updates), err)
			}
			return updates[0]
		}
	}
	u := update()
	f, err := u.Flow()
	if err != nil {
		t.Fatal(err)
	}
	const want = "cookie=0x5d02000000000000, table=20, hard_timeout=300, priority=1,vlan_tci=0x0007/0x0fff,dl_dst=fa:16:3e:9e:c2:b3 actions=output:3"
	if u.Event != wire.MonitorAdded || f.String() != want {
		t.Errorf("%s\n got %s\nwant ADDED %s", u.Event, f, want)
	}
	key, err := u.Key()
	if err != nil {
		t.Fatal(err)
	}
	if wantKey, _, _ := wire.Pack(f); key != wantKey {
		t.Errorf("key %x, want %x", key, wantKey)
	}
	o.OFCtl("del-flows", "br0", "table=20")
	if u := update(); u.Event != wire.MonitorDeleted || u.Reason != wire.RemovedDelete {
		t.Errorf("%s, reason %s; want DELETED, delete", u.Event, u.Reason)
	}
}

func TestOwnChangesAreAbbreviated(t *testing.T) {
	c := prepare(t, ovstest.Start(t), "br0")
	c.ask(c.next(), must(wire.AppendMonitorRequest(nil, c.xid, wire.MonitorRequest{ID: 1, Table: of.TableAll, Flags: wire.MonitorAdd | wire.MonitorDelete})))
	xid := c.next()
	c.write(must(wire.AppendFlowMod(nil, xid, &wire.FlowMod{Flow: of.Flow{Table: 1}})))
	m := c.await("a monitor update", ofType(wire.TypeMultipartReply))
	part, err := wire.DecodeMultipart(m.body)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := wire.IsMonitorReply(part)
	updates, err := wire.AppendMonitorUpdates(nil, body)
	if err != nil || len(updates) != 1 || updates[0].Event != wire.MonitorAbbrev || updates[0].XID != xid {
		t.Errorf("updates %+v, %v; want one ABBREV of xid %d", updates, err, xid)
	}
}

func TestAsynchronousMessages(t *testing.T) {
	o := ovstest.Start(t)
	c := prepare(t, o, "br0")
	c.write(wire.AppendSetAsync(nil, c.next(), wire.Async{PacketIn: 0xffff, PortStatus: 7, FlowRemoved: 0xf}))
	c.write(wire.AppendSetConfig(nil, c.next(), wire.Config{MissSendLen: 0xffff}))
	flow := of.Flow{Table: 2, Priority: 9, Cookie: 0x77, Match: of.Match{of.InPort(1)}, Actions: []of.Action{of.ToController()}, Flags: of.SendFlowRem}
	c.write(must(wire.AppendFlowMod(nil, c.next(), &wire.FlowMod{Flow: flow})))
	data := make([]byte, 60)
	copy(data[12:], "\x88\xccpayload")
	c.write(must(wire.AppendPacketOut(nil, c.next(), wire.PacketOut{InPort: 1, Actions: []of.Action{of.Resubmit{Table: 2}}, Data: data})))

	m := c.await("a packet-in", ofType(wire.TypePacketIn))
	p, err := wire.DecodePacketIn(m.body)
	if err != nil {
		t.Fatal(err)
	}
	if p.Cookie != 0x77 || p.Table != 2 || p.Reason != wire.PacketAction || string(p.Data) != string(data) || p.Match.String() != "in_port=1" {
		t.Errorf("packet-in %+v %s", p, p.Match)
	}

	o.OFCtl("del-flows", "br0", "table=2")
	r, err := wire.DecodeFlowRemoved(c.await("a flow removed", ofType(wire.TypeFlowRemoved)).body)
	if err != nil || r.Cookie != 0x77 || r.Table != 2 || r.Priority != 9 || r.Reason != wire.RemovedDelete || r.Match.String() != "in_port=1" {
		t.Errorf("flow removed %+v, %v", r, err)
	}

	o.VSCtl("del-port", "br0", "br0p4")
	s, err := wire.DecodePortStatus(c.await("a port status", ofType(wire.TypePortStatus)).body)
	if err != nil || s.Reason != wire.PortDeleted || s.Port.Name != "br0p4" || s.Port.No != 4 {
		t.Errorf("port status %+v, %v", s, err)
	}
}
