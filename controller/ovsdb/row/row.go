package row

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Kind says what a row configures. Two kinds have names of their own: a port can be tagged by one row and be made by
// none.
type Kind uint8

// The kinds of rows, in the order in which they are written: a port needs its bridge.
const (
	KindBridge Kind = iota + 1 // a Bridge
	KindPort                   // a Patch, a Tunnel or a Port
	KindTag                    // a Tag
)

// String returns the name of the kind: "bridge", "port" or "tag".
func (k Kind) String() string {
	switch k {
	case KindBridge:
		return "bridge"
	case KindPort:
		return "port"
	case KindTag:
		return "tag"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Key identifies a row on a host.
type Key struct {
	Kind Kind
	Name string // of the bridge or the port
}

// String returns "bridge br-int", "port patch-tun", "tag tap123".
func (k Key) String() string { return k.Kind.String() + " " + k.Name }

// Row is one thing in the database: a Bridge, Patch, Tunnel or Tag, or a Port that is found but never wanted. All are
// values; a row is never changed after it was handed out.
type Row interface {
	Key() Key
}

// Map returns the rows under their keys, the shape a reconcile loop compares. The last of two rows with one key wins.
func Map(rows ...Row) map[Key]Row {
	m := make(map[Key]Row, len(rows))
	for _, r := range rows {
		m[r.Key()] = r
	}
	return m
}

// Bridge is a bridge that Heddle programs.
type Bridge struct {
	Name string
	// FailMode is what was found. Wanted is always "secure", and empty stands for it: a bridge must not turn into a
	// learning switch while Heddle is away.
	FailMode string
	// DatapathType is "system" or "netdev". Empty leaves what is there; a bridge that Heddle did not make keeps
	// its type in any case, because changing it drops every flow and port number.
	DatapathType string
	// Controllers are the OpenFlow targets that lead to Heddle, as in ovs-vsctl(8): "tcp:192.0.2.1:6653". Targets
	// that others set stay beside them. A target that was found with other timing than Heddle's has a remark. An empty target is none.
	Controllers []string
	// Protocols must be spoken; others that are set stay. A bridge that Heddle makes with nil gets DefaultProtocols,
	// one that is there must speak OpenFlow13.
	Protocols []string
	// OtherConfig holds the keys of other_config that must have these values. Other keys stay.
	OtherConfig map[string]string
}

// Key returns the key of the bridge.
func (b Bridge) Key() Key { return Key{KindBridge, b.Name} }

// Targets returns Controllers without the empty ones.
func (b Bridge) Targets() []string {
	return slices.DeleteFunc(slices.Clone(b.Controllers), func(t string) bool { return t == "" })
}

// DefaultProtocols returns the OpenFlow versions of a bridge whose row names none: the one Heddle speaks, and those
// that ovs-ofctl(8) tries when it is called without -O.
func DefaultProtocols() []string { return []string{"OpenFlow10", "OpenFlow13", "OpenFlow14"} }

// DefaultOtherConfig returns the other_config of the bridges Heddle makes: room for the MACs of a large cloud
// (the default of OVS is 8192).
func DefaultOtherConfig() map[string]string { return map[string]string{"mac-table-size": "50000"} }

// Patch is one end of a cable between two bridges. The other end is a row of its own.
type Patch struct {
	Bridge string
	Name   string
	Peer   string
}

// Key returns the key of the port.
func (p Patch) Key() Key { return Key{KindPort, p.Name} }

// Cable returns both ends of a patch cable: port a on bridge abridge, port b on bridge bbridge.
func Cable(abridge, a, bbridge, b string) (Patch, Patch) {
	return Patch{Bridge: abridge, Name: a, Peer: b}, Patch{Bridge: bbridge, Name: b, Peer: a}
}

// Tunnel is a port to one other host. Its key comes with each packet (tun_id), so one port serves all networks of
// its type.
type Tunnel struct {
	Bridge string
	Name   string     // as TunnelName makes it
	Type   string     // "vxlan", "gre" or "geneve"
	Local  netip.Addr // source address of the tunnelled packets
	Remote netip.Addr // the other host
	// Probe is how often either end of the tunnel tells the other, by BFD (RFC 5880), that it is there; a whole
	// number of milliseconds. Zero is no session of Heddle's; one that others set up stays as they did. A session of
	// Heddle's that was found with other settings has a negative Probe.
	Probe time.Duration
}

// NewTunnel returns the tunnel port with the name that belongs to its type and remote address.
func NewTunnel(bridge, typ string, local, remote netip.Addr) Tunnel {
	return Tunnel{Bridge: bridge, Name: TunnelName(typ, remote), Type: typ, Local: local.Unmap(), Remote: remote.Unmap()}
}

// Key returns the key of the port.
func (t Tunnel) Key() Key { return Key{KindPort, t.Name} }

// Options returns Interface.options of the tunnel (ovs-vswitchd.conf.db(5), "Tunnel Options"): key from and to the
// flow, don't-fragment as the inner MTU leaves room for the header, no packet mark.
func (t Tunnel) Options() map[string]string {
	return map[string]string{
		"df_default": "true", "egress_pkt_mark": "0", "in_key": "flow", "out_key": "flow",
		"local_ip": t.Local.String(), "remote_ip": t.Remote.String(),
	}
}

// BFD returns the keys of Interface.bfd (ovs-vswitchd.conf.db(5), "BFD Configuration") of a tunnel's session.
func (t Tunnel) BFD() map[string]string {
	if t.Probe <= 0 {
		return nil
	}
	ms := strconv.FormatInt(t.Probe.Milliseconds(), 10)
	return map[string]string{"enable": "true", "min_rx": ms, "min_tx": ms}
}

// BFDKeys returns the keys that [Tunnel.BFD] writes.
func BFDKeys() []string { return []string{"enable", "min_rx", "min_tx"} }

// ProbeOf reads the keys that [Tunnel.BFD] writes: how often the session probes, 0 if there is none, negative if it
// is none that Heddle would set up. Other keys are somebody else's and do not matter.
func ProbeOf(bfd map[string]string) time.Duration {
	if bfd["enable"] != "true" {
		return 0
	}
	ms, err := strconv.ParseUint(bfd["min_rx"], 10, 31)
	if err != nil || ms == 0 || bfd["min_tx"] != bfd["min_rx"] {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

// Port is a port of Heddle's that was found in a shape Heddle does not give one: altered by hand. It equals nothing.
type Port struct {
	Bridge  string
	Name    string
	Type    string
	Options string // as ovs-vsctl(8) shows them
}

// Key returns the key of the port.
func (p Port) Key() Key { return Key{KindPort, p.Name} }

// DeadVLAN is the tag of a port on br-int whose owner is not known (yet): its frames match no network and are dropped.
const DeadVLAN = 4095

// Tag is the local VLAN of a port that someone else plugged into br-int. Heddle sets it and never makes or deletes the
// port. A port with an iface-id that no Tag is wanted for gets DeadVLAN.
type Tag struct {
	Port string
	VLAN uint16 // 1 to 4094; 0 is found on a port that is no access port
	// IfaceID is the external_ids:iface-id the port must have for the tag: with another one it is someone else's port
	// that took the name, and gets DeadVLAN. Empty accepts any.
	IfaceID string
}

// Key returns the key of the tag.
func (t Tag) Key() Key { return Key{KindTag, t.Port} }

// Equal reports whether a row that was found is as wanted. What others added to a bridge is no difference.
func Equal(want, have Row) bool {
	switch w := want.(type) {
	case Bridge:
		h, ok := have.(Bridge)
		return ok && w.Name == h.Name &&
			cmp.Or(w.FailMode, "secure") == cmp.Or(h.FailMode, "secure") &&
			(w.DatapathType == "" || h.DatapathType == "" || w.DatapathType == h.DatapathType) &&
			sameSet(w.Targets(), h.Targets()) &&
			len(MissingProtocols(w, h.Protocols)) == 0 &&
			containsMap(h.OtherConfig, w.OtherConfig)
	case Tag:
		h, ok := have.(Tag)
		return ok && w.Port == h.Port && w.VLAN == h.VLAN && (w.IfaceID == "" || w.IfaceID == h.IfaceID)
	case Patch, Tunnel:
		return want == have
	}
	return false
}

// MissingProtocols returns the protocols that a bridge must speak and does not. A bridge where none is set speaks all.
func MissingProtocols(want Bridge, have []string) []string {
	if len(have) == 0 {
		return nil
	}
	must := want.Protocols
	if must == nil {
		must = []string{"OpenFlow13"}
	}
	return slices.DeleteFunc(slices.Clone(must), func(p string) bool { return slices.Contains(have, p) })
}

func sameSet(a, b []string) bool { return containsAll(a, b) && containsAll(b, a) }

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func containsMap(all, some map[string]string) bool {
	for k, v := range some {
		if w, ok := all[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// Check returns an error for a row that no database would take, or that would break its host.
func Check(r Row) error {
	switch r := r.(type) {
	case Bridge:
		if r.FailMode != "" && r.FailMode != "secure" {
			return fmt.Errorf("%s: fail mode %q", r.Key(), r.FailMode)
		}
		if r.DatapathType != "" && r.DatapathType != "system" && r.DatapathType != "netdev" {
			return fmt.Errorf("%s: datapath type %q is neither system nor netdev", r.Key(), r.DatapathType)
		}
		return checkName(r.Key(), r.Name)
	case Patch:
		if r.Peer == r.Name || r.Peer == "" {
			return fmt.Errorf("%s: peer %q", r.Key(), r.Peer)
		}
		return checkName(r.Key(), r.Name, r.Bridge)
	case Tunnel:
		if !slices.Contains(TunnelTypes(), r.Type) {
			return fmt.Errorf("%s: tunnel type %q", r.Key(), r.Type)
		}
		if !r.Local.IsValid() || !r.Remote.IsValid() || r.Local.Is4() != r.Remote.Is4() {
			return fmt.Errorf("%s: from %s to %s", r.Key(), r.Local, r.Remote)
		}
		if r.Probe < 0 || r.Probe%time.Millisecond != 0 {
			return fmt.Errorf("%s: probed every %s", r.Key(), r.Probe)
		}
		return checkName(r.Key(), r.Name, r.Bridge)
	case Tag:
		if r.VLAN < 1 || r.VLAN >= DeadVLAN {
			return fmt.Errorf("%s: vlan %d is not in 1 to %d", r.Key(), r.VLAN, DeadVLAN-1)
		}
		return nil
	}
	return fmt.Errorf("%T cannot be wanted", r)
}

func checkName(k Key, names ...string) error {
	for _, n := range names {
		if !ValidName(n) {
			return fmt.Errorf("%s: %q cannot be the name of a port or bridge", k, n)
		}
	}
	return nil
}
