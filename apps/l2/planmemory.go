package l2

import (
	"maps"
	"sync"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// NewPlanner is [Planner.Remembering] of the zero Planner.
func NewPlanner() spec.Planner { return Planner{}.Remembering() }

// Remembering returns a planner that gives what x gives, and remembers what it planned: of a host's
// networks, only those are planned anew for which something changed that their plan depends on. It may
// be called from many goroutines.
func (x Planner) Remembering() spec.Planner {
	all := &memories{of: map[string]*memory{}}
	return func(m *model.Model, o spec.Observed, s *spec.Spec) error {
		mem := all.get(m, s.Host)
		mem.mu.Lock()
		defer mem.mu.Unlock()
		return x.plan(m, o, s, mem)
	}
}

// memories are those of all hosts.
type memories struct {
	mu    sync.Mutex
	of    map[string]*memory
	known model.Table[string, *model.Host] // hosts, when memories were looked through last
}

func (x *memories) get(m *model.Model, host string) *memory {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.known.Same(m.Hosts) {
		x.known = m.Hosts
		maps.DeleteFunc(x.of, func(name string, _ *memory) bool { _, is := m.Hosts.Get(name); return !is })
	}
	if x.of[host] == nil {
		x.of[host] = &memory{}
	}
	return x.of[host]
}

// memory is what was planned of one host before.
type memory struct {
	mu       sync.Mutex
	around   surroundings
	networks map[model.ID]*networkPlan
	parts    map[string]*spec.Part // of no network in particular, by bridge
}

// surroundings is what the plan of every network of a host depends on beside the network.
type surroundings struct {
	hosts    model.Table[string, *model.Host] // for addresses and types of tunnels, and mappings
	patchTun of.PortNo
	ways     map[string]of.PortNo // physical network → br-int's end of the cable
	tunPorts map[string]of.PortNo // of br-tun
}

func (a surroundings) equal(b surroundings) bool {
	return a.hosts.Same(b.hosts) && a.patchTun == b.patchTun && maps.Equal(a.ways, b.ways) && maps.Equal(a.tunPorts, b.tunPorts)
}

// networkPlan is what a host needs for one network. It is right as long as the network's stamp, the
// surroundings and the ports seen are the same.
type networkPlan struct {
	network *model.Network
	vlan    uint16
	stamp   *model.Stamp
	seen    []seenPort

	tags []row.Row
	int  bridgePart
	tun  bridgePart // without a part unless it is a tunnel network
}

// seenPort is what was observed of a port that the model has plugged on this host.
type seenPort struct {
	iface string
	no    of.PortNo // on br-int
	id    string    // iface-id in the OVSDB
}

// bridgePart is what one bridge needs for one network.
type bridgePart struct {
	part    *spec.Part
	learn   pipeline.LearnScope
	pending *spec.Pending
}

// recall returns the plan of a network, made anew if the one remembered is no longer right.
func (p *planner) recall(id model.ID) (*networkPlan, error) {
	stamp, before := p.m.StampOf(id), p.mem.networks[id]
	if before != nil && stamp != nil && before.stamp == stamp && p.stillSeen(before.seen) {
		return before, nil
	}
	n, err := p.planNetwork(id)
	if err != nil {
		return nil, err
	}
	n.stamp = stamp
	if before != nil {
		n.int.part, n.tun.part = same(before.int.part, n.int.part), same(before.tun.part, n.tun.part)
	}
	return n, nil
}

func (p *planner) stillSeen(ports []seenPort) bool {
	for _, port := range ports {
		if port != p.see(port.iface) {
			return false
		}
	}
	return true
}

func (p *planner) see(iface string) seenPort {
	return seenPort{iface: iface, no: p.ofport(row.IntBridge, iface), id: p.plugged(iface)}
}

// part makes a part that belongs to no network; as long as it comes out the same it is the same.
func (p *planner) part(bridge string, tables *pipeline.Pipeline, flows []of.Flow) (*spec.Part, error) {
	made, err := spec.NewPart(tables, flows)
	if err != nil {
		return nil, err
	}
	if p.mem.parts == nil {
		p.mem.parts = map[string]*spec.Part{}
	}
	p.mem.parts[bridge] = same(p.mem.parts[bridge], made)
	return p.mem.parts[bridge], nil
}

// same returns the part of before if the new one has the same flows: who compares parts sees at once
// that nothing changed.
func same(before, now *spec.Part) *spec.Part {
	if now.Equal(before) {
		return before
	}
	return now
}
