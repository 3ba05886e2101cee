package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Command says what a flow mod does (ofp_flow_mod_command, OpenFlow 1.3.5 §7.3.4.2).
type Command uint8

// The commands of a flow mod. The strict ones need table, priority and match to be equal; the others take every flow
// that the match covers.
const (
	Add Command = iota
	Modify
	ModifyStrict
	Delete
	DeleteStrict
)

// NoBuffer is the buffer id that stands for none (OFP_NO_BUFFER). OVS has no buffers.
const NoBuffer = 0xffffffff

// FlowMod is a change to a flow table.
type FlowMod struct {
	Command Command
	Flow    of.Flow
	// CookieMask restricts Modify and Delete to flows whose cookie has these bits of Flow.Cookie; 0 for no restriction.
	CookieMask of.Cookie
	// OutPort and OutGroup restrict Delete to flows that output there; 0 for no restriction, as for PortAny and GroupAny.
	OutPort  of.PortNo
	OutGroup of.GroupID
}

const flowModLen = 40 // of the fixed part behind the header

// AppendFlowMod appends a whole flow mod message.
func AppendFlowMod(dst []byte, xid uint32, m *FlowMod) ([]byte, error) {
	start := len(dst)
	dst, err := AppendMatch(appendFlowModHead(dst, xid, m), m.Flow.Match)
	if err != nil {
		return dst[:start], err
	}
	if dst, err = AppendInstructions(dst, m.Flow.Actions); err != nil {
		return dst[:start], err
	}
	return finish(dst, start)
}

// AppendEntryMod appends a whole flow mod message made of what Pack gives. DELETE_STRICT needs no entry beside its
// cookie: pass Entry{}.
func AppendEntryMod(dst []byte, xid uint32, cmd Command, k of.Key, e Entry) ([]byte, error) {
	start := len(dst)
	dst = appendFlowModHead(dst, xid, &FlowMod{Command: cmd, Flow: of.Flow{
		Table: k.Table, Priority: k.Priority, Cookie: e.Cookie, IdleTimeout: e.IdleTimeout, HardTimeout: e.HardTimeout, Flags: e.Flags,
	}})
	dst, err := appendMatchBytes(dst, k.Match)
	if err != nil {
		return dst[:start], err
	}
	return finish(append(dst, e.Instructions...), start)
}

// appendFlowModHead appends the header and the fixed part; finish writes the length.
func appendFlowModHead(dst []byte, xid uint32, m *FlowMod) []byte {
	port, group, f := m.OutPort, m.OutGroup, &m.Flow
	if port == 0 {
		port = of.PortAny
	}
	if group == 0 {
		group = of.GroupAny
	}
	n := len(dst)
	dst = extend(dst, HeaderLen+flowModLen)
	b := dst[n : n+HeaderLen+flowModLen]
	binary.BigEndian.PutUint64(b, Version<<56|uint64(TypeFlowMod)<<48|uint64(xid))
	binary.BigEndian.PutUint64(b[8:], uint64(f.Cookie))
	binary.BigEndian.PutUint64(b[16:], uint64(m.CookieMask))
	binary.BigEndian.PutUint64(b[24:], uint64(f.Table)<<56|uint64(m.Command)<<48|
		uint64(f.IdleTimeout)<<32|uint64(f.HardTimeout)<<16|uint64(f.Priority))
	binary.BigEndian.PutUint64(b[32:], NoBuffer<<32|uint64(port))
	binary.BigEndian.PutUint64(b[40:], uint64(group)<<32|uint64(f.Flags)<<16)
	return dst
}

