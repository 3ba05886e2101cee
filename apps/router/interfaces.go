package router

import (
	"slices"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/placement"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// AddInterface puts a router on a subnet, with the subnet's gateway address, or makes a port its own, with
// the addresses that the port has. Exactly one of subnet and port is named.
func (o *Ops) AddInterface(tx *store.Tx, id, subnet, port model.ID) (Interface, error) {
	r, ok := tx.Model().Routers.Get(id)
	if !ok {
		return Interface{}, model.NotFoundError("Router", id)
	}
	var added Interface
	var err error
	switch {
	case subnet != "" && port != "":
		err = badRequest("Cannot specify both subnet-id and port-id")
	case port != "":
		added, err = o.addPort(tx, r, port)
	case subnet != "":
		added, err = o.addSubnet(tx, r, subnet)
	default:
		err = badRequest("Either subnet_id or port_id must be specified")
	}
	if err != nil {
		return Interface{}, err
	}
	added.Router = touch(tx, r)
	placement.Settle(tx, model.ServiceRouter, id)
	return added, nil
}

func (o *Ops) addPort(tx *store.Tx, r *model.Router, id model.ID) (Interface, error) {
	m := tx.Model()
	p, ok := m.Ports.Get(id)
	if !ok {
		return Interface{}, model.NotFoundError("Port", id)
	}
	if p.DeviceID != "" {
		return Interface{}, model.Errorf(model.InUse, "PortInUse",
			"Unable to complete operation on port %s for network %s. Port already has an attached device %s.", id, p.Network, p.DeviceID)
	}
	if len(p.FixedIPs) == 0 {
		return Interface{}, badRequest("Router port must have at least one fixed IP")
	}
	subnets := subnetsOf(m, p)
	v4 := 0
	for _, s := range subnets {
		if s.IPVersion == 4 {
			v4++
		}
	}
	if v4 > 1 {
		return Interface{}, badRequest("Cannot have multiple IPv4 subnets on router port")
	}
	if err := mayJoin(m, r, subnets); err != nil {
		return Interface{}, err
	}
	// A router passes on what others have sent: nothing of it may be filtered.
	_, err := o.l2.ChangePort(tx, id, l2.PortUpdate{
		DeviceID:       l2.Val(string(r.ID)),
		DeviceOwner:    l2.Val(model.OwnerRouterInterface),
		BindingHost:    l2.Val(placement.Home(m, model.ServiceRouter, r.ID)),
		PortSecurity:   l2.Val(false),
		SecurityGroups: l2.Val[[]model.ID](nil),
		AddressPairs:   l2.Val[[]model.AddressPair](nil),
	})
	return Interface{Port: id, Network: p.Network, Subnets: idsOf(subnets)}, err
}

func (o *Ops) addSubnet(tx *store.Tx, r *model.Router, id model.ID) (Interface, error) {
	m := tx.Model()
	s, ok := m.Subnets.Get(id)
	if !ok {
		return Interface{}, model.NotFoundError("Subnet", id)
	}
	if !s.Gateway.IsValid() {
		return Interface{}, badRequest("Subnet for router interface must have a gateway IP")
	}
	if err := mayJoin(m, r, []*model.Subnet{s}); err != nil {
		return Interface{}, err
	}
	added := Interface{Network: s.Network, Subnets: []model.ID{id}}
	address := model.FixedIP{Subnet: id, IP: s.Gateway}
	if leg := sixLeg(m, r.ID, s); leg != nil {
		added.Port = leg.ID
		_, err := o.l2.ChangePort(tx, leg.ID, l2.PortUpdate{FixedIPs: l2.Val(append(slices.Clone(leg.FixedIPs), address))})
		return added, err
	}
	p, err := o.l2.AddPort(tx, l2.PortCreate{
		Project:     r.Project,
		Network:     s.Network,
		FixedIPs:    l2.Val([]model.FixedIP{address}),
		DeviceID:    string(r.ID),
		DeviceOwner: model.OwnerRouterInterface,
		BindingHost: placement.Home(m, model.ServiceRouter, r.ID),
	})
	if err != nil {
		return Interface{}, err
	}
	added.Port = p.ID
	return added, nil
}

// sixLeg returns the port by which a router is on the network of an IPv6 subnet already, if that has only
// IPv6 addresses: prefixes of one network share a port, as they share its router advertisements.
func sixLeg(m *model.Model, id model.ID, s *model.Subnet) *model.Port {
	if s.IPVersion != 6 {
		return nil
	}
	for _, p := range m.InterfacesOf(id) {
		has4 := slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.IP.Is4() })
		if p.Network == s.Network && !has4 {
			return p
		}
	}
	return nil
}

// mayJoin refuses subnets that a router is on already, that share addresses with another one of its, or
// that have a router of their own.
func mayJoin(m *model.Model, r *model.Router, subnets []*model.Subnet) error {
	had := interfaceSubnets(m, r.ID)
	if r.Gateway != nil {
		had = append(had, m.SubnetsOf(r.Gateway.Network)...)
	}
	for _, s := range subnets {
		if s.IPVersion == 6 && s.RAMode == "" && s.AddressMode != "" {
			return badRequest("IPv6 subnet %s configured to receive RAs from an external router cannot be added to Neutron Router", s.ID)
		}
	}
	return noOverlap(subnets, had)
}

