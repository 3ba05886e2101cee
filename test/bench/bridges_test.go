package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

const manyBridges = 1000

// BenchmarkThousandBridges has 1,000 bridges of one ovs-vswitchd connect at once. Each is the br-int of
// a host of its own, as /v1/hosts says of its datapath id.
//
//	connect-s      from the transaction that gives all of them a controller until the server has
//	               confirmed all of them; then every one is seen to hold the base pipeline
//	reconnect-s    from the kill of the server until a new one has confirmed all of them
//	MB, peak-MB    of the server
func BenchmarkThousandBridges(b *testing.B) {
	base := len(pipeline.IntFlows(pipeline.IntInput{}))
	for range b.N {
		o := ovstest.Start(b)
		h := newHost(b, "all", o.RunDir, o.RestartVswitchd)
		s := newServer(b, "127.0.0.1")
		var ops, made []any
		for i := range manyBridges {
			ok(b, s.do("PUT", fmt.Sprintf("/v1/hosts/host%d", i), object{"bridges": object{"br-int": fmt.Sprintf("%016x", i+1)}}, nil))
			name, id := fmt.Sprint("br", i), fmt.Sprint("b", i)
			ops = append(ops,
				object{"op": "insert", "table": "Interface", "uuid-name": "i" + id, "row": object{"name": name, "type": "internal"}},
				object{"op": "insert", "table": "Port", "uuid-name": "p" + id, "row": object{"name": name, "interfaces": []any{"named-uuid", "i" + id}}},
				object{"op": "insert", "table": "Bridge", "uuid-name": id, "row": object{"name": name, "fail_mode": "secure", "protocols": "OpenFlow13",
					"other_config": []any{"map", []any{[]any{"datapath-id", fmt.Sprintf("%016x", i+1)}}}, "ports": []any{"named-uuid", "p" + id}}})
			made = append(made, []any{"named-uuid", id})
		}
		ok(b, h.db.transact(append(ops, object{"op": "mutate", "table": "Open_vSwitch", "where": []any{},
			"mutations": []any{[]any{"bridges", "insert", []any{"set", made}}}})...))
		o.VSCtl("set", "open_vswitch", ".", "external_ids:bench=ready") // returns when all bridges are made

		begin, cpu := time.Now(), s.cpu()
		ok(b, h.db.transact(controllers(s)...))
		awaitConfirmed(b, s)
		b.ReportMetric(time.Since(begin).Seconds(), "connect-s")
		b.ReportMetric((s.cpu() - cpu).Seconds(), "connect-cpu-s")
		ok(b, eachBridgeHolds(b.Context(), o, base))
		now, peak := s.rss()
		b.ReportMetric(now, "MB")
		b.ReportMetric(peak, "peak-MB")

		begin = time.Now()
		s.kill()
		s.start()
		awaitConfirmed(b, s)
		b.ReportMetric(time.Since(begin).Seconds(), "reconnect-s")
		b.ReportMetric(0, "ns/op")
	}
}

// controllers are the operations that make every bridge of a host connect to the server.
func controllers(s *server) []any {
	var ops []any
	for i := range manyBridges {
		id := fmt.Sprint("c", i)
		ops = append(ops,
			object{"op": "insert", "table": "Controller", "uuid-name": id, "row": object{"target": "tcp:" + s.openFlow, "connection_mode": "out-of-band", "max_backoff": 1000}},
			object{"op": "update", "table": "Bridge", "where": []any{[]any{"name", "==", fmt.Sprint("br", i)}}, "row": object{"controller": []any{"named-uuid", id}}})
	}
	return ops
}

func awaitConfirmed(b *testing.B, s *server) {
	b.Helper()
	await(b, 3*time.Minute, "all bridges are confirmed", func() error {
		err := s.confirmed(manyBridges, 0)
		if err != nil {
			time.Sleep(100 * time.Millisecond) // counting takes processor time from what is measured
		}
		return err
	})
}

// eachBridgeHolds asks every bridge how many flows it has.
func eachBridgeHolds(ctx context.Context, o *ovstest.OVS, flows int) error {
	var g errgroup.Group
	g.SetLimit(100)
	for i := range manyBridges {
		g.Go(func() error {
			name := fmt.Sprint("br", i)
			n, err := countFlows(ctx, filepath.Join(o.RunDir, name+".mgmt"))
			if err == nil && n != flows {
				err = fmt.Errorf("%s holds %d flows, want %d", name, n, flows)
			}
			return err
		})
	}
	return g.Wait()
}

// countFlows returns the number of flows of the bridge with a management socket.
func countFlows(ctx context.Context, socket string) (n int, err error) {
	counted := errors.New("counted")
	d := ofconn.Dialer{Network: "unix", Addr: socket}
	dialled := d.Dial(ctx, func(ctx context.Context, s *ofconn.Session) {
		sum, failed := s.CountFlows(ctx, of.TableAll, 0, 0)
		if n, err = int(sum.Flows), counted; failed != nil {
			err = failed
		}
	})
	switch {
	case err == counted:
		return n, nil
	case err != nil:
		return 0, err
	}
	return 0, dialled
}
