package neutron

import (
	"net/http"
	"strings"

	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
)

// handler answers a request, or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// handle adds a route.
func (s *server) handle(method, path string, h handler) {
	s.router.Handle(path, s.endpoint(path, h)).Methods(method)
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
		code, body, internal := describe(err)
		if internal {
			x.Err = err
		}
		writeError(w, code, body)
	})
}

// withoutSlash takes a slash off the end of the path: the reference answers both ways.
func withoutSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.EscapedPath(); len(p) > 1 && strings.HasSuffix(p, "/") {
			u := *r.URL
			u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
			trimmed := *r
			trimmed.URL = &u
			r = &trimmed
		}
		next.ServeHTTP(w, r)
	})
}
