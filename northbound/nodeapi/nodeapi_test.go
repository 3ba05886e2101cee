package nodeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/northbound/identity"
)

// desk is where specs come from and reports go in a test.
type desk struct {
	mu      sync.Mutex
	node    spec.Node
	err     error
	changed chan struct{}
	asked   chan struct{}
	status  map[string]spec.NodeStatus
	leases  []spec.Lease
}

func newDesk() *desk {
	return &desk{node: spec.Node{Rev: 41, Host: "gw1", Namespaces: map[string]spec.Namespace{"qdhcp-1": {Name: "qdhcp-1", Object: "network/1", Rev: 40}}},
		changed: make(chan struct{}), asked: make(chan struct{}, 100), status: map[string]spec.NodeStatus{}}
}

func (d *desk) Spec(host string) (spec.Node, <-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked <- struct{}{}
	if host != "gw1" {
		return spec.Node{}, d.changed, fmt.Errorf("host %q: %w", host, ErrUnknownHost)
	}
	return d.node, d.changed, d.err
}

func (d *desk) set(rev uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.node.Rev, d.err = rev, err
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *desk) Report(host string, s spec.NodeStatus) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if host != "gw1" {
		return ErrUnknownHost
	}
	d.status[host] = s
	return nil
}

func (d *desk) Leases(host string, leases []spec.Lease) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if host != "gw1" {
		return ErrUnknownHost
	}
	d.leases = leases
	return nil
}

func serve(t *testing.T, d *desk, auth identity.Authenticator) *httptest.Server {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	s := httptest.NewServer(New(Config{Specs: d, Reports: d, Auth: auth, Log: logrus.NewEntry(log)}))
	t.Cleanup(s.Close)
	return s
}

func do(t *testing.T, method, url, body, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAnswers(t *testing.T) {
	d := newDesk()
	s := serve(t, d, identity.NoAuth{})
	for name, c := range map[string]struct {
		method, path, body string
		code               int
		want               string
	}{
		"first_request":        {"GET", "/node/v1/gw1/spec", "", 200, `"qdhcp-1"`},
		"another_revision":     {"GET", "/node/v1/gw1/spec?after=40&wait=0", "", 200, `"rev": 41`},
		"a_later_revision":     {"GET", "/node/v1/gw1/spec?after=99&wait=0", "", 200, `"rev": 41`},
		"nothing_new":          {"GET", "/node/v1/gw1/spec?after=41&wait=0", "", 204, ""},
		"unknown_host":         {"GET", "/node/v1/gw9/spec", "", 404, "no such gateway host"},
		"after_is_no_number":   {"GET", "/node/v1/gw1/spec?after=x", "", 400, "not a revision"},
		"wait_is_no_number":    {"GET", "/node/v1/gw1/spec?wait=-1", "", 400, "not a number of seconds"},
		"status":               {"PUT", "/node/v1/gw1/status", `{"rev": 41, "objects": {"qdhcp-1": {"rev": 40, "error": "dhcp: x"}}}`, 204, ""},
		"status_is_no_json":    {"PUT", "/node/v1/gw1/status", "rev=41", 400, "cannot be read"},
		"status_of_wrong_type": {"PUT", "/node/v1/gw1/status", `{"rev": "x"}`, 400, "cannot be read"},
		"status_and_more":      {"PUT", "/node/v1/gw1/status", `{} {}`, 400, "after the status"},
		"status_of_nobody":     {"PUT", "/node/v1/gw9/status", `{}`, 404, "no such gateway host"},
		"leases":               {"PUT", "/node/v1/gw1/leases", `{"leases": [{"namespace": "qdhcp-1", "ip": "10.0.0.5", "expires": "2027-01-15T08:00:00Z"}]}`, 204, ""},
		"leases_of_wrong_type": {"PUT", "/node/v1/gw1/leases", `{"leases": [{"ip": "x"}]}`, 400, "leases cannot be read"},
		"leases_of_nobody":     {"PUT", "/node/v1/gw9/leases", `{}`, 404, "no such gateway host"},
		"wrong_method":         {"POST", "/node/v1/gw1/status", `{}`, 405, "POST is not allowed"},
		"nothing_there":        {"GET", "/node/v1/gw1", "", 404, "nothing at"},
	} {
		code, body := do(t, c.method, s.URL+c.path, c.body, "")
		if code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s; want %d and %q", name, code, body, c.code, c.want)
		}
	}
	if got := d.status["gw1"].Objects["qdhcp-1"]; got.Rev != 40 || got.Error != "dhcp: x" {
		t.Errorf("reported %+v", got)
	}
	if len(d.leases) != 1 || d.leases[0].IP.String() != "10.0.0.5" {
		t.Errorf("leases %+v", d.leases)
	}
}

