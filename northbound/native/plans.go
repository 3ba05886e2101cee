package native

import (
	"errors"
	"net/http"

	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/northbound/plan"
	"github.com/heddle-sdn/heddle/store/model"
)

// listPlans lists the plans of the sender; administrators see all.
func (s *server) listPlans(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"plans": s.Plans.List(identity.From(r.Context()))})
}

func (s *server) showPlan(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	v, err := s.Plans.Get(identity.From(r.Context()), pathVar(r, "id"))
	if err != nil {
		return planError(err)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"plan": v})
}

// applyPlan does what a plan shows.
func (s *server) applyPlan(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	v, applied, err := s.Plans.Apply(r.Context(), identity.From(r.Context()), pathVar(r, "id"))
	if err != nil {
		return planError(err)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"plan": v, "applied": applied})
}

func (s *server) dropPlan(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	if err := s.Plans.Drop(identity.From(r.Context()), pathVar(r, "id")); err != nil {
		return planError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func planError(err error) error {
	var moved *plan.MovedError
	switch {
	case errors.Is(err, plan.ErrNotFound):
		return notFound("%v", err)
	case errors.As(err, &moved):
		return &apiError{http.StatusConflict, "StateMoved", moved.Error()}
	}
	return err
}

// refuse answers a request that is not let through to its handler.
func refuse(w http.ResponseWriter, code int, reason, message string) {
	writeError(w, &apiError{code, reason, message})
}

// HostAttributes shows a host to administrators: what an operator said of it, what it says itself, and
// whether its agent reports. It is a [change.Attributes].
func HostAttributes(who identity.Identity, _ *model.Model, r model.Resource) ([]change.Attribute, bool) {
	h, ok := r.(*model.Host)
	if !ok || !who.Admin {
		return nil, false
	}
	doc, err := documentOf(h)
	if err != nil {
		return nil, false
	}
	out := make([]change.Attribute, 0, len(hostFields)+2)
	for _, name := range hostFieldNames {
		if v, err := marshal(doc[name]); err == nil {
			out = append(out, change.Attribute{Name: name, Value: v})
		}
	}
	for _, m := range []struct {
		name  string
		value any
	}{{"said", h.Said}, {"agent", h.Agent}} {
		if v, err := marshal(m.value); err == nil {
			out = append(out, change.Attribute{Name: m.name, Value: v})
		}
	}
	return out, true
}
