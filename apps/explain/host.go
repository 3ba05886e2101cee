package explain

import (
	"fmt"
	"slices"

	"github.com/heddle-sdn/heddle/apps/provenance"
	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// fabric is all that packets of one question meet. What they teach switches stays with it.
type fabric struct {
	m     *model.Model
	world World
	hosts map[string]*host
	err   error // of the world: nothing that was found out counts
	// sees says which objects may be told of, and that hosts may not; nil for whoever may know all.
	sees func(model.Resource) bool
}

// host returns a host, nil if the world does not know it or fails.
func (f *fabric) host(name string) *host {
	if h, ok := f.hosts[name]; ok {
		return h
	}
	if _, ok := f.m.Hosts.Get(name); !ok || f.err != nil {
		return nil
	}
	state, err := f.world.Host(name)
	if err != nil {
		f.err = err
		return nil
	}
	h := newHost(name, state)
	f.hosts[name] = h
	return h
}

// host is one host with its bridges made to run.
type host struct {
	*view.HostState
	name    string
	bridges map[string]*interp.Bridge
	ifaces  map[string]map[of.PortNo]string // by bridge and number
	cables  map[string]map[string]string    // the other bridge, by bridge and port
	ends    map[string]end                  // of namespaces' links, by their names on br-int
	names   map[string]*provenance.Names    // by bridge
	// lacking are the flows that are missing, by bridge and table, each in table 0.
	lacking map[string]map[of.TableID]*interp.Bridge
}

// end is a link of a namespace.
type end struct {
	space *kernel.Space
	link  spec.Link
}

func newHost(name string, s *view.HostState) *host {
	h := &host{HostState: s, name: name, bridges: map[string]*interp.Bridge{}, ifaces: map[string]map[of.PortNo]string{}, ends: map[string]end{},
		names: map[string]*provenance.Names{}, cables: map[string]map[string]string{}, lacking: map[string]map[of.TableID]*interp.Bridge{}}
	for bridge, ports := range s.Ports {
		h.ifaces[bridge] = make(map[of.PortNo]string, len(ports))
		c := interp.Config{Name: bridge, Flows: h.flows(bridge)}
		for iface, p := range ports {
			h.ifaces[bridge][p.No] = iface
			if s.Absent[bridge][iface] && s.Flows != nil {
				continue // no flow that is there names it
			}
			tunnel := s.Tunnels[iface]
			// An internal port that is in a namespace shows as taken down and without carrier.
			c.Ports = append(c.Ports, interp.Port{No: p.No, Name: iface, Down: p.LinkDown() && !p.AdminDown(), Local: tunnel.Local, Remote: tunnel.Remote})
		}
		h.bridges[bridge] = interp.NewBridge(c)
	}
	h.cable(row.TunBridge, row.PatchTun, row.PatchInt)
	for bridge := range s.Ports {
		if bridge != row.IntBridge && bridge != row.TunBridge {
			onInt, onBridge := row.MappingPorts(bridge)
			h.cable(bridge, onInt, onBridge)
		}
	}
	for _, ns := range s.Spec.Namespaces {
		space := kernel.New(ns)
		for _, l := range ns.Links {
			h.ends[l.Peer] = end{space, l}
		}
	}
	return h
}

// cable joins br-int with another bridge, if both ends are there.
func (h *host) cable(bridge, onInt, onBridge string) {
	if h.cables[row.IntBridge] == nil {
		h.cables[row.IntBridge] = map[string]string{}
	}
	h.cables[row.IntBridge][onInt] = bridge
	h.cables[bridge] = map[string]string{onBridge: row.IntBridge}
	a, hasA := h.port(row.IntBridge, onInt)
	b, hasB := h.port(bridge, onBridge)
	if hasA && hasB {
		interp.Patch(h.bridges[row.IntBridge], a, h.bridges[bridge], b)
	}
}

// port returns the number of a port that is there.
func (h *host) port(bridge, iface string) (of.PortNo, bool) {
	p, ok := h.Ports[bridge][iface]
	return p.No, ok && !h.Absent[bridge][iface]
}

// flows are what a bridge's packets meet: the flows that it holds if that was asked for, else those that
// it should hold.
func (h *host) flows(bridge string) []of.Flow {
	if h.Flows == nil {
		if b := h.Spec.Bridges[bridge]; b != nil {
			return b.Flows()
		}
		return nil
	}
	var out []of.Flow
	for _, f := range h.Flows[bridge] {
		if f.State != view.FlowMissing {
			out = append(out, f.Flow)
		}
	}
	return out
}

// stateOf returns how a flow of a bridge stands; empty if only what should be was asked for.
func (h *host) stateOf(bridge string, f *of.Flow) (view.Flow, bool) {
	all := h.Flows[bridge]
	i := slices.IndexFunc(all, func(v view.Flow) bool {
		return v.State != view.FlowMissing && v.Flow.Table == f.Table && v.Flow.Priority == f.Priority && v.Flow.Cookie == f.Cookie && slices.Equal(v.Flow.Match, f.Match)
	})
	if i < 0 {
		return view.Flow{}, false
	}
	return all[i], true
}

// lacks returns the flow that a bridge should have, and has not, that would have taken a packet in a
// table before the one that did, which may be nil.
func (h *host) lacks(bridge string, t of.TableID, took *of.Flow, p interp.Packet) *of.Flow {
	if h.Flows == nil {
		return nil
	}
	tables, ok := h.lacking[bridge]
	if !ok {
		missing := map[of.TableID][]of.Flow{}
		for _, f := range h.Flows[bridge] {
			if f.State == view.FlowMissing {
				at := f.Flow
				at.Table = 0
				missing[f.Flow.Table] = append(missing[f.Flow.Table], at)
			}
		}
		tables = map[of.TableID]*interp.Bridge{}
		for table, flows := range missing {
			tables[table] = interp.NewBridge(interp.Config{Name: bridge, Flows: flows})
		}
		h.lacking[bridge] = tables
	}
	if tables[t] == nil {
		return nil
	}
	found := tables[t].Run(p).Steps[0].Flow
	if found == nil || took != nil && found.Priority < took.Priority {
		return nil
	}
	out := *found
	out.Table = t
	return &out
}

// tunnelFrom returns the tunnel port of br-tun whose other end is a host's, by its type and address.
func (h *host) tunnelFrom(kind string, remote row.Tunnel) (of.PortNo, bool) {
	for iface, t := range h.Tunnels {
		if no, ok := h.port(row.TunBridge, iface); ok && t.Type == kind && t.Remote == remote.Local {
			return no, true
		}
	}
	return 0, false
}

// outside returns the port by which a provider bridge leads to the physical network: a port that is no
// cable, or else the bridge itself, for a host that is the network.
func (h *host) outside(bridge string) (iface string, no of.PortNo, ok bool) {
	_, cable := row.MappingPorts(bridge)
	for name, p := range h.Ports[bridge] {
		switch {
		case name == cable || h.Absent[bridge][name]:
		case p.No == of.PortLocal:
			if !ok {
				iface, no, ok = name, p.No, true
			}
		case !ok || no == of.PortLocal || p.No < no:
			iface, no, ok = name, p.No, true
		}
	}
	return iface, no, ok
}

// bridgeOf returns the bridge that has an interface.
func (h *host) bridgeOf(iface string) (string, of.PortNo, error) {
	for bridge := range h.Ports {
		if no, ok := h.port(bridge, iface); ok {
			return bridge, no, nil
		}
	}
	return "", 0, fmt.Errorf("host %s has no interface %s on a bridge that is connected", h.name, iface)
}