func TestPollEndsWhenTheSpecChanges(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*desk)
		code   int
	}{
		"new_revision":         {func(d *desk) { d.set(42, nil) }, 200},
		"other_change_then_it": {func(d *desk) { d.set(41, nil); d.set(42, nil) }, 200},
		"known_at_last":        {func(d *desk) { d.set(41, errors.New("not planned yet")); d.set(42, nil) }, 200},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			s := serve(t, d, identity.NoAuth{})
			type result struct {
				code int
				body string
			}
			got := make(chan result)
			go func() {
				code, body := do(t, "GET", s.URL+"/node/v1/gw1/spec?after=41", "", "")
				got <- result{code, body}
			}()
			<-d.asked
			select {
			case r := <-got:
				t.Fatalf("answered at once: %v", r)
			case <-time.After(20 * time.Millisecond):
			}
			c.change(d)
			r := <-got
			var n spec.Node
			if err := json.Unmarshal([]byte(r.body), &n); r.code != c.code || err != nil || n.Rev != 42 {
				t.Errorf("%d %s, %v", r.code, r.body, err)
			}
		})
	}
}

func TestSpecThatIsNotKnownIs503(t *testing.T) {
	d := newDesk()
	d.set(41, errors.New("plan failed"))
	code, body := do(t, "GET", serve(t, d, identity.NoAuth{}).URL+"/node/v1/gw1/spec?wait=0", "", "")
	if code != 503 || !strings.Contains(body, "plan failed") {
		t.Errorf("%d %s", code, body)
	}
}

func TestPollOfAClientThatLeavesEnds(t *testing.T) {
	d := newDesk()
	ctx, cancel := context.WithCancel(t.Context())
	w := httptest.NewRecorder()
	done := make(chan struct{})
	log := logrus.NewEntry(logrus.New())
	go func() {
		defer close(done)
		New(Config{Specs: d, Reports: d, Auth: identity.NoAuth{}, Log: log}).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/node/v1/gw1/spec?after=41", nil))
	}()
	<-d.asked
	cancel()
	<-done
	if w.Body.Len() != 0 {
		t.Errorf("answered nobody with %s", w.Body)
	}
}

func TestAgentsTokenIsGoodForItsHostOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(`
- {token: one, user: gw1, project_id: p, roles: [agent]}
- {token: two, user: gw2, project_id: p, roles: [agent]}
- {token: member, user: gw1, project_id: p, roles: [member]}
- {token: root, user: admin, project_id: p, roles: [admin]}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := identity.OpenTokens(path, logrus.NewEntry(logrus.New()))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, newDesk(), tokens)
	for token, want := range map[string]int{"one": 200, "two": 403, "member": 403, "root": 200, "none": 401, "": 401} {
		if code, _ := do(t, "GET", s.URL+"/node/v1/gw1/spec", "", token); code != want {
			t.Errorf("spec with token %q: %d, want %d", token, code, want)
		}
		if want == 200 {
			want = 204
		}
		if code, _ := do(t, "PUT", s.URL+"/node/v1/gw1/status", "{}", token); code != want {
			t.Errorf("status with token %q: %d, want %d", token, code, want)
		}
	}
}
