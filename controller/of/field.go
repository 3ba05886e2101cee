package of

import "strconv"

// Field names a packet header field or a piece of metadata that flows match on and actions write.
//
// The order of the constants is the order in which OVS emits fields in a match; package wire sorts by it, so a
// dumped match is normally in order already. FieldInfo says what each one is.
type Field uint16

// The fields Heddle knows. ovs-fields(7) describes each of them; the numbers are ours and not those of the wire.
const (
	// FieldUnknown is a field without a row in the registry: its TLV is kept as bytes.
	FieldUnknown Field = iota

	FieldConjID
	FieldInPort
	FieldInPortNXM // the 16-bit form of in_port, for Nicira actions; matches use FieldInPort
	FieldActsetOutput
	FieldEthSrc
	FieldEthDst
	FieldEthType
	FieldVLANVID // 12 bits of VLAN id and above them VLANPresent
	FieldVLANPCP
	FieldVLANTCI // the 16-bit tag, for Nicira actions; OVS answers matches on it with FieldVLANVID
	FieldMPLSTC
	FieldMPLSBOS
	FieldMPLSTTL
	FieldMPLSLabel
	FieldIPv4Src
	FieldIPv4Dst
	FieldIPv6Src
	FieldIPv6Dst
	FieldIPFrag
	FieldIPDSCP
	FieldIPTOS // dscp in the upper six bits, for Nicira actions; matches use FieldIPDSCP
	FieldIPECN
	FieldIPTTL
	FieldIPv6Label
	FieldIPProto
	FieldTCPSrc
	FieldTCPDst
	FieldTCPFlags
	FieldUDPSrc
	FieldUDPDst
	FieldSCTPSrc
	FieldSCTPDst
	FieldICMPType
	FieldICMPCode
	FieldICMP6Type
	FieldICMP6Code
	FieldNDTarget
	FieldNDSLL
	FieldNDTLL
	FieldARPOp
	FieldARPSPA
	FieldARPTPA
	FieldARPSHA
	FieldARPTHA
	FieldTunID
	FieldTunFlags
	FieldTunSrc
	FieldTunDst
	FieldTunIPv6Src
	FieldTunIPv6Dst
	FieldTunGBPID
	FieldTunGBPFlags
	FieldReg0
	FieldReg1
	FieldReg2
	FieldReg3
	FieldReg4
	FieldReg5
	FieldReg6
	FieldReg7
	FieldReg8
	FieldReg9
	FieldReg10
	FieldReg11
	FieldReg12
	FieldReg13
	FieldReg14
	FieldReg15
	FieldXReg0 // xreg n is reg 2n above reg 2n+1; OVS answers matches on it with the regs
	FieldXReg1
	FieldXReg2
	FieldXReg3
	FieldXReg4
	FieldXReg5
	FieldXReg6
	FieldXReg7
	FieldXXReg0 // xxreg n is four regs; OVS answers matches on it with the regs
	FieldXXReg1
	FieldXXReg2
	FieldXXReg3
	FieldPktMark
	FieldCTState
	FieldCTZone
	FieldCTMark
	FieldCTLabel
	FieldCTNWSrc
	FieldCTIPv6Src
	FieldCTNWDst
	FieldCTIPv6Dst
	FieldCTNWProto
	FieldCTTPSrc
	FieldCTTPDst
	FieldMetadata

	// NumFields is one more than the highest Field.
	NumFields
)

// FieldReg is register n, 0 to 15. It panics on another n.
func FieldReg(n int) Field {
	if n < 0 || n > 15 {
		panic("of: no register " + strconv.Itoa(n))
	}
	return FieldReg0 + Field(n)
}

// Format says how the value of a field is written in text.
type Format uint8

// The formats of ovs-fields(7).
const (
	Decimal Format = iota
	Hexadecimal
	Ethernet
	IPv4Addr
	IPv6Addr
	PortFormat
	CTStateFormat
	TCPFlagsFormat
	TunFlagsFormat
	FragFormat
)

// Prereq is what a match must also say before it may name a field (OpenFlow 1.3.5 §7.2.3.6).
type Prereq uint8

