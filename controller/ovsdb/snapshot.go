package ovsdb

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/model"

	"github.com/heddle-sdn/heddle/controller/of"
)

// State returns the database as it is now; after the session ended, as it was last.
func (s *Session) State() *State {
	st, err := s.current()
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.state
	}
	return st
}

// current returns the state, or an error when it cannot be known.
func (s *Session) current() (*State, error) {
	if err := s.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty && s.state != nil {
		return s.state, nil
	}
	s.dirty = false
	t, err := s.read()
	if err != nil {
		s.dirty = true
		return nil, err
	}
	s.state = t.state()
	return s.state, nil
}

// tables are the rows of libovsdb's cache by table and uuid. The rows are shared with it and never written.
type tables map[string]map[string]model.Model

// readAttempts bounds how often read starts anew because updates came in between.
const readAttempts = 100

// read copies the tables of the cache as they were at one moment between two updates.
//
// The cache has a lock for each table and one that an update of several tables holds from its first to its last row;
// TableCache.Table waits for the latter. Two copies with such a wait before each are equal only if no update was
// half done during the first: it would be done before the second, and every row it touches is a new pointer.
func (s *Session) read() (tables, error) {
	last := s.copyTables()
	for range readAttempts {
		t := s.copyTables()
		if same(last, t) {
			return t, nil
		}
		last = t
	}
	return nil, errors.New("database changes faster than it can be read")
}

func (s *Session) copyTables() tables {
	t := tables{}
	s.cache.Table(tableRoot)
	for name := range columns {
		t[name] = s.cache.Table(name).RowsShallow()
	}
	return t
}

func same(a, b tables) bool {
	for name := range a {
		if !maps.Equal(a[name], b[name]) {
			return false
		}
	}
	return true
}

// row returns a row of a table, or nil.
func get[T any](t tables, table, uuid string) *T {
	r, _ := t[table][uuid].(*T)
	return r
}

// state builds the State. References to rows that are not there, which ovsdb-server does not allow, are left out.
func (t tables) state() *State {
	st := &State{
		bridges: make(map[string]*Bridge, len(t[tableBridge])), ports: make(map[string]*Port, len(t[tablePort])),
		interfaces: make(map[string]*Interface, len(t[tableInterface])),
	}
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
			b := t.bridge(r, st)
			st.Bridges = append(st.Bridges, b)
			st.bridges[b.Name] = b
		}
	}
	slices.SortFunc(st.Bridges, func(a, b *Bridge) int { return cmp.Compare(a.Name, b.Name) })
	for _, uuid := range root.ManagerOptions {
		if r := get[managerRow](t, tableManager, uuid); r != nil {
			st.Managers = append(st.Managers, Manager{UUID: r.UUID, Target: r.Target, Connected: r.IsConnected,
				InactivityProbe: number(r.InactivityProbe, -1), MaxBackoff: number(r.MaxBackoff, -1)})
		}
	}
	slices.SortFunc(st.Managers, func(a, b Manager) int { return cmp.Compare(a.Target, b.Target) })
	return st
}

func (t tables) bridge(r *bridgeRow, st *State) *Bridge {
	b := &Bridge{UUID: r.UUID, Name: r.Name, DatapathType: r.DatapathType, FailMode: value(r.FailMode),
		Protocols: r.Protocols, OtherConfig: r.OtherConfig, ExternalIDs: r.ExternalIDs}
	// ovs-vswitchd writes 16 digits; what does not parse is no id.
	b.DPID, _ = of.ParseDPID(value(r.DatapathID))
	for _, uuid := range r.Controller {
		if c := get[controllerRow](t, tableController, uuid); c != nil {
			b.Controllers = append(b.Controllers, Controller{UUID: c.UUID, Target: c.Target, Connected: c.IsConnected,
				ConnectionMode: value(c.ConnectionMode), InactivityProbe: number(c.InactivityProbe, -1),
				MaxBackoff: number(c.MaxBackoff, -1), ExternalIDs: c.ExternalIDs})
		}
	}
	slices.SortFunc(b.Controllers, func(a, b Controller) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.UUID, b.UUID))
	})
	for _, uuid := range r.Ports {
		if p := get[portRow](t, tablePort, uuid); p != nil {
			port := t.port(p, b.Name, st)
			b.Ports = append(b.Ports, port)
			st.ports[port.Name] = port
		}
	}
	slices.SortFunc(b.Ports, func(a, b *Port) int { return cmp.Compare(a.Name, b.Name) })
	return b
}

func (t tables) port(r *portRow, bridge string, st *State) *Port {
	p := &Port{UUID: r.UUID, Name: r.Name, Bridge: bridge, Tag: uint16(number(r.Tag, 0)), VLANMode: value(r.VLANMode),
		ExternalIDs: r.ExternalIDs}
	for _, v := range r.Trunks {
		p.Trunks = append(p.Trunks, uint16(v))
	}
	for _, uuid := range r.Interfaces {
		i := get[interfaceRow](t, tableInterface, uuid)
		if i == nil {
			continue
		}
		mac, _ := of.ParseMAC(value(i.MACInUse))
		iface := &Interface{UUID: i.UUID, Name: i.Name, Port: r.Name, Bridge: bridge, Type: i.Type, Options: i.Options,
			OFPort: number(i.OFPort, 0), Error: value(i.Error), MAC: mac, MTU: number(i.MTU, 0),
			LinkState: value(i.LinkState), AdminState: value(i.AdminState), ExternalIDs: i.ExternalIDs, Status: i.Status}
		p.Interfaces = append(p.Interfaces, iface)
		st.interfaces[iface.Name] = iface
	}
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
