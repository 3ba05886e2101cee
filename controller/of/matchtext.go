package of

import (
	"encoding/hex"
	"math/bits"
	"strconv"
)

// String is the match as ovs-ofctl prints it, empty for a match of everything. It abbreviates as ovs-ofctl does:
// eth_type 0x0800 and ip_proto 6 are "tcp".
func (m Match) String() string {
	dst := m.appendText(nil)
	if len(dst) > 0 && dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return string(dst)
}

// appendText appends the members in ovs-ofctl's order, each with a comma behind it.
func (m Match) appendText(dst []byte) []byte {
	p := matchPrinter{Match: m, dst: dst}
	p.ethType = p.number(FieldEthType)
	p.ipProto = p.number(FieldIPProto)

	p.plain(FieldPktMark, "pkt_mark")
	p.plain(FieldConjID, "conj_id")
	p.plain(FieldActsetOutput, "actset_output")
	p.ctState()
	p.short(FieldCTZone, "ct_zone")
	p.plain(FieldCTMark, "ct_mark")
	p.label()
	p.plain(FieldCTNWSrc, "ct_nw_src")
	p.plain(FieldCTIPv6Src, "ct_ipv6_src")
	p.plain(FieldCTNWDst, "ct_nw_dst")
	p.plain(FieldCTIPv6Dst, "ct_ipv6_dst")
	p.plain(FieldCTNWProto, "ct_nw_proto")
	p.short(FieldCTTPSrc, "ct_tp_src")
	p.short(FieldCTTPDst, "ct_tp_dst")
	typeNamed, protoNamed := p.protocol()
	for f := FieldReg0; f <= FieldXXReg3; f++ {
		p.plain(f, f.String())
	}
	for f := FieldTunID; f <= FieldTunGBPFlags; f++ {
		if f == FieldTunFlags {
			continue
		}
		if f == FieldTunGBPID {
			p.short(f, f.String())
			continue
		}
		p.plain(f, f.String())
	}
	p.plain(FieldTunFlags, "tun_flags")
	p.plain(FieldMetadata, "metadata")
	p.plain(FieldInPort, "in_port")
	p.plain(FieldInPortNXM, "in_port")
	p.vlan()
	p.plain(FieldEthSrc, "dl_src")
	p.plain(FieldEthDst, "dl_dst")
	if _, ok := p.Find(FieldEthType); ok && !typeNamed {
		p.dst = append(appendPadded(append(p.dst, "dl_type=0x"...), p.ethType, 4), ',')
	}
	p.network(protoNamed)
	p.transport()
	for _, f := range m {
		if !f.Field.Known() && !f.AsksNothing() {
			p.dst = append(hex.AppendEncode(append(p.dst, "oxm("...), []byte(f.Raw)), "),"...)
		}
	}
	return p.dst
}

// String is the one member as ovs-ofctl would print it alone.
func (m FieldMatch) String() string { return Match{m}.String() }

type matchPrinter struct {
	Match
	dst              []byte
	ethType, ipProto uint64
}

func (p *matchPrinter) number(f Field) uint64 {
	m, _ := p.Find(f)
	return m.Value.Lo
}

func (p *matchPrinter) named(name string) { p.dst = append(append(p.dst, name...), '=') }

// plain prints a field in the format of its row.
func (p *matchPrinter) plain(f Field, name string) {
	if m, ok := p.Find(f); ok {
		p.named(name)
		p.dst = append(appendValue(p.dst, f, m.Value, m.Mask), ',')
	}
}

// short prints a field of 16 bits in decimal, with a mask both in hexadecimal.
func (p *matchPrinter) short(f Field, name string) {
	m, ok := p.Find(f)
	if !ok {
		return
	}
	p.named(name)
	if m.Exact() {
		p.dst = strconv.AppendUint(p.dst, m.Value.Lo, 10)
	} else {
		p.dst = m.Mask.appendHex0x(append(m.Value.appendHex0x(p.dst), '/'))
	}
	p.dst = append(p.dst, ',')
}

func (p *matchPrinter) ctState() {
	m, ok := p.Find(FieldCTState)
	if !ok {
		return
	}
	p.named("ct_state")
	p.dst = append(appendFlags(p.dst, m.Value.Lo, m.FullMask().Lo, ctStateMax, ctStateNames[:]), ',')
}

func (p *matchPrinter) label() {
	m, ok := p.Find(FieldCTLabel)
	if !ok {
		return
	}
	p.named("ct_label")
	p.dst = m.Value.appendHex(p.dst)
	if !m.Exact() {
		p.dst = m.Mask.appendHex(append(p.dst, '/'))
	}
	p.dst = append(p.dst, ',')
}

