package wire

import (
	"encoding/binary"

	"github.com/heddle-sdn/heddle/controller/of"
)

// ONFFlowMonitor is the experimenter multipart type of flow monitors on OpenFlow 1.3 (ONF extension 187). OVS refuses
// the Nicira form of it there.
const ONFFlowMonitor = 1870

// MonitorFlags say what a flow monitor tells.
type MonitorFlags uint16

// Bits of MonitorFlags.
const (
	MonitorInitial MonitorFlags = 1 << 0 // the flows that are there when the monitor starts
	MonitorAdd     MonitorFlags = 1 << 1
	MonitorDelete  MonitorFlags = 1 << 2
	MonitorModify  MonitorFlags = 1 << 3
	MonitorActions MonitorFlags = 1 << 4 // tell the instructions too
	MonitorOwn     MonitorFlags = 1 << 5 // tell changes made over this connection in full instead of MonitorAbbrev
)

// MonitorRequest starts a flow monitor.
type MonitorRequest struct {
	ID      uint32
	Flags   MonitorFlags
	Table   of.TableID // TableAll for every table
	OutPort of.PortNo  // only flows that output there; 0 for no restriction
	Match   of.Match   // only flows that this covers
}

// AppendMonitorRequest appends a whole multipart request that starts a flow monitor.
func AppendMonitorRequest(dst []byte, xid uint32, r MonitorRequest) ([]byte, error) {
	start := len(dst)
	if r.OutPort == 0 {
		r.OutPort = of.PortAny
	}
	dst = beginMultipart(dst, TypeMultipartRequest, xid, MultipartExperimenter, false)
	dst = put32(put32(dst, of.ExperimenterONF), ONFFlowMonitor)
	dst = put16(put32(dst, r.ID), uint16(r.Flags))
	lengthAt := len(dst)
	dst = append(put32(pad(dst, 2), uint32(r.OutPort)), byte(r.Table), 0, 0, 0)
	matchAt := len(dst)
	dst, err := AppendMatch(dst, r.Match)
	if err != nil {
		return dst[:start], err
	}
	copy(dst[lengthAt:lengthAt+2], dst[matchAt+2:matchAt+4]) // without the padding, as in ofp_match itself
	return finish(dst, start)
}

// DecodeMonitorRequest reads the body of a flow monitor request behind experimenter and type.
func DecodeMonitorRequest(body []byte) (MonitorRequest, error) {
	c := NewCursor(body, "flow monitor request")
	r := MonitorRequest{ID: c.U32(), Flags: MonitorFlags(c.U16())}
	c.Skip(2)
	r.OutPort, r.Table = of.PortNo(c.U32()), of.TableID(c.U8())
	c.Skip(3)
	r.Match = decodeMatch(&c)
	if r.OutPort == of.PortAny {
		r.OutPort = 0
	}
	if c.err != nil {
		return MonitorRequest{}, c.err
	}
	return r, nil
}

// MonitorEvent says what a MonitorUpdate tells.
type MonitorEvent uint16

// The events of a flow monitor.
const (
	MonitorAdded MonitorEvent = iota
	MonitorDeleted
	MonitorModified
	MonitorAbbrev // a change made over this connection by the message with this XID
)

// String is the event as ovs-ofctl prints it.
func (e MonitorEvent) String() string {
	names := [...]string{"ADDED", "DELETED", "MODIFIED", "ABBREV"}
	if int(e) < len(names) {
		return names[e]
	}
	return "UNKNOWN"
}

// MonitorUpdate is one event of a flow monitor. Match and Instructions are views of the message, as in FlowStat.
type MonitorUpdate struct {
	Event                    MonitorEvent
	XID                      uint32        // of MonitorAbbrev, which has nothing else
	Reason                   RemovedReason // of MonitorDeleted
	Table                    of.TableID
	Priority                 uint16
	IdleTimeout, HardTimeout uint16
	Cookie                   of.Cookie
	Match                    []byte // OXM TLVs
	Instructions             []byte // empty unless MonitorActions was asked for
}

// Key copies what tells the flow from others, in the canonical form that Pack gives.
func (u *MonitorUpdate) Key() (of.Key, error) {
	m, err := canonicalOXM(u.Match)
	if err != nil {
		return of.Key{}, err
	}
	return of.Key{Table: u.Table, Priority: u.Priority, Match: m}, nil
}

