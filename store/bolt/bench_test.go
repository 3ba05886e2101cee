package bolt

import (
	"context"
	"fmt"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// BenchmarkUpdate is a transaction that stores one record, acknowledged when it is durable.
func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openStore(b, b.TempDir())
			b.SetParallelism((writers + 1) / 2)
			put := func(tx *store.Tx) error {
				tx.Put(&model.Sequence{Name: "s", Last: tx.Rev()})
				return nil
			}
			if writers == 1 {
				for b.Loop() {
					if _, err := s.Update(context.Background(), put); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Update(context.Background(), put); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkOpen is a start with 10,000 ports: checking every page and reading every record.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := openStore(b, dir)
	_, err := s.Update(context.Background(), func(tx *store.Tx) error {
		tx.Put(&model.Sequence{Name: model.SequenceTag, Last: 1 << 20})
		for i := range 100 {
			n := model.ID(fmt.Sprintf("network-%032d", i))
			tx.Put(&model.Network{Meta: model.Meta{ID: n}, Type: model.TypeVXLAN, SegmentID: uint32(i + 1), Tag: uint32(i + 1)})
			for j := range 100 {
				k := 100*i + j
				tx.Put(&model.Port{
					Meta:    model.Meta{ID: model.ID(fmt.Sprintf("%08x-port-%022d", k*2654435761, k))},
					Network: n, MAC: of.MAC{2, 0, 0, 0, byte(j)}, Tag: uint32(1000 + k),
				})
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	closeStore(b, s)
	for b.Loop() {
		s, err := tryOpen(dir)
		if err != nil {
			b.Fatal(err)
		}
		closeStore(b, s)
	}
}
