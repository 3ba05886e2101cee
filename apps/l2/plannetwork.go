package l2

import (
	"fmt"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// planNetworks plans every network that the host holds, by id.
func (p *planner) planNetworks() ([]*networkPlan, error) {
	if around := p.surroundings(); !around.equal(p.mem.around) {
		p.mem.around, p.mem.networks = around, nil
	}
	ids := p.m.NetworksAt(p.s.Host)
	out := make([]*networkPlan, 0, len(ids))
	now := make(map[model.ID]*networkPlan, len(ids))
	for _, id := range ids {
		n, err := p.recall(id)
		if err != nil {
			return nil, err
		}
		now[id] = n
		out = append(out, n)
	}
	p.mem.networks = now
	return out, nil
}

func (p *planner) surroundings() surroundings {
	a := surroundings{hosts: p.m.Hosts, patchTun: p.ofport(row.IntBridge, row.PatchTun), ways: map[string]of.PortNo{}, tunPorts: map[string]of.PortNo{}}
	for physnet, bridge := range p.is.BridgeMappings {
		onInt, _ := row.MappingPorts(bridge)
		if port := p.ofport(row.IntBridge, onInt); port != 0 {
			a.ways[physnet] = port
		}
	}
	for name, port := range p.o.Ports[row.TunBridge] {
		a.tunPorts[name] = port.No
	}
	return a
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

// planNetwork plans one network of the host, whether its bridges are connected or not.
func (p *planner) planNetwork(id model.ID) (*networkPlan, error) {
	n := p.hostNetwork(id)
	out := &networkPlan{network: n.Network, vlan: n.vlan}
	for _, port := range p.m.PortsAt(p.s.Host, id) {
		out.seen = append(out.seen, p.see(p.iface(port.ID)))
	}
	for _, port := range n.local {
		// A port without a wanted tag, such as one that is down, is on the dead VLAN.
		if iface := p.iface(port.ID); p.plugged(iface) == string(port.ID) {
			out.tags = append(out.tags, row.Tag{Port: iface, VLAN: n.vlan, IfaceID: string(port.ID)})
		}
	}
	var err error
	if out.int, err = p.intNetwork(n); err == nil && n.Type.Tunnel() {
		out.tun, err = p.tunNetwork(n)
	}
	return out, err
}

func (p *planner) hostNetwork(id model.ID) hostNetwork {
	network, _ := p.m.Networks.Get(id)
	n := hostNetwork{Network: network}
	n.vlan, _ = p.m.VLAN(p.s.Host, id)
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
	return n
}

// sameMachine reports whether another host has this host's tunnel address: it is this machine under the
// name it had before, and will be until it is deleted.
func (p *planner) sameMachine(host string) bool {
	other, ok := p.m.Hosts.Get(host)
	return ok && p.is.EncapIP.IsValid() && other.Settings().EncapIP == p.is.EncapIP
}

func (p *planner) intNetwork(n hostNetwork) (out bridgePart, err error) {
	in := pipeline.IntNetwork{Tag: n.Tag, VLAN: n.vlan}
	switch {
	case n.Type.Tunnel():
		in.Way = p.mem.around.patchTun
	case n.Physnet != "":
		segment := uint16(n.SegmentID)
		in.Way, in.Segment = p.mem.around.ways[n.Physnet], &segment
		if in.Way == 0 {
			out.pending = pendingf("PhysnetMissing", "host %s has no bridge for physical network %s: set heddle-bridge-mappings and make the bridge", p.s.Host, n.Physnet)
		}
	}
	if in.Way != 0 {
		out.learn.Ports = append(out.learn.Ports, in.Way)
	}
	for _, port := range n.local {
		iface := p.iface(port.ID)
		no := p.ofport(row.IntBridge, iface)
		if no == 0 {
			if out.pending == nil {
				out.pending = pendingf("PortNotOnSwitch", "interface %s of port %s has no OpenFlow port on br-int of host %s", iface, port.ID, p.s.Host)
			}
			continue
		}
		home := p.m.HostOf(port)
		in.Ports = append(in.Ports, pipeline.LocalPort{Tag: port.Tag, OFPort: no, MAC: port.MAC, Home: home != nil && home.Host == p.s.Host})
		out.learn.Ports = append(out.learn.Ports, no)
	}
	for _, r := range n.remote {
		in.Remote = append(in.Remote, pipeline.Remote{Tag: r.Tag, MAC: r.MAC})
	}
	out.part, err = spec.NewPart(&pipeline.Int, in.Flows())
	return out, err
}

func (p *planner) tunNetwork(n hostNetwork) (out bridgePart, err error) {
	in := pipeline.TunNetwork{Tag: n.Tag, VLAN: n.vlan, Type: n.Type, Key: n.SegmentID}
	for _, peer := range n.peers {
		if port := p.tunnelTo(peer, n.Type); port != 0 {
			in.Flood = append(in.Flood, port)
		} else if out.pending == nil {
			out.pending = pendingf("TunnelPortMissing", "host %s has no %s tunnel to host %s: both need heddle-encap-ip and %s in heddle-encap-type", p.s.Host, n.Type, peer, n.Type)
		}
	}
	slices.Sort(in.Flood)
	in.Flood = slices.Compact(in.Flood)
	for _, r := range n.remote {
		if port := p.tunnelTo(r.host, n.Type); port != 0 {
			in.Remote = append(in.Remote, pipeline.Remote{Tag: r.Tag, MAC: r.MAC, IPs: r.Addresses(), Via: port})
		}
	}
	out.learn = pipeline.LearnScope{Key: uint64(n.SegmentID), Ports: in.Flood}
	out.part, err = spec.NewPart(&pipeline.Tun, in.Flows())
	return out, err
}

func pendingf(reason, format string, args ...any) *spec.Pending {
	return &spec.Pending{Reason: reason, Msg: fmt.Sprintf(format, args...)}
}
