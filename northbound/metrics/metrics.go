// Package metrics counts what Heddle does, for Prometheus. A [Metrics] is handed to the packages that
// have something to tell, each of which declares the interface it needs; nothing is global.
//
// docs/metrics.md lists every metric; a test keeps it complete.
package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/heddle-sdn/heddle/store"
)

// Buckets of durations in seconds. Passes and convergence span from a no-op to a full table of flows;
// API requests and commits are about disk and sockets.
var (
	passBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	callBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 2.5, 10}
)

// Build says which program runs.
type Build struct {
	Version  string // "1.2.0"
	Revision string // of the source
}

// Metrics is a registry and what is counted in it. Its methods may be called from any goroutine and do
// not wait.
type Metrics struct {
	registry *prometheus.Registry
	// The two that /v1/status shows as well; prometheus' counters cannot be read back.
	drifted, failed atomic.Uint64

	passes   *prometheus.CounterVec
	pass     *prometheus.HistogramVec
	changes  *prometheus.CounterVec
	drift    *prometheus.CounterVec
	plan     prometheus.Histogram
	converge prometheus.Histogram

	received, receivedBytes, sentBytes prometheus.Counter
	opened, closed, rejected           prometheus.Counter

	commit  prometheus.Histogram
	commits *prometheus.CounterVec
	updates prometheus.Counter
	records prometheus.Counter

	requests *prometheus.CounterVec
	request  *prometheus.HistogramVec
}

// New returns metrics that are all zero. fabric tells the state of everything when it is asked for;
// nil leaves those metrics out.
func New(b Build, fabric func() Fabric) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registerLoops()
	m.registerOpenFlow()
	m.registerStore()
	m.registerAPI()
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "heddle_build_info", Help: "Which program runs; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "goversion": runtime.Version()}})
	info.Set(1)
	m.registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if fabric != nil {
		m.registry.MustRegister(fabricCollector{fabric})
	}
	return m
}

// Handler serves the metrics in Prometheus' text format and in OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) registerLoops() {
	m.passes = m.counters("heddle_reconcile_passes_total", "Passes over a bridge or an OVSDB that read it.", "target", "result")
	m.pass = m.histograms("heddle_reconcile_duration_seconds", "How long a pass took: read, compare, change, confirm.", passBuckets, "target")
	m.changes = m.counters("heddle_reconcile_changes_total", "Flows and rows that passes wrote.", "target", "op")
	m.drift = m.counters("heddle_drift_total", "Flows and rows that others had altered, and that were repaired.", "host", "target")
	m.plan = m.histogram("heddle_plan_duration_seconds", "How long it took to plan one host.", passBuckets)
	m.converge = m.histogram("heddle_commit_to_barrier_seconds",
		"From the commit of a revision until the last connected host had confirmed it by a barrier.", passBuckets)
}

// targetOVSDB is the target that is no bridge. Bridges share one label value where a histogram is kept:
// there may be a thousand of them.
const targetOVSDB = "ovsdb"

func targetKind(target string) string {
	if target == targetOVSDB {
		return targetOVSDB
	}
	return "bridge"
}

// Pass counts one pass of a target of a host, "ovsdb" or a bridge: how long it took, what it changed,
// and how much of that others had altered.
func (m *Metrics) Pass(host, target string, took time.Duration, added, updated, deleted, drifted int, err error) {
	kind, result := targetKind(target), "ok"
	if err != nil {
		result = "error"
		m.failed.Add(1)
	}
	m.passes.WithLabelValues(kind, result).Inc()
	m.pass.WithLabelValues(kind).Observe(took.Seconds())
	if err != nil {
		return // nothing is known of what changed
	}
	for _, op := range [...]struct {
		name string
		n    int
	}{{"add", added}, {"update", updated}, {"delete", deleted}} {
		if op.n > 0 {
			m.changes.WithLabelValues(kind, op.name).Add(float64(op.n))
		}
	}
	if drifted > 0 {
		m.drifted.Add(uint64(drifted))
		m.drift.WithLabelValues(host, target).Add(float64(drifted))
	}
}

// Planned counts one plan of a host.
func (m *Metrics) Planned(_ string, took time.Duration) { m.plan.Observe(took.Seconds()) }

// Converged is told how long a revision took from its commit until the last connected host had
// confirmed it by a barrier.
func (m *Metrics) Converged(took time.Duration) { m.converge.Observe(took.Seconds()) }

// Drifted returns how many flows and rows others had altered since the start.
func (m *Metrics) Drifted() uint64 { return m.drifted.Load() }

// Failed returns how many passes have failed since the start.
func (m *Metrics) Failed() uint64 { return m.failed.Load() }

func (m *Metrics) registerOpenFlow() {
	m.received = m.counter("heddle_openflow_messages_received_total", "OpenFlow messages from switches.")
	m.receivedBytes = m.counter("heddle_openflow_received_bytes_total", "Bytes of OpenFlow messages from switches.")
	m.sentBytes = m.counter("heddle_openflow_sent_bytes_total", "Bytes written to switches.")
	m.opened = m.counter("heddle_openflow_sessions_opened_total", "OpenFlow sessions that became ready.")
	m.closed = m.counter("heddle_openflow_sessions_closed_total", "OpenFlow sessions that were ready and ended.")
	m.rejected = m.counter("heddle_openflow_sessions_rejected_total", "OpenFlow connections that ended before they were ready.")
}

// Received counts one OpenFlow message of n bytes from a switch.
func (m *Metrics) Received(n int) {
	m.received.Inc()
	m.receivedBytes.Add(float64(n))
}

// Sent counts n bytes written to a switch.
func (m *Metrics) Sent(n int) { m.sentBytes.Add(float64(n)) }

// Opened counts an OpenFlow session that became ready.
func (m *Metrics) Opened() { m.opened.Inc() }

// Closed counts a ready OpenFlow session that ended.
func (m *Metrics) Closed() { m.closed.Inc() }

// Rejected counts an OpenFlow connection that ended before it was ready.
func (m *Metrics) Rejected() { m.rejected.Inc() }

func (m *Metrics) registerStore() {
	m.commit = m.histogram("heddle_store_tx_seconds", "How long a group of transactions took to become durable.", callBuckets)
	m.commits = m.counters("heddle_store_commits_total", "Groups of transactions that were written.", "result")
	m.updates = m.counter("heddle_store_updates_total", "Transactions that became durable.")
	m.records = m.counter("heddle_store_records_total", "Records that transactions wrote or removed.")
}

// Committed counts one commit of the store; it is a [store.Options].Observe.
func (m *Metrics) Committed(c store.CommitStats) {
	m.commit.Observe(c.Took.Seconds())
	if c.Err != nil {
		m.commits.WithLabelValues("error").Inc()
		return
	}
	m.commits.WithLabelValues("ok").Inc()
	m.updates.Add(float64(c.Updates))
	m.records.Add(float64(c.Records))
}

func (m *Metrics) registerAPI() {
	m.requests = m.counters("heddle_api_requests_total", "API requests.", "method", "route", "code")
	m.request = m.histograms("heddle_api_request_duration_seconds", "How long API requests took; streams are left out.", callBuckets, "method", "route")
}

// Request counts one API request. The route is a template, "/v2.0/networks/{id}", or empty if there is
// none: paths of clients never become labels, and neither do methods that they make up.
func (m *Metrics) Request(route, method string, code int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(code)).Inc()
	m.request.WithLabelValues(method, route).Observe(took.Seconds())
}
