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

// OK reports whether nothing is wrong: conditions that do not hold are information, or unknown.
func (o Object) OK() bool { return !slices.ContainsFunc(o.Conditions, Condition.Wrong) }

// Worst returns the condition to tell people of first: the first that is wrong, else the first that does
// not hold for another reason; nil if all hold.
func (o Object) Worst() *Condition {
	i := slices.IndexFunc(o.Conditions, Condition.Wrong)
	if i < 0 {
		i = slices.IndexFunc(o.Conditions, func(c Condition) bool { return !c.OK })
	}
	if i < 0 {
		return nil
	}
	return &o.Conditions[i]
}

func (o *Object) add(c Condition) { o.Conditions = append(o.Conditions, c) }

// Object derives the state of a network, subnet, port, router, floating IP, port forwarding or host, with
// all that can be told of it.
func (v View) Object(m *model.Model, r model.Resource) Object {
	switch r := r.(type) {
	case *model.Network:
		return v.network(m, r)
	case *model.Subnet:
		return v.subnet(m, r)
	case *model.Port:
		return v.port(m, r)
	case *model.Router:
		return v.router(m, r)
	case *model.FloatingIP:
		return v.floatingIP(m, r)
	case *model.PortForwarding:
		return v.forwarding(m, r)
	case *model.Host:
		return v.Mesh(m).Host(r)
	}
	return Object{Status: Active, Conditions: []Condition{}}
}

// port is what Port says, and the conditions on the way from it: tunnels, their MTU, and the NAT of the
// floating IPs that lead to it. They do not change the status, which is about what Heddle has to do.
func (v View) port(m *model.Model, p *model.Port) Object {
	is := v.Port(m, p)
	out := Object(is)
	if is.Host == "" {
		return out
	}
	for i, c := range out.Conditions {
		if c.Type == "DHCP" {
			out.Conditions[i] = v.stillThere(c, "qdhcp-"+string(p.Network), dhcpParts)
		}
	}
	if n, ok := m.Networks.Get(p.Network); ok && n.Type.Tunnel() {
		v.underlay(&out, n, v.peers(m, is.Host, m.HostsOf(n.ID), n.Type))
	}
	for _, f := range m.FloatingIPsTo(p.ID) {
		out.add(v.nat(m, f.Router, f.Rev))
	}
	for _, w := range m.ForwardingsTo(p.ID) {
		if f, ok := m.FloatingIPs.Get(w.FloatingIP); ok {
			out.add(v.nat(m, f.Router, w.Rev))
		}
	}
	return out
}

// nat is the condition that a router translates for something that changed at a revision.
func (v View) nat(m *model.Model, router model.ID, rev uint64) Condition {
	_, c := v.placed(m, model.ServiceRouter, router, "qrouter-"+string(router), rev)
	c.Type = "NAT"
	return v.stillThere(c, "qrouter-"+string(router), natParts)
}

// underlay adds the conditions on what carries a network's frames between hosts.
func (v View) underlay(out *Object, n *model.Network, paths []Path) {
	if len(paths) > 0 {
		out.add(tunnelCondition(paths))
	}
	if c, needed := fits(n, paths); needed {
		out.add(c)
	}
}

// network is whether each host that holds a network has all it needs for it, and whether its DHCP service
// runs. Like Neutron's, a network is ACTIVE from the start.
func (v View) network(m *model.Model, n *model.Network) Object {
	out := Object{Status: Active, Conditions: []Condition{}}
	if !n.AdminUp {
		out.Status = Down
		out.add(Condition{Type: "Up", Reason: AdminDown, Msg: "admin_state_up of the network is false: none of its ports carries traffic"})
		return out
	}
	hosts := m.HostsOf(n.ID)
	for _, host := range hosts {
		out.add(v.holds(m, host, n))
	}
	if c, needed := v.dhcpOf(m, n.ID, n.Rev); needed {
		out.add(c)
	}
	if n.Type.Tunnel() {
		var paths []Path
		for _, host := range hosts {
			paths = append(paths, v.peers(m, host, hosts, n.Type)...)
		}
		v.underlay(&out, n, paths)
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
		return Condition{Type: "Realized", Reason: Reason(why.Reason), Msg: why.Msg, Host: host, Since: v[host].Waits[n.ID]}
	}
	rev := n.Rev
	if vlan, ok := m.VLANs.Get(model.VLANKey(host, n.ID)); ok {
		rev = max(rev, vlan.Rev)
	}
	return v.confirmed(host, rev, n.Updated)
}

// dhcpOf is the condition that a network's DHCP service knows of something that changed at a revision;
// needed is false if the network has no subnet with DHCP.
func (v View) dhcpOf(m *model.Model, network model.ID, rev uint64) (c Condition, needed bool) {
	if !m.NeedsPlace(model.ServiceDHCP, network) {
		return Condition{}, false
	}
	_, c = v.placed(m, model.ServiceDHCP, network, "qdhcp-"+string(network), rev)
	c.Type = "DHCP"
	return v.stillThere(c, "qdhcp-"+string(network), dhcpParts), true
}

// subnet is whether a subnet has addresses left, and whether its DHCP service runs.
func (v View) subnet(m *model.Model, s *model.Subnet) Object {
	out := Object{Status: Active, Conditions: []Condition{addresses(m, s)}}
	if s.ServesDHCP() {
		if c, needed := v.dhcpOf(m, s.Network, s.Rev); needed {
			out.add(c)
		}
	}
	return out
}

