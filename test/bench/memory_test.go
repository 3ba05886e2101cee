package bench

import (
	"testing"
	"time"
)

// BenchmarkIdleMemory is the memory of a server with what the demo has (three hosts, three networks
// and a port on each host and network), after ten seconds in which nothing happened.
func BenchmarkIdleMemory(b *testing.B) {
	for range b.N {
		hosts := memoryHosts(b, 3)
		s := newServer(b, "127.0.0.1")
		join(b, s, hosts)
		ports := 0
		for _, kind := range []string{"gre", "vxlan", "geneve"} {
			network := must[string](b)(s.network(kind, object{"provider:network_type": kind}))
			for _, h := range hosts {
				p := must[port](b)(s.port(object{"network_id": network}))
				ok(b, h.plug([]string{p.ID}, ""))
				ports++
			}
		}
		awaitActive(b, s, ports)
		cpu := s.cpu()
		time.Sleep(10 * time.Second)
		b.ReportMetric(100*(s.cpu()-cpu).Seconds()/10, "cpu-%")
		now, peak := s.rss()
		b.ReportMetric(now, "MB")
		b.ReportMetric(peak, "peak-MB")
		b.ReportMetric(0, "ns/op")
	}
}
