package explain

import (
	"fmt"
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/nft"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

// Operations of ARP (RFC 826) and types of neighbour discovery (RFC 4861).
const (
	arpRequest = 1
	arpReply   = 2
	ndSolicit  = 135
	ndAdvert   = 136
)

// inquiry asks who on a network has an address: by ARP, or by neighbour discovery.
type inquiry struct {
	from   station
	target netip.Addr
	by     Step     // of the first who answered
	owner  *station // likewise
	found  bool     // the answer came back
	mac    of.MAC
}

// answered notes who answered first.
func (q *inquiry) answered(by Step, owner *station) {
	if q.by.Says == "" {
		q.by, q.owner = by, owner
	}
}

// inquiryFrame asks for the MAC address of an address.
func inquiryFrame(mac of.MAC, src, target netip.Addr) interp.Packet {
	if target.Is4() {
		return interp.Packet{EthSrc: mac, EthDst: of.Broadcast, EthType: of.EthTypeARP, ARP: interp.ARP{Op: arpRequest, SPA: src, TPA: target, SHA: mac}}
	}
	b := target.As16()
	group := netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]}) // RFC 4291 §2.7.1
	return interp.Packet{EthSrc: mac, EthDst: groupMAC(group), EthType: of.EthTypeIPv6,
		IP:        interp.IP{Src: src, Dst: group, Proto: nft.ICMPv6, TTL: 255},
		Transport: interp.Transport{Src: ndSolicit}, ND: interp.ND{Target: target, SLL: mac}}
}

// answerFrame answers an inquiry.
func answerFrame(to interp.Packet, mac of.MAC) interp.Packet {
	if to.EthType == of.EthTypeARP {
		return interp.Packet{EthSrc: mac, EthDst: to.EthSrc, EthType: of.EthTypeARP,
			ARP: interp.ARP{Op: arpReply, SPA: to.ARP.TPA, TPA: to.ARP.SPA, SHA: mac, THA: to.ARP.SHA}}
	}
	return interp.Packet{EthSrc: mac, EthDst: to.EthSrc, EthType: of.EthTypeIPv6,
		IP:        interp.IP{Src: to.ND.Target, Dst: to.IP.Src, Proto: nft.ICMPv6, TTL: 255},
		Transport: interp.Transport{Src: ndAdvert}, ND: interp.ND{Target: to.ND.Target, TLL: mac}}
}

// inquires returns the address that a frame asks for, if it asks for one.
func inquires(p interp.Packet) (netip.Addr, bool) {
	switch {
	case p.EthType == of.EthTypeARP && p.ARP.Op == arpRequest:
		return p.ARP.TPA, true
	case p.EthType == of.EthTypeIPv6 && p.IP.Proto == nft.ICMPv6 && p.Transport.Src == ndSolicit:
		return p.ND.Target, true
	}
	return netip.Addr{}, false
}

// answers returns the MAC address that a frame tells, if it answers an inquiry.
func answers(p interp.Packet) (of.MAC, bool) {
	switch {
	case p.EthType == of.EthTypeARP && p.ARP.Op == arpReply:
		return p.ARP.SHA, true
	case p.EthType == of.EthTypeIPv6 && p.IP.Proto == nft.ICMPv6 && p.Transport.Src == ndAdvert:
		return p.ND.TLL, true
	}
	return of.MAC{}, false
}

// resolve finds the MAC address of who takes packets for an address, as a station on its network does it.
func (w *walk) resolve(from station, src, target netip.Addr, parent int) (of.MAC, bool) {
	sub := &walk{fabric: w.fabric, sessions: &kernel.Sessions{}, depth: w.depth, inquiry: &inquiry{from: from, target: target}}
	sub.emit(from, inquiryFrame(from.mac, src, target), start)
	step := Step{Kind: KindNeighbour, Host: hostName(from.host), Where: from.bridge}
	for _, n := range sub.notes {
		w.note("%s", n)
	}
	if q := sub.inquiry; q.found {
		step.Says = fmt.Sprintf("%s is at %s", target, q.mac)
		if w.sees == nil {
			step.Says += ": " + q.by.Says
		}
		step.Object, step.ObjectName, step.Text = q.by.Object, q.by.ObjectName, q.by.Text
		w.add(parent, step)
		return q.mac, true
	}
	step.Says = fmt.Sprintf("it asks who has %s, and gets no answer", target)
	id := w.add(parent, step)
	for _, s := range sub.steps {
		up := id
		if s.Parent != nil {
			up = id + 1 + *s.Parent
		}
		w.add(up, s)
	}
	w.end(id, from.host, from.bridge, sub.unanswered(from, target))
	return of.MAC{}, false
}

// unanswered says why an inquiry got no answer.
func (w *walk) unanswered(from station, target netip.Addr) cause {
	c := pick(w.ends)
	if w.inquiry.by.Says != "" {
		return cause{weight: max(c.weight, major), reason: c.reason, unknown: c.unknown,
			msg: fmt.Sprintf("%s answers for %s, but the answer does not come back: %s", w.stationTitle(w.inquiry.owner), target, c.msg)}
	}
	if n := w.networkOf(&from); n != nil {
		if why := w.nobody(n, target); why != nil {
			return *why
		}
		if why := w.pending(n); why != nil && c.weight < broken {
			return *why
		}
	}
	if c.weight < major {
		return *causef(major, NoSuchMAC, "nobody answers for %s", target)
	}
	c.msg = fmt.Sprintf("nobody answers for %s: %s", target, c.msg)
	return c
}

// networkOf returns the network that a station is on, nil if that is not known.
func (f *fabric) networkOf(s *station) *model.Network {
	switch {
	case s.outside != nil:
		return s.outside
	case s.port != nil:
		n, _ := f.m.Networks.Get(s.port.Network)
		return n
	}
	return nil
}

// inquiryAt lets a station answer an inquiry if it has the address, and reports whether the frame was one
// of inquiries.
func (w *walk) inquiryAt(at station, has func(netip.Addr) bool, p interp.Packet, parent int) bool {
	if mac, isAnswer := answers(p); isAnswer {
		if q := w.inquiry; q != nil && q.from.same(&at) && p.EthDst == q.from.mac {
			q.found, q.mac = true, mac
			w.add(parent, Step{Kind: KindDeliver, Host: hostName(at.host), Where: at.iface, Says: "the answer arrives"})
		}
		return true
	}
	target, is := inquires(p)
	if !is {
		return false
	}
	if !has(target) {
		w.end(parent, at.host, at.iface, cause{weight: aside, reason: NotAsked, msg: w.stationTitle(&at) + " does not have the address"})
		return true
	}
	step := Step{Kind: KindAnswer, Host: hostName(at.host), Where: at.iface, Says: fmt.Sprintf("%s has the address and answers", w.stationTitle(&at))}
	if at.port != nil {
		step.Object, step.ObjectName = w.object(at.port)
	}
	if w.inquiry != nil {
		w.inquiry.answered(step, &at)
	}
	w.emit(at, answerFrame(p, at.mac), w.add(parent, step))
	return true
}
