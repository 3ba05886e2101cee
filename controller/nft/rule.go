package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// rule is a line of a chain: conditions, and what is done with packets that meet them.
type rule struct {
	text       string
	conditions []condition
	action     action
	target     string // chain to jump to

	nat     Action // how to translate
	lookup  *lookup
	address netip.Addr // to translate to, without a look-up
	port    uint16     // likewise; 0 keeps the packet's
	random  bool       // source ports are chosen at random

	err error // why the rule cannot be read
}

// condition reports whether a packet meets it.
type condition func(*Packet) bool

// lookup finds what a packet is translated to in a map.
type lookup struct {
	in  *set
	key func(*Packet) (string, bool)
}

type action uint8

const (
	doNothing action = iota // but count
	doAccept
	doDrop
	doReturn
	doJump
	doGoto
	doTranslate
	doUnknown
)

// read reads the rule's text. A rule that cannot be read is one that does the unknown, to whoever meets
// the conditions before what is not known: they come first in a rule.
func (r *rule) read(t *Table) {
	p := ruleParser{t: t, r: r, words: splitWords(r.text)}
	for len(p.words) > 0 {
		if err := p.next(); err != nil {
			r.action, r.err = doUnknown, err
			return
		}
	}
}

// splitWords splits a rule at spaces outside of quotes.
func splitWords(text string) []string {
	quoted := false
	return strings.FieldsFunc(text, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return !quoted && (c == ' ' || c == '\t')
	})
}

type ruleParser struct {
	t     *Table
	r     *rule
	words []string // that are left
}

var errEnds = errors.New("the rule ends too soon")

