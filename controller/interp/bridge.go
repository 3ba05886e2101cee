package interp

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Bridge is a switch, as far as it decides what becomes of a packet. Its methods that change it must not run while
// others do; any number of Runs may.
type Bridge struct {
	name    string
	tables  [256]table
	ports   map[of.PortNo]*Port
	order   []*Port // by number
	groups  map[of.GroupID]of.GroupEntry
	macs    map[macKey]of.PortNo
	track   Tracker
	choose  Chooser
	unknown []of.Flow
}

// Config is what a Bridge is made of. Flows may be desired or dumped ones; they must not be changed while the bridge is
// used.
type Config struct {
	Name   string
	Flows  []of.Flow
	Ports  []Port
	Groups []of.GroupEntry
	MACs   []MAC   // that NORMAL learned
	Track  Tracker // nil for NewConnection
	Choose Chooser // nil for the live bucket of the highest weight
}

// Chooser picks the bucket that a select group uses for a packet, among those that are live: one of the indices in
// live.
type Chooser func(g of.GroupEntry, p Packet, live []int) int

// Port is a port of a bridge.
type Port struct {
	No       of.PortNo
	Name     string
	Down     bool // taken down, or without a carrier: it sends and receives nothing, and is not live
	NoFlood  bool // FLOOD and NORMAL's flooding leave it out
	VLANMode VLANMode
	VLAN     uint16   // access or native VLAN
	Trunks   []uint16 // VLANs that a trunk carries; none stands for all
	// Local and Remote are the outer addresses of a tunnel port whose key is that of the packet (key=flow).
	Local, Remote netip.Addr

	peer     *Bridge
	peerPort of.PortNo
}

// VLANMode is how NORMAL sees a port (vlan_mode in ovs-vswitchd.conf.db(5)).
type VLANMode uint8

// The modes of ports. A port without a tag is a trunk, one with a tag an access port.
const (
	Trunk VLANMode = iota
	Access
	NativeTagged
	NativeUntagged
)

// MAC is an entry of the table in which NORMAL remembers where addresses are.
type MAC struct {
	VLAN    uint16
	Address of.MAC
	Port    of.PortNo
}

type macKey struct {
	vlan    uint16
	address of.MAC
}

// NewBridge makes a bridge. Of two flows with equal table, priority and match the later one counts, as with a switch.
func NewBridge(c Config) *Bridge {
	b := &Bridge{name: c.Name, ports: map[of.PortNo]*Port{}, groups: map[of.GroupID]of.GroupEntry{}, macs: map[macKey]of.PortNo{},
		track: c.Track, choose: c.Choose}
	if b.track == nil {
		b.track = NewConnection
	}
	for _, p := range c.Ports {
		b.ports[p.No] = &p
	}
	b.order = slices.SortedFunc(maps.Values(b.ports), func(x, y *Port) int { return cmp.Compare(x.No, y.No) })
	for _, g := range c.Groups {
		b.groups[g.ID] = g
	}
	for _, m := range c.MACs {
		b.Learn(m)
	}
	for i := range c.Flows {
		b.add(&c.Flows[i])
	}
	return b
}

// Name is the bridge's name.
func (b *Bridge) Name() string { return b.name }

// Patch connects a port of each of two bridges, which may be one bridge, by a patch cable: a packet that goes out of
// the one comes in by the other within the same Run. Ports that do not exist are made.
func Patch(a *Bridge, portA of.PortNo, b *Bridge, portB of.PortNo) {
	a.plug(portA, b, portB)
	b.plug(portB, a, portA)
}

func (b *Bridge) plug(no of.PortNo, peer *Bridge, peerPort of.PortNo) {
	if b.ports[no] == nil {
		b.SetPort(Port{No: no})
	}
	p := b.ports[no]
	p.peer, p.peerPort = peer, peerPort
}

// SetPort adds a port, or puts it in place of the one that has its number. It has no patch cable.
func (b *Bridge) SetPort(p Port) {
	i, has := slices.BinarySearchFunc(b.order, p.No, byNumber)
	if has {
		b.order[i] = &p
	} else {
		b.order = slices.Insert(b.order, i, &p)
	}
	b.ports[p.No] = &p
}

// RemovePort removes a port, if there is one with the number.
func (b *Bridge) RemovePort(no of.PortNo) {
	if i, has := slices.BinarySearchFunc(b.order, no, byNumber); has {
		b.order = slices.Delete(b.order, i, i+1)
		delete(b.ports, no)
	}
}

func byNumber(p *Port, no of.PortNo) int { return cmp.Compare(p.No, no) }

// Port returns a port by its number; ok is false if the bridge has none of it.
func (b *Bridge) Port(no of.PortNo) (p Port, ok bool) {
	if p := b.ports[no]; p != nil {
		return *p, true
	}
	return Port{}, false
}

// PortNamed returns the number of a port by its name; ok is false if the bridge has no such port.
func (b *Bridge) PortNamed(name string) (no of.PortNo, ok bool) {
	i := slices.IndexFunc(b.order, func(p *Port) bool { return p.Name == name })
	if i < 0 {
		return 0, false
	}
	return b.order[i].No, true
}

// Peer returns the bridge and port at the other end of a patch port; nil if the port is none.
func (p Port) Peer() (*Bridge, of.PortNo) { return p.peer, p.peerPort }

// Add puts a flow into its table, in place of the one with the same priority and match if there is one.
func (b *Bridge) Add(f of.Flow) { b.add(&f) }

func (b *Bridge) add(f *of.Flow) {
	if !known(f.Match) {
		b.unknown = append(b.unknown, *f)
		return
	}
	b.tables[f.Table].add(f)
}

// Remove takes out the flow with the table, priority and match of f and reports whether there was one.
func (b *Bridge) Remove(f of.Flow) bool {
	return known(f.Match) && b.tables[f.Table].remove(f.Match, f.Priority)
}

// Learn remembers where NORMAL finds an address, as it does with the source of each packet.
func (b *Bridge) Learn(m MAC) { b.macs[macKey{m.VLAN, m.Address}] = m.Port }

// Unknown are the flows that were added and match on what a Packet does not hold, such as MPLS labels and
// conjunctions. No packet matches them here.
func (b *Bridge) Unknown() []of.Flow { return b.unknown }
