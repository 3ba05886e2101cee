package router

import (
	"reflect"
	"strings"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/placement"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Ops are the transactions on routers. As with those of package l2, each method belongs inside a store
// transaction that fails with it; errors that a caller caused are [*model.Error].
type Ops struct{ l2 *l2.Ops }

// New returns transactions on routers, which follow those of ops from now on.
func New(ops *l2.Ops) *Ops {
	o := &Ops{ops}
	ops.Follow(l2.Follower{MayChangePort: mayChangePort, PortChanged: portChanged, HostChanged: func(tx *store.Tx, before, after *model.Host) error {
		if placement.Affected(before, after) {
			SettleAll(tx)
		}
		return nil
	}})
	return o
}

// SettleAll gives a place to every router that needs one and has none.
func SettleAll(tx *store.Tx) {
	for _, id := range tx.Model().Routers.Sorted() {
		placement.Settle(tx, model.ServiceRouter, id)
	}
}

// Create makes a router.
func (o *Ops) Create(tx *store.Tx, req Create) (*model.Router, error) {
	id, err := o.l2.NewID()
	if err != nil {
		return nil, err
	}
	r := &model.Router{
		Meta:    model.Meta{ID: id, Project: req.Project, Name: req.Name, Description: req.Description, Tags: req.Tags},
		AdminUp: req.AdminUp.Or(true),
		AZHints: req.AZHints,
	}
	tx.StampNew(&r.Meta)
	tx.Put(r)
	if !req.Gateway.Set() {
		return r, nil
	}
	changed := *r
	if err := o.setGateway(tx, &changed, req.Gateway); err != nil {
		return nil, err
	}
	tx.Put(&changed)
	placement.Settle(tx, model.ServiceRouter, id)
	return &changed, nil
}

// Update changes a router. A request that changes nothing leaves its revision alone.
func (o *Ops) Update(tx *store.Tx, id model.ID, req Update) (*model.Router, error) {
	old, ok := tx.Model().Routers.Get(id)
	if !ok {
		return nil, model.NotFoundError("Router", id)
	}
	r := *old
	apply(req.Name, &r.Name)
	apply(req.Description, &r.Description)
	apply(req.Tags, &r.Tags)
	apply(req.AdminUp, &r.AdminUp)
	if req.Gateway.Given {
		if err := o.setGateway(tx, &r, req.Gateway); err != nil {
			return nil, err
		}
	}
	if req.Routes.Given {
		if err := checkRoutes(tx.Model(), id, req.Routes.Value); err != nil {
			return nil, err
		}
		if r.Routes = req.Routes.Value; len(r.Routes) == 0 {
			r.Routes = nil
		}
	}
	if reflect.DeepEqual(&r, old) {
		return old, nil
	}
	tx.Stamp(&r.Meta)
	tx.Put(&r)
	placement.Settle(tx, model.ServiceRouter, id)
	return &r, nil
}

func apply[T any](o l2.Opt[T], to *T) {
	if o.Given {
		*to = o.Value
	}
}

// Delete removes a router that has no interfaces; its gateway goes with it.
func (o *Ops) Delete(tx *store.Tx, id model.ID) error {
	r, ok := tx.Model().Routers.Get(id)
	if !ok {
		return model.NotFoundError("Router", id)
	}
	var ports []string
	for _, p := range tx.Model().InterfacesOf(id) {
		ports = append(ports, string(p.ID))
	}
	if len(ports) > 0 {
		err := model.Errorf(model.InUse, "RouterInUse", "Router %s has ports still attached: %s", id, strings.Join(ports, ", "))
		err.Blockers = ports
		return err
	}
	if r.Gateway != nil {
		if err := o.l2.RemovePort(tx, r.Gateway.Port); err != nil {
			return err
		}
	}
	tx.Delete(r)
	placement.Settle(tx, model.ServiceRouter, id)
	return nil
}

// touch raises a router's revision because its interfaces have changed.
func touch(tx *store.Tx, old *model.Router) *model.Router {
	r := *old
	tx.Stamp(&r.Meta)
	tx.Put(&r)
	return &r
}

// badRequest is the Networking API's BadRequest about a router.
func badRequest(format string, args ...any) *model.Error {
	return model.Errorf(model.Invalid, "BadRequest", "Bad router request: "+format+".", args...)
}

// mayChangePort keeps users from changing behind a router's back what makes a port its own, and from
// making ports that look as if they were a router's.
func mayChangePort(tx *store.Tx, before, after *model.Port) error {
	switch {
	case after == nil:
		return nil // package l2 refuses to remove routers' ports
	case before != nil && owned(tx.Model(), before):
		return mayChangeOwned(before, after)
	case owned(tx.Model(), after):
		return model.Errorf(model.Conflict, "DeviceIDNotOwnedByTenant",
			"The following device_id %s is not owned by your tenant or matches another tenants router.", after.DeviceID)
	}
	return nil
}

// portChanged keeps a gateway from getting addresses that an interface's subnet has, even by a subnet that
// gives addresses to all ports of its network.
func portChanged(tx *store.Tx, _, after *model.Port) error {
	if after == nil || after.DeviceOwner != model.OwnerRouterGateway || !owned(tx.Model(), after) {
		return nil
	}
	return noOverlap(subnetsOf(tx.Model(), after), interfaceSubnets(tx.Model(), model.ID(after.DeviceID)))
}

// owned reports whether a port belongs to a router.
func owned(m *model.Model, p *model.Port) bool {
	if p.DeviceOwner != model.OwnerRouterInterface && p.DeviceOwner != model.OwnerRouterGateway {
		return false
	}
	_, ok := m.Routers.Get(model.ID(p.DeviceID))
	return ok
}

func mayChangeOwned(before, after *model.Port) error {
	if after.DeviceID != before.DeviceID || after.DeviceOwner != before.DeviceOwner || after.BindingHost != before.BindingHost {
		return model.Errorf(model.Conflict, "UnsupportedPortDeviceOwner",
			"Operation update is not supported for device_owner %s on port %s.", before.DeviceOwner, before.ID)
	}
	if before.DeviceOwner == model.OwnerRouterGateway {
		return nil // which addresses it has is its owner's choice, but see portChanged
	}
	for _, pair := range [][2]*model.Port{{before, after}, {after, before}} {
		for _, f := range pair[0].FixedIPs {
			if !onSubnet(pair[1], f.Subnet) {
				return model.Errorf(model.Invalid, "BadRequest",
					"Bad port request: the subnets of router port %s are changed by adding and removing router interfaces.", before.ID)
			}
		}
	}
	return nil
}
