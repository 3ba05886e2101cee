// Package nodeapi serves /node/v1 to the agents of gateway hosts:
//
//	GET /node/v1/{host}/spec?after=REV&wait=SECONDS   what the host should be, as soon as it is not REV
//	PUT /node/v1/{host}/status                        how far it is
//	PUT /node/v1/{host}/leases                        what its DHCP servers have given out
//
// The spec is whole each time, so that an agent that missed some needs nothing else, and so that a
// person can read it with curl.
package nodeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"
	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/identity"
)

// RoleAgent is the role of an agent's token. The token's user is the name of the host, and it is good
// for that host only; an administrator's is good for all.
const RoleAgent = "agent"

// Limits of requests.
const (
	defaultWait = 30 * time.Second
	maxWait     = 5 * time.Minute
	maxBody     = 32 << 20 // bytes of a status
)

// ErrUnknownHost says that there is no such host, or that it is no gateway.
var ErrUnknownHost = errors.New("no such gateway host")

// Specs is where the specs of hosts come from.
type Specs interface {
	// Spec returns what a host should be now, and a channel that is closed once that may have changed.
	// An error is that it is not known; ErrUnknownHost, possibly wrapped, that there is nothing to know.
	// The channel is valid also with an error. The spec is not written afterwards.
	Spec(host string) (spec.Node, <-chan struct{}, error)
}

// Reports is where the status of hosts goes.
type Reports interface {
	// Report notes how far a host is. ErrUnknownHost, possibly wrapped, refuses it.
	Report(host string, s spec.NodeStatus) error
	// Leases notes which leases the DHCP servers of a host have given out: all of them. ErrUnknownHost,
	// possibly wrapped, refuses it.
	Leases(host string, leases []spec.Lease) error
}

// Config is what the API works with.
type Config struct {
	Specs   Specs
	Reports Reports
	Auth    identity.Authenticator
	Log     *logrus.Entry
}

// New returns the handler of everything under /node.
func New(c Config) http.Handler {
	a := api{c}
	r := mux.NewRouter()
	r.HandleFunc("/node/v1/{host}/spec", a.spec).Methods(http.MethodGet)
	r.HandleFunc("/node/v1/{host}/status", a.status).Methods(http.MethodPut)
	r.HandleFunc("/node/v1/{host}/leases", a.leases).Methods(http.MethodPut)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "NotFound", "there is nothing at "+r.URL.Path)
	})
	r.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed", r.Method+" is not allowed at "+r.URL.Path)
	})
	return r
}

type api struct{ Config }

// host returns the host that the request is about, if the sender may ask; otherwise it answers.
func (a api) host(w http.ResponseWriter, r *http.Request) (string, bool) {
	id, err := a.Auth.Authenticate(r)
	if err != nil {
		fail(w, http.StatusUnauthorized, "Unauthorized", err.Error())
		return "", false
	}
	host := mux.Vars(r)["host"]
	if !id.Admin && !(id.Has(RoleAgent) && id.User == host) {
		fail(w, http.StatusForbidden, "Forbidden", fmt.Sprintf("only the token of agent %s, or an administrator's, is good for this", host))
		return "", false
	}
	return host, true
}

func (a api) spec(w http.ResponseWriter, r *http.Request) {
	host, ok := a.host(w, r)
	if !ok {
		return
	}
	after, wait, err := pollOf(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	n, err := a.await(r.Context(), host, after, wait)
	switch {
	case r.Context().Err() != nil: // nobody is there to answer
	case errors.Is(err, ErrUnknownHost):
		fail(w, http.StatusNotFound, "NotFound", err.Error())
	case err != nil:
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "Unavailable", err.Error())
	case n.Rev == after:
		w.WriteHeader(http.StatusNoContent)
	default:
		answer(w, http.StatusOK, n)
	}
}

// pollOf reads what a request waits for, and for how long.
func pollOf(r *http.Request) (after uint64, wait time.Duration, err error) {
	q := r.URL.Query()
	if s := q.Get("after"); s != "" {
		if after, err = strconv.ParseUint(s, 10, 64); err != nil {
			return 0, 0, fmt.Errorf("after=%q is not a revision", s)
		}
	}
	wait = defaultWait
	if s := q.Get("wait"); s != "" {
		seconds, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return 0, 0, fmt.Errorf("wait=%q is not a number of seconds", s)
		}
		wait = min(time.Duration(seconds)*time.Second, maxWait)
	}
	return after, wait, nil
}

// await returns the host's spec once it has another revision than after, or what there is when the time
// is over. Any other revision will do: a store that was restored from a snapshot counts from there.
func (a api) await(ctx context.Context, host string, after uint64, wait time.Duration) (spec.Node, error) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		n, changed, err := a.Specs.Spec(host)
		if err == nil && n.Rev != after || errors.Is(err, ErrUnknownHost) {
			return n, err
		}
		select {
		case <-changed:
		case <-limit.C:
			return n, err
		case <-ctx.Done():
			return n, ctx.Err()
		case <-httpd.Draining(ctx):
			return n, err
		}
	}
}

func (a api) status(w http.ResponseWriter, r *http.Request) {
	take(a, w, r, "status", a.Reports.Report)
}

func (a api) leases(w http.ResponseWriter, r *http.Request) {
	take(a, w, r, "leases", func(host string, body struct{ Leases []spec.Lease }) error {
		return a.Reports.Leases(host, body.Leases)
	})
}

// take reads what an agent tells, and notes it.
func take[T any](a api, w http.ResponseWriter, r *http.Request, what string, note func(host string, told T) error) {
	host, ok := a.host(w, r)
	if !ok {
		return
	}
	var told T
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	err := d.Decode(&told)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else {
			err = errors.New("there is something after the " + what)
		}
	}
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		fail(w, http.StatusRequestEntityTooLarge, "TooLarge", fmt.Sprintf("the body is longer than %d bytes", maxBody))
		return
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "BadRequest", what+" cannot be read: "+err.Error())
		return
	}
	switch err := note(host, told); {
	case errors.Is(err, ErrUnknownHost):
		fail(w, http.StatusNotFound, "NotFound", err.Error())
	case err != nil:
		a.Log.WithError(err).WithField("host", host).Error(what + " of an agent is lost")
		fail(w, http.StatusInternalServerError, "Internal", "internal error; the log has more")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// apiError is the body of every failure, under "error", as in /v1.
type apiError struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
	Msg    string `json:"message"`
}

func fail(w http.ResponseWriter, code int, reason, msg string) {
	answer(w, code, map[string]apiError{"error": {code, reason, msg}})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	_ = e.Encode(body) // a client that has gone away needs no answer
}
