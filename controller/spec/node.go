package spec

import (
	"net/netip"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Node is what the agent of a gateway host gets: the part of the host's Spec that the agent makes.
type Node struct {
	Rev        uint64               `json:"rev"` // changes whenever Namespaces does
	Host       string               `json:"host"`
	Namespaces map[string]Namespace `json:"namespaces"` // by name
}

// NodeStatus is what the agent of a gateway host tells of it.
type NodeStatus struct {
	Rev     uint64                `json:"rev"`     // of the Node it works on
	Started time.Time             `json:"started"` // when this run of the agent began
	Objects map[string]NodeObject `json:"objects"` // namespaces that are wanted or still there, by name
	Repairs []Repair              `json:"repairs,omitempty"`
}

// NodeObject is how far a namespace is.
type NodeObject struct {
	Rev      uint64            `json:"rev"`                // newest revision of the namespace that is in place in every part; 0: none
	Error    string            `json:"error,omitempty"`    // what keeps it there: "dhcp: …", the first by name of the part
	Errors   map[string]string `json:"errors,omitempty"`   // by part: "kernel", "ports", "dhcp", "nft", …
	Removing bool              `json:"removing,omitempty"` // it is not wanted, and not gone yet
}

// Repair is something that others altered and the agent put right.
type Repair struct {
	ID        uint64    `json:"id"` // counts from 1 in each run of the agent
	At        time.Time `json:"at"`
	Namespace string    `json:"namespace"`
	Text      string    `json:"text"` // "put back link/qr-1/addr/10.0.0.1/24"
}

// Lease is an address that a DHCP server of a gateway host has given out.
type Lease struct {
	Namespace string     `json:"namespace"` // of the server
	IP        netip.Addr `json:"ip"`
	MAC       of.MAC     `json:"mac,omitzero"` // of IPv4 leases
	Hostname  string     `json:"hostname,omitempty"`
	Expires   time.Time  `json:"expires"`
}
