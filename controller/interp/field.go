package interp

import (
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Get is the value of a field; fields of headers that the packet does not have, and fields that are not modelled, are
// zero.
func (p *Packet) Get(f of.Field) of.Value {
	switch f {
	case of.FieldInPort:
		return of.Num(uint64(p.InPort))
	case of.FieldInPortNXM:
		return of.Num(uint64(p.InPort & 0xffff))
	case of.FieldActsetOutput:
		if p.ActsetOutput == 0 {
			return of.Num(uint64(of.PortUnset))
		}
		return of.Num(uint64(p.ActsetOutput))
	case of.FieldMetadata:
		return of.Num(p.Metadata)
	case of.FieldPktMark:
		return of.Num(uint64(p.Mark))
	case of.FieldEthSrc:
		return p.EthSrc.Value()
	case of.FieldEthDst:
		return p.EthDst.Value()
	case of.FieldEthType:
		return of.Num(uint64(p.EthType))
	case of.FieldVLANTCI:
		return of.Num(uint64(p.VLANs[0].TCI))
	case of.FieldVLANVID:
		return of.Num(uint64(p.VLANs[0].TCI & (of.VLANPresent | 0xfff)))
	case of.FieldTunID:
		return of.Num(p.Tunnel.ID)
	case of.FieldTunFlags:
		return of.Num(uint64(p.Tunnel.Flags))
	case of.FieldTunSrc:
		return addr4(p.Tunnel.Src)
	case of.FieldTunDst:
		return addr4(p.Tunnel.Dst)
	case of.FieldTunIPv6Src:
		return addr6(p.Tunnel.Src)
	case of.FieldTunIPv6Dst:
		return addr6(p.Tunnel.Dst)
	case of.FieldTunGBPID:
		return of.Num(uint64(p.Tunnel.GBPID))
	case of.FieldTunGBPFlags:
		return of.Num(uint64(p.Tunnel.GBPFlags))
	}
	switch {
	case f >= of.FieldReg0 && f <= of.FieldReg15:
		return of.Num(uint64(p.Regs[f-of.FieldReg0]))
	case f >= of.FieldXReg0 && f <= of.FieldXReg7:
		return of.Num(p.xreg(int(f - of.FieldXReg0)))
	case f >= of.FieldXXReg0 && f <= of.FieldXXReg3:
		n := 2 * int(f-of.FieldXXReg0)
		return of.Value{Hi: p.xreg(n), Lo: p.xreg(n + 1)}
	case !p.has(f.Info().Prereq):
		return of.Value{}
	case f == of.FieldVLANPCP:
		return of.Num(uint64(p.VLANs[0].PCP()))
	}
	if v, ok := p.ct(f); ok {
		return v
	}
	return p.header(f)
}

func (p *Packet) xreg(n int) uint64 { return uint64(p.Regs[2*n])<<32 | uint64(p.Regs[2*n+1]) }

func (p *Packet) ct(f of.Field) (of.Value, bool) {
	switch f {
	case of.FieldCTState:
		return of.Num(uint64(p.CT.State)), true
	case of.FieldCTZone:
		return of.Num(uint64(p.CT.Zone)), true
	case of.FieldCTMark:
		return of.Num(uint64(p.CT.Mark)), true
	case of.FieldCTLabel:
		return p.CT.Label, true
	case of.FieldCTNWSrc:
		return addr4(p.CT.Src), true
	case of.FieldCTNWDst:
		return addr4(p.CT.Dst), true
	case of.FieldCTIPv6Src:
		return addr6(p.CT.Src), true
	case of.FieldCTIPv6Dst:
		return addr6(p.CT.Dst), true
	case of.FieldCTNWProto:
		return of.Num(uint64(p.CT.Proto)), true
	case of.FieldCTTPSrc:
		return of.Num(uint64(p.CT.SrcPort)), true
	case of.FieldCTTPDst:
		return of.Num(uint64(p.CT.DstPort)), true
	}
	return of.Value{}, false
}

// header is a field of layer 3 and above; the packet has the header.
func (p *Packet) header(f of.Field) of.Value {
	switch f {
	case of.FieldIPv4Src:
		return addr4(p.IP.Src)
	case of.FieldIPv4Dst:
		return addr4(p.IP.Dst)
	case of.FieldIPv6Src:
		return addr6(p.IP.Src)
	case of.FieldIPv6Dst:
		return addr6(p.IP.Dst)
	case of.FieldIPv6Label:
		return of.Num(uint64(p.IP.Label))
	case of.FieldIPProto:
		return of.Num(uint64(p.IP.Proto))
	case of.FieldIPTOS:
		return of.Num(uint64(p.IP.TOS))
	case of.FieldIPDSCP:
		return of.Num(uint64(p.IP.TOS >> 2))
	case of.FieldIPECN:
		return of.Num(uint64(p.IP.TOS & 3))
	case of.FieldIPTTL:
		return of.Num(uint64(p.IP.TTL))
	case of.FieldIPFrag:
		return of.Num(uint64(p.IP.Frag))
	case of.FieldTCPSrc, of.FieldUDPSrc, of.FieldSCTPSrc, of.FieldICMPType, of.FieldICMP6Type:
		return of.Num(uint64(p.Transport.Src))
	case of.FieldTCPDst, of.FieldUDPDst, of.FieldSCTPDst, of.FieldICMPCode, of.FieldICMP6Code:
		return of.Num(uint64(p.Transport.Dst))
	case of.FieldTCPFlags:
		return of.Num(uint64(p.Transport.TCPFlags))
	case of.FieldARPOp:
		return of.Num(uint64(p.ARP.Op))
	case of.FieldARPSPA:
		return addr4(p.ARP.SPA)
	case of.FieldARPTPA:
		return addr4(p.ARP.TPA)
	case of.FieldARPSHA:
		return p.ARP.SHA.Value()
	case of.FieldARPTHA:
		return p.ARP.THA.Value()
	case of.FieldNDTarget:
		return addr6(p.ND.Target)
	case of.FieldNDSLL:
		return p.ND.SLL.Value()
	case of.FieldNDTLL:
		return p.ND.TLL.Value()
	}
	return of.Value{}
}

// addr4 is an address as the value of an IPv4 field, zero if it is of another family.
func addr4(a netip.Addr) of.Value {
	if a.Is4() {
		return of.AddrValue(a)
	}
	return of.Value{}
}

func addr6(a netip.Addr) of.Value {
	if a.Is6() {
		return of.AddrValue(a)
	}
	return of.Value{}
}

// Set writes a field as an action does: it does nothing, and reports false, if the packet has no header for it.
func (p *Packet) Set(f of.Field, v of.Value) bool { return p.set(f, v, of.Ones(128)) }

// set writes the bits of a field under mask.
func (p *Packet) set(f of.Field, v, mask of.Value) bool {
	if !p.has(f.Info().Prereq) {
		return false
	}
	v = p.Get(f).AndNot(mask).Or(v.And(mask))
	switch {
	case f >= of.FieldReg0 && f <= of.FieldReg15:
		p.Regs[f-of.FieldReg0] = uint32(v.Lo)
		return true
	case f >= of.FieldXReg0 && f <= of.FieldXReg7:
		p.setXReg(int(f-of.FieldXReg0), v.Lo)
		return true
	case f >= of.FieldXXReg0 && f <= of.FieldXXReg3:
		n := 2 * int(f-of.FieldXXReg0)
		p.setXReg(n, v.Hi)
		p.setXReg(n+1, v.Lo)
		return true
	}
	switch f {
	case of.FieldInPort:
		p.InPort = of.PortNo(v.Lo)
	case of.FieldInPortNXM:
		p.InPort = wide(v.Lo)
	case of.FieldMetadata:
		p.Metadata = v.Lo
	case of.FieldPktMark:
		p.Mark = uint32(v.Lo)
	case of.FieldEthSrc:
		p.EthSrc = v.MAC()
	case of.FieldEthDst:
		p.EthDst = v.MAC()
	case of.FieldVLANTCI:
		p.setTCI(uint16(v.Lo))
	case of.FieldVLANVID:
		p.setTCI(p.VLANs[0].TCI&0xe000 | uint16(v.Lo)&(of.VLANPresent|0xfff))
	case of.FieldVLANPCP:
		p.setTCI(p.VLANs[0].TCI&0x1fff | of.VLANPresent | uint16(v.Lo&7)<<13)
	case of.FieldTunID:
		p.Tunnel.ID = v.Lo
	case of.FieldTunFlags:
		p.Tunnel.Flags = uint16(v.Lo)
	case of.FieldTunSrc:
		p.Tunnel.Src = v.Addr4()
	case of.FieldTunDst:
		p.Tunnel.Dst = v.Addr4()
	case of.FieldTunIPv6Src:
		p.Tunnel.Src = v.Addr6()
	case of.FieldTunIPv6Dst:
		p.Tunnel.Dst = v.Addr6()
	case of.FieldTunGBPID:
		p.Tunnel.GBPID = uint16(v.Lo)
	case of.FieldTunGBPFlags:
		p.Tunnel.GBPFlags = uint8(v.Lo)
	case of.FieldCTMark:
		p.CT.Mark = uint32(v.Lo)
	case of.FieldCTLabel:
		p.CT.Label = v
	default:
		return p.setHeader(f, v)
	}
	return true
}

// wide is a port number of 16 bits, with reserved ones where OpenFlow 1.3 has them.
func wide(port uint64) of.PortNo {
	if port >= 0xff00 {
		port |= 0xffff0000
	}
	return of.PortNo(port)
}

func (p *Packet) setXReg(n int, v uint64) {
	p.Regs[2*n], p.Regs[2*n+1] = uint32(v>>32), uint32(v)
}

// setTCI writes the outer tag. One of zero is no tag; any other that was none gets the usual Ethernet type.
func (p *Packet) setTCI(tci uint16) {
	tag := &p.VLANs[0]
	tag.TCI = tci
	if tci != 0 && tag.TPID == 0 {
		tag.TPID = of.EthTypeVLAN
	}
	if tci == 0 {
		tag.TPID = 0
	}
}

func (p *Packet) setHeader(f of.Field, v of.Value) bool {
	switch f {
	case of.FieldIPv4Src:
		p.IP.Src = v.Addr4()
	case of.FieldIPv4Dst:
		p.IP.Dst = v.Addr4()
	case of.FieldIPv6Src:
		p.IP.Src = v.Addr6()
	case of.FieldIPv6Dst:
		p.IP.Dst = v.Addr6()
	case of.FieldIPv6Label:
		p.IP.Label = uint32(v.Lo)
	case of.FieldIPTOS:
		p.IP.TOS = p.IP.TOS&3 | uint8(v.Lo)&^3
	case of.FieldIPDSCP:
		p.IP.TOS = p.IP.TOS&3 | uint8(v.Lo)<<2
	case of.FieldIPECN:
		p.IP.TOS = p.IP.TOS&^3 | uint8(v.Lo)&3
	case of.FieldIPTTL:
		p.IP.TTL = uint8(v.Lo)
	case of.FieldTCPSrc, of.FieldUDPSrc, of.FieldSCTPSrc, of.FieldICMPType, of.FieldICMP6Type:
		p.Transport.Src = uint16(v.Lo)
	case of.FieldTCPDst, of.FieldUDPDst, of.FieldSCTPDst, of.FieldICMPCode, of.FieldICMP6Code:
		p.Transport.Dst = uint16(v.Lo)
	case of.FieldARPOp:
		p.ARP.Op = uint16(v.Lo & 0xff) // Open vSwitch keeps no more of it
	case of.FieldARPSPA:
		p.ARP.SPA = v.Addr4()
	case of.FieldARPTPA:
		p.ARP.TPA = v.Addr4()
	case of.FieldARPSHA:
		p.ARP.SHA = v.MAC()
	case of.FieldARPTHA:
		p.ARP.THA = v.MAC()
	case of.FieldNDTarget:
		p.ND.Target = v.Addr6()
	case of.FieldNDSLL:
		p.ND.SLL = v.MAC()
	case of.FieldNDTLL:
		p.ND.TLL = v.MAC()
	default:
		return false
	}
	return true
}

// has reports whether the packet has the headers that fields with the prerequisite are in.
func (p *Packet) has(r of.Prereq) bool {
	switch r {
	case of.NoPrereq:
		return true
	case of.NeedVLAN:
		return p.VLANs[0].Present()
	case of.NeedMPLS:
		return p.EthType == of.EthTypeMPLS || p.EthType == of.EthTypeMPLSMulticast
	case of.NeedIPv4, of.NeedCTIPv4:
		return p.EthType == of.EthTypeIPv4
	case of.NeedIPv6, of.NeedCTIPv6:
		return p.EthType == of.EthTypeIPv6
	case of.NeedIP, of.NeedCT:
		return p.isIP()
	case of.NeedARP:
		return p.EthType == of.EthTypeARP || p.EthType == of.EthTypeRARP
	case of.NeedTCP:
		return p.carries(of.ProtoTCP)
	case of.NeedUDP:
		return p.carries(of.ProtoUDP)
	case of.NeedSCTP:
		return p.carries(of.ProtoSCTP)
	case of.NeedICMP:
		return p.EthType == of.EthTypeIPv4 && p.IP.Proto == of.ProtoICMP
	case of.NeedICMP6:
		return p.EthType == of.EthTypeIPv6 && p.IP.Proto == of.ProtoICMP6
	case of.NeedND:
		return p.has(of.NeedNS) || p.has(of.NeedNA)
	case of.NeedNS:
		return p.has(of.NeedICMP6) && p.Transport == Transport{Src: neighbourSolicitation}
	case of.NeedNA:
		return p.has(of.NeedICMP6) && p.Transport == Transport{Src: neighbourAdvertisement}
	}
	return false
}

// Types of ICMPv6 (RFC 4861 §4.3, §4.4).
const (
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
)

func (p *Packet) isIP() bool { return p.EthType == of.EthTypeIPv4 || p.EthType == of.EthTypeIPv6 }

// carries reports whether the packet has the transport header of an IP protocol that has ports.
func (p *Packet) carries(proto uint8) bool {
	return p.isIP() && p.IP.Proto == proto && p.IP.Frag&FragLater == 0
}

// Changed lists the fields that differ between two packets, in the order of their constants. Of fields that share
// bits, one is named: vlan_vid and vlan_pcp, nw_tos, and the 32-bit registers.
func Changed(before, after Packet) []of.Field {
	var out []of.Field
	for f := of.FieldUnknown + 1; f < of.NumFields; f++ {
		switch {
		case f == of.FieldInPortNXM, f == of.FieldVLANTCI, f == of.FieldIPDSCP, f == of.FieldIPECN, f >= of.FieldXReg0 && f <= of.FieldXXReg3:
			continue
		}
		if before.Get(f) != after.Get(f) {
			out = append(out, f)
		}
	}
	return out
}
