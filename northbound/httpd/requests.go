package httpd

import (
	"context"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/sirupsen/logrus"
)

// RequestIDHeader carries the id of a request in its answer; a client may send an id of its own in it,
// which is logged beside ours.
const RequestIDHeader = "X-Openstack-Request-Id"

var clientID = regexp.MustCompile(`^req-[0-9A-Za-z-]{1,64}$`)

// Requests is what every request to a northbound goes through.
type Requests struct {
	Log *logrus.Entry
	// MaxBody is the longest request body in bytes; 0 is no limit.
	MaxBody int64
	// Observe is told of every request but streams: its route ("/v1/hosts/{name}", empty if there is none),
	// method, status code and how long it took. It may be nil.
	Observe func(route, method string, code int, took time.Duration)
	// Panicked answers a request whose handler panicked before it sent anything; default 500 with an
	// empty body.
	Panicked func(w http.ResponseWriter)
}

// Exchange is one request and its answer, as log and metrics see it. It is also the ResponseWriter.
type Exchange struct {
	http.ResponseWriter
	ID    string // ours, "req-…"
	Route string // set by the handler that knows
	User  string // likewise
	Err   error  // why the answer is a failure of ours; for the log only
	// Stream says that the answer lasts as long as the client likes: its duration tells nothing, and
	// Observe is not told of it.
	Stream bool

	client string // id that the client sent
	code   int    // 0: nothing sent yet
}

// WriteHeader notes the status code.
func (x *Exchange) WriteHeader(code int) {
	if x.code == 0 {
		x.code = code
	}
	x.ResponseWriter.WriteHeader(code)
}

// Write sends part of the body.
func (x *Exchange) Write(b []byte) (int, error) {
	if x.code == 0 {
		x.code = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the connection.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

type exchangeKey struct{}

// ExchangeOf returns the exchange that a request belongs to. Outside of [Requests.Around] it is an
// empty one that nobody looks at.
func ExchangeOf(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{}
}

// Around gives each request an id, keeps its body short, turns a panic into an answer, tells Observe,
// and writes the access log.
func (q Requests) Around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		x := &Exchange{ResponseWriter: w, ID: "req-" + uuid.NewString()}
		if id := r.Header.Get(RequestIDHeader); clientID.MatchString(id) {
			x.client = id
		}
		x.Header().Set(RequestIDHeader, x.ID)
		if q.MaxBody > 0 {
			r.Body = http.MaxBytesReader(x, r.Body, q.MaxBody)
		}
		defer func() { q.finish(x, r, time.Since(start)) }()
		defer func() {
			if cause := recover(); cause != nil {
				q.recovered(x, cause)
			}
		}()
		next.ServeHTTP(x, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
	})
}

// recovered answers for a handler that panicked. If part of an answer is on its way already the
// connection is cut, so that the client cannot take it for whole.
func (q Requests) recovered(x *Exchange, cause any) {
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	q.Log.WithFields(logrus.Fields{"request": x.ID, "stack": string(debug.Stack())}).Errorf("request panicked: %v", cause)
	if x.code != 0 {
		panic(http.ErrAbortHandler)
	}
	if q.Panicked != nil {
		q.Panicked(x)
		return
	}
	x.WriteHeader(http.StatusInternalServerError)
}

// finish tells the metrics and writes one line: changes at info, reads at debug, our own failures as
// errors.
func (q Requests) finish(x *Exchange, r *http.Request, took time.Duration) {
	if x.code == 0 {
		x.code = http.StatusOK // what net/http sends for a handler that sent nothing
	}
	if q.Observe != nil && !x.Stream {
		q.Observe(x.Route, r.Method, x.code, took)
	}
	level := logrus.DebugLevel
	switch {
	case x.code >= http.StatusInternalServerError:
		level = logrus.ErrorLevel
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		level = logrus.InfoLevel
	}
	if !q.Log.Logger.IsLevelEnabled(level) {
		return
	}
	f := logrus.Fields{"request": x.ID, "method": r.Method, "path": r.URL.Path, "code": x.code, "took": took.String()}
	if x.User != "" {
		f["user"] = x.User
	}
	if x.client != "" {
		f["global_request"] = x.client
	}
	if x.Err != nil {
		f[logrus.ErrorKey] = x.Err
	}
	q.Log.WithFields(f).Log(level, "api request")
}
