package bridgenic

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// State is a NIC and a bridge as they are or should be. Addresses, routes and rules are those that name
// one of the two.
type State struct {
	Taken  time.Time `json:"taken"` // when it was read; lifetimes count from then
	NIC    string    `json:"nic"`
	Bridge string    `json:"bridge"`
	MAC    string    `json:"mac"` // of the NIC

	Netdev   bool   `json:"netdev"`           // the bridge's datapath is the userspace one
	Plugged  bool   `json:"plugged"`          // the NIC is a port of the bridge
	Guarded  bool   `json:"guarded"`          // the kernel's own stack is kept off the NIC
	HWAddr   string `json:"hwaddr,omitempty"` // other_config:hwaddr of the bridge
	BridgeUp bool   `json:"bridge_up"`

	Addresses []Address         `json:"addresses,omitempty"` // each link's in the order of the kernel, primary ones first
	Routes    []Route           `json:"routes,omitempty"`
	Rules     []Rule            `json:"rules,omitempty"`
	Settings  map[string]string `json:"settings,omitempty"` // sysctls by path: "net/ipv4/conf/eth0/rp_filter"
}

// Address is an address of a link.
type Address struct {
	Link   string       `json:"link"`
	Prefix netip.Prefix `json:"prefix"`
	Peer   netip.Prefix `json:"peer,omitzero"`   // of a point-to-point address
	Label  string       `json:"label,omitempty"` // what follows the name of the link, ":1"
	// Words are the attributes besides, as ip-address(8) takes them.
	Words []string `json:"words,omitempty"`
	// NoRoute is that the kernel has made no route to the prefix.
	NoRoute bool `json:"no_route,omitempty"`
	// Valid and Preferred are the lifetimes, nil for ever.
	Valid     *time.Duration `json:"valid,omitempty"`
	Preferred *time.Duration `json:"preferred,omitempty"`
}

// local reports whether the address is a link-local one of IPv6, which each link has of its own.
func (a Address) local() bool { return a.Prefix.Addr().Is6() && a.Prefix.Addr().IsLinkLocalUnicast() }

// subnet is what the kernel makes a route to.
func (a Address) subnet() netip.Prefix {
	if a.Peer.IsValid() {
		return a.Peer.Masked()
	}
	return a.Prefix.Masked()
}

// same reports whether two addresses are one, whatever their lifetimes.
func (a Address) same(b Address) bool {
	return a.Link == b.Link && a.Prefix == b.Prefix && a.Peer == b.Peer
}

// Route is a route in the words of ip-route(8), such as "unicast default via 10.0.0.1 dev eth0 table main",
// without its expiry.
type Route struct {
	Family  int           `json:"family"` // 4 or 6
	Text    string        `json:"text"`
	Expires time.Duration `json:"expires,omitempty"` // 0: never
}

// value returns the word after a word, empty if there is none.
func value(text, word string) string {
	words := strings.Fields(text)
	if i := slices.Index(words, word); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}

// exchange returns the text with another link after each of some words.
func exchange(text, from, to string, after ...string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if i > 0 && w == from && slices.Contains(after, words[i-1]) {
			words[i] = to
		}
	}
	return strings.Join(words, " ")
}

// names reports whether a text has a link after one of some words.
func names(text, link string, after ...string) bool {
	words := strings.Fields(text)
	for i, w := range words {
		if i > 0 && w == link && slices.Contains(after, words[i-1]) {
			return true
		}
	}
	return false
}

// on reports whether the route, or one of its next hops, leads through a link.
func (r Route) on(link string) bool { return names(r.Text, link, "dev") }

// through returns the route with another link.
func (r Route) through(from, to string) Route {
	r.Text = exchange(r.Text, from, to, "dev")
	return r
}

// destination is the text of where the route leads, which follows its type.
func (r Route) destination() string {
	if words := strings.Fields(r.Text); len(words) > 1 {
		return words[1]
	}
	return ""
}

// place is what two routes of a table cannot both have unless one is appended to the other.
type place struct {
	family                   int
	destination, table       string
	tos, metric, fromAddress string
}

func (r Route) place() place {
	return place{r.Family, r.destination(), value(r.Text, "table"), value(r.Text, "tos"), value(r.Text, "metric"), value(r.Text, "from")}
}

// derived reports whether the kernel makes the route for one of the addresses, and takes it away with it.
func (r Route) derived(addresses []Address) bool {
	if value(r.Text, "proto") != "kernel" {
		return false
	}
	to, err := netip.ParsePrefix(r.destination())
	if err != nil {
		addr, err := netip.ParseAddr(r.destination())
		if err != nil {
			return false
		}
		to = netip.PrefixFrom(addr, addr.BitLen())
	}
	link := value(r.Text, "dev")
	if to.Addr().IsLinkLocalUnicast() && to.Addr().Is6() {
		return true
	}
	return slices.ContainsFunc(addresses, func(a Address) bool { return a.Link == link && !a.NoRoute && a.subnet() == to })
}

