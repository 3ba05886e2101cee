package plan_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller/difference"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/northbound/neutron"
	"github.com/heddle-sdn/heddle/northbound/plan"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/bolt"
	"github.com/heddle-sdn/heddle/store/model"
)

// idle is a fabric of one host, on which something changes whenever the model does.
type idle struct{}

func (idle) Preview(before, after *model.Model) difference.Fabric {
	if before == after {
		return difference.Fabric{}
	}
	return difference.Fabric{Hosts: []difference.Host{{Host: "h1", Diff: []difference.Item{{Where: "br-int", Op: difference.Add, Text: "flow"}}}},
		Unplanned: []difference.Unplanned{{Host: "h2", Cause: "away"}}}
}

func (idle) PortStatus(*model.Model, *model.Port) string             { return "DOWN" }
func (idle) NetworkStatus(*model.Model, *model.Network) string       { return "ACTIVE" }
func (idle) RouterStatus(*model.Model, *model.Router) string         { return "ACTIVE" }
func (idle) FloatingIPStatus(*model.Model, *model.FloatingIP) string { return "DOWN" }
func (idle) Agent(string, neutron.AgentType) neutron.AgentState      { return neutron.AgentState{} }

// byToken takes the token for the user; root is an administrator, others are of the project "acme".
type byToken struct{}

func (byToken) Authenticate(r *http.Request) (identity.Identity, error) {
	user := r.Header.Get("X-Auth-Token")
	return identity.Identity{User: user, Project: "acme", Roles: []string{"member"}, Admin: user == "root"}, nil
}

// world is the Networking API with plans.
type world struct {
	t     *testing.T
	store *store.Store
	plans *plan.Plans
	api   http.Handler
	now   time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	backend, err := bolt.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), backend, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	ops, err := l2.New(l2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	w := &world{t: t, store: st, now: time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)}
	w.plans = plan.New(plan.Config{Store: st, Fabric: idle{}, Now: func() time.Time { return w.now }})
	api := neutron.New(neutron.Config{Store: plan.Drafts{Store: st}, L2: ops, Routers: router.New(ops), NAT: nat.New(ops), Auth: byToken{}, Status: idle{},
		Log: logrus.NewEntry(log), Around: w.plans.Around(neutron.Refuse)})
	w.plans.Show(api.Attributes)
	w.api = api
	return w
}

