package interp

import (
	"fmt"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
)

// kept are the fields that a switch keeps beside a packet, in the order of text. They are printed unless they are zero.
var kept = [...]of.Field{
	of.FieldPktMark, of.FieldCTState, of.FieldCTZone, of.FieldCTMark, of.FieldCTLabel,
	of.FieldReg0, of.FieldReg1, of.FieldReg2, of.FieldReg3, of.FieldReg4, of.FieldReg5, of.FieldReg6, of.FieldReg7,
	of.FieldReg8, of.FieldReg9, of.FieldReg10, of.FieldReg11, of.FieldReg12, of.FieldReg13, of.FieldReg14, of.FieldReg15,
	of.FieldTunID, of.FieldTunSrc, of.FieldTunDst, of.FieldTunIPv6Src, of.FieldTunIPv6Dst, of.FieldTunGBPID, of.FieldTunGBPFlags,
	of.FieldTunFlags, of.FieldMetadata,
}

// Match is the match that takes this packet and no other that differs in a field of a header, or in anything that is
// not zero of what a switch keeps beside it. A second tag is not in it: there is no field for that.
func (p *Packet) Match() of.Match {
	m := of.Match{of.InPort(p.InPort)}
	for _, f := range kept {
		if v := p.Get(f); !v.IsZero() {
			m = append(m, exactly(f, v))
		}
	}
	if p.ActsetOutput != 0 {
		m = append(m, of.Is(of.FieldActsetOutput, uint64(p.ActsetOutput)))
	}
	for _, f := range p.connectionFields() {
		m = append(m, of.FieldMatch{Field: f, Value: p.Get(f)})
	}
	m = append(m, of.Is(of.FieldVLANTCI, uint64(p.VLANs[0].TCI)), of.EthSrc(p.EthSrc), of.EthDst(p.EthDst), of.EthType(p.EthType))
	for _, f := range p.headerFields() {
		m = append(m, of.FieldMatch{Field: f, Value: p.Get(f)})
	}
	return m
}

// exactly matches a field that is not zero. The bits of ct_state that have no meaning are not looked at.
func exactly(f of.Field, v of.Value) of.FieldMatch {
	if f == of.FieldCTState {
		return of.Masked(f, v, of.Num(uint64(allCTState)))
	}
	return of.FieldMatch{Field: f, Value: v}
}

const allCTState = of.CTNew | of.CTEst | of.CTRel | of.CTRpl | of.CTInv | of.CTTrk | of.CTSNT | of.CTDNT

// connectionFields are the fields of the original direction, if the packet's connection has one.
func (p *Packet) connectionFields() []of.Field {
	switch {
	case p.CT.Proto == 0 || p.CT.State&of.CTTrk == 0 || p.CT.State&of.CTInv != 0:
		return nil
	case p.EthType == of.EthTypeIPv4:
		return []of.Field{of.FieldCTNWSrc, of.FieldCTNWDst, of.FieldCTNWProto, of.FieldCTTPSrc, of.FieldCTTPDst}
	case p.EthType == of.EthTypeIPv6:
		return []of.Field{of.FieldCTIPv6Src, of.FieldCTIPv6Dst, of.FieldCTNWProto, of.FieldCTTPSrc, of.FieldCTTPDst}
	}
	return nil
}

