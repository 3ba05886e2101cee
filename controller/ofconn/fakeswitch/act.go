package fakeswitch

import (
	"errors"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// act does what a message asks for and answers. The error is why the
// connection must end.
func (k *conn) act(n int, h wire.Header, body []byte) error {
	if n == 0 {
		return k.greeted(h, body)
	}
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	err := k.actLocked(h, body)
	var refused wire.Error
	var broken *wire.DecodeError
	switch {
	case errors.As(err, &refused):
		k.refuse(h, body, refused)
	case errors.As(err, &broken):
		k.refuse(h, body, errBadLength)
	default:
		return err
	}
	return nil
}

// greeted is the controller's HELLO.
func (k *conn) greeted(h wire.Header, body []byte) error {
	if h.Type != wire.TypeHello {
		k.refuse(h, body, errBadType)
		return errHello
	}
	theirs := wire.DecodeHello(body).Versions
	if theirs == 0 {
		theirs = 1<<(h.Version+1) - 1
	}
	if theirs&k.s.opts.Versions == 0 {
		k.sendEncoded(wire.AppendErrorMessage(nil, h.XID, wire.Error{
			Type: wire.ErrHelloFailed, Code: wire.HelloIncompatible, Data: []byte("no version in common"),
		}))
		return errHello
	}
	return nil
}

func (k *conn) actLocked(h wire.Header, body []byte) error {
	if h.Version != wire.Version {
		return errBadVersion
	}
	switch h.Type {
	case wire.TypeHello, wire.TypeEchoReply, wire.TypeError:
		return nil
	case wire.TypeEchoRequest:
		k.sendEncoded(wire.AppendEchoReply(nil, h.XID, body))
		return nil
	case wire.TypeFeaturesRequest:
		k.send(wire.AppendFeatures(nil, h.XID, wire.Features{DPID: k.s.opts.DPID, Tables: 254,
			Capabilities: wire.CapFlowStats | wire.CapTableStats | wire.CapPortStats | wire.CapGroupStats}))
		return nil
	case wire.TypeGetConfigRequest:
		k.send(wire.AppendGetConfigReply(nil, h.XID, wire.Config{MissSendLen: 128}))
		return nil
	case wire.TypeSetConfig:
		_, err := wire.DecodeConfig(body)
		return err
	case wire.TypeSetAsync:
		a, err := wire.DecodeAsync(body)
		if err == nil {
			k.async = a
		}
		return err
	case wire.TypeRoleRequest:
		return k.takeRole(h, body)
	case wire.TypeBarrierRequest:
		k.send(wire.AppendBarrierReply(nil, h.XID))
		return nil
	case wire.TypeMultipartRequest:
		return k.multipart(h, body)
	}
	if k.role == wire.RoleSlave {
		return errIsSlave
	}
	return k.change(h, body)
}

// change does what a slave may not.
func (k *conn) change(h wire.Header, body []byte) error {
	switch h.Type {
	case wire.TypeFlowMod:
		m, err := wire.DecodeFlowMod(body)
		if err != nil {
			return err
		}
		changes, err := k.s.tables.apply(&m)
		if err != nil {
			return err
		}
		k.s.tellLocked(changes, k, h.XID)
		return nil
	case wire.TypeGroupMod:
		cmd, g, err := wire.DecodeGroupMod(body)
		if err != nil {
			return err
		}
		return k.s.tables.group(cmd, g)
	case wire.TypeMeterMod:
		cmd, m, err := wire.DecodeMeterMod(body)
		if err != nil {
			return err
		}
		return k.s.tables.meter(cmd, m)
	case wire.TypePacketOut:
		p, err := wire.DecodePacketOut(body)
		if err != nil {
			return err
		}
		if err := k.s.tables.checkActions(0, p.Actions); err != nil {
			return err
		}
		k.s.packets = append(k.s.packets, p)
		return nil
	case wire.TypeExperimenter:
		return k.experimenter(h, body)
	}
	return errBadType
}

// takeRole is OpenFlow 1.3.5 §6.3.5: an older generation is refused, and a new
// master makes slaves of the old ones.
func (k *conn) takeRole(h wire.Header, body []byte) error {
	r, err := wire.DecodeRole(body)
	if err != nil {
		return err
	}
	if r.Role == wire.RoleMaster || r.Role == wire.RoleSlave {
		// Generations are a circle: older is what a signed difference calls so.
		if k.s.generated && int64(r.Generation-k.s.generation) < 0 {
			return errStaleRole
		}
		k.s.generated, k.s.generation = true, r.Generation
	}
	if r.Role == wire.RoleMaster {
		for other := range k.s.conns {
			if other.role == wire.RoleMaster {
				other.role = wire.RoleSlave
			}
		}
	}
	if r.Role != wire.RoleNoChange {
		k.role = r.Role
	}
	k.send(wire.AppendRoleReply(nil, h.XID, wire.RoleMessage{Role: k.role, Generation: k.s.generation}))
	return nil
}

// tellLocked sends FLOW_REMOVED and monitor updates about changes that a
// connection made, or nobody's if by is nil.
func (s *Switch) tellLocked(changes []change, by *conn, xid uint32) {
	for _, c := range changes {
		for k := range s.conns {
			if c.event == wire.MonitorDeleted && c.flow.flow.Flags&of.SendFlowRem != 0 &&
				k.wants(k.async.FlowRemoved, k.async.FlowRemovedSlave, uint8(c.reason)) {
				k.sendEncoded(wire.AppendFlowRemoved(nil, 0, wire.FlowRemoved{
					Table: c.flow.key.Table, Priority: c.flow.key.Priority, Reason: c.reason, Cookie: c.flow.entry.Cookie,
					IdleTimeout: c.flow.entry.IdleTimeout, HardTimeout: c.flow.entry.HardTimeout, Match: c.flow.flow.Match,
				}))
			}
			if u, ok := k.update(c, k == by, xid); ok {
				k.sendEncoded(wire.AppendMonitorReply(nil, 0, u))
			}
		}
	}
}

// update is what the monitors of a connection tell of a change.
func (k *conn) update(c change, own bool, xid uint32) (wire.MonitorUpdate, bool) {
	var flags wire.MonitorFlags
	bit := map[wire.MonitorEvent]wire.MonitorFlags{
		wire.MonitorAdded: wire.MonitorAdd, wire.MonitorDeleted: wire.MonitorDelete, wire.MonitorModified: wire.MonitorModify,
	}[c.event]
	for _, m := range k.monitors {
		if m.Flags&bit != 0 && watches(m, c.flow) {
			flags |= m.Flags
		}
	}
	switch {
	case flags == 0:
		return wire.MonitorUpdate{}, false
	case own && flags&wire.MonitorOwn == 0:
		return wire.MonitorUpdate{Event: wire.MonitorAbbrev, XID: xid}, true
	}
	return full(c, flags), true
}

func full(c change, flags wire.MonitorFlags) wire.MonitorUpdate {
	u := wire.MonitorUpdate{
		Event: c.event, Reason: c.reason, Table: c.flow.key.Table, Priority: c.flow.key.Priority,
		IdleTimeout: c.flow.entry.IdleTimeout, HardTimeout: c.flow.entry.HardTimeout, Cookie: c.flow.entry.Cookie,
		Match: []byte(c.flow.key.Match),
	}
	if flags&wire.MonitorActions != 0 {
		u.Instructions = []byte(c.flow.entry.Instructions)
	}
	return u
}

func watches(m wire.MonitorRequest, f *flow) bool {
	return (m.Table == of.TableAll || m.Table == f.key.Table) && covers(m.Match, f.flow.Match) && outputsTo(f.flow.Actions, m.OutPort, 0)
}
