package native

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// hostView is a host in a list.
type hostView struct {
	Name      string                `json:"name"`
	Connected bool                  `json:"connected"` // all its targets are
	Revision  uint64                `json:"revision"`  // newest that all its targets confirmed
	Said      model.HostSettings    `json:"said"`
	Override  model.HostSettings    `json:"override"`
	Effective model.HostSettings    `json:"effective"`
	OVSDB     string                `json:"ovsdb,omitempty"`
	OpenFlow  map[string]string     `json:"openflow,omitempty"`
	Bridges   map[string]string     `json:"bridges,omitempty"`
	Drained   bool                  `json:"drained,omitempty"`
	Targets   map[string]targetView `json:"targets"`
	Problems  []problem             `json:"problems"`
	Counts    hostCounts            `json:"counts"`
}

type hostCounts struct {
	Networks int `json:"networks"`
	Ports    int `json:"ports"`
	Routers  int `json:"routers"` // that the host runs, also while they move away
	DHCP     int `json:"dhcp"`    // likewise: networks
}

// countHost counts what a host has.
func countHost(m *model.Model, name string) hostCounts {
	c := hostCounts{Networks: len(m.NetworksAt(name)), Ports: len(m.PlugsAt(name))}
	for _, p := range append(m.PlacementsAt(name), m.LeavingFrom(name)...) {
		if p.Service == model.ServiceRouter {
			c.Routers++
		} else {
			c.DHCP++
		}
	}
	return c
}

// wholeHostView is a host by itself.
type wholeHostView struct {
	hostView
	Networks []heldNetwork `json:"networks"`
	Ports    []pluggedPort `json:"ports"`
}

// targetView is the OVSDB of a host, or one of its bridges.
type targetView struct {
	Connected   bool      `json:"connected"`
	Rev         uint64    `json:"rev"`
	ConfirmedAt time.Time `json:"confirmed_at,omitzero"`
	Error       string    `json:"error,omitempty"`
}

// problem is something about a host that a person has to set right.
type problem struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// heldNetwork is a network that a host holds: a port of it is plugged there.
type heldNetwork struct {
	ID        model.ID          `json:"id"`
	Name      string            `json:"name"`
	Project   string            `json:"project_id"`
	Type      model.NetworkType `json:"type"`
	SegmentID uint32            `json:"segment_id,omitempty"`
	VLAN      uint16            `json:"vlan"`
	Ports     int               `json:"ports"`
	Pending   *problem          `json:"pending,omitempty"` // what keeps the network from being whole there
}

// pluggedPort is a port whose interface a host has.
type pluggedPort struct {
	ID        model.ID  `json:"id"`
	Name      string    `json:"name"`
	Network   model.ID  `json:"network_id"`
	Interface string    `json:"interface"`
	Since     time.Time `json:"since"`
	Home      bool      `json:"home"` // frames for the port go here; false on the host that a migration leaves
	Status    string    `json:"status"`
}

// hostsView makes views of hosts at one moment.
type hostsView struct {
	m       *model.Model
	state   status.View
	said    func(host string) []string // problems with what a host says
	sharing map[netip.Addr][]string    // hosts by tunnel address
	tunnels bool                       // there are tunnel networks
	mesh    *status.Mesh
	paths   map[string][]status.Path // by host, once they were asked for
}

func (s *server) viewHosts(m *model.Model) hostsView {
	v := hostsView{m: m, state: s.Fabric.Status(), said: s.Fabric.Problems, sharing: map[netip.Addr][]string{}, paths: map[string][]status.Path{}}
	for _, name := range v.m.Hosts.Sorted() {
		h, _ := v.m.Hosts.Get(name)
		if ip := h.Settings().EncapIP; ip.IsValid() {
			v.sharing[ip] = append(v.sharing[ip], name)
		}
	}
	v.mesh = v.state.Mesh(m)
	for _, t := range []model.NetworkType{model.TypeGRE, model.TypeVXLAN, model.TypeGeneve} {
		v.tunnels = v.tunnels || v.m.TypeInUse(t)
	}
	return v
}

