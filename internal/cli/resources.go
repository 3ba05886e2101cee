package cli

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
)

// resource is one kind of things that there are to get: everything that commands know of it.
type resource struct {
	name   string   // "floatingip", as /v1 and the command line spell it
	plural string   // "floatingips"
	short  []string // "fip"
	says   string   // for the documentation

	path    string // of the list
	list    string // member of the answer that is the list
	one     string // member that wraps one object, for reading and writing; empty if it stands alone
	key     string // member that identifies one, and ends the path of it
	label   string // member that people call it by; empty: key
	neutron bool   // it is of /v2.0: lists take attributes as filters
	kind    string // under /v1/objects; empty if it is not there
	lone    bool   // one object can be read by its own path

	columns    []column
	filters    []filter
	attributes []attribute
	create     string // method of a create; empty if there is none
	update     string // method of an update; empty if there is none
	remove     bool   // it can be deleted

	// pathOf is the path of one object, if it is not that of the list with its id.
	pathOf func(o object) string
	// complete adds to a body what follows from the rest of it; before is the object that is changed, nil for
	// a create.
	complete func(ctx context.Context, s *session, before, body object) error
	// fetch lists what is not one list of the API, by the filters that were given, named by their flags.
	fetch func(ctx context.Context, s *session, chosen url.Values) ([]object, error)
}

// column is a column of a table.
type column struct {
	title  string
	path   string // member of the object
	refers string // the member is the id of such a resource: its name is shown
	wide   bool   // shown with -o wide only
	show   func(o object) string
}

// filter is a flag that chooses among objects.
type filter struct {
	flag   string
	member string // that has to be the value; empty if fetch alone knows
	refers string // the value names such a resource; its id is compared
	says   string
	param  string // by which the server chooses; empty if the client does
	truth  bool   // the value may be left out, and is then true
}

// kindsOfThings are the resources in the order of the documentation.
func kindsOfThings() []*resource {
	return []*resource{
		networkResource(), subnetResource(), portResource(), routerResource(), floatingIPResource(), forwardingResource(),
		hostResource(), switchResource(), flowResource(), namespaceResource(), tunnelResource(), macResource(), leaseResource(),
		agentResource(), eventResource(), planResource(),
	}
}

// label names an object for people.
func (r *resource) labelOf(o object) string {
	return cmp.Or(o.text(cmp.Or(r.label, r.key)), o.text(r.key))
}

// id identifies an object.
func (r *resource) id(o object) string { return o.text(r.key) }

// itemPath is the path of one object by its id.
func (r *resource) itemPath(id string) string { return r.path + "/" + url.PathEscape(id) }

// objectPath is the path of an object.
func (r *resource) objectPath(o object) string {
	if r.pathOf != nil {
		return r.pathOf(o)
	}
	return r.itemPath(r.id(o))
}

// called reports whether a word names the resource.
func (r *resource) called(word string) bool {
	word = strings.ToLower(word)
	return word == r.name || word == r.plural || slices.Contains(r.short, word)
}

// resourceNamed finds a resource by any of its names.
func resourceNamed(word string) (*resource, error) {
	all := kindsOfThings()
	for _, r := range all {
		if r.called(word) {
			return r, nil
		}
	}
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.name
	}
	return nil, usagef("there is nothing called %q to get, only %s", word, strings.Join(names, ", "))
}

// mustResource finds a resource that the table names itself.
func mustResource(name string) *resource {
	r, err := resourceNamed(name)
	if err != nil {
		panic(err) // a mistake in the table
	}
	return r
}

// The columns that conditions give: /v1/objects says them.
var (
	hostColumn   = column{title: "HOST", path: "state.host"}
	statusColumn = column{title: "STATUS", path: "status"}
	reasonColumn = column{title: "WHY NOT", path: "state.reason"}
	whyColumn    = column{title: "MESSAGE", path: "state.message", wide: true}
	idColumn     = column{title: "ID", path: "id"}
	nameColumn   = column{title: "NAME", path: "name"}
	ownerColumn  = column{title: "PROJECT", path: "project_id", wide: true}
)

