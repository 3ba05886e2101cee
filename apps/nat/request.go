package nat

import (
	"net/netip"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store/model"
)

// FloatingIPCreate asks for a floating IP.
type FloatingIPCreate struct {
	Project, Description string
	Tags                 []string
	Network              model.ID           // external
	Subnet               l2.Opt[model.ID]   // to take the address from; default any of the network
	Address              l2.Opt[netip.Addr] // default any that is free
	Target               l2.Opt[model.ID]   // port to give it to; default none
	FixedIP              l2.Opt[netip.Addr] // of the port; default the only one that it has
	DNSName, DNSDomain   string
}

// FloatingIPUpdate asks for changes of a floating IP.
type FloatingIPUpdate struct {
	Description l2.Opt[string]
	Tags        l2.Opt[[]string]
	Target      l2.Opt[model.ID]   // null: take it away from its port
	FixedIP     l2.Opt[netip.Addr] // of the port
}

// ForwardingCreate asks for a port forwarding.
type ForwardingCreate struct {
	Project, Description string
	FloatingIP           model.ID
	Protocol             string // "tcp", "udp", "sctp", "dccp" or "icmp"
	External, Internal   l2.Opt[model.PortRange]
	Target               model.ID // port
	IP                   l2.Opt[netip.Addr]
}

// ForwardingUpdate asks for changes of a port forwarding.
type ForwardingUpdate struct {
	Description        l2.Opt[string]
	Protocol           l2.Opt[string]
	External, Internal l2.Opt[model.PortRange]
	Target             l2.Opt[model.ID]
	IP                 l2.Opt[netip.Addr]
}
