package nat_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/placement"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// world is a model that transactions of layers 2 and 3 are tried on.
type world struct {
	rt      *rapid.T
	l2      *l2.Ops
	routers *router.Ops
	nat     *nat.Ops
	m       *model.Model
	now     time.Time

	remembering []spec.Planner // of DHCP services and routers
}

func newWorld(rt *rapid.T) *world {
	ops, err := l2.New(l2.Config{Rand: rand.NewChaCha8([32]byte{byte(rapid.Uint8().Draw(rt, "seed"))})})
	if err != nil {
		rt.Fatal(err)
	}
	dhcp.NewPorts(ops)
	return &world{rt: rt, l2: ops, routers: router.New(ops), nat: nat.New(ops), m: &model.Model{}, now: time.Unix(1e9, 0).UTC(),
		remembering: []spec.Planner{dhcp.NewPlanner(dhcp.Planner{}), router.NewPlanner(nat.Rules)}}
}

// try runs a transaction; if it fails the world stays as it is. An error must be an answer, not an
// accident, and what is stored must be sound.
func (w *world) try(what string, fn func(tx *store.Tx) error) {
	tx := store.NewTx(w.m, w.now, store.Cause{})
	err := fn(tx)
	var answer *model.Error
	switch {
	case errors.As(err, &answer):
		return
	case err != nil:
		w.rt.Fatalf("%s: not an answer: %v", what, err)
	}
	next := *tx.Model()
	next.Rev = tx.Rev()
	w.m = &next
	if err := errors.Join(model.Check(w.m), placed(w.m), w.planned()); err != nil {
		w.rt.Fatalf("after %s: %v", what, err)
	}
}

// planned checks that planners which remember what they planned give what those give that do not.
func (w *world) planned() error {
	for _, host := range []string{"gw1", "gw2"} {
		got, err := spec.Plan(w.m, spec.Observed{}, host, w.remembering...)
		if err != nil {
			return err
		}
		want, err := spec.Plan(w.m, spec.Observed{}, host, dhcp.Plan, router.Plan(nat.Rules))
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("plan of %s is\n%+v\nwant\n%+v", host, got, want)
		}
	}
	return nil
}

// placed checks that what needs a place has one if there is one to be had, that its ports are bound there,
// and that DHCP servers have ports.
func placed(m *model.Model) error {
	var errs []error
	bound := func(p *model.Port, host string) {
		if p.BindingHost != host {
			errs = append(errs, fmt.Errorf("port %s of %s is bound to %q, its service is on %q", p.ID, p.DeviceOwner, p.BindingHost, host))
		}
	}
	check := func(service string, id model.ID) string {
		host := m.HostOfService(service, id)
		if _, free := placement.Place(m, service, id); free && host == "" && m.NeedsPlace(service, id) {
			errs = append(errs, fmt.Errorf("%s of %s has no place", service, id))
		}
		return host
	}
	for id := range m.Routers.All() {
		host := check(model.ServiceRouter, id)
		for _, p := range m.PortsOfDevice(string(id)) {
			if p.DeviceOwner == model.OwnerRouterInterface || p.DeviceOwner == model.OwnerRouterGateway {
				bound(p, host)
			}
		}
	}
	for id := range m.Networks.All() {
		host := check(model.ServiceDHCP, id)
		switch p := placement.DHCPPort(m, id); {
		case p != nil && !m.NeedsPlace(model.ServiceDHCP, id):
			errs = append(errs, fmt.Errorf("network %s has a DHCP port and no DHCP", id))
		case p != nil:
			bound(p, host)
		case host != "":
			errs = append(errs, fmt.Errorf("the DHCP server of network %s has no port", id))
		}
	}
	return errors.Join(errs...)
}

// any picks one of the ids that exist, or one that does not.
func (w *world) any(ids []model.ID) model.ID {
	return rapid.SampledFrom(append(slices.Clone(ids), "nowhere")).Draw(w.rt, "id")
}

func pickOf[T any](w *world, from ...T) T { return rapid.SampledFrom(from).Draw(w.rt, "value") }

func TestAnySequenceOfOperationsKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		if rapid.Bool().Draw(rt, "build") {
			w.build()
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			w.step(rapid.IntRange(0, 18).Draw(rt, "operation"))
		}
	})
}

