// Package kernel says what Linux does in a network namespace, as Heddle plans it, with a packet that
// nobody sent: where it is delivered, which way it is forwarded, what the rules make of it, and why it
// ends. It is a model of the kernel, and is held against the kernel in its tests.
package kernel

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/nft"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// Space is a network namespace. It must not be used from several goroutines: it reads its rules when the
// first packet meets them.
type Space struct {
	spec   spec.Namespace
	read   bool       // table is
	table  *nft.Table // nil: it has none
	broken error      // why the table cannot be read
	routes []Route    // with those that addresses bring
}

// Route is a route of a namespace, its own or one that an address brings.
type Route struct {
	spec.Route
	Kernel bool // an address brings it
}

// New returns the namespace of a spec.
func New(ns spec.Namespace) *Space {
	s := &Space{spec: ns}
	for _, l := range ns.Links {
		for _, a := range l.Addresses {
			if !a.IsSingleIP() {
				s.routes = append(s.routes, Route{spec.Route{Destination: a.Masked(), Link: l.Name}, true})
			}
		}
	}
	for _, r := range ns.Routes {
		if r.Link == "" {
			r.Link = s.linkTo(r.Via)
		}
		s.routes = append(s.routes, Route{Route: r})
	}
	return s
}

// rules returns the namespace's table, nil if it has none.
func (s *Space) rules() (*nft.Table, error) {
	if !s.read && s.spec.NFT != nil {
		s.table, s.broken = nft.Parse(s.spec.NFT.Text)
	}
	s.read = true
	return s.table, s.broken
}

// linkTo is the link on whose subnet an address is; empty if it is on none.
func (s *Space) linkTo(a netip.Addr) string {
	if r, ok := s.route(a); ok && !r.Via.IsValid() {
		return r.Link
	}
	return ""
}

// Spec is what the namespace was made from.
func (s *Space) Spec() spec.Namespace { return s.spec }

// Link returns a link by its name.
func (s *Space) Link(name string) (spec.Link, bool) {
	i := slices.IndexFunc(s.spec.Links, func(l spec.Link) bool { return l.Name == name })
	if i < 0 {
		return spec.Link{}, false
	}
	return s.spec.Links[i], true
}

// Answers reports whether the namespace answers who asks on a link, by ARP or neighbour discovery, for
// an address.
func (s *Space) Answers(link string, a netip.Addr) bool {
	l, ok := s.owner(a, link)
	if !ok {
		return false
	}
	// arp_ignore 1 answers for the addresses of the link alone, as IPv6 always does (ip-sysctl).
	return l.Name == link || a.Is4() && s.spec.Sysctls["net.ipv4.conf.all.arp_ignore"] != "1"
}

// owner returns the link that has an address, first the one that is asked for: links may share some.
func (s *Space) owner(a netip.Addr, first string) (spec.Link, bool) {
	var found spec.Link
	ok := false
	for _, l := range s.spec.Links {
		if has(l, a) && (!ok || l.Name == first) {
			found, ok = l, true
		}
	}
	return found, ok
}

func has(l spec.Link, a netip.Addr) bool {
	return a == l.MAC.LinkLocal() || slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
}

// linkAddress is the address that packets which are redirected on a link get: the link's first one.
func (s *Space) linkAddress(link string, v6 bool) netip.Addr {
	l, ok := s.Link(link)
	if !ok {
		return netip.Addr{}
	}
	for _, a := range l.Addresses {
		if a.Addr().Is6() == v6 {
			return a.Addr()
		}
	}
	return netip.Addr{}
}

// route looks an address up: the longest prefix, of equal ones that of the lowest metric, then the first.
func (s *Space) route(to netip.Addr) (Route, bool) {
	var best Route
	found := false
	for _, r := range s.routes {
		if !r.Destination.Contains(to) {
			continue
		}
		if !found || cmp.Or(cmp.Compare(best.Destination.Bits(), r.Destination.Bits()), cmp.Compare(r.Metric, best.Metric)) < 0 {
			best, found = r, true
		}
	}
	return best, found
}

// String is the route as ip(8) prints it.
func (r Route) String() string {
	if r.Kernel {
		return r.Route.String() + " proto kernel scope link"
	}
	return r.Route.String()
}
