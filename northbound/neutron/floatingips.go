package neutron

import (
	"iter"
	"net/netip"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/store/model"
)

func floatingIPTable(ops *nat.Ops) *resource[*model.FloatingIP, nat.FloatingIPCreate, nat.FloatingIPUpdate] {
	return newResource(resource[*model.FloatingIP, nat.FloatingIPCreate, nat.FloatingIPUpdate]{
		name: "floatingip", plural: "floatingips", path: "floatingips", title: "Floating IP", kind: "FloatingIPNotFound",
		attrs: floatingIPAttrs(),
		meta:  func(f *model.FloatingIP) *model.Meta { return &f.Meta },
		find:  func(m *model.Model, id model.ID) (*model.FloatingIP, bool) { return m.FloatingIPs.Get(id) },
		scan: func(m *model.Model, f filters) iter.Seq[*model.FloatingIP] {
			if ids, ok := f["id"]; ok {
				return pickIDs(m.FloatingIPs.Get, ids)
			}
			if ids, ok := f["port_id"]; ok {
				return onNetworks(m.FloatingIPsTo, ids)
			}
			if ids, ok := f["router_id"]; ok {
				return onNetworks(m.FloatingIPsOf, ids)
			}
			return values(m.FloatingIPs)
		},
		visible: func(v *view, f *model.FloatingIP) bool { return v.seesFloatingIP(f) },
		mayPost: func(v *view, q *nat.FloatingIPCreate) error { return v.mayFloat(q.Target, q.Project, "") },
		mayPut: func(v *view, f *model.FloatingIP, q *nat.FloatingIPUpdate) error {
			return v.mayFloat(q.Target, f.Project, f.ID)
		},
		create: ops.CreateFloatingIP,
		update: ops.UpdateFloatingIP,
		remove: ops.DeleteFloatingIP,
		retag:  func(tags []string) nat.FloatingIPUpdate { return nat.FloatingIPUpdate{Tags: l2.Val(tags)} },
	})
}

func (v *view) seesFloatingIP(f *model.FloatingIP) bool {
	return v.who.Owns(f.Project) || v.who.Service()
}

// mayFloat decides whether the viewer may give a floating IP of a project to a port. Only administrators
// may cross projects.
func (v *view) mayFloat(target l2.Opt[model.ID], project string, id model.ID) error {
	if !target.Set() || v.who.Admin {
		return nil
	}
	p, err := v.port(target.Value)
	if err == nil && p.Project != project {
		err = model.Errorf(model.Invalid, "BadRequest",
			"Bad floatingip request: Port %s is associated with a different tenant than Floating IP %s and therefore cannot be bound.", p.ID, id)
	}
	return err
}

// floatingIPAttrs is the table of floating IPs.
func floatingIPAttrs() []attr[*model.FloatingIP, nat.FloatingIPCreate, nat.FloatingIPUpdate] {
	type (
		object = *model.FloatingIP
		create = nat.FloatingIPCreate
		update = nat.FloatingIPUpdate
	)
	return standard[object, create, update]{
		meta:        func(f object) *model.Meta { return &f.Meta },
		project:     func(q *create) *string { return &q.Project },
		description: func(q *create) *string { return &q.Description },
		newDescr:    func(q *update) *l2.Opt[string] { return &q.Description },
	}.with([]attr[object, create, update]{
		{name: "floating_ip_address", ops: filtered | sorted, as: asAddr, sets: admins, free: whenNull,
			get:  func(_ *view, f object) scalar { return text(f.IP.String()) },
			post: optNull(toAddr, func(q *create) *l2.Opt[netip.Addr] { return &q.Address })},
		{name: "subnet_id", post: optNull(toID, func(q *create) *l2.Opt[model.ID] { return &q.Subnet })},
		{name: "floating_network_id", ops: required | filtered | sorted,
			get:  func(_ *view, f object) scalar { return text(f.Network) },
			post: into(toID, func(q *create) *model.ID { return &q.Network })},
		{name: "router_id", ops: filtered | sorted,
			get: func(_ *view, f object) scalar { return textOrNull(f.Router) }},
		{name: "port_id", ops: filtered,
			get:  func(_ *view, f object) scalar { return textOrNull(f.Target) },
			post: optNull(toID, func(q *create) *l2.Opt[model.ID] { return &q.Target }),
			put:  optNull(toID, func(q *update) *l2.Opt[model.ID] { return &q.Target })},
		{name: "fixed_ip_address", ops: filtered | sorted, as: asAddr,
			get:  func(_ *view, f object) scalar { return addrOrNull(f.FixedIP) },
			post: optNull(toAddr, func(q *create) *l2.Opt[netip.Addr] { return &q.FixedIP }),
			put:  optNull(toAddr, func(q *update) *l2.Opt[netip.Addr] { return &q.FixedIP })},
		{name: "status", ops: filtered | sorted,
			get: func(v *view, f object) scalar { return text(v.status.FloatingIPStatus(v.model, f)) }},
		{name: "dns_name",
			get:  func(_ *view, f object) scalar { return text(f.DNSName) },
			post: into(toHostName, func(q *create) *string { return &q.DNSName })},
		{name: "dns_domain",
			get:  func(_ *view, f object) scalar { return text(f.DNSDomain) },
			post: into(toDomain, func(q *create) *string { return &q.DNSDomain })},
		{name: "qos_policy_id", get: null[object],
			post: checked[create](toRef("QoS policy", "QosPolicyNotFound")),
			put:  checked[update](toRef("QoS policy", "QosPolicyNotFound"))},
		{name: "port_details", json: jsonPortDetails},
		{name: "port_forwardings", json: jsonForwardings},
	}...)
}

// whenNull lets anybody leave a value to be chosen.
func whenNull(v any, _ bool) bool { return v == nil }

// addrOrNull is an address, or null for none.
func addrOrNull(a netip.Addr) scalar {
	if !a.IsValid() {
		return none
	}
	return text(a.String())
}

// jsonPortDetails tells of the port that a floating IP leads to.
func jsonPortDetails(dst []byte, v *view, f *model.FloatingIP) []byte {
	p, ok := v.model.Ports.Get(f.Target)
	if !ok {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"admin_state_up":`...)
	dst = boolean(p.AdminUp).append(dst)
	dst = append(dst, ',')
	details := appendPairs(nil, "name", p.Name, "network_id", string(p.Network), "mac_address", p.MAC.String(),
		"status", v.portStatus(p), "device_id", p.DeviceID, "device_owner", p.DeviceOwner)
	return append(dst, details[1:]...) // its brace is open already
}

// jsonForwardings lists the ports of a floating IP that are given away one by one.
func jsonForwardings(dst []byte, v *view, f *model.FloatingIP) []byte {
	return appendList(dst, v.model.ForwardingsOf(f.ID), func(dst []byte, w *model.PortForwarding) []byte {
		dst = append(dst, '{')
		for i, m := range []struct {
			name  string
			value scalar
		}{
			{"id", text(w.ID)},
			{"protocol", text(w.Protocol)},
			{"external_port", onePort(w.External)},
			{"external_port_range", textOrNull(w.External.String())},
			{"internal_port", onePort(w.Internal)},
			{"internal_port_range", textOrNull(w.Internal.String())},
			{"internal_ip_address", text(w.IP.String())},
			{"internal_port_id", text(w.Target)},
		} {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, m.name), ':')
			dst = m.value.append(dst)
		}
		return append(dst, '}')
	})
}
