package of

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestMACText(t *testing.T) {
	for _, text := range []string{"00:00:00:00:00:00", "fa:16:3e:9e:c2:b3", "ff:ff:ff:ff:ff:ff"} {
		m, err := ParseMAC(text)
		if err != nil || m.String() != text {
			t.Errorf("%s read as %s, %v", text, m, err)
		}
		if got := m.Value().MAC(); got != m {
			t.Errorf("%s as a number and back is %s", m, got)
		}
	}
	if m, err := ParseMAC("FA:16:3E:9E:C2:B3"); err != nil || m.String() != "fa:16:3e:9e:c2:b3" {
		t.Errorf("upper case read as %s, %v", m, err)
	}
	for _, text := range []string{"", "fa:16:3e:9e:c2", "fa:16:3e:9e:c2:b3:00", "fa-16-3e-9e-c2-b3", "fa:16:3e:9e:c2:g3", "fa:16:3e:9e:c2:b", "fa:16:3e:9e:c2b3:"} {
		if m, err := ParseMAC(text); err == nil {
			t.Errorf("%q read as %s, want an error", text, m)
		}
	}
	var got struct{ MAC MAC }
	if err := json.Unmarshal([]byte(`{"MAC":"fa:16:3e:9e:c2:b3"}`), &got); err != nil || got.MAC.IsZero() || got.MAC.IsMulticast() {
		t.Errorf("from json: %v %v", got, err)
	}
	if b, err := json.Marshal(got); err != nil || string(b) != `{"MAC":"fa:16:3e:9e:c2:b3"}` {
		t.Errorf("to json: %s %v", b, err)
	}
	if err := json.Unmarshal([]byte(`{"MAC":"x"}`), &got); err == nil {
		t.Error("bad address in json is accepted")
	}
	if !Broadcast.IsMulticast() {
		t.Error("broadcast is not multicast")
	}
}

