package of

import "net/netip"

// Match is what a packet must look like: all of its members must hold. The order does not matter, and no field may
// occur twice. An empty Match holds for every packet.
type Match []FieldMatch

// FieldMatch asks that the bits of a field under Mask equal those of Value. The zero FieldMatch asks nothing; the
// constructors give it for an empty mask, such as that of the prefix 0.0.0.0/0.
type FieldMatch struct {
	Field Field
	Value Value
	Mask  Value // zero asks for all bits of the field
	// Raw is the whole OXM TLV, header included, when Field is FieldUnknown; it is written back unchanged.
	Raw string
}

// Exact reports whether all bits of the field are asked for.
func (m FieldMatch) Exact() bool { return m.Mask.IsZero() || m.Mask == m.Field.fullMask() }

// FullMask is the mask with the zero that stands for "all bits" spelled out.
func (m FieldMatch) FullMask() Value {
	if m.Mask.IsZero() {
		return m.Field.fullMask()
	}
	return m.Mask
}

// fullMask is the mask of an exact match. Bit 12 of vlan_vid belongs to it although the id has 12 bits, and the unused
// bits of tun_flags do, since OVS never gives the one flag back as an exact match.
func (f Field) fullMask() Value {
	switch f {
	case FieldVLANVID:
		return Value{Lo: VLANPresent | 0xfff}
	case FieldTunFlags:
		return Value{Lo: 0xffff}
	}
	return Ones(f.Bits())
}

// AsksNothing reports whether the match holds for every packet: it is the zero FieldMatch.
func (m FieldMatch) AsksNothing() bool { return m.Field == FieldUnknown && m.Raw == "" }

// Find is the member of m that asks for field f.
func (m Match) Find(f Field) (FieldMatch, bool) {
	for i := range m {
		if m[i].Field == f {
			return m[i], true
		}
	}
	return FieldMatch{}, false
}

// Is matches a field of at most 64 bits exactly.
func Is(f Field, v uint64) FieldMatch { return FieldMatch{Field: f, Value: Num(v)} }

// Masked matches the bits of a field under mask; bits of value outside it are dropped, since OVS refuses them. An empty
// mask gives the zero FieldMatch, which asks nothing.
func Masked(f Field, value, mask Value) FieldMatch {
	switch mask {
	case Value{}:
		return FieldMatch{}
	case f.fullMask():
		return FieldMatch{Field: f, Value: value}
	}
	return FieldMatch{Field: f, Value: value.And(mask), Mask: mask}
}

// InPort matches the port the packet came in by.
func InPort(p PortNo) FieldMatch { return Is(FieldInPort, uint64(p)) }

// Metadata matches the 64 bits that tables hand to each other.
func Metadata(v uint64) FieldMatch { return Is(FieldMetadata, v) }

// MetadataMasked matches the bits of metadata under mask.
func MetadataMasked(v, mask uint64) FieldMatch { return Masked(FieldMetadata, Num(v), Num(mask)) }

// EthSrc matches the Ethernet source.
func EthSrc(m MAC) FieldMatch { return FieldMatch{Field: FieldEthSrc, Value: m.Value()} }

// EthSrcMasked matches the bits of the Ethernet source under mask.
func EthSrcMasked(m, mask MAC) FieldMatch { return Masked(FieldEthSrc, m.Value(), mask.Value()) }

// EthDst matches the Ethernet destination.
func EthDst(m MAC) FieldMatch { return FieldMatch{Field: FieldEthDst, Value: m.Value()} }

// EthDstMasked matches the bits of the Ethernet destination under mask.
func EthDstMasked(m, mask MAC) FieldMatch { return Masked(FieldEthDst, m.Value(), mask.Value()) }

// Ethernet types that matches name.
const (
	EthTypeIPv4 = 0x0800
	EthTypeARP  = 0x0806
	EthTypeRARP = 0x8035
	EthTypeVLAN = 0x8100
	EthTypeIPv6 = 0x86dd
	EthTypeMPLS = 0x8847
	// EthTypeMPLSMulticast is MPLS with an upstream-assigned label (RFC 5332 §3).
	EthTypeMPLSMulticast = 0x8848
)

// EthType matches the Ethernet type behind any VLAN tags.
func EthType(t uint16) FieldMatch { return Is(FieldEthType, uint64(t)) }

// ARP matches ARP packets.
func ARP() FieldMatch { return EthType(EthTypeARP) }

// IPv4 matches IPv4 packets.
func IPv4() FieldMatch { return EthType(EthTypeIPv4) }

// IPv6 matches IPv6 packets.
func IPv6() FieldMatch { return EthType(EthTypeIPv6) }

