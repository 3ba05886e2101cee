package controller

import (
	"context"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// flowTarget is the flow tables of one connected bridge, as far as they are Heddle's.
type flowTarget struct {
	sw *ofconn.Session
	// learn returns which learned flows may stay. Those are the switch's own: they are neither wanted
	// nor removed.
	learn func() map[uint16]pipeline.LearnScope
}

// Actual dumps the flows that carry Heddle's cookies, without the learned ones that may stay.
func (t flowTarget) Actual(ctx context.Context) (map[of.Key]wire.Entry, error) {
	dump, err := t.sw.Flows(ctx, of.TableAll, pipeline.Owner, pipeline.OwnerMask)
	if err != nil {
		return nil, err
	}
	scopes := t.learn()
	for k, e := range dump {
		if mayStay(k, e, scopes) {
			delete(dump, k)
		}
	}
	return dump, nil
}

// Apply commits the change as one bundle.
func (t flowTarget) Apply(ctx context.Context, c reconcile.Change[of.Key, wire.Entry]) error {
	change := ofconn.Change{Add: make([]ofconn.Flow, 0, len(c.Add)+len(c.Update)), Delete: make([]of.Key, 0, len(c.Delete))}
	for k, e := range c.Add {
		change.Add = append(change.Add, ofconn.Flow{Key: k, Entry: e})
	}
	for k, e := range c.Update {
		change.Add = append(change.Add, ofconn.Flow{Key: k, Entry: e})
	}
	for k := range c.Delete {
		change.Delete = append(change.Delete, k)
	}
	return t.sw.Commit(ctx, change)
}

// Equal compares everything the switch gives back.
func (flowTarget) Equal(want, have wire.Entry) bool { return want == have }

// mayStay reports whether a flow was learned by the switch and is within the scope of its VLAN.
func mayStay(k of.Key, e wire.Entry, scopes map[uint16]pipeline.LearnScope) bool {
	kind, _ := pipeline.Cause(e.Cookie)
	if !pipeline.Ours(e.Cookie) || kind != pipeline.KindLearned {
		return false
	}
	f, err := wire.Unpack(k, e)
	if err != nil {
		return false
	}
	mac, ok := pipeline.ReadLearned(f)
	return ok && mac.Holds(scopes)
}
