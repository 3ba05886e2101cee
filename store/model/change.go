package model

// Resource is a value that a Model holds.
type Resource interface {
	// Kind is the resource's name in the store ("network").
	Kind() string
	// Key identifies it among its kind.
	Key() string

	put(*Model)
	drop(*Model)
}

// Kinds makes an empty Resource for each kind, to decode stored values into.
func Kinds() map[string]func() Resource {
	return map[string]func() Resource{
		"network":        func() Resource { return new(Network) },
		"subnet":         func() Resource { return new(Subnet) },
		"port":           func() Resource { return new(Port) },
		"host":           func() Resource { return new(Host) },
		"plug":           func() Resource { return new(Plug) },
		"vlan":           func() Resource { return new(LocalVLAN) },
		"sequence":       func() Resource { return new(Sequence) },
		"router":         func() Resource { return new(Router) },
		"floatingip":     func() Resource { return new(FloatingIP) },
		"portforwarding": func() Resource { return new(PortForwarding) },
		"placement":      func() Resource { return new(Placement) },
	}
}

// With returns the model that holds r, in place of what had its kind and key before.
func (m *Model) With(r Resource) *Model {
	out := *m
	if old := out.Get(r.Kind(), r.Key()); old != nil {
		old.drop(&out)
	}
	r.put(&out)
	return &out
}

// Without returns the model without the resource of r's kind and key.
func (m *Model) Without(r Resource) *Model {
	old := m.Get(r.Kind(), r.Key())
	if old == nil {
		return m
	}
	out := *m
	old.drop(&out)
	return &out
}

// Get returns the resource of a kind and key, or nil.
func (m *Model) Get(kind, key string) Resource {
	switch kind {
	case "network":
		return found[ID, *Network](m.Networks, key)
	case "subnet":
		return found[ID, *Subnet](m.Subnets, key)
	case "port":
		return found[ID, *Port](m.Ports, key)
	case "host":
		return found[string, *Host](m.Hosts, key)
	case "plug":
		return found[string, *Plug](m.Plugs, key)
	case "vlan":
		return found[string, *LocalVLAN](m.VLANs, key)
	case "sequence":
		return found[string, *Sequence](m.Sequences, key)
	case "router":
		return found[ID, *Router](m.Routers, key)
	case "floatingip":
		return found[ID, *FloatingIP](m.FloatingIPs, key)
	case "portforwarding":
		return found[ID, *PortForwarding](m.Forwardings, key)
	case "placement":
		return found[string, *Placement](m.Placements, key)
	}
	return nil
}

// All visits every resource, kind by kind.
func (m *Model) All(yield func(Resource) bool) {
	_ = each(m.Networks, yield) && each(m.Subnets, yield) && each(m.Ports, yield) &&
		each(m.Hosts, yield) && each(m.Plugs, yield) && each(m.VLANs, yield) && each(m.Sequences, yield) &&
		each(m.Routers, yield) && each(m.FloatingIPs, yield) && each(m.Forwardings, yield) && each(m.Placements, yield)
}

func found[K ~string, R Resource](t Table[K, R], key string) Resource {
	if r, ok := t.Get(K(key)); ok {
		return r
	}
	return nil
}

func each[K ~string, R Resource](t Table[K, R], yield func(Resource) bool) bool {
	for _, r := range t.All() {
		if !yield(r) {
			return false
		}
	}
	return true
}

// Kind is "network".
func (n *Network) Kind() string { return "network" }

// Key is the network's id.
func (n *Network) Key() string { return string(n.ID) }

func (n *Network) put(m *Model) {
	m.Networks = m.Networks.With(n.ID, n)
	m.tags = m.tags.With(tagKey(n.Tag), ref{n.Kind(), n.Key()})
	if n.Type != TypeLocal {
		m.segments = m.segments.With(SegmentKey(n.Type, n.Physnet, n.SegmentID), n.ID)
	}
	uses, _ := m.typeUse.Get(string(n.Type))
	m.typeUse = m.typeUse.With(string(n.Type), uses+1)
	m.touch(n.ID)
}

func (n *Network) drop(m *Model) {
	m.Networks = m.Networks.Without(n.ID)
	m.tags = m.tags.Without(tagKey(n.Tag))
	m.segments = m.segments.Without(SegmentKey(n.Type, n.Physnet, n.SegmentID))
	uses, _ := m.typeUse.Get(string(n.Type))
	m.typeUse = m.typeUse.With(string(n.Type), uses-1)
	m.stamps = m.stamps.Without(n.ID)
}

// Kind is "subnet".
func (s *Subnet) Kind() string { return "subnet" }

// Key is the subnet's id.
func (s *Subnet) Key() string { return string(s.ID) }

