package wire_test

import (
	"bytes"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// seedMessages are one whole message of every kind that has an encoder.
func seedMessages() [][]byte {
	k, e, _ := wire.Pack(unicastFlow(1))
	stat := must(wire.AppendFlowStat(nil, &wire.FlowStat{Table: 20, Match: []byte(k.Match), Instructions: []byte(e.Instructions)}))
	port := of.Port{No: 1, Name: "vxlan-0a630002", MAC: vmA, State: of.PortStateLive}
	group := of.GroupEntry{ID: 3, Type: of.GroupTypeSelect, Buckets: []of.Bucket{{Weight: 1, WatchPort: 2, Actions: []of.Action{of.Output{Port: 1}}}}}
	meter := of.MeterEntry{ID: 1, Flags: of.MeterKbps, Bands: []of.MeterBand{{Type: of.BandDSCPRemark, Rate: 5, PrecLevel: 1}}}
	reply := func(kind wire.MultipartType, body []byte) []byte {
		return must(wire.AppendMultipartReply(nil, 1, kind, false, body))
	}
	update := wire.MonitorUpdate{Event: wire.MonitorAdded, Table: 20, Match: []byte(k.Match), Instructions: []byte(e.Instructions)}
	mod := must(wire.AppendEntryMod(nil, 1, wire.Add, k, e))
	messages := [][]byte{
		wire.AppendHello(nil, 1, 1<<4|1<<1), wire.AppendHello(nil, 1, 1<<40|1<<4),
		wire.AppendFeatures(nil, 1, wire.Features{DPID: 5, Tables: 254, Capabilities: wire.CapFlowStats}),
		must(wire.AppendEchoRequest(nil, 1, []byte("x"))), wire.AppendBarrierRequest(nil, 1),
		wire.AppendSetConfig(nil, 1, wire.Config{MissSendLen: 128}),
		wire.AppendRoleRequest(nil, 1, wire.RoleMessage{Role: wire.RoleMaster, Generation: 9}),
		wire.AppendSetAsync(nil, 1, wire.Async{PacketIn: 1}),
		must(wire.AppendErrorMessage(nil, 1, wire.Error{Type: wire.ErrBadMatch, Code: 9, Data: mod})),
		must(wire.AppendErrorMessage(nil, 1, wire.Error{Type: wire.ErrExperimenter, Code: 15, Experimenter: of.ExperimenterNicira})),
		wire.AppendPortStatus(nil, 1, wire.PortStatus{Reason: wire.PortModified, Port: port}),
		must(wire.AppendFlowRemoved(nil, 1, wire.FlowRemoved{Table: 20, Match: of.Match{of.VLAN(1)}})),
		must(wire.AppendPacketIn(nil, 1, wire.PacketIn{Buffer: wire.NoBuffer, Match: of.Match{of.InPort(1)}, Data: []byte("packet")})),
		must(wire.AppendPacketOut(nil, 1, wire.PacketOut{InPort: 1, Actions: []of.Action{of.Output{Port: 2}}, Data: []byte("packet")})),
		must(wire.AppendGroupMod(nil, 1, wire.GroupAdd, group)), must(wire.AppendMeterMod(nil, 1, wire.MeterAdd, meter)),
		must(wire.AppendFlowStatsRequest(nil, 1, wire.FlowStatsRequest{Table: 20, Match: of.Match{of.VLAN(1)}})),
		must(wire.AppendMonitorRequest(nil, 1, wire.MonitorRequest{Table: 20})),
		must(wire.AppendMonitorReply(nil, 0, update, wire.MonitorUpdate{Event: wire.MonitorAbbrev, XID: 7})),
		reply(wire.MultipartFlow, stat), reply(wire.MultipartPortDesc, wire.AppendPort(nil, port)),
		reply(wire.MultipartDesc, wire.AppendDesc(nil, wire.Desc{Manufacturer: "Nicira"})),
		reply(wire.MultipartTable, wire.AppendTableStat(nil, wire.TableStat{Table: 1})),
		reply(wire.MultipartPortStats, wire.AppendPortStat(nil, wire.PortStat{Port: 1})),
		reply(wire.MultipartAggregate, wire.AppendAggregate(nil, wire.Aggregate{Flows: 1})),
		reply(wire.MultipartGroupDesc, must(wire.AppendGroupDesc(nil, group))),
		reply(wire.MultipartGroup, wire.AppendGroupStat(nil, wire.GroupStat{ID: 1, Buckets: make([]wire.Counter, 2)})),
		reply(wire.MultipartMeterConfig, wire.AppendMeterConfig(nil, meter)),
		reply(wire.MultipartMeter, wire.AppendMeterStat(nil, wire.MeterStat{ID: 1, Bands: make([]wire.Counter, 1)})),
		wire.AppendBundleControl(nil, 1, wire.Bundle{ID: 1, Control: wire.BundleCommit, Flags: wire.BundleAtomic}),
		must(wire.AppendBundleAdd(nil, 1, 1, wire.BundleAtomic, mod)), mod,
	}
	for _, f := range flowsOf(allCases()) {
		messages = append(messages, must(wire.AppendFlowMod(nil, 1, &wire.FlowMod{Flow: f})))
	}
	return messages
}

// decodeMessage runs every decoder that a message of this type may reach.
func decodeMessage(t wire.Type, body []byte) error {
	var err error
	switch t {
	case wire.TypeHello:
		wire.DecodeHello(body)
	case wire.TypeError:
		var e wire.Error
		if e, err = wire.DecodeErrorMessage(body); err == nil && e.Error() == "" {
			panic("error without a text")
		}
	case wire.TypeFeaturesReply:
		_, err = wire.DecodeFeatures(body)
	case wire.TypeSetConfig, wire.TypeGetConfigReply:
		_, err = wire.DecodeConfig(body)
	case wire.TypeRoleRequest, wire.TypeRoleReply:
		_, err = wire.DecodeRole(body)
	case wire.TypeSetAsync, wire.TypeGetAsyncReply:
		_, err = wire.DecodeAsync(body)
	case wire.TypePortStatus:
		_, err = wire.DecodePortStatus(body)
	case wire.TypeFlowRemoved:
		_, err = wire.DecodeFlowRemoved(body)
	case wire.TypePacketIn:
		_, err = wire.DecodePacketIn(body)
	case wire.TypePacketOut:
		_, err = wire.DecodePacketOut(body)
	case wire.TypeFlowMod:
		var m wire.FlowMod
		if m, err = wire.DecodeFlowMod(body); err == nil && m.Flow.String() == "" {
			panic("flow without a text")
		}
	case wire.TypeGroupMod:
		_, _, err = wire.DecodeGroupMod(body)
	case wire.TypeMeterMod:
		_, _, err = wire.DecodeMeterMod(body)
	case wire.TypeExperimenter:
		var e wire.Experimenter
		if e, err = wire.DecodeExperimenter(body); err == nil {
			if _, err = wire.DecodeBundleControl(e.Body); err == nil {
				_, _, err = wire.DecodeBundleAdd(e.Body)
			}
		}
	case wire.TypeMultipartRequest, wire.TypeMultipartReply:
		var m wire.Multipart
		if m, err = wire.DecodeMultipart(body); err == nil {
			err = decodeMultipart(t, m)
		}
	}
	return err
}

func decodeMultipart(t wire.Type, m wire.Multipart) error {
	var err error
	if t == wire.TypeMultipartRequest {
		if body, ok := wire.IsMonitorReply(m); ok {
			_, err = wire.DecodeMonitorRequest(body)
			return err
		}
		_, err = wire.DecodeFlowStatsRequest(m.Body)
		return err
	}
	switch m.Type {
	case wire.MultipartDesc:
		_, err = wire.DecodeDesc(m.Body)
	case wire.MultipartFlow:
		var stats []wire.FlowStat
		stats, err = wire.AppendFlowStats(nil, m.Body)
		for i := range stats {
			if f, err := stats[i].Flow(); err == nil && f.String() == "" {
				panic("flow without a text")
			}
			_, _ = stats[i].Key()
		}
	case wire.MultipartAggregate:
		_, err = wire.DecodeAggregate(m.Body)
	case wire.MultipartTable:
		_, err = wire.DecodeTableStats(m.Body)
	case wire.MultipartPortStats:
		_, err = wire.DecodePortStats(m.Body)
	case wire.MultipartPortDesc:
		_, err = wire.DecodePortDesc(m.Body)
	case wire.MultipartGroup:
		_, err = wire.DecodeGroupStats(m.Body)
	case wire.MultipartGroupDesc:
		_, err = wire.DecodeGroupDesc(m.Body)
	case wire.MultipartMeter:
		_, err = wire.DecodeMeterStats(m.Body)
	case wire.MultipartMeterConfig:
		_, err = wire.DecodeMeterConfig(m.Body)
	case wire.MultipartExperimenter:
		if body, ok := wire.IsMonitorReply(m); ok {
			var updates []wire.MonitorUpdate
			updates, err = wire.AppendMonitorUpdates(nil, body)
			for i := range updates {
				_, _ = updates[i].Flow()
				_, _ = updates[i].Key()
			}
		}
	}
	return err
}

func FuzzMessage(f *testing.F) {
	for _, m := range seedMessages() {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := wire.DecodeHeader(b)
		if err != nil || len(b) < wire.HeaderLen {
			return
		}
		_ = decodeMessage(h.Type, b[wire.HeaderLen:])
	})
}

