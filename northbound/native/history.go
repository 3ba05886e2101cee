package native

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// pastView is a change of the past.
type pastView struct {
	Rev      uint64          `json:"rev"`
	Time     time.Time       `json:"time"`
	Request  string          `json:"request,omitempty"`
	User     string          `json:"user,omitempty"`
	Changes  []change.Object `json:"changes"`
	Followed []followedView  `json:"followed"`
}

// followedView is a pass that brought a target to a revision.
type followedView struct {
	Host    string    `json:"host"`
	Target  string    `json:"target"`
	Added   int       `json:"added"`
	Updated int       `json:"updated"`
	Deleted int       `json:"deleted"`
	Millis  int64     `json:"ms"`
	Time    time.Time `json:"time"`
}

// pastFilter is what of the past is shown.
type pastFilter struct {
	object, user, request string
	since, before         uint64 // revisions, both exclusive
	limit                 int
}

const defaultHistory = 100 // changes that are shown unless a limit is given

func readPastFilter(r *http.Request) (f pastFilter, err error) {
	q, err := parseQuery(r, "object", "user", "request", "since", "before", "limit")
	if err != nil {
		return f, err
	}
	f.object, f.user, f.request = q.text("object"), q.text("user"), q.text("request")
	if kind, key, ok := strings.Cut(f.object, "/"); f.object != "" && (!ok || kind == "" || key == "") {
		return f, badRequest("query: object is %q, which is not KIND/ID, such as port/b1…", f.object)
	}
	if f.since, err = q.number("since", 0); err != nil {
		return f, err
	}
	if f.before, err = q.number("before", ^uint64(0)); err != nil {
		return f, err
	}
	limit, err := q.number("limit", defaultHistory)
	f.limit = int(min(limit, uint64(noLimit)))
	return f, err
}

// wants reports whether a change is among those that are asked for, as far as can be told of it by itself.
func (f pastFilter) wants(t store.Touched) bool {
	return t.Rev < f.before && (f.user == "" || f.user == t.Cause.User) && (f.request == "" || f.request == t.Cause.Request) &&
		(f.object == "" || slices.ContainsFunc(t.Resources, func(r store.Ref) bool { return change.About(r) == f.object }))
}

// showHistory tells who changed what, newest first, and what followed on which switch. A project sees what
// changed of its own, and nothing of hosts.
func (s *server) showHistory(w http.ResponseWriter, r *http.Request) error {
	f, err := readPastFilter(r)
	if err != nil {
		return err
	}
	who := identity.From(r.Context())
	var passes []pass
	if who.Admin {
		passes = s.passes()
	}
	changes := []pastView{}
	first, err := s.History.History(f.wants, func(p store.Past) bool {
		if p.Rev <= f.since || len(changes) >= f.limit || r.Context().Err() != nil {
			return false
		}
		v := pastView{Rev: p.Rev, Time: p.Time, Request: p.Cause.Request, User: p.Cause.User,
			Changes: change.Describe(who, p.Before, p.After, p.Edits, s.attributes), Followed: followed(passes, p.Rev)}
		if len(v.Changes) > 0 {
			changes = append(changes, v)
		}
		return true
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"changes": changes, "first": first, "last": s.Store.Snapshot().Rev})
}

// attributes shows objects of both APIs.
func (s *server) attributes(who identity.Identity, m *model.Model, r model.Resource) ([]change.Attribute, bool) {
	if out, ok := HostAttributes(who, m, r); ok {
		return out, true
	}
	if s.Attributes == nil {
		return nil, false
	}
	return s.Attributes(who, m, r)
}

// pass is a pass of a loop that changed its target.
type pass struct {
	followedView
	from, to uint64 // revisions that the target held before and after
}

// passes are those that are still in the log.
func (s *server) passes() []pass {
	events, _, _ := s.Events.Since(0)
	var out []pass
	for _, e := range events {
		if p, ok := e.Body.(event.Reconciled); ok && p.From > 0 {
			out = append(out, pass{followedView{e.Host, p.Target, p.Added, p.Updated, p.Deleted, p.Millis, e.Time}, p.From, p.Rev})
		}
	}
	return out
}

// followed are the passes that brought a revision to targets. One pass may bring several.
func followed(passes []pass, rev uint64) []followedView {
	out := []followedView{}
	for _, p := range passes {
		if p.from < rev && rev <= p.to {
			out = append(out, p.followedView)
		}
	}
	return out
}
