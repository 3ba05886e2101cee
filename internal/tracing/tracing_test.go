package tracing_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/internal/tracing"
	"github.com/heddle-sdn/heddle/northbound/httpd"
)

// sink is a collector that keeps the spans it gets.
type sink struct {
	refused atomic.Value // string: what could not be read
	mu      sync.Mutex
	spans   []*wire.Span
}

var ids = regexp.MustCompile(`"(traceId|spanId|parentSpanId)":"([0-9a-f]+)"`)

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	// OTLP's JSON is protobuf's, but for the ids, which are hexadecimal there.
	text = ids.ReplaceAllFunc(text, func(found []byte) []byte {
		m := ids.FindSubmatch(found)
		id, _ := hex.DecodeString(string(m[2]))
		return fmt.Appendf(nil, "%q:%q", m[1], base64.StdEncoding.EncodeToString(id))
	})
	var got wire.TracesData
	if err = errors.Join(err, protojson.Unmarshal(text, &got)); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Api-Key") != "a b" {
		s.refused.Store(fmt.Sprint(r.URL.Path, r.Header, err))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range got.ResourceSpans {
		for _, scope := range r.ScopeSpans {
			s.spans = append(s.spans, scope.Spans...)
		}
	}
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spans)
}

// tree prints the spans, each below its parent, with what tells them apart.
func (s *sink) tree(parent string, indent string) string {
	var lines []string
	for _, span := range s.spans {
		if fmt.Sprintf("%x", span.ParentSpanId) != parent {
			continue
		}
		line := indent + span.Name
		for _, a := range span.Attributes {
			switch a.Key {
			case "heddle.host":
				line += " on " + a.Value.GetStringValue()
			case "http.response.status_code":
				line += fmt.Sprint(" → ", a.Value.GetIntValue())
			}
		}
		lines = append(lines, line+"\n"+s.tree(fmt.Sprintf("%x", span.SpanId), indent+"  "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestChangesAreTracedToTheirTargets(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b")
	var got sink
	srv := httptest.NewServer(&got)
	defer srv.Close()
	tracer, err := tracing.New(srv.URL, "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	events := event.NewLog(100, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); tracer.Follow(ctx, events, 0) }()

	// Each request makes the revision that its path ends in.
	api := httpd.Requests{Log: logrus.NewEntry(log)}.Around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rev := uint64(r.URL.Path[len(r.URL.Path)-1] - '0')
		if rev == 4 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		events.Append("", event.Changed{Rev: rev, Request: httpd.ExchangeOf(r.Context()).ID})
		w.WriteHeader(http.StatusCreated)
		// The pass that the revision is for is over before the request is.
		if rev == 2 {
			events.Append("h2", event.Reconciled{Target: "br-tun", Rev: 2, Added: 3, Millis: 2})
		}
	}))
	ask := func(method, path, parent string) {
		r := httptest.NewRequest(method, path, nil)
		if parent != "" {
			r.Header.Set("traceparent", parent)
		}
		tracer.Around(api).ServeHTTP(httptest.NewRecorder(), r)
	}
	ask("POST", "/v2.0/ports/1", "")
	events.Append("h1", event.Reconciled{Target: "br-int", Rev: 1, Added: 4, Millis: 1})
	ask("PUT", "/v2.0/ports/2", "00-0123456789abcdef0123456789abcdef-00000000000000aa-01")
	ask("DELETE", "/v2.0/ports/fa163e00-0000-4000-8000-000000000003", "")
	events.Append("h1", event.Reconciled{Target: "br-int", Rev: 3, Deleted: 4, Millis: 1}) // for both
	ask("POST", "/v2.0/ports/4", "")
	ask("GET", "/v2.0/ports/5", "")
	events.Append("h1", event.Reconciled{Target: "br-int", Rev: 9}) // for nobody who asked

	want := `DELETE /v2.0/ports/{id} → 201
  reconcile br-int on h1
POST /v2.0/ports/1 → 201
  reconcile br-int on h1
  reconcile br-tun on h2
POST /v2.0/ports/4 → 500
of a caller's:
  PUT /v2.0/ports/2 → 201
    reconcile br-int on h1
    reconcile br-tun on h2
`
	for deadline := time.Now().Add(20 * time.Second); got.count() < strings.Count(want, "\n")-1 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	<-done
	if err := tracer.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if refused := got.refused.Load(); refused != nil {
		t.Errorf("not OTLP: %v", refused)
	}
	if tree := got.tree("", "") + "of a caller's:\n" + got.tree("00000000000000aa", "  "); tree != want {
		t.Errorf("spans are\n%s\nwant\n%s", tree, want)
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, endpoint := range []string{"", "127.0.0.1:4318", "ftp://collector", "http://"} {
		if _, err := tracing.New(endpoint, ""); err == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
}
