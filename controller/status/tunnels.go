package status

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/store/model"
)

// TunnelState is how a tunnel is, by what the two ends tell each other through it (BFD, RFC 5880).
type TunnelState string

// The states of a tunnel.
const (
	TunnelUp      TunnelState = "up"      // both ends hear each other
	TunnelDown    TunnelState = "down"    // they do not
	TunnelUnknown TunnelState = "unknown" // it is not watched, has just been made, or its host does not tell
)

// The reasons of tunnels.
const (
	TunnelIsDown      Reason = "TunnelDown"        // nothing, or nothing in one direction, comes through
	TunnelPortMissing Reason = "TunnelPortMissing" // the host has no port for it
	TunnelStarting    Reason = "TunnelStarting"    // it has just been made
	TunnelNotWatched  Reason = "TunnelNotWatched"  // Heddle was told not to watch, or cannot at the other end
)

// Tunnel is what a host tells of one of its tunnel ports.
type Tunnel struct {
	State TunnelState
	Since time.Time // of the state
	// Starting says that the session was set up a moment ago; State is unknown then.
	Starting bool
	Watched  bool   // there is a BFD session
	Hears    bool   // of one that is down: what the other end sends arrives
	Err      string // why ovs-vswitchd could not make the port
	Egress   string // interface by which its packets leave the host; empty if the host has no route
	Carrier  bool   // of Egress
	MTU      int    // bytes that Egress, and what is behind it on its bridge, carries; 0 if it is not known
}

// Path is one direction of a tunnel, as planned and as its host tells.
type Path struct {
	From, To  string // hosts
	Type      model.NetworkType
	Interface string     // of From
	Local     netip.Addr // of From
	Remote    netip.Addr // of To
	State     TunnelState
	Since     time.Time
	Reason    Reason // of one that is not up
	Msg       string // likewise: why, and what to check
	MTU       int    // as of Tunnel
	Egress    string
}

// Title is "the vxlan tunnel to host cmp2 (172.31.0.13)".
func (p Path) Title() string {
	return fmt.Sprintf("the %s tunnel to host %s (%s)", p.Type, p.To, p.Remote)
}

// tunnelTypes are the types of tunnels in the order that they are shown.
var tunnelTypes = []model.NetworkType{model.TypeGRE, model.TypeVXLAN, model.TypeGeneve}

// Mesh is the tunnels between all hosts at one moment. It finds out quickly that all of a host's are up, as
// they nearly always are: between two hundred hosts there are forty thousand.
type Mesh struct {
	v     View
	m     *model.Model
	hosts []*model.Host // by name
	types []model.NetworkType
	users map[model.NetworkType]map[netip.Addr]int // hosts that speak a type, by tunnel address
	total map[model.NetworkType]int
}

// Mesh returns the tunnels of a view.
func (v View) Mesh(m *model.Model) *Mesh {
	x := &Mesh{v: v, m: m, users: map[model.NetworkType]map[netip.Addr]int{}, total: map[model.NetworkType]int{}}
	for _, t := range tunnelTypes {
		if m.TypeInUse(t) {
			x.types = append(x.types, t)
			x.users[t] = map[netip.Addr]int{}
		}
	}
	for _, name := range m.Hosts.Sorted() {
		h, ok := m.Hosts.Get(name)
		if !ok {
			continue
		}
		x.hosts = append(x.hosts, h)
		is := h.Settings()
		for _, t := range x.types {
			if is.Speaks(t) {
				x.users[t][is.EncapIP]++
				x.total[t]++
			}
		}
	}
	return x
}

// Count returns how many tunnels there are to be from a host to others.
func (x *Mesh) Count(from *model.Host) int {
	n, is := 0, from.Settings()
	for _, t := range x.types {
		if is.Speaks(t) {
			n += x.total[t] - x.users[t][is.EncapIP]
		}
	}
	return n
}

// AllUp reports whether all tunnels of a host are up, and since when.
func (x *Mesh) AllUp(from *model.Host) (since time.Time, ok bool) {
	h := x.v[from.Name]
	if !h.Targets["ovsdb"].Connected || !h.Targets[row.TunBridge].Connected || len(h.Tunnels) < x.Count(from) {
		return time.Time{}, false
	}
	for _, t := range h.Tunnels {
		if t.State != TunnelUp || t.Err != "" {
			return time.Time{}, false
		}
		since = later(since, t.Since)
	}
	return since, true
}

