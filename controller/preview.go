package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/difference"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Preview says what would change on every host if the model were after instead of before, with hosts as
// they are now. It changes nothing.
//
// A plan is followed to its end: what it makes on a host, such as the link of a router, is taken as seen
// there, so that what follows from that is in the preview too. Numbers that Open vSwitch will choose are
// not known; a port without one is called by its name.
func (c *Controller) Preview(before, after *model.Model) difference.Fabric {
	seen := c.sightings(before, after)
	was := c.foresee(before, seen, nil)
	will := c.foresee(after, seen, was)
	var out difference.Fabric
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		old, now := was.hosts[name], will.hosts[name]
		out.Unplanned = append(out.Unplanned, unplanned(name, old, now)...)
		if old.err != nil || now.err != nil {
			continue
		}
		if diff := difference.Of(c.side(name, old, was.model), c.side(name, now, will.model)); len(diff) > 0 {
			out.Hosts = append(out.Hosts, difference.Host{Host: name, Diff: diff})
		}
	}
	return out
}

// sighting is what is known of a host at the moment of a preview.
type sighting struct {
	spec.Observed
	ifaces map[model.ID]string // interfaces on br-int, by the API's port
	known  bool                // ifaces are
	absent bool                // nothing of it is connected
}

// sightings looks at every host of two models.
func (c *Controller) sightings(before, after *model.Model) map[string]sighting {
	out := map[string]sighting{}
	for _, m := range []*model.Model{before, after} {
		for name := range m.Hosts.All() {
			if _, done := out[name]; done {
				continue
			}
			s := sighting{absent: true}
			if h := c.host(name); h != nil {
				seen := h.look()
				s.Observed = seen.Observed
				s.ifaces, s.known = h.plugged(before, seen)
				s.absent = seen.db == nil && len(seen.Ports) == 0
			}
			out[name] = s
		}
	}
	return out
}

// prospect is a model with all that follows from it, and each host's plan then.
type prospect struct {
	model *model.Model
	hosts map[string]foreseen
}

// foreseen is a host in a prospect.
type foreseen struct {
	sighting
	spec  *spec.Spec // nil: the model does not have the host
	err   error      // nothing is known
	names map[string]map[of.PortNo]string
	next  of.PortNo // for the next port that is foreseen
}

// firstForeseen is the first number given to ports that have none yet. Open vSwitch gives no such numbers
// (OFPP_MAX of its ports is 0xff00).
const firstForeseen of.PortNo = 0x10000

// foreseeRounds bounds how long a chain of consequences is followed: a bridge, its cables, tunnels, and the
// links of namespaces, whose VLANs are the end of it.
const foreseeRounds = 8

// foresee plans all hosts again and again, each time with what the plans before would have made, until
// nothing new follows. Compared to is the prospect that the preview is compared with, nil for that itself:
// what is planned there and here no more is taken as gone.
func (c *Controller) foresee(m *model.Model, seen map[string]sighting, to *prospect) *prospect {
	p := &prospect{model: m, hosts: make(map[string]foreseen, len(seen))}
	for name, s := range seen {
		p.hosts[name] = foreseen{sighting: s, names: map[string]map[of.PortNo]string{}, next: firstForeseen}
	}
	for range foreseeRounds {
		news := false
		for name, h := range p.hosts {
			h.spec, h.err = nil, nil
			if _, ok := p.model.Hosts.Get(name); ok {
				h.spec, h.err = spec.Plan(p.model, h.Observed, name, c.cfg.Planners...)
			}
			var there *spec.Spec
			if to != nil {
				there = to.hosts[name].spec
			}
			if h.err == nil {
				news = h.come(there) || news
			}
			p.hosts[name] = h
		}
		plugged, err := c.plug(p)
		if err != nil || !news && plugged == p.model {
			break
		}
		p.model = plugged
	}
	return p
}

// come takes what the host's plan makes as made, and what only the other plan makes as gone. It reports
// whether that is news.
func (h *foreseen) come(other *spec.Spec) bool {
	news := false
	wanted := links(h.spec)
	for _, l := range wanted {
		news = h.appear(row.IntBridge, l.Peer, l.Port) || news
	}
	for peer, l := range links(other) {
		if _, stays := wanted[peer]; !stays {
			news = h.vanish(row.IntBridge, peer, l.Port) || news
		}
	}
	if h.Observed.Rows == nil {
		return news
	}
	rows := specRows(h.spec)
	for _, r := range rows {
		switch r := r.(type) {
		case row.Bridge:
			news = h.appearBridge(r.Name) || news
		case row.Patch:
			news = h.appear(r.Bridge, r.Name, "") || news
		case row.Tunnel:
			news = h.appear(r.Bridge, r.Name, "") || news
		}
	}
	for k, r := range specRows(other) {
		if _, stays := rows[k]; stays {
			continue
		}
		switch r := r.(type) {
		case row.Patch:
			news = h.vanish(r.Bridge, r.Name, "") || news
		case row.Tunnel:
			news = h.vanish(r.Bridge, r.Name, "") || news
		}
	}
	return news
}

// links are those of all namespaces of a plan, by their ends on br-int.
func links(s *spec.Spec) map[string]spec.Link {
	out := map[string]spec.Link{}
	if s == nil {
		return out
	}
	for _, ns := range s.Namespaces {
		for _, l := range ns.Links {
			out[l.Peer] = l
		}
	}
	return out
}

func specRows(s *spec.Spec) map[row.Key]row.Row {
	if s == nil {
		return nil
	}
	return s.Rows
}

