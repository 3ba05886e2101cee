package native

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

func planID(t *testing.T, body []byte) string {
	t.Helper()
	var got struct{ Plan struct{ ID string } }
	if err := json.Unmarshal(body, &got); err != nil || got.Plan.ID == "" {
		t.Fatalf("no plan: %v: %s", err, body)
	}
	return got.Plan.ID
}

func TestPlanShowsAndChangesNothing(t *testing.T) {
	f := newFixture(t)
	before := f.store.Snapshot()
	w := f.call("PUT", "/v1/hosts/new?plan=true", `{"encap_ip": "10.0.0.7"}`)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	id := planID(t, w.Body.Bytes())
	w.Body = replaced(replaced(w.Body, id, "plan-1"), w.Header().Get("X-Openstack-Request-Id"), "req-1")
	golden(t, "plan", w)
	if f.store.Snapshot() != before {
		t.Error("the plan changed the store")
	}
	if w := f.call("GET", "/v1/plans/"+id, ""); w.Code != 200 || planID(t, w.Body.Bytes()) != id {
		t.Errorf("show: %d %s", w.Code, w.Body)
	}
	w = f.call("POST", "/v1/plans/"+id+"/apply", "")
	if w.Code != 200 {
		t.Fatalf("apply: %d %s", w.Code, w.Body)
	}
	if h, ok := f.store.Snapshot().Hosts.Get("new"); !ok || h.Override.EncapIP.String() != "10.0.0.7" {
		t.Errorf("applied: %+v", h)
	}
	if w := f.call("POST", "/v1/plans/"+id+"/apply", ""); w.Code != 404 {
		t.Errorf("applied twice: %d", w.Code)
	}
}

func TestPlanThatWouldBeRefusedIs(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		method, path, body, header string
		code                       int
	}{
		{"PUT", "/v1/hosts/h1?plan=true", `{"encap_ip": "x"}`, "", 400},
		{"DELETE", "/v1/hosts/nobody?plan=true", "", "", 404},
		{"PUT", "/v1/hosts/h1?plan=maybe", `{}`, "", 400},
		{"DELETE", "/v1/hosts/h1", "", "X-Heddle-Plan: perhaps", 400},
		{"POST", "/v1/plans/plan-1/apply?plan=true", "", "", 400},
		{"POST", "/v1/plans/plan-1/apply", "", "", 404},
		{"DELETE", "/v1/plans/plan-1", "", "", 404},
		{"GET", "/v1/hosts/h1?plan=true", "", "", 200},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, c.header)
		}
		if w := f.call(c.method, c.path, c.body, headers...); w.Code != c.code {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, w.Code, w.Body, c.code)
		} else if c.code >= 400 {
			failure(t, w)
		}
	}
	if _, ok := f.store.Snapshot().Hosts.Get("h1"); !ok {
		t.Error("a plan that was refused deleted a host")
	}
}

func TestPlansBelongToWhoMadeThem(t *testing.T) {
	now := noon
	f := newFixture(t)
	f.clock = func() time.Time { return now }
	id := planID(t, f.call("DELETE", "/v1/hosts/h3", "", "X-Heddle-Plan: true").Body.Bytes())
	for _, c := range []struct{ method, path string }{{"GET", "/v1/plans/" + id}, {"DELETE", "/v1/plans/" + id}, {"POST", "/v1/plans/" + id + "/apply"}} {
		if w := f.call(c.method, c.path, "", "X-Auth-Token: acme"); w.Code != 404 {
			t.Errorf("%s of another's plan: %d %s", c.method, w.Code, w.Body)
		}
	}
	if w := f.call("GET", "/v1/plans", "", "X-Auth-Token: acme"); !strings.Contains(w.Body.String(), `"plans":[]`) {
		t.Errorf("plans of acme: %s", w.Body)
	}
	if w := f.call("GET", "/v1/plans", ""); !strings.Contains(w.Body.String(), id) {
		t.Errorf("plans of an administrator: %s", w.Body)
	}
	now = now.Add(15 * time.Minute)
	if w := f.call("POST", "/v1/plans/"+id+"/apply", ""); w.Code != 404 {
		t.Errorf("a quarter of an hour later: %d %s", w.Code, w.Body)
	}
}

func TestPlanIsRefusedOnceTheStateMovedOn(t *testing.T) {
	f := newFixture(t)
	id := planID(t, f.call("DELETE", "/v1/hosts/h3?plan=true", "").Body.Bytes())
	if _, err := f.store.Update(t.Context(), func(tx *store.Tx) error {
		tx.Put(&model.Host{Name: "h9"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	w := f.call("POST", "/v1/plans/"+id+"/apply", "")
	if e := failure(t, w); w.Code != 409 || e.Reason != "StateMoved" || !strings.Contains(e.Msg, "host/h9 changed in revision 10") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// documents remembers what it was asked to apply.
type documents struct{ got change.Document }

func (d *documents) Apply(_ context.Context, _ identity.Identity, doc change.Document) (change.Applied, error) {
	d.got = doc
	if doc.Set == "bad" {
		return change.Applied{}, model.Errorf(model.Invalid, "BadRequest", "networks[0].mtu: no")
	}
	return change.Applied{Rev: 12, Changes: []change.Object{}, Unchanged: 3}, nil
}

func TestApply(t *testing.T) {
	docs := &documents{}
	f := newFixture(t, func(c *Config) { c.Documents = docs })
	w := f.call("POST", "/v1/apply?set=s&prune=true&project_id=acme", `{"networks": [{"name": "n", "mtu": 1400}]}`, "X-Auth-Token: acme")
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"applied":{"rev":12,"changes":[],"unchanged":3}}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	mtu := docs.got.Body["networks"].([]any)[0].(map[string]any)["mtu"]
	if docs.got.Set != "s" || !docs.got.Prune || docs.got.Project != "acme" || mtu != json.Number("1400") {
		t.Errorf("%+v", docs.got)
	}
	for path, body := range map[string]string{"/v1/apply?prune=2": "{}", "/v1/apply?prun=true": "{}", "/v1/apply": "[]", "/v1/apply?set=bad": "{}"} {
		if w := f.call("POST", path, body); w.Code != 400 {
			t.Errorf("POST %s %s: %d %s", path, body, w.Code, w.Body)
		}
	}
}
