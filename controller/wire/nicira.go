package wire

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Subtypes of Nicira's actions (ovs-actions(7) and OVS's lib/ofp-actions.c).
const (
	nxRegMove         = 6
	nxRegLoad         = 7
	nxNote            = 8
	nxResubmitTable   = 14
	nxOutputReg       = 15
	nxLearn           = 16
	nxController      = 20
	nxDecTTLIDs       = 21
	nxOutputReg2      = 32
	nxRegLoad2        = 33
	nxConjunction     = 34
	nxCT              = 35
	nxNAT             = 36
	nxController2     = 37
	nxCTClear         = 43
	nxResubmitTableCT = 44
	nxLearn2          = 45
)

// beginNicira appends the head of a Nicira action with the length given, or 0 for finishAction to fill in.
func beginNicira(dst []byte, length byte, subtype byte) []byte {
	return append(dst, 0xff, 0xff, 0, length, 0, 0, 0x23, 0x20, 0, subtype)
}

// finishAction pads an action to 8 bytes and writes its length.
func finishAction(dst []byte, start int) ([]byte, error) {
	dst = pad8(dst, start)
	if len(dst)-start > MaxMessage {
		return dst[:start], fmt.Errorf("%w: longer than 65535 bytes", ErrAction)
	}
	setLength16(dst, start, 2)
	return dst, nil
}

// appendNicira appends the actions that are Nicira extensions.
func appendNicira(dst []byte, action of.Action) ([]byte, error) {
	switch a := action.(type) {
	case of.Resubmit:
		return appendResubmit(dst, a), nil
	case of.Load:
		if err := checkSubfield("load", a.Dst, 64); err != nil {
			return dst, err
		}
		if rows[a.Dst.Field].subExp != 0 {
			return dst, fmt.Errorf("encode load: %w: %s", ErrField, a.Dst.Field)
		}
		dst = put16(beginNicira(dst, 24, nxRegLoad), offsetBits(a.Dst))
		return put64(put32(dst, rows[a.Dst.Field].sub), a.Value), nil
	case of.RegLoad2:
		if !a.Field.Known() {
			return dst, fmt.Errorf("encode load: %w: %s", ErrField, a.Field)
		}
		return appendRegLoad2(dst, a.Field, a.Value, a.Mask)
	case of.Move:
		return appendMove(dst, a)
	case of.OutputReg:
		return appendOutputReg(dst, a)
	case of.Conjunction:
		dst = append(beginNicira(dst, 16, nxConjunction), a.Clause-1, a.N)
		return put32(dst, a.ID), nil
	case of.Note:
		start := len(dst)
		dst = append(beginNicira(dst, 0, nxNote), a.Data...)
		return finishAction(pad(dst, of.NoteSize(len(a.Data))-len(a.Data)), start)
	case of.Controller:
		return appendController(dst, a)
	case of.CT:
		return appendCT(dst, a)
	case of.NAT:
		return appendNAT(dst, a)
	case of.CTClear:
		return pad(beginNicira(dst, 16, nxCTClear), 6), nil
	case of.Learn:
		return appendLearn(dst, a)
	}
	return dst, fmt.Errorf("%w: %T", ErrAction, action)
}

func appendRegLoad2(dst []byte, f of.Field, v, mask of.Value) ([]byte, error) {
	start := len(dst)
	r := rows[f]
	r.oxm, r.oxmExp = r.sub, r.subExp
	return finishAction(appendTLV(beginNicira(dst, 0, nxRegLoad2), &r, v, mask), start)
}

func appendResubmit(dst []byte, a of.Resubmit) []byte {
	port := port16(a.Port)
	if a.Port == 0 {
		port = port16(of.PortInPort)
	}
	subtype := byte(nxResubmitTable)
	if a.CT {
		subtype = nxResubmitTableCT
	}
	return append(put16(beginNicira(dst, 16, subtype), port), byte(a.Table), 0, 0, 0)
}

// port16 is a port number in the 16 bits of OpenFlow 1.0, whose reserved numbers are the low half of today's.
func port16(p of.PortNo) uint16 { return uint16(p) }

func port32(p uint16) of.PortNo {
	if p >= 0xff00 {
		return of.PortNo(p) | 0xffff0000
	}
	return of.PortNo(p)
}

