package status_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestSubnetSaysHowManyAddressesAreLeft(t *testing.T) {
	ip := netip.MustParseAddr
	s := &model.Subnet{Meta: model.Meta{ID: "s", Name: "blue-v4"}, Network: "n", IPVersion: 4, CIDR: netip.MustParsePrefix("10.0.0.0/29"),
		Pools: []model.Range{{First: ip("10.0.0.2"), Last: ip("10.0.0.3")}}}
	m := new(model.Model).With(&model.Network{Meta: model.Meta{ID: "n"}, AdminUp: true}).With(s)
	take := func(id, addr string) {
		m = m.With(&model.Port{Meta: model.Meta{ID: model.ID(id)}, Network: "n", FixedIPs: []model.FixedIP{{Subnet: "s", IP: ip(addr)}}})
	}
	take("gateway", "10.0.0.1") // of no pool
	take("a", "10.0.0.2")
	c := condition(t, status.View{}.Object(m, s), "Addresses")
	if !c.OK || c.Msg != "1 of 2 addresses of its pools (10.0.0.2-10.0.0.3) are used, 1 are left" {
		t.Errorf("%+v", c)
	}
	take("b", "10.0.0.3")
	c = condition(t, status.View{}.Object(m, s), "Addresses")
	if c.OK || c.Reason != status.SubnetExhausted || !strings.Contains(c.Msg, "all 2 addresses") || !strings.Contains(c.Msg, "within 10.0.0.0/29") {
		t.Errorf("%+v", c)
	}
	without := *s
	without.Pools = nil
	if c := condition(t, status.View{}.Object(m.With(&without), &without), "Addresses"); c.OK || !strings.Contains(c.Msg, "no allocation pool") {
		t.Errorf("without a pool: %+v", c)
	}
}

func TestPoolOfIPv6HasMoreAddressesThanANumberHasBits(t *testing.T) {
	s := &model.Subnet{Meta: model.Meta{ID: "s"}, Network: "n", CIDR: netip.MustParsePrefix("fd00::/48"),
		Pools: []model.Range{{First: netip.MustParseAddr("fd00::"), Last: netip.MustParseAddr("fd00::ffff:ffff:ffff:ffff:ffff")}}}
	if got := status.UsageOf(new(model.Model).With(s), s).Total.String(); got != "1208925819614629174706176" {
		t.Errorf("%s addresses", got)
	}
}

// routed is router r on network n, placed on host h1, whose agent holds revision 20 since then.
func routed(since time.Time) (*model.Model, *model.Router, status.View) {
	m, _ := fabric()
	r := &model.Router{Meta: model.Meta{ID: "r", Name: "edge", Rev: 12}, AdminUp: true}
	m = m.With(r)
	m = m.With(&model.Port{Meta: model.Meta{ID: "in", Rev: 9}, Network: "n", AdminUp: true, DeviceID: "r", DeviceOwner: model.OwnerRouterInterface, Tag: 5})
	m = m.With(&model.Plug{Port: "in", Network: "n", Host: "h1", Iface: "tapin", Rev: 9})
	m = m.With(&model.Placement{Service: model.ServiceRouter, Object: "r", Host: "h1", Rev: 11})
	v := status.View{"h1": host("h1"), "h2": host("h2")}
	h := v["h1"]
	h.Node = h.Node.Reported(spec.NodeStatus{Objects: map[string]spec.NodeObject{"qrouter-r": {Rev: 20}}}, 0, since)
	v["h1"] = h
	return m, r, v
}

func TestRouterWithoutGatewaySaysSo(t *testing.T) {
	m, r, v := routed(time.Unix(50, 0))
	o := v.Object(m, r)
	c := condition(t, o, "Gateway")
	if c.OK || !c.Info || c.Reason != status.NoGateway || !strings.Contains(c.Msg, "openstack router set --external-gateway NETWORK edge") {
		t.Errorf("%+v", c)
	}
	if !o.OK() || o.Worst() == nil || o.Worst().Reason != status.NoGateway {
		t.Errorf("a router may be without gateway: ok %v, told first %+v", o.OK(), o.Worst())
	}
	if c := condition(t, o, "Placed"); !c.OK || c.Since != time.Unix(50, 0) || c.Host != "h1" {
		t.Errorf("%+v", c)
	}
	if c := condition(t, o, "Interfaces"); !c.OK {
		t.Errorf("%+v", c)
	}
}

func TestRouterWhoseWayOutEndsSaysSo(t *testing.T) {
	m, r, v := routed(time.Unix(50, 0))
	ip := netip.MustParseAddr
	next := *r
	next.Gateway = &model.RouterGateway{Network: "ext", Port: "gw"}
	m = m.With(&next).With(&model.Network{Meta: model.Meta{ID: "ext"}, AdminUp: true, External: true, Tag: 9}).
		With(&model.Subnet{Meta: model.Meta{ID: "x"}, Network: "ext", CIDR: netip.MustParsePrefix("198.51.100.0/24")}).
		With(&model.Port{Meta: model.Meta{ID: "gw"}, Network: "ext", AdminUp: true, DeviceID: "r", DeviceOwner: model.OwnerRouterGateway, Tag: 10,
			FixedIPs: []model.FixedIP{{Subnet: "x", IP: ip("198.51.100.5")}}})
	if c := condition(t, v.Object(m, &next), "Gateway"); c.OK || c.Info || c.Reason != status.NoWayOut {
		t.Errorf("external subnet without gateway: %+v", c)
	}
	m = m.With(&model.Subnet{Meta: model.Meta{ID: "x"}, Network: "ext", CIDR: netip.MustParsePrefix("198.51.100.0/24"), Gateway: ip("198.51.100.1")})
	o := v.Object(m, &next)
	if c := condition(t, o, "Gateway"); !c.OK {
		t.Errorf("%+v", c)
	}
	if c := condition(t, o, "Interfaces"); c.OK || c.Reason != status.InterfaceOff || !strings.Contains(c.Msg, "198.51.100.5 is DOWN") {
		t.Errorf("a gateway port that is plugged nowhere: %+v", c)
	}
}

