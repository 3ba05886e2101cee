package cli

import (
	"context"
	"net/netip"
	"strings"

	"github.com/spf13/pflag"
)

// attribute is something that create and set can say of an object: a flag, and what it becomes in the
// request.
type attribute struct {
	flag   string
	member string // dotted path in the body
	says   string
	kind   attributeKind
	refers string // the value names such a resource
	only   string // "create" or "set"; empty for both
}

// attributeKind is how a flag becomes JSON.
type attributeKind int

const (
	asText     attributeKind = iota // the text; "none" is null
	asNumber                        // a whole number
	asTruth                         // true or false
	asTexts                         // a list of texts; "none" is the empty list
	asFixedIPs                      // addresses, or subnet=NAME, or both: subnet=NAME,ip=ADDRESS
	asPools                         // FIRST-LAST
	asRoutes                        // PREFIX=NEXTHOP
	asPhysnets                      // PHYSNET=BRIDGE, a map
)

// define adds the flags of a resource's attributes.
func define(f *pflag.FlagSet, r *resource, verb string) {
	for _, a := range r.attributes {
		if a.only != "" && a.only != verb {
			continue
		}
		switch a.kind {
		case asNumber:
			f.Int(a.flag, 0, a.says)
		case asTruth:
			f.Bool(a.flag, false, a.says)
			f.Lookup(a.flag).DefValue = "" // what is not given is not said, so there is no default
		case asTexts, asFixedIPs, asPools, asRoutes, asPhysnets:
			f.StringArray(a.flag, nil, a.says)
		default:
			f.String(a.flag, "", a.says)
		}
	}
}

// read puts what the flags say into a body.
func (s *session) read(ctx context.Context, f *pflag.FlagSet, r *resource, body object) error {
	for _, a := range r.attributes {
		flag := f.Lookup(a.flag)
		if flag == nil || !flag.Changed {
			continue
		}
		v, err := s.value(ctx, f, a)
		if err != nil {
			return err
		}
		body.set(a.member, v)
	}
	return nil
}

// set puts a value at a dotted path.
func (o object) set(path string, value any) {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		o[head] = value
		return
	}
	inner, is := o[head].(map[string]any)
	if !is {
		inner = map[string]any{}
		o[head] = inner
	}
	object(inner).set(rest, value)
}

// none takes a value away.
const none = "none"

func (s *session) value(ctx context.Context, f *pflag.FlagSet, a attribute) (any, error) {
	switch a.kind {
	case asNumber:
		return f.GetInt(a.flag)
	case asTruth:
		return f.GetBool(a.flag)
	case asTexts, asFixedIPs, asPools, asRoutes, asPhysnets:
		words, err := f.GetStringArray(a.flag)
		if err != nil {
			return nil, err
		}
		return s.values(ctx, a, words)
	}
	word, err := f.GetString(a.flag)
	switch {
	case err != nil:
		return nil, err
	case word == none:
		return nil, nil
	case a.refers != "":
		return s.resolveID(ctx, mustResource(a.refers), word)
	}
	return word, nil
}

func (s *session) values(ctx context.Context, a attribute, words []string) (any, error) {
	list := []any{}
	pairs := map[string]any{}
	for _, word := range words {
		if word == none {
			continue
		}
		switch a.kind {
		case asFixedIPs:
			ip, err := s.fixedIP(ctx, a, word)
			if err != nil {
				return nil, err
			}
			list = append(list, ip)
		case asPools:
			first, last, is := strings.Cut(word, "-")
			if !is {
				return nil, usagef("--%s %q is not of the form FIRST-LAST", a.flag, word)
			}
			list = append(list, map[string]any{"start": first, "end": last})
		case asRoutes:
			to, via, is := strings.Cut(word, "=")
			if !is {
				return nil, usagef("--%s %q is not of the form PREFIX=NEXTHOP", a.flag, word)
			}
			list = append(list, map[string]any{"destination": to, "nexthop": via})
		case asPhysnets:
			physnet, bridge, is := strings.Cut(word, "=")
			if !is {
				return nil, usagef("--%s %q is not of the form PHYSNET=BRIDGE", a.flag, word)
			}
			pairs[physnet] = bridge
			if bridge == none {
				pairs[physnet] = nil
			}
		default:
			for _, part := range strings.Split(word, ",") {
				list = append(list, part)
			}
		}
	}
	if a.kind == asPhysnets {
		return pairs, nil
	}
	return list, nil
}