// protocol prints the short word for the Ethernet type and IP protocol and reports which of the two it covers.
func (p *matchPrinter) protocol() (typeNamed, protoNamed bool) {
	_, hasProto := p.Find(FieldIPProto)
	word := ""
	switch p.ethType {
	case EthTypeIPv4, EthTypeIPv6:
		word, protoNamed = ipWord(p.ethType == EthTypeIPv6, hasProto, p.ipProto)
	case EthTypeARP:
		word = "arp"
	case EthTypeRARP:
		word = "rarp"
	case EthTypeMPLS:
		word = "mpls"
	case EthTypeMPLSMulticast:
		word = "mplsm"
	default:
		return false, false
	}
	p.dst = append(append(p.dst, word...), ',')
	return true, protoNamed
}

func ipWord(v6, hasProto bool, proto uint64) (word string, named bool) {
	if hasProto {
		switch {
		case proto == ProtoICMP && !v6:
			return "icmp", true
		case proto == ProtoICMP6 && v6:
			return "icmp6", true
		case proto == ProtoTCP:
			word = "tcp"
		case proto == ProtoUDP:
			word = "udp"
		case proto == ProtoSCTP:
			word = "sctp"
		}
		if word != "" {
			if v6 {
				word += "6"
			}
			return word, true
		}
	}
	if v6 {
		return "ipv6", false
	}
	return "ip", false
}

// vlan prints vlan_vid, vlan_pcp and vlan_tci as parts of the one tag that OVS keeps.
func (p *matchPrinter) vlan() {
	var tci, mask uint64
	if m, ok := p.Find(FieldVLANTCI); ok {
		tci, mask = m.Value.Lo, m.FullMask().Lo
	}
	if m, ok := p.Find(FieldVLANVID); ok {
		tci, mask = tci|m.Value.Lo, mask|m.FullMask().Lo
	}
	if m, ok := p.Find(FieldVLANPCP); ok {
		tci, mask = tci|m.Value.Lo<<13|VLANPresent, mask|7<<13|VLANPresent
	}
	if mask == 0 {
		return
	}
	vid, pcp := mask&0xfff, mask>>13
	whole := (vid == 0 || vid == 0xfff) && (pcp == 0 || pcp == 7) && (vid != 0 || pcp != 0)
	switch {
	case mask&tci&VLANPresent != 0 && whole:
		if vid != 0 {
			p.dst = append(appendUint(p.dst, "dl_vlan=", tci&0xfff), ',')
		}
		if pcp != 0 {
			p.dst = append(appendUint(p.dst, "dl_vlan_pcp=", tci>>13), ',')
		}
	case mask == 0xffff:
		p.dst = append(appendPadded(append(p.dst, "vlan_tci=0x"...), tci, 4), ',')
	default:
		p.dst = appendPadded(append(p.dst, "vlan_tci=0x"...), tci, 4)
		p.dst = append(appendPadded(append(p.dst, "/0x"...), mask, 4), ',')
	}
}

// network prints layer 3. arp_op and ip_proto share a place, as they share a field in OVS.
func (p *matchPrinter) network(protoNamed bool) {
	p.plain(FieldIPv6Src, "ipv6_src")
	p.plain(FieldIPv6Dst, "ipv6_dst")
	if m, ok := p.Find(FieldIPv6Label); ok {
		p.named("ipv6_label")
		p.dst = appendPadded(append(p.dst, "0x"...), m.Value.Lo, 5)
		if !m.Exact() {
			p.dst = appendPadded(append(p.dst, "/0x"...), m.Mask.Lo, 5)
		}
		p.dst = append(p.dst, ',')
	}
	p.plain(FieldARPSPA, "arp_spa")
	p.plain(FieldARPTPA, "arp_tpa")
	p.plain(FieldIPv4Src, "nw_src")
	p.plain(FieldIPv4Dst, "nw_dst")
	if !protoNamed {
		p.plain(FieldIPProto, "nw_proto")
	}
	p.plain(FieldARPOp, "arp_op")
	p.plain(FieldARPSHA, "arp_sha")
	p.plain(FieldARPTHA, "arp_tha")
	p.plain(FieldIPTOS, "nw_tos")
	if m, ok := p.Find(FieldIPDSCP); ok {
		p.dst = append(appendUint(p.dst, "nw_tos=", m.Value.Lo<<2), ',')
	}
	p.plain(FieldIPECN, "nw_ecn")
	p.plain(FieldIPTTL, "nw_ttl")
	p.plain(FieldMPLSLabel, "mpls_label")
	p.plain(FieldMPLSTC, "mpls_tc")
	p.plain(FieldMPLSTTL, "mpls_ttl")
	p.plain(FieldMPLSBOS, "mpls_bos")
	p.plain(FieldIPFrag, "nw_frag")
}

