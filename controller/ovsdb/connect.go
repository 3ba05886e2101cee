package ovsdb

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/sirupsen/logrus"
)

// Options are the settings of sessions. Zero values stand for the defaults.
type Options struct {
	// Probe is how long a host may be silent before it is sent an echo; after three times as long its session
	// ends with ErrSilent. Default 5 s.
	Probe time.Duration
	// Setup is how long a connection may take to become a session: TLS, schema and first read. Default 15 s.
	Setup time.Duration
	// MaxMessage is the size in bytes of the largest message a host may send. Default 32 MiB, about the first
	// read of 40,000 ports.
	MaxMessage int
}

// Listener takes the connections of hosts whose manager Heddle is ("ovs-vsctl set-manager tcp:HEDDLE:6640").
type Listener struct {
	Listener net.Listener
	TLS      *tls.Config // nil for plain TCP; else hosts must use ssl: managers
	Options  Options
	// MaxSessions bounds the connections, MaxSetups those of them that are not sessions yet. More are closed at
	// once. Defaults 4096 and 64.
	MaxSessions, MaxSetups int
	Log                    *logrus.Entry
}

// Serve accepts connections until ctx ends and calls handle for each that became a session, in a goroutine of its
// own. The session is closed when handle returns. Serve returns when all is closed and every handle has returned:
// with nil after ctx ended, with an error when the listener broke.
func (l *Listener) Serve(ctx context.Context, handle Handler) error { return nil }

// Dialer keeps a connection to a host whose database listens ("ovs-vsctl set-manager ptcp:6640").
type Dialer struct {
	Target  string      // "tcp:192.0.2.7:6640", "ssl:…" or "unix:/run/openvswitch/db.sock", as in ovsdb(7)
	TLS     *tls.Config // for ssl:
	Options Options
	// MinBackoff and MaxBackoff bound the pause between two attempts, which doubles from one to the other.
	// Defaults 100 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	Log                    *logrus.Entry
}

// Run connects, calls handle with the session and connects again when the session has ended, until ctx ends. It
// returns nil then, and an error at once when Target makes no sense.
func (d *Dialer) Run(ctx context.Context, handle Handler) error { return nil }
