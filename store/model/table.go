package model

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

const shardCount = 256 // a change copies one shard: about size/256 entries, and the directory

// Table is an immutable map with cheap changed copies. The zero Table is empty and ready.
type Table[K ~string, V any] struct {
	shards *[shardCount]map[K]V
	size   int
}

// Get returns the value of k, and whether there is one.
func (t Table[K, V]) Get(k K) (V, bool) {
	if t.shards == nil {
		var zero V
		return zero, false
	}
	v, ok := t.shards[shard(k)][k]
	return v, ok
}

// Same reports whether two tables are one and the same; tables that merely hold equal entries are not.
func (t Table[K, V]) Same(other Table[K, V]) bool { return t.shards == other.shards }

// Len returns the number of entries.
func (t Table[K, V]) Len() int { return t.size }

// All visits every entry, in no particular order.
func (t Table[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if t.shards == nil {
			return
		}
		for _, s := range t.shards {
			for k, v := range s {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// Sorted returns the keys in ascending order.
func (t Table[K, V]) Sorted() []K {
	keys := make([]K, 0, t.size)
	for k := range t.All() {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, cmp.Compare[K])
	return keys
}

// With returns the table in which k has value v.
func (t Table[K, V]) With(k K, v V) Table[K, V] {
	out := t.copied(k)
	s := out.shards[shard(k)]
	if _, had := s[k]; !had {
		out.size++
	}
	s[k] = v
	return out
}

// Without returns the table without k.
func (t Table[K, V]) Without(k K) Table[K, V] {
	if _, had := t.Get(k); !had {
		return t
	}
	out := t.copied(k)
	delete(out.shards[shard(k)], k)
	out.size--
	return out
}

// copied returns a table whose shard of k may be written.
func (t Table[K, V]) copied(k K) Table[K, V] {
	dir := new([shardCount]map[K]V)
	if t.shards != nil {
		*dir = *t.shards
	}
	i := shard(k)
	if dir[i] == nil {
		dir[i] = map[K]V{}
	} else {
		dir[i] = maps.Clone(dir[i])
	}
	return Table[K, V]{shards: dir, size: t.size}
}

// shard hashes with FNV-1a: snapshots of one history have equal layouts on every machine.
func shard[K ~string](k K) uint8 {
	h := uint32(2166136261)
	for i := range len(k) {
		h = (h ^ uint32(k[i])) * 16777619
	}
	return uint8(h ^ h>>8 ^ h>>16 ^ h>>24)
}

// Index maps a key to the sorted set of ids that have it. The zero Index is empty and ready.
type Index struct{ sets Table[string, []string] }

// Of returns the ids under key, sorted; the slice must not be changed.
func (x Index) Of(key string) []string {
	ids, _ := x.sets.Get(key)
	return ids
}

// Keys returns every key that has at least one id, sorted.
func (x Index) Keys() []string { return x.sets.Sorted() }

func (x Index) with(key, id string) Index {
	ids := x.Of(key)
	i, found := slices.BinarySearch(ids, id)
	if found {
		return x
	}
	// One allocation of the right size: a large network's ports are many.
	out := make([]string, len(ids)+1)
	copy(out, ids[:i])
	out[i] = id
	copy(out[i+1:], ids[i:])
	return Index{x.sets.With(key, out)}
}

func (x Index) without(key, id string) Index {
	ids := x.Of(key)
	i, found := slices.BinarySearch(ids, id)
	if !found {
		return x
	}
	if len(ids) == 1 {
		return Index{x.sets.Without(key)}
	}
	return Index{x.sets.With(key, slices.Delete(slices.Clone(ids), i, i+1))}
}
