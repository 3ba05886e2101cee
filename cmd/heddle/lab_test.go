package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/lab"
)

func TestLabHostsFromFlags(t *testing.T) {
	for name, tc := range map[string]struct {
		hosts    string
		gateways []string
		want     string // name, with * for a gateway; or the error
	}{
		"number":                     {"3", nil, "net1* cmp1 cmp2"},
		"names":                      {"a,b", nil, "a* b"},
		"gateways_named":             {"3", []string{"cmp1", "cmp2"}, "net1 cmp1* cmp2*"},
		"none":                       {"0", nil, "--hosts 0: a lab has at least one host"},
		"gateway_that_is_not_a_host": {"2", []string{"x"}, "--gateway x: there is no such host"},
	} {
		t.Run(name, func(t *testing.T) {
			hosts, err := parseHosts(tc.hosts, tc.gateways, nil)
			var got []string
			for _, h := range hosts {
				if h.Gateway {
					h.Name += "*"
				}
				got = append(got, h.Name)
			}
			text := strings.Join(got, " ")
			if err != nil {
				text = err.Error()
			}
			if text != tc.want {
				t.Errorf("got %q, want %q", text, tc.want)
			}
		})
	}
}

func TestLabStatusTable(t *testing.T) {
	s := &lab.Status{
		Name: "lab", Complete: true, Address: "172.30.0.1",
		Management: netip.MustParsePrefix("172.30.0.0/24"), Underlay: netip.MustParsePrefix("172.31.0.0/24"),
		Hosts: []lab.HostStatus{
			{Name: "net1", Power: true, PID: 7, Management: netip.MustParseAddr("172.30.0.11"), Underlay: netip.MustParseAddr("172.31.0.11"),
				OVS: "3.1.0", Managers: []lab.Manager{{Target: "tcp:172.30.0.1:6640", Connected: true}}, Bridges: []string{"br-int", "br-phy"}},
			{Name: "cmp1", PID: 8, Management: netip.MustParseAddr("172.30.0.12"), Underlay: netip.MustParseAddr("172.31.0.12")},
		},
		VMs: []lab.VMStatus{{Name: "vm1", Host: "net1", Port: "p", MAC: "fa:16:3e:00:00:01", Tap: "tap1", Plugged: true, OFPort: 3,
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}},
	}
	want := `lab lab: this machine is 172.30.0.1, management 172.30.0.0/24, underlay 172.31.0.0/24

HOST  POWER  PID  MANAGEMENT   UNDERLAY     OVS    CONTROLLER                     BRIDGES
net1  on     7    172.30.0.11  172.31.0.11  3.1.0  tcp:172.30.0.1:6640 connected  br-int, br-phy
cmp1  off    -    172.30.0.12  172.31.0.12  down   -                              -

VM   HOST  PORT  MAC                ADDRESSES    TAP   OFPORT
vm1  net1  p     fa:16:3e:00:00:01  10.0.0.1/24  tap1  3
`
	var b bytes.Buffer
	if err := printLabStatus(&b, s); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestLabExecTakesFlagsOfTheCommand(t *testing.T) {
	for _, tc := range []struct{ in, want []string }{
		{[]string{"--", "ovs-vsctl", "show"}, []string{"ovs-vsctl", "show"}},
		{[]string{"ls", "-l", "--", "x"}, []string{"ls", "-l", "--", "x"}},
	} {
		if got := commandOrShell(tc.in); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%q: got %q, want %q", tc.in, got, tc.want)
		}
	}
	t.Setenv("SHELL", "/bin/bash")
	if got := commandOrShell([]string{"--"}); fmt.Sprint(got) != "[/bin/bash]" {
		t.Errorf("no command: got %q", got)
	}
}
