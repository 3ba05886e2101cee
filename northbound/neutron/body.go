package neutron

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"unicode/utf8"
)

// readJSON reads the body of a request, which must be one JSON object. What the Content-Type says is
// not looked at, as in the reference.
func readJSON(r *http.Request) (map[string]any, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, bodyError(err)
	}
	doc, ok := decodeJSON(raw).(map[string]any)
	if !ok {
		return nil, badRequest("Body contains invalid data")
	}
	return doc, nil
}

// bodyError tells a body that is too long from one that stopped coming.
func bodyError(err error) error {
	if _, ok := err.(*http.MaxBytesError); ok {
		return err
	}
	return badRequest("Body contains invalid data")
}

// decodeJSON returns what a JSON document means, with numbers as json.Number; nil if it is none.
func decodeJSON(raw []byte) any {
	if !utf8.Valid(raw) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var doc any
	if d.Decode(&doc) != nil {
		return nil
	}
	if _, err := d.Token(); err != io.EOF {
		return nil // something follows the document
	}
	return doc
}

// readBody returns the objects of a create or an update: the one under name, or where plural is not
// empty those of the list under it.
func readBody(r *http.Request, name, plural string) (items []map[string]any, bulk bool, err error) {
	doc, err := readJSON(r)
	if err != nil {
		return nil, false, err
	}
	if many, ok := doc[plural]; ok && plural != "" {
		items, err = bulkItems(many, name)
		return items, true, err
	}
	one, ok := doc[name]
	if !ok || one == nil {
		return nil, false, badRequest("Unable to find '%s' in request body", name)
	}
	item, ok := one.(map[string]any)
	if !ok {
		return nil, false, badRequest("Object '%s' contains invalid data", name)
	}
	return []map[string]any{item}, false, nil
}

// bulkItems reads the list of a bulk create; an object may be wrapped as if it came alone.
func bulkItems(many any, name string) ([]map[string]any, error) {
	list, ok := many.([]any)
	if !ok && many != nil {
		return nil, badRequest("Body contains invalid data")
	}
	if len(list) == 0 {
		return nil, badRequest("Resources required")
	}
	items := make([]map[string]any, len(list))
	for i, e := range list {
		item, ok := e.(map[string]any)
		if !ok {
			return nil, badRequest("Body contains invalid data")
		}
		if inner, wrapped := item[name]; wrapped {
			if item, ok = inner.(map[string]any); !ok {
				return nil, badRequest("Object '%s' contains invalid data", name)
			}
		}
		items[i] = item
	}
	return items, nil
}

// refuseBody fails if a request that takes no body has one.
func refuseBody(r *http.Request) error {
	var one [1]byte
	switch n, err := io.ReadFull(r.Body, one[:]); {
	case n > 0:
		return badRequest("Request body is not supported in DELETE.")
	case err != io.EOF:
		return bodyError(err)
	}
	return nil
}
