package neutron

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// router, floatingIP and external make an object and return its id.
func (a *api) router(body string) string     { return a.make("routers", "router", body) }
func (a *api) floatingIP(body string) string { return a.make("floatingips", "floatingip", body) }
func (a *api) external(name, cidr string) string {
	a.t.Helper()
	n := a.network(`{"name":"` + name + `","router:external":true}`)
	a.make("subnets", "subnet", `{"network_id":"`+n+`","cidr":"`+cidr+`","ip_version":4,"enable_dhcp":false}`)
	return n
}

func (a *api) connect(router, subnet string) {
	a.t.Helper()
	a.must(200, "PUT", "/routers/"+router+"/add_router_interface", `{"subnet_id":"`+subnet+`"}`)
}

// gatewayHosts makes hosts known that routers and DHCP servers may run on.
func (a *api) gatewayHosts(names ...string) {
	a.t.Helper()
	if _, err := a.store.Update(a.t.Context(), func(tx *store.Tx) error {
		for _, name := range names {
			tx.Put(&model.Host{Name: name, Said: model.HostSettings{Gateway: new(true)}, Agent: model.AgentUp})
		}
		return nil
	}); err != nil {
		a.t.Fatal(err)
	}
}

// sound fails the test if the model breaks an invariant.
func (a *api) sound() {
	a.t.Helper()
	if err := model.Check(a.store.Snapshot()); err != nil {
		a.t.Errorf("the model breaks its invariants: %v", err)
	}
}

// layer3 is a router between a network and the outside, and what tests name.
func layer3(a *api) *strings.Replacer {
	a.t.Helper()
	ext, other := a.external("ext", "203.0.113.0/24"), a.external("other", "198.51.100.0/24")
	in, far := a.network(`{"name":"in"}`), a.network(`{"name":"far"}`)
	s, s2, s6, s6b := a.subnet(in, "10.0.0.0/24"), a.subnet(in, "10.0.1.0/24"), a.subnet(in, "fd00:1::/64"), a.subnet(in, "fd00:2::/64")
	same, away := a.subnet(far, "10.0.0.0/16"), a.subnet(a.network(`{}`), "10.9.0.0/24")
	none := a.make("subnets", "subnet", `{"network_id":"`+far+`","cidr":"10.7.0.0/24","ip_version":4,"gateway_ip":null}`)
	r := a.router(`{"name":"r","external_gateway_info":{"network_id":"` + ext + `"}}`)
	a.connect(r, s)
	vm := a.port(`{"network_id":"` + in + `","name":"vm","fixed_ips":[{"ip_address":"10.0.0.50"}]}`)
	two := a.port(`{"network_id":"` + in + `","fixed_ips":[{"ip_address":"10.0.0.51"},{"ip_address":"10.0.0.52"}]}`)
	both := a.port(`{"network_id":"` + in + `","fixed_ips":[{"ip_address":"10.0.0.53"},{"ip_address":"10.0.1.53"}]}`)
	six := a.port(`{"network_id":"` + in + `","fixed_ips":[{"ip_address":"fd00:1::53"}]}`)
	bare := a.port(`{"network_id":"` + in + `","fixed_ips":[]}`)
	used := a.port(`{"network_id":"` + in + `","device_id":"a-server"}`)
	lost := a.port(`{"network_id":"` + far + `","fixed_ips":[{"subnet_id":"` + same + `","ip_address":"10.0.9.9"}]}`)
	ports := a.must(200, "GET", "/ports?device_id="+r+"&fields=id&fields=device_owner", "")["ports"].([]any)
	named := []string{"EXT", ext, "OTHER", other, "IN", in, "S6B", s6b, "S6", s6, "S2", s2, "SAME", same, "AWAY", away, "NOGW", none,
		"R0", a.router(`{"name":"r0"}`), "VM", vm, "TWO", two, "BOTH", both, "SIX", six, "BARE", bare, "USED", used, "LOST", lost,
		"NOTHING", "11111111-2222-4333-8444-555555555555", "FREE", a.floatingIP(`{"floating_network_id":"` + ext + `"}`),
		"FIP", a.floatingIP(`{"floating_network_id":"` + ext + `","port_id":"` + vm + `"}`)}
	for _, p := range ports {
		o := p.(map[string]any)
		named = append(named, map[any]string{"network:router_gateway": "GWPORT", "network:router_interface": "LEG"}[o["device_owner"]], o["id"].(string))
	}
	return strings.NewReplacer(append(named, "S1", s, "R1", r)...)
}

