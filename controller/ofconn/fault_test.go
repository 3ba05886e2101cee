package ofconn_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/ofconn/fakeswitch"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// refusal is an error a switch might give to anything.
var refusal = wire.Error{Type: wire.ErrBadRequest, Code: 5} // OFPBRC_EPERM

// junk is no OpenFlow: version 0 and a length below that of the header.
var junk = []byte{0, 0, 0, 3, 0, 0, 0, 0}

// Whatever goes wrong in a state of the handshake, the connection is given up
// in time, and the next one is judged on its own.
func TestHandshakeFaults(t *testing.T) {
	states := map[string]func(fakeswitch.Reaction) fakeswitch.Fault{
		"S1_hello":      func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.AtMessage(0, r) },
		"S2_features":   func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.On(wire.TypeFeaturesRequest, r) },
		"S3_set_async":  func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.On(wire.TypeSetAsync, r) },
		"S3_set_config": func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.On(wire.TypeSetConfig, r) },
		"S3_barrier":    func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.On(wire.TypeBarrierRequest, r) },
		"S4_port_desc": func(r fakeswitch.Reaction) fakeswitch.Fault {
			return fakeswitch.OnMultipart(wire.MultipartPortDesc, r)
		},
	}
	faults := map[string]fakeswitch.Reaction{
		"close":   {Close: true},
		"garbage": {Send: junk},
		"stall":   {Stall: true},
		"silence": {Ignore: true},
		"half":    {Half: true},
		"refuse":  {Refuse: &refusal},
	}
	// What does no harm: messages without an answer are not missed, and a
	// switch may refuse what it does not know.
	harmless := map[string]bool{
		"S1_hello/silence": true, "S1_hello/refuse": true,
		"S3_set_async/silence": true, "S3_set_async/refuse": true,
		"S3_set_config/silence": true, "S3_set_config/refuse": true,
		"S3_barrier/refuse": true,
	}
	for state, at := range states {
		for fault, reaction := range faults {
			t.Run(state+"/"+fault, func(t *testing.T) {
				t.Parallel()
				log, lines := testLog(t)
				addr, sessions := listen(t, ofconn.Config{Log: log, HandshakeTimeout: 300 * time.Millisecond})
				sw := fakeswitch.New(fakeswitch.Options{Fault: at(reaction)})
				plug(t, sw, addr, false)
				if harmless[state+"/"+fault] {
					receive(t, "session", sessions)
					return
				}
				expectLog(t, lines, "switch rejected")
				if len(sessions) != 0 {
					t.Error("a session came up")
				}
				sw.SetFault(nil)
				plug(t, sw, addr, false)
				receive(t, "session without the fault", sessions)
			})
		}
	}
}

