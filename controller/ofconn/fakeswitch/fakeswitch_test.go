package fakeswitch_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn/fakeswitch"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// The tests of package ofconn hold this switch against a real Open vSwitch.
// Here is what a controller that behaves never sees.

// controller speaks raw bytes to a switch.
type controller struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader
}

func connect(t testing.TB, s *fakeswitch.Switch) *controller {
	t.Helper()
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, theirs) }()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = ours.Close()
	})
	if err := ours.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &controller{t, ours, bufio.NewReader(ours)}
}

func (k *controller) send(raw []byte, err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := k.c.Write(raw); err != nil {
		k.t.Fatal(err)
	}
}

func (k *controller) receive() (wire.Header, []byte, error) {
	head := make([]byte, wire.HeaderLen)
	if _, err := io.ReadFull(k.r, head); err != nil {
		return wire.Header{}, nil, err
	}
	h, err := wire.DecodeHeader(head)
	if err != nil {
		return h, nil, err
	}
	body := make([]byte, int(h.Length)-wire.HeaderLen)
	_, err = io.ReadFull(k.r, body)
	return h, body, err
}

// greet exchanges HELLO.
func (k *controller) greet() {
	k.t.Helper()
	k.send(wire.AppendHello(nil, 1, 1<<wire.Version), nil)
	if h, _, err := k.receive(); err != nil || h.Type != wire.TypeHello {
		k.t.Fatalf("%v, %v instead of HELLO", h, err)
	}
}

// refusal is the error the switch answers with.
func (k *controller) refusal(xid uint32) wire.Error {
	k.t.Helper()
	h, body, err := k.receive()
	if err != nil || h.Type != wire.TypeError || h.XID != xid {
		k.t.Fatalf("%+v, %v instead of an error about %d", h, err, xid)
	}
	e, err := wire.DecodeErrorMessage(body)
	if err != nil {
		k.t.Fatal(err)
	}
	return e
}

func TestHelloMustComeFirst(t *testing.T) {
	k := connect(t, fakeswitch.New(fakeswitch.Options{}))
	if _, _, err := k.receive(); err != nil {
		t.Fatal(err)
	}
	k.send(wire.AppendFeaturesRequest(nil, 5), nil)
	if e := k.refusal(5); e.Name() != "OFPBRC_BAD_TYPE" {
		t.Errorf("error %v", e)
	}
	if _, _, err := k.receive(); err == nil {
		t.Error("the connection goes on")
	}
}

func TestErrorsHoldTheMessageTheyAnswer(t *testing.T) {
	k := connect(t, fakeswitch.New(fakeswitch.Options{}))
	k.greet()
	bad, err := wire.AppendFlowMod(nil, 9, &wire.FlowMod{Flow: of.Flow{Actions: []of.Action{of.Group{ID: 1}}}})
	k.send(bad, err)
	e := k.refusal(9)
	if e.Name() != "OFPBAC_BAD_OUT_GROUP" || !slices.Equal(e.Data, bad[:64]) {
		t.Errorf("%v with data % x", e, e.Data)
	}
}

func TestBundleRules(t *testing.T) {
	const flags = wire.BundleAtomic | wire.BundleOrdered
	control := func(xid, id uint32, step wire.BundleControl, f wire.BundleFlags) []byte {
		return wire.AppendBundleControl(nil, xid, wire.Bundle{ID: id, Control: step, Flags: f})
	}
	for _, c := range []struct {
		name string
		last []byte
		want string
	}{
		{"commit_of_another", control(7, 2, wire.BundleCommit, flags), "OFPBFC_BAD_ID"},
		{"other_flags", control(7, 1, wire.BundleCommit, 0), "OFPBFC_BAD_FLAGS"},
		{"opened_twice", control(7, 1, wire.BundleOpen, flags), "OFPBFC_BUNDLE_EXIST"},
		{"no_such_step", control(7, 1, wire.BundleOpened, flags), "OFPBFC_BAD_TYPE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := connect(t, fakeswitch.New(fakeswitch.Options{}))
			k.greet()
			k.send(control(6, 1, wire.BundleOpen, flags), nil)
			if h, _, err := k.receive(); err != nil || h.XID != 6 || h.Type != wire.TypeExperimenter {
				t.Fatalf("open: %+v, %v", h, err)
			}
			k.send(c.last, nil)
			if e := k.refusal(7); e.Name() != c.want {
				t.Errorf("refused with %v, want %s", e, c.want)
			}
		})
	}
}

