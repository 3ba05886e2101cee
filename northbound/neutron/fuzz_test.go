package neutron

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// try sends a request that may be anything and fails for an answer that no request deserves.
func (a *api) try(method, path, body string) {
	a.t.Helper()
	r := a.send(method, path, body)
	if r.code >= 500 {
		a.t.Fatalf("%s %s %q: %d %s", method, path, body, r.code, r.body)
	}
	if len(r.body) > 0 && !json.Valid(r.body) {
		a.t.Fatalf("%s %s %q answers no JSON: %q", method, path, body, r.body)
	}
}

// fuzzBodies creates and updates with bodies that may be anything.
func fuzzBodies(f *testing.F, collection string, prepare func(a *api) (id, network string), seeds ...string) {
	for _, s := range append(seeds, `{}`, `[]`, ``, `{"x":{}}`, `{"`+collection+`":[]}`) {
		f.Add(s)
	}
	a := newAPI(f)
	id, network := prepare(a)
	f.Fuzz(func(t *testing.T, body string) {
		b := *a
		b.t = t
		body = strings.ReplaceAll(body, "NET", network)
		b.try("POST", "/"+collection, body)
		b.try("PUT", "/"+collection+"/"+id, body)
		b.try("PUT", "/"+collection+"/"+id+"/tags", body)
		b.try("GET", "/"+collection, "")
	})
}

func FuzzCreateNetwork(f *testing.F) {
	fuzzBodies(f, "networks", func(a *api) (string, string) { id := a.network(`{}`); return id, id },
		`{"network":{"name":"n","admin_state_up":true,"shared":"False","router:external":1,"mtu":1400,"description":"d"}}`,
		`{"network":{"provider:network_type":"vxlan","provider:segmentation_id":5}}`,
		`{"network":{"provider:network_type":"vlan","provider:physical_network":"p","provider:segmentation_id":"7"}}`,
		`{"networks":[{"name":"a"},{"network":{"name":"b","project_id":"p"}}]}`,
		`{"network":{"dns_domain":"a.b.","availability_zone_hints":["z"],"qos_policy_id":null,"is_default":true}}`)
}

func FuzzCreateSubnet(f *testing.F) {
	fuzzBodies(f, "subnets", func(a *api) (string, string) {
		n := a.network(`{}`)
		return a.subnet(n, "10.0.0.0/24"), n
	},
		`{"subnet":{"network_id":"NET","ip_version":4,"cidr":"10.1.0.0/24","gateway_ip":null,"enable_dhcp":false}}`,
		`{"subnet":{"network_id":"NET","ip_version":6,"cidr":"fd00::/64","ipv6_ra_mode":"slaac","ipv6_address_mode":"slaac"}}`,
		`{"subnet":{"network_id":"NET","ip_version":4,"cidr":"0.0.0.0/0","allocation_pools":[{"start":"0.0.0.1","end":"255.255.255.254"}]}}`,
		`{"subnet":{"network_id":"NET","ip_version":4,"cidr":"10.2.0.0/31","dns_nameservers":["9.9.9.9"],"host_routes":[{"destination":"0.0.0.0/0","nexthop":"10.2.0.1"}]}}`,
		`{"subnet":{"gateway_ip":"10.0.0.7","allocation_pools":[{"start":"10.0.0.9","end":"10.0.0.8"}],"service_types":["network:x"],"segment_id":null}}`,
		`{"subnet":{"network_id":"NET","ip_version":4,"prefixlen":24,"use_default_subnetpool":true}}`)
}

