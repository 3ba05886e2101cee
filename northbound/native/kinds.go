package native

import (
	"iter"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

// kind is a kind of object under /v1/objects.
type kind struct {
	name string
	// all visits every object of the kind, in the order of ids or names.
	all func(m *model.Model) iter.Seq[model.Resource]
	// admin says that only administrators see it.
	admin bool
}

// kinds are the kinds by the names that the API and the store share.
var kinds = []kind{
	{name: "network", all: sorted(func(m *model.Model) model.Table[model.ID, *model.Network] { return m.Networks })},
	{name: "subnet", all: sorted(func(m *model.Model) model.Table[model.ID, *model.Subnet] { return m.Subnets })},
	{name: "port", all: sorted(func(m *model.Model) model.Table[model.ID, *model.Port] { return m.Ports })},
	{name: "router", all: sorted(func(m *model.Model) model.Table[model.ID, *model.Router] { return m.Routers })},
	{name: "floatingip", all: sorted(func(m *model.Model) model.Table[model.ID, *model.FloatingIP] { return m.FloatingIPs })},
	{name: "portforwarding", all: sorted(func(m *model.Model) model.Table[model.ID, *model.PortForwarding] { return m.Forwardings })},
	{name: "host", all: sorted(func(m *model.Model) model.Table[string, *model.Host] { return m.Hosts }), admin: true},
}

// sorted visits a table in the order of its keys.
func sorted[K ~string, R model.Resource](of func(*model.Model) model.Table[K, R]) func(*model.Model) iter.Seq[model.Resource] {
	return func(m *model.Model) iter.Seq[model.Resource] {
		return func(yield func(model.Resource) bool) {
			t := of(m)
			for _, key := range t.Sorted() {
				if r, ok := t.Get(key); ok && !yield(r) {
					return
				}
			}
		}
	}
}

// kindNamed finds a kind that the sender may see.
func kindNamed(name string, who identity.Identity) (kind, error) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.name
		}
		return kind{}, notFound("there is no kind of object %q, only %s", name, strings.Join(names, ", "))
	}
	if kinds[i].admin && !who.Admin {
		return kind{}, errNotAdmin
	}
	return kinds[i], nil
}

// mayShow reports whether the sender may know of an object: those of its project, and networks that
// everybody may use, with their subnets.
func mayShow(m *model.Model, who identity.Identity, r model.Resource) bool {
	if who.Admin {
		return true
	}
	meta := model.MetaOf(r)
	if meta == nil {
		return false
	}
	if who.Owns(meta.Project) {
		return true
	}
	switch r := r.(type) {
	case *model.Network:
		return r.Shared || r.External
	case *model.Subnet:
		n, ok := m.Networks.Get(r.Network)
		return ok && n.Shared // as in /v2.0, an external network's subnets are the operator's
	}
	return false
}

// objectNamed returns the object "kind/key", nil if there is none.
func objectNamed(m *model.Model, object string) model.Resource {
	k, key, _ := strings.Cut(object, "/")
	return m.Get(k, key)
}
