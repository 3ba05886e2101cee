package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/apps/metadata"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Namespace returns the name of the namespace of a network's DHCP service.
func Namespace(network model.ID) string { return "qdhcp-" + string(network) }

// Addresses at which instances look for metadata.
var (
	metadata4 = netip.MustParseAddr("169.254.169.254")
	metadata6 = netip.MustParseAddr("fe80::a9fe:a9fe")
)

// DefaultDomain is the domain of hosts if neither their network nor the installation has one.
const DefaultDomain = "openstacklocal"

// Planner plans the DHCP services of a host. Its zero value is ready to use.
type Planner struct {
	Domain string        // of hosts on networks without one; default DefaultDomain
	Lease  time.Duration // how long a host keeps its address without asking again; default one day
}

// Plan plans with the defaults of [Planner].
func Plan(m *model.Model, o spec.Observed, s *spec.Spec) error { return Planner{}.Plan(m, o, s) }

// Plan adds the namespaces of the DHCP services that are placed on the host. It is a [spec.Planner].
func (p Planner) Plan(m *model.Model, _ spec.Observed, s *spec.Spec) error {
	return each(m, s, func(n *model.Network, at *model.Placement) result { return p.service(m, n, at) })
}

// result is what follows for one network: a namespace, a reason why there is none, or nothing.
type result struct {
	namespace *spec.Namespace
	pending   *spec.Pending
}

// each adds what follows for each network that is placed on the host, or leaves it.
func each(m *model.Model, s *spec.Spec, service func(*model.Network, *model.Placement) result) error {
	for _, at := range append(m.PlacementsAt(s.Host), m.LeavingFrom(s.Host)...) {
		if at.Service != model.ServiceDHCP {
			continue
		}
		n, ok := m.Networks.Get(at.Object)
		if !ok {
			return fmt.Errorf("dhcp of network %s, which is not there", at.Object)
		}
		r := service(n, at)
		if r.namespace != nil {
			s.Namespaces[r.namespace.Name] = *r.namespace
		}
		if _, had := s.Pending[n.ID]; r.pending != nil && !had {
			s.Pending[n.ID] = *r.pending
		}
	}
	return nil
}

func (p Planner) service(m *model.Model, n *model.Network, at *model.Placement) result {
	v := p.view(m, n, at.Host)
	switch {
	case !n.AdminUp || len(v.subnets) == 0:
		return result{}
	case v.port == nil:
		return result{pending: &spec.Pending{Reason: "DHCPPortMissing", Msg: "the network has no port for its DHCP service"}}
	}
	ns := v.namespace(at)
	if v.servesMetadata() {
		ns.Metadata = &spec.Metadata{Network: n.ID, Instances: metadata.Instances(m, n.ID)}
	}
	return result{namespace: &ns}
}

// ServesMetadata reports whether the namespace of a network's DHCP service has the metadata address.
func ServesMetadata(m *model.Model, network *model.Network) bool {
	return Planner{}.view(m, network, "").servesMetadata()
}

// view is what of a model matters to one network's service.
type view struct {
	network *model.Network
	domain  string // without a dot at its end
	lease   time.Duration
	subnets []*model.Subnet // those with DHCP, by id
	all     []*model.Subnet // by id
	ports   []*model.Port   // by id, without those of DHCP services
	port    *model.Port     // the service's own; nil if there is none
}

func (p Planner) view(m *model.Model, n *model.Network, host string) *view {
	v := &view{network: n, domain: n.Domain(p.Domain), lease: p.Lease, all: m.SubnetsOf(n.ID)}
	if v.domain == "" {
		v.domain = DefaultDomain
	}
	if v.lease == 0 {
		v.lease = 24 * time.Hour
	}
	for _, s := range v.all {
		if s.EnableDHCP {
			v.subnets = append(v.subnets, s)
		}
	}
	for _, port := range m.PortsOf(n.ID) {
		switch {
		case port.DeviceOwner != model.OwnerDHCP:
			v.ports = append(v.ports, port)
		case v.port == nil || port.BindingHost == host && v.port.BindingHost != host:
			v.port = port
		}
	}
	return v
}

