package wire

import (
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// PortReason says what happened to a port (ofp_port_reason).
type PortReason uint8

// The reasons of a port status.
const (
	PortAdded PortReason = iota
	PortDeleted
	PortModified
)

// PortStatus tells that a port came, went or changed.
type PortStatus struct {
	Reason PortReason
	Port   of.Port
}

// DecodePortStatus reads the body of a port status message.
func DecodePortStatus(body []byte) (PortStatus, error) {
	c := NewCursor(body, "port status")
	s := PortStatus{Reason: PortReason(c.U8())}
	c.Skip(7)
	s.Port = decodePort(&c)
	return s, c.err
}

// AppendPortStatus appends a whole port status message.
func AppendPortStatus(dst []byte, xid uint32, s PortStatus) []byte {
	start := len(dst)
	dst = pad(append(begin(dst, TypePortStatus, xid), byte(s.Reason)), 7)
	dst, _ = finish(AppendPort(dst, s.Port), start)
	return dst
}

// RemovedReason says why a flow went (ofp_flow_removed_reason; OVS's extensions in nicira-ext.h).
type RemovedReason uint8

// The reasons of a flow removed message.
const (
	RemovedIdle        RemovedReason = 0 // idle timeout
	RemovedHard        RemovedReason = 1 // hard timeout
	RemovedDelete      RemovedReason = 2 // a flow mod
	RemovedGroupDelete RemovedReason = 3 // its group went
	RemovedMeterDelete RemovedReason = 4 // its meter went
	RemovedEviction    RemovedReason = 5 // the table was full
)

// String is the reason as ovs-ofctl prints it.
func (r RemovedReason) String() string {
	names := [...]string{"idle", "hard", "delete", "group_delete", "meter_delete", "eviction"}
	if int(r) < len(names) {
		return names[r]
	}
	return "unknown"
}

// FlowRemoved tells that a flow went that had of.SendFlowRem.
type FlowRemoved struct {
	Table                    of.TableID
	Priority                 uint16
	Reason                   RemovedReason
	Cookie                   of.Cookie
	IdleTimeout, HardTimeout uint16
	Duration                 time.Duration // how long the flow lived
	Packets, Bytes           uint64
	Match                    of.Match
}

// DecodeFlowRemoved reads the body of a flow removed message.
func DecodeFlowRemoved(body []byte) (FlowRemoved, error) {
	c := NewCursor(body, "flow removed")
	r := FlowRemoved{
		Cookie: of.Cookie(c.U64()), Priority: c.U16(), Reason: RemovedReason(c.U8()), Table: of.TableID(c.U8()),
		Duration: duration(&c), IdleTimeout: c.U16(), HardTimeout: c.U16(), Packets: c.U64(), Bytes: c.U64(),
	}
	r.Match = decodeMatch(&c)
	if c.err != nil {
		return FlowRemoved{}, c.err
	}
	return r, nil
}

// AppendFlowRemoved appends a whole flow removed message.
func AppendFlowRemoved(dst []byte, xid uint32, r FlowRemoved) ([]byte, error) {
	start := len(dst)
	dst = put16(put64(begin(dst, TypeFlowRemoved, xid), uint64(r.Cookie)), r.Priority)
	dst = appendDuration(append(dst, byte(r.Reason), byte(r.Table)), r.Duration)
	dst = put64(put64(put16(put16(dst, r.IdleTimeout), r.HardTimeout), r.Packets), r.Bytes)
	dst, err := AppendMatch(dst, r.Match)
	if err != nil {
		return dst[:start], err
	}
	return finish(dst, start)
}

// PacketInReason says why a packet came to the controller (ofp_packet_in_reason).
type PacketInReason uint8

// The reasons of a packet-in.
const (
	PacketNoMatch    PacketInReason = 0 // table-miss flow
	PacketAction     PacketInReason = 1 // an output to the controller
	PacketInvalidTTL PacketInReason = 2
)

// PacketIn is a packet that a switch hands to the controller. Data is a view of the message.
type PacketIn struct {
	Buffer   uint32 // NoBuffer from OVS
	TotalLen uint16 // of the packet, of which Data may hold less
	Reason   PacketInReason
	Table    of.TableID
	Cookie   of.Cookie
	Match    of.Match // in_port and the other metadata
	Data     []byte
}

// DecodePacketIn reads the body of a packet-in.
func DecodePacketIn(body []byte) (PacketIn, error) {
	c := NewCursor(body, "packet-in")
	p := PacketIn{
		Buffer: c.U32(), TotalLen: c.U16(), Reason: PacketInReason(c.U8()), Table: of.TableID(c.U8()), Cookie: of.Cookie(c.U64()),
	}
	p.Match = decodeMatch(&c)
	c.Skip(2)
	p.Data = c.Rest()
	if c.err != nil {
		return PacketIn{}, c.err
	}
	return p, nil
}

// AppendPacketIn appends a whole packet-in.
func AppendPacketIn(dst []byte, xid uint32, p PacketIn) ([]byte, error) {
	start := len(dst)
	dst = put16(put32(begin(dst, TypePacketIn, xid), p.Buffer), p.TotalLen)
	dst = put64(append(dst, byte(p.Reason), byte(p.Table)), uint64(p.Cookie))
	dst, err := AppendMatch(dst, p.Match)
	if err != nil {
		return dst[:start], err
	}
	return finish(append(append(dst, 0, 0), p.Data...), start)
}

// PacketOut is a packet that the controller hands to a switch. OVS has no buffers, so the packet is always in Data.
type PacketOut struct {
	InPort  of.PortNo // what the packet shall seem to have come in by; PortController for none
	Actions []of.Action
	Data    []byte
}

// AppendPacketOut appends a whole packet-out.
func AppendPacketOut(dst []byte, xid uint32, p PacketOut) ([]byte, error) {
	start := len(dst)
	dst = put32(put32(begin(dst, TypePacketOut, xid), NoBuffer), uint32(p.InPort))
	lengthAt := len(dst)
	dst, err := AppendActions(pad(dst, 8), p.Actions)
	if err != nil {
		return dst[:start], err
	}
	if n := len(dst) - lengthAt - 8; n <= MaxMessage {
		dst[lengthAt], dst[lengthAt+1] = byte(n>>8), byte(n)
	}
	return finish(append(dst, p.Data...), start)
}

// DecodePacketOut reads the body of a packet-out. Data is a view of it.
func DecodePacketOut(body []byte) (PacketOut, error) {
	c := NewCursor(body, "packet-out")
	c.Skip(4)
	p := PacketOut{InPort: of.PortNo(c.U32())}
	length := int(c.U16())
	c.Skip(6)
	actions := c.Sub(length, "actions")
	p.Actions = decodeActions(&actions, nil)
	c.Join(&actions)
	p.Data = c.Rest()
	if c.err != nil {
		return PacketOut{}, c.err
	}
	return p, nil
}