func TestModifyAndDeleteMeanWhatTheSpecificationSays(t *testing.T) {
	s := fakeswitch.New(fakeswitch.Options{MaxFlows: 4})
	flow := func(table of.TableID, prio uint16, cookie of.Cookie, port of.PortNo, m ...of.FieldMatch) of.Flow {
		return of.Flow{Table: table, Priority: prio, Cookie: cookie, Match: m, Actions: []of.Action{of.Output{Port: port}}}
	}
	apply := func(cmd wire.Command, f of.Flow) error { return s.Apply(wire.FlowMod{Command: cmd, Flow: f}) }
	for _, f := range []of.Flow{
		flow(1, 5, 0x10, 1, of.VLAN(1)), flow(1, 6, 0x11, 2, of.VLAN(1), of.InPort(3)), flow(1, 7, 0x20, 3, of.VLAN(2)), flow(2, 5, 0x10, 4),
	} {
		if err := apply(wire.Add, f); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, want ...string) {
		t.Helper()
		if got := s.Flows(); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if err := apply(wire.Modify, flow(1, 0, 0x99, 9, of.VLAN(1))); err != nil {
		t.Fatal(err)
	}
	expect("modify covers, and leaves cookie and priority",
		"cookie=0x10, table=1, priority=5,dl_vlan=1 actions=output:9",
		"cookie=0x10, table=2, priority=5 actions=output:4",
		"cookie=0x11, table=1, priority=6,in_port=3,dl_vlan=1 actions=output:9",
		"cookie=0x20, table=1, priority=7,dl_vlan=2 actions=output:3")
	if err := s.Apply(wire.FlowMod{Command: wire.Delete, Flow: of.Flow{Table: of.TableAll, Cookie: 0x10}, CookieMask: 0xf0}); err != nil {
		t.Fatal(err)
	}
	expect("delete by cookie mask", "cookie=0x20, table=1, priority=7,dl_vlan=2 actions=output:3")
	if err := apply(wire.DeleteStrict, flow(1, 8, 0, 3, of.VLAN(2))); err != nil {
		t.Fatal(err)
	}
	expect("strict delete of another priority", "cookie=0x20, table=1, priority=7,dl_vlan=2 actions=output:3")
	if err := s.Apply(wire.FlowMod{Command: wire.Delete, Flow: of.Flow{Table: 1}, OutPort: 3}); err != nil {
		t.Fatal(err)
	}
	expect("delete by port")
	for n := range uint16(4) {
		if err := apply(wire.Add, flow(3, n, 0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	var full wire.Error
	if err := apply(wire.Add, flow(3, 9, 0, 1)); !errors.As(err, &full) || full.Name() != "OFPFMFC_TABLE_FULL" {
		t.Errorf("fifth flow: %v", err)
	}
	s.Restart()
	expect("after a restart")
}

func TestGenerationsAreACircle(t *testing.T) {
	k := connect(t, fakeswitch.New(fakeswitch.Options{}))
	k.greet()
	for _, c := range []struct {
		generation uint64
		stale      bool
	}{{1<<64 - 1, false}, {1, false}, {1<<64 - 1, true}, {1, false}} {
		k.send(wire.AppendRoleRequest(nil, 3, wire.RoleMessage{Role: wire.RoleMaster, Generation: c.generation}), nil)
		h, _, err := k.receive()
		if err != nil || (h.Type == wire.TypeError) != c.stale {
			t.Errorf("generation %#x: %v, %v", c.generation, h.Type, err)
		}
	}
}

func TestHalfAnAnswer(t *testing.T) {
	k := connect(t, fakeswitch.New(fakeswitch.Options{Fault: fakeswitch.On(wire.TypeFeaturesRequest, fakeswitch.Reaction{Half: true})}))
	k.greet()
	k.send(wire.AppendFeaturesRequest(nil, 2), nil)
	if got, err := io.ReadAll(k.r); err != nil || len(got) != 16 {
		t.Errorf("%d bytes of 32, %v", len(got), err)
	}
}
