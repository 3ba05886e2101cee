package model

import (
	"net/netip"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Host is a machine with OVS bridges: what it says of itself and what an operator says instead.
type Host struct {
	Name     string       `json:"name"`
	Said     HostSettings `json:"said"`            // Open_vSwitch.external_ids, as last read
	Override HostSettings `json:"override"`        // /v1/hosts; a field set here wins
	OVSDB    string       `json:"ovsdb,omitempty"` // manager that Heddle dials, "tcp:10.0.0.3:6640"; empty: the host dials
	// OpenFlow names bridges that Heddle dials ("br-tun" → "tcp:10.0.0.3:6653"); a bridge that is not
	// named dials Heddle.
	OpenFlow map[string]string `json:"openflow,omitempty"`
	// Bridges ties datapath ids to bridge names for hosts without OVSDB.
	Bridges map[string]of.DPID `json:"bridges,omitempty"`
	// Drained keeps routers and DHCP servers off a gateway host; what is there moves to others, if there
	// are any.
	Drained bool `json:"drained,omitempty"`
	// Agent is whether the host has a node agent that can run services.
	Agent AgentState `json:"agent,omitempty"`
	Rev   uint64     `json:"rev"` // store revision of the last change
}

// AgentState is what is known of a host's node agent.
type AgentState string

// The states of an agent.
const (
	AgentNever AgentState = ""     // none has ever reported: nothing is put on the host
	AgentUp    AgentState = "up"   // it reports
	AgentLost  AgentState = "lost" // it did, and stopped: what is on the host moves, if there is another
)

// HostSettings are the facts of a host that the fabric is planned from. A zero field is unset.
type HostSettings struct {
	EncapIP        netip.Addr        `json:"encap_ip,omitzero"`         // tunnel end point
	EncapTypes     []NetworkType     `json:"encap_types,omitempty"`     // tunnel types it speaks
	BridgeMappings map[string]string `json:"bridge_mappings,omitempty"` // physical network → bridge
	Gateway        *bool             `json:"gateway,omitempty"`         // may run routers and DHCP
	DatapathType   string            `json:"datapath_type,omitempty"`   // "system" (kernel) or "netdev" (userspace)
}

// Settings returns the settings in force: overrides over what the host says.
func (h *Host) Settings() HostSettings {
	s := h.Said
	o := h.Override
	if o.EncapIP.IsValid() {
		s.EncapIP = o.EncapIP
	}
	if o.EncapTypes != nil {
		s.EncapTypes = o.EncapTypes
	}
	if o.BridgeMappings != nil {
		s.BridgeMappings = o.BridgeMappings
	}
	if o.Gateway != nil {
		s.Gateway = o.Gateway
	}
	if o.DatapathType != "" {
		s.DatapathType = o.DatapathType
	}
	return s
}

// IsGateway reports whether routers and DHCP servers may run on the host.
func (s HostSettings) IsGateway() bool { return s.Gateway != nil && *s.Gateway }

// Speaks reports whether the host has a tunnel end point for the type.
func (s HostSettings) Speaks(t NetworkType) bool {
	if !s.EncapIP.IsValid() {
		return false
	}
	for _, e := range s.EncapTypes {
		if e == t {
			return true
		}
	}
	return false
}
