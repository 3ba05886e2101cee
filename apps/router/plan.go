package router

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/apps/metadata"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Rules returns the nftables table of a router, nil if it needs none; see package nat.
type Rules func(m *model.Model, r *model.Router, outside, inside []string) *spec.NFT

// metadata6 is where instances look for metadata by IPv6. Nobody forwards to a link-local address, so the
// router has it itself.
var metadata6 = netip.MustParsePrefix("fe80::a9fe:a9fe/64")

// Plan returns the planner of the routers that are placed on a host, or leave it: a namespace each, with a link to
// every network it is on, its routes, its rules, its router advertisements and its metadata. A router
// that is administratively down has none.
func Plan(rules Rules) spec.Planner {
	return func(m *model.Model, _ spec.Observed, s *spec.Spec) error {
		return each(m, s, func(r *model.Router, at *model.Placement) result { return plan(m, r, at, rules) })
	}
}

// result is what follows for one router: a namespace, or why it cannot be planned.
type result struct {
	namespace spec.Namespace
	err       error
}

// each adds what follows for each router that is up and is placed on the host, or leaves it.
func each(m *model.Model, s *spec.Spec, plan func(*model.Router, *model.Placement) result) error {
	for _, at := range append(m.PlacementsAt(s.Host), m.LeavingFrom(s.Host)...) {
		r, ok := m.Routers.Get(at.Object)
		if at.Service != model.ServiceRouter || !ok || !r.AdminUp {
			continue
		}
		planned := plan(r, at)
		if planned.err != nil {
			return fmt.Errorf("router %s: %w", r.ID, planned.err)
		}
		s.Namespaces[planned.namespace.Name] = planned.namespace
	}
	return nil
}

func plan(m *model.Model, r *model.Router, at *model.Placement, rules Rules) result {
	p := &planner{m: m, r: r, ns: spec.Namespace{Name: Namespace(r.ID), Object: r.Kind() + "/" + r.Key(), Rev: max(r.Rev, at.Rev), Sysctls: sysctls()}}
	err := p.plan(rules)
	return result{p.ns, err}
}

// Namespace is the name of a router's namespace.
func Namespace(id model.ID) string { return "qrouter-" + string(id) }

// sysctls make a namespace a router. ARP is answered and asked for with the address of the link it is
// on, as on a machine with two links to one network.
func sysctls() map[string]string {
	return map[string]string{
		"net.ipv4.ip_forward":            "1",
		"net.ipv4.conf.all.arp_ignore":   "1",
		"net.ipv4.conf.all.arp_announce": "2",
		"net.ipv4.conf.all.rp_filter":    "0",
		"net.ipv6.conf.all.forwarding":   "1",
		"net.ipv6.conf.all.accept_ra":    "0",
	}
}

// planner plans one router.
type planner struct {
	m               *model.Model
	r               *model.Router
	ns              spec.Namespace
	outside, inside []string // names of links
}

