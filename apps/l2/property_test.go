package l2

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/bolt"
	"github.com/heddle-sdn/heddle/store/model"
)

// tight leaves little of everything, so that random operations collide and run out.
var tight = Config{
	Ranges:   map[model.NetworkType][]SegmentRange{"vxlan": {{1, 6}}, "gre": {{1, 4}}},
	Physnets: []Physnet{{Name: "physnet1", VLANs: []SegmentRange{{10, 12}}}},
}

// TestAnySequenceOfOperationsKeepsTheInvariants walks at random: world.try checks the model after each
// step, and errors must be answers, not accidents.
func TestAnySequenceOfOperationsKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := tight
		cfg.Rand = rand.NewChaCha8([32]byte{byte(rapid.Uint8().Draw(rt, "seed"))})
		w := newWorld(t, cfg)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			err := step(rt, w)
			var e *model.Error
			if err != nil && !errors.As(err, &e) {
				rt.Fatalf("not an answer: %v", err)
			}
		}
		rebuilt := &model.Model{}
		for r := range w.m.All {
			rebuilt = rebuilt.With(r)
		}
		if err := model.Check(rebuilt); err != nil {
			rt.Fatal(err)
		}
	})
}

func step(rt *rapid.T, w *world) error {
	hosts := []string{"h1", "h2"}
	macs := []of.MAC{mac("fa:16:3e:00:00:01"), mac("fa:16:3e:00:00:02"), mac("fa:16:3e:00:00:03")}
	owners := []string{"", "", "compute:nova", OwnerDHCP, OwnerRouterInterface}
	ranges := []netip.Prefix{cidr("10.0.0.0/29"), cidr("10.0.0.4/30"), cidr("10.0.1.0/28"), cidr("fd00::/64"), cidr("fd00::/125")}
	addresses := []netip.Addr{addr("10.0.0.1"), addr("10.0.0.2"), addr("10.0.0.5"), addr("10.0.1.9"), addr("fd00::2"), addr("10.9.9.9")}

	networks, subnets, ports := w.m.Networks.Sorted(), w.m.Subnets.Sorted(), w.m.Ports.Sorted()
	network, subnet, port := draw(rt, "network", networks), draw(rt, "subnet", subnets), draw(rt, "port", ports)
	fixed := func() Opt[[]model.FixedIP] {
		if rapid.Bool().Draw(rt, "any address") {
			return Opt[[]model.FixedIP]{}
		}
		var out []model.FixedIP
		for range rapid.IntRange(0, 3).Draw(rt, "addresses") {
			f := model.FixedIP{}
			if rapid.Bool().Draw(rt, "by subnet") {
				f.Subnet = subnet
			}
			if rapid.Bool().Draw(rt, "by address") {
				f.IP = rapid.SampledFrom(addresses).Draw(rt, "address")
			}
			out = append(out, f)
		}
		return Val(out)
	}
	someMAC := func() Opt[of.MAC] {
		if rapid.Bool().Draw(rt, "any mac") {
			return Opt[of.MAC]{}
		}
		return Val(rapid.SampledFrom(macs).Draw(rt, "mac"))
	}
	host := rapid.SampledFrom(hosts).Draw(rt, "host")
	switch rapid.IntRange(0, 13).Draw(rt, "operation") {
	case 0:
		_, err := w.network("", NetworkCreate{})
		return err
	case 1:
		req := provider(rapid.SampledFrom([]model.NetworkType{"gre", "vlan", "flat", "local"}).Draw(rt, "type"), "", 0)
		if req.Type.Value == model.TypeVLAN || req.Type.Value == model.TypeFlat {
			req.Physnet = Val("physnet1")
		}
		if rapid.Bool().Draw(rt, "with id") {
			req.SegmentID = Val(rapid.IntRange(9, 13).Draw(rt, "id"))
		}
		_, err := w.network("", req)
		return err
	case 2:
		return w.try(func(tx *store.Tx) error { return w.ops.DeleteNetwork(tx, network) })
	case 3, 4:
		req := SubnetCreate{Network: network, CIDR: rapid.SampledFrom(ranges).Draw(rt, "range")}
		if req.CIDR.Bits() == 64 && rapid.Bool().Draw(rt, "slaac") {
			req.RAMode = modeSLAAC
		}
		_, err := w.subnet("", req)
		return err
	case 5:
		return w.try(func(tx *store.Tx) error { return w.ops.DeleteSubnet(tx, subnet) })
	case 6:
		_, err := w.updateSubnet(subnet, SubnetUpdate{Gateway: Val(rapid.SampledFrom(addresses).Draw(rt, "gateway")), Pools: Val([]model.Range{})})
		return err
	case 7, 8, 9:
		_, err := w.port("", PortCreate{Network: network, MAC: someMAC(), FixedIPs: fixed(), DeviceOwner: rapid.SampledFrom(owners).Draw(rt, "owner")})
		return err
	case 10:
		_, err := w.updatePort(port, PortUpdate{MAC: someMAC(), FixedIPs: fixed()})
		return err
	case 11:
		return w.try(func(tx *store.Tx) error { return w.ops.DeletePort(tx, port) })
	case 12:
		return w.bind(port, host, rapid.SampledFrom([]string{"tap0", "tap1"}).Draw(rt, "interface"))
	}
	w.unbind(port, host)
	return nil
}

