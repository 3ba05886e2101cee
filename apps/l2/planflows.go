package l2

import (
	"fmt"
	"maps"
	"slices"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// planFlows plans the flows of every connected bridge of the host that has a part in layer 2. A bridge
// whose cable is missing gets no plan: it keeps the flows it has.
func (p *planner) planFlows(nets []*networkPlan) error {
	p.s.Needs[row.IntBridge] = true
	p.s.Needs[row.TunBridge] = p.hasTunnels()
	if err := p.put(row.IntBridge, nets, p.intBridge); err != nil {
		return err
	}
	if err := p.put(row.TunBridge, nets, p.tunBridge); err != nil {
		return err
	}
	for _, br := range p.providerBridges() {
		// A bridge that is connected is there, whatever is known of the OVSDB.
		p.s.Needs[br] = p.o.Ports[br] != nil || p.o.Rows != nil && p.o.Rows.Bridges[br]
		if err := p.put(br, nets, func(nets []*networkPlan) (*spec.Bridge, error) { return p.extBridge(br, nets) }); err != nil {
			return err
		}
	}
	return nil
}

// put plans a bridge if it is connected.
func (p *planner) put(bridge string, nets []*networkPlan, plan func([]*networkPlan) (*spec.Bridge, error)) error {
	if p.o.Ports[bridge] == nil {
		return nil
	}
	b, err := plan(nets)
	p.s.Bridges[bridge] = b
	return err
}

func (p *planner) intBridge(nets []*networkPlan) (*spec.Bridge, error) {
	around := p.mem.around
	if around.patchTun == 0 && p.hasTunnels() {
		return p.unknown(row.IntBridge, row.PatchTun), nil
	}
	in := pipeline.IntInput{PatchTun: around.patchTun, Providers: slices.Compact(slices.Sorted(maps.Values(around.ways)))}
	base, err := p.part(row.IntBridge, &pipeline.Int, pipeline.IntFlows(in))
	return p.assemble(base, nets, func(n *networkPlan) bridgePart { return n.int }), err
}

func (p *planner) tunBridge(nets []*networkPlan) (*spec.Bridge, error) {
	in := pipeline.TunInput{PatchInt: p.ofport(row.TunBridge, row.PatchInt)}
	if in.PatchInt == 0 {
		return p.unknown(row.TunBridge, row.PatchInt), nil
	}
	for _, t := range p.tunnels {
		if port := p.ofport(row.TunBridge, t.row.Name); port != 0 {
			in.Tunnels = append(in.Tunnels, pipeline.Tunnel{Port: port, Type: t.kind})
		}
	}
	base, err := p.part(row.TunBridge, &pipeline.Tun, pipeline.TunFlows(in))
	return p.assemble(base, nets, func(n *networkPlan) bridgePart { return n.tun }), err
}

// assemble puts a bridge together from what all networks share and what each needs.
func (p *planner) assemble(base *spec.Part, nets []*networkPlan, of func(*networkPlan) bridgePart) *spec.Bridge {
	b := &spec.Bridge{Parts: make([]*spec.Part, 1, 1+len(nets)), Learn: make(map[uint16]pipeline.LearnScope, len(nets))}
	b.Parts[0] = base
	for _, n := range nets {
		if has := of(n); has.part != nil {
			b.Parts = append(b.Parts, has.part)
			b.Learn[n.vlan] = has.learn
			p.pending(n.network.ID, has.pending)
		}
	}
	return b
}

func (p *planner) extBridge(bridge string, nets []*networkPlan) (*spec.Bridge, error) {
	_, onBridge := row.MappingPorts(bridge)
	in := pipeline.ExtInput{PhyPort: p.ofport(bridge, onBridge)}
	if in.PhyPort == 0 {
		return p.unknown(bridge, onBridge), nil
	}
	for _, n := range nets {
		if n.network.Physnet != "" && p.is.BridgeMappings[n.network.Physnet] == bridge {
			in.Networks = append(in.Networks, pipeline.ExtNetwork{Tag: n.network.Tag, VLAN: n.vlan, Segment: uint16(n.network.SegmentID)})
		}
	}
	all, err := p.part(bridge, &pipeline.Ext, pipeline.ExtFlows(in))
	return &spec.Bridge{Parts: []*spec.Part{all}}, err
}

// unknown is the plan of a bridge whose cable has no port number (yet).
func (p *planner) unknown(bridge, port string) *spec.Bridge {
	for _, id := range p.m.NetworksAt(p.s.Host) {
		p.pending(id, pendingf("PatchPortMissing", "bridge %s of host %s has no port %s, its cable to the next bridge: Heddle makes it, unless the host's OVSDB is away or another port has its name", bridge, p.s.Host, port))
	}
	return &spec.Bridge{Err: fmt.Errorf("bridge %s has no port %s", bridge, port)}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
