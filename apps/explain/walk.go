package explain

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/nft"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

// walk is one packet, with all copies of it, on its way.
type walk struct {
	*fabric
	sessions *kernel.Sessions
	goal     goal
	inquiry  *inquiry // the packet asks for a MAC address
	steps    []Step
	depth    int       // how many bridges after each other the copy that is followed has entered
	ends     []cause   // of copies
	copies   []arrival // that somebody got
	got      *arrival  // the one that was meant
	notes    []string  // what else is to be known
	first    string    // the packet as it starts
}

// arrival is a packet that somebody got.
type arrival struct {
	station station
	p       kernel.Packet // as it came
	says    string
}

// maxDepth bounds how many bridges after each other a packet may enter: where routers send packets in a
// circle, their time to live ends it sooner.
const maxDepth = 300

// start is the parent of steps that follow from none.
const start = -1

func (w *walk) add(parent int, s Step) int {
	s.ID = len(w.steps)
	if parent != start {
		s.Parent = &parent
	}
	w.steps = append(w.steps, s)
	return s.ID
}

// end ends a copy of the packet.
func (w *walk) end(parent int, h *host, where string, c cause) {
	c = w.fit(c)
	w.ends = append(w.ends, c)
	w.add(parent, Step{Kind: KindDrop, Host: hostName(h), Where: where, Says: c.msg, Reason: c.reason})
}

// endInside ends a copy for a cause that is a matter of bridges and tunnels.
func (w *walk) endInside(parent int, h *host, where string, c cause) {
	c.inside = true
	w.end(parent, h, where, c)
}

// fit leaves out of a cause what whoever asks must not know.
func (f *fabric) fit(c cause) cause {
	switch {
	case f.sees == nil:
	case c.weight == broken:
		c.msg = "something in the cloud is not as it should be (" + string(c.reason) + "); its operator can see what"
	case c.inside:
		c.msg = "nothing in the cloud takes it further (" + string(c.reason) + ")"
	}
	return c
}

// wrong notes what is not as it should be in a bridge that the packet met. It ends no copy by itself, and is
// why the packet does not arrive, if it does not.
func (w *walk) wrong(reason Reason, format string, args ...any) {
	w.ends = append(w.ends, w.fit(*causef(broken, reason, format, args...)))
}

func hostName(h *host) string {
	if h == nil {
		return ""
	}
	return h.name
}

// note adds what else is to be known, once.
func (w *walk) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); w.sees == nil && !slices.Contains(w.notes, n) {
		w.notes = append(w.notes, n)
	}
}

// begin sends the packet that was asked for.
func (w *walk) begin(a asked) {
	frame := a.frame()
	w.first = frame.String()
	id := w.add(start, w.startStep(a, frame))
	if a.cannot != nil {
		w.end(id, a.from.host, a.from.bridge, *a.cannot)
		return
	}
	if a.arp {
		w.inquiry = &inquiry{from: a.from, target: a.p.Dst}
		w.emit(a.from, inquiryFrame(a.from.mac, a.p.Src, a.p.Dst), id)
		return
	}
	if a.from.end != nil && a.dstMAC.IsZero() {
		w.leaveSpace(a.from.host, a.from.end.space, a.from.end.space.Send(a.p, w.sessions), frame, id)
		return
	}
	if frame.EthDst.IsZero() {
		next, why := w.nextHop(a)
		if why != nil {
			w.end(id, a.from.host, a.from.bridge, *why)
			return
		}
		mac, ok := w.resolve(a.from, a.p.Src, next, id)
		if !ok {
			return
		}
		frame.EthDst = mac
	}
	w.emit(a.from, frame, id)
}

func (w *walk) startStep(a asked, frame interp.Packet) Step {
	s := Step{Kind: KindStart, Host: hostName(a.from.host), Where: a.from.bridge, Packet: w.first}
	what := "sends"
	if a.reply {
		what = "answers with"
	}
	if a.arp {
		s.Says = fmt.Sprintf("%s asks who has %s", w.stationTitle(&a.from), a.p.Dst)
	} else {
		s.Says = fmt.Sprintf("%s %s %s", w.stationTitle(&a.from), what, w.packetSays(a.p))
	}
	if a.from.port != nil {
		s.Object, s.ObjectName = w.object(a.from.port)
	}
	return s
}

