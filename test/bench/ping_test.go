package bench

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// pings is how many virtual machines are plugged for a median.
const pings = 31

// BenchmarkPortToPing measures, on a lab of three hosts, from a POST of a port whose virtual machine is
// plugged at once until a virtual machine on another host has its first ping answered: in an empty
// fabric, and beside 1,000 networks with 2,000 ports. The guest asks for addresses every 5 ms.
//
//	median-ms, p90-ms   from sending the request
//	post-ms             … until its answer
//	barrier-ms          median of heddle_commit_to_barrier_seconds: from a commit until the last host
//	                    has confirmed it
func BenchmarkPortToPing(b *testing.B) {
	for _, networks := range []int{0, manyNetworks} {
		b.Run(fmt.Sprintf("beside_%d_ports", networks*portsPerNetwork), func(b *testing.B) {
			for range b.N {
				portToPing(b, networks)
			}
		})
	}
}

func portToPing(b *testing.B, networks int) {
	l, hosts := labHosts(b, 3)
	s := newServer(b, l.Address().String())
	join(b, s, hosts)
	populate(b, s, hosts, networks, "patch")
	awaitActive(b, s, networks*portsPerNetwork)

	network := must[string](b)(s.network("measured"))
	from := must[port](b)(s.port(object{"network_id": network}))
	a := must[*lab.VM](b)(l.PrepareVM(b.Context(), lab.VMConfig{Name: "from", Host: hosts[0].name, MAC: from.MAC, Addresses: address(from)}))
	ok(b, a.PlugAs(b.Context(), from.ID))
	awaitActive(b, s, networks*portsPerNetwork+1)

	before := must[metrics](b)(s.metrics())
	var whole, posts samples
	for i := range pings {
		mac := fmt.Sprintf("fa:16:3e:99:00:%02x", i)
		ip := netip.AddrFrom4([4]byte{10, 0, 1, byte(1 + i)})
		vm := must[*lab.VM](b)(l.PrepareVM(b.Context(), lab.VMConfig{Name: fmt.Sprint("to", i), Host: hosts[1+i%2].name, MAC: mac, Addresses: []netip.Prefix{netip.PrefixFrom(ip, 16)}}))
		// ovs-vswitchd looks at all its ports when a link appears; that is over when it has done this.
		must[string](b)(l.Host(vm.Host).Vsctl(b.Context(), "set", "open_vswitch", ".", "external_ids:bench="+vm.Name))
		await(b, time.Minute, "hosts are quiet", func() error { return s.confirmed(targetsOf(hosts), 0) })
		begin := time.Now()
		p := must[port](b)(s.port(object{"network_id": network, "mac_address": mac, "fixed_ips": []object{{"ip_address": ip.String()}}}))
		posts = append(posts, time.Since(begin))
		ok(b, vm.PlugAs(b.Context(), p.ID))
		must[time.Duration](b)(a.WaitPing(b.Context(), ip))
		whole = append(whole, time.Since(begin))
	}
	after := must[metrics](b)(s.metrics())
	b.ReportMetric(millis(whole.median()), "median-ms")
	b.ReportMetric(millis(whole.percentile(90)), "p90-ms")
	b.ReportMetric(millis(posts.median()), "post-ms")
	b.ReportMetric(1000*histogramMedian(before, after, "heddle_commit_to_barrier_seconds"), "barrier-ms")
	b.ReportMetric(0, "ns/op")
}

func address(p port) []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(p.Fixed[0].IP), 16)}
}
