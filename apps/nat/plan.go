package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Family and TableName are of the one table that a router's namespace has from us.
const (
	Family    = "inet"
	TableName = "heddle"
)

// Rules returns the nftables table of a router, given the names of its links to the outside and to the
// inside; nil if it has no links. The rules are the same for every router, what differs are elements of
// sets and maps: ten thousand floating IPs are one look-up, and a change of one is one element.
func Rules(m *model.Model, r *model.Router, outside, inside []string) *spec.NFT {
	if len(outside)+len(inside) == 0 {
		return nil
	}
	c := collector{elements: elements{}}
	c.collect(m, r, outside, inside)
	return &spec.NFT{Family: Family, Table: TableName, Text: c.text(r)}
}

// collector gathers the elements of a router's table and, if it is asked to, what each is there for.
type collector struct {
	elements
	of     model.Resource            // what is being gathered for
	causes map[string]model.Resource // by causeKey; nil: nobody asks
}

func causeKey(set, key string) string { return set + " " + key }

// add is [elements.add] for what is being gathered for.
func (c *collector) add(set, key string, value ...string) {
	if c.causes != nil {
		if _, had := c.causes[causeKey(set, key)]; !had {
			c.causes[causeKey(set, key)] = c.of
		}
	}
	c.elements.add(set, key, value...)
}

func (c *collector) collect(m *model.Model, r *model.Router, outside, inside []string) {
	c.of = r
	for _, l := range outside {
		c.add("outside", quote(l))
	}
	for _, l := range inside {
		c.add("inside", quote(l))
	}
	c.own(m, r)
	if r.Gateway == nil {
		return
	}
	c.gateway(m, r, outside, inside)
	for _, f := range m.FloatingIPsOf(r.ID) {
		if f.Network == r.Gateway.Network && f.IP.Is4() {
			c.floatingIP(m, f)
		}
	}
}

// elements are those of the table's sets and maps: by set, then by key, a value; empty for sets.
type elements map[string]map[string]string

// add adds an element. The first one of a key stays.
func (e elements) add(set, key string, value ...string) {
	if e[set] == nil {
		e[set] = map[string]string{}
	}
	if _, had := e[set][key]; !had {
		e[set][key] = strings.Join(value, concat)
	}
}

// concat joins the parts of a key or value.
const concat = " . "

func quote(link string) string { return `"` + link + `"` }

// own adds the addresses at which the router itself answers. A floating IP that is given to a port is none,
// also before it is translated and after: whoever asked then would be tracked as a client of the router,
// and go on being one.
func (c *collector) own(m *model.Model, r *model.Router) {
	for _, p := range m.PortsOfDevice(string(r.ID)) {
		c.of = p
		for _, f := range p.FixedIPs {
			if f.IP.Is4() {
				c.add("own", f.IP.String())
			}
		}
	}
	for _, f := range m.FloatingIPsOf(r.ID) {
		c.of = f
		if f.Target == "" && f.IP.Is4() {
			c.add("own", f.IP.String())
		}
	}
}

// gateway adds the address that a router hides others behind. Towards the inside that is for who comes
// from the inside too, by a floating IP: its answer has to come back through the router. As such a
// connection could not work otherwise, it is not a matter of enable_snat.
func (c *collector) gateway(m *model.Model, r *model.Router, outside, inside []string) {
	p, ok := m.Ports.Get(r.Gateway.Port)
	if !ok {
		return
	}
	i := slices.IndexFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.IP.Is4() })
	if i < 0 {
		return
	}
	c.of = p
	for _, l := range inside {
		c.add("gateway", quote(l), p.FixedIPs[i].IP.String())
	}
	if !r.Gateway.SNAT {
		return
	}
	for _, l := range outside {
		c.add("gateway", quote(l), p.FixedIPs[i].IP.String())
		c.add("hidden", quote(l))
	}
}

func (c *collector) floatingIP(m *model.Model, f *model.FloatingIP) {
	c.of = f
	if f.Target != "" && f.FixedIP.Is4() {
		c.add("fip_dnat", f.IP.String(), f.FixedIP.String())
		c.add("fip_snat", f.FixedIP.String(), f.IP.String())
	}
	for _, w := range m.ForwardingsOf(f.ID) {
		if w.IP.Is4() {
			c.forwarding(f.IP, w)
		}
	}
}

// forwarding adds the ports of a port forwarding one by one: a range of ports that is mapped to another
// leaves it to the kernel which port of the range is taken.
func (c *collector) forwarding(outside netip.Addr, w *model.PortForwarding) {
	c.of = w
	if w.Protocol == "icmp" {
		c.add("pf_icmp", outside.String(), w.IP.String())
		return
	}
	if _, ok := forwarded[w.Protocol]; !ok {
		return
	}
	for i := 0; i <= int(w.External.Last)-int(w.External.First); i++ {
		c.add("pf_"+w.Protocol, fmt.Sprint(outside, concat, int(w.External.First)+i), fmt.Sprint(w.IP, concat, int(w.Internal.First)+i))
	}
}

