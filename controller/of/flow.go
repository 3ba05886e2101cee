package of

import (
	"strconv"
	"strings"
)

// DefaultPriority is the priority ovs-ofctl gives to a flow that names none, and leaves out of its text.
const DefaultPriority = 32768

// Flow is one entry of a flow table: what it applies to and what it does.
type Flow struct {
	Table    TableID
	Priority uint16
	Match    Match
	// Actions are executed in order; none means drop. Instructions are members of the same list, in OpenFlow's order
	// of execution: Meter, then plain actions, ClearActions, WriteActions, WriteMetadata, GotoTable.
	Actions     []Action
	Cookie      Cookie
	IdleTimeout uint16 // seconds without a packet after which the switch removes the flow; 0 for never
	HardTimeout uint16 // seconds after which the switch removes the flow; 0 for never
	Flags       FlowFlags
}

// FlowFlags are the options of a flow (ofp_flow_mod_flags, OpenFlow 1.3.5 §7.3.4.2).
type FlowFlags uint16

// Bits of FlowFlags.
const (
	SendFlowRem  FlowFlags = 1 << 0 // tell the controller when the flow goes
	CheckOverlap FlowFlags = 1 << 1 // refuse the flow if it overlaps another of the same priority
	ResetCounts  FlowFlags = 1 << 2
	NoPktCounts  FlowFlags = 1 << 3
	NoByteCounts FlowFlags = 1 << 4
)

// Key is what makes two flows the same flow of a switch: a switch holds at most one flow of each key. It is comparable.
type Key struct {
	Table    TableID
	Priority uint16
	Match    string // the match as OXM TLVs in canonical order, without header and padding; see wire.Pack
}

// String is the flow as one line that `ovs-ofctl add-flows` accepts: the text of `ovs-ofctl dump-flows --no-stats`
// without its leading space.
func (f Flow) String() string { return string(f.appendText(make([]byte, 0, 128))) }

func (f Flow) appendText(dst []byte) []byte {
	if f.Cookie != 0 {
		dst = append(append(append(dst, "cookie="...), f.Cookie.String()...), ", "...)
	}
	if f.Table != 0 {
		dst = append(strconv.AppendUint(append(dst, "table="...), uint64(f.Table), 10), ", "...)
	}
	if f.IdleTimeout != 0 {
		dst = append(strconv.AppendUint(append(dst, "idle_timeout="...), uint64(f.IdleTimeout), 10), ", "...)
	}
	if f.HardTimeout != 0 {
		dst = append(strconv.AppendUint(append(dst, "hard_timeout="...), uint64(f.HardTimeout), 10), ", "...)
	}
	dst = f.Flags.append(dst)
	start := len(dst)
	if f.Priority != DefaultPriority {
		dst = append(strconv.AppendUint(append(dst, "priority="...), uint64(f.Priority), 10), ',')
	}
	dst = f.Match.appendText(dst)
	if len(dst) > start {
		if dst[len(dst)-1] == ',' {
			dst = dst[:len(dst)-1]
		}
		dst = append(dst, ' ')
	}
	return AppendActions(append(dst, "actions="...), f.Actions)
}

// String is the flags as ovs-ofctl prints them, separated by spaces; bits without a name are left out.
func (f FlowFlags) String() string { return strings.TrimSuffix(string(f.append(nil)), " ") }

func (f FlowFlags) append(dst []byte) []byte {
	for _, flag := range [...]struct {
		bit  FlowFlags
		name string
	}{
		{SendFlowRem, "send_flow_rem "},
		{CheckOverlap, "check_overlap "},
		{ResetCounts, "reset_counts "},
		{NoPktCounts, "no_packet_counts "},
		{NoByteCounts, "no_byte_counts "},
	} {
		if f&flag.bit != 0 {
			dst = append(dst, flag.name...)
		}
	}
	return dst
}
