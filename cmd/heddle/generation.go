package main

import (
	"context"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// sequenceGeneration is the model.Sequence of role generations.
const sequenceGeneration = "generation"

// nextGeneration returns the role generation of this process (OpenFlow 1.3.5 §6.3.6). It is newer than
// that of every earlier process on this store, and, being made of the time, newer than what switches
// remember of a store that was lost.
func nextGeneration(ctx context.Context, st *store.Store) (uint64, error) {
	m, err := st.Update(ctx, func(tx *store.Tx) error {
		var last uint64
		if s, ok := tx.Model().Sequences.Get(sequenceGeneration); ok {
			last = s.Last
		}
		tx.Put(&model.Sequence{Name: sequenceGeneration, Last: max(last+1, uint64(tx.Now().UnixMilli()))})
		return nil
	})
	if err != nil {
		return 0, err
	}
	s, _ := m.Sequences.Get(sequenceGeneration)
	return s.Last, nil
}
