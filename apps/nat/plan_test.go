package nat_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/store/model"
)

var update = flag.Bool("update", false, "write golden files anew")

// site is a model with one router, r1, whose gateway is on the external network "ext".
type site struct{ *model.Model }

func newSite(gateway ...string) site {
	s := site{&model.Model{}}
	s.put(&model.Network{Meta: model.Meta{ID: "ext"}, External: true}, &model.Network{Meta: model.Meta{ID: "blue"}, Tag: 1})
	r := &model.Router{Meta: model.Meta{ID: "r1"}, AdminUp: true}
	if len(gateway) > 0 {
		p := &model.Port{Meta: model.Meta{ID: "gw"}, Network: "ext", DeviceID: "r1", DeviceOwner: model.OwnerRouterGateway}
		for _, ip := range gateway {
			p.FixedIPs = append(p.FixedIPs, model.FixedIP{Subnet: "ext", IP: netip.MustParseAddr(ip)})
		}
		s.put(p)
		r.Gateway = &model.RouterGateway{Network: "ext", Port: "gw", SNAT: true}
	}
	s.put(r)
	for i, ip := range []string{"10.0.0.1", "10.0.1.1"} {
		s.put(&model.Port{Meta: model.Meta{ID: model.ID(fmt.Sprint("inside", i))}, Network: "blue", DeviceID: "r1", DeviceOwner: model.OwnerRouterInterface,
			FixedIPs: []model.FixedIP{{Subnet: "blue", IP: netip.MustParseAddr(ip)}}})
	}
	return s
}

func (s *site) put(all ...model.Resource) {
	for _, r := range all {
		s.Model = s.With(r)
	}
}

func (s *site) snat(on bool) {
	r := *s.router()
	g := *r.Gateway
	g.SNAT = on
	r.Gateway = &g
	s.put(&r)
}

func (s *site) router() *model.Router {
	r, _ := s.Routers.Get("r1")
	return r
}

// floatingIP gives an address to a port with a fixed address; "" only lets the router have it.
func (s *site) floatingIP(ip, fixed string) model.ID {
	f := &model.FloatingIP{Meta: model.Meta{ID: model.ID("fip-" + ip)}, Network: "ext", IP: netip.MustParseAddr(ip), Router: "r1"}
	if fixed != "" {
		f.Target, f.FixedIP = model.ID("vm-"+fixed), netip.MustParseAddr(fixed)
	}
	s.put(f)
	return f.ID
}

func (s *site) forward(fip model.ID, protocol string, external model.PortRange, to string, internal model.PortRange) {
	s.put(&model.PortForwarding{Meta: model.Meta{ID: model.ID(fmt.Sprint(fip, protocol, external.First))}, FloatingIP: fip,
		Protocol: protocol, External: external, Internal: internal, Target: model.ID("vm-" + to), IP: netip.MustParseAddr(to)})
}

// text is the table as nft would be given it.
func (s *site) text() string {
	n := nat.Rules(s.Model, s.router(), []string{"qg-1"}, []string{"qr-1", "qr-2"})
	return "table " + n.Family + " " + n.Table + " {\n" + n.Text + "}\n"
}

func TestRulesOfARouterMatchGoldens(t *testing.T) {
	for _, c := range goldens() {
		t.Run(c.name, func(t *testing.T) {
			got := []byte(c.site.text())
			file := filepath.Join("testdata", c.name+".nft")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

type golden struct {
	name string
	site site
}

func goldens() []golden {
	no := newSite()
	hidden := newSite("198.51.100.2", "2001:db8::2")
	open := newSite("198.51.100.2")
	open.snat(false)
	six := newSite("2001:db8::2")
	fips := newSite("198.51.100.2")
	fips.floatingIP("198.51.100.10", "10.0.0.10")
	fips.floatingIP("198.51.100.9", "10.0.0.9")
	fips.floatingIP("198.51.100.11", "10.0.0.9") // a second one of an address only leads to it
	fips.put(&model.FloatingIP{Meta: model.Meta{ID: "elsewhere"}, Network: "ext2", IP: netip.MustParseAddr("192.0.2.1"), Router: "r1",
		Target: "vm", FixedIP: netip.MustParseAddr("10.0.0.11")})
	forwarded := newSite("198.51.100.2")
	f := forwarded.floatingIP("198.51.100.20", "")
	forwarded.forward(f, "tcp", model.PortRange{First: 80, Last: 80}, "10.0.0.20", model.PortRange{First: 8080, Last: 8080})
	forwarded.forward(f, "udp", model.PortRange{First: 5000, Last: 5002}, "10.0.0.21", model.PortRange{First: 6000, Last: 6002})
	forwarded.forward(f, "udp", model.PortRange{First: 65535, Last: 65535}, "10.0.0.21", model.PortRange{First: 65535, Last: 65535})
	forwarded.forward(f, "sctp", model.PortRange{First: 9, Last: 9}, "10.0.0.20", model.PortRange{First: 9, Last: 9})
	forwarded.forward(f, "dccp", model.PortRange{First: 9, Last: 9}, "10.0.0.20", model.PortRange{First: 9, Last: 9})
	forwarded.forward(f, "icmp", model.PortRange{}, "10.0.0.20", model.PortRange{})
	return []golden{
		{"no_gateway_translates_nothing", no}, {"gateway_hides_inside", hidden}, {"without_snat_only_hairpins_are_hidden", open},
		{"ipv6_gateway_hides_nothing", six}, {"floating_ips_both_ways", fips}, {"port_forwardings", forwarded},
	}
}

func TestRulesAreNilWithoutLinks(t *testing.T) {
	s := newSite("198.51.100.2")
	if got := nat.Rules(s.Model, s.router(), nil, nil); got != nil {
		t.Errorf("got a table: %v", got)
	}
}

func TestRulesDoNotDependOnTheOrderOfWrites(t *testing.T) {
	var texts []string
	for _, reverse := range []bool{false, true} {
		s := newSite("198.51.100.2")
		order := []int{1, 2, 3, 4, 5, 6, 7, 8}
		if reverse {
			slices.Reverse(order)
		}
		for _, i := range order {
			s.floatingIP(fmt.Sprintf("198.51.100.%d", 10+i), fmt.Sprintf("10.0.0.%d", 10+i))
		}
		texts = append(texts, s.text())
	}
	if texts[0] != texts[1] {
		t.Errorf("two texts of one state:\n%s\n%s", texts[0], texts[1])
	}
}

func TestRulesStayTheSameWhateverIsTranslated(t *testing.T) {
	few, many := newSite("198.51.100.2"), newSite("198.51.100.2")
	few.floatingIP("198.51.100.9", "10.0.0.9")
	for i := range 2000 {
		many.floatingIP(fmt.Sprintf("198.18.%d.%d", i/250, i%250+1), fmt.Sprintf("10.0.%d.%d", i/250, i%250+1))
	}
	rules := func(text string) string {
		_, chains, _ := strings.Cut(text, "chain")
		return chains
	}
	if rules(few.text()) != rules(many.text()) {
		t.Error("the rules depend on the number of floating IPs")
	}
}

func BenchmarkRulesOf10000FloatingIPs(b *testing.B) {
	s := newSite("198.51.100.2")
	for i := range 10000 {
		s.floatingIP(fmt.Sprintf("198.18.%d.%d", i/250, i%250+1), fmt.Sprintf("10.0.%d.%d", i/250, i%250+1))
	}
	for b.Loop() {
		s.text()
	}
}
