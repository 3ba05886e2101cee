package neutron

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
)

// handler answers a request, or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// exchange is one request and its answer, as the log shows it.
type exchange struct {
	http.ResponseWriter
	id     string // ours: X-Openstack-Request-Id of the answer
	global string // the client's, if it sent one
	user   string
	route  string
	code   int // 0: nothing sent yet
	err    error
}

// WriteHeader notes the status code.
func (x *exchange) WriteHeader(code int) {
	if x.code == 0 {
		x.code = code
	}
	x.ResponseWriter.WriteHeader(code)
}

// Write sends part of the body.
func (x *exchange) Write(b []byte) (int, error) {
	if x.code == 0 {
		x.code = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

const requestIDHeader = "X-Openstack-Request-Id"

var requestID = regexp.MustCompile(`^req-[0-9A-Za-z-]{1,64}$`)

type exchangeKey struct{}

// exchange gives each request an id, keeps its body short, turns a panic into an answer, and writes
// the access log.
func (s *server) exchange(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		x := &exchange{ResponseWriter: w, id: "req-" + uuid.NewString()}
		if id := r.Header.Get(requestIDHeader); requestID.MatchString(id) {
			x.global = id
		}
		x.Header().Set(requestIDHeader, x.id)
		r.Body = http.MaxBytesReader(x, r.Body, s.MaxBody)
		if p := r.URL.EscapedPath(); len(p) > 1 && strings.HasSuffix(p, "/") {
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
			r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
		}
		defer func() {
			if cause := recover(); cause != nil {
				s.recovered(x, cause)
			}
			s.Observe(x.route, r.Method, x.code, time.Since(start))
			s.logAccess(x, r, time.Since(start))
		}()
		next.ServeHTTP(x, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
	})
}

// recovered answers 500 for a handler that panicked. If part of an answer is on its way already the
// connection is cut, so that the client cannot take it for whole.
func (s *server) recovered(x *exchange, cause any) {
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	s.Log.WithFields(logrus.Fields{"request": x.id, "stack": string(debug.Stack())}).Errorf("request panicked: %v", cause)
	if x.code != 0 {
		panic(http.ErrAbortHandler)
	}
	_, body, _ := describe(errInternal)
	writeError(x, http.StatusInternalServerError, body)
}

// endpoint makes a handler of a route: it attributes changes to the request and answers errors.
func (s *server) endpoint(route string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, ok := r.Context().Value(exchangeKey{}).(*exchange)
		if !ok {
			panic("neutron: request did not come through exchange")
		}
		x.route, x.user = route, identity.From(r.Context()).User
		ctx := store.WithCause(r.Context(), store.Cause{Request: x.id, User: x.user})
		err := h(w, r.WithContext(ctx))
		if err == nil {
			return
		}
		code, body, internal := describe(err)
		if internal {
			x.err = err
		}
		writeError(w, code, body)
	})
}

// logAccess writes one line for a request: changes at info, reads at debug, our own failures as errors.
func (s *server) logAccess(x *exchange, r *http.Request, took time.Duration) {
	level := logrus.DebugLevel
	switch {
	case x.code >= 500:
		level = logrus.ErrorLevel
	case r.Method != http.MethodGet:
		level = logrus.InfoLevel
	}
	if !s.Log.Logger.IsLevelEnabled(level) {
		return
	}
	f := logrus.Fields{"request": x.id, "method": r.Method, "path": r.URL.Path, "code": x.code, "took": fmt.Sprint(took)}
	if x.user != "" {
		f["user"] = x.user
	}
	if x.global != "" {
		f["global_request"] = x.global
	}
	if x.err != nil {
		f[logrus.ErrorKey] = x.err
	}
	s.Log.WithFields(f).Log(level, "api request")
}
