package neutron

import (
	"iter"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store/model"
)

func networkTable(ops *l2.Ops) *resource[*model.Network, l2.NetworkCreate, l2.NetworkUpdate] {
	return newResource(resource[*model.Network, l2.NetworkCreate, l2.NetworkUpdate]{
		name: "network", plural: "networks", path: "networks", title: "Network",
		attrs: networkAttrs(),
		meta:  func(n *model.Network) *model.Meta { return &n.Meta },
		find:  func(m *model.Model, id model.ID) (*model.Network, bool) { return m.Networks.Get(id) },
		scan: func(m *model.Model, f filters) iter.Seq[*model.Network] {
			if ids, ok := f["id"]; ok {
				return pickIDs(m.Networks.Get, ids)
			}
			return values(m.Networks)
		},
		visible: func(v *view, n *model.Network) bool { return v.seesNetwork(n) },
		create:  ops.CreateNetwork,
		update:  ops.UpdateNetwork,
		remove:  ops.DeleteNetwork,
		retag:   func(tags []string) l2.NetworkUpdate { return l2.NetworkUpdate{Tags: l2.Val(tags)} },
	})
}

// seesNetwork reports whether the viewer may know of a network: its project's, a shared one, or one
// that leads outside.
func (v *view) seesNetwork(n *model.Network) bool {
	return v.who.Owns(n.Project) || v.who.Service() || n.Shared || n.External
}

// network finds a network that the viewer may know of.
func (v *view) network(id model.ID) (*model.Network, error) {
	if n, ok := v.model.Networks.Get(id); ok && v.seesNetwork(n) {
		return n, nil
	}
	return nil, model.NotFoundError("Network", id)
}

func toNetworkType(v any) (model.NetworkType, error) {
	s, err := toText(32)(v)
	return model.NetworkType(s), err
}

// networkAttrs is the table of networks.
func networkAttrs() []attr[*model.Network, l2.NetworkCreate, l2.NetworkUpdate] {
	type (
		network = *model.Network
		create  = l2.NetworkCreate
		update  = l2.NetworkUpdate
	)
	return standard[network, create, update]{
		meta:        func(n network) *model.Meta { return &n.Meta },
		project:     func(q *create) *string { return &q.Project },
		name:        func(q *create) *string { return &q.Name },
		description: func(q *create) *string { return &q.Description },
		newName:     func(q *update) *l2.Opt[string] { return &q.Name },
		newDescr:    func(q *update) *l2.Opt[string] { return &q.Description },
	}.with([]attr[network, create, update]{
		{name: "admin_state_up", ops: filtered | sorted, as: asBool,
			get:  func(_ *view, n network) scalar { return boolean(n.AdminUp) },
			post: opt(toBool, func(q *create) *l2.Opt[bool] { return &q.AdminUp }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.AdminUp })},
		{name: "status", ops: filtered | sorted,
			get: func(v *view, n network) scalar { return text(v.status.NetworkStatus(v.model, n)) }},
		{name: "subnets",
			json: func(dst []byte, v *view, n network) []byte {
				return appendList(dst, v.model.SubnetsOf(n.ID), func(dst []byte, s *model.Subnet) []byte {
					return appendString(dst, string(s.ID))
				})
			}},
		{name: "shared", ops: filtered, as: asBool, sets: admins, free: whenFalse,
			get:  func(_ *view, n network) scalar { return boolean(n.Shared) },
			post: into(toBool, func(q *create) *bool { return &q.Shared }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.Shared })},
		{name: "router:external", ops: filtered, as: asBool, sets: admins, free: whenFalse,
			get:  func(_ *view, n network) scalar { return boolean(n.External) },
			post: into(toBool, func(q *create) *bool { return &q.External }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.External })},
		{name: "is_default", ops: filtered, as: asBool, sets: admins, free: whenFalse,
			get:  func(_ *view, n network) scalar { return boolean(n.Default) },
			post: into(toBool, func(q *create) *bool { return &q.Default }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.Default })},
		{name: "provider:network_type", ops: filtered, see: admins, sets: admins,
			get:  func(_ *view, n network) scalar { return text(n.Type) },
			post: opt(toNetworkType, func(q *create) *l2.Opt[model.NetworkType] { return &q.Type }),
			put:  opt(toNetworkType, func(q *update) *l2.Opt[model.NetworkType] { return &q.Type })},
		{name: "provider:physical_network", ops: filtered, see: admins, sets: admins,
			get:  func(_ *view, n network) scalar { return textOrNull(n.Physnet) },
			post: opt(toText(64), func(q *create) *l2.Opt[string] { return &q.Physnet }),
			put:  opt(toText(64), func(q *update) *l2.Opt[string] { return &q.Physnet })},
		{name: "provider:segmentation_id", ops: filtered, as: asInt, see: admins, sets: admins,
			get: func(_ *view, n network) scalar {
				if n.SegmentID == 0 {
					return none
				}
				return integer(int(n.SegmentID))
			},
			post: opt(toInt, func(q *create) *l2.Opt[int] { return &q.SegmentID }),
			put:  opt(toInt, func(q *update) *l2.Opt[int] { return &q.SegmentID })},
		{name: "mtu", ops: filtered | sorted, as: asInt,
			get:  func(_ *view, n network) scalar { return integer(n.MTU) },
			post: opt(toNonNegative, func(q *create) *l2.Opt[int] { return &q.MTU }),
			put:  opt(toNonNegative, func(q *update) *l2.Opt[int] { return &q.MTU })},
		{name: "port_security_enabled",
			get:  func(_ *view, n network) scalar { return boolean(n.PortSecurity) },
			post: opt(toBool, func(q *create) *l2.Opt[bool] { return &q.PortSecurity }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.PortSecurity })},
		{name: "dns_domain",
			get:  func(_ *view, n network) scalar { return text(n.DNSDomain) },
			post: into(toDomain, func(q *create) *string { return &q.DNSDomain }),
			put:  opt(toDomain, func(q *update) *l2.Opt[string] { return &q.DNSDomain })},
		{name: "availability_zone_hints",
			json: func(dst []byte, _ *view, n network) []byte { return appendStrings(dst, n.AZHints) },
			post: into(toZones, func(q *create) *[]string { return &q.AZHints })},
		{name: "availability_zones", json: func(dst []byte, v *view, n network) []byte {
			return appendStrings(dst, zonesOf(v.model, model.ServiceDHCP, n.ID))
		}},
		{name: "ipv4_address_scope", get: null[network]},
		{name: "ipv6_address_scope", get: null[network]},
		{name: "l2_adjacency", get: func(*view, network) scalar { return boolean(true) }},
		{name: "qos_policy_id", get: null[network],
			post: checked[create](toRef("QoS policy", "QosPolicyNotFound")),
			put:  checked[update](toRef("QoS policy", "QosPolicyNotFound"))},
	}...)
}
