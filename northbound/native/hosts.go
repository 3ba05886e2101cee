package native

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

func (s *server) listHosts(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	v := s.viewHosts(s.Store.Snapshot())
	hosts := make([]hostView, 0, v.m.Hosts.Len())
	for _, name := range v.m.Hosts.Sorted() {
		h, _ := v.m.Hosts.Get(name)
		hosts = append(hosts, v.host(h))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"hosts": hosts})
}

func (s *server) showHost(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	return s.answerHost(w, http.StatusOK, s.Store.Snapshot(), pathVar(r, "name"))
}

func (s *server) answerHost(w http.ResponseWriter, code int, m *model.Model, name string) error {
	v := s.viewHosts(m)
	h, ok := v.m.Hosts.Get(name)
	if !ok {
		return noHost(name)
	}
	return writeJSON(w, code, v.wholeHost(h))
}

func noHost(name string) error {
	return notFound("there is no host %q; ovs-vsctl set-manager on it makes it join, PUT /v1/hosts/NAME makes it known", name)
}

// putHost creates a host or replaces all that an operator said of it.
func (s *server) putHost(w http.ResponseWriter, r *http.Request) error {
	doc, err := s.hostBody(r)
	if err != nil {
		return err
	}
	put, err := parse(doc)
	if err != nil {
		return err
	}
	name, code := pathVar(r, "name"), http.StatusOK
	m, err := s.Store.Update(r.Context(), func(tx *store.Tx) error {
		if _, known := tx.Model().Hosts.Get(name); !known {
			if !hostName.MatchString(name) {
				return badRequest("host: %q cannot be a host's name: letters, digits, and . _ - between them", name)
			}
			code = http.StatusCreated
		}
		return s.storeHost(tx, name, put)
	})
	if err != nil {
		return err
	}
	return s.answerHost(w, code, m, name)
}

// patchHost merges into what an operator said of a host (RFC 7386).
func (s *server) patchHost(w http.ResponseWriter, r *http.Request) error {
	patch, err := s.hostBody(r)
	if err != nil {
		return err
	}
	if _, err := parse(merge(nil, patch)); err != nil {
		return err // what is wrong by itself is told before the host is looked for
	}
	name := pathVar(r, "name")
	m, err := s.Store.Update(r.Context(), func(tx *store.Tx) error {
		h, ok := tx.Model().Hosts.Get(name)
		if !ok {
			return noHost(name)
		}
		doc, err := documentOf(h)
		if err != nil {
			return err
		}
		put, err := parse(merge(doc, patch))
		if err != nil {
			return err
		}
		return s.storeHost(tx, name, put)
	})
	if err != nil {
		return err
	}
	return s.answerHost(w, http.StatusOK, m, name)
}

// hostBody reads the body of PUT and PATCH.
func (s *server) hostBody(r *http.Request) (document, error) {
	if _, err := parseQuery(r); err != nil {
		return nil, err
	}
	switch kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case r.Header.Get("Content-Type") == "", kind == "application/json", kind == "application/merge-patch+json",
		kind == "application/x-www-form-urlencoded": // what curl -d says of anything
	case err != nil:
		return nil, badRequest("Content-Type: %v", err)
	default:
		return nil, &apiError{http.StatusUnsupportedMediaType, "UnsupportedMediaType",
			fmt.Sprintf("Content-Type: %s where application/json is wanted", kind)}
	}
	return readDocument(r)
}

func (s *server) storeHost(tx *store.Tx, name string, put l2.HostPut) error {
	if err := checkUnique(tx.Model(), name, put); err != nil {
		return err
	}
	_, err := s.Hosts.PutHost(tx, name, put)
	return err
}

// checkUnique refuses to take one connection for two hosts. Equal tunnel addresses are shown as a
// problem instead: two hosts that swap theirs are changed one after the other.
func checkUnique(m *model.Model, name string, put l2.HostPut) error {
	for other, h := range m.Hosts.All() {
		if other == name {
			continue
		}
		if put.OVSDB != "" && h.OVSDB == put.OVSDB {
			return conflict("ovsdb: %s is the OVSDB of host %s already", put.OVSDB, other)
		}
		for bridge, target := range put.OpenFlow {
			for theirs, t := range h.OpenFlow {
				if t == target {
					return conflict("openflow.%s: %s is bridge %s of host %s already", bridge, target, theirs, other)
				}
			}
		}
		for bridge, id := range put.Bridges {
			for theirs, i := range h.Bridges {
				if i == id {
					return conflict("bridges.%s: %v is bridge %s of host %s already", bridge, id, theirs, other)
				}
			}
		}
	}
	return nil
}

func (s *server) deleteHost(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	name := pathVar(r, "name")
	_, err := s.Store.Update(r.Context(), func(tx *store.Tx) error {
		if _, ok := tx.Model().Hosts.Get(name); !ok {
			return noHost(name)
		}
		return s.Hosts.DeleteHost(tx, name)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
