package neutron

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// entry is one object of a document.
type entry struct {
	path    string         // "subnets[2]"
	attrs   map[string]any // as the document has them
	project string
	id      model.ID // of the object; empty until it is there
	changed bool
}

// take removes an attribute and returns it.
func take(attrs map[string]any, name string) (v any, given bool) {
	v, given = attrs[name]
	delete(attrs, name)
	return v, given
}

// section is the objects of one kind in a document.
type section[T, C, U any] struct {
	*resource[T, C, U]
	in      *application
	name    string // of the member of the document
	entries []*entry
	// resolve returns the attributes of an entry as the API has them, with ids in place of names, and
	// with what the entry leaves open as old, if that is there, has it.
	resolve func(e *entry, old T) (map[string]any, error)
}

// read reads the section.
func (s *section[T, C, U]) read(v any) error {
	list, ok := v.([]any)
	if !ok && v != nil {
		return at(s.name, badRequest("it is a list of %s", s.name))
	}
	for i, item := range list {
		path := index(s.name, i)
		attrs, ok := item.(map[string]any)
		if !ok {
			return at(path, badRequest("it is an object, with the attributes of a %s", s.resource.name))
		}
		e := &entry{path: path, attrs: maps.Clone(attrs), project: s.in.project}
		if err := fillProject(s.in.who, e.attrs, false); err != nil {
			return at(path+".project_id", err)
		}
		_, _ = take(e.attrs, "tenant_id")
		if p, given := take(e.attrs, "project_id"); given {
			if e.project, ok = p.(string); !ok {
				return at(path+".project_id", badRequest("'%s' is not a project", str(p)))
			}
		}
		if id, given := take(e.attrs, "id"); given {
			e.id = model.ID(str(id))
		}
		s.entries = append(s.entries, e)
	}
	return nil
}

// match finds the objects that are there already: by id, or else by project and name.
func (s *section[T, C, U]) match() error {
	seen := map[model.ID]string{}
	named := map[string]string{}
	for _, e := range s.entries {
		if e.id == "" {
			name, _ := e.attrs["name"].(string)
			if name == "" {
				return at(e.path, badRequest("a name or an id is needed, to find it again the next time"))
			}
			if other := named[e.project+"/"+name]; other != "" {
				return at(e.path+".name", badRequest("'%s' is the name of %s as well", cut(name), other))
			}
			named[e.project+"/"+name] = e.path
			found, err := s.pick(e, func(t T) bool { return s.meta(t).Project == e.project && s.meta(t).Name == name })
			if err != nil {
				return err
			}
			e.id = found
		} else if _, err := s.look(s.in.view(), e.id); err != nil {
			return at(e.path+".id", err)
		}
		if err := e.once(seen); err != nil {
			return err
		}
	}
	return nil
}

// once refuses two entries that mean one object.
func (e *entry) once(seen map[model.ID]string) error {
	if e.id == "" {
		return nil
	}
	if other := seen[e.id]; other != "" {
		return at(e.path, badRequest("it is the same object as %s", other))
	}
	seen[e.id] = e.path
	return nil
}

// pick finds the only visible object that is as asked; none is no error.
func (s *section[T, C, U]) pick(e *entry, is func(T) bool) (model.ID, error) {
	v := s.in.view()
	var found model.ID
	for t := range s.scan(v.model, nil) {
		if !is(t) || !s.visible(v, t) {
			continue
		}
		if found != "" {
			return "", at(e.path, model.Errorf(model.Conflict, "Conflict", "more than one %s is meant, %s and %s; name it by id", s.resource.name, found, s.meta(t).ID))
		}
		found = s.meta(t).ID
	}
	return found, nil
}

// has reports whether an object is one of the document's.
func (s *section[T, C, U]) has(id model.ID) bool {
	return slices.ContainsFunc(s.entries, func(e *entry) bool { return e.id == id })
}

func (s *section[T, C, U]) unchanged() int {
	n := 0
	for _, e := range s.entries {
		if !e.changed {
			n++
		}
	}
	return n
}

