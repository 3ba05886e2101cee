package placement

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// host makes a gateway host whose agent is in a state.
func host(name string, state model.AgentState, drained bool) *model.Host {
	return &model.Host{Name: name, Said: model.HostSettings{Gateway: new(true)}, Agent: state, Drained: drained}
}

// network makes a network that needs a DHCP server.
func network(id model.ID) []model.Resource {
	return []model.Resource{
		&model.Network{Meta: model.Meta{ID: id}, Type: model.TypeLocal},
		&model.Subnet{Meta: model.Meta{ID: "s-" + id}, Network: id, IPVersion: 4, CIDR: netip.MustParsePrefix("10.0.0.0/24"), EnableDHCP: true},
	}
}

func build(rs ...model.Resource) *model.Model {
	m := &model.Model{}
	for _, r := range rs {
		m = m.With(r)
	}
	return m
}

func TestPlaceChoosesTheHostWithLeast(t *testing.T) {
	up, lost, never := model.AgentUp, model.AgentLost, model.AgentNever
	at := func(service, object, host string) model.Resource {
		return &model.Placement{Service: service, Object: model.ID(object), Host: host}
	}
	for _, c := range []struct {
		name string
		m    *model.Model
		want string
	}{
		{"none", build(), ""},
		{"a_plain_host", build(&model.Host{Name: "h", Agent: up}), ""},
		{"drained", build(host("a", up, true)), ""},
		{"never_seen", build(host("a", never, false)), ""},
		{"lost", build(host("a", lost, false)), ""},
		{"first_by_name", build(host("b", up, false), host("a", up, false)), "a"},
		{"fewest_of_its_kind", build(host("a", up, false), host("b", up, false), at("dhcp", "x", "a")), "b"},
		{"other_kinds_count_less", build(host("a", up, false), host("b", up, false), at("dhcp", "x", "a"), at("router", "y", "b"), at("router", "z", "b")), "b"},
		{"other_kinds_count", build(host("a", up, false), host("b", up, false), at("router", "x", "a")), "b"},
		{"itself_does_not_count", build(host("a", up, false), host("b", up, false), at("dhcp", "n", "b"), at("router", "x", "a")), "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 5 {
				if got, ok := Place(c.m, model.ServiceDHCP, "n"); got != c.want || ok != (got != "") {
					t.Fatalf("placed on %q, %t, want %q", got, ok, c.want)
				}
			}
		})
	}
}

func TestServicesStayWhileTheyCan(t *testing.T) {
	tx := store.NewTx(build(append(network("n"), host("a", model.AgentUp, false))...), time.Unix(1e9, 0), store.Cause{})
	settled := func(what, want string, hosts ...*model.Host) {
		t.Helper()
		for _, h := range hosts {
			tx.Put(h)
		}
		Settle(tx, model.ServiceDHCP, "n")
		if got := tx.Model().HostOfService(model.ServiceDHCP, "n"); got != want {
			t.Errorf("%s: on %q, want %q", what, got, want)
		}
	}
	settled("the only host", "a")
	settled("a better one joined", "a", host("b", model.AgentUp, false))
	settled("its host is drained", "a", host("a", model.AgentUp, true))
	settled("its host is lost", "b", host("a", model.AgentLost, false))
	settled("its host is back", "b", host("a", model.AgentUp, false))
	settled("both are lost", "b", host("a", model.AgentLost, false), host("b", model.AgentLost, false))
	settled("none is a gateway", "", &model.Host{Name: "a"}, &model.Host{Name: "b"})
	settled("one is again", "a", host("a", model.AgentUp, false))
	tx.Delete(&model.Subnet{Meta: model.Meta{ID: "s-n"}})
	settled("nothing is served", "")
}

func TestMoveRefuses(t *testing.T) {
	tx := store.NewTx(build(append(network("n"), host("a", model.AgentUp, false), host("b", model.AgentUp, true), &model.Host{Name: "plain"})...),
		time.Unix(1e9, 0), store.Cause{})
	kind := func(err error) string {
		var e *model.Error
		errors.As(err, &e)
		if e == nil {
			return "none"
		}
		return e.Kind
	}
	if got := kind(Move(tx, model.ServiceDHCP, "n", "b")); got != "PlacementNotFound" {
		t.Errorf("what has no place: %s", got)
	}
	Settle(tx, model.ServiceDHCP, "n")
	for host, want := range map[string]string{"plain": "HostNoGateway", "x": "HostNotFound", "b": "none"} {
		if got := kind(Move(tx, model.ServiceDHCP, "n", host)); got != want {
			t.Errorf("move to %s: %s, want %s", host, got, want)
		}
	}
	if other, ok := Other(tx.Model(), model.ServiceDHCP, "n"); other != "a" || !ok {
		t.Errorf("the other host is %q", other)
	}
}
