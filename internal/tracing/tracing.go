// Package tracing tells an OpenTelemetry collector what became of requests: a span for each change that
// was asked for over REST, and below it one for each bridge, database or gateway host that was changed
// for it. It looks at requests and at the event log from outside; nothing else knows that it exists.
package tracing

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/northbound/httpd"
)

// Tracer makes spans and sends them. Its methods may be called from any goroutine.
type Tracer struct {
	provider *trace.TracerProvider
	tracer   oteltrace.Tracer

	mu       sync.Mutex
	requests map[string]oteltrace.SpanContext // of changes that were asked for, by request id
	recent   []string                         // keys of requests, oldest first
}

// kept is how many requests can still get spans of what followed.
const kept = 1024

// New returns a tracer that sends to a collector's OTLP/HTTP address ("http://127.0.0.1:4318"). What the
// collector needs beside, such as headers, is taken from the environment as OpenTelemetry has it
// (OTEL_EXPORTER_OTLP_HEADERS). Spans that cannot be sent are dropped: nothing waits for the collector.
func New(endpoint, version string) (*Tracer, error) {
	exporter, err := newExporter(endpoint, headersOfEnvironment())
	if err != nil {
		return nil, err
	}
	p := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "heddle"), attribute.String("service.version", version))))
	return &Tracer{provider: p, tracer: p.Tracer("github.com/heddle-sdn/heddle"), requests: map[string]oteltrace.SpanContext{}}, nil
}

// Close sends what is left, for as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// Around makes a span for each request that may change something. A caller's trace context goes on in it
// (W3C Trace Context, traceparent).
func (t *Tracer) Around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasPrefix(r.URL.Path, "/node/") {
			next.ServeHTTP(w, r)
			return
		}
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, r.Method+" "+uuid.ReplaceAllString(r.URL.Path, "{id}"), oteltrace.WithSpanKind(oteltrace.SpanKindServer),
			oteltrace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path)))
		defer span.End()
		answer := &answer{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(answer, r.WithContext(ctx))
		id := w.Header().Get(httpd.RequestIDHeader)
		span.SetAttributes(attribute.Int("http.response.status_code", answer.code), attribute.String("heddle.request", id))
		if answer.code >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(answer.code))
		}
		t.remember(id, span.SpanContext())
	})
}

// answer notes the status code.
type answer struct {
	http.ResponseWriter
	code int
}

// WriteHeader notes the status code.
func (a *answer) WriteHeader(code int) {
	a.code = code
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController find the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (t *Tracer) remember(request string, span oteltrace.SpanContext) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests[request] = span
	t.recent = append(t.recent, request)
	if len(t.recent) > kept {
		delete(t.requests, t.recent[0])
		t.recent = t.recent[1:]
	}
}

func (t *Tracer) request(id string) (oteltrace.SpanContext, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	span, ok := t.requests[id]
	return span, ok
}

// Events is the log that Follow reads; [event.Log] is one.
type Events interface {
	Since(id uint64) (evs []event.Event, gap bool, more <-chan struct{})
}

// patience is how long a pass waits for the request that caused it: the log tells of both, in any order,
// and a request is known by its id once it was answered.
const patience = time.Second

// Follow makes a span for each pass that changed something for a request and was logged after an event,
// until ctx ends.
func (t *Tracer) Follow(ctx context.Context, log Events, last uint64) {
	f := follower{t: t, served: map[string]uint64{}}
	tick := time.NewTicker(patience / 4)
	defer tick.Stop()
	for {
		events, _, more := log.Since(last)
		for _, e := range events {
			last = e.ID
			f.note(e)
		}
		f.settle(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-more:
		case <-tick.C:
		}
	}
}

// follower puts passes below requests. A pass serves every request since the one before it on its target,
// as far back as hosts are behind when nothing is wrong: passes that changed nothing are not told of.
type follower struct {
	t       *Tracer
	changes []change          // made by requests, by ascending revision
	served  map[string]uint64 // the revision of the last pass, by target
	passes  []event.Event     // event.Reconciled, oldest first, that have no span yet
}

type change struct {
	rev     uint64
	at      time.Time
	request string
}

func (f *follower) note(e event.Event) {
	switch b := e.Body.(type) {
	case event.Changed:
		if b.Request == "" {
			return
		}
		if f.changes = append(f.changes, change{b.Rev, e.Time, b.Request}); len(f.changes) > kept {
			f.changes = f.changes[1:]
		}
	case event.Reconciled:
		f.passes = append(f.passes, e)
	}
}

// settle makes the spans of passes whose requests were answered. What stays unknown until patience ends
// was asked for by nobody.
func (f *follower) settle(now time.Time) {
	var waiting []event.Event
	for i, e := range f.passes {
		pass := e.Body.(event.Reconciled)
		target := e.Host + "/" + pass.Target
		parents, all := f.parents(f.served[target], pass.Rev, e.Time.Add(-time.Duration(pass.Millis)*time.Millisecond-patience))
		if !all && now.Sub(e.Time) < patience {
			waiting = f.passes[i:] // in order: the revision of one is where the next begins
			break
		}
		for _, p := range parents {
			f.t.pass(p, e, pass)
		}
		f.served[target] = max(f.served[target], pass.Rev)
	}
	f.passes = append([]event.Event(nil), waiting...)
}

// parents are the spans of requests that made a revision after one and up to another, not before a moment;
// all is false if there may be more to come.
func (f *follower) parents(after, upTo uint64, since time.Time) (spans []oteltrace.SpanContext, all bool) {
	all = len(f.changes) > 0 && f.changes[len(f.changes)-1].rev >= upTo
	for _, c := range f.changes {
		if c.rev <= after || c.rev > upTo || c.at.Before(since) {
			continue
		}
		span, known := f.t.request(c.request)
		if !known {
			all = false
			continue
		}
		spans = append(spans, span)
	}
	return spans, all
}

func (t *Tracer) pass(parent oteltrace.SpanContext, e event.Event, b event.Reconciled) {
	_, span := t.tracer.Start(oteltrace.ContextWithSpanContext(context.Background(), parent), "reconcile "+b.Target,
		oteltrace.WithTimestamp(e.Time.Add(-time.Duration(b.Millis)*time.Millisecond)), oteltrace.WithAttributes(
			attribute.String("heddle.host", e.Host), attribute.String("heddle.target", b.Target), attribute.Int64("heddle.rev", int64(b.Rev)),
			attribute.Int("heddle.added", b.Added), attribute.Int("heddle.updated", b.Updated), attribute.Int("heddle.deleted", b.Deleted)))
	span.End(oteltrace.WithTimestamp(e.Time))
}