func TestLayer3Refusals(t *testing.T) {
	a := newAPI(t)
	names := layer3(a)
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		kind, message            string
	}{
		{"both_kinds_of_interface", "PUT", "/routers/R0/add_router_interface", `{"subnet_id":"S1","port_id":"VM"}`, 400, "BadRequest",
			"Bad router request: Cannot specify both subnet-id and port-id."},
		{"interface_by_no_id", "PUT", "/routers/R0/add_router_interface", `{"subnet_id":"x"}`, 400, "BadRequest", "Bad router request: 'x' is not a valid UUID."},
		{"interface_on_unknown_subnet", "PUT", "/routers/R0/add_router_interface", `{"subnet_id":"NOTHING"}`, 404, "SubnetNotFound", "Subnet NOTHING could not be found."},
		{"interface_by_unknown_port", "PUT", "/routers/R0/add_router_interface", `{"port_id":"NOTHING"}`, 404, "PortNotFound", "Port NOTHING could not be found."},
		{"interface_of_unknown_router", "PUT", "/routers/NOTHING/add_router_interface", `{"subnet_id":"S1"}`, 404, "RouterNotFound", "Router NOTHING could not be found."},
		{"interface_without_gateway_address", "PUT", "/routers/R0/add_router_interface", `{"subnet_id":"NOGW"}`, 400, "BadRequest",
			"Bad router request: Subnet for router interface must have a gateway IP."},
		{"interface_whose_address_is_taken", "PUT", "/routers/R0/add_router_interface", `{"subnet_id":"S1"}`, 409, "IpAddressAlreadyAllocated",
			"IP address 10.0.0.1 already allocated in subnet S1"},
		{"interface_that_overlaps", "PUT", "/routers/R1/add_router_interface", `{"subnet_id":"SAME"}`, 400, "BadRequest",
			"Bad router request: Cidr 10.0.0.0/16 of subnet SAME overlaps with cidr 10.0.0.0/24 of subnet S1."},
		{"interface_by_port_in_use", "PUT", "/routers/R1/add_router_interface", `{"port_id":"USED"}`, 409, "PortInUse",
			"Unable to complete operation on port USED for network IN. Port already has an attached device a-server."},
		{"interface_by_port_without_address", "PUT", "/routers/R1/add_router_interface", `{"port_id":"BARE"}`, 400, "BadRequest",
			"Bad router request: Router port must have at least one fixed IP."},
		{"interface_by_port_of_two_subnets", "PUT", "/routers/R0/add_router_interface", `{"port_id":"BOTH"}`, 400, "BadRequest",
			"Bad router request: Cannot have multiple IPv4 subnets on router port."},
		{"remove_nothing", "PUT", "/routers/R1/remove_router_interface", `{}`, 400, "BadRequest", "Bad router request: Either subnet_id or port_id must be specified."},
		{"remove_another_routers_port", "PUT", "/routers/R0/remove_router_interface", `{"port_id":"LEG"}`, 404, "RouterInterfaceNotFound",
			"Router R0 does not have an interface with id LEG"},
		{"remove_a_port_from_another_subnet", "PUT", "/routers/R1/remove_router_interface", `{"port_id":"LEG","subnet_id":"S2"}`, 400, "SubnetMismatchForPort",
			"Subnet on port LEG does not match the requested subnet S2."},
		{"remove_where_it_is_not", "PUT", "/routers/R1/remove_router_interface", `{"subnet_id":"S2"}`, 404, "RouterInterfaceNotFoundForSubnet",
			"Router R1 has no interface on subnet S2"},
		{"gateway_on_internal_network", "PUT", "/routers/R0", `{"router":{"external_gateway_info":{"network_id":"IN"}}}`, 400, "BadRequest",
			"Bad router request: Network IN is not an external network."},
		{"gateway_on_unknown_network", "POST", "/routers", `{"router":{"external_gateway_info":{"network_id":"NOTHING"}}}`, 404, "NetworkNotFound",
			"Network NOTHING could not be found."},
		{"gateway_with_the_subnets_own_address", "PUT", "/routers/R0", `{"router":{"external_gateway_info":{"network_id":"EXT","external_fixed_ips":[{"ip_address":"203.0.113.1"}]}}}`,
			400, "BadRequest", "Bad router request: External IP 203.0.113.1 is the same as the gateway IP."},
		{"gateway_that_is_no_object", "PUT", "/routers/R0", `{"router":{"external_gateway_info":"EXT"}}`, 400, "HTTPBadRequest",
			"Invalid input for external_gateway_info. Reason: 'EXT' is not a dictionary."},
		{"gateway_moves_from_under_floating_ips", "PUT", "/routers/R1", `{"router":{"external_gateway_info":{"network_id":"OTHER"}}}`, 409,
			"RouterExternalGatewayInUseByFloatingIp", "Gateway cannot be updated for router R1, since a gateway to external network EXT is required by one or more floating IPs."},
		{"route_over_the_router_itself", "PUT", "/routers/R1", `{"router":{"routes":[{"destination":"172.16.0.0/16","nexthop":"10.0.0.1"}]}}`, 400, "InvalidRoutes",
			"Invalid format for routes: [{'destination': '172.16.0.0/16', 'nexthop': '10.0.0.1'}], the nexthop is used by router"},
		{"route_of_two_versions", "PUT", "/routers/R1", `{"router":{"routes":[{"destination":"fd09::/64","nexthop":"10.0.0.9"}]}}`, 400, "InvalidRoutes",
			"Invalid format for routes: [{'destination': 'fd09::/64', 'nexthop': '10.0.0.9'}], the destination and the nexthop are of different IP versions"},
		{"routes_at_birth", "POST", "/routers", `{"router":{"routes":[]}}`, 400, "HTTPBadRequest", "Attribute 'routes' not allowed in POST"},
		{"extra_routes_without_routes", "PUT", "/routers/R1/add_extraroutes", `{"router":{}}`, 400, "HTTPBadRequest",
			"Failed to parse request. Required attribute 'routes' not specified"},
		{"extra_routes_with_more", "PUT", "/routers/R1/add_extraroutes", `{"router":{"routes":[],"name":"x"}}`, 400, "HTTPBadRequest", "Unrecognized attribute(s) 'name'"},
		{"a_distributed_router", "POST", "/routers", `{"router":{"distributed":true}}`, 400, "BadRequest", "Bad router request: distributed routers are not supported."},
		{"an_unknown_zone", "POST", "/routers", `{"router":{"availability_zone_hints":["mars"]}}`, 404, "AvailabilityZoneNotFound", "AvailabilityZone mars could not be found."},
		{"floating_ip_of_unknown_network", "POST", "/floatingips", `{"floatingip":{"floating_network_id":"NOTHING"}}`, 400, "BadRequest",
			"Bad floatingip request: Network NOTHING is not a valid external network."},
		{"floating_ip_to_unknown_port", "PUT", "/floatingips/FREE", `{"floatingip":{"port_id":"NOTHING"}}`, 404, "PortNotFound", "Port NOTHING could not be found."},
		{"floating_ip_to_unreachable_port", "PUT", "/floatingips/FREE", `{"floatingip":{"port_id":"LOST"}}`, 404, "ExternalGatewayForFloatingIPNotFound",
			"External network EXT is not reachable from subnet SAME.  Therefore, cannot associate Port LOST with a Floating IP."},
		{"floating_ip_to_two_addresses", "PUT", "/floatingips/FREE", `{"floatingip":{"port_id":"TWO"}}`, 400, "BadRequest",
			"Bad floatingip request: Port TWO has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP."},
		{"floating_ip_to_ipv6_only", "PUT", "/floatingips/FREE", `{"floatingip":{"port_id":"SIX"}}`, 400, "BadRequest",
			"Bad floatingip request: Cannot add floating IP to port SIX that has no fixed IPv4 addresses."},
		{"floating_ip_to_an_address_the_port_lacks", "PUT", "/floatingips/FREE", `{"floatingip":{"port_id":"TWO","fixed_ip_address":"10.0.0.9"}}`, 400, "BadRequest",
			"Bad floatingip request: Port TWO does not have fixed ip 10.0.0.9."},
		{"floating_ip_to_an_address_of_no_port", "PUT", "/floatingips/FREE", `{"floatingip":{"fixed_ip_address":"10.0.0.51"}}`, 400, "BadRequest",
			"Bad floatingip request: fixed_ip_address cannot be specified without a port_id."},
		{"floating_ip_to_a_port_that_has_one", "PUT", "/floatingips/FREE", `{"floatingip":{"port_id":"VM"}}`, 409, "FloatingIPPortAlreadyAssociated", ""},
		{"floating_ip_has_no_name", "POST", "/floatingips", `{"floatingip":{"floating_network_id":"EXT","name":"x"}}`, 400, "HTTPBadRequest", "Unrecognized attribute(s) 'name'"},
		{"forwarding_of_unknown_floating_ip", "GET", "/floatingips/NOTHING/port_forwardings", ``, 404, "FloatingIPNotFound", "Floating IP NOTHING could not be found."},
		{"forwarding_beside_a_port", "POST", "/floatingips/FIP/port_forwardings", forward("tcp", "80", "80", "TWO", "10.0.0.51"), 409, "FloatingIPPortAlreadyAssociated", ""},
		{"forwarding_to_a_port_with_floating_ip", "POST", "/floatingips/FREE/port_forwardings", forward("tcp", "80", "80", "VM", "10.0.0.50"), 409, "PortHasBindingFloatingIP", ""},
		{"forwarding_to_unreachable_port", "POST", "/floatingips/FREE/port_forwardings", forward("tcp", "80", "80", "LOST", "10.0.9.9"), 400, "BadRequest",
			"Bad port_forwarding request: External network EXT is not reachable from subnet SAME. Cannot set Port forwarding for Port LOST with Floating IP FREE."},
		{"forwarding_to_ipv6_only", "POST", "/floatingips/FREE/port_forwardings", forward("tcp", "80", "80", "SIX", "10.0.0.1"), 400, "BadRequest",
			"Bad port_forwarding request: Requested internal port SIX does not have an IPv4 address."},
		{"forwarding_to_an_address_the_port_lacks", "POST", "/floatingips/FREE/port_forwardings", forward("tcp", "80", "80", "TWO", "10.0.0.1"), 400, "BadRequest",
			"Bad port_forwarding request: Requested internal IP address 10.0.0.1 is not an IPv4 address of internal port TWO."},
		{"forwarding_without_ports", "POST", "/floatingips/FREE/port_forwardings", forward("udp", "null", "80", "TWO", "10.0.0.51"), 400, "BadRequest",
			"Bad port_forwarding request: Both external and internal ports must be specified for protocol udp."},
		{"forwarding_of_icmp_ports", "POST", "/floatingips/FREE/port_forwardings", forward("icmp", "80", "80", "TWO", "10.0.0.51"), 400, "BadRequest",
			"Bad port_forwarding request: Protocol icmp has no ports."},
		{"forwarding_of_unknown_protocol", "POST", "/floatingips/FREE/port_forwardings", forward("gre", "80", "80", "TWO", "10.0.0.51"), 400, "HTTPBadRequest",
			"Invalid input for protocol. Reason: gre is not in valid_values."},
		{"forwarding_of_port_zero", "POST", "/floatingips/FREE/port_forwardings", forward("tcp", "0", "80", "TWO", "10.0.0.51"), 400, "HTTPBadRequest",
			"Invalid input for external_port. Reason: '0' is not a valid port number."},
		{"forwarding_of_ranges_of_two_sizes", "POST", "/floatingips/FREE/port_forwardings",
			`{"port_forwarding":{"protocol":"tcp","external_port_range":"80:82","internal_port_range":"80:81","internal_port_id":"TWO","internal_ip_address":"10.0.0.51"}}`,
			400, "BadRequest", "Bad port_forwarding request: The external port range 80:82 and the internal port range 80:81 must have the same size."},
		{"forwarding_of_a_range_backwards", "POST", "/floatingips/FREE/port_forwardings",
			`{"port_forwarding":{"protocol":"tcp","external_port_range":"82:80","internal_port":80,"internal_port_id":"TWO","internal_ip_address":"10.0.0.51"}}`,
			400, "HTTPBadRequest", "Invalid input for external_port_range. Reason: '82:80' is a port range whose end is before its start."},
		{"routers_port_gets_another_device", "PUT", "/ports/LEG", `{"port":{"device_id":"x"}}`, 409, "UnsupportedPortDeviceOwner",
			"Operation update is not supported for device_owner network:router_interface on port LEG."},
		{"routers_port_leaves_its_subnet", "PUT", "/ports/LEG", `{"port":{"fixed_ips":[{"subnet_id":"S2"}]}}`, 400, "BadRequest",
			"Bad port request: the subnets of router port LEG are changed by adding and removing router interfaces."},
		{"a_port_poses_as_a_routers", "POST", "/ports", `{"port":{"network_id":"IN","device_id":"R1","device_owner":"network:router_interface"}}`, 409, "DeviceIDNotOwnedByTenant",
			"The following device_id R1 is not owned by your tenant or matches another tenants router."},
		{"a_port_poses_as_a_floating_ips", "POST", "/ports", `{"port":{"network_id":"EXT","device_id":"FIP","device_owner":"network:floatingip"}}`, 409, "DeviceIDNotOwnedByTenant", ""},
		{"external_network_becomes_internal", "PUT", "/networks/EXT", `{"network":{"router:external":false}}`, 409, "ExternalNetworkInUse",
			"External network EXT cannot be updated to be made non-external, since it has existing gateway ports."},
		{"external_network_in_use", "DELETE", "/networks/EXT", ``, 409, "NetworkInUse", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := *a
			b.t = t
			before := a.store.Snapshot().Rev
			b.refused(c.code, c.kind, names.Replace(c.message), c.method, names.Replace(c.path), names.Replace(c.body))
			if after := a.store.Snapshot().Rev; after != before {
				t.Errorf("a refused request changed the store from revision %d to %d", before, after)
			}
		})
	}
	a.sound()
}

