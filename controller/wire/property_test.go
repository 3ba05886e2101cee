package wire_test

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

func drawValue(t *rapid.T, bits int, label string) of.Value {
	v := of.Value{Hi: rapid.Uint64().Draw(t, label+"_hi"), Lo: rapid.Uint64().Draw(t, label+"_lo")}
	return v.And(of.Ones(bits))
}

// drawMatch draws a match of fields that differ, in any order, without regard for prerequisites.
func drawMatch(t *rapid.T) of.Match {
	fields := rapid.SliceOfNDistinct(rapid.Uint16Range(1, uint16(of.NumFields)-1), 0, 40, rapid.ID).Draw(t, "fields")
	var m of.Match
	for _, n := range fields {
		f := of.Field(n)
		info := f.Info()
		member := of.FieldMatch{Field: f, Value: drawValue(t, int(info.Bits), "value")}
		if info.Maskable && rapid.Bool().Draw(t, "masked") {
			member = of.Masked(f, member.Value, drawValue(t, int(info.Bits), "mask"))
		}
		m = append(m, member)
	}
	if rapid.Bool().Draw(t, "unknown") {
		payload := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "payload")
		m = append(m, of.FieldMatch{Raw: string(append([]byte{0x12, 0x34, 2, byte(len(payload))}, payload...))})
	}
	return m
}

func drawSubfield(t *rapid.T, limit int) of.Subfield {
	f := of.Field(rapid.Uint16Range(1, uint16(of.NumFields)-1).Filter(func(n uint16) bool {
		return of.Field(n).Info().Sub.Class != of.ClassExperimenter
	}).Draw(t, "field"))
	width := f.Bits()
	bits := rapid.IntRange(1, min(limit, width)).Draw(t, "bits")
	return of.Subfield{Field: f, Offset: uint16(rapid.IntRange(0, width-bits).Draw(t, "offset")), Bits: uint16(bits)}
}

func drawLearnSpec(t *rapid.T) of.LearnSpec {
	dst := drawSubfield(t, 128)
	kind := of.LearnKind(rapid.IntRange(0, 2).Draw(t, "kind"))
	switch {
	case kind == of.LearnOutput:
		return of.LearnOutputTo(dst)
	case rapid.Bool().Draw(t, "immediate"):
		return of.LearnSpec{Kind: kind, Immediate: true, Dst: dst, Value: drawValue(t, int(dst.Bits), "value")}
	}
	src := of.Subfield{Field: of.FieldXXReg1, Bits: dst.Bits}
	return of.LearnSpec{Kind: kind, Src: src, Dst: dst}
}

