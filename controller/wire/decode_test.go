package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

func TestEveryMessageDecodesAndNoCutOneDoesHarm(t *testing.T) {
	for _, m := range seedMessages() {
		h, err := wire.DecodeHeader(m)
		if err != nil || int(h.Length) != len(m) {
			t.Fatalf("header %+v, %v of %x", h, err, m)
		}
		if err := decodeMessage(h.Type, m[wire.HeaderLen:]); err != nil && h.Type != wire.TypeExperimenter {
			t.Errorf("%s %x: %v", h.Type, m, err)
		}
		for n := range len(m) - wire.HeaderLen {
			_ = decodeMessage(h.Type, m[wire.HeaderLen:wire.HeaderLen+n:wire.HeaderLen+n])
		}
	}
}

func TestHelloIgnoresWhatItDoesNotKnow(t *testing.T) {
	for _, test := range []struct {
		name string
		body []byte
		want uint64
	}{
		{"no_elements", nil, 0},
		{"bitmap", []byte{0, 1, 0, 8, 0, 0, 0, 0x12}, 0x12},
		{"unknown_element_first", []byte{0, 9, 0, 5, 1, 0, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0x10}, 0x10},
		{"two_words", []byte{0, 1, 0, 12, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0, 0}, 1<<32 | 0x10},
		{"length_of_nothing", []byte{0, 1, 0, 0, 0, 0, 0, 0x10}, 0},
		{"cut_short", []byte{0, 1, 0, 8, 0, 0}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := wire.DecodeHello(test.body).Versions; got != test.want {
				t.Errorf("versions %#x, want %#x", got, test.want)
			}
		})
	}
	if m := wire.AppendHello(nil, 1, 1<<40|1<<4); len(m) != 24 || m[0] != 40 || m[11] != 12 || wire.DecodeHello(m[8:]).Versions != 1<<40|1<<4 {
		t.Errorf("hello with two words of bitmap: %x", m)
	}
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	k, e, _ := wire.Pack(unicastFlow(1))
	stat := must(wire.AppendFlowStat(nil, &wire.FlowStat{Match: []byte(k.Match), Instructions: []byte(e.Instructions)}))
	two := append(bytes.Clone(stat), stat...)
	two[len(stat)+1] = 8 // length of the second entry
	stats, err := wire.AppendFlowStats(nil, two)
	var de *wire.DecodeError
	if !errors.As(err, &de) || !errors.Is(err, wire.ErrLength) || de.What != "flow stats" || de.Offset != len(stat) {
		t.Errorf("error %v, want an impossible length at byte %d", err, len(stat))
	}
	if len(stats) != 1 {
		t.Errorf("%d flows before the bad one, want 1", len(stats))
	}

	_, err = wire.DecodeOXM([]byte{0x80, 0, 0, 4, 0, 0, 0, 1, 0x80, 0, 10, 2, 8})
	if !errors.As(err, &de) || !errors.Is(err, wire.ErrShort) || de.Offset != 12 {
		t.Errorf("error %v, want bytes missing at byte 12", err)
	}
	if _, err := wire.DecodeHeader([]byte{4, 0, 0, 7, 0, 0, 0, 0}); !errors.Is(err, wire.ErrLength) {
		t.Errorf("header of length 7: %v", err)
	}
}

