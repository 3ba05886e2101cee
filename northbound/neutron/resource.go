package neutron

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// resource describes one kind of API object: T is what is stored, C and U are what creates and updates
// ask for. All of list, show, create, update, delete and tags follow from it.
type resource[T, C, U any] struct {
	name   string // key of one object in JSON: "security_group"
	plural string // key of a list: "security_groups"
	path   string // of the collection below /v2.0: "security-groups"
	title  string // as "not found" names it: "Security group"
	kind   string // of the error that says so, if it is not the title without spaces
	attrs  []attr[T, C, U]

	meta    func(t T) *model.Meta
	find    func(m *model.Model, id model.ID) (T, bool)
	scan    func(m *model.Model, f filters) iter.Seq[T] // at least what f selects
	visible func(v *view, t T) bool
	network func(m *model.Model, t T) *model.Network // the network it is on; nil if none
	service bool                                     // cloud services may change every one

	// target is the network that a create puts its object on; nil if there is none. allow decides about
	// the create as a whole, after the attributes' gates; nil: who may write may create.
	target func(q *C) model.ID
	allow  func(v *view, on *model.Network) error

	// mayPost and mayPut decide by what a request names: objects that the sender may not know of, or may
	// not use. Nil: nothing to decide.
	mayPost func(v *view, q *C) error
	mayPut  func(v *view, t T, q *U) error

	// within checks that the viewer may know of the parent, inside tells a create of it; nil for what has
	// none.
	within func(v *view) error
	inside func(q *C, parent model.ID)

	// What cannot be done is nil.
	create func(tx *store.Tx, q C) (T, error)
	update func(tx *store.Tx, id model.ID, q U) (T, error)
	remove func(tx *store.Tx, id model.ID) error
	retag  func(tags []string) U // the update that replaces all tags

	byName map[string]*attr[T, C, U]
	sorted []string // names in the order that updates are checked in
}

// newResource completes a description.
func newResource[T, C, U any](r resource[T, C, U]) *resource[T, C, U] {
	r.byName = make(map[string]*attr[T, C, U], len(r.attrs))
	for i := range r.attrs {
		a := &r.attrs[i]
		a.key = append(appendString(nil, a.name), ':')
		r.byName[a.name] = a
	}
	r.sorted = slices.Sorted(maps.Keys(r.byName))
	return &r
}

// filters are the values asked for, by attribute, for scan to choose an index by.
type filters map[string][]string

// notFound is the error for an id that names nothing, or nothing that the sender may see.
func (r *resource[T, C, U]) notFound(id model.ID) error {
	err := model.NotFoundError(r.title, id)
	if r.kind != "" {
		err.Kind = r.kind
	}
	return err
}

// look finds an object that the viewer may see.
func (r *resource[T, C, U]) look(v *view, id model.ID) (T, error) {
	var none T
	if r.within != nil {
		if err := r.within(v); err != nil {
			return none, err
		}
	}
	if t, ok := r.find(v.model, id); ok && r.visible(v, t) {
		return t, nil
	}
	return none, r.notFound(id)
}

// mayWrite decides about an update or a delete of what the viewer can see; verb is "update" or
// "delete".
func (r *resource[T, C, U]) mayWrite(v *view, t T, verb string) error {
	if v.who.Admin || r.service && v.who.Service() || v.who.Writes() && (v.who.Owns(r.meta(t).Project) || r.ownsNetwork(v, t)) {
		return nil
	}
	return forbidden(verb + "_" + r.name)
}

func (r *resource[T, C, U]) ownsNetwork(v *view, t T) bool {
	if r.network == nil {
		return false
	}
	n := r.network(v.model, t)
	return n != nil && v.who.Owns(n.Project)
}

