package model

// Stamp stands for the state of one network: the network itself, its ports, where they are plugged, and
// its local VLANs. Two snapshots that hold the same Stamp of a network, by address, hold the same state
// of it, so that what was derived from one is right for the other.
type Stamp struct{ _ byte } // not of size zero, for which addresses could be equal

// StampOf returns the stamp of a network, nil if there is no such network.
func (m *Model) StampOf(network ID) *Stamp {
	s, _ := m.stamps.Get(network)
	return s
}

// touch gives a network a new stamp, unless it is not there (yet, or any more).
func (m *Model) touch(network ID) {
	if _, ok := m.Networks.Get(network); ok {
		m.stamps = m.stamps.With(network, new(Stamp))
	}
}
