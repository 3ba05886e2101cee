package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/placement"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// fabric is a transaction that goes on and on, with one network and, if it is given, a gateway host.
type fabric struct {
	t   *testing.T
	ops *l2.Ops
	tx  *store.Tx
	net model.ID
}

func newFabric(t *testing.T, hosts ...string) *fabric {
	t.Helper()
	ops, err := l2.New(l2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	NewPorts(ops)
	f := &fabric{t: t, ops: ops, tx: store.NewTx(&model.Model{}, time.Unix(1e9, 0), store.Cause{})}
	for _, h := range hosts {
		f.gateway(h)
	}
	n, err := ops.CreateNetwork(f.tx, l2.NetworkCreate{Project: "p1"})
	if err != nil {
		t.Fatal(err)
	}
	f.net = n.ID
	return f
}

func (f *fabric) must(err error) {
	f.t.Helper()
	if err == nil {
		err = model.Check(f.tx.Model())
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fabric) gateway(host string) {
	f.t.Helper()
	yes := true
	_, err := f.ops.PutHost(f.tx, host, l2.HostPut{Override: model.HostSettings{Gateway: &yes}})
	f.must(err)
	f.must(f.ops.SetAgent(f.tx, host, model.AgentUp))
}

func (f *fabric) subnet(cidr string, change ...func(*l2.SubnetCreate)) model.ID {
	f.t.Helper()
	req := l2.SubnetCreate{Network: f.net, CIDR: netip.MustParsePrefix(cidr), IPVersion: 4}
	if req.CIDR.Addr().Is6() {
		req.IPVersion = 6
	}
	for _, c := range change {
		c(&req)
	}
	s, err := f.ops.CreateSubnet(f.tx, req)
	f.must(err)
	return s.ID
}

func mode(m string) func(*l2.SubnetCreate) {
	return func(q *l2.SubnetCreate) { q.RAMode, q.AddressMode = m, m }
}

// port describes the network's DHCP port: where it is bound, and its addresses, sorted. Those that follow
// from its MAC are given by their prefix.
func (f *fabric) port() string {
	f.t.Helper()
	p := placement.DHCPPort(f.tx.Model(), f.net)
	if p == nil {
		return "none"
	}
	var ips []string
	for _, a := range p.FixedIPs {
		text := a.IP.String()
		if head, _, auto := strings.Cut(text, "::f816:"); auto {
			text = head + "::mac"
		}
		ips = append(ips, text)
	}
	slices.Sort(ips)
	return fmt.Sprint(p.BindingHost, " ", strings.Join(ips, " "))
}

func (f *fabric) want(what, port string) {
	f.t.Helper()
	if got := f.port(); got != port {
		f.t.Errorf("%s: DHCP port is %q, want %q", what, got, port)
	}
}

func TestDHCPPortFollowsTheSubnets(t *testing.T) {
	f := newFabric(t, "gw1")
	f.want("no subnet", "none")
	silent := f.subnet("10.9.0.0/24", func(q *l2.SubnetCreate) { q.EnableDHCP = l2.Val(false) })
	slaac := f.subnet("fd00:1::/64", mode("slaac"))
	f.want("nothing to serve", "none")
	four := f.subnet("10.0.0.0/24")
	f.want("an IPv4 subnet", "gw1 10.0.0.2 fd00:1::mac")
	f.subnet("fd00:2::/64", mode("dhcpv6-stateful"))
	f.subnet("fd00:3::/64", mode("dhcpv6-stateless"))
	f.want("two more", "gw1 10.0.0.2 fd00:1::mac fd00:2::1 fd00:3::mac")
	_, err := f.ops.UpdateSubnet(f.tx, silent, l2.SubnetUpdate{EnableDHCP: l2.Val(true)})
	f.must(err)
	f.want("switched on", "gw1 10.0.0.2 10.9.0.2 fd00:1::mac fd00:2::1 fd00:3::mac")
	f.must(f.ops.DeleteSubnet(f.tx, slaac))
	f.must(f.ops.DeleteSubnet(f.tx, four))
	f.want("two less", "gw1 10.9.0.2 fd00:2::1 fd00:3::mac")
	for _, s := range f.tx.Model().SubnetsOf(f.net) {
		if s.IPVersion == 6 {
			f.must(f.ops.DeleteSubnet(f.tx, s.ID))
		}
	}
	_, err = f.ops.UpdateSubnet(f.tx, silent, l2.SubnetUpdate{EnableDHCP: l2.Val(false)})
	f.must(err)
	f.want("nothing left to serve", "none")
	if n := f.tx.Model().Placements.Len(); n != 0 {
		t.Errorf("%d placements are left", n)
	}
}

func TestDHCPPortKeepsItsAddress(t *testing.T) {
	f := newFabric(t, "gw1")
	s := f.subnet("10.0.0.0/24")
	before := placement.DHCPPort(f.tx.Model(), f.net)
	_, err := f.ops.UpdateSubnet(f.tx, s, l2.SubnetUpdate{DNS: l2.Val([]string{"9.9.9.9"}),
		Pools: l2.Val([]model.Range{{First: netip.MustParseAddr("10.0.0.100"), Last: netip.MustParseAddr("10.0.0.200")}})})
	f.must(err)
	if after := placement.DHCPPort(f.tx.Model(), f.net); after != before {
		t.Errorf("the port changed from %+v to %+v", before, after)
	}
}

func TestDHCPPortTakesWhatIsLeft(t *testing.T) {
	f := newFabric(t, "gw1")
	f.subnet("10.0.0.0/24", func(q *l2.SubnetCreate) { q.Pools = l2.Val([]model.Range{}) })
	f.want("a subnet without addresses", "gw1 ")
	for range 7 {
		f.subnet(fmt.Sprintf("10.1.%d.0/24", f.tx.Model().Subnets.Len()))
	}
	if p := placement.DHCPPort(f.tx.Model(), f.net); len(p.FixedIPs) != 7 {
		t.Errorf("in seven subnets it has %d addresses", len(p.FixedIPs))
	}
}

func TestDHCPPortComesWithTheFirstGatewayHost(t *testing.T) {
	f := newFabric(t)
	f.subnet("10.0.0.0/24")
	f.want("no gateway host", "none")
	f.gateway("gw1.example.org")
	f.want("the first", "gw1.example.org 10.0.0.2")
	if p := placement.DHCPPort(f.tx.Model(), f.net); p.DeviceID != placement.DHCPDevice(f.net, "gw1") || p.Project != "p1" || p.PortSecurity {
		t.Errorf("port: %+v", p)
	}
	f.must(f.ops.DeleteHost(f.tx, "gw1.example.org"))
	f.want("the last has left", " 10.0.0.2")
	if p := placement.DHCPPort(f.tx.Model(), f.net); p.DeviceID != "reserved_dhcp_port" {
		t.Errorf("device of a server without place: %s", p.DeviceID)
	}
	f.gateway("gw2")
	f.want("another came", "gw2 10.0.0.2")
}

func TestDHCPPortThatIsDeletedComesBack(t *testing.T) {
	f := newFabric(t, "gw1")
	f.subnet("10.0.0.0/24")
	f.must(f.ops.DeletePort(f.tx, placement.DHCPPort(f.tx.Model(), f.net).ID))
	f.want("deleted by a user", "gw1 10.0.0.2")
	f.must(f.ops.DeleteNetwork(f.tx, f.net))
	if m := f.tx.Model(); m.Ports.Len()+m.Placements.Len() != 0 {
		t.Errorf("a deleted network leaves %d ports and %d placements", m.Ports.Len(), m.Placements.Len())
	}
}

func TestDHCPDeviceIsThatOfTheReference(t *testing.T) {
	const want = "dhcp8461c769-9756-5dd2-a662-868702182d0e-d71960f5-551c-47ea-b9f0-124c6065b687"
	for _, host := range []string{"node1", "node1.example.org"} {
		if got := placement.DHCPDevice("d71960f5-551c-47ea-b9f0-124c6065b687", host); got != want {
			t.Errorf("device on %s: %s", host, got)
		}
	}
}
