// Package placement chooses the gateway host that a router, or the DHCP server of a network, runs on.
// The choice is made inside the transaction that makes it necessary and stored; plans only read it.
//
// A service stays where it is until its host leaves or is drained, or somebody moves it: every move may
// interrupt it. So nothing moves when a host joins, or comes back, or is not drained any more. With no
// gateway host at all a service has no place, and gets one when the first joins.
//
// A host that works goes on with what moves away from it until the new one has it: [Arrived].
package placement

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// reservedDevice is the device id of a DHCP port whose server is on no host (Neutron's name).
const reservedDevice = "reserved_dhcp_port"

// DHCPDevice is the device id of the DHCP port of a network whose server is on a host, empty for none.
func DHCPDevice(network model.ID, host string) string {
	if host == "" {
		return reservedDevice
	}
	name, _, _ := strings.Cut(host, ".")
	return "dhcp" + uuid.NewSHA1(uuid.NameSpaceDNS, []byte(name)).String() + "-" + string(network)
}

// Affected reports whether a change of a host may give a place to what has none, or take it from what has:
// who depends on places settles all of them then.
func Affected(before, after *model.Host) bool {
	return gateway(before) != gateway(after) || takes(before) != takes(after) || runs(before) != runs(after)
}

// gateway reports whether a host may run services, runs whether its agent is there to run them, takes
// whether it may be given new ones.
func gateway(h *model.Host) bool { return h != nil && h.Settings().IsGateway() }
func runs(h *model.Host) bool    { return gateway(h) && h.Agent == model.AgentUp }
func takes(h *model.Host) bool   { return runs(h) && !h.Drained }

// Place returns the host that a service of an object would best be put on, wherever it is now: of the
// gateway hosts that are not drained the one with the fewest services of this kind, then the fewest at
// all, then the first by name. It is false if there is no such host.
func Place(m *model.Model, service string, object model.ID) (host string, ok bool) {
	return place(m, service, object, "")
}

// Other is [Place] among the hosts that the service is not on now.
func Other(m *model.Model, service string, object model.ID) (host string, ok bool) {
	return place(m, service, object, m.HostOfService(service, object))
}

func place(m *model.Model, service string, object model.ID, not string) (host string, ok bool) {
	type load struct{ same, all int }
	var least load
	for name, h := range m.Hosts.All() {
		if !takes(h) || name == not {
			continue
		}
		var l load
		for _, s := range []string{model.ServiceRouter, model.ServiceDHCP} {
			n := len(m.PlacedAt(name, s))
			if s == service {
				if m.HostOfService(service, object) == name {
					n-- // it does not count against the host that it is on
				}
				l.same = n
			}
			l.all += n
		}
		better := l.same < least.same || l.same == least.same && (l.all < least.all || l.all == least.all && name < host)
		if !ok || better {
			host, least, ok = name, l, true
		}
	}
	return host, ok
}

// Home returns where a service of an object is to be: where it is while that host runs and is not drained,
// else where [Place] puts it. If there is no other host for it, it stays, also on a host that is lost: what
// runs there goes on running. It is empty if no gateway host is there at all.
func Home(m *model.Model, service string, object model.ID) string {
	host, _ := home(m, service, object)
	return host
}

// home is [Home] and why the service is to be there, if it is not yet.
func home(m *model.Model, service string, object model.ID) (host string, why model.PlacementCause) {
	at := m.HostOfService(service, object)
	h, _ := m.Hosts.Get(at)
	switch {
	case takes(h):
		return at, ""
	case at == "":
		why = model.CauseFirst
	case !gateway(h):
		why = model.CauseNoGateway
	case !runs(h):
		why = model.CauseAgentLost
	default:
		why = model.CauseDrained
	}
	if other, ok := Place(m, service, object); ok {
		return other, why
	}
	if gateway(h) {
		return at, ""
	}
	return "", why
}

