package dhcp

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/heddle-sdn/heddle/internal/child"
	"github.com/heddle-sdn/heddle/store/model"
)

// The IPv6 modes of a subnet, as the API has them.
const (
	modeSLAAC     = "slaac"
	modeStateful  = "dhcpv6-stateful"
	modeStateless = "dhcpv6-stateless"
)

// maxLeases bounds the leases of one dnsmasq, whatever the size of its subnets.
const maxLeases = 1 << 24

// The files of a service: those that are planned, those that dnsmasq writes, and the one that is the same
// for all services and stands beside their directories.
const (
	fileHost   = "host"       // who gets which address
	fileNames  = "addn_hosts" // names for DNS
	fileOpts   = "opts"       // options by tag
	fileLeases = "leases"
	fileLog    = "log"
	fileMACs   = "../mac-tags.conf"
)

// args is dnsmasq's command line. In it is what dnsmasq does not read again on SIGHUP.
func (v *view) args(link string) []string {
	args := []string{"dnsmasq", "--no-hosts", "--no-resolv",
		"--pid-file=" + child.Dir + "/pid",
		"--dhcp-hostsfile=" + child.Dir + "/" + fileHost,
		"--addn-hosts=" + child.Dir + "/" + fileNames,
		"--dhcp-optsfile=" + child.Dir + "/" + fileOpts,
		"--dhcp-leasefile=" + child.Dir + "/" + fileLeases,
		"--log-facility=" + child.Dir + "/" + fileLog,
		"--dhcp-match=set:ipxe,175",         // iPXE's encapsulated options: a client that needs no boot loader
		"--dhcp-userclass=set:ipxe6,iPXE",   // likewise for DHCPv6
		"--local-service", "--bind-dynamic", // no DNS for strangers; addresses may come later
	}
	leases := 0
	for _, s := range v.subnets {
		r := v.dhcpRange(s)
		if r == "" {
			continue
		}
		args = append(args, "--dhcp-range=set:"+subnetTag(s)+","+r)
		leases = min(maxLeases, leases+size(s.CIDR))
	}
	if v.advertises() {
		// Every minute, and as no default router.
		args = append(args, "--enable-ra", fmt.Sprintf("--ra-param=%s,mtu:%d,60,0", link, v.network.MTU))
	}
	if v.network.MTU > 0 {
		// Also to clients that do not ask for it, and would drop large frames in silence.
		args = append(args, fmt.Sprintf("--dhcp-option-force=option:mtu,%d", v.network.MTU))
	}
	return append(args, fmt.Sprintf("--dhcp-lease-max=%d", leases), "--conf-file="+child.Dir+"/"+fileMACs, "--domain="+v.domain)
}

// dhcpRange says how dnsmasq serves a subnet; "" if not at all.
func (v *view) dhcpRange(s *model.Subnet) string {
	lease := fmt.Sprintf("%ds", int(v.lease.Seconds()))
	if s.IPVersion == 4 {
		mask := net.IP(net.CIDRMask(s.CIDR.Bits(), 32))
		return fmt.Sprintf("%s,static,%s,%s", s.CIDR.Addr(), mask, lease)
	}
	if s.CIDR.Bits() < 64 {
		return "" // dnsmasq does not serve longer ranges than a link's
	}
	mode := ""
	switch {
	case v.advertises() && s.RAMode == modeSLAAC:
		mode = "ra-only"
	case v.advertises() && s.RAMode == modeStateless:
		mode = "ra-stateless"
	case stateful(s) || stateless(s):
		mode = "static"
	default:
		return "" // hosts make their own addresses, a router says so
	}
	return fmt.Sprintf("%s,%s,%d,%s", s.CIDR.Addr(), mode, s.CIDR.Bits(), lease)
}

// stateful reports whether hosts get their addresses of a subnet by DHCP.
func stateful(s *model.Subnet) bool {
	return s.IPVersion == 4 || s.AddressMode == modeStateful || s.AddressMode == "" && (s.RAMode == "" || s.RAMode == modeStateful)
}

// stateless reports whether hosts get options by DHCP, and make addresses themselves.
func stateless(s *model.Subnet) bool {
	return s.AddressMode == modeStateless || s.AddressMode == "" && s.RAMode == modeStateless
}

// size is the number of addresses of a prefix, at most maxLeases.
func size(p netip.Prefix) int {
	if host := p.Addr().BitLen() - p.Bits(); host < 24 {
		return 1 << host
	}
	return maxLeases
}

func subnetTag(s *model.Subnet) string { return "subnet-" + string(s.ID) }

// ofSubnet is the condition of an option that all clients on a subnet get.
func ofSubnet(s *model.Subnet) string { return "tag:" + subnetTag(s) }