func (p *planner) plan(rules Rules) error {
	var networks []model.ID // inside
	for _, port := range p.m.PortsOfDevice(string(p.r.ID)) {
		network, ok := p.m.Networks.Get(port.Network)
		if !ok {
			return fmt.Errorf("port %s is of network %s, which is gone", port.ID, port.Network)
		}
		p.ns.Rev = max(p.ns.Rev, port.Rev, network.Rev)
		switch port.DeviceOwner {
		case model.OwnerRouterInterface:
			first := !slices.Contains(networks, port.Network) // it may have several of the router's ports
			if first {
				networks = append(networks, port.Network)
			}
			p.interfaceOf(port, network, first)
		case model.OwnerRouterGateway:
			p.gateway(port, network)
		}
	}
	for _, r := range p.r.Routes {
		// A router may lose the gateway that a route leads over and keep the route, as the reference's does.
		if reached, _ := reaches(p.m, p.r.ID, r.NextHop); reached {
			p.ns.Routes = append(p.ns.Routes, spec.Route{Destination: r.Destination, Via: r.NextHop})
		}
	}
	slices.SortFunc(p.ns.Links, func(a, b spec.Link) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(p.ns.Routes, func(a, b spec.Route) int {
		return cmp.Or(cmp.Compare(a.Destination.String(), b.Destination.String()), a.Via.Compare(b.Via), strings.Compare(a.Link, b.Link))
	})
	if len(networks) > 0 {
		p.ns.Metadata = &spec.Metadata{Router: p.r.ID, Instances: metadata.Instances(p.m, networks...)}
		for _, id := range networks {
			for _, port := range p.m.PortsOf(id) {
				p.ns.Rev = max(p.ns.Rev, port.Rev)
			}
		}
	}
	p.ns.NFT = rules(p.m, p.r, p.outside, p.inside)
	return nil
}

// interfaceOf plans the link of an interface. One of the router's links to a network, the first, has the
// metadata address.
func (p *planner) interfaceOf(port *model.Port, network *model.Network, first bool) {
	link := newLink("qr-", port, network)
	p.inside = append(p.inside, link.Name)
	ra := spec.RA{Link: link.Name, Source: port.MAC.LinkLocal(), MTU: network.MTU}
	for _, ip := range port.FixedIPs {
		subnet, ok := p.m.Subnets.Get(ip.Subnet)
		if !ok {
			continue
		}
		p.ns.Rev = max(p.ns.Rev, subnet.Rev)
		link.Addresses = append(link.Addresses, netip.PrefixFrom(ip.IP, subnet.CIDR.Bits()))
		if subnet.RAMode == "" {
			continue
		}
		ra.Managed = ra.Managed || subnet.RAMode == "dhcpv6-stateful"
		ra.Other = ra.Other || subnet.RAMode == "dhcpv6-stateless"
		ra.Prefixes = append(ra.Prefixes, spec.RAPrefix{Prefix: subnet.CIDR, Autonomous: subnet.RAMode != "dhcpv6-stateful"})
		if subnet.RAMode == "slaac" {
			ra.DNS = append(ra.DNS, addresses(subnet.DNS)...)
		}
	}
	if first {
		link.Addresses = append(link.Addresses, metadata6)
	}
	p.ns.Links = append(p.ns.Links, link)
	if len(ra.Prefixes) > 0 {
		p.ns.RA = append(p.ns.RA, ra)
	}
}

func (p *planner) gateway(port *model.Port, network *model.Network) {
	link := newLink("qg-", port, network)
	p.outside = append(p.outside, link.Name)
	for _, ip := range port.FixedIPs {
		subnet, ok := p.m.Subnets.Get(ip.Subnet)
		if !ok {
			continue
		}
		p.ns.Rev = max(p.ns.Rev, subnet.Rev)
		link.Addresses = append(link.Addresses, netip.PrefixFrom(ip.IP, subnet.CIDR.Bits()))
		if subnet.Gateway.IsValid() {
			p.ns.Routes = append(p.ns.Routes, defaultRoute(subnet.Gateway, link.Name))
		}
	}
	p.onLink(port, link.Name)
	for _, f := range p.m.FloatingIPsOf(p.r.ID) {
		p.ns.Rev = max(p.ns.Rev, f.Rev)
		for _, w := range p.m.ForwardingsOf(f.ID) {
			p.ns.Rev = max(p.ns.Rev, w.Rev)
		}
		if f.Network == port.Network {
			link.Addresses = append(link.Addresses, netip.PrefixFrom(f.IP, f.IP.BitLen()))
		}
	}
	p.ns.Links = append(p.ns.Links, link)
}

// onLink adds routes to the subnets of the external network that the gateway has no address of: floating
// IPs of other routers may be of them.
func (p *planner) onLink(gateway *model.Port, link string) {
	for _, subnet := range p.m.SubnetsOf(gateway.Network) {
		has := slices.ContainsFunc(gateway.FixedIPs, func(ip model.FixedIP) bool { return ip.Subnet == subnet.ID })
		if !has {
			p.ns.Rev = max(p.ns.Rev, subnet.Rev)
			p.ns.Routes = append(p.ns.Routes, spec.Route{Destination: subnet.CIDR, Link: link})
		}
	}
}

func newLink(prefix string, port *model.Port, network *model.Network) spec.Link {
	id := string(port.ID[:min(11, len(port.ID))])
	return spec.Link{Name: prefix + id, Peer: "tap" + id, Port: port.ID, MAC: port.MAC, MTU: network.MTU}
}

func defaultRoute(via netip.Addr, link string) spec.Route {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if via.Is6() {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return spec.Route{Destination: all, Via: via, Link: link}
}

func addresses(texts []string) []netip.Addr {
	var out []netip.Addr
	for _, t := range texts {
		if a, err := netip.ParseAddr(t); err == nil {
			out = append(out, a)
		}
	}
	return out
}