// pathsOf returns the tunnels of a host.
func (v hostsView) pathsOf(h *model.Host) []status.Path {
	paths, known := v.paths[h.Name]
	if !known {
		paths = v.mesh.Paths(h)
		v.paths[h.Name] = paths
	}
	return paths
}

// notUp returns the tunnels of a host that are not up.
func (v hostsView) notUp(h *model.Host) []status.Path {
	if _, ok := v.mesh.AllUp(h); ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.pathsOf(h)), func(p status.Path) bool { return p.State == status.TunnelUp })
}

func (v hostsView) host(h *model.Host) hostView {
	state := v.state[h.Name]
	rev, _ := state.Confirmed()
	out := hostView{
		Name:      h.Name,
		Connected: len(state.Targets) > 0 && state.Down() == "",
		Revision:  rev,
		Said:      h.Said,
		Override:  h.Override,
		Effective: h.Settings(),
		OVSDB:     h.OVSDB,
		Drained:   h.Drained,
		OpenFlow:  h.OpenFlow,
		Bridges:   bridgeIDs(h.Bridges),
		Targets:   make(map[string]targetView, len(state.Targets)),
		Problems:  v.problems(h),
		Counts:    countHost(v.m, h.Name),
	}
	for name, t := range state.Targets {
		out.Targets[name] = targetView{t.Connected, t.Rev, t.At, t.Err}
	}
	return out
}

func (v hostsView) wholeHost(h *model.Host) wholeHostView {
	out := wholeHostView{hostView: v.host(h), Networks: []heldNetwork{}, Ports: []pluggedPort{}}
	pending := v.state[h.Name].Pending
	for _, id := range v.m.NetworksAt(h.Name) {
		n, ok := v.m.Networks.Get(id)
		if !ok {
			continue
		}
		vlan, _ := v.m.VLAN(h.Name, id)
		held := heldNetwork{ID: id, Name: n.Name, Project: n.Project, Type: n.Type, SegmentID: n.SegmentID, VLAN: vlan,
			Ports: len(v.m.PortsAt(h.Name, id))}
		if p, ok := pending[id]; ok {
			held.Pending = &problem{p.Reason, p.Msg}
		}
		out.Networks = append(out.Networks, held)
	}
	for _, plug := range v.m.PlugsAt(h.Name) {
		p, ok := v.m.Ports.Get(plug.Port)
		if !ok {
			continue
		}
		home := v.m.HostOf(p)
		out.Ports = append(out.Ports, pluggedPort{ID: p.ID, Name: p.Name, Network: p.Network, Interface: plug.Iface, Since: plug.Since,
			Home: home != nil && home.Host == h.Name, Status: v.state.Port(v.m, p).Status})
	}
	return out
}

// problems lists what is wrong with a host: with what it says, with its connections, with what was
// applied, and with its tunnels.
func (v hostsView) problems(h *model.Host) []problem {
	out := []problem{}
	add := func(reason, format string, args ...any) {
		out = append(out, problem{reason, fmt.Sprintf(format, args...)})
	}
	state := v.state[h.Name]
	if len(state.Targets) == 0 {
		add("NeverConnected", "nothing of the host has connected since Heddle started: run ovs-vsctl set-manager on it, or name its ovsdb or openflow targets here")
	}
	for _, name := range slices.Sorted(maps.Keys(state.Targets)) {
		t := state.Targets[name]
		switch {
		case t.Connected:
		case name == targetOVSDB:
			add("NotConnected", "ovsdb is not connected%s: is the host up, does ovsdb-server run there, and does ovs-vsctl get-manager name an address of this server that the host reaches?", since(t.Since))
		default:
			add("NotConnected", "%s is not connected%s: does ovs-vswitchd run there, and what does ovs-vsctl show say of the bridge's controller?", name, since(t.Since))
		}
		if t.Err != "" {
			add("ApplyFailed", "%s%s: %s", name, since(t.ErrSince), t.Err)
		}
	}
	out = append(out, v.faults(h)...)
	return append(out, v.tunnelProblems(h)...)
}

