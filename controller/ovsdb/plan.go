package ovsdb

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
)

// step is what has to be done for one row.
type step struct {
	key row.Key
	ops []ovsdb.Operation
}

// planner turns rows into operations, given what the database holds.
type planner struct {
	st    *State
	wants map[row.Key]row.Row // to be made or changed
	gone  map[row.Key]row.Row // to be removed
	named int                 // named-uuids given out; they are unique in a plan
}

// plan returns the steps of a change and an error for the rows that cannot be written. Bridges come first, because
// ports need them, and leave last. Steps for rows that are as wanted already are left out.
func plan(st *State, c reconcile.Change[row.Key, row.Row]) ([]step, error) {
	p := &planner{st: st, wants: maps.Clone(c.Add), gone: c.Delete}
	if p.wants == nil {
		p.wants = map[row.Key]row.Row{}
	}
	maps.Copy(p.wants, c.Update)
	var steps []step
	var errs []error
	do := func(k row.Key, ops []ovsdb.Operation, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", k, err))
		}
		if len(ops) > 0 {
			steps = append(steps, step{k, ops})
		}
	}
	for _, k := range sortedKeys(p.wants) {
		ops, err := p.write(p.wants[k])
		do(k, ops, err)
	}
	gone := sortedKeys(c.Delete)
	slices.Reverse(gone)
	for _, k := range gone {
		do(k, p.remove(k), nil)
	}
	return steps, errors.Join(errs...)
}

func sortedKeys(m map[row.Key]row.Row) []row.Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b row.Key) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

func (p *planner) write(r row.Row) ([]ovsdb.Operation, error) {
	if err := row.Check(r); err != nil {
		return nil, err
	}
	switch r := r.(type) {
	case row.Bridge:
		if b := p.st.Bridge(r.Name); b != nil {
			return p.changeBridge(b, r), nil
		}
		return p.makeBridge(r)
	case row.Patch:
		return p.port(r, r.Name, r.Bridge)
	case row.Tunnel:
		return p.port(r, r.Name, r.Bridge)
	case row.Tag:
		return p.tag(r)
	}
	return nil, fmt.Errorf("%T cannot be written", r)
}

func (p *planner) remove(k row.Key) []ovsdb.Operation {
	switch k.Kind {
	case row.KindBridge:
		if b := p.st.Bridge(k.Name); b != nil {
			return p.removeBridge(b)
		}
	case row.KindPort:
		if q := p.st.Port(k.Name); q != nil {
			return p.removePort(q)
		}
	case row.KindTag:
		if q := p.st.Port(k.Name); q != nil && ifaceID(q) != "" {
			return setTag(q, row.DeadVLAN)
		}
	}
	return nil
}

func (p *planner) name() string {
	p.named++
	return "row" + strconv.Itoa(p.named)
}

// makeBridge inserts a bridge with its local port and its controllers at once: there is no moment at which it is
// there and not yet secure.
func (p *planner) makeBridge(r row.Bridge) ([]ovsdb.Operation, error) {
	if p.st.root == "" {
		return nil, errors.New("the database has no row in table Open_vSwitch")
	}
	if q := p.st.Port(r.Name); q != nil {
		return nil, fmt.Errorf("its name is that of a port on %s", q.Bridge)
	}
	iface, port, bridge := p.name(), p.name(), p.name()
	ops := []ovsdb.Operation{
		insert(tableInterface, iface, ovsdb.Row{"name": r.Name, "type": "internal"}),
		insert(tablePort, port, ovsdb.Row{"name": r.Name, "interfaces": uuids(iface)}),
	}
	var controllers []string
	for _, target := range r.Targets() {
		op, name := p.makeController(target)
		ops, controllers = append(ops, op), append(controllers, name)
	}
	protocols := r.Protocols
	if protocols == nil {
		protocols = row.DefaultProtocols()
	}
	return append(ops,
		insert(tableBridge, bridge, ovsdb.Row{
			"name": r.Name, "datapath_type": r.DatapathType, "fail_mode": "secure", "protocols": strs(protocols),
			"controller": uuids(controllers...), "ports": uuids(port), "other_config": mapOf(r.OtherConfig),
			"external_ids": mapOf(map[string]string{markKey: markCreated}),
		}),
		mutate(tableRoot, byUUID(p.st.root), addTo("bridges", bridge))), nil
}

func (p *planner) makeController(target string) (op ovsdb.Operation, name string) {
	name = p.name()
	r := controllerSettings()
	r["target"] = target
	r["external_ids"] = mapOf(map[string]string{markKey: markCreated})
	return insert(tableController, name, r), name
}