func (s *Subnet) put(m *Model) {
	m.Subnets = m.Subnets.With(s.ID, s)
	m.subnetsByNetwork = m.subnetsByNetwork.with(string(s.Network), string(s.ID))
}

func (s *Subnet) drop(m *Model) {
	m.Subnets = m.Subnets.Without(s.ID)
	m.subnetsByNetwork = m.subnetsByNetwork.without(string(s.Network), string(s.ID))
}

// Kind is "port".
func (p *Port) Kind() string { return "port" }

// Key is the port's id.
func (p *Port) Key() string { return string(p.ID) }

func (p *Port) put(m *Model) {
	m.Ports = m.Ports.With(p.ID, p)
	m.touch(p.Network)
	m.portsByNetwork = m.portsByNetwork.with(string(p.Network), string(p.ID))
	if p.DeviceID != "" {
		m.portsByDevice = m.portsByDevice.with(p.DeviceID, string(p.ID))
	}
	m.tags = m.tags.With(tagKey(p.Tag), ref{p.Kind(), p.Key()})
	m.macs = m.macs.With(MACKey(p.Network, p.MAC), p.ID)
	for _, ip := range p.FixedIPs {
		m.addresses = m.addresses.With(AddressKey(ip.Subnet, ip.IP), p.ID)
	}
}

func (p *Port) drop(m *Model) {
	m.Ports = m.Ports.Without(p.ID)
	m.touch(p.Network)
	m.portsByNetwork = m.portsByNetwork.without(string(p.Network), string(p.ID))
	m.portsByDevice = m.portsByDevice.without(p.DeviceID, string(p.ID))
	m.tags = m.tags.Without(tagKey(p.Tag))
	m.macs = m.macs.Without(MACKey(p.Network, p.MAC))
	for _, ip := range p.FixedIPs {
		m.addresses = m.addresses.Without(AddressKey(ip.Subnet, ip.IP))
	}
}

// Kind is "host".
func (h *Host) Kind() string { return "host" }

// Key is the host's name.
func (h *Host) Key() string { return h.Name }

func (h *Host) put(m *Model)  { m.Hosts = m.Hosts.With(h.Name, h) }
func (h *Host) drop(m *Model) { m.Hosts = m.Hosts.Without(h.Name) }

// Kind is "plug".
func (p *Plug) Kind() string { return "plug" }

// Key is [PlugKey] of the plug.
func (p *Plug) Key() string { return PlugKey(p.Port, p.Host) }

func (p *Plug) put(m *Model) {
	m.Plugs = m.Plugs.With(p.Key(), p)
	m.plugsByPort = m.plugsByPort.with(string(p.Port), p.Key())
	m.plugsByHost = m.plugsByHost.with(p.Host, p.Key())
	m.plugsByNetHost = m.plugsByNetHost.with(VLANKey(p.Host, p.Network), string(p.Port))
	m.touch(p.Network)
}

func (p *Plug) drop(m *Model) {
	m.Plugs = m.Plugs.Without(p.Key())
	m.plugsByPort = m.plugsByPort.without(string(p.Port), p.Key())
	m.plugsByHost = m.plugsByHost.without(p.Host, p.Key())
	m.plugsByNetHost = m.plugsByNetHost.without(VLANKey(p.Host, p.Network), string(p.Port))
	m.touch(p.Network)
}

// Kind is "vlan".
func (v *LocalVLAN) Kind() string { return "vlan" }

// Key is [VLANKey] of the local VLAN.
func (v *LocalVLAN) Key() string { return VLANKey(v.Host, v.Network) }

func (v *LocalVLAN) put(m *Model) {
	m.VLANs = m.VLANs.With(v.Key(), v)
	m.vlansByNetwork = m.vlansByNetwork.with(string(v.Network), v.Host)
	m.networksByHost = m.networksByHost.with(v.Host, string(v.Network))
	m.vlanUsers = m.vlanUsers.With(vlanUserKey(v.Host, v.VLAN), v.Network)
	m.touch(v.Network)
}

func (v *LocalVLAN) drop(m *Model) {
	m.VLANs = m.VLANs.Without(v.Key())
	m.vlansByNetwork = m.vlansByNetwork.without(string(v.Network), v.Host)
	m.networksByHost = m.networksByHost.without(v.Host, string(v.Network))
	m.vlanUsers = m.vlanUsers.Without(vlanUserKey(v.Host, v.VLAN))
	m.touch(v.Network)
}

// Kind is "sequence".
func (s *Sequence) Kind() string { return "sequence" }

// Key is the sequence's name.
func (s *Sequence) Key() string { return s.Name }

func (s *Sequence) put(m *Model)  { m.Sequences = m.Sequences.With(s.Name, s) }
func (s *Sequence) drop(m *Model) { m.Sequences = m.Sequences.Without(s.Name) }
