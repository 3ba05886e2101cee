package native

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is the checked query string of a request.
type query struct{ values url.Values }

// parseQuery reads the query string. A parameter that the resource does not have is refused: a filter
// with a typing error must not show everything.
func parseQuery(r *http.Request, known ...string) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query{}, badRequest("query: %v", err)
	}
	for name, v := range values {
		if !slices.Contains(known, name) {
			return query{}, badRequest("query: there is no parameter %q here, only %s", name, orNone(known))
		}
		if len(v) > 1 {
			return query{}, badRequest("query: %s is given %d times", name, len(v))
		}
	}
	return query{values}, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// text returns a parameter, empty if it is not given.
func (q query) text(name string) string { return q.values.Get(name) }

func (q query) has(name string) bool { return q.values.Has(name) }

// number returns a parameter that is a whole number from 0, or def if it is not given.
func (q query) number(name string, def uint64) (uint64, error) {
	if !q.has(name) {
		return def, nil
	}
	n, err := strconv.ParseUint(q.text(name), 10, 64)
	if err != nil {
		return 0, badRequest("query: %s is %q, which is not a whole number from 0", name, q.text(name))
	}
	return n, nil
}

// oneOf returns the values of a parameter, separated by commas, all of which must be known; nil if it
// is not given.
func (q query) oneOf(name string, known ...string) ([]string, error) {
	if !q.has(name) {
		return nil, nil
	}
	values := strings.Split(q.text(name), ",")
	for _, v := range values {
		if !slices.Contains(known, v) {
			return nil, badRequest("query: %s is %q, which is not one of %s", name, v, strings.Join(known, ", "))
		}
	}
	return values, nil
}

// page is the part of a list that is shown.
type page struct{ limit, offset int }

const noLimit = int(^uint(0) >> 1)

func (q query) page() (page, error) {
	limit, err := q.number("limit", uint64(noLimit))
	if err != nil {
		return page{}, err
	}
	offset, err := q.number("offset", 0)
	if err != nil {
		return page{}, err
	}
	return page{int(min(limit, uint64(noLimit))), int(min(offset, uint64(noLimit)))}, nil
}

// bounds returns which of n elements are shown: from start, before end.
func (p page) bounds(n int) (start, end int) {
	start = min(p.offset, n)
	return start, start + min(p.limit, n-start)
}
