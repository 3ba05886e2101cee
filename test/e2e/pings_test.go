package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// pings are pings that go on, one in 10 ms, while something happens.
type pings struct {
	what string
	stop string // file that ends them
	out  chan string
}

// ping begins to ping from where a command runs.
func ping(t testing.TB, what string, from func(ctx context.Context, name string, args ...string) *exec.Cmd, to netip.Addr) *pings {
	t.Helper()
	p := &pings{what: what, stop: filepath.Join(t.TempDir(), "stop"), out: make(chan string, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := from(ctx, "bash", "-c", fmt.Sprintf(`ping -q -i 0.01 %s & until [ -e %s ]; do sleep 0.05; done; kill -INT $!; wait $!`, to, p.stop))
	go func() {
		defer cancel()
		out, _ := cmd.CombinedOutput() // a ping without answer makes it fail
		p.out <- string(out)
	}()
	return p
}

var pingSummary = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

// end ends them, logs how many were not answered, and fails the test if that were more than allowed.
func (p *pings) end(t testing.TB, allowed int) {
	t.Helper()
	ok(t, os.WriteFile(p.stop, nil, 0o600))
	out := <-p.out
	m := pingSummary.FindStringSubmatch(out)
	if m == nil {
		t.Errorf("%s: ping says %s", p.what, out)
		return
	}
	sent, _ := strconv.Atoi(m[1])
	got, _ := strconv.Atoi(m[2])
	t.Logf("%s: %d of %d pings, one in 10 ms, were lost", p.what, sent-got, sent)
	if sent < 100 || sent-got > allowed {
		t.Errorf("%s: %d of %d pings were lost, %d are allowed", p.what, sent-got, sent, allowed)
	}
}
