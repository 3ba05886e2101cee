package ofconn_test

import (
	"errors"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// ovs-vswitchd dies in the middle of a bundle: the change fails with an error
// that is no refusal, and the session that comes back finds no flow at all.
func TestVswitchdKilledInTheMiddleOfABundle(t *testing.T) {
	o := ovstest.Start(t)
	o.AddBridge("br0")
	log, _ := testLog(t)
	sessions := viaController(t, o, "br0", ofconn.Config{Log: log})
	s := receive(t, "session", sessions)
	if err := s.Commit(testContext(t), ofconn.Change{Add: packed(t, 100)}); err != nil {
		t.Fatal(err)
	}
	flows := packed(t, 200000)
	failed := make(chan error, 1)
	go func() { failed <- s.Commit(testContext(t), ofconn.Change{Add: flows}) }()
	o.KillVswitchd()
	err := receive(t, "end of the change", failed)
	var refused *ofconn.RefusedError
	if err == nil || errors.As(err, &refused) {
		t.Errorf("change: %v, want an error that is no refusal", err)
	}
	receive(t, "end of the session", s.Done())
	o.StartVswitchd()
	s = receive(t, "session after the restart", sessions)
	have, err := s.Flows(testContext(t), of.TableAll, 0, 0)
	if err != nil || len(have) != 0 {
		t.Errorf("%d flows after the restart, %v", len(have), err)
	}
	if err := s.Commit(testContext(t), ofconn.Change{Add: flows[:1000]}); err != nil {
		t.Fatal(err)
	}
}