// build makes what it would take a long walk to come by: a router between an external network and one
// with a port.
func (w *world) build() {
	w.try("build", func(tx *store.Tx) error {
		subnet := func(network model.ID, cidr string) (*model.Subnet, error) {
			return w.l2.CreateSubnet(tx, l2.SubnetCreate{Network: network, IPVersion: 4, CIDR: netip.MustParsePrefix(cidr)})
		}
		out, err := w.l2.CreateNetwork(tx, l2.NetworkCreate{External: true})
		if err != nil {
			return err
		}
		in, err := w.l2.CreateNetwork(tx, l2.NetworkCreate{})
		if err != nil {
			return err
		}
		if _, err := subnet(out.ID, "203.0.113.0/28"); err != nil {
			return err
		}
		s, err := subnet(in.ID, "10.0.0.0/28")
		if err != nil {
			return err
		}
		r, err := w.routers.Create(tx, router.Create{Gateway: l2.Val(router.Gateway{Network: out.ID})})
		if err != nil {
			return err
		}
		if _, err := w.routers.AddInterface(tx, r.ID, s.ID, ""); err != nil {
			return err
		}
		p, err := w.l2.CreatePort(tx, l2.PortCreate{Network: in.ID})
		if err != nil {
			return err
		}
		_, err = w.nat.CreateFloatingIP(tx, nat.FloatingIPCreate{Network: out.ID, Target: l2.Val(p.ID)})
		return err
	})
}

func (w *world) step(operation int) {
	networks, subnets, ports, routers := w.m.Networks.Sorted(), w.m.Subnets.Sorted(), w.m.Ports.Sorted(), w.m.Routers.Sorted()
	floating, forwardings := w.m.FloatingIPs.Sorted(), w.m.Forwardings.Sorted()
	network, subnet, port, r := w.any(networks), w.any(subnets), w.any(ports), w.any(routers)
	yes := rapid.Bool().Draw(w.rt, "yes")
	address := netip.MustParseAddr(pickOf(w, "10.0.0.5", "10.0.1.5", "203.0.113.5", "fd00::5"))
	target := l2.Opt[model.ID]{}
	if yes {
		target = l2.Val(port)
	}
	switch operation {
	case 0:
		w.try("network", func(tx *store.Tx) error {
			_, err := w.l2.CreateNetwork(tx, l2.NetworkCreate{External: yes})
			return err
		})
	case 1, 2:
		req := l2.SubnetCreate{Network: network, CIDR: netip.MustParsePrefix(pickOf(w, "10.0.0.0/28", "10.0.1.0/28", "203.0.113.0/29", "fd00::/64", "fd01::/64")), EnableDHCP: l2.Val(yes), IPVersion: 4}
		if req.CIDR.Addr().Is6() {
			req.IPVersion = 6
			req.EnableDHCP = l2.Val(true)
			mode := pickOf(w, "", "slaac", "dhcpv6-stateless", "dhcpv6-stateful")
			req.RAMode, req.AddressMode = mode, mode
		}
		w.try("subnet", func(tx *store.Tx) error { _, err := w.l2.CreateSubnet(tx, req); return err })
	case 3:
		w.try("update subnet", func(tx *store.Tx) error {
			_, err := w.l2.UpdateSubnet(tx, subnet, l2.SubnetUpdate{EnableDHCP: l2.Val(yes)})
			return err
		})
	case 4:
		w.try("delete subnet", func(tx *store.Tx) error { return w.l2.DeleteSubnet(tx, subnet) })
	case 5:
		w.try("port", func(tx *store.Tx) error {
			_, err := w.l2.CreatePort(tx, l2.PortCreate{Network: network, DeviceOwner: pickOf(w, "", "", model.OwnerRouterInterface, model.OwnerDHCP), DeviceID: pickOf(w, "", "", string(r))})
			return err
		})
	case 6:
		w.try("update port", func(tx *store.Tx) error {
			_, err := w.l2.UpdatePort(tx, port, l2.PortUpdate{FixedIPs: l2.Val([]model.FixedIP{{IP: address}})})
			return err
		})
	case 7:
		w.try("delete port", func(tx *store.Tx) error { return w.l2.DeletePort(tx, port) })
	case 8:
		w.try("router", func(tx *store.Tx) error {
			_, err := w.routers.Create(tx, router.Create{Gateway: l2.Opt[router.Gateway]{Given: yes, Value: router.Gateway{Network: network}}})
			return err
		})
	case 9:
		w.try("gateway", func(tx *store.Tx) error {
			_, err := w.routers.Update(tx, r, router.Update{Gateway: l2.Opt[router.Gateway]{Given: true, Null: yes, Value: router.Gateway{Network: network}}})
			return err
		})
	case 10:
		w.try("add interface", func(tx *store.Tx) error {
			if yes {
				_, err := w.routers.AddInterface(tx, r, subnet, "")
				return err
			}
			_, err := w.routers.AddInterface(tx, r, "", port)
			return err
		})
	case 11:
		w.try("remove interface", func(tx *store.Tx) error {
			if yes {
				_, err := w.routers.RemoveInterface(tx, r, subnet, "")
				return err
			}
			_, err := w.routers.RemoveInterface(tx, r, "", port)
			return err
		})
	case 12:
		w.try("delete router or network", func(tx *store.Tx) error {
			if yes {
				return w.routers.Delete(tx, r)
			}
			return w.l2.DeleteNetwork(tx, network)
		})
	case 13:
		w.try("floating IP", func(tx *store.Tx) error {
			_, err := w.nat.CreateFloatingIP(tx, nat.FloatingIPCreate{Network: network, Target: target})
			return err
		})
	case 14:
		w.try("update floating IP", func(tx *store.Tx) error {
			_, err := w.nat.UpdateFloatingIP(tx, w.any(floating), nat.FloatingIPUpdate{Target: l2.Opt[model.ID]{Given: true, Null: !yes, Value: port}})
			return err
		})
	case 15:
		w.try("delete floating IP or forwarding", func(tx *store.Tx) error {
			if yes {
				return w.nat.DeleteFloatingIP(tx, w.any(floating))
			}
			return w.nat.DeleteForwarding(tx, w.any(forwardings))
		})
	case 16:
		ports := l2.Val(model.PortRange{First: pickOf[uint16](w, 80, 90), Last: pickOf[uint16](w, 90, 99)})
		w.try("forwarding", func(tx *store.Tx) error {
			if len(forwardings) > 0 && pickOf(w, true, false) {
				_, err := w.nat.UpdateForwarding(tx, w.any(forwardings), nat.ForwardingUpdate{Target: target, External: ports, Internal: ports})
				return err
			}
			_, err := w.nat.CreateForwarding(tx, nat.ForwardingCreate{FloatingIP: w.any(floating), Protocol: "tcp", External: ports, Internal: ports, Target: port})
			return err
		})
	case 17:
		w.try("routes", func(tx *store.Tx) error {
			routes := []model.Route{{Destination: netip.MustParsePrefix("172.16.0.0/12"), NextHop: address}}
			if yes {
				_, err := w.routers.AddRoutes(tx, r, routes)
				return err
			}
			_, err := w.routers.RemoveRoutes(tx, r, routes)
			return err
		})
	case 18:
		host := pickOf(w, "gw1", "gw2")
		w.try("host", func(tx *store.Tx) error {
			switch pickOf(w, "put", "put", "move", "delete") {
			case "delete":
				return w.l2.DeleteHost(tx, host)
			case "move":
				if yes {
					return placement.Move(tx, model.ServiceRouter, r, host)
				}
				return placement.Move(tx, model.ServiceDHCP, network, host)
			}
			if _, err := w.l2.PutHost(tx, host, l2.HostPut{Override: model.HostSettings{Gateway: &yes}, Drained: pickOf(w, true, false)}); err != nil {
				return err
			}
			return w.l2.SetAgent(tx, host, pickOf(w, model.AgentNever, model.AgentUp, model.AgentLost))
		})
	}
}

