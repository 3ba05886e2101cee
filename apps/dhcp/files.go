package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/store/model"
)

// clientID is the extra option that is not sent, but names the client.
const clientID = "client-id"

// files are the contents of what dnsmasq reads on SIGHUP, by name.
func (v *view) files() map[string]string {
	out := map[string]string{}
	for name, lines := range v.lines() {
		var b strings.Builder
		for _, l := range lines {
			b.WriteString(l.text)
			b.WriteByte('\n')
		}
		out[name] = b.String()
	}
	return out
}

// fileLine is a line of a file, with what it is there for: a port or a subnet.
type fileLine struct {
	text string
	of   model.Resource
	ip   netip.Addr // that the line gives or names; invalid if it is about none
}

// lines are those of the files, by name.
func (v *view) lines() map[string][]fileLine {
	var hosts, names []fileLine
	for _, p := range v.ports {
		for _, f := range p.FixedIPs {
			i := slices.IndexFunc(v.subnets, func(s *model.Subnet) bool { return s.ID == f.Subnet })
			if i < 0 {
				continue // without DHCP
			}
			name := hostname(p, f.IP)
			names = append(names, fileLine{fmt.Sprintf("%s\t%s.%s. %s", f.IP, name, v.domain, name), p, f.IP})
			if stateful(v.subnets[i]) {
				hosts = append(hosts, fileLine{v.hostLine(p, f.IP, name), p, f.IP})
			}
		}
	}
	return map[string][]fileLine{fileHost: hosts, fileNames: names, fileOpts: v.options()}
}

// hostLine is an entry of dnsmasq's dhcp-hostsfile: who gets what. Entries of IPv6 carry a tag that only
// DHCPv6 requests have, so that they never answer for the IPv4 entry of the same MAC address.
func (v *view) hostLine(p *model.Port, ip netip.Addr, name string) string {
	f := []string{p.MAC.String()}
	if ip.Is6() {
		f = append(f, "tag:dhcpv6")
	} else if id := clientIDOf(p); id != "" {
		f = append(f, "id:"+id)
	}
	return strings.Join(append(f, name+"."+v.domain+".", literal(ip)), ",")
}

// hostname is the first label of an address's name: the port's, or one made of the address.
func hostname(p *model.Port, ip netip.Addr) string {
	if p.DNSName != "" {
		name, _, _ := strings.Cut(p.DNSName, ".")
		return name
	}
	return "host-" + strings.NewReplacer(".", "-", ":", "-").Replace(ip.String())
}

// options are the lines of dnsmasq's dhcp-optsfile: first what subnets say, then what ports say.
func (v *view) options() []fileLine {
	var lines []fileLine
	for _, s := range v.subnets {
		var texts []string
		if s.IPVersion == 4 {
			texts = v.options4(s)
		} else if stateful(s) || stateless(s) || v.advertises() {
			texts = v.options6(s)
		}
		for _, text := range texts {
			lines = append(lines, fileLine{text: text, of: s})
		}
	}
	for _, p := range v.ports {
		for _, version := range []int{4, 6} {
			for _, o := range extraOptions(p, version) {
				if has(p, version) {
					lines = append(lines, fileLine{text: option(version, ofMAC(p.MAC), o.Name, literals(o.Value)), of: p})
				}
			}
		}
	}
	return lines
}

// options4 are the options of an IPv4 subnet. Clients that read classless routes ignore the router
// option (RFC 3442), so the default route is in both. Option 249 is Microsoft's number for 121.
func (v *view) options4(s *model.Subnet) []string {
	lines := v.nameServers(s)
	gateway := s.Gateway
	var routes []string
	for _, other := range v.all {
		if other.IPVersion == 4 && other.ID != s.ID {
			routes = append(routes, other.CIDR.String()+",0.0.0.0") // on the same link
		}
	}
	for _, r := range s.HostRoutes {
		switch {
		case r.Destination.Bits() > 0:
			routes = append(routes, r.Destination.String()+","+r.NextHop.String())
		case !gateway.IsValid():
			gateway = r.NextHop
		}
	}
	metadata := gateway
	if v.isolated(s) {
		metadata = v.own(s)
	}
	if metadata.IsValid() {
		routes = append(routes, netip.PrefixFrom(metadata4, 32).String()+","+metadata.String())
	}
	if len(routes) > 0 {
		if gateway.IsValid() {
			routes = append(routes, "0.0.0.0/0,"+gateway.String())
		}
		all := strings.Join(routes, ",")
		lines = append(lines, option(4, ofSubnet(s), "classless-static-route", all), option(4, ofSubnet(s), "249", all))
	}
	if !gateway.IsValid() {
		return append(lines, option(4, ofSubnet(s), "router")) // or dnsmasq would name itself
	}
	return append(lines, option(4, ofSubnet(s), "router", gateway.String()))
}

// options6 are the options of an IPv6 subnet; routes come by router advertisements.
func (v *view) options6(s *model.Subnet) []string {
	return append(v.nameServers(s), option(6, ofSubnet(s), "domain-search", v.domain))
}

// nameServers tells hosts whom to ask. Without any, dnsmasq names itself; the unspecified address means
// that hosts are told of none.
func (v *view) nameServers(s *model.Subnet) []string {
	var servers []string
	for _, text := range s.DNS {
		if ip, err := netip.ParseAddr(text); err == nil && !ip.IsUnspecified() {
			servers = append(servers, literal(ip))
		}
	}
	if len(s.DNS) == 0 {
		return nil
	}
	return []string{option(s.IPVersion, ofSubnet(s), "dns-server", servers...)}
}

// extraOptions are a port's own options for an IP version that can be written down.
func extraOptions(p *model.Port, version int) []model.DHCPOption {
	var out []model.DHCPOption
	for _, o := range p.DHCPOptions {
		if ipVersion(o) == version && o.Name != clientID && o.Name != "" && printable(o.Name) && printable(o.Value) {
			out = append(out, o)
		}
	}
	return out
}

// clientIDOf is the client id that a port's host presents instead of its MAC address, "" if none.
func clientIDOf(p *model.Port) string {
	for _, o := range p.DHCPOptions {
		if o.Name == clientID && ipVersion(o) == 4 && printable(o.Value) && !strings.Contains(o.Value, ",") {
			return o.Value
		}
	}
	return ""
}

func ipVersion(o model.DHCPOption) int {
	if o.IPVersion == 6 {
		return 6
	}
	return 4
}

func has(p *model.Port, version int) bool {
	return slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.IP.Is4() == (version == 4) })
}

// option is a line of the dhcp-optsfile for requests with certain tags. A name may bring a further
// condition, as in "tag:ipxe,bootfile-name", or be a number.
func option(version int, condition, name string, values ...string) string {
	f := []string{condition}
	if strings.HasPrefix(name, "tag:") {
		if i := strings.LastIndexByte(name, ','); i > 0 {
			f = append(f, name[:i])
			name = name[i+1:]
		}
	}
	_, err := strconv.Atoi(name)
	switch {
	case version == 6:
		name = "option6:" + name
	case err != nil:
		name = "option:" + name
	}
	return strings.Join(append(append(f, name), values...), ",")
}

// literal is an address as dnsmasq reads it: IPv6 in brackets.
func literal(ip netip.Addr) string {
	if ip.Is6() {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// literals writes the IPv6 addresses of a list as dnsmasq reads them.
func literals(list string) string {
	f := strings.Split(list, ",")
	for i, text := range f {
		if ip, err := netip.ParseAddr(text); err == nil {
			f[i] = literal(ip)
		}
	}
	return strings.Join(f, ",")
}

// printable reports whether a text stays on its line.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
