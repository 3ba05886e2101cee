package of

// Action is one step of what a flow does to a packet, or one of OpenFlow's instructions. The types of this package
// are all there are; String is the text of ovs-ofctl.
type Action interface {
	String() string
	appendText(dst []byte) []byte
}

// AppendActions appends the list as ovs-ofctl writes it behind "actions=", without "actions=": drop if it is empty.
func AppendActions(dst []byte, actions []Action) []byte {
	if len(actions) == 0 {
		return append(dst, "drop"...)
	}
	for i, a := range actions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.appendText(dst)
	}
	return dst
}

// MaxLenNoBuffer as MaxLen of an output to the controller asks for the whole packet (OpenFlow 1.3.5 §7.2.5).
const MaxLenNoBuffer = 0xffff

// Output sends the packet out of a port.
type Output struct {
	Port   PortNo
	MaxLen uint16 // bytes of the packet for the controller; 0 for other ports
}

// ToController sends the whole packet to the controller as a packet-in.
func ToController() Output { return Output{Port: PortController, MaxLen: MaxLenNoBuffer} }

// OutputReg sends the packet out of the port whose number a field holds.
type OutputReg struct {
	Src    Subfield
	MaxLen uint16 // as in Output
}

// Controller sends the packet to controllers with more choices than an Output to PortController (NXAST_CONTROLLER and
// NXAST_CONTROLLER2, ovs-actions(7)).
type Controller struct {
	MaxLen   uint16
	ID       uint16 // which controllers: those that set this id, 0 unless they asked for another
	Reason   uint8  // of the packet-in: 1 for "action"
	Userdata []byte // handed to the controller as it is
	Pause    bool   // the packet goes on only when the controller resumes it
	MeterID  MeterID
}

// ReasonAction is the reason of a packet-in that an action asked for (OFPR_ACTION).
const ReasonAction = 1

// Group hands the packet to a group.
type Group struct{ ID GroupID }

// SetField writes all bits of a field. OpenFlow 1.3 has no masks here; RegLoad2 and Load write some of the bits.
type SetField struct {
	Field Field
	Value Value
}

// SetTunnel writes the key of the tunnel the packet will leave by.
func SetTunnel(key uint64) SetField { return SetField{Field: FieldTunID, Value: Num(key)} }

// SetVLAN writes the id of the outer tag, 0 to 4095; the packet must have a tag.
func SetVLAN(vid uint16) SetField {
	return SetField{Field: FieldVLANVID, Value: Num(VLANPresent | uint64(vid&0xfff))}
}

// SetEthSrc writes the Ethernet source.
func SetEthSrc(m MAC) SetField { return SetField{Field: FieldEthSrc, Value: m.Value()} }

// SetEthDst writes the Ethernet destination.
func SetEthDst(m MAC) SetField { return SetField{Field: FieldEthDst, Value: m.Value()} }

// SetReg writes register n, 0 to 15.
func SetReg(n int, v uint32) SetField { return SetField{Field: FieldReg(n), Value: Num(uint64(v))} }

// RegLoad2 writes a field, or the bits of it under Mask (NXAST_REG_LOAD2). Its text is that of SetField.
type RegLoad2 struct {
	Field Field
	Value Value
	Mask  Value // zero for all bits
}

// Load writes up to 64 bits into a subfield (NXAST_REG_LOAD).
type Load struct {
	Dst   Subfield
	Value uint64
}

// Move copies bits from one subfield to another of the same number of bits (NXAST_REG_MOVE).
type Move struct{ Src, Dst Subfield }

// PushVLAN puts a new outer tag on the packet.
type PushVLAN struct{ EthType uint16 } // EthTypeVLAN, or 0x88a8

// PopVLAN takes the outer tag off.
type PopVLAN struct{}

// PushMPLS puts a new outer label on the packet.
type PushMPLS struct{ EthType uint16 } // EthTypeMPLS or EthTypeMPLSMulticast

// PopMPLS takes the outer label off; what is below has the type EthType.
type PopMPLS struct{ EthType uint16 }

// SetMPLSTTL writes the time to live of the outer label.
type SetMPLSTTL struct{ TTL uint8 }

// DecMPLSTTL counts down the time to live of the outer label.
type DecMPLSTTL struct{}

// SetTTL writes the IPv4 time to live or IPv6 hop limit.
type SetTTL struct{ TTL uint8 }

// DecTTL counts down the IPv4 time to live or IPv6 hop limit. A packet that reaches zero goes to the controllers with
// these ids, or to those with id 0 if there are none.
type DecTTL struct{ Controllers []uint16 }

// SetQueue chooses the queue of the port the packet will leave by.
type SetQueue struct{ Queue uint32 }

// Resubmit looks the packet up once more and does what that flow says before going on (NXAST_RESUBMIT and kin).
type Resubmit struct {
	Port  PortNo  // the in_port to look up with; 0 and PortInPort for the packet's own
	Table TableID // TableAll for the table the packet is in
	CT    bool    // look up with the addresses of the connection's original direction
}

// Conjunction says that the packet meets clause Clause of N of conjunction ID; when all are met the packet matches
// conj_id=ID. Clauses count from 1, as in the text conjunction(ID,Clause/N).
type Conjunction struct {
	ID     uint32
	Clause uint8
	N      uint8
}

// Note does nothing; its bytes are kept. OVS pads them with zeros to a length of 6 plus a multiple of 8.
type Note struct{ Data []byte }

// Meter is the instruction that drops or remarks packets beyond a rate.
type Meter struct{ ID MeterID }

// ClearActions is the instruction that empties the packet's action set.
type ClearActions struct{}

// WriteActions is the instruction that adds actions to the packet's action set, done when the pipeline ends.
type WriteActions struct{ Actions []Action }

// WriteMetadata is the instruction that sets the bits of metadata under Mask.
type WriteMetadata struct {
	Value uint64
	Mask  uint64 // zero for all bits
}

// GotoTable is the instruction that sends the packet on to a later table.
type GotoTable struct{ Table TableID }

// Unknown is an action or instruction that Heddle has no type for, as the bytes of the wire, type and length
// included. It is written back unchanged.
type Unknown struct {
	Bytes       []byte
	Instruction bool // it is an instruction; otherwise it is an action
}
