package l2

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// tenThousandPorts is a store with 10,000 ports on 100 networks and the ids of those.
func tenThousandPorts(b *testing.B) (*store.Store, *Ops, []model.ID) {
	b.Helper()
	s := openStore(b)
	ops, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	var ids []model.ID
	update(b, s, func(tx *store.Tx) error {
		for range 100 {
			n, err := ops.CreateNetwork(tx, NetworkCreate{})
			if err != nil {
				return err
			}
			ids = append(ids, n.ID)
			if _, err := ops.CreateSubnet(tx, SubnetCreate{Network: n.ID, IPVersion: 4, CIDR: cidr("10.0.0.0/16")}); err != nil {
				return err
			}
			for range 100 {
				if _, err := ops.CreatePort(tx, PortCreate{Network: n.ID}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return s, ops, ids
}

// BenchmarkCreatePortPure is the work of a port's creation among 10,000, without storing it.
func BenchmarkCreatePortPure(b *testing.B) {
	s, ops, ids := tenThousandPorts(b)
	m := s.Snapshot()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tx := store.NewTx(m, time.Time{}, store.Cause{})
		if _, err := ops.CreatePort(tx, PortCreate{Network: ids[i%len(ids)]}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreatePort is the creation of a port among 10,000, each acknowledged when it is durable.
func BenchmarkCreatePort(b *testing.B) {
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, ops, ids := tenThousandPorts(b)
			var next atomic.Int64
			b.SetParallelism((writers + 1) / 2) // of two processors
			if writers == 1 {
				for b.Loop() {
					createPort(b, s, ops, ids[int(next.Add(1))%len(ids)])
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					createPort(b, s, ops, ids[int(next.Add(1))%len(ids)])
				}
			})
		})
	}
}

func createPort(b *testing.B, s *store.Store, ops *Ops, network model.ID) {
	_, err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := ops.CreatePort(tx, PortCreate{Network: network})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
