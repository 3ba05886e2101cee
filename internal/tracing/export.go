package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
)

// exporter sends spans to a collector as JSON over HTTP (OpenTelemetry Protocol 1.3, "OTLP/HTTP", "JSON
// Protobuf Encoding"). OpenTelemetry's own exporter brings gRPC along, which is 5 MB of memory in every
// server and agent, whether they trace or not.
type exporter struct {
	url     string
	headers map[string]string
	client  *http.Client
}

// newExporter returns an exporter to a collector's address, with headers as OTEL_EXPORTER_OTLP_HEADERS has
// them: "api-key=key,other=value", URL-encoded.
func newExporter(endpoint, headers string) (*exporter, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL such as http://127.0.0.1:4318", endpoint)
	}
	e := &exporter{url: u.JoinPath("v1/traces").String(), headers: map[string]string{}, client: &http.Client{}}
	for pair := range strings.SplitSeq(headers, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if value, err = url.QueryUnescape(strings.TrimSpace(value)); !ok || err != nil {
			return nil, fmt.Errorf("%s: %q is not NAME=VALUE", headersVariable, name)
		}
		e.headers[strings.TrimSpace(name)] = value
	}
	return e, nil
}

const headersVariable = "OTEL_EXPORTER_OTLP_HEADERS"

func headersOfEnvironment() string { return os.Getenv(headersVariable) }

// ExportSpans sends spans. What the collector does not take is lost.
func (e *exporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	scope := scopeSpans{Scope: named{Name: spans[0].InstrumentationScope().Name}}
	for _, s := range spans {
		scope.Spans = append(scope.Spans, encode(s))
	}
	body, err := json.Marshal(request{[]resourceSpans{{Resource: attributed{attributes(spans[0].Resource().Attributes())}, ScopeSpans: []scopeSpans{scope}}}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range e.headers {
		r.Header.Set(name, value)
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return fmt.Errorf("%d spans: %w", len(spans), err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16)) // so that the connection can be used again
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%d spans to %s: %s", len(spans), e.url, answer.Status)
	}
	return nil
}

// Shutdown lets go of connections.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// The messages of opentelemetry-proto (trace/v1), as far as they are used.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   attributed   `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	scopeSpans struct {
		Scope named  `json:"scope"`
		Spans []span `json:"spans"`
	}
	named struct {
		Name string `json:"name"`
	}
	attributed struct {
		Attributes []keyValue `json:"attributes"`
	}
	span struct {
		TraceID    string     `json:"traceId"` // hexadecimal, as the other ids
		SpanID     string     `json:"spanId"`
		ParentID   string     `json:"parentSpanId,omitempty"`
		Name       string     `json:"name"`
		Kind       int        `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes"`
		Status     status     `json:"status"`
	}
	status struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code,omitempty"` // 2: error
	}
	keyValue struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)

func encode(s trace.ReadOnlySpan) span {
	out := span{TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(), Name: s.Name(), Kind: int(s.SpanKind()),
		Start: strconv.FormatInt(s.StartTime().UnixNano(), 10), End: strconv.FormatInt(s.EndTime().UnixNano(), 10), Attributes: attributes(s.Attributes())}
	if s.Parent().SpanID().IsValid() {
		out.ParentID = s.Parent().SpanID().String()
	}
	if s.Status().Code == codes.Error {
		out.Status = status{Message: s.Status().Description, Code: 2}
	}
	return out
}

// attributes are strings and whole numbers, which JSON has as text.
func attributes(all []attribute.KeyValue) []keyValue {
	out := make([]keyValue, len(all))
	for i, a := range all {
		out[i] = keyValue{string(a.Key), map[string]any{"stringValue": a.Value.String()}}
		if a.Value.Type() == attribute.INT64 {
			out[i].Value = map[string]any{"intValue": a.Value.String()}
		}
	}
	return out
}
