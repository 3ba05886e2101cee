package l2

import (
	"fmt"
	"maps"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// planFlows plans the flows of every connected bridge of the host that has a part in layer 2. A bridge
// whose cable is missing gets no plan: it keeps the flows it has.
func (p *planner) planFlows() error {
	nets := p.hostNetworks()
	p.s.Needs[row.IntBridge] = true
	p.s.Needs[row.TunBridge] = p.hasTunnels()
	if p.o.Ports[row.IntBridge] != nil {
		if err := p.put(row.IntBridge, &pipeline.Int, p.intBridge(nets)); err != nil {
			return err
		}
	}
	if p.o.Ports[row.TunBridge] != nil {
		if err := p.put(row.TunBridge, &pipeline.Tun, p.tunBridge(nets)); err != nil {
			return err
		}
	}
	for _, br := range p.providerBridges() {
		p.s.Needs[br] = p.o.Rows != nil && p.o.Rows.Bridges[br]
		if p.o.Ports[br] != nil {
			if err := p.put(br, &pipeline.Ext, p.extBridge(br, nets)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *planner) put(bridge string, tables *pipeline.Pipeline, b *spec.Bridge) error {
	p.s.Bridges[bridge] = b
	return tables.Check(b.Flows)
}

// hostNetwork is a network as this host sees it.
type hostNetwork struct {
	*model.Network
	vlan   uint16
	local  []*model.Port // plugged here and up
	remote []remotePort  // plugged on other hosts and up
	peers  []string      // other hosts that hold it
}

type remotePort struct {
	*model.Port
	host string
}

func (p *planner) hostNetworks() []hostNetwork {
	ids := p.m.NetworksAt(p.s.Host)
	out := make([]hostNetwork, 0, len(ids))
	for _, id := range ids {
		network, vlan := p.network(id)
		n := hostNetwork{Network: network, vlan: vlan}
		for _, h := range p.m.HostsOf(id) {
			if h != p.s.Host && !p.sameMachine(h) {
				n.peers = append(n.peers, h)
			}
		}
		for _, port := range p.m.PortsOf(id) {
			if !network.AdminUp || !port.AdminUp {
				continue
			}
			if p.iface(port.ID) != "" {
				n.local = append(n.local, port)
			}
			if home := p.m.HostOf(port); home != nil && home.Host != p.s.Host {
				n.remote = append(n.remote, remotePort{port, home.Host})
			}
		}
		out = append(out, n)
	}
	return out
}

// sameMachine reports whether another host has this host's tunnel address: it is this machine under the
// name it had before, and will be until it is deleted.
func (p *planner) sameMachine(host string) bool {
	other, ok := p.m.Hosts.Get(host)
	return ok && p.is.EncapIP.IsValid() && other.Settings().EncapIP == p.is.EncapIP
}

func (p *planner) intBridge(nets []hostNetwork) *spec.Bridge {
	in := pipeline.IntInput{PatchTun: p.ofport(row.IntBridge, row.PatchTun)}
	if in.PatchTun == 0 && p.hasTunnels() {
		return p.unknown(row.IntBridge, row.PatchTun)
	}
	ways := map[string]of.PortNo{} // physical network → br-int's end of the cable
	for _, physnet := range sortedKeys(p.is.BridgeMappings) {
		onInt, _ := row.MappingPorts(p.is.BridgeMappings[physnet])
		if port := p.ofport(row.IntBridge, onInt); port != 0 {
			ways[physnet] = port
			in.Providers = append(in.Providers, port)
		}
	}
	slices.Sort(in.Providers)
	in.Providers = slices.Compact(in.Providers)
	learn := map[uint16]pipeline.LearnScope{}
	for _, n := range nets {
		in.Networks = append(in.Networks, p.intNetwork(n, in.PatchTun, ways))
		learn[n.vlan] = intScope(in.Networks[len(in.Networks)-1])
	}
	return &spec.Bridge{Flows: pipeline.IntFlows(in), Learn: learn}
}

func (p *planner) intNetwork(n hostNetwork, patchTun of.PortNo, ways map[string]of.PortNo) pipeline.IntNetwork {
	out := pipeline.IntNetwork{Tag: n.Tag, VLAN: n.vlan}
	switch {
	case n.Type.Tunnel():
		out.Way = patchTun
	case n.Physnet != "":
		segment := uint16(n.SegmentID)
		out.Way, out.Segment = ways[n.Physnet], &segment
		if out.Way == 0 {
			p.pending(n.ID, "PhysnetMissing", "host %s has no bridge for physical network %s: set heddle-bridge-mappings and make the bridge", p.s.Host, n.Physnet)
		}
	}
	for _, port := range n.local {
		iface := p.iface(port.ID)
		no := p.ofport(row.IntBridge, iface)
		if no == 0 {
			p.pending(n.ID, "PortNotOnSwitch", "interface %s of port %s has no OpenFlow port on br-int of host %s", iface, port.ID, p.s.Host)
			continue
		}
		home := p.m.HostOf(port)
		out.Ports = append(out.Ports, pipeline.LocalPort{Tag: port.Tag, OFPort: no, MAC: port.MAC, Home: home != nil && home.Host == p.s.Host})
	}
	for _, r := range n.remote {
		out.Remote = append(out.Remote, pipeline.Remote{Tag: r.Tag, MAC: r.MAC})
	}
	return out
}

func intScope(n pipeline.IntNetwork) pipeline.LearnScope {
	var s pipeline.LearnScope
	if n.Way != 0 {
		s.Ports = append(s.Ports, n.Way)
	}
	for _, port := range n.Ports {
		s.Ports = append(s.Ports, port.OFPort)
	}
	return s
}

func (p *planner) tunBridge(nets []hostNetwork) *spec.Bridge {
	in := pipeline.TunInput{PatchInt: p.ofport(row.TunBridge, row.PatchInt)}
	if in.PatchInt == 0 {
		return p.unknown(row.TunBridge, row.PatchInt)
	}
	for _, t := range p.tunnels {
		if port := p.ofport(row.TunBridge, t.row.Name); port != 0 {
			in.Tunnels = append(in.Tunnels, pipeline.Tunnel{Port: port, Type: t.kind})
		}
	}
	learn := map[uint16]pipeline.LearnScope{}
	for _, n := range nets {
		if !n.Type.Tunnel() {
			continue
		}
		t := pipeline.TunNetwork{Tag: n.Tag, VLAN: n.vlan, Type: n.Type, Key: n.SegmentID}
		for _, peer := range n.peers {
			if port := p.tunnelTo(peer, n.Type); port != 0 {
				t.Flood = append(t.Flood, port)
			} else {
				p.pending(n.ID, "TunnelPortMissing", "host %s has no %s tunnel to host %s: both need heddle-encap-ip and %s in heddle-encap-type", p.s.Host, n.Type, peer, n.Type)
			}
		}
		slices.Sort(t.Flood)
		t.Flood = slices.Compact(t.Flood)
		for _, r := range n.remote {
			if port := p.tunnelTo(r.host, n.Type); port != 0 {
				t.Remote = append(t.Remote, pipeline.Remote{Tag: r.Tag, MAC: r.MAC, IPs: r.Addresses(), Via: port})
			}
		}
		in.Networks = append(in.Networks, t)
		learn[n.vlan] = pipeline.LearnScope{Key: uint64(n.SegmentID), Ports: t.Flood}
	}
	return &spec.Bridge{Flows: pipeline.TunFlows(in), Learn: learn}
}

func (p *planner) extBridge(bridge string, nets []hostNetwork) *spec.Bridge {
	_, onBridge := row.MappingPorts(bridge)
	in := pipeline.ExtInput{PhyPort: p.ofport(bridge, onBridge)}
	if in.PhyPort == 0 {
		return p.unknown(bridge, onBridge)
	}
	for _, n := range nets {
		if n.Physnet != "" && p.is.BridgeMappings[n.Physnet] == bridge {
			in.Networks = append(in.Networks, pipeline.ExtNetwork{Tag: n.Tag, VLAN: n.vlan, Segment: uint16(n.SegmentID)})
		}
	}
	return &spec.Bridge{Flows: pipeline.ExtFlows(in)}
}

// unknown is the plan of a bridge whose cable has no port number (yet).
func (p *planner) unknown(bridge, port string) *spec.Bridge {
	for _, id := range p.m.NetworksAt(p.s.Host) {
		p.pending(id, "PatchPortMissing", "bridge %s of host %s has no port %s", bridge, p.s.Host, port)
	}
	return &spec.Bridge{Err: fmt.Errorf("bridge %s has no port %s", bridge, port)}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
