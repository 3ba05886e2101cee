package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Header asks for a plan, as ?plan=true does.
const Header = "X-Heddle-Plan"

const parameter = "plan"

type draftKey struct{}

// Drafts is a store in which a request that asked for a plan changes nothing but its own draft: the one
// place where a request that is tried out differs from one that is done.
type Drafts struct{ Store }

// Update runs fn in the draft of the context, or else in the store.
func (s Drafts) Update(ctx context.Context, fn func(*store.Tx) error) (*model.Model, error) {
	if d, ok := ctx.Value(draftKey{}).(*store.Draft); ok {
		return d.Update(ctx, fn)
	}
	return s.Store.Update(ctx, fn)
}

// Refuse answers a request that cannot be planned, in the form of the API that it was sent to.
type Refuse func(w http.ResponseWriter, code int, reason, message string)

// Around returns the middleware that tries requests out that ask for it, and hands on the others. What it
// is put around must know who sent a request, and write only to the store of [Drafts].
func (p *Plans) Around(refuse Refuse) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked, r, ok := wanted(r)
			switch {
			case !ok:
				refuse(w, http.StatusBadRequest, "BadRequest", `plan: "true" asks for a plan, "false" for none; it is neither`)
			case !asked || safe(r.Method):
				next.ServeHTTP(w, r)
			case strings.HasPrefix(r.URL.Path, "/v1/plans"):
				refuse(w, http.StatusBadRequest, "BadRequest", "plans are not planned: GET shows one, POST …/apply does what it shows")
			default:
				p.try(w, r, next, refuse)
			}
		})
	}
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// wanted reports whether a request asks for a plan, and returns it without the question; ok is false if
// it cannot be told.
func wanted(r *http.Request) (asked bool, without *http.Request, ok bool) {
	values := slices.Clone(r.Header.Values(Header))
	query := strings.Split(r.URL.RawQuery, "&")
	rest := slices.DeleteFunc(slices.Clone(query), func(pair string) bool {
		name, value, _ := strings.Cut(pair, "=")
		if name != parameter {
			return false
		}
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		values = append(values, value)
		return true
	})
	for _, v := range values {
		switch strings.ToLower(v) {
		case "true", "1":
			asked = true
		case "false", "0":
		default:
			return false, r, false
		}
	}
	if len(rest) == len(query) {
		return asked, r, true
	}
	out, u := *r, *r.URL
	u.RawQuery = strings.Join(rest, "&")
	out.URL = &u
	return asked, &out, true
}

// try runs a request on a draft and answers with what that changed.
func (p *Plans) try(w http.ResponseWriter, r *http.Request, next http.Handler, refuse Refuse) {
	draft := store.NewDraft(p.cfg.Store.Snapshot(), p.cfg.Now)
	answer := recorder{header: w.Header().Clone()}
	next.ServeHTTP(&answer, r.WithContext(context.WithValue(r.Context(), draftKey{}, draft)))
	if answer.status() >= http.StatusMultipleChoices {
		answer.send(w)
		return
	}
	who, x := identity.From(r.Context()), httpd.ExchangeOf(r.Context())
	made := &plan{
		request: Request{Method: r.Method, Path: r.URL.RequestURI(), User: who.User, ID: x.ID}, maker: who, created: p.cfg.Now().UTC(),
		before: draft.Base(), after: draft.Snapshot(), change: draft.Changed(), status: answer.status(), result: answer.document(),
	}
	if len(made.change.Edits) == 0 {
		made.after = made.before
	}
	made.fabric = p.preview(made.before, made.after)
	p.keep(made)
	body, err := encode(map[string]any{"plan": p.view(who, made)})
	if err != nil {
		x.Err = err
		refuse(w, http.StatusInternalServerError, "Internal", "the plan cannot be written; the log has more under this request's id")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that has gone away needs no answer
}

// encode writes JSON with flows as they are, ">" and all.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

// Header returns the header of the answer.
func (a *recorder) Header() http.Header { return a.header }

// WriteHeader notes the status code.
func (a *recorder) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
}

// Write keeps part of the body.
func (a *recorder) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *recorder) status() int {
	if a.code == 0 {
		return http.StatusOK
	}
	return a.code
}

// document is the body as JSON, null if there is none.
func (a *recorder) document() json.RawMessage {
	if b := bytes.TrimSpace(a.body.Bytes()); json.Valid(b) {
		return json.RawMessage(b)
	}
	return json.RawMessage("null")
}

// send answers with what was kept.
func (a *recorder) send(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status())
	_, _ = w.Write(a.body.Bytes()) // a client that has gone away needs no answer
}