// VLANPresent is the bit of vlan_vid that says that the packet has a tag (OFPVID_PRESENT, OpenFlow 1.3.5 §7.2.3.7).
const VLANPresent = 0x1000

// VLAN matches packets whose outer tag has this id, 0 to 4095.
func VLAN(vid uint16) FieldMatch { return Is(FieldVLANVID, VLANPresent|uint64(vid&0xfff)) }

// VLANMasked matches the bits of vlan_vid under mask; VLANPresent may be part of both.
func VLANMasked(vid, mask uint16) FieldMatch {
	return Masked(FieldVLANVID, Num(uint64(vid)), Num(uint64(mask&0x1fff)))
}

// AnyVLAN matches packets with a tag, whatever its id.
func AnyVLAN() FieldMatch { return VLANMasked(VLANPresent, VLANPresent) }

// NoVLAN matches packets without a tag.
func NoVLAN() FieldMatch { return Is(FieldVLANVID, 0) }

// VLANPCP matches the priority of the outer tag, 0 to 7.
func VLANPCP(pcp uint8) FieldMatch { return Is(FieldVLANPCP, uint64(pcp)) }

// IP protocol numbers that matches name.
const (
	ProtoICMP  = 1
	ProtoTCP   = 6
	ProtoUDP   = 17
	ProtoICMP6 = 58
	ProtoSCTP  = 132
)

// IPProto matches the IPv4 protocol or the IPv6 next header.
func IPProto(p uint8) FieldMatch { return Is(FieldIPProto, uint64(p)) }

// IPDSCP matches the differentiated services code point, 0 to 63.
func IPDSCP(d uint8) FieldMatch { return Is(FieldIPDSCP, uint64(d)) }

// IPECN matches the congestion bits, 0 to 3.
func IPECN(e uint8) FieldMatch { return Is(FieldIPECN, uint64(e)) }

// IPTTL matches the time to live or hop limit.
func IPTTL(ttl uint8) FieldMatch { return Is(FieldIPTTL, uint64(ttl)) }

func prefix(f Field, p netip.Prefix) FieldMatch {
	return Masked(f, AddrValue(p.Addr()), Ones(p.Bits()).Shl(f.Bits()-p.Bits()))
}

// IPv4Src matches the IPv4 source. The prefix must be IPv4.
func IPv4Src(p netip.Prefix) FieldMatch { return prefix(FieldIPv4Src, p) }

// IPv4Dst matches the IPv4 destination. The prefix must be IPv4.
func IPv4Dst(p netip.Prefix) FieldMatch { return prefix(FieldIPv4Dst, p) }

// IPv6Src matches the IPv6 source. The prefix must be IPv6.
func IPv6Src(p netip.Prefix) FieldMatch { return prefix(FieldIPv6Src, p) }

// IPv6Dst matches the IPv6 destination. The prefix must be IPv6.
func IPv6Dst(p netip.Prefix) FieldMatch { return prefix(FieldIPv6Dst, p) }

// TCPSrc matches the TCP source port.
func TCPSrc(port uint16) FieldMatch { return Is(FieldTCPSrc, uint64(port)) }

// TCPDst matches the TCP destination port.
func TCPDst(port uint16) FieldMatch { return Is(FieldTCPDst, uint64(port)) }

// UDPSrc matches the UDP source port.
func UDPSrc(port uint16) FieldMatch { return Is(FieldUDPSrc, uint64(port)) }

// UDPDst matches the UDP destination port.
func UDPDst(port uint16) FieldMatch { return Is(FieldUDPDst, uint64(port)) }

// SCTPSrc matches the SCTP source port.
func SCTPSrc(port uint16) FieldMatch { return Is(FieldSCTPSrc, uint64(port)) }

// SCTPDst matches the SCTP destination port.
func SCTPDst(port uint16) FieldMatch { return Is(FieldSCTPDst, uint64(port)) }

// TCPFlags matches the bits of the TCP flags under mask.
func TCPFlags(flags, mask uint16) FieldMatch {
	return Masked(FieldTCPFlags, Num(uint64(flags)), Num(uint64(mask)))
}

// ICMPType matches the ICMP type.
func ICMPType(t uint8) FieldMatch { return Is(FieldICMPType, uint64(t)) }

// ICMPCode matches the ICMP code.
func ICMPCode(c uint8) FieldMatch { return Is(FieldICMPCode, uint64(c)) }

// ICMP6Type matches the ICMPv6 type.
func ICMP6Type(t uint8) FieldMatch { return Is(FieldICMP6Type, uint64(t)) }

// ICMP6Code matches the ICMPv6 code.
func ICMP6Code(c uint8) FieldMatch { return Is(FieldICMP6Code, uint64(c)) }

