package cli

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/internal/cli/client"
)

// list reads a list of the API.
func (s *session) list(ctx context.Context, r *resource, query url.Values) ([]object, error) {
	var answer object
	if err := s.Get(ctx, r.path, query, &answer); err != nil {
		return nil, err
	}
	return answer.objects(r.list), nil
}

// show reads one object by its id.
func (s *session) show(ctx context.Context, r *resource, id string) (object, error) {
	var answer object
	if err := s.Get(ctx, r.itemPath(id), nil, &answer); err != nil {
		return nil, err
	}
	if r.one != "" {
		inner, _ := answer[r.one].(map[string]any)
		return inner, nil
	}
	return answer, nil
}

// everything lists the objects of a resource that fetch or the API gives for the chosen filters, named by their flags.
func (s *session) everything(ctx context.Context, r *resource, chosen url.Values) ([]object, error) {
	if r.fetch != nil {
		return r.fetch(ctx, s, chosen)
	}
	query := url.Values{}
	for _, f := range r.filters {
		if f.param != "" && chosen.Has(f.flag) {
			query.Set(f.param, chosen.Get(f.flag))
		}
	}
	if r.neutron && s.project != "" {
		query.Set("project_id", s.project)
	}
	return s.list(ctx, r, query)
}

// uuid is what ids of /v2.0 look like.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// idStart is what the beginning of one looks like: shorter ones are rather names.
var idStart = regexp.MustCompile(`^[0-9a-f]{4}[0-9a-f-]{0,31}$`)

// resolve finds the one object that a word means: its id, its name, or the beginning of its id.
func (s *session) resolve(ctx context.Context, r *resource, word string) (object, error) {
	if !r.neutron || r.fetch != nil {
		all, err := s.everything(ctx, r, url.Values{})
		if err != nil {
			return nil, err
		}
		return r.pick(all, word)
	}
	if uuid.MatchString(word) {
		o, err := s.show(ctx, r, word)
		if err == nil || !client.IsNotFound(err) {
			return o, err
		}
	}
	named, err := s.list(ctx, r, url.Values{r.label: {word}})
	if err != nil {
		return nil, err
	}
	// Other projects' objects can be meant, an external network, say; those of the project come first.
	if own := slices.DeleteFunc(slices.Clone(named), func(o object) bool { return o.text("project_id") != s.project }); s.project != "" && len(own) > 0 {
		named = own
	}
	if len(named) > 0 || !idStart.MatchString(word) {
		return r.pick(named, word)
	}
	ids, err := s.list(ctx, r, url.Values{"fields": {r.key, r.label}})
	if err != nil {
		return nil, err
	}
	o, err := r.pick(ids, word)
	if err != nil {
		return nil, err
	}
	return s.show(ctx, r, r.id(o))
}

// pick chooses the one of several objects that a word means.
func (r *resource) pick(all []object, word string) (object, error) {
	var exact, begins []object
	for _, o := range all {
		switch {
		case r.id(o) == word && uuid.MatchString(word):
			return o, nil
		case r.id(o) == word, r.labelOf(o) == word:
			exact = append(exact, o)
		case idStart.MatchString(word) && strings.HasPrefix(r.id(o), word):
			begins = append(begins, o)
		}
	}
	if exact == nil {
		exact = begins
	}
	switch len(exact) {
	case 0:
		return nil, notFoundf("there is no %s %q; heddle get %s lists what there is", r.name, word, r.plural)
	case 1:
		return exact[0], nil
	}
	ids := make([]string, len(exact))
	for i, o := range exact {
		ids[i] = r.id(o)
	}
	return nil, usagef("%d %s are called %q: %s", len(exact), r.plural, word, strings.Join(ids, ", "))
}

// resolveID is resolve for who needs the id only.
func (s *session) resolveID(ctx context.Context, r *resource, word string) (string, error) {
	o, err := s.resolve(ctx, r, word)
	if err != nil {
		return "", err
	}
	return r.id(o), nil
}

// resolveObject reads "port/web" or "port/ID" into kind and id.
func (s *session) resolveObject(ctx context.Context, word string) (kind, id string, err error) {
	noun, name, is := strings.Cut(word, "/")
	if !is {
		return "", "", usagef("object %q is not of the form KIND/NAME: port/web", word)
	}
	r, err := resourceNamed(noun)
	if err != nil {
		return "", "", err
	}
	if id, err = s.resolveID(ctx, r, name); err != nil {
		return "", "", err
	}
	return r.name, id, nil
}

// nameOf returns the name of an object by its id; the id, if it has none or is not known. All names of
// a kind are read at once, since lists need many.
func (s *session) nameOf(ctx context.Context, kind, id string) string {
	if id == "" {
		return ""
	}
	names, read := s.names[kind]
	if !read {
		names = map[string]string{}
		s.names[kind] = names
		r := mustResource(kind)
		all, err := s.list(ctx, r, url.Values{"fields": {r.key, r.label}})
		if err == nil { // else ids are shown: a table is better with them than not at all
			for _, o := range all {
				names[r.id(o)] = r.labelOf(o)
			}
		}
	}
	if name := names[id]; name != "" {
		return name
	}
	return id
}

// withState adds what /v1/objects says of each object under "state": host, reason and message of the first
// condition that does not hold. Other servers of the Networking API have no /v1, and then there is none.
func (s *session) withState(ctx context.Context, r *resource, all []object) error {
	if r.kind == "" || !r.neutron || len(all) == 0 {
		return nil
	}
	states := map[string]object{}
	if len(all) == 1 {
		var o object
		if err := s.Get(ctx, objectPath(r.kind, r.id(all[0])), nil, &o); err != nil {
			return withoutOld(err)
		}
		if c := worst(o.objects("conditions")); c != nil {
			o["reason"], o["message"] = c["reason"], c["message"]
		}
		states[r.id(all[0])] = o
	} else {
		var answer object
		if err := s.Get(ctx, "/v1/objects/"+r.kind, url.Values{"limit": {"1000000"}}, &answer); err != nil {
			return withoutOld(err)
		}
		for _, o := range answer.objects("objects") {
			states[o.text("id")] = o
		}
	}
	for _, o := range all {
		state, known := states[r.id(o)]
		if !known {
			continue
		}
		o["state"] = map[string]any{"ok": state["ok"], "host": state["host"], "reason": state["reason"], "message": state["message"]}
	}
	return nil
}

func objectPath(kind, id string) string { return "/v1/objects/" + kind + "/" + url.PathEscape(id) }

// withoutOld takes a missing path for a server that does not have it.
func withoutOld(err error) error {
	if client.IsNotFound(err) {
		return nil
	}
	return err
}
