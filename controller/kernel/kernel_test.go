package kernel_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/nft"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// router is a router's namespace as package router plans it:
//
//	qg-1 198.51.100.2/24, default route over .1 ── qr-1 10.0.0.1/24
//	                                            ├─ qr-2 10.0.1.1/24
//	                                            └─ 172.16.0.0/12 over 10.0.1.50
//
// Of its floating IPs .9 leads to 10.0.0.9, .13 to 10.0.1.13, and .20 forwards TCP 80 to 10.0.0.20:8080
// and ICMP.
func router() spec.Namespace {
	m := &model.Model{}
	put := func(all ...model.Resource) {
		for _, r := range all {
			m = m.With(r)
		}
	}
	r := &model.Router{Meta: model.Meta{ID: "r1"}, AdminUp: true, Gateway: &model.RouterGateway{Network: "ext", Port: "gw", SNAT: true}}
	put(r, &model.Network{Meta: model.Meta{ID: "ext"}, External: true},
		&model.Port{Meta: model.Meta{ID: "gw"}, Network: "ext", DeviceID: "r1", DeviceOwner: model.OwnerRouterGateway,
			FixedIPs: []model.FixedIP{{Subnet: "ext", IP: addr("198.51.100.2")}}},
		&model.Port{Meta: model.Meta{ID: "in"}, Network: "blue", DeviceID: "r1", DeviceOwner: model.OwnerRouterInterface,
			FixedIPs: []model.FixedIP{{Subnet: "a", IP: addr("10.0.0.1")}, {Subnet: "b", IP: addr("10.0.1.1")}}})
	fip := func(ip, fixed string) *model.FloatingIP {
		f := &model.FloatingIP{Meta: model.Meta{ID: model.ID(ip)}, Network: "ext", IP: addr(ip), Router: "r1"}
		if fixed != "" {
			f.Target, f.FixedIP = model.ID(fixed), addr(fixed)
		}
		return f
	}
	put(fip("198.51.100.9", "10.0.0.9"), fip("198.51.100.13", "10.0.1.13"), fip("198.51.100.20", ""),
		&model.PortForwarding{Meta: model.Meta{ID: "w1"}, FloatingIP: "198.51.100.20", Protocol: "tcp", External: model.PortRange{First: 80, Last: 80},
			Internal: model.PortRange{First: 8080, Last: 8080}, Target: "t", IP: addr("10.0.0.20")},
		&model.PortForwarding{Meta: model.Meta{ID: "w2"}, FloatingIP: "198.51.100.20", Protocol: "icmp", Target: "t", IP: addr("10.0.0.20")})
	return spec.Namespace{
		Name: "qrouter-r1", Object: "router/r1",
		Links: []spec.Link{
			link("qg-1", 1, "198.51.100.2/24", "198.51.100.9/32", "198.51.100.13/32", "198.51.100.20/32"),
			link("qr-1", 2, "10.0.0.1/24", "fd00::1/64", "fe80::a9fe:a9fe/64"),
			link("qr-2", 3, "10.0.1.1/24", "fd01::1/64"),
		},
		Routes: []spec.Route{
			{Destination: netip.MustParsePrefix("0.0.0.0/0"), Via: addr("198.51.100.1"), Link: "qg-1"},
			{Destination: netip.MustParsePrefix("172.16.0.0/12"), Via: addr("10.0.1.50")},
		},
		Sysctls: map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.rp_filter": "0",
			"net.ipv6.conf.all.forwarding": "1", "net.ipv6.conf.all.accept_ra": "0"},
		NFT: nat.Rules(m, r, []string{"qg-1"}, []string{"qr-1", "qr-2"}),
	}
}

func link(name string, last byte, addresses ...string) spec.Link {
	l := spec.Link{Name: name, Peer: "tap" + name, MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, last}}
	for _, a := range addresses {
		l.Addresses = append(l.Addresses, netip.MustParsePrefix(a))
	}
	return l
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// ask reads "10.0.0.5:4000 > 192.0.2.1:80".
func ask(protocol uint8, text string) kernel.Packet {
	src, dst, _ := strings.Cut(text, " > ")
	p := kernel.Packet{Protocol: protocol, TTL: 64}
	p.Src, p.SrcPort = endpoint(src)
	p.Dst, p.DstPort = endpoint(dst)
	return p
}

func endpoint(s string) (netip.Addr, uint16) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr(), a.Port()
	}
	return addr(s), 0
}

// tell is an outcome in one line.
func tell(o kernel.Outcome) string {
	switch o.Fate {
	case kernel.Local:
		return fmt.Sprintf("local: %s", o.Packet)
	case kernel.Forward:
		return fmt.Sprintf("by %s to %s: %s", o.Link, o.NextHop, o.Packet)
	case kernel.Drop:
		return "drop: " + o.Reason
	}
	return "unknown: " + o.Message
}

