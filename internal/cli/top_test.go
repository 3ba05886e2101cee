package cli

import (
	"strings"
	"testing"
	"time"
)

func TestTopShowsWhatCarriesMost(t *testing.T) {
	at := time.Unix(1000, 0)
	before := sample{at, map[string]counters{"a": {[]string{"a"}, 10, 1000}, "b": {[]string{"b"}, 10, 1000}, "again": {[]string{"again"}, 500, 5000}}}
	now := sample{at.Add(2 * time.Second), map[string]counters{"a": {[]string{"a"}, 20, 1500}, "b": {[]string{"b"}, 10, 201000}, "again": {[]string{"again"}, 5, 50}, "new": {[]string{"new"}, 9, 9}}}
	got := rates(before, now)
	if len(got) != 2 || got[0].row[0] != "b" || got[0].bits != 800000 || got[1].packets != 5 {
		t.Errorf("%+v", got)
	}
	for n, want := range map[float64]string{0: "0", 5: "5", 12.34: "12.3", 999: "999", 1500: "1.5k", 2.5e6: "2.5M", 123.4e9: "123G", 5e13: "50.0T"} {
		if got := short(n); got != want {
			t.Errorf("%v is %s, want %s", n, got, want)
		}
	}
}

func TestTop(t *testing.T) {
	w := newOffice(t)
	out := w.must("top", "--interval", "10ms", "--host", "cmp1")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "FROM  TO    TYPE   INTERFACE       PACKETS/S  BITS/S") {
		t.Errorf("tunnels of cmp1:\n%s", out)
	}
	if out := w.must("top", "ports", "--interval", "1ms", "-o", "jsonpath={.items[*].port}"); out != "port/db port/web\n" && !strings.Contains(out, "port/web") {
		t.Errorf("ports: %s", out)
	}
	if out := w.must("top", "flows", "--interval", "1ms", "--host", "cmp1", "--bridge", "br-tun", "--limit", "3"); strings.Count(out, "\n") != 4 {
		t.Errorf("three flows:\n%s", out)
	}
	for args, code := range map[string]int{"top cats": exitUsage, "top --interval 0s": exitUsage, "top flows --host cmp9": exitNotFound} {
		if _, _, got := w.run(strings.Fields(args)...); got != code {
			t.Errorf("heddle %s: exit code %d, want %d", args, got, code)
		}
	}
}
