package of

import (
	"fmt"
	"strconv"
)

// TableID numbers a flow table of a switch, 0 to 254.
type TableID uint8

// TableAll stands for every table in requests and deletions (OFPTT_ALL, OpenFlow 1.3.5 §7.3.4.2). In a Resubmit it
// means "the table the packet is in".
const TableAll TableID = 0xff

// Cookie is the opaque number a controller gives to its flows; the switch stores it and selects by it under a mask.
type Cookie uint64

// String is the cookie as ovs-ofctl prints it, such as 0x5d01000000000007.
func (c Cookie) String() string { return "0x" + strconv.FormatUint(uint64(c), 16) }

// DPID is a datapath id: 16 bits chosen by the implementation and 48 bits that are usually the bridge's MAC address.
type DPID uint64

// String is the id as 16 hexadecimal digits, the form of OVSDB's Bridge.datapath_id.
func (d DPID) String() string { return fmt.Sprintf("%016x", uint64(d)) }

// ParseDPID reads 1 to 16 hexadecimal digits; a 0x prefix is accepted.
func ParseDPID(s string) (DPID, error) {
	digits := s
	if len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X") {
		digits = s[2:]
	}
	v, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("datapath id %q is not up to 16 hexadecimal digits", s)
	}
	return DPID(v), nil
}

// GroupID numbers a group, 0 to GroupMax.
type GroupID uint32

// Reserved group numbers (OpenFlow 1.3.5 §7.3.4.3).
const (
	GroupMax GroupID = 0xffffff00 // the highest usable group number
	GroupAll GroupID = 0xfffffffc // every group, in deletions and requests
	GroupAny GroupID = 0xffffffff // no restriction, in flow requests
)

// MeterID numbers a meter, 1 to MeterMax.
type MeterID uint32

// Reserved meter numbers (OpenFlow 1.3.5 §7.3.4.4).
const (
	MeterMax        MeterID = 0xffff0000 // the highest usable meter number
	MeterController MeterID = 0xfffffffe // the virtual meter for packets to the controller
	MeterAll        MeterID = 0xffffffff // every meter, in deletions and requests
)

// PortNo is an OpenFlow port number of a switch: 1 to PortMax for real ports, or a reserved number.
type PortNo uint32

// Reserved port numbers (OpenFlow 1.3.5 §7.2.1, ovs-fields(7)).
const (
	PortMax        PortNo = 0xffffff00 // the highest number a real port may have
	PortUnset      PortNo = 0xfffffff7 // the action set holds no output (ONF extension, actset_output)
	PortInPort     PortNo = 0xfffffff8 // back out of the port the packet came in by
	PortTable      PortNo = 0xfffffff9 // start at table 0; in packet-out only
	PortNormal     PortNo = 0xfffffffa // the switch's own L2 forwarding
	PortFlood      PortNo = 0xfffffffb // every port but the incoming and those with flooding disabled
	PortAll        PortNo = 0xfffffffc // every port but the incoming
	PortController PortNo = 0xfffffffd // to the controller, as a packet-in
	PortLocal      PortNo = 0xfffffffe // the bridge's own port
	PortAny        PortNo = 0xffffffff // no restriction; ovs-ofctl prints ANY
)

// Reserved reports whether the number stands for something else than a port that was added to the switch.
func (p PortNo) Reserved() bool { return p >= PortMax }

// String is the number in decimal or, for reserved numbers, the name ovs-ofctl prints.
func (p PortNo) String() string { return string(p.append(nil)) }

func (p PortNo) append(dst []byte) []byte {
	switch p {
	case PortUnset:
		return append(dst, "UNSET"...)
	case PortInPort:
		return append(dst, "IN_PORT"...)
	case PortTable:
		return append(dst, "TABLE"...)
	case PortNormal:
		return append(dst, "NORMAL"...)
	case PortFlood:
		return append(dst, "FLOOD"...)
	case PortAll:
		return append(dst, "ALL"...)
	case PortController:
		return append(dst, "CONTROLLER"...)
	case PortLocal:
		return append(dst, "LOCAL"...)
	case PortAny:
		return append(dst, "ANY"...)
	}
	return strconv.AppendUint(dst, uint64(p), 10)
}
