package router

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

const maxRoutes = 30 // extra routes of a router

// AddRoutes adds those of the routes that a router does not have.
func (o *Ops) AddRoutes(tx *store.Tx, id model.ID, routes []model.Route) (*model.Router, error) {
	return o.changeRoutes(tx, id, func(had []model.Route) []model.Route {
		for _, r := range routes {
			if !slices.Contains(had, r) {
				had = append(had, r)
			}
		}
		return had
	})
}

// RemoveRoutes removes those of the routes that a router has.
func (o *Ops) RemoveRoutes(tx *store.Tx, id model.ID, routes []model.Route) (*model.Router, error) {
	return o.changeRoutes(tx, id, func(had []model.Route) []model.Route {
		return slices.DeleteFunc(had, func(r model.Route) bool { return slices.Contains(routes, r) })
	})
}

func (o *Ops) changeRoutes(tx *store.Tx, id model.ID, change func(had []model.Route) []model.Route) (*model.Router, error) {
	r, ok := tx.Model().Routers.Get(id)
	if !ok {
		return nil, model.NotFoundError("Router", id)
	}
	after := change(slices.Clone(r.Routes))
	if slices.Equal(after, r.Routes) {
		return r, nil
	}
	return o.Update(tx, id, Update{Routes: l2.Val(after)})
}

// checkRoutes refuses routes whose next hop no interface reaches, or is the router itself.
func checkRoutes(m *model.Model, id model.ID, routes []model.Route) error {
	if len(routes) > maxRoutes {
		return model.Errorf(model.Invalid, "RoutesExhausted",
			"Unable to complete operation for %s. The number of routes exceeds the maximum %d.", id, maxRoutes)
	}
	for _, r := range routes {
		switch reached, own := reaches(m, id, r.NextHop); {
		case !reached:
			return invalidRoutes(routes, "the nexthop is not connected with router")
		case own:
			return invalidRoutes(routes, "the nexthop is used by router")
		case r.Destination.Addr().Is4() != r.NextHop.Is4():
			return invalidRoutes(routes, "the destination and the nexthop are of different IP versions")
		}
	}
	return nil
}

// reaches reports whether an address is on a subnet that a router has an address of, and whether it is the
// router's own.
func reaches(m *model.Model, id model.ID, hop netip.Addr) (reached, own bool) {
	for _, p := range m.PortsOfDevice(string(id)) {
		for _, f := range p.FixedIPs {
			s, ok := m.Subnets.Get(f.Subnet)
			reached = reached || ok && s.CIDR.Contains(hop)
			own = own || f.IP == hop
		}
	}
	return reached, own
}

func invalidRoutes(routes []model.Route, why string) error {
	texts := make([]string, len(routes))
	for i, r := range routes {
		texts[i] = "{'destination': '" + r.Destination.String() + "', 'nexthop': '" + r.NextHop.String() + "'}"
	}
	return model.Errorf(model.Invalid, "InvalidRoutes", "Invalid format for routes: [%s], %s", strings.Join(texts, ", "), why)
}
