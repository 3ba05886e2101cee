// Package identity says who sent an API request: an [Authenticator] looks at the request, the
// [Middleware] refuses what it does not accept and hands the [Identity] on in the context.
//
// Both northbounds, /v2.0 and /v1, use it, so that a token means the same everywhere.
package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// The roles that have a meaning. Others are kept, and mean nothing.
const (
	RoleAdmin   = "admin"   // may do everything, in every project
	RoleService = "service" // a cloud service such as Nova: may bind ports, sees every port
	RoleMember  = "member"  // may read and write what belongs to the project
	RoleReader  = "reader"  // may read what belongs to the project
)

// Identity is who sent a request.
type Identity struct {
	User    string   // name or id, for logs and for the cause of a change
	Project string   // the project new objects belong to; empty: the request must name one
	Roles   []string // as the token says
	Admin   bool     // the admin role is among them
}

// Has reports whether the identity has a role.
func (id Identity) Has(role string) bool { return slices.Contains(id.Roles, role) }

// Service reports whether the sender is a cloud service or an administrator.
func (id Identity) Service() bool { return id.Admin || id.Has(RoleService) }

// Writes reports whether the sender may change anything at all: a reader may not.
func (id Identity) Writes() bool { return id.Admin || id.Has(RoleMember) || id.Has(RoleService) }

// Owns reports whether the sender may act on what belongs to a project.
func (id Identity) Owns(project string) bool {
	return id.Admin || id.Project != "" && id.Project == project
}

// ErrUnauthorized is the error of a request without a token, or with one that stands for nobody.
var ErrUnauthorized = errors.New("the request has no valid token")

// Authenticator finds out who sent a request. Its error is [ErrUnauthorized], possibly wrapped.
type Authenticator interface {
	Authenticate(r *http.Request) (Identity, error)
}

type contextKey struct{}

// With returns a context that carries the identity, as [Middleware] makes it.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// From returns the identity of the request whose context ctx is. Outside of [Middleware] it is the
// zero Identity, which may do nothing.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(contextKey{}).(Identity)
	return id
}

// Middleware lets requests through that auth accepts, with their identity in the context, and answers
// the others with 401 as Keystone's middleware does; keystoneURI is where that answer sends clients
// for a token.
func Middleware(auth Authenticator, keystoneURI string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, err := auth.Authenticate(r)
			if err != nil {
				refuse(w, keystoneURI)
				return
			}
			next.ServeHTTP(w, r.WithContext(With(r.Context(), id)))
		})
	}
}

func refuse(w http.ResponseWriter, keystoneURI string) {
	type reason struct {
		Code    int    `json:"code"`
		Title   string `json:"title"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(map[string]reason{"error": {
		Code:    http.StatusUnauthorized,
		Title:   "Unauthorized",
		Message: "The request you have made requires authentication.",
	}})
	if err != nil {
		panic(err) // two strings and a number always encode
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Keystone uri=%q", keystoneURI))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write(body) // a client that has gone away needs no answer
}
