package model

// Kind is "router".
func (r *Router) Kind() string { return "router" }

// Key is the router's id.
func (r *Router) Key() string { return string(r.ID) }

func (r *Router) put(m *Model)  { m.Routers = m.Routers.With(r.ID, r) }
func (r *Router) drop(m *Model) { m.Routers = m.Routers.Without(r.ID) }

// Kind is "floatingip".
func (f *FloatingIP) Kind() string { return "floatingip" }

// Key is the floating IP's id.
func (f *FloatingIP) Key() string { return string(f.ID) }

func (f *FloatingIP) put(m *Model) {
	m.FloatingIPs = m.FloatingIPs.With(f.ID, f)
	if f.Router != "" {
		m.floatingByRouter = m.floatingByRouter.with(string(f.Router), string(f.ID))
	}
	if f.Target != "" {
		m.floatingByTarget = m.floatingByTarget.with(string(f.Target), string(f.ID))
	}
}

func (f *FloatingIP) drop(m *Model) {
	m.FloatingIPs = m.FloatingIPs.Without(f.ID)
	m.floatingByRouter = m.floatingByRouter.without(string(f.Router), string(f.ID))
	m.floatingByTarget = m.floatingByTarget.without(string(f.Target), string(f.ID))
}

// Kind is "portforwarding".
func (f *PortForwarding) Kind() string { return "portforwarding" }

// Key is the port forwarding's id.
func (f *PortForwarding) Key() string { return string(f.ID) }

func (f *PortForwarding) put(m *Model) {
	m.Forwardings = m.Forwardings.With(f.ID, f)
	m.forwardingsByIP = m.forwardingsByIP.with(string(f.FloatingIP), string(f.ID))
	m.forwardingsByTarget = m.forwardingsByTarget.with(string(f.Target), string(f.ID))
}

func (f *PortForwarding) drop(m *Model) {
	m.Forwardings = m.Forwardings.Without(f.ID)
	m.forwardingsByIP = m.forwardingsByIP.without(string(f.FloatingIP), string(f.ID))
	m.forwardingsByTarget = m.forwardingsByTarget.without(string(f.Target), string(f.ID))
}

// Kind is "placement".
func (p *Placement) Kind() string { return "placement" }

// Key is [PlacementKey] of the placement.
func (p *Placement) Key() string { return PlacementKey(p.Service, p.Object) }

func (p *Placement) put(m *Model) {
	m.Placements = m.Placements.With(p.Key(), p)
	m.placementsByHost = m.placementsByHost.with(p.Host, p.Key())
	if p.Leaving != "" {
		m.placementsByLeft = m.placementsByLeft.with(p.Leaving, p.Key())
	}
}

func (p *Placement) drop(m *Model) {
	m.Placements = m.Placements.Without(p.Key())
	m.placementsByHost = m.placementsByHost.without(p.Host, p.Key())
	m.placementsByLeft = m.placementsByLeft.without(p.Leaving, p.Key())
}
