package native

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
)

// apply makes the objects of a document as it says.
func (s *server) apply(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "set", "prune", "project_id")
	if err != nil {
		return err
	}
	prune, err := q.boolean("prune")
	if err != nil {
		return err
	}
	doc, err := readObject(r)
	if err != nil {
		return err
	}
	applied, err := s.Documents.Apply(r.Context(), identity.From(r.Context()),
		change.Document{Body: doc, Project: q.text("project_id"), Set: q.text("set"), Prune: prune})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"applied": applied})
}

// readObject reads a body that is one JSON object, with numbers as json.Number.
func readObject(r *http.Request) (map[string]any, error) {
	dec := json.NewDecoder(r.Body)
	dec.UseNumber()
	var d map[string]any
	if err := dec.Decode(&d); err != nil {
		return nil, badBody(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, badRequest("body: there is more after the JSON object")
	}
	if d == nil {
		return nil, badRequest("body: null where a JSON object is wanted")
	}
	return d, nil
}

// boolean returns a parameter that is true or false; false if it is not given.
func (q query) boolean(name string) (bool, error) {
	if !q.has(name) {
		return false, nil
	}
	b, err := strconv.ParseBool(q.text(name))
	if err != nil {
		return false, badRequest("query: %s is %q, which is neither true nor false", name, q.text(name))
	}
	return b, nil
}
