package controller

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
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
		looked = true
	})
	if err != nil || !looked {
		t.Errorf("OVSDB was not looked at: %v", err)
	}
}
