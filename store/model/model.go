package model

import (
	"net/netip"
	"strconv"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Model is one snapshot of everything stored, with the indices that planning and checks need.
type Model struct {
	Rev         uint64 // the store revision this snapshot is
	Networks    Table[ID, *Network]
	Subnets     Table[ID, *Subnet]
	Ports       Table[ID, *Port]
	Hosts       Table[string, *Host]
	Plugs       Table[string, *Plug]      // by PlugKey
	VLANs       Table[string, *LocalVLAN] // by VLANKey
	Sequences   Table[string, *Sequence]  // by name
	Routers     Table[ID, *Router]
	FloatingIPs Table[ID, *FloatingIP]
	Forwardings Table[ID, *PortForwarding]
	Placements  Table[string, *Placement] // by PlacementKey

	subnetsByNetwork    Index              // network id → subnet ids
	portsByNetwork      Index              // network id → port ids
	portsByDevice       Index              // device id → port ids
	floatingByRouter    Index              // router id → floating IP ids
	floatingByTarget    Index              // port id → floating IP ids
	forwardingsByIP     Index              // floating IP id → port forwarding ids
	forwardingsByTarget Index              // port id → port forwarding ids
	placementsByHost    Index              // host → placement keys
	placementsByLeft    Index              // host that is left → placement keys
	plugsByPort         Index              // port id → plug keys
	plugsByHost         Index              // host → plug keys
	plugsByNetHost      Index              // VLANKey → port ids plugged there
	vlansByNetwork      Index              // network id → hosts
	networksByHost      Index              // host → network ids that have a local VLAN there
	segments            Table[string, ID]  // SegmentKey → network
	tags                Table[string, ref] // decimal tag → network or port
	addresses           Table[string, ID]  // AddressKey → port
	macs                Table[string, ID]  // MACKey → port
	vlanUsers           Table[string, ID]  // host + vlan → network
	typeUse             Table[string, int] // network type → number of networks
	stamps              Table[ID, *Stamp]  // network → stamp of its state
}

// PlugKey is the key of a port's plug on a host.
func PlugKey(port ID, host string) string { return string(port) + "@" + host }

// VLANKey is the key of a network's local VLAN on a host.
func VLANKey(host string, network ID) string { return host + "/" + string(network) }

// PlacementKey is the key of where a service of an object is.
func PlacementKey(service string, object ID) string { return service + "/" + string(object) }

// SegmentKey is the key under which a network type's segment (VNI, GRE key, VLAN id) is unique.
func SegmentKey(t NetworkType, physnet string, id uint32) string {
	return string(t) + "/" + physnet + "/" + strconv.FormatUint(uint64(id), 10)
}

// AddressKey is the key under which an address is unique in a subnet.
func AddressKey(subnet ID, ip netip.Addr) string { return string(subnet) + "/" + ip.String() }

// MACKey is the key under which a MAC address is unique in a network.
func MACKey(network ID, mac of.MAC) string { return string(network) + "/" + mac.String() }

// ref names a resource.
type ref struct{ kind, key string }

func tagKey(tag uint32) string { return strconv.FormatUint(uint64(tag), 10) }

func vlanUserKey(host string, vlan uint16) string { return host + "/" + strconv.Itoa(int(vlan)) }

// SubnetsOf returns a network's subnets, by id.
func (m *Model) SubnetsOf(network ID) []*Subnet {
	return resolve(m.Subnets, m.subnetsByNetwork.Of(string(network)))
}

// PortsOf returns a network's ports, by id.
func (m *Model) PortsOf(network ID) []*Port {
	return resolve(m.Ports, m.portsByNetwork.Of(string(network)))
}

// CountPorts returns how many ports a network has.
func (m *Model) CountPorts(network ID) int { return len(m.portsByNetwork.Of(string(network))) }

// PlugsOf returns where a port is plugged, by host.
func (m *Model) PlugsOf(port ID) []*Plug { return resolve(m.Plugs, m.plugsByPort.Of(string(port))) }

// PlugsAt returns the plugs on a host, by port.
func (m *Model) PlugsAt(host string) []*Plug { return resolve(m.Plugs, m.plugsByHost.Of(host)) }

// PortsAt returns the ports of a network that are plugged on a host, by id.
func (m *Model) PortsAt(host string, network ID) []*Port {
	return resolve(m.Ports, m.plugsByNetHost.Of(VLANKey(host, network)))
}

// PortsOfDevice returns the ports that have a device id, by id: for a router its interfaces and gateway.
func (m *Model) PortsOfDevice(device string) []*Port {
	return resolve(m.Ports, m.portsByDevice.Of(device))
}

// FloatingIPsOf returns the floating IPs that a router translates, by id.
func (m *Model) FloatingIPsOf(router ID) []*FloatingIP {
	return resolve(m.FloatingIPs, m.floatingByRouter.Of(string(router)))
}

// FloatingIPsTo returns the floating IPs that are given to a port, by id.
func (m *Model) FloatingIPsTo(port ID) []*FloatingIP {
	return resolve(m.FloatingIPs, m.floatingByTarget.Of(string(port)))
}

// ForwardingsOf returns the port forwardings of a floating IP, by id.
func (m *Model) ForwardingsOf(floatingIP ID) []*PortForwarding {
	return resolve(m.Forwardings, m.forwardingsByIP.Of(string(floatingIP)))
}

// ForwardingsTo returns the port forwardings that lead to a port, by id.
func (m *Model) ForwardingsTo(port ID) []*PortForwarding {
	return resolve(m.Forwardings, m.forwardingsByTarget.Of(string(port)))
}

// PlacementsAt returns what is placed on a host, by key.
func (m *Model) PlacementsAt(host string) []*Placement {
	return resolve(m.Placements, m.placementsByHost.Of(host))
}

// HostsOf returns the names of the hosts that hold a network, sorted.
func (m *Model) HostsOf(network ID) []string { return m.vlansByNetwork.Of(string(network)) }

// NetworksAt returns the ids of the networks that a host holds, sorted.
func (m *Model) NetworksAt(host string) []ID {
	ids := m.networksByHost.Of(host)
	out := make([]ID, len(ids))
	for i, id := range ids {
		out[i] = ID(id)
	}
	return out
}

// VLAN returns the local VLAN of a network on a host, and whether it has one.
func (m *Model) VLAN(host string, network ID) (uint16, bool) {
	v, ok := m.VLANs.Get(VLANKey(host, network))
	if !ok {
		return 0, false
	}
	return v.VLAN, true
}

// NetworkOfVLAN returns the network that has a local VLAN on a host, and whether there is one.
func (m *Model) NetworkOfVLAN(host string, vlan uint16) (ID, bool) {
	return m.vlanUsers.Get(vlanUserKey(host, vlan))
}

// OfTag returns the network or port whose flows carry a tag in their cookies, or nil.
func (m *Model) OfTag(tag uint32) Resource {
	ref, ok := m.tags.Get(tagKey(tag))
	if !ok {
		return nil
	}
	return m.Get(ref.kind, ref.key)
}

// SegmentUser returns the network that has a segment.
func (m *Model) SegmentUser(t NetworkType, physnet string, id uint32) (ID, bool) {
	return m.segments.Get(SegmentKey(t, physnet, id))
}

// AddressUser returns the port that has an address of a subnet.
func (m *Model) AddressUser(subnet ID, ip netip.Addr) (ID, bool) {
	return m.addresses.Get(AddressKey(subnet, ip))
}

// MACUser returns the port that has a MAC address on a network.
func (m *Model) MACUser(network ID, mac of.MAC) (ID, bool) { return m.macs.Get(MACKey(network, mac)) }

// TypeInUse reports whether any network is of type t.
func (m *Model) TypeInUse(t NetworkType) bool {
	n, _ := m.typeUse.Get(string(t))
	return n > 0
}

// HostOf returns the plug that is the port's home, or nil if it is plugged nowhere. A plug on the
// host that the caller named (binding:host_id) wins, else the newest: after a live migration frames
// go where the VM was plugged last.
func (m *Model) HostOf(port *Port) *Plug {
	var home *Plug
	for _, p := range m.PlugsOf(port.ID) {
		switch {
		case p.Host == port.BindingHost:
			return p
		case home == nil || p.Rev > home.Rev:
			home = p
		}
	}
	return home
}

// LastTag returns the highest tag ever given to a network or port.
func (m *Model) LastTag() uint32 {
	if s, ok := m.Sequences.Get(SequenceTag); ok {
		return uint32(s.Last)
	}
	return 0
}

func resolve[K ~string, V any](t Table[K, V], keys []string) []V {
	out := make([]V, 0, len(keys))
	for _, k := range keys {
		if v, ok := t.Get(K(k)); ok {
			out = append(out, v)
		}
	}
	return out
}