// changeBridge makes an existing bridge as wanted. The fail mode comes before the controllers in the same
// transaction: a bridge that loses its controllers while it is standalone forwards by itself.
func (p *planner) changeBridge(b *Bridge, r row.Bridge) []ovsdb.Operation {
	columns := ovsdb.Row{}
	if b.FailMode != "secure" {
		columns["fail_mode"] = "secure"
	}
	mark := b.ExternalIDs[markKey]
	if mark == markCreated && r.DatapathType != "" && datapathType(b.DatapathType) != r.DatapathType {
		columns["datapath_type"] = r.DatapathType
	}
	var ops []ovsdb.Operation
	if len(columns) > 0 {
		ops = append(ops, update(tableBridge, b.UUID, columns))
	}
	var changes []ovsdb.Mutation
	if missing := row.MissingProtocols(r, b.Protocols); len(missing) > 0 {
		changes = append(changes, ovsdb.Mutation{Column: "protocols", Mutator: ovsdb.MutateOperationInsert, Value: strs(missing)})
	}
	config := maps.Clone(r.OtherConfig)
	maps.DeleteFunc(config, func(k, v string) bool { have, ok := b.OtherConfig[k]; return ok && have == v })
	if len(config) > 0 {
		changes = append(changes, setKeys("other_config", config)...)
	}
	if mark == "" {
		changes = append(changes, setKeys("external_ids", map[string]string{markKey: markAdopted})...)
	}
	for _, target := range r.Targets() {
		i := slices.IndexFunc(b.Controllers, func(c Controller) bool { return c.Target == target })
		if i < 0 {
			op, name := p.makeController(target)
			ops = append(ops, op)
			changes = append(changes, addTo("controller", name))
			continue
		}
		ops = append(ops, adoptController(b.Controllers[i])...)
	}
	for _, c := range b.Controllers {
		if !slices.Contains(r.Targets(), c.Target) {
			op, change := releaseController(c)
			ops, changes = append(ops, op...), append(changes, change...)
		}
	}
	if len(changes) > 0 {
		ops = append(ops, mutate(tableBridge, byUUID(b.UUID), changes...))
	}
	return ops
}

func adoptController(c Controller) []ovsdb.Operation {
	var ops []ovsdb.Operation
	if fix := controllerFix(c); len(fix) > 0 {
		ops = append(ops, update(tableController, c.UUID, fix))
	}
	if c.ExternalIDs[markKey] == "" {
		mark := map[string]string{markKey: markAdopted}
		ops = append(ops, mutate(tableController, byUUID(c.UUID), setKeys("external_ids", mark)...))
	}
	return ops
}

// releaseController takes a controller of Heddle's off its bridge, or only its mark if someone else set it.
func releaseController(c Controller) ([]ovsdb.Operation, []ovsdb.Mutation) {
	switch c.ExternalIDs[markKey] {
	case "":
		return nil, nil
	case markCreated:
		return nil, []ovsdb.Mutation{removeFrom("controller", c.UUID)}
	}
	return []ovsdb.Operation{mutate(tableController, byUUID(c.UUID), removeKeys("external_ids", markKey))}, nil
}

// removeBridge deletes a bridge that Heddle made, unless others plugged ports into it: then, and if the bridge was
// there before, it is let go.
func (p *planner) removeBridge(b *Bridge) []ovsdb.Operation {
	foreign := slices.ContainsFunc(b.Ports, func(q *Port) bool {
		return q.Name != b.Name && q.ExternalIDs[markKey] != markCreated
	})
	if b.ExternalIDs[markKey] == markCreated && !foreign {
		return []ovsdb.Operation{
			unchanged(tableBridge, b.UUID, "ports", p.stayingPorts(b)),
			mutate(tableRoot, byUUID(p.st.root), removeFrom("bridges", b.UUID)),
		}
	}
	var ops []ovsdb.Operation
	changes := []ovsdb.Mutation{removeKeys("external_ids", markKey)}
	for _, c := range b.Controllers {
		op, change := releaseController(c)
		ops, changes = append(ops, op...), append(changes, change...)
	}
	return append(ops, mutate(tableBridge, byUUID(b.UUID), changes...))
}

// stayingPorts returns the ports of a bridge that the steps before its removal leave: the local port, if no one added
// another meanwhile.
func (p *planner) stayingPorts(b *Bridge) ovsdb.OvsSet {
	var us []string
	for _, q := range b.Ports {
		if p.gone[row.Key{Kind: row.KindPort, Name: q.Name}] == nil {
			us = append(us, q.UUID)
		}
	}
	return uuids(us...)
}

