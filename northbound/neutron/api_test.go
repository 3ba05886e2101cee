package neutron

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// names lists a collection and returns the names of what is in the answer.
func (a *api) names(collection, query string) []string {
	a.t.Helper()
	doc := a.must(200, "GET", "/"+collection+"?"+query, "")
	out := []string{}
	for _, o := range doc[collection].([]any) {
		out = append(out, o.(map[string]any)["name"].(string))
	}
	return out
}

func TestBulkCreateIsAllOrNothing(t *testing.T) {
	a := newAPI(t)
	n := a.network(`{"name":"n"}`)
	good := `{"network_id":"` + n + `","name":"good"}`
	before := a.store.Snapshot().Rev
	for name, bad := range map[string]string{
		"refused_by_the_model": `{"network_id":"` + n + `","fixed_ips":[{"ip_address":"192.0.2.1"}]}`,
		"refused_by_the_table": `{"network_id":"` + n + `","name":7}`,
		"on_no_network":        `{"network_id":"00000000-0000-0000-0000-000000000000"}`,
	} {
		if r := a.send("POST", "/ports", `{"ports":[`+good+`,`+bad+`]}`); r.code < 400 || r.code > 404 {
			t.Errorf("%s: %d %s", name, r.code, r.body)
		}
	}
	if got := a.names("ports", ""); len(got) != 0 {
		t.Errorf("ports left behind: %v", got)
	}
	doc := a.must(201, "POST", "/ports", `{"ports":[`+good+`,{"port":{"network_id":"`+n+`","name":"wrapped"}}]}`)
	if made := doc["ports"].([]any); len(made) != 2 {
		t.Errorf("made %v", made)
	}
	if got := a.store.Snapshot().Rev; got != before+1 {
		t.Errorf("two ports took %d revisions, want 1", got-before)
	}
}

