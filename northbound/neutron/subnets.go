package neutron

import (
	"iter"
	"net/netip"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

func subnetTable(ops *l2.Ops) *resource[*model.Subnet, l2.SubnetCreate, l2.SubnetUpdate] {
	return newResource(resource[*model.Subnet, l2.SubnetCreate, l2.SubnetUpdate]{
		name: "subnet", plural: "subnets", path: "subnets", title: "Subnet",
		attrs: subnetAttrs(),
		meta:  func(s *model.Subnet) *model.Meta { return &s.Meta },
		find:  func(m *model.Model, id model.ID) (*model.Subnet, bool) { return m.Subnets.Get(id) },
		scan: func(m *model.Model, f filters) iter.Seq[*model.Subnet] {
			if ids, ok := f["id"]; ok {
				return pickIDs(m.Subnets.Get, ids)
			}
			if ids, ok := f["network_id"]; ok {
				return onNetworks(m.SubnetsOf, ids)
			}
			return values(m.Subnets)
		},
		visible: func(v *view, s *model.Subnet) bool { return v.seesSubnet(s) },
		network: func(m *model.Model, s *model.Subnet) *model.Network { return networkOf(m, s.Network) },
		target:  func(q *l2.SubnetCreate) model.ID { return q.Network },
		allow: func(v *view, on *model.Network) error {
			if !v.who.Owns(on.Project) {
				return forbidden("create_subnet")
			}
			return nil
		},
		create: func(tx *store.Tx, q l2.SubnetCreate) (*model.Subnet, error) {
			if !q.CIDR.IsValid() {
				return nil, model.Errorf(model.Invalid, "BadRequest",
					"Bad subnets request: a subnetpool must be specified in the absence of a cidr.")
			}
			return ops.CreateSubnet(tx, q)
		},
		update: ops.UpdateSubnet,
		remove: ops.DeleteSubnet,
		retag:  func(tags []string) l2.SubnetUpdate { return l2.SubnetUpdate{Tags: l2.Val(tags)} },
	})
}

// seesSubnet reports whether the viewer may know of a subnet: its project's, and those of networks that are
// shared or its project's.
func (v *view) seesSubnet(s *model.Subnet) bool {
	n := networkOf(v.model, s.Network)
	return v.who.Owns(s.Project) || v.who.Service() || n != nil && (n.Shared || v.who.Owns(n.Project))
}

// networkOf returns a network, or nil.
func networkOf(m *model.Model, id model.ID) *model.Network {
	n, _ := m.Networks.Get(id)
	return n
}

// onNetworks visits what of returns for each of the networks: the index for a filter by network_id.
func onNetworks[T any](of func(model.ID) []T, ids []string) iter.Seq[T] {
	lists := pickIDs(func(id model.ID) ([]T, bool) { return of(id), true }, ids)
	return func(yield func(T) bool) {
		for list := range lists {
			for _, t := range list {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// subnetAttrs is the table of subnets.
func subnetAttrs() []attr[*model.Subnet, l2.SubnetCreate, l2.SubnetUpdate] {
	type (
		subnet = *model.Subnet
		create = l2.SubnetCreate
		update = l2.SubnetUpdate
	)
	toMode := toOneOf("dhcpv6-stateful", "dhcpv6-stateless", "slaac")
	return standard[subnet, create, update]{
		meta:        func(s subnet) *model.Meta { return &s.Meta },
		project:     func(q *create) *string { return &q.Project },
		name:        func(q *create) *string { return &q.Name },
		description: func(q *create) *string { return &q.Description },
		newName:     func(q *update) *l2.Opt[string] { return &q.Name },
		newDescr:    func(q *update) *l2.Opt[string] { return &q.Description },
	}.with([]attr[subnet, create, update]{
		{name: "ip_version", ops: required | filtered | sorted, as: asInt,
			get:  func(_ *view, s subnet) scalar { return integer(s.IPVersion) },
			post: into(toIPVersion, func(q *create) *int { return &q.IPVersion })},
		{name: "network_id", ops: required | filtered | sorted,
			get:  func(_ *view, s subnet) scalar { return text(s.Network) },
			post: into(toID, func(q *create) *model.ID { return &q.Network })},
		{name: "subnetpool_id", ops: filtered | sorted, get: null[subnet],
			post: checked[create](toRef("Subnet pool", "SubnetPoolNotFound"))},
		{name: "use_default_subnetpool", post: checked[create](noDefaultPool)},
		{name: "prefixlen", post: checked[create](toNonNegative)},
		{name: "cidr", ops: filtered | sorted,
			get: func(_ *view, s subnet) scalar { return text(s.CIDR.String()) },
			post: into(func(v any) (netip.Prefix, error) {
				if v == nil {
					return netip.Prefix{}, nil
				}
				return toPrefix(v)
			}, func(q *create) *netip.Prefix { return &q.CIDR })},
		{name: "gateway_ip", ops: filtered | sorted, as: asAddr,
			get: func(_ *view, s subnet) scalar {
				if !s.Gateway.IsValid() {
					return none
				}
				return text(s.Gateway.String())
			},
			post: optNull(toAddr, func(q *create) *l2.Opt[netip.Addr] { return &q.Gateway }),
			put:  optNull(toAddr, func(q *update) *l2.Opt[netip.Addr] { return &q.Gateway })},
		{name: "allocation_pools",
			json: func(dst []byte, _ *view, s subnet) []byte {
				return appendList(dst, s.Pools, func(dst []byte, r model.Range) []byte {
					return appendPairs(dst, "start", r.First.String(), "end", r.Last.String())
				})
			},
			post: opt(toPools, func(q *create) *l2.Opt[[]model.Range] { return &q.Pools }),
			put:  opt(toPools, func(q *update) *l2.Opt[[]model.Range] { return &q.Pools })},
		{name: "dns_nameservers",
			json: func(dst []byte, _ *view, s subnet) []byte { return appendStrings(dst, s.DNS) },
			post: into(toNameservers, func(q *create) *[]string { return &q.DNS }),
			put:  opt(toNameservers, func(q *update) *l2.Opt[[]string] { return &q.DNS })},
		{name: "host_routes",
			json: func(dst []byte, _ *view, s subnet) []byte {
				return appendList(dst, s.HostRoutes, func(dst []byte, r model.Route) []byte {
					return appendPairs(dst, "destination", r.Destination.String(), "nexthop", r.NextHop.String())
				})
			},
			post: into(toHostRoutes, func(q *create) *[]model.Route { return &q.HostRoutes }),
			put:  opt(toHostRoutes, func(q *update) *l2.Opt[[]model.Route] { return &q.HostRoutes })},
		{name: "enable_dhcp", ops: filtered | sorted, as: asBool,
			get:  func(_ *view, s subnet) scalar { return boolean(s.EnableDHCP) },
			post: opt(toBool, func(q *create) *l2.Opt[bool] { return &q.EnableDHCP }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.EnableDHCP })},
		{name: "ipv6_ra_mode", ops: filtered | sorted,
			get:  func(_ *view, s subnet) scalar { return textOrNull(s.RAMode) },
			post: into(toMode, func(q *create) *string { return &q.RAMode })},
		{name: "ipv6_address_mode", ops: filtered | sorted,
			get:  func(_ *view, s subnet) scalar { return textOrNull(s.AddressMode) },
			post: into(toMode, func(q *create) *string { return &q.AddressMode })},
		{name: "service_types", sets: admins,
			json: func(dst []byte, _ *view, s subnet) []byte { return appendStrings(dst, s.ServiceTypes) },
			post: into(toTexts(maxText), func(q *create) *[]string { return &q.ServiceTypes }),
			put:  opt(toTexts(maxText), func(q *update) *l2.Opt[[]string] { return &q.ServiceTypes })},
		{name: "segment_id", ops: filtered | sorted, see: admins, sets: admins, get: null[subnet],
			free: func(v any, _ bool) bool { return v == nil },
			post: checked[create](toRef("Segment", "SegmentNotFound")),
			put:  checked[update](toRef("Segment", "SegmentNotFound"))},
		{name: "shared", ops: filtered,
			pick: func(values []string) (pick[subnet], error) {
				var want [2]bool
				for _, s := range values {
					b, err := asBool(s)
					if err != nil {
						return nil, err
					}
					want[b.num] = true
				}
				return func(v *view, s subnet) bool {
					n := networkOf(v.model, s.Network)
					return want[boolean(n != nil && n.Shared).num]
				}, nil
			}},
	}...)
}

// noDefaultPool refuses to take the CIDR from a default subnet pool: there is none.
func noDefaultPool(v any) (bool, error) {
	use, err := toBool(v)
	if err == nil && use {
		err = model.Errorf(model.Invalid, "BadRequest", "Bad subnets request: No default subnetpool found.")
	}
	return use, err
}
