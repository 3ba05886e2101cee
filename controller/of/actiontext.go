package of

import (
	"encoding/hex"
	"strconv"
)

func appendUint(dst []byte, label string, v uint64) []byte {
	return strconv.AppendUint(append(dst, label...), v, 10)
}

func (a Output) appendText(dst []byte) []byte {
	if a.Port < PortMax {
		dst = append(dst, "output:"...)
	}
	dst = a.Port.append(dst)
	if a.Port == PortController {
		dst = appendUint(dst, ":", uint64(a.MaxLen))
	}
	return dst
}

func (a OutputReg) appendText(dst []byte) []byte { return a.Src.append(append(dst, "output:"...)) }

func (a Controller) appendText(dst []byte) []byte {
	if a.Reason == ReasonAction && a.ID == 0 && len(a.Userdata) == 0 && !a.Pause && a.MeterID == 0 {
		return appendUint(dst, "CONTROLLER:", uint64(a.MaxLen))
	}
	dst = append(dst, "controller("...)
	start := len(dst)
	if a.Reason != ReasonAction {
		dst = append(append(append(dst, "reason="...), reasonName(a.Reason)...), ',')
	}
	if a.MaxLen != MaxLenNoBuffer {
		dst = append(appendUint(dst, "max_len=", uint64(a.MaxLen)), ',')
	}
	if a.ID != 0 {
		dst = append(appendUint(dst, "id=", uint64(a.ID)), ',')
	}
	if len(a.Userdata) != 0 {
		dst = append(appendHexBytes(append(dst, "userdata="...), a.Userdata), ',')
	}
	if a.Pause {
		dst = append(dst, "pause,"...)
	}
	if a.MeterID != 0 {
		dst = append(appendUint(dst, "meter_id=", uint64(a.MeterID)), ',')
	}
	return closeList(dst, start)
}

// closeList turns the comma behind the last item, if there is an item, into the closing parenthesis.
func closeList(dst []byte, start int) []byte {
	if len(dst) > start && dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, ')')
}

// reasonName is ofp_packet_in_reason as ovs-ofctl prints it.
func reasonName(r uint8) string {
	names := [...]string{"no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"}
	if int(r) < len(names) {
		return names[r]
	}
	return strconv.Itoa(int(r))
}

