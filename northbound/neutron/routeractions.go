package neutron

import (
	"net/http"

	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

type routerCollection = collection[*model.Router, router.Create, router.Update]

// serveRouters adds the routes of routers and of what can be done with one.
func (s *server) serveRouters(r *resource[*model.Router, router.Create, router.Update]) {
	serve(s, r)
	c := routerCollection{r, s}
	one := "/v2.0/routers/{id}/"
	s.handle("PUT", one+"add_router_interface", s.changeInterface(c, true))
	s.handle("PUT", one+"remove_router_interface", s.changeInterface(c, false))
	s.handle("PUT", one+"add_extraroutes", s.changeRoutes(c, s.Routers.AddRoutes))
	s.handle("PUT", one+"remove_extraroutes", s.changeRoutes(c, s.Routers.RemoveRoutes))
}

// changeInterface makes the handler that adds an interface to a router, or removes it.
func (s *server) changeInterface(c routerCollection, add bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := readJSON(r)
		if err != nil {
			return err
		}
		subnet, err := interfaceID(body, "subnet_id")
		if err != nil {
			return err
		}
		port, err := interfaceID(body, "port_id")
		if err != nil {
			return err
		}
		var done router.Interface
		_, err = s.Store.Update(r.Context(), func(tx *store.Tx) error {
			v := s.view(r, tx.Model())
			at, err := c.lookToWrite(v, pathID(r), "update")
			if err != nil {
				return err
			}
			if add {
				if err := v.mayConnect(subnet, port); err != nil {
					return err
				}
				done, err = s.Routers.AddInterface(tx, at.ID, subnet, port)
			} else {
				done, err = s.Routers.RemoveInterface(tx, at.ID, subnet, port)
			}
			return err
		})
		if err != nil {
			return err
		}
		return writeDocument(w, map[string]any{
			"id":         done.Router.ID,
			"tenant_id":  done.Router.Project,
			"port_id":    done.Port,
			"network_id": done.Network,
			"subnet_id":  done.Subnets[len(done.Subnets)-1],
			"subnet_ids": done.Subnets,
		})
	}
}

// interfaceID reads one of the ids that an interface is named by; it may be left out.
func interfaceID(body map[string]any, name string) (model.ID, error) {
	v := body[name]
	if v == nil {
		return "", nil
	}
	id, err := toID(v)
	if err != nil {
		return "", model.Errorf(model.Invalid, "BadRequest", "Bad router request: %s.", err)
	}
	return id, nil
}

// mayConnect decides whether the viewer may put a router on a subnet, whose gateway address it takes, or
// give it a port.
func (v *view) mayConnect(subnet, port model.ID) error {
	if port != "" {
		if _, err := v.port(port); err != nil {
			return err
		}
	}
	if subnet == "" {
		return nil
	}
	s, ok := v.model.Subnets.Get(subnet)
	if !ok || !v.seesSubnet(s) {
		return model.NotFoundError("Subnet", subnet)
	}
	if n := networkOf(v.model, s.Network); !v.who.Owns(s.Project) && (n == nil || !v.who.Owns(n.Project)) {
		return model.Errorf(model.Invalid, "BadRequest",
			"Bad router request: Cannot add interface to router because subnet %s is not owned by project making the request.", subnet)
	}
	return nil
}

// changeRoutes makes the handler that adds some routes to a router's, or removes some of them.
func (s *server) changeRoutes(c routerCollection, change func(*store.Tx, model.ID, []model.Route) (*model.Router, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		items, _, err := readBody(r, "router", "")
		if err != nil {
			return err
		}
		for name := range items[0] {
			if name != "routes" {
				return badRequest("Unrecognized attribute(s) '%s'", cut(name))
			}
		}
		list, given := items[0]["routes"]
		if !given {
			return badRequest("Failed to parse request. Required attribute 'routes' not specified")
		}
		routes, err := toHostRoutes(list)
		if err != nil {
			return named("routes", err)
		}
		var changed *model.Router
		m, err := s.Store.Update(r.Context(), func(tx *store.Tx) error {
			at, err := c.lookToWrite(s.view(r, tx.Model()), pathID(r), "update")
			if err != nil {
				return err
			}
			changed, err = change(tx, at.ID, routes)
			return err
		})
		if err != nil {
			return err
		}
		c.answer(w, http.StatusOK, s.view(r, m), changed, nil)
		return nil
	}
}
