package controller

import (
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/ovsdb"
	"github.com/heddle-sdn/heddle/controller/status"
)

// tunnelState is an OVSDB with one tunnel, whose BFD session is in a state, that leaves by br-phy.
func tunnelState(bfd string, mtus ...int) *ovsdb.State {
	watched := map[string]string{"enable": "true", "min_rx": "1000", "min_tx": "1000"}
	st := &ovsdb.State{Bridges: []*ovsdb.Bridge{
		{Name: "br-phy", Ports: []*ovsdb.Port{
			{Name: "br-phy", Interfaces: []*ovsdb.Interface{{Name: "br-phy", Bridge: "br-phy", Port: "br-phy", Type: "internal", MTU: mtus[0]}}},
			{Name: "eth0", Interfaces: []*ovsdb.Interface{{Name: "eth0", Bridge: "br-phy", Port: "eth0", MTU: mtus[1]}}},
			{Name: "tap0", Interfaces: []*ovsdb.Interface{{Name: "tap0", Bridge: "br-phy", Port: "tap0", MTU: 70, ExternalIDs: map[string]string{"iface-id": "x"}}}},
		}},
		{Name: "br-tun", Ports: []*ovsdb.Port{
			{Name: "vxlan-1", Interfaces: []*ovsdb.Interface{{Name: "vxlan-1", Type: "vxlan", BFD: watched, BFDStatus: map[string]string{"state": bfd},
				Status: map[string]string{"tunnel_egress_iface": "br-phy", "tunnel_egress_iface_carrier": "up"}}}},
		}},
	}}
	if bfd == "" {
		st.Bridges[1].Ports[0].Interfaces[0].BFD, st.Bridges[1].Ports[0].Interfaces[0].BFDStatus = nil, nil
	}
	return st
}

func TestTunnelGoesFromStartingToUpToDown(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	var again time.Time
	tunnels, _ := readTunnels(tunnelState("down", 1500, 1500), nil, at(0))
	for i, step := range []struct {
		bfd      string
		now      time.Time
		state    status.TunnelState
		starting bool
		since    time.Time
		again    time.Time
	}{
		{"down", at(0), status.TunnelUnknown, true, at(0), at(5)},
		{"down", at(2), status.TunnelUnknown, true, at(0), at(5)},
		{"up", at(3), status.TunnelUp, false, at(3), time.Time{}},
		{"up", at(9), status.TunnelUp, false, at(3), time.Time{}},
		{"down", at(20), status.TunnelDown, false, at(20), time.Time{}},
		{"init", at(21), status.TunnelDown, false, at(20), time.Time{}},
		{"", at(22), status.TunnelUnknown, false, at(22), time.Time{}},  // no longer watched
		{"down", at(30), status.TunnelUnknown, true, at(30), at(35)},    // watched again
		{"down", at(35), status.TunnelDown, false, at(30), time.Time{}}, // it never came up
	} {
		tunnels, again = readTunnels(tunnelState(step.bfd, 1500, 1500), tunnels, step.now)
		got := tunnels["vxlan-1"]
		if got.State != step.state || got.Starting != step.starting || !got.Since.Equal(step.since) || !again.Equal(step.again) {
			t.Errorf("step %d: %+v, to look again at %v; want %+v", i, got, again, step)
		}
		if got.Hears != (step.bfd == "init") || got.Egress != "br-phy" || !got.Carrier {
			t.Errorf("step %d: %+v", i, got)
		}
	}
}

func TestTunnelIsAsWideAsWhatItLeavesBy(t *testing.T) {
	for _, c := range []struct{ bridge, nic, want int }{{1500, 1500, 1500}, {1500, 1400, 1400}, {1400, 9000, 1400}, {0, 1500, 0}} {
		tunnels, _ := readTunnels(tunnelState("up", c.bridge, c.nic), nil, time.Unix(0, 0))
		if got := tunnels["vxlan-1"].MTU; got != c.want {
			t.Errorf("br-phy %d, eth0 %d: %d, want %d", c.bridge, c.nic, got, c.want)
		}
	}
	if got := carriedBy(tunnelState("up", 1500, 1500), "eth9"); got != 0 {
		t.Errorf("an interface that the OVSDB does not know carries %d", got)
	}
}
