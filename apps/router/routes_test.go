package router

import (
	"net/netip"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestRouteOverALostGatewayIsNotPlanned(t *testing.T) {
	ops, err := l2.New(l2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	routers := New(ops)
	tx := store.NewTx(&model.Model{}, time.Unix(1e9, 0), store.Cause{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	subnet := func(external bool, cidr string) *model.Subnet {
		t.Helper()
		n, err := ops.CreateNetwork(tx, l2.NetworkCreate{External: external})
		must(err)
		s, err := ops.CreateSubnet(tx, l2.SubnetCreate{Network: n.ID, IPVersion: 4, CIDR: netip.MustParsePrefix(cidr)})
		must(err)
		return s
	}
	yes := true
	_, err = ops.PutHost(tx, "gw1", l2.HostPut{Override: model.HostSettings{Gateway: &yes}})
	must(err)
	must(ops.SetAgent(tx, "gw1", model.AgentUp))
	in, out := subnet(false, "10.0.0.0/24"), subnet(true, "203.0.113.0/24")
	r, err := routers.Create(tx, Create{Gateway: l2.Val(Gateway{Network: out.Network})})
	must(err)
	_, err = routers.AddInterface(tx, r.ID, in.ID, "")
	must(err)
	over := func(hop string) model.Route {
		return model.Route{Destination: netip.MustParsePrefix("172.16.0.0/12"), NextHop: netip.MustParseAddr(hop)}
	}
	_, err = routers.AddRoutes(tx, r.ID, []model.Route{over("10.0.0.9"), over("203.0.113.9")})
	must(err)

	planned := func() int {
		t.Helper()
		s := spec.Spec{Host: "gw1", Namespaces: map[string]spec.Namespace{}}
		must(Plan(func(*model.Model, *model.Router, []string, []string) *spec.NFT { return nil })(tx.Model(), spec.Observed{}, &s))
		n := 0
		for _, route := range s.Namespaces[Namespace(r.ID)].Routes {
			if route.Destination == over("10.0.0.9").Destination {
				n++
			}
		}
		return n
	}
	if n := planned(); n != 2 {
		t.Errorf("with a gateway %d routes are planned, want 2", n)
	}
	_, err = routers.Update(tx, r.ID, Update{Gateway: l2.Null[Gateway]()})
	must(err)
	if n := planned(); n != 1 {
		t.Errorf("without a gateway %d routes are planned, want 1", n)
	}
	must(model.Check(tx.Model()))
}