// forward is the body of a port forwarding.
func forward(protocol, external, internal, port, ip string) string {
	return fmt.Sprintf(`{"port_forwarding":{"protocol":%q,"external_port":%s,"internal_port":%s,"internal_port_id":%q,"internal_ip_address":%q}}`,
		protocol, external, internal, port, ip)
}

// get returns an attribute of an object as JSON.
func (a *api) get(path, attribute string) string {
	a.t.Helper()
	for _, o := range a.must(200, "GET", path, "") {
		b, err := json.Marshal(o.(map[string]any)[attribute])
		if err != nil {
			a.t.Fatal(err)
		}
		return string(b)
	}
	return ""
}

func TestFloatingIPFollowsItsPort(t *testing.T) {
	a := newAPI(t)
	names := layer3(a)
	fip, vm := "/floatingips/"+names.Replace("FIP"), "/ports/"+names.Replace("VM")
	want := func(what, attribute, value string) {
		t.Helper()
		if got := a.get(fip, attribute); got != value {
			t.Errorf("%s: %s is %s, want %s", what, attribute, got, value)
		}
	}
	want("associated", "fixed_ip_address", `"10.0.0.50"`)
	a.must(200, "PUT", vm, `{"port":{"fixed_ips":[{"ip_address":"10.0.0.50"},{"ip_address":"10.0.0.60"}]}}`)
	want("port has one more address", "fixed_ip_address", `"10.0.0.50"`)
	a.must(200, "PUT", fip, `{"floatingip":{"fixed_ip_address":"10.0.0.60"}}`)
	want("another address was chosen", "fixed_ip_address", `"10.0.0.60"`)
	a.must(200, "PUT", vm, `{"port":{"fixed_ips":[{"ip_address":"10.0.0.50"}]}}`)
	want("port lost the address", "port_id", "null")
	want("port lost the address", "router_id", "null")
	a.must(200, "PUT", fip, `{"floatingip":{"port_id":"`+names.Replace("VM")+`"}}`)
	a.must(204, "DELETE", vm, "")
	want("port is gone", "port_id", "null")
	want("port is gone", "port_details", "null")
	a.sound()
}

