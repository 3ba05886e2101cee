package interp_test

import (
	"net/netip"
	"testing"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/store/model"
)

// large is a host of 2,000 networks with one port here and ten on other hosts: br-int with 34,000 flows, br-tun with
// 46,000.
func large() (intFlows, tunFlows []of.Flow) {
	in := pipeline.IntInput{PatchTun: 1}
	tun := pipeline.TunInput{PatchInt: 1, Tunnels: []pipeline.Tunnel{{Port: 2, Type: model.TypeVXLAN}, {Port: 3, Type: model.TypeVXLAN}}}
	for n := range 2000 {
		tag, vlan := uint32(1+n), uint16(1+n)
		here := pipeline.LocalPort{Tag: tag, OFPort: of.PortNo(10 + n), MAC: portMAC(n, 0), Home: true}
		var remote []pipeline.Remote
		for i := range 10 {
			remote = append(remote, pipeline.Remote{Tag: uint32(10000 + 10*n + i), MAC: portMAC(n, 1+i), Via: of.PortNo(2 + i%2), IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), byte(2 + i)})}})
		}
		in.Networks = append(in.Networks, pipeline.IntNetwork{Tag: tag, VLAN: vlan, Way: 1, Ports: []pipeline.LocalPort{here}, Remote: remote})
		tun.Networks = append(tun.Networks, pipeline.TunNetwork{Tag: tag, VLAN: vlan, Type: model.TypeVXLAN, Key: uint32(10000 + n), Flood: []of.PortNo{2, 3}, Remote: remote})
	}
	return pipeline.IntFlows(in), pipeline.TunFlows(tun)
}

func portMAC(network, port int) of.MAC {
	return of.MAC{0xfa, 0x16, 0x3e, byte(network >> 8), byte(network), byte(port)}
}

func largeBridges() (brInt, brTun *interp.Bridge) {
	intFlows, tunFlows := large()
	var taps []interp.Port
	for n := range 2000 {
		taps = append(taps, interp.Port{No: of.PortNo(10 + n)})
	}
	brInt = interp.NewBridge(interp.Config{Name: "br-int", Flows: intFlows, Ports: taps})
	brTun = interp.NewBridge(interp.Config{Name: "br-tun", Flows: tunFlows, Ports: []interp.Port{{No: 2}, {No: 3}}})
	interp.Patch(brInt, 1, brTun, 1)
	return brInt, brTun
}

// BenchmarkNewBridge makes a bridge of 46,000 flows.
func BenchmarkNewBridge(b *testing.B) {
	_, flows := large()
	b.ReportAllocs()
	for b.Loop() {
		interp.NewBridge(interp.Config{Flows: flows})
	}
	b.ReportMetric(float64(len(flows)), "flows")
}

// BenchmarkRun takes a packet from a VM through br-int and br-tun, 80,000 flows, into tunnels.
func BenchmarkRun(b *testing.B) {
	brInt, _ := largeBridges()
	unicast := interp.Packet{InPort: 1010, EthSrc: portMAC(1000, 0), EthDst: portMAC(1000, 5), EthType: of.EthTypeIPv4}
	flood := unicast
	flood.EthDst = of.MAC{1, 0, 0x5e, 0, 0, 1}
	arp := unicast
	arp.EthDst, arp.EthType, arp.ARP = of.Broadcast, of.EthTypeARP, interp.ARP{Op: 1, TPA: netip.AddrFrom4([4]byte{10, 3, 232, 5})}
	for name, c := range map[string]struct {
		packet  interp.Packet
		outputs int
	}{"unicast": {unicast, 1}, "flood": {flood, 2}, "arp_answered": {arp, 1}} {
		b.Run(name, func(b *testing.B) {
			if out := brInt.Run(c.packet).Outputs(); len(out) != c.outputs {
				b.Fatalf("outputs %+v of\n%s", out, brInt.Run(c.packet))
			}
			b.ReportAllocs()
			for b.Loop() {
				brInt.Run(c.packet)
			}
		})
	}
}

// BenchmarkFirstRun makes two bridges of 80,000 flows and takes one packet through them.
func BenchmarkFirstRun(b *testing.B) {
	intFlows, tunFlows := large()
	p := interp.Packet{InPort: 1010, EthSrc: portMAC(1000, 0), EthDst: portMAC(1000, 5), EthType: of.EthTypeIPv4}
	for b.Loop() {
		brInt := interp.NewBridge(interp.Config{Name: "br-int", Flows: intFlows})
		interp.Patch(brInt, 1, interp.NewBridge(interp.Config{Name: "br-tun", Flows: tunFlows, Ports: []interp.Port{{No: 2}, {No: 3}}}), 1)
		if out := brInt.Run(p).Outputs(); len(out) != 1 {
			b.Fatalf("outputs %+v", out)
		}
	}
}
