package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/event"
)

// follow runs a command that goes on, and returns its lines and how to end it.
func (w *world) follow(args ...string) (lines func() string, end func() int) {
	ctx, cancel := context.WithCancel(w.t.Context())
	out := &sharedText{}
	ended := make(chan int, 1)
	go func() {
		p := &Program{Version: "1.2.0", Environ: func(name string) string { return w.env[name] }, Now: clock}
		root := newRoot(p)
		root.SetArgs(args)
		root.SetOut(out)
		root.SetErr(out)
		code, _ := ExitCode(root.ExecuteContext(ctx))
		ended <- code
	}()
	return out.String, func() int { cancel(); return <-ended }
}

// sharedText is a buffer that one goroutine writes and another reads.
type sharedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *sharedText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sharedText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// eventually waits until a text says something.
func eventually(t *testing.T, text func() string, says string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(text(), says); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never says %q:\n%s", says, text())
		}
	}
}

func TestEventsAreShownAndFollowed(t *testing.T) {
	w := newOffice(t)
	web := strings.TrimSpace(w.must("get", "port", "web", "-o", "jsonpath={.id}"))
	w.events.Append("cmp1", event.PortPlugged{Port: web, Interface: "tapweb", VLAN: 1})
	w.events.Append("cmp2", event.HostDown{Cause: "it was switched off"})
	if out := w.must("events", "--host", "cmp1"); out != "2025-06-01T12:00:00Z  port_plugged       cmp1       interface=tapweb port="+web+" vlan=1\n" {
		t.Errorf("events of cmp1:\n%s", out)
	}
	if out := w.must("events", "--object", "port/web", "--kind", "port_plugged,host_down", "-o", "jsonpath={.items[*].host}"); out != "cmp1\n" {
		t.Errorf("events of web: %s", out)
	}
	if out := w.must("describe", "port", "web"); !strings.Contains(out, "Events\n  2025-06-01T12:00:00Z  port_plugged") {
		t.Errorf("describe shows no events:\n%s", out)
	}
	lines, end := w.follow("events", "--watch", "--kind", "host_down", "-o", "json")
	eventually(t, lines, "it was switched off")
	w.events.Append("cmp1", event.PortPlugged{Port: web})
	w.events.Append("cmp1", event.HostDown{Cause: "a cable"})
	eventually(t, lines, "a cable")
	if code := end(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(lines(), "\n"); n != 2 {
		t.Errorf("two events of the kind, and %d lines:\n%s", n, lines())
	}
	var e map[string]any
	check(t, json.Unmarshal([]byte(strings.Split(lines(), "\n")[1]), &e))
}

func TestWatchEndsWhenTheObjectIsAsWanted(t *testing.T) {
	w := newOffice(t)
	w.must("create", "port", "late", "--network", "blue")
	lines, end := w.follow("watch", "port", "late", "--for", "ACTIVE", "--timeout", "60s")
	eventually(t, lines, "port/late DOWN Bound: NotPlugged")
	w.plug("cmp1", "web", "late")
	w.events.Append("cmp1", event.PortPlugged{Interface: "taplate"})
	eventually(t, lines, "port/late ACTIVE")
	if code := end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for args, code := range map[string]int{
		"watch port late --for ok --timeout 20s":         0,
		"watch port/nothing --for deleted --timeout 20s": 0,
		"watch port late --for DOWN --timeout 10ms":      exitNo,
		"watch port nothing --for ACTIVE":                exitNotFound,
		"watch --for ACTIVE":                             exitUsage,
		"watch lease 10.0.22.9":                          exitUsage,
		"watch ports":                                    exitUsage,
	} {
		if _, errs, got := w.run(strings.Fields(args)...); got != code {
			t.Errorf("heddle %s: exit code %d, want %d: %s", args, got, code, errs)
		}
	}
}

func TestGetWatchShowsWhatChanges(t *testing.T) {
	w := newOffice(t)
	lines, end := w.follow("get", "networks", "--watch")
	eventually(t, lines, "blue")
	w.must("create", "network", "green")
	w.events.Append("", event.Changed{Rev: 99})
	eventually(t, lines, "green")
	w.must("delete", "network", "green")
	w.events.Append("", event.Changed{Rev: 100})
	eventually(t, lines, "deleted")
	if code := end(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(lines(), "blue "); n != 1 {
		t.Errorf("network blue did not change, and is shown %d times:\n%s", n, lines())
	}
}

func TestHistoryShowsWhatFollowed(t *testing.T) {
	w := newOffice(t)
	var asked string
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/history" {
			return false
		}
		asked = r.URL.RawQuery
		_, _ = io.WriteString(rw, `{"changes":[{"rev":42,"time":"2025-06-01T12:00:00Z","request":"req-1","user":"ann",
			"changes":[{"op":"update","object":"port/b1","name":"web","fields":[{"field":"admin_state_up","before":true,"after":false}]}],
			"followed":[{"host":"cmp1","target":"br-tun","added":1,"deleted":2,"ms":3.5,"time":"2025-06-01T12:00:01Z"}]}],"first":1,"last":42}`)
		return true
	}
	out := w.must("history", "port/web", "--user", "ann", "-o", "wide")
	want := "revision 42  2025-06-01T12:00:00Z by ann, request req-1\n  port/web changed\n    admin_state_up: true -> false\n  br-tun on host cmp1: 1 added, 0 updated, 2 deleted in 3.5 ms\n"
	if out != want {
		t.Errorf("history:\n%s\nwant\n%s", out, want)
	}
	if !strings.HasPrefix(asked, "object=port%2F") || !strings.HasSuffix(asked, "&user=ann") {
		t.Errorf("asked ?%s", asked)
	}
}

