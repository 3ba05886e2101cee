package dhcp

import (
	"strings"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Lines tells of a network's DHCP service, placed on a host, what each line that dnsmasq reads is there
// for. A line that the model does not explain, since it has moved on, comes from the network.
func Lines(m *model.Model, n *model.Network, host string, service *spec.DHCP) []spec.Line {
	v := plannerOf(service).view(m, n, host)
	causes := v.lines()
	var out []spec.Line
	for _, file := range []string{fileHost, fileOpts, fileNames} {
		known := make(map[string]fileLine, len(causes[file]))
		for _, l := range causes[file] {
			known[l.text] = l
		}
		for text := range strings.Lines(service.Files[file]) {
			text = strings.TrimSuffix(text, "\n")
			out = append(out, v.line(file, text, known[text]))
		}
	}
	for _, arg := range service.Args[min(1, len(service.Args)):] {
		out = append(out, v.argument(arg))
	}
	return out
}

// plannerOf is the planner that a service was planned with, as far as its command line tells.
func plannerOf(service *spec.DHCP) Planner {
	var p Planner
	for _, arg := range service.Args {
		if domain, is := strings.CutPrefix(arg, "--domain="); is {
			p.Domain = domain
		}
	}
	return p
}

// line tells of a line of a file; known is what the model says of it, zero if it says nothing.
func (v *view) line(file, text string, known fileLine) spec.Line {
	l := spec.Line{Type: spec.LineDHCP, Text: text + " (file " + file + ")", Object: "network/" + string(v.network.ID)}
	if known.of == nil {
		return l
	}
	title := model.Title(known.of)
	l.Object = known.of.Kind() + "/" + known.of.Key()
	p, _ := known.of.(*model.Port)
	switch {
	case file == fileHost && known.ip.IsValid():
		l.Says = title + ", who asks as " + p.MAC.String() + ", gets " + known.ip.String() + " by DHCP"
	case file == fileHost:
		l.Says = title + ", who asks as " + p.MAC.String() + ", gets its options by DHCP and no address"
	case file == fileNames:
		l.Says = "names that DNS queries for " + known.ip.String() + ", the address of " + title + ", are answered with"
	default:
		l.Says = "an option that dnsmasq sends to " + whom(known.of)
	}
	return l
}

func whom(of model.Resource) string {
	if s, ok := of.(*model.Subnet); ok {
		return "all hosts of " + model.Title(s)
	}
	return model.Title(of)
}

// argument is one of dnsmasq's command line. A range is there for its subnet.
func (v *view) argument(arg string) spec.Line {
	l := spec.Line{Type: spec.LineDHCP, Text: arg, Object: "network/" + string(v.network.ID)}
	name, _, _ := strings.Cut(arg, "=")
	l.Says = argumentSays[name]
	if name != "--dhcp-range" {
		return l
	}
	for _, s := range v.subnets {
		if strings.HasPrefix(arg, "--dhcp-range=set:"+subnetTag(s)+",") {
			l.Object, l.Says = "subnet/"+string(s.ID), "dnsmasq serves "+model.Title(s)+", to ports that Heddle knows and to nobody else"
		}
	}
	return l
}

// argumentSays says what each argument of dnsmasq's command line is for.
var argumentSays = map[string]string{
	"--no-hosts":          "names of the gateway host itself are not told",
	"--no-resolv":         "queries are not sent on to the gateway host's name servers",
	"--pid-file":          "where the agent finds the process",
	"--dhcp-hostsfile":    "who gets which address; read again when a port changes",
	"--addn-hosts":        "names for DNS; read again when a port changes",
	"--dhcp-optsfile":     "options by subnet and port; read again when they change",
	"--dhcp-leasefile":    "leases given out, which outlive the process",
	"--log-facility":      "where the process says what goes wrong",
	"--dhcp-match":        "tells clients that boot by iPXE from others",
	"--dhcp-userclass":    "tells clients that boot by iPXE from others, for DHCPv6",
	"--local-service":     "DNS is answered to the network alone",
	"--bind-dynamic":      "addresses may come and go",
	"--enable-ra":         "sends router advertisements, as the network has no router that does",
	"--ra-param":          "how often advertisements are sent, and that they name no default router",
	"--dhcp-option-force": "the network's MTU, to clients that do not ask for it too",
	"--dhcp-lease-max":    "as many leases as the subnets have addresses",
	"--conf-file":         "tags each request with its MAC address, for the options of ports; no other configuration",
	"--domain":            "domain of the hosts' names",
}
