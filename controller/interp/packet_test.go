package interp_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
)

// printed is packets as ofproto/trace of Open vSwitch 3.1 prints them.
var printed = []string{
	"tcp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=0,tp_dst=80,tcp_flags=0",
	"tcp,tun_id=0x7,in_port=1,dl_vlan=4,dl_vlan_pcp=0,vlan_tci1=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=63,nw_frag=no,tp_src=0,tp_dst=80,tcp_flags=0",
	"pkt_mark=0x7,ct_state=new|trk,ct_mark=0x5,ct_label=0x12345678901234567890,tcp,reg1=0x5,reg2=0x1,metadata=0x5,in_port=1,dl_vlan=4,dl_vlan_pcp=0,dl_vlan1=5,dl_vlan_pcp1=0,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=later",
	"arp,in_port=1,dl_vlan=5,dl_vlan_pcp=3,vlan_tci1=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,arp_spa=10.0.0.1,arp_tpa=0.0.0.0,arp_op=1,arp_sha=fa:16:3e:00:00:01,arp_tha=00:00:00:00:00:00",
	"icmp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,icmp_type=8,icmp_code=0",
	"icmp6,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,ipv6_src=fe80::2,ipv6_dst=::,ipv6_label=0x12345,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,icmp_type=135,icmp_code=0,nd_target=fe80::1,nd_sll=fa:16:3e:00:00:01,nd_tll=00:00:00:00:00:00",
	"in_port=LOCAL,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,dl_type=0x1234",
}

func TestPacketTextIsThatOfTrace(t *testing.T) {
	for _, text := range printed {
		p, err := interp.ParsePacket(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := p.String(); got != text {
			t.Errorf("\n got %s\nwant %s", got, text)
		}
	}
}

func TestPacketTextMayBeShort(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"in_port=1,tcp,tcp_dst=80,nw_dst=10.0.0.2", "in_port=1,ip,nw_proto=6,ip_dst=10.0.0.2,tcp_dst=80"},
		{"nw_dst=10.0.0.2,tcp_flags=+syn-ack,tp_dst=80,tcp, in_port=1", "in_port=1,ip,nw_proto=6,ip_dst=10.0.0.2,tcp_dst=80,tcp_flags=syn"},
		{"in_port=1,udp6,tp_src=53,ipv6_src=fd00::1", "in_port=1,ipv6,nw_proto=17,ipv6_src=fd00::1,udp_src=53"},
		{"in_port=LOCAL,sctp,tp_dst=7,nw_tos=32,nw_ecn=1,nw_frag=first", "in_port=LOCAL,ip,nw_proto=132,ip_dscp=8,nw_ecn=1,ip_frag=first,sctp_dst=7"},
		{"in_port=1,dl_vlan=5,dl_vlan_pcp=3,dl_type=0x0806,arp_op=2", "in_port=1,arp,vlan_tci=0x7005,arp_op=2"},
		{"in_port=1,icmp6,icmp_type=136,nd_tll=fa:16:3e:00:00:01", "in_port=1,ipv6,nw_proto=58,icmpv6_type=136,nd_tll=fa:16:3e:00:00:01"},
		{"nd_tll=fa:16:3e:00:00:01,icmp_code=0,icmp_type=136,icmp6,in_port=1", "in_port=1,ipv6,nw_proto=58,icmpv6_type=136,nd_tll=fa:16:3e:00:00:01"},
		{"in_port=1,icmp,icmp_type=8,tun_id=7,tun_src=10.99.0.1,tun_dst=10.99.0.2", "in_port=1,ip,nw_proto=1,tun_id=0x7,tun_src=10.99.0.1,tun_dst=10.99.0.2,icmp_type=8"},
		{"in_port=1,ip,ct_state=trk|est,ct_nw_proto=6,ct_nw_src=10.0.0.1,ct_tp_dst=80,xreg1=0x500000006", "in_port=1,ip,ct_state=est|trk,reg2=0x5,reg3=0x6,ct_nw_src=10.0.0.1,ct_nw_proto=6,ct_tp_dst=80"},
		{"in_port=1,dl_type=0x1234,tun_src=10.99.0.1,tun_dst=10.99.0.2,tun_ipv6_src=::,tun_ipv6_dst=::", "in_port=1,dl_type=0x1234,tun_src=10.99.0.1,tun_dst=10.99.0.2"},
		{"in_port=1,recirc_id=0x7,eth,tun_tos=0", "in_port=1,dl_type=0x0000"},
	} {
		p, err := interp.ParsePacket(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := p.TraceArg(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
		again, err := interp.ParsePacket(p.TraceArg())
		if err != nil || len(interp.Changed(p, again)) != 0 {
			t.Errorf("%s read again differs in %v, %v", p.TraceArg(), interp.Changed(p, again), err)
		}
	}
}

func TestPacketTextThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"in_port=tap1":               "no such port",
		"in_port=1,in_port=2":        "said twice",
		"tcp,udp":                    "said twice",
		"tcp,nw_proto=17":            "said twice",
		"tcp_dst=80":                 "has no tcp_dst",
		"tcp,tcp_dst=65536":          "more than 16 bits",
		"tcp,tcp_dst=http":           "not a number",
		"ip,nw_src=fd00::1":          "not an address of the field's family",
		"ipv6,ipv6_src=fe80::1%1":    "not an address of the field's family",
		"dl_src=fa:16:3e:00:00":      "mac address",
		"colour=red":                 "no such field",
		"ether":                      "no such field",
		"dl_vlan=4096":               "more than 12 bits",
		"mpls_label=7":               "no such field",
		"nw_proto=6":                 "not IP",
		"udp,tcp_flags=syn":          "not TCP",
		"tcp,tcp_flags=nothing":      "no flag",
		"ip,nw_frag=sometimes":       "one of no, first, later",
		"icmp6,nd_target=fe80::1":    "has no nd_target",
		"tcp,nw_frag=later,tp_src=1": "has no tcp_src",
	} {
		p, err := interp.ParsePacket(text)
		if !errors.Is(err, interp.ErrPacket) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q read as %v, %v; want an error about %q", text, p, err, want)
		}
	}
}