func (v *view) namespace(at *model.Placement) spec.Namespace {
	link := spec.Link{Name: "ns-" + short(v.port.ID), Peer: "tap" + short(v.port.ID), Port: v.port.ID, MAC: v.port.MAC, MTU: v.network.MTU}
	ns := spec.Namespace{
		Name: Namespace(v.network.ID), Object: "network/" + string(v.network.ID), Rev: v.rev(at),
		// Addresses are planned; a router's advertisement must not add others.
		Sysctls: map[string]string{"net.ipv6.conf.default.accept_ra": "0", "net.ipv6.conf." + link.Name + ".accept_ra": "0"},
		DHCP:    &spec.DHCP{Args: v.args(link.Name), Files: v.files()},
	}
	routed := map[int]bool{} // IP versions that have a default route
	for _, s := range v.subnets {
		ip := v.own(s)
		if !ip.IsValid() {
			continue
		}
		link.Addresses = append(link.Addresses, netip.PrefixFrom(ip, s.CIDR.Bits()))
		if s.Gateway.IsValid() && s.Gateway != ip && !routed[s.IPVersion] {
			routed[s.IPVersion] = true
			ns.Routes = append(ns.Routes, spec.Route{Destination: everywhere(s.IPVersion), Via: s.Gateway, Link: link.Name})
		}
	}
	if v.servesMetadata() {
		link.Addresses = append(link.Addresses, netip.PrefixFrom(metadata4, 32))
		if !v.hasRouter() { // which would have the same link-local address
			link.Addresses = append(link.Addresses, netip.PrefixFrom(metadata6, 128))
		}
	}
	ns.Links = []spec.Link{link}
	return ns
}

// rev is the newest revision of what the service is planned from.
func (v *view) rev(at *model.Placement) uint64 {
	rev := max(at.Rev, v.network.Rev, v.port.Rev)
	for _, s := range v.all {
		rev = max(rev, s.Rev)
	}
	for _, p := range v.ports {
		rev = max(rev, p.Rev)
	}
	return rev
}

// own is the service's address on a subnet, invalid if it has none.
func (v *view) own(s *model.Subnet) netip.Addr {
	if v.port != nil {
		for _, f := range v.port.FixedIPs {
			if f.Subnet == s.ID {
				return f.IP
			}
		}
	}
	return netip.Addr{}
}

// isolated reports whether no router has the gateway address of a subnet.
func (v *view) isolated(s *model.Subnet) bool {
	return !v.routerHas(func(f model.FixedIP) bool { return f.Subnet == s.ID && f.IP == s.Gateway })
}

// hasRouter reports whether a router has an interface on the network.
func (v *view) hasRouter() bool { return v.routerHas(func(model.FixedIP) bool { return true }) }

func (v *view) routerHas(address func(model.FixedIP) bool) bool {
	return slices.ContainsFunc(v.ports, func(p *model.Port) bool {
		return p.DeviceOwner == model.OwnerRouterInterface && slices.ContainsFunc(p.FixedIPs, address)
	})
}

func (v *view) servesMetadata() bool {
	return slices.ContainsFunc(v.subnets, func(s *model.Subnet) bool { return s.IPVersion == 4 && v.isolated(s) })
}

// advertises reports whether dnsmasq has to send router advertisements.
func (v *view) advertises() bool {
	some := false
	for _, s := range v.subnets {
		if s.IPVersion != 6 {
			continue
		}
		if s.RAMode == "" || v.routerHas(func(f model.FixedIP) bool { return f.IP.Is6() }) {
			return false
		}
		some = true
	}
	return some
}

// short is the part of a port's id that device names have room for.
func short(id model.ID) string { return string(id[:min(len(id), 11)]) }

func everywhere(ipVersion int) netip.Prefix {
	if ipVersion == 4 {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
