package netns

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestWatchersTellWhereAChangeWas: of rules once for a transaction, however much it holds, of settings, and
// of names that go.
func TestWatchersTellWhereAChangeWas(t *testing.T) {
	for name, c := range map[string]struct {
		watch  func(*Host) func(context.Context, func(string)) error
		change string // may be done again and again
		times  int    // it is told; 0: at least once
	}{
		"rules": {func(h *Host) func(context.Context, func(string)) error { return h.WatchRules },
			`ip netns exec qrouter-w nft 'add table inet mine; add set inet mine s { type ipv4_addr; }; flush set inet mine s; add element inet mine s { 10.0.0.1, 10.0.0.2, 10.0.0.3 }'`, 1},
		"settings": {func(h *Host) func(context.Context, func(string)) error { return h.Watch },
			`for v in 0 1; do ip netns exec qrouter-w sysctl -qw net.ipv4.conf.qr-0.forwarding=$v; done`, 0},
		"names": {func(h *Host) func(context.Context, func(string)) error { return h.WatchNames },
			`ip netns add qrouter-w 2>/dev/null; ip netns del qrouter-w`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			ns := router("qrouter-w", 1)
			pass(t, h.Namespace(ns.Name), ns)
			ctx, cancel := context.WithCancel(t.Context())
			names, done := make(chan string, 1000), make(chan error)
			go func() { done <- c.watch(h)(ctx, func(name string) { names <- name }) }()
			// The first changes may come before the watch began.
			limit := time.Now().Add(10 * time.Second)
			for len(names) == 0 {
				if time.Now().After(limit) {
					t.Fatal("nothing is told")
				}
				sh(t, c.change)
				time.Sleep(20 * time.Millisecond)
			}
			for len(names) > 0 {
				<-names
				time.Sleep(20 * time.Millisecond)
			}
			sh(t, c.change)
			select {
			case got := <-names:
				if got != ns.Name {
					t.Errorf("it was in %q", got)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("another change is not told")
			}
			time.Sleep(100 * time.Millisecond) // for what should not come
			if n := 1 + len(names); c.times > 0 && n != c.times {
				t.Errorf("it is told %d times", n)
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