// appendHexBytes writes bytes as ovs-ofctl takes them: pairs of digits with dots between.
func appendHexBytes(dst, b []byte) []byte {
	for i, c := range b {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

func (a Group) appendText(dst []byte) []byte { return appendUint(dst, "group:", uint64(a.ID)) }

func (a SetField) appendText(dst []byte) []byte { return appendSet(dst, a.Field, a.Value, Value{}) }

func (a RegLoad2) appendText(dst []byte) []byte { return appendSet(dst, a.Field, a.Value, a.Mask) }

func appendSet(dst []byte, f Field, v, mask Value) []byte {
	dst = appendValue(append(dst, "set_field:"...), f, v, mask)
	return append(append(dst, "->"...), f.String()...)
}

func (a Load) appendText(dst []byte) []byte {
	dst = Num(a.Value).appendHex(append(dst, "load:"...))
	return a.Dst.append(append(dst, "->"...))
}

func (a Move) appendText(dst []byte) []byte {
	dst = a.Src.append(append(dst, "move:"...))
	return a.Dst.append(append(dst, "->"...))
}

func appendEthType(dst []byte, label string, t uint16) []byte {
	return strconv.AppendUint(append(append(dst, label...), "0x"...), uint64(t), 16)
}

func (a PushVLAN) appendText(dst []byte) []byte { return appendEthType(dst, "push_vlan:", a.EthType) }

func (PopVLAN) appendText(dst []byte) []byte { return append(dst, "pop_vlan"...) }

func (a PushMPLS) appendText(dst []byte) []byte {
	return appendPadded(append(dst, "push_mpls:0x"...), uint64(a.EthType), 4)
}

func (a PopMPLS) appendText(dst []byte) []byte {
	return appendPadded(append(dst, "pop_mpls:0x"...), uint64(a.EthType), 4)
}

func (a SetMPLSTTL) appendText(dst []byte) []byte {
	return append(appendUint(dst, "set_mpls_ttl(", uint64(a.TTL)), ')')
}

func (DecMPLSTTL) appendText(dst []byte) []byte { return append(dst, "dec_mpls_ttl"...) }

func (a SetTTL) appendText(dst []byte) []byte { return appendUint(dst, "mod_nw_ttl:", uint64(a.TTL)) }

func (a DecTTL) appendText(dst []byte) []byte {
	dst = append(dst, "dec_ttl"...)
	if len(a.Controllers) == 0 {
		return dst
	}
	dst = append(dst, '(')
	for _, id := range a.Controllers {
		dst = append(appendUint(dst, "", uint64(id)), ',')
	}
	return closeList(dst, 0)
}

func (a SetQueue) appendText(dst []byte) []byte {
	return appendUint(dst, "set_queue:", uint64(a.Queue))
}

func (a Resubmit) appendText(dst []byte) []byte {
	own := a.Port == 0 || a.Port == PortInPort
	if !own && a.Table == TableAll {
		return a.Port.append(append(dst, "resubmit:"...))
	}
	dst = append(dst, "resubmit("...)
	if !own {
		dst = a.Port.append(dst)
	}
	dst = append(dst, ',')
	if a.Table != TableAll {
		dst = appendUint(dst, "", uint64(a.Table))
	}
	if a.CT {
		dst = append(dst, ",ct"...)
	}
	return append(dst, ')')
}

func (a Conjunction) appendText(dst []byte) []byte {
	dst = appendUint(dst, "conjunction(", uint64(a.ID))
	dst = appendUint(dst, ",", uint64(a.Clause))
	return append(appendUint(dst, "/", uint64(a.N)), ')')
}

func (a Note) appendText(dst []byte) []byte {
	padded := make([]byte, NoteSize(len(a.Data)))
	copy(padded, a.Data)
	return appendHexBytes(append(dst, "note:"...), padded)
}

// NoteSize is the number of bytes a Note of n bytes has on the wire: at least n, and 6 plus a multiple of 8.
func NoteSize(n int) int {
	if n <= 6 {
		return 6
	}
	return 6 + (n-6+7)/8*8
}

func (a Meter) appendText(dst []byte) []byte { return appendUint(dst, "meter:", uint64(a.ID)) }

func (ClearActions) appendText(dst []byte) []byte { return append(dst, "clear_actions"...) }

func (a WriteActions) appendText(dst []byte) []byte {
	return append(AppendActions(append(dst, "write_actions("...), a.Actions), ')')
}

func (a WriteMetadata) appendText(dst []byte) []byte {
	dst = Num(a.Value).appendHex(append(dst, "write_metadata:"...))
	if a.Mask != 0 && a.Mask != ^uint64(0) {
		dst = Num(a.Mask).appendHex(append(dst, '/'))
	}
	return dst
}

func (a GotoTable) appendText(dst []byte) []byte {
	return appendUint(dst, "goto_table:", uint64(a.Table))
}

func (a Unknown) appendText(dst []byte) []byte {
	return append(hex.AppendEncode(append(dst, "unknown("...), a.Bytes), ')')
}

func (CTClear) appendText(dst []byte) []byte { return append(dst, "ct_clear"...) }

func (a CT) appendText(dst []byte) []byte {
	dst = append(dst, "ct("...)
	start := len(dst)
	if a.Commit {
		dst = append(dst, "commit,"...)
	}
	if a.Force {
		dst = append(dst, "force,"...)
	}
	if a.Recirc {
		dst = append(appendUint(dst, "table=", uint64(a.Table)), ',')
	}
	if a.ZoneSrc.Bits != 0 {
		dst = append(a.ZoneSrc.append(append(dst, "zone="...)), ',')
	} else if a.Zone != 0 {
		dst = append(appendUint(dst, "zone=", uint64(a.Zone)), ',')
	}
	exec := a.Actions
	if len(exec) > 0 {
		if nat, ok := exec[0].(NAT); ok {
			dst, exec = append(nat.appendText(dst), ','), exec[1:]
		}
	}
	if len(exec) > 0 {
		dst = append(AppendActions(append(dst, "exec("...), exec), "),"...)
	}
	switch a.Alg {
	case 0:
	case AlgFTP:
		dst = append(dst, "alg=ftp,"...)
	case AlgTFTP:
		dst = append(dst, "alg=tftp,"...)
	default:
		dst = append(appendUint(dst, "alg=", uint64(a.Alg)), ',')
	}
	return closeList(dst, start)
}

func (a NAT) appendText(dst []byte) []byte {
	dst = append(dst, "nat"...)
	if !a.Src && !a.Dst {
		return dst
	}
	dst = append(dst, '(')
	if a.Src {
		dst = append(dst, "src"...)
	} else {
		dst = append(dst, "dst"...)
	}
	if a.AddrMin.IsValid() {
		dst = a.appendAddr(append(dst, '='), a.AddrMin.AppendTo)
		if a.AddrMax.IsValid() && a.AddrMax != a.AddrMin {
			dst = a.appendAddr(append(dst, '-'), a.AddrMax.AppendTo)
		}
		if a.PortMin != 0 {
			dst = appendUint(dst, ":", uint64(a.PortMin))
			if a.PortMax != 0 && a.PortMax != a.PortMin {
				dst = appendUint(dst, "-", uint64(a.PortMax))
			}
		}
	}
	dst = append(dst, ',')
	for _, how := range [...]struct {
		set  bool
		name string
	}{{a.Persistent, "persistent,"}, {a.Hash, "hash,"}, {a.Random, "random,"}} {
		if how.set {
			dst = append(dst, how.name...)
		}
	}
	return closeList(dst, 0)
}

// appendAddr puts brackets around IPv6 addresses that a port follows.
func (a NAT) appendAddr(dst []byte, addr func([]byte) []byte) []byte {
	if a.AddrMin.Is4() || a.PortMin == 0 {
		return addr(dst)
	}
	return append(addr(append(dst, '[')), ']')
}

func (a Learn) appendText(dst []byte) []byte {
	dst = appendUint(dst, "learn(table=", uint64(a.Table))
	for _, t := range [...]struct {
		label   string
		seconds uint16
	}{
		{",idle_timeout=", a.IdleTimeout},
		{",hard_timeout=", a.HardTimeout},
		{",fin_idle_timeout=", a.FinIdleTimeout},
		{",fin_hard_timeout=", a.FinHardTimeout},
	} {
		if t.seconds != 0 {
			dst = appendUint(dst, t.label, uint64(t.seconds))
		}
	}
	if a.Priority != DefaultPriority {
		dst = appendUint(dst, ",priority=", uint64(a.Priority))
	}
	if a.SendFlowRem {
		dst = append(dst, ",send_flow_rem"...)
	}
	if a.DeleteLearned {
		dst = append(dst, ",delete_learned"...)
	}
	if a.Cookie != 0 {
		dst = append(append(dst, ",cookie="...), a.Cookie.String()...)
	}
	if a.Limit != 0 {
		dst = appendUint(dst, ",limit=", uint64(a.Limit))
	}
	if a.ResultDst.Bits != 0 {
		dst = a.ResultDst.append(append(dst, ",result_dst="...))
	}
	for _, s := range a.Specs {
		dst = s.append(append(dst, ','))
	}
	return append(dst, ')')
}

func (s LearnSpec) append(dst []byte) []byte {
	switch s.Kind {
	case LearnOutput:
		return s.Src.append(append(dst, "output:"...))
	case LearnLoad:
		dst = append(dst, "load:"...)
		if s.Immediate {
			dst = s.Value.appendHex(dst)
		} else {
			dst = s.Src.append(dst)
		}
		return s.Dst.append(append(dst, "->"...))
	}
	if !s.Immediate {
		dst = s.Dst.append(dst)
		if s.Src.Field != s.Dst.Field || s.Src.Offset != s.Dst.Offset {
			dst = s.Src.append(append(dst, '='))
		}
		return dst
	}
	if s.Dst == Whole(s.Dst.Field) {
		dst = append(append(dst, s.Dst.Field.String()...), '=')
		return appendValue(dst, s.Dst.Field, s.Value, Value{})
	}
	return s.Value.appendHex(append(s.Dst.append(dst), '='))
}
