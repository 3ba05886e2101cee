package l2

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestSubnetCreate(t *testing.T) {
	six := make([]string, maxDNS+1)
	routes := func(n int) []model.Route {
		return slices.Repeat([]model.Route{{Destination: cidr("192.168.0.0/24"), NextHop: addr("10.0.0.9")}}, n)
	}
	for name, c := range map[string]struct {
		req  SubnetCreate
		want string // range, gateway, pools; or the error
	}{
		"defaults":             {SubnetCreate{CIDR: cidr("10.0.0.0/24")}, "10.0.0.0/24 10.0.0.1 10.0.0.2-10.0.0.254"},
		"host_bits_cleared":    {SubnetCreate{CIDR: cidr("10.0.0.77/24")}, "10.0.0.0/24 10.0.0.1 10.0.0.2-10.0.0.254"},
		"no_gateway":           {SubnetCreate{CIDR: cidr("10.0.0.0/24"), Gateway: Null[addrType]()}, "10.0.0.0/24 none 10.0.0.1-10.0.0.254"},
		"gateway_in_middle":    {SubnetCreate{CIDR: cidr("10.0.0.0/24"), Gateway: Val(addr("10.0.0.100"))}, "10.0.0.0/24 10.0.0.100 10.0.0.1-10.0.0.99 10.0.0.101-10.0.0.254"},
		"gateway_last":         {SubnetCreate{CIDR: cidr("10.0.0.0/24"), Gateway: Val(addr("10.0.0.254"))}, "10.0.0.0/24 10.0.0.254 10.0.0.1-10.0.0.253"},
		"gateway_elsewhere":    {SubnetCreate{CIDR: cidr("10.0.0.0/24"), Gateway: Val(addr("192.168.0.1"))}, "10.0.0.0/24 192.168.0.1 10.0.0.1-10.0.0.254"},
		"pools":                {SubnetCreate{CIDR: cidr("10.0.1.0/24"), Gateway: Null[addrType](), Pools: Val([]model.Range{pool("10.0.1.10", "10.0.1.20"), pool("10.0.1.1", "10.0.1.1")})}, "10.0.1.0/24 none 10.0.1.10-10.0.1.20 10.0.1.1-10.0.1.1"},
		"no_pools":             {SubnetCreate{CIDR: cidr("10.0.1.0/24"), Pools: Val([]model.Range{})}, "10.0.1.0/24 10.0.1.1"},
		"point_to_point":       {SubnetCreate{CIDR: cidr("10.0.0.0/31"), EnableDHCP: Val(false)}, "10.0.0.0/31 10.0.0.1 10.0.0.0-10.0.0.0"},
		"single_address":       {SubnetCreate{CIDR: cidr("10.0.0.7/32"), EnableDHCP: Val(false), Gateway: Null[addrType]()}, "10.0.0.7/32 none 10.0.0.7-10.0.0.7"},
		"ipv6_slaac":           {SubnetCreate{CIDR: cidr("fd00::/64"), RAMode: "slaac", AddressMode: "slaac"}, "fd00::/64 fd00:: fd00::1-fd00::ffff:ffff:ffff:ffff"},
		"ipv6_stateful":        {SubnetCreate{CIDR: cidr("fd00::/120"), RAMode: "dhcpv6-stateful"}, "fd00::/120 fd00:: fd00::1-fd00::ff"},
		"ipv6_gateway":         {SubnetCreate{CIDR: cidr("fd00::/64"), Gateway: Val(addr("fd00::1"))}, "fd00::/64 fd00::1 fd00::2-fd00::ffff:ffff:ffff:ffff"},
		"link_local_gateway":   {SubnetCreate{CIDR: cidr("fd00::/64"), Gateway: Val(addr("fe80::1"))}, "fd00::/64 fe80::1 fd00::1-fd00::ffff:ffff:ffff:ffff"},
		"unknown_network":      {SubnetCreate{CIDR: cidr("10.0.0.0/24"), Network: "nowhere"}, "NetworkNotFound: Network nowhere could not be found."},
		"wrong_version":        {SubnetCreate{CIDR: cidr("10.0.0.0/24"), IPVersion: 6}, "InvalidInput: Invalid input for operation: cidr '10.0.0.0/24' does not match the ip_version '6'."},
		"gateway_version":      {SubnetCreate{CIDR: cidr("10.0.0.0/24"), Gateway: Val(addr("fd00::1"))}, "InvalidInput: Invalid input for operation: gateway_ip 'fd00::1' does not match the ip_version '4'."},
		"gateway_is_network":   {SubnetCreate{CIDR: cidr("10.0.0.0/24"), Gateway: Val(addr("10.0.0.0"))}, "InvalidInput: Invalid input for operation: Gateway is not valid on subnet."},
		"gateway_is_broadcast": {SubnetCreate{CIDR: cidr("10.0.0.0/24"), Gateway: Val(addr("10.0.0.255"))}, "InvalidInput: Invalid input for operation: Gateway is not valid on subnet."},
		"overlap":              {SubnetCreate{CIDR: cidr("10.5.0.128/25")}, "InvalidInput: Invalid input for operation: Requested subnet with cidr: 10.5.0.128/25 for network: net overlaps with another subnet."},
		"gateway_in_pool":      {SubnetCreate{CIDR: cidr("10.9.0.0/24"), Pools: Val([]model.Range{pool("10.9.0.1", "10.9.0.9")})}, "GatewayConflictWithAllocationPools: Gateway ip 10.9.0.1 conflicts with allocation pool 10.9.0.1-10.9.0.9."},
		"pool_outside":         {SubnetCreate{CIDR: cidr("10.9.0.0/24"), Pools: Val([]model.Range{pool("10.9.0.9", "10.9.1.9")})}, "OutOfBoundsAllocationPool: The allocation pool 10.9.0.9-10.9.1.9 spans beyond the subnet cidr 10.9.0.0/24."},
		"pool_with_broadcast":  {SubnetCreate{CIDR: cidr("10.9.0.0/24"), Pools: Val([]model.Range{pool("10.9.0.9", "10.9.0.255")})}, "OutOfBoundsAllocationPool: The allocation pool 10.9.0.9-10.9.0.255 spans beyond the subnet cidr 10.9.0.0/24."},
		"pools_overlap":        {SubnetCreate{CIDR: cidr("10.9.0.0/24"), Pools: Val([]model.Range{pool("10.9.0.9", "10.9.0.20"), pool("10.9.0.20", "10.9.0.30")})}, "OverlappingAllocationPools: Found overlapping allocation pools: 10.9.0.9-10.9.0.20 10.9.0.20-10.9.0.30 for subnet 10.9.0.0/24."},
		"pool_backwards":       {SubnetCreate{CIDR: cidr("10.9.0.0/24"), Pools: Val([]model.Range{pool("10.9.0.20", "10.9.0.9")})}, "InvalidAllocationPool: The allocation pool 10.9.0.20-10.9.0.9 is not valid."},
		"pool_with_zone":       {SubnetCreate{CIDR: cidr("fd00::/64"), Pools: Val([]model.Range{pool("fd00::1%eth0", "fd00::2%eth0")})}, "InvalidAllocationPool: The allocation pool fd00::1%eth0-fd00::2%eth0 is not valid."},
		"gateway_with_zone":    {SubnetCreate{CIDR: cidr("fd00::/64"), Gateway: Val(addr("fe80::1%eth0"))}, "InvalidInput: Invalid input for operation: gateway_ip 'fe80::1%eth0' does not match the ip_version '6'."},
		"pool_version":         {SubnetCreate{CIDR: cidr("10.9.0.0/24"), Pools: Val([]model.Range{pool("fd00::1", "fd00::2")})}, "InvalidAllocationPool: The allocation pool fd00::1-fd00::2 is not valid."},
		"dhcp_in_tiny_range":   {SubnetCreate{CIDR: cidr("10.9.0.0/31")}, "InvalidInput: Invalid input for operation: Subnet has a prefix length that is incompatible with DHCP service enabled."},
		"multicast":            {SubnetCreate{CIDR: cidr("224.0.0.0/24")}, "InvalidInput: Invalid input for operation: Multicast IP subnet is not supported if enable_dhcp is True."},
		"loopback":             {SubnetCreate{CIDR: cidr("127.0.0.0/24")}, "InvalidInput: Invalid input for operation: Loopback IP subnet is not supported if enable_dhcp is True."},
		"too_many_dns":         {SubnetCreate{CIDR: cidr("10.9.0.0/24"), DNS: six}, "DNSNameServersExhausted: Unable to complete operation for new subnet. The number of DNS nameservers exceeds the limit 5."},
		"too_many_routes":      {SubnetCreate{CIDR: cidr("10.9.0.0/24"), HostRoutes: routes(maxHostRoutes + 1)}, "HostRoutesExhausted: Unable to complete operation for new subnet. The number of host routes exceeds the limit 20."},
		"enough_routes":        {SubnetCreate{CIDR: cidr("10.9.0.0/24"), HostRoutes: routes(maxHostRoutes)}, "10.9.0.0/24 10.9.0.1 10.9.0.2-10.9.0.254"},
		"route_version":        {SubnetCreate{CIDR: cidr("10.9.0.0/24"), HostRoutes: []model.Route{{Destination: cidr("fd00::/64"), NextHop: addr("10.9.0.9")}}}, "InvalidInput: Invalid input for operation: destination 'fd00::/64' does not match the ip_version '4'."},
		"next_hop_version":     {SubnetCreate{CIDR: cidr("10.9.0.0/24"), HostRoutes: []model.Route{{Destination: cidr("10.0.0.0/8"), NextHop: addr("fd00::1")}}}, "InvalidInput: Invalid input for operation: nexthop 'fd00::1' does not match the ip_version '4'."},
		"ra_mode_on_ipv4":      {SubnetCreate{CIDR: cidr("10.9.0.0/24"), RAMode: "slaac"}, "InvalidInput: Invalid input for operation: ipv6_ra_mode is not valid when ip_version is 4."},
		"address_mode_on_ipv4": {SubnetCreate{CIDR: cidr("10.9.0.0/24"), AddressMode: "slaac"}, "InvalidInput: Invalid input for operation: ipv6_address_mode is not valid when ip_version is 4."},
		"modes_differ":         {SubnetCreate{CIDR: cidr("fd00::/64"), RAMode: "slaac", AddressMode: "dhcpv6-stateful"}, "InvalidInput: Invalid input for operation: ipv6_ra_mode set to 'slaac' with ipv6_address_mode set to 'dhcpv6-stateful' is not valid. If both attributes are set, they must be the same value."},
		"mode_without_dhcp":    {SubnetCreate{CIDR: cidr("fd00::/64"), RAMode: "slaac", EnableDHCP: Val(false)}, "InvalidInput: Invalid input for operation: ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False."},
		"slaac_not_64":         {SubnetCreate{CIDR: cidr("fd00::/80"), AddressMode: "slaac"}, "InvalidInput: Invalid input for operation: Invalid CIDR fd00::/80 for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			n, err := w.network("net", NetworkCreate{})
			w.must(err)
			_, err = w.subnet("first", SubnetCreate{Network: n.ID, CIDR: cidr("10.5.0.0/24")})
			w.must(err)
			if c.req.Network == "" {
				c.req.Network = n.ID
			}
			s, err := w.subnet("sub", c.req)
			got := w.explain(err)
			if err == nil {
				if s.Revision != 0 {
					t.Errorf("revision %d", s.Revision)
				}
				got = subnetText(s)
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func subnetText(s *model.Subnet) string {
	gateway := "none"
	if s.Gateway.IsValid() {
		gateway = s.Gateway.String()
	}
	words := []string{s.CIDR.String(), gateway}
	for _, p := range s.Pools {
		words = append(words, poolText(p))
	}
	return strings.Join(words, " ")
}

func TestIPv6NeedsRoomInTheMTU(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{MTU: Val(1000)})
	w.must(err)
	_, err = w.subnet("sub", SubnetCreate{Network: n.ID, CIDR: cidr("fd00::/64")})
	w.expect(err, "InvalidInput: Invalid input for operation: Network net has MTU 1000, IPv6 needs at least 1280.")
	_, err = w.updateNetwork(n.ID, NetworkUpdate{MTU: Val(1280)})
	w.must(err)
	_, err = w.subnet("sub", SubnetCreate{Network: n.ID, CIDR: cidr("fd00::/64")})
	w.must(err)
	_, err = w.updateNetwork(n.ID, NetworkUpdate{MTU: Val(1279)})
	w.expect(err, "InvalidInput: Invalid input for operation: Requested MTU is too small for the network's IPv6 subnets, minimum is 1280.")
}

func TestSubnetUpdate(t *testing.T) {
	for name, c := range map[string]struct {
		req  SubnetUpdate
		want string
	}{
		"nothing":           {SubnetUpdate{}, "10.0.0.0/24 10.0.0.1 10.0.0.2-10.0.0.254 revision 0"},
		"name":              {SubnetUpdate{Name: Val("x")}, "10.0.0.0/24 10.0.0.1 10.0.0.2-10.0.0.254 revision 1"},
		"gateway_to_none":   {SubnetUpdate{Gateway: Null[addrType]()}, "10.0.0.0/24 none 10.0.0.2-10.0.0.254 revision 1"},
		"gateway_into_pool": {SubnetUpdate{Gateway: Val(addr("10.0.0.254"))}, "GatewayConflictWithAllocationPools: Gateway ip 10.0.0.254 conflicts with allocation pool 10.0.0.2-10.0.0.254."},
		"gateway_and_pools": {SubnetUpdate{Gateway: Val(addr("10.0.0.254")), Pools: Val([]model.Range{pool("10.0.0.2", "10.0.0.9")})}, "10.0.0.0/24 10.0.0.254 10.0.0.2-10.0.0.9 revision 1"},
		"pools_shrink":      {SubnetUpdate{Pools: Val([]model.Range{pool("10.0.0.200", "10.0.0.201")})}, "10.0.0.0/24 10.0.0.1 10.0.0.200-10.0.0.201 revision 1"},
		"pools_outside":     {SubnetUpdate{Pools: Val([]model.Range{pool("10.0.1.2", "10.0.1.9")})}, "OutOfBoundsAllocationPool: The allocation pool 10.0.1.2-10.0.1.9 spans beyond the subnet cidr 10.0.0.0/24."},
		"gateway_invalid":   {SubnetUpdate{Gateway: Val(addr("10.0.0.255"))}, "InvalidInput: Invalid input for operation: Gateway is not valid on subnet."},
		"too_many_dns":      {SubnetUpdate{DNS: Val(make([]string, 6))}, "DNSNameServersExhausted: Unable to complete operation for sub. The number of DNS nameservers exceeds the limit 5."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			n, err := w.network("net", NetworkCreate{})
			w.must(err)
			s, err := w.subnet("sub", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24")})
			w.must(err)
			s, err = w.updateSubnet(s.ID, c.req)
			got := w.explain(err)
			if err == nil {
				got = fmt.Sprintf("%s revision %d", subnetText(s), s.Revision)
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestSubnetRefusalsThatDependOnOthers(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	s, err := w.subnet("sub", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24")})
	w.must(err)
	slaac, err := w.subnet("slaac", SubnetCreate{Network: n.ID, CIDR: cidr("fd00::/64"), AddressMode: "slaac"})
	w.must(err)
	_, err = w.port("leg", PortCreate{Network: n.ID, DeviceOwner: OwnerRouterInterface, FixedIPs: fixed("10.0.0.1")})
	w.must(err)
	vm, err := w.port("vm", PortCreate{Network: n.ID})
	w.must(err)

	_, err = w.updateSubnet("nowhere", SubnetUpdate{})
	w.expect(err, "SubnetNotFound: Subnet nowhere could not be found.")
	_, err = w.updateSubnet(s.ID, SubnetUpdate{Gateway: Null[addrType]()})
	w.expect(err, "GatewayIpInUse: Current gateway ip 10.0.0.1 already in use by port leg. Unable to update.")
	_, err = w.updateSubnet(slaac.ID, SubnetUpdate{EnableDHCP: Val(false)})
	w.expect(err, "InvalidInput: Invalid input for operation: Cannot disable enable_dhcp with ipv6 attributes set.")

	remove := func(id model.ID) error {
		return w.try(func(tx *store.Tx) error { return w.ops.DeleteSubnet(tx, id) })
	}
	w.expect(remove("nowhere"), "SubnetNotFound: Subnet nowhere could not be found.")
	err = remove(s.ID)
	w.expect(err, "SubnetInUse: Unable to complete operation on subnet sub: One or more ports have an IP allocation from this subnet.")
	var e *model.Error
	if !errors.As(err, &e) || len(e.Blockers) != 2 {
		t.Errorf("blockers %v", e)
	}
	w.must(remove(slaac.ID))
	if got := addresses(must(w.m.Ports.Get(vm.ID))); strings.Contains(got, ":") {
		t.Errorf("addresses %s after the deletion of the slaac subnet", got)
	}
}

func TestDHCPPortsDoNotKeepASubnet(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	s, err := w.subnet("sub", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24")})
	w.must(err)
	p, err := w.port("dhcp", PortCreate{Network: n.ID, DeviceOwner: OwnerDHCP})
	w.must(err)
	w.must(w.try(func(tx *store.Tx) error { return w.ops.DeleteSubnet(tx, s.ID) }))
	after, ok := w.m.Ports.Get(p.ID)
	if !ok || len(after.FixedIPs) != 0 || after.Revision != 2 {
		t.Errorf("dhcp port is now %+v", after)
	}
}

func TestNewSlaacSubnetGivesAddressesToPorts(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	vm, err := w.port("vm", PortCreate{Network: n.ID, MAC: Val(mac("fa:16:3e:00:00:50"))})
	w.must(err)
	leg, err := w.port("leg", PortCreate{Network: n.ID, DeviceOwner: OwnerRouterInterface})
	w.must(err)
	_, err = w.subnet("slaac", SubnetCreate{Network: n.ID, CIDR: cidr("fd00::/64"), RAMode: "slaac"})
	w.must(err)
	if got := addresses(must(w.m.Ports.Get(vm.ID))); got != "fd00::f816:3eff:fe00:50" {
		t.Errorf("vm has %q", got)
	}
	if got := addresses(must(w.m.Ports.Get(leg.ID))); got != "" {
		t.Errorf("router leg has %q", got)
	}
}