// The history of an object is there when the object is not any more, by its id.
func TestHistoryOfWhatWasDeleted(t *testing.T) {
	w := newOffice(t)
	id := strings.TrimSpace(w.must("get", "port", "db", "-o", "jsonpath={.id}"))
	if out := w.must("history", "port/db"); !strings.Contains(out, "port/db created") {
		t.Errorf("while it is there:\n%s", out)
	}
	w.must("delete", "pf", strings.TrimSpace(w.must("get", "pf", "-o", "jsonpath={.items[0].id}")))
	w.must("delete", "port", "db")
	if out := w.must("history", "port/"+id); !strings.Contains(out, "deleted") || !strings.Contains(out, "by noauth, request req-") {
		t.Errorf("afterwards:\n%s", out)
	}
	for args, code := range map[string]int{"history port/db": exitNotFound, "history db": exitUsage, "history --since x": exitRefused} {
		if _, errs, got := w.run(strings.Fields(args)...); got != code {
			t.Errorf("heddle %s: exit code %d, want %d: %s", args, got, code, errs)
		}
	}
}

func TestExplainSaysByItsExitCode(t *testing.T) {
	w := newOffice(t)
	for args, code := range map[string]int{
		"explain web db":                       0,
		"explain web port/db --protocol arp":   0,
		"trace web db":                         0,
		"explain web 10.0.22.222":              exitNo,
		"explain host/cmp1/tapweb 10.0.22.207": 0,
		"explain web nothing":                  exitNotFound,
		"explain web network/blue":             exitUsage,
		"explain web":                          exitUsage,
		"explain web db --protocol carrier":    exitRefused,
		"explain web db --rev 100000":          exitRefused,
	} {
		if out, errs, got := w.run(strings.Fields(args)...); got != code {
			t.Errorf("heddle %s: exit code %d, want %d: %s%s", args, got, code, out, errs)
		}
	}
	if err := verdict(object{"verdict": "unknown"}); err == nil || err.(*failure).code != exitUnknown {
		t.Error(err)
	}
	if verdict(object{"verdict": "delivered", "reply": map[string]any{"verdict": "dropped"}}) != error(no) {
		t.Error("a packet whose answer is dropped is no success")
	}
}
