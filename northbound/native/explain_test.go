package native

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/apps/explain/explaintest"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// explained is a fabric of the hosts of a cloud.
type explained struct {
	*fabric
	*explaintest.World
}

func (e explained) Inspect(_ context.Context, _ *model.Model, host string, actual bool) (*view.HostState, error) {
	e.World.Actual = actual
	return e.World.Host(host)
}

// past remembers one model.
type past struct{ *model.Model }

func (p past) At(rev uint64) (*model.Model, error) {
	switch {
	case rev == p.Rev:
		return p.Model, nil
	case rev > p.Rev:
		return nil, store.ErrFuture
	}
	return nil, store.ErrForgotten
}

func newExplainFixture(t testing.TB) *fixture {
	w := explaintest.New()
	before := *w.Model
	before.Rev--
	return newFixture(t, func(c *Config) {
		c.Store, c.Fabric, c.Past = &memory{m: w.Model}, explained{fixtureFabric(), w}, past{&before}
	})
}

func TestExplainAnswersAsItsGoldenFiles(t *testing.T) {
	f := newExplainFixture(t)
	for name, path := range map[string]string{
		"explain_other_host":  "from=port/" + string(explaintest.Web) + "&to=port/" + string(explaintest.DB),
		"explain_out":         "from=port/" + string(explaintest.App) + "&to=203.0.113.9&protocol=tcp&dst_port=443&src_port=5000",
		"explain_floating_ip": "from=external&to=198.51.100.11&src_ip=198.51.100.77&state=actual",
		"explain_nobody":      "from=host/cmp1/tap12000000-00&to=10.0.0.99&rev=8",
		"explain_arp":         "from=port/" + string(explaintest.Web) + "&to=port/" + string(explaintest.App) + "&protocol=arp",
	} {
		w := f.call("GET", "/v1/explain?"+path, "")
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
			continue
		}
		golden(t, name, w)
	}
	w := f.call("GET", "/v1/explain?from=port/"+string(explaintest.Web)+"&to=198.51.100.1", "", "X-Auth-Token: acme")
	golden(t, "project_explain", w)
	for _, speaksOfHosts := range []string{"cmp1", "gw1", "br-int", "br-tun", "192.0.2.", "vxlan", "1001", "physnet1"} {
		if strings.Contains(w.Body.String(), speaksOfHosts) {
			t.Errorf("a project is told of %s", speaksOfHosts)
		}
	}
}

func TestTheDocumentListsEveryReason(t *testing.T) {
	source, err := os.ReadFile("../../apps/explain/reason.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Reason = "(\w+)"`).FindAllSubmatch(source, -1)
	if len(found) < 20 {
		t.Fatalf("%d reasons found", len(found))
	}
	for _, m := range found {
		if !bytes.Contains(doc, append(append([]byte("`"), m[1]...), '`')) {
			t.Errorf("docs/api.md lacks the reason %s", m[1])
		}
	}
}

func TestAProjectExplainsItsOwnPortsOnly(t *testing.T) {
	f := newExplainFixture(t)
	for path, code := range map[string]int{
		"from=port/" + string(explaintest.Web) + "&to=port/" + string(explaintest.DB):    http.StatusOK,
		"from=port/" + string(explaintest.Rival) + "&to=10.0.0.1":                        http.StatusNotFound,
		"from=port/" + string(explaintest.Web) + "&to=port/" + string(explaintest.Rival): http.StatusNotFound,
		"from=external&to=198.51.100.11":                                                 http.StatusForbidden,
		"from=host/cmp1/tap12000000-00&to=10.0.0.1":                                      http.StatusForbidden,
	} {
		if w := f.call("GET", "/v1/explain?"+path, "", "X-Auth-Token: acme"); w.Code != code {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, code)
		}
	}
}

func TestExplainSaysWhatIsWrongWithAQuestion(t *testing.T) {
	f := newExplainFixture(t)
	web := "from=port/" + string(explaintest.Web)
	for path, want := range map[string]string{
		"":                                      `400 query: from is "", which is not port/ID, host/NAME/INTERFACE or external`,
		web:                                     `400 query: to is "", which is neither port/ID nor an IP address`,
		web + "&to=10.0.0.300":                  `400 query: to is "10.0.0.300", which is neither port/ID nor an IP address`,
		web + "&to=port/x":                      `404 there is no port x`,
		"from=port/x&to=10.0.0.1":               `404 there is no port x`,
		"from=host/cmp1&to=10.0.0.1":            `400 query: from is "host/cmp1", which names no interface; it is host/NAME/INTERFACE`,
		"from=host/x/y&to=10.0.0.1":             `404 there is no host x`,
		"from=host/cmp1/tap0&to=10.0.0.1":       `404 host cmp1 has no interface tap0 on a bridge that is connected`,
		"from=external&to=10.0.0.1":             `400 query: no external network has a subnet with 10.0.0.1: outside nobody can send to it`,
		web + "&to=10.0.0.1&protocol=ipx":       `400 query: protocol is "ipx", which is not one of icmp, tcp, udp, arp`,
		web + "&to=10.0.0.1&dst_port=x":         `400 query: dst_port is "x", which is not a port's number`,
		web + "&to=10.0.0.1&src_mac=x":          `400 query: src_mac: mac address "x" is not six pairs of hexadecimal digits`,
		web + "&to=10.0.0.1&src_ip=x":           `400 query: src_ip is "x", which is not an IP address`,
		web + "&to=10.0.0.1&src_ip=fd00::11":    `400 query: fd00::11 cannot send to 10.0.0.1: they are of two IP versions`,
		web + "&to=10.0.0.1&state=x":            `400 query: state is "x", which is not one of desired, actual`,
		web + "&to=10.0.0.1&rev=1":              `400 query: rev: the revision is no longer remembered`,
		web + "&to=10.0.0.1&rev=99":             `400 query: rev: the revision is yet to come`,
		web + "&to=10.0.0.1&rev=8&state=actual": `400 query: state=actual is what switches hold now; of revision 8 only state=desired can be told`,
		"from=port/" + string(explaintest.Other) + "&to=fd00::1": `400 query: src_ip is needed: where the packet comes from there is no IPv6 address`,
		"from=external&to=port/" + string(explaintest.DB):        `400 query: port 13000000-0000-4000-8000-000000000000 has no floating IP, and none of its addresses is on an external network: outside nobody can send to it`,
	} {
		w := f.call("GET", "/v1/explain?"+path, "")
		if got := failure(t, w); fmt.Sprint(w.Code, " ", got.Msg) != want {
			t.Errorf("%s:\n%d %s, want\n%s", path, w.Code, got.Msg, want)
		}
	}
}

// An answer may be big; that of two hosts and a router has to be quick.
func BenchmarkExplain(b *testing.B) {
	f := newExplainFixture(b)
	for b.Loop() {
		w := f.call("GET", "/v1/explain?from=port/"+string(explaintest.App)+"&to=198.51.100.11", "")
		var a struct{ Verdict string }
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Verdict != "delivered" {
			b.Fatal(w.Code, w.Body)
		}
	}
}
