package pipeline

import (
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

// Tables of br-tun.
const (
	Classify   of.TableID = 0
	FromInt    of.TableID = 2
	FromGRE    of.TableID = 3
	FromVXLAN  of.TableID = 4
	FromGeneve of.TableID = 6
	LearnMAC   of.TableID = 10
	ToUnicast  of.TableID = 20
	AnswerARP  of.TableID = 21
	ToFlood    of.TableID = 22
)

// Tun is br-tun: a tenant's local VLAN becomes a tunnel key and back.
var Tun = Pipeline{"br-tun", "Turns a network's local VLAN into its tunnel key and back, and knows behind which tunnel each MAC address is.", []Table{
	{Classify, "classify", on(of.FieldInPort), to(FromInt, FromGRE, FromVXLAN, FromGeneve), drop, "Sorts frames by the port they came in by: from br-int, or from a tunnel of one of three types."},
	{FromInt, "from_int", on(of.FieldEthDst, of.FieldEthType), to(ToUnicast, AnswerARP, ToFlood), none, "Sorts frames of VMs: broadcast ARP, unicast, and the rest."},
	{FromGRE, "from_gre", on(of.FieldTunID), to(LearnMAC), drop, "Turns a GRE key into the local VLAN. A key of no network on this host is dropped."},
	{FromVXLAN, "from_vxlan", on(of.FieldTunID), to(LearnMAC), drop, "Turns a VXLAN VNI into the local VLAN, likewise."},
	{FromGeneve, "from_geneve", on(of.FieldTunID), to(LearnMAC), drop, "Turns a Geneve VNI into the local VLAN, likewise."},
	{LearnMAC, "learn", nil, nil, none, "Remembers in to_unicast which tunnel the source address is behind, and hands the frame to br-int."},
	{ToUnicast, "to_unicast", on(of.FieldVLANVID, of.FieldEthDst), to(ToFlood), next(ToFlood), "Sends a frame through the tunnel its destination is behind: ports Heddle knows (priority 2), addresses learned (priority 1). Unknown ones are flooded."},
	{AnswerARP, "answer_arp", on(of.FieldVLANVID, of.FieldEthType, of.FieldARPTPA), to(ToFlood), next(ToFlood), "Answers ARP requests for ports of other hosts on the spot. Unknown ones are flooded."},
	{ToFlood, "to_flood", on(of.FieldVLANVID), nil, drop, "Copies a frame into the tunnel to every host that holds the network, and to no other."},
}}

// Tunnel is a tunnel port of br-tun.
type Tunnel struct {
	Port of.PortNo
	Type model.NetworkType
}

// TunNetwork is a tunnel network that the host holds.
type TunNetwork struct {
	Tag    uint32
	VLAN   uint16 // local to the host
	Type   model.NetworkType
	Key    uint32      // VNI or GRE key
	Flood  []of.PortNo // tunnels to the other hosts that hold it, ascending
	Remote []Remote    // its ports on other hosts
}

// Remote is a port on another host.
type Remote struct {
	Tag uint32
	MAC of.MAC
	IPs []netip.Addr
	Via of.PortNo // tunnel to its host
}

// TunInput is what the flows of a host's br-tun depend on.
type TunInput struct {
	PatchInt of.PortNo // br-tun's end of the cable to br-int
	Tunnels  []Tunnel
	Networks []TunNetwork
}

// TunFlows returns all flows of a host's br-tun.
func TunFlows(in TunInput) []of.Flow {
	b := newBuilder(&Tun, Base)
	b.add(Classify, 1, match(of.InPort(in.PatchInt)), of.GotoTable{Table: FromInt})
	for _, t := range in.Tunnels {
		b.add(Classify, 1, match(of.InPort(t.Port)), of.GotoTable{Table: fromTunnel(t.Type)})
	}
	b.add(FromInt, 1, match(of.ARP(), of.EthDst(of.Broadcast)), of.GotoTable{Table: AnswerARP})
	b.add(FromInt, 0, match(of.EthDstMasked(of.MAC{}, groupBit)), of.GotoTable{Table: ToUnicast})
	b.add(FromInt, 0, match(of.EthDstMasked(groupBit, groupBit)), of.GotoTable{Table: ToFlood})
	b.add(LearnMAC, 1, nil, learnTunnel(), of.Output{Port: in.PatchInt})
	for _, n := range in.Networks {
		n.flows(b)
	}
	return b.flows
}

// Flows returns the flows that br-tun has for the network alone.
func (n TunNetwork) Flows() []of.Flow {
	var b builder
	n.flows(&b)
	return b.flows
}

func (n TunNetwork) flows(b *builder) {
	b.cookie = CookieOf(KindNetwork, n.Tag)
	b.add(fromTunnel(n.Type), 1, match(of.TunID(uint64(n.Key))), pushVLAN, of.SetVLAN(n.VLAN), of.GotoTable{Table: LearnMAC})
	if len(n.Flood) > 0 {
		b.add(ToFlood, 1, match(of.VLAN(n.VLAN)), n.encap(n.Flood...)...)
	}
	for _, r := range n.Remote {
		b.cookie = CookieOf(KindPort, r.Tag)
		b.add(ToUnicast, 2, match(of.VLAN(n.VLAN), of.EthDst(r.MAC)), n.encap(r.Via)...)
		for _, ip := range r.IPs {
			if ip.Is4() {
				b.add(AnswerARP, 1, match(of.ARP(), of.VLAN(n.VLAN), of.ARPTPA(ip)), arpReply(r.MAC, ip)...)
			}
		}
	}
}

func (n TunNetwork) encap(ports ...of.PortNo) []of.Action {
	actions := []of.Action{of.PopVLAN{}, of.SetTunnel(uint64(n.Key))}
	for _, p := range ports {
		actions = append(actions, of.Output{Port: p})
	}
	return actions
}

func fromTunnel(t model.NetworkType) of.TableID {
	switch t {
	case model.TypeGRE:
		return FromGRE
	case model.TypeVXLAN:
		return FromVXLAN
	default:
		return FromGeneve
	}
}

// arpReply turns an ARP request into the answer that ip is at mac, and sends it back.
func arpReply(mac of.MAC, ip netip.Addr) []of.Action {
	return []of.Action{
		of.SetField{Field: of.FieldARPOp, Value: of.Num(2)},
		of.Move{Src: of.Whole(of.FieldARPSHA), Dst: of.Whole(of.FieldARPTHA)},
		of.Move{Src: of.Whole(of.FieldARPSPA), Dst: of.Whole(of.FieldARPTPA)},
		of.SetField{Field: of.FieldARPSHA, Value: mac.Value()},
		of.SetField{Field: of.FieldARPSPA, Value: of.AddrValue(ip)},
		of.Move{Src: of.Whole(of.FieldEthSrc), Dst: of.Whole(of.FieldEthDst)},
		of.SetEthSrc(mac),
		of.Output{Port: of.PortInPort},
	}
}
