package neutron

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// setTag begins the tag of objects that belong to a set.
const setTag = "heddle-set="

// Apply makes the objects of a document as it says, all of them or none, by the same tables, checks and
// policy as requests to the API. Its errors are [*model.Error], and name the place in the document
// ("subnets[2].cidr: …"), or those of the store.
func (a *API) Apply(ctx context.Context, who identity.Identity, d change.Document) (change.Applied, error) {
	var base *model.Model
	var edits []store.Edit
	var out change.Applied
	m, err := a.srv.Store.Update(ctx, func(tx *store.Tx) error {
		x, err := newApplication(a.srv, who, tx, d)
		if err == nil {
			err = x.run()
		}
		base, edits, out.Unchanged = tx.Base(), tx.Edits(), 0
		if err == nil {
			out.Unchanged = x.unchanged()
		}
		return err
	})
	if err != nil {
		return change.Applied{}, err
	}
	out.Rev, out.Changes = m.Rev, change.Describe(who, base, m, edits, a.Attributes)
	return out, nil
}

// application is a document that is being applied by one transaction.
type application struct {
	srv     *server
	who     identity.Identity
	tx      *store.Tx
	project string                    // whose objects they are, unless one says otherwise
	tag     string                    // of the objects' set; empty: they belong to none
	prunes  func(project string) bool // objects of the set that the document does not have, if they are the project's

	networks    *section[*model.Network, l2.NetworkCreate, l2.NetworkUpdate]
	subnets     *section[*model.Subnet, l2.SubnetCreate, l2.SubnetUpdate]
	routers     *section[*model.Router, router.Create, router.Update]
	ports       *section[*model.Port, l2.PortCreate, l2.PortUpdate]
	floatingIPs *section[*model.FloatingIP, nat.FloatingIPCreate, nat.FloatingIPUpdate]
}

// newApplication reads a document.
func newApplication(s *server, who identity.Identity, tx *store.Tx, d change.Document) (*application, error) {
	x := &application{srv: s, who: who, tx: tx, project: cmp.Or(d.Project, who.Project),
		prunes: func(project string) bool {
			return d.Prune && who.Owns(project) && (d.Project == "" || d.Project == project)
		}}
	if !who.Admin && x.project != who.Project {
		return nil, at("project_id", forbidden("apply:project_id"))
	}
	set, err := setOf(d)
	if err != nil {
		return nil, err
	}
	if set != "" {
		x.tag = setTag + set
	}
	if d.Prune && set == "" {
		return nil, at("prune", badRequest("it takes the name of a set, whose other objects are deleted"))
	}
	x.networks = &section[*model.Network, l2.NetworkCreate, l2.NetworkUpdate]{resource: s.networks, in: x, name: "networks", resolve: x.resolveNetwork}
	x.subnets = &section[*model.Subnet, l2.SubnetCreate, l2.SubnetUpdate]{resource: s.subnets, in: x, name: "subnets", resolve: x.resolveSubnet}
	x.routers = &section[*model.Router, router.Create, router.Update]{resource: s.routers, in: x, name: "routers", resolve: x.resolveRouter}
	x.ports = &section[*model.Port, l2.PortCreate, l2.PortUpdate]{resource: s.ports, in: x, name: "ports", resolve: x.resolvePort}
	x.floatingIPs = &section[*model.FloatingIP, nat.FloatingIPCreate, nat.FloatingIPUpdate]{resource: s.floatingIPs, in: x, name: "floatingips", resolve: x.resolveFloatingIP}
	read := map[string]func(any) error{"networks": x.networks.read, "subnets": x.subnets.read, "routers": x.routers.read,
		"ports": x.ports.read, "floatingips": x.floatingIPs.read, "set": func(any) error { return nil }}
	for _, name := range slices.Sorted(maps.Keys(d.Body)) {
		if read[name] == nil {
			return nil, at(name, badRequest("a document has no such member, only %s", strings.Join(slices.Sorted(maps.Keys(read)), ", ")))
		}
		if err := read[name](d.Body[name]); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// setOf is the name of the set that a document is about, which the request and the document may both say.
func setOf(d change.Document) (string, error) {
	v, given := d.Body["set"]
	name, ok := v.(string)
	switch {
	case given && !ok:
		return "", at("set", badRequest("it is the name of a set, not '%s'", str(v)))
	case name != "" && d.Set != "" && name != d.Set:
		return "", at("set", badRequest("the document says %s, the request %s", name, d.Set))
	}
	name = cmp.Or(d.Set, name)
	if len(setTag+name) > maxTag || strings.ContainsAny(name, ", \t\n") {
		return "", at("set", badRequest("'%s' cannot be the name of a set: up to %d characters, no comma and no space", cut(name), maxTag-len(setTag)))
	}
	return name, nil
}

// run brings the objects to what the document says. What has to go goes first, in the reverse order of
// what it depends on, so that addresses and names are free for what comes.
func (x *application) run() error {
	for _, step := range []func() error{
		x.networks.match, x.subnets.match, x.routers.match, x.ports.match, x.matchFloatingIPs,
		x.loosen,
		x.networks.put, x.subnets.put, x.routers.put, x.ports.put,
		x.addInterfaces, x.setRoutes,
		x.floatingIPs.put, x.checkRouters,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (x *application) unchanged() int {
	return x.networks.unchanged() + x.subnets.unchanged() + x.routers.unchanged() + x.ports.unchanged() + x.floatingIPs.unchanged()
}

// view is how the sender sees the model now.
func (x *application) view() *view { return viewOf(x.srv, x.who, x.tx.Model()) }

func viewOf(s *server, who identity.Identity, m *model.Model) *view {
	return &view{model: m, status: s.Status, who: who}
}

// at says where in a document an error is. It keeps what makes the error the sender's.
func at(path string, err error) error {
	var h *httpError
	var m *model.Error
	var why reason
	var located *model.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &m):
		c := *m
		located = &c
	case errors.As(err, &h):
		located = &model.Error{Reason: reasonOf(h.code), Kind: h.kind, Msg: h.msg}
	case errors.As(err, &why):
		located = &model.Error{Reason: model.Invalid, Kind: "BadRequest", Msg: string(why)}
	default:
		return err
	}
	located.Msg = path + ": " + located.Msg
	return located
}

func reasonOf(code int) model.Reason {
	switch code {
	case http.StatusForbidden:
		return model.Forbidden
	case http.StatusNotFound:
		return model.NotFound
	case http.StatusConflict:
		return model.Conflict
	}
	return model.Invalid
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
