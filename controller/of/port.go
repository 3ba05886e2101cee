package of

// Port is what a switch says about one of its ports (ofp_port, OpenFlow 1.3.5 §7.2.1).
type Port struct {
	No     PortNo
	Name   string // at most 15 bytes; OVS puts the interface's name here
	MAC    MAC
	Config PortConfig
	State  PortState
	// Features in use, advertised, supported and offered by the peer: bits of ofp_port_features.
	Current, Advertised, Supported, Peer uint32
	CurrentSpeed, MaxSpeed               uint32 // kbit/s
}

// PortConfig holds the administrative settings of a port (ofp_port_config).
type PortConfig uint32

// Bits of PortConfig.
const (
	PortConfigDown       PortConfig = 1 << 0
	PortConfigNoRecv     PortConfig = 1 << 2
	PortConfigNoForward  PortConfig = 1 << 5
	PortConfigNoPacketIn PortConfig = 1 << 6
)

// PortState holds what the switch observes of a port (ofp_port_state).
type PortState uint32

// Bits of PortState.
const (
	PortStateLinkDown PortState = 1 << 0
	PortStateBlocked  PortState = 1 << 1
	PortStateLive     PortState = 1 << 2
)

// LinkDown reports whether the switch sees no carrier on the port.
func (p Port) LinkDown() bool { return p.State&PortStateLinkDown != 0 }

// AdminDown reports whether the port was taken down on purpose. An internal port that was moved to another network
// namespace shows as down too.
func (p Port) AdminDown() bool { return p.Config&PortConfigDown != 0 }
