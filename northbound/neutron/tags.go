package neutron

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

const (
	maxTag  = 255 // characters
	maxTags = 50  // of one object
)

// serveTags adds the routes of the tags of a resource's objects.
func (c collection[T, C, U]) serveTags(path string) {
	c.srv.handle("GET", path, c.listTags)
	c.srv.handle("PUT", path, c.replaceTags)
	c.srv.handle("POST", path, c.addTags)
	c.srv.handle("DELETE", path, c.changeTags(http.StatusNoContent, func(*http.Request, []string) ([]string, error) {
		return nil, nil
	}))
	one := path + "/{tag}"
	c.srv.handle("GET", one, c.confirmTag)
	c.srv.handle("PUT", one, c.changeTags(http.StatusCreated, func(r *http.Request, tags []string) ([]string, error) {
		return union(tags, []string{pathVar(r, "tag")}), nil
	}))
	c.srv.handle("DELETE", one, c.changeTags(http.StatusNoContent, func(r *http.Request, tags []string) ([]string, error) {
		i := slices.Index(tags, pathVar(r, "tag"))
		if i < 0 {
			return nil, tagNotFound(pathVar(r, "tag"))
		}
		return slices.Delete(slices.Clone(tags), i, i+1), nil
	}))
}

func tagNotFound(tag string) error {
	return model.Errorf(model.NotFound, "TagNotFound", "Tag %s could not be found.", cut(tag))
}

// union returns tags and those of more that are not among them.
func union(tags, more []string) []string {
	out := slices.Clone(tags)
	for _, t := range more {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

func (c collection[T, C, U]) tagsOf(r *http.Request) ([]string, error) {
	t, err := c.look(c.srv.view(r, c.srv.Store.Snapshot()), pathID(r))
	if err != nil {
		return nil, err
	}
	return c.meta(t).Tags, nil
}

func (c collection[T, C, U]) listTags(w http.ResponseWriter, r *http.Request) error {
	tags, err := c.tagsOf(r)
	if err != nil {
		return err
	}
	return writeTags(w, http.StatusOK, tags)
}

func writeTags(w http.ResponseWriter, code int, tags []string) error {
	b := appendStrings([]byte(`{"tags":`), tags)
	writeJSON(w, code, append(b, '}'))
	return nil
}

func (c collection[T, C, U]) confirmTag(w http.ResponseWriter, r *http.Request) error {
	tags, err := c.tagsOf(r)
	if err != nil {
		return err
	}
	if !slices.Contains(tags, pathVar(r, "tag")) {
		return tagNotFound(pathVar(r, "tag"))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readTags reads {"tags": […]}.
func readTags(r *http.Request) ([]string, error) {
	doc, err := readJSON(r)
	if err != nil {
		return nil, err
	}
	list, ok := doc["tags"]
	if !ok {
		return nil, invalidInput("Invalid tags body")
	}
	tags, err := toTexts(maxTag)(list)
	if why, ok := err.(reason); ok {
		err = invalidInput("%s", string(why))
	}
	return tags, err
}

func (c collection[T, C, U]) replaceTags(w http.ResponseWriter, r *http.Request) error {
	tags, err := readTags(r)
	if err != nil {
		return err
	}
	if tags, err = c.retagged(r, func([]string) ([]string, error) { return tags, nil }); err != nil {
		return err
	}
	return writeTags(w, http.StatusOK, tags)
}

func (c collection[T, C, U]) addTags(w http.ResponseWriter, r *http.Request) error {
	more, err := readTags(r)
	if err != nil {
		return err
	}
	tags, err := c.retagged(r, func(tags []string) ([]string, error) { return union(tags, more), nil })
	if err != nil {
		return err
	}
	return writeTags(w, http.StatusCreated, tags)
}

// changeTags makes the handler of a change that needs no body; the answer has none either, but the
// word null where the code asks for a body, as in the reference.
func (c collection[T, C, U]) changeTags(code int, change func(*http.Request, []string) ([]string, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, err := c.retagged(r, func(tags []string) ([]string, error) { return change(r, tags) })
		switch {
		case err != nil:
			return err
		case code == http.StatusNoContent:
			w.WriteHeader(code)
		default:
			writeJSON(w, code, []byte("null"))
		}
		return nil
	}
}

// retagged changes the tags of the object that a request names and returns the new ones.
func (c collection[T, C, U]) retagged(r *http.Request, change func(tags []string) ([]string, error)) ([]string, error) {
	var after []string
	_, err := c.srv.Store.Update(r.Context(), func(tx *store.Tx) error {
		t, err := c.lookToWrite(c.srv.view(r, tx.Model()), pathID(r), "update")
		if err != nil {
			return err
		}
		if after, err = change(c.meta(t).Tags); err != nil {
			return err
		}
		if err := checkTags(c.name, after); err != nil {
			return err
		}
		_, err = c.update(tx, c.meta(t).ID, c.retag(after))
		return err
	})
	return after, err
}

func checkTags(resource string, tags []string) error {
	if len(tags) > maxTags {
		return model.Errorf(model.Invalid, "BadRequest",
			"Bad %s request: The number of tags exceed the per-resource limit of %d.", resource, maxTags)
	}
	for _, t := range tags {
		if _, err := toText(maxTag)(t); err != nil {
			return invalidInput("%s", err.Error())
		}
	}
	return nil
}

// toTags reads the tags of an object to create.
func toTags(v any) ([]string, error) {
	tags, err := toTexts(maxTag)(v)
	if err == nil && len(tags) > maxTags {
		err = reason("'" + strconv.Itoa(len(tags)) + "' tags exceed the per-resource limit of " + strconv.Itoa(maxTags))
	}
	return tags, err
}

// pickTags makes a filter by tags; each value is a list with commas. It selects the objects that have
// all of the tags, or with all unset any of them; with not it selects the others.
func pickTags[T any](meta func(T) *model.Meta, all, not bool) func([]string) (pick[T], error) {
	return func(values []string) (pick[T], error) {
		var asked []string
		for _, v := range values {
			for tag := range strings.SplitSeq(v, ",") {
				if tag != "" {
					asked = append(asked, tag)
				}
			}
		}
		return func(_ *view, t T) bool {
			if len(asked) == 0 {
				return true
			}
			have := 0
			for _, tag := range asked {
				if slices.Contains(meta(t).Tags, tag) {
					have++
				}
			}
			found := have > 0
			if all {
				found = have == len(asked)
			}
			return found != not
		}, nil
	}
}

// jsonTags renders an object's tags.
func jsonTags[T any](meta func(T) *model.Meta) func([]byte, *view, T) []byte {
	return func(dst []byte, _ *view, t T) []byte { return appendStrings(dst, meta(t).Tags) }
}