func drawAction(t *rapid.T) of.Action {
	u16 := rapid.Uint16()
	u32 := rapid.Uint32()
	switch rapid.IntRange(0, 16).Draw(t, "action") {
	case 0:
		return of.Output{Port: of.PortNo(u32.Draw(t, "port")), MaxLen: u16.Draw(t, "max_len")}
	case 1:
		f := of.Field(rapid.Uint16Range(1, uint16(of.NumFields)-1).Draw(t, "field"))
		return of.SetField{Field: f, Value: drawValue(t, f.Bits(), "value")}
	case 2:
		f := of.Field(rapid.Uint16Range(1, uint16(of.NumFields)-1).Draw(t, "field"))
		m := of.Masked(f, drawValue(t, f.Bits(), "value"), drawValue(t, f.Bits(), "mask"))
		if m.Field == of.FieldUnknown {
			return of.PopVLAN{}
		}
		return of.RegLoad2{Field: f, Value: m.Value, Mask: m.Mask}
	case 3:
		return of.PushVLAN{EthType: u16.Draw(t, "eth_type")}
	case 4:
		return of.PopVLAN{}
	case 5:
		return of.Resubmit{Port: of.PortNo(rapid.Uint32Range(0, 0xfeff).Draw(t, "port")), Table: of.TableID(rapid.Byte().Draw(t, "table")), CT: rapid.Bool().Draw(t, "ct")}
	case 6:
		return of.Load{Dst: drawSubfield(t, 64), Value: rapid.Uint64().Draw(t, "value")}
	case 7:
		src := drawSubfield(t, 64)
		return of.Move{Src: src, Dst: of.Subfield{Field: of.FieldXXReg0, Bits: src.Bits}}
	case 8:
		return of.OutputReg{Src: drawSubfield(t, 64), MaxLen: u16.Draw(t, "max_len")}
	case 9:
		return of.Conjunction{ID: u32.Draw(t, "id"), Clause: rapid.ByteRange(1, 64).Draw(t, "clause"), N: rapid.ByteRange(2, 64).Draw(t, "n")}
	case 10:
		return of.Note{Data: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "note")}
	case 11:
		return of.Controller{
			MaxLen: u16.Draw(t, "max_len"), ID: u16.Draw(t, "id"), Reason: rapid.Byte().Draw(t, "reason"),
			Userdata: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "userdata"), Pause: rapid.Bool().Draw(t, "pause"),
		}
	case 12:
		return of.Learn{
			Table: of.TableID(rapid.Byte().Draw(t, "table")), Priority: u16.Draw(t, "priority"), IdleTimeout: u16.Draw(t, "idle"),
			Cookie: of.Cookie(rapid.Uint64().Draw(t, "cookie")), SendFlowRem: rapid.Bool().Draw(t, "rem"), Limit: u32.Draw(t, "limit"),
			Specs: rapid.SliceOfN(rapid.Custom(drawLearnSpec), 0, 6).Draw(t, "specs"),
		}
	case 13:
		ct := of.CT{Commit: rapid.Bool().Draw(t, "commit"), Zone: u16.Draw(t, "zone"), Alg: u16.Draw(t, "alg")}
		if ct.Recirc = rapid.Bool().Draw(t, "recirc"); ct.Recirc {
			ct.Table = of.TableID(rapid.ByteRange(0, 254).Draw(t, "table"))
		}
		if rapid.Bool().Draw(t, "nat") {
			ct.Actions = append(ct.Actions, of.NAT{Src: true, AddrMin: of.Num(uint64(u32.Draw(t, "addr"))).Addr4(), PortMin: u16.Draw(t, "port")})
		}
		return ct
	case 14:
		return of.DecTTL{Controllers: rapid.SliceOfN(u16, 0, 5).Draw(t, "controllers")}
	case 15:
		return of.SetQueue{Queue: u32.Draw(t, "queue")}
	}
	return of.Group{ID: of.GroupID(u32.Draw(t, "group"))}
}

func drawActions(t *rapid.T) []of.Action {
	var actions []of.Action
	if rapid.Bool().Draw(t, "meter") {
		actions = append(actions, of.Meter{ID: of.MeterID(rapid.Uint32().Draw(t, "meter_id"))})
	}
	actions = append(actions, rapid.SliceOfN(rapid.Custom(drawAction), 0, 10).Draw(t, "actions")...)
	if rapid.Bool().Draw(t, "write_actions") {
		actions = append(actions, of.ClearActions{}, of.WriteActions{Actions: []of.Action{drawAction(t)}})
	}
	if rapid.Bool().Draw(t, "goto") {
		actions = append(actions, of.WriteMetadata{Value: 1, Mask: rapid.Uint64().Draw(t, "mask")}, of.GotoTable{Table: 3})
	}
	return actions
}

func drawFlow(t *rapid.T) of.Flow {
	return of.Flow{
		Table: of.TableID(rapid.Byte().Draw(t, "table")), Priority: rapid.Uint16().Draw(t, "priority"),
		Cookie: of.Cookie(rapid.Uint64().Draw(t, "cookie")), IdleTimeout: rapid.Uint16().Draw(t, "idle"),
		HardTimeout: rapid.Uint16().Draw(t, "hard"), Flags: of.FlowFlags(rapid.Uint16Range(0, 31).Draw(t, "flags")),
		Match: drawMatch(t), Actions: drawActions(t),
	}
}

func mustPack(t rapid.TB, f of.Flow) (of.Key, wire.Entry) {
	t.Helper()
	k, e, err := wire.Pack(f)
	if err != nil {
		t.Fatal(err)
	}
	return k, e
}

func TestUnpackUndoesPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFlow(t)
		k, e := mustPack(t, f)
		back, err := wire.Unpack(k, e)
		if err != nil {
			t.Fatal(err)
		}
		if k2, e2 := mustPack(t, back); k2 != k || e2 != e {
			t.Errorf("packed again\n got %x %x\nwant %x %x", k2.Match, e2.Instructions, k.Match, e.Instructions)
		}
		if got, want := back.String(), f.String(); got != want {
			t.Errorf("text\n got %s\nwant %s", got, want)
		}
	})
}

func TestKeyDoesNotDependOnTheOrderOfTheMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMatch(t)
		k, _ := mustPack(t, of.Flow{Match: m})
		shuffled := rapid.Permutation(m).Draw(t, "shuffled")
		if k2, _ := mustPack(t, of.Flow{Match: shuffled}); k2 != k {
			t.Errorf("%s\n got %x\nwant %x", m, k2.Match, k.Match)
		}
		// Nor on the order in which a switch sends it.
		var tlvs []byte
		for _, f := range shuffled {
			tlvs = append(tlvs, must(wire.AppendOXM(nil, of.Match{f}))...)
		}
		s := wire.FlowStat{Match: tlvs}
		if k2, err := s.Key(); err != nil || k2 != k {
			t.Errorf("from a dump: %x %v\nwant %x", k2.Match, err, k.Match)
		}
	})
}

func TestFlowModsFromValuesAndFromPackedFlowsAreEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFlow(t)
		xid := rapid.Uint32().Draw(t, "xid")
		cmd := wire.Command(rapid.IntRange(0, 4).Draw(t, "command"))
		k, e := mustPack(t, f)
		a, err := wire.AppendFlowMod([]byte("before"), xid, &wire.FlowMod{Command: cmd, Flow: f})
		if err != nil {
			t.Fatal(err)
		}
		b, err := wire.AppendEntryMod([]byte("before"), xid, cmd, k, e)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) || !bytes.HasPrefix(a, []byte("before")) {
			t.Fatalf("bytes\n%x\n%x", a, b)
		}
		msg := a[len("before"):]
		h, err := wire.DecodeHeader(msg)
		if err != nil || h != (wire.Header{Version: 4, Type: wire.TypeFlowMod, Length: uint16(len(msg)), XID: xid}) {
			t.Errorf("header %+v %v", h, err)
		}
		m, err := wire.DecodeFlowMod(msg[wire.HeaderLen:])
		if err != nil {
			t.Fatal(err)
		}
		if m.Command != cmd || m.Flow.String() != f.String() {
			t.Errorf("decoded %d %s\nwant %d %s", m.Command, m.Flow, cmd, f)
		}
	})
}

func TestFlowStatsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flows := rapid.SliceOfN(rapid.Custom(drawFlow), 0, 5).Draw(t, "flows")
		var body []byte
		for i, f := range flows {
			k, e := mustPack(t, f)
			var err error
			if body, err = wire.AppendFlowStat(body, &wire.FlowStat{
				Table: f.Table, Priority: f.Priority, IdleTimeout: f.IdleTimeout, HardTimeout: f.HardTimeout, Flags: f.Flags, Cookie: f.Cookie,
				Duration: time.Duration(i) * 1500 * time.Millisecond, Packets: 5, Bytes: 6, Match: []byte(k.Match), Instructions: []byte(e.Instructions),
			}); err != nil {
				t.Fatal(err)
			}
		}
		stats, err := wire.AppendFlowStats(nil, body)
		if err != nil || len(stats) != len(flows) {
			t.Fatalf("%d flows, %v; want %d", len(stats), err, len(flows))
		}
		for i := range stats {
			wantKey, wantEntry := mustPack(t, flows[i])
			if k, err := stats[i].Key(); err != nil || k != wantKey || stats[i].Entry() != wantEntry {
				t.Errorf("flow %d: %+v %v", i, k, err)
			}
			if stats[i].Duration != time.Duration(i)*1500*time.Millisecond || stats[i].Packets != 5 || stats[i].Bytes != 6 {
				t.Errorf("counters of flow %d: %+v", i, stats[i])
			}
		}
	})
}
