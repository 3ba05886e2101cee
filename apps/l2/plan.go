package l2

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Planner plans the layer-2 part of hosts. Its zero value is ready to use.
type Planner struct {
	// Probe is how often the hosts at both ends of a tunnel tell each other that they are there, a whole
	// number of milliseconds; a host with very many tunnels does so less often. Zero: tunnels are not
	// watched.
	Probe time.Duration
}

// probeSteps say by how much probes of a host are less frequent from how many tunnels on: 57 of a second
// each cost ovs-vswitchd 1.5 % of a core, and a fabric of two hundred hosts has 600. Steps, since each
// change is written to every tunnel.
var probeSteps = []struct{ tunnels, factor int }{{512, 10}, {128, 4}, {0, 1}}

// every is how often each of some number of tunnels is probed.
func (x Planner) every(tunnels int) time.Duration {
	for _, s := range probeSteps {
		if tunnels >= s.tunnels {
			return x.Probe * time.Duration(s.factor)
		}
	}
	return x.Probe
}

// Plan plans with the zero [Planner].
func Plan(m *model.Model, o spec.Observed, s *spec.Spec) error { return Planner{}.Plan(m, o, s) }

// Plan is the layer-2 part of a host: its bridges, cables, tunnels, port tags, and the flows of br-int,
// br-tun and the provider bridges.
func (x Planner) Plan(m *model.Model, o spec.Observed, s *spec.Spec) error {
	return x.plan(m, o, s, &memory{})
}

func (x Planner) plan(m *model.Model, o spec.Observed, s *spec.Spec, mem *memory) error {
	host, ok := m.Hosts.Get(s.Host)
	if !ok {
		return fmt.Errorf("host %s is not known", s.Host)
	}
	p := &planner{m: m, o: o, s: s, is: host.Settings(), mem: mem}
	p.tunnels = p.wantedTunnels()
	for i := range p.tunnels {
		p.tunnels[i].row.Probe = x.every(len(p.tunnels))
	}
	nets, err := p.planNetworks()
	if err != nil {
		return err
	}
	p.planRows(nets)
	return p.planFlows(nets)
}

type planner struct {
	m       *model.Model
	o       spec.Observed
	s       *spec.Spec
	is      model.HostSettings
	tunnels []tunnel
	mem     *memory
}

// tunnel is a tunnel from this host to an address.
type tunnel struct {
	kind model.NetworkType
	row  row.Tunnel
}

// tunnelTypes are the types in the order their ports are planned.
var tunnelTypes = [...]model.NetworkType{model.TypeGRE, model.TypeVXLAN, model.TypeGeneve}

// wantedTunnels are those to every other host that speaks a type, once any network is of that type. A
// full mesh, so that the first port of a network on a host does not wait for OVS to make a device.
// Hosts of one address, such as a host and its former name, share a tunnel.
func (p *planner) wantedTunnels() []tunnel {
	var out []tunnel
	for _, t := range tunnelTypes {
		if !p.m.TypeInUse(t) || !p.is.Speaks(t) {
			continue
		}
		remotes := map[netip.Addr]bool{}
		for name, other := range p.m.Hosts.All() {
			if is := other.Settings(); name != p.s.Host && is.Speaks(t) && is.EncapIP != p.is.EncapIP {
				remotes[is.EncapIP] = true
			}
		}
		for _, remote := range slices.SortedFunc(maps.Keys(remotes), netip.Addr.Compare) {
			out = append(out, tunnel{t, row.NewTunnel(row.TunBridge, string(t), p.is.EncapIP, remote)})
		}
	}
	return out
}

// tunnelTo returns the port of the tunnel of a type to a host, 0 if there is none.
func (p *planner) tunnelTo(host string, t model.NetworkType) of.PortNo {
	other, ok := p.m.Hosts.Get(host)
	if !ok {
		return 0
	}
	is := other.Settings()
	if !p.is.Speaks(t) || !is.Speaks(t) || is.EncapIP == p.is.EncapIP {
		return 0
	}
	return p.ofport(row.TunBridge, row.TunnelName(string(t), is.EncapIP))
}

// hasTunnels reports whether the host has a br-tun at all.
func (p *planner) hasTunnels() bool { return p.is.EncapIP.IsValid() && len(p.is.EncapTypes) > 0 }

func (p *planner) planRows(nets []*networkPlan) {
	if p.o.Rows == nil {
		return
	}
	p.s.Want(p.bridge(row.IntBridge))
	if p.hasTunnels() {
		tun, in := row.Cable(row.IntBridge, row.PatchTun, row.TunBridge, row.PatchInt)
		p.s.Want(p.bridge(row.TunBridge), tun, in)
	}
	for _, t := range p.tunnels {
		p.s.Want(t.row)
	}
	for _, br := range p.providerBridges() {
		if p.o.Rows.Bridges[br] {
			onInt, onBridge := row.MappingPorts(br)
			a, b := row.Cable(row.IntBridge, onInt, br, onBridge)
			p.s.Want(row.Bridge{Name: br, Controllers: []string{p.o.Rows.Controller}}, a, b)
		}
	}
	for _, n := range nets {
		p.s.Want(n.tags...)
	}
}

func (p *planner) bridge(name string) row.Bridge {
	return row.Bridge{Name: name, DatapathType: p.is.DatapathType, Controllers: []string{p.o.Rows.Controller},
		OtherConfig: row.DefaultOtherConfig()}
}

// providerBridges are the bridges that physical networks are mapped to, sorted, each once.
func (p *planner) providerBridges() []string {
	var out []string
	for _, physnet := range sortedKeys(p.is.BridgeMappings) {
		if br := p.is.BridgeMappings[physnet]; !slices.Contains(out, br) {
			out = append(out, br)
		}
	}
	return out
}

// iface returns the interface of a port that is plugged on this host.
func (p *planner) iface(port model.ID) string {
	plug, ok := p.m.Plugs.Get(model.PlugKey(port, p.s.Host))
	if !ok {
		return ""
	}
	return plug.Iface
}

// pending notes what keeps a network from being whole on this host; the first reason stays.
func (p *planner) pending(network model.ID, why *spec.Pending) {
	if _, had := p.s.Pending[network]; !had && why != nil {
		p.s.Pending[network] = *why
	}
}

// ofport returns the number of an interface on a connected bridge, 0 if it has none.
func (p *planner) ofport(bridge, iface string) of.PortNo { return p.o.Ports[bridge][iface].No }

// plugged returns the iface-id of an interface on br-int, if the OVSDB is known and it has one.
func (p *planner) plugged(iface string) string {
	if p.o.Rows == nil {
		return ""
	}
	return p.o.Rows.Plugged[iface]
}
