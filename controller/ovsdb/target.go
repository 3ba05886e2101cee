package ovsdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
)

var _ reconcile.Target[row.Key, row.Row] = (*Session)(nil)

// markKey is the key of external_ids by which Heddle knows what it may change, in the rows of bridges, ports and
// controllers. What it made itself has markCreated and is deleted when it is not wanted any more; what it found under
// a name it needed has markAdopted and is only let go.
const (
	markKey     = "heddle"
	markCreated = "created"
	markAdopted = "adopted"
)

// markBFD is the key of a tunnel port's external_ids that says that its BFD session is Heddle's. A session without
// it is somebody else's, and is neither changed nor ended while Heddle wants none.
const (
	markBFD   = "heddle-bfd"
	markBFDOn = "on"
)

// Actual returns the rows of Heddle that the database holds: bridges, ports and controllers with its mark, and the
// tags of all ports on br-int that have an iface-id and are not on the dead VLAN yet. It errs when the session has
// ended: what the host has then is not known.
func (s *Session) Actual(context.Context) (map[row.Key]row.Row, error) {
	st, err := s.current()
	if err != nil {
		return nil, fmt.Errorf("rows of the host: %w", err)
	}
	return actual(st), nil
}

// Equal reports whether a row that was found is as wanted.
func (s *Session) Equal(want, have row.Row) bool { return row.Equal(want, have) }

func actual(st *State) map[row.Key]row.Row {
	have := map[row.Key]row.Row{}
	for _, b := range st.Bridges {
		if b.ExternalIDs[markKey] != "" {
			have[row.Key{Kind: row.KindBridge, Name: b.Name}] = foundBridge(b)
		}
		for _, p := range b.Ports {
			if p.ExternalIDs[markKey] != "" {
				have[row.Key{Kind: row.KindPort, Name: p.Name}] = foundPort(p)
			}
		}
	}
	for _, p := range st.Plugged(row.IntBridge) {
		if tag := foundTag(st.Port(p.Port), p); tag.VLAN != row.DeadVLAN {
			have[tag.Key()] = tag
		}
	}
	return have
}

func foundBridge(b *Bridge) row.Bridge {
	r := row.Bridge{Name: b.Name, FailMode: b.FailMode, Protocols: b.Protocols, OtherConfig: b.OtherConfig}
	if r.FailMode == "" {
		r.FailMode = "standalone" // ovs-vswitchd.conf.db(5), Bridge, fail_mode
	}
	if b.ExternalIDs[markKey] == markCreated {
		r.DatapathType = datapathType(b.DatapathType)
	}
	for _, c := range b.Controllers {
		if c.ExternalIDs[markKey] != "" {
			r.Controllers = append(r.Controllers, foundController(c))
		}
	}
	return r
}

// datapathType returns the name of a datapath type: "" is written for the kernel's.
func datapathType(s string) string {
	if s == "" {
		return "system"
	}
	return s
}

// foundController returns the target of a controller, with a remark if its settings are not Heddle's.
func foundController(c Controller) string {
	if len(controllerFix(c)) == 0 {
		return c.Target
	}
	return fmt.Sprintf("%s (%s, max_backoff %d, inactivity_probe %d)", c.Target, c.ConnectionMode, c.MaxBackoff, c.InactivityProbe)
}

// controllerSettings returns the columns of a controller that leads to Heddle. Out of band: in-band control would put
// hidden flows into the bridge, for a path that does not lead over it.
func controllerSettings() ovsdb.Row {
	return ovsdb.Row{"connection_mode": "out-of-band", "max_backoff": maxBackoff, "inactivity_probe": inactivityProbe}
}

// controllerFix returns the columns of a controller that must change.
func controllerFix(c Controller) ovsdb.Row {
	fix := controllerSettings()
	for column, have := range map[string]any{
		"connection_mode": c.ConnectionMode, "max_backoff": c.MaxBackoff, "inactivity_probe": c.InactivityProbe,
	} {
		if fix[column] == have {
			delete(fix, column)
		}
	}
	return fix
}

// foundPort reads a port as the patch or tunnel it is, if it is exactly as Heddle writes one.
func foundPort(p *Port) row.Row {
	odd := row.Port{Bridge: p.Bridge, Name: p.Name}
	if len(p.Interfaces) != 1 {
		odd.Type = "bond"
		return odd
	}
	i := p.Interfaces[0]
	odd.Type, odd.Options = i.Type, optionsText(i.Options)
	var r row.Row
	if i.Type == "patch" {
		r = row.Patch{Bridge: p.Bridge, Name: p.Name, Peer: i.Options["peer"]}
	} else {
		local, remote := i.TunnelTo()
		r = row.Tunnel{Bridge: p.Bridge, Name: p.Name, Type: i.Type, Local: local, Remote: remote}
	}
	if row.Check(r) != nil {
		return odd
	}
	if t, is := r.(row.Tunnel); is && p.ExternalIDs[markBFD] != "" {
		t.Probe = row.ProbeOf(i.BFD)
		r = t
	}
	if _, options := interfaceOf(r); !maps.Equal(options, i.Options) {
		return odd
	}
	return r
}

func optionsText(m map[string]string) string {
	var kvs []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		kvs = append(kvs, k+"="+m[k])
	}
	return strings.Join(kvs, ", ")
}

// interfaceOf returns Interface.type and Interface.options of a patch or tunnel.
func interfaceOf(r row.Row) (typ string, options map[string]string) {
	switch r := r.(type) {
	case row.Patch:
		return "patch", map[string]string{"peer": r.Peer}
	case row.Tunnel:
		return r.Type, r.Options()
	}
	return "", nil
}

func foundTag(p *Port, plug Plug) row.Tag {
	t := row.Tag{Port: p.Name, VLAN: p.Tag, IfaceID: plug.IfaceID}
	if !isAccess(p.VLANMode) {
		t.VLAN = 0
	}
	return t
}

// isAccess reports whether a port with a tag and this vlan_mode is an access port (ovs-vswitchd.conf.db(5), Port).
func isAccess(mode string) bool { return mode == "" || mode == "access" }

// guardRetries is how often Apply plans anew when the database changed under it.
const guardRetries = 3

// Apply writes a change in one transaction. Rows that cannot be written, because their name is someone else's, are
// left out and reported in the error. If the host refuses the transaction, each row is tried alone, so that one bad
// row does not hold up the others. Apply returns once the database has committed, whether ovs-vswitchd runs or not.
func (s *Session) Apply(ctx context.Context, c reconcile.Change[row.Key, row.Row]) error {
	for attempt := 1; ; attempt++ {
		err := s.apply(ctx, c)
		if !errors.Is(err, errGuard) || attempt == guardRetries {
			return err
		}
	}
}

func (s *Session) apply(ctx context.Context, c reconcile.Change[row.Key, row.Row]) error {
	st, err := s.current()
	if err != nil {
		return fmt.Errorf("rows of the host: %w", err)
	}
	steps, refused := plan(st, c)
	var ops []ovsdb.Operation
	for _, step := range steps {
		ops = append(ops, step.ops...)
	}
	if len(ops) == 0 {
		return refused
	}
	err = s.transact(ctx, ops)
	if err == nil || len(steps) == 1 || errors.Is(err, errGuard) || s.Err() != nil || ctx.Err() != nil {
		return errors.Join(err, refused)
	}
	errs := []error{refused}
	for _, step := range steps {
		if err := s.transact(ctx, step.ops); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", step.key, err))
		}
	}
	return errors.Join(errs...)
}
