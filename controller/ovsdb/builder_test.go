package ovsdb

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/ovn-kubernetes/libovsdb/model"
)

// fakeDB is a database of which random rows change, as a host's would.
type fakeDB struct {
	t       tables
	rnd     *rand.Rand
	n       int
	touched []rowRef
}

func newFakeDB(seed uint64) *fakeDB {
	db := &fakeDB{t: tables{}, rnd: rand.New(rand.NewPCG(seed, 1))}
	for table := range columns {
		db.t[table] = map[string]model.Model{}
	}
	db.put(tableRoot, "root", &rootRow{UUID: "root"})
	return db
}

func (db *fakeDB) put(table, uuid string, r model.Model) {
	db.t[table][uuid] = r
	db.touched = append(db.touched, rowRef{table, uuid})
}

func (db *fakeDB) remove(table, uuid string) {
	delete(db.t[table], uuid)
	db.touched = append(db.touched, rowRef{table, uuid})
}

func (db *fakeDB) name(prefix string) string {
	db.n++
	return fmt.Sprint(prefix, db.n)
}

// any returns a row of a table, or nil.
func anyRow[T any](db *fakeDB, table string) *T {
	var uuids []string
	for uuid := range db.t[table] {
		uuids = append(uuids, uuid)
	}
	if len(uuids) == 0 {
		return nil
	}
	slices.Sort(uuids)
	c := *get[T](db.t, table, uuids[db.rnd.IntN(len(uuids))])
	return &c
}

// step makes one transaction and returns the rows it touches.
func (db *fakeDB) step() []rowRef {
	db.touched = nil
	root := *get[rootRow](db.t, tableRoot, "root")
	b, c := anyRow[bridgeRow](db, tableBridge), anyRow[bridgeRow](db, tableBridge)
	what := db.rnd.IntN(10)
	if b == nil {
		what = 0
	}
	switch what {
	case 0: // a bridge comes
		uuid := db.name("bridge")
		root.Bridges = append(slices.Clone(root.Bridges), uuid)
		db.put(tableRoot, "root", &root)
		db.put(tableBridge, uuid, &bridgeRow{UUID: uuid, Name: uuid})
	case 1, 2, 3: // a port comes
		port, iface := db.name("port"), db.name("iface")
		b.Ports = append(slices.Clone(b.Ports), port)
		db.put(tableInterface, iface, &interfaceRow{UUID: iface, Name: port})
		db.put(tablePort, port, &portRow{UUID: port, Name: port, Interfaces: []string{iface}})
		db.put(tableBridge, b.UUID, b)
	case 4: // a port goes
		if len(b.Ports) > 0 {
			port := get[portRow](db.t, tablePort, b.Ports[0])
			b.Ports = slices.Clone(b.Ports[1:])
			db.put(tableBridge, b.UUID, b)
			db.remove(tablePort, port.UUID)
			db.remove(tableInterface, port.Interfaces[0])
		}
	case 5: // a port moves
		if len(b.Ports) > 0 && b.UUID != c.UUID {
			c.Ports = append(slices.Clone(c.Ports), b.Ports[0])
			b.Ports = slices.Clone(b.Ports[1:])
			db.put(tableBridge, b.UUID, b)
			db.put(tableBridge, c.UUID, c)
		}
	case 6: // a port changes
		if p := anyRow[portRow](db, tablePort); p != nil {
			tag := db.rnd.IntN(4096)
			p.Tag = &tag
			db.put(tablePort, p.UUID, p)
		}
	case 7: // an interface changes
		if i := anyRow[interfaceRow](db, tableInterface); i != nil {
			no := db.rnd.IntN(100)
			i.OFPort = &no
			db.put(tableInterface, i.UUID, i)
		}
	case 8: // a controller comes, or changes
		if k := anyRow[controllerRow](db, tableController); k != nil && db.rnd.IntN(2) == 0 {
			k.IsConnected = !k.IsConnected
			db.put(tableController, k.UUID, k)
			break
		}
		uuid := db.name("controller")
		b.Controller = append(slices.Clone(b.Controller), uuid)
		db.put(tableBridge, b.UUID, b)
		db.put(tableController, uuid, &controllerRow{UUID: uuid, Target: uuid})
	case 9: // a bridge goes
		root.Bridges = slices.DeleteFunc(slices.Clone(root.Bridges), func(u string) bool { return u == b.UUID })
		db.put(tableRoot, "root", &root)
		db.remove(tableBridge, b.UUID)
		for _, uuid := range b.Controller {
			db.remove(tableController, uuid)
		}
		for _, uuid := range b.Ports {
			iface := get[portRow](db.t, tablePort, uuid).Interfaces[0]
			db.remove(tablePort, uuid)
			db.remove(tableInterface, iface)
		}
	}
	return db.touched
}

func TestStateIsTheSameWhetherBuiltAnewOrFromTheLast(t *testing.T) {
	for seed := range uint64(20) {
		db := newFakeDB(seed)
		b := newBuilder()
		var before *State
		var text string
		for step := range 300 {
			for _, ref := range db.step() {
				b.touch(ref)
			}
			if db.rnd.IntN(3) == 0 {
				continue // nobody looks
			}
			st, fresh := b.state(db.t), newBuilder()
			if want := fresh.state(db.t); !reflect.DeepEqual(st, want) {
				t.Fatalf("seed %d, step %d: states differ\n%s\n%s", seed, step, dump(st), dump(want))
			}
			if before != nil && dump(before) != text {
				t.Fatalf("seed %d, step %d: an older state changed", seed, step)
			}
			before, text = st, dump(st)
		}
	}
}

func dump(s *State) string {
	var text string
	for _, b := range s.Bridges {
		text += fmt.Sprintf("%s %v\n", b.Name, b.Controllers)
		for _, p := range b.Ports {
			text += fmt.Sprintf("  %s on %s tag %d", p.Name, p.Bridge, p.Tag)
			for _, i := range p.Interfaces {
				text += fmt.Sprintf(" %s on %s no %d", i.Name, i.Bridge, i.OFPort)
			}
			text += "\n"
		}
	}
	return text
}

func TestInterfacesOfABondAreFound(t *testing.T) {
	db := newFakeDB(0)
	db.put(tableRoot, "root", &rootRow{UUID: "root", Bridges: []string{"b"}})
	db.put(tableBridge, "b", &bridgeRow{UUID: "b", Name: "br0", Ports: []string{"p", "gone"}})
	db.put(tablePort, "p", &portRow{UUID: "p", Name: "bond0", Interfaces: []string{"i", "j", "gone"}})
	db.put(tableInterface, "i", &interfaceRow{UUID: "i", Name: "eth0"})
	db.put(tableInterface, "j", &interfaceRow{UUID: "j", Name: "eth1"})
	b := newBuilder()
	st := b.state(db.t)
	if i := st.Interface("eth1"); i == nil || i.Port != "bond0" || i.Bridge != "br0" {
		t.Errorf("eth1 is %+v", i)
	}
	if st.Interface("bond0") != nil || st.Interface("eth2") != nil || st.Port("eth1") != nil || st.Bridge("br1") != nil {
		t.Error("something is found that is not there")
	}
}
