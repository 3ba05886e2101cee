// Package event is the log of what happened: switches that came and went, MAC addresses learned,
// passes that changed something. It is for people and views; nothing that writes to a switch reads it.
package event

import "time"

// Event is one entry of the log.
type Event struct {
	ID   uint64    `json:"id"` // ascends by one; starts at 1 with every process
	Time time.Time `json:"time"`
	Kind string    `json:"kind"` // Body.Kind()
	Host string    `json:"host,omitempty"`
	Body Body      `json:"body"`
}

// Body is what an event says. Bodies are values: they are never written after Append.
type Body interface {
	// Kind names the type for programs ("switch_up").
	Kind() string
}

// SwitchUp says that a bridge connected and was accepted.
type SwitchUp struct {
	DPID   string `json:"dpid"`
	Bridge string `json:"bridge"`
	Remote string `json:"remote"` // address it connected from, or that was dialled
}

// SwitchDown says that a bridge's connection ended.
type SwitchDown struct {
	DPID   string `json:"dpid"`
	Bridge string `json:"bridge"`
	Cause  string `json:"cause"`
}

// SwitchUnknown says that a bridge connected that no host claims: it is shown and not programmed.
type SwitchUnknown struct {
	DPID   string `json:"dpid"`
	Remote string `json:"remote"`
	Hint   string `json:"hint"` // what to do about it
}

// HostUp says that a host's OVSDB connected and is in sync.
type HostUp struct {
	Remote   string   `json:"remote"`
	OVS      string   `json:"ovs"`                // version
	Problems []string `json:"problems,omitempty"` // settings that could not be read
}

// HostRefused says that an OVSDB claims the name of a host that is connected already.
type HostRefused struct {
	Remote string `json:"remote"`
	Cause  string `json:"cause"`
}

// HostDown says that a host's OVSDB connection ended.
type HostDown struct {
	Cause string `json:"cause"`
}

// AgentUp says that a host's node agent reports.
type AgentUp struct {
	Started time.Time `json:"started"` // when this run of the agent began
}

// AgentLost says that a host's node agent stopped reporting.
type AgentLost struct{}

// ServiceMoved says that a router, or the DHCP server of a network, was put on a gateway host, or was taken
// from one. The event is of the host that it is on now, or else of the one that it was on.
type ServiceMoved struct {
	Service string `json:"service"`           // "router" or "dhcp"
	Object  string `json:"object"`            // "router/<id>" or "network/<id>"
	From    string `json:"from,omitempty"`    // host; empty: it had none
	To      string `json:"to,omitempty"`      // host; empty: it has none
	Cause   string `json:"cause"`             // why, as a model.PlacementCause or "not_needed"
	Rev     uint64 `json:"rev"`               // store revision
	Request string `json:"request,omitempty"` // the API request that caused it, if one did
	User    string `json:"user,omitempty"`
}

// TunnelDown says that nothing comes through a tunnel of the host any more, in one direction at least.
type TunnelDown struct {
	Interface string `json:"interface"`
	Type      string `json:"type"`
	To        string `json:"to"`     // other host
	Remote    string `json:"remote"` // its tunnel address
	Cause     string `json:"cause"`  // as far as it can be told, and what to check
}

// TunnelUp says that a tunnel that was down is up again.
type TunnelUp struct {
	Interface  string `json:"interface"`
	Type       string `json:"type"`
	To         string `json:"to"`
	Remote     string `json:"remote"`
	DownMillis int64  `json:"down_ms"` // how long it was down
}

// PortPlugged says that an interface of a port appeared on a host.
type PortPlugged struct {
	Port      string `json:"port"`
	Interface string `json:"interface"`
	VLAN      uint16 `json:"vlan"`
}

// PortUnplugged says that it went.
type PortUnplugged struct {
	Port      string `json:"port"`
	Interface string `json:"interface"`
}

