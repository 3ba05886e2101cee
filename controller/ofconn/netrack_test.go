package ofconn

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/netrack/openflow"
	"github.com/netrack/openflow/ofp"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// Each test in this file shows a bug of github.com/netrack/openflow v0.1.0 that
// this package or package wire works around. A test that fails means that the
// bug is gone, and so may be the workaround. Files and lines are the library's.

// ofp/handshake.go:62: HelloElems.ReadFrom has a value receiver, so what it
// appends is lost. We read hello elements with wire.DecodeHello.
func TestNetrackHelloDecodesNoElements(t *testing.T) {
	body := []byte{0, 1, 0, 8, 0, 0, 0, 1 << wire.Version}
	var hello ofp.Hello
	if _, err := hello.ReadFrom(bytes.NewReader(body)); err != nil {
		t.Fatalf("the library fails now, it used to succeed: %v", err)
	}
	if len(hello.Elements) != 0 {
		t.Errorf("the library decodes %d hello elements: wire.DecodeHello is not needed", len(hello.Elements))
	}
	if wire.DecodeHello(body).Versions != 1<<wire.Version {
		t.Error("wire.DecodeHello does not find the version")
	}
}

// ofp/handshake.go:43: a hello element of unknown type is an error, where
// OpenFlow 1.3.5 §7.5.1 asks to ignore it.
func TestNetrackHelloRefusesUnknownElements(t *testing.T) {
	body := []byte{0, 9, 0, 8, 0, 0, 0, 0, 0, 1, 0, 8, 0, 0, 0, 1 << wire.Version}
	if _, err := new(ofp.Hello).ReadFrom(bytes.NewReader(body)); err == nil {
		t.Error("the library skips unknown hello elements")
	}
	if wire.DecodeHello(body).Versions != 1<<wire.Version {
		t.Error("wire.DecodeHello does not find the version")
	}
}

// net.go:178: Send sets the write deadline after it has written, so a stalled
// peer blocks it for ever. deadlineConn sets it before.
func TestNetrackSetsWriteDeadlineAfterTheWrite(t *testing.T) {
	var calls []string
	c := openflow.NewConn(&spyConn{calls: &calls})
	if err := openflow.Send(c, openflow.NewRequest(openflow.TypeBarrierRequest, nil)); err != nil {
		t.Fatal(err)
	}
	for _, call := range calls {
		if call == "SetWriteDeadline" {
			t.Errorf("the library sets a write deadline by itself now: %v", calls)
		}
	}
	calls = nil
	tr, err := newTransport(&spyConn{calls: &calls}, time.Second, noMetrics{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.write(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if err := tr.flush(); err != nil {
		t.Fatal(err)
	}
	if len(calls) != 2 || calls[0] != "SetWriteDeadline" || calls[1] != "Write" {
		t.Errorf("transport calls %v, want the deadline before the write", calls)
	}
}

// net.go:177: Send leaves the message in the buffer. We use the function
// openflow.Send, or write and flush.
func TestNetrackSendDoesNotFlush(t *testing.T) {
	var calls []string
	c := openflow.NewConn(&spyConn{calls: &calls})
	if err := c.Send(openflow.NewRequest(openflow.TypeBarrierRequest, nil)); err != nil {
		t.Fatal(err)
	}
	if len(calls) != 0 {
		t.Errorf("Conn.Send reaches the connection now: %v", calls)
	}
}

// net.go:67: the interface Conn has no Write although its only implementation
// does. newTransport asserts it, so a change is an error and not a panic.
func TestNetrackConnInterfaceHasNoWrite(t *testing.T) {
	var c openflow.Conn = openflow.NewConn(&spyConn{calls: new([]string)})
	if _, ok := c.(io.Writer); !ok {
		t.Error("the library's connection cannot write raw bytes any more")
	}
}

// request.go:180 with net.go:157: a read deadline in the middle of a message
// loses what was read; the next Receive takes the rest for a header. We never
// read again after an error and set no read deadline on a running session.
func TestNetrackReceiveTimeoutLosesBytes(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _ = ours.Close() }()
	defer func() { _ = theirs.Close() }()
	c := openflow.NewConn(ours)
	go func() { _, _ = theirs.Write([]byte{wire.Version, 2, 0, 16, 0, 0, 0, 1, 9, 9, 9, 9}) }()
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(); err == nil {
		t.Fatal("half a message was received")
	}
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = theirs.Write([]byte{9, 9, 9, 9, wire.Version, 3, 0, 8, 0, 0, 0, 2}) }()
	req, err := c.Receive()
	if err == nil && req.Header.Version == wire.Version {
		t.Errorf("the library resumes after a timeout: %+v", req.Header)
	}
}

// ofp/action.go:640: an experimenter action is read as eight bytes whatever its
// length says, so a dump that holds learn() cannot be decoded. Package wire
// decodes flows.
func TestNetrackExperimenterActionIgnoresItsLength(t *testing.T) {
	// NXAST_RESUBMIT_TABLE to table 20, 16 bytes, then OUTPUT.
	action := []byte{0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 14, 0xff, 0xf8, 20, 0, 0, 0}
	r := bytes.NewReader(action)
	if _, err := new(ofp.ActionExperimenter).ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	if r.Len() != 8 {
		t.Errorf("the library leaves %d bytes of the action, used to leave 8", r.Len())
	}
}

// ofp/action.go:619 and internal/encoding/encoding.go:192: ActionPopPBB lacks
// the methods that the decoder asserts, so one message panics. handle recovers.
func TestNetrackPopPBBPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the library decodes POP_PBB without a panic")
		}
	}()
	var actions ofp.Actions
	_, _ = actions.ReadFrom(bytes.NewReader([]byte{0, 27, 0, 8, 0, 0, 0, 0}))
}