// put makes what is missing, and changes what is otherwise than the document says.
func (s *section[T, C, U]) put() error {
	for _, e := range s.entries {
		old, _ := s.find(s.in.tx.Model(), e.id)
		attrs, err := s.resolve(e, old)
		if err != nil {
			return err
		}
		if e.id == "" {
			err = s.make(e, attrs)
		} else {
			err = s.change(e, attrs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// make creates an object. What only an update can set is set by an update.
func (s *section[T, C, U]) make(e *entry, attrs map[string]any) error {
	tags, tagged, err := s.tags(e, attrs, nil)
	if err != nil {
		return err
	}
	later := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		if a := s.byName[name]; a != nil && a.post == nil && a.put != nil {
			later[name], _ = take(attrs, name)
		}
	}
	if tagged && s.byName["tags"].post != nil {
		attrs["tags"] = anyList(tags)
	} else if tagged {
		later["tags"] = anyList(tags)
	}
	attrs["project_id"] = e.project
	q, err := s.decode(e, attrs)
	if err != nil {
		return err
	}
	v := s.in.view()
	if err := s.mayCreate(v, &q, attrs); err != nil {
		return at(e.path, err)
	}
	t, err := s.create(s.in.tx, q)
	if err != nil {
		return at(e.path, err)
	}
	e.id, e.changed = s.meta(t).ID, true
	if len(later) == 0 {
		return nil
	}
	return s.change(e, later)
}

// decode is decodeCreate with errors that say where they are.
func (s *section[T, C, U]) decode(e *entry, attrs map[string]any) (C, error) {
	var q C
	if err := fillProject(s.in.who, attrs, true); err != nil {
		return q, at(e.path+".project_id", err)
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		switch a := s.byName[name]; {
		case a == nil:
			return q, at(e.path+"."+name, badRequest("a %s has no such attribute", s.resource.name))
		case a.post == nil:
			return q, at(e.path+"."+name, badRequest("it cannot be set"))
		}
	}
	for i := range s.attrs {
		a := &s.attrs[i]
		if v, given := attrs[a.name]; given {
			if err := a.post(&q, v); err != nil {
				return q, at(e.path+"."+a.name, err)
			}
		}
	}
	for i := range s.attrs {
		a := &s.attrs[i]
		if _, given := attrs[a.name]; !given && a.ops&required != 0 {
			return q, at(e.path, badRequest("%s is needed to make a %s", a.name, s.resource.name))
		}
	}
	return q, nil
}

// tags are those that an object should have: the document's, if it says any, and that of the set.
func (s *section[T, C, U]) tags(e *entry, attrs map[string]any, have []string) (tags []string, given bool, err error) {
	tags = have
	v, given := take(attrs, "tags")
	if given {
		if tags, err = toTags(v); err != nil {
			return nil, false, at(e.path+".tags", err)
		}
	}
	if set := s.in.tag; set != "" && !slices.Contains(tags, set) {
		tags, given = append(slices.Clone(tags), set), true
	}
	if given {
		err = at(e.path+".tags", checkTags(s.resource.name, tags))
	}
	return tags, given, err
}

func anyList[V any](values []V) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// change makes an object as the attributes say. It is tried out first: what comes out as it was is no
// change, and does not have to be allowed.
func (s *section[T, C, U]) change(e *entry, attrs map[string]any) error {
	t, ok := s.find(s.in.tx.Model(), e.id)
	if !ok {
		return at(e.path, s.notFound(e.id))
	}
	tags, tagged, err := s.tags(e, attrs, s.meta(t).Tags)
	if err != nil {
		return err
	}
	q, asked, err := s.decodeChange(e, t, attrs)
	if err != nil || !asked && !tagged {
		return err
	}
	if s.mayPut != nil {
		if err := s.mayPut(s.in.view(), t, &q); err != nil {
			return at(e.path, err)
		}
	}
	branch := s.in.tx.Branch()
	next := t
	if asked {
		if next, err = s.update(branch, e.id, q); err != nil {
			return at(e.path, err)
		}
	}
	if tagged {
		if next, err = s.update(branch, e.id, s.retag(tags)); err != nil {
			return at(e.path, err)
		}
	}
	changed := s.differing(t, next, branch)
	if len(changed) == 0 {
		return nil
	}
	if err := s.permit(e, t, attrs, changed); err != nil {
		return err
	}
	s.in.tx.Join(branch)
	e.changed = true
	return nil
}

// decodeChange is decodeUpdate with errors that say where they are. An attribute that cannot change has to
// be what it is; asked says whether there are others.
func (s *section[T, C, U]) decodeChange(e *entry, t T, attrs map[string]any) (q U, asked bool, err error) {
	v := viewOf(s.in.srv, all, s.in.tx.Model())
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a, value := s.byName[name], attrs[name]
		switch {
		case a == nil:
			err = badRequest("a %s has no such attribute", s.resource.name)
		case a.put != nil:
			asked = true
			err = a.put(&q, value)
		case a.post == nil:
			err = badRequest("it cannot be set")
		case !a.same(v, t, value):
			err = badRequest("it is %s and cannot be changed to %s; an object with another name could have that", a.shown(v, t), str(value))
		}
		if err != nil {
			return q, false, at(e.path+"."+name, err)
		}
	}
	return q, asked, nil
}

// all is who sees every attribute.
var all = identity.Identity{Admin: true}

// shown is an attribute as JSON.
func (a *attr[T, C, U]) shown(v *view, t T) []byte {
	if a.get != nil {
		return a.get(v, t).append(nil)
	}
	if a.json != nil {
		return a.json(nil, v, t)
	}
	return nil
}

// same reports whether an attribute has a value that a document asks for. One that is never shown has any.
func (a *attr[T, C, U]) same(v *view, t T, value any) bool {
	if a.get == nil {
		var asked, has any
		b, err := json.Marshal(value)
		return a.json == nil || err == nil && json.Unmarshal(b, &asked) == nil && json.Unmarshal(a.json(nil, v, t), &has) == nil && reflect.DeepEqual(asked, has)
	}
	has := a.get(v, t)
	if value == nil || value == "" {
		return has.compare(none) == 0 || has.compare(text("")) == 0
	}
	if a.as != nil {
		asked, err := a.as(str(value))
		return err == nil && has.compare(asked) == 0
	}
	if asked, err := netip.ParsePrefix(str(value)); err == nil {
		return has.str == asked.Masked().String()
	}
	return string(has.append(nil)) == string(text(str(value)).append(nil))
}

// differing are the attributes that clients set and that are otherwise after a step.
func (s *section[T, C, U]) differing(before, after T, step *store.Tx) []*attr[T, C, U] {
	old, now := viewOf(s.in.srv, all, s.in.tx.Model()), viewOf(s.in.srv, all, step.Model())
	var out []*attr[T, C, U]
	for i := range s.attrs {
		a := &s.attrs[i]
		if settable(a) && !bytes.Equal(a.shown(old, before), a.shown(now, after)) {
			out = append(out, a)
		}
	}
	return out
}

// permit decides whether the sender may change attributes of an object.
func (s *section[T, C, U]) permit(e *entry, t T, attrs map[string]any, changed []*attr[T, C, U]) error {
	v := s.in.view()
	if err := s.mayWrite(v, t, "update"); err != nil {
		return at(e.path, err)
	}
	var on *model.Network
	if s.network != nil {
		on = s.network(v.model, t)
	}
	asked := map[string]any{}
	for _, a := range changed {
		if value, given := attrs[a.name]; given {
			asked[a.name] = value
		}
	}
	return at(e.path, s.passGates(v, asked, on, false))
}

// refer finds the object that a document means by an id or a name: one of the project, or else one that
// everybody may use. among chooses the first of several sets of candidates that has the name.
func (s *section[T, C, U]) refer(path string, project string, ref any, among ...func(T) bool) (model.ID, error) {
	name, ok := ref.(string)
	if !ok || name == "" {
		return "", at(path, badRequest("it is the name or the id of a %s, not '%s'", s.resource.name, str(ref)))
	}
	v := s.in.view()
	if t, ok := s.find(v.model, model.ID(name)); ok && s.visible(v, t) {
		return model.ID(name), nil
	}
	among = append(among, func(t T) bool { return s.meta(t).Project == project }, func(T) bool { return true })
	for _, among := range among {
		var found []string
		for t := range s.scan(v.model, nil) {
			if s.meta(t).Name == name && among(t) && s.visible(v, t) {
				found = append(found, string(s.meta(t).ID))
			}
		}
		switch slices.Sort(found); {
		case len(found) == 1:
			return model.ID(found[0]), nil
		case len(found) > 1:
			return "", at(path, model.Errorf(model.Conflict, "Conflict", "more than one %s is named '%s': %s; name it by id", s.resource.name, cut(name), strings.Join(found, ", ")))
		}
	}
	return "", at(path, model.Errorf(model.NotFound, "NotFound", "there is no %s '%s'", s.resource.name, cut(name)))
}

// prune lists the objects of the set that the document does not have, by name.
func (s *section[T, C, U]) prune() []T {
	var out []T
	for t := range s.scan(s.in.tx.Model(), nil) {
		m := s.meta(t)
		if s.in.prunes(m.Project) && slices.Contains(m.Tags, s.in.tag) && !s.has(m.ID) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b T) int {
		return cmp.Or(cmp.Compare(s.meta(a).Name, s.meta(b).Name), cmp.Compare(s.meta(a).ID, s.meta(b).ID))
	})
	return out
}

// drop deletes the objects that are to be pruned.
func (s *section[T, C, U]) drop() error {
	for _, t := range s.prune() {
		path := "prune " + s.resource.name + " " + cmp.Or(s.meta(t).Name, string(s.meta(t).ID))
		if err := s.mayWrite(s.in.view(), t, "delete"); err != nil {
			return at(path, err)
		}
		if err := s.remove(s.in.tx, s.meta(t).ID); err != nil {
			return at(path, err)
		}
	}
	return nil
}
