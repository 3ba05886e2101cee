package wire_test

import (
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/of"
)

// flowCase is a flow and the text that ovs-ofctl has for its match and actions.
type flowCase struct {
	name    string
	match   of.Match
	actions []of.Action
	text    string // match, a space and actions=…, or only the latter
	// differs says why ovs-ofctl makes other bytes of the text; empty if it makes the same.
	differs string
}

func mac(s string) of.MAC {
	m, err := of.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return m
}

var (
	addr = netip.MustParseAddr
	cidr = netip.MustParsePrefix
	vmA  = mac("fa:16:3e:9e:c2:b3")
)

// fieldCases has a row for every way to match a field.
var fieldCases = []flowCase{
	{name: "everything", text: "actions=drop"},
	{name: "in_port", match: of.Match{of.InPort(1)}, text: "in_port=1 actions=drop"},
	{name: "in_port_local", match: of.Match{of.InPort(of.PortLocal)}, text: "in_port=LOCAL actions=drop"},
	{name: "metadata", match: of.Match{of.Metadata(0x1234)}, text: "metadata=0x1234 actions=drop"},
	{name: "metadata_masked", match: of.Match{of.MetadataMasked(0x1234, 0xff00)}, text: "metadata=0x1200/0xff00 actions=drop"},
	{name: "metadata_zero", match: of.Match{of.Metadata(0)}, text: "metadata=0 actions=drop"},
	{name: "eth_src", match: of.Match{of.EthSrc(vmA)}, text: "dl_src=fa:16:3e:9e:c2:b3 actions=drop"},
	{name: "eth_src_masked", match: of.Match{of.EthSrcMasked(vmA, mac("ff:ff:ff:00:00:00"))},
		text: "dl_src=fa:16:3e:00:00:00/ff:ff:ff:00:00:00 actions=drop"},
	{name: "eth_dst", match: of.Match{of.EthDst(of.Broadcast)}, text: "dl_dst=ff:ff:ff:ff:ff:ff actions=drop"},
	{name: "eth_dst_unicast", match: of.Match{of.EthDstMasked(of.MAC{}, of.MAC{1})},
		text: "dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=drop"},
	{name: "eth_dst_multicast", match: of.Match{of.EthDstMasked(of.MAC{1}, of.MAC{1})},
		text: "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=drop"},
	{name: "eth_type", match: of.Match{of.EthType(0x88cc)}, text: "dl_type=0x88cc actions=drop"},
	{name: "rarp", match: of.Match{of.EthType(of.EthTypeRARP)}, text: "rarp actions=drop"},
	{name: "vlan", match: of.Match{of.VLAN(7)}, text: "dl_vlan=7 actions=drop"},
	{name: "vlan_zero", match: of.Match{of.VLAN(0)}, text: "dl_vlan=0 actions=drop"},
	{name: "vlan_4095", match: of.Match{of.VLAN(4095)}, text: "dl_vlan=4095 actions=drop"},
	{name: "vlan_pcp", match: of.Match{of.VLAN(7), of.VLANPCP(3)}, text: "dl_vlan=7,dl_vlan_pcp=3 actions=drop"},
	{name: "vlan_any_pcp", match: of.Match{of.AnyVLAN(), of.VLANPCP(3)}, text: "dl_vlan_pcp=3 actions=drop"},
	{name: "vlan_none", match: of.Match{of.NoVLAN()}, text: "vlan_tci=0x0000/0x1fff actions=drop"},
	{name: "vlan_any", match: of.Match{of.AnyVLAN()}, text: "vlan_tci=0x1000/0x1000 actions=drop"},
	{name: "vlan_learned", match: of.Match{of.VLANMasked(2, 0xfff)}, text: "vlan_tci=0x0002/0x0fff actions=drop"},
	{name: "mpls", match: of.Match{of.EthType(of.EthTypeMPLS), of.Is(of.FieldMPLSLabel, 5), of.Is(of.FieldMPLSTC, 3), of.Is(of.FieldMPLSBOS, 1)},
		text: "mpls,mpls_label=5,mpls_tc=3,mpls_bos=1 actions=drop"},
	{name: "mpls_ttl", match: of.Match{of.EthType(of.EthTypeMPLSMulticast), of.Is(of.FieldMPLSTTL, 5)}, text: "mplsm,mpls_ttl=5 actions=drop"},
	{name: "arp", match: of.Match{of.ARP()}, text: "arp actions=drop"},
	{name: "arp_all", match: of.Match{of.ARP(), of.ARPOp(1), of.ARPSPA(addr("10.0.0.1")), of.ARPTPA(addr("10.0.0.2")), of.ARPSHA(vmA), of.ARPTHA(of.MAC{})},
		text: "arp,arp_spa=10.0.0.1,arp_tpa=10.0.0.2,arp_op=1,arp_sha=fa:16:3e:9e:c2:b3,arp_tha=00:00:00:00:00:00 actions=drop"},
	{name: "arp_spa_prefix", match: of.Match{of.ARP(), of.ARPSPAIn(cidr("10.0.0.0/24"))}, text: "arp,arp_spa=10.0.0.0/24 actions=drop"},
	{name: "ipv4", match: of.Match{of.IPv4(), of.IPv4Src(cidr("10.0.0.0/8")), of.IPv4Dst(cidr("10.1.2.3/32"))},
		text: "ip,nw_src=10.0.0.0/8,nw_dst=10.1.2.3 actions=drop"},
	{name: "ipv4_odd_mask", match: of.Match{of.IPv4(), of.Masked(of.FieldIPv4Src, of.Num(0x0a000001), of.Num(0xff0000ff))},
		text: "ip,nw_src=10.0.0.1/255.0.0.255 actions=drop"},
	{name: "ip_proto", match: of.Match{of.IPv4(), of.IPProto(47)}, text: "ip,nw_proto=47 actions=drop"},
	{name: "ip_tos", match: of.Match{of.IPv4(), of.IPDSCP(10), of.IPECN(2), of.IPTTL(64)}, text: "ip,nw_tos=40,nw_ecn=2,nw_ttl=64 actions=drop"},
	{name: "ip_frag_later", match: of.Match{of.IPv4(), of.Is(of.FieldIPFrag, 3)}, text: "ip,nw_frag=later actions=drop"},
	{name: "ip_frag_first", match: of.Match{of.IPv4(), of.Is(of.FieldIPFrag, 1)}, text: "ip,nw_frag=first actions=drop"},
	{name: "ip_frag_no", match: of.Match{of.IPv4(), of.Is(of.FieldIPFrag, 0)}, text: "ip,nw_frag=no actions=drop"},
	{name: "ip_frag_yes", match: of.Match{of.IPv4(), of.Masked(of.FieldIPFrag, of.Num(1), of.Num(1))}, text: "ip,nw_frag=yes actions=drop"},
	{name: "ip_frag_not_later", match: of.Match{of.IPv4(), of.Masked(of.FieldIPFrag, of.Num(0), of.Num(2))}, text: "ip,nw_frag=not_later actions=drop"},
	{name: "ipv6", match: of.Match{of.IPv6(), of.IPv6Src(cidr("fd00:3::/64")), of.IPv6Dst(cidr("fe80::f816:3eff:fe21:31b5/128"))},
		text: "ipv6,ipv6_src=fd00:3::/64,ipv6_dst=fe80::f816:3eff:fe21:31b5 actions=drop"},
	{name: "ipv6_mapped", match: of.Match{of.IPv6(), of.IPv6Src(cidr("::ffff:1.2.3.4/128"))}, text: "ipv6,ipv6_src=::ffff:1.2.3.4 actions=drop"},
	{name: "ipv6_label", match: of.Match{of.IPv6(), of.Is(of.FieldIPv6Label, 0x1234)}, text: "ipv6,ipv6_label=0x01234 actions=drop"},
	{name: "icmp", match: of.Match{of.IPv4(), of.IPProto(of.ProtoICMP), of.ICMPType(8), of.ICMPCode(0)}, text: "icmp,icmp_type=8,icmp_code=0 actions=drop"},
	{name: "tcp", match: of.Match{of.IPv4(), of.IPProto(of.ProtoTCP), of.TCPSrc(1024), of.TCPDst(80)}, text: "tcp,tp_src=1024,tp_dst=80 actions=drop"},
	{name: "tcp_port_range", match: of.Match{of.IPv4(), of.IPProto(of.ProtoTCP), of.Masked(of.FieldTCPDst, of.Num(0x400), of.Num(0xfffe))},
		text: "tcp,tp_dst=0x400/0xfffe actions=drop"},
	{name: "tcp_flags", match: of.Match{of.IPv4(), of.IPProto(of.ProtoTCP), of.TCPFlags(0x2, 0x12)}, text: "tcp,tcp_flags=+syn-ack actions=drop"},
	{name: "tcp_flags_exact", match: of.Match{of.IPv4(), of.IPProto(of.ProtoTCP), of.Is(of.FieldTCPFlags, 0x12)}, text: "tcp,tcp_flags=syn|ack actions=drop"},
	{name: "tcp6", match: of.Match{of.IPv6(), of.IPProto(of.ProtoTCP), of.TCPDst(22)}, text: "tcp6,tp_dst=22 actions=drop"},
	{name: "udp", match: of.Match{of.IPv4(), of.IPProto(of.ProtoUDP), of.UDPSrc(68), of.UDPDst(67)}, text: "udp,tp_src=68,tp_dst=67 actions=drop"},
	{name: "udp6", match: of.Match{of.IPv6(), of.IPProto(of.ProtoUDP), of.UDPSrc(546), of.UDPDst(547)}, text: "udp6,tp_src=546,tp_dst=547 actions=drop"},
	{name: "sctp", match: of.Match{of.IPv4(), of.IPProto(of.ProtoSCTP), of.SCTPSrc(1), of.SCTPDst(2)}, text: "sctp,tp_src=1,tp_dst=2 actions=drop"},
	{name: "icmp6", match: of.Match{of.IPv6(), of.IPProto(of.ProtoICMP6), of.ICMP6Type(134), of.ICMP6Code(0)},
		text: "icmp6,icmp_type=134,icmp_code=0 actions=drop"},
	{name: "nd_solicit", match: of.Match{of.IPv6(), of.IPProto(of.ProtoICMP6), of.ICMP6Type(135), of.ICMP6Code(0), of.NDTarget(addr("fd00::1")), of.NDSLL(vmA)},
		text: "icmp6,icmp_type=135,icmp_code=0,nd_target=fd00::1,nd_sll=fa:16:3e:9e:c2:b3 actions=drop"},
	{name: "nd_advert", match: of.Match{of.IPv6(), of.IPProto(of.ProtoICMP6), of.ICMP6Type(136), of.NDTarget(addr("fe80::1")), of.NDTLL(vmA)},
		text: "icmp6,icmp_type=136,nd_target=fe80::1,nd_tll=fa:16:3e:9e:c2:b3 actions=drop"},
	{name: "tun_id", match: of.Match{of.TunID(0x3e9)}, text: "tun_id=0x3e9 actions=drop"},
	{name: "tun_id_wide", match: of.Match{of.TunID(0x123456789abcdef0)}, text: "tun_id=0x123456789abcdef0 actions=drop"},
	{name: "tun_addresses", match: of.Match{of.TunSrc(addr("10.99.0.1")), of.TunDst(addr("10.99.0.2"))}, text: "tun_src=10.99.0.1,tun_dst=10.99.0.2 actions=drop"},
	{name: "tun_ipv6", match: of.Match{{Field: of.FieldTunIPv6Src, Value: of.AddrValue(addr("fd00::1"))}, {Field: of.FieldTunIPv6Dst, Value: of.AddrValue(addr("fd00::2"))}},
		text: "tun_ipv6_src=fd00::1,tun_ipv6_dst=fd00::2 actions=drop"},
	{name: "tun_gbp", match: of.Match{of.Is(of.FieldTunGBPID, 5), of.Is(of.FieldTunGBPFlags, 8)}, text: "tun_gbp_id=5,tun_gbp_flags=0x8 actions=drop"},
	{name: "tun_flags", match: of.Match{of.Masked(of.FieldTunFlags, of.Num(1), of.Num(1))}, text: "tun_flags=+oam actions=drop"},
	{name: "regs", match: of.Match{of.Reg(0, 0), of.Reg(5, 6), of.RegMasked(15, 0xff0, 0xff0)}, text: "reg0=0,reg5=0x6,reg15=0xff0/0xff0 actions=drop"},
	{name: "pkt_mark", match: of.Match{of.PktMark(0x55)}, text: "pkt_mark=0x55 actions=drop"},
	{name: "conj_id", match: of.Match{of.ConjID(12)}, text: "conj_id=12 actions=drop"},
	{name: "actset_output", match: of.Match{of.Is(of.FieldActsetOutput, uint64(of.PortUnset))}, text: "actset_output=UNSET actions=drop"},
	{name: "ct_state", match: of.Match{of.CTState(of.CTTrk|of.CTEst, of.CTNew|of.CTRel|of.CTInv)}, text: "ct_state=-new+est-rel-inv+trk actions=drop"},
	{name: "ct_state_nat", match: of.Match{of.CTState(of.CTTrk|of.CTSNT, of.CTDNT)}, text: "ct_state=+trk+snat-dnat actions=drop"},
	{name: "ct_state_untracked", match: of.Match{of.CTState(0, of.CTTrk), of.IPv4(), of.Reg(5, 6)}, text: "ct_state=-trk,ip,reg5=0x6 actions=drop"},
	{name: "ct_zone_mark", match: of.Match{of.CTZone(3), of.CTMark(1)}, text: "ct_zone=3,ct_mark=0x1 actions=drop"},
	{name: "ct_mark_masked", match: of.Match{of.CTMarkMasked(0, 1)}, text: "ct_mark=0/0x1 actions=drop"},
	{name: "ct_label", match: of.Match{of.CTLabel(of.Value{Hi: 1, Lo: 2}, of.Value{Hi: 0xf, Lo: 0xff})},
		text: "ct_label=0x10000000000000002/0xf00000000000000ff actions=drop"},
	{name: "ct_label_exact", match: of.Match{of.CTLabel(of.Num(5), of.Ones(128))}, text: "ct_label=0x5 actions=drop"},
	{name: "ct_original_direction", match: of.Match{
		of.CTState(of.CTTrk|of.CTEst, 0), of.IPv4(),
		{Field: of.FieldCTNWSrc, Value: of.AddrValue(addr("10.0.0.1"))}, {Field: of.FieldCTNWDst, Value: of.AddrValue(addr("10.0.0.2"))},
		of.Is(of.FieldCTNWProto, 6), of.Is(of.FieldCTTPSrc, 1000), of.Is(of.FieldCTTPDst, 80)},
		text: "ct_state=+est+trk,ct_nw_src=10.0.0.1,ct_nw_dst=10.0.0.2,ct_nw_proto=6,ct_tp_src=1000,ct_tp_dst=80,ip actions=drop"},
	{name: "ct_original_direction_ipv6", match: of.Match{
		of.CTState(of.CTTrk, of.CTInv), of.IPv6(),
		{Field: of.FieldCTIPv6Src, Value: of.AddrValue(addr("fd00::1"))}, {Field: of.FieldCTIPv6Dst, Value: of.AddrValue(addr("fd00::2"))}},
		text: "ct_state=-inv+trk,ct_ipv6_src=fd00::1,ct_ipv6_dst=fd00::2,ipv6 actions=drop"},
	{name: "any_address", match: of.Match{of.IPv4(), of.IPv4Src(cidr("0.0.0.0/0")), of.InPort(1)}, text: "ip,in_port=1 actions=drop"},
	{name: "unordered", match: of.Match{of.TCPDst(80), of.Reg(5, 1), of.IPProto(of.ProtoTCP), of.EthDst(vmA), of.IPv4(), of.InPort(1)},
		text: "tcp,reg5=0x1,in_port=1,dl_dst=fa:16:3e:9e:c2:b3,tp_dst=80 actions=drop"},
}

