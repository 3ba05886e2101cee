package maclearn

import (
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

func TestViewFoldsWhatBridgesLearn(t *testing.T) {
	v := New(func() time.Time { return time.Unix(0, 0) })
	b := Bridge{Host: "h1", Name: "br-tun"}
	mac := of.MAC{2, 0, 0, 0, 0, 1}
	steps := []struct {
		name        string
		port        of.PortNo
		news, moved bool
	}{
		{"first_seen", 2, true, false},
		{"seen_again", 2, false, false},
		{"moved", 3, true, true},
	}
	for _, s := range steps {
		if news, moved := v.Learn(b, 5, mac, s.port); news != s.news || moved != s.moved {
			t.Errorf("%s: news %v moved %v, want %v %v", s.name, news, moved, s.news, s.moved)
		}
	}
	if got := v.List(); len(got) != 1 || got[0].Port != 3 || got[0].VLAN != 5 {
		t.Errorf("List = %+v", got)
	}
	if !v.Forget(b, 5, mac) || v.Forget(b, 5, mac) {
		t.Error("forgetting works once")
	}
	v.Learn(b, 5, mac, 2)
	v.Learn(Bridge{Host: "h2", Name: "br-tun"}, 5, mac, 2)
	v.Reset(b)
	if got := v.List(); len(got) != 1 || got[0].Host != "h2" {
		t.Errorf("after Reset of h1: %+v", got)
	}
}
