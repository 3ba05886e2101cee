package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// pollInterval is how often a condition is looked at.
const pollInterval = 10 * time.Millisecond

// eventually waits until check returns nil and returns how long that took. After the limit the test
// fails with what check said last.
func eventually(t testing.TB, limit time.Duration, what string, check func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		err := check()
		took := time.Since(begin)
		if err == nil {
			return took
		}
		if took > limit {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(pollInterval)
	}
}

// always checks for a while that a condition holds.
func always(t testing.TB, during time.Duration, what string, check func() error) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < during; time.Sleep(pollInterval) {
		if err := check(); err != nil {
			t.Fatalf("%s: after %v: %v", what, time.Since(begin).Round(time.Millisecond), err)
		}
	}
}

// within is a context for one step of a test.
func within(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func netPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantEqual is the error of a value that is not as wanted.
func wantEqual[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}
