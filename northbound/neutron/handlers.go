package neutron

import (
	"net/http"
	"net/url"
	"sync"

	"github.com/gorilla/mux"

	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// collection serves one resource.
type collection[T, C, U any] struct {
	*resource[T, C, U]
	srv *server
}

// serve adds the routes of a resource.
func serve[T, C, U any](s *server, r *resource[T, C, U]) {
	describeObjects(s, r)
	c := collection[T, C, U]{r, s}
	all := "/v2.0/" + r.path
	one := all + "/{id}"
	s.handle("GET", all, c.list)
	s.handle("GET", one, c.show)
	if c.create != nil {
		s.handle("POST", all, c.postObjects)
	}
	if c.update != nil {
		s.handle("PUT", one, c.putObject)
	}
	if c.remove != nil {
		s.handle("DELETE", one, c.deleteObject)
	}
	if c.retag != nil {
		c.serveTags(one + "/tags")
	}
}

// view is how the sender of a request sees a model.
func (s *server) view(r *http.Request, m *model.Model) *view {
	return &view{model: m, status: s.Status, who: identity.From(r.Context()), parent: model.ID(pathVar(r, "parent"))}
}

// pathVar returns a part of the path; it is matched escaped, so that a tag may hold a slash.
func pathVar(r *http.Request, name string) string {
	v := mux.Vars(r)[name]
	if u, err := url.PathUnescape(v); err == nil {
		return u
	}
	return v
}

func pathID(r *http.Request) model.ID { return model.ID(pathVar(r, "id")) }

const flushAt = 64 << 10 // bytes of a list that are sent at once

// buffers are reused for list responses, which are the large ones.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2*flushAt); return &b }}

func (c collection[T, C, U]) list(w http.ResponseWriter, r *http.Request) error {
	v := c.srv.view(r, c.srv.Store.Snapshot())
	if c.within != nil {
		if err := c.within(v); err != nil {
			return err
		}
	}
	q := parseQuery(r.URL.RawQuery)
	l, err := c.parseListing(v, q)
	if err != nil {
		return err
	}
	objects, err := c.collect(v, l)
	if err != nil {
		return err
	}
	var around []byte
	if n := len(objects); n > 0 {
		around = links(c.srv.base(r)+r.URL.Path, q, l.page, c.meta(objects[0]).ID, c.meta(objects[n-1]).ID, n)
	} else {
		around = links(c.srv.base(r)+r.URL.Path, q, l.page, "", "", 0)
	}

	w.Header().Set("Content-Type", "application/json")
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := append((*buf)[:0], `{"`+c.plural+`":[`...)
	s := c.shapeFor(v, l.fields)
	for i, t := range objects {
		if i > 0 {
			b = append(b, ',')
		}
		if b = s.append(b, v, t); len(b) >= flushAt {
			if _, err := w.Write(b); err != nil {
				return nil // the client has gone away
			}
			b = b[:0]
		}
	}
	b = append(b, ']')
	if around != nil {
		b = append(b, `,"`+c.plural+`_links":`...)
		b = append(b, around...)
	}
	b = append(b, '}')
	_, _ = w.Write(b)
	*buf = b
	return nil
}

func (c collection[T, C, U]) show(w http.ResponseWriter, r *http.Request) error {
	v := c.srv.view(r, c.srv.Store.Snapshot())
	t, err := c.look(v, pathID(r))
	if err != nil {
		return err
	}
	c.answer(w, http.StatusOK, v, t, parseQuery(r.URL.RawQuery).all("fields"))
	return nil
}

// answer writes one object.
func (c collection[T, C, U]) answer(w http.ResponseWriter, code int, v *view, t T, fields []string) {
	b := append([]byte(nil), `{"`+c.name+`":`...)
	b = c.shapeFor(v, fields).append(b, v, t)
	writeJSON(w, code, append(b, '}'))
}

// postObjects creates one object, or several: all of them or none.
func (c collection[T, C, U]) postObjects(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("If-Match") != "" {
		if p, err := parseIfMatch(r.Header.Get("If-Match")); err != nil || p.set {
			return badRequest("Revision number etags are only supported for existing resources")
		}
	}
	items, bulk, err := readBody(r, c.name, c.plural)
	if err != nil {
		return err
	}
	who := identity.From(r.Context())
	wanted := make([]C, len(items))
	for i, item := range items {
		if wanted[i], err = c.decodeCreate(who, item); err != nil {
			return err
		}
	}
	made := make([]T, len(wanted))
	m, err := c.srv.Store.Update(r.Context(), func(tx *store.Tx) error {
		for i := range wanted {
			v := c.srv.view(r, tx.Model())
			if c.inside != nil {
				c.inside(&wanted[i], v.parent)
			}
			if err := c.mayCreate(v, &wanted[i], items[i]); err != nil {
				return err
			}
			var err error
			if made[i], err = c.create(tx, wanted[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	v := c.srv.view(r, m)
	// A later object of the same request may have changed an earlier one.
	for i := range made {
		if t, ok := c.find(m, c.meta(made[i]).ID); ok {
			made[i] = t
		}
	}
	if !bulk {
		c.answer(w, http.StatusCreated, v, made[0], nil)
		return nil
	}
	s := c.shapeFor(v, nil)
	b := append([]byte(nil), `{"`+c.plural+`":`...)
	b = appendList(b, made, func(dst []byte, t T) []byte { return s.append(dst, v, t) })
	writeJSON(w, http.StatusCreated, append(b, '}'))
	return nil
}

func (c collection[T, C, U]) putObject(w http.ResponseWriter, r *http.Request) error {
	match, err := parseIfMatch(r.Header.Get("If-Match"))
	if err != nil {
		return err
	}
	items, _, err := readBody(r, c.name, "")
	if err != nil {
		return err
	}
	q, err := c.decodeUpdate(identity.From(r.Context()), items[0])
	if err != nil {
		return err
	}
	var changed T
	m, err := c.srv.Store.Update(r.Context(), func(tx *store.Tx) error {
		v := c.srv.view(r, tx.Model())
		t, err := c.lookToWrite(v, pathID(r), "update")
		if err != nil {
			return err
		}
		if err := match.check(c.meta(t)); err != nil {
			return err
		}
		var on *model.Network
		if c.network != nil {
			on = c.network(v.model, t)
		}
		if err := c.passGates(v, items[0], on, false); err != nil {
			return err
		}
		if c.mayPut != nil {
			if err := c.mayPut(v, t, &q); err != nil {
				return err
			}
		}
		changed, err = c.update(tx, c.meta(t).ID, q)
		return err
	})
	if err != nil {
		return err
	}
	c.answer(w, http.StatusOK, c.srv.view(r, m), changed, nil)
	return nil
}

// lookToWrite finds an object that the viewer may change.
func (c collection[T, C, U]) lookToWrite(v *view, id model.ID, verb string) (T, error) {
	t, err := c.look(v, id)
	if err == nil {
		err = c.mayWrite(v, t, verb)
	}
	return t, err
}

func (c collection[T, C, U]) deleteObject(w http.ResponseWriter, r *http.Request) error {
	match, err := parseIfMatch(r.Header.Get("If-Match"))
	if err != nil {
		return err
	}
	if err := refuseBody(r); err != nil {
		return err
	}
	_, err = c.srv.Store.Update(r.Context(), func(tx *store.Tx) error {
		t, err := c.lookToWrite(c.srv.view(r, tx.Model()), pathID(r), "delete")
		if err != nil {
			return err
		}
		if err := match.check(c.meta(t)); err != nil {
			return err
		}
		return c.remove(tx, c.meta(t).ID)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
