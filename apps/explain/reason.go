package explain

// Reason is why a packet, or a copy of it, ends, for programs. Beside those below there are those of
// [kernel] (what a namespace drops), of [spec.Pending] (what keeps a network from being whole on a host),
// and those of [interp.Reason] that no other fits.
type Reason string

// The reasons.
const (
	AdminDown       Reason = "AdminDown"       // a port, its network or a router is down on purpose
	NotPlugged      Reason = "NotPlugged"      // a port has no interface on any host
	PortNotOnSwitch Reason = "PortNotOnSwitch" // its interface is not on its host's bridge
	PortDown        Reason = "PortDown"        // its interface has no carrier
	HostUnknown     Reason = "HostUnknown"     // it is on a host that is not known
	UnknownPort     Reason = "UnknownPort"     // an interface is of no port

	NoSuchMAC     Reason = "NoSuchMAC"     // nobody has the MAC address, or answers for the address
	NoSuchAddress Reason = "NoSuchAddress" // no subnet of the network has the address
	OwnAddress    Reason = "OwnAddress"    // the sender itself has it
	NotItsAddress Reason = "NotItsAddress" // who gets the packet does not have it
	OtherReceiver Reason = "OtherReceiver" // someone else than the port that was asked for has it
	NotForIt      Reason = "NotForIt"      // a copy got to someone it is not for
	NotAsked      Reason = "NotAsked"      // likewise, of who has an address

	NoRouter      Reason = "NoRouter"      // no router has the address of a subnet's gateway
	NoRoute       Reason = "NoRoute"       // a sender or a router does not know the way
	NoGateway     Reason = "NoGateway"     // a router that needs one has none
	NotAssociated Reason = "NotAssociated" // a floating IP is given to no port
	NoGatewayHost Reason = "NoGatewayHost" // a router or a DHCP server is on no host
	NoService     Reason = "NoService"     // its port is plugged, and nothing is behind it
	NoDHCP        Reason = "NoDHCP"        // a network has no DHCP
	RulesUnknown  Reason = "RulesUnknown"  // what a rule of a namespace does is not known

	FlowMissing Reason = "FlowMissing" // a flow that should be there is not
	FlowAltered Reason = "FlowAltered" // a flow is not as it should be
	FlowForeign Reason = "FlowForeign" // a flow that Heddle does not want drops the packet
	NoFlow      Reason = "NoFlow"      // a table has nothing for the packet

	PatchPortMissing   Reason = "PatchPortMissing"   // a cable between two bridges of a host is not whole
	TunnelPortMissing  Reason = "TunnelPortMissing"  // a host has no tunnel to another
	TunnelDown         Reason = "TunnelDown"         // nothing comes through a tunnel, or it has no carrier
	TunnelLeadsNowhere Reason = "TunnelLeadsNowhere" // no host has the address that a tunnel leads to
	TunnelUnknown      Reason = "TunnelUnknown"      // it is not known where a tunnel leads
	NoPhysicalPort     Reason = "NoPhysicalPort"     // a provider bridge does not lead to the physical network
	NoSegment          Reason = "NoSegment"          // no network has the VLAN on a physical network
	NotConnected       Reason = "NotConnected"       // no host is on a physical network
	BridgeMissing      Reason = "BridgeMissing"      // a host does not have a bridge
	SwitchDown         Reason = "SwitchDown"         // what a bridge does is not known, since it does not say
	Loop               Reason = "Loop"               // the packet goes in a circle
	TooMany            Reason = "TooMany"            // there are more copies of it than are followed
)