func (p *matchPrinter) transport() {
	for _, f := range [...]Field{FieldICMPType, FieldICMP6Type} {
		p.short(f, "icmp_type")
	}
	for _, f := range [...]Field{FieldICMPCode, FieldICMP6Code} {
		p.short(f, "icmp_code")
	}
	p.plain(FieldNDTarget, "nd_target")
	p.plain(FieldNDSLL, "nd_sll")
	p.plain(FieldNDTLL, "nd_tll")
	for _, f := range [...]Field{FieldTCPSrc, FieldUDPSrc, FieldSCTPSrc} {
		p.short(f, "tp_src")
	}
	for _, f := range [...]Field{FieldTCPDst, FieldUDPDst, FieldSCTPDst} {
		p.short(f, "tp_dst")
	}
	p.plain(FieldTCPFlags, "tcp_flags")
}

// appendPadded writes v in hexadecimal with at least n digits.
func appendPadded(dst []byte, v uint64, n int) []byte {
	for digits := max(1, (bits.Len64(v)+3)/4); digits < n; digits++ {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, v, 16)
}

const ctStateMax = 0xff

var (
	ctStateNames  = [...]string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"}
	tcpFlagNames  = [...]string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns"}
	tunFlagsNames = [...]string{"oam"}
)

// appendFlags writes flags under a mask: with the full mask those set, joined by bars; otherwise each with its sign.
func appendFlags(dst []byte, v, mask, full uint64, names []string) []byte {
	name := func(bit int) string {
		if bit < len(names) {
			return names[bit]
		}
		return ""
	}
	if mask == full {
		if v == 0 {
			return append(dst, '0')
		}
		unnamed := uint64(0)
		start := len(dst)
		for bit := range 64 {
			if v>>bit&1 == 0 {
				continue
			}
			if name(bit) == "" {
				unnamed |= 1 << bit
				continue
			}
			dst = append(append(dst, name(bit)...), '|')
		}
		if unnamed != 0 {
			return Num(unnamed).appendHex(dst)
		}
		return dst[:max(start, len(dst)-1)]
	}
	for bit := range 64 {
		if mask>>bit&1 == 0 {
			continue
		}
		sign := byte('-')
		if v>>bit&1 != 0 {
			sign = '+'
		}
		dst = append(dst, sign)
		if n := name(bit); n != "" {
			dst = append(dst, n...)
		} else {
			dst = append(dst, "[Unknown]"...)
		}
	}
	return dst
}

// appendValue writes the value of a field in the format of its row, with its mask unless that is zero or full.
func appendValue(dst []byte, f Field, v, mask Value) []byte {
	masked := !mask.IsZero() && mask != f.fullMask()
	info := f.Info()
	switch info.Format {
	case Ethernet:
		dst = v.MAC().append(dst)
		if masked {
			dst = mask.MAC().append(append(dst, '/'))
		}
		return dst
	case IPv4Addr:
		return appendAddr(v.Addr4().AppendTo(dst), mask, masked, 32)
	case IPv6Addr:
		return appendAddr(v.Addr6().AppendTo(dst), mask, masked, 128)
	case PortFormat:
		if info.Bits == 16 && v.Lo >= 0xff00 {
			v.Lo |= 0xffff0000
		}
		return PortNo(v.Lo).append(dst)
	case CTStateFormat:
		return appendFlags(dst, v.Lo, FieldMatch{Field: f, Mask: mask}.FullMask().Lo, ctStateMax, ctStateNames[:])
	case TCPFlagsFormat:
		return appendFlags(dst, v.Lo, FieldMatch{Field: f, Mask: mask}.FullMask().Lo, 0xfff, tcpFlagNames[:])
	case TunFlagsFormat:
		return appendFlags(dst, v.Lo, FieldMatch{Field: f, Mask: mask}.FullMask().Lo, 0xffff, tunFlagsNames[:])
	case FragFormat:
		return append(dst, fragName(v.Lo, FieldMatch{Field: f, Mask: mask}.FullMask().Lo)...)
	case Hexadecimal:
		dst = v.appendHex(dst)
	default:
		dst = strconv.AppendUint(dst, v.Lo, 10)
	}
	if masked {
		dst = mask.appendHex(append(dst, '/'))
	}
	return dst
}

func appendAddr(dst []byte, mask Value, masked bool, width int) []byte {
	if !masked {
		return dst
	}
	dst = append(dst, '/')
	if n, ok := mask.prefixLen(width); ok {
		return strconv.AppendUint(dst, uint64(n), 10)
	}
	if width == 32 {
		return mask.Addr4().AppendTo(dst)
	}
	return mask.Addr6().AppendTo(dst)
}

// fragName is ovs-ofctl's word for ip_frag: bit 0 says fragment, bit 1 says not the first.
func fragName(v, mask uint64) string {
	switch v &= mask; {
	case mask == 3 && v == 0, mask == 1 && v == 0:
		return "no"
	case mask == 3 && v == 1:
		return "first"
	case mask == 3 && v == 3, mask == 2 && v == 2:
		return "later"
	case mask == 1:
		return "yes"
	case mask == 2:
		return "not_later"
	}
	return "<error>"
}
