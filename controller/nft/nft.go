// Package nft says what the rules of an nftables table do with a packet that nobody sent. It knows the
// forms of rules that Heddle plans (package nat) and a little around them. What it does not know it never
// guesses: a rule that it cannot read makes the verdict of each packet that gets there [Unknown].
package nft

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Hook is where in its way through the kernel a packet meets chains (nft(8), "ADDRESS FAMILIES").
type Hook uint8

// The hooks of packets that are not bridged.
const (
	Prerouting Hook = iota + 1
	Input
	Forward
	Output
	Postrouting
)

var hookNames = map[string]Hook{"prerouting": Prerouting, "input": Input, "forward": Forward, "output": Output, "postrouting": Postrouting}

// String is the hook's name in nft(8).
func (h Hook) String() string {
	for name, hook := range hookNames {
		if hook == h {
			return name
		}
	}
	return fmt.Sprintf("hook %d", uint8(h))
}

// State is what connection tracking says of a packet, by its name in nft(8).
type State string

// The states that packets have here.
const (
	New         State = "new"         // the first packet of a connection
	Established State = "established" // of a connection that was answered, or is being answered by this packet
	Invalid     State = "invalid"     // connection tracking cannot place it
)

// Protocol numbers (IANA "Protocol Numbers").
const (
	ICMP   uint8 = 1
	TCP    uint8 = 6
	UDP    uint8 = 17
	DCCP   uint8 = 33
	ICMPv6 uint8 = 58
	SCTP   uint8 = 132
)

// Packet is what rules see of a packet.
type Packet struct {
	In, Out          string // links; empty if there is none (yet)
	Src, Dst         netip.Addr
	Protocol         uint8
	SrcPort, DstPort uint16 // of TCP, UDP, DCCP and SCTP
	State            State
	DNAT, SNAT       bool // the connection's destination, or source, is translated
}

// hasPorts reports whether the packet's protocol has ports.
func (p *Packet) hasPorts() bool {
	return p.Protocol == TCP || p.Protocol == UDP || p.Protocol == DCCP || p.Protocol == SCTP
}

// Verdict is what becomes of a packet at a hook.
type Verdict uint8

// The verdicts.
const (
	Accept  Verdict = iota // it goes on
	Drop                   // it ends here
	Unknown                // it met what this package cannot read; see the last of the hits
)

// Result is what a hook does with a packet.
type Result struct {
	Verdict Verdict
	Packet  Packet // as it goes on
	Hits    []Hit  // rules that did something to it, in order
}

// Hit is a rule that did something to a packet: translated it, or ended its way through a chain.
type Hit struct {
	Chain string
	Rule  string // as it is written; "policy drop" for the end of a chain
	Does  Action
	// Set, Key and Value are the element of a map that the translation is from; empty if it is from none.
	Set, Key, Value string
	// RandomPort says that the kernel chooses a source port anew; Packet keeps the one that it had.
	RandomPort bool
	Cause      string // of Unknown: why the rule cannot be read
}

// Action is what a rule does.
type Action string

// What rules do, in nft's words.
const (
	DoesAccept   Action = "accept"
	DoesDrop     Action = "drop"
	DoesDNAT     Action = "dnat"
	DoesSNAT     Action = "snat"
	DoesRedirect Action = "redirect"
	DoesUnknown  Action = "unknown"
)

// Priorities at which the kernel translates, whatever the priority of the chains that say how
// (enum nf_ip_hook_priorities): that orders nat chains among themselves only.
const (
	priorityDNAT = -100
	prioritySNAT = 100
)

// Eval sends a packet through the chains of a hook. Chains of type nat see the first packet of a
// connection only: what they made of it is the caller's to apply to the others. linkAddress returns the
// address that packets which are redirected on a link are sent to.
func (t *Table) Eval(hook Hook, p Packet, linkAddress func(link string, v6 bool) netip.Addr) Result {
	e := evaluation{t: t, p: p, linkAddress: linkAddress}
	for _, c := range t.hooks[hook] {
		if c.nat && p.State != New {
			continue
		}
		switch e.base(c) {
		case Drop:
			return Result{Drop, e.p, e.hits}
		case Unknown:
			return Result{Unknown, e.p, e.hits}
		}
	}
	return Result{Accept, e.p, e.hits}
}

// evaluation is one packet on its way through chains.
type evaluation struct {
	t           *Table
	p           Packet
	hits        []Hit
	linkAddress func(link string, v6 bool) netip.Addr
}

