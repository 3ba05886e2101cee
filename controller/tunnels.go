package controller

import (
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// tunnelGrace is how many probes a tunnel that was just made may take until it counts as down: both ends
// set up their sessions, and agree, first (RFC 5880 §6.2). It is at least leastGrace, since Open vSwitch
// sends no more than one probe a second until they have.
const (
	tunnelGrace = 5
	leastGrace  = 5 * time.Second
)

// noteTunnels takes over what a host's OVSDB tells of its tunnels, and tells what changed. It returns when
// to look again though nothing changes, zero for never.
func (d *database) noteTunnels(now time.Time) (again time.Time) {
	c := d.h.c
	before := c.board.view()[d.h.name].Tunnels
	tunnels, again := readTunnels(d.session.State(), before, now)
	if maps.Equal(tunnels, before) {
		return again
	}
	c.board.change(d.h.name, func(h *status.Host) { h.Tunnels = tunnels })
	for _, name := range slices.Sorted(maps.Keys(tunnels)) {
		was, is := before[name], tunnels[name]
		if was.State == is.State || is.State == status.TunnelUnknown {
			continue
		}
		d.tunnelChanged(name, was, is)
	}
	return again
}

// tunnelChanged tells of a tunnel that came up, or went down.
func (d *database) tunnelChanged(name string, was, is status.Tunnel) {
	c := d.h.c
	p, ok := d.path(name)
	if !ok {
		return // it is about to be removed
	}
	log := d.h.log.WithFields(logrus.Fields{"tunnel": name, "to": p.To})
	switch {
	case is.State == status.TunnelDown && p.State != status.TunnelDown:
		// The other end may not be watched; nothing is known.
	case is.State == status.TunnelDown:
		c.cfg.Events.Append(d.h.name, event.TunnelDown{Interface: name, Type: string(p.Type), To: p.To, Remote: p.Remote.String(), Cause: p.Msg})
		log.WithField("cause", p.Msg).Warn("tunnel is down")
	case was.State == status.TunnelDown:
		c.cfg.Events.Append(d.h.name, event.TunnelUp{Interface: name, Type: string(p.Type), To: p.To, Remote: p.Remote.String(), DownMillis: is.Since.Sub(was.Since).Milliseconds()})
		log.Info("tunnel is up again")
	}
}

// path finds the tunnel that a port of the host is for.
func (d *database) path(name string) (status.Path, bool) {
	m := d.h.c.cfg.Store.Snapshot()
	from, ok := m.Hosts.Get(d.h.name)
	if !ok {
		return status.Path{}, false
	}
	paths := d.h.c.board.view().Paths(m, from)
	i := slices.IndexFunc(paths, func(p status.Path) bool { return p.Interface == name })
	if i < 0 {
		return status.Path{}, false
	}
	return paths[i], true
}

// readTunnels returns how the tunnels of a host are, by interface, and when to look again for those that
// were just made; before is how they were.
func readTunnels(st *ovsdb.State, before map[string]status.Tunnel, now time.Time) (tunnels map[string]status.Tunnel, again time.Time) {
	tunnels = map[string]status.Tunnel{}
	tun := st.Bridge(row.TunBridge)
	if tun == nil {
		return tunnels, time.Time{}
	}
	mtus := map[string]int{}
	for _, p := range tun.Ports {
		for _, i := range p.Interfaces {
			if !model.NetworkType(i.Type).Tunnel() {
				continue
			}
			was, known := before[i.Name]
			t := readTunnel(i, was, known, now)
			mtu, has := mtus[t.Egress]
			if !has {
				mtu = carriedBy(st, t.Egress)
				mtus[t.Egress] = mtu
			}
			t.MTU = mtu
			tunnels[i.Name] = t
			if t.Starting {
				until := t.Since.Add(grace(i))
				if again.IsZero() || until.Before(again) {
					again = until
				}
			}
		}
	}
	return tunnels, again
}

func readTunnel(i *ovsdb.Interface, was status.Tunnel, known bool, now time.Time) status.Tunnel {
	t := status.Tunnel{State: status.TunnelUnknown, Err: i.Error, Egress: i.Status["tunnel_egress_iface"], Carrier: i.Status["tunnel_egress_iface_carrier"] == "up"}
	t.Watched = i.BFD["enable"] == "true"
	since := now
	switch state := i.BFDStatus["state"]; {
	case !t.Watched:
	case state == "up":
		t.State = status.TunnelUp
	case !known || !was.Watched:
		t.Starting = true
	case was.Starting && now.Before(was.Since.Add(grace(i))):
		t.Starting, since = true, was.Since
	default:
		t.State, t.Hears = status.TunnelDown, state == "init"
		if was.Starting {
			since = was.Since
		}
	}
	t.Since = since
	if known && was.State == t.State && was.Starting == t.Starting && was.Watched == t.Watched {
		t.Since = was.Since
	}
	return t
}

// grace is how long a session may take to begin.
func grace(i *ovsdb.Interface) time.Duration {
	return max(leastGrace, tunnelGrace*row.ProbeOf(i.BFD))
}

// carriedBy is the MTU of an interface of the host and of what is behind it: if it is of a bridge, the least
// of the bridge and of the physical ports on it. 0 says that it is not known.
func carriedBy(st *ovsdb.State, name string) int {
	if name == "" {
		return 0
	}
	i := st.Interface(name)
	if i == nil || i.MTU == 0 {
		return 0
	}
	mtu := i.MTU
	b := st.Bridge(i.Bridge)
	if b == nil || i.Name != b.Name {
		return mtu
	}
	for _, p := range b.Ports {
		for _, other := range p.Interfaces {
			if other.Type == "" && other.MTU != 0 && other.ExternalIDs["iface-id"] == "" {
				mtu = min(mtu, other.MTU)
			}
		}
	}
	return mtu
}