func TestListsAreFilteredAndSorted(t *testing.T) {
	a := newAPI(t)
	n1 := a.network(`{"name":"n1","description":"first"}`)
	n2 := a.network(`{"name":"n2","admin_state_up":false,"mtu":1400}`)
	a.network(`{"name":"n3","shared":true,"router:external":true,"project_id":"other"}`)
	s1 := a.subnet(n1, "10.1.0.0/24")
	a.subnet(n2, "10.2.0.0/24")
	a.port(`{"network_id":"` + n1 + `","name":"p1","device_id":"vm","mac_address":"fa:16:3e:00:00:01","fixed_ips":[{"ip_address":"10.1.0.11"}],"binding:host_id":"h1","tags":["red","blue"]}`)
	a.port(`{"network_id":"` + n1 + `","name":"p2","device_owner":"compute:nova","fixed_ips":[{"ip_address":"10.1.0.12"}],"tags":["red"]}`)
	a.port(`{"network_id":"` + n2 + `","name":"p3","fixed_ips":[{"ip_address":"10.2.0.11"}],"admin_state_up":false}`)

	for _, c := range []struct{ collection, query, want string }{
		{"networks", "", "n1 n2 n3"},
		{"networks", "name=n1&name=n3", "n1 n3"},
		{"networks", "name=n1&admin_state_up=false", ""},
		{"networks", "id=" + n1 + "&id=" + n1 + "&id=" + n2, "n1 n2"},
		{"networks", "id=nothing", ""},
		{"networks", "admin_state_up=False", "n2"},
		{"networks", "admin_state_up=0", "n2"},
		{"networks", "mtu=1400", "n2"},
		{"networks", "shared=true", "n3"},
		{"networks", "router%3Aexternal=1", "n3"},
		{"networks", "project_id=other&tenant_id=other", "n3"},
		{"networks", "provider:network_type=gre&description=first", "n1"},
		{"networks", "description=", "n2 n3"},
		{"networks", "status=ACTIVE", "n1 n2 n3"},
		{"networks", "status=DOWN", ""},
		{"networks", "sort_key=name&sort_dir=desc", "n3 n2 n1"},
		{"networks", "sort_key=mtu&sort_dir=asc&sort_key=name&sort_dir=desc", "n2 n3 n1"},
		{"subnets", "network_id=" + n1, "10.1.0.0/24"},
		{"subnets", "cidr=10.2.0.0/24&enable_dhcp=yes", "10.2.0.0/24"},
		{"subnets", "gateway_ip=10.1.0.1&ip_version=4", "10.1.0.0/24"},
		{"subnets", "shared=false&sort_key=cidr&sort_dir=desc", "10.2.0.0/24 10.1.0.0/24"},
		{"subnets", "shared=true", ""},
		{"subnets", "ipv6_ra_mode=slaac", ""},
		{"ports", "network_id=" + n1, "p1 p2"},
		{"ports", "network_id=" + n1 + "&network_id=" + n2, "p1 p2 p3"},
		{"ports", "device_id=vm", "p1"},
		{"ports", "device_id=", "p2 p3"},
		{"ports", "device_owner=compute:nova", "p2"},
		{"ports", "mac_address=FA-16-3E-00-00-01", "p1"},
		{"ports", "mac_address=nonsense", ""},
		{"ports", "binding:host_id=h1", "p1"},
		{"ports", "fixed_ips=ip_address=10.1.0.12", "p2"},
		{"ports", "fixed_ips=ip_address=10.1.0.12&fixed_ips=ip_address=10.1.0.11", "p1 p2"},
		{"ports", "fixed_ips=ip_address_substr=0.11", "p1 p3"},
		{"ports", "fixed_ips=subnet_id=" + s1 + "&fixed_ips=ip_address_substr=.12", "p2"},
		{"ports", "tags=red", "p1 p2"},
		{"ports", "tags=red,blue", "p1"},
		{"ports", "tags-any=blue,green", "p1"},
		{"ports", "not-tags=red,blue", "p2 p3"},
		{"ports", "not-tags-any=red,blue", "p3"},
		{"ports", "tags=red&not-tags=blue", "p2"},
		{"ports", "status=DOWN&ip_allocation=immediate", "p1 p2 p3"},
		{"ports", "&&name=p1&", "p1"},
	} {
		got := a.names(c.collection, c.query)
		if !strings.Contains(c.query, "sort_key") {
			slices.Sort(got)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s?%s: %v, want %s", c.collection, c.query, got, c.want)
		}
	}

	for _, c := range []struct{ path, kind, part string }{
		{"/networks?limit=x", "BadRequest", "not 'x'"},
		{"/networks?limit=-1", "BadRequest", "not '-1'"},
		{"/networks?a=1&b=2", "HTTPBadRequest", "['a', 'b'] is invalid attribute for filtering"},
		{"/networks?=1", "HTTPBadRequest", "[''] is invalid attribute for filtering"},
		{"/networks?subnets=1", "HTTPBadRequest", "['subnets'] is invalid attribute for filtering"},
		{"/networks?admin_state_up=maybe", "InvalidInput", "'maybe' cannot be converted to boolean"},
		{"/networks?admin_state_up=", "InvalidInput", "'' cannot be converted to boolean"},
		{"/networks?mtu=x", "InvalidInput", "'x' is not an integer"},
		{"/networks?sort_key=name", "HTTPBadRequest", "must be same"},
		{"/networks?sort_key=shared&sort_dir=asc", "HTTPBadRequest", "['shared'] is invalid attribute for sort_keys"},
		{"/networks?sort_key=name&sort_dir=up", "HTTPBadRequest", "['up'] is invalid value for sort_dirs"},
		{"/ports?fixed_ips=10.0.0.1", "InvalidInput", "'10.0.0.1' is not of the form <key>=[value]"},
	} {
		a.refused(400, c.kind, c.part, "GET", c.path, "")
	}
}

