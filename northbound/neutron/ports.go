package neutron

import (
	"iter"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

func portTable(ops *l2.Ops, domain string) *resource[*model.Port, l2.PortCreate, l2.PortUpdate] {
	return newResource(resource[*model.Port, l2.PortCreate, l2.PortUpdate]{
		name: "port", plural: "ports", path: "ports", title: "Port",
		attrs: portAttrs(domain),
		meta:  func(p *model.Port) *model.Meta { return &p.Meta },
		find:  func(m *model.Model, id model.ID) (*model.Port, bool) { return m.Ports.Get(id) },
		scan: func(m *model.Model, f filters) iter.Seq[*model.Port] {
			if ids, ok := f["id"]; ok {
				return pickIDs(m.Ports.Get, ids)
			}
			if ids, ok := f["network_id"]; ok {
				return onNetworks(m.PortsOf, ids)
			}
			return values(m.Ports)
		},
		visible: func(v *view, p *model.Port) bool {
			if v.who.Owns(p.Project) || v.who.Service() {
				return true
			}
			n := networkOf(v.model, p.Network)
			return n != nil && v.who.Owns(n.Project)
		},
		network: func(m *model.Model, p *model.Port) *model.Network { return networkOf(m, p.Network) },
		service: true,
		target:  func(q *l2.PortCreate) model.ID { return q.Network },
		allow: func(v *view, on *model.Network) error {
			if !v.who.Owns(on.Project) && !v.who.Service() && !on.Shared {
				return forbidden("create_port")
			}
			return nil
		},
		create: ops.CreatePort,
		update: ops.UpdatePort,
		remove: ops.DeletePort,
		retag:  func(tags []string) l2.PortUpdate { return l2.PortUpdate{Tags: l2.Val(tags)} },
	})
}

var vnicTypes = []string{"normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder",
	"smart-nic", "vdpa", "accelerator-direct", "accelerator-direct-physical", "remote-managed"}

// portAttrs is the table of ports; domain is what dns_assignment puts behind a port's name on a network
// without a domain of its own.
func portAttrs(domain string) []attr[*model.Port, l2.PortCreate, l2.PortUpdate] {
	type (
		port   = *model.Port
		create = l2.PortCreate
		update = l2.PortUpdate
	)
	meta := func(p port) *model.Meta { return &p.Meta }
	return standard[port, create, update]{
		meta:        meta,
		project:     func(q *create) *string { return &q.Project },
		name:        func(q *create) *string { return &q.Name },
		description: func(q *create) *string { return &q.Description },
		newName:     func(q *update) *l2.Opt[string] { return &q.Name },
		newDescr:    func(q *update) *l2.Opt[string] { return &q.Description },
	}.with([]attr[port, create, update]{
		{name: "tags", ops: filtered, json: jsonTags(meta), pick: pickTags(meta, true, false),
			post: into(toTags, func(q *create) *[]string { return &q.Tags })},
		{name: "network_id", ops: required | filtered | sorted,
			get:  func(_ *view, p port) scalar { return text(p.Network) },
			post: into(toID, func(q *create) *model.ID { return &q.Network })},
		{name: "admin_state_up", ops: filtered | sorted, as: asBool,
			get:  func(_ *view, p port) scalar { return boolean(p.AdminUp) },
			post: opt(toBool, func(q *create) *l2.Opt[bool] { return &q.AdminUp }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.AdminUp })},
		{name: "mac_address", ops: filtered | sorted, as: asMAC, sets: networkOwner,
			get:  func(_ *view, p port) scalar { return text(p.MAC.String()) },
			post: optNull(toMAC, func(q *create) *l2.Opt[of.MAC] { return &q.MAC }),
			put:  optNull(toMAC, func(q *update) *l2.Opt[of.MAC] { return &q.MAC })},
		{name: "fixed_ips", ops: filtered, sets: networkOwner, free: noAddress, json: jsonFixedIPs, pick: pickFixedIPs,
			post: opt(toFixedIPs, func(q *create) *l2.Opt[[]model.FixedIP] { return &q.FixedIPs }),
			put:  opt(toFixedIPs, func(q *update) *l2.Opt[[]model.FixedIP] { return &q.FixedIPs })},
		{name: "device_id", ops: filtered | sorted,
			get:  func(_ *view, p port) scalar { return text(p.DeviceID) },
			post: into(toText(maxText), func(q *create) *string { return &q.DeviceID }),
			put:  opt(toText(maxText), func(q *update) *l2.Opt[string] { return &q.DeviceID })},
		{name: "device_owner", ops: filtered | sorted, sets: networkOwner, free: noNetworkDevice,
			get:  func(_ *view, p port) scalar { return text(p.DeviceOwner) },
			post: into(toText(maxText), func(q *create) *string { return &q.DeviceOwner }),
			put:  opt(toText(maxText), func(q *update) *l2.Opt[string] { return &q.DeviceOwner })},
		{name: "status", ops: filtered | sorted,
			get: func(v *view, p port) scalar { return text(v.portStatus(p)) }},
		{name: "binding:vif_type", see: services, get: func(v *view, p port) scalar { return text(vifType(v.model, p)) }},
		{name: "binding:vif_details", see: services, json: jsonVIFDetails},
		{name: "binding:vnic_type",
			get:  func(_ *view, p port) scalar { return text(p.VNICType) },
			post: into(toOneOf(vnicTypes...), func(q *create) *string { return &q.VNICType }),
			put:  opt(toOneOf(vnicTypes...), func(q *update) *l2.Opt[string] { return &q.VNICType })},
		{name: "binding:host_id", ops: filtered, see: services, sets: services,
			get:  func(_ *view, p port) scalar { return text(p.BindingHost) },
			post: into(toBindingHost, func(q *create) *string { return &q.BindingHost }),
			put:  opt(toBindingHost, func(q *update) *l2.Opt[string] { return &q.BindingHost })},
		{name: "binding:profile", see: services, sets: services,
			json: func(dst []byte, _ *view, p port) []byte {
				if len(p.Profile) == 0 {
					return append(dst, "{}"...)
				}
				return appendAny(dst, p.Profile)
			},
			post: into(toProfile, func(q *create) *map[string]any { return &q.Profile }),
			put:  opt(toProfile, func(q *update) *l2.Opt[map[string]any] { return &q.Profile })},
		{name: "port_security_enabled", sets: networkOwner,
			get:  func(_ *view, p port) scalar { return boolean(p.PortSecurity) },
			post: opt(toBool, func(q *create) *l2.Opt[bool] { return &q.PortSecurity }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.PortSecurity })},
		{name: "allowed_address_pairs", sets: networkOwner, json: jsonAddressPairs,
			post: into(toAddressPairs, func(q *create) *[]model.AddressPair { return &q.AddressPairs }),
			put:  opt(toAddressPairs, func(q *update) *l2.Opt[[]model.AddressPair] { return &q.AddressPairs })},
		{name: "extra_dhcp_opts", json: jsonDHCPOptions,
			post: into(toDHCPOptions, func(q *create) *[]l2.DHCPOptionChange { return &q.DHCPOptions }),
			put:  opt(toDHCPOptions, func(q *update) *l2.Opt[[]l2.DHCPOptionChange] { return &q.DHCPOptions })},
		{name: "security_groups", ops: filtered,
			json: func(dst []byte, _ *view, p port) []byte { return appendStrings(dst, p.SecurityGroups) },
			pick: func(values []string) (pick[port], error) {
				return func(_ *view, p port) bool {
					return slices.ContainsFunc(p.SecurityGroups, func(id model.ID) bool { return slices.Contains(values, string(id)) })
				}, nil
			},
			post: into(toIDs, func(q *create) *[]model.ID { return &q.SecurityGroups }),
			put:  opt(toIDs, func(q *update) *l2.Opt[[]model.ID] { return &q.SecurityGroups })},
		{name: "dns_name",
			get:  func(_ *view, p port) scalar { return text(p.DNSName) },
			post: into(toHostName, func(q *create) *string { return &q.DNSName }),
			put:  opt(toHostName, func(q *update) *l2.Opt[string] { return &q.DNSName })},
		{name: "dns_domain",
			get:  func(_ *view, p port) scalar { return text(p.DNSDomain) },
			post: into(toDomain, func(q *create) *string { return &q.DNSDomain }),
			put:  opt(toDomain, func(q *update) *l2.Opt[string] { return &q.DNSDomain })},
		{name: "dns_assignment", json: jsonDNSAssignment(domain)},
		{name: "propagate_uplink_status",
			get:  func(_ *view, p port) scalar { return boolean(p.UplinkStatus) },
			post: opt(toBool, func(q *create) *l2.Opt[bool] { return &q.UplinkStatus }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.UplinkStatus })},
		{name: "data_plane_status", sets: admins,
			get: func(_ *view, p port) scalar { return textOrNull(p.DataPlane) },
			put: optNull(toOneOf("ACTIVE", "DOWN"), func(q *update) *l2.Opt[string] { return &q.DataPlane })},
		{name: "ip_allocation", ops: filtered | sorted,
			get: func(_ *view, p port) scalar {
				if len(p.FixedIPs) == 0 {
					return text("none")
				}
				return text("immediate")
			}},
		{name: "resource_request", see: admins, get: null[port]},
		{name: "qos_policy_id", get: null[port],
			post: checked[create](toRef("QoS policy", "QosPolicyNotFound")),
			put:  checked[update](toRef("QoS policy", "QosPolicyNotFound"))},
		{name: "qos_network_policy_id", get: null[port]},
	}...)
}

