// Package maclearn is the view of MAC addresses that switches learned by themselves, folded from what
// their flow monitors report.
package maclearn

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Bridge names a bridge of a host.
type Bridge struct{ Host, Name string }

// Entry is one learned address.
type Entry struct {
	Bridge
	VLAN  uint16 // local to the host
	MAC   of.MAC
	Port  of.PortNo // where it is
	Since time.Time // when it was learned there
}

type key struct {
	vlan uint16
	mac  of.MAC
}

// View holds what is learned now. The zero View is not ready; use New.
type View struct {
	now func() time.Time

	mu      sync.Mutex
	learned map[Bridge]map[key]Entry
}

// New returns an empty view that reads the time from now.
func New(now func() time.Time) *View { return &View{now: now, learned: map[Bridge]map[key]Entry{}} }

// Learn notes that an address is behind a port. It reports whether that is news, and whether the
// address was behind another port before.
func (v *View) Learn(b Bridge, vlan uint16, mac of.MAC, port of.PortNo) (news, moved bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	table := v.learned[b]
	if table == nil {
		table = map[key]Entry{}
		v.learned[b] = table
	}
	old, had := table[key{vlan, mac}]
	if had && old.Port == port {
		return false, false
	}
	table[key{vlan, mac}] = Entry{Bridge: b, VLAN: vlan, MAC: mac, Port: port, Since: v.now().UTC()}
	return true, had
}

// Forget notes that the bridge no longer knows an address; it reports whether it did.
func (v *View) Forget(b Bridge, vlan uint16, mac of.MAC) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, had := v.learned[b][key{vlan, mac}]
	delete(v.learned[b], key{vlan, mac})
	return had
}

// Reset forgets all of a bridge: its connection is new, and what it knows is about to be told.
func (v *View) Reset(b Bridge) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.learned, b)
}

// List returns everything learned, by host, bridge, VLAN and address.
func (v *View) List() []Entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []Entry
	for _, table := range v.learned {
		for _, e := range table {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Name, b.Name), cmp.Compare(a.VLAN, b.VLAN), slices.Compare(a.MAC[:], b.MAC[:]))
	})
	return out
}
