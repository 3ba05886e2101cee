package pipeline

import "github.com/heddle-sdn/heddle/controller/of"

// FromPhys is the only table of a provider bridge.
const FromPhys of.TableID = 0

// Ext is a provider bridge such as br-ex: a physical network on one side, br-int on the other.
var Ext = Pipeline{"br-ex", "Connects a physical network. Frames of its provider networks leave br-int with the local VLAN and get the network's own tag here; all else is ordinary switching.", []Table{
	{FromPhys, "from_int", on(of.FieldInPort, of.FieldVLANVID), nil, normal, "Turns the local VLAN of a provider network into its tag on the wire, or into none. What br-int sends in any other VLAN is dropped."},
}}

// ExtNetwork is a provider network that the host holds.
type ExtNetwork struct {
	Tag     uint32
	VLAN    uint16 // local to the host
	Segment uint16 // VLAN id on the wire, 0 for untagged
}

// ExtInput is what the flows of a provider bridge depend on.
type ExtInput struct {
	PhyPort  of.PortNo // the bridge's end of the cable to br-int
	Networks []ExtNetwork
}

// ExtFlows returns Heddle's flows of a provider bridge.
func ExtFlows(in ExtInput) []of.Flow {
	b := newBuilder(&Ext, Base)
	b.add(FromPhys, 2, match(of.InPort(in.PhyPort)))
	for _, n := range in.Networks {
		b.cookie = CookieOf(KindNetwork, n.Tag)
		retag := of.Action(of.PopVLAN{})
		if n.Segment != 0 {
			retag = of.SetVLAN(n.Segment)
		}
		b.add(FromPhys, 4, match(of.InPort(in.PhyPort), of.VLAN(n.VLAN)), retag, of.Output{Port: of.PortNormal})
	}
	return b.flows
}
