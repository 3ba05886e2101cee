package neutron

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is a URL query in its order: links repeat it.
type query []param

type param struct{ key, value string }

// parseQuery never fails: what is badly escaped stands for itself, as in the reference.
func parseQuery(raw string) query {
	var q query
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		q = append(q, param{unescape(k), unescape(v)})
	}
	return q
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// all returns the values of a key that are not empty.
func (q query) all(key string) []string {
	var out []string
	for _, p := range q {
		if p.key == key && p.value != "" {
			out = append(out, p.value)
		}
	}
	return out
}

// last returns the last value of a key, or nothing.
func (q query) last(key string) string {
	for _, p := range slices.Backward(q) {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

// with returns the query without the keys of a page, and with the given parameters at its end.
func (q query) with(more ...param) query {
	out := make(query, 0, len(q)+len(more))
	for _, p := range q {
		if p.key != "marker" && p.key != "page_reverse" {
			out = append(out, p)
		}
	}
	return append(out, more...)
}

// encode writes the query for a URL.
func (q query) encode() string {
	var b strings.Builder
	for i, p := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.key))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.value))
	}
	return b.String()
}

// page says which part of a list is asked for.
type page struct {
	limit   int // 0: everything
	marker  string
	reverse bool
}

func (q query) page() (page, error) {
	p := page{marker: q.last("marker"), reverse: strings.EqualFold(q.last("page_reverse"), "true")}
	if s := q.last("limit"); s != "" {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 0 {
			return page{}, &httpError{http.StatusBadRequest, "BadRequest",
				"Bad limit request: Limit must be an integer 0 or greater and not '" + cut(s) + "'."}
		}
		p.limit = n
	}
	return p, nil
}

// sortKey is one pair of sort_key and sort_dir.
type sortKey struct {
	name string
	desc bool
}

// sorting reads the sort keys; sortable says which attributes may be sorted by.
func (q query) sorting(sortable func(name string) bool) ([]sortKey, error) {
	keys, dirs := q.all("sort_key"), q.all("sort_dir")
	if len(keys) != len(dirs) {
		return nil, badRequest("The number of sort_keys and sort_dirs must be same")
	}
	var badKeys, badDirs []string
	out := make([]sortKey, len(keys))
	for i, k := range keys {
		if !sortable(k) {
			badKeys = append(badKeys, k)
		}
		if dirs[i] != "asc" && dirs[i] != "desc" {
			badDirs = append(badDirs, dirs[i])
		}
		out[i] = sortKey{k, dirs[i] == "desc"}
	}
	if badKeys != nil {
		return nil, badRequest("%s is invalid attribute for sort_keys", reprStrings(badKeys))
	}
	if badDirs != nil {
		return nil, badRequest("%s is invalid value for sort_dirs, valid value is 'asc' and 'desc'", reprStrings(badDirs))
	}
	return out, nil
}

// notFilters are the keys of a query that do not select by attribute.
var notFilters = []string{"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"}

// filters groups the values by key, in the order of their first use. An empty value is a value: it
// selects what is empty.
func (q query) filters() []filter {
	var out []filter
	at := map[string]int{}
	for _, p := range q {
		if slices.Contains(notFilters, p.key) {
			continue
		}
		i, seen := at[p.key]
		if !seen {
			i = len(out)
			at[p.key] = i
			out = append(out, filter{name: p.key})
		}
		out[i].values = append(out[i].values, p.value)
	}
	return out
}

// filter asks for objects whose attribute has one of the values.
type filter struct {
	name   string
	values []string
}