// The prerequisites of the fields in the registry.
const (
	NoPrereq   Prereq = iota
	NeedVLAN          // vlan_vid with VLANPresent
	NeedMPLS          // eth_type 0x8847 or 0x8848
	NeedIPv4          // eth_type 0x0800
	NeedIPv6          // eth_type 0x86dd
	NeedIP            // eth_type 0x0800 or 0x86dd
	NeedARP           // eth_type 0x0806 or 0x8035
	NeedTCP           // ip and ip_proto 6
	NeedUDP           // ip and ip_proto 17
	NeedSCTP          // ip and ip_proto 132
	NeedICMP          // ipv4 and ip_proto 1
	NeedICMP6         // ipv6 and ip_proto 58
	NeedND            // icmp6 type 135 or 136
	NeedNS            // icmp6 type 135
	NeedNA            // icmp6 type 136
	NeedCTIPv4        // eth_type 0x0800 and a ct_state of a valid connection: +trk-inv, or +new, +est, …
	NeedCTIPv6        // eth_type 0x86dd and such a ct_state
	NeedCT            // ip and such a ct_state
)

// FieldInfo is a row of the registry: all that is to be known about a field.
type FieldInfo struct {
	Name     string // in ovs-ofctl, as set_field writes it
	Bits     uint8  // width of the value, 1 to 128
	Bytes    uint8  // width on the wire
	Maskable bool
	Format   Format
	Prereq   Prereq

	OXM Header // in matches and set_field of OpenFlow 1.3
	Sub Header // in Nicira actions, which OVS writes with the older of two headers

	SubName string // of Sub, as in load:1->NXM_OF_VLAN_TCI[]
}

// Header is the head of an OXM TLV without its mask bit: class, field and, for class 0xffff, an experimenter id
// (OpenFlow 1.3.5 §7.2.3.2).
type Header struct {
	Class        uint16
	Number       uint8
	Experimenter uint32
}

// OXM classes (OpenFlow 1.3.5 §7.2.3.3; the first two are Nicira's).
const (
	ClassNXM0         = 0x0000
	ClassNXM1         = 0x0001
	ClassBasic        = 0x8000
	ClassPacketRegs   = 0x8001
	ClassExperimenter = 0xffff
)

// ExperimenterONF is the Open Networking Foundation's experimenter id.
const ExperimenterONF = 0x4f4e4600

// ExperimenterNicira is the id under which Open vSwitch has its extensions.
const ExperimenterNicira = 0x00002320

// Info is the field's row of the registry; the zero row for FieldUnknown and numbers that are no field.
func (f Field) Info() FieldInfo {
	if f >= NumFields {
		return FieldInfo{}
	}
	return registry[f]
}

// Known reports whether the field has a row in the registry.
func (f Field) Known() bool { return f > FieldUnknown && f < NumFields }

// Bits is the width of the field's value, 0 for FieldUnknown.
func (f Field) Bits() int { return int(f.Info().Bits) }

// String is the field's name in ovs-ofctl.
func (f Field) String() string {
	if !f.Known() {
		return "unknown"
	}
	return registry[f].Name
}

// FieldByName finds a field by the name that String gives, or by one of ovs-ofctl's other names for it such as dl_dst.
func FieldByName(name string) (Field, bool) {
	for f := FieldUnknown + 1; f < NumFields; f++ {
		if registry[f].Name == name {
			return f, true
		}
	}
	f, ok := aliases[name]
	return f, ok
}

// Subfield is a run of bits in a field, as Nicira actions name it: NXM_NX_REG6[0..15].
type Subfield struct {
	Field  Field
	Offset uint16 // the lowest bit
	Bits   uint16 // how many, at least 1
}

// Whole is all bits of a field.
func Whole(f Field) Subfield { return Subfield{Field: f, Bits: uint16(f.Info().Bits)} }

// Bits is the bits lo to hi of a field, both included.
func Bits(f Field, lo, hi int) Subfield {
	return Subfield{Field: f, Offset: uint16(lo), Bits: uint16(hi - lo + 1)}
}

// String is the subfield as ovs-ofctl prints it.
func (s Subfield) String() string { return string(s.append(nil)) }

func (s Subfield) append(dst []byte) []byte {
	info := s.Field.Info()
	if info.SubName == "" {
		return append(dst, "<unknown>"...)
	}
	dst = append(append(dst, info.SubName...), '[')
	if s.Offset == 0 && s.Bits == uint16(info.Bits) {
		return append(dst, ']')
	}
	dst = strconv.AppendUint(dst, uint64(s.Offset), 10)
	if s.Bits != 1 {
		dst = strconv.AppendUint(append(dst, ".."...), uint64(s.Offset)+uint64(s.Bits)-1, 10)
	}
	return append(dst, ']')
}