// Reconciled says that a target was changed to what it should be.
type Reconciled struct {
	Target  string `json:"target"` // "br-tun", "ovsdb"
	Rev     uint64 `json:"rev"`
	From    uint64 `json:"from,omitempty"` // revision that it held before; 0: not known, as after it connected
	Added   int    `json:"added"`
	Updated int    `json:"updated"`
	Deleted int    `json:"deleted"`
	Millis  int64  `json:"ms"`
}

// Drift says that a target had been altered by someone else, and was repaired.
type Drift struct {
	Target  string   `json:"target"`
	Missing []string `json:"missing,omitempty"` // put back
	Altered []string `json:"altered,omitempty"` // set right
	Foreign []string `json:"foreign,omitempty"` // removed
	More    int      `json:"more,omitempty"`    // how many are not listed
	Objects []string `json:"objects,omitempty"` // API objects concerned, "port/<id>", as far as they are known
}

// ReconcileFailed says that a pass failed; it is logged when failures begin.
type ReconcileFailed struct {
	Target string `json:"target"`
	Cause  string `json:"cause"`
	Object string `json:"object,omitempty"` // API object that caused the refused part
	Flow   string `json:"flow,omitempty"`   // the refused flow
}

// ReconcileRecovered says that passes work again.
type ReconcileRecovered struct {
	Target string `json:"target"`
	Failed int    `json:"failed"` // passes that failed in between
}

// MACLearned says that a bridge learned where a MAC address is.
type MACLearned struct {
	Bridge  string `json:"bridge"`
	Network string `json:"network,omitempty"`
	VLAN    uint16 `json:"vlan"`
	MAC     string `json:"mac"`
	Via     string `json:"via"` // interface it is behind
	Moved   bool   `json:"moved,omitempty"`
}

// MACForgotten says that it no longer knows.
type MACForgotten struct {
	Bridge  string `json:"bridge"`
	Network string `json:"network,omitempty"`
	VLAN    uint16 `json:"vlan"`
	MAC     string `json:"mac"`
	Cause   string `json:"cause"` // "idle", "hard" or "delete"
}

// Changed says that an API request changed the model.
type Changed struct {
	Rev     uint64   `json:"rev"`
	Request string   `json:"request,omitempty"`
	User    string   `json:"user,omitempty"`
	Put     []string `json:"put,omitempty"`     // "port/<id>"
	Deleted []string `json:"deleted,omitempty"` // likewise
}

// Kind names the type.
func (SwitchUp) Kind() string { return "switch_up" }

// Kind names the type.
func (SwitchDown) Kind() string { return "switch_down" }

// Kind names the type.
func (SwitchUnknown) Kind() string { return "switch_unknown" }

// Kind names the type.
func (HostUp) Kind() string { return "host_up" }

// Kind names the type.
func (HostRefused) Kind() string { return "host_refused" }

// Kind names the type.
func (HostDown) Kind() string { return "host_down" }

// Kind names the type.
func (AgentUp) Kind() string { return "agent_up" }

// Kind names the type.
func (AgentLost) Kind() string { return "agent_lost" }

// Kind names the type.
func (ServiceMoved) Kind() string { return "service_moved" }

// Kind names the type.
func (TunnelDown) Kind() string { return "tunnel_down" }

// Kind names the type.
func (TunnelUp) Kind() string { return "tunnel_up" }

// Kind names the type.
func (PortPlugged) Kind() string { return "port_plugged" }

// Kind names the type.
func (PortUnplugged) Kind() string { return "port_unplugged" }

// Kind names the type.
func (Reconciled) Kind() string { return "reconciled" }

// Kind names the type.
func (Drift) Kind() string { return "drift" }

// Kind names the type.
func (ReconcileFailed) Kind() string { return "reconcile_failed" }

// Kind names the type.
func (ReconcileRecovered) Kind() string { return "reconcile_recovered" }

// Kind names the type.
func (MACLearned) Kind() string { return "mac_learned" }

// Kind names the type.
func (MACForgotten) Kind() string { return "mac_forgotten" }

// Kind names the type.
func (Changed) Kind() string { return "changed" }