// since is " since" a time, nothing if that is not known.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + t.UTC().Format(time.RFC3339)
}

// maxTunnelProblems is how many tunnels that are down are told one by one.
const maxTunnelProblems = 5

// tunnelProblems lists the tunnels of a host that are down, and what its tunnels leave by if that is too
// narrow.
func (v hostsView) tunnelProblems(h *model.Host) []problem {
	var out []problem
	down := 0
	for _, p := range v.notUp(h) {
		if p.State != status.TunnelDown {
			continue
		}
		if down++; down <= maxTunnelProblems {
			out = append(out, problem{string(p.Reason), p.Title() + " is down" + since(p.Since) + ": " + p.Msg})
		}
	}
	if down > maxTunnelProblems {
		out = append(out, problem{string(status.TunnelIsDown), fmt.Sprintf("%d more tunnels are down; GET /v1/tunnels?host=%s&state=down lists all", down-maxTunnelProblems, h.Name)})
	}
	if c, needed := v.state.Underlay(v.m, h.Name); needed && c.Wrong() {
		out = append(out, problem{string(c.Reason), c.Msg})
	}
	return out
}

// faults lists what is wrong with a host beside its connections and what was applied: with what it says,
// and with its tunnels.
func (v hostsView) faults(h *model.Host) []problem {
	var out []problem
	add := func(reason, format string, args ...any) {
		out = append(out, problem{reason, fmt.Sprintf(format, args...)})
	}
	for _, p := range v.said(h.Name) {
		add("BadSetting", "the host says %s", p)
	}
	if stay := v.m.PlacementsAt(h.Name); h.Drained && len(stay) > 0 {
		c := countHost(v.m, h.Name)
		add("NoOtherGatewayHost", "the host is drained and keeps what it runs (routers: %d, networks with DHCP: %d): no other gateway host has an agent that reports and is not drained",
			c.Routers, c.DHCP)
	}
	is := h.Settings()
	switch {
	case is.EncapIP.IsValid():
		for _, other := range v.sharing[is.EncapIP] {
			if other != h.Name {
				add("SameTunnelAddress", "encap_ip %s is that of host %s too; correct one by PATCH /v1/hosts/NAME", is.EncapIP, other)
			}
		}
	case v.tunnels:
		add("NoTunnelAddress", "there are tunnel networks and the host has no encap_ip: set external_ids:heddle-encap-ip on it, or PATCH encap_ip here")
	}
	return append(out, v.pending(h.Name)...)
}

// conditions are the faults of a host as conditions that do not hold.
func (v hostsView) conditions(h *model.Host) []status.Condition {
	var out []status.Condition
	for _, p := range v.faults(h) {
		kind := "Settings"
		if p.Reason != "BadSetting" {
			kind = "Whole"
		}
		out = append(out, status.Condition{Type: kind, Reason: status.Reason(p.Reason), Msg: p.Message, Host: h.Name})
	}
	return out
}

// pending lists what keeps networks from being whole on a host: each cause once, with the number of
// networks.
func (v hostsView) pending(host string) []problem {
	networks := map[problem]int{}
	for _, p := range v.state[host].Pending {
		networks[problem{p.Reason, p.Msg}]++
	}
	out := make([]problem, 0, len(networks))
	for p, n := range networks {
		out = append(out, problem{p.Reason, fmt.Sprintf("%s (networks concerned: %d)", p.Message, n)})
	}
	slices.SortFunc(out, func(a, b problem) int { return strings.Compare(a.Reason+a.Message, b.Reason+b.Message) })
	return out
}
