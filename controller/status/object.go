package status

import (
	"fmt"
	"slices"

	"github.com/heddle-sdn/heddle/store/model"
)

// Object is the state of any object of the API, or of a host: what the others have in common.
type Object struct {
	Status     string      `json:"status"`
	Host       string      `json:"host,omitempty"` // where it is: a port's home, a router's gateway host
	Conditions []Condition `json:"conditions"`
}

// OK reports whether all conditions hold.
func (o Object) OK() bool { return o.Broken() == nil }

// Broken returns the first condition that does not hold and is more than information, nil if all hold.
func (o Object) Broken() *Condition {
	i := slices.IndexFunc(o.Conditions, func(c Condition) bool { return !c.OK })
	if i < 0 {
		return nil
	}
	return &o.Conditions[i]
}

// Object derives the state of a network, subnet, port, router, floating IP, port forwarding or host.
func (v View) Object(m *model.Model, r model.Resource) Object {
	switch r := r.(type) {
	case *model.Network:
		return v.Network(m, r)
	case *model.Subnet:
		return v.Subnet(m, r)
	case *model.Port:
		p := v.Port(m, r)
		return Object{p.Status, p.Host, p.Conditions}
	case *model.Router:
		s := v.Router(m, r)
		return Object{s.Status, s.Host, s.Conditions}
	case *model.FloatingIP:
		s := v.FloatingIP(m, r)
		return Object{s.Status, s.Host, s.Conditions}
	case *model.PortForwarding:
		return v.Forwarding(m, r)
	case *model.Host:
		return v.HostObject(m, r)
	}
	return Object{Status: Active, Conditions: []Condition{}}
}

// Network derives the state of a network: on each host that holds it whether it is whole there, and
// whether its DHCP service is placed. Like Neutron's it is ACTIVE from the start.
func (v View) Network(m *model.Model, n *model.Network) Object {
	out := Object{Status: Active, Conditions: []Condition{}}
	if !n.AdminUp {
		out.Status = Down
		out.Conditions = append(out.Conditions, Condition{Type: "Up", Reason: AdminDown, Msg: "admin_state_up of the network is false: none of its ports carries traffic"})
		return out
	}
	for _, host := range m.HostsOf(n.ID) {
		out.Conditions = append(out.Conditions, v.holds(m, host, n))
	}
	if m.NeedsPlace(model.ServiceDHCP, n.ID) {
		_, c := v.placed(m, model.ServiceDHCP, n.ID, "qdhcp-"+string(n.ID), n.Rev)
		c.Type = "DHCP"
		out.Conditions = append(out.Conditions, c)
	}
	return out
}

// holds is the condition that a host has all it needs for a network.
func (v View) holds(m *model.Model, host string, n *model.Network) Condition {
	if c := v.connected(host); !c.OK {
		c.Type = "Realized"
		return c
	}
	if why, waits := v[host].Pending[n.ID]; waits {
		return Condition{Type: "Realized", Reason: Reason(why.Reason), Msg: why.Msg, Host: host}
	}
	rev := n.Rev
	if vlan, ok := m.VLANs.Get(model.VLANKey(host, n.ID)); ok {
		rev = max(rev, vlan.Rev)
	}
	return v.confirmed(host, rev)
}

// Subnet derives the state of a subnet: whether it has addresses left.
func (v View) Subnet(m *model.Model, s *model.Subnet) Object {
	return Object{Status: Active, Conditions: []Condition{addresses(m, s)}}
}

// Forwarding derives the state of a port forwarding, which is that of its floating IP's router.
func (v View) Forwarding(m *model.Model, f *model.PortForwarding) Object {
	ip, ok := m.FloatingIPs.Get(f.FloatingIP)
	if !ok {
		return Object{Status: Down, Conditions: []Condition{{Type: "Placed", Reason: NotAssociated, Msg: "its floating IP is gone"}}}
	}
	host, c := v.placed(m, model.ServiceRouter, ip.Router, "qrouter-"+string(ip.Router), f.Rev)
	out := Object{Status: Active, Host: host, Conditions: []Condition{c}}
	if !c.OK {
		out.Status = Down
	}
	return out
}

// HostObject derives the state of a host: whether its OVSDB and bridges are connected and as planned, and
// whether its agent reports.
func (v View) HostObject(m *model.Model, host *model.Host) Object {
	out := Object{Status: Active, Host: host.Name, Conditions: []Condition{v.connected(host.Name)}}
	if !out.Conditions[0].OK {
		out.Status = Down
	}
	h := v[host.Name]
	if broken := h.broken(^uint64(0)); broken != "" {
		out.Conditions = append(out.Conditions, Condition{Type: "Applied", Reason: ApplyFailed, Host: host.Name,
			Msg: fmt.Sprintf("%s of host %s: %s", broken, host.Name, h.Targets[broken].Err)})
	} else if len(h.Targets) > 0 {
		out.Conditions = append(out.Conditions, Condition{Type: "Applied", OK: true, Host: host.Name})
	}
	if h.Node != nil || host.Settings().IsGateway() {
		out.Conditions = append(out.Conditions, v.agent(host.Name))
	}
	return out
}

// agent is the condition that a host's node agent reports.
func (v View) agent(host string) Condition {
	c := Condition{Type: "Agent", Host: host}
	switch node := v[host].Node; {
	case node == nil:
		c.Reason, c.Msg = AgentDown, fmt.Sprintf("no agent of host %s has reported since Heddle started: is heddle agent running there?", host)
	case !node.Connected:
		c.Reason, c.Msg = AgentDown, fmt.Sprintf("the agent of host %s does not report: is heddle agent running there?", host)
	default:
		c.OK = true
	}
	return c
}
