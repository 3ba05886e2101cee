package controller

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// A port may be plugged between the look that a plan is made from and the pass that carries it out. To
// such a plan it must not look like one that nobody wants: it would be put on the dead VLAN, and taken
// off it a moment later.
func TestPortThatThePlanDoesNotKnowIsLeftAlone(t *testing.T) {
	o := ovstest.Start(t)
	o.AddBridge(row.IntBridge)
	o.AddPort(row.IntBridge, "tap1", 1)
	o.VSCtl("set", "interface", "tap1", "external_ids:iface-id=00000000-0000-4000-8000-000000000001")
	log := logrus.New()
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	d := ovsdb.Dialer{Target: "unix:" + o.DBSocket(), Log: logrus.NewEntry(log)}
	looked := false
	err := d.Run(ctx, func(ctx context.Context, s *ovsdb.Session) {
		defer cancel()
		tap := row.Key{Kind: row.KindTag, Name: "tap1"}
		for _, known := range []bool{false, true} {
			target := rowTarget{s, &database{current: &plan{plugs: map[string]bool{"tap1": known}}}}
			have, err := target.Actual(ctx)
			if _, seen := have[tap]; err != nil || seen != known {
				t.Errorf("plan knows the port: %v; it is seen: %v, %v", known, seen, err)
			}
		}
		// And one that the plan knows may be unplugged meanwhile: its tag is not one that somebody removed.
		gone := row.Key{Kind: row.KindTag, Name: "tap2"}
		target := rowTarget{s, &database{current: &plan{plugs: map[string]bool{"tap1": true, "tap2": true},
			rows: reconcile.Want[row.Key, row.Row]{Objects: map[row.Key]row.Row{gone: row.Tag{Port: "tap2", VLAN: 7}}}}}}
		if have, err := target.Actual(ctx); err != nil || have[gone] != row.Row(row.Tag{Port: "tap2", VLAN: 7}) {
			t.Errorf("the tag of a port that is gone reads as missing: %v, %v", have, err)
		}
		looked = true
	})
	if err != nil || !looked {
		t.Errorf("OVSDB was not looked at: %v", err)
	}
}
