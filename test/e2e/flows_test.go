package e2e

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// statsOnly are the parts of a line of dump-flows that change by themselves.
var statsOnly = regexp.MustCompile(`(duration=([0-9.]+)s|n_packets=\d+|n_bytes=\d+|idle_age=\d+|hard_age=\d+|reset_counts), `)

var cookieText = regexp.MustCompile(`cookie=(0x[0-9a-f]+)`)

// cookieOf returns the cookie of a flow as Open vSwitch writes it.
func cookieOf(flow string) string {
	m := cookieText.FindStringSubmatch(flow)
	if m == nil {
		return ""
	}
	return m[1]
}

// ages returns how old, in seconds, every flow of Heddle's on a bridge is that the switch did not learn.
// Adding a flow again, also an equal one, makes it young.
func (f *fabric) ages(host, bridge string) map[string]float64 {
	f.t.Helper()
	out := map[string]float64{}
	for _, line := range lines(f.ofctl(host, "dump-flows", bridge)) {
		m := statsOnly.FindStringSubmatch(line)
		if !strings.Contains(line, "cookie=0x5d") || isLearned(line) || m == nil {
			continue
		}
		age, err := strconv.ParseFloat(m[2], 64)
		ok(f.t, err)
		out[statsOnly.ReplaceAllString(line, "")] = age
	}
	return out
}

// bridgesOf are the bridges of hosts that Heddle programs: "cmp1 br-int".
func bridgesOf(hosts ...string) (out [][2]string) {
	for _, h := range hosts {
		out = append(out, [2]string{h, "br-int"}, [2]string{h, "br-tun"})
	}
	return out
}

// untouched records the flows of bridges; the function it returns fails the test for each of them, as
// far as the filter selects it, that was deleted, altered or added again since.
func (f *fabric) untouched(hosts ...string) (check func(t testing.TB, except func(flow string) bool)) {
	f.t.Helper()
	type record struct {
		ages map[string]float64
		at   time.Time // the ages are of this moment or of before
	}
	before := map[[2]string]record{}
	for _, b := range bridgesOf(hosts...) {
		ages := f.ages(b[0], b[1])
		before[b] = record{ages, time.Now()}
	}
	return func(t testing.TB, except func(string) bool) {
		t.Helper()
		const precision = 0.01 // of durations, which are rounded
		for b, old := range before {
			elapsed := time.Since(old.at).Seconds() // at the least: the dump comes after this
			now := f.in(t).ages(b[0], b[1])
			for flow, age := range old.ages {
				if except != nil && except(flow) {
					continue
				}
				if nowAge, there := now[flow]; !there {
					t.Errorf("%s of %s lost %s", b[1], b[0], flow)
				} else if nowAge < age+elapsed-precision {
					t.Errorf("%s of %s: %.3f s old after %.3f s, it was added again: %s", b[1], b[0], nowAge, age+elapsed, flow)
				}
			}
		}
	}
}

// watcher is ovs-ofctl's own flow monitor on a bridge.
type watcher struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// deleted returns what the monitor said of deletions of flows that are Heddle's and not learned.
func (w *watcher) deleted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(lines(w.text.String()), func(line string) bool {
		return !strings.Contains(line, "event=DELETED") || !strings.Contains(line, "cookie=0x5d") || isLearned(line)
	})
}

// watch starts ovs-ofctl monitor on a bridge until the test ends and waits until it has told of what
// is there.
func (f *fabric) watch(host, bridge string) *watcher {
	f.t.Helper()
	w := &watcher{}
	ctx, cancel := context.WithCancel(f.t.Context())
	cmd := f.host(host).Command(ctx, "ovs-ofctl", "-O", "OpenFlow13", "monitor", bridge, "watch:")
	cmd.Stdout, cmd.Stderr = w, w
	ok(f.t, cmd.Start())
	f.t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	eventually(f.t, 5*time.Second, "ovs-ofctl monitors "+bridge+" of "+host, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !strings.Contains(w.text.String(), "event=INITIAL") && !strings.Contains(w.text.String(), "event=ADDED") {
			return fmt.Errorf("it says %q", w.text.String())
		}
		return nil
	})
	return w
}
