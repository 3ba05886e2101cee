package of

import (
	"errors"
	"fmt"
)

// ErrMatch says that a switch would refuse a match.
var ErrMatch = errors.New("impossible match")

// Check finds what a switch would refuse in a match (OpenFlow 1.3.5 §7.2.3.6): a field that occurs twice or lacks its
// prerequisite, a mask on a field that has none, a value too wide for its field or with bits outside its mask.
// Members of FieldUnknown are not looked into.
func (m Match) Check() error {
	var seen [NumFields]bool
	for _, f := range m {
		if !f.Field.Known() {
			continue
		}
		if seen[f.Field] {
			return fmt.Errorf("%w: %s occurs twice", ErrMatch, f.Field)
		}
		seen[f.Field] = true
		info := f.Field.Info()
		switch full := f.Field.fullMask(); {
		case !f.Mask.IsZero() && f.Mask != full && !info.Maskable:
			return fmt.Errorf("%w: %s cannot have a mask", ErrMatch, f.Field)
		case !f.Value.AndNot(full).IsZero() || !f.Mask.AndNot(full).IsZero():
			return fmt.Errorf("%w: %s is wider than %d bits", ErrMatch, f.Field, full.Len())
		case !f.Mask.IsZero() && !f.Value.AndNot(f.Mask).IsZero():
			return fmt.Errorf("%w: %s has bits outside its mask", ErrMatch, f.Field)
		case !m.meets(info.Prereq):
			return fmt.Errorf("%w: %s without what it needs", ErrMatch, f.Field)
		}
	}
	return nil
}

// meets reports whether the match says what a field with this prerequisite needs.
func (m Match) meets(p Prereq) bool {
	switch p {
	case NeedVLAN:
		f, ok := m.Find(FieldVLANVID)
		return ok && f.Value.Lo&f.FullMask().Lo&VLANPresent != 0
	case NeedMPLS:
		return m.isOneOf(FieldEthType, EthTypeMPLS, EthTypeMPLSMulticast)
	case NeedIPv4:
		return m.isOneOf(FieldEthType, EthTypeIPv4)
	case NeedIPv6:
		return m.isOneOf(FieldEthType, EthTypeIPv6)
	case NeedIP:
		return m.isOneOf(FieldEthType, EthTypeIPv4, EthTypeIPv6)
	case NeedARP:
		return m.isOneOf(FieldEthType, EthTypeARP, EthTypeRARP)
	case NeedTCP:
		return m.meets(NeedIP) && m.isOneOf(FieldIPProto, ProtoTCP)
	case NeedUDP:
		return m.meets(NeedIP) && m.isOneOf(FieldIPProto, ProtoUDP)
	case NeedSCTP:
		return m.meets(NeedIP) && m.isOneOf(FieldIPProto, ProtoSCTP)
	case NeedICMP:
		return m.meets(NeedIPv4) && m.isOneOf(FieldIPProto, ProtoICMP)
	case NeedICMP6:
		return m.meets(NeedIPv6) && m.isOneOf(FieldIPProto, ProtoICMP6)
	case NeedND:
		return m.meets(NeedNS) || m.meets(NeedNA)
	case NeedNS:
		return m.meets(NeedICMP6) && m.isOneOf(FieldICMP6Type, 135)
	case NeedNA:
		return m.meets(NeedICMP6) && m.isOneOf(FieldICMP6Type, 136)
	case NeedCTIPv4:
		return m.meets(NeedIPv4) && m.tracked()
	case NeedCTIPv6:
		return m.meets(NeedIPv6) && m.tracked()
	case NeedCT:
		return m.meets(NeedIP) && m.tracked()
	}
	return true
}

func (m Match) isOneOf(f Field, values ...uint64) bool {
	have, ok := m.Find(f)
	if !ok || !have.Exact() {
		return false
	}
	for _, v := range values {
		if have.Value.Lo == v {
			return true
		}
	}
	return false
}

// tracked reports whether ct_state says that the packet belongs to a valid connection: by a bit that only such packets
// have, or by +trk-inv.
func (m Match) tracked() bool {
	f, ok := m.Find(FieldCTState)
	if !ok {
		return false
	}
	set, asked := CTStateFlags(f.Value.Lo), CTStateFlags(f.FullMask().Lo)
	return set&(CTNew|CTEst|CTRel|CTRpl|CTSNT|CTDNT) != 0 || set&CTTrk != 0 && asked&CTInv != 0 && set&CTInv == 0
}