func networkResource() *resource {
	return &resource{name: "network", plural: "networks", short: []string{"net", "nets"}, says: "layer 2 networks",
		path: "/v2.0/networks", list: "networks", one: "network", key: "id", label: "name", neutron: true, kind: "network", lone: true,
		columns: []column{nameColumn, idColumn, {title: "TYPE", path: "provider:network_type"}, {title: "SEGMENT", path: "provider:segmentation_id"},
			{title: "SUBNETS", path: "subnets", refers: "subnet"}, {title: "EXTERNAL", path: "router:external"}, statusColumn, reasonColumn,
			{title: "MTU", path: "mtu", wide: true}, {title: "SHARED", path: "shared", wide: true}, {title: "PHYSNET", path: "provider:physical_network", wide: true},
			ownerColumn, whyColumn},
		filters: []filter{{flag: "external", member: "router:external", says: "external networks, or with =false the others", param: "router:external", truth: true},
			{flag: "type", member: "provider:network_type", says: "networks of a type", param: "provider:network_type"}},
		attributes: networkAttributes(), create: "POST", update: "PUT", remove: true}
}

func subnetResource() *resource {
	return &resource{name: "subnet", plural: "subnets", short: []string{"sub", "subs"}, says: "the addresses of networks",
		path: "/v2.0/subnets", list: "subnets", one: "subnet", key: "id", label: "name", neutron: true, kind: "subnet", lone: true,
		columns: []column{nameColumn, idColumn, {title: "NETWORK", path: "network_id", refers: "network"}, {title: "CIDR", path: "cidr"},
			{title: "GATEWAY", path: "gateway_ip"}, {title: "DHCP", path: "enable_dhcp"}, reasonColumn,
			{title: "POOLS", path: "allocation_pools", wide: true, show: showPools}, {title: "DNS", path: "dns_nameservers", wide: true}, ownerColumn, whyColumn},
		filters:    []filter{networkFilter},
		attributes: subnetAttributes(), complete: completeSubnet, create: "POST", update: "PUT", remove: true}
}

func portResource() *resource {
	return &resource{name: "port", plural: "ports", short: []string{"po"}, says: "interfaces on networks",
		path: "/v2.0/ports", list: "ports", one: "port", key: "id", label: "name", neutron: true, kind: "port", lone: true,
		columns: []column{nameColumn, idColumn, {title: "NETWORK", path: "network_id", refers: "network"}, {title: "ADDRESSES", path: "fixed_ips", show: showFixedIPs},
			hostColumn, statusColumn, reasonColumn,
			{title: "MAC", path: "mac_address", wide: true}, {title: "OWNER", path: "device_owner", wide: true}, {title: "DEVICE", path: "device_id", wide: true},
			ownerColumn, whyColumn},
		filters: []filter{networkFilter, {flag: "host", member: "state.host", says: "ports on a host"},
			{flag: "status", member: "status", says: "ports with a status: ACTIVE, BUILD, DOWN"}, {flag: "mac", member: "mac_address", says: "ports with a MAC address", param: "mac_address"},
			{flag: "device", member: "device_id", says: "ports of a device: the id of a VM or router", param: "device_id"},
			{flag: "owner", member: "device_owner", says: "ports with an owner: compute:nova, network:dhcp", param: "device_owner"}},
		attributes: portAttributes(), create: "POST", update: "PUT", remove: true}
}

func routerResource() *resource {
	return &resource{name: "router", plural: "routers", short: []string{"rt", "rts"}, says: "routers between networks, and to the outside",
		path: "/v2.0/routers", list: "routers", one: "router", key: "id", label: "name", neutron: true, kind: "router", lone: true,
		columns: []column{nameColumn, idColumn, {title: "GATEWAY", path: "external_gateway_info.network_id", refers: "network"},
			{title: "OUTSIDE", path: "external_gateway_info.external_fixed_ips", show: func(o object) string {
				return addresses(o.objects("external_gateway_info.external_fixed_ips"))
			}},
			hostColumn, statusColumn, reasonColumn,
			{title: "SNAT", path: "external_gateway_info.enable_snat", wide: true}, {title: "ROUTES", path: "routes", wide: true, show: showRoutes}, ownerColumn, whyColumn},
		filters:    []filter{{flag: "host", member: "state.host", says: "routers placed on a host"}},
		attributes: routerAttributes(), complete: completeRouter, create: "POST", update: "PUT", remove: true}
}

