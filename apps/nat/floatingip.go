package nat

import (
	"net/netip"
	"reflect"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Ops are the transactions on floating IPs and port forwardings. As with those of package l2, each method
// belongs inside a store transaction that fails with it; errors that a caller caused are [*model.Error].
type Ops struct{ l2 *l2.Ops }

// New returns transactions on floating IPs, which follow those of ops from now on: a port that goes away
// gives its floating IPs back.
func New(ops *l2.Ops) *Ops {
	o := &Ops{ops}
	ops.Follow(l2.Follower{MayChangePort: mayChangePort, PortChanged: portChanged, NetworkLeaves: o.networkLeaves})
	return o
}

// CreateFloatingIP takes an address of an external network and, if it is asked to, gives it to a port.
func (o *Ops) CreateFloatingIP(tx *store.Tx, req FloatingIPCreate) (*model.FloatingIP, error) {
	n, ok := tx.Model().Networks.Get(req.Network)
	if !ok || !n.External {
		return nil, badRequest("Network %s is not a valid external network", req.Network)
	}
	id, err := o.l2.NewID()
	if err != nil {
		return nil, err
	}
	f := &model.FloatingIP{
		Meta:      model.Meta{ID: id, Project: req.Project, Description: req.Description, Tags: req.Tags},
		Network:   req.Network,
		DNSName:   req.DNSName,
		DNSDomain: req.DNSDomain,
	}
	if err := o.takeAddress(tx, f, req); err != nil {
		return nil, err
	}
	if err := give(tx.Model(), f, req.Target, req.FixedIP); err != nil {
		return nil, err
	}
	tx.StampNew(&f.Meta)
	f.Revision = 0 // a floating IP counts from 0, as a subnet does
	tx.Put(f)
	return f, nil
}

// takeAddress makes the port that holds a floating IP's address.
func (o *Ops) takeAddress(tx *store.Tx, f *model.FloatingIP, req FloatingIPCreate) error {
	var asked l2.Opt[[]model.FixedIP]
	if req.Subnet.Set() || req.Address.Set() {
		asked = l2.Val([]model.FixedIP{{Subnet: req.Subnet.Value, IP: req.Address.Value}})
	}
	p, err := o.l2.AddPort(tx, l2.PortCreate{ // without a project: it is not the tenant's
		Network:     f.Network,
		FixedIPs:    asked,
		DeviceID:    string(f.ID),
		DeviceOwner: model.OwnerFloatingIP,
	})
	if err != nil {
		return err
	}
	f.Port = p.ID
	for _, a := range p.FixedIPs {
		if a.IP.Is4() {
			f.IP = a.IP
			return nil
		}
	}
	return model.Errorf(model.Invalid, "ExternalIpAddressExhausted",
		"Unable to find any IP address on external network %s.", f.Network)
}

// UpdateFloatingIP changes a floating IP. A request that changes nothing leaves its revision alone.
func (o *Ops) UpdateFloatingIP(tx *store.Tx, id model.ID, req FloatingIPUpdate) (*model.FloatingIP, error) {
	old, ok := tx.Model().FloatingIPs.Get(id)
	if !ok {
		return nil, floatingIPNotFound(id)
	}
	f := *old
	apply(req.Description, &f.Description)
	apply(req.Tags, &f.Tags)
	if req.Target.Given || req.FixedIP.Given {
		target := req.Target
		if !target.Given && f.Target != "" {
			target = l2.Val(f.Target)
		}
		if target.Set() && len(tx.Model().ForwardingsOf(id)) > 0 {
			return nil, inUseByForwarding(tx.Model(), id)
		}
		if err := give(tx.Model(), &f, target, req.FixedIP); err != nil {
			return nil, err
		}
	}
	if reflect.DeepEqual(&f, old) {
		return old, nil
	}
	tx.Stamp(&f.Meta)
	tx.Put(&f)
	return &f, nil
}

// DeleteFloatingIP gives an address back.
func (o *Ops) DeleteFloatingIP(tx *store.Tx, id model.ID) error {
	f, ok := tx.Model().FloatingIPs.Get(id)
	if !ok {
		return floatingIPNotFound(id)
	}
	if len(tx.Model().ForwardingsOf(id)) > 0 {
		return inUseByForwarding(tx.Model(), id)
	}
	tx.Delete(f)
	return o.l2.RemovePort(tx, f.Port)
}

// give makes f, which the caller stores, lead to a port, or to none.
func give(m *model.Model, f *model.FloatingIP, target l2.Opt[model.ID], fixed l2.Opt[netip.Addr]) error {
	if !target.Set() || target.Value == "" {
		if fixed.Set() {
			return badRequest("fixed_ip_address cannot be specified without a port_id")
		}
		if f.Target != "" {
			f.Router = ""
		}
		f.Target, f.FixedIP = "", netip.Addr{}
		return nil
	}
	p, ok := m.Ports.Get(target.Value)
	if !ok {
		return model.NotFoundError("Port", target.Value)
	}
	at, err := addressOf(f, p, fixed)
	if err != nil {
		return err
	}
	r, err := routerFor(m, p, at.Subnet, f.Network)
	if err != nil {
		return err
	}
	for _, other := range m.FloatingIPsTo(p.ID) {
		if other.ID != f.ID && other.FixedIP == at.IP && other.Network == f.Network {
			return alreadyAssociated(f, p.ID, at.IP)
		}
	}
	for _, w := range m.ForwardingsTo(p.ID) {
		if w.IP == at.IP {
			return model.Errorf(model.InUse, "PortHasPortForwarding",
				"Cannot associate floating IP %s (%s) with port %s using fixed IP %s, as that port already has a Port Forwarding binding.",
				f.IP, f.ID, p.ID, at.IP)
		}
	}
	f.Target, f.FixedIP, f.Router = p.ID, at.IP, r
	return nil
}

func alreadyAssociated(f *model.FloatingIP, port model.ID, ip netip.Addr) error {
	return model.Errorf(model.InUse, "FloatingIPPortAlreadyAssociated",
		"Cannot associate floating IP %s (%s) with port %s using fixed IP %s, as that fixed IP already has a floating IP on external network %s.",
		f.IP, f.ID, port, ip, f.Network)
}

// addressOf finds the address of a port that a floating IP is to lead to.
func addressOf(f *model.FloatingIP, p *model.Port, asked l2.Opt[netip.Addr]) (model.FixedIP, error) {
	if asked.Set() {
		if !asked.Value.Is4() {
			return model.FixedIP{}, badRequest("Floating IP %s is associated with non-IPv4 address %s and therefore cannot be bound", f.ID, asked.Value)
		}
		for _, a := range p.FixedIPs {
			if a.IP == asked.Value {
				return a, nil
			}
		}
		return model.FixedIP{}, badRequest("Port %s does not have fixed ip %s", p.ID, asked.Value)
	}
	var found []model.FixedIP
	for _, a := range p.FixedIPs {
		if a.IP.Is4() {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 0:
		return model.FixedIP{}, badRequest("Cannot add floating IP to port %s that has no fixed IPv4 addresses", p.ID)
	case 1:
		return found[0], nil
	}
	return model.FixedIP{}, badRequest("Port %s has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP", p.ID)
}

// routerFor returns the router between a subnet and an external network. Of several it is the one that
// has the subnet's gateway address: it gets the port's answers.
func routerFor(m *model.Model, p *model.Port, subnet, external model.ID) (model.ID, error) {
	if s, ok := m.Subnets.Get(subnet); ok && s.Gateway.IsValid() {
		if user, used := m.AddressUser(subnet, s.Gateway); used {
			if leg, ok := m.Ports.Get(user); ok {
				if r, ok := routerOf(m, leg, external); ok {
					return r, nil
				}
			}
		}
	}
	for _, leg := range m.PortsOf(p.Network) {
		if r, ok := routerOf(m, leg, external); ok && has(leg, func(f model.FixedIP) bool { return f.Subnet == subnet }) {
			return r, nil
		}
	}
	return "", model.Errorf(model.NotFound, "ExternalGatewayForFloatingIPNotFound",
		"External network %s is not reachable from subnet %s.  Therefore, cannot associate Port %s with a Floating IP.", external, subnet, p.ID)
}

// routerOf returns the router that a port is an interface of, if it has its gateway on a network.
func routerOf(m *model.Model, leg *model.Port, external model.ID) (model.ID, bool) {
	if leg.DeviceOwner != model.OwnerRouterInterface {
		return "", false
	}
	r, ok := m.Routers.Get(model.ID(leg.DeviceID))
	if !ok || r.Gateway == nil || r.Gateway.Network != external {
		return "", false
	}
	return r.ID, true
}

func apply[T any](o l2.Opt[T], to *T) {
	if o.Given {
		*to = o.Value
	}
}

// badRequest is the Networking API's BadRequest about a floating IP.
func badRequest(format string, args ...any) *model.Error {
	return model.Errorf(model.Invalid, "BadRequest", "Bad floatingip request: "+format+".", args...)
}

// floatingIPNotFound is the error for an id that names no floating IP; its name is not its message's.
func floatingIPNotFound(id model.ID) error {
	return model.Errorf(model.NotFound, "FloatingIPNotFound", "Floating IP %s could not be found.", id)
}
