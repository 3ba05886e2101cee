package neutron

import (
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/store/model"
)

const maxDescription = 1024 // characters of a port forwarding's description

func forwardingTable(ops *nat.Ops) *resource[*model.PortForwarding, nat.ForwardingCreate, nat.ForwardingUpdate] {
	return newResource(resource[*model.PortForwarding, nat.ForwardingCreate, nat.ForwardingUpdate]{
		name: "port_forwarding", plural: "port_forwardings", path: "floatingips/{parent}/port_forwardings",
		title: "Port Forwarding",
		attrs: forwardingAttrs(),
		meta:  func(w *model.PortForwarding) *model.Meta { return &w.Meta },
		find:  func(m *model.Model, id model.ID) (*model.PortForwarding, bool) { return m.Forwardings.Get(id) },
		scan: func(m *model.Model, f filters) iter.Seq[*model.PortForwarding] {
			if ids, ok := f["id"]; ok {
				return pickIDs(m.Forwardings.Get, ids)
			}
			return onNetworks(m.ForwardingsOf, f[parentFilter])
		},
		visible: func(v *view, w *model.PortForwarding) bool { return w.FloatingIP == v.parent },
		within: func(v *view) error {
			_, err := v.floatingIP(v.parent)
			return err
		},
		inside: func(q *nat.ForwardingCreate, parent model.ID) { q.FloatingIP = parent },
		mayPost: func(v *view, q *nat.ForwardingCreate) error {
			f, err := v.floatingIP(q.FloatingIP)
			if err != nil {
				return err
			}
			if !v.who.Owns(f.Project) {
				return forbidden("create_floatingip_port_forwarding")
			}
			q.Project = f.Project
			_, err = v.port(q.Target)
			return err
		},
		mayPut: func(v *view, _ *model.PortForwarding, q *nat.ForwardingUpdate) error {
			if !q.Target.Set() {
				return nil
			}
			_, err := v.port(q.Target.Value)
			return err
		},
		create: ops.CreateForwarding,
		update: ops.UpdateForwarding,
		remove: ops.DeleteForwarding,
	})
}

// floatingIP finds a floating IP that the viewer may know of.
func (v *view) floatingIP(id model.ID) (*model.FloatingIP, error) {
	if f, ok := v.model.FloatingIPs.Get(id); ok && v.seesFloatingIP(f) {
		return f, nil
	}
	return nil, model.Errorf(model.NotFound, "FloatingIPNotFound", "Floating IP %s could not be found.", id)
}