// send makes a request as a user and returns the answer's code and body.
func (w *world) send(user, method, path, body string, headers ...string) (int, string) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("X-Auth-Token", user)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// planned sends a request that is to be planned.
func (w *world) planned(user, method, path, body string) plan.View {
	w.t.Helper()
	code, text := w.send(user, method, path, body, plan.Header, "true")
	var got struct{ Plan plan.View }
	if err := json.Unmarshal([]byte(text), &got); code != 200 || err != nil {
		w.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	return got.Plan
}

func who(user string) identity.Identity {
	return identity.Identity{User: user, Project: "acme", Roles: []string{"member"}, Admin: user == "root"}
}

func TestPlanIsAppliedAsItWasShown(t *testing.T) {
	w := newWorld(t)
	v := w.planned("ann", "POST", "/v2.0/networks", `{"network":{"name":"blue"}}`)
	if w.store.Snapshot().Rev != 0 {
		t.Fatal("the plan changed the store")
	}
	var made struct{ Network struct{ ID model.ID } }
	if err := json.Unmarshal(v.Result, &made); err != nil || v.Status != 201 || len(v.Changes) != 1 || v.Changes[0].Object != "network/"+string(made.Network.ID) {
		t.Fatalf("plan %+v", v)
	}
	w.now = w.now.Add(time.Minute)
	ctx := store.WithCause(t.Context(), store.Cause{Request: "req-apply", User: "root"})
	_, applied, err := w.plans.Apply(ctx, who("root"), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	n, ok := w.store.Snapshot().Networks.Get(made.Network.ID)
	if !ok || applied.Rev != 1 || n.Rev != 1 || n.Name != "blue" || n.Project != "acme" {
		t.Fatalf("applied %+v, network %+v", applied, n)
	}
	// Who applies it did it, at the time when it was done.
	if n.Request != "req-apply" || n.User != "root" || !n.Created.Equal(applied.At) || !n.Updated.Equal(applied.At) {
		t.Errorf("network made by %s (%s) at %v", n.User, n.Request, n.Created)
	}
	if changes, _ := w.store.ChangesSince(0); len(changes) != 1 || changes[0].Cause.User != "root" {
		t.Errorf("changes %+v", changes)
	}
	if _, _, err := w.plans.Apply(ctx, who("root"), v.ID); err != plan.ErrNotFound {
		t.Errorf("applied twice: %v", err)
	}
}

func TestProjectIsNotToldOfHosts(t *testing.T) {
	w := newWorld(t)
	const body = `{"network":{"name":"blue","project_id":"acme"}}`
	if v := w.planned("ann", "POST", "/v2.0/networks", body); len(v.Hosts)+len(v.Unplanned) != 0 || v.Summary.Hosts != 0 || v.Summary.Objects != 1 {
		t.Errorf("a project's plan: %+v", v)
	}
	if v := w.planned("root", "POST", "/v2.0/networks", body); len(v.Hosts) != 1 || len(v.Unplanned) != 1 || v.Summary.Hosts != 1 || v.Summary.Add != 1 {
		t.Errorf("an administrator's: %+v", v)
	}
	all, own, other := w.plans.List(who("root")), w.plans.List(who("ann")), w.plans.List(who("bob"))
	if len(all) != 2 || len(own) != 1 || len(other) != 0 || all[1].ID != own[0].ID {
		t.Errorf("plans: %d of all, %d of ann, %d of bob", len(all), len(own), len(other))
	}
	// What a project may not see of an object it does not see in plans either.
	for _, f := range own[0].Changes[0].Fields {
		if strings.HasPrefix(f.Field, "provider:") {
			t.Errorf("a project is shown %s", f.Field)
		}
	}
}

func TestRequestThatIsRefusedIsNoPlan(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/v2.0/networks?plan=true", `{"network":{"nome":"x"}}`, "Unrecognized attribute(s) 'nome'"},
		{"DELETE", "/v2.0/networks/none?plan=true", "", "Network none could not be found."},
		{"POST", "/v2.0/networks?plan=si", `{"network":{}}`, "it is neither"},
		{"POST", "/v2.0/networks?plan=", `{"network":{}}`, "it is neither"},
		{"POST", "/v2.0/networks?plan=false&plan=nein", `{"network":{}}`, "it is neither"},
	} {
		code, body := w.send("ann", c.method, c.path, c.body)
		if code < 400 || !strings.Contains(body, c.want) || !strings.HasPrefix(body, `{"NeutronError"`) {
			t.Errorf("%s %s: %d %s, want %q", c.method, c.path, code, body, c.want)
		}
	}
	if code, _ := w.send("ann", "POST", "/v2.0/networks?plan=false", `{"network":{}}`); code != 201 {
		t.Errorf("plan=false: %d", code)
	}
	if n := len(w.plans.List(who("root"))); n != 0 || w.store.Snapshot().Rev != 1 {
		t.Errorf("%d plans, revision %d", n, w.store.Snapshot().Rev)
	}
}

func TestPlanIsRefusedOnceAnythingChanged(t *testing.T) {
	w := newWorld(t)
	v := w.planned("ann", "POST", "/v2.0/networks", `{"network":{"name":"blue"}}`)
	for i := range 7 {
		w.send("root", "POST", "/v2.0/networks", fmt.Sprintf(`{"network":{"name":"n%d","project_id":%q}}`, i, []string{"acme", "other"}[i%2]))
	}
	_, _, err := w.plans.Apply(t.Context(), who("ann"), v.ID)
	moved, ok := err.(*plan.MovedError)
	if !ok || moved.Planned != 0 || moved.Rev != 7 || len(moved.Since) != 4 || !strings.Contains(moved.Error(), "by root (req-") {
		t.Errorf("to ann: %v", err)
	}
	_, _, err = w.plans.Apply(t.Context(), who("root"), v.ID)
	if moved, ok = err.(*plan.MovedError); !ok || len(moved.Since) != 6 || moved.Since[5] != "and 2 changes more" {
		t.Errorf("to root: %v", err)
	}
	if w.store.Snapshot().Rev != 7 {
		t.Errorf("revision %d", w.store.Snapshot().Rev)
	}
}

func TestPlansAreBounded(t *testing.T) {
	w := newWorld(t)
	first := w.planned("ann", "POST", "/v2.0/networks", `{"network":{}}`)
	for range 256 {
		w.planned("ann", "POST", "/v2.0/networks", `{"network":{}}`)
	}
	if _, err := w.plans.Get(who("ann"), first.ID); err != plan.ErrNotFound || len(w.plans.List(who("ann"))) != 256 {
		t.Errorf("%d plans are kept, the first: %v", len(w.plans.List(who("ann"))), err)
	}
	w.now = w.now.Add(plan.Keep)
	if n := len(w.plans.List(who("root"))); n != 0 {
		t.Errorf("%d plans a quarter of an hour later", n)
	}
}

func TestPlanThatChangesNothing(t *testing.T) {
	w := newWorld(t)
	code, body := w.send("ann", "POST", "/v2.0/networks", `{"network":{"name":"blue"}}`)
	var made struct{ Network struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &made); code != 201 || err != nil {
		t.Fatal(code, body)
	}
	v := w.planned("root", "PUT", "/v2.0/networks/"+made.Network.ID, `{"network":{"name":"blue"}}`)
	if len(v.Changes) != 0 || len(v.Hosts) != 0 {
		t.Errorf("a name that stays: %+v", v)
	}
	if _, applied, err := w.plans.Apply(t.Context(), who("root"), v.ID); err != nil || applied.Rev != 1 {
		t.Errorf("applied: %+v, %v", applied, err)
	}
}
