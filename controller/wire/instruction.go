package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Types of instructions (ofp_instruction_type, OpenFlow 1.3.5 §7.2.4).
const (
	insGotoTable     = 1
	insWriteMetadata = 2
	insWriteActions  = 3
	insApplyActions  = 4
	insClearActions  = 5
	insMeter         = 6
)

// Ranks of instructions: the order of execution (OpenFlow 1.3.5 §5.9), in which OVS wants them to stand.
const (
	rankMeter = iota + 1
	rankApply
	rankClear
	rankWrite
	rankMetadata
	rankUnknown
	rankGoto
)

// AppendInstructions appends what a flow does: plain actions gathered into one apply_actions, and the instructions
// among them. Those must stand in OpenFlow's order of execution: Meter, plain actions, ClearActions, WriteActions,
// WriteMetadata, GotoTable, each instruction at most once; anything else is an error, as it is for ovs-ofctl.
func AppendInstructions(dst []byte, actions []of.Action) ([]byte, error) {
	start, rank := len(dst), 0
	for i := 0; i < len(actions); {
		if rank < rankApply {
			apply := len(dst)
			dst = extend(dst, 8)
			next, n, err := appendPlain(dst, actions[i:])
			if err != nil {
				return dst[:start], err
			}
			if n > 0 {
				if len(next)-apply > MaxMessage {
					return dst[:start], ErrTooLong
				}
				binary.BigEndian.PutUint64(next[apply:apply+8], insApplyActions<<48|uint64(len(next)-apply)<<32)
				dst, i, rank = next, i+n, rankApply
				continue
			}
			dst = dst[:apply]
		}
		next, r, err := appendInstruction(dst, actions[i])
		if err == nil && (r < rank || r == rank && r != rankUnknown) {
			err = fmt.Errorf("%w: %s behind %s", ErrAction, actions[i], actions[i-1])
		}
		if err != nil {
			return dst[:start], err
		}
		dst, i, rank = next, i+1, r
	}
	return dst, nil
}

// appendInstruction appends one instruction and gives its rank; for a plain action it appends nothing and gives
// rankApply, which is out of order wherever this is called.
func appendInstruction(dst []byte, action of.Action) ([]byte, int, error) {
	switch a := action.(type) {
	case of.GotoTable:
		return append(dst, 0, insGotoTable, 0, 8, byte(a.Table), 0, 0, 0), rankGoto, nil
	case of.Meter:
		return put32(append(dst, 0, insMeter, 0, 8), uint32(a.ID)), rankMeter, nil
	case of.ClearActions:
		return append(dst, 0, insClearActions, 0, 8, 0, 0, 0, 0), rankClear, nil
	case of.WriteMetadata:
		mask := a.Mask
		if mask == 0 {
			mask = ^uint64(0)
		}
		dst = append(dst, 0, insWriteMetadata, 0, 24, 0, 0, 0, 0)
		return put64(put64(dst, a.Value), mask), rankMetadata, nil
	case of.WriteActions:
		start := len(dst)
		dst, err := AppendActions(append(dst, 0, insWriteActions, 0, 0, 0, 0, 0, 0), a.Actions)
		if err != nil {
			return dst[:start], 0, fmt.Errorf("encode write_actions: %w", err)
		}
		if len(dst)-start > MaxMessage {
			return dst[:start], 0, ErrTooLong
		}
		setLength16(dst, start, 2)
		return dst, rankWrite, nil
	case of.Unknown:
		if a.Instruction {
			dst, err := appendUnknown(dst, a)
			return dst, rankUnknown, err
		}
	}
	return dst, rankApply, nil
}

// DecodeInstructions reads instructions until b ends: the reverse of AppendInstructions. Several apply_actions run
// together; instructions that stand out of order are an error.
func DecodeInstructions(b []byte) ([]of.Action, error) {
	c := NewCursor(b, "instructions")
	return decodeInstructions(&c), c.err
}

func decodeInstructions(c *Cursor) []of.Action {
	var actions []of.Action
	rank := 0
	for c.Len() > 0 {
		raw, at := c.buf, c.base
		kind, length := c.U16(), int(c.U16())
		if c.err == nil && (length < 8 || length%8 != 0) {
			c.Fail(ErrLength)
		}
		body := c.Sub(length-4, "instruction")
		if c.Join(&body); c.err != nil {
			return nil
		}
		if kind == insApplyActions {
			body.Skip(4)
			actions = decodeActions(&body, actions)
		} else {
			actions = append(actions, decodeInstruction(kind, raw[:length], &body))
		}
		if c.Join(&body); c.err != nil {
			return nil
		}
		if r := rankOf(kind); r < rank || r == rank && r != rankUnknown {
			c.base = at
			c.Fail(ErrValue)
			return nil
		} else {
			rank = r
		}
	}
	return actions
}

func rankOf(kind uint16) int {
	switch kind {
	case insMeter:
		return rankMeter
	case insApplyActions:
		return rankApply
	case insClearActions:
		return rankClear
	case insWriteActions:
		return rankWrite
	case insWriteMetadata:
		return rankMetadata
	case insGotoTable:
		return rankGoto
	}
	return rankUnknown
}

func decodeInstruction(kind uint16, raw []byte, c *Cursor) of.Action {
	switch {
	case kind == insGotoTable && len(raw) == 8:
		return of.GotoTable{Table: of.TableID(c.U8())}
	case kind == insMeter && len(raw) == 8:
		return of.Meter{ID: of.MeterID(c.U32())}
	case kind == insClearActions && len(raw) == 8:
		return of.ClearActions{}
	case kind == insWriteMetadata && len(raw) == 24:
		c.Skip(4)
		a := of.WriteMetadata{Value: c.U64(), Mask: c.U64()}
		if a.Mask == 0 {
			break // of.WriteMetadata has no way to say that nothing is written
		}
		if a.Mask == ^uint64(0) {
			a.Mask = 0
		}
		return a
	case kind == insWriteActions:
		c.Skip(4)
		return of.WriteActions{Actions: decodeActions(c, nil)}
	}
	return of.Unknown{Bytes: append([]byte(nil), raw...), Instruction: true}
}