// portStatus is a port's state. The port of a floating IP only holds its address, and has none.
func (v *view) portStatus(p *model.Port) string {
	if p.DeviceOwner == model.OwnerFloatingIP {
		return "N/A"
	}
	return v.status.PortStatus(v.model, p)
}

// noAddress lets anybody choose the subnets of a port, but only who owns the network its addresses.
func noAddress(v any, _ bool) bool {
	list, _ := v.([]any)
	for _, e := range list {
		if o, ok := e.(map[string]any); ok && o["ip_address"] != nil {
			return false
		}
	}
	return true
}

// noNetworkDevice keeps ports of the network's own devices to who owns the network.
func noNetworkDevice(v any, _ bool) bool {
	s, _ := v.(string)
	return !strings.HasPrefix(s, "network:")
}

// toBindingHost reads a host's name; null is no host.
func toBindingHost(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	return toText(maxText)(v)
}

// pickFixedIPs makes the filter by address: one fixed address of the port must be as asked. Values are
// "ip_address=…", "subnet_id=…" and "ip_address_substr=…"; several of a kind mean any of them.
func pickFixedIPs(values []string) (pick[*model.Port], error) {
	asked := map[string][]string{}
	for _, s := range values {
		if s == "" {
			continue
		}
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return nil, invalidInput("'%s' is not of the form <key>=[value]", cut(s))
		}
		if k == "ip_address" {
			if a, err := toAddr(v); err == nil {
				v = a.String()
			}
		}
		asked[k] = append(asked[k], v)
	}
	ips, subnets, parts := asked["ip_address"], asked["subnet_id"], asked["ip_address_substr"]
	if ips == nil && subnets == nil && parts == nil {
		return func(*view, *model.Port) bool { return true }, nil
	}
	return func(_ *view, p *model.Port) bool {
		return slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool {
			ip := f.IP.String()
			return (ips == nil || slices.Contains(ips, ip)) &&
				(subnets == nil || slices.Contains(subnets, string(f.Subnet))) &&
				(parts == nil || slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(ip, part) }))
		})
	}, nil
}