func floatingIPResource() *resource {
	return &resource{name: "floatingip", plural: "floatingips", short: []string{"fip", "fips"}, says: "outside addresses of ports",
		path: "/v2.0/floatingips", list: "floatingips", one: "floatingip", key: "id", label: "floating_ip_address", neutron: true, kind: "floatingip", lone: true,
		columns: []column{{title: "ADDRESS", path: "floating_ip_address"}, idColumn, {title: "PORT", path: "port_id", refers: "port"},
			{title: "INSIDE", path: "fixed_ip_address"}, {title: "ROUTER", path: "router_id", refers: "router"}, hostColumn, statusColumn, reasonColumn,
			{title: "NETWORK", path: "floating_network_id", refers: "network", wide: true}, ownerColumn, whyColumn},
		filters: []filter{{flag: "network", member: "floating_network_id", refers: "network", says: "floating IPs of an external network", param: "floating_network_id"},
			{flag: "port", member: "port_id", refers: "port", says: "floating IPs of a port", param: "port_id"},
			{flag: "router", member: "router_id", refers: "router", says: "floating IPs behind a router", param: "router_id"},
			{flag: "status", member: "status", says: "floating IPs with a status: ACTIVE, DOWN", param: "status"}},
		attributes: floatingIPAttributes(), create: "POST", update: "PUT", remove: true}
}

func forwardingResource() *resource {
	return &resource{name: "portforwarding", plural: "portforwardings", short: []string{"pf"}, says: "single ports of floating IPs",
		path: "/v2.0/floatingips", list: "port_forwardings", one: "port_forwarding", key: "id", neutron: true, kind: "portforwarding",
		columns: []column{idColumn, {title: "FLOATING IP", path: "floatingip_id", refers: "floatingip"}, {title: "PROTOCOL", path: "protocol"},
			{title: "OUTSIDE", path: "external_port_range"}, {title: "PORT", path: "internal_port_id", refers: "port"},
			{title: "INSIDE", path: "internal_ip_address", show: func(o object) string {
				return o.text("internal_ip_address") + " " + o.text("internal_port_range")
			}}, reasonColumn, whyColumn},
		filters: []filter{{flag: "floatingip", member: "floatingip_id", refers: "floatingip", says: "port forwardings of a floating IP"},
			{flag: "port", member: "internal_port_id", refers: "port", says: "port forwardings to a port"}},
		attributes: forwardingAttributes(), complete: completeForwarding, create: "POST", update: "PUT", remove: true, fetch: fetchForwardings,
		pathOf: func(o object) string { return forwardingsPath(o.text("floatingip_id")) + "/" + o.text("id") }}
}

var networkFilter = filter{flag: "network", member: "network_id", refers: "network", says: "those of a network", param: "network_id"}

func showFixedIPs(o object) string { return addresses(o.objects("fixed_ips")) }

// addresses joins the addresses of fixed IPs.
func addresses(fixed []object) string {
	var out []string
	for _, f := range fixed {
		out = append(out, f.text("ip_address"))
	}
	return strings.Join(out, ",")
}

func showPools(o object) string {
	var out []string
	for _, p := range o.objects("allocation_pools") {
		out = append(out, p.text("start")+"-"+p.text("end"))
	}
	return strings.Join(out, ",")
}

func showRoutes(o object) string {
	var out []string
	for _, r := range o.objects("routes") {
		out = append(out, r.text("destination")+" via "+r.text("nexthop"))
	}
	return strings.Join(out, ", ")
}