// TestPagesJoinToTheWholeList walks a list in both directions, for every limit.
func TestPagesJoinToTheWholeList(t *testing.T) {
	a := newAPI(t)
	for i := range 7 {
		a.network(fmt.Sprintf(`{"name":"n%d","mtu":%d}`, i, 1300+i%3))
	}
	for _, sorting := range []string{"", "&sort_key=name&sort_dir=desc", "&sort_key=mtu&sort_dir=asc"} {
		whole := a.names("networks", sorting)
		if len(whole) != 7 {
			t.Fatalf("list: %v", whole)
		}
		for limit := 1; limit <= 8; limit++ {
			for _, rel := range []string{"next", "previous"} {
				var got []string
				query := fmt.Sprintf("limit=%d&fields=name%s", limit, sorting)
				if rel == "previous" {
					query += "&page_reverse=True"
				}
				for pages := 0; query != "" && pages < 10; pages++ {
					doc := a.must(200, "GET", "/networks?"+query, "")
					var page []string
					for _, o := range doc["networks"].([]any) {
						page = append(page, o.(map[string]any)["name"].(string))
					}
					if rel == "next" {
						got = append(got, page...)
					} else {
						got = append(page, got...)
					}
					query = ""
					for _, l := range doc["networks_links"].([]any) {
						if l := l.(map[string]any); l["rel"] == rel {
							u, err := url.Parse(l["href"].(string))
							if err != nil {
								t.Fatal(err)
							}
							query = u.RawQuery
						}
					}
				}
				if !slices.Equal(got, whole) {
					t.Errorf("limit %d, %s, %q: %v, want %v", limit, rel, sorting, got, whole)
				}
			}
		}
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	a := newAPI(t, func(c *Config) { c.MaxBody = 1 << 20 })
	n := a.network(`{"name":"n"}`)
	deep := strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000)
	for name, c := range map[string]struct {
		method, path, body string
		code               int
		kind, part         string
	}{
		"nothing":             {"POST", "/networks", "", 400, "HTTPBadRequest", "Body contains invalid data"},
		"a list":              {"POST", "/networks", `[]`, 400, "HTTPBadRequest", "Body contains invalid data"},
		"more than one":       {"POST", "/networks", `{"network":{}} {}`, 400, "HTTPBadRequest", "Body contains invalid data"},
		"no text":             {"POST", "/networks", "{\"network\":{\"name\":\"\xff\"}}", 400, "HTTPBadRequest", "Body contains invalid data"},
		"null":                {"POST", "/networks", `{"network":null}`, 400, "HTTPBadRequest", "Unable to find 'network'"},
		"a word":              {"POST", "/networks", `{"network":"x"}`, 400, "HTTPBadRequest", "Object 'network' contains invalid data"},
		"a list of words":     {"POST", "/networks", `{"networks":["x"]}`, 400, "HTTPBadRequest", "Body contains invalid data"},
		"a list that is none": {"POST", "/networks", `{"networks":{"x":1}}`, 400, "HTTPBadRequest", "Body contains invalid data"},
		"several in an update": {"PUT", "/networks/" + n, `{"networks":[{}]}`, 400, "HTTPBadRequest",
			"Unable to find 'network' in request body"},
		"too long":       {"POST", "/networks", `{"network":{"name":"` + strings.Repeat("x", 2<<20) + `"}}`, 413, "HTTPRequestEntityTooLarge", "too large"},
		"too deep":       {"POST", "/networks", strings.Repeat(`{"network":`, 20000), 400, "HTTPBadRequest", "Body contains invalid data"},
		"deep in a name": {"POST", "/networks", `{"network":{"name":` + deep + `}}`, 400, "HTTPBadRequest", "is not a valid string"},
		"deep in a bool": {"POST", "/networks", `{"network":{"shared":` + deep + `}}`, 400, "InvalidInput", "cannot be converted"},
		"projects that differ": {"POST", "/networks", `{"network":{"project_id":"a","tenant_id":"b"}}`, 400, "HTTPBadRequest",
			"do not match"},
		"projects that cannot be compared": {"POST", "/networks", `{"network":{"project_id":{},"tenant_id":{}}}`, 400, "HTTPBadRequest",
			"is not a valid string"},
		"no id":           {"POST", "/ports", `{"port":{"network_id":"n"}}`, 400, "HTTPBadRequest", "Invalid input for network_id. Reason: 'n' is not a valid UUID."},
		"no integer":      {"POST", "/networks", `{"network":{"mtu":"x"}}`, 400, "InvalidInput", "'x' is not an integer"},
		"below zero":      {"POST", "/networks", `{"network":{"mtu":-1}}`, 400, "HTTPBadRequest", "Invalid input for mtu. Reason: '-1' should be non-negative."},
		"long name":       {"POST", "/networks", `{"network":{"name":"` + strings.Repeat("ä", 256) + `"}}`, 400, "HTTPBadRequest", "exceeds maximum length of 255"},
		"no subnet pool":  {"POST", "/subnets", `{"subnet":{"network_id":"` + n + `","ip_version":4}}`, 400, "BadRequest", "a subnetpool must be specified"},
		"unknown network": {"POST", "/ports", `{"port":{"network_id":"00000000-0000-0000-0000-000000000000"}}`, 404, "NetworkNotFound", "could not be found"},
		"no method":       {"PATCH", "/networks/" + n, `{}`, 405, "HTTPMethodNotAllowed", ""},
		"post to one":     {"POST", "/networks/" + n, `{}`, 405, "HTTPMethodNotAllowed", ""},
		"delete all":      {"DELETE", "/networks", ``, 405, "HTTPMethodNotAllowed", ""},
		"no such path":    {"GET", "/networks/" + n + "/x", ``, 404, "HTTPNotFound", "The resource could not be found."},
		"two slashes":     {"GET", "/v2.0//networks", ``, 404, "HTTPNotFound", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := *a
			b.t = t
			b.refused(c.code, c.kind, c.part, c.method, c.path, c.body)
		})
	}
	if got := a.send("PATCH", "/networks/"+n, "{}").header.Get("Allow"); got != "GET, PUT, DELETE" {
		t.Errorf("methods allowed for a network: %q", got)
	}
	a.must(200, "GET", "/networks/", "")
	a.must(200, "GET", "/networks?limit=9223372036854775807&marker="+n, "")
	a.must(201, "POST", "/networks", `{"network":{"name":"n","project_id":"p","tenant_id":"p"}}`, "Content-Type", "text/plain")
}

