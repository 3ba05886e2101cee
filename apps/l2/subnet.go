package l2

import (
	"net/netip"
	"reflect"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

const (
	maxDNS        = 5  // nameservers of a subnet
	maxHostRoutes = 20 // routes of a subnet
)

// The IPv6 modes of a subnet in which a port's address follows from its MAC.
const (
	modeSLAAC     = "slaac"
	modeStateless = "dhcpv6-stateless"
)

// CreateSubnet makes a subnet on a network.
func (o *Ops) CreateSubnet(tx *store.Tx, req SubnetCreate) (*model.Subnet, error) {
	n, ok := tx.Model().Networks.Get(req.Network)
	if !ok {
		return nil, model.NotFoundError("Network", req.Network)
	}
	id, err := o.newID()
	if err != nil {
		return nil, err
	}
	s := &model.Subnet{
		Meta:         model.Meta{ID: id, Project: req.Project, Name: req.Name, Description: req.Description, Tags: req.Tags},
		Network:      req.Network,
		IPVersion:    req.IPVersion,
		CIDR:         req.CIDR.Masked(),
		DNS:          req.DNS,
		HostRoutes:   req.HostRoutes,
		EnableDHCP:   req.EnableDHCP.Or(true),
		RAMode:       req.RAMode,
		AddressMode:  req.AddressMode,
		ServiceTypes: req.ServiceTypes,
	}
	if !s.CIDR.IsValid() {
		return nil, invalid("%s is not in a CIDR format", req.CIDR)
	}
	if s.Gateway = req.Gateway.Value; !req.Gateway.Given {
		s.Gateway = defaultGateway(s.CIDR)
	}
	if err := checkSubnet(s, nil); err != nil {
		return nil, err
	}
	if err := noOverlap(tx, s); err != nil {
		return nil, err
	}
	if s.Pools, err = pools(s, req.Pools); err != nil {
		return nil, err
	}
	if s.IPVersion == 6 && n.MTU < minIPv6MTU {
		return nil, invalid("Network %s has MTU %d, IPv6 needs at least %d", n.ID, n.MTU, minIPv6MTU)
	}
	tx.StampNew(&s.Meta)
	s.Revision = 0 // a subnet counts from 0, networks and ports from 1
	tx.Put(s)
	touchNetwork(tx, s.Network)
	if autoAddress(s) {
		if err := o.addAutoAddresses(tx, s); err != nil {
			return nil, err
		}
	}
	return s, o.subnetsChanged(tx, s.Network)
}

// UpdateSubnet changes a subnet. A request that changes nothing leaves its revision alone.
func (o *Ops) UpdateSubnet(tx *store.Tx, id model.ID, req SubnetUpdate) (*model.Subnet, error) {
	old, ok := tx.Model().Subnets.Get(id)
	if !ok {
		return nil, model.NotFoundError("Subnet", id)
	}
	s := *old
	req.Name.apply(&s.Name)
	req.Description.apply(&s.Description)
	req.Tags.apply(&s.Tags)
	req.Gateway.apply(&s.Gateway)
	req.DNS.apply(&s.DNS)
	req.HostRoutes.apply(&s.HostRoutes)
	req.EnableDHCP.apply(&s.EnableDHCP)
	req.ServiceTypes.apply(&s.ServiceTypes)
	if err := checkSubnet(&s, old); err != nil {
		return nil, err
	}
	if s.Gateway != old.Gateway {
		if err := gatewayUnused(tx, old); err != nil {
			return nil, err
		}
	}
	if !req.Pools.Given {
		req.Pools = Val(old.Pools)
	}
	var err error
	if s.Pools, err = pools(&s, req.Pools); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(&s, old) {
		return old, nil
	}
	tx.Stamp(&s.Meta)
	tx.Put(&s)
	touchNetwork(tx, s.Network)
	return &s, o.subnetsChanged(tx, s.Network)
}

// DeleteSubnet removes a subnet that no port needs. Ports that Heddle made, and addresses that followed
// from MACs, just lose theirs.
func (o *Ops) DeleteSubnet(tx *store.Tx, id model.ID) error {
	s, ok := tx.Model().Subnets.Get(id)
	if !ok {
		return model.NotFoundError("Subnet", id)
	}
	var holders []*model.Port
	var blockers []string
	for _, p := range tx.Model().PortsOf(s.Network) {
		if !hasSubnet(p, id) {
			continue
		}
		holders = append(holders, p)
		if !autoDeleted(p.DeviceOwner) && (!autoAddress(s) || routerLeg(p.DeviceOwner)) {
			blockers = append(blockers, string(p.ID))
		}
	}
	if len(blockers) > 0 {
		err := model.Errorf(model.InUse, "SubnetInUse",
			"Unable to complete operation on subnet %s: One or more ports have an IP allocation from this subnet.", id)
		err.Blockers = blockers
		return err
	}
	for _, old := range holders {
		p := *old
		p.FixedIPs = without(p.FixedIPs, id)
		tx.Stamp(&p.Meta)
		if err := o.putPort(tx, old, &p); err != nil {
			return err
		}
	}
	tx.Delete(s)
	touchNetwork(tx, s.Network)
	return o.subnetsChanged(tx, s.Network)
}

func hasSubnet(p *model.Port, subnet model.ID) bool {
	for _, ip := range p.FixedIPs {
		if ip.Subnet == subnet {
			return true
		}
	}
	return false
}

func without(ips []model.FixedIP, subnet model.ID) []model.FixedIP {
	var kept []model.FixedIP
	for _, ip := range ips {
		if ip.Subnet != subnet {
			kept = append(kept, ip)
		}
	}
	return kept
}

// checkSubnet checks a subnet by itself; old is what it was before, nil for a new one.
func checkSubnet(s, old *model.Subnet) error {
	if err := sameVersion(s, s.CIDR.Addr(), "cidr", s.CIDR.String()); err != nil {
		return err
	}
	if s.EnableDHCP && (old == nil || !old.EnableDHCP) {
		if err := checkDHCPRange(s.CIDR); err != nil {
			return err
		}
	}
	if s.Gateway.IsValid() && (old == nil || s.Gateway != old.Gateway) {
		if err := sameVersion(s, s.Gateway, "gateway_ip", s.Gateway.String()); err != nil {
			return err
		}
		if networkOrBroadcast(s.CIDR, s.Gateway) {
			return invalid("Gateway is not valid on subnet")
		}
	}
	who := "new subnet"
	if old != nil {
		who = string(s.ID)
	}
	if len(s.DNS) > maxDNS {
		return model.Errorf(model.Invalid, "DNSNameServersExhausted",
			"Unable to complete operation for %s. The number of DNS nameservers exceeds the limit %d.", who, maxDNS)
	}
	if len(s.HostRoutes) > maxHostRoutes {
		return model.Errorf(model.Invalid, "HostRoutesExhausted",
			"Unable to complete operation for %s. The number of host routes exceeds the limit %d.", who, maxHostRoutes)
	}
	for _, r := range s.HostRoutes {
		if err := sameVersion(s, r.NextHop, "nexthop", r.NextHop.String()); err != nil {
			return err
		}
		if err := sameVersion(s, r.Destination.Addr(), "destination", r.Destination.String()); err != nil {
			return err
		}
	}
	return checkModes(s, old)
}

func sameVersion(s *model.Subnet, a netip.Addr, name, text string) error {
	if a.IsValid() && a.Zone() == "" && a.Is4() == (s.IPVersion == 4) {
		return nil
	}
	return invalid("%s '%s' does not match the ip_version '%d'", name, text, s.IPVersion)
}

// checkDHCPRange refuses ranges in which a DHCP server could not serve anyone.
func checkDHCPRange(cidr netip.Prefix) error {
	most := 30
	if cidr.Addr().Is6() {
		most = 126
	}
	switch {
	case cidr.Bits() > most:
		return invalid("Subnet has a prefix length that is incompatible with DHCP service enabled")
	case cidr.Addr().IsMulticast():
		return invalid("Multicast IP subnet is not supported if enable_dhcp is True")
	case cidr.Addr().IsLoopback():
		return invalid("Loopback IP subnet is not supported if enable_dhcp is True")
	}
	return nil
}

// checkModes checks the IPv6 modes, which never change after creation.
func checkModes(s, old *model.Subnet) error {
	switch set := s.RAMode != "" || s.AddressMode != ""; {
	case s.IPVersion == 4 && s.RAMode != "":
		return invalid("ipv6_ra_mode is not valid when ip_version is 4")
	case s.IPVersion == 4 && s.AddressMode != "":
		return invalid("ipv6_address_mode is not valid when ip_version is 4")
	case set && !s.EnableDHCP && old != nil:
		return invalid("Cannot disable enable_dhcp with ipv6 attributes set")
	case set && !s.EnableDHCP:
		return invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
	case s.RAMode != "" && s.AddressMode != "" && s.RAMode != s.AddressMode:
		return invalid("ipv6_ra_mode set to '%s' with ipv6_address_mode set to '%s' is not valid. If both attributes are set, they must be the same value",
			s.RAMode, s.AddressMode)
	case autoAddress(s) && s.CIDR.Bits() != 64:
		return invalid("Invalid CIDR %s for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64", s.CIDR)
	}
	return nil
}

// autoAddress reports whether addresses of the subnet follow from MACs (RFC 4862).
func autoAddress(s *model.Subnet) bool {
	return s.IPVersion == 6 && (s.AddressMode == modeSLAAC || s.AddressMode == modeStateless ||
		s.RAMode == modeSLAAC || s.RAMode == modeStateless)
}

// noOverlap refuses a subnet that shares addresses with another one of its network.
func noOverlap(tx *store.Tx, s *model.Subnet) error {
	for _, other := range tx.Model().SubnetsOf(s.Network) {
		if other.CIDR.Overlaps(s.CIDR) {
			return invalid("Requested subnet with cidr: %s for network: %s overlaps with another subnet", s.CIDR, s.Network)
		}
	}
	return nil
}

// gatewayUnused refuses to move a subnet's gateway away from the router that has it.
func gatewayUnused(tx *store.Tx, s *model.Subnet) error {
	if !s.Gateway.IsValid() {
		return nil
	}
	id, used := tx.Model().AddressUser(s.ID, s.Gateway)
	if !used {
		return nil
	}
	if p, ok := tx.Model().Ports.Get(id); !ok || !routerLeg(p.DeviceOwner) {
		return nil
	}
	err := model.Errorf(model.InUse, "GatewayIpInUse",
		"Current gateway ip %s already in use by port %s. Unable to update.", s.Gateway, id)
	err.Blockers = []string{string(id)}
	return err
}
