package explain

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/nft"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// arrive is what happens behind a port of br-int.
func (w *walk) arrive(h *host, iface string, no of.PortNo, p interp.Packet, parent int) {
	at := station{host: h, bridge: row.IntBridge, inPort: no, iface: iface, port: w.portAt(h.name, iface)}
	if e, ok := h.ends[iface]; ok {
		at.end, at.mac = &e, e.link.MAC
		if at.port == nil {
			at.port, _ = w.m.Ports.Get(e.link.Port)
		}
		w.arriveSpace(at, p, parent)
		return
	}
	if at.port == nil {
		w.end(parent, h, row.IntBridge, *causef(minor, UnknownPort, "interface %s is of no port of the API", iface))
		return
	}
	switch at.port.DeviceOwner {
	case model.OwnerRouterInterface, model.OwnerRouterGateway:
		w.end(parent, h, iface, *w.routerNotThere(at.port))
		return
	case model.OwnerDHCP:
		w.end(parent, h, iface, *causef(major, NoService, "%s is plugged%s, and no DHCP service is planned there", w.title(at.port), w.on(h)))
		return
	}
	at.mac = at.port.MAC
	if w.inquiryAt(at, func(a netip.Addr) bool { return owns(at.port, a) }, p, parent) {
		return
	}
	title := w.title(at.port)
	switch {
	case p.EthDst != at.mac && !p.EthDst.IsMulticast():
		w.end(parent, h, iface, cause{weight: aside, reason: NotForIt, msg: title + " gets a copy that is not for it, and ignores it"})
	case p.EthDst.IsMulticast() || owns(at.port, p.IP.Dst):
		w.deliver(at, p, parent, iface, fmt.Sprintf("%s%s gets it", title, w.on(h)))
	default:
		w.end(parent, h, iface, *causef(major, NotItsAddress, "%s gets it, and does not have %s: what it does then is its system's business", title, p.IP.Dst))
	}
}

// owns reports whether a port may use an address.
func owns(p *model.Port, a netip.Addr) bool {
	if slices.Contains(p.Addresses(), a) || a == p.MAC.LinkLocal() {
		return true
	}
	return slices.ContainsFunc(p.AddressPairs, func(pair model.AddressPair) bool {
		if prefix, err := netip.ParsePrefix(pair.IP); err == nil {
			return prefix.Contains(a)
		}
		return pair.IP == a.String()
	})
}

// arriveSpace is what happens in a namespace.
func (w *walk) arriveSpace(at station, p interp.Packet, parent int) {
	space := at.end.space
	if w.inquiryAt(at, func(a netip.Addr) bool { return space.Answers(at.end.link.Name, a) }, p, parent) {
		return
	}
	ns := space.Spec()
	if p.EthDst != at.mac && !p.EthDst.IsMulticast() {
		w.end(parent, at.host, ns.Name, cause{weight: aside, reason: NotForIt, msg: fmt.Sprintf("%s gets a copy that is not for it, and ignores it", w.spaceTitle(ns.Object))})
		return
	}
	step := Step{Kind: KindNamespace, Host: at.host.name, Where: ns.Name, Packet: p.String(),
		Says: fmt.Sprintf("it comes into %s by %s", w.spaceTitle(ns.Object), at.end.link.Name)}
	step.Object, step.ObjectName = w.named(ns.Object)
	id := w.add(parent, step)
	w.agent(at.host, ns.Name)
	out := space.Receive(at.end.link.Name, layer3(p), w.sessions)
	if out.Fate == kernel.Local && w.inSpace(at.host, space, &out, p, id) {
		w.deliver(at, written(p, out.Packet), w.last(), ns.Name, w.service(space, out.Packet))
		return
	}
	w.leaveSpace(at.host, space, out, p, id)
}

// agent notes what the agent says of a namespace.
func (w *walk) agent(h *host, ns string) {
	switch {
	case h.Node == nil:
		w.note("no agent of %s ever reported, so it is not known whether %s is there", w.hostTitle(h), ns)
	case !h.Node.Connected:
		w.note("the agent of %s does not report: %s is told of as it should be", w.hostTitle(h), ns)
	case h.Node.Objects[ns].Error != "":
		w.note("the agent of %s has not made all of %s: %s", w.hostTitle(h), ns, h.Node.Objects[ns].Error)
	}
}

