package wire

import (
	"encoding/binary"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Hello is the first message of both sides (OpenFlow 1.3.5 §7.5.1).
type Hello struct {
	// Versions is the bitmap of version numbers, bit n for version byte n, if the peer sent one; 0 if not. A peer
	// without a bitmap speaks all versions up to the one in the message's header.
	Versions uint64
}

const helloVersionBitmap = 1

// AppendHello appends a hello that offers the versions in the bitmap: 1<<Version for OpenFlow 1.3 alone. The header
// carries the highest of them.
func AppendHello(dst []byte, xid uint32, versions uint64) []byte {
	start := len(dst)
	dst = begin(dst, TypeHello, xid)
	for v := range 64 {
		if versions>>v&1 != 0 {
			dst[start] = byte(v)
		}
	}
	if versions>>32 != 0 {
		dst = put32(put32(append(dst, 0, helloVersionBitmap, 0, 12), uint32(versions)), uint32(versions>>32))
		dst = pad(dst, 4)
	} else {
		dst = put32(append(dst, 0, helloVersionBitmap, 0, 8), uint32(versions))
	}
	dst, _ = finish(dst, start)
	return dst
}

// DecodeHello reads the body of a hello. Elements it does not know are passed over, and a tail that is no element is
// ignored, as OpenFlow 1.3.5 §7.5.1 asks.
func DecodeHello(body []byte) Hello {
	var h Hello
	for len(body) >= 4 {
		kind, length := binary.BigEndian.Uint16(body), int(binary.BigEndian.Uint16(body[2:]))
		if length < 4 || length > len(body) {
			break
		}
		if kind == helloVersionBitmap {
			for i, word := 0, body[4:length]; len(word) >= 4 && i < 2; i, word = i+1, word[4:] {
				h.Versions |= uint64(binary.BigEndian.Uint32(word)) << (32 * i)
			}
		}
		body = body[min(roundUp8(length), len(body)):]
	}
	return h
}

// Features is what a switch says it is (ofp_switch_features).
type Features struct {
	DPID         of.DPID
	Buffers      uint32
	Tables       uint8
	Auxiliary    uint8 // 0 on the main connection
	Capabilities Capabilities
}

// Capabilities are the bits of ofp_capabilities.
type Capabilities uint32

// Bits of Capabilities.
const (
	CapFlowStats   Capabilities = 1 << 0
	CapTableStats  Capabilities = 1 << 1
	CapPortStats   Capabilities = 1 << 2
	CapGroupStats  Capabilities = 1 << 3
	CapIPReasm     Capabilities = 1 << 5
	CapQueueStats  Capabilities = 1 << 6
	CapPortBlocked Capabilities = 1 << 8
)

// AppendFeaturesRequest appends a whole features request.
func AppendFeaturesRequest(dst []byte, xid uint32) []byte { return bare(dst, TypeFeaturesRequest, xid) }

// DecodeFeatures reads the body of a features reply.
func DecodeFeatures(body []byte) (Features, error) {
	c := NewCursor(body, "features reply")
	f := Features{DPID: of.DPID(c.U64()), Buffers: c.U32(), Tables: c.U8(), Auxiliary: c.U8()}
	c.Skip(2)
	f.Capabilities = Capabilities(c.U32())
	c.Skip(4)
	return f, c.err
}

// AppendFeatures appends a whole features reply.
func AppendFeatures(dst []byte, xid uint32, f Features) []byte {
	start := len(dst)
	dst = append(put32(put64(begin(dst, TypeFeaturesReply, xid), uint64(f.DPID)), f.Buffers), f.Tables, f.Auxiliary, 0, 0)
	dst, _ = finish(put32(put32(dst, uint32(f.Capabilities)), 0), start)
	return dst
}

// AppendEchoRequest appends a whole echo request; the peer sends the data back.
func AppendEchoRequest(dst []byte, xid uint32, data []byte) ([]byte, error) {
	return AppendMessage(dst, TypeEchoRequest, xid, data)
}

// AppendEchoReply appends a whole echo reply to the request with this xid and data.
func AppendEchoReply(dst []byte, xid uint32, data []byte) ([]byte, error) {
	return AppendMessage(dst, TypeEchoReply, xid, data)
}

// AppendBarrierRequest appends a whole barrier request.
func AppendBarrierRequest(dst []byte, xid uint32) []byte { return bare(dst, TypeBarrierRequest, xid) }

// AppendBarrierReply appends a whole barrier reply.
func AppendBarrierReply(dst []byte, xid uint32) []byte { return bare(dst, TypeBarrierReply, xid) }

// Config is how a switch treats fragments and packets for the controller (ofp_switch_config).
type Config struct {
	Flags       uint16 // fragments: 0 normal, 1 drop, 2 reassemble
	MissSendLen uint16 // bytes of a packet that no output says how much to send of
}

// AppendGetConfigRequest appends a whole get-config request.
func AppendGetConfigRequest(dst []byte, xid uint32) []byte {
	return bare(dst, TypeGetConfigRequest, xid)
}

// AppendSetConfig appends a whole set-config.
func AppendSetConfig(dst []byte, xid uint32, c Config) []byte {
	return appendConfig(dst, TypeSetConfig, xid, c)
}

// AppendGetConfigReply appends a whole get-config reply.
func AppendGetConfigReply(dst []byte, xid uint32, c Config) []byte {
	return appendConfig(dst, TypeGetConfigReply, xid, c)
}

func appendConfig(dst []byte, t Type, xid uint32, c Config) []byte {
	start := len(dst)
	dst, _ = finish(put16(put16(begin(dst, t, xid), c.Flags), c.MissSendLen), start)
	return dst
}

// DecodeConfig reads the body of a set-config or get-config reply.
func DecodeConfig(body []byte) (Config, error) {
	c := NewCursor(body, "switch config")
	return Config{Flags: c.U16(), MissSendLen: c.U16()}, c.err
}

// Role is what a controller is to a switch (ofp_controller_role, OpenFlow 1.3.5 §6.3.5).
type Role uint32

// The roles. RoleNoChange asks for the present one.
const (
	RoleNoChange Role = iota
	RoleEqual
	RoleMaster
	RoleSlave
)

// RoleMessage is the body of a role request and of its reply. The switch refuses a master or slave whose generation is
// older than one it has seen; RoleEqual and RoleNoChange do not use it.
type RoleMessage struct {
	Role       Role
	Generation uint64
}

// AppendRoleRequest appends a whole role request.
func AppendRoleRequest(dst []byte, xid uint32, r RoleMessage) []byte {
	return appendRole(dst, TypeRoleRequest, xid, r)
}

// AppendRoleReply appends a whole role reply.
func AppendRoleReply(dst []byte, xid uint32, r RoleMessage) []byte {
	return appendRole(dst, TypeRoleReply, xid, r)
}

func appendRole(dst []byte, t Type, xid uint32, r RoleMessage) []byte {
	start := len(dst)
	dst, _ = finish(put64(pad(put32(begin(dst, t, xid), uint32(r.Role)), 4), r.Generation), start)
	return dst
}

// DecodeRole reads the body of a role request or reply.
func DecodeRole(body []byte) (RoleMessage, error) {
	c := NewCursor(body, "role")
	r := RoleMessage{Role: Role(c.U32())}
	c.Skip(4)
	r.Generation = c.U64()
	return r, c.err
}

// Async says which messages a switch sends unasked, as bits by reason, for a controller that is master or equal and
// for one that is slave (ofp_async_config, OpenFlow 1.3.5 §7.3.10).
type Async struct {
	PacketIn, PacketInSlave       uint32 // bits by PacketInReason
	PortStatus, PortStatusSlave   uint32 // bits by PortReason
	FlowRemoved, FlowRemovedSlave uint32 // bits by RemovedReason
}

// AppendSetAsync appends a whole set-async.
func AppendSetAsync(dst []byte, xid uint32, a Async) []byte {
	start := len(dst)
	dst = begin(dst, TypeSetAsync, xid)
	for _, v := range [...]uint32{a.PacketIn, a.PacketInSlave, a.PortStatus, a.PortStatusSlave, a.FlowRemoved, a.FlowRemovedSlave} {
		dst = put32(dst, v)
	}
	dst, _ = finish(dst, start)
	return dst
}

// DecodeAsync reads the body of a set-async or get-async reply.
func DecodeAsync(body []byte) (Async, error) {
	c := NewCursor(body, "async config")
	a := Async{c.U32(), c.U32(), c.U32(), c.U32(), c.U32(), c.U32()}
	return a, c.err
}
