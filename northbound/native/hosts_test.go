package native

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/store/model"
)

// said is what a host's document is after a request, as text.
func said(t *testing.T, f *fixture, name string) string {
	t.Helper()
	h, ok := f.store.Snapshot().Hosts.Get(name)
	if !ok {
		return "no such host"
	}
	doc, err := documentOf(h)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHostIsChanged(t *testing.T) {
	for name, test := range map[string]struct {
		method, host, body string
		code               int
		want               string
	}{
		"tunnel_address_corrected_by_one_patch": {"PATCH", "h2", `{"encap_ip":"10.0.0.2"}`, 200, `{"encap_ip":"10.0.0.2","ovsdb":"tcp:10.0.0.2:6640"}`},
		"null_takes_back_an_override":           {"PATCH", "h2", `{"encap_ip":null}`, 200, `{"ovsdb":"tcp:10.0.0.2:6640"}`},
		"null_of_what_is_not_there":             {"PATCH", "h1", `{"encap_ip":null,"bridges":{"br-tun":null}}`, 200, `{}`},
		"empty_patch":                           {"PATCH", "h2", `{}`, 200, `{"encap_ip":"10.0.0.1","ovsdb":"tcp:10.0.0.2:6640"}`},
		"one_bridge_of_several":                 {"PATCH", "h3", `{"openflow":{"br-int":"tcp:10.0.0.3:6654"}}`, 200, `{"bridges":{"br-tun":"00000000000000c3"},"openflow":{"br-int":"tcp:10.0.0.3:6654","br-tun":"tcp:10.0.0.3:6653"}}`},
		"one_bridge_less":                       {"PATCH", "h3", `{"openflow":{"br-tun":null}}`, 200, `{"bridges":{"br-tun":"00000000000000c3"}}`},
		"last_mapping_takes_the_override_along": {"PATCH", "h1", `{"bridge_mappings":{"physnet9":null}}`, 200, `{}`},
		"put_replaces":                          {"PUT", "h2", `{"gateway":false}`, 200, `{"gateway":false}`},
		"put_of_nulls_is_empty":                 {"PUT", "h2", `{"gateway":null,"ovsdb":null}`, 200, `{}`},
		"put_makes_known": {"PUT", "h9.example.org", `{"encap_ip":"fd00::9","encap_types":["vxlan","gre","vxlan"],"bridge_mappings":{"physnet1":"br-ex"},
			"gateway":true,"datapath_type":"netdev","ovsdb":"ssl:[fd00::9]","openflow":{"br-int":"unix:/run/openvswitch/br-int.mgmt"},"bridges":{"br-int":"0xC9"}}`,
			201, `{"bridge_mappings":{"physnet1":"br-ex"},"bridges":{"br-int":"00000000000000c9"},"datapath_type":"netdev","encap_ip":"fd00::9","encap_types":["gre","vxlan"],` +
				`"gateway":true,"openflow":{"br-int":"unix:/run/openvswitch/br-int.mgmt"},"ovsdb":"ssl:[fd00::9]:6640"}`},
		"default_ports":         {"PUT", "h9", `{"ovsdb":"tcp:fd00::9","openflow":{"br-int":"tcp:node-9"}}`, 201, `{"openflow":{"br-int":"tcp:node-9:6653"},"ovsdb":"tcp:[fd00::9]:6640"}`},
		"mapped_address":        {"PATCH", "h1", `{"encap_ip":"::ffff:10.0.0.7"}`, 200, `{"encap_ip":"10.0.0.7"}`},
		"delete":                {"DELETE", "h3", ``, 204, `no such host`},
		"same_address_is_taken": {"PATCH", "h3", `{"encap_ip":"10.0.0.1"}`, 200, `{"bridges":{"br-tun":"00000000000000c3"},"encap_ip":"10.0.0.1","openflow":{"br-tun":"tcp:10.0.0.3:6653"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			w := f.call(test.method, "/v1/hosts/"+test.host, test.body)
			if w.Code != test.code {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if got := said(t, f, test.host); got != test.want {
				t.Errorf("said %s\nwant %s", got, test.want)
			}
			if test.code == 204 {
				return
			}
			if again := f.call("GET", "/v1/hosts/"+test.host, ""); again.Body.String() != w.Body.String() {
				t.Errorf("answer %s\nis not what GET says: %s", w.Body, again.Body)
			}
			if err := model.Check(f.store.Snapshot()); err != nil && strings.Contains(err.Error(), "host") {
				t.Error(err)
			}
		})
	}
}

// TestChangeAndRevertIsIdentity puts back what GET told.
func TestChangeAndRevertIsIdentity(t *testing.T) {
	f := newFixture(t)
	for _, host := range []string{"h1", "h2", "h3"} {
		before := said(t, f, host)
		f.call("PATCH", "/v1/hosts/"+host, `{"encap_ip":"10.9.9.9","gateway":false,"bridges":{"br-x":"f0"},"bridge_mappings":{"p":"br-p"}}`)
		if said(t, f, host) == before {
			t.Errorf("%s was not changed", host)
		}
		if w := f.call("PUT", "/v1/hosts/"+host, before); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if got := said(t, f, host); got != before {
			t.Errorf("%s: %s, was %s", host, got, before)
		}
	}
}

func TestBadHostBodiesSayWhatAndWhere(t *testing.T) {
	for body, says := range map[string]string{
		``:                                       "body: empty",
		`{`:                                      "body: not JSON",
		`{"a":1} x`:                              "more after the JSON object",
		`[]`:                                     "body: array where a JSON object is wanted",
		`null`:                                   "body: null",
		`{"encap_pi":"10.0.0.1"}`:                `no field "encap_pi", only bridge_mappings, bridges`,
		`{"encap_ip":7}`:                         "encap_ip: a number where text is wanted",
		`{"encap_ip":"10.0.0"}`:                  `encap_ip: "10.0.0" is not an IP address`,
		`{"encap_ip":"10.0.0.1/24"}`:             `encap_ip: "10.0.0.1/24" is not`,
		`{"encap_ip":"0.0.0.0"}`:                 "cannot be the end of a tunnel",
		`{"encap_ip":"127.0.0.1"}`:               "cannot be the end of a tunnel",
		`{"encap_ip":"fe80::1%eth0"}`:            "cannot be the end of a tunnel",
		`{"encap_types":"vxlan"}`:                "encap_types: text where a list",
		`{"encap_types":[]}`:                     "encap_types: empty; null takes back",
		`{"encap_types":["stt"]}`:                `encap_types: "stt" is not one of gre, vxlan, geneve`,
		`{"bridge_mappings":{}}`:                 "bridge_mappings: empty",
		`{"bridge_mappings":{"p":"br-int"}}`:     `bridge_mappings.p: "br-int" cannot be`,
		`{"bridge_mappings":{"p":"a","q":"a"}}`:  "bridge_mappings.q: a is the bridge of p already",
		`{"bridge_mappings":{"p":true}}`:         "bridge_mappings.p: true or false where text",
		`{"bridge_mappings":{"":"br-ex"}}`:       "needs a name",
		`{"gateway":"yes"}`:                      "gateway: text where true or false",
		`{"datapath_type":"dpdk"}`:               `datapath_type: "dpdk" is neither`,
		`{"ovsdb":"10.0.0.3:6640"}`:              `ovsdb: "10.0.0.3:6640" is not tcp:`,
		`{"ovsdb":"tcp:10.0.0.300:6640"}`:        `ovsdb: "10.0.0.300" is neither`,
		`{"ovsdb":"tcp:10.0.0.3:0"}`:             `ovsdb: "0" is not a port`,
		`{"ovsdb":"tcp:10.0.0.3:65536"}`:         `ovsdb: "65536" is not a port`,
		`{"ovsdb":"tcp:"}`:                       "ovsdb:",
		`{"ovsdb":"unix:db.sock"}`:               "by its whole path",
		`{"ovsdb":"ptcp:6640"}`:                  "is not tcp:",
		`{"openflow":{"br tun":"tcp:10.0.0.3"}}`: `openflow.br tun: "br tun" cannot be the name`,
		`{"openflow":{"br-tun":"tcp:a b:1"}}`:    `openflow.br-tun: "a b" is neither`,
		`{"openflow":"tcp:10.0.0.3"}`:            "openflow: text where an object",
		`{"bridges":{"br-tun":"xyz"}}`:           `bridges.br-tun: datapath id "xyz"`,
		`{"bridges":{"br-tun":"0"}}`:             "bridges.br-tun: 0 is not",
		`{"bridges":{"a":"7","b":"07"}}`:         "bridges.b: a has datapath id 0000000000000007 already",
		`{"bridges":{"way-too-long-name":"7"}}`:  "cannot be the name of a bridge",
	} {
		for _, method := range []string{"PUT", "PATCH"} {
			f := newFixture(t)
			rev := f.store.Snapshot().Rev
			w := f.call(method, "/v1/hosts/h1", body)
			if e := failure(t, w); w.Code != 400 || !strings.Contains(e.Msg, says) {
				t.Errorf("%s %s: %d %q, want 400 that says %q", method, body, w.Code, e.Msg, says)
			}
			if f.store.Snapshot().Rev != rev {
				t.Errorf("%s %s changed the store", method, body)
			}
		}
	}
}

func TestHostConflicts(t *testing.T) {
	for name, test := range map[string]struct {
		method, host, body, header string
		code                       int
		says                       string
	}{
		"ovsdb_of_another":      {"PATCH", "h1", `{"ovsdb":"tcp:10.0.0.2"}`, "", 409, "OVSDB of host h2 already"},
		"openflow_of_another":   {"PATCH", "h1", `{"openflow":{"x":"tcp:10.0.0.3:6653"}}`, "", 409, "openflow.x: tcp:10.0.0.3:6653 is bridge br-tun of host h3"},
		"bridge_of_another":     {"PUT", "h1", `{"bridges":{"x":"c3"}}`, "", 409, "bridge br-tun of host h3"},
		"patch_of_unknown_host": {"PATCH", "h9", `{}`, "", 404, "PUT /v1/hosts/NAME makes it known"},
		"delete_unknown_host":   {"DELETE", "h9", ``, "", 404, "h9"},
		"put_of_a_bad_name":     {"PUT", "a%2Fb", `{}`, "", 400, `"a/b" cannot be a host's name`},
		"xml":                   {"PUT", "h1", `<a/>`, "Content-Type: text/xml", 415, "text/xml"},
		"garbled_content_type":  {"PUT", "h1", `{}`, "Content-Type: ;", 400, "Content-Type"},
		"query":                 {"PUT", "h1?dry=1", `{}`, "", 400, `no parameter "dry"`},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if test.header != "" {
				header = append(header, test.header)
			}
			w := newFixture(t).call(test.method, "/v1/hosts/"+test.host, test.body, header...)
			if e := failure(t, w); w.Code != test.code || !strings.Contains(e.Msg, test.says) {
				t.Errorf("%d %q, want %d that says %q", w.Code, e.Msg, test.code, test.says)
			}
		})
	}
}

func TestMergePatchMediaTypeIsTaken(t *testing.T) {
	w := newFixture(t).call("PATCH", "/v1/hosts/h1", `{"gateway":false}`, "Content-Type: application/merge-patch+json; charset=utf-8")
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLongBodyIsRefused(t *testing.T) {
	f := newFixture(t)
	srv := httptest.NewServer(f)
	defer srv.Close()
	r, err := http.NewRequest("PUT", srv.URL+"/v1/hosts/h1", strings.NewReader(`{"ovsdb":"`+strings.Repeat("x", maxBody)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", "admin")
	answer, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); answer.StatusCode != 413 || !strings.Contains(string(body), "longer than") {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

func TestChangeOfAHostIsAttributed(t *testing.T) {
	f := newFixture(t)
	before := f.store.Snapshot().Rev
	w := f.call("PATCH", "/v1/hosts/h2", `{"encap_ip":"10.0.0.2"}`)
	h, _ := f.store.Snapshot().Hosts.Get("h2")
	if w.Code != 200 || h.Rev != before+1 {
		t.Errorf("%d, host changed in revision %d, want %d", w.Code, h.Rev, before+1)
	}
}

// FuzzMerge holds what RFC 7386 promises: a patch applied twice is the patch applied once, and the
// document that a host gives back is read as the host.
func FuzzMerge(f *testing.F) {
	f.Add(`{"encap_ip":"10.0.0.1","openflow":{"a":"tcp:b"}}`, `{"openflow":{"a":null,"c":"unix:/d"}}`)
	f.Add(`{"bridges":{"br-int":"1f"}}`, `{"bridges":null}`)
	f.Add(`{}`, `{"bridge_mappings":{"p":"br-p"},"gateway":true,"encap_types":["gre"]}`)
	f.Add(`{"bridge_mappings":{"p":{"q":null}}}`, `{"bridge_mappings":{"p":{"q":1}}}`)
	f.Fuzz(func(t *testing.T, before, change string) {
		var doc, patch document
		if json.Unmarshal([]byte(before), &doc) != nil || json.Unmarshal([]byte(change), &patch) != nil {
			return
		}
		once := merge(doc, patch)
		a, _ := json.Marshal(once)
		b, _ := json.Marshal(merge(once, patch))
		if string(a) != string(b) {
			t.Errorf("%s + %s = %s, once more %s", before, change, a, b)
		}
		put, err := parse(once)
		if err != nil {
			return
		}
		h := &model.Host{Override: put.Override, OVSDB: put.OVSDB, OpenFlow: put.OpenFlow, Bridges: put.Bridges}
		told, err := documentOf(h)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(told)
		if err != nil {
			t.Fatalf("what was taken is told as %v: %v", told, err)
		}
		if got, err := documentOf(&model.Host{Override: again.Override, OVSDB: again.OVSDB, OpenFlow: again.OpenFlow, Bridges: again.Bridges}); err != nil || !equalJSON(got, told) {
			t.Errorf("told %v, read and told again %v (%v)", told, got, err)
		}
	})
}

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func FuzzHostBody(f *testing.F) {
	f.Add("PUT", `{"encap_ip":"10.0.0.1"}`)
	f.Add("PATCH", `{"openflow":{"br-tun":"tcp:[::1]:1"},"ovsdb":"ssl:a"}`)
	f.Add("PATCH", `{"ovsdb":"tcp:[]"}`)
	f.Add("PUT", `[[[[`)
	f.Fuzz(func(t *testing.T, method, body string) {
		if method != "PUT" {
			method = "PATCH"
		}
		fix := newFixture(t)
		if w := fix.call(method, "/v1/hosts/h2", body); w.Code != 200 && w.Code != 400 && w.Code != 409 {
			t.Errorf("%s %q: %d %s", method, body, w.Code, w.Body)
		}
		if w := fix.call("GET", "/v1/hosts/h2", ""); w.Code != 200 {
			t.Errorf("after %s %q: %d %s", method, body, w.Code, w.Body)
		}
	})
}
