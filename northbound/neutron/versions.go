package neutron

import (
	"encoding/json"
	"net/http"
)

// link is a reference to another document of the API.
type link struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// versions answers "/": the one version there is.
func (s *server) versions(w http.ResponseWriter, r *http.Request) error {
	type version struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Links  []link `json:"links"`
	}
	return writeDocument(w, map[string]any{"versions": []version{
		{"v2.0", "CURRENT", []link{{"self", s.base(r) + "/v2.0/"}}},
	}})
}

// resources answers "/v2.0/": the core resources that are served.
func (s *server) resources(w http.ResponseWriter, r *http.Request) error {
	type resource struct {
		Name       string `json:"name"`
		Collection string `json:"collection"`
		Links      []link `json:"links"`
	}
	var out []resource
	for _, name := range []string{"network", "subnet", "port"} {
		out = append(out, resource{name, name + "s", []link{{"self", s.base(r) + "/v2.0/" + name + "s"}}})
	}
	return writeDocument(w, map[string]any{"resources": out})
}

// writeDocument answers 200 with a JSON document.
func writeDocument(w http.ResponseWriter, doc any) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, b)
	return nil
}
