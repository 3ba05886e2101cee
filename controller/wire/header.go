package wire

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// HeaderLen is the length of the header that starts every message.
const HeaderLen = 8

// MaxMessage is the longest message the header can declare.
const MaxMessage = 0xffff

// ErrTooLong says that a message would not fit the 16-bit length of its header, or an item that of its own.
var ErrTooLong = errors.New("message longer than 65535 bytes")

// Type is the type of a message (ofp_type, OpenFlow 1.3.5 §7.1).
type Type uint8

// The message types of OpenFlow 1.3.
const (
	TypeHello Type = iota
	TypeError
	TypeEchoRequest
	TypeEchoReply
	TypeExperimenter
	TypeFeaturesRequest
	TypeFeaturesReply
	TypeGetConfigRequest
	TypeGetConfigReply
	TypeSetConfig
	TypePacketIn
	TypeFlowRemoved
	TypePortStatus
	TypePacketOut
	TypeFlowMod
	TypeGroupMod
	TypePortMod
	TypeTableMod
	TypeMultipartRequest
	TypeMultipartReply
	TypeBarrierRequest
	TypeBarrierReply
	TypeQueueGetConfigRequest
	TypeQueueGetConfigReply
	TypeRoleRequest
	TypeRoleReply
	TypeGetAsyncRequest
	TypeGetAsyncReply
	TypeSetAsync
	TypeMeterMod
)

var typeNames = [...]string{
	"HELLO", "ERROR", "ECHO_REQUEST", "ECHO_REPLY", "EXPERIMENTER", "FEATURES_REQUEST", "FEATURES_REPLY",
	"GET_CONFIG_REQUEST", "GET_CONFIG_REPLY", "SET_CONFIG", "PACKET_IN", "FLOW_REMOVED", "PORT_STATUS", "PACKET_OUT",
	"FLOW_MOD", "GROUP_MOD", "PORT_MOD", "TABLE_MOD", "MULTIPART_REQUEST", "MULTIPART_REPLY", "BARRIER_REQUEST",
	"BARRIER_REPLY", "QUEUE_GET_CONFIG_REQUEST", "QUEUE_GET_CONFIG_REPLY", "ROLE_REQUEST", "ROLE_REPLY",
	"GET_ASYNC_REQUEST", "GET_ASYNC_REPLY", "SET_ASYNC", "METER_MOD",
}

// String is the type's name in the specification without OFPT_, or its number.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "TYPE_" + strconv.Itoa(int(t))
}

// Header starts every message (ofp_header).
type Header struct {
	Version uint8
	Type    Type
	Length  uint16 // of the whole message, header included
	XID     uint32
}

// DecodeHeader reads the header at the start of b, which may hold more. A length below HeaderLen is an error.
func DecodeHeader(b []byte) (Header, error) {
	c := NewCursor(b, "header")
	h := Header{Version: c.U8(), Type: Type(c.U8()), Length: c.U16(), XID: c.U32()}
	if c.Err() == nil && h.Length < HeaderLen {
		c.base = 2
		c.Fail(ErrLength)
	}
	return h, c.Err()
}

// AppendHeader appends a header as it is.
func AppendHeader(dst []byte, h Header) []byte {
	return put32(append(dst, h.Version, byte(h.Type), byte(h.Length>>8), byte(h.Length)), h.XID)
}

// AppendMessage appends a whole message made of a header and the body given.
func AppendMessage(dst []byte, t Type, xid uint32, body []byte) ([]byte, error) {
	if HeaderLen+len(body) > MaxMessage {
		return dst, ErrTooLong
	}
	return append(AppendHeader(dst, Header{Version, t, uint16(HeaderLen + len(body)), xid}), body...), nil
}

// begin appends a header whose length finish fills in.
func begin(dst []byte, t Type, xid uint32) []byte {
	return append(dst, Version, byte(t), 0, 0, byte(xid>>24), byte(xid>>16), byte(xid>>8), byte(xid))
}

// finish writes the length of the message that began at start, or takes it back if it is too long.
func finish(dst []byte, start int) ([]byte, error) {
	n := len(dst) - start
	if n > MaxMessage {
		return dst[:start], ErrTooLong
	}
	binary.BigEndian.PutUint16(dst[start+2:], uint16(n))
	return dst, nil
}

// bare appends a message without a body.
func bare(dst []byte, t Type, xid uint32) []byte {
	return AppendHeader(dst, Header{Version, t, HeaderLen, xid})
}