func TestPortForwardings(t *testing.T) {
	a := newAPI(t)
	names := layer3(a)
	fip := names.Replace("/floatingips/FREE")
	all := fip + "/port_forwardings"
	two := names.Replace("TWO")
	pf := a.must(201, "POST", all, forward("TCP", "2222", "22", two, "10.0.0.51"))["port_forwarding"].(map[string]any)
	for k, v := range map[string]any{"protocol": "tcp", "external_port": 2222.0, "internal_port": 22.0, "external_port_range": "2222:2222",
		"internal_ip_address": "10.0.0.51", "internal_port_id": two, "description": ""} {
		if pf[k] != v {
			t.Errorf("%s is %v, want %v", k, pf[k], v)
		}
	}
	if _, ok := pf["project_id"]; ok {
		t.Error("a port forwarding shows its project")
	}
	if got := a.get(fip, "router_id"); got != names.Replace(`"R1"`) {
		t.Errorf("router of the floating IP: %s", got)
	}
	ranged := a.must(201, "POST", all, names.Replace(`{"port_forwarding":{"protocol":"udp","external_port_range":"5000:5009",`+
		`"internal_port_range":"6000:6009","internal_port_id":"TWO","internal_ip_address":"10.0.0.52","description":"d"}}`))["port_forwarding"].(map[string]any)
	if ranged["external_port"] != nil || ranged["internal_port_range"] != "6000:6009" {
		t.Errorf("range: %v", ranged)
	}
	a.refused(400, "BadRequest", "A duplicate port forwarding entry with same attributes already exists", "POST", all, forward("udp", "5004", "1", two, "10.0.0.51"))
	a.refused(409, "FipInUseByPortForwarding", "in use by Port Forwarding resources.", "PUT", fip, `{"floatingip":{"port_id":"`+two+`"}}`)
	a.refused(409, "FipInUseByPortForwarding", "in use by Port Forwarding resources.", "DELETE", fip, "")
	a.refused(409, "RouterExternalGatewayInUseByFloatingIp", "", "PUT", names.Replace("/routers/R1"), `{"router":{"external_gateway_info":null}}`)
	a.refused(409, "RouterInterfaceInUseByFloatingIP", "", "PUT", names.Replace("/routers/R1/remove_router_interface"), names.Replace(`{"subnet_id":"S1"}`))
	a.refused(404, "PortForwardingNotFound", "", "GET", names.Replace("/floatingips/FIP/port_forwardings/")+pf["id"].(string), "")
	if l := a.must(200, "GET", all+"?protocol=udp&external_port_range=5000:5009&sort_key=id&sort_dir=asc&limit=5", "")["port_forwardings"].([]any); len(l) != 1 {
		t.Errorf("filtered: %v", l)
	}
	if l := a.must(200, "GET", names.Replace("/floatingips/FIP/port_forwardings"), "")["port_forwardings"].([]any); len(l) != 0 {
		t.Errorf("forwardings of another floating IP: %v", l)
	}
	one := all + "/" + pf["id"].(string)
	changed := a.must(200, "PUT", one, `{"port_forwarding":{"external_port":2223,"description":"ssh"}}`)["port_forwarding"].(map[string]any)
	if changed["external_port"] != 2223.0 || changed["internal_port"] != 22.0 || changed["description"] != "ssh" {
		t.Errorf("changed: %v", changed)
	}
	if got := a.get(fip, "port_forwardings"); strings.Count(got, `"id"`) != 2 || !strings.Contains(got, `"external_port":2223`) {
		t.Errorf("port_forwardings of the floating IP: %s", got)
	}
	a.sound()
	a.must(204, "DELETE", one, "")
	a.must(204, "DELETE", "/ports/"+two, "")
	if got := a.get(fip, "port_forwardings") + a.get(fip, "router_id"); got != "[]null" {
		t.Errorf("after the port went: %s", got)
	}
	a.must(204, "DELETE", fip, "")
	a.sound()
}

