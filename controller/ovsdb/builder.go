package ovsdb

import (
	"cmp"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
)

// builder makes states of tables. It uses the bridges and ports of the last state again whose rows were not touched
// since: beside thousands of ports, a change must cost little more than itself.
type builder struct {
	bridges  map[string]*Bridge  // by uuid; one that is missing is built anew
	ports    map[string]*Port    // likewise
	stale    map[string][]string // bridge → its ports that are missing, though the bridge is not
	portOf   map[string]string   // interface → port, both as uuid
	bridgeOf map[string]string   // port or controller → bridge
}

func newBuilder() builder {
	return builder{bridges: map[string]*Bridge{}, ports: map[string]*Port{}, stale: map[string][]string{},
		portOf: map[string]string{}, bridgeOf: map[string]string{}}
}

// touch tells of a row that changed, came or went.
func (b *builder) touch(r rowRef) {
	switch r.table {
	case tableInterface:
		if port, ok := b.portOf[r.uuid]; ok {
			delete(b.portOf, r.uuid)
			b.touch(rowRef{tablePort, port})
		}
	case tablePort:
		delete(b.ports, r.uuid)
		if bridge, ok := b.bridgeOf[r.uuid]; ok {
			delete(b.bridgeOf, r.uuid)
			b.stale[bridge] = append(b.stale[bridge], r.uuid)
		}
	case tableBridge:
		delete(b.bridges, r.uuid)
	case tableController:
		delete(b.bridges, b.bridgeOf[r.uuid])
		delete(b.bridgeOf, r.uuid)
	}
}

// state builds a State. References to rows that are not there, which ovsdb-server does not allow, are left out.
func (b *builder) state(t tables) *State {
	st := &State{}
	var root *rootRow
	for uuid := range t[tableRoot] { // ovs-vswitchd.conf.db(5): at most one row
		root = get[rootRow](t, tableRoot, uuid)
	}
	if root == nil {
		st.Identity = ParseIdentity(nil, "")
		return st
	}
	st.root = root.UUID
	st.Identity = ParseIdentity(root.ExternalIDs, value(root.OVSVersion))
	st.Datapaths = slices.Sorted(slices.Values(root.DatapathTypes))
	for _, uuid := range root.Bridges {
		if r := get[bridgeRow](t, tableBridge, uuid); r != nil {
			st.Bridges = append(st.Bridges, b.bridge(t, r))
		}
	}
	clear(b.stale)
	slices.SortFunc(st.Bridges, func(x, y *Bridge) int { return cmp.Compare(x.Name, y.Name) })
	for _, uuid := range root.ManagerOptions {
		if r := get[managerRow](t, tableManager, uuid); r != nil {
			st.Managers = append(st.Managers, Manager{UUID: r.UUID, Target: r.Target, Connected: r.IsConnected,
				InactivityProbe: number(r.InactivityProbe, -1), MaxBackoff: number(r.MaxBackoff, -1)})
		}
	}
	slices.SortFunc(st.Managers, func(x, y Manager) int { return cmp.Compare(x.Target, y.Target) })
	return st
}

func (b *builder) bridge(t tables, r *bridgeRow) *Bridge {
	br := b.bridges[r.UUID]
	if br != nil {
		br = b.renew(t, br)
	}
	if br == nil {
		br = b.newBridge(t, r)
	}
	b.bridges[r.UUID] = br
	return br
}

// renew returns the bridge with its stale ports built anew, or nil when that is not all.
func (b *builder) renew(t tables, old *Bridge) *Bridge {
	stale := b.stale[old.UUID]
	if len(stale) == 0 {
		return old
	}
	br := *old
	br.Ports = slices.Clone(old.Ports)
	for _, uuid := range stale {
		r := get[portRow](t, tablePort, uuid)
		if r == nil {
			return nil
		}
		i, ok := find(br.Ports, r.Name, func(p *Port) string { return p.Name })
		if !ok {
			return nil
		}
		br.Ports[i] = b.port(t, r, &br)
	}
	return &br
}

func (b *builder) newBridge(t tables, r *bridgeRow) *Bridge {
	br := &Bridge{UUID: r.UUID, Name: r.Name, DatapathType: r.DatapathType, FailMode: value(r.FailMode),
		Protocols: r.Protocols, OtherConfig: r.OtherConfig, ExternalIDs: r.ExternalIDs}
	// ovs-vswitchd writes 16 digits; what does not parse is no id.
	br.DPID, _ = of.ParseDPID(value(r.DatapathID))
	for _, uuid := range r.Controller {
		if c := get[controllerRow](t, tableController, uuid); c != nil {
			br.Controllers = append(br.Controllers, Controller{UUID: c.UUID, Target: c.Target, Connected: c.IsConnected,
				ConnectionMode: value(c.ConnectionMode), InactivityProbe: number(c.InactivityProbe, -1),
				MaxBackoff: number(c.MaxBackoff, -1), ExternalIDs: c.ExternalIDs})
			b.bridgeOf[uuid] = r.UUID
		}
	}
	slices.SortFunc(br.Controllers, func(x, y Controller) int {
		return cmp.Or(cmp.Compare(x.Target, y.Target), cmp.Compare(x.UUID, y.UUID))
	})
	br.Ports = make([]*Port, 0, len(r.Ports))
	for _, uuid := range r.Ports {
		if p := get[portRow](t, tablePort, uuid); p != nil {
			br.Ports = append(br.Ports, b.port(t, p, br))
		}
	}
	slices.SortFunc(br.Ports, func(x, y *Port) int { return cmp.Compare(x.Name, y.Name) })
	return br
}

func (b *builder) port(t tables, r *portRow, br *Bridge) *Port {
	if p := b.ports[r.UUID]; p != nil && p.Bridge == br.Name {
		return p
	}
	p := &Port{UUID: r.UUID, Name: r.Name, Bridge: br.Name, Tag: uint16(number(r.Tag, 0)), VLANMode: value(r.VLANMode),
		ExternalIDs: r.ExternalIDs}
	for _, v := range r.Trunks {
		p.Trunks = append(p.Trunks, uint16(v))
	}
	for _, uuid := range r.Interfaces {
		i := get[interfaceRow](t, tableInterface, uuid)
		if i == nil {
			continue
		}
		// ovs-vswitchd writes the address, so one that does not parse is none.
		mac, _ := of.ParseMAC(value(i.MACInUse))
		p.Interfaces = append(p.Interfaces, &Interface{UUID: i.UUID, Name: i.Name, Port: r.Name, Bridge: br.Name, Type: i.Type,
			Options: i.Options, OFPort: number(i.OFPort, 0), Error: value(i.Error), MAC: mac, MTU: number(i.MTU, 0),
			LinkState: value(i.LinkState), AdminState: value(i.AdminState), ExternalIDs: i.ExternalIDs, Status: i.Status,
			BFD: i.BFD, BFDStatus: i.BFDStatus})
		b.portOf[uuid] = r.UUID
	}
	b.ports[r.UUID], b.bridgeOf[r.UUID] = p, br.UUID
	return p
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func number(n *int, none int) int {
	if n == nil {
		return none
	}
	return *n
}