// NDTarget matches the target of a neighbour solicitation or advertisement.
func NDTarget(a netip.Addr) FieldMatch { return FieldMatch{Field: FieldNDTarget, Value: AddrValue(a)} }

// NDSLL matches the source link-layer address of a neighbour solicitation.
func NDSLL(m MAC) FieldMatch { return FieldMatch{Field: FieldNDSLL, Value: m.Value()} }

// NDTLL matches the target link-layer address of a neighbour advertisement.
func NDTLL(m MAC) FieldMatch { return FieldMatch{Field: FieldNDTLL, Value: m.Value()} }

// ARPOp matches the ARP operation: 1 request, 2 reply.
func ARPOp(op uint16) FieldMatch { return Is(FieldARPOp, uint64(op)) }

// ARPSPA matches the ARP sender's IPv4 address.
func ARPSPA(a netip.Addr) FieldMatch { return FieldMatch{Field: FieldARPSPA, Value: AddrValue(a)} }

// ARPSPAIn matches a range of ARP sender addresses. The prefix must be IPv4.
func ARPSPAIn(p netip.Prefix) FieldMatch { return prefix(FieldARPSPA, p) }

// ARPTPA matches the ARP target's IPv4 address.
func ARPTPA(a netip.Addr) FieldMatch { return FieldMatch{Field: FieldARPTPA, Value: AddrValue(a)} }

// ARPSHA matches the ARP sender's Ethernet address.
func ARPSHA(m MAC) FieldMatch { return FieldMatch{Field: FieldARPSHA, Value: m.Value()} }

// ARPTHA matches the ARP target's Ethernet address.
func ARPTHA(m MAC) FieldMatch { return FieldMatch{Field: FieldARPTHA, Value: m.Value()} }

// TunID matches the key of the tunnel the packet came by: VNI of VXLAN and Geneve, key of GRE.
func TunID(key uint64) FieldMatch { return Is(FieldTunID, key) }

// TunSrc matches the outer IPv4 source of the tunnel.
func TunSrc(a netip.Addr) FieldMatch { return FieldMatch{Field: FieldTunSrc, Value: AddrValue(a)} }

// TunDst matches the outer IPv4 destination of the tunnel.
func TunDst(a netip.Addr) FieldMatch { return FieldMatch{Field: FieldTunDst, Value: AddrValue(a)} }

// Reg matches register n, 0 to 15.
func Reg(n int, v uint32) FieldMatch { return Is(FieldReg(n), uint64(v)) }

// RegMasked matches the bits of register n under mask.
func RegMasked(n int, v, mask uint32) FieldMatch {
	return Masked(FieldReg(n), Num(uint64(v)), Num(uint64(mask)))
}

// PktMark matches the packet's mark.
func PktMark(v uint32) FieldMatch { return Is(FieldPktMark, uint64(v)) }

// ConjID matches the number of a conjunction whose clauses all held.
func ConjID(id uint32) FieldMatch { return Is(FieldConjID, uint64(id)) }

// CTStateFlags are the bits of ct_state (ovs-fields(7)).
type CTStateFlags uint32

// Bits of CTStateFlags.
const (
	CTNew CTStateFlags = 1 << 0 // +new
	CTEst CTStateFlags = 1 << 1 // +est
	CTRel CTStateFlags = 1 << 2 // +rel
	CTRpl CTStateFlags = 1 << 3 // +rpl
	CTInv CTStateFlags = 1 << 4 // +inv
	CTTrk CTStateFlags = 1 << 5 // +trk
	CTSNT CTStateFlags = 1 << 6 // +snat
	CTDNT CTStateFlags = 1 << 7 // +dnat
)

// CTState matches packets whose connection state has all of the bits set and none of the bits clear:
// CTState(CTTrk|CTEst, CTNew) is ct_state=-new+est+trk.
func CTState(set, clear CTStateFlags) FieldMatch {
	return Masked(FieldCTState, Num(uint64(set)), Num(uint64(set|clear)))
}

// CTZone matches the connection tracking zone.
func CTZone(z uint16) FieldMatch { return Is(FieldCTZone, uint64(z)) }

// CTMark matches the mark of the connection.
func CTMark(v uint32) FieldMatch { return Is(FieldCTMark, uint64(v)) }

// CTMarkMasked matches the bits of the connection's mark under mask.
func CTMarkMasked(v, mask uint32) FieldMatch {
	return Masked(FieldCTMark, Num(uint64(v)), Num(uint64(mask)))
}

// CTLabel matches the bits of the connection's label under mask.
func CTLabel(v, mask Value) FieldMatch { return Masked(FieldCTLabel, v, mask) }
