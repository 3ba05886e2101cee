package ofconn

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/netrack/openflow"
	"github.com/netrack/openflow/ofp"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// greet is state S1: both sides send HELLO at once, without waiting for the
// other (OpenFlow 1.3.5 §6.3.1). Ours holds a bitmap with the one version we speak.
//
//	peer's HELLO has a bitmap with 1.3    → S2
//	no bitmap, header version ≥ 1.3       → S2; the lower of both versions counts
//	no version in common                  → we send HELLO_FAILED with text, and close
//	ERROR HELLO_FAILED                    → close; its text says what the peer wanted
//	anything else                         → close
//
// The connection's read deadline, set by the caller, is the time limit.
func greet(t *transport) error {
	hello := openflow.NewRequest(openflow.TypeHello, &ofp.Hello{Elements: ofp.HelloElems{
		&ofp.HelloElemVersionBitmap{Bitmaps: []uint32{1 << wire.Version}},
	}})
	if err := openflow.Send(t.conn, hello); err != nil {
		return fmt.Errorf("sending HELLO: %w", writeError(err))
	}
	h, body, err := t.receive()
	if err != nil {
		return fmt.Errorf("waiting for HELLO: %w", readError(err))
	}
	switch h.Type {
	case wire.TypeHello:
	case wire.TypeError:
		e, err := wire.DecodeErrorMessage(body)
		if err != nil {
			return protocolError(h, body, err)
		}
		return fmt.Errorf("%w: the switch says %w", ErrVersion, e)
	default:
		return protocolError(h, body, errors.New("first message is not HELLO"))
	}
	// The library cannot read hello elements (TestNetrackHelloDecodesNoElements).
	offered := versions{bitmap: wire.DecodeHello(body).Versions, header: h.Version}
	if offered.common() {
		return nil
	}
	refuseHello(t, h, offered)
	return fmt.Errorf("%w: the switch offers %v, we speak 1.3", ErrVersion, offered)
}

// refuseHello tells the peer why we close. Whether it arrives is not our concern.
func refuseHello(t *transport, h wire.Header, offered versions) {
	b, err := wire.AppendErrorMessage(nil, h.XID, wire.Error{
		Type: wire.ErrHelloFailed,
		Code: wire.HelloIncompatible,
		Data: fmt.Appendf(nil, "we speak OpenFlow 1.3 only, you offer %v", offered),
	})
	if err != nil {
		return
	}
	// In the peer's own version, if that is older: the layout is the same in all.
	b[0] = min(wire.Version, h.Version)
	if t.write(b) == nil {
		_ = t.flush()
	}
}

// versions are what a peer offers in its HELLO.
type versions struct {
	bitmap uint64 // bit n for version byte n; 0 if there was no bitmap
	header byte   // version of the message itself
}

// common reports whether we can talk: 1.3 is in the bitmap or, without a
// bitmap, the lower of both header versions is 1.3.
func (v versions) common() bool {
	if v.bitmap == 0 {
		return v.header >= wire.Version
	}
	return v.bitmap&(1<<wire.Version) != 0
}

// String lists the versions as people call them: "1.0, 1.4".
func (v versions) String() string {
	if v.bitmap == 0 {
		return versionName(int(v.header)) + " or older"
	}
	var names []string
	for rest := v.bitmap; rest != 0; rest &= rest - 1 {
		names = append(names, versionName(bits.TrailingZeros64(rest)))
	}
	return strings.Join(names, ", ")
}

// versionName turns 0x01 to 0x06 into 1.0 to 1.5.
func versionName(v int) string {
	if v >= 1 && v <= 6 {
		return fmt.Sprintf("1.%d", v-1)
	}
	return fmt.Sprintf("version 0x%02x", v)
}
