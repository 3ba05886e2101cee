package view_test

import (
	"testing"

	"github.com/heddle-sdn/heddle/apps/explain/explaintest"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/view"
)

func TestWhatIsMissingIsSupposed(t *testing.T) {
	w := explaintest.New()
	whole, err := w.Host("cmp1")
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.Absent) != 0 || len(whole.Away) != 0 {
		t.Fatalf("a whole host lacks %v, %v", whole.Absent, whole.Away)
	}
	w.Forget("cmp1", "br-tun", "vxlan-c0000202")
	w.Forget("cmp1", "br-int", "tap11000000-00")
	s, err := w.Host("cmp1")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Absent) != 2 || !s.Absent["br-tun"]["vxlan-c0000202"] || !s.Absent["br-int"]["tap11000000-00"] {
		t.Errorf("absent are %v", s.Absent)
	}
	for bridge := range whole.Ports {
		if got, want := len(s.Spec.Bridges[bridge].Flows()), len(whole.Spec.Bridges[bridge].Flows()); got != want {
			t.Errorf("%s has %d flows, and as a whole one %d", bridge, got, want)
		}
		numbers := map[of.PortNo]string{}
		for name, p := range s.Ports[bridge] {
			if other, twice := numbers[p.No]; twice {
				t.Errorf("%s and %s of %s have one number", name, other, bridge)
			}
			numbers[p.No] = name
		}
	}
	w.Disconnect("cmp1")
	if s, err = w.Host("cmp1"); err != nil {
		t.Fatal(err)
	}
	if len(s.Away) != 3 || len(s.Absent) != 0 {
		t.Errorf("away are %v, absent %v", s.Away, s.Absent)
	}
	if got, want := len(s.Spec.Bridges["br-tun"].Flows()), len(whole.Spec.Bridges["br-tun"].Flows()); got != want {
		t.Errorf("a host that is away would have %d flows on br-tun, want %d", got, want)
	}
}

func TestAPlanThatFitsIsTaken(t *testing.T) {
	w := explaintest.New()
	s, err := w.Host("cmp1")
	if err != nil {
		t.Fatal(err)
	}
	seen := spec.Observed{Ports: s.Ports, Rows: &spec.Rows{Bridges: map[string]bool{"br-ex": true}}}
	again, err := view.Suppose(w.Model, "cmp1", seen, s.Spec, explaintest.Planners()...)
	if err != nil {
		t.Fatal(err)
	}
	if again.Spec != s.Spec {
		t.Error("it is planned anew")
	}
	if _, err := view.Suppose(w.Model, "nowhere", seen, nil, explaintest.Planners()...); err == nil {
		t.Error("a host that is not known is supposed")
	}
}