// At every step of a change, every fault leaves all of the old flows or all of
// the new ones, and an error unless the new ones are confirmed.
func TestCommitFaults(t *testing.T) {
	steps := map[string]func(fakeswitch.Reaction) fakeswitch.Fault{
		"open":       func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.OnBundle(wire.BundleOpen, r) },
		"first_flow": func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.OnFlowMod(0, r) },
		"flow_700":   func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.OnFlowMod(700, r) },
		"barrier":    func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.On(wire.TypeBarrierRequest, r) },
		"commit":     func(r fakeswitch.Reaction) fakeswitch.Fault { return fakeswitch.OnBundle(wire.BundleCommit, r) },
	}
	faults := map[string]fakeswitch.Reaction{
		"close":   {Close: true},
		"garbage": {Send: junk},
		"stall":   {Stall: true},
		"half":    {Half: true},
		"silence": {Ignore: true},
		"refuse":  {Refuse: &refusal},
	}
	for step, at := range steps {
		for fault, reaction := range faults {
			t.Run(step+"/"+fault, func(t *testing.T) {
				t.Parallel()
				sw, s := connected(t, fakeswitch.Options{}, ofconn.Config{})
				old := packed(t, 5)
				if err := s.Commit(testContext(t), ofconn.Change{Add: old}); err != nil {
					t.Fatal(err)
				}
				before := sw.Entries()
				sw.SetFault(at(reaction))
				ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
				defer cancel()
				added := packed(t, 1000)[5:]
				err := s.Commit(ctx, ofconn.Change{Add: added, Delete: []of.Key{old[0].Key}})
				after := sw.Entries()
				switch {
				case maps.Equal(before, after):
				case len(after) == 999: // 5 old ones, less one, and 995
					if step != "commit" && step != "barrier" {
						// Silence about a flow is not a fault the controller can see.
						if fault != "silence" {
							t.Errorf("the change was done although %s of %s", fault, step)
						}
					}
				case fault == "silence" && (len(after) == 998 || len(after) == 1000): // an addition or the deletion was ignored
				default:
					t.Fatalf("half a change: %d flows", len(after))
				}
				if err == nil && maps.Equal(before, after) {
					t.Fatal("nothing was done, but there is no error")
				}
				var refused *ofconn.RefusedError
				if fault == "refuse" && step != "barrier" {
					if !errors.As(err, &refused) || !maps.Equal(before, after) {
						t.Fatalf("commit: %v, want a refusal and the old flows", err)
					}
				}
				if refused != nil && step == "flow_700" {
					// Message 0 is the deletion.
					if want := text(added[699]); !refused.Known || refused.Flow.String() != want {
						t.Errorf("refused flow %q, want %q", refused.Flow, want)
					}
				}
				if s.Err() != nil || fault == "stall" {
					return
				}
				// A session that survived is as good as new.
				sw.SetFault(nil)
				if err := s.Commit(testContext(t), ofconn.Change{Add: packed(t, 20)}); err != nil {
					t.Errorf("the next change: %v", err)
				}
			})
		}
	}
}

func TestRefusedDeletionAndPurge(t *testing.T) {
	sw, s := connected(t, fakeswitch.Options{}, ofconn.Config{})
	flows := packed(t, 3)
	if err := s.Commit(testContext(t), ofconn.Change{Add: flows}); err != nil {
		t.Fatal(err)
	}
	for n, known := range []bool{false, true} { // purge first, then deletion
		sw.SetFault(fakeswitch.OnFlowMod(n, fakeswitch.Reaction{Refuse: &refusal}))
		err := s.Commit(testContext(t), ofconn.Change{
			Purge: []ofconn.Purge{{Table: 20, Match: of.Match{of.VLAN(7)}}}, Delete: []of.Key{flows[2].Key},
		})
		var refused *ofconn.RefusedError
		if !errors.As(err, &refused) || refused.Known != known || !errors.Is(err, refusal) {
			t.Fatalf("message %d refused: %v", n, err)
		}
		if k, _, _ := wire.Pack(refused.Flow); known && k != flows[2].Key {
			t.Errorf("refused flow is %v", refused.Flow)
		}
	}
	if len(sw.Entries()) != 3 {
		t.Errorf("%d flows, want all 3", len(sw.Entries()))
	}
}

func TestDumpFaults(t *testing.T) {
	for fault, reaction := range map[string]fakeswitch.Reaction{
		"close": {Close: true}, "garbage": {Send: junk}, "half": {Half: true}, "silence": {Ignore: true}, "refuse": {Refuse: &refusal},
	} {
		t.Run(fault, func(t *testing.T) {
			sw, s := connected(t, fakeswitch.Options{PartSize: 1000}, ofconn.Config{})
			if err := s.Commit(testContext(t), ofconn.Change{Add: packed(t, 100)}); err != nil {
				t.Fatal(err)
			}
			sw.SetFault(fakeswitch.OnMultipart(wire.MultipartFlow, reaction))
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			if flows, err := s.Flows(ctx, of.TableAll, 0, 0); err == nil {
				t.Errorf("a dump of %d flows and no error", len(flows))
			}
		})
	}
}

