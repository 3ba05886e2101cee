package difference

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// line is one thing of a namespace. Things of one type and key are the same thing.
type line struct {
	typ    spec.LineType
	key    string
	text   string
	object string
}

// namespaces compares the namespaces of two plans.
func namespaces(before, after Side) []Item {
	was, will := before.spec().Namespaces, after.spec().Namespaces
	var out []Item
	for _, name := range bothKeys(was, will) {
		old, had := was[name]
		now, has := will[name]
		var of, to []line
		if had {
			of = lines(old)
		}
		if has {
			to = lines(now)
		}
		items := append(compare(name, of, to), compareChains(name, old, now)...)
		if len(items) > 0 {
			before.explain(items, old, Delete)
			after.explain(items, now, Add, Change)
		}
		out = append(out, items...)
	}
	return out
}

// explain fills in what the side knows of lines of a namespace: of those with some operations.
func (s Side) explain(items []Item, ns spec.Namespace, ops ...Op) {
	if s.Words == nil || ns.Name == "" {
		return
	}
	type key struct {
		typ  spec.LineType
		text string
	}
	known := map[key]spec.Line{}
	for _, l := range s.Words.Namespace(ns) {
		known[key{l.Type, l.Text}] = l
	}
	for i := range items {
		if l, ok := known[key{items[i].Type, items[i].Text}]; ok && slices.Contains(ops, items[i].Op) {
			items[i].Says = l.Says
			if l.Object != "" {
				items[i].Object = l.Object
			}
		}
	}
}

// compare pairs the lines of two sides by type and key. Lines come out as they go in: first those of the
// new side in its order, then what is gone.
func compare(where string, before, after []line) []Item {
	type id struct {
		typ spec.LineType
		key string
	}
	was := make(map[id]line, len(before))
	for _, l := range before {
		was[id{l.typ, l.key}] = l
	}
	var out []Item
	stays := make(map[id]bool, len(after))
	for _, l := range after {
		k := id{l.typ, l.key}
		stays[k] = true
		item := Item{Where: where, Type: l.typ, Op: Add, Text: l.text, Object: l.object}
		if old, had := was[k]; had {
			if old.text == l.text {
				continue
			}
			item.Op, item.Before = Change, old.text
		}
		out = append(out, item)
	}
	for _, l := range before {
		if !stays[id{l.typ, l.key}] {
			out = append(out, Item{Where: where, Type: l.typ, Op: Delete, Text: l.text, Object: l.object})
		}
	}
	return out
}

// lines are the things of a namespace, each with a key of its own, but for the chains of its table.
func lines(ns spec.Namespace) []line {
	out := []line{{spec.LineNamespace, ns.Name, ns.Name, ns.Object}}
	add := func(t spec.LineType, key, text, object string) { out = append(out, line{t, key, text, object}) }
	for _, l := range ns.Links {
		object := "port/" + string(l.Port)
		add(spec.LineLink, l.Name, fmt.Sprintf("%s mtu %d address %s peer %s", l.Name, l.MTU, l.MAC, l.Peer), object)
		for _, a := range l.Addresses {
			text := a.String() + " dev " + l.Name
			add(spec.LineAddress, text, text, object)
		}
	}
	for _, r := range ns.Routes {
		add(spec.LineRoute, r.String(), r.String(), ns.Object)
	}
	for _, name := range slices.Sorted(maps.Keys(ns.Sysctls)) {
		add(spec.LineSysctl, name, name+"="+ns.Sysctls[name], ns.Object)
	}
	if ns.NFT != nil {
		out = append(out, elements(*ns.NFT, ns.Object)...)
	}
	if ns.DHCP != nil {
		out = append(out, dhcpLines(*ns.DHCP, ns.Object)...)
	}
	for _, ra := range ns.RA {
		add(spec.LineRA, ra.Link, raText(ra), ns.Object)
	}
	if ns.Metadata != nil {
		what := "router " + string(ns.Metadata.Router)
		if ns.Metadata.Network != "" {
			what = "network " + string(ns.Metadata.Network)
		}
		add(spec.LineMetadata, "", "answers for "+what, ns.Object)
		for _, ip := range slices.Sorted(maps.Keys(ns.Metadata.Instances)) {
			i := ns.Metadata.Instances[ip]
			add(spec.LineMetadata, ip, instanceText(ip, i), "port/"+string(i.Port))
		}
	}
	return out
}

// dhcpLines are the arguments of a dnsmasq and the lines of its files. A line that is there twice has a
// number in its second key.
func dhcpLines(d spec.DHCP, object string) []line {
	var out []line
	from := func(file string, texts []string) {
		times := map[string]int{}
		for _, t := range texts {
			if t == "" {
				continue
			}
			text := t
			if file != "" {
				text += " (file " + file + ")"
			}
			out = append(out, line{spec.LineDHCP, fmt.Sprintf("%s %d %s", file, times[t], t), text, object})
			times[t]++
		}
	}
	from("", d.Args)
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		from(name, strings.Split(d.Files[name], "\n"))
	}
	return out
}

func raText(ra spec.RA) string {
	words := []string{ra.Link, "mtu", strconv.Itoa(ra.MTU)}
	if ra.Source.IsValid() {
		words = append(words, "from", ra.Source.String())
	}
	if ra.Managed {
		words = append(words, "managed")
	}
	if ra.Other {
		words = append(words, "other")
	}
	for _, p := range ra.Prefixes {
		words = append(words, "prefix", p.Prefix.String())
		if p.Autonomous {
			words = append(words, "autonomous")
		}
	}
	for _, a := range ra.DNS {
		words = append(words, "dns", netip.Addr.String(a))
	}
	return strings.Join(words, " ")
}

// instanceText says whose an address is. Keys and user data are the instance's own business; of these it
// says how much there is.
func instanceText(ip string, i spec.Instance) string {
	text := fmt.Sprintf("%s is instance %s of project %s, host name %s, mac %s, mtu %d", ip, i.Device, i.Project, i.Hostname, i.MAC, i.MTU)
	if len(i.PublicKey) > 0 {
		text += fmt.Sprintf(", %d public keys", len(i.PublicKey))
	}
	if i.UserData != "" {
		text += fmt.Sprintf(", %d bytes of user data", len(i.UserData))
	}
	return text
}
