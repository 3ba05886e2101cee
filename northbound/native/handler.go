package native

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
)

// handler answers a request, or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// route adds a path. A method that the path does not have is answered with 405 and those that it has
// (RFC 9110 §15.5.6); HEAD is GET, of which net/http sends the header only.
func (s *server) route(path string, on methods) {
	allowed := slices.Sorted(maps.Keys(on))
	if on["GET"] != nil {
		allowed = append(allowed, "HEAD")
	}
	slices.Sort(allowed)
	s.router.Handle(path, s.endpoint(path, func(w http.ResponseWriter, r *http.Request) error {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if h := on[method]; h != nil {
			return h(w, r)
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return &apiError{http.StatusMethodNotAllowed, "MethodNotAllowed",
			r.Method + " is not possible here, only " + strings.Join(allowed, ", ")}
	}))
}

// endpoint makes a handler of a route: it attributes changes to the request and answers errors.
func (s *server) endpoint(route string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := httpd.ExchangeOf(r.Context())
		x.Route, x.User = route, identity.From(r.Context()).User
		ctx := store.WithCause(r.Context(), store.Cause{Request: x.ID, User: x.User})
		err := h(w, r.WithContext(ctx))
		if err == nil {
			return
		}
		answer, ours := describe(err)
		if ours {
			x.Err = err
		}
		writeError(w, answer)
	})
}

// admin lets administrators through: what h shows belongs to no project, or to more than one.
func (s *server) admin(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !identity.From(r.Context()).Admin {
			return errNotAdmin
		}
		return h(w, r)
	}
}

// withoutSlash removes slashes at the end of the path.
func withoutSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; len(p) > 1 && strings.HasSuffix(p, "/") {
			r.URL.Path = strings.TrimRight(p, "/")
			r.URL.RawPath = strings.TrimRight(r.URL.RawPath, "/")
		}
		next.ServeHTTP(w, r)
	})
}

// pathVar returns a part of the path; it is matched escaped, so that it may hold a slash.
func pathVar(r *http.Request, name string) string {
	v := mux.Vars(r)[name]
	if u, err := url.PathUnescape(v); err == nil {
		return u
	}
	return v
}

// marshal encodes v as one line. Text is not escaped for HTML: flows are full of ">", and people read
// them.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, code int, v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	jsonHeader(w)
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // a client that has gone away needs no answer
	return nil
}

func jsonHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

// index lists what there is.
func (s *server) index(w http.ResponseWriter, _ *http.Request) error {
	var paths []string
	err := s.router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		paths = append(paths, path)
		return err
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"version": s.Version, "paths": paths})
}
