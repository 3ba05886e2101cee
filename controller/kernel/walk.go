package kernel

import (
	"fmt"
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/nft"
)

// walk is one packet on its way through a namespace.
type walk struct {
	s        *Space
	sessions *Sessions
	out      Outcome
	p        nft.Packet
	ttl      uint8

	first   Packet  // as it was before it was translated
	session Session // that it is of, if tracked
	tracked bool
	answers bool
}

// Receive says what becomes of a packet that arrives by a link. What the packet begins is added to
// sessions.
func (s *Space) Receive(link string, p Packet, sessions *Sessions) Outcome {
	w := s.begin(p, sessions)
	w.p.In = link
	if !w.hook(nft.Prerouting) {
		return w.out
	}
	w.translateDst()
	if s.isLocal(w.p.Dst) {
		if w.hook(nft.Input) {
			w.settle(Local)
		}
		return w.out
	}
	if s.isLocal(w.p.Src) {
		return w.drop("MartianSource", "%s is an address of the namespace itself, so the kernel drops what comes from it", w.p.Src)
	}
	forwards, name := s.spec.Sysctls["net.ipv4.ip_forward"], "net.ipv4.ip_forward"
	if p.Dst.Is6() {
		forwards, name = s.spec.Sysctls["net.ipv6.conf.all.forwarding"], "net.ipv6.conf.all.forwarding"
	}
	switch {
	case forwards != "1":
		return w.drop("NotForwarding", "%s does not forward: %s is not 1", s.spec.Name, name)
	case p.Dst.Is6() && (w.p.Dst.IsLinkLocalUnicast() || w.p.Src.IsLinkLocalUnicast()):
		return w.drop("LinkLocal", "link-local addresses are not forwarded")
	case p.TTL <= 1:
		return w.drop("TTLExpired", "its time to live ran out in %s", s.spec.Name)
	}
	w.ttl = p.TTL - 1
	if !w.route() || !w.hook(nft.Forward) {
		return w.out
	}
	return w.leave()
}

// Send says which way a packet goes that the namespace itself makes.
func (s *Space) Send(p Packet, sessions *Sessions) Outcome {
	w := s.begin(p, sessions)
	if !w.route() || !w.hook(nft.Output) {
		return w.out
	}
	if w.p.Dst != p.Dst && !w.route() {
		return w.out
	}
	return w.leave()
}

func (s *Space) begin(p Packet, sessions *Sessions) *walk {
	w := &walk{s: s, sessions: sessions, p: p.rules(), ttl: p.TTL, first: p}
	w.p.State = nft.New
	w.out.Packet = p
	if w.session, w.answers, w.tracked = sessions.find(s.spec.Name, p); w.tracked {
		w.p.State = nft.Established
		w.p.DNAT, w.p.SNAT = w.session.dnat, w.session.snat
	}
	return w
}

// hook sends the packet through the chains of a hook and reports whether it goes on.
func (w *walk) hook(h nft.Hook) bool {
	table, err := w.s.rules()
	if err != nil {
		w.out.Fate, w.out.Reason, w.out.Message = Unknown, "RulesUnknown", "the rules of "+w.s.spec.Name+" cannot be read: "+err.Error()
		return false
	}
	if table == nil {
		return true
	}
	before := w.p
	r := table.Eval(h, w.p, w.s.linkAddress)
	w.p = r.Packet
	for i := range r.Hits {
		hit := &r.Hits[i]
		// What each rule made of the packet is seen at the end of the hook alone: at most one translates.
		after := r.Packet
		if hit.Does == nft.DoesAccept || hit.Does == nft.DoesUnknown {
			after = before
		}
		w.step(Step{Kind: Rule, Text: hit.Rule, Hit: hit}, after)
	}
	switch r.Verdict {
	case nft.Drop:
		w.drop("DroppedByRule", "chain %s of %s drops it: %s", r.Hits[len(r.Hits)-1].Chain, w.s.spec.Name, r.Hits[len(r.Hits)-1].Rule)
		return false
	case nft.Unknown:
		hit := r.Hits[len(r.Hits)-1]
		w.out.Fate, w.out.Reason = Unknown, "RulesUnknown"
		w.out.Message = fmt.Sprintf("what chain %s of %s does is not known: %s (%s)", hit.Chain, w.s.spec.Name, hit.Rule, hit.Cause)
		return false
	}
	return true
}

