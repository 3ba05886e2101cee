package placement

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
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
	settled("its host is lost", "b", host("a", model.AgentLost, false))
	settled("its host is back", "b", host("a", model.AgentUp, false))
	settled("both are lost", "b", host("a", model.AgentLost, false), host("b", model.AgentLost, false))
	settled("none is a gateway", "", &model.Host{Name: "a"}, &model.Host{Name: "b"})
	settled("one is again", "a", host("a", model.AgentUp, false))
	tx.Delete(&model.Subnet{Meta: model.Meta{ID: "s-n"}})
	settled("nothing is served", "")
}

func TestMoveRefuses(t *testing.T) {
	tx := store.NewTx(build(append(network("n"), host("a", model.AgentUp, false), host("b", model.AgentUp, false), host("c", model.AgentUp, true), &model.Host{Name: "plain"})...),
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
	for host, want := range map[string]string{"plain": "HostNoGateway", "x": "HostNotFound", "c": "HostDrained", "b": "none"} {
		if got := kind(Move(tx, model.ServiceDHCP, "n", host)); got != want {
			t.Errorf("move to %s: %s, want %s", host, got, want)
		}
	}
	if other, ok := Other(tx.Model(), model.ServiceDHCP, "n"); other != "a" || !ok {
		t.Errorf("the other host is %q", other)
	}
}

// TestDrainedHostsAreLeft follows the DHCP of four networks over three gateway hosts.
func TestDrainedHostsAreLeft(t *testing.T) {
	rs := []model.Resource{host("a", model.AgentUp, false)}
	ids := []model.ID{"n1", "n2", "n3", "n4"}
	for _, id := range ids {
		rs = append(rs, network(id)...)
	}
	tx := store.NewTx(build(rs...), time.Unix(1e9, 0), store.Cause{})
	where := func() string {
		var b strings.Builder
		for _, id := range ids {
			Settle(tx, model.ServiceDHCP, id)
		}
		for _, id := range ids {
			p, _ := tx.Model().Placements.Get(model.PlacementKey(model.ServiceDHCP, id))
			fmt.Fprintf(&b, "%s: %s", id, p.Host)
			if p.Leaving != "" {
				fmt.Fprintf(&b, " from %s", p.Leaving)
			}
			fmt.Fprintf(&b, " (%s)\n", p.Cause)
		}
		return b.String()
	}
	all := func(tail string) string { return "n1: " + tail + "n2: " + tail + "n3: " + tail + "n4: " + tail }
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"first", func() {}, all("a (first_placement)\n")},
		{"drained_without_another", func() { tx.Put(host("a", model.AgentUp, true)) }, all("a (first_placement)\n")},
		{"two_others_join_and_share", func() { tx.Put(host("b", model.AgentUp, false)); tx.Put(host("c", model.AgentUp, false)) },
			"n1: b from a (drained)\nn2: c from a (drained)\nn3: b from a (drained)\nn4: c from a (drained)\n"},
		{"arrived", func() {
			for _, id := range ids {
				Arrived(tx, model.ServiceDHCP, id)
			}
		}, "n1: b (drained)\nn2: c (drained)\nn3: b (drained)\nn4: c (drained)\n"},
		{"not_drained_any_more_nothing_comes_back", func() { tx.Put(host("a", model.AgentUp, false)) },
			"n1: b (drained)\nn2: c (drained)\nn3: b (drained)\nn4: c (drained)\n"},
		{"drained_while_the_next_is_lost", func() { tx.Put(host("b", model.AgentUp, true)); tx.Put(host("a", model.AgentLost, false)) },
			"n1: c from b (drained)\nn2: c (drained)\nn3: c from b (drained)\nn4: c (drained)\n"},
		{"what_is_left_is_lost", func() { tx.Put(host("b", model.AgentLost, true)) },
			"n1: c (drained)\nn2: c (drained)\nn3: c (drained)\nn4: c (drained)\n"},
		{"lost_nobody_goes_on", func() { tx.Put(host("c", model.AgentLost, false)); tx.Put(host("a", model.AgentUp, false)) }, all("a (agent_lost)\n")},
		{"a_host_in_between_keeps_nothing", func() {
			tx.Put(host("a", model.AgentUp, true))
			tx.Put(host("b", model.AgentUp, false))
			where()
			tx.Put(host("b", model.AgentUp, true))
			tx.Put(host("c", model.AgentUp, false))
		}, all("c from a (drained)\n")},
		{"back_where_it_still_is", func() { tx.Put(host("a", model.AgentUp, false)); tx.Put(host("c", model.AgentUp, true)) }, all("a from c (drained)\n")},
	} {
		step.do()
		if got := where(); got != step.want {
			t.Fatalf("%s:\n%swant\n%s", step.name, got, step.want)
		}
	}
}