func noOverlap(subnets, had []*model.Subnet) error {
	for _, s := range subnets {
		for _, h := range had {
			if s.ID == h.ID {
				return badRequest("Router already has a port on subnet %s", s.ID)
			}
			if s.CIDR.Overlaps(h.CIDR) {
				return badRequest("Cidr %s of subnet %s overlaps with cidr %s of subnet %s", s.CIDR, s.ID, h.CIDR, h.ID)
			}
		}
	}
	return nil
}

// RemoveInterface takes a router off a subnet, or off the subnets of a port. If both are named, the port
// must be on the subnet. A port that keeps other subnets stays, otherwise it is removed, whoever made it.
func (o *Ops) RemoveInterface(tx *store.Tx, id, subnet, port model.ID) (Interface, error) {
	m := tx.Model()
	r, ok := m.Routers.Get(id)
	if !ok {
		return Interface{}, model.NotFoundError("Router", id)
	}
	p, err := interfaceAt(m, r, subnet, port)
	if err != nil {
		return Interface{}, err
	}
	subnets := subnetsOf(m, p)
	if port == "" {
		subnets = slices.DeleteFunc(subnets, func(s *model.Subnet) bool { return s.ID != subnet })
	}
	for _, s := range subnets {
		if err := unused(m, r, s); err != nil {
			return Interface{}, err
		}
	}
	gone := idsOf(subnets)
	kept := slices.DeleteFunc(slices.Clone(p.FixedIPs), func(f model.FixedIP) bool { return slices.Contains(gone, f.Subnet) })
	if len(kept) > 0 {
		_, err = o.l2.ChangePort(tx, p.ID, l2.PortUpdate{FixedIPs: l2.Val(kept)})
	} else {
		err = o.l2.RemovePort(tx, p.ID)
	}
	if err != nil {
		return Interface{}, err
	}
	r = touch(tx, r)
	placement.Settle(tx, model.ServiceRouter, id)
	return Interface{Router: r, Port: p.ID, Network: p.Network, Subnets: gone}, nil
}

// interfaceAt finds the port of a router that a request means.
func interfaceAt(m *model.Model, r *model.Router, subnet, port model.ID) (*model.Port, error) {
	switch {
	case port != "":
		p, ok := m.Ports.Get(port)
		if !ok || p.DeviceOwner != model.OwnerRouterInterface || p.DeviceID != string(r.ID) {
			return nil, model.Errorf(model.NotFound, "RouterInterfaceNotFound",
				"Router %s does not have an interface with id %s", r.ID, port)
		}
		if subnet != "" && !onSubnet(p, subnet) {
			return nil, model.Errorf(model.Invalid, "SubnetMismatchForPort",
				"Subnet on port %s does not match the requested subnet %s.", port, subnet)
		}
		return p, nil
	case subnet != "":
		if _, ok := m.Subnets.Get(subnet); !ok {
			return nil, model.NotFoundError("Subnet", subnet)
		}
		for _, p := range m.InterfacesOf(r.ID) {
			if onSubnet(p, subnet) {
				return p, nil
			}
		}
		return nil, model.Errorf(model.NotFound, "RouterInterfaceNotFoundForSubnet",
			"Router %s has no interface on subnet %s", r.ID, subnet)
	}
	return nil, badRequest("Either subnet_id or port_id must be specified")
}

// unused refuses to take a router off a subnet that its routes or floating IPs lead to.
func unused(m *model.Model, r *model.Router, s *model.Subnet) error {
	for _, route := range r.Routes {
		if s.CIDR.Contains(route.NextHop) {
			return model.Errorf(model.InUse, "RouterInterfaceInUseByRoute",
				"Router interface for subnet %s on router %s cannot be deleted, as it is required by one or more routes.", s.ID, r.ID)
		}
	}
	var users []string
	leadsTo := func(port model.ID) bool {
		p, ok := m.Ports.Get(port)
		return ok && onSubnet(p, s.ID)
	}
	for _, f := range m.FloatingIPsOf(r.ID) {
		used := f.Target != "" && leadsTo(f.Target) && s.CIDR.Contains(f.FixedIP)
		for _, w := range m.ForwardingsOf(f.ID) {
			used = used || leadsTo(w.Target) && s.CIDR.Contains(w.IP)
		}
		if used {
			users = append(users, string(f.ID))
		}
	}
	if len(users) == 0 {
		return nil
	}
	err := model.Errorf(model.InUse, "RouterInterfaceInUseByFloatingIP",
		"Router interface for subnet %s on router %s cannot be deleted, as it is required by one or more floating IPs.", s.ID, r.ID)
	err.Blockers = users
	return err
}

// interfaceSubnets returns the subnets that a router has interfaces on.
func interfaceSubnets(m *model.Model, id model.ID) []*model.Subnet {
	var out []*model.Subnet
	for _, p := range m.InterfacesOf(id) {
		out = append(out, subnetsOf(m, p)...)
	}
	return out
}

// subnetsOf returns the subnets that a port has addresses of, in the order of its addresses.
func subnetsOf(m *model.Model, p *model.Port) []*model.Subnet {
	var out []*model.Subnet
	for _, f := range p.FixedIPs {
		if s, ok := m.Subnets.Get(f.Subnet); ok && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func idsOf(subnets []*model.Subnet) []model.ID {
	out := make([]model.ID, len(subnets))
	for i, s := range subnets {
		out[i] = s.ID
	}
	return out
}

func onSubnet(p *model.Port, subnet model.ID) bool {
	return slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.Subnet == subnet })
}