// headerFields are the fields of layer 3 and above that the packet has.
func (p *Packet) headerFields() []of.Field {
	var out []of.Field
	switch {
	case p.has(of.NeedARP):
		return []of.Field{of.FieldARPSPA, of.FieldARPTPA, of.FieldARPOp, of.FieldARPSHA, of.FieldARPTHA}
	case p.EthType == of.EthTypeIPv4:
		out = append(out, of.FieldIPv4Src, of.FieldIPv4Dst)
	case p.EthType == of.EthTypeIPv6:
		out = append(out, of.FieldIPv6Src, of.FieldIPv6Dst, of.FieldIPv6Label)
	default:
		return nil
	}
	out = append(out, of.FieldIPProto, of.FieldIPDSCP, of.FieldIPECN, of.FieldIPTTL, of.FieldIPFrag)
	if p.IP.Frag&FragLater != 0 {
		return out
	}
	switch {
	case p.has(of.NeedTCP):
		out = append(out, of.FieldTCPSrc, of.FieldTCPDst, of.FieldTCPFlags)
	case p.has(of.NeedUDP):
		out = append(out, of.FieldUDPSrc, of.FieldUDPDst)
	case p.has(of.NeedSCTP):
		out = append(out, of.FieldSCTPSrc, of.FieldSCTPDst)
	case p.has(of.NeedICMP):
		out = append(out, of.FieldICMPType, of.FieldICMPCode)
	case p.has(of.NeedICMP6):
		out = append(out, of.FieldICMP6Type, of.FieldICMP6Code)
	}
	switch {
	case p.has(of.NeedNS):
		out = append(out, of.FieldNDTarget, of.FieldNDSLL)
	case p.has(of.NeedNA):
		out = append(out, of.FieldNDTarget, of.FieldNDTLL)
	}
	return out
}

// String is the packet as ofproto/trace prints it behind "Flow:", except that the key of a tunnel is always printed
// and what a Packet does not hold is not.
func (p Packet) String() string {
	text := p.Match().String()
	// A match has only the option that belongs to the message; ofproto/trace prints both.
	switch {
	case p.has(of.NeedNS):
		text += ",nd_tll=00:00:00:00:00:00"
	case p.has(of.NeedNA):
		text = strings.Replace(text, "nd_tll=", "nd_sll=00:00:00:00:00:00,nd_tll=", 1)
	}
	if !p.VLANs[0].Present() {
		return text
	}
	// There is no field for a second tag, so that a match has none; ofproto/trace prints it behind the first.
	inner := "vlan_tci1=0x0000,"
	if tag := p.VLANs[1]; tag.Present() {
		inner = fmt.Sprintf("dl_vlan1=%d,dl_vlan_pcp1=%d,", tag.VID(), tag.PCP())
	}
	before, behind, _ := strings.Cut(text, "dl_src=")
	return before + inner + "dl_src=" + behind
}

// TraceArg is the packet as the argument of ofproto/trace. A second tag cannot be said there, and is left out.
func (p Packet) TraceArg() string {
	words := []string{"in_port=" + p.InPort.String()}
	word, proto := etherWord(p.EthType)
	if word == "" {
		word = fmt.Sprintf("dl_type=0x%04x", p.EthType)
	}
	words = append(words, word)
	add := func(f of.Field) {
		if v := p.Get(f); !v.IsZero() {
			words = append(words, f.String()+"="+valueText(f, v))
		}
	}
	if proto {
		add(of.FieldIPProto)
	}
	for _, f := range kept {
		add(f)
	}
	for _, f := range p.connectionFields() {
		add(f)
	}
	for _, f := range [...]of.Field{of.FieldVLANTCI, of.FieldEthSrc, of.FieldEthDst} {
		add(f)
	}
	for _, f := range p.headerFields() {
		if f != of.FieldIPProto {
			add(f)
		}
	}
	return strings.Join(words, ",")
}

// etherWord is the word for an Ethernet type, empty if there is none, and whether it has IP protocols.
func etherWord(t uint16) (word string, ip bool) {
	switch t {
	case of.EthTypeIPv4:
		return "ip", true
	case of.EthTypeIPv6:
		return "ipv6", true
	case of.EthTypeARP:
		return "arp", false
	case of.EthTypeRARP:
		return "rarp", false
	}
	return "", false
}

// valueText is a value as ovs-ofctl takes it for the field.
func valueText(f of.Field, v of.Value) string {
	text := strings.TrimPrefix(of.RegLoad2{Field: f, Value: v, Mask: exactly(f, v).Mask}.String(), "set_field:")
	text, _, _ = strings.Cut(text, "->")
	return text
}
