package wire

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
)

// ErrorType is the class of an error message (ofp_error_type, OpenFlow 1.3.5 §7.4.4).
type ErrorType uint16

// The error types of OpenFlow 1.3, and the ones OVS borrows from 1.4.
const (
	ErrHelloFailed ErrorType = iota
	ErrBadRequest
	ErrBadAction
	ErrBadInstruction
	ErrBadMatch
	ErrFlowModFailed
	ErrGroupModFailed
	ErrPortModFailed
	ErrTableModFailed
	ErrQueueOpFailed
	ErrSwitchConfigFailed
	ErrRoleRequestFailed
	ErrMeterModFailed
	ErrTableFeaturesFailed
	ErrBadProperty
	ErrAsyncConfigFailed
	ErrFlowMonitorFailed
	ErrBundleFailed
	ErrExperimenter ErrorType = 0xffff
)

// Codes of errors that the controller sends or tells apart.
const (
	HelloIncompatible = 0 // of ErrHelloFailed
	BadRequestType    = 1 // of ErrBadRequest
	RoleStale         = 0 // of ErrRoleRequestFailed
)

// Error is an error message. It is a Go error too.
type Error struct {
	Type         ErrorType
	Code         uint16
	Experimenter uint32 // with ErrExperimenter, where Code is the experimenter's own type
	// Data is the start of the message that failed, or a text for ErrHelloFailed. A view of the message.
	Data []byte
}

// DecodeErrorMessage reads the body of an error message.
func DecodeErrorMessage(body []byte) (Error, error) {
	c := NewCursor(body, "error message")
	e := Error{Type: ErrorType(c.U16()), Code: c.U16()}
	if e.Type == ErrExperimenter {
		e.Experimenter = c.U32()
	}
	e.Data = c.Rest()
	return e, c.err
}

// AppendErrorMessage appends a whole error message. The specification asks for at least 64 bytes of the message that
// failed, or all of it, in Data.
func AppendErrorMessage(dst []byte, xid uint32, e Error) ([]byte, error) {
	start := len(dst)
	dst = put16(put16(begin(dst, TypeError, xid), uint16(e.Type)), e.Code)
	if e.Type == ErrExperimenter {
		dst = put32(dst, e.Experimenter)
	}
	return finish(append(dst, e.Data...), start)
}

// Name is OVS's name for the error, such as OFPBAC_BAD_OUT_PORT, or its numbers if it has none.
func (e Error) Name() string {
	if e.Type == ErrExperimenter {
		if e.Experimenter == of.ExperimenterNicira && int(e.Code) < len(niciraErrors) && niciraErrors[e.Code] != "" {
			return niciraErrors[e.Code]
		}
		if n := int(e.Code) - onfBundleErrors; e.Experimenter == of.ExperimenterONF && n >= 0 && n < len(bundleErrors) {
			return "OFPBFC_" + bundleErrors[n]
		}
		return fmt.Sprintf("experimenter 0x%08x type %d", e.Experimenter, e.Code)
	}
	if int(e.Type) < len(errorNames) {
		names := &errorNames[e.Type]
		if int(e.Code) < len(names.codes) && names.codes[e.Code] != "" {
			return names.prefix + names.codes[e.Code]
		}
	}
	return fmt.Sprintf("type %d code %d", e.Type, e.Code)
}

// Error is the name and, as far as the data tells, the message that was refused.
func (e Error) Error() string {
	if e.Type == ErrHelloFailed {
		return fmt.Sprintf("peer refused hello: %s: %q", e.Name(), e.Data)
	}
	if h, err := DecodeHeader(e.Data); err == nil {
		return fmt.Sprintf("switch refused %s with xid %d: %s", h.Type, h.XID, e.Name())
	}
	return "switch answered " + e.Name()
}

// Is makes errors.Is compare by type, code and experimenter and not by data.
func (e Error) Is(target error) bool {
	t, ok := target.(Error)
	return ok && e.Type == t.Type && e.Code == t.Code && e.Experimenter == t.Experimenter
}
