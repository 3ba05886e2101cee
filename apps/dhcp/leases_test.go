package dhcp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
)

const leaseFile = `1795446583 fa:16:3e:00:00:01 10.2.0.90 host-10-2-0-90 01:fa:16:3e:00:00:01
0 fa:16:3e:00:00:02 10.2.0.89 * *
duid 00:01:00:01:32:96:00:1f:fa:16:3e:00:00:dd
1795446623 12345 fd00::5 host 00:03:00:01:fa:16:3e:00:00:01
1795446623 T99 fd00::6 * 00:03:00:01:fa:16:3e:00:00:01
1795446623 fa:16:3e:00:00:03 10.2.0.9`

func TestParseLeases(t *testing.T) {
	got := parseLeases(leaseFile)
	if len(got) != 3 {
		t.Fatalf("%d leases: %+v; want two of IPv4 and one of IPv6", len(got), got)
	}
	if l := got[0]; l.IP.String() != "10.2.0.90" || l.MAC.String() != "fa:16:3e:00:00:01" || len(l.ClientID) != 7 {
		t.Errorf("%+v", l)
	}
	if l := got[1]; l.ClientID != nil {
		t.Errorf("%+v: a client that named no id", l)
	}
	if l := got[2]; l.IAID != 12345 || len(l.Server) != 14 || len(l.ClientID) != 10 {
		t.Errorf("%+v", l)
	}
}

func TestOutdated(t *testing.T) {
	const mac1, mac2 = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
	four := Lease{IP: netip.MustParseAddr("10.0.0.5"), MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, 1}}
	six := Lease{IP: netip.MustParseAddr("fd00::5")}
	for name, c := range map[string]struct {
		lease         Lease
		hosts, before string
		outdated      bool
	}{
		"of_its_host":                {four, mac1 + ",h,10.0.0.5\n", mac1 + ",h,10.0.0.5\n", false},
		"host_is_gone":               {four, "", mac1 + ",h,10.0.0.5\n", true},
		"address_is_anothers":        {four, mac2 + ",h,10.0.0.5\n", "", true},
		"host_has_another_address":   {four, mac1 + ",h,10.0.0.6\n", mac1 + ",h,10.0.0.5\n", true},
		"v6_of_its_host":             {six, mac1 + ",tag:dhcpv6,h,[fd00::5],set:port-x\n", mac1 + ",tag:dhcpv6,h,[fd00::5]\n", false},
		"v6_host_is_gone":            {six, "", mac1 + ",tag:dhcpv6,h,[fd00::5]\n", true},
		"v6_address_is_anothers":     {six, mac2 + ",tag:dhcpv6,h,[fd00::5]\n", mac1 + ",tag:dhcpv6,h,[fd00::5]\n", true},
		"v6_nothing_known_of_before": {six, mac2 + ",tag:dhcpv6,h,[fd00::5]\n", "", false},
	} {
		if got := len(outdated([]Lease{c.lease}, c.hosts, c.before)) == 1; got != c.outdated {
			t.Errorf("%s: outdated %v, want %v", name, got, c.outdated)
		}
	}
}

func TestServedPrefixes(t *testing.T) {
	got := served([]string{"dnsmasq", "--dhcp-range=set:subnet-1,10.1.0.0,static,255.255.252.0,86400s", "--dhcp-range=set:subnet-2,fd00::,ra-only,64,86400s",
		"--dhcp-range=nonsense", "--dhcp-range=set:x,10.0.0.0,static,abc,1s", "--domain=x"})
	want := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/22"), netip.MustParsePrefix("fd00::/64")}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	leases := within(parseLeases(leaseFile), []netip.Prefix{netip.MustParsePrefix("fd00::/64")})
	if len(leases) != 1 || leases[0].IP.Is4() {
		t.Errorf("%+v, want the lease of IPv6 alone", leases)
	}
}

func FuzzParseLeases(f *testing.F) {
	f.Add(leaseFile)
	f.Add("duid\nduid zz\n1 2 3 4 5\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range parseLeases(text) {
			if !l.IP.IsValid() {
				t.Errorf("%q gives %+v", text, l)
			}
			if l.IP.Is4() {
				release4(l, l.IP, 1)
			} else {
				release6(l, 1)
			}
		}
	})
}

func FuzzParseHosts(f *testing.F) {
	f.Add("fa:16:3e:00:00:01,tag:dhcpv6,host,[fd00::5],set:port-x\nfa:16:3e:00:00:02,id:01:02,host,10.0.0.1\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range parseHosts(text) {
			if !e.ip.IsValid() || !strings.Contains(text, ",") {
				t.Errorf("%q gives %+v", text, e)
			}
		}
		for _, l := range parseLeases(seed(text)) {
			if !l.IP.Is4() {
				t.Errorf("seed of %q has %+v", text, l)
			}
		}
		served(strings.Split(text, "\n"))
	})
}