func (w *walk) step(s Step, after nft.Packet) {
	s.Packet = w.packet(after)
	w.out.Packet = s.Packet
	w.out.Steps = append(w.out.Steps, s)
}

func (w *walk) packet(p nft.Packet) Packet {
	return Packet{Src: p.Src, Dst: p.Dst, Protocol: p.Protocol, SrcPort: p.SrcPort, DstPort: p.DstPort, TTL: w.ttl}
}

// asTracked is what a packet of the tracked connection is translated to in the end.
func (w *walk) asTracked() tuple {
	if w.answers {
		return w.session.orig.reversed()
	}
	return w.session.reply.reversed()
}

// translateDst gives a packet of a tracked connection the destination that the connection's translation
// says, as the kernel does before it looks for a route.
func (w *walk) translateDst() {
	if !w.tracked {
		return
	}
	if to := w.asTracked(); w.p.Dst != to.dst || w.p.DstPort != to.dstPort {
		w.p.Dst, w.p.DstPort = to.dst, to.dstPort
		w.step(Step{Kind: Track, Text: "its destination becomes " + address(to.dst, to.dstPort)}, w.p)
	}
}

// translateSrc does the same with the source, when the packet leaves.
func (w *walk) translateSrc() {
	if !w.tracked {
		return
	}
	if to := w.asTracked(); w.p.Src != to.src || w.p.SrcPort != to.srcPort {
		w.p.Src, w.p.SrcPort = to.src, to.srcPort
		w.step(Step{Kind: Track, Text: "its source becomes " + address(to.src, to.srcPort)}, w.p)
	}
}

func address(a netip.Addr, port uint16) string {
	if port == 0 {
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

// route looks for the way to the packet's destination.
func (w *walk) route() bool {
	r, ok := w.s.route(w.p.Dst)
	if !ok {
		w.drop("NoRoute", "%s has no route to %s", w.s.spec.Name, w.p.Dst)
		return false
	}
	if r.Link == "" {
		w.drop("NoRoute", "the route of %s to %s leads over %s, which is on none of its subnets", w.s.spec.Name, w.p.Dst, r.Via)
		return false
	}
	w.p.Out, w.out.Link, w.out.NextHop = r.Link, r.Link, w.p.Dst
	if r.Via.IsValid() {
		w.out.NextHop = r.Via
	}
	w.step(Step{Kind: Look, Text: r.String(), Route: &r}, w.p)
	return true
}

// leave sends the packet out of the namespace.
func (w *walk) leave() Outcome {
	if w.hook(nft.Postrouting) {
		w.translateSrc()
		w.settle(Forward)
	}
	return w.out
}

// settle ends the walk well: the connection is tracked from here on.
func (w *walk) settle(f Fate) {
	w.out.Fate, w.out.Packet = f, w.packet(w.p)
	if !w.tracked {
		w.sessions.add(w.s.spec.Name, Session{orig: w.first.tuple(), reply: w.out.Packet.tuple().reversed(), dnat: w.p.DNAT, snat: w.p.SNAT})
	}
}

func (w *walk) drop(reason, format string, args ...any) Outcome {
	w.out.Fate, w.out.Reason, w.out.Message = Drop, reason, fmt.Sprintf(format, args...)
	return w.out
}

// isLocal reports whether the namespace takes what is sent to an address: it has the address, or it is
// one for all that listen.
func (s *Space) isLocal(a netip.Addr) bool {
	if _, ok := s.owner(a, ""); ok || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, l := range s.spec.Links {
		for _, p := range l.Addresses {
			if p.Addr().Is4() && p.Bits() < 31 && p.Contains(a) && lastOf(p) == a {
				return true
			}
		}
	}
	return false
}

// lastOf is the last address of an IPv4 prefix, its broadcast address.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}