// base sends the packet through a chain with a hook.
func (e *evaluation) base(c *chain) Verdict {
	switch v := e.walk(c, 0); {
	case c.err != nil:
		return e.unknown(c, c.definition, c.err)
	case v != goOn:
		return Verdict(v)
	case c.drops:
		e.hits = append(e.hits, Hit{Chain: c.name, Rule: "policy drop", Does: DoesDrop})
		return Drop
	}
	return Accept
}

// outcome is a Verdict, or that the next rule counts.
type outcome uint8

const goOn outcome = 0xff

// maxDepth is how deep the kernel lets chains jump (NFT_JUMP_STACK_SIZE).
const maxDepth = 16

func (e *evaluation) walk(c *chain, depth int) outcome {
	if c.err != nil {
		return outcome(Unknown)
	}
	for i := range c.rules {
		r := &c.rules[i]
		if !slices.ContainsFunc(r.conditions, func(holds condition) bool { return !holds(&e.p) }) {
			// Who went to another chain does not come back to this one.
			if out := e.do(c, r, depth); out != goOn || r.action == doReturn || r.action == doGoto {
				return out
			}
		}
	}
	return goOn
}

// do does what a rule says with a packet that it matches.
func (e *evaluation) do(c *chain, r *rule, depth int) outcome {
	hit := Hit{Chain: c.name, Rule: r.text}
	switch r.action {
	case doUnknown:
		return outcome(e.unknown(c, r.text, r.err))
	case doJump, doGoto:
		to := e.t.chains[r.target]
		if to == nil || depth == maxDepth {
			return outcome(e.unknown(c, r.text, fmt.Errorf("there is no way to chain %s", r.target)))
		}
		if to.err != nil {
			return outcome(e.unknown(to, to.definition, to.err))
		}
		return e.walk(to, depth+1)
	case doAccept, doDrop:
		hit.Does = DoesAccept
		if r.action == doDrop {
			hit.Does = DoesDrop
			e.hits = append(e.hits, hit)
			return outcome(Drop)
		}
		e.hits = append(e.hits, hit)
		return outcome(Accept)
	case doTranslate:
		return e.translate(r, hit)
	}
	return goOn // it counts, or returns
}

// translate gives the packet the address that a rule names; goOn if the rule's map has none for it.
func (e *evaluation) translate(r *rule, hit Hit) outcome {
	hit.Does, hit.RandomPort = r.nat, r.random
	to, port := r.address, r.port
	switch {
	case r.lookup != nil:
		key, ok := r.lookup.key(&e.p)
		if !ok {
			return goOn
		}
		value, ok := r.lookup.in.elements[key]
		if !ok {
			return goOn
		}
		hit.Set, hit.Key, hit.Value = r.lookup.in.name, key, value
		if to, port, ok = r.lookup.in.target(value); !ok {
			return goOn // an element of another type: nft does not take such a table
		}
	case r.nat == DoesRedirect:
		if to = e.linkAddress(e.p.In, e.p.Dst.Is6()); !to.IsValid() {
			e.hits = append(e.hits, hit)
			return outcome(Drop) // as the kernel does on a link without address
		}
	}
	if to.Is4() != e.p.Dst.Is4() {
		return goOn
	}
	before := e.p
	if r.nat == DoesSNAT {
		e.p.Src = to
		if port != 0 {
			e.p.SrcPort = port
		}
		e.p.SNAT = e.p != before || r.random
	} else {
		e.p.Dst = to
		if port != 0 {
			e.p.DstPort = port
		}
		e.p.DNAT = e.p != before
	}
	e.hits = append(e.hits, hit)
	return outcome(Accept)
}

func (e *evaluation) unknown(c *chain, rule string, cause error) Verdict {
	if n := len(e.hits); n == 0 || e.hits[n-1].Does != DoesUnknown {
		e.hits = append(e.hits, Hit{Chain: c.name, Rule: rule, Does: DoesUnknown, Cause: cause.Error()})
	}
	return Unknown
}

// order sorts the chains of each hook as the kernel calls them.
func (t *Table) order() {
	for hook, chains := range t.hooks {
		at := func(c *chain) int {
			switch {
			case !c.nat:
				return c.priority
			case hook == Prerouting || hook == Output:
				return priorityDNAT
			}
			return prioritySNAT
		}
		slices.SortStableFunc(chains, func(a, b *chain) int {
			return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.priority, b.priority))
		})
	}
}
