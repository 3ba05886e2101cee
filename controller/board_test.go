package controller

import (
	"errors"
	"testing"

	"github.com/heddle-sdn/heddle/controller/spec"
)

func TestBridgeThatComesToBeNeededIsAsConnectedAsItIs(t *testing.T) {
	b := newBoard(nil, nil)
	needs := func(bridges ...string) *spec.Spec {
		s := &spec.Spec{Needs: map[string]bool{}}
		for _, name := range bridges {
			s.Needs[name] = true
		}
		return s
	}
	b.connected("h1", "br-ex", true)
	b.planned("h1", needs("br-int"), map[string]bool{"br-ex": true})
	b.confirmed("h1", "br-ex", 3, nil) // a pass that was under way
	if h := b.view()["h1"]; len(h.Targets) != 1 {
		t.Errorf("a bridge that is not needed is a target: %+v", h.Targets)
	}
	b.planned("h1", needs("br-int", "br-ex"), map[string]bool{"br-ex": true})
	h := b.view()["h1"]
	if !h.Targets["br-ex"].Connected || h.Targets["br-int"].Connected {
		t.Errorf("%+v", h.Targets)
	}
	b.confirmed("h1", "br-ex", 4, errors.New("no"))
	if h := b.view()["h1"].Targets["br-ex"]; h.Err != "no" || h.ErrSince.IsZero() {
		t.Errorf("%+v", h)
	}
}
