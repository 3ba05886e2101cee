package controller

import (
	"fmt"
	"maps"
	"sync"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// leases are what the DHCP servers of hosts have given out, by host, as agents told last.
type leases struct {
	mu sync.Mutex
	of map[string][]spec.Lease // a list is replaced, never changed
}

// TakeLeases notes which leases the DHCP servers of a host have given out: all of them.
func (c *Controller) TakeLeases(hostName string, all []spec.Lease) error {
	if c.host(hostName) == nil {
		return fmt.Errorf("%w: %s", ErrUnknownHost, hostName)
	}
	c.leases.mu.Lock()
	defer c.leases.mu.Unlock()
	c.leases.of[hostName] = all
	return nil
}

// Leases returns what the DHCP servers of all hosts have given out, by host. The lists must not be changed.
func (c *Controller) Leases() map[string][]spec.Lease {
	c.leases.mu.Lock()
	defer c.leases.mu.Unlock()
	return maps.Clone(c.leases.of)
}

// forget drops the leases of a host that is gone.
func (l *leases) forget(hostName string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, hostName)
}