// port makes a patch or tunnel port, or makes the port of that name one.
func (p *planner) port(r row.Row, name, bridge string) ([]ovsdb.Operation, error) {
	typ, options := interfaceOf(r)
	var bfd map[string]string
	if t, is := r.(row.Tunnel); is {
		bfd = t.BFD()
	}
	q := p.st.Port(name)
	if q == nil {
		if p.st.Bridge(bridge) == nil && p.wants[row.Key{Kind: row.KindBridge, Name: bridge}] == nil {
			return nil, fmt.Errorf("there is no bridge %s", bridge)
		}
		iface, port := p.name(), p.name()
		marks := map[string]string{markKey: markCreated}
		if bfd != nil {
			marks[markBFD] = markBFDOn
		}
		return []ovsdb.Operation{
			insert(tableInterface, iface, ovsdb.Row{"name": name, "type": typ, "options": mapOf(options), "bfd": mapOf(bfd)}),
			insert(tablePort, port, ovsdb.Row{"name": name, "interfaces": uuids(iface), "external_ids": mapOf(marks)}),
			mutate(tableBridge, byName(bridge), addTo("ports", port)),
		}, nil
	}
	mark := q.ExternalIDs[markKey]
	switch {
	case len(q.Interfaces) != 1:
		return nil, errors.New("its name is that of a bond")
	case q.Name == q.Bridge || ifaceID(q) != "":
		return nil, fmt.Errorf("its name is that of someone else's port on %s: delete or rename that one", q.Bridge)
	case q.Bridge != bridge && mark != markCreated:
		return nil, fmt.Errorf("someone else's port of that name is on %s: delete or rename that one", q.Bridge)
	}
	var ops []ovsdb.Operation
	if i := q.Interfaces[0]; i.Type != typ || !maps.Equal(i.Options, options) {
		ops = append(ops, update(tableInterface, i.UUID, ovsdb.Row{"type": typ, "options": mapOf(options)}))
	}
	ops = append(ops, probe(q, bfd)...)
	if mark == "" {
		mark := map[string]string{markKey: markAdopted}
		ops = append(ops, mutate(tablePort, byUUID(q.UUID), setKeys("external_ids", mark)...))
	}
	if q.Bridge != bridge {
		ops = append(ops, mutate(tableBridge, byName(q.Bridge), removeFrom("ports", q.UUID)),
			mutate(tableBridge, byName(bridge), addTo("ports", q.UUID)))
	}
	return ops, nil
}

// probe gives a tunnel port the BFD session that is wanted, and ends one of Heddle's that is not. Keys of the
// settings that others set stay.
func probe(q *Port, bfd map[string]string) []ovsdb.Operation {
	i := q.Interfaces[0]
	marked := q.ExternalIDs[markBFD] != ""
	switch {
	case bfd == nil && marked:
		return []ovsdb.Operation{
			mutate(tableInterface, byUUID(i.UUID), removeKeys("bfd", row.BFDKeys()...)),
			mutate(tablePort, byUUID(q.UUID), removeKeys("external_ids", markBFD)),
		}
	case bfd == nil:
		return nil
	}
	var ops []ovsdb.Operation
	for k, v := range bfd {
		if i.BFD[k] != v {
			ops = append(ops, mutate(tableInterface, byUUID(i.UUID), setKeys("bfd", bfd)...))
			break
		}
	}
	if !marked {
		ops = append(ops, mutate(tablePort, byUUID(q.UUID), setKeys("external_ids", map[string]string{markBFD: markBFDOn})...))
	}
	return ops
}

// removePort deletes a port that Heddle made and lets go of one that was there before. The mark must still be there
// when the transaction runs: taking it off is how an operator keeps a port.
func (p *planner) removePort(q *Port) []ovsdb.Operation {
	switch q.ExternalIDs[markKey] {
	case "":
		return nil
	case markCreated:
		return []ovsdb.Operation{
			unchanged(tablePort, q.UUID, "external_ids", mapOf(q.ExternalIDs)),
			mutate(tableBridge, byName(q.Bridge), removeFrom("ports", q.UUID)),
		}
	}
	ops := []ovsdb.Operation{mutate(tablePort, byUUID(q.UUID), removeKeys("external_ids", markKey))}
	if len(q.Interfaces) == 1 {
		ops = append(ops, probe(q, nil)...)
	}
	return ops
}

// tag sets the VLAN of a plugged port. A port that is gone needs none.
func (p *planner) tag(r row.Tag) ([]ovsdb.Operation, error) {
	q := p.st.Port(r.Port)
	if q == nil {
		return nil, nil
	}
	id := ifaceID(q)
	if id == "" || q.Bridge != row.IntBridge {
		return nil, fmt.Errorf("the port on %s is not plugged for Heddle, iface-id %q", q.Bridge, id)
	}
	if r.IfaceID != "" && r.IfaceID != id {
		return setTag(q, row.DeadVLAN), nil
	}
	return setTag(q, r.VLAN), nil
}

func setTag(q *Port, vlan uint16) []ovsdb.Operation {
	columns := ovsdb.Row{}
	if q.Tag != vlan {
		columns["tag"] = int(vlan)
	}
	if !isAccess(q.VLANMode) {
		columns["vlan_mode"] = "access"
	}
	if len(columns) == 0 {
		return nil
	}
	return []ovsdb.Operation{update(tablePort, q.UUID, columns)}
}

// ifaceID returns external_ids:iface-id of the first interface of a port that has one.
func ifaceID(q *Port) string {
	for _, i := range q.Interfaces {
		if id := i.ExternalIDs["iface-id"]; id != "" {
			return id
		}
	}
	return ""
}