func TestRouterInterfacesOfBothVersions(t *testing.T) {
	a := newAPI(t)
	names := layer3(a)
	r := names.Replace("/routers/R1")
	port := func(subnet string) string {
		t.Helper()
		return a.must(200, "PUT", r+"/add_router_interface", names.Replace(`{"subnet_id":"`+subnet+`"}`))["port_id"].(string)
	}
	first, second := port("S6"), port("S6B")
	if first != second || first == names.Replace("LEG") {
		t.Errorf("prefixes of one network are on ports %s and %s", first, second)
	}
	if got := a.get("/ports/"+first, "fixed_ips"); strings.Count(got, "subnet_id") != 2 {
		t.Errorf("addresses of the IPv6 port: %s", got)
	}
	a.must(200, "PUT", r+"/remove_router_interface", names.Replace(`{"subnet_id":"S6"}`))
	if got := a.get("/ports/"+first, "fixed_ips"); strings.Count(got, "subnet_id") != 1 {
		t.Errorf("addresses after one prefix was removed: %s", got)
	}
	a.must(200, "PUT", r+"/remove_router_interface", names.Replace(`{"subnet_id":"S6B"}`))
	a.refused(404, "PortNotFound", "", "GET", "/ports/"+first, "")
	a.must(200, "PUT", names.Replace("/routers/R0/add_router_interface"), names.Replace(`{"port_id":"TWO"}`))
	if got := a.get(names.Replace("/ports/TWO"), "port_security_enabled"); got != "false" {
		t.Errorf("a router's port is filtered: %s", got)
	}
	a.sound()
}

