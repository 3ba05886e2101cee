package bench

import (
	"testing"
	"time"
)

// BenchmarkPostPort measures POST /v2.0/ports of one client that sends one request after another; each
// answer comes when the port is on disk.
func BenchmarkPostPort(b *testing.B) {
	s := newServer(b, "127.0.0.1")
	network := must[string](b)(s.network("measured"))
	var took samples
	for b.Loop() {
		begin := time.Now()
		must[port](b)(s.port(object{"network_id": network}))
		took = append(took, time.Since(begin))
	}
	b.ReportMetric(millis(took.median()), "median-ms")
	b.ReportMetric(millis(took.percentile(99)), "p99-ms")
	b.ReportMetric(0, "ns/op")
}