// frame is the packet as its sender makes it; its destination address is zero if that has to be found out.
func (a *asked) frame() interp.Packet {
	if a.arp {
		return inquiryFrame(a.from.mac, a.p.Src, a.p.Dst)
	}
	p := interp.Packet{EthSrc: a.from.mac, EthDst: a.dstMAC, EthType: of.EthTypeIPv4,
		IP: interp.IP{Src: a.p.Src, Dst: a.p.Dst, Proto: a.p.Protocol, TTL: a.p.TTL}, Transport: interp.Transport{Src: a.p.SrcPort, Dst: a.p.DstPort}}
	if a.p.Dst.Is6() {
		p.EthType = of.EthTypeIPv6
	}
	if p.EthDst.IsZero() {
		p.EthDst = groupMAC(a.p.Dst)
	}
	switch a.p.Protocol {
	case nft.ICMP:
		if p.Transport.Src = icmpEcho; a.reply {
			p.Transport.Src = 0
		}
	case nft.ICMPv6:
		if p.Transport.Src = icmp6Echo; a.reply {
			p.Transport.Src = icmp6Echo + 1
		}
	case nft.TCP:
		if p.Transport.TCPFlags = tcpSYN; a.reply {
			p.Transport.TCPFlags = tcpSYN | tcpACK
		}
	}
	return p
}

// Types of ICMP (RFC 792) and ICMPv6 (RFC 4443) echo requests, and flags of TCP (RFC 9293).
const (
	icmpEcho  = 8
	icmp6Echo = 128
	tcpSYN    = 0x02
	tcpACK    = 0x10
)