// DecodeFlowMod reads the body of a flow mod message. The of.GroupAny and of.PortAny of the wire become 0.
func DecodeFlowMod(body []byte) (FlowMod, error) {
	c := NewCursor(body, "flow mod")
	var m FlowMod
	m.Flow.Cookie, m.CookieMask = of.Cookie(c.U64()), of.Cookie(c.U64())
	m.Flow.Table, m.Command = of.TableID(c.U8()), Command(c.U8())
	m.Flow.IdleTimeout, m.Flow.HardTimeout, m.Flow.Priority = c.U16(), c.U16(), c.U16()
	c.Skip(4)
	m.OutPort, m.OutGroup, m.Flow.Flags = of.PortNo(c.U32()), of.GroupID(c.U32()), of.FlowFlags(c.U16())
	c.Skip(2)
	if m.OutPort == of.PortAny {
		m.OutPort = 0
	}
	if m.OutGroup == of.GroupAny {
		m.OutGroup = 0
	}
	if c.err == nil && m.Command > DeleteStrict {
		c.Fail(ErrValue)
	}
	m.Flow.Match = decodeMatch(&c)
	m.Flow.Actions = decodeInstructions(&c)
	if c.err != nil {
		return FlowMod{}, c.err
	}
	return m, nil
}

// Entry is what a flow holds beside its key, packed and comparable: two flows of equal Key and Entry are the same.
type Entry struct {
	Cookie                   of.Cookie
	IdleTimeout, HardTimeout uint16
	Flags                    of.FlowFlags
	Instructions             string // the bytes of AppendInstructions
}

// Pack encodes a flow once, into a key that tells it from others and the rest. The match is in canonical order (see
// AppendOXM), so equal matches give equal keys.
func Pack(f of.Flow) (of.Key, Entry, error) {
	b, err := AppendOXM(make([]byte, 0, 256), f.Match)
	n := len(b)
	if err == nil {
		b, err = AppendInstructions(b, f.Actions)
	}
	if err != nil {
		return of.Key{}, Entry{}, fmt.Errorf("pack flow %s: %w", f.String(), err)
	}
	both := string(b)
	return of.Key{Table: f.Table, Priority: f.Priority, Match: both[:n]},
		Entry{f.Cookie, f.IdleTimeout, f.HardTimeout, f.Flags, both[n:]}, nil
}

// Unpack is the reverse of Pack.
func Unpack(k of.Key, e Entry) (of.Flow, error) {
	m, err := DecodeOXM([]byte(k.Match))
	if err != nil {
		return of.Flow{}, err
	}
	actions, err := DecodeInstructions([]byte(e.Instructions))
	if err != nil {
		return of.Flow{}, err
	}
	return of.Flow{
		Table: k.Table, Priority: k.Priority, Match: m, Actions: actions,
		Cookie: e.Cookie, IdleTimeout: e.IdleTimeout, HardTimeout: e.HardTimeout, Flags: e.Flags,
	}, nil
}

// canonicalOXM gives TLVs in canonical form. What OVS sends is in it already, so that this is normally a check and
// a copy.
func canonicalOXM(tlvs []byte) (string, error) {
	if isCanonical(tlvs) {
		return string(tlvs), nil
	}
	m, err := DecodeOXM(tlvs)
	if err != nil {
		return "", err
	}
	var stack [512]byte
	b, err := AppendOXM(stack[:0], m)
	return string(b), err
}

// isCanonical reports whether TLVs are known, in order, under the headers AppendOXM writes, and their masks not full
// and not empty. False only means that it is not certain.
func isCanonical(b []byte) bool {
	last := of.FieldUnknown
	for len(b) > 0 {
		if len(b) < 4 || len(b) < 4+int(b[3]) {
			return false
		}
		header := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		f := fieldOf(header, 0)
		if f <= last {
			return false
		}
		r := &rows[f]
		if header != r.oxm {
			if header != maskedHead(r.oxm, r.bytes) {
				return false
			}
			mask := readValue(b[4+r.bytes : 4+2*r.bytes])
			if mask == r.full || mask.IsZero() {
				return false
			}
		}
		last, b = f, b[4+int(b[3]):]
	}
	return true
}
