package l2

import (
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Bind records that an interface of a port was seen on a host. The first port of a network there gives
// the network a local VLAN. A port that does not exist is a NotFound error:
// other software may use interface ids of its own.
func (o *Ops) Bind(tx *store.Tx, port model.ID, host, iface string) (*model.Plug, error) {
	p, ok := tx.Model().Ports.Get(port)
	if !ok {
		return nil, model.NotFoundError("Port", port)
	}
	g, seen := tx.Model().Plugs.Get(model.PlugKey(port, host))
	if seen && g.Iface == iface {
		return g, nil
	}
	next := model.Plug{Port: port, Network: p.Network, Host: host, Rev: tx.Rev(), Since: tx.Now()}
	if seen {
		next = *g // renamed, not moved: it stays as old as it is
	}
	next.Iface = iface
	if err := giveVLAN(tx, host, p.Network); err != nil {
		return nil, err
	}
	tx.Put(&next)
	return &next, nil
}

// giveVLAN makes sure that a network has a local VLAN on a host: the next free one after the one given
// last. br-int and br-tun learn of a change one after the other; a VLAN that was freed is not given
// again before both have long forgotten its network.
func giveVLAN(tx *store.Tx, host string, network model.ID) error {
	if _, has := tx.Model().VLAN(host, network); has {
		return nil
	}
	name := "vlan/" + host
	var last uint32
	if seq, ok := tx.Model().Sequences.Get(name); ok {
		last = uint32(seq.Last)
	}
	vlan, ok := nextFree([]SegmentRange{segmentLimits[model.TypeVLAN]}, last, func(vlan uint32) bool {
		_, used := tx.Model().NetworkOfVLAN(host, uint16(vlan))
		return !used
	})
	if !ok {
		return model.Errorf(model.Exhausted, "NoLocalVLANAvailable",
			"Host %s holds %d networks already, there is no local VLAN left for network %s.", host, segmentLimits[model.TypeVLAN].Last, network)
	}
	tx.Put(&model.Sequence{Name: name, Last: uint64(vlan)})
	tx.Put(&model.LocalVLAN{Host: host, Network: network, VLAN: uint16(vlan), Rev: tx.Rev()})
	return nil
}

// Unbind records that a port's interface is gone from a host. The last port of a network takes the
// local VLAN with it. A port that is not plugged there is no error.
func (o *Ops) Unbind(tx *store.Tx, port model.ID, host string) {
	if g, ok := tx.Model().Plugs.Get(model.PlugKey(port, host)); ok {
		unplug(tx, g)
	}
}

func unplug(tx *store.Tx, g *model.Plug) {
	tx.Delete(g)
	if len(tx.Model().PortsAt(g.Host, g.Network)) > 0 {
		return
	}
	if v, ok := tx.Model().VLANs.Get(model.VLANKey(g.Host, g.Network)); ok {
		tx.Delete(v)
	}
}
