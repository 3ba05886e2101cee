package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/heddle-sdn/heddle/apps/netns"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// fakePorts writes down what is plugged in, put right and unplugged.
type fakePorts struct {
	done []string
	err  error
}

func (f *fakePorts) Actual(context.Context) (map[string]netns.Port, error) { return nil, nil }
func (f *fakePorts) Equal(a, b netns.Port) bool                            { return a == b }
func (f *fakePorts) Apply(_ context.Context, c reconcile.Change[string, netns.Port]) error {
	for verb, m := range map[string]map[string]netns.Port{"plug": c.Add, "put right": c.Update, "unplug": c.Delete} {
		for _, port := range slices.Sorted(maps.Keys(m)) {
			f.done = append(f.done, verb+" "+port)
		}
	}
	slices.Sort(f.done)
	return f.err
}

func TestPortsAreNotPluggedInBeforeTheirRules(t *testing.T) {
	set := func(names ...string) map[string]netns.Port {
		m := map[string]netns.Port{}
		for _, n := range names {
			m[n] = netns.Port{ID: n}
		}
		return m
	}
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		change  reconcile.Change[string, netns.Port]
		err     error // of plugging
		done    []string
		waiting []string
		failed  error // of port b, or of all
	}{
		"nothing_waits":           {reconcile.Change[string, netns.Port]{Add: set("b", "c")}, nil, []string{"plug b", "plug c"}, nil, nil},
		"one_waits":               {reconcile.Change[string, netns.Port]{Add: set("a", "b")}, nil, []string{"plug b"}, []string{"a"}, nil},
		"all_wait":                {reconcile.Change[string, netns.Port]{Add: set("a")}, nil, nil, []string{"a"}, nil},
		"what_is_there_is_kept":   {reconcile.Change[string, netns.Port]{Update: set("a"), Delete: set("d")}, nil, []string{"put right a", "unplug d"}, nil, nil},
		"one_waits_another_fails": {reconcile.Change[string, netns.Port]{Add: set("a", "b")}, netns.PortErrors{"b": refused}, []string{"plug b"}, []string{"a"}, refused},
		"one_waits_all_fail":      {reconcile.Change[string, netns.Port]{Add: set("a", "b")}, refused, []string{"plug b"}, nil, refused},
	} {
		t.Run(name, func(t *testing.T) {
			inner := &fakePorts{err: c.err}
			before := fmt.Sprint(c.change)
			err := gated{inner, func() map[string]bool { return map[string]bool{"a": true} }}.Apply(t.Context(), c.change)
			if !slices.Equal(inner.done, c.done) {
				t.Errorf("done: %q, want %q", inner.done, c.done)
			}
			var ports netns.PortErrors
			errors.As(err, &ports)
			var waiting []string
			for port, err := range ports {
				if early(err) {
					waiting = append(waiting, port)
				}
			}
			if !slices.Equal(waiting, c.waiting) || c.failed == nil && len(ports) != len(waiting) {
				t.Errorf("waiting: %q, want %q; error %v", waiting, c.waiting, err)
			}
			if c.failed != nil && !errors.Is(err, c.failed) && !errors.Is(ports["b"], c.failed) {
				t.Errorf("error is %v, want %v", err, c.failed)
			}
			if fmt.Sprint(c.change) != before {
				t.Error("what is to be changed was changed itself")
			}
		})
	}
}

func TestRulesAreWaitedForOnce(t *testing.T) {
	r := &Runner{cfg: Config{Rules: "nft"}, parts: []*partLoop{{part: &fakePart{name: "dhcp"}}, {part: &fakePart{name: "nft"}}}}
	if got := r.waiting(); len(got) > 0 {
		t.Errorf("before there is a spec %v wait", got)
	}
	links := func(peer string) []spec.Link { return []spec.Link{{Peer: peer}} }
	r.node = &spec.Node{Namespaces: map[string]spec.Namespace{
		"qrouter-1": {NFT: &spec.NFT{}, Links: links("tap1")}, "qrouter-2": {NFT: &spec.NFT{}, Links: links("tap2")}, "qdhcp-3": {Links: links("tap3")}}}
	for _, p := range r.parts {
		p.state.revs = map[string]uint64{"qrouter-1": 7} // it may be behind by now
	}
	if got := r.waiting(); len(got) != 1 || !got["tap2"] {
		t.Errorf("%v wait, want tap2", got)
	}
}
