package ovsdb

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// DefaultPort is the port of OVSDB (RFC 7047 §9).
const DefaultPort = "6640"

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
func (d *Dialer) Run(ctx context.Context, handle Handler) error {
	network, address, secure, err := ParseTarget(d.Target)
	if err != nil {
		return err
	}
	if secure && d.TLS == nil {
		return fmt.Errorf("target %s: no certificates given", d.Target)
	}
	least, most := d.MinBackoff, d.MaxBackoff
	if least <= 0 {
		least = 100 * time.Millisecond
	}
	if most <= 0 {
		most = 5 * time.Second
	}
	log := d.Log.WithField("remote", d.Target)
	pause, failed := least, ""
	for ctx.Err() == nil {
		s, err := d.dial(ctx, network, address, secure)
		if err == nil {
			if failed != "" {
				log.Info("host reached again")
			}
			pause, failed = least, ""
			s.serve(ctx, handle)
		} else if ctx.Err() == nil && err.Error() != failed {
			failed = err.Error()
			log.WithError(err).Warn("cannot reach host, trying again")
		}
		wait(ctx, pause)
		if err != nil {
			pause = min(2*pause, most)
		}
	}
	return nil
}

func (d *Dialer) dial(ctx context.Context, network, address string, secure bool) (*Session, error) {
	opt := d.Options.withDefaults()
	dialCtx, cancel := context.WithTimeout(ctx, opt.Setup)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(dialCtx, network, address)
	if err != nil {
		return nil, err
	}
	if secure {
		cfg := d.TLS
		if cfg.ServerName == "" {
			host, _, _ := net.SplitHostPort(address) // ParseTarget made it
			cfg = cfg.Clone()
			cfg.ServerName = host
		}
		conn = tls.Client(conn, cfg)
	}
	return newSession(ctx, conn, opt)
}

// ParseTarget reads an active connection method of ovsdb(7): "tcp:HOST[:PORT]", "ssl:HOST[:PORT]" or "unix:PATH",
// where an IPv6 HOST stands in brackets and PORT defaults to 6640.
func ParseTarget(target string) (network, address string, secure bool, err error) {
	method, rest, ok := strings.Cut(target, ":")
	switch {
	case !ok || rest == "":
	case method == "unix":
		return "unix", rest, false, nil
	case method == "tcp" || method == "ssl":
		host, port, err := net.SplitHostPort(rest)
		if err != nil {
			if host, port, err = net.SplitHostPort(rest + ":" + DefaultPort); err != nil {
				break
			}
		}
		if host == "" || port == "" {
			break
		}
		return "tcp", net.JoinHostPort(host, port), method == "ssl", nil
	}
	return "", "", false, fmt.Errorf("target %q is not tcp:HOST:PORT, ssl:HOST:PORT or unix:PATH", target)
}
