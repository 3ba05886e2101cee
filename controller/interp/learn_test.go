package interp_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
)

// sent by a VM, for learn actions to learn from: the packet, and the same for netdev-dummy/receive.
var (
	taught = interp.Packet{InPort: 1, EthSrc: of.MAC{0xfa, 0x16, 0x3e, 0, 0, 1}, EthDst: of.MAC{0xfa, 0x16, 0x3e, 0, 0, 2},
		VLANs: [2]interp.VLAN{{TPID: of.EthTypeVLAN, TCI: 0x6000 | of.VLANPresent | 10}}, EthType: of.EthTypeIPv4,
		IP:        interp.IP{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), Proto: of.ProtoTCP, TTL: 64},
		Transport: interp.Transport{Src: 1024, Dst: 80, TCPFlags: 2}}
	taughtText = "in_port(1),eth(src=fa:16:3e:00:00:01,dst=fa:16:3e:00:00:02),eth_type(0x8100),vlan(vid=10,pcp=3)," +
		"encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1024,dst=80),tcp_flags(0x002))"
)

func TestLearnedFlowsAreThoseOfOpenVSwitch(t *testing.T) {
	l := newLab(t, map[string][]interp.Port{"br0": {{No: 1, Name: "p1"}, {No: 2, Name: "p2"}}})
	whole := of.Whole
	same := func(f of.Field) of.LearnSpec { return of.LearnMatchSame(whole(f)) }
	ip := of.LearnMatchValue(whole(of.FieldEthType), of.Num(of.EthTypeIPv4))
	for name, c := range map[string]struct {
		before []of.Action
		learn  of.Learn
	}{
		"as_br_int_does": {nil, of.Learn{Priority: 1, HardTimeout: 300, Cookie: pipeline.Learned, Specs: []of.LearnSpec{of.LearnMatchSame(of.Bits(of.FieldVLANTCI, 0, 11)),
			of.LearnMatchField(whole(of.FieldEthDst), whole(of.FieldEthSrc)), of.LearnLoadValue(whole(of.FieldVLANTCI), of.Num(0)), of.LearnOutputTo(whole(of.FieldInPort))}}},
		"as_br_tun_does": {[]of.Action{of.SetTunnel(1001)}, of.Learn{Priority: 1, IdleTimeout: 7, Specs: []of.LearnSpec{of.LearnMatchSame(of.Bits(of.FieldVLANTCI, 0, 11)),
			of.LearnMatchField(whole(of.FieldEthDst), whole(of.FieldEthSrc)), of.LearnLoadField(whole(of.FieldTunID), whole(of.FieldTunID)), of.LearnOutputTo(whole(of.FieldInPort))}}},
		"nothing":        {nil, of.Learn{Priority: 5}},
		"tag":            {nil, of.Learn{Priority: of.DefaultPriority, Specs: []of.LearnSpec{same(of.FieldVLANTCI)}}},
		"part_of_fields": {nil, of.Learn{Priority: 5, Specs: []of.LearnSpec{of.LearnMatchSame(of.Bits(of.FieldEthSrc, 0, 7)), of.LearnMatchSame(of.Bits(of.FieldEthSrc, 40, 47)), of.LearnMatchField(of.Bits(of.FieldReg0, 3, 6), of.Bits(of.FieldEthSrc, 0, 3))}}},
		"both_ways_of_tcp": {nil, of.Learn{Priority: 5, SendFlowRem: true, Specs: []of.LearnSpec{ip, of.LearnMatchValue(whole(of.FieldIPProto), of.Num(of.ProtoTCP)),
			of.LearnMatchField(whole(of.FieldIPv4Src), whole(of.FieldIPv4Dst)), of.LearnMatchField(whole(of.FieldIPv4Dst), whole(of.FieldIPv4Src)), of.LearnMatchField(whole(of.FieldTCPSrc), whole(of.FieldTCPDst)),
			of.LearnLoadField(of.Bits(of.FieldReg1, 0, 15), whole(of.FieldInPortNXM)), of.LearnOutputTo(whole(of.FieldInPortNXM))}}},
		"after_a_change":     {[]of.Action{of.SetReg(2, 0xabc), of.PopVLAN{}, of.SetEthDst(of.Broadcast)}, of.Learn{Priority: 5, Specs: []of.LearnSpec{same(of.FieldEthDst), same(of.FieldReg2), of.LearnMatchSame(of.Bits(of.FieldVLANTCI, 0, 11)), of.LearnOutputTo(of.Bits(of.FieldReg2, 2, 3))}}},
		"output_to_reserved": {[]of.Action{of.SetReg(2, 0xfffa), of.SetReg(3, 0xfffe)}, of.Learn{Priority: 5, Specs: []of.LearnSpec{of.LearnOutputTo(of.Bits(of.FieldReg2, 0, 15)), of.LearnOutputTo(of.Bits(of.FieldReg3, 0, 15)), of.LearnOutputTo(whole(of.FieldReg2))}}},
		"register_pair":      {[]of.Action{of.SetReg(2, 5), of.SetReg(3, 6)}, of.Learn{Priority: 5, Specs: []of.LearnSpec{of.LearnMatchField(whole(of.FieldMetadata), whole(of.FieldXReg1)), of.LearnLoadField(of.Bits(of.FieldMetadata, 8, 39), whole(of.FieldReg3))}}},
	} {
		t.Run(name, func(t *testing.T) {
			l.T = t
			c.learn.Table = 9
			flows := []of.Flow{{Match: of.Match{of.IPv4(), of.IPProto(of.ProtoTCP), of.AnyVLAN()}, Actions: append(c.before, c.learn)}}
			l.load("br0", flows, nil)
			trace := l.bridges(map[string][]of.Flow{"br0": flows}, nil)["br0"].Run(taught)
			if len(trace.Learned) != 1 || trace.Learned[0].Flow == nil {
				t.Fatalf("learned %+v", trace.Learned)
			}
			l.call("netdev-dummy/receive", "p1", taughtText)
			l.expectFlow("br0", 9, trace.Learned[0].Flow.String())
		})
	}
}

// expectFlow waits for Open vSwitch to have the flow, and no other, in a table.
func (l *lab) expectFlow(bridge string, table of.TableID, want string) {
	l.Helper()
	var got []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		got = nil
		for _, f := range l.dump(bridge) {
			if f.Table == table {
				got = append(got, f.String())
			}
		}
		if slices.Equal(got, []string{want}) {
			return
		}
		if len(got) > 0 {
			break
		}
	}
	l.Errorf("Open vSwitch learned\n%s\nwant\n%s", strings.Join(got, "\n"), want)
}
