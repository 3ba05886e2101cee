package ovsdb

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
)

// State is one moment of a host's database: what the host's transactions left, never half of one. It is shared and
// must not be changed.
type State struct {
	Identity  Identity
	Datapaths []string  // datapath types this vswitchd offers
	Bridges   []*Bridge // by name
	Managers  []Manager // by target

	root string // uuid of the Open_vSwitch table's row; empty before ovs-vsctl(8) init
}

// Bridge returns the bridge of that name, or nil.
func (s *State) Bridge(name string) *Bridge {
	if i, ok := find(s.Bridges, name, func(b *Bridge) string { return b.Name }); ok {
		return s.Bridges[i]
	}
	return nil
}

// Port returns the port of that name, or nil. Names of ports are unique on a host.
func (s *State) Port(name string) *Port {
	for _, b := range s.Bridges {
		if i, ok := find(b.Ports, name, func(p *Port) string { return p.Name }); ok {
			return b.Ports[i]
		}
	}
	return nil
}

// Interface returns the interface of that name, or nil. Names of interfaces are unique on a host.
func (s *State) Interface(name string) *Interface {
	in := func(p *Port) *Interface {
		for _, i := range p.Interfaces {
			if i.Name == name {
				return i
			}
		}
		return nil
	}
	if p := s.Port(name); p != nil { // as for all but the interfaces of bonds
		if i := in(p); i != nil {
			return i
		}
	}
	for _, b := range s.Bridges {
		for _, p := range b.Ports {
			if i := in(p); i != nil {
				return i
			}
		}
	}
	return nil
}

// find returns where a name is in a list that is sorted by names.
func find[T any](list []T, name string, nameOf func(T) string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(e T, name string) int { return cmp.Compare(nameOf(e), name) })
}

// Bridge is a row of the Bridge table with its ports.
type Bridge struct {
	UUID         string
	Name         string
	DPID         of.DPID // 0 until ovs-vswitchd made the bridge
	DatapathType string  // "system" (also written as ""), "netdev"
	FailMode     string  // "secure", "standalone" or ""
	Protocols    []string
	Controllers  []Controller // by target
	Ports        []*Port      // by name
	OtherConfig  map[string]string
	ExternalIDs  map[string]string
}

// Controller is a row of the Controller table.
type Controller struct {
	UUID            string
	Target          string // "tcp:192.0.2.1:6653"
	Connected       bool
	ConnectionMode  string // "in-band", "out-of-band" or ""
	InactivityProbe int    // ms, -1 when not set
	MaxBackoff      int    // ms, -1 when not set
	ExternalIDs     map[string]string
}

// Manager is a row of the Manager table.
type Manager struct {
	UUID            string
	Target          string // "tcp:192.0.2.1:6640", "ptcp:6640"
	Connected       bool
	InactivityProbe int // ms, -1 when not set
	MaxBackoff      int // ms, -1 when not set
}

// Port is a row of the Port table with its interfaces; more than one make a bond.
type Port struct {
	UUID        string
	Name        string
	Bridge      string
	Tag         uint16 // 0 when it has none
	Trunks      []uint16
	VLANMode    string // "access", "trunk", "native-tagged", … or ""
	Interfaces  []*Interface
	ExternalIDs map[string]string
}

// Interface is a row of the Interface table.
type Interface struct {
	UUID        string
	Name        string
	Port        string
	Bridge      string
	Type        string // "", "internal", "patch", "vxlan", …
	Options     map[string]string
	OFPort      int    // OpenFlow port number; 0 when not given yet, -1 when ovs-vswitchd could not make it
	Error       string // why it could not
	MAC         of.MAC // address in use
	MTU         int    // 0 when not known
	LinkState   string // "up", "down" or ""
	AdminState  string // "up", "down" or ""
	ExternalIDs map[string]string
	Status      map[string]string
	BFD         map[string]string // settings of the BFD session over the interface
	BFDStatus   map[string]string // of that session; empty if there is none
}

// Plug is an interface that someone plugged into a bridge and named with external_ids:iface-id: the port of a VM, of
// a router or of a DHCP server.
type Plug struct {
	IfaceID   string // the API's port
	Bridge    string
	Port      string
	Interface string
	OFPort    int    // as Interface.OFPort
	MAC       of.MAC // external_ids:attached-mac, zero when not said
	VM        string // external_ids:vm-uuid, empty when not said
	Tag       uint16 // VLAN now, 0 when none
	Error     string // as Interface.Error
}

// Plugged returns the plugs of a bridge, by port name.
func (s *State) Plugged(bridge string) []Plug {
	b := s.Bridge(bridge)
	if b == nil {
		return nil
	}
	var plugs []Plug
	for _, p := range b.Ports {
		for _, i := range p.Interfaces {
			id := i.ExternalIDs["iface-id"]
			if id == "" {
				continue
			}
			// A wrong address counts as none: the store knows the port's address.
			mac, _ := of.ParseMAC(i.ExternalIDs["attached-mac"])
			plugs = append(plugs, Plug{
				IfaceID: id, Bridge: b.Name, Port: p.Name, Interface: i.Name, OFPort: i.OFPort, MAC: mac,
				VM: i.ExternalIDs["vm-uuid"], Tag: p.Tag, Error: i.Error,
			})
		}
	}
	return plugs
}

// TunnelTo returns the end points of a tunnel interface; both are invalid for any other interface, and Remote for one
// whose remote address comes from the flows.
func (i *Interface) TunnelTo() (local, remote netip.Addr) {
	local, _ = netip.ParseAddr(i.Options["local_ip"])
	remote, _ = netip.ParseAddr(i.Options["remote_ip"])
	return local.Unmap(), remote.Unmap()
}
