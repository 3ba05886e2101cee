package bench

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// The fabric that is measured at size: each network has two ports, on two of the hosts.
const (
	manyNetworks    = 1000
	portsPerNetwork = 2
	manyPorts       = manyNetworks * portsPerNetwork
	clients         = 8 // that send requests at a time
)

// populate makes networks of two ports, with some clients at a time, each of which sends one request
// after another, and plugs the ports.
func populate(b *testing.B, s *server, hosts []*host, networks int, kind string) {
	b.Helper()
	plugs := make([]chan string, len(hosts)) // ids of ports
	var plugging, asking errgroup.Group
	for i, h := range hosts {
		plugs[i] = make(chan string, manyPorts)
		plugging.Go(func() error { return h.plugAll(plugs[i], kind) })
	}
	var next atomic.Int64
	for range clients {
		asking.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= networks {
					return nil
				}
				if err := populateNetwork(s, plugs, n); err != nil {
					return err
				}
			}
		})
	}
	asked := asking.Wait()
	for _, ids := range plugs {
		close(ids)
	}
	ok(b, errors.Join(asked, plugging.Wait()))
}

func populateNetwork(s *server, plugs []chan string, n int) error {
	network, err := s.network(fmt.Sprint("net", n))
	if err != nil {
		return err
	}
	for i := range portsPerNetwork {
		p, err := s.port(object{"network_id": network, "name": fmt.Sprintf("port%d-%d", n, i)})
		if err != nil {
			return err
		}
		plugs[(n+i)%len(plugs)] <- p.ID
	}
	return nil
}

// awaitActive waits until a number of ports is ACTIVE.
func awaitActive(b *testing.B, s *server, ports int) {
	b.Helper()
	await(b, 3*time.Minute, "all ports are ACTIVE", func() error {
		m, err := s.metrics()
		if err == nil && int(m[`heddle_ports{status="ACTIVE"}`]) < ports {
			err = fmt.Errorf("%.0f of %d are", m[`heddle_ports{status="ACTIVE"}`], ports)
			time.Sleep(50 * time.Millisecond) // counting takes processor time from what is measured
		}
		return err
	})
}

// BenchmarkThousandNetworks makes 1,000 networks of two ports on three hosts, then restarts the server,
// then one ovs-vswitchd.
//
//	build-s            from the first request until all ports are ACTIVE
//	drift              flows and rows that the server took for others' alterations meanwhile: none are
//	requests-s         … until the last request was answered and the last port plugged
//	server-restart-s   from the kill of the server until a new one has confirmed all with all hosts
//	least-flows        the fewest flows the hosts had from the kill on, of flows
//	vswitchd-back-s    from the moment the last bridge of a restarted ovs-vswitchd listens until it has
//	                   its flows
func BenchmarkThousandNetworks(b *testing.B) {
	for range b.N {
		hosts := memoryHosts(b, 3)
		s := newServer(b, "127.0.0.1")
		join(b, s, hosts)

		begin, cpu := time.Now(), s.cpu()
		populate(b, s, hosts, manyNetworks, "")
		requests := time.Since(begin)
		awaitActive(b, s, manyPorts)
		built, used := time.Since(begin), s.cpu()-cpu
		await(b, 30*time.Second, "hosts confirm", func() error { return s.confirmed(targetsOf(hosts), 0) })
		b.ReportMetric(requests.Seconds(), "requests-s")
		b.ReportMetric(built.Seconds(), "build-s")
		b.ReportMetric(used.Seconds(), "build-cpu-s")
		b.ReportMetric(must[metrics](b)(s.metrics()).sum("heddle_drift_total"), "drift")
		now, peak := s.rss()
		b.ReportMetric(now, "MB")
		b.ReportMetric(peak, "peak-MB")

		gauges := watch(b, hosts, 5*time.Millisecond)
		for _, g := range gauges {
			g.expect()
		}
		flows, _ := total(gauges)
		begin = time.Now()
		s.kill()
		s.start()
		await(b, time.Minute, "hosts confirm", func() error { return s.confirmed(targetsOf(hosts), 0) })
		b.ReportMetric(time.Since(begin).Seconds(), "server-restart-s")
		_, least := total(gauges)
		b.ReportMetric(float64(flows), "flows")
		b.ReportMetric(float64(least), "least-flows")

		begin = time.Now()
		hosts[0].restart()
		var away time.Duration
		for _, g := range gauges {
			if g.host == hosts[0].name {
				await(b, time.Minute, "flows are back", func() error {
					took, err := g.returned(begin)
					away = max(away, took)
					return err
				})
			}
		}
		b.ReportMetric(away.Seconds(), "vswitchd-back-s")
		b.ReportMetric(0, "ns/op")
	}
}
