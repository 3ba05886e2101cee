package nft_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/nft"
)

// planned reads a table that package nat plans.
func planned(t testing.TB, name string) *nft.Table {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "apps", "nat", "testdata", name+".nft"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "{\n")
	return parse(t, strings.TrimSuffix(text, "}\n"))
}

func parse(t testing.TB, text string) *nft.Table {
	t.Helper()
	table, err := nft.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// linkAddress is that of links in these tests.
func linkAddress(_ string, v6 bool) netip.Addr {
	if v6 {
		return netip.MustParseAddr("fd00::1")
	}
	return netip.MustParseAddr("10.0.0.1")
}

// packet reads "10.0.0.5:4000 > 192.0.2.1:80"; of protocols without ports, the ports are left out.
func packet(t testing.TB, protocol uint8, in, out, text string) nft.Packet {
	t.Helper()
	p := nft.Packet{In: in, Out: out, Protocol: protocol, State: nft.New}
	src, dst, _ := strings.Cut(text, " > ")
	for at, s := range map[*netip.Addr]string{&p.Src: src, &p.Dst: dst} {
		a, err := netip.ParseAddrPort(s)
		if err == nil {
			*at = a.Addr()
			if at == &p.Src {
				p.SrcPort = a.Port()
			} else {
				p.DstPort = a.Port()
			}
			continue
		}
		*at = netip.MustParseAddr(s)
	}
	return p
}

func TestPlannedRulesTranslate(t *testing.T) {
	fips, forwardings, plain := planned(t, "floating_ips_both_ways"), planned(t, "port_forwardings"), planned(t, "gateway_hides_inside")
	for name, c := range map[string]struct {
		table *nft.Table
		hook  nft.Hook
		p     nft.Packet
		want  string // "src:port > dst:port", and what the last rule that hit did
	}{
		"floating IP from outside": {fips, nft.Prerouting, packet(t, nft.TCP, "qg-1", "", "192.0.2.7:4000 > 198.51.100.9:80"),
			"192.0.2.7:4000 > 10.0.0.9:80 dnat by fip_dnat"},
		"a floating IP of several": {fips, nft.Prerouting, packet(t, nft.ICMP, "qg-1", "", "192.0.2.7 > 198.51.100.10"),
			"192.0.2.7:0 > 10.0.0.10:0 dnat by fip_dnat"},
		"an address that is no floating IP": {fips, nft.Prerouting, packet(t, nft.TCP, "qg-1", "", "192.0.2.7:4000 > 198.51.100.2:80"),
			"192.0.2.7:4000 > 198.51.100.2:80"},
		"out with a floating IP": {fips, nft.Postrouting, packet(t, nft.TCP, "qr-1", "qg-1", "10.0.0.9:4000 > 192.0.2.7:80"),
			"198.51.100.11:4000 > 192.0.2.7:80 snat by fip_snat"},
		"out without": {fips, nft.Postrouting, packet(t, nft.UDP, "qr-1", "qg-1", "10.0.0.7:4000 > 192.0.2.7:80"),
			"198.51.100.2:4000 > 192.0.2.7:80 snat by gateway at random"},
		"between inside networks": {plain, nft.Postrouting, packet(t, nft.UDP, "qr-1", "qr-2", "10.0.0.7:4000 > 10.0.1.7:80"),
			"10.0.0.7:4000 > 10.0.1.7:80 accept"},
		"metadata": {plain, nft.Prerouting, packet(t, nft.TCP, "qr-1", "", "10.0.0.7:4000 > 169.254.169.254:80"),
			"10.0.0.7:4000 > 10.0.0.1:9697 redirect"},
		"metadata by IPv6": {plain, nft.Prerouting, packet(t, nft.TCP, "qr-1", "", "[fd00::7]:4000 > [fe80::a9fe:a9fe]:80"),
			"[fd00::7]:4000 > [fd00::1]:9697 redirect"},
		"metadata from outside": {plain, nft.Prerouting, packet(t, nft.TCP, "qg-1", "", "192.0.2.7:4000 > 169.254.169.254:80"),
			"192.0.2.7:4000 > 169.254.169.254:80"},
		"the metadata proxy itself": {plain, nft.Input, packet(t, nft.TCP, "qr-1", "", "10.0.0.7:4000 > 10.0.0.1:9697"),
			"10.0.0.7:4000 > 10.0.0.1:9697 drop"},
		"forwarded port": {forwardings, nft.Prerouting, packet(t, nft.TCP, "qg-1", "", "192.0.2.7:4000 > 198.51.100.20:80"),
			"192.0.2.7:4000 > 10.0.0.20:8080 dnat by pf_tcp"},
		"port that is not forwarded": {forwardings, nft.Prerouting, packet(t, nft.TCP, "qg-1", "", "192.0.2.7:4000 > 198.51.100.20:81"),
			"192.0.2.7:4000 > 198.51.100.20:81"},
		"forwarded DCCP": {forwardings, nft.Prerouting, packet(t, nft.DCCP, "qg-1", "", "192.0.2.7:4000 > 198.51.100.20:9"),
			"192.0.2.7:4000 > 10.0.0.20:9 dnat by pf_dccp"},
		"forwarded ICMP": {forwardings, nft.Prerouting, packet(t, nft.ICMP, "qg-1", "", "192.0.2.7 > 198.51.100.20"),
			"192.0.2.7:0 > 10.0.0.20:0 dnat by pf_icmp"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.table.Eval(c.hook, c.p, linkAddress)
			got := netip.AddrPortFrom(r.Packet.Src, r.Packet.SrcPort).String() + " > " + netip.AddrPortFrom(r.Packet.Dst, r.Packet.DstPort).String()
			if n := len(r.Hits); n > 0 {
				h := r.Hits[n-1]
				got += " " + string(h.Does)
				if h.Set != "" {
					got += " by " + h.Set
				}
				if h.RandomPort {
					got += " at random"
				}
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if dropped := r.Verdict == nft.Drop; dropped != strings.HasSuffix(c.want, " drop") {
				t.Errorf("verdict is %d", r.Verdict)
			}
		})
	}
}

func TestOnlyFirstPacketsMeetNATRules(t *testing.T) {
	p := packet(t, nft.TCP, "qg-1", "", "192.0.2.7:4000 > 198.51.100.9:80")
	p.State = nft.Established
	if r := planned(t, "floating_ips_both_ways").Eval(nft.Prerouting, p, linkAddress); len(r.Hits) != 0 || r.Packet != p {
		t.Errorf("an established connection is translated anew: %+v", r)
	}
}

func TestChainsFollowTheKernelsOrder(t *testing.T) {
	table := parse(t, `
	chain late {
		type filter hook forward priority 10; policy accept;
		ip daddr 10.0.0.0/8 drop
	}
	chain early {
		type filter hook forward priority -5; policy accept;
		udp dport 53 return
		meta nfproto ipv4 goto more
		drop
	}
	chain more {
		counter packets 3 bytes 100
		udp sport != 53 counter accept comment "no end of the way"
	}
	chain closed {
		type filter hook input priority 0; policy drop;
		iifname "lo" accept
	}
	`)
	for text, want := range map[string]string{
		"192.0.2.1:99 > 10.0.0.1:99":  "more:accept late:drop",
		"192.0.2.1:99 > 192.0.2.2:99": "more:accept",
		"192.0.2.1:53 > 192.0.2.2:99": "", // a goto does not come back
		"192.0.2.1:99 > 192.0.2.2:53": "",
		"[fd00::1]:99 > [fd00::2]:99": "early:drop",
	} {
		var got []string
		for _, h := range table.Eval(nft.Forward, packet(t, nft.UDP, "a", "b", text), linkAddress).Hits {
			got = append(got, h.Chain+":"+string(h.Does))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	if r := table.Eval(nft.Input, packet(t, nft.UDP, "eth0", "", "192.0.2.1:99 > 10.0.0.1:99"), linkAddress); r.Verdict != nft.Drop || r.Hits[0].Rule != "policy drop" {
		t.Errorf("the policy does not count: %+v", r)
	}
}

// What this package cannot read it must not guess.
func TestWhatIsNotKnownIsUnknown(t *testing.T) {
	for name, body := range map[string]string{
		"a match":             "\tip ttl 1 drop",
		"a statement":         "\tmasquerade",
		"an anonymous set":    "\ttcp dport { 80, 443 } drop",
		"a range":             "\ttcp dport 80-90 drop",
		"a service's name":    "\ttcp dport http drop",
		"a mark":              "\tmeta mark 1 accept",
		"an unknown set":      "\tip daddr @nowhere drop",
		"a set of intervals":  "\tip daddr @nets drop",
		"a set of other type": "\tip daddr @ports drop",
		"a missing chain":     "\tjump nowhere",
		"a loop":              "\tjump c",
		"an address of two":   "\tdnat ip to 10.0.0.1-10.0.0.2",
		"a wildcard":          "\tiifname \"qr-*\" drop",
		"an odd ct status":    "\tct status & assured == 0 drop",
		"an odd ct state":     "\tct state sleepy drop",
		"more after the end":  "\tdrop accept",
		"half a rule":         "\tip daddr",
		"a flag":              "\tsnat ip to 10.0.0.1 persistent",
		"a log":               "\tlog prefix \"x\" drop",
	} {
		table := parse(t, "set nets {\n type ipv4_addr\n flags interval\n elements = { 10.0.0.0/8 }\n}\nset ports {\n type inet_service\n}\nchain c {\n type nat hook prerouting priority 0; policy accept;\n"+body+"\n}\n")
		r := table.Eval(nft.Prerouting, packet(t, nft.TCP, "qr-1", "", "10.0.0.7:4000 > 192.0.2.1:80"), linkAddress)
		if r.Verdict != nft.Unknown || len(r.Hits) == 0 || r.Hits[len(r.Hits)-1].Cause == "" {
			t.Errorf("%s: %s gives %+v", name, strings.TrimSpace(body), r)
		}
	}
	table := parse(t, "chain c {\n type filter hook prerouting priority mangle; policy accept;\n}\n")
	if r := table.Eval(nft.Prerouting, nft.Packet{}, linkAddress); r.Verdict != nft.Unknown {
		t.Errorf("a chain of unknown priority gives %+v", r)
	}
}

// A rule that cannot be read does no harm to packets that do not meet what can be read of it.
func TestAnUnreadRuleConcernsOnlyWhomItMayMatch(t *testing.T) {
	table := parse(t, "chain c {\n type filter hook forward priority 0; policy accept;\n ip daddr 10.0.0.1 ip ttl 1 drop\n}\n")
	for dst, want := range map[string]nft.Verdict{"10.0.0.1": nft.Unknown, "10.0.0.2": nft.Accept} {
		if r := table.Eval(nft.Forward, packet(t, nft.ICMP, "a", "b", "10.0.0.7 > "+dst), linkAddress); r.Verdict != want {
			t.Errorf("to %s: %+v", dst, r)
		}
	}
}

func TestParseRefusesWhatIsNoTable(t *testing.T) {
	for _, text := range []string{"rubbish", "chain c {", "set s {\n elements = { 1,", "chain c {\n}\nchain c {\n}\n", "chain c {\n type filter hook ingress priority 0; policy accept;\n}\n"} {
		if _, err := nft.Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("chain c {\n type nat hook prerouting priority 0; policy accept;\n dnat ip to ip daddr map @m\n}\nmap m {\n type ipv4_addr : ipv4_addr\n elements = { 10.0.0.1 : 10.0.0.2 }\n}\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := nft.Parse(text)
		if err != nil {
			return
		}
		for _, h := range []nft.Hook{nft.Prerouting, nft.Input, nft.Forward, nft.Output, nft.Postrouting} {
			table.Eval(h, nft.Packet{In: "a", Out: "b", Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.1"), Protocol: nft.TCP, State: nft.New}, linkAddress)
		}
	})
}
