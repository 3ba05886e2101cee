package model

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTableBehavesAsAMapAndLeavesItsPastAlone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var table Table[string, int]
		want := map[string]int{}
		type past struct {
			table Table[string, int]
			want  map[string]int
		}
		var history []past
		for i := range rapid.IntRange(0, 40).Draw(rt, "steps") {
			history = append(history, past{table, maps.Clone(want)})
			key := rapid.StringMatching(`[a-d]{0,2}`).Draw(rt, "key")
			if rapid.Bool().Draw(rt, "delete") {
				table = table.Without(key)
				delete(want, key)
			} else {
				table = table.With(key, i)
				want[key] = i
			}
		}
		for _, h := range append(history, past{table, want}) {
			if got := maps.Collect(h.table.All()); !maps.Equal(got, h.want) || h.table.Len() != len(h.want) {
				rt.Fatalf("got %v of size %d, want %v", got, h.table.Len(), h.want)
			}
			if got, want := h.table.Sorted(), slices.Sorted(maps.Keys(h.want)); !slices.Equal(got, want) {
				rt.Fatalf("sorted %v, want %v", got, want)
			}
			for k, v := range h.want {
				if got, ok := h.table.Get(k); !ok || got != v {
					rt.Fatalf("get %q: %v %v", k, got, ok)
				}
			}
			if _, ok := h.table.Get("absent"); ok {
				rt.Fatal("found what is not there")
			}
		}
	})
}

func TestIterationStopsWhenAsked(t *testing.T) {
	var table Table[string, int]
	for _, k := range []string{"a", "b", "c"} {
		table = table.With(k, 1)
	}
	n := 0
	for range table.All() {
		n++
		break
	}
	if n != 1 {
		t.Errorf("visited %d", n)
	}
}

func TestIndexIsASortedSetPerKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var x Index
		want := map[string]map[string]bool{}
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			key, id := rapid.SampledFrom([]string{"k", "l"}).Draw(rt, "key"), rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "id")
			before := slices.Clone(x.Of(key))
			old := x
			if rapid.Bool().Draw(rt, "remove") {
				x = x.without(key, id)
				delete(want[key], id)
				if len(want[key]) == 0 {
					delete(want, key)
				}
			} else {
				x = x.with(key, id)
				if want[key] == nil {
					want[key] = map[string]bool{}
				}
				want[key][id] = true
			}
			if !slices.Equal(old.Of(key), before) {
				rt.Fatal("a change wrote to the index before it")
			}
			for key, ids := range want {
				if got := x.Of(key); !slices.Equal(got, slices.Sorted(maps.Keys(ids))) {
					rt.Fatalf("%s: %v, want %v", key, got, ids)
				}
			}
			if got := x.Keys(); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
				rt.Fatalf("keys %v, want %v", got, want)
			}
		}
	})
}
