package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// program is the heddle that is measured, built once for all benchmarks.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "heddle-bench")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "heddle")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "../../cmd/heddle")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building heddle: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// samples are durations of one thing.
type samples []time.Duration

// median returns the middle one.
func (s samples) median() time.Duration { return s.percentile(50) }

// percentile returns the one that p percent do not exceed.
func (s samples) percentile(p int) time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[(len(sorted)-1)*p/100]
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// await polls until check returns nil and returns how long that took.
func await(b *testing.B, limit time.Duration, what string, check func() error) time.Duration {
	b.Helper()
	begin := time.Now()
	for {
		err := check()
		took := time.Since(begin)
		if err == nil {
			return took
		}
		if took > limit {
			b.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func ok(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func must[T any](b *testing.B) func(T, error) T {
	return func(v T, err error) T {
		b.Helper()
		ok(b, err)
		return v
	}
}