// Settle gives a service of an object a place if it needs one and has none, takes it away if it needs it
// no more, and binds the object's ports to it.
func Settle(tx *store.Tx, service string, object model.ID) {
	host, why := "", model.PlacementCause("")
	if tx.Model().NeedsPlace(service, object) {
		host, why = home(tx.Model(), service, object)
	}
	put(tx, service, object, host, why)
}

// Move puts a service of an object, which has a place, on another host. That must be a gateway host that is
// not drained.
func Move(tx *store.Tx, service string, object model.ID, host string) error {
	h, ok := tx.Model().Hosts.Get(host)
	switch {
	case !ok:
		return model.NotFoundError("Host", model.ID(host))
	case !gateway(h):
		return model.Errorf(model.Conflict, "HostNoGateway", "Host %s is no gateway host.", host)
	case h.Drained:
		return model.Errorf(model.Conflict, "HostDrained", "Host %s is drained: nothing is put there.", host)
	case tx.Model().HostOfService(service, object) == "":
		return model.Errorf(model.NotFound, "PlacementNotFound", "There is no %s of %s on any host.", service, object)
	}
	put(tx, service, object, host, model.CauseRequested)
	return nil
}

// Arrived notes that the host of a service has it, so that the one that it leaves lets go.
func Arrived(tx *store.Tx, service string, object model.ID) {
	if p, ok := tx.Model().Placements.Get(model.PlacementKey(service, object)); ok && p.Leaving != "" {
		letGo(tx, p)
	}
}

func letGo(tx *store.Tx, p *model.Placement) {
	alone := *p
	alone.Leaving = ""
	tx.Put(&alone)
}

// put stores where a service is, and binds its ports to the host.
func put(tx *store.Tx, service string, object model.ID, host string, why model.PlacementCause) {
	old, placed := tx.Model().Placements.Get(model.PlacementKey(service, object))
	works := func(host string) bool { h, _ := tx.Model().Hosts.Get(host); return runs(h) }
	switch {
	case host == "" && placed:
		tx.Delete(old)
	case host != "" && (!placed || old.Host != host):
		next := &model.Placement{Service: service, Object: object, Host: host, Cause: why, Rev: tx.Rev()}
		switch {
		case placed && old.Leaving != "" && old.Leaving != host && works(old.Leaving):
			next.Leaving = old.Leaving // the one in between may never have had it
		case placed && works(old.Host):
			next.Leaving = old.Host
		}
		tx.Put(next)
	case host != "" && old.Leaving != "" && !works(old.Leaving):
		letGo(tx, old)
	}
	for _, old := range portsOf(tx.Model(), service, object) {
		p := *old
		p.BindingHost = host
		if service == model.ServiceDHCP {
			p.DeviceID = DHCPDevice(object, host)
		}
		if p.BindingHost != old.BindingHost || p.DeviceID != old.DeviceID {
			tx.Stamp(&p.Meta)
			tx.Put(&p)
		}
	}
}

// portsOf returns the ports of a service, which are plugged in where it runs.
func portsOf(m *model.Model, service string, object model.ID) []*model.Port {
	if service == model.ServiceDHCP {
		if p := DHCPPort(m, object); p != nil {
			return []*model.Port{p}
		}
		return nil
	}
	return slices.DeleteFunc(m.PortsOfDevice(string(object)), func(p *model.Port) bool {
		return p.DeviceOwner != model.OwnerRouterInterface && p.DeviceOwner != model.OwnerRouterGateway
	})
}

// DHCPPort returns the port of a network's DHCP server, or nil. A port that a user made for a server of
// his own has another device id.
func DHCPPort(m *model.Model, network model.ID) *model.Port {
	for _, p := range m.PortsOf(network) {
		if p.DeviceOwner == model.OwnerDHCP && ourDevice(p.DeviceID, network) {
			return p
		}
	}
	return nil
}

func ourDevice(device string, network model.ID) bool {
	return device == reservedDevice || strings.HasPrefix(device, "dhcp") && strings.HasSuffix(device, "-"+string(network))
}
