package explain

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/store/model"
)

// comeIn lets a frame into every host that is on the physical network of a network, but for the one that
// it is from. A physical network delivers what is for one station to that one.
func (w *walk) comeIn(n *model.Network, from *host, p interp.Packet, parent int) {
	found := false
	for _, name := range w.holders(n, p) {
		h := w.host(name)
		if h == nil || h == from {
			continue
		}
		m, _ := w.m.Hosts.Get(name)
		bridge := m.Settings().BridgeMappings[n.Physnet]
		iface, no, ok := h.outside(bridge)
		if bridge == "" || !ok {
			continue
		}
		found = true
		p.VLANs = [2]interp.VLAN{}
		if n.Type == model.TypeVLAN {
			p.VLANs[0] = interp.Tag(uint16(n.SegmentID))
		}
		in := p.At(no)
		id := w.add(parent, Step{Kind: KindOutput, Host: name, Where: bridge, Packet: in.String(),
			Says: fmt.Sprintf("it comes in from physical network %s by %s of %s", n.Physnet, iface, bridge)})
		w.enter(h, bridge, in, id)
	}
	if !found && from == nil {
		w.endInside(parent, nil, "", *causef(broken, NotConnected, "no host that holds %s has a bridge to physical network %s with a port that leads there", w.title(n), n.Physnet))
	}
}

// holders are the hosts that a frame on a physical network gets to.
func (w *walk) holders(n *model.Network, p interp.Packet) []string {
	all := w.m.HostsOf(n.ID)
	id, ok := w.m.MACUser(n.ID, p.EthDst)
	if !ok {
		return all
	}
	port, _ := w.m.Ports.Get(id)
	if home := w.m.HostOf(port); home != nil && slices.Contains(all, home.Host) {
		return []string{home.Host}
	}
	return all
}

// leaveBridge is what happens behind a port of a provider bridge.
func (w *walk) leaveBridge(h *host, bridge, iface string, p interp.Packet, parent int) {
	if out, _, ok := h.outside(bridge); !ok || out != iface {
		w.add(parent, Step{Kind: KindOutput, Host: h.name, Where: bridge, Packet: p.String(), Says: fmt.Sprintf("a copy leaves by %s, which is not looked at further", iface)})
		return
	}
	n := w.onWire(h, bridge, p)
	if n == nil {
		w.endInside(parent, h, bridge, *causef(minor, NoSegment, "a frame leaves by %s of %s in a VLAN that no network has there", iface, bridge))
		return
	}
	id := w.add(parent, Step{Kind: KindOutput, Host: h.name, Where: bridge, Packet: p.String(),
		Says: fmt.Sprintf("it leaves by %s of %s to physical network %s", iface, bridge, n.Physnet)})
	w.comeIn(n, h, p, id)
	w.arriveOutside(h, n, iface, p, id)
}

// onWire returns the network whose frames look like this behind a provider bridge.
func (w *walk) onWire(h *host, bridge string, p interp.Packet) *model.Network {
	m, _ := w.m.Hosts.Get(h.name)
	for physnet, to := range m.Settings().BridgeMappings {
		if to != bridge {
			continue
		}
		kind, segment := model.TypeFlat, uint32(0)
		if p.VLANs[0].Present() {
			kind, segment = model.TypeVLAN, uint32(p.VLANs[0].VID())
		}
		if id, ok := w.m.SegmentUser(kind, physnet, segment); ok {
			n, _ := w.m.Networks.Get(id)
			return n
		}
	}
	return nil
}

// arriveOutside is what happens on a physical network. Who is there is not known: an address that no port
// has is taken as someone's there.
func (w *walk) arriveOutside(h *host, n *model.Network, iface string, p interp.Packet, parent int) {
	at := station{outside: n, mac: outsideMAC}
	has := func(a netip.Addr) bool {
		if w.inquiry != nil && w.inquiry.from.outside != nil {
			return false // it would ask itself
		}
		return w.userOf(n, a) == nil && w.subnetWith(n, a) != nil
	}
	if w.inquiryAt(at, has, p, parent) {
		return
	}
	if p.EthDst != outsideMAC && !p.EthDst.IsMulticast() {
		return // for a port on another host
	}
	at.exit, at.iface = h, iface
	by := ""
	if w.sees == nil {
		by = fmt.Sprintf(", on physical network %s by %s%s", n.Physnet, iface, w.on(h))
	}
	w.deliver(at, p, parent, "", fmt.Sprintf("it is outside on %s%s; who is there is not known", w.title(n), by))
}

// hostAt names the host that a tunnel leads to.
func (f *fabric) hostAt(t row.Tunnel, from *host) string {
	for _, name := range f.m.Hosts.Sorted() {
		if other, _ := f.m.Hosts.Get(name); name != from.name && other.Settings().EncapIP.Unmap() == t.Remote {
			return fmt.Sprintf("host %s at %s", name, t.Remote)
		}
	}
	return t.Remote.String()
}
