package wire

import (
	"encoding/binary"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// FlowStat is one flow of a flow statistics reply (ofp_flow_stats, OpenFlow 1.3.5 §7.3.5.2). Match and Instructions
// are views of the message: they hold until its buffer is reused. Key, Entry and Flow copy.
type FlowStat struct {
	Table                    of.TableID
	Priority                 uint16
	IdleTimeout, HardTimeout uint16
	Flags                    of.FlowFlags
	Cookie                   of.Cookie
	Duration                 time.Duration // since the flow was added
	Packets, Bytes           uint64        // all ones if the switch does not count
	Match                    []byte        // OXM TLVs
	Instructions             []byte
}

// Key copies what tells the flow from others, in the canonical form that Pack gives.
func (s *FlowStat) Key() (of.Key, error) {
	m, err := canonicalOXM(s.Match)
	if err != nil {
		return of.Key{}, err
	}
	return of.Key{Table: s.Table, Priority: s.Priority, Match: m}, nil
}

// Entry copies the rest of what Pack gives.
func (s *FlowStat) Entry() Entry {
	return Entry{s.Cookie, s.IdleTimeout, s.HardTimeout, s.Flags, string(s.Instructions)}
}

// Flow decodes match and instructions.
func (s *FlowStat) Flow() (of.Flow, error) {
	m, err := DecodeOXM(s.Match)
	if err != nil {
		return of.Flow{}, err
	}
	actions, err := DecodeInstructions(s.Instructions)
	if err != nil {
		return of.Flow{}, err
	}
	return of.Flow{
		Table: s.Table, Priority: s.Priority, Match: m, Actions: actions,
		Cookie: s.Cookie, IdleTimeout: s.IdleTimeout, HardTimeout: s.HardTimeout, Flags: s.Flags,
	}, nil
}

const flowStatLen = 48 // of the fixed part of an entry

// AppendFlowStats reads the body of a flow statistics reply, as Multipart.Body gives it, and appends its flows to
// dst, which may be a slice used before. After an error the flows before the bad one are there.
func AppendFlowStats(dst []FlowStat, body []byte) ([]FlowStat, error) {
	for off := 0; off < len(body); {
		b := body[off:]
		if len(b) < flowStatLen+8 {
			return dst, &DecodeError{"flow stats", off, ErrShort}
		}
		length := int(binary.BigEndian.Uint16(b))
		if length < flowStatLen+8 || length > len(b) {
			return dst, &DecodeError{"flow stats", off, ErrLength}
		}
		match := int(binary.BigEndian.Uint16(b[flowStatLen+2:]))
		instructions := flowStatLen + roundUp8(match)
		if match < 4 || instructions > length {
			return dst, &DecodeError{"flow stats match", off + flowStatLen, ErrLength}
		}
		if b[flowStatLen] != 0 || b[flowStatLen+1] != 1 {
			return dst, &DecodeError{"flow stats match", off + flowStatLen, ErrValue}
		}
		seconds, nanos := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
		dst = append(dst, FlowStat{
			Table:        of.TableID(b[2]),
			Duration:     time.Duration(seconds)*time.Second + time.Duration(nanos),
			Priority:     binary.BigEndian.Uint16(b[12:]),
			IdleTimeout:  binary.BigEndian.Uint16(b[14:]),
			HardTimeout:  binary.BigEndian.Uint16(b[16:]),
			Flags:        of.FlowFlags(binary.BigEndian.Uint16(b[18:])),
			Cookie:       of.Cookie(binary.BigEndian.Uint64(b[24:])),
			Packets:      binary.BigEndian.Uint64(b[32:]),
			Bytes:        binary.BigEndian.Uint64(b[40:]),
			Match:        b[flowStatLen+4 : flowStatLen+match : flowStatLen+match],
			Instructions: b[instructions:length:length],
		})
		off += length
	}
	return dst, nil
}

// AppendFlowStat appends one entry of a flow statistics reply, as a switch sends it.
func AppendFlowStat(dst []byte, s *FlowStat) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, byte(s.Table), 0)
	dst = put32(put32(dst, uint32(s.Duration/time.Second)), uint32(s.Duration%time.Second))
	dst = put16(put16(put16(put16(dst, s.Priority), s.IdleTimeout), s.HardTimeout), uint16(s.Flags))
	dst = put64(put64(put64(pad(dst, 4), uint64(s.Cookie)), s.Packets), s.Bytes)
	dst, err := appendMatchBytes(dst, s.Match)
	if err != nil {
		return dst[:start], err
	}
	dst = append(dst, s.Instructions...)
	if len(dst)-start > MaxMessage {
		return dst[:start], ErrTooLong
	}
	setLength16(dst, start, 0)
	return dst, nil
}
