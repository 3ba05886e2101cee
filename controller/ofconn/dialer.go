package ofconn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Dialer keeps one session with a bridge that listens: `ovs-vsctl
// set-controller br0 ptcp:6653`, or the management socket that every bridge
// has (unix, BRIDGE.mgmt).
type Dialer struct {
	// Network is "tcp" or "unix"; empty means "tcp".
	Network string
	// Addr is host:port, or the path of the socket.
	Addr string
	// Config is as for a Listener; MaxConns is not used.
	Config Config
	// MinBackoff and MaxBackoff limit the pause before the next try, which
	// doubles with every failure and is shortened by up to half at random, so
	// that a thousand bridges do not come back in one moment. A session that
	// was READY for MaxBackoff resets it. Defaults 100 ms and 1 s: a bridge
	// without its flows should not wait for us.
	MinBackoff, MaxBackoff time.Duration
}

// Run dials, and dials again whenever the session ended or could not be made,
// until ctx ends. It returns ctx's error after the last session is gone.
func (d Dialer) Run(ctx context.Context, handle Handle) error {
	cfg := d.Config.withDefaults()
	cfg.Log = cfg.Log.WithField("addr", d.Addr)
	orDuration(&d.MinBackoff, 100*time.Millisecond)
	orDuration(&d.MaxBackoff, time.Second)
	pause := d.MinBackoff
	failing := false // a repeated failure is logged when it begins
	for {
		var ready time.Time
		s, err := d.once(ctx, cfg, handle, func(*Session) { ready = time.Now() })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s != nil {
			failing = false
			if time.Since(ready) >= d.MaxBackoff {
				pause = d.MinBackoff
			}
		} else if !failing {
			failing = true
			cfg.Log.WithError(err).Warn("switch cannot be reached, trying again")
		}
		if !sleep(ctx, nil, pause-rand.N(pause/2+1)) {
			return ctx.Err()
		}
		pause = min(2*pause, d.MaxBackoff)
	}
}

// Dial makes one session and returns when it ended, with why.
func (d Dialer) Dial(ctx context.Context, handle Handle) error {
	_, err := d.once(ctx, d.Config.withDefaults(), handle, func(*Session) {})
	return err
}

func (d Dialer) once(ctx context.Context, cfg Config, handle Handle, opened func(*Session)) (*Session, error) {
	network := d.Network
	if network == "" {
		network = "tcp"
	}
	if network != "tcp" && network != "unix" {
		return nil, fmt.Errorf("dialling a switch over %q: %w", network, errors.ErrUnsupported)
	}
	nd := net.Dialer{Timeout: cfg.HandshakeTimeout}
	c, err := nd.DialContext(ctx, network, d.Addr)
	if err != nil {
		return nil, fmt.Errorf("dialling a switch: %w", err)
	}
	return run(ctx, c, dialled, cfg, handle, opened)
}
