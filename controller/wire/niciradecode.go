package wire

import (
	"github.com/heddle-sdn/heddle/controller/of"
)

// decodeNicira reads a Nicira action behind its experimenter id. It gives nil for what package of has no type for.
func decodeNicira(c Cursor) of.Action {
	var a of.Action
	switch c.U16() {
	case nxResubmitTable:
		a = of.Resubmit{Port: resubmitPort(c.U16()), Table: of.TableID(c.U8())}
	case nxResubmitTableCT:
		a = of.Resubmit{Port: resubmitPort(c.U16()), Table: of.TableID(c.U8()), CT: true}
	case nxRegLoad:
		place := c.U16()
		a = of.Load{Dst: unpackOffsetBits(place, readField(&c)), Value: c.U64()}
	case nxRegLoad2:
		if f := decodeTLV(&c); f.Field.Known() {
			a = of.RegLoad2{Field: f.Field, Value: f.Value, Mask: f.Mask}
		}
	case nxRegMove:
		bits, src, dst := c.U16(), c.U16(), c.U16()
		a = of.Move{
			Src: of.Subfield{Field: readField(&c), Offset: src, Bits: bits},
			Dst: of.Subfield{Field: readField(&c), Offset: dst, Bits: bits},
		}
	case nxOutputReg:
		place := c.U16()
		a = of.OutputReg{Src: unpackOffsetBits(place, readField(&c)), MaxLen: c.U16()}
	case nxOutputReg2:
		place, maxLen := c.U16(), c.U16()
		a = of.OutputReg{Src: unpackOffsetBits(place, readField(&c)), MaxLen: maxLen}
	case nxConjunction:
		clause, n := c.U8(), c.U8()
		a = of.Conjunction{Clause: clause + 1, N: n, ID: c.U32()}
	case nxNote:
		a = of.Note{Data: append([]byte(nil), c.Rest()...)}
	case nxDecTTLIDs:
		a = decodeDecTTLIDs(&c)
	case nxController:
		a = of.Controller{MaxLen: c.U16(), ID: c.U16(), Reason: c.U8()}
	case nxController2:
		a = decodeController2(&c)
	case nxCT:
		a = decodeCT(&c)
	case nxNAT:
		a = decodeNAT(&c)
	case nxCTClear:
		a = of.CTClear{}
	case nxLearn:
		a = decodeLearn(&c, false)
	case nxLearn2:
		a = decodeLearn(&c, true)
	}
	if c.err != nil {
		return nil
	}
	return a
}

func resubmitPort(p uint16) of.PortNo {
	if port := port32(p); port != of.PortInPort {
		return port
	}
	return 0
}

// readField reads the header of a TLV without its payload, as Nicira actions name a field.
func readField(c *Cursor) of.Field {
	header, exp := c.U32(), uint32(0)
	if header>>16 == of.ClassExperimenter {
		exp = c.U32()
	}
	f := fieldOf(header, exp)
	if header != rows[f].oxm && header != rows[f].sub {
		return of.FieldUnknown // masked, or of another width
	}
	return f
}

func decodeDecTTLIDs(c *Cursor) of.Action {
	n := int(c.U16())
	c.Skip(4)
	if n == 0 || 2*n > c.Len() {
		return nil
	}
	ids := make([]uint16, n)
	for i := range ids {
		ids[i] = c.U16()
	}
	return of.DecTTL{Controllers: ids}
}

func decodeController2(c *Cursor) of.Action {
	a := of.Controller{MaxLen: of.MaxLenNoBuffer, Reason: of.ReasonAction}
	c.Skip(6)
	for c.Len() > 0 {
		kind, length := c.U16(), int(c.U16())
		if length < 4 {
			return nil
		}
		prop := c.Sub(length-4, "controller property")
		c.Skip(min(-length&7, c.Len()))
		switch kind {
		case propMaxLen:
			a.MaxLen = prop.U16()
		case propControllerID:
			a.ID = prop.U16()
		case propReason:
			a.Reason = prop.U8()
		case propUserdata:
			a.Userdata = append([]byte(nil), prop.Rest()...)
		case propPause:
			a.Pause = true
		case propMeterID:
			a.MeterID = of.MeterID(prop.U32())
		default:
			return nil
		}
		if prop.err != nil {
			return nil
		}
	}
	return a
}
