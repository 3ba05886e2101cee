package of

import "net/netip"

// CT sends the packet through the connection tracker (NXAST_CT, ovs-actions(7)).
type CT struct {
	Commit  bool     // make the connection known
	Force   bool     // take this packet's direction as the original one; needs Commit
	Zone    uint16   // the zone, if ZoneSrc is empty
	ZoneSrc Subfield // 16 bits of a field that hold the zone
	Recirc  bool     // send a copy with ct_state set on to Table; the actions behind CT see the packet without it
	Table   TableID  // where to, with Recirc
	Alg     uint16   // TCP or UDP port of the helper: AlgFTP, AlgTFTP or 0 for none
	// Actions are done to the connection: at most one NAT, and SetField, Load or Move into ct_mark and ct_label.
	Actions []Action
}

// Helpers that OVS knows, by their port.
const (
	AlgFTP  = 21
	AlgTFTP = 69
)

// NAT, inside a CT, translates addresses (NXAST_NAT). Without Src and Dst it only applies what the connection has.
type NAT struct {
	Src, Dst         bool       // at most one
	AddrMin, AddrMax netip.Addr // the range; AddrMax is the zero Addr for a single address, both for none
	PortMin, PortMax uint16     // the range; 0 for none
	// How a member of the range is chosen.
	Persistent, Hash, Random bool
}

// CTClear makes the packet forget its connection state.
type CTClear struct{}