func TestUnknownItemsAreKept(t *testing.T) {
	// A field of another vendor, one of ours with a width it cannot have, and one with an empty mask.
	tlvs := "\x00\x01\x0c\x05hello" + "\x80\x00\x0a\x01x" + "\x80\x00\x05\x08\x00\x00\x00\x00\x00\x00\x00\x00"
	m, err := wire.DecodeOXM([]byte(tlvs))
	if err != nil {
		t.Fatal(err)
	}
	if len(m) != 3 || m[0].Field != of.FieldUnknown && m[1].Field != of.FieldUnknown {
		t.Fatalf("match %+v, want three members", m)
	}
	b, err := wire.AppendOXM(nil, append(m, of.InPort(1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m {
		if f.Field == of.FieldUnknown && !bytes.Contains(b, []byte(f.Raw)) {
			t.Errorf("%x is not in %x", f.Raw, b)
		}
	}
	if got, want := (of.Match{of.InPort(1), {Raw: "\x12\x34\x02\x01x"}}).String(), "in_port=1,oxm(1234020178)"; got != want {
		t.Errorf("text %s, want %s", got, want)
	}

	// An unknown instruction between known ones, and an experimenter action of a vendor that nobody knows.
	ins := []byte{
		0, 4, 0, 24, 0, 0, 0, 0, 0xff, 0xff, 0, 16, 0, 0, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8,
		0xff, 0xff, 0, 8, 0, 0, 0x12, 0x34,
		0, 1, 0, 8, 7, 0, 0, 0,
	}
	actions, err := wire.DecodeInstructions(ins)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(of.AppendActions(nil, actions)), "unknown(ffff0010000012340102030405060708),unknown(ffff000800001234),goto_table:7"; got != want {
		t.Errorf("text\n got %s\nwant %s", got, want)
	}
	if back := must(wire.AppendInstructions(nil, actions)); !bytes.Equal(back, ins) {
		t.Errorf("bytes\n got %x\nwant %x", back, ins)
	}
}

func TestWhatTheProtocolCannotSayIsRefused(t *testing.T) {
	ct := of.CT{}
	for _, test := range []struct {
		name string
		flow of.Flow
	}{
		{"field_twice", of.Flow{Match: of.Match{of.InPort(1), of.InPort(2)}}},
		{"field_twice_apart", of.Flow{Match: of.Match{of.VLAN(2), of.InPort(1), of.VLAN(1)}}},
		{"no_such_field", of.Flow{Match: of.Match{{Field: of.NumFields, Value: of.Num(1)}}}},
		{"action_behind_goto", of.Flow{Actions: []of.Action{of.GotoTable{Table: 1}, of.Output{Port: 1}}}},
		{"meter_behind_action", of.Flow{Actions: []of.Action{of.Output{Port: 1}, of.Meter{ID: 1}}}},
		{"goto_twice", of.Flow{Actions: []of.Action{of.GotoTable{Table: 1}, of.GotoTable{Table: 2}}}},
		{"instruction_in_ct", of.Flow{Actions: []of.Action{of.CT{Actions: []of.Action{of.GotoTable{Table: 1}}}}}},
		{"instruction_in_write_actions", of.Flow{Actions: []of.Action{of.WriteActions{Actions: []of.Action{of.Meter{ID: 1}}}}}},
		{"set_no_field", of.Flow{Actions: []of.Action{of.SetField{}}}},
		{"set_no_such_field", of.Flow{Actions: []of.Action{of.SetField{Field: 9999}}}},
		{"load_too_many_bits", of.Flow{Actions: []of.Action{of.Load{Dst: of.Bits(of.FieldReg0, 16, 40)}}}},
		{"load_128_bits", of.Flow{Actions: []of.Action{of.Load{Dst: of.Whole(of.FieldCTLabel)}}}},
		{"move_of_unequal_widths", of.Flow{Actions: []of.Action{of.Move{Src: of.Whole(of.FieldReg0), Dst: of.Whole(of.FieldTunID)}}}},
		{"learn_value_too_wide", of.Flow{Actions: []of.Action{of.Learn{Specs: []of.LearnSpec{of.LearnMatchValue(of.Bits(of.FieldReg0, 0, 3), of.Num(16))}}}}},
		{"nat_of_two_families", of.Flow{Actions: []of.Action{of.CT{Actions: []of.Action{of.NAT{Src: true, AddrMin: addr("10.0.0.1"), AddrMax: addr("fd00::1")}}}}}},
		{"unknown_bytes_of_wrong_length", of.Flow{Actions: []of.Action{of.Unknown{Bytes: make([]byte, 16)}}}},
		{"no_action", of.Flow{Actions: []of.Action{nil}}},
		{"pointer_to_action", of.Flow{Actions: []of.Action{&ct}}},
		{"too_many_actions", of.Flow{Actions: make([]of.Action, 0)}},
	} {
		if test.name == "too_many_actions" {
			for range 5000 {
				test.flow.Actions = append(test.flow.Actions, of.Output{Port: 1})
			}
		}
		t.Run(test.name, func(t *testing.T) {
			before := []byte("before")
			b, err := wire.AppendFlowMod(before, 1, &wire.FlowMod{Flow: test.flow})
			if err == nil {
				t.Fatalf("encoded as %x", b)
			}
			if string(b) != "before" {
				t.Errorf("the slice came back as %x", b)
			}
		})
	}
}

func TestEncodersAllocateNothing(t *testing.T) {
	buf := make([]byte, 0, 1024)
	cases := allCases()
	for i, f := range flowsOf(cases) {
		mod := wire.FlowMod{Flow: f}
		if n := testing.AllocsPerRun(10, func() { _, _ = wire.AppendFlowMod(buf, 1, &mod) }); n != 0 {
			t.Errorf("%s: %v allocations", cases[i].name, n)
		}
	}
}

func TestFlowModDecodesWhatItSelects(t *testing.T) {
	b := must(wire.AppendFlowMod(nil, 1, &wire.FlowMod{
		Command: wire.Delete, Flow: of.Flow{Table: of.TableAll, Cookie: 5}, CookieMask: 7, OutPort: 3, OutGroup: 4}))
	m, err := wire.DecodeFlowMod(b[wire.HeaderLen:])
	if err != nil || m.Command != wire.Delete || m.Flow.Table != of.TableAll || m.Flow.Cookie != 5 || m.CookieMask != 7 || m.OutPort != 3 || m.OutGroup != 4 {
		t.Errorf("%+v %v", m, err)
	}
	b = must(wire.AppendFlowMod(nil, 1, &wire.FlowMod{Command: wire.Delete}))
	if m, err := wire.DecodeFlowMod(b[wire.HeaderLen:]); err != nil || m.OutPort != 0 || m.OutGroup != 0 {
		t.Errorf("without restriction: %+v %v", m, err)
	}
}
