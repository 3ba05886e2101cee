package router

import (
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/placement"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// setGateway gives r, which the caller stores, the gateway that is asked for, and makes, changes or removes
// the gateway's port.
func (o *Ops) setGateway(tx *store.Tx, r *model.Router, asked l2.Opt[Gateway]) error {
	req := asked.Value
	if asked.Null || req.Network == "" {
		return o.clearGateway(tx, r)
	}
	n, ok := tx.Model().Networks.Get(req.Network)
	if !ok {
		return model.NotFoundError("Network", req.Network)
	}
	if !n.External {
		return badRequest("Network %s is not an external network", n.ID)
	}
	for _, f := range req.FixedIPs.Value {
		for _, s := range tx.Model().SubnetsOf(n.ID) {
			if f.IP.IsValid() && f.IP == s.Gateway {
				return badRequest("External IP %s is the same as the gateway IP", f.IP)
			}
		}
	}
	if r.Gateway != nil && r.Gateway.Network == n.ID {
		return o.changeGateway(tx, r, req)
	}
	if err := noOverlap(tx.Model().SubnetsOf(n.ID), interfaceSubnets(tx.Model(), r.ID)); err != nil {
		return err
	}
	if err := o.clearGateway(tx, r); err != nil {
		return err
	}
	p, err := o.l2.AddPort(tx, l2.PortCreate{ // without a project: it is not the tenant's
		Network:     n.ID,
		FixedIPs:    req.FixedIPs,
		DeviceID:    string(r.ID),
		DeviceOwner: model.OwnerRouterGateway,
		BindingHost: placement.Home(tx.Model(), model.ServiceRouter, r.ID),
	})
	if err != nil {
		return err
	}
	r.Gateway = &model.RouterGateway{Network: n.ID, Port: p.ID, SNAT: req.SNAT.Or(true)}
	return nil
}

// changeGateway changes addresses and SNAT of a gateway whose network stays.
func (o *Ops) changeGateway(tx *store.Tx, r *model.Router, req Gateway) error {
	if req.FixedIPs.Set() {
		if _, err := o.l2.ChangePort(tx, r.Gateway.Port, l2.PortUpdate{FixedIPs: req.FixedIPs}); err != nil {
			return err
		}
	}
	next := *r.Gateway
	next.SNAT = req.SNAT.Or(true)
	r.Gateway = &next
	return nil
}

func (o *Ops) clearGateway(tx *store.Tx, r *model.Router) error {
	if r.Gateway == nil {
		return nil
	}
	var users []string
	for _, f := range tx.Model().FloatingIPsOf(r.ID) {
		users = append(users, string(f.ID))
	}
	if len(users) > 0 {
		err := model.Errorf(model.InUse, "RouterExternalGatewayInUseByFloatingIp",
			"Gateway cannot be updated for router %s, since a gateway to external network %s is required by one or more floating IPs.",
			r.ID, r.Gateway.Network)
		err.Blockers = users
		return err
	}
	if err := o.l2.RemovePort(tx, r.Gateway.Port); err != nil {
		return err
	}
	r.Gateway = nil
	return nil
}
