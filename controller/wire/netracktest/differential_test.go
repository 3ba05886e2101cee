package netracktest

import (
	"bytes"
	"encoding/binary"
	"io"
	"reflect"
	"testing"

	"github.com/netrack/openflow/ofp"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// theirs is the body that the library writes.
func theirs(t testing.TB, w io.WriterTo) []byte {
	t.Helper()
	var buf bytes.Buffer
	if _, err := w.WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// ours is the body of a message, and must be given what an encoder returns.
func ours(t testing.TB) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b[wire.HeaderLen:]
	}
}

func num(size int, v uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, v)
	return b[8-size:]
}

func basic(kind ofp.XMType, value []byte) ofp.XM {
	return ofp.XM{Class: ofp.XMClassOpenflowBasic, Type: kind, Value: value}
}

var vm = of.MAC{0xfa, 0x16, 0x3e, 0x9e, 0xc2, 0xb3}

// unicast is a flow of br-tun's table 20, in both vocabularies.
func unicast() (of.Flow, ofp.FlowMod) {
	f := of.Flow{
		Table: 20, Priority: 2, Cookie: 0x5d01000000000007, IdleTimeout: 5, HardTimeout: 6, Flags: of.SendFlowRem,
		Match:   of.Match{of.EthDst(vm), of.VLAN(7)},
		Actions: []of.Action{of.PopVLAN{}, of.SetTunnel(0x3e9), of.Output{Port: 2}},
	}
	return f, ofp.FlowMod{
		Table: 20, Priority: 2, Cookie: 0x5d01000000000007, IdleTimeout: 5, HardTimeout: 6, Flags: ofp.FlowFlagSendFlowRem,
		Buffer: ofp.NoBuffer, OutPort: ofp.PortAny, OutGroup: ofp.GroupAny,
		Match: ofp.Match{Type: ofp.MatchTypeXM, Fields: []ofp.XM{
			basic(ofp.XMTypeEthDst, vm[:]), basic(ofp.XMTypeVlanID, num(2, 0x1007)),
		}},
		Instructions: ofp.Instructions{&ofp.InstructionApplyActions{Actions: ofp.Actions{
			&ofp.ActionPopVLAN{},
			&ofp.ActionSetField{Field: basic(ofp.XMTypeTunnelID, num(8, 0x3e9))},
			&ofp.ActionOutput{Port: 2},
		}}},
	}
}

