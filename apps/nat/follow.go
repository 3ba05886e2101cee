package nat

import (
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// portChanged takes floating IPs and port forwardings away from a port that is gone, or has lost the
// address that they lead to.
func portChanged(tx *store.Tx, before, after *model.Port) error {
	lost := func(ip netip.Addr) bool {
		return after == nil || !has(after, func(f model.FixedIP) bool { return f.IP == ip })
	}
	for _, old := range tx.Model().FloatingIPsTo(before.ID) {
		if !lost(old.FixedIP) {
			continue
		}
		f := *old
		f.Target, f.FixedIP, f.Router = "", netip.Addr{}, ""
		tx.Stamp(&f.Meta)
		tx.Put(&f)
	}
	for _, w := range tx.Model().ForwardingsTo(before.ID) {
		if lost(w.IP) {
			tx.Delete(w)
			forwardingsChanged(tx, w.FloatingIP)
		}
	}
	return nil
}

// networkLeaves removes the floating IPs of an external network that lead nowhere: they do not keep it.
func (o *Ops) networkLeaves(tx *store.Tx, n *model.Network) error {
	for _, p := range tx.Model().PortsOf(n.ID) {
		f, ok := floatingIPOf(tx.Model(), p)
		if !ok || f.Target != "" || f.Router != "" {
			continue
		}
		if err := o.DeleteFloatingIP(tx, f.ID); err != nil {
			return err
		}
	}
	return nil
}

// floatingIPOf returns the floating IP whose address a port holds.
func floatingIPOf(m *model.Model, p *model.Port) (*model.FloatingIP, bool) {
	if p.DeviceOwner != model.OwnerFloatingIP {
		return nil, false
	}
	return m.FloatingIPs.Get(model.ID(p.DeviceID))
}

// mayChangePort keeps users from changing the port that holds a floating IP's address, and from making
// one that looks as if it did.
func mayChangePort(tx *store.Tx, before, after *model.Port) error {
	if after == nil {
		return nil // package l2 refuses to remove such ports
	}
	if before != nil {
		if _, ok := floatingIPOf(tx.Model(), before); ok {
			if after.DeviceID == before.DeviceID && after.DeviceOwner == before.DeviceOwner && slices.Equal(after.FixedIPs, before.FixedIPs) {
				return nil
			}
			return model.Errorf(model.Conflict, "UnsupportedPortDeviceOwner",
				"Operation update is not supported for device_owner %s on port %s.", before.DeviceOwner, before.ID)
		}
	}
	if _, ok := floatingIPOf(tx.Model(), after); ok {
		return model.Errorf(model.Conflict, "DeviceIDNotOwnedByTenant",
			"The following device_id %s is not owned by your tenant or matches another tenants router.", after.DeviceID)
	}
	return nil
}

func has(p *model.Port, what func(model.FixedIP) bool) bool {
	return slices.ContainsFunc(p.FixedIPs, what)
}
