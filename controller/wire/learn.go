package wire

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Bits of NXAST_LEARN's flags and of the head of its specs (OVS's lib/ofp-actions.c, flow_mod_spec).
const (
	learnSendFlowRem   = 1 << 0
	learnDeleteLearned = 1 << 1
	learnWriteResult   = 1 << 2

	specBits      = 0x07ff // how many bits
	specDstShift  = 11
	specImmediate = 1 << 13
)

func appendLearn(dst []byte, a of.Learn) ([]byte, error) {
	start := len(dst)
	second := a.Limit != 0 || a.ResultDst.Bits != 0
	subtype, flags := byte(nxLearn), uint16(0)
	if second {
		subtype = nxLearn2
	}
	if a.SendFlowRem {
		flags |= learnSendFlowRem
	}
	if a.DeleteLearned {
		flags |= learnDeleteLearned
	}
	if a.ResultDst.Bits != 0 {
		flags |= learnWriteResult
	}
	dst = put16(put16(put16(beginNicira(dst, 0, subtype), a.IdleTimeout), a.HardTimeout), a.Priority)
	dst = append(put16(put64(dst, uint64(a.Cookie)), flags), byte(a.Table), 0)
	dst = put16(put16(dst, a.FinIdleTimeout), a.FinHardTimeout)
	if second {
		dst = put16(put16(put32(dst, a.Limit), a.ResultDst.Offset), 0)
	}
	if a.ResultDst.Bits != 0 {
		if err := checkSubfield("learn result", a.ResultDst, 1); err != nil {
			return dst[:start], err
		}
		dst = appendSubHead(dst, a.ResultDst.Field)
	}
	var err error
	for i := range a.Specs {
		if dst, err = appendLearnSpec(dst, &a.Specs[i]); err != nil {
			return dst[:start], err
		}
	}
	return finishAction(dst, start)
}

func appendLearnSpec(dst []byte, s *of.LearnSpec) ([]byte, error) {
	bits := s.Dst.Bits
	if s.Kind == of.LearnOutput {
		bits = s.Src.Bits
	}
	if !s.Immediate {
		if err := checkSubfield("learn", s.Src, 128); err != nil {
			return dst, err
		}
	}
	if s.Kind != of.LearnOutput {
		if err := checkSubfield("learn", s.Dst, 128); err != nil {
			return dst, err
		}
	}
	switch {
	case s.Kind > of.LearnOutput:
		return dst, fmt.Errorf("encode learn: %w: spec of kind %d", ErrAction, s.Kind)
	case s.Kind == of.LearnOutput && s.Immediate:
		return dst, fmt.Errorf("encode learn: %w: output of a fixed number", ErrAction)
	case !s.Immediate && s.Src.Bits != bits:
		return dst, fmt.Errorf("encode learn: %w: %s and %s differ in width", ErrField, s.Src, s.Dst)
	case s.Immediate && s.Value.Len() > int(bits):
		return dst, fmt.Errorf("encode learn: %w: %s does not fit %s", ErrField, s.Value, s.Dst)
	}
	head := bits | uint16(s.Kind)<<specDstShift
	if s.Immediate {
		dst = appendImmediate(put16(dst, head|specImmediate), bits, s.Value)
	} else {
		dst = put16(appendSubHead(put16(dst, head), s.Src.Field), s.Src.Offset)
	}
	if s.Kind != of.LearnOutput {
		dst = put16(appendSubHead(dst, s.Dst.Field), s.Dst.Offset)
	}
	return dst, nil
}

// appendImmediate appends a number in as many whole pairs of bytes as its bits need.
func appendImmediate(dst []byte, bits uint16, v of.Value) []byte {
	for shift := (int(bits)+15)/16*16 - 16; shift >= 0; shift -= 16 {
		dst = put16(dst, uint16(v.Shr(shift).Lo))
	}
	return dst
}

func decodeLearn(c *Cursor, second bool) of.Action {
	a := of.Learn{
		IdleTimeout: c.U16(), HardTimeout: c.U16(), Priority: c.U16(), Cookie: of.Cookie(c.U64()),
	}
	flags := c.U16()
	a.Table = of.TableID(c.U8())
	c.Skip(1)
	a.FinIdleTimeout, a.FinHardTimeout = c.U16(), c.U16()
	if flags>>3 != 0 || !second && flags&learnWriteResult != 0 {
		return nil
	}
	a.SendFlowRem, a.DeleteLearned = flags&learnSendFlowRem != 0, flags&learnDeleteLearned != 0
	if second {
		a.Limit = c.U32()
		offset := c.U16()
		c.Skip(2)
		if flags&learnWriteResult != 0 {
			a.ResultDst = of.Subfield{Field: readField(c), Offset: offset, Bits: 1}
		}
	}
	for c.Len() >= 2 {
		head := c.U16()
		if head == 0 {
			break // padding
		}
		s, ok := decodeLearnSpec(c, head)
		if !ok {
			return nil
		}
		a.Specs = append(a.Specs, s)
	}
	return a
}

func decodeLearnSpec(c *Cursor, head uint16) (s of.LearnSpec, ok bool) {
	bits := head & specBits
	s.Kind = of.LearnKind(head >> specDstShift & 3)
	if s.Immediate = head&specImmediate != 0; s.Immediate {
		b := c.Bytes((int(bits) + 15) / 16 * 2)
		if len(b) > 16 {
			return s, false
		}
		s.Value = readValue(b)
	} else {
		s.Src = of.Subfield{Field: readField(c), Bits: bits}
		s.Src.Offset = c.U16()
	}
	if s.Kind != of.LearnOutput {
		s.Dst = of.Subfield{Field: readField(c), Bits: bits}
		s.Dst.Offset = c.U16()
	}
	return s, c.err == nil && head>>14 == 0
}