// fixedIP reads "10.0.22.9", "subnet=blue-v4" or "subnet=blue-v4,ip=10.0.22.9".
func (s *session) fixedIP(ctx context.Context, a attribute, word string) (any, error) {
	out := map[string]any{}
	for _, part := range strings.Split(word, ",") {
		switch name, value, is := strings.Cut(part, "="); {
		case !is:
			out["ip_address"] = part
		case name == "ip":
			out["ip_address"] = value
		case name == "subnet":
			id, err := s.resolveID(ctx, mustResource("subnet"), value)
			if err != nil {
				return nil, err
			}
			out["subnet_id"] = id
		default:
			return nil, usagef("--%s %q is neither an address nor of the form subnet=NAME,ip=ADDRESS", a.flag, word)
		}
	}
	return out, nil
}

// The attributes that several resources have.
var (
	nameAttribute    = attribute{flag: "name", member: "name", says: "new `name`", only: "set"}
	describedAs      = attribute{flag: "description", member: "description", says: "`text` for people"}
	adminUp          = attribute{flag: "up", member: "admin_state_up", says: "=false takes it out of service", kind: asTruth}
	toWhichNetwork   = attribute{flag: "network", member: "network_id", says: "`name` or id of its network", refers: "network", only: "create"}
	extraRoutesBegin = "route `PREFIX=NEXTHOP`, repeatable; none takes all away"
)

func networkAttributes() []attribute {
	return []attribute{nameAttribute, describedAs, adminUp,
		{flag: "shared", member: "shared", says: "other projects may use it", kind: asTruth},
		{flag: "external", member: "router:external", says: "routers' gateways and floating IPs are on it", kind: asTruth},
		{flag: "mtu", member: "mtu", says: "MTU in `bytes`", kind: asNumber},
		{flag: "type", member: "provider:network_type", says: "`type`: gre, vxlan, geneve, vlan or flat", only: "create"},
		{flag: "physnet", member: "provider:physical_network", says: "`name` of the physical network, of types vlan and flat", only: "create"},
		{flag: "segment", member: "provider:segmentation_id", says: "VNI, GRE key or VLAN `id`", kind: asNumber, only: "create"},
		{flag: "dns-domain", member: "dns_domain", says: "DNS `domain` of its ports"}}
}

func subnetAttributes() []attribute {
	return []attribute{nameAttribute, describedAs, toWhichNetwork,
		{flag: "cidr", member: "cidr", says: "`prefix`: 10.0.22.0/24", only: "create"},
		{flag: "gateway", member: "gateway_ip", says: "`address` of the router; none for no gateway"},
		{flag: "dhcp", member: "enable_dhcp", says: "=false gives no addresses by DHCP", kind: asTruth},
		{flag: "dns", member: "dns_nameservers", says: "`address` of a DNS server, repeatable; none takes all away", kind: asTexts},
		{flag: "pool", member: "allocation_pools", says: "addresses that ports are given, `FIRST-LAST`, repeatable", kind: asPools},
		{flag: "route", member: "host_routes", says: extraRoutesBegin, kind: asRoutes},
		{flag: "ra-mode", member: "ipv6_ra_mode", says: "`mode`: slaac, dhcpv6-stateful or dhcpv6-stateless", only: "create"},
		{flag: "address-mode", member: "ipv6_address_mode", says: "`mode`: slaac, dhcpv6-stateful or dhcpv6-stateless", only: "create"}}
}

func portAttributes() []attribute {
	return []attribute{nameAttribute, describedAs, toWhichNetwork, adminUp,
		{flag: "ip", member: "fixed_ips", says: "`address`, or subnet=NAME, or subnet=NAME,ip=ADDRESS, repeatable; none for no address", kind: asFixedIPs},
		{flag: "mac", member: "mac_address", says: "MAC `address`"},
		{flag: "device", member: "device_id", says: "`id` of the VM or other device that has it"},
		{flag: "owner", member: "device_owner", says: "`kind` of that device: compute:nova"},
		{flag: "host", member: "binding:host_id", says: "`name` of the host it is meant for"},
		{flag: "vnic-type", member: "binding:vnic_type", says: "`type`: normal"},
		{flag: "dns-name", member: "dns_name", says: "host `name` in DNS"}}
}

