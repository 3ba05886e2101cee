package controller

import (
	"context"
	"sync"

	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/store/model"
)

// Dial connects to what cannot or does not connect to us. Each function keeps one connection to a
// target such as "tcp:192.0.2.7:6640" until ctx ends.
type Dial struct {
	OVSDB    func(ctx context.Context, target string, handle ovsdb.Handler) error
	OpenFlow func(ctx context.Context, target string, handle ofconn.Handle) error
}

// dialTarget is one connection to keep; bridge is empty for an OVSDB.
type dialTarget struct{ host, bridge, target string }

// KeepDialling dials the OVSDBs and bridges that hosts of the model name, until ctx ends; a target that
// leaves the model is let go.
func (c *Controller) KeepDialling(ctx context.Context, d Dial) error {
	running := map[dialTarget]context.CancelFunc{}
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		m := c.cfg.Store.Snapshot()
		changed := c.cfg.Store.Changed(m.Rev)
		want := dialTargets(m)
		for t, stop := range running {
			if !want[t] {
				stop()
				delete(running, t)
			}
		}
		for t := range want {
			if running[t] == nil {
				dialCtx, stop := context.WithCancel(ctx)
				running[t] = stop
				wg.Go(func() { c.dial(dialCtx, d, t) })
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (c *Controller) dial(ctx context.Context, d Dial, t dialTarget) {
	var err error
	if t.bridge == "" {
		err = d.OVSDB(ctx, t.target, c.ServeDialledHost(t.host))
	} else {
		err = d.OpenFlow(ctx, t.target, c.ServeDialled(t.host, t.bridge))
	}
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.WithError(err).WithField("host", t.host).WithField("target", t.target).Error("cannot be dialled; correct it under /v1/hosts")
	}
}

func dialTargets(m *model.Model) map[dialTarget]bool {
	out := map[dialTarget]bool{}
	for name, h := range m.Hosts.All() {
		if h.OVSDB != "" {
			out[dialTarget{name, "", h.OVSDB}] = true
		}
		for bridge, target := range h.OpenFlow {
			out[dialTarget{name, bridge, target}] = true
		}
	}
	return out
}