func TestTagsOfOneObject(t *testing.T) {
	a := newAPI(t)
	path := "/networks/" + a.network(`{"name":"n"}`) + "/tags"
	revision := func() int {
		for _, n := range a.store.Snapshot().Networks.All() {
			return n.Revision
		}
		return 0
	}
	before := revision()
	a.must(201, "PUT", path+"/a%2Fb%20%C3%A4", "")
	a.must(204, "GET", path+"/a%2Fb%20%C3%A4", "")
	a.must(201, "PUT", path+"/a%2Fb%20%C3%A4", "")
	if got := a.must(200, "GET", path, "")["tags"]; fmt.Sprint(got) != "[a/b ä]" {
		t.Errorf("tags: %v", got)
	}
	if got := revision(); got != before+1 {
		t.Errorf("a tag that is added twice raised the revision by %d, want 1", got-before)
	}
	a.refused(404, "TagNotFound", "Tag x could", "DELETE", path+"/x", "")
	a.refused(400, "InvalidInput", "exceeds maximum length", "PUT", path+"/"+strings.Repeat("x", 256), "")
	var many []string
	for i := range maxTags + 1 {
		many = append(many, fmt.Sprintf(`"t%d"`, i))
	}
	a.refused(400, "BadRequest", "per-resource limit of 50", "PUT", path, `{"tags":[`+strings.Join(many, ",")+`]}`)
	a.must(200, "PUT", path, `{"tags":[`+strings.Join(many[1:], ",")+`]}`)
	a.refused(400, "BadRequest", "per-resource limit of 50", "PUT", path+"/more", "")
	a.refused(404, "NetworkNotFound", "", "GET", "/networks/x/tags", "")
}

