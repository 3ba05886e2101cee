package view

import (
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
)

// HostState is what a host should be and, where that was asked for, what it is. It must not be changed.
type HostState struct {
	Spec *spec.Spec
	// Ports are those of each bridge that the host should have, by bridge and name. Ports that are not
	// there, and those of bridges that are not connected, have made-up numbers, as Spec does.
	Ports map[string]map[string]of.Port
	// Absent are the ports of connected bridges that should be there and are not, by bridge and name.
	Absent map[string]map[string]bool
	// Away says of bridges that are not connected, or do not answer, why nothing is known of them.
	Away map[string]string
	// Flows are those that each bridge holds, and those that it lacks, by bridge; nil if what the host is
	// was not asked for.
	Flows map[string][]Flow
	// Tunnels are the tunnel ports of br-tun by name, as they are if that was asked for, else as they
	// should be.
	Tunnels map[string]row.Tunnel
	// Paths are how the tunnels of br-tun are, by their ports' names.
	Paths map[string]status.Path
	// Node is what the host's agent reported; nil if none ever did.
	Node *status.Node
}