func TestPortsOfPacketTextMayBeNamed(t *testing.T) {
	b := interp.NewBridge(interp.Config{Ports: []interp.Port{{No: 7, Name: "tap1"}}})
	if p, err := b.ParsePacket("in_port=tap1"); err != nil || p.InPort != 7 {
		t.Errorf("read as %v, %v", p, err)
	}
	if p, err := b.ParsePacket("in_port=tap2"); err == nil {
		t.Errorf("an unknown port read as %v", p)
	}
}

func TestTagsAreAStack(t *testing.T) {
	p := interp.Packet{VLANs: [2]interp.VLAN{interp.Tag(5)}}
	if p.Tags() != 1 || p.VLANs[0].VID() != 5 || !p.VLANs[0].Present() {
		t.Errorf("one tag: %v", p)
	}
	if v := (interp.VLAN{TCI: 0x7005}); v.PCP() != 3 || v.VID() != 5 {
		t.Errorf("priority %d, id %d", v.PCP(), v.VID())
	}
}

func TestFieldsAreReadAsTheyWereWritten(t *testing.T) {
	texts := append([]string{"in_port=1,icmp6,icmp_type=136", "in_port=1,udp", "in_port=1,sctp6", "in_port=1,rarp"}, printed...)
	for f := of.FieldUnknown + 1; f < of.NumFields; f++ {
		for _, text := range texts {
			p, err := interp.ParsePacket(text)
			if err != nil {
				t.Fatal(err)
			}
			want := of.Ones(f.Bits())
			switch f {
			case of.FieldIPTOS:
				want = of.Num(0xfc)
			case of.FieldARPOp:
				want = of.Num(0xff)
			}
			before := p
			if p.Set(f, want) {
				if got := p.Get(f); got != want {
					t.Errorf("%s written as %s reads as %s", f, want, got)
				}
			} else if p != before {
				t.Errorf("%s could not be written, and something changed", f)
			}
		}
	}
}

func TestOnlyWhatIsOnTheWireLeaves(t *testing.T) {
	p := interp.Packet{InPort: 1, Metadata: 1, Mark: 1, EthDst: of.Broadcast, ActsetOutput: 1}
	p.Regs[3], p.CT.Mark, p.Tunnel.ID = 1, 1, 7
	if got, want := p.At(2), (interp.Packet{InPort: 2, EthDst: of.Broadcast}); got != want {
		t.Errorf("over a wire: %v", got)
	}
	a, b := netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("10.99.0.2")
	if got := p.Tunnelled(2, a, b); got.Tunnel != (interp.Tunnel{ID: 7, Src: a, Dst: b}) || got.Metadata != 0 {
		t.Errorf("through a tunnel: %v", got)
	}
}

func FuzzParsePacket(f *testing.F) {
	for _, text := range printed {
		f.Add(text)
	}
	f.Add("in_port=1,xxreg0=0x10000000000000000,tun_flags=oam,tun_gbp_id=7,ct_state=+trk-new,actset_output=7")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := interp.ParsePacket(text)
		if err != nil {
			if !errors.Is(err, interp.ErrPacket) {
				t.Errorf("an error that is not ErrPacket: %v", err)
			}
			return
		}
		again, err := interp.ParsePacket(p.String())
		if err != nil {
			t.Fatalf("%q is printed as %q, which cannot be read: %v", text, p, err)
		}
		if again.String() != p.String() {
			t.Errorf("%q is printed as %q, and that as %q", text, p, again)
		}
	})
}
