package spec

import (
	"net/netip"
	"strconv"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

// Namespace is a network namespace of a gateway host: a router, or the DHCP server of a network. It is
// all that an agent needs to make it; nothing of it refers to the model.
type Namespace struct {
	Name     string            `json:"name"`              // "qrouter-<router id>", "qdhcp-<network id>"
	Object   string            `json:"object"`            // what caused it: "router/<id>", "network/<id>"
	Rev      uint64            `json:"rev"`               // newest store revision among what it was planned from
	Links    []Link            `json:"links,omitempty"`   // by name
	Routes   []Route           `json:"routes,omitempty"`  // beside those that addresses bring
	Sysctls  map[string]string `json:"sysctls,omitempty"` // "net.ipv4.ip_forward" → "1"
	NFT      *NFT              `json:"nft,omitempty"`
	DHCP     *DHCP             `json:"dhcp,omitempty"`
	RA       []RA              `json:"ra,omitempty"` // router advertisements
	Metadata *Metadata         `json:"metadata,omitempty"`
}

// Link is an interface of a namespace: one end of a veth pair, or an internal port of br-int. Its other
// end is on br-int, where it is plugged like a VM's, by the id of its port.
type Link struct {
	Name      string         `json:"name"` // inside: "qr-…", "qg-…", "ns-…"; at most 15 bytes
	Peer      string         `json:"peer"` // on the host, plugged into br-int: "tap…"
	Port      model.ID       `json:"port"` // the API's port
	MAC       of.MAC         `json:"mac"`
	MTU       int            `json:"mtu"`                 // bytes
	Addresses []netip.Prefix `json:"addresses,omitempty"` // announced once when they appear
}

// Route is a route of a namespace.
type Route struct {
	Destination netip.Prefix `json:"destination"`    // 0.0.0.0/0 or ::/0 for the default route
	Via         netip.Addr   `json:"via,omitzero"`   // invalid: on link
	Link        string       `json:"link,omitempty"` // needed if Via is on no link's subnet
	Metric      int          `json:"metric,omitempty"`
}

// String is the route as ip(8) prints it.
func (r Route) String() string {
	text := r.Destination.String()
	if r.Destination.Bits() == 0 {
		text = "default"
	}
	if r.Via.IsValid() {
		text += " via " + r.Via.String()
	}
	if r.Link != "" {
		text += " dev " + r.Link
	}
	if r.Metric != 0 {
		text += " metric " + strconv.Itoa(r.Metric)
	}
	return text
}

// NFT is the nftables table of a namespace, replaced as a whole.
type NFT struct {
	Family string `json:"family"` // "inet"
	Table  string `json:"table"`  // its name
	Text   string `json:"text"`   // what is between the table's braces, as nft(8) reads it
}

// DHCP is a dnsmasq that serves one network.
type DHCP struct {
	Args  []string          `json:"args"`  // of the command; %d stands for the directory of Files
	Files map[string]string `json:"files"` // "host", "opts", "addn_hosts": contents by name
}

// RA is the advertisement of one link.
type RA struct {
	Link     string       `json:"link"`
	Source   netip.Addr   `json:"source,omitzero"` // of its link-local addresses the one that hosts take as their gateway
	MTU      int          `json:"mtu"`
	Managed  bool         `json:"managed"` // addresses by DHCPv6
	Other    bool         `json:"other"`   // other settings by DHCPv6
	Prefixes []RAPrefix   `json:"prefixes"`
	DNS      []netip.Addr `json:"dns,omitempty"`
}

// RAPrefix is a prefix in an advertisement.
type RAPrefix struct {
	Prefix     netip.Prefix `json:"prefix"`
	Autonomous bool         `json:"autonomous"` // hosts make their own addresses (SLAAC)
}

// Metadata makes the agent answer 169.254.169.254 and fe80::a9fe:a9fe in the namespace.
type Metadata struct {
	Router    model.ID            `json:"router,omitempty"`
	Network   model.ID            `json:"network,omitempty"`
	Instances map[string]Instance `json:"instances"` // by address
}

// Instance is who asks for metadata from an address.
type Instance struct {
	Port      model.ID `json:"port"`
	Device    string   `json:"device"` // the instance's id
	Project   string   `json:"project"`
	Hostname  string   `json:"hostname"`
	MAC       of.MAC   `json:"mac"`
	MTU       int      `json:"mtu"` // bytes
	PublicKey []string `json:"public_keys,omitempty"`
	UserData  string   `json:"user_data,omitempty"`
}