func appendMove(dst []byte, a of.Move) ([]byte, error) {
	if err := checkSubfield("move", a.Src, 128); err != nil {
		return dst, err
	}
	if err := checkSubfield("move", a.Dst, 128); err != nil {
		return dst, err
	}
	if a.Src.Bits != a.Dst.Bits {
		return dst, fmt.Errorf("encode move: %w: %s and %s differ in width", ErrField, a.Src, a.Dst)
	}
	start := len(dst)
	dst = put16(put16(put16(beginNicira(dst, 0, nxRegMove), a.Dst.Bits), a.Src.Offset), a.Dst.Offset)
	return finishAction(appendSubHead(appendSubHead(dst, a.Src.Field), a.Dst.Field), start)
}

func appendSubHead(dst []byte, f of.Field) []byte {
	dst = put32(dst, rows[f].sub)
	if rows[f].subExp != 0 {
		dst = put32(dst, rows[f].subExp)
	}
	return dst
}

// checkSubfield refuses subfields that do not lie within a field, or are wider than limit.
func checkSubfield(what string, s of.Subfield, limit uint16) error {
	width := uint16(s.Field.Bits())
	if s.Field == of.FieldVLANVID {
		width = 16 // OVS lets Nicira actions see VLANPresent and the bits above it
	}
	if !s.Field.Known() || s.Bits == 0 || s.Bits > limit || s.Offset >= width || s.Bits > width-s.Offset {
		return fmt.Errorf("encode %s: %w: bits %d to %d of %s", what, ErrField, s.Offset, int(s.Offset)+int(s.Bits)-1, s.Field)
	}
	return nil
}

// offsetBits packs a subfield's place as Nicira does: offset above six bits of width minus one.
func offsetBits(s of.Subfield) uint16 { return s.Offset<<6 | (s.Bits - 1) }

func unpackOffsetBits(v uint16, f of.Field) of.Subfield {
	return of.Subfield{Field: f, Offset: v >> 6, Bits: v&0x3f + 1}
}

func appendOutputReg(dst []byte, a of.OutputReg) ([]byte, error) {
	if err := checkSubfield("output", a.Src, 64); err != nil {
		return dst, err
	}
	if rows[a.Src.Field].subExp != 0 {
		start := len(dst)
		dst = put16(put16(beginNicira(dst, 24, nxOutputReg2), offsetBits(a.Src)), a.MaxLen)
		dst = appendSubHead(dst, a.Src.Field)
		return pad(dst, 24-(len(dst)-start)), nil
	}
	dst = put32(put16(beginNicira(dst, 24, nxOutputReg), offsetBits(a.Src)), rows[a.Src.Field].sub)
	return pad(put16(dst, a.MaxLen), 6), nil
}

func appendDecTTLIDs(dst []byte, a of.DecTTL) ([]byte, error) {
	start := len(dst)
	dst = pad(put16(beginNicira(dst, 0, nxDecTTLIDs), uint16(len(a.Controllers))), 4)
	for _, id := range a.Controllers {
		dst = put16(dst, id)
	}
	return finishAction(dst, start)
}

// Properties of NXAST_CONTROLLER2.
const (
	propMaxLen = iota
	propControllerID
	propReason
	propUserdata
	propPause
	propMeterID
)

func appendController(dst []byte, a of.Controller) ([]byte, error) {
	if len(a.Userdata) == 0 && !a.Pause && a.MeterID == 0 {
		dst = put16(put16(beginNicira(dst, 16, nxController), a.MaxLen), a.ID)
		return append(dst, a.Reason, 0), nil
	}
	if len(a.Userdata) > MaxMessage-64 {
		return dst, fmt.Errorf("%w: %d bytes of userdata", ErrAction, len(a.Userdata))
	}
	start := len(dst)
	dst = pad(beginNicira(dst, 0, nxController2), 6)
	if a.MaxLen != of.MaxLenNoBuffer {
		dst = append(dst, 0, propMaxLen, 0, 8, byte(a.MaxLen>>8), byte(a.MaxLen), 0, 0)
	}
	if a.ID != 0 {
		dst = append(dst, 0, propControllerID, 0, 8, byte(a.ID>>8), byte(a.ID), 0, 0)
	}
	if a.Reason != of.ReasonAction {
		dst = append(dst, 0, propReason, 0, 5, a.Reason, 0, 0, 0)
	}
	if n := len(a.Userdata); n != 0 {
		prop := len(dst)
		dst = append(append(dst, 0, propUserdata, byte((4+n)>>8), byte(4+n)), a.Userdata...)
		dst = pad8(dst, prop)
	}
	if a.Pause {
		dst = append(dst, 0, propPause, 0, 4, 0, 0, 0, 0)
	}
	if a.MeterID != 0 {
		dst = put32(append(dst, 0, propMeterID, 0, 8), uint32(a.MeterID))
	}
	return finishAction(dst, start)
}
