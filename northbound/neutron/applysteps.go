package neutron

import (
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/store/model"
)

// matchFloatingIPs finds the floating IPs that are there already: by id, by address, or by the port that
// they lead to.
func (x *application) matchFloatingIPs() error {
	s := x.floatingIPs
	seen := map[model.ID]string{}
	for _, e := range s.entries {
		address, byAddress := e.attrs["floating_ip_address"]
		port, byPort := e.attrs["port"]
		var err error
		switch {
		case e.id != "":
			_, err = s.look(x.view(), e.id)
			err = at(e.path+".id", err)
		case byAddress && address != nil:
			var ip netip.Addr
			if ip, err = netip.ParseAddr(str(address)); err != nil {
				return at(e.path+".floating_ip_address", badRequest("'%s' is not an IP address", str(address)))
			}
			e.id, err = s.pick(e, func(f *model.FloatingIP) bool { return f.IP == ip && f.Project == e.project })
		case byPort && port != nil:
			var target model.ID
			if target, err = x.ports.refer(e.path+".port", e.project, port); model.IsNotFound(err) {
				continue // the document makes it, and the floating IP too
			}
			if err == nil {
				e.id, err = s.pick(e, func(f *model.FloatingIP) bool { return f.Target == target && f.Project == e.project })
			}
		default:
			err = at(e.path, badRequest("floating_ip_address, port or id is needed, to find it again the next time"))
		}
		if err == nil {
			err = e.once(seen)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// loosen takes away what the document does not have, and what stands in the way of what it has.
func (x *application) loosen() error {
	for _, step := range []func() error{
		x.floatingIPs.drop, x.releaseFloatingIPs, x.dropRoutes, x.removeInterfaces,
		x.routers.drop, x.ports.drop, x.subnets.drop, x.networks.drop,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// releaseFloatingIPs takes floating IPs from ports that the document gives them to no more.
func (x *application) releaseFloatingIPs() error {
	for _, e := range x.floatingIPs.entries {
		f, ok := x.tx.Model().FloatingIPs.Get(e.id)
		ref, given := e.attrs["port"]
		if !ok || !given || f.Target == "" {
			continue
		}
		if ref != nil {
			if id, err := x.ports.refer(e.path+".port", e.project, ref); err == nil && id == f.Target {
				continue
			}
		}
		if err := x.floatingIPs.change(e, map[string]any{"port_id": nil}); err != nil {
			return err
		}
	}
	return nil
}

// routersOf visits the routers of the document that are there, and those that are to be pruned with no
// entry.
func (x *application) routersOf(visit func(e *entry, r *model.Router) error) error {
	for _, e := range x.routers.entries {
		if r, ok := x.tx.Model().Routers.Get(e.id); ok {
			if err := visit(e, r); err != nil {
				return err
			}
		}
	}
	for _, r := range x.routers.prune() {
		e := &entry{path: "prune router " + r.Name, id: r.ID, attrs: map[string]any{"interfaces": []any{}, "routes": []any{}}}
		if err := visit(e, r); err != nil {
			return err
		}
	}
	return nil
}

// dropRoutes removes routes that the document does not have: what they lead over may leave.
func (x *application) dropRoutes() error {
	return x.routersOf(func(e *entry, r *model.Router) error {
		v, given := e.attrs["routes"]
		if !given {
			return nil
		}
		wanted, err := toHostRoutes(v)
		if err != nil {
			return at(e.path+".routes", err)
		}
		kept := []any{}
		for _, route := range r.Routes {
			if slices.Contains(wanted, route) {
				kept = append(kept, map[string]any{"destination": route.Destination.String(), "nexthop": route.NextHop.String()})
			}
		}
		if len(kept) == len(r.Routes) {
			return nil
		}
		return x.routers.change(e, map[string]any{"routes": kept})
	})
}

// wantedInterfaces are the subnets that the document puts a router on, and whether it says any; those that
// are not there yet are left out unless all are asked for.
func (x *application) wantedInterfaces(e *entry, whole bool) (subnets []model.ID, given bool, err error) {
	v, given := e.attrs["interfaces"]
	if !given {
		return nil, false, nil
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, false, at(e.path+".interfaces", badRequest("it is a list of subnets"))
	}
	for i, ref := range list {
		id, err := x.subnets.refer(index(e.path+".interfaces", i), e.project, ref)
		if model.IsNotFound(err) && !whole {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		subnets = append(subnets, id)
	}
	return subnets, true, nil
}

// removeInterfaces takes routers off subnets that the document does not put them on.
func (x *application) removeInterfaces() error {
	return x.routersOf(func(e *entry, r *model.Router) error {
		wanted, given, err := x.wantedInterfaces(e, false)
		if err != nil || !given {
			return err
		}
		for _, p := range x.tx.Model().InterfacesOf(r.ID) {
			for _, f := range p.FixedIPs {
				if slices.Contains(wanted, f.Subnet) {
					continue
				}
				if err := x.routers.mayWrite(x.view(), r, "update"); err != nil {
					return at(e.path+".interfaces", err)
				}
				if _, err := x.srv.Routers.RemoveInterface(x.tx, r.ID, f.Subnet, ""); err != nil {
					return at(e.path+".interfaces", err)
				}
				e.changed = true
			}
		}
		return nil
	})
}

// addInterfaces puts routers on the subnets of the document.
func (x *application) addInterfaces() error {
	for _, e := range x.routers.entries {
		wanted, _, err := x.wantedInterfaces(e, true)
		if err != nil {
			return err
		}
		for i, subnet := range wanted {
			if x.hasInterface(e.id, subnet) {
				continue
			}
			path := index(e.path+".interfaces", i)
			r, err := x.routers.look(x.view(), e.id)
			if err == nil {
				err = x.routers.mayWrite(x.view(), r, "update")
			}
			if err == nil {
				err = x.view().mayConnect(subnet, "")
			}
			if err == nil {
				_, err = x.srv.Routers.AddInterface(x.tx, e.id, subnet, "")
			}
			if err != nil {
				return at(path, err)
			}
			e.changed = true
		}
	}
	return nil
}

func (x *application) hasInterface(id, subnet model.ID) bool {
	for _, p := range x.tx.Model().InterfacesOf(id) {
		if slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.Subnet == subnet }) {
			return true
		}
	}
	return false
}

// setRoutes sets the routes of routers, which lead over their interfaces.
func (x *application) setRoutes() error {
	for _, e := range x.routers.entries {
		if routes, given := e.attrs["routes"]; given {
			if err := x.routers.change(e, map[string]any{"routes": routes}); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRouters makes sure that floating IPs are translated by the routers that the document names: which
// one it is follows from the port.
func (x *application) checkRouters() error {
	for _, e := range x.floatingIPs.entries {
		ref, given := e.attrs["router"]
		f, ok := x.tx.Model().FloatingIPs.Get(e.id)
		if !given || !ok {
			continue
		}
		var asked model.ID
		if ref != nil {
			id, err := x.routers.refer(e.path+".router", e.project, ref)
			if err != nil {
				return err
			}
			asked = id
		}
		if f.Router != asked {
			return at(e.path+".router", badRequest("it follows from the port, and would be '%s'", f.Router))
		}
	}
	return nil
}