// actionCases has a row for every action and every variant of it that has a text or bytes of its own.
var actionCases = []flowCase{
	{name: "output", actions: []of.Action{of.Output{Port: 1}}, text: "actions=output:1"},
	{name: "output_reserved", actions: []of.Action{of.Output{Port: of.PortInPort}, of.Output{Port: of.PortAll}, of.Output{Port: of.PortFlood}, of.Output{Port: of.PortLocal}},
		text: "actions=IN_PORT,ALL,FLOOD,LOCAL"},
	{name: "normal", actions: []of.Action{of.Output{Port: of.PortNormal}}, text: "actions=NORMAL"},
	{name: "to_controller", actions: []of.Action{of.ToController()}, text: "actions=CONTROLLER:65535"},
	{name: "to_controller_short", actions: []of.Action{of.Output{Port: of.PortController, MaxLen: 128}}, text: "actions=CONTROLLER:128"},
	{name: "controller_id", actions: []of.Action{of.Controller{MaxLen: 128, ID: 5, Reason: of.ReasonAction}}, text: "actions=controller(max_len=128,id=5)"},
	{name: "controller_reason", actions: []of.Action{of.Controller{MaxLen: of.MaxLenNoBuffer, Reason: 2}}, text: "actions=controller(reason=invalid_ttl)"},
	{name: "controller_userdata", actions: []of.Action{of.Controller{MaxLen: of.MaxLenNoBuffer, Reason: of.ReasonAction, ID: 7, Userdata: []byte{1, 2, 0xff}, Pause: true}},
		text: "actions=controller(id=7,userdata=01.02.ff,pause)"},
	{name: "controller_meter", actions: []of.Action{of.Controller{MaxLen: 100, Reason: 0, MeterID: 1}}, text: "actions=controller(reason=no_match,max_len=100,meter_id=1)"},
	{name: "group", actions: []of.Action{of.Group{ID: 1}}, text: "actions=group:1"},
	{name: "set_queue", actions: []of.Action{of.SetQueue{Queue: 3}, of.Output{Port: 1}}, text: "actions=set_queue:3,output:1"},
	{name: "set_tunnel", actions: []of.Action{of.SetTunnel(0x3e9)}, text: "actions=set_field:0x3e9->tun_id"},
	{name: "set_tunnel_zero", actions: []of.Action{of.SetTunnel(0)}, text: "actions=set_field:0->tun_id"},
	{name: "push_vlan", actions: []of.Action{of.PushVLAN{EthType: of.EthTypeVLAN}, of.SetVLAN(2), of.GotoTable{Table: 59}},
		text: "actions=push_vlan:0x8100,set_field:4098->vlan_vid,goto_table:59"},
	{name: "pop_vlan", match: of.Match{of.VLAN(1), of.EthDst(vmA)}, actions: []of.Action{of.PopVLAN{}, of.SetTunnel(0x3e9), of.Output{Port: 2}},
		text: "dl_vlan=1,dl_dst=fa:16:3e:9e:c2:b3 actions=pop_vlan,set_field:0x3e9->tun_id,output:2"},
	{name: "set_vlan_pcp", match: of.Match{of.VLAN(1)}, actions: []of.Action{of.SetField{Field: of.FieldVLANPCP, Value: of.Num(3)}},
		text: "dl_vlan=1 actions=set_field:3->vlan_pcp"},
	{name: "set_eth", actions: []of.Action{of.SetEthSrc(vmA), of.SetEthDst(of.Broadcast)},
		text: "actions=set_field:fa:16:3e:9e:c2:b3->eth_src,set_field:ff:ff:ff:ff:ff:ff->eth_dst"},
	{name: "set_ipv4", match: of.Match{of.IPv4()}, actions: []of.Action{
		of.SetField{Field: of.FieldIPv4Src, Value: of.AddrValue(addr("10.0.0.1"))}, of.SetField{Field: of.FieldIPv4Dst, Value: of.AddrValue(addr("10.0.0.2"))},
		of.SetField{Field: of.FieldIPDSCP, Value: of.Num(10)}, of.SetField{Field: of.FieldIPECN, Value: of.Num(1)}},
		text: "ip actions=set_field:10.0.0.1->ip_src,set_field:10.0.0.2->ip_dst,set_field:10->ip_dscp,set_field:1->nw_ecn"},
	{name: "set_ipv6", match: of.Match{of.IPv6()}, actions: []of.Action{
		of.SetField{Field: of.FieldIPv6Src, Value: of.AddrValue(addr("fd00::1"))}, of.SetField{Field: of.FieldIPv6Dst, Value: of.AddrValue(addr("fd00::2"))}},
		text: "ipv6 actions=set_field:fd00::1->ipv6_src,set_field:fd00::2->ipv6_dst"},
	{name: "set_ports", match: of.Match{of.IPv4(), of.IPProto(of.ProtoTCP)}, actions: []of.Action{
		of.SetField{Field: of.FieldTCPSrc, Value: of.Num(1)}, of.SetField{Field: of.FieldTCPDst, Value: of.Num(2)}},
		text: "tcp actions=set_field:1->tcp_src,set_field:2->tcp_dst"},
	{name: "set_reg", actions: []of.Action{of.SetReg(5, 3), of.SetReg(6, 1), of.Resubmit{Table: 73}},
		text: "actions=set_field:0x3->reg5,set_field:0x1->reg6,resubmit(,73)"},
	{name: "set_xreg", actions: []of.Action{of.SetField{Field: of.FieldXReg0, Value: of.Num(1 << 40)}}, text: "actions=set_field:0x10000000000->xreg0"},
	{name: "set_xxreg", actions: []of.Action{of.SetField{Field: of.FieldXXReg0, Value: of.Value{Hi: 1}}}, text: "actions=set_field:0x10000000000000000->xxreg0"},
	{name: "set_in_port", actions: []of.Action{of.SetField{Field: of.FieldInPortNXM, Value: of.Num(0)}}, text: "actions=set_field:0->in_port"},
	{name: "set_metadata", actions: []of.Action{of.SetField{Field: of.FieldMetadata, Value: of.Num(5)}}, text: "actions=set_field:0x5->metadata"},
	{name: "set_pkt_mark", actions: []of.Action{of.SetField{Field: of.FieldPktMark, Value: of.Num(5)}}, text: "actions=set_field:0x5->pkt_mark"},
	{name: "set_tun_dst", actions: []of.Action{of.SetField{Field: of.FieldTunDst, Value: of.AddrValue(addr("10.0.0.9"))}}, text: "actions=set_field:10.0.0.9->tun_dst"},
	{name: "set_masked", actions: []of.Action{of.RegLoad2{Field: of.FieldReg0, Value: of.Num(0x10), Mask: of.Num(0xf0)}},
		text: "actions=set_field:0x10/0xf0->reg0", differs: "ovs-ofctl splits it into loads"},
	{name: "set_masked_mac", actions: []of.Action{of.RegLoad2{Field: of.FieldEthDst, Value: of.MAC{1}.Value(), Mask: of.MAC{1}.Value()}},
		text: "actions=set_field:01:00:00:00:00:00/01:00:00:00:00:00->eth_dst", differs: "ovs-ofctl splits it into loads"},
	{name: "reg_load2", actions: []of.Action{of.RegLoad2{Field: of.FieldReg1, Value: of.Num(5)}},
		text: "actions=set_field:0x5->reg1", differs: "the text is that of set_field"},
	{name: "load", actions: []of.Action{of.Load{Dst: of.Whole(of.FieldVLANTCI)}, of.Load{Dst: of.Whole(of.FieldTunID), Value: 1}, of.Output{Port: 3}},
		text: "actions=load:0->NXM_OF_VLAN_TCI[],load:0x1->NXM_NX_TUN_ID[],output:3"},
	{name: "load_bits", actions: []of.Action{of.Load{Dst: of.Bits(of.FieldReg0, 4, 7), Value: 0xa}, of.Load{Dst: of.Bits(of.FieldReg0, 31, 31), Value: 1}},
		text: "actions=load:0xa->NXM_NX_REG0[4..7],load:0x1->NXM_NX_REG0[31]"},
	{name: "arp_responder", match: of.Match{of.ARP(), of.VLAN(2), of.ARPTPA(addr("10.2.0.2"))}, actions: []of.Action{
		of.SetField{Field: of.FieldARPOp, Value: of.Num(2)},
		of.Move{Src: of.Whole(of.FieldARPSHA), Dst: of.Whole(of.FieldARPTHA)},
		of.Move{Src: of.Whole(of.FieldARPSPA), Dst: of.Whole(of.FieldARPTPA)},
		of.SetField{Field: of.FieldARPSHA, Value: vmA.Value()},
		of.SetField{Field: of.FieldARPSPA, Value: of.AddrValue(addr("10.2.0.2"))},
		of.Move{Src: of.Whole(of.FieldEthSrc), Dst: of.Whole(of.FieldEthDst)},
		of.SetEthSrc(vmA), of.Output{Port: of.PortInPort}},
		text: "arp,dl_vlan=2,arp_tpa=10.2.0.2 actions=set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]," +
			"set_field:fa:16:3e:9e:c2:b3->arp_sha,set_field:10.2.0.2->arp_spa,move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:fa:16:3e:9e:c2:b3->eth_src,IN_PORT"},
	{name: "move_bits", actions: []of.Action{of.Move{Src: of.Bits(of.FieldReg0, 0, 15), Dst: of.Bits(of.FieldReg1, 16, 31)}},
		text: "actions=move:NXM_NX_REG0[0..15]->NXM_NX_REG1[16..31]"},
	{name: "output_reg", actions: []of.Action{of.OutputReg{Src: of.Bits(of.FieldReg7, 0, 15), MaxLen: 0xffff}}, text: "actions=output:NXM_NX_REG7[0..15]"},
	{name: "learn_mac", actions: []of.Action{
		of.Learn{Table: 20, HardTimeout: 300, Priority: 1, Cookie: 0x4a7aa95033fefb70, Specs: []of.LearnSpec{
			of.LearnMatchSame(of.Bits(of.FieldVLANTCI, 0, 11)),
			of.LearnMatchField(of.Whole(of.FieldEthDst), of.Whole(of.FieldEthSrc)),
			of.LearnLoadValue(of.Whole(of.FieldVLANTCI), of.Value{}),
			of.LearnLoadField(of.Whole(of.FieldTunID), of.Whole(of.FieldTunID)),
			of.LearnOutputTo(of.Whole(of.FieldInPort)),
		}}, of.Output{Port: 1}},
		text: "actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x4a7aa95033fefb70,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]," +
			"load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:1"},
	{name: "learn_options", actions: []of.Action{of.Learn{
		Table: 1, Priority: of.DefaultPriority, IdleTimeout: 5, HardTimeout: 6, FinIdleTimeout: 7, FinHardTimeout: 8, SendFlowRem: true, DeleteLearned: true,
		Specs: []of.LearnSpec{
			of.LearnMatchValue(of.Whole(of.FieldEthType), of.Num(0x800)),
			of.LearnMatchValue(of.Bits(of.FieldReg0, 3, 7), of.Num(9)),
			of.LearnMatchValue(of.Whole(of.FieldXXReg0), of.Value{Hi: 1, Lo: 2}),
			of.LearnOutputTo(of.Bits(of.FieldReg1, 0, 15)),
		}}},
		text: "actions=learn(table=1,idle_timeout=5,hard_timeout=6,fin_idle_timeout=7,fin_hard_timeout=8,send_flow_rem,delete_learned,eth_type=0x800," +
			"NXM_NX_REG0[3..7]=0x9,xxreg0=0x10000000000000002,output:NXM_NX_REG1[0..15])"},
	{name: "learn_limited", actions: []of.Action{of.Learn{
		Table: 1, Priority: 5, Limit: 10, ResultDst: of.Bits(of.FieldReg0, 8, 8), Specs: []of.LearnSpec{of.LearnMatchSame(of.Whole(of.FieldInPortNXM))}}},
		text: "actions=learn(table=1,priority=5,limit=10,result_dst=NXM_NX_REG0[8],NXM_OF_IN_PORT[])"},
	{name: "resubmit", actions: []of.Action{of.Resubmit{Table: 71}}, text: "actions=resubmit(,71)"},
	{name: "resubmit_port", actions: []of.Action{of.Resubmit{Port: 3, Table: 5}, of.Resubmit{Port: 4, Table: of.TableAll}}, text: "actions=resubmit(3,5),resubmit:4"},
	{name: "resubmit_ct", match: of.Match{of.CTState(of.CTTrk|of.CTEst, 0), of.IPv4()}, actions: []of.Action{of.Resubmit{Table: 5, CT: true}},
		text: "ct_state=+est+trk,ip actions=resubmit(,5,ct)"},
	{name: "ct", match: of.Match{of.IPv4()}, actions: []of.Action{of.CT{Recirc: true, Table: 72, ZoneSrc: of.Bits(of.FieldReg6, 0, 15)}},
		text: "ip actions=ct(table=72,zone=NXM_NX_REG6[0..15])"},
	{name: "ct_commit", match: of.Match{of.IPv4()}, actions: []of.Action{of.CT{Commit: true, ZoneSrc: of.Bits(of.FieldReg6, 0, 15)}, of.Output{Port: 2}, of.Resubmit{Table: 82}},
		text: "ip actions=ct(commit,zone=NXM_NX_REG6[0..15]),output:2,resubmit(,82)"},
	{name: "ct_mark", match: of.Match{of.IPv4()}, actions: []of.Action{of.CT{Commit: true, Force: true, Zone: 7,
		Actions: []of.Action{of.SetField{Field: of.FieldCTMark, Value: of.Num(1)}}}},
		text: "ip actions=ct(commit,force,zone=7,exec(set_field:0x1->ct_mark))"},
	{name: "ct_nat", match: of.Match{of.IPv4()}, actions: []of.Action{of.CT{Commit: true, Recirc: true, Table: 3, Zone: 1, Actions: []of.Action{
		of.NAT{Src: true, AddrMin: addr("10.0.0.1"), AddrMax: addr("10.0.0.9"), PortMin: 100, PortMax: 200, Persistent: true, Random: true},
		of.SetField{Field: of.FieldCTMark, Value: of.Num(1)},
		of.Load{Dst: of.Bits(of.FieldCTLabel, 0, 31), Value: 5},
	}}},
		text: "ip actions=ct(commit,table=3,zone=1,nat(src=10.0.0.1-10.0.0.9:100-200,persistent,random),exec(set_field:0x1->ct_mark,load:0x5->NXM_NX_CT_LABEL[0..31]))"},
	{name: "ct_nat_one", match: of.Match{of.IPv4()}, actions: []of.Action{of.CT{Commit: true, Actions: []of.Action{of.NAT{Dst: true, AddrMin: addr("10.0.0.5")}}}},
		text: "ip actions=ct(commit,nat(dst=10.0.0.5))"},
	{name: "ct_nat_ipv6", match: of.Match{of.IPv6()}, actions: []of.Action{of.CT{Commit: true, Actions: []of.Action{
		of.NAT{Dst: true, AddrMin: addr("fd00::1"), AddrMax: addr("fd00::2"), PortMin: 80, Hash: true}}}},
		text: "ipv6 actions=ct(commit,nat(dst=[fd00::1]-[fd00::2]:80,hash))"},
	{name: "ct_nat_plain", match: of.Match{of.IPv4()}, actions: []of.Action{of.CT{Recirc: true, Table: 4, Actions: []of.Action{of.NAT{}}}}, text: "ip actions=ct(table=4,nat)"},
	{name: "ct_alg", match: of.Match{of.IPv4(), of.IPProto(of.ProtoTCP)}, actions: []of.Action{of.CT{Commit: true, Alg: of.AlgFTP}}, text: "tcp actions=ct(commit,alg=ftp)"},
	{name: "ct_alg_tftp", match: of.Match{of.IPv4(), of.IPProto(of.ProtoUDP)}, actions: []of.Action{of.CT{Commit: true, Alg: of.AlgTFTP}}, text: "udp actions=ct(commit,alg=tftp)"},
	{name: "ct_clear", actions: []of.Action{of.CTClear{}, of.Resubmit{Table: 71}}, text: "actions=ct_clear,resubmit(,71)"},
	{name: "conjunction", actions: []of.Action{of.Conjunction{ID: 12, Clause: 1, N: 2}, of.Conjunction{ID: 13, Clause: 3, N: 3}},
		text: "actions=conjunction(12,1/2),conjunction(13,3/3)"},
	{name: "note", actions: []of.Action{of.Note{Data: []byte{1, 2, 3}}}, text: "actions=note:01.02.03.00.00.00"},
	{name: "note_long", actions: []of.Action{of.Note{Data: []byte{1, 2, 3, 4, 5, 6, 7}}}, text: "actions=note:01.02.03.04.05.06.07.00.00.00.00.00.00.00"},
	{name: "dec_ttl", match: of.Match{of.IPv4()}, actions: []of.Action{of.DecTTL{}}, text: "ip actions=dec_ttl"},
	{name: "dec_ttl_ids", match: of.Match{of.IPv6()}, actions: []of.Action{of.DecTTL{Controllers: []uint16{1, 2}}}, text: "ipv6 actions=dec_ttl(1,2)"},
	{name: "set_ttl", match: of.Match{of.IPv4()}, actions: []of.Action{of.SetTTL{TTL: 64}}, text: "ip actions=mod_nw_ttl:64"},
	{name: "mpls", match: of.Match{of.EthType(of.EthTypeMPLS)}, actions: []of.Action{of.SetMPLSTTL{TTL: 5}, of.DecMPLSTTL{}, of.PopMPLS{EthType: of.EthTypeIPv4}},
		text: "mpls actions=set_mpls_ttl(5),dec_mpls_ttl,pop_mpls:0x0800"},
	{name: "push_mpls", match: of.Match{of.IPv4()}, actions: []of.Action{of.PushMPLS{EthType: of.EthTypeMPLS}, of.Output{Port: 1}},
		text: "ip actions=push_mpls:0x8847,output:1"},
	{name: "instructions", actions: []of.Action{
		of.Meter{ID: 1}, of.Output{Port: 1}, of.ClearActions{}, of.WriteActions{Actions: []of.Action{of.PopVLAN{}, of.Output{Port: 2}}},
		of.WriteMetadata{Value: 5, Mask: 0xff}, of.GotoTable{Table: 30}},
		match: of.Match{of.VLAN(3)},
		text:  "dl_vlan=3 actions=meter:1,output:1,clear_actions,write_actions(pop_vlan,output:2),write_metadata:0x5/0xff,goto_table:30"},
	{name: "write_metadata", actions: []of.Action{of.WriteMetadata{Value: 0x10}}, text: "actions=write_metadata:0x10"},
	{name: "goto_table", actions: []of.Action{of.GotoTable{Table: 2}}, text: "actions=goto_table:2"},
	// OVS knows these; Heddle keeps them as bytes, and so has no text to give to ovs-ofctl.
	{name: "unknown_action", actions: []of.Action{of.Unknown{Bytes: []byte{0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 17, 0, 0, 0, 0, 0, 0}}},
		text: "actions=unknown(ffff0010000023200011000000000000)", differs: "bytes"},
}

// flowsOf makes each case a flow of its own of table 0, told apart by priority and cookie.
func flowsOf(cases []flowCase) []of.Flow {
	flows := make([]of.Flow, len(cases))
	for i, c := range cases {
		flows[i] = of.Flow{Priority: uint16(1000 + i), Cookie: of.Cookie(i + 1), Match: c.match, Actions: c.actions}
	}
	return flows
}

func allCases() []flowCase { return append(append([]flowCase{}, fieldCases...), actionCases...) }
