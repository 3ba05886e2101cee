package neutron

import (
	"iter"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/store/model"
)

// listing is what a list request asks for, ready to be applied.
type listing[T any] struct {
	picks  []pick[T]
	wanted filters
	sort   []sortKey
	page   page
	fields []string
}

// parseListing reads the query of a list request. What the viewer may not see, it cannot filter or
// sort by: the answer would tell.
func (r *resource[T, C, U]) parseListing(v *view, q query) (listing[T], error) {
	l := listing[T]{wanted: filters{}, fields: q.all("fields")}
	if v.parent != "" {
		l.wanted[parentFilter] = []string{string(v.parent)}
	}
	var unknown []string
	for _, f := range q.filters() {
		a := r.byName[f.name]
		if a == nil || a.ops&filtered == 0 || !v.passes(a.see, nil) {
			unknown = append(unknown, f.name)
			continue
		}
		p, err := a.filter(f.values)
		if err != nil {
			return l, err
		}
		l.picks = append(l.picks, p)
		l.wanted[f.name] = f.values
	}
	if unknown != nil {
		return l, badRequest("%s is invalid attribute for filtering", reprStrings(unknown))
	}
	var err error
	l.sort, err = q.sorting(func(name string) bool {
		a := r.byName[name]
		return a != nil && a.ops&sorted != 0 && v.passes(a.see, nil)
	})
	if err != nil {
		return l, err
	}
	l.page, err = q.page()
	return l, err
}

// parentFilter is the name under which scan finds the parent that the path names; no attribute has it.
const parentFilter = ""

// filter returns what selects the objects whose attribute has one of the values.
func (a *attr[T, C, U]) filter(values []string) (pick[T], error) {
	if a.pick != nil {
		return a.pick(values)
	}
	want := make([]scalar, len(values))
	for i, s := range values {
		if a.as == nil {
			want[i] = text(s)
			continue
		}
		var err error
		if want[i], err = a.as(s); err != nil {
			return nil, err
		}
	}
	return func(v *view, t T) bool { return slices.Contains(want, a.get(v, t)) }, nil
}

// row is an object with the values it is sorted by; the id comes last, so that the order is total.
type row[T any] struct {
	t    T
	keys []scalar
	id   model.ID
}

// collect returns the objects of one page in order.
func (r *resource[T, C, U]) collect(v *view, l listing[T]) ([]T, error) {
	var rows []row[T]
next:
	for t := range r.scan(v.model, l.wanted) {
		if !r.visible(v, t) {
			continue
		}
		for _, p := range l.picks {
			if !p(v, t) {
				continue next
			}
		}
		rows = append(rows, r.row(v, t, l.sort))
	}
	order := func(a, b row[T]) int {
		for i, k := range l.sort {
			if c := a.keys[i].compare(b.keys[i]); c != 0 {
				if k.desc {
					return -c
				}
				return c
			}
		}
		return strings.Compare(string(a.id), string(b.id))
	}
	slices.SortFunc(rows, order)
	rows, err := cutPage(rows, l.page, func() (int, bool, error) {
		t, err := r.look(v, model.ID(l.page.marker))
		if err != nil {
			return 0, false, err
		}
		at, found := slices.BinarySearchFunc(rows, r.row(v, t, l.sort), order)
		return at, found, nil
	})
	out := make([]T, len(rows))
	for i := range rows {
		out[i] = rows[i].t
	}
	return out, err
}

func (r *resource[T, C, U]) row(v *view, t T, by []sortKey) row[T] {
	w := row[T]{t: t, id: r.meta(t).ID}
	for _, k := range by {
		w.keys = append(w.keys, r.byName[k.name].get(v, t))
	}
	return w
}

// cutPage returns the part of the rows that a page holds; marker finds the marker's place among them.
// As in the reference, a marker counts only with a limit.
func cutPage[R any](rows []R, p page, marker func() (at int, found bool, err error)) ([]R, error) {
	if p.limit == 0 {
		return rows, nil
	}
	limit := min(p.limit, len(rows)) // so that sums below do not overflow
	before, after := len(rows), 0
	if p.marker != "" {
		at, found, err := marker()
		if err != nil {
			return nil, err
		}
		before, after = at, at
		if found {
			after++
		}
	}
	if p.reverse {
		return rows[max(0, before-limit):before], nil
	}
	return rows[after:min(len(rows), after+limit)], nil
}

// links are the URLs of the pages around one.
func links(base string, q query, p page, first, last model.ID, n int) []byte {
	if p.limit == 0 {
		return nil
	}
	link := func(rel string, more ...param) func([]byte) []byte {
		return func(dst []byte) []byte {
			return appendPairs(dst, "rel", rel, "href", base+"?"+q.with(more...).encode())
		}
	}
	var next, previous []param
	if n > 0 {
		next = []param{{"marker", string(last)}}
		previous = []param{{"marker", string(first)}}
	}
	previous = append(previous, param{"page_reverse", "True"})
	var out []func([]byte) []byte
	if n >= p.limit || p.reverse {
		out = append(out, link("next", next...))
	}
	if n >= p.limit || !p.reverse {
		out = append(out, link("previous", previous...))
	}
	return appendList(nil, out, func(dst []byte, l func([]byte) []byte) []byte { return l(dst) })
}

// pickIDs visits the objects that the ids name: the index for a filter by id.
func pickIDs[T any](find func(model.ID) (T, bool), ids []string) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i, id := range ids {
			if slices.Contains(ids[:i], id) {
				continue
			}
			if t, ok := find(model.ID(id)); ok && !yield(t) {
				return
			}
		}
	}
}

// values visits what a table holds.
func values[T any](t model.Table[model.ID, T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, o := range t.All() {
			if !yield(o) {
				return
			}
		}
	}
}
