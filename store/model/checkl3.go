package model

// routers checks that each router's gateway is a port of its own on an external network, and that its
// subnets do not share addresses.
func (c *check) routers() {
	for id, r := range c.m.Routers.All() {
		if g := r.Gateway; g != nil {
			n, ok := c.m.Networks.Get(g.Network)
			p, has := c.m.Ports.Get(g.Port)
			switch {
			case !ok || !n.External:
				c.errorf("router %s has its gateway on %s, which is no external network", id, g.Network)
			case !has || p.Network != g.Network || p.DeviceOwner != OwnerRouterGateway || p.DeviceID != string(id):
				c.errorf("router %s has gateway port %s, which is not its own", id, g.Port)
			}
		}
		var on []*Subnet
		for _, p := range c.m.PortsOfDevice(string(id)) {
			if p.DeviceOwner == OwnerRouterGateway && (r.Gateway == nil || r.Gateway.Port != p.ID) {
				c.errorf("port %s is owned by router %s, which has another gateway", p.ID, id)
			}
			if p.DeviceOwner != OwnerRouterGateway && p.DeviceOwner != OwnerRouterInterface {
				continue
			}
			seen := map[ID]bool{}
			for _, f := range p.FixedIPs {
				if s, ok := c.m.Subnets.Get(f.Subnet); ok && !seen[s.ID] {
					seen[s.ID] = true
					on = append(on, s)
				}
			}
		}
		for i, s := range on {
			for _, other := range on[:i] {
				if s.CIDR.Overlaps(other.CIDR) {
					c.errorf("router %s is on subnets %s and %s, which overlap", id, min(s.ID, other.ID), max(s.ID, other.ID))
				}
			}
		}
	}
}

// floatingIPs checks that each has a port that holds its address, and that what it leads to is there
// and behind its router.
func (c *check) floatingIPs() {
	for id, f := range c.m.FloatingIPs.All() {
		p, ok := c.m.Ports.Get(f.Port)
		if !ok || p.Network != f.Network || p.DeviceOwner != OwnerFloatingIP || p.DeviceID != string(id) || !holds(p, f.IP.String()) {
			c.errorf("floating IP %s has port %s, which does not hold its address %s", id, f.Port, f.IP)
		}
		c.unique("floating address "+string(f.Network)+"/"+f.IP.String(), "floating IP "+string(id))
		forwards := len(c.m.ForwardingsOf(id)) > 0
		switch {
		case f.Target != "" && forwards:
			c.errorf("floating IP %s leads to a port and has port forwardings", id)
		case f.Target != "":
			c.unique("floating target "+string(f.Network)+"/"+string(f.Target)+"/"+f.FixedIP.String(), "floating IP "+string(id))
			c.behind(f, f.Target, f.FixedIP.String())
		case !forwards && f.Router != "":
			c.errorf("floating IP %s leads nowhere and has router %s", id, f.Router)
		}
	}
	for id, w := range c.m.Forwardings.All() {
		f, ok := c.m.FloatingIPs.Get(w.FloatingIP)
		if !ok {
			c.errorf("port forwarding %s is of floating IP %s, which does not exist", id, w.FloatingIP)
			continue
		}
		c.behind(f, w.Target, w.IP.String())
		if w.External.Last < w.External.First || w.External.Last-w.External.First != w.Internal.Last-w.Internal.First {
			c.errorf("port forwarding %s maps %s to %s", id, w.External, w.Internal)
		}
		for _, other := range c.m.ForwardingsOf(w.FloatingIP) {
			if other.ID > id && other.Protocol == w.Protocol && other.External.First <= w.External.Last && w.External.First <= other.External.Last {
				c.errorf("port forwardings %s and %s are of the same external port", id, other.ID)
			}
		}
	}
}

// behind checks that an address of a port is on a subnet that the router of a floating IP is on.
func (c *check) behind(f *FloatingIP, target ID, ip string) {
	p, ok := c.m.Ports.Get(target)
	if !ok || !holds(p, ip) {
		c.errorf("floating IP %s leads to address %s of port %s, which it does not have", f.ID, ip, target)
		return
	}
	r, ok := c.m.Routers.Get(f.Router)
	if !ok || r.Gateway == nil || r.Gateway.Network != f.Network {
		c.errorf("floating IP %s is translated by router %s, which has no gateway on its network", f.ID, f.Router)
		return
	}
	for _, leg := range c.m.InterfacesOf(r.ID) {
		for _, l := range leg.FixedIPs {
			for _, t := range p.FixedIPs {
				if l.Subnet == t.Subnet && t.IP.String() == ip {
					return
				}
			}
		}
	}
	c.errorf("floating IP %s leads to %s, which router %s does not reach", f.ID, ip, f.Router)
}

func holds(p *Port, ip string) bool {
	for _, f := range p.FixedIPs {
		if f.IP.String() == ip {
			return true
		}
	}
	return false
}

// placements checks that only what needs a place has one, and that it is a gateway host.
func (c *check) placements() {
	for key, p := range c.m.Placements.All() {
		if !c.m.NeedsPlace(p.Service, p.Object) {
			c.errorf("placement %s is of what needs none", key)
		}
		if h, ok := c.m.Hosts.Get(p.Host); !ok || !h.Settings().IsGateway() {
			c.errorf("placement %s is on %s, which is no gateway host", key, p.Host)
		}
		if p.Leaving == p.Host {
			c.errorf("placement %s leaves %s for itself", key, p.Host)
		}
	}
}
