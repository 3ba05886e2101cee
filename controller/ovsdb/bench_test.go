package ovsdb

import (
	"fmt"
	"testing"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
)

// plugged is a host with n plugged ports and a session to it.
func plugged(b *testing.B, n int) (*testHost, *Session, []row.Row) {
	b.Helper()
	h := newHost(b)
	s := h.dial()
	want := fabric("10.99.0.1", "10.99.0.2")
	if err := s.Apply(b.Context(), reconcile.Change[row.Key, row.Row]{Add: row.Map(want...)}); err != nil {
		b.Fatal(err)
	}
	p := &planner{st: s.State()}
	var ops []ovsdb.Operation
	for i := range n {
		name := fmt.Sprintf("tap%d", i)
		iface, port := p.name(), p.name()
		ids := map[string]string{"iface-id": fmt.Sprintf("273eb9bb-684b-4b81-bc33-%012d", i), "attached-mac": "fa:16:3e:04:bd:fb", "vm-uuid": name}
		ops = append(ops,
			insert(tableInterface, iface, ovsdb.Row{"name": name, "external_ids": mapOf(ids)}),
			insert(tablePort, port, ovsdb.Row{"name": name, "interfaces": uuids(iface)}),
			mutate(tableBridge, byName("br-int"), addTo("ports", port)))
		want = append(want, row.Tag{Port: name, VLAN: uint16(i%4000 + 1)})
	}
	if err := s.transact(b.Context(), ops); err != nil {
		b.Fatal(err)
	}
	return h, s, want
}

// BenchmarkTagBeside2000Ports is a whole pass for one port that changed: read, compare, write, and State has it.
func BenchmarkTagBeside2000Ports(b *testing.B) {
	_, s, want := plugged(b, 2000)
	pass := func() {
		have, err := s.Actual(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Apply(b.Context(), reconcile.Diff(row.Map(want...), have, s.Equal)); err != nil {
			b.Fatal(err)
		}
	}
	pass()
	last := want[len(want)-1].(row.Tag)
	for b.Loop() {
		last.VLAN = last.VLAN%4000 + 1
		want[len(want)-1] = last
		pass()
	}
	if got := s.State().Port(last.Port).Tag; got != last.VLAN {
		b.Errorf("tag %d, want %d", got, last.VLAN)
	}
}

// BenchmarkFirstReadOf2000Ports is what a host costs when it connects.
func BenchmarkFirstReadOf2000Ports(b *testing.B) {
	h, s, _ := plugged(b, 2000)
	s.Close()
	for b.Loop() {
		s := h.dial()
		if len(s.State().Plugged("br-int")) != 2000 {
			b.Error("ports are missing")
		}
		s.Close()
	}
}

// BenchmarkStateOf2000Ports is one snapshot after a port changed.
func BenchmarkStateOf2000Ports(b *testing.B) {
	_, s, _ := plugged(b, 2000)
	port := s.State().Port("tap1000").UUID
	b.ReportAllocs()
	for b.Loop() {
		s.updated([]rowRef{{tablePort, port}})
		if st := s.State(); st.Port("tap1000") == nil {
			b.Error("port is missing")
		}
	}
}