// appear makes an interface seen on a bridge, if the bridge is connected; port is the API's, of one that
// has an iface-id. It reports whether that is news.
func (h *foreseen) appear(bridge, iface string, port model.ID) bool {
	ports := h.Observed.Ports[bridge]
	if ports == nil || ports[iface].No != 0 && (port == "" || h.ifaces[port] == iface) {
		return false
	}
	if ports[iface].No == 0 {
		if h.names[bridge] == nil {
			h.names[bridge] = map[of.PortNo]string{}
		}
		h.names[bridge][h.next] = iface
		h.setPort(bridge, iface, of.Port{No: h.next, Name: iface})
		h.next++
	}
	h.setPlugged(iface, port)
	return true
}

// vanish takes an interface from a bridge. It reports whether it was there.
func (h *foreseen) vanish(bridge, iface string, port model.ID) bool {
	if h.Observed.Ports[bridge][iface].No == 0 {
		return false
	}
	h.setPort(bridge, iface, of.Port{})
	if port != "" && h.ifaces[port] == iface {
		h.ifaces = maps.Clone(h.ifaces)
		delete(h.ifaces, port)
	}
	if h.Observed.Rows != nil && h.Observed.Rows.Plugged[iface] != "" {
		rows := *h.Observed.Rows
		rows.Plugged = maps.Clone(rows.Plugged)
		delete(rows.Plugged, iface)
		h.Observed.Rows = &rows
	}
	return true
}

// appearBridge makes a bridge seen and connected.
func (h *foreseen) appearBridge(name string) bool {
	if h.Observed.Rows.Bridges[name] {
		return false
	}
	rows := *h.Observed.Rows
	rows.Bridges = maps.Clone(rows.Bridges)
	rows.Bridges[name] = true
	h.Observed.Rows = &rows
	h.Observed.Ports = maps.Clone(h.Observed.Ports)
	h.Observed.Ports[name] = map[string]of.Port{}
	return true
}

// setPort sets a port of a bridge, or with number 0 takes it away. What was observed is shared, and never
// written.
func (h *foreseen) setPort(bridge, iface string, port of.Port) {
	h.Observed.Ports = maps.Clone(h.Observed.Ports)
	ports := maps.Clone(h.Observed.Ports[bridge])
	if port.No == 0 {
		delete(ports, iface)
	} else {
		ports[iface] = port
	}
	h.Observed.Ports[bridge] = ports
}

func (h *foreseen) setPlugged(iface string, port model.ID) {
	if port == "" {
		return
	}
	h.ifaces = maps.Clone(h.ifaces)
	if h.ifaces == nil {
		h.ifaces = map[model.ID]string{}
	}
	h.ifaces[port] = iface
	if h.Observed.Rows != nil {
		rows := *h.Observed.Rows
		rows.Plugged = maps.Clone(rows.Plugged)
		rows.Plugged[iface] = string(port)
		h.Observed.Rows = &rows
	}
}

// plug returns the model in which every host's interfaces are bound; the same one if they are already.
func (c *Controller) plug(p *prospect) (*model.Model, error) {
	draft := store.NewDraft(p.model, time.Now)
	for _, name := range slices.Sorted(maps.Keys(p.hosts)) {
		h := p.hosts[name]
		if _, ok := p.model.Hosts.Get(name); !ok || !h.known {
			continue
		}
		_, err := draft.Update(context.Background(), func(tx *store.Tx) error { return c.cfg.Plug(tx, name, h.ifaces) })
		if err != nil {
			return p.model, err
		}
	}
	if len(draft.Changed().Edits) == 0 {
		return p.model, nil
	}
	m := *draft.Snapshot()
	m.Rev = p.model.Rev
	return &m, nil
}

// side is a host as it is compared.
func (c *Controller) side(name string, h foreseen, m *model.Model) difference.Side {
	s := difference.Side{Spec: h.spec, Names: h.names, Object: func(c of.Cookie) string { return objectOf(m, c) }}
	if h.Observed.Rows != nil {
		s.Plugged = h.Observed.Rows.Plugged
	}
	if c.cfg.Words != nil {
		s.Words = c.cfg.Words(m, name, h.Observed.Ports)
	}
	return s
}

// unplanned says what of a host is not known, each cause once.
func unplanned(name string, sides ...foreseen) []difference.Unplanned {
	var causes []string
	for _, h := range sides {
		if h.err != nil {
			causes = append(causes, h.err.Error())
		}
		if h.spec == nil {
			continue
		}
		if h.absent {
			causes = append(causes, "host "+name+" is not connected: what its bridges and OVSDB hold is not known")
			continue
		}
		if h.Observed.Rows == nil {
			causes = append(causes, "OVSDB of host "+name+" is not connected: its rows are not known")
		}
		for bridge, needed := range h.spec.Needs {
			switch b := h.spec.Bridges[bridge]; {
			case needed && b == nil:
				causes = append(causes, fmt.Sprintf("%s of host %s is not connected: its flows are not known", bridge, name))
			case b != nil && b.Err != nil:
				causes = append(causes, fmt.Sprintf("%s of host %s: %v", bridge, name, b.Err))
			}
		}
	}
	slices.Sort(causes)
	var out []difference.Unplanned
	for _, cause := range slices.Compact(causes) {
		out = append(out, difference.Unplanned{Host: name, Cause: cause})
	}
	return out
}

// objectOf names the object that a cookie tells of in a model, "network/<id>" or "port/<id>".
func objectOf(m *model.Model, cookie of.Cookie) string {
	kind, tag := pipeline.Cause(cookie)
	if !pipeline.Ours(cookie) || kind != pipeline.KindNetwork && kind != pipeline.KindPort {
		return ""
	}
	r := m.OfTag(tag)
	if r == nil {
		return ""
	}
	return r.Kind() + "/" + r.Key()
}
