package dhcp

import (
	"slices"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/placement"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Ports keeps the port of each network's DHCP server: a network with a subnet that is served has one from
// the moment that there is a gateway host to serve it. It follows the subnets in their transaction.
type Ports struct{ l2 *l2.Ops }

// NewPorts returns the keeper of DHCP ports, which follows ops from now on.
func NewPorts(ops *l2.Ops) *Ports {
	p := &Ports{ops}
	ops.Follow(l2.Follower{
		SubnetsChanged: p.Settle,
		HostChanged: func(tx *store.Tx, before, after *model.Host) error {
			if !placement.Affected(before, after) {
				return nil
			}
			return p.SettleAll(tx)
		},
		PortChanged: func(tx *store.Tx, before, after *model.Port) error {
			if before.DeviceOwner != model.OwnerDHCP || after != nil {
				return nil
			}
			return p.Settle(tx, before.Network) // a server must not lose its port while subnets need it
		},
	})
	return p
}

// SettleAll is [Ports.Settle] for every network.
func (p *Ports) SettleAll(tx *store.Tx) error {
	for _, id := range tx.Model().Networks.Sorted() {
		if err := p.Settle(tx, id); err != nil {
			return err
		}
	}
	return nil
}

// Settle gives the DHCP server of a network a place and a port, or takes them away, as its subnets ask.
// Once there is a port it stays, and keeps its addresses, even if no gateway host is left.
func (p *Ports) Settle(tx *store.Tx, network model.ID) error {
	placement.Settle(tx, model.ServiceDHCP, network)
	needed := tx.Model().NeedsPlace(model.ServiceDHCP, network)
	host := tx.Model().HostOfService(model.ServiceDHCP, network)
	port := placement.DHCPPort(tx.Model(), network)
	switch {
	case !needed && port != nil:
		return p.l2.RemovePort(tx, port.ID)
	case !needed || port == nil && host == "":
		return nil
	case port == nil:
		return p.make(tx, network, host)
	}
	_, err := p.l2.ChangePort(tx, port.ID, l2.PortUpdate{FixedIPs: l2.Val(addresses(tx.Model(), network, port.FixedIPs))})
	return err
}

func (p *Ports) make(tx *store.Tx, network model.ID, host string) error {
	n, ok := tx.Model().Networks.Get(network)
	if !ok {
		return nil
	}
	_, err := p.l2.AddPort(tx, l2.PortCreate{
		Project:     n.Project,
		Network:     network,
		FixedIPs:    l2.Val(addresses(tx.Model(), network, nil)),
		DeviceID:    placement.DHCPDevice(network, host),
		DeviceOwner: model.OwnerDHCP,
		BindingHost: host,
	})
	return err
}

// addresses chooses an address in every subnet that is served: the one it has, else the first that is free.
// A subnet without free addresses is left out: nobody new could be served there anyway. Addresses that
// follow from the MAC are not named; the port gets them as every port does.
func addresses(m *model.Model, network model.ID, had []model.FixedIP) []model.FixedIP {
	out := []model.FixedIP{}
	for _, s := range m.SubnetsOf(network) {
		if !s.ServesDHCP() || s.AddressMode == "dhcpv6-stateless" {
			continue
		}
		if i := slices.IndexFunc(had, func(f model.FixedIP) bool { return f.Subnet == s.ID }); i >= 0 {
			out = append(out, had[i])
			continue
		}
		if ip, ok := l2.FirstFree(m, s); ok {
			out = append(out, model.FixedIP{Subnet: s.ID, IP: ip})
		}
	}
	return out
}
