package neutron

import (
	"iter"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/store/model"
)

func routerTable(ops *router.Ops) *resource[*model.Router, router.Create, router.Update] {
	return newResource(resource[*model.Router, router.Create, router.Update]{
		name: "router", plural: "routers", path: "routers", title: "Router",
		attrs: routerAttrs(),
		meta:  func(r *model.Router) *model.Meta { return &r.Meta },
		find:  func(m *model.Model, id model.ID) (*model.Router, bool) { return m.Routers.Get(id) },
		scan: func(m *model.Model, f filters) iter.Seq[*model.Router] {
			if ids, ok := f["id"]; ok {
				return pickIDs(m.Routers.Get, ids)
			}
			return values(m.Routers)
		},
		visible: func(v *view, r *model.Router) bool { return v.who.Owns(r.Project) || v.who.Service() },
		mayPost: func(v *view, q *router.Create) error { return v.seesGateway(q.Gateway) },
		mayPut:  func(v *view, _ *model.Router, q *router.Update) error { return v.seesGateway(q.Gateway) },
		create:  ops.Create,
		update:  ops.Update,
		remove:  ops.Delete,
		retag:   func(tags []string) router.Update { return router.Update{Tags: l2.Val(tags)} },
	})
}

// seesGateway checks that the viewer may know of the network that a gateway is asked for on.
func (v *view) seesGateway(g l2.Opt[router.Gateway]) error {
	if !g.Set() || g.Value.Network == "" {
		return nil
	}
	_, err := v.network(g.Value.Network)
	return err
}

// routerAttrs is the table of routers.
func routerAttrs() []attr[*model.Router, router.Create, router.Update] {
	type (
		object = *model.Router
		create = router.Create
		update = router.Update
	)
	return standard[object, create, update]{
		meta:        func(r object) *model.Meta { return &r.Meta },
		project:     func(q *create) *string { return &q.Project },
		name:        func(q *create) *string { return &q.Name },
		description: func(q *create) *string { return &q.Description },
		newName:     func(q *update) *l2.Opt[string] { return &q.Name },
		newDescr:    func(q *update) *l2.Opt[string] { return &q.Description },
	}.with([]attr[object, create, update]{
		{name: "admin_state_up", ops: filtered | sorted, as: asBool,
			get:  func(_ *view, r object) scalar { return boolean(r.AdminUp) },
			post: opt(toBool, func(q *create) *l2.Opt[bool] { return &q.AdminUp }),
			put:  opt(toBool, func(q *update) *l2.Opt[bool] { return &q.AdminUp })},
		{name: "status", ops: sorted,
			get: func(v *view, r object) scalar { return text(v.status.RouterStatus(v.model, r)) }},
		{name: "external_gateway_info", json: jsonGateway, sets: admins, free: plainGateway,
			post: optNull(toGateway, func(q *create) *l2.Opt[router.Gateway] { return &q.Gateway }),
			put:  optNull(toGateway, func(q *update) *l2.Opt[router.Gateway] { return &q.Gateway })},
		{name: "enable_snat", ops: filtered | sorted, as: asBool,
			get: func(_ *view, r object) scalar { return boolean(r.Gateway == nil || r.Gateway.SNAT) }},
		{name: "routes", json: jsonRoutes,
			put: opt(toHostRoutes, func(q *update) *l2.Opt[[]model.Route] { return &q.Routes })},
		{name: "distributed", see: admins, sets: admins, free: whenFalse,
			get:  func(*view, object) scalar { return boolean(false) },
			post: checked[create](toNever("distributed")), put: checked[update](toNever("distributed"))},
		{name: "ha", see: admins, sets: admins, free: whenFalse,
			get:  func(*view, object) scalar { return boolean(false) },
			post: checked[create](toNever("ha")), put: checked[update](toNever("ha"))},
		{name: "availability_zone_hints",
			json: func(dst []byte, _ *view, r object) []byte { return appendStrings(dst, r.AZHints) },
			post: into(toZones, func(q *create) *[]string { return &q.AZHints })},
		{name: "availability_zones", json: func(dst []byte, v *view, r object) []byte {
			return appendStrings(dst, zonesOf(v.model, model.ServiceRouter, r.ID))
		}},
		{name: "flavor_id", ops: sorted, get: null[object], post: checked[create](toRef("Flavor", "FlavorNotFound"))},
	}...)
}

// toNever reads an attribute that can only be false, or null, here.
func toNever(name string) parser[struct{}] {
	return func(v any) (struct{}, error) {
		if v == nil {
			return struct{}{}, nil
		}
		b, err := toBool(v)
		if err == nil && b {
			err = model.Errorf(model.Invalid, "BadRequest", "Bad router request: %s routers are not supported.", name)
		}
		return struct{}{}, err
	}
}

// plainGateway lets anybody choose the network of a gateway, but only administrators its addresses and
// whether it translates.
func plainGateway(v any, _ bool) bool {
	o, _ := v.(map[string]any)
	_, addresses := o["external_fixed_ips"]
	_, snat := o["enable_snat"]
	return !addresses && !snat
}

// toGateway reads a router's gateway; an empty object asks for none.
func toGateway(v any) (router.Gateway, error) {
	var g router.Gateway
	o, ok := v.(map[string]any)
	if !ok {
		return g, reason("'" + str(v) + "' is not a dictionary")
	}
	if len(o) == 0 {
		return g, nil
	}
	o, err := keysOf(o, []string{"network_id", "external_fixed_ips", "enable_snat", "qos_policy_id"}, "network_id")
	if err != nil {
		return g, err
	}
	if id := o["network_id"]; id != nil {
		if g.Network, err = toID(id); err != nil {
			return g, err
		}
	}
	if ips := o["external_fixed_ips"]; ips != nil {
		list, err := toFixedIPs(ips)
		if err != nil {
			return g, err
		}
		g.FixedIPs = l2.Val(list)
	}
	if snat, given := o["enable_snat"]; given {
		b, err := toBool(snat)
		if err != nil {
			return g, err
		}
		g.SNAT = l2.Val(b)
	}
	_, err = toRef("QoS policy", "QosPolicyNotFound")(o["qos_policy_id"])
	return g, err
}

func jsonGateway(dst []byte, v *view, r *model.Router) []byte {
	if r.Gateway == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"network_id":`...)
	dst = appendString(dst, string(r.Gateway.Network))
	dst = append(dst, `,"external_fixed_ips":`...)
	if p, ok := v.model.Ports.Get(r.Gateway.Port); ok {
		dst = jsonFixedIPs(dst, v, p)
	} else {
		dst = append(dst, "[]"...)
	}
	dst = append(dst, `,"enable_snat":`...)
	return append(boolean(r.Gateway.SNAT).append(dst), '}')
}

func jsonRoutes(dst []byte, _ *view, r *model.Router) []byte {
	return appendList(dst, r.Routes, func(dst []byte, route model.Route) []byte {
		return appendPairs(dst, "destination", route.Destination.String(), "nexthop", route.NextHop.String())
	})
}

// ownsPort reports whether the viewer may use a port for what is his.
func (v *view) ownsPort(p *model.Port) bool { return v.who.Owns(p.Project) || v.who.Service() }

// port finds a port that the viewer may use.
func (v *view) port(id model.ID) (*model.Port, error) {
	if p, ok := v.model.Ports.Get(id); ok && v.ownsPort(p) {
		return p, nil
	}
	return nil, model.NotFoundError("Port", id)
}