func TestGatewayChanges(t *testing.T) {
	a := newAPI(t)
	names := layer3(a)
	r := names.Replace("/routers/R0")
	set := func(info string) string {
		t.Helper()
		a.must(200, "PUT", r, names.Replace(`{"router":{"external_gateway_info":`+info+`}}`))
		a.sound()
		return a.get(r, "external_gateway_info")
	}
	if got := set(`{"network_id":"EXT","enable_snat":false,"external_fixed_ips":[{"ip_address":"203.0.113.77"}]}`); !strings.Contains(got, "203.0.113.77") || !strings.Contains(got, `"enable_snat":false`) {
		t.Errorf("chosen: %s", got)
	}
	if got := set(`{"network_id":"EXT","external_fixed_ips":[{"ip_address":"203.0.113.78"}]}`); !strings.Contains(got, "203.0.113.78") || !strings.Contains(got, `"enable_snat":true`) {
		t.Errorf("another address: %s", got)
	}
	if got := set(`{"network_id":"OTHER"}`); !strings.Contains(got, "198.51.100.") {
		t.Errorf("another network: %s", got)
	}
	if got := set(`{}`); got != "null" {
		t.Errorf("none: %s", got)
	}
	if l := a.must(200, "GET", names.Replace("/ports?device_id=R0"), "")["ports"].([]any); len(l) != 0 {
		t.Errorf("ports that are left: %v", l)
	}
}

