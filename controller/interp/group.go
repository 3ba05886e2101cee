package interp

import (
	"github.com/heddle-sdn/heddle/controller/of"
)

// maxWatch is how many groups may watch each other in a row (MAX_LIVENESS_RECURSION of Open vSwitch).
const maxWatch = 128

// group does a group's buckets, each with a copy of the packet. It reports false if there is no such group: the list
// of actions ends then.
func (r *run) group(id of.GroupID) bool {
	if !r.within() {
		return false
	}
	g, ok := r.bridge.groups[id]
	if !ok {
		r.drop(NoGroup, "")
		return false
	}
	switch g.Type {
	case of.GroupTypeAll, of.GroupTypeIndirect:
		for i := range g.Buckets {
			r.bucket(g, i)
		}
	case of.GroupTypeFastFailover:
		if live := r.bridge.live(g); len(live) > 0 {
			r.bucket(g, live[0])
		} else {
			r.drop(NoBucket, "")
		}
	default:
		r.choose(g)
	}
	return true
}

// choose picks a bucket of a select group. A switch spreads connections over the live ones by a hash that is its own
// business; here the one of the highest weight is taken, the first of several.
func (r *run) choose(g of.GroupEntry) {
	live := r.bridge.live(g)
	if len(live) == 0 {
		r.drop(NoBucket, "")
		return
	}
	best := live[0]
	for _, i := range live {
		if g.Buckets[i].Weight > g.Buckets[best].Weight {
			best = i
		}
	}
	if r.bridge.choose != nil {
		best = r.bridge.choose(g, r.packet, live)
	}
	if len(live) > 1 {
		r.note("a switch may choose another of the %d live buckets", len(live))
	}
	r.bucket(g, best)
}

// bucket does a bucket, which is an action set, with a copy of the packet.
func (r *run) bucket(g of.GroupEntry, i int) {
	before := r.packet
	s := r.add(Step{Kind: KindBucket, Bucket: i})
	r.below(s, func() {
		r.depth++
		set := inOrder(g.Buckets[i].Actions)
		if len(set) == 0 {
			r.drop(FlowDrops, "")
		}
		r.actions(set)
		r.depth--
	})
	r.packet = before
}

// live lists the buckets of a group that may be used, by index.
func (b *Bridge) live(g of.GroupEntry) []int { return b.liveWithin(g, 0) }

func (b *Bridge) liveWithin(g of.GroupEntry, depth int) []int {
	var out []int
	for i, bucket := range g.Buckets {
		if b.alive(g, bucket, depth) {
			out = append(out, i)
		}
	}
	return out
}

func (b *Bridge) alive(g of.GroupEntry, bucket of.Bucket, depth int) bool {
	if depth >= maxWatch || g.Type == of.GroupTypeSelect && bucket.Weight == 0 {
		return false
	}
	watchesPort := bucket.WatchPort != 0 && bucket.WatchPort != of.PortAny
	watchesGroup := bucket.WatchGroup != 0 && bucket.WatchGroup != of.GroupAny
	if !watchesPort && !watchesGroup {
		return true
	}
	if p := b.ports[bucket.WatchPort]; watchesPort && p != nil && !p.Down {
		return true
	}
	watched, ok := b.groups[bucket.WatchGroup]
	return watchesGroup && ok && len(b.liveWithin(watched, depth+1)) > 0
}
