package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// TestNoThreadIsLeftInANamespace has an agent make, change and remove much at the same time, in all the ways
// in which it enters namespaces, and then looks where its threads are: whatever runs on one that was left in
// a namespace would run there.
func TestNoThreadIsLeftInANamespace(t *testing.T) {
	m, d, _ := newMachine(t)
	m.start()
	const most = 16
	for round := range 6 {
		var want []spec.Namespace
		for i, ns := range lan(most) {
			if i%3 == round%3 {
				continue // it goes, or comes later
			}
			ns.Links[0].MTU = 1400 + round
			ns.NFT = &spec.NFT{Family: "inet", Table: "heddle", Text: fmt.Sprintf("\tset s {\n\t\ttype inet_service\n\t\telements = {\n\t\t\t%d,\n\t\t}\n\t}\n", 100+round)}
			ns.Metadata = &spec.Metadata{Router: "r", Instances: map[string]spec.Instance{fmt.Sprintf("10.0.9.%d", round): {Port: "p"}}}
			ns.DHCP = &spec.DHCP{Args: []string{"dnsmasq", "--pid-file=%d/pid", "--log-facility=%d/log", "--conf-file=/dev/null", "--no-resolv",
				"--bind-dynamic", "--dhcp-hostsfile=%d/host", "--dhcp-optsfile=%d/opts", "--dhcp-leasefile=%d/leases", "--dhcp-range=10.0.0.0,static,255.255.0.0"},
				Files: map[string]string{"host": fmt.Sprintf("fa:16:3e:00:00:01,10.0.7.%d\n", round), "opts": ""}}
			ns.RA = []spec.RA{{Link: ns.Links[0].Name, MTU: 1400 + round, Prefixes: []spec.RAPrefix{{Prefix: netip.MustParsePrefix("fd00::/64"), Autonomous: true}}}}
			want = append(want, ns)
		}
		d.want(want...)
		await(t, time.Minute, "all to be realized", d.realized)
	}
	// Threads that are at work in a namespace end with their work.
	var places []string
	await(t, 10*time.Second, "threads in one namespace alone", func() bool {
		places = strings.Fields(m.sh(`for p in $(pidof heddle); do for t in /proc/$p/task/*; do readlink $t/ns/net; done; done | sort -u`))
		return len(places) == 1
	})
	if own := strings.TrimSpace(m.sh("readlink /proc/1/ns/net")); places[0] != own {
		t.Errorf("threads are in %s, the host is in %s", places[0], own)
	}
}