func TestServicesAreSpreadOverHosts(t *testing.T) {
	ops, err := l2.New(l2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	dhcp.NewPorts(ops)
	routers := router.New(ops)
	yes := true
	tx := store.NewTx(&model.Model{}, time.Unix(1e9, 0), store.Cause{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		_, err := ops.PutHost(tx, name, l2.HostPut{Override: model.HostSettings{Gateway: &yes}})
		must(err)
		must(ops.SetAgent(tx, name, model.AgentUp))
	}
	for range 30 {
		n, err := ops.CreateNetwork(tx, l2.NetworkCreate{})
		must(err)
		s, err := ops.CreateSubnet(tx, l2.SubnetCreate{Network: n.ID, IPVersion: 4, CIDR: netip.MustParsePrefix("10.0.0.0/24")})
		must(err)
		r, err := routers.Create(tx, router.Create{})
		must(err)
		_, err = routers.AddInterface(tx, r.ID, s.ID, "")
		must(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		for _, service := range []string{model.ServiceRouter, model.ServiceDHCP} {
			if n := len(tx.Model().PlacedAt(name, service)); n != 10 {
				t.Errorf("host %s has %d of service %s, want 10", name, n, service)
			}
		}
	}
	r := tx.Model().PlacedAt("a", model.ServiceRouter)[0]
	must(placement.Move(tx, model.ServiceRouter, r, "b"))
	if host := tx.Model().HostOfService(model.ServiceRouter, r); host != "b" {
		t.Errorf("the moved router is on %s", host)
	}
	must(placed(tx.Model()))
	must(ops.DeleteHost(tx, "a"))
	must(errors.Join(placed(tx.Model()), model.Check(tx.Model())))
	for _, name := range []string{"b", "c"} {
		if n := len(tx.Model().PlacedAt(name, model.ServiceDHCP)); n != 15 {
			t.Errorf("host %s has %d DHCP servers after a left, want 15", name, n)
		}
	}
	for host, want := range map[string]string{"a": "HostNotFound", "gone": "HostNotFound"} {
		var e *model.Error
		if err := placement.Move(tx, model.ServiceRouter, r, host); !errors.As(err, &e) || e.Kind != want {
			t.Errorf("move to %s: %v", host, err)
		}
	}
}