// Rule is a rule of policy routing in the words of ip-rule(8), "pref 50 from all iif eth0 lookup 100".
type Rule struct {
	Family int    `json:"family"` // 4 or 6
	Text   string `json:"text"`
}

func (r Rule) on(link string) bool { return names(r.Text, link, "iif", "oif") }

func (r Rule) through(from, to string) Rule {
	r.Text = exchange(r.Text, from, to, "iif", "oif")
	return r
}

// The settings that are looked after, of IPv4 and IPv6.
const (
	reversePath = "rp_filter"
	acceptRA    = "accept_ra"
	disableIPv6 = "disable_ipv6"
)

// Settings returns the paths of all settings that a State of two links has, as far as the kernel knows them.
func Settings(nic, bridge string) []string {
	var out []string
	for _, link := range []string{nic, bridge} {
		out = append(out, setting(link, reversePath), setting(link, acceptRA), setting(link, disableIPv6))
	}
	return out
}

func setting(link, name string) string {
	if name == reversePath {
		return "net/ipv4/conf/" + link + "/" + name
	}
	return "net/ipv6/conf/" + link + "/" + name
}

func (s State) clone() State {
	s.Addresses, s.Routes, s.Rules, s.Settings = slices.Clone(s.Addresses), slices.Clone(s.Routes), slices.Clone(s.Rules), maps.Clone(s.Settings)
	return s
}

// Moved returns the state in which the bridge has what the NIC has, and the NIC is its port. It is the
// same for a state in which that is so already.
func Moved(s State) State {
	w := s.clone()
	w.Plugged, w.Guarded, w.HWAddr, w.BridgeUp = true, s.Netdev, s.MAC, true
	w.carry(s.NIC, s.Bridge, State{})
	if ra := s.Settings[setting(s.NIC, acceptRA)]; ra != "0" {
		w.set(s.Bridge, acceptRA, ra)
		w.set(s.NIC, acceptRA, "0")
	}
	if s.Settings[setting(s.NIC, disableIPv6)] == "0" {
		w.set(s.Bridge, disableIPv6, "0")
		w.set(s.NIC, disableIPv6, "1")
	}
	return w
}

// Back returns the state in which the NIC has what the bridge has, and is no port. What the bridge had
// before the move stays with it; before is the zero State if that is not known. A NIC that is no port has
// nothing to get back.
func Back(s, before State) State {
	w := s.clone()
	if !s.Plugged {
		return w
	}
	w.Plugged, w.Guarded = false, false
	if w.HWAddr == s.MAC {
		w.HWAddr = before.HWAddr
	}
	w.carry(s.Bridge, s.NIC, before)
	w.set(s.NIC, disableIPv6, "0")
	if ra, ok := s.Settings[setting(s.Bridge, acceptRA)]; ok {
		w.set(s.NIC, acceptRA, ra)
	}
	if before.NIC != "" {
		w.BridgeUp = before.BridgeUp
	}
	maps.Copy(w.Settings, before.Settings)
	return w
}

// carry gives what one link has to another, but for what that one had before.
func (s *State) carry(from, to string, before State) {
	var addresses []Address
	for _, a := range s.Addresses {
		if a.Link != from || a.local() || slices.ContainsFunc(before.Addresses, a.same) {
			addresses = append(addresses, a)
		}
		if a.Link != from || slices.ContainsFunc(before.Addresses, a.same) {
			continue
		}
		a.Link = to
		if !slices.ContainsFunc(s.Addresses, a.same) {
			addresses = append(addresses, a)
		}
	}
	s.Addresses = addresses
	var routes []Route
	for _, r := range s.Routes {
		// A route of the kernel's for a link-local address stays with that.
		own := value(r.Text, "proto") == "kernel" && strings.HasPrefix(r.destination(), "fe80:")
		if !own && !slices.ContainsFunc(before.Routes, r.same) {
			r = r.through(from, to)
		}
		if !slices.ContainsFunc(routes, r.same) {
			routes = append(routes, r)
		}
	}
	s.Routes = routes
	var rules []Rule
	for _, r := range s.Rules {
		if !slices.Contains(before.Rules, r) {
			r = r.through(from, to)
		}
		if !slices.Contains(rules, r) {
			rules = append(rules, r)
		}
	}
	s.Rules = rules
}

// same reports whether two routes are one, whenever they expire.
func (r Route) same(other Route) bool { return r.Family == other.Family && r.Text == other.Text }

// set changes a setting that the kernel has.
func (s *State) set(link, name, value string) {
	if _, ok := s.Settings[setting(link, name)]; ok {
		s.Settings[setting(link, name)] = value
	}
}

// Gateways returns the next hops of the default routes through one of the two links: whom the host has to
// reach for others to reach it.
func (s State) Gateways() []netip.Addr {
	var out []netip.Addr
	for _, r := range s.Routes {
		if r.destination() != "default" || value(r.Text, "table") != "main" {
			continue
		}
		if a, err := netip.ParseAddr(value(r.Text, "via")); err == nil && !a.IsLinkLocalUnicast() && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}
