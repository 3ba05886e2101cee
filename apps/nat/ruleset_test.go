package nat

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/ti-mo/conntrack"
)

// listing is what nft 1.0.6 makes of a small table.
const listing = `	comment "heddle router/r1"
	set inside {
		type ifname
		elements = { "qr-1",
			     "qr-2" }
	}

	map pf_tcp {
		type ipv4_addr . inet_service : ipv4_addr . inet_service
		elements = { 198.51.100.20 . 80 : 10.0.0.20 . 8080 }
	}

	set leaving {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
	}

	chain listed {
		comment "made=0123456789abcdef listed=fedcba9876543210"
	}

	chain forward {
		type filter hook forward priority 0; policy accept;
		oifname @hidden meta nfproto 2 ct state 0x1 drop
	}
`

func TestParseReadsWhatNFTLists(t *testing.T) {
	r, err := parse(listing)
	if err != nil {
		t.Fatal(err)
	}
	want := elements{"inside": {`"qr-1"`: "", `"qr-2"`: ""}, "pf_tcp": {"198.51.100.20 . 80": "10.0.0.20 . 8080"}, "leaving": {}}
	if !r.sets.equal(want) {
		t.Errorf("got elements %v, want %v", r.sets, want)
	}
	if want := (seal{"0123456789abcdef", "fedcba9876543210"}); r.seal != want {
		t.Errorf("got seal %v, want %v", r.seal, want)
	}
	const structure = `comment "heddle router/r1"
set inside {
type ifname
}
map pf_tcp {
type ipv4_addr . inet_service : ipv4_addr . inet_service
}
set leaving {
type ipv4_addr . ipv4_addr . inet_proto . inet_service
}
chain forward {
type filter hook forward priority 0; policy accept;
oifname @hidden meta nfproto 2 ct state 0x1 drop
}
`
	if r.structure != structure {
		t.Errorf("got structure\n%s\nwant\n%s", r.structure, structure)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(listing)
	f.Add("elements = { 1.2.3.4 }")
	f.Add("set x {\nelements = { 1.2.3.4,")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parse(text)
		if err != nil {
			return
		}
		again, err := parse(r.structure)
		if err != nil {
			t.Fatalf("structure cannot be read again: %v", err)
		}
		_ = leavingOf(r.sets, again.sets)
	})
}

func TestLeavingSaysWhatWasTakenAway(t *testing.T) {
	set := func(keys ...string) map[string]string {
		m := map[string]string{}
		for _, k := range keys {
			m[k] = ""
		}
		return m
	}
	base := elements{"outside": set(`"qg-1"`), "gateway": {`"qg-1"`: "198.51.100.2", `"qr-1"`: "198.51.100.2"},
		"fip_dnat": {"198.51.100.9": "10.0.0.9"}, "fip_snat": {"10.0.0.9": "198.51.100.9"},
		"pf_udp": {"198.51.100.20 . 53": "10.0.0.20 . 5353"}, "pf_icmp": {"198.51.100.20": "10.0.0.20"}}
	with := func(name string, m map[string]string) elements {
		e := maps.Clone(base)
		e[name] = m
		return e
	}
	for _, c := range []struct {
		name string
		now  elements
		want map[string]string
	}{
		{"nothing", base, nil},
		{"a floating IP", with("fip_dnat", nil), set("198.51.100.9 . 10.0.0.9 . 0 . 0")},
		{"a floating IP that moves", with("fip_dnat", map[string]string{"198.51.100.9": "10.0.0.8"}), set("198.51.100.9 . 10.0.0.9 . 0 . 0")},
		{"a port forwarding", with("pf_udp", nil), set("198.51.100.20 . 10.0.0.20 . 17 . 53")},
		{"the forwarding of ICMP", with("pf_icmp", nil), set("198.51.100.20 . 10.0.0.20 . 1 . 0")},
		{"SNAT", with("gateway", map[string]string{`"qr-1"`: "198.51.100.2"}), set("198.51.100.2 . 0.0.0.0 . 0 . 0")},
		{"an inside network", with("gateway", map[string]string{`"qg-1"`: "198.51.100.2"}), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := leavingOf(base, c.now)[leavingSet]; !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for text := range c.want {
				if l, err := parseLeft(text); err != nil || l.String() != text {
					t.Errorf("%q is read as %v: %v", text, l, err)
				}
			}
		})
	}
}

func TestSessionsThatEndAreThoseOfWhatLeft(t *testing.T) {
	ip := netip.MustParseAddr
	flow := func(protocol uint8, from, to string, port uint16, answers, answered string) conntrack.Flow {
		f := conntrack.NewFlow(protocol, 0, ip(from), ip(to), 40000, port, 60, 0)
		f.TupleReply.IP.SourceAddress, f.TupleReply.IP.DestinationAddress = ip(answers), ip(answered)
		return f
	}
	in := flow(6, "192.0.2.1", "198.51.100.9", 80, "10.0.0.9", "192.0.2.1")
	out := flow(6, "10.0.0.9", "192.0.2.1", 80, "192.0.2.1", "198.51.100.9")
	hidden := flow(6, "10.0.0.9", "192.0.2.1", 80, "192.0.2.1", "198.51.100.2")
	plain := flow(6, "10.0.0.9", "10.0.1.1", 80, "10.0.1.1", "10.0.0.9")
	ping := flow(1, "192.0.2.1", "198.51.100.20", 0, "10.0.0.20", "192.0.2.1")
	for _, c := range []struct {
		name    string
		flow    conntrack.Flow
		leaving string
		ends    bool
	}{
		{"to a floating IP", in, "198.51.100.9 . 10.0.0.9 . 0 . 0", true},
		{"from a floating IP", out, "198.51.100.9 . 10.0.0.9 . 0 . 0", true},
		{"of another machine", in, "198.51.100.9 . 10.0.0.8 . 0 . 0", false},
		{"of another floating IP", in, "198.51.100.8 . 10.0.0.9 . 0 . 0", false},
		{"to a port", in, "198.51.100.9 . 10.0.0.9 . 6 . 80", true},
		{"to another port", in, "198.51.100.9 . 10.0.0.9 . 6 . 81", false},
		{"of another protocol", in, "198.51.100.9 . 10.0.0.9 . 17 . 80", false},
		{"hidden", hidden, "198.51.100.2 . 0.0.0.0 . 0 . 0", true},
		{"hidden, when its floating IP goes", hidden, "198.51.100.9 . 10.0.0.9 . 0 . 0", false},
		{"of a floating IP, when SNAT goes", out, "198.51.100.2 . 0.0.0.0 . 0 . 0", false},
		{"not translated", plain, "10.0.0.9 . 10.0.0.9 . 0 . 0", false},
		{"ping", ping, "198.51.100.20 . 10.0.0.20 . 1 . 0", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := parseLeft(c.leaving)
			if err != nil {
				t.Fatal(err)
			}
			if got := hasLeft(c.flow, map[left]bool{l: true}); got != c.ends {
				t.Errorf("ends: %v, want %v", got, c.ends)
			}
		})
	}
}
