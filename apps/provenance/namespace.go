// Package provenance tells where everything on a host comes from: for each line of a namespace, each row
// of an OVSDB and each flow, the API object that it is there for, and what it does in plain words.
//
// It asks the planners that made a thing, or compares with what they made it from, and reads no texts
// back. It is pure.
package provenance

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Namespace tells of every line of a host's namespace: the namespace itself, its links with their
// addresses, its routes, settings, nftables rules, what dnsmasq and radvd read, and who asks for metadata.
// The model is the one that it was planned from; of another one, what it does not know comes from the
// namespace's object.
func Namespace(m *model.Model, host string, ns spec.Namespace) []spec.Line {
	x := namespace{m: m, ns: ns}
	kind, id, _ := strings.Cut(ns.Object, "/")
	owner := m.Get(kind, id)
	x.router, _ = owner.(*model.Router)
	x.add(spec.LineNamespace, ns.Name, ns.Object, purpose(owner))
	for _, l := range ns.Links {
		x.link(l)
	}
	for _, r := range ns.Routes {
		x.route(r)
	}
	for _, name := range slices.Sorted(maps.Keys(ns.Sysctls)) {
		x.add(spec.LineSysctl, name+"="+ns.Sysctls[name], ns.Object, sysctlSays(name, ns.Sysctls[name]))
	}
	if ns.NFT != nil && x.router != nil {
		outside, inside := x.sides()
		x.out = append(x.out, nat.Lines(m, x.router, outside, inside, ns.NFT)...)
	}
	if n, is := owner.(*model.Network); is && ns.DHCP != nil {
		x.out = append(x.out, dhcp.Lines(m, n, host, ns.DHCP)...)
	}
	for _, ra := range ns.RA {
		x.advertisement(ra)
	}
	x.metadata()
	return x.out
}

// namespace collects the lines of one namespace.
type namespace struct {
	m      *model.Model
	ns     spec.Namespace
	router *model.Router // nil if it is none's
	out    []spec.Line
}

func (x *namespace) add(t spec.LineType, text, object, says string) {
	x.out = append(x.out, spec.Line{Type: t, Text: text, Says: says, Object: object})
}

func purpose(owner model.Resource) string {
	switch owner.(type) {
	case *model.Router:
		return "the namespace of " + model.Title(owner) + ": what its networks send each other and the outside goes through here"
	case *model.Network:
		return "the namespace of the DHCP service of " + model.Title(owner)
	}
	return ""
}

// link tells of a link and its addresses. Those are its port's, or floating IPs of the router, or the
// metadata service's.
func (x *namespace) link(l spec.Link) {
	port, _ := x.m.Ports.Get(l.Port)
	on := ""
	if port != nil {
		if n, ok := x.m.Networks.Get(port.Network); ok {
			on = " to " + model.Title(n)
		}
	}
	x.add(spec.LineLink, fmt.Sprintf("%s mtu %d address %s peer %s", l.Name, l.MTU, l.MAC, l.Peer), "port/"+string(l.Port),
		"the link"+on+"; its other end, "+l.Peer+", is plugged into br-int")
	for _, a := range l.Addresses {
		text := a.String() + " dev " + l.Name
		switch of := x.addressOf(port, a.Addr()).(type) {
		case *model.Port:
			x.add(spec.LineAddress, text, "port/"+string(of.ID), "the address of "+model.Title(of))
		case *model.FloatingIP:
			x.add(spec.LineAddress, text, "floatingip/"+string(of.ID), model.Title(of)+", for which the router answers ARP")
		default:
			says := ""
			if a.Addr().IsLinkLocalUnicast() { // the metadata service's; others are not planned
				says = "where instances ask for metadata"
			}
			x.add(spec.LineAddress, text, x.ns.Object, says)
		}
	}
}

// addressOf is what an address of a link comes from: its port or a floating IP; nil for the metadata
// service's.
func (x *namespace) addressOf(port *model.Port, ip netip.Addr) model.Resource {
	if port != nil && slices.Contains(port.Addresses(), ip) {
		return port
	}
	if x.router == nil {
		return nil
	}
	for _, f := range x.m.FloatingIPsOf(x.router.ID) {
		if f.IP == ip {
			return f
		}
	}
	return nil
}