func TestStatusAndBindingFollowTheFabric(t *testing.T) {
	status := fixedStatus{port: "BUILD", network: "BUILD"}
	a := newAPI(t, func(c *Config) { c.Status = status })
	n := a.network(`{"name":"n"}`)
	if _, err := a.store.Update(t.Context(), func(tx *store.Tx) error {
		tx.Put(&model.Host{Name: "h1", Said: model.HostSettings{DatapathType: "netdev"}})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	id := a.port(`{"network_id":"` + n + `","name":"p","binding:host_id":"h1"}`)
	p := a.must(200, "GET", "/ports/"+id, "")["port"].(map[string]any)
	details, _ := p["binding:vif_details"].(map[string]any)
	if p["status"] != "BUILD" || p["binding:vif_type"] != "ovs" || details["datapath_type"] != "netdev" || details["bridge_name"] != "br-int" {
		t.Errorf("port: %v", p)
	}
	if got := a.names("ports", "status=BUILD"); len(got) != 1 {
		t.Errorf("ports that are BUILD: %v", got)
	}
	if got := a.names("networks", "status=ACTIVE"); len(got) != 0 {
		t.Errorf("networks that are ACTIVE: %v", got)
	}
}

type fixedStatus struct {
	asleep
	port, network string
}

func (s fixedStatus) PortStatus(*model.Model, *model.Port) string       { return s.port }
func (s fixedStatus) NetworkStatus(*model.Model, *model.Network) string { return s.network }

// brokenStore fails every update.
type brokenStore struct {
	Store
	err error
}

func (b brokenStore) Update(context.Context, func(*store.Tx) error) (*model.Model, error) {
	return nil, b.err
}

// panickyStatus panics when a network is rendered.
type panickyStatus struct{ asleep }

func (panickyStatus) NetworkStatus(*model.Model, *model.Network) string { panic("secret") }

func TestFailuresOfOursSayNothing(t *testing.T) {
	var log bytes.Buffer
	l := logrus.New()
	l.SetOutput(&log)
	a := newAPI(t, func(c *Config) {
		c.Store = brokenStore{c.Store, errors.New("secret disk error")}
		c.Log = logrus.NewEntry(l)
	})
	r := a.send("POST", "/networks", `{"network":{}}`)
	if r.code != 500 || !bytes.Contains(r.body, []byte("HTTPInternalServerError")) || bytes.Contains(r.body, []byte("secret")) {
		t.Errorf("%d %s", r.code, r.body)
	}
	if !strings.Contains(log.String(), "secret disk error") || !strings.Contains(log.String(), r.header.Get("X-Openstack-Request-Id")) {
		t.Errorf("log does not tell: %s", &log)
	}

	log.Reset()
	a = newAPI(t, func(c *Config) { c.Status, c.Log = panickyStatus{}, logrus.NewEntry(l) })
	r = a.send("POST", "/networks", `{"network":{}}`)
	if r.code != 500 || bytes.Contains(r.body, []byte("secret")) {
		t.Errorf("%d %s", r.code, r.body)
	}
	if !strings.Contains(log.String(), "panicked: secret") || !strings.Contains(log.String(), "api_test.go") {
		t.Errorf("log has no stack: %s", &log)
	}

	for _, err := range []error{context.Canceled, store.ErrClosed, store.ErrUncertain} {
		a = newAPI(t, func(c *Config) { c.Store = brokenStore{c.Store, fmt.Errorf("update: %w", err)} })
		a.refused(503, "ServiceUnavailable", "", "POST", "/networks", `{"network":{}}`)
	}
}

func TestEveryRequestIsLoggedAndMeasured(t *testing.T) {
	var log bytes.Buffer
	l := logrus.New()
	l.SetOutput(&log)
	l.SetLevel(logrus.DebugLevel)
	var seen []string
	a := newAPI(t, func(c *Config) {
		c.Log = logrus.NewEntry(l)
		c.Observe = func(route, method string, code int, took time.Duration) {
			seen = append(seen, fmt.Sprint(method, " ", route, " ", code, " ", took > 0))
		}
	})
	global := "req-11111111-2222-3333-4444-555555555555"
	a.must(201, "POST", "/networks", `{"network":{"name":"n"}}`, "X-Openstack-Request-Id", global, "X-User-Id", "alice")
	a.send("GET", "/networks/x", "", "X-Openstack-Request-Id", "req-\nforged")
	a.send("GET", "/nothing", "")
	want := []string{"POST /v2.0/networks 201 true", "GET /v2.0/networks/{id} 404 true", "GET  404 true"}
	if !slices.Equal(seen, want) {
		t.Errorf("observed %q, want %q", seen, want)
	}
	for _, part := range []string{"global_request=" + global, "user=alice", "method=POST", "code=201", "level=debug"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("log lacks %q: %s", part, &log)
		}
	}
	if strings.Contains(log.String(), "forged") {
		t.Errorf("log holds what is no request id: %s", &log)
	}
	for _, n := range a.store.Snapshot().Networks.All() {
		if n.User != "alice" || !strings.HasPrefix(n.Request, "req-") || n.Request == global {
			t.Errorf("cause of the network: %q by %q", n.Request, n.User)
		}
	}
}

func TestConcurrentWritersAndReaders(t *testing.T) {
	a := newAPI(t)
	n := a.network(`{"name":"n"}`)
	a.subnet(n, "10.0.0.0/24")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if r := a.send("POST", "/ports", `{"port":{"network_id":"`+n+`"}}`); r.code != http.StatusCreated {
					t.Errorf("%d %s", r.code, r.body)
				}
				if r := a.send("GET", "/ports?network_id="+n, ""); r.code != 200 {
					t.Errorf("%d %s", r.code, r.body)
				}
			}
		})
	}
	wg.Wait()
	ips := map[string]bool{}
	for _, p := range a.store.Snapshot().PortsOf(model.ID(n)) {
		ips[p.FixedIPs[0].IP.String()] = true
	}
	if len(ips) != 80 {
		t.Errorf("80 ports have %d addresses", len(ips))
	}
}