func FuzzCreatePort(f *testing.F) {
	fuzzBodies(f, "ports", func(a *api) (string, string) {
		n := a.network(`{}`)
		a.subnet(n, "10.0.0.0/16")
		a.subnet(n, "fd00::/64")
		return a.port(`{"network_id":"` + n + `"}`), n
	},
		`{"port":{"network_id":"NET","name":"p","fixed_ips":[{"ip_address":"10.0.0.9"}],"mac_address":"fa:16:3e:00:00:01"}}`,
		`{"port":{"network_id":"NET","fixed_ips":[],"port_security_enabled":false,"binding:host_id":"h","binding:profile":{"a":[1]}}}`,
		`{"port":{"allowed_address_pairs":[{"ip_address":"10.0.0.0/8"}],"extra_dhcp_opts":[{"opt_name":"mtu","opt_value":"1"}],"mac_address":null}}`,
		`{"port":{"device_id":"d","device_owner":"compute:x","dns_name":"Vm","binding:vnic_type":"normal","tags":["a"],"security_groups":[]}}`,
		`{"port":{"device_owner":"network:router_interface","data_plane_status":"ACTIVE","propagate_uplink_status":false}}`,
		`{"ports":[{"network_id":"NET"},{"port":{"network_id":"NET","fixed_ips":[{"subnet_id":"NET"}]}}]}`)
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "a", "limit=1&marker=x", "limit=2&page_reverse=True", "name=a&name=b&fields=id", "%zz=%", "sort_key=name&sort_dir=asc",
		"fixed_ips=ip_address%3D10.0.0.1", "tags=a,b&not-tags-any=,", "admin_state_up=1&mtu=0", "mac_address=FA163E000001", "router:external=maybe"} {
		f.Add(s)
	}
	a := newAPI(f)
	n := a.network(`{"name":"a"}`)
	a.subnet(n, "10.0.0.0/24")
	a.port(`{"network_id":"` + n + `"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		for _, collection := range []string{"networks", "subnets", "ports", "networks/" + n, "ports/" + n + "/tags"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2.0/"+collection, nil)
			r.URL.RawQuery = raw
			w := httptest.NewRecorder()
			a.handler.ServeHTTP(w, r)
			if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s?%s: %d %q", collection, raw, w.Code, w.Body)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "//", "/v2.0", "/v2.0/", "/v2.0/networks/..", "/v2.0/networks/%2e%2e/x", "/v2.0/networks/a%2Fb/tags/c%2F", "/%", "/v2.0/extensions/%00"} {
		f.Add(s)
	}
	a := newAPI(f)
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Host != "" {
			t.Skip("no path")
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/", strings.NewReader("{}"))
		r.URL = u
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s: %d %q", path, w.Code, w.Body)
		}
	})
}

func FuzzCreateRouter(f *testing.F) {
	fuzzBodies(f, "routers", func(a *api) (string, string) {
		ext := a.external("ext", "203.0.113.0/24")
		return a.router(`{"external_gateway_info":{"network_id":"` + ext + `"}}`), ext
	},
		`{"router":{"name":"r","admin_state_up":false,"external_gateway_info":{"network_id":"NET","enable_snat":0,"external_fixed_ips":[{"ip_address":"203.0.113.9"}]}}}`,
		`{"router":{"external_gateway_info":{}}}`,
		`{"router":{"external_gateway_info":null,"routes":[{"destination":"10.0.0.0/8","nexthop":"203.0.113.7"}]}}`,
		`{"router":{"distributed":false,"ha":null,"availability_zone_hints":["nova"],"flavor_id":null}}`,
		`{"routers":[{"name":"a"},{"router":{"external_gateway_info":{"network_id":"NET"}}}]}`)
}

func FuzzCreateFloatingIP(f *testing.F) {
	fuzzBodies(f, "floatingips", func(a *api) (string, string) {
		ext := a.external("ext", "203.0.113.0/24")
		return a.floatingIP(`{"floating_network_id":"` + ext + `"}`), ext
	},
		`{"floatingip":{"floating_network_id":"NET","floating_ip_address":"203.0.113.9","description":"d"}}`,
		`{"floatingip":{"floating_network_id":"NET","subnet_id":null,"port_id":null,"fixed_ip_address":null,"dns_name":"x","dns_domain":"y."}}`,
		`{"floatingip":{"port_id":"NET","fixed_ip_address":"10.0.0.1"}}`,
		`{"floatingip":{"qos_policy_id":null}}`,
		`{"floatingips":[{"floating_network_id":"NET"},{"floating_network_id":"NET","floating_ip_address":"203.0.113.1"}]}`)
}

// FuzzRouterActions sends what may be anything to all that is done with a router and a floating IP.
func FuzzRouterActions(f *testing.F) {
	for _, s := range []string{`{"subnet_id":"S1"}`, `{"port_id":"TWO"}`, `{"port_id":"VM","subnet_id":"S1"}`, `{"subnet_id":7}`, `null`,
		`{"router":{"routes":[{"destination":"10.7.0.0/24","nexthop":"10.0.0.9"}]}}`, `{"router":{"routes":null}}`,
		`{"port_forwarding":{"protocol":"tcp","external_port":80,"internal_port":"80","internal_port_id":"TWO","internal_ip_address":"10.0.0.51"}}`,
		`{"port_forwarding":{"protocol":17,"external_port_range":"1:9","internal_port_range":"9:1","internal_port_id":"TWO","internal_ip_address":"10.0.0.52"}}`,
		`{"port_forwardings":[{"protocol":"icmp","internal_port_id":"TWO","internal_ip_address":"10.0.0.51"}]}`} {
		f.Add(s)
	}
	a := newAPI(f)
	names := layer3(a)
	f.Fuzz(func(t *testing.T, body string) {
		b := *a
		b.t = t
		body = names.Replace(body)
		for _, action := range []string{"add_router_interface", "remove_router_interface", "add_extraroutes", "remove_extraroutes"} {
			b.try("PUT", names.Replace("/routers/R0/")+action, body)
		}
		b.try("POST", names.Replace("/floatingips/FREE/port_forwardings"), body)
		for _, w := range b.must(200, "GET", names.Replace("/floatingips/FREE/port_forwardings"), "")["port_forwardings"].([]any) {
			b.try("PUT", names.Replace("/floatingips/FREE/port_forwardings/")+w.(map[string]any)["id"].(string), body)
		}
		b.sound()
	})
}