func TestFloatingIPSaysHowThePortIsThatItLeadsTo(t *testing.T) {
	m, _, v := routed(time.Unix(50, 0))
	f := &model.FloatingIP{Meta: model.Meta{ID: "f", Rev: 13}, IP: netip.MustParseAddr("198.51.100.9"), Target: "p", Router: "r"}
	m = m.With(f)
	o := v.Object(m, f)
	if c := condition(t, o, "Target"); !o.OK() || !c.OK || o.Host != "h1" {
		t.Errorf("%+v", o)
	}
	p, _ := m.Ports.Get("p")
	if c := condition(t, v.Object(m, p), "NAT"); !c.OK || c.Host != "h1" {
		t.Errorf("of the port: %+v", c)
	}
	m = m.Without(&model.Plug{Port: "p", Host: "h1"})
	if c := condition(t, v.Object(m, f), "Target"); c.OK || c.Reason != status.NotPlugged || !strings.Contains(c.Msg, "port p, which it leads to, is DOWN: no host has an interface of the port") {
		t.Errorf("%+v", c)
	}
	free := &model.FloatingIP{Meta: model.Meta{ID: "g"}, IP: netip.MustParseAddr("198.51.100.10")}
	o = v.Object(m.With(free), free)
	if c := condition(t, o, "Associated"); c.OK || !c.Info || !o.OK() || o.Status != status.Down {
		t.Errorf("%+v", o)
	}
}

func TestConditionsTellSinceWhenTheyAreSo(t *testing.T) {
	m, p := fabric()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	m = m.With(&model.Plug{Port: "p", Network: "n", Host: "h1", Iface: "tapp", Rev: 10, Since: at(10)})
	target := func(confirmed int64) status.Target {
		return status.Target{Connected: true, Rev: 10, Since: at(5), Held: status.Marks{}.With(9, at(9)).With(10, at(confirmed))}
	}
	h := status.Host{Name: "h1", Targets: map[string]status.Target{"ovsdb": target(12), "br-int": target(11), "br-tun": target(13)}}
	v := status.View{"h1": h}
	o := v.Object(m, p)
	for kind, want := range map[string]time.Time{"Bound": at(10), "Connected": at(5), "Realized": at(13)} {
		if c := condition(t, o, kind); !c.OK || c.Since != want {
			t.Errorf("%s since %v, want %v", kind, c.Since, want)
		}
	}
	gone := h.Targets["br-tun"]
	gone.Connected, gone.Since = false, at(30)
	h.Targets["br-tun"] = gone
	if c := condition(t, v.Object(m, p), "Connected"); c.OK || c.Since != at(30) {
		t.Errorf("%+v", c)
	}
	refused := target(13)
	refused.Rev, refused.Err, refused.ErrSince = 9, "table full", at(40)
	h.Targets["br-tun"] = refused
	if c := condition(t, v.Object(m, p), "Realized"); c.OK || c.Reason != status.ApplyFailed || c.Since != at(40) {
		t.Errorf("%+v", c)
	}
}

func TestAgentTellsSinceWhenItReports(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	report := func(rev uint64, failure string) spec.NodeStatus {
		return spec.NodeStatus{Objects: map[string]spec.NodeObject{"ns": {Rev: rev, Error: failure}}}
	}
	var n *status.Node
	n = n.Reported(report(3, ""), 0, at(1))
	n = n.Reported(report(3, "no dnsmasq"), 0, at(2))
	n = n.Reported(report(3, "no dnsmasq"), 0, at(3))
	if n.Since != at(1) || n.Seen != at(3) || n.Held["ns"].ErrSince != at(2) {
		t.Errorf("%+v", n)
	}
	n = n.Reported(report(4, ""), 0, at(4))
	if held := n.Held["ns"]; !held.ErrSince.IsZero() || held.Held.Since(4, time.Time{}) != at(4) {
		t.Errorf("%+v", held)
	}
}

func TestWhatFailsAfterItHeldIsTold(t *testing.T) {
	m, r, v := routed(time.Unix(50, 0))
	f := &model.FloatingIP{Meta: model.Meta{ID: "f", Rev: 13}, Target: "p", Router: "r"}
	m = m.With(f)
	h := v["h1"]
	fail := func(part string) {
		h.Node = h.Node.Reported(spec.NodeStatus{Objects: map[string]spec.NodeObject{"qrouter-r": {Rev: 20, Error: part + ": no", Errors: map[string]string{part: "no"}}}}, 0, time.Unix(60, 0))
		v["h1"] = h
	}
	fail("nft")
	for _, r := range []model.Resource{r, f} {
		if c := condition(t, v.Object(m, r), "Placed"); c.OK || c.Reason != status.ServiceFailed || c.Since != time.Unix(60, 0) || !strings.Contains(c.Msg, "nft: no") {
			t.Errorf("%s: %+v", r.Kind(), c)
		}
	}
	if is := v.FloatingIP(m, f); is.Status != status.Active {
		t.Errorf("what holds the revision is %s", is.Status)
	}
	fail("metadata")
	if c := condition(t, v.Object(m, f), "Placed"); !c.OK {
		t.Errorf("translation needs no metadata: %+v", c)
	}
	if c := condition(t, v.Object(m, r), "Placed"); c.OK {
		t.Errorf("a router has metadata: %+v", c)
	}
}
