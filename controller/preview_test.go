package controller_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/difference"
	"github.com/heddle-sdn/heddle/controller/ofconn/fakeswitch"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// preview tries a transaction out.
func (f *fabric) preview(fn func(tx *store.Tx) error) difference.Fabric {
	f.t.Helper()
	d := store.NewDraft(f.store.Snapshot(), time.Now)
	after, err := d.Update(f.t.Context(), fn)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.control.Preview(d.Base(), after)
}

// flowsOf lists what a preview does to the flows of a bridge, "delete cookie=…".
func flowsOf(p difference.Fabric, host, bridge string) []string {
	var out []string
	for _, h := range p.Hosts {
		for _, i := range h.Diff {
			switch {
			case h.Host != host || i.Where != bridge:
			case i.Op == difference.Change:
				out = append(out, "delete "+i.Before, "add "+i.Text)
			default:
				out = append(out, string(i.Op)+" "+i.Text)
			}
		}
	}
	slices.Sort(out)
	return out
}

// became lists what happened to the flows of a switch, in the same words.
func became(before, after []string) []string {
	var out []string
	for _, flow := range after {
		if !slices.Contains(before, flow) {
			out = append(out, "add "+flow)
		}
	}
	for _, flow := range before {
		if !slices.Contains(after, flow) {
			out = append(out, "delete "+flow)
		}
	}
	slices.Sort(out)
	return out
}

func TestPreviewComesTrue(t *testing.T) {
	f := newFabric(t)
	aInt, aTun := f.host("a", 1)
	n := f.network()
	stays, goes := f.port(n), f.port(n)
	aInt.Ports = append(aInt.Ports, tap(stays, 10), tap(goes, 11))
	switches := map[string]*fakeswitch.Switch{"br-int": f.connect(aInt), "br-tun": f.connect(aTun)}
	f.wait("the flows of both ports", func() bool {
		return f.has(switches["br-int"], "dl_dst="+stays.MAC.String())() && f.has(switches["br-int"], "dl_dst="+goes.MAC.String())() &&
			f.has(switches["br-tun"], "table=10")()
	})
	for _, leaves := range []*model.Port{goes, stays} { // the last one takes the network with it
		remove := func(tx *store.Tx) error { return f.ops.DeletePort(tx, leaves.ID) }
		before := map[string][]string{}
		for bridge, sw := range switches {
			before[bridge] = sw.Flows()
		}
		rev := f.store.Snapshot().Rev
		p := f.preview(remove)
		if f.store.Snapshot().Rev != rev || len(p.Hosts) != 1 || len(p.Unplanned) == 0 {
			t.Fatalf("revision %d after %d, preview %+v", f.store.Snapshot().Rev, rev, p)
		}
		f.update(remove)
		for bridge, sw := range switches {
			want := flowsOf(p, "a", bridge)
			f.wait("what "+bridge+" was planned to become:\n"+strings.Join(want, "\n"), func() bool { return slices.Equal(became(before[bridge], sw.Flows()), want) })
		}
	}
}

func TestPreviewClaimsNothingOfWhatItDoesNotKnow(t *testing.T) {
	f := newFabric(t)
	aInt, aTun := f.host("a", 1)
	f.host("b", 2)
	n := f.network()
	p := f.port(n)
	aInt.Ports = append(aInt.Ports, tap(p, 10))
	f.connect(aTun)
	sw := f.connect(aInt)
	f.wait("the port's flows", f.has(sw, "dl_dst="+p.MAC.String()))

	remove := func(tx *store.Tx) error { return f.ops.DeletePort(tx, p.ID) }
	got := f.preview(remove)
	if !slices.ContainsFunc(got.Unplanned, func(u difference.Unplanned) bool {
		return u.Host == "b" && strings.Contains(u.Cause, "host b is not connected")
	}) {
		t.Errorf("unplanned: %+v", got.Unplanned)
	}
	if f.preview(func(*store.Tx) error { return nil }).Hosts != nil {
		t.Error("no change changes hosts")
	}
	// A host that joins by a request has nothing yet that could change.
	joins := f.preview(func(tx *store.Tx) error { tx.Put(&model.Host{Name: "c"}); return nil })
	if !slices.ContainsFunc(joins.Unplanned, func(u difference.Unplanned) bool { return u.Host == "c" }) {
		t.Errorf("unplanned: %+v", joins.Unplanned)
	}

	fault := errors.New("planner is broken")
	f.broken.Store(&fault)
	got = f.preview(remove)
	if len(got.Hosts) != 0 || !slices.ContainsFunc(got.Unplanned, func(u difference.Unplanned) bool {
		return u.Host == "a" && strings.Contains(u.Cause, "planner is broken")
	}) {
		t.Errorf("with a broken planner: %+v", got)
	}
}
