package native

import (
	"net/http"

	"github.com/heddle-sdn/heddle/northbound/identity"
)

// whoamiView is who sent a request.
type whoamiView struct {
	User    string   `json:"user"`
	Project string   `json:"project_id"`
	Roles   []string `json:"roles"`
	Admin   bool     `json:"admin"`
	Auth    string   `json:"auth"` // "token", or "noauth" if everybody is an administrator
}

func (s *server) whoami(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	who := identity.From(r.Context())
	v := whoamiView{User: who.User, Project: who.Project, Roles: who.Roles, Admin: who.Admin, Auth: "token"}
	if v.Roles == nil {
		v.Roles = []string{}
	}
	if _, open := s.Auth.(identity.NoAuth); open {
		v.Auth = "noauth"
	}
	return writeJSON(w, http.StatusOK, v)
}