func TestExternalNetworkTakesItsFreeFloatingIPsAlong(t *testing.T) {
	a := newAPI(t)
	ext := a.external("ext", "203.0.113.0/24")
	f := a.floatingIP(`{"floating_network_id":"` + ext + `"}`)
	a.must(204, "DELETE", "/networks/"+ext, "")
	a.refused(404, "FloatingIPNotFound", "", "GET", "/floatingips/"+f, "")
	a.sound()
}

func TestFloatingIPsAreListedByWhatTheyLeadTo(t *testing.T) {
	a := newAPI(t)
	names := layer3(a)
	for query, want := range map[string]int{
		"": 2, "port_id=VM": 1, "router_id=R1": 1, "router_id=R0": 0, "port_id=VM&router_id=R1&status=DOWN": 1, "fixed_ip_address=10.0.0.50": 1,
		"floating_network_id=EXT": 2, "status=ACTIVE": 0, "id=FIP&id=FREE": 2, "sort_key=floating_ip_address&sort_dir=asc&limit=1": 1,
	} {
		if l := a.must(200, "GET", "/floatingips?"+names.Replace(query), "")["floatingips"].([]any); len(l) != want {
			t.Errorf("%s: %d floating IPs, want %d", query, len(l), want)
		}
	}
}

// putHost stores a host as if it had joined.
func putHost(h *model.Host) func(tx *store.Tx) error {
	return func(tx *store.Tx) error { tx.Put(h); return nil }
}
