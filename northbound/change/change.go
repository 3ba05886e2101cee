// Package change says in the APIs' words what a transaction changes: which objects, and of each which
// attributes, before and after. Plans and the history both show it.
package change

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Attribute is an attribute of an object as an API shows it.
type Attribute struct {
	Name  string
	Value json.RawMessage
}

// Attributes shows an object in the attributes that clients set, in the order of the API, as one viewer
// sees it in a model. It is false for a kind that it does not know, and for what the viewer may not see.
type Attributes func(who identity.Identity, m *model.Model, r model.Resource) ([]Attribute, bool)

// Object is the change of one object.
type Object struct {
	Op     string  `json:"op"` // "create", "update" or "delete"
	Object string  `json:"object"`
	Name   string  `json:"name,omitempty"`
	Fields []Field `json:"fields"`
}

// The operations on objects.
const (
	Create = "create"
	Update = "update"
	Delete = "delete"
)

// Field is an attribute that changes. Of an object that is created there is no Before, of one that is
// deleted no After, and attributes without a value are left out of both.
type Field struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Describe says what edits change from one model to the next, as a viewer may know it, object by object.
// What follows from objects, such as where a router is placed, is told of the objects, to administrators.
func Describe(who identity.Identity, before, after *model.Model, edits []store.Edit, show ...Attributes) []Object {
	out := []Object{}
	for _, object := range touched(before, after, edits) {
		was, will := before.Get(object.Kind, object.Key), after.Get(object.Kind, object.Key)
		old, sawOld := attributes(who, before, was, show)
		now, seesNow := attributes(who, after, will, show)
		if !sawOld && !seesNow {
			continue
		}
		o := Object{Op: Update, Object: object.Kind + "/" + object.Key, Name: cmp.Or(NameOf(will), NameOf(was)), Fields: fields(old, now)}
		switch {
		case was == nil:
			o.Op = Create
		case will == nil:
			o.Op = Delete
		case len(o.Fields) == 0:
			continue
		}
		out = append(out, o)
	}
	return out
}

// touched are the objects that edits are about, in the order of the edits, each once.
func touched(before, after *model.Model, edits []store.Edit) []store.Ref {
	var out []store.Ref
	seen := map[store.Ref]bool{}
	for _, e := range edits {
		of := about(refOf(e))
		if (before.Get(of.Kind, of.Key) != nil || after.Get(of.Kind, of.Key) != nil) && !seen[of] {
			seen[of] = true
			out = append(out, of)
		}
	}
	return out
}

func refOf(e store.Edit) store.Ref {
	if e.After != nil {
		return store.Ref{Kind: e.After.Kind(), Key: e.After.Key()}
	}
	return store.Ref{Kind: e.Before.Kind(), Key: e.Before.Key()}
}

// about names the object that a resource belongs to: itself, but for what only follows from objects.
func about(r store.Ref) store.Ref {
	switch r.Kind {
	case "plug": // model.PlugKey
		port, _, _ := strings.Cut(r.Key, "@")
		return store.Ref{Kind: "port", Key: port}
	case "placement": // model.PlacementKey
		service, object, _ := strings.Cut(r.Key, "/")
		if service == model.ServiceDHCP {
			return store.Ref{Kind: "network", Key: object}
		}
		return store.Ref{Kind: "router", Key: object}
	case "vlan", "sequence":
		return store.Ref{}
	}
	return r
}

// About names the object, "port/<id>", that a resource belongs to; empty if it belongs to none.
func About(r store.Ref) string {
	of := about(r)
	if of.Kind == "" {
		return ""
	}
	return of.Kind + "/" + of.Key
}

// AboutEdit is About of what an edit changes.
func AboutEdit(e store.Edit) string { return About(refOf(e)) }

func attributes(who identity.Identity, m *model.Model, r model.Resource, show []Attributes) ([]Attribute, bool) {
	if r == nil {
		return nil, false
	}
	for _, a := range show {
		if out, ok := a(who, m, r); ok {
			if who.Admin {
				out = append(out, places(m, r)...)
			}
			return out, true
		}
	}
	return nil, false
}

// places tell where an object is.
func places(m *model.Model, r model.Resource) []Attribute {
	switch r := r.(type) {
	case *model.Port:
		hosts := []string{}
		for _, p := range m.PlugsOf(r.ID) {
			hosts = append(hosts, p.Host)
		}
		return []Attribute{texts("plugged_on", hosts)}
	case *model.Router:
		return []Attribute{text("placed_on", m.HostOfService(model.ServiceRouter, r.ID))}
	case *model.Network:
		return []Attribute{text("dhcp_placed_on", m.HostOfService(model.ServiceDHCP, r.ID))}
	}
	return nil
}

func text(name, value string) Attribute {
	if value == "" {
		return Attribute{name, json.RawMessage("null")}
	}
	return Attribute{name, mustMarshal(value)}
}

func texts(name string, values []string) Attribute { return Attribute{name, mustMarshal(values)} }

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts always encode
	}
	return b
}

// fields are the attributes that differ.
func fields(before, after []Attribute) []Field {
	old := make(map[string]json.RawMessage, len(before))
	for _, a := range before {
		old[a.Name] = a.Value
	}
	out := []Field{}
	for _, a := range after {
		was := old[a.Name]
		delete(old, a.Name)
		switch {
		case before == nil && !empty(a.Value):
			out = append(out, Field{Field: a.Name, After: a.Value})
		case before != nil && !bytes.Equal(was, a.Value):
			out = append(out, Field{Field: a.Name, Before: was, After: a.Value})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if !empty(old[name]) {
			out = append(out, Field{Field: name, Before: old[name]})
		}
	}
	return out
}

func empty(v json.RawMessage) bool {
	switch string(v) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

// NameOf is what people call an object: its name, a floating IP's address; empty if it has none.
func NameOf(r model.Resource) string {
	switch r := r.(type) {
	case *model.Host:
		return r.Name
	case *model.FloatingIP:
		return r.IP.String()
	case *model.PortForwarding:
		return r.Protocol + " " + r.External.String()
	}
	if meta := model.MetaOf(r); meta != nil {
		return meta.Name
	}
	return ""
}