func TestDPIDText(t *testing.T) {
	for text, want := range map[string]string{"ba6138244643": "0000ba6138244643", "0xa1": "00000000000000a1", "ffffffffffffffff": "ffffffffffffffff"} {
		if d, err := ParseDPID(text); err != nil || d.String() != want {
			t.Errorf("%s read as %s, %v; want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"", "0x", "10000000000000000", "br-tun", "-1"} {
		if d, err := ParseDPID(text); err == nil {
			t.Errorf("%q read as %s, want an error", text, d)
		}
	}
}

func TestPortText(t *testing.T) {
	for p, want := range map[PortNo]string{
		1: "1", 65279: "65279", PortUnset: "UNSET", PortInPort: "IN_PORT", PortTable: "TABLE", PortNormal: "NORMAL", PortFlood: "FLOOD",
		PortAll: "ALL", PortController: "CONTROLLER", PortLocal: "LOCAL", PortAny: "ANY", 0xffffff01: "4294967041",
	} {
		if p.String() != want {
			t.Errorf("port %d is %s, want %s", uint32(p), p, want)
		}
	}
	if PortNo(5).Reserved() || !PortLocal.Reserved() {
		t.Error("only reserved ports are reserved")
	}
	p := Port{State: PortStateLinkDown | PortStateLive, Config: PortConfigDown}
	if !p.LinkDown() || !p.AdminDown() || (Port{State: PortStateLive}).LinkDown() {
		t.Error("a port is down by its own bit alone")
	}
}

func TestValueArithmetic(t *testing.T) {
	v := Value{Hi: 0x0123456789abcdef, Lo: 0xfedcba9876543210}
	for n := 0; n <= 128; n++ {
		if got, want := v.Shr(n).Shl(n), v.AndNot(Ones(n)); got != want {
			t.Errorf("shifted by %d there and back %s, want %s", n, got, want)
		}
		if got := Ones(n).Len(); got != n {
			t.Errorf("%d ones are %d bits", n, got)
		}
	}
	for want, v := range map[string]Value{
		"0": {}, "0x5": Num(5), "0x10000000000000002": {Hi: 1, Lo: 2}, "0x123456789abcdeffedcba9876543210": v,
	} {
		if v.String() != want {
			t.Errorf("%#v is %s, want %s", v, v, want)
		}
	}
	for _, text := range []string{"10.1.2.3", "fd00::1", "::ffff:1.2.3.4"} {
		a := netip.MustParseAddr(text)
		back := AddrValue(a).Addr6()
		if a.Is4() {
			back = AddrValue(a).Addr4()
		}
		if back != a {
			t.Errorf("%s as a number and back is %s", a, back)
		}
	}
}

func TestRegistryIsConsistent(t *testing.T) {
	names := map[string]Field{}
	headers := map[Header]Field{}
	for f := FieldUnknown + 1; f < NumFields; f++ {
		info := f.Info()
		if other, ok := names[info.Name]; ok || info.Name == "" {
			t.Errorf("field %d is named %q, as %d is", f, info.Name, other)
		}
		names[info.Name] = f
		if other, ok := headers[info.OXM]; ok {
			t.Errorf("%s has the header of %s", f, other)
		}
		headers[info.OXM] = f
		if info.Bits == 0 || int(info.Bits) > 8*int(info.Bytes) || info.SubName == "" {
			t.Errorf("%s has row %+v", f, info)
		}
		if got, ok := FieldByName(f.String()); !ok || got != f {
			t.Errorf("name %s finds %s", f, got)
		}
	}
	if f, ok := FieldByName("dl_dst"); !ok || f != FieldEthDst {
		t.Errorf("dl_dst finds %s", f)
	}
	if _, ok := FieldByName("nosuch"); ok {
		t.Error("nosuch finds a field")
	}
	if NumFields.Known() || FieldUnknown.Known() || NumFields.Info() != (FieldInfo{}) || NumFields.String() != "unknown" {
		t.Error("what is no field has a row")
	}
	if FieldReg(15) != FieldReg15 || FieldReg15-FieldReg0 != 15 {
		t.Error("registers are not in a row")
	}
}

func TestCheckFindsWhatASwitchRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		match Match
		want  string // empty if the match is fine
	}{
		{"nothing", nil, ""},
		{"asks_nothing", Match{IPv4Src(netip.MustParsePrefix("0.0.0.0/0"))}, ""},
		{"tcp", Match{TCPDst(80), IPProto(ProtoTCP), IPv4()}, ""},
		{"tcp_of_ipv6", Match{TCPDst(80), IPProto(ProtoTCP), IPv6()}, ""},
		{"tcp_without_protocol", Match{TCPDst(80), IPv4()}, "tcp_dst without what it needs"},
		{"tcp_with_udp", Match{TCPDst(80), IPProto(ProtoUDP), IPv4()}, "tcp_dst without what it needs"},
		{"protocol_without_type", Match{IPProto(6)}, "nw_proto without what it needs"},
		{"arp_address_of_ip", Match{IPv4(), ARPTPA(netip.MustParseAddr("10.0.0.1"))}, "arp_tpa without what it needs"},
		{"priority_without_tag", Match{VLANPCP(1), NoVLAN()}, "vlan_pcp without what it needs"},
		{"priority_with_any_tag", Match{VLANPCP(1), AnyVLAN()}, ""},
		{"priority_with_masked_tag", Match{VLANPCP(1), VLANMasked(2, 0xfff)}, "vlan_pcp without what it needs"},
		{"nd", Match{IPv6(), IPProto(ProtoICMP6), ICMP6Type(136), NDTarget(netip.MustParseAddr("fe80::1"))}, ""},
		{"nd_of_advert_in_solicit", Match{IPv6(), IPProto(ProtoICMP6), ICMP6Type(135), NDTLL(Broadcast)}, "nd_tll without what it needs"},
		{"tracked", Match{IPv4(), CTState(CTTrk, CTInv), Is(FieldCTNWSrc, 1)}, ""},
		{"perhaps_invalid", Match{IPv4(), CTState(CTTrk, 0), Is(FieldCTNWSrc, 1)}, "ct_nw_src without what it needs"},
		{"twice", Match{InPort(1), InPort(2)}, "in_port_oxm occurs twice"},
		{"masked_port", Match{{Field: FieldInPort, Value: Num(1), Mask: Num(1)}}, "in_port_oxm cannot have a mask"},
		{"too_wide", Match{Is(FieldEthType, 0x10000)}, "eth_type is wider than 16 bits"},
		{"outside_mask", Match{{Field: FieldMetadata, Value: Num(3), Mask: Num(1)}}, "metadata has bits outside its mask"},
		{"tag_id_with_presence", Match{VLAN(4095)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.match.Check()
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case test.want != "" && (!errors.Is(err, ErrMatch) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestFlowText(t *testing.T) {
	f := Flow{
		Table: 20, Priority: 1, Cookie: 0x5d02000000000003, IdleTimeout: 5, HardTimeout: 300, Flags: SendFlowRem | ResetCounts,
		Match: Match{VLANMasked(2, 0xfff)}, Actions: []Action{Output{Port: 3}},
	}
	const want = "cookie=0x5d02000000000003, table=20, idle_timeout=5, hard_timeout=300, send_flow_rem reset_counts priority=1,vlan_tci=0x0002/0x0fff actions=output:3"
	if got := f.String(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := (Flow{Priority: DefaultPriority}).String(); got != "actions=drop" {
		t.Errorf("the barest flow is %q", got)
	}
	if got := (Flow{Priority: DefaultPriority, Match: Match{InPort(1)}}).String(); got != "in_port=1 actions=drop" {
		t.Errorf("a flow of default priority is %q", got)
	}
	if got := (SendFlowRem | CheckOverlap | NoPktCounts | NoByteCounts).String(); got != "send_flow_rem check_overlap no_packet_counts no_byte_counts" {
		t.Errorf("flags are %q", got)
	}
}

func TestTextOfWhatIsNotKnown(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Subfield{Field: NumFields, Bits: 3}.String(), "<unknown>"},
		{Match{{Raw: "\x00\x01\x0c\x01x"}}.String(), "oxm(00010c0178)"},
		{Unknown{Bytes: []byte{0, 99, 0, 8, 1, 2, 3, 4}}.String(), "unknown(0063000801020304)"},
		{CTState(1<<9, 1<<10).String(), "ct_state=+[Unknown]-[Unknown]"},
		{Is(FieldTCPFlags, 0xe01).String(), "tcp_flags=fin|0xe00"},
		{GroupType(9).String(), "9"},
	} {
		if test.got != test.want {
			t.Errorf("text %s, want %s", test.got, test.want)
		}
	}
}
