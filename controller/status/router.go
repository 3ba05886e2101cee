package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

// The reasons of routers.
const (
	NoGateway    Reason = "NoGateway"    // the router has no way to an external network
	NoWayOut     Reason = "NoWayOut"     // it has a gateway, whose subnet has none
	NoInterface  Reason = "NoInterface"  // it is on no network
	InterfaceOff Reason = "InterfaceOff" // a port of it is not ACTIVE
)

// router is whether a router is in place, on the networks that it should be on, and has a way out.
func (v View) router(m *model.Model, r *model.Router) Object {
	is := v.Router(m, r)
	out := Object{Status: is.Status, Host: is.Host, Conditions: []Condition{}}
	if !r.AdminUp {
		out.add(Condition{Type: "Up", Reason: AdminDown, Msg: "admin_state_up of the router is false: it forwards nothing"})
		return out
	}
	if m.NeedsPlace(model.ServiceRouter, r.ID) {
		for _, c := range is.Conditions {
			out.add(v.stillThere(c, "qrouter-"+string(r.ID), nil))
		}
	}
	out.add(v.interfaces(m, r))
	out.add(gateway(m, r))
	return out
}

// interfaces is the condition that the ports of a router are on its host.
func (v View) interfaces(m *model.Model, r *model.Router) Condition {
	c := Condition{Type: "Interfaces", OK: true}
	ports := m.InterfacesOf(r.ID)
	if len(ports) == 0 {
		c.OK, c.Info, c.Reason = false, true, NoInterface
		c.Msg = fmt.Sprintf("the router is on no network: openstack router add subnet %s SUBNET", idOrName(r.Meta))
		return c
	}
	if r.Gateway != nil {
		if p, ok := m.Ports.Get(r.Gateway.Port); ok {
			ports = append(ports, p)
		}
	}
	for _, p := range ports {
		is := v.Port(m, p)
		c.Since = later(c.Since, Object{Conditions: is.Conditions}.lastSince())
		for _, why := range is.Conditions {
			if is.Status != Active && !why.OK {
				return Condition{Type: "Interfaces", Reason: InterfaceOff, Host: is.Host, Since: why.Since,
					Msg: fmt.Sprintf("its port %s is %s: %s", addressesOf(p), is.Status, why.Msg)}
			}
		}
	}
	return c
}

// lastSince is when the last of the conditions came to hold.
func (o Object) lastSince() (t time.Time) {
	for _, c := range o.Conditions {
		t = later(t, c.Since)
	}
	return t
}

// gateway is the condition that a router has a way out. One that has none connects its networks, which may
// be all that is wanted: that is information.
func gateway(m *model.Model, r *model.Router) Condition {
	c := Condition{Type: "Gateway"}
	if r.Gateway == nil {
		c.Info, c.Reason = true, NoGateway
		c.Msg = fmt.Sprintf("the router has no gateway: its networks reach each other and nothing outside, and no floating IP can lead to them. For a way out: openstack router set --external-gateway NETWORK %s",
			idOrName(r.Meta))
		return c
	}
	p, ok := m.Ports.Get(r.Gateway.Port)
	if !ok {
		c.Reason, c.Msg = NoGateway, "the port of the router's gateway is gone: clear the gateway, and set it again"
		return c
	}
	for _, f := range p.FixedIPs {
		if s, ok := m.Subnets.Get(f.Subnet); ok && s.Gateway.IsValid() {
			c.OK = true
			return c
		}
	}
	c.Reason = NoWayOut
	c.Msg = fmt.Sprintf("the router's gateway is on an external subnet without gateway_ip, so it has no default route and reaches that subnet alone: openstack subnet set --gateway IP SUBNET, of network %s", r.Gateway.Network)
	return c
}

func idOrName(m model.Meta) string {
	if m.Name != "" {
		return m.Name
	}
	return string(m.ID)
}

func addressesOf(p *model.Port) string {
	out := make([]string, len(p.FixedIPs))
	for i, f := range p.FixedIPs {
		out[i] = f.IP.String()
	}
	return strings.Join(out, ", ")
}