// forwardingAttrs is the table of port forwardings. They belong to their floating IP's project; a request
// may name one, as the reference's clients do.
func forwardingAttrs() []attr[*model.PortForwarding, nat.ForwardingCreate, nat.ForwardingUpdate] {
	type (
		object = *model.PortForwarding
		create = nat.ForwardingCreate
		update = nat.ForwardingUpdate
	)
	external := func(q *create) *l2.Opt[model.PortRange] { return &q.External }
	internal := func(q *create) *l2.Opt[model.PortRange] { return &q.Internal }
	newExternal := func(q *update) *l2.Opt[model.PortRange] { return &q.External }
	newInternal := func(q *update) *l2.Opt[model.PortRange] { return &q.Internal }
	return []attr[object, create, update]{
		{name: "id", ops: filtered | sorted, get: func(_ *view, w object) scalar { return text(w.ID) }},
		{name: "project_id", post: checked[create](toText(maxText))},
		{name: "tenant_id", post: checked[create](toText(maxText))},
		{name: "protocol", ops: required | filtered | sorted,
			get:  func(_ *view, w object) scalar { return text(w.Protocol) },
			post: into(toForwardedProtocol, func(q *create) *string { return &q.Protocol }),
			put:  opt(toForwardedProtocol, func(q *update) *l2.Opt[string] { return &q.Protocol })},
		{name: "external_port", ops: filtered | sorted, as: asInt,
			get:  func(_ *view, w object) scalar { return onePort(w.External) },
			post: ifGiven(toOnePort, external), put: ifGiven(toOnePort, newExternal)},
		{name: "external_port_range", ops: filtered | sorted,
			get:  func(_ *view, w object) scalar { return textOrNull(w.External.String()) },
			post: ifGiven(toPortRange, external), put: ifGiven(toPortRange, newExternal)},
		{name: "internal_port",
			get:  func(_ *view, w object) scalar { return onePort(w.Internal) },
			post: ifGiven(toOnePort, internal), put: ifGiven(toOnePort, newInternal)},
		{name: "internal_port_range",
			get:  func(_ *view, w object) scalar { return textOrNull(w.Internal.String()) },
			post: ifGiven(toPortRange, internal), put: ifGiven(toPortRange, newInternal)},
		{name: "internal_ip_address", ops: required, as: asAddr,
			get:  func(_ *view, w object) scalar { return addrOrNull(w.IP) },
			post: opt(toAddr, func(q *create) *l2.Opt[netip.Addr] { return &q.IP }),
			put:  opt(toAddr, func(q *update) *l2.Opt[netip.Addr] { return &q.IP })},
		{name: "internal_port_id", ops: required | filtered | sorted,
			get:  func(_ *view, w object) scalar { return text(w.Target) },
			post: into(toID, func(q *create) *model.ID { return &q.Target }),
			put:  opt(toID, func(q *update) *l2.Opt[model.ID] { return &q.Target })},
		{name: "description", ops: filtered,
			get:  func(_ *view, w object) scalar { return text(w.Description) },
			post: into(toText(maxDescription), func(q *create) *string { return &q.Description }),
			put:  opt(toText(maxDescription), func(q *update) *l2.Opt[string] { return &q.Description })},
	}
}

// ifGiven makes the setter of one of two attributes that say the same; null leaves it to the other.
func ifGiven[Q, V any](parse parser[V], at func(q *Q) *l2.Opt[V]) func(*Q, any) error {
	set := opt(parse, at)
	return func(q *Q, v any) error {
		if v == nil {
			return nil
		}
		return set(q, v)
	}
}

// onePort is the port of a range that holds one, else null.
func onePort(r model.PortRange) scalar {
	if r.First == 0 || r.First != r.Last {
		return none
	}
	return integer(int(r.First))
}

// forwardedProtocols are the protocols that ports can be forwarded of; a number stands for its name.
var forwardedProtocols = map[string]string{"1": "icmp", "6": "tcp", "17": "udp", "33": "dccp", "132": "sctp"}

// toForwardedProtocol reads the name of a protocol in any case, or its number.
func toForwardedProtocol(v any) (string, error) {
	s := strings.ToLower(str(v))
	if name, ok := forwardedProtocols[s]; ok {
		return name, nil
	}
	for _, name := range forwardedProtocols {
		if s == name {
			return name, nil
		}
	}
	return "", reason(str(v) + " is not in valid_values")
}

// toOnePort reads a transport port.
func toOnePort(v any) (model.PortRange, error) {
	n, err := toInt(v)
	if err != nil {
		return model.PortRange{}, err
	}
	if n < 1 || n > 65535 {
		return model.PortRange{}, reason("'" + strconv.Itoa(n) + "' is not a valid port number")
	}
	return model.PortRange{First: uint16(n), Last: uint16(n)}, nil
}

// toPortRange reads "80:89", or "80" for a range of one.
func toPortRange(v any) (model.PortRange, error) {
	s, _ := v.(string)
	bounds := strings.Split(s, ":")
	if len(bounds) == 1 {
		bounds = append(bounds, s)
	}
	first, errFirst := strconv.ParseUint(bounds[0], 10, 16)
	last, errLast := strconv.ParseUint(bounds[1], 10, 16)
	if len(bounds) != 2 || errFirst != nil || errLast != nil || slices.Contains([]uint64{first, last}, 0) {
		return model.PortRange{}, reason("'" + str(v) + "' is not a valid port range")
	}
	if first > last {
		return model.PortRange{}, reason("'" + s + "' is a port range whose end is before its start")
	}
	return model.PortRange{First: uint16(first), Last: uint16(last)}, nil
}