func (p *ruleParser) word() (string, error) {
	if len(p.words) == 0 {
		return "", errEnds
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w, nil
}

// peek returns the n-th of the words that are left, from 0; empty if there is none.
func (p *ruleParser) peek(n int) string {
	if n >= len(p.words) {
		return ""
	}
	return p.words[n]
}

func (p *ruleParser) when(c condition) { p.r.conditions = append(p.r.conditions, c) }

// next reads one condition or statement.
func (p *ruleParser) next() error {
	if p.r.action != doNothing && p.peek(0) != "comment" {
		return fmt.Errorf("%q comes after what ends the rule", p.peek(0))
	}
	switch w := p.peek(0); w {
	case "accept", "drop", "return":
		p.r.action = map[string]action{"accept": doAccept, "drop": doDrop, "return": doReturn}[w]
		_, err := p.word()
		return err
	case "jump", "goto":
		p.r.action = map[string]action{"jump": doJump, "goto": doGoto}[w]
		p.words = p.words[1:]
		var err error
		p.r.target, err = p.word()
		return err
	case "comment":
		p.words = p.words[min(2, len(p.words)):]
		return nil
	case "counter":
		p.words = p.words[1:]
		if p.peek(0) == "packets" && p.peek(2) == "bytes" {
			p.words = p.words[min(4, len(p.words)):]
		}
		return nil
	case "dnat", "snat", "redirect":
		return p.translation()
	case "ct":
		return p.conntrack()
	case "meta":
		if p.peek(1) == "nfproto" {
			return p.family()
		}
	}
	return p.comparison()
}

// family reads "meta nfproto ipv4".
func (p *ruleParser) family() error {
	w := p.peek(2)
	if w != "ipv4" && w != "ipv6" {
		return fmt.Errorf("nfproto %q is not known", w)
	}
	p.words = p.words[3:]
	p.when(func(x *Packet) bool { return x.Dst.Is4() == (w == "ipv4") })
	return nil
}

// conntrack reads "ct state invalid" and "ct status & dnat == 0".
func (p *ruleParser) conntrack() error {
	switch {
	case p.peek(1) == "state" && p.peek(2) != "":
		states := strings.Split(p.peek(2), ",")
		for _, s := range states {
			if !slices.Contains([]State{New, Established, Invalid, "related", "untracked"}, State(s)) {
				return fmt.Errorf("ct state %q is not known", s)
			}
		}
		p.when(func(x *Packet) bool { return slices.Contains(states, string(x.State)) })
		p.words = p.words[3:]
		return nil
	case p.peek(1) == "status" && p.peek(2) == "&" && (p.peek(4) == "==" || p.peek(4) == "!=") && p.peek(5) == "0":
		of, none := p.peek(3), p.peek(4) == "=="
		if of != "dnat" && of != "snat" {
			return fmt.Errorf("ct status %q is not known", of)
		}
		p.when(func(x *Packet) bool {
			has := x.DNAT
			if of == "snat" {
				has = x.SNAT
			}
			return has != none
		})
		p.words = p.words[6:]
		return nil
	}
	return fmt.Errorf("%q is not known", strings.Join(p.words, " "))
}

// field is a part of a packet that rules compare or look up.
type field struct {
	kind string // as types of sets name it
	of   func(*Packet) (string, bool)
}

// field reads what names a part of a packet, "ip daddr".
func (p *ruleParser) field() (field, error) {
	first, err := p.word()
	if err != nil {
		return field{}, err
	}
	switch first {
	case "iifname":
		return field{"ifname", func(x *Packet) (string, bool) { return x.In, true }}, nil
	case "oifname":
		return field{"ifname", func(x *Packet) (string, bool) { return x.Out, true }}, nil
	}
	second, err := p.word()
	if err != nil {
		return field{}, err
	}
	switch first + " " + second {
	case "meta l4proto":
		return field{"inet_proto", func(x *Packet) (string, bool) { return strconv.Itoa(int(x.Protocol)), true }}, nil
	case "ip saddr":
		return field{"ipv4_addr", func(x *Packet) (string, bool) { return x.Src.String(), x.Src.Is4() }}, nil
	case "ip daddr":
		return field{"ipv4_addr", func(x *Packet) (string, bool) { return x.Dst.String(), x.Dst.Is4() }}, nil
	case "ip6 saddr":
		return field{"ipv6_addr", func(x *Packet) (string, bool) { return x.Src.String(), x.Src.Is6() }}, nil
	case "ip6 daddr":
		return field{"ipv6_addr", func(x *Packet) (string, bool) { return x.Dst.String(), x.Dst.Is6() }}, nil
	}
	number, isTransport := map[string]uint8{"tcp": TCP, "udp": UDP, "dccp": DCCP, "sctp": SCTP, "th": 0}[first]
	if !isTransport || second != "dport" && second != "sport" {
		return field{}, fmt.Errorf("%q is not known", first+" "+second)
	}
	return field{"inet_service", func(x *Packet) (string, bool) {
		port := x.DstPort
		if second == "sport" {
			port = x.SrcPort
		}
		return strconv.Itoa(int(port)), x.hasPorts() && (number == 0 || number == x.Protocol)
	}}, nil
}

// comparison reads "ip daddr 192.0.2.1", "oifname != @outside".
func (p *ruleParser) comparison() error {
	f, err := p.field()
	if err != nil {
		return err
	}
	wanted := true
	if w := p.peek(0); w == "!=" || w == "==" {
		wanted = w == "=="
		p.words = p.words[1:]
	}
	value, err := p.word()
	if err != nil {
		return err
	}
	if name, isSet := strings.CutPrefix(value, "@"); isSet {
		s, err := p.set(name, []string{f.kind}, false)
		if err != nil {
			return err
		}
		p.when(func(x *Packet) bool {
			v, ok := f.of(x)
			_, in := s.elements[v]
			return ok && in == wanted
		})
		return nil
	}
	if prefix, err := netip.ParsePrefix(value); err == nil && strings.HasPrefix(f.kind, "ip") {
		p.when(func(x *Packet) bool {
			v, ok := f.of(x)
			a, err := netip.ParseAddr(v)
			return ok && err == nil && prefix.Contains(a) == wanted
		})
		return nil
	}
	want, err := canonical(value, []string{f.kind})
	if err != nil {
		return err
	}
	p.when(func(x *Packet) bool {
		v, ok := f.of(x)
		return ok && (v == want) == wanted
	})
	return nil
}

// set returns a set, or a map, whose keys are of the types.
func (p *ruleParser) set(name string, key []string, isMap bool) (*set, error) {
	s := p.t.sets[name]
	switch {
	case s == nil:
		return nil, fmt.Errorf("there is no set or map %s", name)
	case s.err != nil:
		return nil, s.err
	case !slices.Equal(s.key, key) || isMap != (s.to != nil):
		return nil, fmt.Errorf("%s is not of the type that is wanted here", name)
	}
	return s, nil
}

// translation reads "dnat ip to ip daddr . tcp dport map @pf_tcp", "redirect to :9697".
func (p *ruleParser) translation() error {
	kind, err := p.word()
	if err != nil {
		return err
	}
	p.r.nat = Action(kind)
	if w := p.peek(0); w == "ip" || w == "ip6" {
		// It narrows the rule to the family only together with "to".
		p.words = p.words[1:]
		p.when(func(x *Packet) bool { return x.Dst.Is4() == (w == "ip") })
	}
	if w, err := p.word(); err != nil || w != "to" {
		return fmt.Errorf("%s without \"to\" is not known", kind)
	}
	if err := p.destination(); err != nil {
		return err
	}
	if p.peek(0) == "fully-random" || p.peek(0) == "random" {
		p.r.random = true
		p.words = p.words[1:]
	}
	p.r.action = doTranslate
	return nil
}

// destination reads what packets are translated to.
func (p *ruleParser) destination() error {
	if slices.Contains(p.words, "map") {
		return p.mapped()
	}
	text, err := p.word()
	if err != nil {
		return err
	}
	if port, only := strings.CutPrefix(text, ":"); only == (p.r.nat == DoesRedirect) && only {
		n, err := strconv.ParseUint(port, 10, 16)
		p.r.port = uint16(n)
		return err
	}
	if both, err := netip.ParseAddrPort(text); err == nil {
		p.r.address, p.r.port = both.Addr(), both.Port()
		return nil
	}
	p.r.address, err = netip.ParseAddr(text)
	return err
}

// mapped reads "ip daddr . tcp dport map @pf_tcp".
func (p *ruleParser) mapped() error {
	var fields []field
	var kinds []string
	for {
		f, err := p.field()
		if err != nil {
			return err
		}
		fields, kinds = append(fields, f), append(kinds, f.kind)
		w, err := p.word()
		if err != nil {
			return err
		}
		if w == "map" {
			break
		}
		if w != "." {
			return fmt.Errorf("%q is not known here", w)
		}
	}
	w, err := p.word()
	if err != nil {
		return err
	}
	name, named := strings.CutPrefix(w, "@")
	if !named {
		return fmt.Errorf("maps without a name are not known")
	}
	s, err := p.set(name, kinds, true)
	if err != nil {
		return err
	}
	p.r.lookup = &lookup{s, func(x *Packet) (string, bool) {
		parts := make([]string, len(fields))
		for i, f := range fields {
			var ok bool
			if parts[i], ok = f.of(x); !ok {
				return "", false
			}
		}
		return strings.Join(parts, concat), true
	}}
	return nil
}

// protocol reads the number of a protocol, or one of the names that do not need /etc/protocols to be known.
func protocol(text string) (uint8, error) {
	switch text {
	case "tcp":
		return TCP, nil
	case "udp":
		return UDP, nil
	case "icmp":
		return ICMP, nil
	case "ipv6-icmp":
		return ICMPv6, nil
	case "sctp":
		return SCTP, nil
	case "dccp":
		return DCCP, nil
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("protocol %q is not known", text)
	}
	return uint8(n), nil
}
