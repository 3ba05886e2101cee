package controller

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
)

// targetOVSDB names the OVSDB among a host's targets; bridges go by their own names.
const targetOVSDB = "ovsdb"

// ServeHost owns the session of a host's OVSDB until it ends. It is an [ovsdb.Handler]. The host joins
// by this: what it says of itself makes it known.
func (c *Controller) ServeHost(ctx context.Context, s *ovsdb.Session) {
	c.serveHost(ctx, s, "")
}

// ServeDialledHost is the [ovsdb.Handler] of an OVSDB that Heddle dials because a host names it.
func (c *Controller) ServeDialledHost(name string) ovsdb.Handler {
	return func(ctx context.Context, s *ovsdb.Session) { c.serveHost(ctx, s, name) }
}

func (c *Controller) serveHost(ctx context.Context, s *ovsdb.Session, name string) {
	log := c.cfg.Log.WithField("remote", s.RemoteAddr())
	named := name != ""
	h, err := c.join(ctx, s, name)
	if err != nil {
		if ctx.Err() == nil {
			log.WithError(err).Error("host cannot join")
		}
		return
	}
	defer c.release(h.name, s)
	d := &database{h: h, session: s, named: named}
	d.loop = reconcile.NewLoop[row.Key, row.Row](rowTarget{s, d}, d.want)
	d.loop.Resync = c.cfg.Resync
	d.loop.Report = d.reporter()
	h.open(d)
	defer h.closed(d)
	c.takeOver(ctx, d)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { d.follow(ctx) })
	_ = d.loop.Run(ctx) // ends with the session
	cancel()
	wg.Wait()
}

// reporter reports the passes of the database's loop.
func (d *database) reporter() func(reconcile.Result[row.Key, row.Row]) {
	report := newReporter(d.h, targetOVSDB, d.h.log, rowText, rowObject).report
	var known map[string]bool // ports of br-int that the pass before knew
	return func(r reconcile.Result[row.Key, row.Row]) {
		// An interface that other software plugged is put on the dead VLAN; nobody altered anything.
		maps.DeleteFunc(r.Drift.Delete, func(k row.Key, _ row.Row) bool { return k.Kind == row.KindTag && !known[k.Name] })
		report(r)
		if r.Err == nil {
			known = d.current.plugs
		}
	}
}

