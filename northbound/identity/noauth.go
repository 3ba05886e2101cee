package identity

import "net/http"

// ProjectNoAuth is the project of requests that [NoAuth] accepts and that name none.
const ProjectNoAuth = "fake_project_id"

// NoAuth accepts every request as an administrator's, for a laptop or behind a proxy that decides.
// As in the reference, a request has the project [ProjectNoAuth], unless it has an X-Project-Id
// header: then it has none, and what it creates must name its project in the body.
type NoAuth struct{}

// Authenticate never fails.
func (NoAuth) Authenticate(r *http.Request) (Identity, error) {
	id := Identity{User: "noauth", Project: ProjectNoAuth, Roles: []string{RoleAdmin}, Admin: true}
	if r.Header.Get("X-Project-Id") != "" {
		id.Project = ""
	}
	if user := r.Header.Get("X-User-Id"); user != "" {
		id.User = user
	}
	return id, nil
}
