package explain

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/store/model"
)

// weight says which of several ends of a packet's copies is the one to tell of.
type weight uint8

const (
	// aside: somebody who was not meant did not take a copy.
	aside weight = iota
	// minor: a copy ended that may have been meant for nobody.
	minor
	// major: something is wrong there.
	major
	// broken: something is there that should not be, or is not and should.
	broken
)

// cause is why a packet, or a copy of one, ends.
type cause struct {
	weight  weight
	reason  Reason // for programs
	msg     string // for people: where, why, and what to do
	unknown bool   // it is not known how it goes on
	inside  bool   // it is a matter of bridges and tunnels
}

func causef(w weight, reason Reason, format string, args ...any) *cause {
	return &cause{weight: w, reason: reason, msg: fmt.Sprintf(format, args...)}
}

// notThere says why a port that exists cannot send or be reached; nil if it is plugged and up.
func (f *fabric) notThere(p *model.Port) *cause {
	n, ok := f.m.Networks.Get(p.Network)
	switch {
	case !p.AdminUp:
		return causef(major, AdminDown, "%s is down: its admin_state_up is false", f.title(p))
	case ok && !n.AdminUp:
		return causef(major, AdminDown, "%s, which %s is on, is down: its admin_state_up is false", f.title(n), f.title(p))
	case f.m.HostOf(p) != nil:
		return nil
	}
	switch p.DeviceOwner {
	case model.OwnerRouterInterface, model.OwnerRouterGateway:
		return f.routerNotThere(p)
	case model.OwnerDHCP:
		if f.m.HostOfService(model.ServiceDHCP, p.Network) == "" {
			return causef(major, NoGatewayHost, "DHCP of %s is on no host: there is no gateway host with an agent that runs", f.networkTitle(p.Network))
		}
		return causef(major, NotPlugged, "%s is not plugged: the agent of its gateway host has not made it", f.title(p))
	case model.OwnerFloatingIP:
		return f.floatingIPNotThere(p)
	}
	if p.BindingHost != "" && f.sees == nil {
		return causef(major, NotPlugged, "%s is plugged nowhere: no interface with external_ids:iface-id=%s was seen on br-int of host %s, where it is bound", f.title(p), p.ID, p.BindingHost)
	}
	return causef(major, NotPlugged, "%s is plugged nowhere: no interface with external_ids:iface-id=%s was seen on any host", f.title(p), p.ID)
}

func (f *fabric) routerNotThere(p *model.Port) *cause {
	r, ok := f.m.Routers.Get(model.ID(p.DeviceID))
	switch {
	case !ok:
		return causef(major, NotPlugged, "%s is plugged nowhere", f.title(p))
	case !r.AdminUp:
		return causef(major, AdminDown, "%s is down: its admin_state_up is false", f.title(r))
	case f.m.HostOfService(model.ServiceRouter, r.ID) == "":
		return causef(major, NoGatewayHost, "%s is on no host: there is no gateway host with an agent that runs", f.title(r))
	}
	return causef(major, NotPlugged, "%s of %s is not plugged: the agent of its gateway host has not made it", f.title(p), f.title(r))
}

// floatingIPNotThere is for the port that holds a floating IP's address, which is plugged nowhere: a
// router has the address.
func (f *fabric) floatingIPNotThere(p *model.Port) *cause {
	fip, ok := f.m.FloatingIPs.Get(model.ID(p.DeviceID))
	switch {
	case !ok:
		return causef(major, NotAssociated, "%s is of a floating IP that is gone", f.title(p))
	case fip.Router == "":
		return causef(major, NotAssociated, "%s is given to no port, so that no router has it: associate it with a port", f.title(fip))
	}
	r, ok := f.m.Routers.Get(fip.Router)
	if !ok {
		return causef(major, NotAssociated, "the router of floating IP %s is gone", fip.IP)
	}
	for _, leg := range f.m.PortsOfDevice(string(r.ID)) {
		if leg.DeviceOwner == model.OwnerRouterGateway {
			if why := f.notThere(leg); why != nil {
				return why
			}
			return nil
		}
	}
	return causef(major, NoGateway, "%s, which has floating IP %s, has no gateway: set its external gateway", f.title(r), fip.IP)
}

// nobody says why nobody on a network answers for an address; nil if the network should, and it is the
// way to who has it that is broken.
func (f *fabric) nobody(n *model.Network, ip netip.Addr) *cause {
	if p := f.userOf(n, ip); p != nil {
		if why := f.notThere(p); why != nil {
			return causef(why.weight, why.reason, "nobody answers for %s: %s", ip, why.msg)
		}
		return nil
	}
	s := f.subnetWith(n, ip)
	switch {
	case s != nil && n.Physnet != "":
		return nil // someone outside may have it
	case s != nil && s.Gateway == ip:
		return causef(major, NoRouter, "nobody answers for %s, the gateway of %s: no router has an interface with that address; add one to a router", ip, f.title(s))
	case s == nil && !ip.IsLinkLocalUnicast():
		return causef(major, NoSuchAddress, "nobody answers for %s: no subnet of %s has that address", ip, f.title(n))
	}
	return causef(major, NoSuchMAC, "nobody answers for %s: no port of %s has that address", ip, f.title(n))
}

// pending says what keeps a network from being whole on a host that the packet met; nil if nothing does.
func (f *fabric) pending(n *model.Network) *cause {
	for _, name := range slices.Sorted(maps.Keys(f.hosts)) {
		if why, ok := f.hosts[name].Spec.Pending[n.ID]; ok {
			return causef(broken, Reason(why.Reason), "%s", why.Msg)
		}
	}
	return nil
}

// pick returns the end that says why the packet did not arrive.
func pick(ends []cause) cause {
	best := cause{weight: aside, reason: NoSuchMAC, msg: "nobody takes the packet"}
	for _, c := range ends {
		if c.unknown && !best.unknown || c.unknown == best.unknown && c.weight >= best.weight && c.weight > aside {
			best = c
		}
	}
	return best
}

// sentence makes a message of a cause and of what else is to be known.
func sentence(msg string, notes []string) string {
	return strings.Join(append([]string{msg}, notes...), "; ")
}
