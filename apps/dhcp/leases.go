package dhcp

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Lease is an entry of dnsmasq's lease file.
type Lease struct {
	IP       netip.Addr
	MAC      of.MAC // of IPv4 leases
	ClientID []byte // the client identifier, or DHCPv6's DUID; nil if the client named none
	IAID     uint32 // DHCPv6's identity association
	Server   []byte // DHCPv6's DUID of the server
}

// parseLeases reads a lease file: lines of "expiry mac address name client-id", then for DHCPv6 a line
// "duid …" and lines of "expiry iaid address name duid". A line that is not whole is left out, for
// dnsmasq may be writing; so are temporary addresses.
func parseLeases(text string) []Lease {
	var out []Lease
	var server []byte
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if !strings.HasSuffix(line, "\n") {
			continue
		}
		if len(f) == 2 && f[0] == "duid" {
			server, _ = colonHex(f[1])
			continue
		}
		if len(f) != 5 {
			continue
		}
		l, err := parseLease(f, server)
		if err == nil {
			out = append(out, l)
		}
	}
	return out
}

func parseLease(f []string, server []byte) (l Lease, err error) {
	if l.IP, err = netip.ParseAddr(f[2]); err != nil {
		return l, err
	}
	if f[4] != "*" {
		if l.ClientID, err = colonHex(f[4]); err != nil {
			return l, err
		}
	}
	if l.IP.Is4() {
		l.MAC, err = of.ParseMAC(f[1])
		return l, err
	}
	iaid, err := strconv.ParseUint(f[1], 10, 32)
	l.IAID, l.Server = uint32(iaid), server
	return l, err
}

func colonHex(text string) ([]byte, error) {
	out, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil {
		return nil, fmt.Errorf("client id %q: %w", text, err)
	}
	return out, nil
}

// entry is who an address is for: a line of the dhcp-hostsfile that gives one.
type entry struct {
	ip  netip.Addr
	mac of.MAC
}

// parseHosts reads a dhcp-hostsfile as Planner writes it.
func parseHosts(text string) []entry {
	var out []entry
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ",")
		mac, err := of.ParseMAC(f[0])
		if err != nil {
			continue
		}
		for _, field := range f[1:] {
			if ip, err := netip.ParseAddr(strings.Trim(field, "[]")); err == nil {
				out = append(out, entry{ip, mac})
			}
		}
	}
	return out
}

// served are the prefixes whose addresses a command line makes dnsmasq give, as Planner writes it.
func served(args []string) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range args {
		r, ok := strings.CutPrefix(a, "--dhcp-range=")
		f := strings.Split(r, ",")
		if !ok || len(f) < 4 {
			continue
		}
		ip, err := netip.ParseAddr(f[1])
		if err != nil {
			continue
		}
		bits, err := strconv.Atoi(f[3])
		if mask := net.ParseIP(f[3]).To4(); mask != nil {
			bits, _ = net.IPMask(mask).Size()
			err = nil
		}
		if p := netip.PrefixFrom(ip, bits); err == nil && p.IsValid() {
			out = append(out, p)
		}
	}
	return out
}

// within keeps the leases of some prefixes. dnsmasq hears of no release of others.
func within(leases []Lease, prefixes []netip.Prefix) []Lease {
	return slices.DeleteFunc(leases, func(l Lease) bool {
		return !slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(l.IP) })
	})
}

// outdated are the leases that contradict the dhcp-hostsfile: dnsmasq would keep their addresses from
// whom they are for now. An IPv6 lease does not say its MAC address, so it also contradicts if its
// address is another's than in the dhcp-hostsfile before.
func outdated(leases []Lease, hosts, before string) []Lease {
	now, then := owners(hosts), owners(before)
	var out []Lease
	for _, l := range leases {
		mac, given := now[l.IP]
		was, had := then[l.IP]
		if !given || l.IP.Is4() && mac != l.MAC || l.IP.Is6() && had && was != mac {
			out = append(out, l)
		}
	}
	return out
}

func owners(hosts string) map[netip.Addr]of.MAC {
	out := map[netip.Addr]of.MAC{}
	for _, e := range parseHosts(hosts) {
		out[e.ip] = e.mac
	}
	return out
}

// seed is a lease file for a dnsmasq that has none: everybody has an address already, with no end. So a
// host that asks again for the address it got from another gateway host gets it, and is not refused. Its
// lease takes a usual end then. DHCPv6 clients cannot be foreseen; they start anew by themselves.
func seed(hosts string) string {
	var b strings.Builder
	for _, e := range parseHosts(hosts) {
		if e.ip.Is4() {
			fmt.Fprintf(&b, "0 %s %s * *\n", e.mac, e.ip)
		}
	}
	return b.String()
}