// groupMAC is the address for frames to an address of many (RFC 1112 §6.4, RFC 2464 §7); zero for one of
// a single host.
func groupMAC(ip netip.Addr) of.MAC {
	switch b := ip.AsSlice(); {
	case ip == everybody:
		return of.Broadcast
	case !ip.IsMulticast():
		return of.MAC{}
	case ip.Is4():
		return of.MAC{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	default:
		return of.MAC{0x33, 0x33, b[12], b[13], b[14], b[15]}
	}
}

// layer3 is what namespaces and receivers see of a frame.
func layer3(p interp.Packet) kernel.Packet {
	out := kernel.Packet{Src: p.IP.Src, Dst: p.IP.Dst, Protocol: p.IP.Proto, TTL: p.IP.TTL}
	if out.Protocol != nft.ICMP && out.Protocol != nft.ICMPv6 {
		out.SrcPort, out.DstPort = p.Transport.Src, p.Transport.Dst
	}
	return out
}

// emit sends a frame from a station.
func (w *walk) emit(from station, p interp.Packet, parent int) {
	if from.outside != nil {
		w.comeIn(from.outside, nil, p, parent)
		return
	}
	w.enter(from.host, from.bridge, p.At(from.inPort), parent)
}

// nextHop is who has to take the packet first: the receiver, or a router.
func (w *walk) nextHop(a asked) (netip.Addr, *cause) {
	dst := a.p.Dst
	switch {
	case a.from.outside != nil:
		if w.subnetWith(a.from.outside, dst) == nil {
			return netip.Addr{}, causef(major, NoRoute, "outside nobody knows the way to %s, which is not an address of %s: is enable_snat off, or the address inside?", dst, w.title(a.from.outside))
		}
		return dst, nil
	case a.from.port == nil || dst.IsLinkLocalUnicast() && dst.Is6():
		return dst, nil
	}
	var of *model.Subnet // that the sender's address is of
	for _, ip := range a.from.port.FixedIPs {
		s, ok := w.m.Subnets.Get(ip.Subnet)
		if !ok || s.CIDR.Addr().Is4() != dst.Is4() {
			continue
		}
		if ip.IP == dst {
			return netip.Addr{}, causef(major, OwnAddress, "%s is an address of %s itself: the packet does not leave it", dst, w.title(a.from.port))
		}
		if s.CIDR.Contains(dst) {
			return dst, nil
		}
		if of == nil || s.CIDR.Contains(a.p.Src) {
			of = s
		}
	}
	if of == nil {
		return netip.Addr{}, causef(major, NoRoute, "%s has no address of the IP version of %s", w.title(a.from.port), dst)
	}
	return w.routeOf(of, dst)
}

// routeOf is the router that the hosts of a subnet take for an address.
func (w *walk) routeOf(s *model.Subnet, dst netip.Addr) (netip.Addr, *cause) {
	var best model.Route
	for _, r := range s.HostRoutes {
		if r.Destination.Contains(dst) && (!best.NextHop.IsValid() || r.Destination.Bits() > best.Destination.Bits()) {
			best = r
		}
	}
	switch {
	case best.NextHop.IsValid():
		return best.NextHop, nil
	case dst == metadata4 && (!s.Gateway.IsValid() || w.userOfSubnet(s, s.Gateway) == nil):
		// Where no router has the gateway's address, DHCP tells of a route over its own.
		for _, p := range w.m.PortsOf(s.Network) {
			for _, ip := range p.FixedIPs {
				if p.DeviceOwner == model.OwnerDHCP && ip.Subnet == s.ID {
					return ip.IP, nil
				}
			}
		}
	}
	if !s.Gateway.IsValid() {
		return netip.Addr{}, causef(major, NoRoute, "hosts of %s have no route to %s: it has no gateway_ip, and no host route that leads there", w.title(s), dst)
	}
	return s.Gateway, nil
}

func (w *walk) userOfSubnet(s *model.Subnet, ip netip.Addr) *model.Port {
	id, _ := w.m.AddressUser(s.ID, ip)
	p, _ := w.m.Ports.Get(id)
	return p
}

// deliver lets a station have a copy of the packet.
func (w *walk) deliver(to station, p interp.Packet, parent int, where, says string) {
	s := Step{Kind: KindDeliver, Host: hostName(to.host), Where: where, Says: says}
	if to.port != nil {
		s.Object, s.ObjectName = w.object(to.port)
	}
	w.add(parent, s)
	got := arrival{station: to, p: layer3(p), says: says}
	w.copies = append(w.copies, got)
	if w.got == nil && w.goal.accepts(&to) {
		w.got = &got
	}
}

// answer is what became of the packet.
func (w *walk) answer(a asked) *Answer {
	out := &Answer{Packet: w.first, Steps: w.steps, Delivered: []Delivery{}}
	many := a.p.Dst == everybody && !w.goal.dhcp || a.p.Dst.IsMulticast()
	switch {
	case w.inquiry != nil && w.inquiry.found:
		out.Verdict = Delivered
		out.Message = fmt.Sprintf("%s is at %s, the address of %s", a.p.Dst, w.inquiry.mac, w.stationTitle(w.inquiry.owner))
		out.add(w.inquiry.owner, w.fabric)
	case w.got != nil && !many:
		out.Verdict, out.Message = Delivered, fmt.Sprintf("%s (%s)", w.got.says, w.packetSays(w.got.p))
		out.add(&w.got.station, w.fabric)
	case len(w.copies) > 0 && many:
		out.Verdict, out.Message = Flooded, fmt.Sprintf("it is for many, and arrives at %d", len(w.copies))
		for i := range w.copies {
			out.add(&w.copies[i].station, w.fabric)
		}
	default:
		w.fail(out, a)
	}
	if out.Verdict == Delivered {
		for _, c := range w.ends {
			if c.weight == broken {
				w.note("all is not well, though: %s", c.msg)
			}
		}
	}
	out.Message = sentence(out.Message, w.notes)
	return out
}

// fail says why the packet was not delivered.
func (w *walk) fail(out *Answer, a asked) {
	c := pick(w.ends)
	out.Verdict, out.Reason, out.Message = Dropped, c.reason, c.msg
	switch {
	case c.unknown:
		out.Verdict = Unknown
	case w.inquiry != nil:
		why := w.fit(w.unanswered(a.from, a.p.Dst))
		out.Reason, out.Message = why.reason, why.msg
	case len(w.copies) > 0 && c.weight < broken:
		out.Reason = OtherReceiver
		out.Message = fmt.Sprintf("it does not get to whom it was meant for: %s", w.copies[0].says)
	case c.weight == aside && !a.dstMAC.IsZero():
		out.Message = fmt.Sprintf("nobody who gets a copy has the MAC address %s", a.dstMAC)
	case w.goal.dhcp && c.weight < broken:
		if why := w.noDHCP(a.from.port); why != nil {
			out.Reason, out.Message = why.reason, why.msg
		}
	}
	if out.Verdict == Dropped {
		for i := range w.copies {
			out.add(&w.copies[i].station, w.fabric)
		}
	}
}

// add adds a receiver.
func (a *Answer) add(s *station, f *fabric) {
	d := Delivery{Host: hostName(cmp.Or(s.host, s.exit)), Interface: s.iface}
	switch {
	case s.outside != nil:
		if d.Name = "physical network " + s.outside.Physnet; f.sees != nil {
			d.Name = "outside"
		}
	case s.port != nil:
		if _, d.Name = f.object(s.port); f.sees == nil || f.sees(s.port) {
			d.Port = s.port.ID
		}
	}
	if s.end != nil && d.Name == "" {
		d.Name = f.spaceTitle(s.end.space.Spec().Object)
	}
	a.Delivered = append(a.Delivered, d)
}

// reply is the packet with which who got one answers it.
func (a *arrival) reply() asked {
	p := a.p.Reversed()
	p.TTL = 64
	return asked{from: a.station, p: p, reply: true}
}
