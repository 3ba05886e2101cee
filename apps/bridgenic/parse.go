package bridgenic

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// forever is the kernel's lifetime without end (linux/if_addr.h INFINITY_LIFE_TIME), in seconds.
const forever = 0xffffffff

// Link is what ip(8) says of a link.
type Link struct {
	MAC       string
	Up        bool
	Master    string // what it is a port of in the kernel; empty for none
	Addresses []Address
}

// ParseLink reads what "ip -j address show dev LINK" prints.
func ParseLink(name string, out []byte) (Link, error) {
	var links []struct {
		Address string
		Flags   []string
		Master  string
		Info    []struct {
			Family, Local, Address, Broadcast, Scope, Label string
			Prefixlen                                       int
			Metric                                          uint32
			Noprefixroute, Mngtmpaddr, Home, Autojoin       bool
			Valid                                           uint32 `json:"valid_life_time"`
			Preferred                                       uint32 `json:"preferred_life_time"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal(out, &links); err != nil {
		return Link{}, fmt.Errorf("read addresses of %s: %w", name, err)
	}
	// Some versions of ip(8) print an empty object for each link that is left out.
	var l Link
	for _, have := range links {
		if have.Address == "" {
			continue
		}
		l.MAC, l.Up, l.Master = have.Address, slices.Contains(have.Flags, "UP"), have.Master
		for _, i := range have.Info {
			a := Address{Link: name, NoRoute: i.Noprefixroute, Valid: lifetime(i.Valid), Preferred: lifetime(i.Preferred)}
			local, err := netip.ParseAddr(i.Local)
			if err != nil {
				return Link{}, fmt.Errorf("read addresses of %s: %w", name, err)
			}
			a.Prefix = netip.PrefixFrom(local, i.Prefixlen)
			if i.Address != "" {
				peer, err := netip.ParseAddr(i.Address)
				if err != nil {
					return Link{}, fmt.Errorf("read addresses of %s: %w", name, err)
				}
				a.Prefix, a.Peer = netip.PrefixFrom(local, local.BitLen()), netip.PrefixFrom(peer, i.Prefixlen)
			}
			if label, ok := strings.CutPrefix(i.Label, name); ok {
				a.Label = label
			}
			if i.Broadcast != "" {
				a.Words = append(a.Words, "broadcast", i.Broadcast)
			}
			if i.Scope != "" {
				a.Words = append(a.Words, "scope", i.Scope)
			}
			if i.Metric != 0 {
				a.Words = append(a.Words, "metric", fmt.Sprint(i.Metric))
			}
			for _, flag := range []struct {
				word string
				set  bool
			}{{"noprefixroute", i.Noprefixroute}, {"mngtmpaddr", i.Mngtmpaddr}, {"home", i.Home}, {"autojoin", i.Autojoin}} {
				if flag.set {
					a.Words = append(a.Words, flag.word)
				}
			}
			l.Addresses = append(l.Addresses, a)
		}
	}
	if l.MAC == "" {
		return Link{}, fmt.Errorf("read addresses of %s: ip(8) does not tell of it", name)
	}
	return l, nil
}

func lifetime(s uint32) *time.Duration {
	if s == forever {
		return nil
	}
	d := time.Duration(s) * time.Second
	return &d
}

// shown are words that ip(8) prints of a route's state and does not take.
var shown = []string{"linkdown", "dead", "offload", "offload_failed", "rt_offload", "rt_trap", "trap", "pervasive", "unresolved", `\`}

// ParseRoutes reads what "ip -o -d -4 route show table all" prints, or -6, and returns the routes through one
// of the links. Those of table local are the kernel's own.
func ParseRoutes(family int, out []byte, links ...string) ([]Route, error) {
	var routes []Route
	for line := range strings.Lines(string(out)) {
		// The kernel's next hops end in a backslash that stands right behind the word before.
		words := strings.Fields(strings.ReplaceAll(line, `\`, " "))
		words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(shown, w) })
		r := Route{Family: family}
		if i := slices.Index(words, "error"); i >= 0 && i+1 < len(words) {
			words = slices.Delete(words, i, i+2)
		}
		if i := slices.Index(words, "expires"); i >= 0 && i+1 < len(words) {
			d, err := time.ParseDuration(strings.TrimSuffix(words[i+1], "ec"))
			if err != nil {
				return nil, fmt.Errorf("read routes: %q: %w", strings.TrimSpace(line), err)
			}
			r.Expires = max(d, time.Second)
			words = slices.Delete(words, i, i+2)
		}
		r.Text = strings.Join(words, " ")
		if !slices.ContainsFunc(links, r.on) || value(r.Text, "table") == "local" {
			continue
		}
		if slices.Contains(words, "nhid") {
			return nil, fmt.Errorf("route %q uses a next-hop object, which is not moved; give it next hops of its own", r.Text)
		}
		routes = append(routes, r)
	}
	return routes, nil
}

// ParseRules reads what "ip -o -4 rule show" prints, or -6, and returns the rules that name one of the links.
func ParseRules(family int, out []byte, links ...string) []Rule {
	var rules []Rule
	for line := range strings.Lines(string(out)) {
		words := slices.DeleteFunc(strings.Fields(line), func(w string) bool { return w == "[detached]" })
		if len(words) < 2 {
			continue
		}
		r := Rule{Family: family, Text: "pref " + strings.TrimSuffix(words[0], ":") + " " + strings.Join(words[1:], " ")}
		if slices.ContainsFunc(links, r.on) {
			rules = append(rules, r)
		}
	}
	return rules
}