// Flow decodes match and instructions. The flags of the flow are not told by a monitor.
func (u *MonitorUpdate) Flow() (of.Flow, error) {
	s := FlowStat{
		Table: u.Table, Priority: u.Priority, IdleTimeout: u.IdleTimeout, HardTimeout: u.HardTimeout,
		Cookie: u.Cookie, Match: u.Match, Instructions: u.Instructions,
	}
	return s.Flow()
}

// IsMonitorReply reports whether a multipart message is one of flow monitor updates, and gives the updates' bytes.
// OVS sends the first with the xid of the request and later ones, as things happen, with xid 0.
func IsMonitorReply(m Multipart) (body []byte, ok bool) {
	if m.Type != MultipartExperimenter || len(m.Body) < 8 ||
		binary.BigEndian.Uint32(m.Body) != of.ExperimenterONF || binary.BigEndian.Uint32(m.Body[4:]) != ONFFlowMonitor {
		return nil, false
	}
	return m.Body[8:], true
}

// AppendMonitorUpdates reads the updates that IsMonitorReply gives and appends them to dst. After an error the updates
// before the bad one are there. An event of a kind it does not know is passed over.
func AppendMonitorUpdates(dst []MonitorUpdate, body []byte) ([]MonitorUpdate, error) {
	c := NewCursor(body, "flow monitor update")
	for c.Len() > 0 {
		length, event := int(c.U16()), MonitorEvent(c.U16())
		if c.err == nil && (length < 8 || length%8 != 0) {
			c.Fail(ErrLength)
		}
		u := c.Sub(length-4, "flow monitor update")
		switch {
		case event == MonitorAbbrev:
			dst = append(dst, MonitorUpdate{Event: event, XID: u.U32()})
		case event < MonitorAbbrev:
			full := decodeFullUpdate(&u, event)
			if u.err == nil {
				dst = append(dst, full)
			}
		}
		if c.Join(&u); c.err != nil {
			return dst, c.err
		}
	}
	return dst, nil
}

func decodeFullUpdate(c *Cursor, event MonitorEvent) MonitorUpdate {
	u := MonitorUpdate{
		Event: event, Reason: RemovedReason(c.U16()), Priority: c.U16(), IdleTimeout: c.U16(), HardTimeout: c.U16(),
	}
	c.Skip(2) // length of the match, which the match itself has too
	u.Table = of.TableID(c.U8())
	c.Skip(1)
	u.Cookie = of.Cookie(c.U64())
	u.Match = matchView(c)
	u.Instructions = c.Rest()
	return u
}

// AppendMonitorReply appends a whole multipart reply with these updates, as a switch sends it.
func AppendMonitorReply(dst []byte, xid uint32, updates ...MonitorUpdate) ([]byte, error) {
	start := len(dst)
	dst = beginMultipart(dst, TypeMultipartReply, xid, MultipartExperimenter, false)
	dst = put32(put32(dst, of.ExperimenterONF), ONFFlowMonitor)
	var err error
	for i := range updates {
		if dst, err = appendUpdate(dst, &updates[i]); err != nil {
			return dst[:start], err
		}
	}
	return finish(dst, start)
}

func appendUpdate(dst []byte, u *MonitorUpdate) ([]byte, error) {
	start := len(dst)
	dst = put16(pad(dst, 2), uint16(u.Event))
	if u.Event == MonitorAbbrev {
		dst = put32(dst, u.XID)
		setLength16(dst, start, 0)
		return dst, nil
	}
	dst = put16(put16(put16(put16(dst, uint16(u.Reason)), u.Priority), u.IdleTimeout), u.HardTimeout)
	dst = append(put16(dst, uint16(4+len(u.Match))), byte(u.Table), 0)
	dst, err := appendMatchBytes(put64(dst, uint64(u.Cookie)), u.Match)
	if err != nil {
		return dst[:start], err
	}
	dst = append(dst, u.Instructions...)
	if len(dst)-start > MaxMessage {
		return dst[:start], ErrTooLong
	}
	setLength16(dst, start, 0)
	return dst, nil
}