// internal/encoding/encoding.go:152: the result of reflect.Append is dropped,
// so a decoded group has no buckets. Package wire decodes groups.
func TestNetrackGroupDecodesNoBuckets(t *testing.T) {
	want := ofp.GroupMod{Group: 1, Buckets: []ofp.Bucket{{WatchPort: ofp.PortAny, WatchGroup: ofp.GroupAny}}}
	var raw bytes.Buffer
	if _, err := want.WriteTo(&raw); err != nil {
		t.Fatal(err)
	}
	var got ofp.GroupMod
	if _, err := got.ReadFrom(&raw); err != nil {
		t.Fatal(err)
	}
	if len(got.Buckets) != 0 {
		t.Errorf("the library decodes %d buckets", len(got.Buckets))
	}
}

// ofp/match.go:441: a zero Match has type 0, which switches refuse with
// BAD_MATCH; a match of everything must have type 1 (OXM). Package wire writes
// matches.
func TestNetrackZeroMatchIsNotOXM(t *testing.T) {
	var raw bytes.Buffer
	if _, err := new(ofp.Match).WriteTo(&raw); err != nil {
		t.Fatal(err)
	}
	if kind := binary.BigEndian.Uint16(raw.Bytes()); kind != 0 {
		t.Errorf("a zero match is written with type %d", kind)
	}
}

// ofp/switch.go:31: capabilities from IP_REASM on are one bit too low
// (OpenFlow 1.3.5 §7.3.1 has 0x20 and 0x40). We pass the number on as it is.
func TestNetrackCapabilityBitsAreShifted(t *testing.T) {
	if ofp.CapabilityIPReasm != 0x10 || ofp.CapabilityQueueStats != 0x20 {
		t.Error("the library has other capability bits now")
	}
}

// ofp/port.go:316: the NUL padding of names stays in the string. Package wire
// decodes ports.
func TestNetrackPortNameKeepsPadding(t *testing.T) {
	raw := make([]byte, 64)
	copy(raw[16:], "p1")
	var p ofp.Port
	if _, err := p.ReadFrom(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	if p.Name == "p1" {
		t.Error("the library trims port names")
	}
}

// internal/encoding/encoding.go:220: the end of the input in the middle of a
// list is no error. Package wire refuses it.
func TestNetrackAcceptsTruncatedActions(t *testing.T) {
	var actions ofp.Actions
	_, err := actions.ReadFrom(bytes.NewReader([]byte{0, 0, 0, 16, 0, 0, 0, 1}))
	if err != nil && err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if err != nil {
		t.Error("the library refuses half an OUTPUT action")
	}
}

// spyConn records what is called.
type spyConn struct {
	net.Conn
	calls *[]string
}

func (c *spyConn) Write(b []byte) (int, error) {
	*c.calls = append(*c.calls, "Write")
	return len(b), nil
}

func (c *spyConn) SetWriteDeadline(time.Time) error {
	*c.calls = append(*c.calls, "SetWriteDeadline")
	return nil
}

func (c *spyConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }
