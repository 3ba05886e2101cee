package bridgenic

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// loose is the reverse-path filter that accepts what comes in by another link than the way back.
const loose = "2"

// Plan returns the steps from a state to another one of the same links, in order; none if it is so already.
// Lifetimes of what is wanted have run since it was read, and what has expired meanwhile is not made.
// Link-local addresses of IPv6 are made and never taken away.
func Plan(have, want State) []Step {
	p := planner{have: have, want: want, age: max(0, have.Taken.Sub(want.Taken)), settings: maps.Clone(have.Settings)}
	add, remove := p.addresses()
	put, drop := p.routes()
	addRules, dropRules := p.rules()
	plug, unplug := p.ports()

	p.enable()
	if len(add)+len(remove)+len(put)+len(drop)+len(plug)+len(unplug) > 0 {
		p.loosen()
	}
	if want.Plugged {
		p.mac()
	}
	if want.BridgeUp && !have.BridgeUp {
		p.do(LinkState{want.Bridge, true})
	}
	p.do(add...)
	p.do(plug...)
	p.do(put...)
	p.do(addRules...)
	p.do(dropRules...)
	p.do(drop...)
	p.do(unplug...)
	p.do(remove...)
	p.announce(add)
	if !want.Plugged {
		p.mac()
	}
	if have.BridgeUp && !want.BridgeUp {
		p.do(LinkState{want.Bridge, false})
	}
	for _, path := range slices.Sorted(maps.Keys(want.Settings)) {
		p.setting(path, want.Settings[path])
	}
	return p.steps
}

type planner struct {
	have, want State
	age        time.Duration
	settings   map[string]string // as the steps so far leave them
	steps      []Step
}

func (p *planner) do(steps ...Step) { p.steps = append(p.steps, steps...) }

// mac gives the bridge its MAC address: before the NIC is a port, and after it has been one.
func (p *planner) mac() {
	if p.have.HWAddr != p.want.HWAddr {
		p.do(SetMAC{p.want.Bridge, p.want.HWAddr})
	}
}

// setting changes a setting that the kernel has.
func (p *planner) setting(path, value string) {
	if now, ok := p.settings[path]; ok && now != value {
		p.do(Set{path, value})
		p.settings[path] = value
	}
}

// enable turns IPv6 on before there are addresses of it.
func (p *planner) enable() {
	for _, link := range []string{p.want.NIC, p.want.Bridge} {
		if path := setting(link, disableIPv6); p.want.Settings[path] == "0" {
			p.setting(path, "0")
		}
	}
}

func (p *planner) loosen() {
	for _, link := range []string{p.want.NIC, p.want.Bridge} {
		p.setting(setting(link, reversePath), loose)
	}
}

// addresses returns the steps that make addresses, and those that take others away, secondary ones first.
func (p *planner) addresses() (add, remove []Step) {
	for _, a := range p.want.Addresses {
		if slices.ContainsFunc(p.have.Addresses, a.same) || a.local() && p.want.Settings[setting(a.Link, disableIPv6)] == "1" {
			continue
		}
		if a.Valid, a.Preferred = p.left(a.Valid), p.left(a.Preferred); a.Valid == nil || *a.Valid > 0 {
			add = append(add, AddAddress{a})
		}
	}
	for _, a := range slices.Backward(p.have.Addresses) {
		if !a.local() && !slices.ContainsFunc(p.want.Addresses, a.same) {
			remove = append(remove, DeleteAddress{a})
		}
	}
	return add, remove
}

// left is what is left of a lifetime.
func (p *planner) left(d *time.Duration) *time.Duration {
	if d == nil {
		return nil
	}
	left := max(0, *d-p.age)
	return &left
}

// routes returns the steps that make routes, those that need no gateway first, and those that take others
// away. What the kernel makes and takes away with an address is left to it.
func (p *planner) routes() (put, drop []Step) {
	places := map[place]int{}
	for _, r := range p.want.Routes {
		places[r.place()]++
	}
	replaced := map[place]bool{}
	for _, r := range p.want.Routes {
		if slices.ContainsFunc(p.have.Routes, r.same) || r.derived(p.want.Addresses) || r.Expires > 0 && r.Expires <= p.age {
			continue
		}
		if r.Expires > 0 {
			r.Expires -= p.age
		}
		several := places[r.place()] > 1
		replaced[r.place()] = !several
		put = append(put, PutRoute{r, several})
	}
	slices.SortStableFunc(put, func(a, b Step) int { return hops(a) - hops(b) })
	for _, r := range p.have.Routes {
		if !slices.ContainsFunc(p.want.Routes, r.same) && !r.derived(p.have.Addresses) && !replaced[r.place()] {
			drop = append(drop, DeleteRoute{r})
		}
	}
	return put, drop
}

// hops is 1 for a route by a gateway, which must be reachable by then.
func hops(s Step) int {
	if strings.Contains(s.String(), " via ") {
		return 1
	}
	return 0
}

func (p *planner) rules() (add, drop []Step) {
	for _, r := range p.want.Rules {
		if !slices.Contains(p.have.Rules, r) {
			add = append(add, AddRule{r})
		}
	}
	for _, r := range p.have.Rules {
		if !slices.Contains(p.want.Rules, r) {
			drop = append(drop, DeleteRule{r})
		}
	}
	return add, drop
}

// ports returns the steps that make the NIC a port, and those that take it off.
func (p *planner) ports() (plug, unplug []Step) {
	nic, bridge := p.want.NIC, p.want.Bridge
	if p.want.Plugged && !p.have.Plugged {
		plug = append(plug, Plug{bridge, nic})
	}
	if p.want.Guarded && !p.have.Guarded {
		plug = append(plug, Guard{nic})
	}
	// Frames that are seen twice for a moment do less harm than those that nobody sees.
	if p.have.Guarded && !p.want.Guarded {
		unplug = append(unplug, Unguard{nic})
	}
	if p.have.Plugged && !p.want.Plugged {
		unplug = append(unplug, Unplug{bridge, nic})
	}
	return plug, unplug
}

// announce tells of the addresses that were added, link by link.
func (p *planner) announce(added []Step) {
	for _, link := range []string{p.want.NIC, p.want.Bridge} {
		var moved []netip.Addr
		for _, s := range added {
			if a, ok := s.(AddAddress); ok && a.Link == link && !a.local() {
				moved = append(moved, a.Prefix.Addr())
			}
		}
		if len(moved) > 0 {
			p.do(Announce{link, moved})
		}
	}
}
