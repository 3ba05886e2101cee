package interp_test

import (
	"testing"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/store/model"
)

func mac(t testing.TB, s string) of.MAC {
	t.Helper()
	m, err := of.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUnicastGoesThroughThePatchCableIntoTheTunnel(t *testing.T) {
	vm, remote := mac(t, "fa:16:3e:00:00:01"), mac(t, "fa:16:3e:00:00:02")
	tap := interp.NewBridge(interp.Config{Name: "br-int", Ports: []interp.Port{{No: 10, Name: "tap1"}},
		Flows: pipeline.IntFlows(pipeline.IntInput{PatchTun: 1, Networks: []pipeline.IntNetwork{{Tag: 1, VLAN: 5, Way: 1,
			Ports:  []pipeline.LocalPort{{Tag: 1, OFPort: 10, MAC: vm, Home: true}},
			Remote: []pipeline.Remote{{Tag: 2, MAC: remote}}}}})})
	tun := interp.NewBridge(interp.Config{Name: "br-tun", Ports: []interp.Port{{No: 2, Name: "vxlan-h2"}},
		Flows: pipeline.TunFlows(pipeline.TunInput{PatchInt: 1, Tunnels: []pipeline.Tunnel{{Port: 2, Type: model.TypeVXLAN}},
			Networks: []pipeline.TunNetwork{{Tag: 1, VLAN: 5, Type: model.TypeVXLAN, Key: 1001, Flood: []of.PortNo{2}, Remote: []pipeline.Remote{{Tag: 2, MAC: remote, Via: 2}}}}})})
	interp.Patch(tap, 1, tun, 1)
	trace := tap.Run(interp.Packet{InPort: 10, EthSrc: vm, EthDst: remote, EthType: of.EthTypeIPv4})
	out := trace.Outputs()
	if len(out) != 1 || out[0].Bridge != tun || out[0].Port != 2 || out[0].Packet.Tunnel.ID != 1001 || out[0].Packet.Tags() != 0 {
		t.Fatalf("outputs %+v", out)
	}
}
