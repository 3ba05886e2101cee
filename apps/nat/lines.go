package nat

import (
	"fmt"
	"strings"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Lines tells of a router's table what each element and each rule is there for. The links are those that
// [Rules] got.
func Lines(m *model.Model, r *model.Router, outside, inside []string, nft *spec.NFT) []spec.Line {
	c := collector{elements: elements{}, causes: map[string]model.Resource{}}
	c.collect(m, r, outside, inside)
	router := r.Kind() + "/" + r.Key()
	var out []spec.Line
	kind, block := "", "" // of block that a line is in
	inElements := false
	for line := range strings.Lines(nft.Text) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "comment "):
		case len(words) == 3 && words[2] == "{" && words[0] != "elements":
			kind, block = words[0], words[1]
		case line == "elements = {":
			inElements = true
		case line == "}" && inElements:
			inElements = false
		case line == "}":
			kind, block = "", ""
		case inElements:
			text := strings.TrimSuffix(line, ",")
			key, value, _ := strings.Cut(text, " : ")
			l := spec.Line{Type: spec.LineNFT, Text: fmt.Sprintf("%s (%s %s)", text, kind, block), Object: router}
			of := c.causes[causeKey(block, key)]
			if of != nil {
				l.Object = of.Kind() + "/" + of.Key()
			}
			l.Says = elementSays(m, block, strings.Trim(key, `"`), value, of)
			out = append(out, l)
		case kind == "chain":
			out = append(out, spec.Line{Type: spec.LineNFT, Text: fmt.Sprintf("%s (chain %s)", line, block), Object: router, Says: ruleSays[line]})
		}
	}
	return out
}

// elementSays says what an element of a set or map does; of is what it is there for.
func elementSays(m *model.Model, set, key, value string, of model.Resource) string {
	switch set {
	case "inside":
		return "link " + key + " leads to a network inside"
	case "outside":
		return "link " + key + " leads to the external network"
	case "hidden":
		return "what leaves by " + key + " and cannot be translated is dropped, so that no inside address is seen outside"
	case "own":
		if _, floating := of.(*model.FloatingIP); floating {
			return "the router itself answers at floating IP " + key + ", which is given to no port"
		}
		return "the router itself answers at " + key + ", the address of " + model.Title(of)
	case "gateway":
		return "what is hidden and leaves by " + key + " gets the source address " + value + ", the router's outside"
	case "fip_dnat":
		return "what is for floating IP " + key + " goes to " + value + target(m, of)
	case "fip_snat":
		return "what " + key + target(m, of) + " sends through the router gets the source address " + value + ", its floating IP"
	case "pf_icmp":
		return "pings of floating IP " + key + " go to " + value + target(m, of)
	case leavingSet:
		return "sessions of " + key + " are ended, since what translated them is gone"
	}
	if protocol, is := strings.CutPrefix(set, "pf_"); is {
		from, fromPort, _ := strings.Cut(key, concat)
		to, toPort, _ := strings.Cut(value, concat)
		return fmt.Sprintf("%s to floating IP %s port %s goes to %s port %s%s", strings.ToUpper(protocol), from, fromPort, to, toPort, target(m, of))
	}
	return ""
}

// target names the port that a floating IP or a port forwarding leads to, in brackets.
func target(m *model.Model, of model.Resource) string {
	var id model.ID
	switch of := of.(type) {
	case *model.FloatingIP:
		id = of.Target
	case *model.PortForwarding:
		id = of.Target
	}
	if p, ok := m.Ports.Get(id); ok {
		return " (" + model.Title(p) + ")"
	}
	return ""
}

// ruleSays says what each rule of the chains does.
var ruleSays = map[string]string{
	"type nat hook prerouting priority -100; policy accept;":                   "sees the first packet of each connection that comes to the router, before it is routed",
	"iifname @inside ip daddr 169.254.169.254 tcp dport 80 redirect to :9697":  "instances that ask 169.254.169.254 for metadata are answered by the agent's proxy",
	"iifname @inside ip6 daddr fe80::a9fe:a9fe tcp dport 80 redirect to :9697": "instances that ask fe80::a9fe:a9fe for metadata are answered by the agent's proxy",
	"jump floatingip": "then port forwardings and floating IPs are looked up",
	"type filter hook input priority 0; policy accept;":                "sees what is for the router itself",
	"tcp dport 9697 ct status & dnat == 0 drop":                        "nobody reaches the metadata proxy directly",
	`iifname != "lo" ct state new ip daddr != @own drop`:               "the router does not answer at addresses that are not its own",
	"type nat hook output priority -100; policy accept;":               "sees what the router itself sends",
	"dnat ip to ip daddr . tcp dport map @pf_tcp":                      "TCP to a port of a floating IP that is forwarded goes to where map pf_tcp says",
	"dnat ip to ip daddr . udp dport map @pf_udp":                      "UDP to a port of a floating IP that is forwarded goes to where map pf_udp says",
	"meta l4proto 33 dnat ip to ip daddr . th dport map @pf_dccp":      "DCCP to a port of a floating IP that is forwarded goes to where map pf_dccp says",
	"dnat ip to ip daddr . sctp dport map @pf_sctp":                    "SCTP to a port of a floating IP that is forwarded goes to where map pf_sctp says",
	"meta l4proto 1 dnat ip to ip daddr map @pf_icmp":                  "pings of a floating IP whose ICMP is forwarded go to where map pf_icmp says",
	"dnat ip to ip daddr map @fip_dnat":                                "what is for a floating IP goes to the port it is given to, which map fip_dnat names",
	"type nat hook postrouting priority 100; policy accept;":           "sees the first packet of each connection that leaves the router",
	"oifname != @outside ct status & dnat == 0 accept":                 "between inside networks nothing is translated, but for who asked for a floating IP",
	"snat ip to ip saddr map @fip_snat":                                "who has a floating IP sends with it as the source address, which map fip_snat names",
	"oifname @outside snat ip to oifname map @gateway fully-random":    "all others are hidden behind the router's outside address (SNAT)",
	"iifname != @outside snat ip to oifname map @gateway fully-random": "who reached a floating IP from the inside is hidden too, so that the answer comes back through the router",
	"type filter hook forward priority 0; policy accept;":              "sees what the router forwards",
	"oifname @hidden meta nfproto ipv4 ct state invalid drop":          "what connection tracking cannot place is not sent outside untranslated",
}
