package pipeline

import (
	"github.com/heddle-sdn/heddle/controller/of"
)

// Tables of br-int.
const (
	Local    of.TableID = 0
	LearnInt of.TableID = 60
	ToKnown  of.TableID = 61
	ToLocal  of.TableID = 62
)

// DeadVLAN is the tag of ports that nobody has claimed; their frames go nowhere.
const DeadVLAN = 4095

// Int is br-int: ports of VMs, each in its network's local VLAN.
var Int = Pipeline{"br-int", "Connects the ports of one host, each in the local VLAN of its network, and hands what is for elsewhere to br-tun or to a provider bridge.", []Table{
	{Local, "local", on(of.FieldInPort, of.FieldVLANVID, of.FieldEthSrc), to(LearnInt, ToKnown), drop, "Tags a frame with the local VLAN of the port it came from. A port without a network, and a VM that tags frames by itself, get nowhere."},
	{LearnInt, "learn", on(of.FieldInPort), to(ToKnown), none, "Remembers in to_known where an address that no port has is: behind a VM, br-tun or a provider bridge."},
	{ToKnown, "to_known", on(of.FieldVLANVID, of.FieldEthDst), to(ToLocal), next(ToLocal), "Delivers to the port that has the address: ports Heddle knows (priority 2), addresses learned (priority 1)."},
	{ToLocal, "to_local", on(of.FieldVLANVID), nil, drop, "Copies a frame to every port of its network on this host, and to the way out."},
}}

// LocalPort is a port plugged on the host.
type LocalPort struct {
	Tag    uint32
	OFPort of.PortNo
	MAC    of.MAC
	Home   bool // frames for it are delivered here; false on the host that a live migration leaves
}

// IntNetwork is a network that the host holds.
type IntNetwork struct {
	Tag     uint32
	VLAN    uint16      // local to the host
	Way     of.PortNo   // out of br-int to its other ports: patch-tun, int-br-ex; 0 if it has none
	Segment *uint16     // VLAN id on the provider bridge, 0 for untagged; nil for other networks
	Ports   []LocalPort // on this host
	Remote  []Remote    // on other hosts
}

// IntInput is what the flows of a host's br-int depend on.
type IntInput struct {
	PatchTun  of.PortNo   // br-int's end of the cable to br-tun; 0 if the host has no tunnels
	Providers []of.PortNo // br-int's ends of the cables to provider bridges
	Networks  []IntNetwork
}

// IntFlows returns all flows of a host's br-int.
func IntFlows(in IntInput) []of.Flow {
	b := newBuilder(&Int, Base)
	b.add(Local, 65535, match(of.VLAN(DeadVLAN)))
	if in.PatchTun != 0 {
		b.add(Local, 3, match(of.InPort(in.PatchTun)), of.GotoTable{Table: LearnInt})
		b.add(LearnInt, 2, match(of.InPort(in.PatchTun)), learnTagged(), of.GotoTable{Table: ToKnown})
	}
	for _, p := range in.Providers {
		b.add(LearnInt, 2, match(of.InPort(p)), learnTagged(), of.GotoTable{Table: ToKnown})
	}
	b.add(LearnInt, 1, nil, learnUntagged(), of.GotoTable{Table: ToKnown})
	for _, n := range in.Networks {
		n.flows(b)
	}
	return b.flows
}

// Flows returns the flows that br-int has for the network alone.
func (n IntNetwork) Flows() []of.Flow {
	var b builder
	n.flows(&b)
	return b.flows
}

func (n IntNetwork) flows(b *builder) {
	b.cookie = CookieOf(KindNetwork, n.Tag)
	tag := []of.Action{pushVLAN, of.SetVLAN(n.VLAN)}
	if n.Segment != nil && n.Way != 0 {
		if *n.Segment == 0 {
			b.add(Local, 3, match(of.InPort(n.Way), of.NoVLAN()), append(tag, of.GotoTable{Table: LearnInt})...)
		} else {
			b.add(Local, 3, match(of.InPort(n.Way), of.VLAN(*n.Segment)), of.SetVLAN(n.VLAN), of.GotoTable{Table: LearnInt})
		}
	}
	var flood []of.Action
	if n.Way != 0 {
		flood = append(flood, of.Output{Port: n.Way})
	}
	if len(n.Ports) > 0 {
		flood = append(flood, of.PopVLAN{})
	}
	for _, p := range n.Ports {
		flood = append(flood, of.Output{Port: p.OFPort})
	}
	if len(flood) > 0 {
		b.add(ToLocal, 1, match(of.VLAN(n.VLAN)), flood...)
	}
	for _, p := range n.Ports {
		b.cookie = CookieOf(KindPort, p.Tag)
		b.add(Local, 2, match(of.InPort(p.OFPort), of.NoVLAN(), of.EthSrc(p.MAC)), append(tag[:2:2], of.GotoTable{Table: ToKnown})...)
		b.add(Local, 1, match(of.InPort(p.OFPort), of.NoVLAN()), append(tag[:2:2], of.GotoTable{Table: LearnInt})...)
		if p.Home {
			b.add(ToKnown, 2, match(of.VLAN(n.VLAN), of.EthDst(p.MAC)), of.PopVLAN{}, of.Output{Port: p.OFPort})
		}
	}
	if n.Way == 0 {
		return
	}
	for _, r := range n.Remote {
		b.cookie = CookieOf(KindPort, r.Tag)
		b.add(ToKnown, 2, match(of.VLAN(n.VLAN), of.EthDst(r.MAC)), of.Output{Port: n.Way})
	}
}