// REPLY_MORE: a dump in many parts is one dump.
func TestDumpInManyParts(t *testing.T) {
	sw, s := connected(t, fakeswitch.Options{PartSize: 100}, ofconn.Config{})
	flows := packed(t, 500)
	if err := s.Commit(testContext(t), ofconn.Change{Add: flows}); err != nil {
		t.Fatal(err)
	}
	have, err := s.Flows(testContext(t), of.TableAll, 0x5d<<56, 0xff<<56)
	if err != nil {
		t.Fatal(err)
	}
	sameFlows(t, have, flows)
	if none, err := s.Flows(testContext(t), of.TableAll, 0x5e<<56, 0xff<<56); err != nil || len(none) != 0 {
		t.Errorf("%d flows of another owner, %v", len(none), err)
	}
	if len(sw.Entries()) != 500 {
		t.Errorf("%d flows after dumps", len(sw.Entries()))
	}
}

func TestReplyBeyondLimitEndsTheSession(t *testing.T) {
	_, s := connected(t, fakeswitch.Options{PartSize: 1000}, ofconn.Config{MaxReply: 20000})
	if err := s.Commit(testContext(t), ofconn.Change{Add: packed(t, 50)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Flows(testContext(t), of.TableAll, 0, 0); err != nil {
		t.Fatalf("50 flows: %v", err)
	}
	if err := s.Commit(testContext(t), ofconn.Change{Add: packed(t, 500)}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Flows(testContext(t), of.TableAll, 0, 0)
	var broken *ofconn.ProtocolError
	if !errors.As(err, &broken) {
		t.Errorf("500 flows: %v, want a ProtocolError", err)
	}
	receive(t, "end", s.Done())
}

func TestMalformedMessagesEndTheSessionAndSaySo(t *testing.T) {
	message := func(kind wire.Type, xid uint32, body ...byte) []byte {
		m, err := wire.AppendMessage(nil, kind, xid, body)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	old := message(wire.TypeEchoRequest, 1)
	old[0] = 1
	for name, c := range map[string]struct {
		raw []byte
		log string
	}{
		"length_below_header":     {[]byte{4, 2, 0, 7, 0, 0, 0, 1}, "malformed header"},
		"other_version":           {old, "version 0x1"},
		"short_port_status":       {message(wire.TypePortStatus, 0, 1, 2, 3), "malformed PORT_STATUS"},
		"short_error":             {message(wire.TypeError, 0, 9), "body begins 09"},
		"packet_in_without_match": {message(wire.TypePacketIn, 0, make([]byte, 16)...), "malformed PACKET_IN"},
		"monitor_update_length_0": {message(wire.TypeMultipartReply, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0,
			0x4f, 0x4e, 0x46, 0, 0, 0, 0x07, 0x4e, 0, 0, 0, 0), "malformed MULTIPART_REPLY"},
	} {
		t.Run(name, func(t *testing.T) {
			log, lines := testLog(t)
			sw, s := connected(t, fakeswitch.Options{}, ofconn.Config{Log: log})
			sw.Send(c.raw)
			receive(t, "end", s.Done())
			expectLog(t, lines, c.log)
			if err := s.Barrier(testContext(t)); err == nil {
				t.Error("a barrier passed on a session that has ended")
			}
		})
	}
}

func TestUnknownMessagesAreIgnored(t *testing.T) {
	sw, s := connected(t, fakeswitch.Options{}, ofconn.Config{})
	for _, kind := range []wire.Type{99, wire.TypeExperimenter, wire.TypeBarrierReply, wire.TypeHello} {
		m, err := wire.AppendMessage(nil, kind, 4711, make([]byte, 16))
		if err != nil {
			t.Fatal(err)
		}
		sw.Send(m)
	}
	if err := s.Barrier(testContext(t)); err != nil {
		t.Error(err)
	}
}

func TestUnsolicitedErrorIsAnEvent(t *testing.T) {
	ev := newEvents()
	sw, _ := connected(t, fakeswitch.Options{}, ofconn.Config{Handler: ev})
	m, err := wire.AppendErrorMessage(nil, 999999, refusal)
	if err != nil {
		t.Fatal(err)
	}
	sw.Send(m)
	if e := receive(t, "error", ev.errors); !errors.Is(e, refusal) {
		t.Errorf("error %v", e)
	}
}

func TestSilentSwitchIsGivenUp(t *testing.T) {
	cfg := ofconn.Config{EchoInterval: 30 * time.Millisecond, DeadAfter: 200 * time.Millisecond}
	t.Run("answers_nothing", func(t *testing.T) {
		sw, s := connected(t, fakeswitch.Options{}, cfg)
		sw.SetFault(fakeswitch.Always(fakeswitch.Reaction{Ignore: true}))
		receive(t, "end", s.Done())
		if !errors.Is(s.Err(), ofconn.ErrDead) {
			t.Errorf("session ended with %v, want ErrDead", s.Err())
		}
	})
	t.Run("answers_echo", func(t *testing.T) {
		_, s := connected(t, fakeswitch.Options{}, cfg)
		select {
		case <-s.Done():
			t.Errorf("session ended with %v", s.Err())
		case <-time.After(3 * cfg.DeadAfter):
		}
	})
	t.Run("talks_but_does_not_answer_echo", func(t *testing.T) {
		sw, s := connected(t, fakeswitch.Options{}, cfg)
		sw.SetFault(fakeswitch.On(wire.TypeEchoRequest, fakeswitch.Reaction{Ignore: true}))
		for end := time.Now().Add(3 * cfg.DeadAfter); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			sw.SetPort(of.Port{No: 1, Name: "p1"})
		}
		if s.Err() != nil {
			t.Errorf("session ended with %v", s.Err())
		}
	})
}

// A switch may be alive and yet never answer.
func TestRequestWithoutAnswerEndsTheSession(t *testing.T) {
	sw, s := connected(t, fakeswitch.Options{}, ofconn.Config{EchoInterval: 20 * time.Millisecond, AnswerTimeout: 200 * time.Millisecond})
	sw.SetFault(fakeswitch.On(wire.TypeMultipartRequest, fakeswitch.Reaction{Ignore: true}))
	if _, err := s.Flows(testContext(t), of.TableAll, 0, 0); !errors.Is(err, ofconn.ErrNoAnswer) {
		t.Errorf("dump: %v, want ErrNoAnswer", err)
	}
	receive(t, "end", s.Done())
}

func TestSwitchGetsItsEchoBack(t *testing.T) {
	replies := make(chan string, 10)
	sw, _ := connected(t, fakeswitch.Options{}, ofconn.Config{})
	sw.SetFault(func(m fakeswitch.Message) fakeswitch.Reaction {
		if m.Header.Type == wire.TypeEchoReply {
			replies <- fmt.Sprint(m.Header.XID, " ", string(m.Body))
		}
		return fakeswitch.Reaction{}
	})
	m, err := wire.AppendEchoRequest(nil, 77, []byte("are you there"))
	if err != nil {
		t.Fatal(err)
	}
	sw.Send(m)
	if got := receive(t, "echo reply", replies); got != "77 are you there" {
		t.Errorf("echo reply %q", got)
	}
}

// A switch that stops reading in the middle of a large change is closed by the
// write deadline and holds up nobody else.
func TestStalledSwitchDelaysNoOther(t *testing.T) {
	cfg := ofconn.Config{WriteTimeout: 500 * time.Millisecond}
	sw, stalled := connected(t, fakeswitch.Options{}, cfg)
	_, healthy := connected(t, fakeswitch.Options{}, cfg)
	sw.SetFault(fakeswitch.OnFlowMod(10, fakeswitch.Reaction{Stall: true}))
	flows := packed(t, 100000) // more than the kernel's buffers take
	failed := make(chan error, 1)
	go func() { failed <- stalled.Commit(testContext(t), ofconn.Change{Add: flows}) }()
	for range 20 {
		began := time.Now()
		if err := healthy.Commit(testContext(t), ofconn.Change{Add: flows[:100]}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 400*time.Millisecond {
			t.Errorf("a change of 100 flows took %v", took)
		}
	}
	err := receive(t, "end of the stalled change", failed)
	var refused *ofconn.RefusedError
	if err == nil || errors.As(err, &refused) {
		t.Errorf("stalled change: %v", err)
	}
	receive(t, "end of the stalled session", stalled.Done())
	if len(sw.Entries()) != 0 {
		t.Errorf("%d flows of a change that was not committed", len(sw.Entries()))
	}
}
