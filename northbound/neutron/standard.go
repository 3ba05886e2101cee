package neutron

import (
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store/model"
)

const maxText = 255 // characters of a name, a description and most other strings

// standard is where the attributes that every resource has are found in its objects and requests.
type standard[T, C, U any] struct {
	meta        func(T) *model.Meta
	project     func(*C) *string
	name        func(*C) *string // nil: objects have no name
	description func(*C) *string
	newName     func(*U) *l2.Opt[string]
	newDescr    func(*U) *l2.Opt[string]
}

// rows are the rows of these attributes.
func (s standard[T, C, U]) rows() []attr[T, C, U] {
	meta := s.meta
	project := func(_ *view, t T) scalar { return text(meta(t).Project) }
	rows := []attr[T, C, U]{{name: "id", ops: filtered | sorted, get: func(_ *view, t T) scalar { return text(meta(t).ID) }}}
	if s.name != nil {
		rows = append(rows, attr[T, C, U]{name: "name", ops: filtered | sorted, get: func(_ *view, t T) scalar { return text(meta(t).Name) },
			post: into(toText(maxText), s.name), put: opt(toText(maxText), s.newName)})
	}
	return append(rows, []attr[T, C, U]{
		{name: "tenant_id", ops: filtered | sorted, get: project, post: checked[C](toText(maxText))},
		{name: "project_id", ops: required | filtered | sorted, get: project, post: into(toText(maxText), s.project)},
		{name: "description", ops: filtered, get: func(_ *view, t T) scalar { return text(meta(t).Description) },
			post: into(toText(maxText), s.description), put: opt(toText(maxText), s.newDescr)},
		{name: "tags", ops: filtered, json: jsonTags(meta), pick: pickTags(meta, true, false)},
		{name: "tags-any", ops: filtered, pick: pickTags(meta, false, false)},
		{name: "not-tags", ops: filtered, pick: pickTags(meta, true, true)},
		{name: "not-tags-any", ops: filtered, pick: pickTags(meta, false, true)},
		{name: "created_at", get: func(v *view, t T) scalar { return v.timestamp(meta(t).Created) }},
		{name: "updated_at", get: func(v *view, t T) scalar { return v.timestamp(meta(t).Updated) }},
		{name: "revision_number", ops: filtered, as: asInt, get: func(_ *view, t T) scalar { return integer(meta(t).Revision) }},
	}...)
}

// timestamp writes a time as the API does. The last one is remembered: most objects were made and
// changed within the same second.
func (v *view) timestamp(t time.Time) scalar {
	if second := t.Unix(); v.second != second || v.written == "" {
		v.second, v.written = second, t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return text(v.written)
}

// with returns the rows, those of more in place of rows of the same name.
func (s standard[T, C, U]) with(more ...attr[T, C, U]) []attr[T, C, U] {
	rows := s.rows()
	for _, a := range more {
		same := func(o attr[T, C, U]) bool { return o.name == a.name }
		if i := slices.IndexFunc(rows, same); i >= 0 {
			rows[i] = a
			continue
		}
		rows = append(rows, a)
	}
	return rows
}

// null is the getter of an attribute that has no value here.
func null[T any](*view, T) scalar { return none }
