package l2

import (
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

// Opt is an attribute that a request may give, give as null, or leave out (the zero Opt).
type Opt[T any] struct {
	Given bool // the request names the attribute
	Null  bool // and its value is null
	Value T    // if Given and not Null
}

// Val is an attribute given with a value.
func Val[T any](v T) Opt[T] { return Opt[T]{Given: true, Value: v} }

// Null is an attribute given as null.
func Null[T any]() Opt[T] { return Opt[T]{Given: true, Null: true} }

// Set reports whether the attribute has a value.
func (o Opt[T]) Set() bool { return o.Given && !o.Null }

// Or returns the value, or def if there is none.
func (o Opt[T]) Or(def T) T {
	if o.Set() {
		return o.Value
	}
	return def
}

// apply puts the value into dst if the attribute is given; null puts the zero value.
func (o Opt[T]) apply(dst *T) {
	if o.Given {
		*dst = o.Value
	}
}

// NetworkCreate asks for a network.
type NetworkCreate struct {
	Project, Name, Description string
	Tags                       []string
	AdminUp                    Opt[bool] // default true
	Shared, External, Default  bool
	Type                       Opt[model.NetworkType] // default by Config.TenantTypes
	Physnet                    Opt[string]
	SegmentID                  Opt[int]
	MTU                        Opt[int]  // bytes; 0 or left out: the largest that fits
	PortSecurity               Opt[bool] // default true
	DNSDomain                  string
	AZHints                    []string
}

// NetworkUpdate asks for changes of a network. Type, Physnet and SegmentID may only repeat what is.
type NetworkUpdate struct {
	Name, Description         Opt[string]
	Tags                      Opt[[]string]
	AdminUp                   Opt[bool]
	Shared, External, Default Opt[bool]
	Type                      Opt[model.NetworkType]
	Physnet                   Opt[string]
	SegmentID                 Opt[int]
	MTU                       Opt[int] // 0: the largest that fits
	PortSecurity              Opt[bool]
	DNSDomain                 Opt[string]
}

// SubnetCreate asks for a subnet.
type SubnetCreate struct {
	Project, Name, Description string
	Tags                       []string
	Network                    model.ID
	IPVersion                  int                // 4 or 6
	CIDR                       netip.Prefix       // host bits are cleared
	Gateway                    Opt[netip.Addr]    // null: none; left out: the first address
	Pools                      Opt[[]model.Range] // left out: all but the gateway
	DNS                        []string
	HostRoutes                 []model.Route
	EnableDHCP                 Opt[bool] // default true
	RAMode, AddressMode        string    // slaac, dhcpv6-stateful, dhcpv6-stateless or empty
	ServiceTypes               []string
}

// SubnetUpdate asks for changes of a subnet.
type SubnetUpdate struct {
	Name, Description Opt[string]
	Tags              Opt[[]string]
	Gateway           Opt[netip.Addr] // null: none
	Pools             Opt[[]model.Range]
	DNS               Opt[[]string]
	HostRoutes        Opt[[]model.Route]
	EnableDHCP        Opt[bool]
	ServiceTypes      Opt[[]string]
}

// PortCreate asks for a port.
type PortCreate struct {
	Project, Name, Description string
	Tags                       []string
	Network                    model.ID
	AdminUp                    Opt[bool]   // default true
	MAC                        Opt[of.MAC] // left out or null: chosen
	// FixedIPs name a subnet, an address, or both; the zero value of either is "any". Left out: one
	// address for each IP version that the network has; empty: none.
	FixedIPs              Opt[[]model.FixedIP]
	DeviceID, DeviceOwner string
	BindingHost           string
	VNICType              string // default "normal"
	Profile               map[string]any
	PortSecurity          Opt[bool]           // default the network's
	AddressPairs          []model.AddressPair // a zero MAC stands for the port's
	DHCPOptions           []DHCPOptionChange
	SecurityGroups        []model.ID
	DNSName, DNSDomain    string
	UplinkStatus          Opt[bool] // default true
}

// PortUpdate asks for changes of a port.
type PortUpdate struct {
	Name, Description     Opt[string]
	Tags                  Opt[[]string]
	AdminUp               Opt[bool]
	MAC                   Opt[of.MAC]          // null: choose another
	FixedIPs              Opt[[]model.FixedIP] // replaces all; as in PortCreate
	DeviceID, DeviceOwner Opt[string]
	BindingHost           Opt[string]
	VNICType              Opt[string]
	Profile               Opt[map[string]any]
	PortSecurity          Opt[bool]
	AddressPairs          Opt[[]model.AddressPair] // replaces all
	DHCPOptions           Opt[[]DHCPOptionChange]  // changes those it names
	SecurityGroups        Opt[[]model.ID]          // replaces all
	DNSName, DNSDomain    Opt[string]
	UplinkStatus          Opt[bool]
	DataPlane             Opt[string] // null: unset
}

// DHCPOptionChange sets an extra DHCP option, or removes it.
type DHCPOptionChange struct {
	Name      string
	Value     *string // nil: remove
	IPVersion int     // 4 or 6; 0 stands for 4
}

// HostPut is what an operator says of a host.
type HostPut struct {
	Override model.HostSettings
	OVSDB    string             // manager to dial, "tcp:10.0.0.3:6640"
	OpenFlow map[string]string  // bridges to dial
	Bridges  map[string]of.DPID // datapath ids of a host without OVSDB
	Drained  bool               // nothing new is to be placed there
}