func routerAttributes() []attribute {
	return []attribute{nameAttribute, describedAs, adminUp,
		{flag: "gateway", member: "external_gateway_info.network_id", says: "`name` of the external network it leads to; none for no gateway", refers: "network"},
		{flag: "gateway-ip", member: "external_gateway_info.external_fixed_ips", says: "`address` there, or subnet=NAME, repeatable", kind: asFixedIPs},
		{flag: "snat", member: "external_gateway_info.enable_snat", says: "=false does not translate what goes out", kind: asTruth},
		{flag: "route", member: "routes", says: extraRoutesBegin, kind: asRoutes, only: "set"}}
}

func floatingIPAttributes() []attribute {
	return []attribute{describedAs,
		{flag: "network", member: "floating_network_id", says: "`name` of the external network", refers: "network", only: "create"},
		{flag: "subnet", member: "subnet_id", says: "`name` of the subnet to take it from", refers: "subnet", only: "create"},
		{flag: "address", member: "floating_ip_address", says: "`address` to take", only: "create"},
		{flag: "port", member: "port_id", says: "`name` of the port it leads to; none for no port", refers: "port"},
		{flag: "inside", member: "fixed_ip_address", says: "`address` of that port, if it has several"}}
}

func forwardingAttributes() []attribute {
	return []attribute{describedAs,
		{flag: "floatingip", member: "floatingip_id", says: "`address` or id of the floating IP", refers: "floatingip", only: "create"},
		{flag: "protocol", member: "protocol", says: "`protocol`: tcp or udp"},
		{flag: "outside", member: "external_port_range", says: "`port` of the floating IP, or FIRST:LAST"},
		{flag: "inside", member: "internal_port_range", says: "`port` that it leads to, or FIRST:LAST"},
		{flag: "port", member: "internal_port_id", says: "`name` of the API port that it leads to", refers: "port"},
		{flag: "ip", member: "internal_ip_address", says: "`address` of that port; default its first IPv4 address"}}
}

func hostAttributes() []attribute {
	return []attribute{
		{flag: "tunnel-ip", member: "encap_ip", says: "`address` of its tunnel end; none takes back what was said here"},
		{flag: "tunnel-types", member: "encap_types", says: "`types` of tunnels it speaks: gre,vxlan,geneve", kind: asTexts},
		{flag: "bridge-mapping", member: "bridge_mappings", says: "bridge of a physical network, `PHYSNET=BRIDGE`, repeatable", kind: asPhysnets},
		{flag: "gateway", member: "gateway", says: "it may run routers and DHCP servers", kind: asTruth},
		{flag: "drained", member: "drained", says: "nothing new is placed there", kind: asTruth},
		{flag: "datapath-type", member: "datapath_type", says: "`type` of bridges that Heddle makes: system or netdev"},
		{flag: "ovsdb", member: "ovsdb", says: "manager to dial, `tcp:ADDRESS:PORT`"}}
}

// completeSubnet tells the version of IP by the prefix.
func completeSubnet(_ context.Context, _ *session, before, body object) error {
	if before != nil || body["ip_version"] != nil {
		return nil
	}
	prefix, err := netip.ParsePrefix(body.text("cidr"))
	if err != nil {
		return usagef("--cidr %q is not a prefix such as 10.0.22.0/24", body.text("cidr"))
	}
	body["ip_version"] = 4
	if prefix.Addr().Is6() {
		body["ip_version"] = 6
	}
	return nil
}

// completeRouter names the network of a gateway that is changed otherwise, and takes one away as the API
// wants it.
func completeRouter(_ context.Context, _ *session, before, body object) error {
	gateway, is := body["external_gateway_info"].(map[string]any)
	if !is {
		return nil
	}
	network, given := gateway["network_id"]
	switch {
	case given && network == nil:
		body["external_gateway_info"] = nil
	case !given && before.text("external_gateway_info.network_id") == "":
		return usagef("the router has no gateway to change: --gateway NETWORK gives it one")
	case !given:
		gateway["network_id"] = before.text("external_gateway_info.network_id")
	}
	return nil
}

// completeForwarding finds the address of the port that is led to, and leaves the floating IP to the path.
func completeForwarding(ctx context.Context, s *session, before, body object) error {
	delete(body, "floatingip_id")
	if port := body.text("internal_port_id"); port != "" && body["internal_ip_address"] == nil {
		p, err := s.show(ctx, mustResource("port"), port)
		if err != nil {
			return err
		}
		for _, f := range p.objects("fixed_ips") {
			if a, err := netip.ParseAddr(f.text("ip_address")); err == nil && a.Is4() {
				body["internal_ip_address"] = a.String()
				break
			}
		}
	}
	return nil
}
