package native

import (
	"net/http"

	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

// wholeObjectView is an object with all that follows from it.
type wholeObjectView struct {
	Kind       string             `json:"kind"`
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	Project    string             `json:"project_id,omitempty"`
	Status     string             `json:"status"`
	OK         bool               `json:"ok"`
	Host       string             `json:"host,omitempty"`
	Conditions []status.Condition `json:"conditions"`
	Related    []relatedView      `json:"related"`
	Effects    []effectView       `json:"effects"`
	// Unread are the bridges and hosts of which it is not known what the object causes there.
	Unread  []unreadView `json:"unread,omitempty"`
	Changed *causeView   `json:"changed,omitempty"`
}

// unreadView is where nothing is known.
type unreadView struct {
	Host  string `json:"host"`
	Where string `json:"where,omitempty"` // bridge; empty for the whole host
	Cause string `json:"cause"`
}

func (s *server) showObject(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	who := identity.From(r.Context())
	k, err := kindNamed(pathVar(r, "kind"), who)
	if err != nil {
		return err
	}
	m, id := s.Store.Snapshot(), pathVar(r, "id")
	object := m.Get(k.name, id)
	if object == nil || !mayShow(m, who, object) {
		return notFound("there is no %s %s", k.name, id)
	}
	state := s.viewObjects(m, who).state(object)
	v := wholeObjectView{Kind: k.name, ID: id, Name: change.NameOf(object), Status: state.Status, OK: state.OK(), Host: state.Host,
		Conditions: state.Conditions, Related: related(m, who, object), Effects: []effectView{}}
	if meta := model.MetaOf(object); meta != nil {
		cause := causeOf(*meta)
		v.Project, v.Changed = meta.Project, &cause
	}
	if who.Admin {
		v.Effects, v.Unread = s.effects(r.Context(), m, object)
	}
	return writeJSON(w, http.StatusOK, v)
}

// relatedView is an object that another has to do with.
type relatedView struct {
	Relation string `json:"relation"`
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Name     string `json:"name"`
}

// maxRelated bounds the related objects of one relation: a network may have thousands of ports, which
// have lists of their own.
const maxRelated = 200

// relations collects related objects.
type relations struct {
	m    *model.Model
	who  identity.Identity
	out  []relatedView
	seen map[string]int // by relation
}

// related lists what an object has to do with, as far as the sender may know of it.
func related(m *model.Model, who identity.Identity, object model.Resource) []relatedView {
	x := &relations{m: m, who: who, out: []relatedView{}, seen: map[string]int{}}
	switch r := object.(type) {
	case *model.Network:
		x.network(r)
	case *model.Subnet:
		x.add("network", x.m.Get("network", string(r.Network)))
		for _, p := range m.PortsOf(r.Network) {
			for _, f := range p.FixedIPs {
				if f.Subnet == r.ID {
					x.add("port", p)
				}
			}
		}
	case *model.Port:
		x.port(r)
	case *model.Router:
		x.router(r)
	case *model.FloatingIP:
		x.add("network", x.m.Get("network", string(r.Network)))
		x.add("router", x.m.Get("router", string(r.Router)))
		x.add("port", x.m.Get("port", string(r.Target)))
		for _, w := range m.ForwardingsOf(r.ID) {
			x.add("portforwarding", w)
		}
		x.host("placed_on", m.HostOfService(model.ServiceRouter, r.Router))
	case *model.PortForwarding:
		x.add("floatingip", x.m.Get("floatingip", string(r.FloatingIP)))
		x.add("port", x.m.Get("port", string(r.Target)))
	case *model.Host:
		for _, id := range m.NetworksAt(r.Name) {
			x.add("network", x.m.Get("network", string(id)))
		}
		for _, id := range m.PlacedAt(r.Name, model.ServiceRouter) {
			x.add("router", x.m.Get("router", string(id)))
		}
		for _, plug := range m.PlugsAt(r.Name) {
			x.add("port", x.m.Get("port", string(plug.Port)))
		}
	}
	return x.out
}

func (x *relations) add(relation string, r model.Resource) {
	if r == nil || !mayShow(x.m, x.who, r) || x.seen[relation] == maxRelated {
		return
	}
	x.seen[relation]++
	x.out = append(x.out, relatedView{relation, r.Kind(), r.Key(), change.NameOf(r)})
}

func (x *relations) host(relation, name string) { x.add(relation, x.m.Get("host", name)) }

func (x *relations) network(n *model.Network) {
	for _, s := range x.m.SubnetsOf(n.ID) {
		x.add("subnet", s)
	}
	for _, p := range x.m.PortsOf(n.ID) {
		if p.DeviceOwner == model.OwnerRouterInterface || p.DeviceOwner == model.OwnerRouterGateway {
			x.add("router", x.m.Get("router", p.DeviceID))
		}
		x.add("port", p)
	}
	for _, host := range x.m.HostsOf(n.ID) {
		x.host("host", host)
	}
	x.host("placed_on", x.m.HostOfService(model.ServiceDHCP, n.ID))
}

func (x *relations) port(p *model.Port) {
	x.add("network", x.m.Get("network", string(p.Network)))
	for _, f := range p.FixedIPs {
		x.add("subnet", x.m.Get("subnet", string(f.Subnet)))
	}
	if p.DeviceOwner == model.OwnerRouterInterface || p.DeviceOwner == model.OwnerRouterGateway {
		x.add("router", x.m.Get("router", p.DeviceID))
	}
	for _, f := range x.m.FloatingIPsTo(p.ID) {
		x.add("floatingip", f)
	}
	for _, w := range x.m.ForwardingsTo(p.ID) {
		x.add("portforwarding", w)
	}
	for _, plug := range x.m.PlugsOf(p.ID) {
		x.host("host", plug.Host)
	}
}

func (x *relations) router(r *model.Router) {
	if r.Gateway != nil {
		x.add("gateway", x.m.Get("network", string(r.Gateway.Network)))
	}
	for _, p := range x.m.InterfacesOf(r.ID) {
		x.add("interface", p)
		x.add("network", x.m.Get("network", string(p.Network)))
	}
	for _, f := range x.m.FloatingIPsOf(r.ID) {
		x.add("floatingip", f)
	}
	x.host("placed_on", x.m.HostOfService(model.ServiceRouter, r.ID))
}