// decodeCreate turns one object of a create into a request, in the reference's order of checks.
func (r *resource[T, C, U]) decodeCreate(who identity.Identity, item map[string]any) (C, error) {
	var q C
	if err := r.check(who, item, true); err != nil {
		return q, err
	}
	for i := range r.attrs {
		a := &r.attrs[i]
		if v, given := item[a.name]; given {
			if err := named(a.name, a.post(&q, v)); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// decodeUpdate is decodeCreate for the object of an update.
func (r *resource[T, C, U]) decodeUpdate(who identity.Identity, item map[string]any) (U, error) {
	var q U
	if err := r.check(who, item, false); err != nil {
		return q, err
	}
	for i := range r.attrs {
		a := &r.attrs[i]
		if v, given := item[a.name]; given {
			if err := named(a.name, a.put(&q, v)); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// named adds an attribute's name to what its validator says.
func named(attr string, err error) error {
	if why, ok := err.(reason); ok {
		return badRequest("Invalid input for %s. Reason: %s.", attr, string(why))
	}
	return err
}

func (r *resource[T, C, U]) check(who identity.Identity, item map[string]any, create bool) error {
	if err := fillProject(who, item, create); err != nil {
		return err
	}
	return r.checkNames(item, create)
}

// fillProject settles the project of an object: tenant_id is another name of project_id, and a
// create that names neither is for the sender's project.
func fillProject(who identity.Identity, item map[string]any, create bool) error {
	project, named := item["project_id"]
	tenant, old := item["tenant_id"]
	switch {
	case named && old && str(project) != str(tenant):
		return badRequest("'project_id' and 'tenant_id' do not match")
	case old:
		project, named = tenant, true
		if create {
			item["project_id"] = tenant
		}
	}
	if named {
		if p, ok := project.(string); !who.Admin && (!ok || p != who.Project) {
			return &httpError{403, "HTTPForbidden", "Specifying 'project_id' or 'tenant_id' other than the " +
				"authenticated project in request requires admin privileges"}
		}
	}
	if create && !named {
		if who.Project == "" {
			return badRequest("Running without keystone AuthN requires that tenant_id is specified")
		}
		item["project_id"] = who.Project
	}
	return nil
}

func (r *resource[T, C, U]) checkNames(item map[string]any, create bool) error {
	var unknown []string
	for name := range item {
		if r.byName[name] == nil {
			unknown = append(unknown, name)
		}
	}
	if unknown != nil {
		slices.Sort(unknown)
		return badRequest("Unrecognized attribute(s) '%s'", cut(strings.Join(unknown, ", ")))
	}
	if !create {
		for _, name := range r.sorted {
			if _, given := item[name]; given && r.byName[name].put == nil {
				return badRequest("Cannot update read-only attribute %s", name)
			}
		}
		return nil
	}
	for i := range r.attrs {
		a := &r.attrs[i]
		_, given := item[a.name]
		switch {
		case given && a.post == nil:
			return badRequest("Attribute '%s' not allowed in POST", a.name)
		case !given && a.ops&required != 0:
			return badRequest("Failed to parse request. Required attribute '%s' not specified", a.name)
		}
	}
	return nil
}

// mayCreate decides about a create.
func (r *resource[T, C, U]) mayCreate(v *view, q *C, item map[string]any) error {
	if !v.who.Writes() {
		return forbidden("create_" + r.name)
	}
	var on *model.Network
	if r.target != nil {
		var err error
		if on, err = v.network(r.target(q)); err != nil {
			return err
		}
	}
	if err := r.passGates(v, item, on, true); err != nil {
		return err
	}
	if r.allow != nil {
		if err := r.allow(v, on); err != nil {
			return err
		}
	}
	if r.mayPost != nil {
		return r.mayPost(v, q)
	}
	return nil
}

// passGates checks that the viewer may set each attribute that a request names.
func (r *resource[T, C, U]) passGates(v *view, item map[string]any, on *model.Network, create bool) error {
	verb := "update_"
	if create {
		verb = "create_"
	}
	for i := range r.attrs {
		a := &r.attrs[i]
		value, given := item[a.name]
		if !given || a.sets == anyone || a.free != nil && a.free(value, create) {
			continue
		}
		if !v.passes(a.sets, on) {
			return forbidden(verb + r.name + ":" + a.name)
		}
	}
	return nil
}

// shape is which attributes of a resource a response holds.
type shape[T, C, U any] []*attr[T, C, U]

// shapeFor chooses the attributes that the viewer may see, of these the wanted ones; none wanted is
// all. Who may see an attribute does not depend on the object.
func (r *resource[T, C, U]) shapeFor(v *view, wanted []string) shape[T, C, U] {
	out := make(shape[T, C, U], 0, len(r.attrs))
	for i := range r.attrs {
		a := &r.attrs[i]
		if a.get == nil && a.json == nil || !v.passes(a.see, nil) ||
			len(wanted) > 0 && !slices.Contains(wanted, a.name) {
			continue
		}
		out = append(out, a)
	}
	return out
}

// append adds an object as JSON.
func (s shape[T, C, U]) append(dst []byte, v *view, t T) []byte {
	dst = append(dst, '{')
	for i, a := range s {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, a.key...)
		if a.get != nil {
			dst = a.get(v, t).append(dst)
		} else {
			dst = a.json(dst, v, t)
		}
	}
	return append(dst, '}')
}

// precondition is an If-Match header: the revision that the object must have.
type precondition struct {
	revision int
	set      bool
}

const revisionTag = "revision_number="

// parseIfMatch reads an If-Match header, a list of entity tags with or without quotes. Tags that do
// not speak of revisions are ignored.
func parseIfMatch(header string) (precondition, error) {
	var p precondition
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.Trim(strings.TrimSpace(tag), `"`)
		number, ok := strings.CutPrefix(tag, revisionTag)
		if !ok {
			continue
		}
		if p.set {
			return p, badRequest("Multiple revision_number etags are not supported.")
		}
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil {
			return p, badRequest("Revision number etag must be in the format of revision_number=<int>")
		}
		p = precondition{n, true}
	}
	return p, nil
}

// check fails unless the object has the revision asked for.
func (p precondition) check(m *model.Meta) error {
	if p.set && p.revision != m.Revision {
		return model.Errorf(model.Precondition, "RevisionNumberConstraintFailed",
			"Constrained to %d, but current revision is %d", p.revision, m.Revision)
	}
	return nil
}