// Paths returns the tunnels that a host has to every other, by host and type.
func (x *Mesh) Paths(from *model.Host) []Path {
	out := make([]Path, 0, x.Count(from))
	for _, to := range x.hosts {
		for _, t := range x.types {
			if p, ok := x.v.Path(x.m, from, to, t); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

// condition is whether a host's tunnels are up; needed is false if it has none.
func (x *Mesh) condition(from *model.Host) (c Condition, needed bool) {
	if x.Count(from) == 0 {
		return Condition{}, false
	}
	if since, ok := x.AllUp(from); ok {
		return Condition{Type: "Tunnels", OK: true, Since: since}, true
	}
	return tunnelCondition(x.Paths(from)), true
}

// Paths returns the tunnels that a host has to every other, by host and type.
func (v View) Paths(m *model.Model, from *model.Host) []Path { return v.Mesh(m).Paths(from) }

// Path returns the tunnel of a type from one host to another; ok is false if there is none to be.
func (v View) Path(m *model.Model, from, to *model.Host, t model.NetworkType) (p Path, ok bool) {
	a, b := from.Settings(), to.Settings()
	if from.Name == to.Name || !m.TypeInUse(t) || !a.Speaks(t) || !b.Speaks(t) || a.EncapIP == b.EncapIP {
		return Path{}, false
	}
	p = Path{From: from.Name, To: to.Name, Type: t, Interface: row.TunnelName(string(t), b.EncapIP), Local: a.EncapIP.Unmap(), Remote: b.EncapIP.Unmap(),
		State: TunnelUnknown}
	is, seen := v[from.Name].Tunnels[p.Interface]
	p.Since, p.MTU, p.Egress = is.Since, is.MTU, is.Egress
	set := func(state TunnelState, reason Reason, format string, args ...any) {
		p.State, p.Reason, p.Msg = state, reason, fmt.Sprintf(format, args...)
	}
	switch {
	case !v[from.Name].Targets["ovsdb"].Connected:
		p.Since, p.MTU = time.Time{}, 0
		set(TunnelUnknown, HostDown, "the OVSDB of host %s is not connected, so nothing is known of its tunnels", from.Name)
	case !v[from.Name].Targets[row.TunBridge].Connected:
		set(TunnelUnknown, SwitchDown, "br-tun of host %s is not connected: is ovs-vswitchd running there?", from.Name)
	case !seen:
		set(TunnelDown, TunnelPortMissing, "br-tun of host %s has no port %s (yet): see what the host's targets say", from.Name, p.Interface)
	case is.Err != "":
		set(TunnelDown, TunnelPortMissing, "ovs-vswitchd of host %s cannot make port %s: %s", from.Name, p.Interface, is.Err)
	case is.State == TunnelUp:
		p.State = TunnelUp
	case is.Starting:
		set(TunnelUnknown, TunnelStarting, "it was made a moment ago")
	case !is.Watched:
		set(TunnelUnknown, TunnelNotWatched, "tunnels are not watched: the server runs with --tunnel-probe 0")
	case !v[to.Name].OVSDB:
		set(TunnelUnknown, TunnelNotWatched, "nothing comes from host %s, whose OVSDB has not connected since Heddle started: its end may not be watched", to.Name)
	default:
		p.State, p.Reason = TunnelDown, TunnelIsDown
		p.Msg = v.whyDown(p, is)
	}
	return p, true
}

// carries names what carries each type of tunnel (IANA protocol and port numbers).
var carries = map[model.NetworkType]string{
	model.TypeGRE: "GRE (IP protocol 47)", model.TypeVXLAN: "UDP port 4789", model.TypeGeneve: "UDP port 6081",
}

// whyDown says why nothing comes through a tunnel, as far as it can be told, and what to check.
func (v View) whyDown(p Path, is Tunnel) string {
	worksFrom, worksTo := v.anyUp(p.From), v.anyUp(p.To)
	address := func(host string, ip netip.Addr) string {
		return fmt.Sprintf("is its tunnel address %s really one of host %s (ip address there)? If not, set external_ids:heddle-encap-ip there, or PATCH /v1/hosts/%s", ip, host, host)
	}
	switch {
	case is.Egress == "":
		return fmt.Sprintf("host %s has no route to %s: ip route get %s there", p.From, p.Remote, p.Remote)
	case !is.Carrier:
		return fmt.Sprintf("interface %s of host %s, by which its packets leave, has no carrier: is the cable in, and the switch port up?", is.Egress, p.From)
	case v.otherTypeUp(p) != "":
		return fmt.Sprintf("the %s tunnel between the same hosts is up, so something between them does not let %s through: firewalls of both hosts, and what is between",
			v.otherTypeUp(p), carries[p.Type])
	case !v[p.To].Targets["ovsdb"].Connected && !worksTo:
		return fmt.Sprintf("host %s is not connected to Heddle either: is it up, and on the network?", p.To)
	case !worksTo && worksFrom:
		return fmt.Sprintf("no tunnel of host %s is up: %s", p.To, address(p.To, p.Remote))
	case !worksFrom && worksTo:
		return fmt.Sprintf("no tunnel of host %s is up: %s", p.From, address(p.From, p.Local))
	case is.Hears:
		return fmt.Sprintf("what host %s sends arrives, but it gets nothing from host %s: firewall of host %s, and what lets %s through in this direction alone", p.To, p.From, p.To, carries[p.Type])
	case !worksFrom && !worksTo:
		return fmt.Sprintf("nothing comes from host %s: are the tunnel addresses %s of host %s and %s of host %s right (ip address there), does ping %s work from host %s, and does all between let %s through?",
			p.To, p.Local, p.From, p.Remote, p.To, p.Remote, p.From, carries[p.Type])
	}
	return fmt.Sprintf("nothing comes from host %s, though both hosts have tunnels that are up: does ping %s work from host %s, and does all between let %s through?",
		p.To, p.Remote, p.From, carries[p.Type])
}

// anyUp reports whether any tunnel of a host is up.
func (v View) anyUp(host string) bool {
	for _, t := range v[host].Tunnels {
		if t.State == TunnelUp {
			return true
		}
	}
	return false
}

// otherTypeUp returns a type of tunnel that is up between the same hosts; empty if none is.
func (v View) otherTypeUp(p Path) model.NetworkType {
	for _, t := range tunnelTypes {
		if t != p.Type && v[p.From].Tunnels[row.TunnelName(string(t), p.Remote)].State == TunnelUp {
			return t
		}
	}
	return ""
}

// tunnelCondition is the condition that some tunnels are up, those of a host or of a network.
func tunnelCondition(paths []Path) Condition {
	c := Condition{Type: "Tunnels", OK: true}
	var down, unknown []Path
	for _, p := range paths {
		switch p.State {
		case TunnelDown:
			down = append(down, p)
		case TunnelUnknown:
			unknown = append(unknown, p)
		case TunnelUp:
			c.Since = later(c.Since, p.Since)
		}
	}
	worst := down
	if len(down) == 0 {
		worst = unknown
	}
	if len(worst) == 0 {
		return c
	}
	first := slices.MinFunc(worst, func(a, b Path) int { return a.Since.Compare(b.Since) })
	c.OK, c.Unknown, c.Since, c.Reason, c.Host = false, len(down) == 0, first.Since, first.Reason, first.From
	c.Msg = fmt.Sprintf("%s of host %s is %s: %s", strings.TrimPrefix(first.Title(), "the "), first.From, first.State, first.Msg)
	if more := len(worst) - 1; more > 0 {
		c.Msg += fmt.Sprintf(" (and %d more)", more)
	}
	return c
}

// peers are the tunnels of a type from a host to each of some others.
func (v View) peers(m *model.Model, host string, others []string, t model.NetworkType) []Path {
	from, ok := m.Hosts.Get(host)
	if !ok {
		return nil
	}
	var out []Path
	for _, name := range others {
		if to, ok := m.Hosts.Get(name); ok {
			if p, ok := v.Path(m, from, to, t); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
