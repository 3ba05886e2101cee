package nat

import (
	"net/netip"
	"reflect"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// CreateForwarding gives ports of a floating IP to a port. A floating IP that is given to a port as a
// whole has none to give.
func (o *Ops) CreateForwarding(tx *store.Tx, req ForwardingCreate) (*model.PortForwarding, error) {
	id, err := o.l2.NewID()
	if err != nil {
		return nil, err
	}
	w := &model.PortForwarding{
		Meta:       model.Meta{ID: id, Project: req.Project, Description: req.Description},
		FloatingIP: req.FloatingIP,
		Protocol:   req.Protocol,
		External:   req.External.Value,
		Internal:   req.Internal.Value,
		Target:     req.Target,
	}
	if err := aim(tx, w, req.IP); err != nil {
		return nil, err
	}
	tx.StampNew(&w.Meta)
	tx.Put(w)
	forwardingsChanged(tx, w.FloatingIP)
	return w, nil
}

// UpdateForwarding changes a port forwarding. A request that changes nothing leaves it alone.
func (o *Ops) UpdateForwarding(tx *store.Tx, id model.ID, req ForwardingUpdate) (*model.PortForwarding, error) {
	old, ok := tx.Model().Forwardings.Get(id)
	if !ok {
		return nil, forwardingNotFound(id)
	}
	w := *old
	apply(req.Description, &w.Description)
	apply(req.Protocol, &w.Protocol)
	apply(req.External, &w.External)
	apply(req.Internal, &w.Internal)
	apply(req.Target, &w.Target)
	ip := req.IP
	if !ip.Given && w.Target == old.Target {
		ip = l2.Val(old.IP)
	}
	if err := aim(tx, &w, ip); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(&w, old) {
		return old, nil
	}
	tx.Stamp(&w.Meta)
	tx.Put(&w)
	forwardingsChanged(tx, w.FloatingIP)
	return &w, nil
}

// DeleteForwarding removes a port forwarding.
func (o *Ops) DeleteForwarding(tx *store.Tx, id model.ID) error {
	w, ok := tx.Model().Forwardings.Get(id)
	if !ok {
		return forwardingNotFound(id)
	}
	tx.Delete(w)
	forwardingsChanged(tx, w.FloatingIP)
	return nil
}

// forwardingsChanged raises the revision of a floating IP because its port forwardings have changed. With
// the last of them its router goes.
func forwardingsChanged(tx *store.Tx, id model.ID) {
	old, ok := tx.Model().FloatingIPs.Get(id)
	if !ok {
		return
	}
	f := *old
	if f.Target == "" && len(tx.Model().ForwardingsOf(id)) == 0 {
		f.Router = ""
	}
	tx.Stamp(&f.Meta)
	tx.Put(&f)
}

// aim checks a port forwarding, fills in the address that it leads to, and sets the router of its
// floating IP.
func aim(tx *store.Tx, w *model.PortForwarding, asked l2.Opt[netip.Addr]) error {
	m := tx.Model()
	f, ok := m.FloatingIPs.Get(w.FloatingIP)
	if !ok {
		return floatingIPNotFound(w.FloatingIP)
	}
	if err := checkRanges(w); err != nil {
		return err
	}
	p, ok := m.Ports.Get(w.Target)
	if !ok {
		return model.NotFoundError("Port", w.Target)
	}
	at, err := internalAddress(p, asked)
	if err != nil {
		return err
	}
	w.IP = at.IP
	if f.Target != "" {
		return alreadyAssociated(f, w.Target, w.IP)
	}
	for _, other := range m.FloatingIPsTo(w.Target) {
		if other.FixedIP == w.IP {
			return model.Errorf(model.InUse, "PortHasBindingFloatingIP",
				"Cannot create port forwarding to floating IP %s (%s) with port %s using fixed IP %s, as that port already has a binding floating IP.",
				f.IP, f.ID, w.Target, w.IP)
		}
	}
	if err := onlyOne(m, w); err != nil {
		return err
	}
	return route(tx, f, w, p, at.Subnet)
}

// route finds the router that translates, which is one for all port forwardings of a floating IP.
func route(tx *store.Tx, old *model.FloatingIP, w *model.PortForwarding, p *model.Port, subnet model.ID) error {
	r, err := routerFor(tx.Model(), p, subnet, old.Network)
	if err != nil {
		return badForwarding("External network %s is not reachable from subnet %s. Cannot set Port forwarding for Port %s with Floating IP %s",
			old.Network, subnet, p.ID, old.ID)
	}
	for _, other := range tx.Model().ForwardingsOf(old.ID) {
		if other.ID != w.ID && old.Router != r {
			return badForwarding("Floating IP %s has port forwardings through router %s, port %s is behind router %s", old.ID, old.Router, p.ID, r)
		}
	}
	if old.Router != r {
		f := *old
		f.Router = r
		tx.Put(&f)
	}
	return nil
}

// checkRanges checks the ports of a forwarding by themselves.
func checkRanges(w *model.PortForwarding) error {
	none := model.PortRange{}
	switch {
	case w.Protocol == "icmp" && (w.External != none || w.Internal != none):
		return badForwarding("Protocol icmp has no ports")
	case w.Protocol == "icmp":
		return nil
	case w.External == none || w.Internal == none:
		return badForwarding("Both external and internal ports must be specified for protocol %s", w.Protocol)
	case w.External.Last-w.External.First != w.Internal.Last-w.Internal.First:
		return badForwarding("The external port range %s and the internal port range %s must have the same size", w.External, w.Internal)
	}
	return nil
}

// internalAddress finds the address of a port that a forwarding leads to.
func internalAddress(p *model.Port, asked l2.Opt[netip.Addr]) (model.FixedIP, error) {
	has4 := false
	for _, a := range p.FixedIPs {
		has4 = has4 || a.IP.Is4()
		if a.IP.Is4() && (!asked.Set() || a.IP == asked.Value) {
			return a, nil
		}
	}
	if !has4 {
		return model.FixedIP{}, badForwarding("Requested internal port %s does not have an IPv4 address", p.ID)
	}
	return model.FixedIP{}, badForwarding("Requested internal IP address %s is not an IPv4 address of internal port %s", asked.Value, p.ID)
}

// onlyOne refuses to give an external port twice.
func onlyOne(m *model.Model, w *model.PortForwarding) error {
	for _, other := range m.ForwardingsOf(w.FloatingIP) {
		if other.ID != w.ID && other.Protocol == w.Protocol && other.External.First <= w.External.Last && w.External.First <= other.External.Last {
			err := badForwarding("A duplicate port forwarding entry with same attributes already exists, conflicting values are "+
				"{'floatingip_id': '%s', 'protocol': '%s', 'external_port_range': '%s'}", w.FloatingIP, w.Protocol, other.External)
			err.Blockers = []string{string(other.ID)}
			return err
		}
	}
	return nil
}

// badForwarding is the Networking API's BadRequest about a port forwarding.
func badForwarding(format string, args ...any) *model.Error {
	return model.Errorf(model.Invalid, "BadRequest", "Bad port_forwarding request: "+format+".", args...)
}

func forwardingNotFound(id model.ID) error {
	return model.Errorf(model.NotFound, "PortForwardingNotFound", "Port Forwarding %s could not be found.", id)
}

// inUseByForwarding refuses to use a floating IP whose ports are given away one by one.
func inUseByForwarding(m *model.Model, id model.ID) error {
	err := model.Errorf(model.InUse, "FipInUseByPortForwarding", "Floating IP %s in use by Port Forwarding resources.", id)
	for _, w := range m.ForwardingsOf(id) {
		err.Blockers = append(err.Blockers, string(w.ID))
	}
	return err
}
