package controller

import (
	"context"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/wire"
)

var _ reconcile.PartReader[of.Key, wire.Entry] = flowTarget{}

// flowTarget is the flow tables of one connected bridge, as far as they are Heddle's.
type flowTarget struct {
	sw *ofconn.Session
	// learn returns which learned flows may stay. Those are the switch's own: they are neither wanted
	// nor removed.
	learn func() map[uint16]pipeline.LearnScope
	// forgot is told of each learned flow that was removed; the switch does not tell us of what we do.
	forgot func(pipeline.MAC)
}

// Actual dumps the flows that carry Heddle's cookies, without the learned ones that may stay.
func (t flowTarget) Actual(ctx context.Context) (map[of.Key]wire.Entry, error) {
	dump, err := t.sw.Flows(ctx, of.TableAll, pipeline.Owner, pipeline.OwnerMask)
	t.withoutLearned(dump)
	return dump, err
}

func (t flowTarget) withoutLearned(dump map[of.Key]wire.Entry) {
	scopes := t.learn()
	maps.DeleteFunc(dump, func(k of.Key, e wire.Entry) bool { return mayStay(k, e, scopes) })
}

// maxCookies is how many cookies are asked for one by one; for more, one dump of all is as quick.
const maxCookies = 32

// ActualPart dumps the flows with the cookies of touched flows, and the learned ones, whose scope may
// have changed too. Open vSwitch has an index of cookies, so that this costs what it finds.
func (t flowTarget) ActualPart(ctx context.Context, touched []wire.Entry) (map[of.Key]wire.Entry, func(wire.Entry) bool, error) {
	cookies := map[of.Cookie]bool{pipeline.Learned: true}
	for _, e := range touched {
		cookies[e.Cookie] = true
	}
	if len(cookies) > maxCookies {
		have, err := t.Actual(ctx)
		return have, nil, err
	}
	dumps := make(chan map[of.Key]wire.Entry, len(cookies))
	g, ctx := errgroup.WithContext(ctx)
	for c := range cookies {
		g.Go(func() error {
			dump, err := t.sw.Flows(ctx, of.TableAll, c, ^of.Cookie(0))
			dumps <- dump
			return err
		})
	}
	err := g.Wait()
	have := map[of.Key]wire.Entry{}
	for range cookies {
		maps.Copy(have, <-dumps)
	}
	t.withoutLearned(have)
	return have, func(e wire.Entry) bool { return cookies[e.Cookie] }, err
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
	if err := t.sw.Commit(ctx, change); err != nil {
		return err
	}
	for k, e := range c.Delete {
		if mac, ok := learnedMAC(k, e); ok {
			t.forgot(mac)
		}
	}
	return nil
}

// Equal compares everything the switch gives back.
func (flowTarget) Equal(want, have wire.Entry) bool { return want == have }

// mayStay reports whether a flow was learned by the switch and is within the scope of its VLAN.
func mayStay(k of.Key, e wire.Entry, scopes map[uint16]pipeline.LearnScope) bool {
	mac, ok := learnedMAC(k, e)
	return ok && mac.Holds(scopes)
}

// learnedMAC returns what a flow says that the switch learned; ok is false for any other flow.
func learnedMAC(k of.Key, e wire.Entry) (mac pipeline.MAC, ok bool) {
	if kind, _ := pipeline.Cause(e.Cookie); !pipeline.Ours(e.Cookie) || kind != pipeline.KindLearned {
		return pipeline.MAC{}, false
	}
	f, err := wire.Unpack(k, e)
	if err != nil {
		return pipeline.MAC{}, false
	}
	return pipeline.ReadLearned(f)
}
