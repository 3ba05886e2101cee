package native

import (
	"net/http"
	"strings"

	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

// objectView is an object in a list.
type objectView struct {
	Kind    string        `json:"kind"`
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	Project string        `json:"project_id,omitempty"`
	Status  string        `json:"status"`
	OK      bool          `json:"ok"`                // all its conditions hold
	Reason  status.Reason `json:"reason,omitempty"`  // of the first condition that does not
	Message string        `json:"message,omitempty"` // likewise
	Host    string        `json:"host,omitempty"`
	Changed *causeView    `json:"changed,omitempty"`
}

// maxObjects is how many objects a list shows unless it is asked for more.
const maxObjects = 1000

func (s *server) listObjects(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "project_id", "name", "q", "limit", "offset")
	if err != nil {
		return err
	}
	page, err := q.page()
	if err != nil {
		return err
	}
	if !q.has("limit") {
		page.limit = maxObjects
	}
	who := identity.From(r.Context())
	k, err := kindNamed(pathVar(r, "kind"), who)
	if err != nil {
		return err
	}
	m := s.Store.Snapshot()
	text := strings.ToLower(q.text("q"))
	var matched []model.Resource
	for r := range k.all(m) {
		meta := model.MetaOf(r)
		if mayShow(m, who, r) &&
			(!q.has("project_id") || meta != nil && meta.Project == q.text("project_id")) &&
			(!q.has("name") || change.NameOf(r) == q.text("name")) &&
			(text == "" || mentions(r, text)) {
			matched = append(matched, r)
		}
	}
	start, end := page.bounds(len(matched))
	v := s.viewObjects(m, who)
	views := make([]objectView, 0, end-start)
	for _, r := range matched[start:end] {
		views = append(views, v.object(r))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"objects": views, "matched": len(matched), "offset": start})
}

// mentions reports whether an object's name, id or one of its addresses holds a text in lower case.
func mentions(r model.Resource, text string) bool {
	if strings.Contains(strings.ToLower(change.NameOf(r)), text) || strings.Contains(strings.ToLower(r.Key()), text) {
		return true
	}
	switch r := r.(type) {
	case *model.Subnet:
		return strings.Contains(r.CIDR.String(), text)
	case *model.Port:
		for _, f := range r.FixedIPs {
			if strings.Contains(f.IP.String(), text) {
				return true
			}
		}
		return strings.Contains(r.MAC.String(), text)
	}
	return false
}

// objects makes views of objects, as one sender sees them at one moment.
type objects struct {
	m     *model.Model
	who   identity.Identity
	hosts hostsView
}

func (s *server) viewObjects(m *model.Model, who identity.Identity) objects {
	return objects{m: m, who: who, hosts: s.viewHosts(m)}
}

// state derives the state of an object, without what speaks of hosts for those who must not know. What is
// wrong with a host that no condition of its own says is one as well.
func (o objects) state(r model.Resource) status.Object {
	var state status.Object
	if h, is := r.(*model.Host); !is {
		state = o.hosts.state.Object(o.m, r)
	} else {
		state = o.hosts.mesh.Host(h)
		state.Conditions = append(state.Conditions, o.hosts.conditions(h)...)
	}
	if !o.who.Admin {
		state.Host, state.Conditions = "", withoutHosts(state.Conditions)
	}
	return state
}

func (o objects) object(r model.Resource) objectView {
	state := o.state(r)
	v := objectView{Kind: r.Kind(), ID: r.Key(), Name: change.NameOf(r), Status: state.Status, OK: state.OK(), Host: state.Host}
	if c := state.Worst(); c != nil {
		v.Reason, v.Message = c.Reason, c.Msg
	}
	if meta := model.MetaOf(r); meta != nil {
		cause := causeOf(*meta)
		v.Project, v.Changed = meta.Project, &cause
	}
	return v
}