// join waits until the host has a name of its own, stores what it says, and returns the running host.
// The name is the session's until release.
func (c *Controller) join(ctx context.Context, s *ovsdb.Session, name string) (h *host, err error) {
	if name, err = c.awaitName(ctx, s, name); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.release(name, s)
		}
	}()
	if err := c.cfg.Facts.Said(ctx, name, said(s.Identity())); err != nil {
		return nil, err
	}
	for {
		changed := c.ownersChanged()
		if h := c.host(name); h != nil {
			return h, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// follow stores what the host says and plans anew whenever its OVSDB changes.
func (d *database) follow(ctx context.Context) {
	settle := time.NewTimer(0) // for tunnels that were just made
	defer settle.Stop()
	for {
		changed := d.session.Changed()
		if name := d.session.Identity().Name; !d.named && name != d.h.name {
			d.h.log.WithField("name", name).Warn("the host calls itself otherwise now; it joins anew")
			_ = d.session.Close()
			return
		}
		if err := d.h.c.cfg.Facts.Said(ctx, d.h.name, said(d.session.Identity())); err != nil && ctx.Err() == nil {
			d.h.log.WithError(err).Warn("what the host says cannot be stored; tried again with its next change")
		}
		d.h.c.notice()
		d.read.Store(true)
		d.h.wake()
		for waiting := true; waiting; {
			if again := d.noteTunnels(time.Now().UTC()); !again.IsZero() {
				settle.Reset(time.Until(again))
			}
			select {
			case <-ctx.Done():
				return
			case <-d.session.Done():
				return
			case <-settle.C:
			case <-changed:
				waiting = false
			}
		}
	}
}

// errSameName is why a host has to wait: two machines that call themselves the same would take each
// other's place for ever.
var errSameName = errors.New("another machine with this name is connected: give each its own external_ids:hostname")

var errNoName = errors.New("host has no name: set external_ids:hostname or system-id in its Open_vSwitch table")

// claimAgain is how often a host tries to get a name that another machine holds. It is longer than a
// machine takes to connect again, so that the holder does not lose its name by a short absence.
const claimAgain = 30 * time.Second

// awaitName waits until the host has a name that no other machine holds: the one given or, without one,
// what it calls itself. What it waits for is told once.
func (c *Controller) awaitName(ctx context.Context, s *ovsdb.Session, given string) (string, error) {
	log := c.cfg.Log.WithField("remote", s.RemoteAddr())
	var told, refused string
	for {
		changed := s.Changed()
		name := given
		if name == "" {
			name = s.Identity().Name
		}
		err := errNoName
		if name != "" {
			err = c.claim(name, s)
		}
		if err == nil {
			return name, nil
		}
		if err.Error() != told || name != refused {
			told, refused = err.Error(), name
			log.WithError(err).WithField("host", name).Error("host cannot join yet")
			if name != "" {
				c.cfg.Events.Append(name, event.HostRefused{Remote: s.RemoteAddr(), Cause: err.Error()})
			}
		}
		again := time.NewTimer(claimAgain)
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.Done():
			err = s.Err()
		case <-changed:
			err = nil
		case <-again.C:
			err = nil
		}
		again.Stop()
		if err != nil {
			return "", err
		}
	}
}

// claim gives a session a host's name, unless a session of another machine has it.
func (c *Controller) claim(name string, s *ovsdb.Session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if holder := c.names[name]; holder != nil && holder.Err() == nil && !sameMachine(holder, s) {
		return errSameName
	}
	c.names[name] = s
	return nil
}

// release gives a name back, if the session still has it.
func (c *Controller) release(name string, s *ovsdb.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names[name] == s {
		delete(c.names, name)
	}
}

// open makes d the host's OVSDB. An older session of the same machine is closed.
func (h *host) open(d *database) {
	h.mu.Lock()
	old := h.db
	h.db = d
	h.mu.Unlock()
	if old != nil {
		h.log.WithError(errReplaced).Info("older OVSDB session closed")
		_ = old.session.Close()
	}
	id := d.session.Identity()
	h.c.board.connected(h.name, targetOVSDB, true)
	h.c.cfg.Events.Append(h.name, event.HostUp{Remote: d.session.RemoteAddr(), OVS: id.OVSVersion, Problems: problems(id)})
	h.log.WithField("remote", d.session.RemoteAddr()).Info("host connected")
}

// sameMachine reports whether two sessions can be of one machine: they give the same system-id or, if
// one gives none, come from the same address.
func sameMachine(a, b *ovsdb.Session) bool {
	if x, y := a.Identity().SystemID, b.Identity().SystemID; x != "" && y != "" {
		return x == y
	}
	x, _, _ := net.SplitHostPort(a.RemoteAddr())
	y, _, _ := net.SplitHostPort(b.RemoteAddr())
	return x == y
}

// takeOver takes what is this machine's from hosts of other names: it was renamed. Their sessions of its
// bridges end, so that these connect again and find their new owner, and what was plugged there is
// forgotten once it is known here.
func (c *Controller) takeOver(ctx context.Context, d *database) {
	mine := map[of.DPID]bool{}
	for _, b := range d.session.State().Bridges {
		mine[b.DPID] = true
	}
	c.mu.Lock()
	others := slices.Collect(maps.Values(c.hosts))
	c.mu.Unlock()
	for _, h := range others {
		db := h.database()
		if h == d.h || db != nil && db.session.Err() == nil && !sameMachine(db.session, d.session) {
			continue
		}
		renamed := false
		for _, b := range h.connected() {
			if mine[b.sw.DPID()] {
				b.log.WithField("name", d.h.name).Info("bridge is another host's now")
				_ = b.sw.Close()
				renamed = true
			}
		}
		if !renamed {
			continue
		}
		d.h.storeFacts(ctx, d.h.look())
		if err := c.cfg.Facts.Plugged(ctx, h.name, nil); err != nil && ctx.Err() == nil {
			h.log.WithError(err).Warn("ports of a renamed host stay plugged under its old name too; delete that host")
		}
	}
}

func (h *host) closed(d *database) {
	h.mu.Lock()
	current := h.db == d
	if current {
		h.db = nil
	}
	h.mu.Unlock()
	if !current {
		return
	}
	err := d.session.Err()
	if err == nil {
		err = errors.New("shut down")
	}
	h.c.board.connected(h.name, targetOVSDB, false)
	h.c.cfg.Events.Append(h.name, event.HostDown{Cause: err.Error()})
	h.log.WithField("cause", err.Error()).Info("host disconnected")
	h.wake()
}

// openFlowTarget is how the bridges of a host reach Heddle: at the address that its OVSDB is told to
// connect to, which may be that of something between us, or else the one that its connection came to.
func (c *Controller) openFlowTarget(s *ovsdb.Session) string {
	scheme := "tcp:"
	if c.cfg.OpenFlowTLS {
		scheme = "ssl:"
	}
	at, _, err := net.SplitHostPort(s.LocalAddr())
	if err != nil {
		return "" // a socket of this machine tells nothing
	}
	if manager, only := connectedManager(s.State().Managers); only {
		at = manager
	}
	return scheme + net.JoinHostPort(at, strconv.Itoa(c.cfg.OpenFlowPort))
}

// connectedManager returns the address of the manager that a host is connected to, if there is one and
// only one.
func connectedManager(managers []ovsdb.Manager) (address string, only bool) {
	n := 0
	for _, m := range managers {
		network, hostPort, _, err := ovsdb.ParseTarget(m.Target)
		if !m.Connected || err != nil || network != "tcp" {
			continue
		}
		if at, _, err := net.SplitHostPort(hostPort); err == nil {
			address, n = at, n+1
		}
	}
	return address, n == 1
}

func problems(id ovsdb.Identity) []string {
	var out []string
	for _, p := range id.Problems {
		out = append(out, p.Error())
	}
	return out
}
