package l2

import (
	"reflect"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// SetHostSaid records what a host says of itself, and so makes it known. To hear the same again
// changes nothing.
func (o *Ops) SetHostSaid(tx *store.Tx, name string, said model.HostSettings) (*model.Host, error) {
	return o.changeHost(tx, name, func(h *model.Host) { h.Said = said })
}

// PutHost records all that an operator says of a host, in place of what was said before, and so makes
// it known.
func (o *Ops) PutHost(tx *store.Tx, name string, put HostPut) (*model.Host, error) {
	if err := checkSettings(put.Override); err != nil {
		return nil, err
	}
	return o.changeHost(tx, name, func(h *model.Host) {
		h.Override, h.OVSDB, h.OpenFlow, h.Bridges, h.Drained = put.Override, put.OVSDB, put.OpenFlow, put.Bridges, put.Drained
	})
}

// OverrideHost replaces the settings by which an operator contradicts a host.
func (o *Ops) OverrideHost(tx *store.Tx, name string, override model.HostSettings) (*model.Host, error) {
	if _, ok := tx.Model().Hosts.Get(name); !ok {
		return nil, model.NotFoundError("Host", model.ID(name))
	}
	if err := checkSettings(override); err != nil {
		return nil, err
	}
	return o.changeHost(tx, name, func(h *model.Host) { h.Override = override })
}

// SetAgent records whether a host's node agent reports. A host that is gone has none.
func (o *Ops) SetAgent(tx *store.Tx, name string, state model.AgentState) error {
	if _, ok := tx.Model().Hosts.Get(name); !ok {
		return nil
	}
	_, err := o.changeHost(tx, name, func(h *model.Host) { h.Agent = state })
	return err
}

// DrainHost keeps new services off a gateway host, or lets them on it again.
func (o *Ops) DrainHost(tx *store.Tx, name string, drained bool) (*model.Host, error) {
	if _, ok := tx.Model().Hosts.Get(name); !ok {
		return nil, model.NotFoundError("Host", model.ID(name))
	}
	return o.changeHost(tx, name, func(h *model.Host) { h.Drained = drained })
}

// DeleteHost forgets a host and what is plugged there. A host that is still connected comes back.
func (o *Ops) DeleteHost(tx *store.Tx, name string) error {
	h, ok := tx.Model().Hosts.Get(name)
	if !ok {
		return model.NotFoundError("Host", model.ID(name))
	}
	for _, g := range tx.Model().PlugsAt(name) {
		unplug(tx, g)
	}
	tx.Delete(h)
	return o.hostChanged(tx, h, nil)
}

func (o *Ops) changeHost(tx *store.Tx, name string, change func(*model.Host)) (*model.Host, error) {
	if name == "" {
		return nil, invalid("a host needs a name")
	}
	old, known := tx.Model().Hosts.Get(name)
	h := model.Host{Name: name}
	if known {
		h = *old
	}
	change(&h)
	if known && reflect.DeepEqual(&h, old) {
		return old, nil
	}
	h.Rev = tx.Rev()
	tx.Put(&h)
	return &h, o.hostChanged(tx, old, &h)
}

// checkSettings refuses settings by which no tunnel could ever work. What a host says itself is taken
// as it is: it is a fact, if a useless one.
func checkSettings(s model.HostSettings) error {
	if ip := s.EncapIP; ip.IsValid() && (ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() || ip.Zone() != "") {
		return invalid("encap_ip %s cannot be a tunnel end point", ip)
	}
	for _, t := range s.EncapTypes {
		if !t.Tunnel() {
			return invalid("encap_types: '%s' is not a tunnel type", t)
		}
	}
	if d := s.DatapathType; d != "" && d != "system" && d != "netdev" {
		return invalid("datapath_type '%s' is neither system nor netdev", d)
	}
	return nil
}
