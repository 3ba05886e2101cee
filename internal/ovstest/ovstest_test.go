package ovstest

import (
	"os"
	"strings"
	"testing"
)

func TestFlowsVanishWithVswitchdAndTheBridgeStays(t *testing.T) {
	o := Start(t)
	o.AddBridge("br0")
	o.AddPort("br0", "p1", 1)
	o.OFCtl("add-flow", "br0", "priority=7,in_port=1,actions=drop")
	if got := o.OFCtl("dump-flows", "--no-stats", "br0"); !strings.Contains(got, "priority=7,in_port=1 actions=drop") {
		t.Fatalf("dump before the restart: %q", got)
	}
	o.RestartVswitchd()
	if got := o.OFCtl("dump-flows", "--no-stats", "br0"); strings.TrimSpace(got) != "" {
		t.Errorf("dump after the restart: %q, want nothing", got)
	}
	if got := o.VSCtl("get", "interface", "p1", "ofport"); strings.TrimSpace(got) != "1" {
		t.Errorf("ofport after the restart: %q, want 1", got)
	}
	if _, err := os.Stat(o.MgmtSocket("br0")); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	var dir string
	var p *process
	t.Run("inner", func(t *testing.T) {
		o := Start(t)
		dir, p = o.RunDir, o.vswitchd
	})
	if p == nil {
		t.Skip("Open vSwitch did not start")
	}
	select {
	case <-p.done:
	default:
		t.Error("ovs-vswitchd still runs")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("run directory: %v, want that it does not exist", err)
	}
}

func TestRunTellsWhatTheCommandSaid(t *testing.T) {
	o := Start(t)
	if _, err := o.Run("ovs-ofctl", "dump-flows", "nosuch"); err == nil || !strings.Contains(err.Error(), "nosuch is not a bridge") {
		t.Errorf("error %v, want that nosuch is not a bridge", err)
	}
}

func TestControlRunsManyCommands(t *testing.T) {
	o := Start(t)
	o.AddBridge("br0")
	c := o.Control()
	for range 100 {
		out, err := c.Call("ofproto/trace", "br0", "in_port=1")
		if err != nil || !strings.Contains(out, "Datapath actions: drop") {
			t.Fatalf("trace in an empty bridge: %q, %v", out, err)
		}
	}
	if _, err := c.Call("ofproto/trace", "br0", "colour=red"); err == nil || !strings.Contains(err.Error(), "unknown field colour") {
		t.Errorf("error %v, want that the field is not known", err)
	}
	if _, err := c.Call("version"); err != nil {
		t.Error(err)
	}
}

func TestTunnelsAreKnownToTheDatapath(t *testing.T) {
	o := StartWith(t, Options{Tunnels: true})
	o.AddBridge("br0")
	o.AddPort("br0", "p1", 1)
	o.VSCtl("add-port", "br0", "gre1", "--", "set", "interface", "gre1", "ofport_request=2", "type=gre", "options:key=flow", "options:remote_ip=10.99.0.1")
	o.OFCtl("add-flow", "br0", "in_port=1,actions=set_tunnel:7,output:2")
	if out := o.AppCtl("ofproto/trace", "br0", "in_port=1"); !strings.Contains(out, "set(tunnel(tun_id=0x7,dst=10.99.0.1") {
		t.Errorf("trace into a tunnel:\n%s", out)
	}
}
