package ovsdb

import (
	"context"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Timing of the connections a host opens, in ms. The default backoff of OVS is 8 s: a restart of Heddle would leave
// hosts alone for that long. 1 s is the least it takes (ovs-vswitchd.conf.db(5)).
const (
	maxBackoff      = 1000
	inactivityProbe = 10000
)

// tuneManager makes the host come back fast: it sets the timing of the manager that made this connection, where it is
// known. What the operator set to come back faster or to probe otherwise stays.
func (s *Session) tuneManager(ctx context.Context) error {
	st, err := s.current()
	if err != nil {
		return err
	}
	m := managerOf(st.Managers, s.local)
	if m == nil {
		return nil
	}
	row := ovsdb.Row{}
	if m.MaxBackoff < 0 || m.MaxBackoff > maxBackoff {
		row["max_backoff"] = maxBackoff
	}
	if m.InactivityProbe < 0 {
		row["inactivity_probe"] = inactivityProbe
	}
	if len(row) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.gate.opt.Setup)
	defer cancel()
	return s.transact(ctx, []ovsdb.Operation{update(tableManager, m.UUID, row)})
}

// managerOf returns the manager whose target is the address a host connected to, or the only one that connects at
// all (the address may have been translated on the way), or nil.
func managerOf(managers []Manager, local string) *Manager {
	var active []*Manager
	for i, m := range managers {
		method, _, _ := strings.Cut(m.Target, ":")
		if method != "tcp" && method != "ssl" {
			continue
		}
		active = append(active, &managers[i])
		if _, address, _, err := ParseTarget(m.Target); err == nil && address == local {
			return &managers[i]
		}
	}
	if len(active) == 1 {
		return active[0]
	}
	return nil
}
