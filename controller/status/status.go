// Package status derives what users see of an object's state: nothing of it is stored. A port is
// ACTIVE when every host concerned has confirmed, by a barrier, a revision in which the port is as
// asked; a port that is not ACTIVE says why.
package status

import (
	"fmt"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// The states of ports and networks (Networking API v2.0, "status").
const (
	Active = "ACTIVE"
	Build  = "BUILD"
	Down   = "DOWN"
)

// Reason is why a condition does not hold, for programs.
type Reason string

// The reasons. Those of [spec.Pending] are used as they are: PatchPortMissing, TunnelPortMissing,
// PortNotOnSwitch, PhysnetMissing.
const (
	AdminDown    Reason = "AdminDown"    // admin_state_up of the port or its network is false
	NoSuchHost   Reason = "NoSuchHost"   // binding:host_id names a host that never joined
	NotPlugged   Reason = "NotPlugged"   // no host has an interface with the port's id
	HostDown     Reason = "HostDown"     // the OVSDB of the port's host is not connected
	SwitchDown   Reason = "SwitchDown"   // a bridge of the port's host is not connected
	FlowsPending Reason = "FlowsPending" // a host has not confirmed the revision yet
	ApplyFailed  Reason = "ApplyFailed"  // a host refused, or broke down half way
)

// Condition is one step on the way of a port to ACTIVE.
type Condition struct {
	Type string `json:"type"` // "Bound", "Connected", "Realized", "DHCP", "Placed", "Whole", …
	OK   bool   `json:"ok"`
	// Unknown is true if it cannot be told whether the condition holds, and Info if it does not and may well
	// be meant so. OK is false then, and nothing is held against the object.
	Unknown bool      `json:"unknown,omitempty"`
	Info    bool      `json:"info,omitempty"`
	Reason  Reason    `json:"reason,omitempty"`
	Msg     string    `json:"message,omitempty"`
	Host    string    `json:"host,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when it came to be so; zero if that is not known
}

// Wrong reports whether the condition does not hold and should.
func (c Condition) Wrong() bool { return !c.OK && !c.Unknown && !c.Info }

// Port is the state of a port.
type Port struct {
	Status     string      `json:"status"`
	Host       string      `json:"host,omitempty"` // its home
	Conditions []Condition `json:"conditions"`
}

// Target is what a host's bridge or database last reported.
type Target struct {
	Connected bool      `json:"connected"`
	Rev       uint64    `json:"rev"` // newest revision that it confirmed
	At        time.Time `json:"at"`  // when
	Err       string    `json:"error,omitempty"`
	Since     time.Time `json:"since,omitzero"`     // when it connected, or went; zero: it never connected
	ErrSince  time.Time `json:"err_since,omitzero"` // when passes began to fail
	Held      Marks     `json:"-"`                  // which revisions it held since when
}

// Host is what is known of a host's state. It is a value that is replaced, never changed.
type Host struct {
	Name    string                    `json:"name"`
	OVSDB   bool                      `json:"ovsdb"`          // its OVSDB is, or was, connected: it has one
	Targets map[string]Target         `json:"targets"`        // "ovsdb" and the bridges, by name
	Pending map[model.ID]spec.Pending `json:"-"`              // what keeps networks from being whole there
	Waits   map[model.ID]time.Time    `json:"-"`              // since when, by network
	Tunnels map[string]Tunnel         `json:"-"`              // by interface
	Node    *Node                     `json:"node,omitempty"` // its agent, if one ever reported
}

// Confirmed returns the newest revision that all targets of the host hold, and the first target, by
// name, that keeps it there.
func (h Host) Confirmed() (rev uint64, last string) {
	for name, t := range h.Targets {
		if last == "" || t.Rev < rev || t.Rev == rev && name < last {
			rev, last = t.Rev, name
		}
	}
	return rev, last
}

// broken returns a target that does not hold rev and says why, the first by name; empty if there is none.
func (h Host) broken(rev uint64) string {
	broken := ""
	for name, t := range h.Targets {
		if t.Rev < rev && t.Err != "" && (broken == "" || name < broken) {
			broken = name
		}
	}
	return broken
}

// Down returns a target that is not connected, the first by name; empty if all are.
func (h Host) Down() string {
	down := ""
	for name, t := range h.Targets {
		if !t.Connected && (down == "" || name < down) {
			down = name
		}
	}
	return down
}

// View is the state of all hosts at one moment.
type View map[string]Host

// Port derives the state of a port.
func (v View) Port(m *model.Model, p *model.Port) Port {
	if network, ok := m.Networks.Get(p.Network); !p.AdminUp || ok && !network.AdminUp {
		return Port{Status: Down, Conditions: []Condition{{Type: "Bound", Reason: AdminDown, Msg: "admin_state_up of the port or of its network is false"}}}
	}
	home := m.HostOf(p)
	if home == nil {
		return Port{Status: Down, Conditions: []Condition{unplugged(m, p)}}
	}
	out := Port{Status: Active, Host: home.Host, Conditions: []Condition{{Type: "Bound", OK: true, Host: home.Host, Since: home.Since}}}
	add := func(status string, c Condition) {
		out.Conditions = append(out.Conditions, c)
		if !c.OK && out.Status == Active {
			out.Status = status
		}
	}
	add(Down, v.connected(home.Host))
	rev, changed := max(p.Rev, home.Rev), later(p.Updated, home.Since)
	if vlan, ok := m.VLANs.Get(model.VLANKey(home.Host, p.Network)); ok {
		rev = max(rev, vlan.Rev)
	}
	for _, host := range m.HostsOf(p.Network) {
		// A host that is away is not waited for: it gets everything when it is back, and must not
		// hold up the ports of others.
		if h, known := v[host]; host == home.Host || known && h.Down() == "" {
			add(Build, v.confirmed(host, rev, changed))
		}
	}
	if c, needed := v.dhcp(m, p); needed {
		add(Build, c)
	}
	if why, waits := v[home.Host].Pending[p.Network]; waits {
		add(Build, Condition{Type: "Whole", Reason: Reason(why.Reason), Msg: why.Msg, Host: home.Host, Since: v[home.Host].Waits[p.Network]})
	}
	return out
}

func unplugged(m *model.Model, p *model.Port) Condition {
	c := Condition{Type: "Bound", Reason: NotPlugged, Host: p.BindingHost, Msg: "no host has an interface of the port: start its instance, or plug the interface into br-int with external_ids:iface-id=" + string(p.ID)}
	if _, ok := m.Hosts.Get(p.BindingHost); p.BindingHost != "" && !ok {
		c.Reason, c.Msg = NoSuchHost, fmt.Sprintf("binding:host_id is %s, and no such host has joined", p.BindingHost)
	}
	return c
}

// connected is the condition that a host's OVSDB and bridges are. Of what is not, the OVSDB is told first.
func (v View) connected(host string) Condition {
	c := Condition{Type: "Connected", Host: host}
	h := v[host]
	down := h.Down()
	if t, has := h.Targets["ovsdb"]; has && !t.Connected {
		down = "ovsdb"
	}
	some := false
	for name, t := range h.Targets {
		some = some || t.Connected
		if down == "" || name == down {
			c.Since = later(c.Since, t.Since)
		}
	}
	switch {
	case len(h.Targets) == 0:
		c.Reason, c.Msg = HostDown, "host "+host+" is not connected: is it up, and does ovs-vsctl get-manager there name an address of this server that it reaches?"
	case !some:
		c.Reason, c.Msg = HostDown, "nothing of host "+host+" is connected: is it up, and does ovs-vsctl get-manager there name an address of this server that it reaches?"
	case down == "ovsdb":
		c.Reason, c.Msg = HostDown, "the OVSDB of host "+host+" is not connected, and its bridges are: does ovs-vsctl get-manager there name an address of this server that it reaches?"
	case down != "":
		c.Reason, c.Msg = SwitchDown, fmt.Sprintf("bridge %s of host %s is not connected: is ovs-vswitchd running, and what does ovs-vsctl show say of its controller?", down, host)
	default:
		c.OK = true
	}
	return c
}

// confirmed is the condition that a host holds a revision, which something came to need at a time.
func (v View) confirmed(host string, rev uint64, changed time.Time) Condition {
	c := Condition{Type: "Realized", Host: host}
	h := v[host]
	got, last := h.Confirmed()
	if got >= rev {
		c.OK = true
		for _, t := range h.Targets {
			c.Since = later(c.Since, t.Held.Since(rev, later(changed, t.Since)))
		}
		return c
	}
	if broken := h.broken(rev); broken != "" {
		c.Reason, c.Since = ApplyFailed, h.Targets[broken].ErrSince
		c.Msg = fmt.Sprintf("%s of host %s: %s", broken, host, h.Targets[broken].Err)
		return c
	}
	c.Reason, c.Since = FlowsPending, changed
	c.Msg = fmt.Sprintf("%s of host %s has confirmed revision %d, the port needs %d", last, host, got, rev)
	return c
}
