package neutron

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

// awake is the status of a fabric whose agents all live.
type awake struct{ asleep }

func (awake) Agent(string, AgentType) AgentState {
	t := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	return AgentState{Alive: true, Since: t, Heard: t}
}

// idsIn returns the ids of a list, sorted.
func idsIn(doc map[string]any, plural string) []string {
	var ids []string
	for _, o := range doc[plural].([]any) {
		ids = append(ids, o.(map[string]any)["id"].(string))
	}
	slices.Sort(ids)
	return ids
}

func TestAgentsStandForHosts(t *testing.T) {
	a := newAPI(t, func(c *Config) { c.Status = awake{} })
	a.gatewayHosts("gw1")
	if _, err := a.store.Update(t.Context(), putHost(&model.Host{Name: "compute1"})); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range a.must(200, "GET", "/agents?sort_key=host&sort_dir=asc", "")["agents"].([]any) {
		g := o.(map[string]any)
		got = append(got, fmt.Sprint(g["host"], " ", g["binary"], " ", g["alive"], " ", g["availability_zone"], " ", g["heartbeat_timestamp"]))
	}
	slices.Sort(got)
	if want := []string{
		"compute1 neutron-openvswitch-agent true <nil> 2026-11-22 15:04:05",
		"gw1 neutron-dhcp-agent true nova 2026-11-22 15:04:05",
		"gw1 neutron-l3-agent true nova 2026-11-22 15:04:05",
		"gw1 neutron-metadata-agent true <nil> 2026-11-22 15:04:05",
		"gw1 neutron-openvswitch-agent true <nil> 2026-11-22 15:04:05",
	}; !slices.Equal(got, want) {
		t.Errorf("agents:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	one := idsIn(a.must(200, "GET", "/agents?agent_type=L3+agent&alive=true", ""), "agents")
	if len(one) != 1 {
		t.Fatalf("L3 agents: %v", one)
	}
	if got := a.get("/agents/"+one[0], "agent_type"); got != `"L3 agent"` {
		t.Errorf("agent by id: %s", got)
	}
	a.refused(404, "AgentNotFound", "Agent x could not be found.", "GET", "/agents/x", "")
	a.refused(405, "HTTPMethodNotAllowed", "", "DELETE", "/agents/"+one[0], "")

	zones := a.must(200, "GET", "/availability_zones?resource=router&state=available", "")
	if got := fmt.Sprint(zones["availability_zones"]); got != "[map[name:nova resource:router state:available]]" {
		t.Errorf("zones: %s", got)
	}
	a.refused(400, "HTTPBadRequest", "['x'] is invalid attribute for filtering", "GET", "/availability_zones?x=1", "")
}

func TestServicesArePlacedOnAgents(t *testing.T) {
	a := newAPI(t)
	names := layer3(a)
	if got := a.must(200, "GET", names.Replace("/routers/R1/l3-agents"), "")["agents"].([]any); len(got) != 0 {
		t.Errorf("agents of a router without gateway hosts: %v", got)
	}
	if got := a.must(200, "GET", "/ports?device_owner=network:dhcp", "")["ports"].([]any); len(got) != 0 {
		t.Errorf("DHCP ports without gateway hosts: %v", got)
	}
	a.gatewayHosts("gw1")
	a.must(200, "PUT", names.Replace("/routers/R1"), `{"router":{"name":"placed"}}`)
	agents := a.must(200, "GET", names.Replace("/routers/R1/l3-agents"), "")
	if got := idsIn(agents, "agents"); len(got) != 1 {
		t.Fatalf("agents of the router: %v", got)
	}
	l3 := idsIn(agents, "agents")[0]
	if got := idsIn(a.must(200, "GET", "/agents/"+l3+"/l3-routers", ""), "routers"); !slices.Equal(got, []string{names.Replace("R1")}) {
		t.Errorf("routers of the agent: %v", got)
	}
	if got := a.get(names.Replace("/routers/R1"), "availability_zones"); got != `["nova"]` {
		t.Errorf("zones of the router: %s", got)
	}
	for _, port := range []string{"LEG", "GWPORT"} {
		if got := a.get(names.Replace("/ports/"+port), "binding:host_id"); got != `"gw1"` {
			t.Errorf("%s is bound to %s", port, got)
		}
	}

	n := a.network(`{"name":"late"}`)
	a.subnet(n, "10.20.0.0/24")
	ports := a.must(200, "GET", "/ports?device_owner=network:dhcp&network_id="+n, "")["ports"].([]any)
	if len(ports) != 1 {
		t.Fatalf("DHCP ports: %v", ports)
	}
	p := ports[0].(map[string]any)
	got := fmt.Sprint(p["device_id"], " ", p["binding:host_id"], " ", p["port_security_enabled"], " ", p["fixed_ips"].([]any)[0].(map[string]any)["ip_address"])
	if want := "dhcp04d741ce-05ca-505e-a080-37bd643147a4-" + n + " gw1 false 10.20.0.2"; got != want {
		t.Errorf("DHCP port: %s", got)
	}
	agents = a.must(200, "GET", "/networks/"+n+"/dhcp-agents", "")
	dhcp := idsIn(agents, "agents")[0]
	if got := idsIn(a.must(200, "GET", "/agents/"+dhcp+"/dhcp-networks", ""), "networks"); !slices.Contains(got, n) {
		t.Errorf("networks of the agent: %v", got)
	}
	if got := a.must(200, "GET", "/agents/"+dhcp+"/l3-routers", "")["routers"].([]any); len(got) != 0 {
		t.Errorf("routers of a DHCP agent: %v", got)
	}
	move := func(agent, path, body string) {
		t.Helper()
		a.must(201, "POST", "/agents/"+agent+path, body)
	}
	a.refused(409, "NoEligibleAgent", "", "DELETE", names.Replace("/agents/"+l3+"/l3-routers/R1"), "")
	a.gatewayHosts("gw2")
	other := func(kind string) string {
		t.Helper()
		return idsIn(a.must(200, "GET", "/agents?host=gw2&agent_type="+kind, ""), "agents")[0]
	}
	a.must(204, "DELETE", names.Replace("/agents/"+l3+"/l3-routers/R1"), "")
	if got := a.get(names.Replace("/ports/LEG"), "binding:host_id"); got != `"gw2"` {
		t.Errorf("after the router was taken off, its port is bound to %s", got)
	}
	a.refused(409, "NotHostedByAgent", "", "DELETE", names.Replace("/agents/"+l3+"/l3-routers/R1"), "")
	move(l3, "/l3-routers", names.Replace(`{"router_id":"R1"}`))
	move(other("DHCP+agent"), "/dhcp-networks", `{"network_id":"`+n+`"}`)
	if got := a.get("/ports/"+p["id"].(string), "binding:host_id"); got != `"gw2"` {
		t.Errorf("the moved DHCP port is bound to %s", got)
	}
	a.must(200, "PUT", "/agents/"+l3, `{"agent":{"admin_state_up":false}}`)
	if got := a.get("/agents/"+l3, "admin_state_up"); got != "false" {
		t.Errorf("admin_state_up of a drained agent: %s", got)
	}
	a.refused(400, "BadRequest", "Open vSwitch agent cannot be switched off.", "PUT", "/agents/"+other("Open+vSwitch+agent"), `{"agent":{"admin_state_up":false}}`)
	a.refused(409, "NoEligibleAgent", "", "DELETE", names.Replace("/agents/"+other("DHCP+agent")+"/dhcp-networks/")+n, "")
	a.must(200, "PUT", "/agents/"+l3, `{"agent":{"admin_state_up":true}}`)
	a.refused(409, "InvalidAgent", "", "POST", "/agents/"+dhcp+"/l3-routers", names.Replace(`{"router_id":"R1"}`))
	a.refused(404, "RouterNotFound", "", "POST", "/agents/"+l3+"/l3-routers", names.Replace(`{"router_id":"NOTHING"}`))
	a.refused(400, "HTTPBadRequest", "", "POST", "/agents/"+l3+"/l3-routers", `{}`)
	a.sound()
	a.refused(404, "NetworkNotFound", "", "GET", "/networks/x/dhcp-agents", "")
	a.refused(404, "RouterNotFound", "", "GET", "/routers/x/l3-agents", "")
	a.refused(404, "AgentNotFound", "", "GET", "/agents/x/l3-routers", "")
	a.must(204, "DELETE", "/networks/"+n, "")
	a.sound()
}

func TestLayer3Policy(t *testing.T) {
	a := newAPI(t, func(c *Config) { c.Auth = byToken{} })
	token := func(who string) []string { return []string{"X-Auth-Token", who} }
	create := func(who, path, name, body string) string {
		t.Helper()
		doc := a.must(201, "POST", path, `{"`+name+`":`+body+`}`, token(who)...)
		return doc[name].(map[string]any)["id"].(string)
	}
	ext := create("op:admin", "/networks", "network", `{"name":"ext","router:external":true}`)
	create("op:admin", "/subnets", "subnet", `{"network_id":"`+ext+`","ip_version":4,"cidr":"203.0.113.0/24"}`)
	shared := create("op:admin", "/networks", "network", `{"name":"shared","shared":true}`)
	sharedSub := create("op:admin", "/subnets", "subnet", `{"network_id":"`+shared+`","ip_version":4,"cidr":"10.9.0.0/24"}`)
	in := create("p1:member", "/networks", "network", `{"name":"in"}`)
	sub := create("p1:member", "/subnets", "subnet", `{"network_id":"`+in+`","ip_version":4,"cidr":"10.0.0.0/24"}`)
	port := create("p1:member", "/ports", "port", `{"network_id":"`+in+`"}`)
	hidden := create("p2:member", "/networks", "network", `{"name":"hidden"}`)
	hiddenSub := create("p2:member", "/subnets", "subnet", `{"network_id":"`+hidden+`","ip_version":4,"cidr":"10.3.0.0/24"}`)
	foreign := create("p2:member", "/ports", "port", `{"network_id":"`+hidden+`"}`)
	guest := create("p1:member", "/ports", "port", `{"network_id":"`+shared+`"}`)
	r := create("p1:member", "/routers", "router", `{"external_gateway_info":{"network_id":"`+ext+`"}}`)
	theirs := create("p2:member", "/routers", "router", `{}`)
	a.must(200, "PUT", "/routers/"+r+"/add_router_interface", `{"subnet_id":"`+sub+`"}`, token("p1:member")...)
	fip := create("p1:member", "/floatingips", "floatingip", `{"floating_network_id":"`+ext+`","port_id":"`+port+`"}`)
	other := create("p2:member", "/floatingips", "floatingip", `{"floating_network_id":"`+ext+`"}`)
	forwards := create("p1:member", "/floatingips", "floatingip", `{"floating_network_id":"`+ext+`"}`)
	gateway := a.store.Snapshot()

	for _, c := range []struct {
		name, who, method, path, body string
		code                          int
		kind                          string
	}{
		{"foreign_router_is_hidden", "p1:member", "GET", "/routers/" + theirs, "", 404, "RouterNotFound"},
		{"foreign_router_gets_no_interface", "p1:member", "PUT", "/routers/" + theirs + "/add_router_interface", `{"subnet_id":"` + sub + `"}`, 404, "RouterNotFound"},
		{"foreign_router_gets_no_routes", "p1:member", "PUT", "/routers/" + theirs + "/add_extraroutes", `{"router":{"routes":[]}}`, 404, "RouterNotFound"},
		{"a_reader_connects_nothing", "p1:reader", "PUT", "/routers/" + r + "/remove_router_interface", `{"subnet_id":"` + sub + `"}`, 403, "PolicyNotAuthorized"},
		{"a_reader_creates_no_router", "p1:reader", "POST", "/routers", `{"router":{}}`, 403, "PolicyNotAuthorized"},
		{"hidden_subnet", "p1:member", "PUT", "/routers/" + r + "/add_router_interface", `{"subnet_id":"` + hiddenSub + `"}`, 404, "SubnetNotFound"},
		{"hidden_port", "p1:member", "PUT", "/routers/" + r + "/add_router_interface", `{"port_id":"` + foreign + `"}`, 404, "PortNotFound"},
		{"shared_subnets_gateway_address", "p1:member", "PUT", "/routers/" + r + "/add_router_interface", `{"subnet_id":"` + sharedSub + `"}`, 400, "BadRequest"},
		{"own_port_on_shared_network", "p1:member", "PUT", "/routers/" + r + "/add_router_interface", `{"port_id":"` + guest + `"}`, 200, ""},
		{"gateway_on_hidden_network", "p1:member", "PUT", "/routers/" + r, `{"router":{"external_gateway_info":{"network_id":"` + hidden + `"}}}`, 404, "NetworkNotFound"},
		{"snat_is_for_admins", "p1:member", "PUT", "/routers/" + r, `{"router":{"external_gateway_info":{"network_id":"` + ext + `","enable_snat":false}}}`, 403, "PolicyNotAuthorized"},
		{"gateway_address_is_for_admins", "p1:member", "POST", "/routers", `{"router":{"external_gateway_info":{"network_id":"` + ext + `","external_fixed_ips":[]}}}`, 403, "PolicyNotAuthorized"},
		{"the_default_of_ha", "p1:member", "POST", "/routers", `{"router":{"ha":false}}`, 201, ""},
		{"no_ha", "p1:member", "POST", "/routers", `{"router":{"ha":true}}`, 400, "BadRequest"},
		{"foreign_floating_ip_is_hidden", "p1:member", "GET", "/floatingips/" + other, "", 404, "FloatingIPNotFound"},
		{"foreign_floating_ip_is_not_taken", "p1:member", "PUT", "/floatingips/" + other, `{"floatingip":{"port_id":"` + port + `"}}`, 404, "FloatingIPNotFound"},
		{"floating_ip_to_foreign_port", "p1:member", "PUT", "/floatingips/" + fip, `{"floatingip":{"port_id":"` + foreign + `"}}`, 404, "PortNotFound"},
		{"floating_address_is_for_admins", "p1:member", "POST", "/floatingips", `{"floatingip":{"floating_network_id":"` + ext + `","floating_ip_address":"203.0.113.9"}}`, 403, "PolicyNotAuthorized"},
		{"any_floating_address", "p1:member", "POST", "/floatingips", `{"floatingip":{"floating_network_id":"` + ext + `","floating_ip_address":null}}`, 201, ""},
		{"hidden_network_is_not_external", "p1:member", "POST", "/floatingips", `{"floatingip":{"floating_network_id":"` + hidden + `"}}`, 400, "BadRequest"},
		{"foreign_forwardings_are_hidden", "p2:member", "GET", "/floatingips/" + fip + "/port_forwardings", "", 404, "FloatingIPNotFound"},
		{"forwarding_on_foreign_floating_ip", "p2:member", "POST", "/floatingips/" + forwards + "/port_forwardings", forward("tcp", "1", "1", foreign, "10.3.0.9"), 404, "FloatingIPNotFound"},
		{"forwarding_to_hidden_port", "p1:member", "POST", "/floatingips/" + forwards + "/port_forwardings", forward("tcp", "1", "1", foreign, "10.3.0.9"), 404, "PortNotFound"},
		{"a_reader_forwards_nothing", "p1:reader", "POST", "/floatingips/" + forwards + "/port_forwardings", forward("tcp", "1", "1", port, "10.0.0.9"), 403, "PolicyNotAuthorized"},
		{"agents_are_for_admins", "p1:member", "GET", "/routers/" + r + "/l3-agents", "", 403, "PolicyNotAuthorized"},
		{"so_is_what_they_serve", "p1:member", "GET", "/agents/x/dhcp-networks", "", 403, "PolicyNotAuthorized"},
		{"and_what_they_should_serve", "p1:member", "POST", "/agents/x/l3-routers", "{}", 403, "PolicyNotAuthorized"},
		{"and_what_they_should_not", "p1:member", "DELETE", "/agents/x/l3-routers/" + r, "", 403, "PolicyNotAuthorized"},
		{"no_agents_for_members", "p1:member", "GET", "/agents", "", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := a.send(c.method, c.path, c.body, token(c.who)...)
			if r.code != c.code || c.kind != "" && !strings.Contains(string(r.body), `"type":"`+c.kind+`"`) {
				t.Errorf("%s %s %s as %s: %d %s, want %d %s", c.method, c.path, c.body, c.who, r.code, r.body, c.code, c.kind)
			}
		})
	}
	for _, p := range gateway.PortsOf(model.ID(ext)) {
		if r := a.send("GET", "/ports/"+string(p.ID), "", token("p1:member")...); r.code != 404 {
			t.Errorf("a member sees the port %s of the external network: %d", p.DeviceOwner, r.code)
		}
	}
	if got := a.must(200, "GET", "/routers/"+r, "", token("p1:member")...)["router"].(map[string]any); got["ha"] != nil || got["distributed"] != nil {
		t.Errorf("a member sees how the router is built: %v", got)
	}
	a.sound()
}