func (w *walk) last() int { return len(w.steps) - 1 }

// inSpace tells what the kernel did, and reports whether the packet goes on.
func (w *walk) inSpace(h *host, space *kernel.Space, out *kernel.Outcome, p interp.Packet, parent int) bool {
	ns := space.Spec()
	for _, s := range out.Steps {
		step := Step{Host: h.name, Where: ns.Name, Text: s.Text, Packet: written(p, s.Packet).String()}
		step.Object, step.ObjectName = w.named(ns.Object)
		switch s.Kind {
		case kernel.Look:
			step.Kind, step.Says = KindRoute, w.routeSays(s)
		case kernel.Track:
			step.Kind, step.Text, step.Says = KindNFT, "", "it is of a connection that is translated: "+s.Text
		default:
			step.Kind = KindNFT
			w.ruleStep(ns.Object, s.Hit, &step)
		}
		parent = w.add(parent, step)
	}
	switch out.Fate {
	case kernel.Drop:
		w.end(w.last(), h, ns.Name, cause{weight: major, reason: Reason(out.Reason), msg: w.spaceDrop(ns, out)})
		return false
	case kernel.Unknown:
		w.end(w.last(), h, ns.Name, cause{weight: broken, reason: Reason(out.Reason), msg: out.Message, unknown: true})
		return false
	}
	return true
}

// leaveSpace sends a packet on its way out of a namespace.
func (w *walk) leaveSpace(h *host, space *kernel.Space, out kernel.Outcome, p interp.Packet, parent int) {
	if !w.inSpace(h, space, &out, p, parent) {
		return
	}
	id, ns := w.last(), space.Spec()
	link, _ := space.Link(out.Link)
	port, _ := w.m.Ports.Get(link.Port)
	no, ok := h.port(row.IntBridge, link.Peer)
	if !ok {
		w.end(id, h, ns.Name, *causef(broken, PortNotOnSwitch, "link %s of %s is not plugged: br-int%s has no port %s", link.Name, w.spaceTitle(ns.Object), w.on(h), link.Peer))
		return
	}
	from := station{host: h, bridge: row.IntBridge, inPort: no, iface: link.Peer, mac: link.MAC, port: port, end: &end{space, link}}
	frame := written(p, out.Packet).At(no)
	frame.EthSrc, frame.VLANs = link.MAC, [2]interp.VLAN{}
	if frame.EthDst = groupMAC(out.NextHop); frame.EthDst.IsZero() {
		mac, found := w.resolve(from, sourceOn(link, out.NextHop), out.NextHop, id)
		if !found {
			return
		}
		frame.EthDst = mac
	}
	w.emit(from, frame, id)
}

// sourceOn is the address with which a link asks for another (arp_announce 2).
func sourceOn(l spec.Link, to netip.Addr) netip.Addr {
	var found netip.Addr
	for _, p := range l.Addresses {
		if p.Addr().Is4() == to.Is4() && (!found.IsValid() || p.Contains(to)) {
			found = p.Addr()
		}
	}
	return found
}

// written is a frame with what a namespace made of the packet in it.
func written(p interp.Packet, k kernel.Packet) interp.Packet {
	p.IP.Src, p.IP.Dst, p.IP.TTL = k.Src, k.Dst, k.TTL
	if k.Protocol != nft.ICMP && k.Protocol != nft.ICMPv6 {
		p.Transport.Src, p.Transport.Dst = k.SrcPort, k.DstPort
	}
	return p
}

// spaceDrop says why a namespace drops a packet.
func (w *walk) spaceDrop(ns spec.Namespace, out *kernel.Outcome) string {
	if r, ok := w.byName(ns.Object).(*model.Router); ok && out.Reason == string(NoRoute) && r.Gateway == nil {
		return fmt.Sprintf("%s has no route to %s: it has no gateway; set its external gateway, or add a route", w.title(r), out.Packet.Dst)
	}
	if fip := w.floatingIPAt(out.Packet.Dst); fip != nil && out.Reason == "DroppedByRule" {
		return fmt.Sprintf("%s is not translated by %s: %s", w.title(fip), w.spaceTitle(ns.Object), out.Message)
	}
	return out.Message
}
