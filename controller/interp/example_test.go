package interp_test

import (
	"fmt"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
)

// A bridge with one VM and one tunnel. The VM's ARP request is sent into the tunnel under the key of its network.
func Example() {
	b := interp.NewBridge(interp.Config{
		Name:  "br0",
		Ports: []interp.Port{{No: 1, Name: "tap1"}, {No: 2, Name: "vxlan1"}},
		Flows: []of.Flow{
			{Table: 0, Priority: 1, Match: of.Match{of.InPort(1)}, Actions: []of.Action{of.SetTunnel(1001), of.GotoTable{Table: 20}}},
			{Table: 20, Priority: 2, Match: of.Match{of.EthDst(of.Broadcast)}, Actions: []of.Action{of.Output{Port: 2}}},
		},
	})
	p, err := b.ParsePacket("in_port=tap1,arp,arp_op=1,arp_tpa=10.0.0.2,dl_src=fa:16:3e:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, out := range b.Run(p).Outputs() {
		fmt.Printf("port %d, key %d, by %s\n", out.Port, out.Packet.Tunnel.ID, out.Bridge.Name())
	}

	// A frame for somebody else is dropped, and the trace says where.
	p.EthDst = of.MAC{0xfa, 0x16, 0x3e, 0, 0, 9}
	trace := b.Run(p)
	for _, s := range trace.Drops() {
		fmt.Printf("table %d: %s\n", s.Table, s.Reason)
	}
	fmt.Print(trace)
	// Output:
	// port 2, key 1001, by br0
	// table 20: NoFlow
	// Flow: arp,in_port=1,vlan_tci=0x0000,dl_src=fa:16:3e:00:00:01,dl_dst=fa:16:3e:00:00:09,arp_spa=0.0.0.0,arp_tpa=10.0.0.2,arp_op=1,arp_sha=00:00:00:00:00:00,arp_tha=00:00:00:00:00:00
	//
	// bridge("br0")
	// -------------
	//  0. in_port=1, priority 1
	//     set_field:0x3e9->tun_id
	//     goto_table:20
	//         20. No match.
	//              >> NoFlow
	//
	// Final flow: arp,tun_id=0x3e9,in_port=1,vlan_tci=0x0000,dl_src=fa:16:3e:00:00:01,dl_dst=fa:16:3e:00:00:09,arp_spa=0.0.0.0,arp_tpa=10.0.0.2,arp_op=1,arp_sha=00:00:00:00:00:00,arp_tha=00:00:00:00:00:00
	// Outputs:
}