// forwarded are the protocols with ports, with their numbers (IANA "Protocol Numbers").
var forwarded = map[string]uint8{"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132}

// protocolICMP is the number of ICMP.
const protocolICMP = 1

// sets are the table's sets and maps in the order of the text, with their types.
var sets = []struct{ name, kind, of string }{
	{"inside", "set", "ifname"},
	{"outside", "set", "ifname"},
	{"hidden", "set", "ifname"},
	{"own", "set", "ipv4_addr"},
	{"gateway", "map", "ifname : ipv4_addr"},
	{"fip_dnat", "map", "ipv4_addr : ipv4_addr"},
	{"fip_snat", "map", "ipv4_addr : ipv4_addr"},
	{"pf_tcp", "map", "ipv4_addr . inet_service : ipv4_addr . inet_service"},
	{"pf_udp", "map", "ipv4_addr . inet_service : ipv4_addr . inet_service"},
	{"pf_dccp", "map", "ipv4_addr . inet_service : ipv4_addr . inet_service"},
	{"pf_sctp", "map", "ipv4_addr . inet_service : ipv4_addr . inet_service"},
	{"pf_icmp", "map", "ipv4_addr : ipv4_addr"},
	// What left the maps above and is still tracked; see package comment.
	{leavingSet, "set", "ipv4_addr . ipv4_addr . inet_proto . inet_service"},
}

// chains are the rules, which do what Neutron's do. Only the first packet of a connection sees those of
// type nat; later ones are translated like it, whatever the rules have become.
const chains = `
	# 169.254.169.254 and fe80::a9fe:a9fe are the agent's metadata proxy, which nobody reaches directly.
	chain prerouting {
		type nat hook prerouting priority -100; policy accept;
		iifname @inside ip daddr 169.254.169.254 tcp dport 80 redirect to :9697
		iifname @inside ip6 daddr fe80::a9fe:a9fe tcp dport 80 redirect to :9697
		jump floatingip
	}

	# Nor does a router answer at addresses that are not its own, such as floating IPs that it does not
	# translate yet.
	chain input {
		type filter hook input priority 0; policy accept;
		tcp dport 9697 ct status & dnat == 0 drop
		iifname != "lo" ct state new ip daddr != @own drop
	}

	chain output {
		type nat hook output priority -100; policy accept;
		jump floatingip
	}

	# Port forwardings come first: their floating IPs are given to no port as a whole. Protocols are
	# numbers where a name would be looked up in /etc/protocols: 1 is ICMP, 33 is DCCP.
	chain floatingip {
		dnat ip to ip daddr . tcp dport map @pf_tcp
		dnat ip to ip daddr . udp dport map @pf_udp
		meta l4proto 33 dnat ip to ip daddr . th dport map @pf_dccp
		dnat ip to ip daddr . sctp dport map @pf_sctp
		meta l4proto 1 dnat ip to ip daddr map @pf_icmp
		dnat ip to ip daddr map @fip_dnat
	}

	# Between inside networks nothing is translated, but for who asks for a floating IP. A floating IP
	# comes before the gateway's address. Who comes from outside keeps his address.
	chain postrouting {
		type nat hook postrouting priority 100; policy accept;
		oifname != @outside ct status & dnat == 0 accept
		snat ip to ip saddr map @fip_snat
		oifname @outside snat ip to oifname map @gateway fully-random
		iifname != @outside snat ip to oifname map @gateway fully-random
	}

	# What connection tracking cannot place is not translated, and would show inside addresses outside.
	chain forward {
		type filter hook forward priority 0; policy accept;
		oifname @hidden meta nfproto ipv4 ct state invalid drop
	}
`

func (e elements) text(r *model.Router) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\tcomment \"heddle %s/%s\"\n", r.Kind(), r.Key())
	for _, s := range sets {
		fmt.Fprintf(&b, "\n\t%s %s {\n\t\ttype %s\n", s.kind, s.name, s.of)
		if len(e[s.name]) > 0 {
			b.WriteString("\t\telements = {\n")
			for _, line := range lines(e[s.name]) {
				fmt.Fprintf(&b, "\t\t\t%s,\n", line)
			}
			b.WriteString("\t\t}\n")
		}
		b.WriteString("\t}\n")
	}
	b.WriteString(chains)
	return b.String()
}

// lines are the elements of a set, or of a map, as nft(8) reads them, in the order of their text.
func lines(set map[string]string) []string {
	out := make([]string, 0, len(set))
	for k, v := range set {
		if v != "" {
			k += " : " + v
		}
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
