package neutron

import (
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

// describeObjects shows the attributes of a resource that clients set, and of floating IPs the router, which
// follows from the port. Attributes that only tell of the state are left out: they change by themselves.
func describeObjects[T, C, U any](s *server, r *resource[T, C, U]) {
	s.describers = append(s.describers, func(who identity.Identity, m *model.Model, o model.Resource) ([]change.Attribute, bool) {
		t, ok := any(o).(T)
		if !ok {
			return nil, false
		}
		v := &view{model: m, status: s.Status, who: who}
		if w, is := o.(*model.PortForwarding); is {
			v.parent = w.FloatingIP
			if f, ok := m.FloatingIPs.Get(w.FloatingIP); !ok || !v.seesFloatingIP(f) {
				return nil, false
			}
		}
		if !r.visible(v, t) {
			return nil, false
		}
		var out []change.Attribute
		for _, a := range r.shapeFor(v, nil) {
			if settable(a) {
				out = append(out, change.Attribute{Name: a.name, Value: a.shown(v, t)})
			}
		}
		return out, true
	})
}

// settable reports whether an attribute is one that clients set, if only with others: the tags, and the
// router of a floating IP.
func settable[T, C, U any](a *attr[T, C, U]) bool {
	return a.name != "tenant_id" && (a.post != nil || a.put != nil || a.name == "tags" || a.name == "router_id")
}

// Attributes shows an object of the API as one viewer sees it in a model, in the attributes that clients
// set. It is a [change.Attributes].
func (a *API) Attributes(who identity.Identity, m *model.Model, r model.Resource) ([]change.Attribute, bool) {
	for _, d := range a.srv.describers {
		if out, ok := d(who, m, r); ok {
			return out, true
		}
	}
	return nil, false
}
