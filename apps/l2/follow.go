package l2

import (
	"net/netip"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Follower is a feature whose objects depend on those of this package: a floating IP on the port it is
// given to, a router on its legs, a DHCP server on subnets. Its functions are called inside the
// transaction, once the change is made; an error undoes all of it. A nil function is not called.
type Follower struct {
	// MayChangePort decides about what a user asks for: to make a port (before is nil), to change it, or
	// to remove it (after is nil). It is called before the change is made, and not for what the object
	// does that the port belongs to.
	MayChangePort func(tx *store.Tx, before, after *model.Port) error
	// PortChanged follows every change and, with after nil, every removal of a port.
	PortChanged func(tx *store.Tx, before, after *model.Port) error
	// SubnetsChanged follows changes of a network's subnets; the network may be gone with them.
	SubnetsChanged func(tx *store.Tx, network model.ID) error
	// NetworkLeaves is called before it is looked whether a network that is to be removed is in use.
	NetworkLeaves func(tx *store.Tx, n *model.Network) error
	// HostChanged follows changes of a host; before is nil if it joined, after is nil if it was removed.
	HostChanged func(tx *store.Tx, before, after *model.Host) error
}

// Follow adds a follower; the followers are called in the order in which they were added. It must not
// be called any more once transactions run.
func (o *Ops) Follow(f Follower) { o.followers = append(o.followers, f) }

func (o *Ops) mayChangePort(tx *store.Tx, before, after *model.Port) error {
	for _, f := range o.followers {
		if f.MayChangePort == nil {
			continue
		}
		if err := f.MayChangePort(tx, before, after); err != nil {
			return err
		}
	}
	return nil
}

func (o *Ops) portChanged(tx *store.Tx, before, after *model.Port) error {
	for _, f := range o.followers {
		if f.PortChanged == nil {
			continue
		}
		if err := f.PortChanged(tx, before, after); err != nil {
			return err
		}
	}
	return nil
}

func (o *Ops) subnetsChanged(tx *store.Tx, network model.ID) error {
	for _, f := range o.followers {
		if f.SubnetsChanged == nil {
			continue
		}
		if err := f.SubnetsChanged(tx, network); err != nil {
			return err
		}
	}
	return nil
}

func (o *Ops) networkLeaves(tx *store.Tx, n *model.Network) error {
	for _, f := range o.followers {
		if f.NetworkLeaves == nil {
			continue
		}
		if err := f.NetworkLeaves(tx, n); err != nil {
			return err
		}
	}
	return nil
}

func (o *Ops) hostChanged(tx *store.Tx, before, after *model.Host) error {
	for _, f := range o.followers {
		if f.HostChanged == nil {
			continue
		}
		if err := f.HostChanged(tx, before, after); err != nil {
			return err
		}
	}
	return nil
}

// NewID returns a random UUID (RFC 9562 version 4) for an object of a follower.
func (o *Ops) NewID() (model.ID, error) { return o.newID() }

// FirstFree returns the first address of a subnet's pools that no port has, and whether there is one.
func FirstFree(m *model.Model, s *model.Subnet) (netip.Addr, bool) {
	for _, r := range s.Pools {
		for a := r.First; r.Contains(a); a = a.Next() {
			if _, used := m.AddressUser(s.ID, a); !used {
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}