// FuzzOXM holds that what was decoded once is written in canonical form, which stays what it is.
func FuzzOXM(f *testing.F) {
	for _, flow := range flowsOf(allCases()) {
		k, _, _ := wire.Pack(flow)
		f.Add([]byte(k.Match))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.DecodeOXM(b)
		if err != nil {
			return
		}
		canonical, err := wire.AppendOXM(nil, m)
		if err != nil {
			return // a field occurs twice
		}
		again, err := wire.DecodeOXM(canonical)
		if err != nil {
			t.Fatalf("canonical form of %x: %v", b, err)
		}
		if twice, err := wire.AppendOXM(nil, again); err != nil || !bytes.Equal(twice, canonical) {
			t.Fatalf("canonical form of %x\nonce  %x\ntwice %x %v", b, canonical, twice, err)
		}
		s := wire.FlowStat{Match: b}
		if k, err := s.Key(); err != nil || k.Match != string(canonical) {
			t.Fatalf("key of %x\n got %x %v\nwant %x", b, k.Match, err, canonical)
		}
		_ = m.String()
		_ = m.Check()
	})
}

// FuzzInstructions holds that actions lose no byte, known or not.
func FuzzInstructions(f *testing.F) {
	for _, flow := range flowsOf(allCases()) {
		_, e, _ := wire.Pack(flow)
		f.Add([]byte(e.Instructions))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		actions, err := wire.DecodeInstructions(b)
		if err != nil {
			return
		}
		once, err := wire.AppendInstructions(nil, actions)
		if err != nil {
			t.Fatalf("%x decoded to what cannot be encoded: %v", b, err)
		}
		again, err := wire.DecodeInstructions(once)
		if err != nil {
			t.Fatalf("%x encoded to %x: %v", b, once, err)
		}
		if twice, err := wire.AppendInstructions(nil, again); err != nil || !bytes.Equal(twice, once) {
			t.Fatalf("instructions %x\nonce  %x\ntwice %x %v", b, once, twice, err)
		}
		_ = of.AppendActions(nil, actions)
	})
}

// FuzzActions holds that every action that is decoded is written as it was.
func FuzzActions(f *testing.F) {
	for _, c := range actionCases {
		if b, err := wire.AppendActions(nil, c.actions); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		actions, err := wire.DecodeActions(b)
		if err != nil {
			return
		}
		if back, err := wire.AppendActions(nil, actions); err != nil || !bytes.Equal(back, b) {
			t.Fatalf("actions %x\n got %x %v", b, back, err)
		}
	})
}
