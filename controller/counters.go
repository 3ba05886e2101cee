package controller

import (
	"context"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/view"
)

// countersFresh is how long counters are told again before a bridge is asked anew: many who watch cost no
// more than one.
const countersFresh = time.Second

// counters are those of a bridge's ports, as they were read last.
type counters struct {
	mu   sync.Mutex
	at   time.Time
	read map[string]view.Counters // by interface; nil if the bridge did not answer
}

// TunnelCounters returns the counters of the ports of each host's br-tun, by host and interface. Bridges
// are asked at the same time, at most once a second each; one that does not answer in time is left out.
func (c *Controller) TunnelCounters(ctx context.Context) map[string]map[string]view.Counters {
	out := map[string]map[string]view.Counters{}
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	for _, b := range c.bridges() {
		if b.name != row.TunBridge {
			continue
		}
		wg.Go(func() {
			read := b.portCounters(ctx)
			mu.Lock()
			defer mu.Unlock()
			if read != nil {
				out[b.h.name] = read
			}
		})
	}
	wg.Wait()
	return out
}

// portCounters returns the counters of a bridge's ports by interface, nil if it does not answer.
func (b *bridge) portCounters(ctx context.Context) map[string]view.Counters {
	b.counted.mu.Lock() // who comes meanwhile waits, and gets what is read now
	defer b.counted.mu.Unlock()
	if time.Since(b.counted.at) < countersFresh {
		return b.counted.read
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	b.counted.read = nil
	if stats, err := b.sw.PortStats(ctx); err == nil {
		names := map[of.PortNo]string{}
		for name, p := range b.sw.Ports() {
			names[p.No] = name
		}
		b.counted.read = make(map[string]view.Counters, len(stats))
		for _, s := range stats {
			if name := names[s.Port]; name != "" {
				b.counted.read[name] = view.Counters{RxPackets: s.RxPackets, TxPackets: s.TxPackets, RxBytes: s.RxBytes, TxBytes: s.TxBytes}
			}
		}
	}
	b.counted.at = time.Now()
	return b.counted.read
}
