package netns

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// markPrefix begins the aliases of what is ours; what follows is the object it was made for.
const markPrefix = "heddle:"

const (
	// Group is the link group of both ends of our veth pairs: "HEDD" in ASCII.
	Group = 0x48454444
	// Protocol is the origin of our routes (rtm_protocol): 'H', which rt_protos leaves free.
	Protocol = 72
)

// ipv6Metric is what the kernel makes of an IPv6 route without a metric.
const ipv6Metric = 1024

// Path names an object within its namespace: "ns", "link/qr-1", "link/qr-1/addr/10.0.0.1/24",
// "route/0.0.0.0/0/0", "sysctl/net.ipv4.ip_forward".
type Path string

// Object is what a path holds: [Mark], [Loopback], [Veth], [Address], [Route] or [Sysctl]. All are
// comparable.
type Object interface {
	// rank orders objects by what they need: each needs objects of lower rank only.
	rank() int
}

// Mark is the namespace itself.
type Mark struct {
	Object string // what it was made for
	// Mounted says that the name leads to a namespace. It does not after a crash between two steps of
	// making or removing one.
	Mounted bool
}

// Loopback is the device lo.
type Loopback struct{ Up bool }

// Veth is a pair: one end in the namespace, its peer on the host.
type Veth struct {
	Name, Peer string
	Alias      string // of both ends
	MAC        of.MAC // of the inside end
	MTU        int    // of both ends, in bytes
	Up         bool   // both ends are
	Offload    bool   // the inside end leaves transmit checksums to the hardware
	Quiet      bool   // the host speaks no IPv6 on its end
}

// Address is an address of a link.
type Address struct {
	Link   string
	Prefix netip.Prefix
}

// Route is a route of the main table.
type Route struct {
	Destination netip.Prefix
	Metric      int
	Via         netip.Addr // invalid: on link
	Link        string     // empty, only in what is wanted: whatever the kernel finds
	OnLink      bool       // Via is on none of the link's subnets; only in what is wanted
}

// Sysctl is a setting under net.
type Sysctl struct{ Name, Value string }

func (Mark) rank() int     { return 0 }
func (Loopback) rank() int { return 1 }

// rank of settings that new links inherit comes before that of links.
func (s Sysctl) rank() int {
	if s.link() == "" {
		return 1
	}
	return 3
}
func (Veth) rank() int    { return 2 }
func (Address) rank() int { return 4 }
func (Route) rank() int   { return 5 }

const (
	pathMark     Path = "ns"
	pathLoopback Path = "link/lo"
)

func (v Veth) path() Path    { return Path("link/" + v.Name) }
func (a Address) path() Path { return Path("link/" + a.Link + "/addr/" + a.Prefix.String()) }
func (r Route) path() Path   { return Path(fmt.Sprintf("route/%s/%d", r.Destination, r.Metric)) }
func (s Sysctl) path() Path  { return Path("sysctl/" + s.Name) }

// baseSysctls hold in every namespace unless its spec says otherwise.
var baseSysctls = map[string]string{
	// Removing a subnet's first address must not take its other addresses along.
	"net.ipv4.conf.all.promote_secondaries": "1",
	// Addresses are allocated, none is used twice; servers must be able to bind them at once.
	"net.ipv6.conf.default.accept_dad": "0",
	// A namespace has the addresses and routes of its spec, none that a tenant advertises.
	"net.ipv6.conf.default.accept_ra": "0",
}