func TestARouterTakesPacketsTheirWay(t *testing.T) {
	for name, c := range map[string]struct {
		link         string
		p            kernel.Packet
		want, answer string
	}{
		"between inside networks": {"qr-1", ask(nft.ICMP, "10.0.0.5 > 10.0.1.7"),
			"by qr-2 to 10.0.1.7: 10.0.0.5 > 10.0.1.7 icmp", "by qr-1 to 10.0.0.5: 10.0.1.7 > 10.0.0.5 icmp"},
		"by an extra route": {"qr-1", ask(nft.UDP, "10.0.0.5:9 > 172.20.0.1:53"),
			"by qr-2 to 10.0.1.50: 10.0.0.5 > 172.20.0.1 udp 9 > 53", "by qr-1 to 10.0.0.5: 172.20.0.1 > 10.0.0.5 udp 53 > 9"},
		"out behind the gateway's address": {"qr-1", ask(nft.ICMP, "10.0.0.5 > 192.0.2.7"),
			"by qg-1 to 198.51.100.1: 198.51.100.2 > 192.0.2.7 icmp", "by qr-1 to 10.0.0.5: 192.0.2.7 > 10.0.0.5 icmp"},
		"out behind a floating IP": {"qr-1", ask(nft.TCP, "10.0.0.9:4000 > 192.0.2.7:80"),
			"by qg-1 to 198.51.100.1: 198.51.100.9 > 192.0.2.7 tcp 4000 > 80", "by qr-1 to 10.0.0.9: 192.0.2.7 > 10.0.0.9 tcp 80 > 4000"},
		"in to a floating IP": {"qg-1", ask(nft.TCP, "192.0.2.7:4000 > 198.51.100.9:80"),
			"by qr-1 to 10.0.0.9: 192.0.2.7 > 10.0.0.9 tcp 4000 > 80", "by qg-1 to 198.51.100.1: 198.51.100.9 > 192.0.2.7 tcp 80 > 4000"},
		"in to a forwarded port": {"qg-1", ask(nft.TCP, "192.0.2.7:4000 > 198.51.100.20:80"),
			"by qr-1 to 10.0.0.20: 192.0.2.7 > 10.0.0.20 tcp 4000 > 8080", "by qg-1 to 198.51.100.1: 198.51.100.20 > 192.0.2.7 tcp 80 > 4000"},
		"in to a port that is not forwarded": {"qg-1", ask(nft.TCP, "192.0.2.7:4000 > 198.51.100.20:81"),
			"local: 192.0.2.7 > 198.51.100.20 tcp 4000 > 81", "by qg-1 to 198.51.100.1: 198.51.100.20 > 192.0.2.7 tcp 81 > 4000"},
		"inside to a floating IP": {"qr-1", ask(nft.ICMP, "10.0.0.5 > 198.51.100.13"),
			"by qr-2 to 10.0.1.13: 198.51.100.2 > 10.0.1.13 icmp", "by qr-1 to 10.0.0.5: 198.51.100.13 > 10.0.0.5 icmp"},
		"from a floating IP to another": {"qr-1", ask(nft.ICMP, "10.0.0.9 > 198.51.100.13"),
			"by qr-2 to 10.0.1.13: 198.51.100.9 > 10.0.1.13 icmp", "by qr-1 to 10.0.0.9: 198.51.100.13 > 10.0.0.9 icmp"},
		"to itself by its floating IP": {"qr-1", ask(nft.ICMP, "10.0.0.9 > 198.51.100.9"),
			"by qr-1 to 10.0.0.9: 198.51.100.9 > 10.0.0.9 icmp", "by qr-1 to 10.0.0.9: 198.51.100.9 > 10.0.0.9 icmp"},
		"to the router": {"qr-1", ask(nft.ICMP, "10.0.0.5 > 10.0.0.1"),
			"local: 10.0.0.5 > 10.0.0.1 icmp", "by qr-1 to 10.0.0.5: 10.0.0.1 > 10.0.0.5 icmp"},
		"to the router's other address": {"qr-1", ask(nft.ICMP, "10.0.0.5 > 10.0.1.1"),
			"local: 10.0.0.5 > 10.0.1.1 icmp", "by qr-1 to 10.0.0.5: 10.0.1.1 > 10.0.0.5 icmp"},
		"to metadata": {"qr-1", ask(nft.TCP, "10.0.0.5:4000 > 169.254.169.254:80"),
			"local: 10.0.0.5 > 10.0.0.1 tcp 4000 > 9697", "by qr-1 to 10.0.0.5: 169.254.169.254 > 10.0.0.5 tcp 80 > 4000"},
		"to the metadata proxy":      {"qr-1", ask(nft.TCP, "10.0.0.5:4000 > 10.0.0.1:9697"), "drop: DroppedByRule", ""},
		"from the router's address":  {"qr-1", ask(nft.ICMP, "10.0.1.1 > 10.0.1.7"), "drop: MartianSource", ""},
		"with no time to live":       {"qr-1", kernel.Packet{Src: addr("10.0.0.5"), Dst: addr("10.0.1.7"), Protocol: nft.ICMP, TTL: 1}, "drop: TTLExpired", ""},
		"to a subnet's broadcast":    {"qr-1", ask(nft.UDP, "10.0.0.5:9 > 10.0.0.255:9"), "drop: DroppedByRule", ""},
		"IPv6 between networks":      {"qr-1", ask(nft.ICMPv6, "fd00::5 > fd01::7"), "by qr-2 to fd01::7: fd00::5 > fd01::7 icmp6", "by qr-1 to fd00::5: fd01::7 > fd00::5 icmp6"},
		"IPv6 without a route":       {"qr-1", ask(nft.ICMPv6, "fd00::5 > 2001:db8::7"), "drop: NoRoute", ""},
		"IPv6 from link-local":       {"qr-1", ask(nft.ICMPv6, "fe80::5 > fd01::7"), "drop: LinkLocal", ""},
		"IPv6 to the router by link": {"qr-1", ask(nft.ICMPv6, "fe80::5 > fe80::f816:3eff:fe00:2"), "local: fe80::5 > fe80::f816:3eff:fe00:2 icmp6", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := kernel.New(router())
			var sessions kernel.Sessions
			out := s.Receive(c.link, c.p, &sessions)
			if got := tell(out); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if c.answer == "" {
				return
			}
			back := out.Packet.Reversed()
			back.TTL = 64
			var answer kernel.Outcome
			if out.Fate == kernel.Local {
				answer = s.Send(back, &sessions)
			} else {
				answer = s.Receive(out.Link, back, &sessions)
			}
			if got := tell(answer); got != c.answer {
				t.Errorf("answer\ngot  %s\nwant %s", got, c.answer)
			}
		})
	}
}

