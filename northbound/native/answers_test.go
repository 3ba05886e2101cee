package native

import (
	"net/http"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/event"
)

func TestAnswers(t *testing.T) {
	for name, path := range map[string]string{
		"index":               "/v1",
		"status":              "/v1/status",
		"hosts":               "/v1/hosts",
		"host_h1":             "/v1/hosts/h1",
		"host_h2":             "/v1/hosts/h2/",
		"host_h3":             "/v1/hosts/h3",
		"switches":            "/v1/switches",
		"switches_of_host":    "/v1/switches?host=h1",
		"switch":              "/v1/switches/a1",
		"switch_ports":        "/v1/switches/0x00000000000000a1/ports",
		"flows":               "/v1/switches/00000000000000a2/flows",
		"flows_by_state":      "/v1/switches/a2/flows?state=altered,missing",
		"flows_by_table":      "/v1/switches/a2/flows?table=to_unicast&limit=1&offset=1",
		"flows_by_number":     "/v1/switches/a2/flows?table=020&kind=port",
		"flows_by_object":     "/v1/switches/a2/flows?object=port/" + bluePt2,
		"flows_by_object_id":  "/v1/switches/a2/flows?object=" + blue,
		"flows_by_text":       "/v1/switches/a2/flows?q=Tun_ID%3D0x3ea",
		"flows_summary":       "/v1/switches/a2/flows?limit=0",
		"macs":                "/v1/macs",
		"macs_of_network":     "/v1/macs?network=" + blue,
		"macs_by_mac":         "/v1/macs?mac=fa:16:3e:00:00:a2",
		"macs_of_host":        "/v1/macs?host=h1&source=learned&limit=1",
		"port_tunnel_missing": "/v1/ports/" + bluePt1,
		"port_switch_down":    "/v1/ports/" + bluePt2,
		"port_no_such_host":   "/v1/ports/" + bluePt3,
		"port_flows_pending":  "/v1/ports/" + redPt1,
		"network":             "/v1/networks/" + blue,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.events.Append("", event.Changed{Rev: 9})
			w := f.call("GET", path, "")
			if w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if kind := w.Header().Get("Content-Type"); kind != "application/json" {
				t.Errorf("content type %q", kind)
			}
			golden(t, name, w)
		})
	}
}

func TestAProjectSeesItsOwn(t *testing.T) {
	f := newFixture(t)
	for name, path := range map[string]string{
		"project_network": "/v1/networks/" + blue,
		"project_port":    "/v1/ports/" + bluePt2,
	} {
		w := f.call("GET", path, "", "X-Auth-Token: acme")
		golden(t, name, w)
		for _, secret := range []string{`"h1"`, `"h2"`, "host h", "1001", bluePt3} {
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("GET %s tells a project of %s", path, secret)
			}
		}
	}
	for _, path := range []string{"/v1/networks/" + red, "/v1/ports/" + redPt1, "/v1/ports/nothing"} {
		if w := f.call("GET", path, "", "X-Auth-Token: acme"); w.Code != http.StatusNotFound {
			t.Errorf("GET %s as another project: %d, want 404", path, w.Code)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		method, path, token string
		code                int
		reason, says        string
	}{
		"unknown_path":          {"GET", "/v1/nothing", "admin", 404, "NotFound", "GET /v1 lists"},
		"unknown_host":          {"GET", "/v1/hosts/h9", "admin", 404, "NotFound", `no host "h9"`},
		"unknown_switch":        {"GET", "/v1/switches/abc", "admin", 404, "NotFound", "0000000000000abc"},
		"bad_dpid":              {"GET", "/v1/switches/br-int/flows", "admin", 400, "BadRequest", `datapath id "br-int"`},
		"wrong_method":          {"POST", "/v1/hosts", "admin", 405, "MethodNotAllowed", "only GET, HEAD"},
		"parameter_unknown":     {"GET", "/v1/macs?netwrok=x", "admin", 400, "BadRequest", `no parameter "netwrok" here, only network, mac`},
		"parameter_where_none":  {"GET", "/v1/hosts?name=h1", "admin", 400, "BadRequest", "only none"},
		"parameter_twice":       {"GET", "/v1/macs?host=a&host=b", "admin", 400, "BadRequest", "host is given 2 times"},
		"query_not_encoded":     {"GET", "/v1/macs?host=%zz", "admin", 400, "BadRequest", `"%zz"`},
		"bad_mac":               {"GET", "/v1/macs?mac=1:2", "admin", 400, "BadRequest", `mac address "1:2"`},
		"bad_limit":             {"GET", "/v1/macs?limit=-1", "admin", 400, "BadRequest", `limit is "-1"`},
		"bad_state":             {"GET", "/v1/switches/a2/flows?state=odd", "admin", 400, "BadRequest", `state is "odd"`},
		"bad_table":             {"GET", "/v1/switches/a2/flows?table=255", "admin", 400, "BadRequest", "0 to 254"},
		"events_limit":          {"GET", "/v1/events?limit=0", "admin", 400, "BadRequest", "1 to 10000"},
		"events_after":          {"GET", "/v1/events?after=x", "admin", 400, "BadRequest", `after is "x"`},
		"project_asks_hosts":    {"GET", "/v1/hosts", "acme", 403, "Forbidden", "admin role"},
		"project_asks_flows":    {"GET", "/v1/switches/a2/flows", "acme", 403, "Forbidden", "admin role"},
		"project_asks_macs":     {"GET", "/v1/macs", "acme", 403, "Forbidden", "admin role"},
		"project_asks_events":   {"GET", "/v1/events", "acme", 403, "Forbidden", "admin role"},
		"project_asks_status":   {"GET", "/v1/status", "acme", 403, "Forbidden", "admin role"},
		"project_changes_hosts": {"DELETE", "/v1/hosts/h1", "acme", 403, "Forbidden", "admin role"},
		"nobody":                {"GET", "/v1/hosts", "", 401, "", "requires authentication"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t).call(test.method, test.path, "", "X-Auth-Token: "+test.token)
			e := failure(t, w)
			if w.Code != test.code || e.Reason != test.reason || !strings.Contains(e.Msg, test.says) {
				t.Errorf("%d %+v, want %d %s that says %q", w.Code, e, test.code, test.reason, test.says)
			}
		})
	}
}

func TestAllowSaysWhichMethodsThereAre(t *testing.T) {
	w := newFixture(t).call("POST", "/v1/hosts/h1", "{}")
	if got := w.Header().Get("Allow"); w.Code != 405 || got != "DELETE, GET, HEAD, PATCH, PUT" {
		t.Errorf("%d, Allow: %q", w.Code, got)
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	if w := newFixture(t).call("HEAD", "/v1/hosts", ""); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

func TestSwitchThatDoesNotAnswerIsTold(t *testing.T) {
	f := newFixture(t)
	f.fabric.flowsErr = errBroken
	w := f.call("GET", "/v1/switches/a2/flows", "")
	if e := failure(t, w); w.Code != 502 || e.Reason != "SwitchUnreachable" || !strings.Contains(e.Msg, "broken") {
		t.Errorf("%d %+v", w.Code, e)
	}
}

func TestEveryAnswerHasARequestID(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/v1/hosts", "/v1/nothing"} {
		if id := f.call("GET", path, "").Header().Get("X-Openstack-Request-Id"); !strings.HasPrefix(id, "req-") {
			t.Errorf("GET %s: request id %q", path, id)
		}
	}
}
