package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/heddle-sdn/heddle/apps/netns"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// controller is a Source in memory.
type controller struct {
	mu      sync.Mutex
	node    spec.Node
	changed chan struct{}
	status  spec.NodeStatus
	broken  error
	late    time.Duration // of every answer
}

func newController() *controller { return &controller{changed: make(chan struct{})} }

func (c *controller) Spec(ctx context.Context, after uint64) (spec.Node, error) {
	for {
		c.mu.Lock()
		n, changed, broken, late := c.node, c.changed, c.broken, c.late
		c.mu.Unlock()
		time.Sleep(late)
		if broken != nil {
			return spec.Node{}, broken
		}
		if n.Rev != 0 && n.Rev != after {
			n.Namespaces = maps.Clone(n.Namespaces)
			return n, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return spec.Node{}, ctx.Err()
		}
	}
}

func (c *controller) Report(_ context.Context, s spec.NodeStatus) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = s
	return c.broken
}

func (c *controller) want(names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.node.Rev++
	c.node.Host = "gw1"
	c.node.Namespaces = map[string]spec.Namespace{}
	for _, name := range names {
		c.node.Namespaces[name] = spec.Namespace{Name: name, Object: "network/" + name, Rev: c.node.Rev}
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *controller) object(name string) (spec.NodeObject, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.status.Objects[name]
	return o, ok
}

// fakePart remembers what it was asked for.
type fakePart struct {
	name   string
	mu     sync.Mutex
	made   map[string]bool
	failed map[string]error
	block  chan struct{} // if set, Sync waits for it
}

func (p *fakePart) Name() string { return p.name }

func (p *fakePart) Sync(ctx context.Context, want map[string]Wanted) (map[string]error, error) {
	if p.block != nil {
		select {
		case <-p.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.made {
		if _, wanted := want[name]; !wanted {
			delete(p.made, name)
		}
	}
	for name, w := range want {
		if w.Ready {
			if p.made == nil {
				p.made = map[string]bool{}
			}
			p.made[name] = true
		}
	}
	return p.failed, nil
}

func (p *fakePart) has(names ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.made) != len(names) {
		return false
	}
	for _, n := range names {
		if !p.made[n] {
			return false
		}
	}
	return true
}

// run runs an agent until the test ends or the returned function is called.
func run(t *testing.T, c *controller, dir string, parts ...Part) (stop func()) {
	t.Helper()
	nstest.Need(t)
	// Without an Open vSwitch: a host whose database is away still makes namespaces.
	log := logrus.New()
	log.SetOutput(io.Discard)
	entry := logrus.NewEntry(log)
	kernel, err := netns.Open(netns.Config{OVSDB: "unix:/run/none.sock", Log: entry})
	if err != nil {
		t.Fatal(err)
	}
	state, err := OpenStateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- New(Config{Host: "gw1", State: state, Source: c, Kernel: kernel, Parts: parts, Log: entry, Resync: 500 * time.Millisecond, Heartbeat: 200 * time.Millisecond}).Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		kernel.Close()
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(netns.DefaultDir, name))
	return err == nil
}

func TestPartsDoNotDependOnEachOther(t *testing.T) {
	defer goleak.VerifyNone(t)
	c := newController()
	good := &fakePart{name: "dhcp"}
	bad := &fakePart{name: "nft", failed: map[string]error{"qrouter-1": errors.New("syntax error")}}
	hangs := &fakePart{name: "ra", block: make(chan struct{})}
	stop := run(t, c, t.TempDir(), good, bad, hangs)
	defer stop()
	c.want("qrouter-1", "qrouter-2")
	await(t, "the good part", func() bool { return good.has("qrouter-1", "qrouter-2") })
	await(t, "the bad part's error", func() bool {
		o, _ := c.object("qrouter-1")
		return o.Errors["nft"] == "syntax error" && o.Errors["dhcp"] == "" && o.Errors["kernel"] == ""
	})
	if o, _ := c.object("qrouter-2"); o.Errors["nft"] != "" || o.Rev != 0 {
		t.Errorf("the other namespace: %+v; want no error of nft, and no revision while a part hangs", o)
	}
	c.want()
	await(t, "all to be gone", func() bool { return good.has() && !exists("qrouter-1") && !exists("qrouter-2") })
	close(hangs.block)
	stop()
}

func TestWhatMovedWhileTheHostWasDownIsNotMadeAgain(t *testing.T) {
	c := newController()
	dir := t.TempDir()
	stop := run(t, c, dir)
	c.want("qdhcp-moved", "qdhcp-stays")
	await(t, "the namespaces", func() bool { return exists("qdhcp-moved") && exists("qdhcp-stays") })
	stop()
	nstest.IP(t, "netns del qdhcp-moved")
	nstest.IP(t, "netns del qdhcp-stays")
	c.want("qdhcp-stays")
	c.mu.Lock()
	c.late = 500 * time.Millisecond
	c.mu.Unlock()

	part := &fakePart{name: "dhcp"}
	stop = run(t, c, dir, part)
	again := false
	await(t, "what stays", func() bool {
		again = again || exists("qdhcp-moved")
		return part.has("qdhcp-stays")
	})
	if again {
		t.Error("what the controller does not want any more was made from the saved spec")
	}
	stop()

	// Without the controller the saved spec is what there is to go by.
	nstest.IP(t, "netns del qdhcp-stays")
	c.mu.Lock()
	c.broken = errors.New("controller is away")
	c.mu.Unlock()
	stop = run(t, c, dir)
	await(t, "what stays, without the controller", func() bool { return exists("qdhcp-stays") })
	stop()
	nstest.IP(t, "netns del qdhcp-stays")
}

func TestNothingIsTouchedWithoutASpec(t *testing.T) {
	c := newController()
	dir := t.TempDir()
	part := &fakePart{name: "dhcp"}
	stop := run(t, c, dir, part)
	c.want("qdhcp-1")
	await(t, "the namespace", func() bool { return part.has("qdhcp-1") })
	stop()

	// The saved spec is lost, and the controller does not answer.
	if err := os.WriteFile(filepath.Join(dir, specFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.broken = errors.New("controller is away")
	c.mu.Unlock()
	stop = run(t, c, dir, part)
	time.Sleep(700 * time.Millisecond) // longer than a resync
	if !exists("qdhcp-1") || !part.has("qdhcp-1") {
		t.Error("unknown was taken for empty")
	}
	c.mu.Lock()
	c.broken = nil
	c.mu.Unlock()
	c.want()
	await(t, "the controller's word to be done", func() bool { return !exists("qdhcp-1") && part.has() })
	stop()
}

func TestSavedSpecOfAnotherHostIsNotUsed(t *testing.T) {
	c := newController()
	c.broken = errors.New("controller is away")
	dir := t.TempDir()
	state, err := OpenStateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Save(spec.Node{Rev: 7, Host: "gw2", Namespaces: map[string]spec.Namespace{"qdhcp-9": {Name: "qdhcp-9", Object: "network/9"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStateDir(dir); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent on the directory: %v", err)
	}
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}
	stop := run(t, c, dir)
	time.Sleep(200 * time.Millisecond)
	stop()
	if exists("qdhcp-9") {
		t.Error("the namespace of another host was made")
	}
}

// shelf is a target in memory, keyed by namespace.
type shelf struct {
	mu      sync.Mutex
	objects map[string]int
	bad     string
}

func (s *shelf) Actual(context.Context) (map[string]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects), nil
}

func (s *shelf) Apply(_ context.Context, c reconcile.Change[string, int]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range []map[string]int{c.Add, c.Update} {
		for k, v := range m {
			if k == s.bad {
				return errors.New("broken")
			}
			s.objects[k] = v
		}
	}
	for k := range c.Delete {
		delete(s.objects, k)
	}
	return nil
}

func (s *shelf) Equal(a, b int) bool { return a == b }

func TestPartOfATarget(t *testing.T) {
	s := &shelf{objects: map[string]int{"old": 1, "changed": 1, "absent": 1, "same": 5}, bad: "bad"}
	p := FromTarget("mtu", s, 2, func(ns spec.Namespace) (int, bool) { return int(ns.Rev), ns.Rev > 0 })
	want := map[string]Wanted{}
	for name, rev := range map[string]uint64{"changed": 2, "same": 5, "new": 3, "bad": 4, "none": 0} {
		want[name] = Wanted{Namespace: spec.Namespace{Name: name, Rev: rev}, Ready: true}
	}
	want["absent"] = Wanted{Namespace: spec.Namespace{Name: "absent", Rev: 9}} // its namespace is about to come
	failed, err := p.Sync(t.Context(), want)
	if err != nil || len(failed) != 1 || failed["bad"] == nil {
		t.Errorf("failed %v, %v; want one failure", failed, err)
	}
	if want := map[string]int{"changed": 2, "same": 5, "new": 3, "absent": 1}; !maps.Equal(s.objects, want) {
		t.Errorf("have %v, want %v", s.objects, want)
	}
}

func TestHTTPSource(t *testing.T) {
	if os.Getuid() == 0 {
		nstest.IP(t, "link set lo up") // the tests' own machine has it down
	}
	var got []string
	var body string
	answers := map[string]func(http.ResponseWriter){
		"ok":    func(w http.ResponseWriter) { fmt.Fprint(w, `{"rev": 7, "host": "gw 1", "namespaces": {}}`) },
		"same":  func(w http.ResponseWriter) { w.WriteHeader(204) },
		"other": func(w http.ResponseWriter) { fmt.Fprint(w, `{"rev": 7, "host": "gw2"}`) },
		"no":    func(w http.ResponseWriter) { http.Error(w, "not for you", http.StatusForbidden) },
		"junk":  func(w http.ResponseWriter) { fmt.Fprint(w, `<html>`) },
	}
	answer := "ok"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
		got = append(got, r.Method+" "+r.URL.EscapedPath()+" "+r.URL.Query().Get("after")+" "+r.Header.Get("X-Auth-Token"))
		answers[answer](w)
	}))
	defer s.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := NewHTTP(s.URL+"/", "gw 1", token, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if n, err := h.Spec(t.Context(), 3); err != nil || n.Rev != 7 {
		t.Errorf("%+v, %v", n, err)
	}
	for name, want := range map[string]string{"same": ErrUnchanged.Error(), "other": `about "gw2"`, "no": "not for you", "junk": "read answer"} {
		answer = name
		if _, err := h.Spec(t.Context(), 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	answer = "same"
	if err := h.Report(t.Context(), spec.NodeStatus{Rev: 5}); err != nil || !strings.Contains(body, `"rev":5`) {
		t.Errorf("%v, sent %s", err, body)
	}
	lease := spec.Lease{Namespace: "qdhcp-n", IP: netip.MustParseAddr("10.0.0.5")}
	if err := h.ReportLeases(t.Context(), []spec.Lease{lease}); err != nil || !strings.Contains(body, `{"leases":[{"namespace":"qdhcp-n","ip":"10.0.0.5"`) {
		t.Errorf("%v, sent %s", err, body)
	}
	if got[0] != "GET /node/v1/gw%201/spec 3 secret" || got[len(got)-2] != "PUT /node/v1/gw%201/status  secret" || got[len(got)-1] != "PUT /node/v1/gw%201/leases  secret" {
		t.Errorf("requests: %q", got)
	}
	for _, bad := range []string{"", "gw1:9696", "ftp://x", "http://"} {
		if _, err := NewHTTP(bad, "gw1", "", nil); err == nil {
			t.Errorf("URL %q was taken", bad)
		}
	}
}

func TestSpecSurvivesTheDisk(t *testing.T) {
	state, err := OpenStateDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if n, err := state.Load(); n != nil || err != nil {
		t.Errorf("a new directory holds %v, %v", n, err)
	}
	in := spec.Node{Rev: 3, Host: "gw1", Namespaces: map[string]spec.Namespace{"qrouter-1": {Name: "qrouter-1", Object: "router/1",
		Links:  []spec.Link{{Name: "qr-1", MAC: of.MAC{2, 0, 0, 0, 0, 1}, MTU: 1450, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}},
		Routes: []spec.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.9")}, {Destination: netip.MustParsePrefix("10.9.0.0/16"), Link: "qr-1"}}}}}
	if err := state.Save(in); err != nil {
		t.Fatal(err)
	}
	out, err := state.Load()
	if err != nil || out.Rev != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	a, b := in.Namespaces["qrouter-1"], out.Namespaces["qrouter-1"]
	if !same(&a, &b) {
		t.Errorf("saved %+v, read %+v", a, b)
	}
}