// Desired returns the objects of a namespace. Offload says whether the datapath that the pairs are
// plugged into completes checksums, as the kernel's does and the userspace one does not. The error tells
// all that is wrong with the spec. Of several routes with one destination and metric the one with the
// lowest next hop is taken.
func Desired(ns spec.Namespace, offload bool) (map[Path]Object, error) {
	if err := check(ns); err != nil {
		return nil, fmt.Errorf("spec of namespace %s: %w", ns.Name, err)
	}
	out := map[Path]Object{pathMark: Mark{Object: ns.Object, Mounted: true}, pathLoopback: Loopback{Up: true}}
	put := func(p Path, o Object) { out[p] = o }
	for _, l := range ns.Links {
		v := Veth{Name: l.Name, Peer: l.Peer, Alias: markPrefix + "port/" + string(l.Port), MAC: l.MAC, MTU: l.MTU, Up: true, Offload: offload, Quiet: true}
		put(v.path(), v)
		for _, p := range l.Addresses {
			a := Address{Link: l.Name, Prefix: p}
			put(a.path(), a)
		}
	}
	for _, r := range slices.SortedFunc(slices.Values(ns.Routes), func(a, b spec.Route) int { return b.Via.Compare(a.Via) }) {
		w := route(r, ns.Links)
		put(w.path(), w)
	}
	sysctls := maps.Clone(baseSysctls)
	for name, value := range ns.Sysctls {
		sysctls[dotted(name)] = value
	}
	for name, value := range sysctls {
		s := Sysctl{Name: name, Value: value}
		put(s.path(), s)
	}
	return out, nil
}

// route completes a route as the kernel will.
func route(r spec.Route, links []spec.Link) Route {
	w := Route{Destination: r.Destination.Masked(), Metric: r.Metric, Via: r.Via, Link: r.Link}
	if w.Metric == 0 && w.Destination.Addr().Is6() {
		w.Metric = ipv6Metric
	}
	if !w.Via.IsValid() || w.Via.IsLinkLocalUnicast() {
		return w
	}
	w.OnLink = true
	best := -1
	for _, l := range links {
		for _, p := range l.Addresses {
			if (r.Link == "" || r.Link == l.Name) && p.Masked().Contains(w.Via) && p.Bits() > best {
				w.Link, w.OnLink, best = l.Name, false, p.Bits()
			}
		}
	}
	if w.Link == "" {
		w.OnLink = false // there is no link to be on: the kernel will say so
	}
	return w
}

func check(ns spec.Namespace) error {
	switch {
	case !validName(ns.Name):
		return fmt.Errorf("%q is no name for a namespace", ns.Name)
	case ns.Object == "":
		return fmt.Errorf("it does not say what it is for")
	}
	seen := map[string]bool{"lo": true}
	for _, l := range ns.Links {
		switch {
		case !validLink(l.Name) || seen[l.Name]:
			return fmt.Errorf("%q is no name for a link, or there twice", l.Name)
		case !validLink(l.Peer):
			return fmt.Errorf("%q is no name for the peer of %s", l.Peer, l.Name)
		case l.MAC.IsZero() || l.MAC.IsMulticast():
			return fmt.Errorf("link %s cannot have the MAC address %s", l.Name, l.MAC)
		case l.MTU < 68 || l.MTU > 65535:
			return fmt.Errorf("link %s cannot have the MTU %d", l.Name, l.MTU)
		}
		seen[l.Name] = true
		for _, p := range l.Addresses {
			if !p.IsValid() || p.Addr().Is4In6() {
				return fmt.Errorf("link %s: %s is no address", l.Name, p)
			}
		}
	}
	for _, r := range ns.Routes {
		if !r.Destination.IsValid() || r.Via.IsValid() && r.Via.Is4() != r.Destination.Addr().Is4() {
			return fmt.Errorf("route %s via %s is of two families, or of none", r.Destination, r.Via)
		}
	}
	for name := range ns.Sysctls {
		if !strings.HasPrefix(dotted(name), "net.") || strings.Contains(name, "..") {
			return fmt.Errorf("sysctl %s is not one of a network namespace", name)
		}
	}
	return nil
}

// validName refuses what would be a path, or hidden.
func validName(s string) bool {
	return s != "" && len(s) < 256 && !strings.HasPrefix(s, ".") && !strings.ContainsAny(s, "/\x00\n")
}

// validLink is what the kernel takes for a name (dev_valid_name), without what has a meaning in nft
// texts and in paths.
func validLink(s string) bool {
	return s != "" && len(s) <= 15 && !strings.HasPrefix(s, ".") && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) < 0
}