// draw picks one of the ids that exist, or one that does not.
func draw(rt *rapid.T, what string, ids []model.ID) model.ID {
	return rapid.SampledFrom(append(ids, "nowhere")).Draw(rt, what)
}

// TestConcurrentWritersNeverGetTheSame lets writers race for everything that is allocated, over the
// real store, and checks what they were told as well as what is stored.
func TestConcurrentWritersNeverGetTheSame(t *testing.T) {
	s := openStore(t)
	ops, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var shared *model.Network
	update(t, s, func(tx *store.Tx) (err error) {
		if shared, err = ops.CreateNetwork(tx, NetworkCreate{Name: "shared"}); err != nil {
			return err
		}
		_, err = ops.CreateSubnet(tx, SubnetCreate{Network: shared.ID, IPVersion: 4, CIDR: cidr("10.0.0.0/24")})
		return err
	})
	const writers, each = 8, 15
	var mu sync.Mutex
	given := map[string]string{}
	give := func(what, who string) {
		mu.Lock()
		defer mu.Unlock()
		if other, taken := given[what]; taken {
			t.Errorf("%s was given to %s and to %s", what, other, who)
		}
		given[what] = who
	}
	var wg sync.WaitGroup
	for writer := range writers {
		wg.Go(func() {
			for i := range each {
				var n *model.Network
				var p, q *model.Port
				m, err := s.Update(ctx, func(tx *store.Tx) (err error) {
					if n, err = ops.CreateNetwork(tx, NetworkCreate{}); err != nil {
						return err
					}
					if q, err = ops.CreatePort(tx, PortCreate{Network: n.ID}); err != nil {
						return err
					}
					if p, err = ops.CreatePort(tx, PortCreate{Network: shared.ID}); err != nil {
						return err
					}
					_, err = ops.Bind(tx, q.ID, "h1", "tap")
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				who := fmt.Sprintf("writer %d, turn %d", writer, i)
				vlan, _ := m.VLAN("h1", n.ID)
				give(fmt.Sprintf("vni %d", n.SegmentID), who)
				give(fmt.Sprintf("tag %d", n.Tag), who)
				give(fmt.Sprintf("tag %d", p.Tag), who)
				give(fmt.Sprintf("tag %d", q.Tag), who)
				give(fmt.Sprintf("local vlan %d", vlan), who)
				give("mac "+p.MAC.String(), who)
				give("address "+p.FixedIPs[0].IP.String(), who)
			}
		})
	}
	wg.Wait()
	if err := model.Check(s.Snapshot()); err != nil {
		t.Error(err)
	}
	if n := s.Snapshot().Networks.Len(); n != writers*each+1 {
		t.Errorf("%d networks", n)
	}
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	b, err := bolt.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), b, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func update(t testing.TB, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if _, err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}
