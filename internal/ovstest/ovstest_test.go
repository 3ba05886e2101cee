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
