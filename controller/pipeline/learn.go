package pipeline

import (
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
)

// LearnTimeout is how long, in seconds, a learned MAC address is kept without a frame from it.
const LearnTimeout = 300

var pushVLAN = of.PushVLAN{EthType: of.EthTypeVLAN}

// learn makes a flow in a table that takes frames for this frame's source, in this frame's VLAN, and
// treats them as then says.
func learn(table of.TableID, then ...of.LearnSpec) of.Action {
	vid := of.Bits(of.FieldVLANTCI, 0, 11)
	return of.Learn{
		Table: table, Priority: 1, HardTimeout: LearnTimeout, Cookie: Learned,
		Specs: append([]of.LearnSpec{
			of.LearnMatchSame(vid),
			of.LearnMatchField(of.Whole(of.FieldEthDst), of.Whole(of.FieldEthSrc)),
		}, then...),
	}
}

// untag removes the tag: a load of zero to the whole of it.
func untag() of.LearnSpec { return of.LearnLoadValue(of.Whole(of.FieldVLANTCI), of.Num(0)) }

// back sends the frame to the port that this frame came from.
func back() of.LearnSpec { return of.LearnOutputTo(of.Whole(of.FieldInPort)) }

// learnTunnel: back through the tunnel, under the key it came with.
func learnTunnel() of.Action {
	key := of.Whole(of.FieldTunID)
	return learn(ToUnicast, untag(), of.LearnLoadField(key, key), back())
}

// learnTagged: back to br-tun or a provider bridge, in the local VLAN.
func learnTagged() of.Action { return learn(ToKnown, back()) }

// learnUntagged: back to a VM, which sees no tag.
func learnUntagged() of.Action { return learn(ToKnown, untag(), back()) }

// LearnScope is what a flow learned in a VLAN may do. A learned flow outside of the scope is left over
// from an earlier user of the VLAN, or leads to where the network is no more, and has to go.
type LearnScope struct {
	Key   uint64      // tunnel key; 0 if frames of the VLAN do not enter a tunnel from this bridge
	Ports []of.PortNo // where it may send frames
}

// MAC is what a learned flow says: where an address is.
type MAC struct {
	VLAN    uint16
	Address of.MAC
	Key     uint64 // tunnel key, 0 for none
	Port    of.PortNo
}

// ReadLearned returns what a learned flow says; ok is false if the flow is not one that the
// pipelines' learn actions make.
func ReadLearned(f of.Flow) (m MAC, ok bool) {
	for _, x := range f.Match {
		switch x.Field {
		case of.FieldVLANVID, of.FieldVLANTCI:
			m.VLAN = uint16(x.Value.Lo & 0xfff)
		case of.FieldEthDst:
			m.Address = x.Value.MAC()
		default:
			return MAC{}, false
		}
	}
	for _, a := range f.Actions {
		switch a := a.(type) {
		case of.Load:
			if a.Dst.Field == of.FieldTunID {
				m.Key = a.Value
			}
		case of.SetField:
			if a.Field == of.FieldTunID {
				m.Key = a.Value.Lo
			}
		case of.Output:
			m.Port = a.Port
		}
	}
	return m, m.VLAN != 0 && m.Port != 0
}

// Holds reports whether a learned address is within the scope of its VLAN.
func (m MAC) Holds(scopes map[uint16]LearnScope) bool {
	s, ok := scopes[m.VLAN]
	return ok && s.Key == m.Key && slices.Contains(s.Ports, m.Port)
}