// forwarding is whether a port forwarding is in place, and leads to a port that is there.
func (v View) forwarding(m *model.Model, w *model.PortForwarding) Object {
	f, ok := m.FloatingIPs.Get(w.FloatingIP)
	if !ok {
		return Object{Status: Down, Conditions: []Condition{{Type: "Placed", Reason: NotAssociated, Msg: "its floating IP is gone"}}}
	}
	host, c := v.placed(m, model.ServiceRouter, f.Router, "qrouter-"+string(f.Router), w.Rev)
	c = v.stillThere(c, "qrouter-"+string(f.Router), natParts)
	out := Object{Status: Active, Host: host, Conditions: []Condition{c, v.target(m, w.Target)}}
	if !c.OK {
		out.Status = Down
	}
	return out
}

// floatingIP is what FloatingIP says, whether the floating IP is given to a port, and how that is.
func (v View) floatingIP(m *model.Model, f *model.FloatingIP) Object {
	is := v.FloatingIP(m, f)
	out := Object{Status: is.Status, Host: is.Host, Conditions: []Condition{}}
	if f.Router == "" {
		out.add(Condition{Type: "Associated", Info: true, Reason: NotAssociated,
			Msg: "the floating IP is given to no port, and leads nowhere: openstack floating ip set --port PORT " + f.IP.String()})
		return out
	}
	out.add(Condition{Type: "Associated", OK: true})
	for _, c := range is.Conditions {
		out.add(v.stillThere(c, "qrouter-"+string(f.Router), natParts))
	}
	if f.Target != "" {
		out.add(v.target(m, f.Target))
	}
	return out
}

// target is the condition that the port that a floating IP leads to is there.
func (v View) target(m *model.Model, id model.ID) Condition {
	p, ok := m.Ports.Get(id)
	if !ok {
		return Condition{Type: "Target", Reason: NotAssociated, Msg: "the port that it leads to is gone"}
	}
	is := v.Port(m, p)
	c := Condition{Type: "Target", OK: is.Status == Active, Host: is.Host}
	for _, why := range is.Conditions {
		if !c.OK && !why.OK {
			c.Reason, c.Since, c.Host = why.Reason, why.Since, why.Host
			c.Msg = model.Title(p) + ", which it leads to, is " + is.Status + ": " + why.Msg
			break
		}
	}
	return c
}

// Host is whether a host's OVSDB and bridges are connected and as planned, whether its agent reports, and
// whether its tunnels are up and wide enough.
func (x *Mesh) Host(host *model.Host) Object {
	v, m := x.v, x.m
	out := Object{Status: Active, Host: host.Name, Conditions: []Condition{v.connected(host.Name)}}
	if !out.Conditions[0].OK {
		out.Status = Down
	}
	h := v[host.Name]
	if broken := h.broken(^uint64(0)); broken != "" {
		out.add(Condition{Type: "Applied", Reason: ApplyFailed, Host: host.Name, Since: h.Targets[broken].ErrSince,
			Msg: fmt.Sprintf("%s of host %s: %s", broken, host.Name, h.Targets[broken].Err)})
	} else if len(h.Targets) > 0 {
		out.add(Condition{Type: "Applied", OK: true, Host: host.Name})
	}
	if h.Node != nil || host.Settings().IsGateway() {
		out.add(v.agent(host.Name))
	}
	if c, needed := x.condition(host); needed {
		out.add(c)
		if c, needed := v.Underlay(m, host.Name); needed {
			out.add(c)
		}
	}
	return out
}

// Underlay is the condition that what a host's tunnels leave by takes the frames of all networks that it
// holds: of the first that it does not, if there is one. Needed is false if it has no such tunnels.
func (v View) Underlay(m *model.Model, host string) (c Condition, needed bool) {
	is, _ := m.Hosts.Get(host)
	if is == nil {
		return Condition{}, false
	}
	least, ipv6 := v[host].narrowest(), is.Settings().EncapIP.Is6()
	for _, id := range m.NetworksAt(host) {
		n, ok := m.Networks.Get(id)
		if !ok || !n.Type.Tunnel() {
			continue
		}
		if len(m.HostsOf(id)) > 1 && n.MTU+n.Type.Overhead(ipv6) <= least {
			if !needed {
				c, needed = Condition{Type: "MTU", OK: true}, true
			}
			continue
		}
		fit, has := fits(n, v.peers(m, host, m.HostsOf(id), n.Type))
		switch {
		case !has:
		case fit.Wrong():
			return fit, true
		case !needed || !fit.OK:
			c, needed = fit, true
		}
	}
	return c, needed
}

// agent is the condition that a host's node agent reports.
func (v View) agent(host string) Condition {
	c := Condition{Type: "Agent", Host: host}
	node := v[host].Node
	if node != nil {
		c.Since = node.Since
	}
	switch {
	case node == nil:
		c.Reason, c.Msg = AgentDown, fmt.Sprintf("no agent of host %s has reported since Heddle started: is heddle agent running there?", host)
	case !node.Connected:
		c.Reason, c.Msg = AgentDown, fmt.Sprintf("the agent of host %s does not report: is heddle agent running there?", host)
	default:
		c.OK = true
	}
	return c
}