func TestANamespaceThatDoesNotForward(t *testing.T) {
	ns := router()
	ns.Sysctls = map[string]string{}
	var sessions kernel.Sessions
	if got := tell(kernel.New(ns).Receive("qr-1", ask(nft.ICMP, "10.0.0.5 > 10.0.1.7"), &sessions)); got != "drop: NotForwarding" {
		t.Error(got)
	}
	ns = router()
	ns.Routes = []spec.Route{{Destination: netip.MustParsePrefix("172.16.0.0/12"), Via: addr("10.9.9.9")}}
	for _, to := range []string{"192.0.2.1", "172.16.0.1"} {
		if got := tell(kernel.New(ns).Receive("qr-1", ask(nft.ICMP, "10.0.0.5 > "+to), &sessions)); got != "drop: NoRoute" {
			t.Error(to, got)
		}
	}
}

func TestRulesThatCannotBeReadLeaveThePacketsFateOpen(t *testing.T) {
	ns := router()
	rules := *ns.NFT
	rules.Text = strings.Replace(rules.Text, "\t\tjump floatingip\n", "\t\tip ttl 1 drop\n", 1)
	ns.NFT = &rules
	var sessions kernel.Sessions
	got := tell(kernel.New(ns).Receive("qr-1", ask(nft.ICMP, "10.0.0.5 > 10.0.1.7"), &sessions))
	if !strings.HasPrefix(got, "unknown: what chain prerouting of qrouter-r1 does is not known: ip ttl 1 drop") {
		t.Error(got)
	}
	rules.Text = "rubbish"
	if got = tell(kernel.New(ns).Receive("qr-1", ask(nft.ICMP, "10.0.0.5 > 10.0.1.7"), &sessions)); !strings.HasPrefix(got, "unknown: the rules of qrouter-r1 cannot be read") {
		t.Error(got)
	}
}

func TestRoutesOfEqualLengthGoByMetric(t *testing.T) {
	ns := router()
	ns.Routes = append(ns.Routes, spec.Route{Destination: netip.MustParsePrefix("172.16.0.0/12"), Via: addr("10.0.0.60"), Metric: 10},
		spec.Route{Destination: netip.MustParsePrefix("172.16.9.0/24"), Link: "qr-1", Metric: 1000})
	var sessions kernel.Sessions
	s := kernel.New(ns)
	for to, want := range map[string]string{"172.17.0.1": "10.0.1.50", "172.16.9.7": "172.16.9.7"} {
		if out := s.Receive("qr-2", ask(nft.ICMP, "10.0.1.5 > "+to), &sessions); out.NextHop != addr(want) {
			t.Errorf("%s goes to %s, want %s", to, out.NextHop, want)
		}
	}
}

func TestWhoAnswersForAnAddress(t *testing.T) {
	s := kernel.New(router())
	for ask, want := range map[string]bool{
		"qr-1 10.0.0.1": true, "qr-1 10.0.1.1": false, "qr-1 10.0.0.2": false, "qg-1 198.51.100.9": true, "qr-1 198.51.100.9": false,
		"qr-1 fd00::1": true, "qr-1 fd01::1": false, "qr-1 fe80::a9fe:a9fe": true, "qr-2 fe80::f816:3eff:fe00:3": true,
	} {
		on, a, _ := strings.Cut(ask, " ")
		if s.Answers(on, addr(a)) != want {
			t.Errorf("%s: %v", ask, !want)
		}
	}
	ns := router()
	delete(ns.Sysctls, "net.ipv4.conf.all.arp_ignore")
	if s = kernel.New(ns); !s.Answers("qr-1", addr("10.0.1.1")) {
		t.Error("without arp_ignore a link answers for every address of its namespace")
	}
}
