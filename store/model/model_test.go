package model

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
)

func TestModelFollowsItsResources(t *testing.T) {
	m := build(sound())
	mac := of.MAC{0xfa, 0x16, 0x3e, 0, 0, 1}
	ip := netip.MustParseAddr("10.0.0.5")
	id := func(v ID, ok bool) string { return fmt.Sprintf("%s %v", v, ok) }
	for want, got := range map[string]string{
		"n1 true":   id(m.SegmentUser(TypeVXLAN, "", 1)),
		" false":    id(m.SegmentUser(TypeGRE, "", 1)),
		"p1 true":   id(m.AddressUser("s1", ip)),
		"p2 true":   id(m.AddressUser("s2", ip)),
		"n2 false":  "n2" + id(m.NetworkOfVLAN("h1", 2)),
		"1 true":    fmt.Sprint(m.VLAN("h1", "n1")),
		"0 false":   fmt.Sprint(m.VLAN("h2", "n1")),
		"[h1]":      fmt.Sprint(m.HostsOf("n1")),
		"[n1]":      fmt.Sprint(m.NetworksAt("h1")),
		"tap1":      m.PlugsOf("p1")[0].Iface,
		"p1":        string(m.PortsAt("h1", "n1")[0].ID),
		"s1":        string(m.SubnetsOf("n1")[0].ID),
		"network 1": m.OfTag(1).Kind() + " 1",
		"port 5":    m.OfTag(5).Kind() + " 5",
		"true":      fmt.Sprint(m.TypeInUse(TypeVXLAN)),
		"false":     fmt.Sprint(m.TypeInUse(TypeGRE)),
		"9":         fmt.Sprint(m.LastTag()),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if user, ok := m.MACUser("n1", mac); !ok || user != "p1" {
		t.Errorf("mac belongs to %s", user)
	}
	if m.OfTag(99) != nil {
		t.Error("an unknown tag is somebody's")
	}
	if ports := m.PortsOf("n1"); len(ports) != 1 || ports[0].ID != "p1" {
		t.Errorf("ports of n1: %v", ports)
	}
}

func TestReplacingAResourceForgetsWhatItHad(t *testing.T) {
	m := build(sound())
	old, _ := m.Ports.Get("p1")
	p := *old
	p.MAC = of.MAC{0xfa, 0x16, 0x3e, 0, 0, 7}
	p.FixedIPs = nil
	changed := m.With(&p)
	if _, used := changed.MACUser("n1", old.MAC); used {
		t.Error("the old mac is still taken")
	}
	if _, used := changed.AddressUser("s1", old.FixedIPs[0].IP); used {
		t.Error("the old address is still taken")
	}
	if _, used := m.MACUser("n1", old.MAC); !used {
		t.Error("the change reached into the old snapshot")
	}
	if err := Check(changed); err != nil {
		t.Error(err)
	}
}

func TestEverythingCanBeTakenAwayAgain(t *testing.T) {
	rs := sound()
	m := build(rs)
	for _, r := range rs {
		if m.Get(r.Kind(), r.Key()) != r {
			t.Errorf("%s %s is not found", r.Kind(), r.Key())
		}
		m = m.Without(r)
		if m.Get(r.Kind(), r.Key()) != nil {
			t.Errorf("%s %s is still there", r.Kind(), r.Key())
		}
		m = m.Without(r) // again
	}
	for r := range m.All {
		t.Errorf("left: %s %s", r.Kind(), r.Key())
	}
	if err := Check(m); err != nil {
		t.Error(err)
	}
}

func TestEveryKindCanBeMadeFoundAndVisited(t *testing.T) {
	m := &Model{}
	for kind, empty := range Kinds() {
		r := empty()
		if r.Kind() != kind {
			t.Errorf("%s makes a %s", kind, r.Kind())
		}
		if m = m.With(r); m.Get(kind, r.Key()) == nil {
			t.Errorf("%s is not found", kind)
		}
	}
	visited := map[string]int{}
	for r := range m.All {
		visited[r.Kind()]++
	}
	for kind := range Kinds() {
		if visited[kind] != 1 {
			t.Errorf("%s is visited %d times", kind, visited[kind])
		}
	}
	if m.Get("fishpond", "f") != nil {
		t.Error("an unknown kind is found")
	}
}

func TestHostSettingsAreOverriddenFieldByField(t *testing.T) {
	no := false
	h := Host{
		Said: HostSettings{
			EncapIP: netip.MustParseAddr("192.0.2.1"), EncapTypes: []NetworkType{TypeGRE, TypeVXLAN},
			BridgeMappings: map[string]string{"a": "br-a"}, DatapathType: "system",
		},
		Override: HostSettings{EncapIP: netip.MustParseAddr("192.0.2.9"), Gateway: &no},
	}
	s := h.Settings()
	if s.EncapIP.String() != "192.0.2.9" || *s.Gateway || s.DatapathType != "system" || s.BridgeMappings["a"] != "br-a" {
		t.Errorf("got %+v", s)
	}
	if !s.Speaks(TypeGRE) || s.Speaks(TypeGeneve) || (HostSettings{EncapTypes: s.EncapTypes}).Speaks(TypeGRE) {
		t.Error("wrong about the tunnels it speaks")
	}
}

func TestErrorsTellTheirReason(t *testing.T) {
	err := fmt.Errorf("update: %w", NotFoundError("Security Group", "x"))
	var e *Error
	if !IsNotFound(err) || !errors.As(err, &e) || e.Kind != "SecurityGroupNotFound" || e.Error() != "Security Group x could not be found." {
		t.Errorf("got %v", err)
	}
	if IsNotFound(Errorf(Conflict, "X", "x")) || IsNotFound(errors.New("x")) {
		t.Error("other errors are taken for not found")
	}
}
