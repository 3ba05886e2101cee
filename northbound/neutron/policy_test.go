package neutron

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/northbound/identity"
)

// byToken stands for a token file: the token is the project and the roles, "p1:member".
type byToken struct{}

func (byToken) Authenticate(r *http.Request) (identity.Identity, error) {
	project, roles, ok := strings.Cut(r.Header.Get("X-Auth-Token"), ":")
	if !ok {
		return identity.Identity{}, identity.ErrUnauthorized
	}
	id := identity.Identity{User: "u", Project: project, Roles: strings.Split(roles, ",")}
	id.Admin = id.Has(identity.RoleAdmin)
	return id, nil
}

func TestPolicy(t *testing.T) {
	a := newAPI(t, func(c *Config) { c.Auth = byToken{} })
	token := func(who string) []string { return []string{"X-Auth-Token", who} }
	create := func(who, path, name, body string) string {
		t.Helper()
		doc := a.must(201, "POST", path, `{"`+name+`":`+body+`}`, token(who)...)
		return doc[name].(map[string]any)["id"].(string)
	}
	own := create("p1:member", "/networks", "network", `{"name":"own"}`)
	foreign := create("p2:member", "/networks", "network", `{"name":"foreign"}`)
	shared := create("op:admin", "/networks", "network", `{"name":"shared","shared":true}`)
	outside := create("op:admin", "/networks", "network", `{"name":"outside","router:external":true}`)
	subnet := create("op:admin", "/subnets", "subnet", `{"network_id":"`+shared+`","ip_version":4,"cidr":"10.9.0.0/24"}`)
	port := create("p1:member", "/ports", "port", `{"network_id":"`+shared+`","name":"mine"}`)
	guest := create("p2:admin", "/ports", "port", `{"network_id":"`+own+`","name":"guest"}`)

	for _, c := range []struct {
		name, who, method, path, body string
		code                          int
		kind                          string
	}{
		{"no_token", "", "GET", "/networks", "", 401, ""},
		{"foreign_network_is_hidden", "p1:member", "GET", "/networks/" + foreign, "", 404, "NetworkNotFound"},
		{"foreign_network_is_not_updated", "p1:member", "PUT", "/networks/" + foreign, `{"network":{"name":"x"}}`, 404, "NetworkNotFound"},
		{"foreign_network_is_not_deleted", "p1:member", "DELETE", "/networks/" + foreign, "", 404, "NetworkNotFound"},
		{"foreign_network_takes_no_port", "p1:member", "POST", "/ports", `{"port":{"network_id":"` + foreign + `"}}`, 404, "NetworkNotFound"},
		{"foreign_tags_are_hidden", "p1:member", "GET", "/networks/" + foreign + "/tags", "", 404, "NetworkNotFound"},
		{"shared_network_is_seen", "p1:member", "GET", "/networks/" + shared, "", 200, ""},
		{"shared_network_is_not_updated", "p1:member", "PUT", "/networks/" + shared, `{"network":{"name":"x"}}`, 403, "PolicyNotAuthorized"},
		{"shared_network_is_not_tagged", "p1:member", "PUT", "/networks/" + shared + "/tags/x", "", 403, "PolicyNotAuthorized"},
		{"shared_network_is_not_deleted", "p1:member", "DELETE", "/networks/" + shared, "", 403, "PolicyNotAuthorized"},
		{"shared_subnet_is_seen", "p1:member", "GET", "/subnets/" + subnet, "", 200, ""},
		{"shared_network_takes_no_subnet", "p1:member", "POST", "/subnets", `{"subnet":{"network_id":"` + shared + `","ip_version":4,"cidr":"10.8.0.0/24"}}`, 403, "PolicyNotAuthorized"},
		{"external_network_is_seen", "p1:member", "GET", "/networks/" + outside, "", 200, ""},
		{"external_network_takes_no_port", "p1:member", "POST", "/ports", `{"port":{"network_id":"` + outside + `"}}`, 403, "PolicyNotAuthorized"},
		{"own_port_on_shared_network", "p1:member", "PUT", "/ports/" + port, `{"port":{"name":"x"}}`, 200, ""},
		{"others_port_on_shared_network", "p2:member", "GET", "/ports/" + port, "", 404, "PortNotFound"},
		{"guests_port_on_own_network", "p1:member", "GET", "/ports/" + guest, "", 200, ""},
		{"no_mac_on_shared_network", "p1:member", "PUT", "/ports/" + port, `{"port":{"mac_address":"fa:16:3e:00:00:01"}}`, 403, "PolicyNotAuthorized"},
		{"no_address_on_shared_network", "p1:member", "POST", "/ports", `{"port":{"network_id":"` + shared + `","fixed_ips":[{"ip_address":"10.9.0.9"}]}}`, 403, "PolicyNotAuthorized"},
		{"a_subnet_of_a_shared_network", "p1:member", "POST", "/ports", `{"port":{"network_id":"` + shared + `","fixed_ips":[{"subnet_id":"` + subnet + `"}]}}`, 201, ""},
		{"address_on_own_network", "p1:member", "PUT", "/ports/" + guest, `{"port":{"mac_address":"fa:16:3e:00:00:02"}}`, 200, ""},
		{"no_network_device", "p1:member", "PUT", "/ports/" + port, `{"port":{"device_owner":"network:dhcp"}}`, 403, "PolicyNotAuthorized"},
		{"a_compute_device", "p1:member", "PUT", "/ports/" + port, `{"port":{"device_owner":"compute:x"}}`, 200, ""},
		{"no_host", "p1:member", "PUT", "/ports/" + port, `{"port":{"binding:host_id":"h"}}`, 403, "PolicyNotAuthorized"},
		{"a_service_binds", "nova:service", "PUT", "/ports/" + port, `{"port":{"binding:host_id":"h"}}`, 200, ""},
		{"no_sharing", "p1:member", "POST", "/networks", `{"network":{"shared":true}}`, 403, "PolicyNotAuthorized"},
		{"the_default_of_sharing", "p1:member", "POST", "/networks", `{"network":{"shared":"False","router:external":false}}`, 201, ""},
		{"no_sharing_later", "p1:member", "PUT", "/networks/" + own, `{"network":{"shared":false}}`, 403, "PolicyNotAuthorized"},
		{"no_segment", "p1:member", "POST", "/networks", `{"network":{"provider:segmentation_id":7}}`, 403, "PolicyNotAuthorized"},
		{"no_other_project", "p1:member", "POST", "/networks", `{"network":{"project_id":"p2"}}`, 403, "HTTPForbidden"},
		{"no_project_of_another_type", "p1:member", "POST", "/networks", `{"network":{"tenant_id":["p1"]}}`, 403, "HTTPForbidden"},
		{"a_reader_reads", "p1:reader", "GET", "/networks/" + own, "", 200, ""},
		{"a_reader_creates_nothing", "p1:reader", "POST", "/networks", `{"network":{}}`, 403, "PolicyNotAuthorized"},
		{"a_reader_updates_nothing", "p1:reader", "PUT", "/networks/" + own, `{"network":{"name":"x"}}`, 403, "PolicyNotAuthorized"},
		{"a_reader_deletes_nothing", "p1:reader", "DELETE", "/networks/" + own, "", 403, "PolicyNotAuthorized"},
		{"a_hidden_marker", "p1:member", "GET", "/networks?limit=1&marker=" + foreign, "", 404, "NetworkNotFound"},
		{"a_hidden_attribute_filters_nothing", "p1:member", "GET", "/networks?provider:segmentation_id=1", "", 400, "HTTPBadRequest"},
		{"an_admin_sees_all", "op:admin", "GET", "/networks/" + foreign, "", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := a.send(c.method, c.path, c.body, token(c.who)...)
			if r.code != c.code || c.kind != "" && !strings.Contains(string(r.body), `"type":"`+c.kind+`"`) {
				t.Errorf("%s %s %s as %s: %d %s, want %d %s", c.method, c.path, c.body, c.who, r.code, r.body, c.code, c.kind)
			}
		})
	}

	r := a.send("GET", "/networks", "")
	if want := `{"error":{"code":401,"title":"Unauthorized","message":"The request you have made requires authentication."}}`; string(r.body) != want {
		t.Errorf("401 says %s", r.body)
	}
	if got := r.header.Get("WWW-Authenticate"); got != `Keystone uri="http://127.0.0.1:5000"` || r.header.Get("X-Openstack-Request-Id") == "" {
		t.Errorf("headers of 401: %v", r.header)
	}
	a.must(200, "GET", "/", "")
	a.refused(404, "HTTPNotFound", "", "GET", "/nothing", "", token("p1:member")...)

	var names []string
	for _, o := range a.must(200, "GET", "/networks", "", token("p2:member")...)["networks"].([]any) {
		n := o.(map[string]any)
		names = append(names, n["name"].(string))
		for _, hidden := range []string{"provider:network_type", "provider:segmentation_id", "provider:physical_network"} {
			if _, ok := n[hidden]; ok {
				t.Errorf("a member sees %s", hidden)
			}
		}
	}
	slices.Sort(names)
	if got := fmt.Sprint(names); got != "[foreign outside shared]" {
		t.Errorf("networks that p2 sees: %s", got)
	}
	p := a.must(200, "GET", "/ports/"+port+"?fields=id&fields=binding:host_id&fields=nothing", "", token("p1:member")...)
	if got := fmt.Sprint(p["port"]); got != "map[id:"+port+"]" {
		t.Errorf("fields of a port that its project sees: %s", got)
	}
}
