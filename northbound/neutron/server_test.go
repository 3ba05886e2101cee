package neutron

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/bolt"
	"github.com/heddle-sdn/heddle/store/model"
)

// asleep is the status of a fabric without hosts.
type asleep struct{}

func (asleep) PortStatus(*model.Model, *model.Port) string       { return "DOWN" }
func (asleep) NetworkStatus(*model.Model, *model.Network) string { return "ACTIVE" }
func (asleep) RouterStatus(*model.Model, *model.Router) string   { return "ACTIVE" }
func (asleep) FloatingIPStatus(*model.Model, *model.FloatingIP) string {
	return "DOWN"
}
func (asleep) Agent(string, AgentType) AgentState { return AgentState{} }

// api is a server on a store of its own.
type api struct {
	t       testing.TB
	store   *store.Store
	handler http.Handler
}

// newAPI starts a server over a bolt file that goes away with the test. Tenants' networks are GRE, as
// in the transcript.
func newAPI(t testing.TB, change ...func(*Config)) *api {
	t.Helper()
	backend, err := bolt.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), backend, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	ops, err := l2.New(l2.Config{TenantTypes: []model.NetworkType{model.TypeGRE}, Rand: rand.NewChaCha8([32]byte{})}) // addresses as in every run
	if err != nil {
		t.Fatal(err)
	}
	dhcp.NewPorts(ops)
	c := Config{Store: st, L2: ops, Routers: router.New(ops), NAT: nat.New(ops), Auth: identity.NoAuth{}, Status: asleep{}, Log: quiet()}
	for _, f := range change {
		f(&c)
	}
	return &api{t: t, store: st, handler: New(c)}
}

func quiet() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

// reply is an answer, read.
type reply struct {
	code   int
	header http.Header
	body   []byte
}

// send makes a request; headers alternate names and values. The path is below /v2.0 unless it is "/"
// or begins with "/v2.0".
func (a *api) send(method, path, body string, headers ...string) reply {
	a.t.Helper()
	if path != "/" && !strings.HasPrefix(path, "/v2.0") {
		path = "/v2.0" + path
	}
	var in io.Reader = http.NoBody
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(a.t.Context(), method, path, in)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return reply{w.Code, w.Result().Header, w.Body.Bytes()}
}

// must sends a request that succeeds with a code and returns the document of the answer.
func (a *api) must(code int, method, path, body string, headers ...string) map[string]any {
	a.t.Helper()
	r := a.send(method, path, body, headers...)
	if r.code != code {
		a.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, r.code, r.body, code)
	}
	var doc map[string]any
	if len(r.body) > 0 {
		if err := json.Unmarshal(r.body, &doc); err != nil {
			a.t.Fatalf("%s %s answers no JSON: %v: %s", method, path, err, r.body)
		}
	}
	return doc
}

// refused sends a request that fails, and checks code, type and a part of the message.
func (a *api) refused(code int, kind, part, method, path, body string, headers ...string) {
	a.t.Helper()
	r := a.send(method, path, body, headers...)
	var doc struct{ NeutronError neutronError }
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		a.t.Fatalf("%s %s %s: %d with no error body: %s", method, path, body, r.code, r.body)
	}
	e := doc.NeutronError
	if r.code != code || e.Type != kind || !strings.Contains(e.Message, part) {
		a.t.Errorf("%s %s %s:\n got %d %s: %s\nwant %d %s: …%s…", method, path, body, r.code, e.Type, e.Message, code, kind, part)
	}
}

// network, subnet and port make an object and return its id.
func (a *api) network(body string) string { return a.make("networks", "network", body) }
func (a *api) port(body string) string    { return a.make("ports", "port", body) }

func (a *api) subnet(network, cidr string) string {
	version := "4"
	if strings.Contains(cidr, ":") {
		version = "6"
	}
	return a.make("subnets", "subnet", `{"name":"`+cidr+`","network_id":"`+network+`","cidr":"`+cidr+`","ip_version":`+version+`}`)
}

func (a *api) make(path, name, body string) string {
	a.t.Helper()
	doc := a.must(http.StatusCreated, "POST", "/"+path, `{"`+name+`":`+body+`}`)
	return doc[name].(map[string]any)["id"].(string)
}
