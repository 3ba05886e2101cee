package neutron

import (
	"net/http"

	"github.com/heddle-sdn/heddle/apps/placement"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// putOn makes the handler that moves an object's service to the host of an agent. Wherever it was, it need
// not be taken off there first.
func putOn[T, C, U any](c agentCollection, of *resource[T, C, U], kind AgentType, action string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !identity.From(r.Context()).Admin {
			return forbidden(action)
		}
		body, err := readJSON(r)
		if err != nil {
			return err
		}
		id, err := toID(body[of.name+"_id"])
		if err != nil {
			return named(of.name+"_id", err)
		}
		_, err = c.srv.Store.Update(r.Context(), func(tx *store.Tx) error {
			a, err := scheduled(c, of, kind, c.srv.view(r, tx.Model()), pathID(r), id)
			if err != nil {
				return err
			}
			return placement.Move(tx, agentKinds[kind].service, id, a.host.Name)
		})
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusCreated, []byte("null"))
		return nil
	}
}

// takenOff makes the handler that moves an object's service away from the host of an agent, to the best
// other one.
func takenOff[T, C, U any](c agentCollection, of *resource[T, C, U], kind AgentType, action string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !identity.From(r.Context()).Admin {
			return forbidden(action)
		}
		id, service := model.ID(pathVar(r, "object")), agentKinds[kind].service
		_, err := c.srv.Store.Update(r.Context(), func(tx *store.Tx) error {
			a, err := scheduled(c, of, kind, c.srv.view(r, tx.Model()), pathID(r), id)
			if err != nil {
				return err
			}
			if tx.Model().HostOfService(service, id) != a.host.Name {
				return model.Errorf(model.Conflict, "NotHostedByAgent", "The %s %s is not hosted by the %s %s.", of.name, id, kind, a.ID)
			}
			host, ok := placement.Other(tx.Model(), service, id)
			if !ok {
				return model.Errorf(model.Conflict, "NoEligibleAgent", "No other %s is alive that could host the %s %s.", kind, of.name, id)
			}
			return placement.Move(tx, service, id, host)
		})
		if err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// scheduled finds the agent, and checks that it is of the kind that serves the object, which must exist.
func scheduled[T, C, U any](c agentCollection, of *resource[T, C, U], kind AgentType, v *view, agentID, id model.ID) (*agent, error) {
	a, err := c.look(v, agentID)
	if err != nil {
		return nil, err
	}
	if a.kind != kind {
		return nil, model.Errorf(model.Conflict, "InvalidAgent", "Agent %s is not a %s.", agentID, kind)
	}
	_, err = of.look(v, id)
	return a, err
}
