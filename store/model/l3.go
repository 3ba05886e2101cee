package model

import (
	"net/netip"
	"slices"
	"strconv"
)

// Router forwards between its interfaces, which are ports with the router's id as device id, and, if
// it has a gateway, to an external network. It lives in a namespace of one gateway host ([Placement]).
type Router struct {
	Meta
	AdminUp bool           `json:"admin_up"`
	Gateway *RouterGateway `json:"gateway,omitempty"` // nil: none
	Routes  []Route        `json:"routes,omitempty"`  // extra routes
	AZHints []string       `json:"az_hints,omitempty"`
}

// RouterGateway is a router's way to an external network.
type RouterGateway struct {
	Network ID   `json:"network"`
	Port    ID   `json:"port"` // owned by network:router_gateway; its addresses are the router's outside
	SNAT    bool `json:"snat"` // source addresses of the inside are hidden behind the first IPv4 address
}

// FloatingIP is an address of an external network that a router gives to a port.
type FloatingIP struct {
	Meta
	Network   ID         `json:"network"`           // external
	Port      ID         `json:"port"`              // owned by network:floatingip; holds the address
	IP        netip.Addr `json:"ip"`                // the address
	Target    ID         `json:"target,omitempty"`  // port it is given to; empty: none
	FixedIP   netip.Addr `json:"fixed_ip,omitzero"` // address of that port
	Router    ID         `json:"router,omitempty"`  // router that translates; also set by port forwardings
	DNSName   string     `json:"dns_name,omitempty"`
	DNSDomain string     `json:"dns_domain,omitempty"`
}

// PortForwarding gives some ports of a floating IP to a port of a network.
type PortForwarding struct {
	Meta
	FloatingIP ID         `json:"floating_ip"`
	Protocol   string     `json:"protocol"` // "tcp", "udp", "sctp", "icmp"
	External   PortRange  `json:"external"`
	Internal   PortRange  `json:"internal"` // as many as External
	Target     ID         `json:"target"`   // port
	IP         netip.Addr `json:"ip"`       // address of that port
}

// PortRange is an inclusive range of transport ports, 1 to 65535; both are 0 for protocols without.
type PortRange struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

// String is "80:89", also for a range of one port; empty for none.
func (r PortRange) String() string {
	if r == (PortRange{}) {
		return ""
	}
	return strconv.Itoa(int(r.First)) + ":" + strconv.Itoa(int(r.Last))
}

// Placement says which gateway host a router, or the DHCP service of a network, is on.
type Placement struct {
	Service string `json:"service"` // "router" or "dhcp"
	Object  ID     `json:"object"`  // router, or network
	Host    string `json:"host"`
	// Leaving is the host that the service comes from and that goes on with it until Host has it; empty
	// if there is none, or none that works.
	Leaving string         `json:"leaving,omitempty"`
	Cause   PlacementCause `json:"cause,omitempty"` // why it is on Host; empty for what an earlier version placed
	Rev     uint64         `json:"rev"`             // store revision that put it there
}

// PlacementCause says why a service was put where it is, or was taken away.
type PlacementCause string

// The causes of placements.
const (
	CauseFirst     PlacementCause = "first_placement" // it had no place before
	CauseAgentLost PlacementCause = "agent_lost"      // the agent of its host does not report
	CauseDrained   PlacementCause = "drained"         // its host was drained
	CauseNoGateway PlacementCause = "no_gateway"      // its host is no gateway host any more, or was forgotten
	CauseRequested PlacementCause = "requested"       // somebody asked for it by the API
)

// The services that are placed.
const (
	ServiceRouter = "router"
	ServiceDHCP   = "dhcp"
)

// Device owners of the ports that belong to objects (neutron-lib's names).
const (
	OwnerDHCP            = "network:dhcp"
	OwnerRouterInterface = "network:router_interface"
	OwnerRouterGateway   = "network:router_gateway"
	OwnerFloatingIP      = "network:floatingip"
)

// InterfacesOf returns the ports by which a router is on networks, without its gateway, by id.
func (m *Model) InterfacesOf(router ID) []*Port {
	var out []*Port
	for _, p := range m.PortsOfDevice(string(router)) {
		if p.DeviceOwner == OwnerRouterInterface {
			out = append(out, p)
		}
	}
	return out
}

// ServesDHCP reports whether hosts get something of the subnet by DHCP: an address, or only the settings
// beside one. Of an IPv6 subnet without address mode, or with SLAAC, routers tell (RFC 4862).
func (s *Subnet) ServesDHCP() bool {
	return s.EnableDHCP && (s.IPVersion == 4 || s.AddressMode == "dhcpv6-stateful" || s.AddressMode == "dhcpv6-stateless")
}

// NeedsPlace reports whether a service of an object has to run somewhere: a router that has an interface
// or a gateway, the DHCP of a network with a subnet that is served.
func (m *Model) NeedsPlace(service string, object ID) bool {
	switch service {
	case ServiceRouter:
		r, ok := m.Routers.Get(object)
		return ok && (r.Gateway != nil || len(m.InterfacesOf(object)) > 0)
	case ServiceDHCP:
		for _, s := range m.SubnetsOf(object) {
			if s.ServesDHCP() {
				return true
			}
		}
	}
	return false
}

// HostOfService returns the host that a service of an object is placed on, empty if it is on none.
func (m *Model) HostOfService(service string, object ID) string {
	if p, ok := m.Placements.Get(PlacementKey(service, object)); ok {
		return p.Host
	}
	return ""
}

// LeavingFrom returns the placements that a host goes on with until another one has them, by key.
func (m *Model) LeavingFrom(host string) []*Placement {
	return resolve(m.Placements, m.placementsByLeft.Of(host))
}

// PlacedAt returns the objects that have a service placed on a host, by id.
func (m *Model) PlacedAt(host, service string) []ID {
	keys := m.placementsByHost.Of(host)
	first, _ := slices.BinarySearch(keys, service+"/")
	last, _ := slices.BinarySearch(keys, service+"0") // '0' comes after '/'
	out := make([]ID, 0, last-first)
	for _, k := range keys[first:last] {
		out = append(out, ID(k[len(service)+1:]))
	}
	return out
}
