package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// byNameAlone shows ports by their names alone, to who owns them.
func byNameAlone(who identity.Identity, _ *model.Model, r model.Resource) ([]change.Attribute, bool) {
	p, ok := r.(*model.Port)
	if !ok || !who.Owns(p.Project) {
		return nil, false
	}
	name, err := json.Marshal(p.Name)
	return []change.Attribute{{Name: "name", Value: name}}, err == nil
}

func historyFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, func(c *Config) { c.Attributes = byNameAlone })
	for i, fn := range []func(tx *store.Tx){
		func(tx *store.Tx) { rename(tx, bluePt1, "shop") },
		func(tx *store.Tx) { rename(tx, redPt1, "rose") },
		func(tx *store.Tx) { tx.Put(&model.Host{Name: "h4", OVSDB: "tcp:10.0.0.4:6640"}) },
		func(tx *store.Tx) {
			tx.Put(&model.Plug{Port: bluePt3, Network: blue, Host: "h1", Iface: "tapspare", Rev: tx.Rev()})
			tx.Put(&model.Sequence{Name: "x", Last: 1})
		},
		func(tx *store.Tx) { tx.Put(&model.Sequence{Name: "x", Last: 2}) },
	} {
		ctx := store.WithCause(t.Context(), store.Cause{Request: fmt.Sprint("req-", i+1), User: []string{"ann", "bob"}[i%2]})
		if _, err := f.store.Update(ctx, func(tx *store.Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	f.events.Append("h1", event.Reconciled{Target: "br-tun", Rev: 10, Added: 9}) // after it connected
	f.events.Append("h1", event.Reconciled{Target: "br-int", From: 9, Rev: 11, Updated: 1, Millis: 2})
	f.events.Append("h2", event.Reconciled{Target: "br-int", From: 10, Rev: 14, Deleted: 1, Millis: 3})
	return f
}

func rename(tx *store.Tx, id model.ID, name string) {
	p, _ := tx.Model().Ports.Get(id)
	next := *p
	next.Name = name
	tx.Put(&next)
}

func TestHistory(t *testing.T) {
	golden(t, "history", historyFixture(t).call("GET", "/v1/history", ""))
}

func TestHistoryIsFiltered(t *testing.T) {
	f := historyFixture(t)
	for _, c := range []struct{ query, token, want string }{
		{"", "admin", "[13 12 11 10]"},
		{"?limit=2", "admin", "[13 12]"},
		{"?limit=0", "admin", "[]"},
		{"?before=13&limit=1", "admin", "[12]"},
		{"?since=11", "admin", "[13 12]"},
		{"?user=bob", "admin", "[13 11]"},
		{"?request=req-3", "admin", "[12]"},
		{"?object=port/" + bluePt1, "admin", "[10]"},
		{"?object=port/" + bluePt3, "admin", "[13]"},
		{"?object=host/h4", "admin", "[12]"},
		{"?object=port/nobody", "admin", "[]"},
		{"", "acme", "[10]"},
		{"", "other", "[11]"}, // where a port is plugged is the operator's business
		{"?object=host/h4", "acme", "[]"},
	} {
		w := f.call("GET", "/v1/history"+c.query, "", "X-Auth-Token: "+c.token)
		var got struct {
			Changes     []struct{ Rev uint64 }
			First, Last uint64
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", c.query, w.Code, w.Body)
		}
		revs := []uint64{}
		for _, ch := range got.Changes {
			revs = append(revs, ch.Rev)
		}
		if fmt.Sprint(revs) != c.want || got.First != 10 || got.Last != 14 {
			t.Errorf("%s of %s: %v from %d to %d, want %s", c.query, c.token, revs, got.First, got.Last, c.want)
		}
		if c.token != "admin" && bytes.Contains(w.Body.Bytes(), []byte(`"host"`)) {
			t.Errorf("a project is told of hosts: %s", w.Body)
		}
	}
	for _, query := range []string{"?object=port", "?object=/x", "?since=x", "?from=1"} {
		if w := f.call("GET", "/v1/history"+query, ""); w.Code != 400 {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}
