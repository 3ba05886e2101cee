package native

import (
	"maps"
	"net/http"
	"slices"

	"github.com/heddle-sdn/heddle/apps/provenance"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/store/model"
)

// namespaceView is a namespace of a gateway host.
type namespaceView struct {
	Name       string            `json:"name"`
	Object     string            `json:"object,omitempty"`
	ObjectName string            `json:"object_name,omitempty"`
	Rev        uint64            `json:"rev"`           // that it should hold
	Confirmed  uint64            `json:"confirmed_rev"` // that it holds, by what the agent says
	Error      string            `json:"error,omitempty"`
	Errors     map[string]string `json:"errors,omitempty"`   // by part
	Removing   bool              `json:"removing,omitempty"` // it is not wanted, and not gone yet
}

// wholeNamespaceView is a namespace with all that is in it.
type wholeNamespaceView struct {
	namespaceView
	Lines []lineView `json:"lines"`
}

// lineView is a line of a plan, and who caused it.
type lineView struct {
	Type       spec.LineType `json:"type"`
	Text       string        `json:"text"`
	Says       string        `json:"says,omitempty"`
	Object     string        `json:"object,omitempty"`
	ObjectName string        `json:"object_name,omitempty"`
	Request    string        `json:"request,omitempty"`
	User       string        `json:"user,omitempty"`
	Rev        uint64        `json:"rev,omitempty"`
}

func (s *server) listNamespaces(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	m, name := s.Store.Snapshot(), pathVar(r, "name")
	if _, ok := m.Hosts.Get(name); !ok {
		return noHost(name)
	}
	planned, reported := s.namespaces(name)
	views := []namespaceView{}
	for _, ns := range slices.Sorted(maps.Keys(union(planned, reported))) {
		views = append(views, viewNamespace(m, ns, planned, reported))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"namespaces": views})
}

func (s *server) showNamespace(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	m, host, name := s.Store.Snapshot(), pathVar(r, "name"), pathVar(r, "ns")
	if _, ok := m.Hosts.Get(host); !ok {
		return noHost(host)
	}
	planned, reported := s.namespaces(host)
	if !union(planned, reported)[name] {
		return notFound("host %s has no namespace %s; GET /v1/hosts/%s/namespaces lists those that it has", host, name, host)
	}
	v := wholeNamespaceView{namespaceView: viewNamespace(m, name, planned, reported), Lines: []lineView{}}
	if ns, is := planned[name]; is {
		for _, l := range provenance.Namespace(m, host, ns) {
			v.Lines = append(v.Lines, viewLine(m, l))
		}
	}
	return writeJSON(w, http.StatusOK, v)
}

func viewLine(m *model.Model, l spec.Line) lineView {
	v := lineView{Type: l.Type, Text: l.Text, Says: l.Says, Object: l.Object}
	if r := objectNamed(m, l.Object); r != nil {
		v.ObjectName = change.NameOf(r)
		if meta := model.MetaOf(r); meta != nil {
			v.Request, v.User, v.Rev = meta.Request, meta.User, meta.Rev
		}
	}
	return v
}

// namespaces returns those that a host should have, and what its agent says of those that it has.
func (s *server) namespaces(host string) (map[string]spec.Namespace, map[string]spec.NodeObject) {
	var planned map[string]spec.Namespace
	if plan := s.Fabric.Planned(host); plan != nil {
		planned = plan.Namespaces
	}
	if node := s.Fabric.Status()[host].Node; node != nil {
		return planned, node.Objects
	}
	return planned, nil
}

func union(planned map[string]spec.Namespace, reported map[string]spec.NodeObject) map[string]bool {
	out := map[string]bool{}
	for name := range planned {
		out[name] = true
	}
	for name := range reported {
		out[name] = true
	}
	return out
}

func viewNamespace(m *model.Model, name string, planned map[string]spec.Namespace, reported map[string]spec.NodeObject) namespaceView {
	is, want := reported[name], planned[name]
	v := namespaceView{Name: name, Object: want.Object, Rev: want.Rev, Confirmed: is.Rev, Error: is.Error, Errors: is.Errors, Removing: is.Removing}
	if r := objectNamed(m, want.Object); r != nil {
		v.ObjectName = change.NameOf(r)
	}
	return v
}
