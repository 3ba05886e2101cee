package kernel

import (
	"fmt"
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/nft"
)

// Packet is an IP packet.
type Packet struct {
	Src, Dst         netip.Addr
	Protocol         uint8
	SrcPort, DstPort uint16 // of protocols with ports
	TTL              uint8  // or hop limit
}

// Reversed is the packet that answers this one.
func (p Packet) Reversed() Packet {
	p.Src, p.Dst, p.SrcPort, p.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
	return p
}

// tuple is what connection tracking tells connections by.
type tuple struct {
	src, dst         netip.Addr
	protocol         uint8
	srcPort, dstPort uint16
}

func (p Packet) tuple() tuple { return tuple{p.Src, p.Dst, p.Protocol, p.SrcPort, p.DstPort} }

func (t tuple) reversed() tuple { return tuple{t.dst, t.src, t.protocol, t.dstPort, t.srcPort} }

// Session is a connection that a namespace tracks.
type Session struct {
	orig, reply tuple
	dnat, snat  bool
}

// Sessions are the connections that namespaces track, by the namespaces' names. The zero value is ready
// to use.
type Sessions struct{ of map[string][]Session }

func (s *Sessions) add(ns string, one Session) {
	if s.of == nil {
		s.of = map[string][]Session{}
	}
	s.of[ns] = append(s.of[ns], one)
}

// find returns the session that a packet is of, and whether it goes in the direction of the answers.
func (s *Sessions) find(ns string, p Packet) (one Session, answers, ok bool) {
	for _, one := range s.of[ns] {
		switch p.tuple() {
		case one.reply:
			return one, true, true
		case one.orig:
			return one, false, true
		}
	}
	return Session{}, false, false
}

// Kind is what a Step is.
type Kind string

// The kinds of steps.
const (
	Track Kind = "conntrack" // the packet is of a connection that is translated, and is translated as that is
	Rule  Kind = "nft"       // a rule did something
	Look  Kind = "route"     // a route was found
)

// Step is one thing that happened to a packet.
type Step struct {
	Kind   Kind
	Text   string   // as its tool prints it; of Track, in words
	Hit    *nft.Hit // of Rule
	Route  *Route   // of Look
	Packet Packet   // after it
}

// Fate is where a packet goes.
type Fate uint8

// The fates.
const (
	Local   Fate = iota // the namespace itself takes it
	Forward             // it leaves by Link
	Drop                // it ends, for Reason
	Unknown             // a rule cannot be read
)

// Outcome is what a namespace does with a packet.
type Outcome struct {
	Fate    Fate
	Steps   []Step
	Packet  Packet     // as it is delivered, or leaves
	Link    string     // of Forward, the link it leaves by
	NextHop netip.Addr // of Forward, who is to take it from there
	Reason  string     // of Drop: "NoRoute"
	Message string     // of Drop and Unknown, in words
}

// state makes a packet one that rules can see.
func (p Packet) rules() nft.Packet {
	return nft.Packet{Src: p.Src, Dst: p.Dst, Protocol: p.Protocol, SrcPort: p.SrcPort, DstPort: p.DstPort}
}

// String is "10.0.0.5 > 192.0.2.1 tcp 4000 > 80".
func (p Packet) String() string {
	names := map[uint8]string{nft.ICMP: "icmp", nft.TCP: "tcp", nft.UDP: "udp", nft.DCCP: "dccp", nft.ICMPv6: "icmp6", nft.SCTP: "sctp"}
	name, ok := names[p.Protocol]
	if !ok {
		name = fmt.Sprintf("protocol %d", p.Protocol)
	}
	text := fmt.Sprintf("%s > %s %s", p.Src, p.Dst, name)
	if p.SrcPort != 0 || p.DstPort != 0 {
		text += fmt.Sprintf(" %d > %d", p.SrcPort, p.DstPort)
	}
	return text
}