func TestBytesAreEqual(t *testing.T) {
	flow, mod := unicast()
	every := of.Flow{
		Match: of.Match{of.InPort(1), of.EthDstMasked(of.MAC{1}, of.MAC{1}), of.IPv4(), of.IPProto(of.ProtoTCP), of.TCPDst(80)},
		Actions: []of.Action{
			of.Meter{ID: 4}, of.PushVLAN{EthType: of.EthTypeVLAN}, of.SetVLAN(3), of.SetTTL{TTL: 64}, of.SetQueue{Queue: 9}, of.Group{ID: 5},
			of.ClearActions{}, of.WriteActions{Actions: []of.Action{of.Output{Port: 1}}}, of.WriteMetadata{Value: 5, Mask: 7}, of.GotoTable{Table: 9},
		}}
	everyMod := ofp.FlowMod{
		Command: ofp.FlowDeleteStrict, Buffer: ofp.NoBuffer, OutPort: ofp.PortAny, OutGroup: ofp.GroupAny,
		Match: ofp.Match{Type: ofp.MatchTypeXM, Fields: []ofp.XM{
			basic(ofp.XMTypeInPort, num(4, 1)),
			{Class: ofp.XMClassOpenflowBasic, Type: ofp.XMTypeEthDst, Value: num(6, 1<<40), Mask: num(6, 1<<40)},
			basic(ofp.XMTypeEthType, num(2, 0x800)), basic(ofp.XMTypeIPProto, num(1, 6)), basic(ofp.XMTypeTCPDst, num(2, 80)),
		}},
		Instructions: ofp.Instructions{
			&ofp.InstructionMeter{Meter: 4},
			&ofp.InstructionApplyActions{Actions: ofp.Actions{
				&ofp.ActionPushVLAN{EtherType: 0x8100}, &ofp.ActionSetField{Field: basic(ofp.XMTypeVlanID, num(2, 0x1003))},
				&ofp.ActionSetNetworkTTL{TTL: 64}, &ofp.ActionSetQueue{QueueID: 9}, &ofp.ActionGroup{Group: 5},
			}},
			&ofp.InstructionClearActions{},
			&ofp.InstructionWriteActions{Actions: ofp.Actions{&ofp.ActionOutput{Port: 1}}},
			&ofp.InstructionWriteMetadata{Metadata: 5, MetadataMask: 7},
			&ofp.InstructionGotoTable{Table: 9},
		},
	}
	body := ours(t)
	for _, test := range []struct {
		name  string
		ours  []byte
		their io.WriterTo
	}{
		{"flow_mod", body(wire.AppendFlowMod(nil, 1, &wire.FlowMod{Flow: flow})), &mod},
		{"flow_mod_every_instruction", body(wire.AppendFlowMod(nil, 1, &wire.FlowMod{Command: wire.DeleteStrict, Flow: every})), &everyMod},
		{"flow_stats_request", body(wire.AppendFlowStatsRequest(nil, 1, wire.FlowStatsRequest{Table: of.TableAll, Cookie: 1, CookieMask: 3})),
			ofp.NewMultipartRequest(ofp.MultipartTypeFlow, &ofp.FlowStatsRequest{
				Table: ofp.TableAll, OutPort: ofp.PortAny, OutGroup: ofp.GroupAny, Cookie: 1, CookieMask: 3, Match: ofp.Match{Type: ofp.MatchTypeXM}})},
		{"group_mod", body(wire.AppendGroupMod(nil, 1, wire.GroupModify, of.GroupEntry{ID: 7, Type: of.GroupTypeFastFailover, Buckets: []of.Bucket{
			{WatchPort: 3, Actions: []of.Action{of.Output{Port: 3}}}, {Weight: 2, Actions: []of.Action{of.PopVLAN{}, of.Output{Port: 4}}}}})),
			&ofp.GroupMod{Command: ofp.GroupModify, Type: ofp.GroupTypeFastFailover, Group: 7, Buckets: []ofp.Bucket{
				{WatchPort: 3, WatchGroup: ofp.GroupAny, Actions: ofp.Actions{&ofp.ActionOutput{Port: 3}}},
				{Weight: 2, WatchPort: ofp.PortAny, WatchGroup: ofp.GroupAny, Actions: ofp.Actions{&ofp.ActionPopVLAN{}, &ofp.ActionOutput{Port: 4}}}}}},
		{"meter_mod", body(wire.AppendMeterMod(nil, 1, wire.MeterAdd, of.MeterEntry{ID: 7, Flags: of.MeterKbps | of.MeterBurst, Bands: []of.MeterBand{
			{Type: of.BandDrop, Rate: 100, Burst: 10}}})),
			&ofp.MeterMod{Command: ofp.MeterAdd, Flags: ofp.MeterFlagKBitPerSec | ofp.MeterFlagBurst, Meter: 7,
				Bands: ofp.MeterBands{&ofp.MeterBandDrop{Rate: 100, BurstSize: 10}}}},
		{"packet_out", body(wire.AppendPacketOut(nil, 1, wire.PacketOut{InPort: of.PortController, Actions: []of.Action{of.Output{Port: 1}}, Data: []byte("data")})),
			&ofp.PacketOut{Buffer: ofp.NoBuffer, InPort: ofp.PortController, Actions: ofp.Actions{&ofp.ActionOutput{Port: 1}}, Data: []byte("data")}},
		{"role", wire.AppendRoleRequest(nil, 1, wire.RoleMessage{Role: wire.RoleMaster, Generation: 1 << 40})[8:],
			&ofp.RoleRequest{Role: ofp.ControllerRoleMaster, GenerationID: 1 << 40}},
		{"set_async", wire.AppendSetAsync(nil, 1, wire.Async{PacketIn: 1, PacketInSlave: 2, PortStatus: 3, PortStatusSlave: 4, FlowRemoved: 5, FlowRemovedSlave: 6})[8:],
			&ofp.AsyncConfig{PacketInMask: [2]uint32{1, 2}, PortStatusMask: [2]uint32{3, 4}, FlowRemovedMask: [2]uint32{5, 6}}},
		{"set_config", wire.AppendSetConfig(nil, 1, wire.Config{MissSendLen: 128})[8:], &ofp.SwitchConfig{MissSendLength: 128}},
		{"hello", wire.AppendHello(nil, 1, 1<<4)[8:], &ofp.Hello{Elements: ofp.HelloElems{&ofp.HelloElemVersionBitmap{Bitmaps: []uint32{1 << 4}}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if their := theirs(t, test.their); !bytes.Equal(test.ours, their) {
				t.Errorf("bytes\n ours %x\ntheir %x", test.ours, their)
			}
		})
	}
}

func TestLibraryReadsWhatWeWrite(t *testing.T) {
	match := ofp.Match{Type: ofp.MatchTypeXM, Fields: []ofp.XM{basic(ofp.XMTypeVlanID, num(2, 0x1007))}}
	body := ours(t)
	for _, test := range []struct {
		name string
		body []byte
		into io.ReaderFrom
		want any
	}{
		{"features", wire.AppendFeatures(nil, 1, wire.Features{DPID: 5, Buffers: 6, Tables: 7, Capabilities: wire.CapFlowStats})[8:],
			&ofp.SwitchFeatures{}, &ofp.SwitchFeatures{DatapathID: 5, NumBuffers: 6, NumTables: 7, Capabilities: ofp.CapabilityFlowStats}},
		{"aggregate", wire.AppendAggregate(nil, wire.Aggregate{Packets: 1, Bytes: 2, Flows: 3}),
			&ofp.AggregateStats{}, &ofp.AggregateStats{PacketCount: 1, ByteCount: 2, FlowCount: 3}},
		{"table", wire.AppendTableStat(nil, wire.TableStat{Table: 1, Active: 2, Lookup: 3, Matched: 4}),
			&ofp.TableStats{}, &ofp.TableStats{Table: 1, ActiveCount: 2, LookupCount: 3, MatchedCount: 4}},
		{"port", wire.AppendPortStat(nil, wire.PortStat{Port: 1, RxPackets: 2, TxPackets: 3, RxBytes: 4, TxBytes: 5, RxDropped: 6, TxDropped: 7, RxErrors: 8,
			TxErrors: 9, RxFrame: 10, RxOverrun: 11, RxCRC: 12, Colls: 13, Duration: 14_000_000_015}),
			&ofp.PortStats{}, &ofp.PortStats{PortNo: 1, RxPackets: 2, TxPackets: 3, RxBytes: 4, TxBytes: 5, RxDropped: 6, TxDropped: 7, RxErrors: 8,
				TxErrors: 9, RxFrameErr: 10, RxOverErr: 11, RxCrcErr: 12, Collisions: 13, DurationSec: 14, DurationNSec: 15}},
		{"flow_removed", body(wire.AppendFlowRemoved(nil, 1, wire.FlowRemoved{Cookie: 1, Priority: 2, Reason: wire.RemovedHard, Table: 3, Duration: 4_000_000_005,
			IdleTimeout: 6, HardTimeout: 7, Packets: 8, Bytes: 9, Match: of.Match{of.VLAN(7)}})),
			&ofp.FlowRemoved{}, &ofp.FlowRemoved{Cookie: 1, Priority: 2, Reason: ofp.FlowReasonHardTimeout, Table: 3, DurationSec: 4, DurationNSec: 5,
				IdleTimeout: 6, HardTimeout: 7, PacketCount: 8, ByteCount: 9, Match: match}},
		{"packet_in", body(wire.AppendPacketIn(nil, 1, wire.PacketIn{Buffer: wire.NoBuffer, TotalLen: 6, Reason: wire.PacketAction, Table: 3, Cookie: 4,
			Match: of.Match{of.VLAN(7)}, Data: []byte("packet")})),
			&ofp.PacketIn{}, &ofp.PacketIn{Buffer: ofp.NoBuffer, Length: 6, Reason: ofp.PacketInReasonAction, Table: 3, Cookie: 4, Match: match, Data: []byte("packet")}},
		{"error", body(wire.AppendErrorMessage(nil, 1, wire.Error{Type: wire.ErrBadMatch, Code: 9, Data: []byte("failed")})),
			&ofp.Error{}, &ofp.Error{Type: ofp.ErrTypeBadMatch, Code: ofp.ErrCodeBadMatchBadPrereq, Data: []byte("failed")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.into.ReadFrom(bytes.NewReader(test.body)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(test.into, test.want) {
				t.Errorf("decoded\n got %+v\nwant %+v", test.into, test.want)
			}
		})
	}
}