// route tells of a route: an extra route of the router, or one to a subnet or over its gateway.
func (x *namespace) route(r spec.Route) {
	text := r.String()
	if x.router != nil && slices.Contains(x.router.Routes, model.Route{Destination: r.Destination, NextHop: r.Via}) {
		x.add(spec.LineRoute, text, x.ns.Object, "an extra route of "+model.Title(x.router))
		return
	}
	subnet := x.subnetOf(r)
	switch {
	case subnet == nil:
		x.add(spec.LineRoute, text, x.ns.Object, "")
	case r.Destination.Bits() == 0:
		x.add(spec.LineRoute, text, "subnet/"+string(subnet.ID), "all else goes to "+r.Via.String()+", the gateway of "+model.Title(subnet))
	default:
		x.add(spec.LineRoute, text, "subnet/"+string(subnet.ID), model.Title(subnet)+" is on the link, though the router has no address of it")
	}
}

// subnetOf is the subnet on a route's link whose gateway, or whose range, the route leads to.
func (x *namespace) subnetOf(r spec.Route) *model.Subnet {
	return x.subnet(r.Link, func(s *model.Subnet) bool {
		return r.Via.IsValid() && s.Gateway == r.Via || !r.Via.IsValid() && s.CIDR == r.Destination
	})
}

// subnet finds a subnet of the network that a link is on; without a link, of any.
func (x *namespace) subnet(link string, is func(*model.Subnet) bool) *model.Subnet {
	for _, l := range x.ns.Links {
		port, ok := x.m.Ports.Get(l.Port)
		if !ok || link != "" && link != l.Name {
			continue
		}
		all := x.m.SubnetsOf(port.Network)
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i]
		}
	}
	return nil
}

// sides are the names of a router's links, as [nat.Rules] got them.
func (x *namespace) sides() (outside, inside []string) {
	for _, l := range x.ns.Links {
		if p, ok := x.m.Ports.Get(l.Port); ok && p.DeviceOwner == model.OwnerRouterGateway {
			outside = append(outside, l.Name)
		} else {
			inside = append(inside, l.Name)
		}
	}
	return outside, inside
}

func (x *namespace) advertisement(ra spec.RA) {
	object := x.ns.Object
	for _, l := range x.ns.Links {
		if l.Name == ra.Link {
			object = "port/" + string(l.Port)
		}
	}
	for _, p := range ra.Prefixes {
		says := "hosts are told that " + p.Prefix.String() + " is on their link"
		if p.Autonomous {
			says += ", and make their addresses of it themselves"
		} else if ra.Managed {
			says += ", and ask DHCPv6 for their addresses"
		}
		of := object
		if s := x.subnet(ra.Link, func(s *model.Subnet) bool { return s.CIDR == p.Prefix }); s != nil {
			of = "subnet/" + string(s.ID)
		}
		x.add(spec.LineRA, fmt.Sprintf("prefix %s on %s mtu %d", p.Prefix, ra.Link, ra.MTU), of, says)
	}
	for _, d := range ra.DNS {
		x.add(spec.LineRA, fmt.Sprintf("RDNSS %s on %s", d, ra.Link), object, "hosts are told of the name server "+d.String())
	}
}

func (x *namespace) metadata() {
	if x.ns.Metadata == nil {
		return
	}
	for _, ip := range slices.Sorted(maps.Keys(x.ns.Metadata.Instances)) {
		i := x.ns.Metadata.Instances[ip]
		title := "instance " + i.Hostname
		if p, ok := x.m.Ports.Get(i.Port); ok {
			title = model.Title(p)
		}
		x.add(spec.LineMetadata, ip+" is "+i.Hostname, "port/"+string(i.Port), "who asks for metadata from "+ip+" is "+title)
	}
}

// sysctlSays says what a setting does, for those that planners use.
func sysctlSays(name, value string) string {
	switch {
	case strings.HasSuffix(name, "forward"), strings.HasSuffix(name, ".forwarding"):
		return "packets are forwarded"
	case strings.HasSuffix(name, ".arp_ignore"):
		return "ARP is answered only for addresses of the link that it came by"
	case strings.HasSuffix(name, ".arp_announce"):
		return "ARP is asked with an address of the link that it leaves by"
	case strings.HasSuffix(name, ".rp_filter"):
		return "packets may come by another link than answers to them leave by"
	case strings.HasSuffix(name, ".accept_ra") && value == "0":
		return "no address or route is taken from router advertisements"
	}
	return ""
}
