package ofconn

import (
	"fmt"
	"sync"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// portTable is the ports of a switch: PORT_DESC, kept current by PORT_STATUS.
// Both come on the connection that carries the flows, so what it says is never
// ahead of what a dump or a change sees, nor behind.
type portTable struct {
	mu      sync.Mutex
	byNo    map[of.PortNo]of.Port
	early   []wire.PortStatus  // came before the description was whole
	named   map[string]of.Port // made when asked for; nil after a change
	whole   bool
	changed chan struct{}
}

// maxEarly bounds the changes that a switch may report while it describes its
// ports; it has at most 65,280 of them.
const maxEarly = 1 << 17

func (p *portTable) init() { p.changed = make(chan struct{}) }

// Ports returns the ports of the switch by name, LOCAL included, whose name is
// the bridge's. The map is a snapshot: it never changes and must not be written.
func (s *Session) Ports() map[string]of.Port { return s.ports.snapshot() }

// PortsChanged returns a channel that is closed at the next change of the
// ports. To miss none, ask for it before [Session.Ports].
func (s *Session) PortsChanged() <-chan struct{} {
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	return s.ports.changed
}

func (p *portTable) snapshot() map[string]of.Port {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.named == nil {
		// Built only when somebody looks, so that a thousand changes in a row
		// do not copy a thousand maps.
		p.named = make(map[string]of.Port, len(p.byNo))
		for _, port := range p.byNo {
			p.named[port.Name] = port
		}
	}
	return p.named
}

// describe replaces the table by a whole description. Changes that came while
// it was on its way are applied again: those it holds already change nothing.
func (p *portTable) describe(ports []of.Port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byNo = make(map[of.PortNo]of.Port, len(ports))
	for _, port := range ports {
		p.byNo[port.No] = port
	}
	for _, st := range p.early {
		p.applyLocked(st)
	}
	p.early, p.whole = nil, true
	p.touchLocked()
}

// update applies one change.
func (p *portTable) update(st wire.PortStatus) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.whole {
		if len(p.early) >= maxEarly {
			return fmt.Errorf("more than %d port changes before the ports", maxEarly)
		}
		p.early = append(p.early, st)
		return nil
	}
	p.applyLocked(st)
	p.touchLocked()
	return nil
}

func (p *portTable) applyLocked(st wire.PortStatus) {
	if st.Reason == wire.PortDeleted {
		delete(p.byNo, st.Port.No)
		return
	}
	p.byNo[st.Port.No] = st.Port
}

func (p *portTable) touchLocked() {
	p.named = nil
	close(p.changed)
	p.changed = make(chan struct{})
}
