package dhcp_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/nstest"
	"github.com/heddle-sdn/heddle/store/model"
)

// BenchmarkPortToLease is the time from a new port in the model until a client has its address, with
// planning, writing, the signal, and a client's start; the target is a median of 150 ms.
func BenchmarkPortToLease(b *testing.B) {
	h := newHost(b)
	s := newSite().subnet("s4", "10.1.0.0/16", "10.1.0.1").dhcpPort("s4 10.1.0.2")
	for i := range 200 {
		s.port(model.ID(fmt.Sprint("p", i)), "", 0, []string{fmt.Sprintf("s4 10.1.100.%d", i)}, func(p *model.Port) { p.MAC[4] = byte(i) })
	}
	ns := benchPlan(b, s.m)
	h.plug(ns)
	h.must(ns)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		mac := fmt.Sprintf("fa:16:3e:01:%02x:%02x", i>>8&0xff, i&0xff)
		nstest.IP(b, "-n vm-%s link set eth0 address %s", net1, mac)
		start := time.Now()
		s.port(model.ID(fmt.Sprint("new", i)), "", 0, []string{fmt.Sprintf("s4 10.1.%d.%d", 1+i/250, 1+i%250)}, func(p *model.Port) {
			p.MAC[3], p.MAC[4], p.MAC[5] = 1, byte(i>>8), byte(i)
		})
		h.must(benchPlan(b, s.m))
		if got := ask(b, "vm-"+net1); got == nil {
			b.Fatal("no lease")
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}

func benchPlan(b *testing.B, m *model.Model) map[string]spec.Namespace {
	b.Helper()
	s, err := spec.Plan(m, spec.Observed{}, "gw1", dhcp.Plan)
	if err != nil {
		b.Fatal(err)
	}
	return s.Namespaces
}

// BenchmarkNetworks starts the servers of 200 networks, verifies that nothing has to change, and removes
// them; their namespaces are there before.
func BenchmarkNetworks(b *testing.B) {
	const networks = 200
	h := newHost(b)
	all := map[string]spec.Namespace{}
	s := newSite().subnet("s4", "10.1.0.0/24", "10.1.0.1").dhcpPort("s4 10.1.0.2")
	for i := range 10 {
		s.port(model.ID(fmt.Sprint("p", i)), "", byte(i), []string{fmt.Sprintf("s4 10.1.0.%d", 10+i)})
	}
	one := benchPlan(b, s.m)[net1]
	for i := range networks {
		name := fmt.Sprintf("qdhcp-%d", i)
		all[name] = one
		nstest.Namespace(b, name)
		nstest.IP(b, "-n %s link add %s type veth peer name other", name, one.Links[0].Name)
		nstest.IP(b, "-n %s addr add 10.1.0.2/24 dev %s", name, one.Links[0].Name)
		nstest.IP(b, "-n %s link set %s up", name, one.Links[0].Name)
	}
	var start, verify, memory, rounds float64
	for b.Loop() {
		at := time.Now()
		h.must(all)
		start += time.Since(at).Seconds()
		at = time.Now()
		if c := h.must(all); !c.Empty() {
			b.Fatalf("verifying changes %d servers", c.Len())
		}
		verify += time.Since(at).Seconds()
		for name := range all {
			memory += float64(pss(b, h.pid(name)))
		}
		h.must(nil)
		rounds++
	}
	b.ReportMetric(start/rounds, "s-start-200")
	b.ReportMetric(verify/rounds*1000, "ms-verify-200")
	b.ReportMetric(memory/rounds/networks, "KB-each")
}

// pss is the memory that a process adds, in KiB: its own, and its share of what it shares.
func pss(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == "Pss:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	return 0
}
