package wire

import (
	"strconv"

	"github.com/heddle-sdn/heddle/controller/of"
)

// MultipartType says what a multipart message is about (ofp_multipart_type, OpenFlow 1.3.5 §7.3.5).
type MultipartType uint16

// The multipart types of OpenFlow 1.3.
const (
	MultipartDesc          MultipartType = 0
	MultipartFlow          MultipartType = 1
	MultipartAggregate     MultipartType = 2
	MultipartTable         MultipartType = 3
	MultipartPortStats     MultipartType = 4
	MultipartQueue         MultipartType = 5
	MultipartGroup         MultipartType = 6
	MultipartGroupDesc     MultipartType = 7
	MultipartGroupFeatures MultipartType = 8
	MultipartMeter         MultipartType = 9
	MultipartMeterConfig   MultipartType = 10
	MultipartMeterFeatures MultipartType = 11
	MultipartTableFeatures MultipartType = 12
	MultipartPortDesc      MultipartType = 13
	MultipartExperimenter  MultipartType = 0xffff
)

// String is the type as ovs-ofctl names it, or its number.
func (t MultipartType) String() string {
	names := [...]string{
		"desc", "flow", "aggregate", "table", "port", "queue", "group", "group_desc", "group_features", "meter",
		"meter_config", "meter_features", "table_features", "port_desc",
	}
	switch {
	case int(t) < len(names):
		return names[t]
	case t == MultipartExperimenter:
		return "experimenter"
	}
	return strconv.Itoa(int(t))
}

// Multipart is a multipart request or reply, opened as far as its own header.
type Multipart struct {
	Type MultipartType
	More bool   // another message of the same xid follows
	Body []byte // a view of the message; for MultipartExperimenter it begins with experimenter and type
}

// DecodeMultipart reads the body of a multipart request or reply; the result points into it.
func DecodeMultipart(body []byte) (Multipart, error) {
	c := NewCursor(body, "multipart")
	m := Multipart{Type: MultipartType(c.U16()), More: c.U16()&1 != 0}
	c.Skip(4)
	m.Body = c.Rest()
	return m, c.err
}

func beginMultipart(dst []byte, t Type, xid uint32, kind MultipartType, more bool) []byte {
	flags := byte(0)
	if more {
		flags = 1
	}
	return append(begin(dst, t, xid), byte(kind>>8), byte(kind), 0, flags, 0, 0, 0, 0)
}

// AppendMultipartRequest appends a request whose body is given: none for desc, port desc and table statistics.
func AppendMultipartRequest(dst []byte, xid uint32, kind MultipartType, body []byte) ([]byte, error) {
	start := len(dst)
	return finish(append(beginMultipart(dst, TypeMultipartRequest, xid, kind, false), body...), start)
}

// AppendMultipartReply appends a reply whose body is given, as a switch sends it.
func AppendMultipartReply(dst []byte, xid uint32, kind MultipartType, more bool, body []byte) ([]byte, error) {
	start := len(dst)
	return finish(append(beginMultipart(dst, TypeMultipartReply, xid, kind, more), body...), start)
}

// FlowStatsRequest selects the flows of a flow or aggregate statistics request.
type FlowStatsRequest struct {
	Table              of.TableID // TableAll for every table
	OutPort            of.PortNo  // only flows that output there; 0 for no restriction
	OutGroup           of.GroupID // only flows that use the group; 0 for no restriction
	Cookie, CookieMask of.Cookie  // only flows whose cookie has these bits
	Match              of.Match   // only flows that this covers
}

// AppendFlowStatsRequest appends a whole request for the flows it selects.
func AppendFlowStatsRequest(dst []byte, xid uint32, r FlowStatsRequest) ([]byte, error) {
	return appendFlowStatsRequest(dst, xid, MultipartFlow, r)
}

// AppendAggregateRequest appends a whole request for the sums over the flows it selects.
func AppendAggregateRequest(dst []byte, xid uint32, r FlowStatsRequest) ([]byte, error) {
	return appendFlowStatsRequest(dst, xid, MultipartAggregate, r)
}

func appendFlowStatsRequest(dst []byte, xid uint32, kind MultipartType, r FlowStatsRequest) ([]byte, error) {
	start := len(dst)
	if r.OutPort == 0 {
		r.OutPort = of.PortAny
	}
	if r.OutGroup == 0 {
		r.OutGroup = of.GroupAny
	}
	dst = append(beginMultipart(dst, TypeMultipartRequest, xid, kind, false), byte(r.Table), 0, 0, 0)
	dst = pad(put32(put32(dst, uint32(r.OutPort)), uint32(r.OutGroup)), 4)
	dst, err := AppendMatch(put64(put64(dst, uint64(r.Cookie)), uint64(r.CookieMask)), r.Match)
	if err != nil {
		return dst[:start], err
	}
	return finish(dst, start)
}

// DecodeFlowStatsRequest reads the body of a flow or aggregate statistics request, as Multipart.Body gives it.
func DecodeFlowStatsRequest(body []byte) (FlowStatsRequest, error) {
	c := NewCursor(body, "flow stats request")
	r := FlowStatsRequest{Table: of.TableID(c.U8())}
	c.Skip(3)
	r.OutPort, r.OutGroup = of.PortNo(c.U32()), of.GroupID(c.U32())
	c.Skip(4)
	r.Cookie, r.CookieMask = of.Cookie(c.U64()), of.Cookie(c.U64())
	r.Match = decodeMatch(&c)
	if r.OutPort == of.PortAny {
		r.OutPort = 0
	}
	if r.OutGroup == of.GroupAny {
		r.OutGroup = 0
	}
	if c.err != nil {
		return FlowStatsRequest{}, c.err
	}
	return r, nil
}

// AppendPortStatsRequest appends a whole request for the statistics of one port, or of all with PortAny.
func AppendPortStatsRequest(dst []byte, xid uint32, p of.PortNo) []byte {
	start := len(dst)
	dst, _ = finish(pad(put32(beginMultipart(dst, TypeMultipartRequest, xid, MultipartPortStats, false), uint32(p)), 4), start)
	return dst
}

// AppendGroupStatsRequest appends a whole request for the statistics of one group, or of all with GroupAll.
func AppendGroupStatsRequest(dst []byte, xid uint32, g of.GroupID) []byte {
	start := len(dst)
	dst, _ = finish(pad(put32(beginMultipart(dst, TypeMultipartRequest, xid, MultipartGroup, false), uint32(g)), 4), start)
	return dst
}

// AppendMeterRequest appends a whole request of type MultipartMeter or MultipartMeterConfig for one meter, or for all
// with MeterAll.
func AppendMeterRequest(dst []byte, xid uint32, kind MultipartType, m of.MeterID) []byte {
	start := len(dst)
	dst, _ = finish(pad(put32(beginMultipart(dst, TypeMultipartRequest, xid, kind, false), uint32(m)), 4), start)
	return dst
}
