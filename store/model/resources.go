package model

import (
	"net/netip"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// ID names an API object: a UUID in its canonical text.
type ID string

// Meta is what every API object has.
type Meta struct {
	ID          ID        `json:"id"`
	Project     string    `json:"project"`
	Name        string    `json:"name,omitempty"`
	Description string    `json:"description,omitempty"`
	Tags        []string  `json:"tags,omitempty"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
	Revision    int       `json:"revision"`          // the API's revision_number; counts from 1, of a subnet from 0
	Rev         uint64    `json:"rev"`               // store revision of the last change
	Request     string    `json:"request,omitempty"` // id of the API request that made the last change
	User        string    `json:"user,omitempty"`    // who sent it
}

// NetworkType is how a network's frames travel between hosts (provider:network_type).
type NetworkType string

// The network types. Flat and VLAN networks use a physical network, the others are tunnels; a local
// network never leaves its host.
const (
	TypeLocal  NetworkType = "local"
	TypeFlat   NetworkType = "flat"
	TypeVLAN   NetworkType = "vlan"
	TypeGRE    NetworkType = "gre"
	TypeVXLAN  NetworkType = "vxlan"
	TypeGeneve NetworkType = "geneve"
)

// Tunnel reports whether frames of the type travel in tunnels between hosts.
func (t NetworkType) Tunnel() bool { return t == TypeGRE || t == TypeVXLAN || t == TypeGeneve }

// Overhead is how many bytes a tunnel of the type adds to a tenant's IP packet: its Ethernet header 14, the
// outer IPv4 header 20 or IPv6 header 40, and GRE with key 8 (RFC 2890), or UDP 8 and VXLAN or Geneve 8. It
// is 0 for other types.
func (t NetworkType) Overhead(ipv6 bool) int {
	n := 0
	switch t {
	case TypeGRE:
		n = 42
	case TypeVXLAN, TypeGeneve:
		n = 50
	default:
		return 0
	}
	if ipv6 {
		n += 20
	}
	return n
}

// Network is an isolated layer-2 segment.
type Network struct {
	Meta
	AdminUp      bool        `json:"admin_up"`
	Shared       bool        `json:"shared,omitempty"`
	External     bool        `json:"external,omitempty"`
	Default      bool        `json:"default,omitempty"`
	Type         NetworkType `json:"type"`
	Physnet      string      `json:"physnet,omitempty"`    // physical network of flat and vlan types
	SegmentID    uint32      `json:"segment_id,omitempty"` // VNI, GRE key or VLAN id; 0 for flat and local
	MTU          int         `json:"mtu"`                  // bytes, of the tenant's frames
	PortSecurity bool        `json:"port_security"`        // default for new ports
	DNSDomain    string      `json:"dns_domain,omitempty"`
	AZHints      []string    `json:"az_hints,omitempty"`
	Tag          uint32      `json:"tag"` // number in the cookies of flows it causes; unique among networks and ports, never reused
}

// Domain is the DNS domain of the names of hosts on the network, without a dot at its end: the network's, or
// else the installation's, which is given.
func (n *Network) Domain(installation string) string {
	if n.DNSDomain != "" {
		installation = n.DNSDomain
	}
	return strings.TrimSuffix(installation, ".")
}

// Range is an inclusive range of addresses.
type Range struct {
	First netip.Addr `json:"first"`
	Last  netip.Addr `json:"last"`
}

// Contains reports whether a lies in the range.
func (r Range) Contains(a netip.Addr) bool { return r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0 }

// Route is a static route handed to hosts of a subnet.
type Route struct {
	Destination netip.Prefix `json:"destination"`
	NextHop     netip.Addr   `json:"nexthop"`
}

// Subnet is a range of addresses used on a network.
type Subnet struct {
	Meta
	Network      ID           `json:"network"`
	IPVersion    int          `json:"ip_version"` // 4 or 6
	CIDR         netip.Prefix `json:"cidr"`
	Gateway      netip.Addr   `json:"gateway,omitzero"` // invalid: none
	Pools        []Range      `json:"pools"`
	DNS          []string     `json:"dns,omitempty"`
	HostRoutes   []Route      `json:"host_routes,omitempty"`
	EnableDHCP   bool         `json:"enable_dhcp"`
	RAMode       string       `json:"ra_mode,omitempty"`      // slaac, dhcpv6-stateful, dhcpv6-stateless or empty
	AddressMode  string       `json:"address_mode,omitempty"` // likewise
	ServiceTypes []string     `json:"service_types,omitempty"`
}

// FixedIP is an address of a port.
type FixedIP struct {
	Subnet ID         `json:"subnet"`
	IP     netip.Addr `json:"ip"`
}

// AddressPair is another address a port may use.
type AddressPair struct {
	IP  string `json:"ip"` // address or prefix
	MAC of.MAC `json:"mac"`
}

// DHCPOption is an extra option for a port's DHCP answers.
type DHCPOption struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	IPVersion int    `json:"ip_version"`
}

// Port is an attachment point of a network: a VM's NIC, a router's leg, a DHCP server.
type Port struct {
	Meta
	Network        ID             `json:"network"`
	AdminUp        bool           `json:"admin_up"`
	MAC            of.MAC         `json:"mac"`
	FixedIPs       []FixedIP      `json:"fixed_ips,omitempty"`
	DeviceID       string         `json:"device_id,omitempty"`
	DeviceOwner    string         `json:"device_owner,omitempty"`
	BindingHost    string         `json:"binding_host,omitempty"` // binding:host_id, where the caller says it will be
	VNICType       string         `json:"vnic_type"`
	Profile        map[string]any `json:"profile,omitempty"` // binding:profile, kept as given
	PortSecurity   bool           `json:"port_security"`
	AddressPairs   []AddressPair  `json:"address_pairs,omitempty"`
	DHCPOptions    []DHCPOption   `json:"dhcp_options,omitempty"`
	SecurityGroups []ID           `json:"security_groups,omitempty"`
	DNSName        string         `json:"dns_name,omitempty"`
	DNSDomain      string         `json:"dns_domain,omitempty"`
	UplinkStatus   bool           `json:"uplink_status"` // propagate_uplink_status
	DataPlane      string         `json:"data_plane,omitempty"`
	Tag            uint32         `json:"tag"` // number in the cookies of flows it causes; never reused
}

// Addresses returns the port's addresses without their subnets.
func (p *Port) Addresses() []netip.Addr {
	out := make([]netip.Addr, len(p.FixedIPs))
	for i, ip := range p.FixedIPs {
		out[i] = ip.IP
	}
	return out
}

// Plug is the fact that an interface of a port was seen on a host's integration bridge. During a
// live migration a port has two; [Model.HostOf] chooses.
type Plug struct {
	Port    ID        `json:"port"`
	Network ID        `json:"network"` // the port's network, which never changes
	Host    string    `json:"host"`
	Iface   string    `json:"iface"` // the interface's name in OVSDB
	Rev     uint64    `json:"rev"`   // store revision that saw it first: the newest plug is the port's home
	Since   time.Time `json:"since"`
}

// LocalVLAN is the VLAN id, 1 to 4094, that a network has inside one host.
type LocalVLAN struct {
	Host    string `json:"host"`
	Network ID     `json:"network"`
	VLAN    uint16 `json:"vlan"`
	Rev     uint64 `json:"rev"`
}

// SequenceTag is the [Sequence] that numbers networks and ports.
const SequenceTag = "tag"

// Sequence remembers the last number given, so that none is given twice even after a deletion.
type Sequence struct {
	Name string `json:"name"`
	Last uint64 `json:"last"`
}
