package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// repairLimit is how long what was altered by hand may stay altered.
const repairLimit = 10 * time.Second

// altered is a fabric of two hosts with one network, on which tests alter things by hand.
type altered struct {
	*fabric
	a, b *vm // on net1 and cmp1
}

func TestWhatOthersBreakIsRepaired(t *testing.T) {
	f := newJoinedFabric(t, 2)
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	w := &altered{f, f.vm("a", "net1", red), f.vm("b", "cmp1", red)}
	f.active(w.a, w.b)
	f.allReach(5*time.Second, w.a, w.b)
	f.asWanted(10*time.Second, "net1", "cmp1")
	t.Run("flow", w.testFlows)
	t.Run("row", w.testRows)
	t.Run("vswitchd_killed", func(t *testing.T) { w.testVswitchd(t, w.host("net1").KillVswitchd) })
	t.Run("vswitchd_stopped", func(t *testing.T) { w.testVswitchd(t, w.host("net1").StopVswitchd) })
	t.Run("port_numbers_change_with_vswitchd", w.testNumbers)
	t.Run("host_loses_power", w.testPower)
}

// testFlows alters flows of cmp1's br-tun. Each is repaired, the event says what was found, and flows
// that nobody altered are not touched.
func (w *altered) testFlows(t *testing.T) {
	f := w.in(t)
	vlan := f.vsctl("cmp1", "get", "Port", w.b.Tap, "tag")
	flood := "table=22,priority=1,dl_vlan=" + vlan
	const foreign = "cookie=" + foreignCookie + ",table=50,priority=7,in_port=99,actions=drop"
	f.ofctl("cmp1", "add-flow", "br-tun", foreign)
	for _, c := range []struct {
		name   string
		args   []string
		list   string // of the event
		says   string
		except string // the flow that the test alters
	}{
		{"deleted", []string{"--strict", "del-flows", "br-tun", flood}, "missing", "table=22", "table=22, priority=1"},
		{"altered", []string{"--strict", "mod-flows", "br-tun", flood + ",actions=drop"}, "altered", "table=22", "table=22, priority=1"},
		{"replaced_with_a_foreign_cookie", []string{"add-flow", "br-tun", "cookie=0x77," + flood + ",actions=drop"}, "missing", "table=22", "table=22, priority=1"},
		{"added_within_our_cookies", []string{"add-flow", "br-tun", "cookie=0x5d0200000000abcd,table=20,priority=9,dl_vlan=77,actions=drop"}, "foreign", "dl_vlan=77", ""},
		{"learned_flow_forged", []string{"add-flow", "br-tun", "cookie=0x5d04000000000000,table=20,priority=1,vlan_tci=0x0055/0x0fff,dl_dst=fa:16:3e:00:00:01,actions=drop"}, "foreign", "fa:16:3e:00:00:01", ""},
		{"all_of_a_table_deleted", []string{"del-flows", "br-tun", "table=0"}, "missing", "in_port", "table=0,"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := w.in(t)
			unchanged := f.untouched("net1", "cmp1")
			last, err := f.api.lastEvent()
			ok(t, err)
			f.ofctl("cmp1", c.args...)
			f.asWanted(repairLimit, "cmp1")
			e := f.api.awaitEvent(t, 2*time.Second, last, "drift", "cmp1", c.says)
			if !strings.Contains(string(e.Body), `"`+c.list+`":[`) {
				t.Errorf("event says %s, want it under %q", e.Body, c.list)
			}
			unchanged(t, func(flow string) bool {
				return c.except != "" && strings.Contains(flow, c.except)
			})
			f.reaches(2*time.Second, w.a, w.b.IP())
		})
	}
	t.Run("foreign_flow_is_shown_and_left", func(t *testing.T) {
		f := w.in(t)
		dpid, err := f.api.switchOf("cmp1", "br-tun")
		ok(t, err)
		flows, err := f.api.flows(dpid, "?state=foreign")
		ok(t, err)
		if len(flows) != 1 || flows[0].Table != 50 || flows[0].Cookie != foreignCookie {
			t.Errorf("foreign flows are %+v, want the one of table 50", flows)
		}
		if left := f.dump("cmp1", "br-tun", "cookie="+foreignCookie+"/-1"); len(left) != 1 {
			t.Errorf("foreign flows on the switch: %v, want one", left)
		}
	})
}

// testRows alters what Heddle wrote into cmp1's database.
func (w *altered) testRows(t *testing.T) {
	tunnel := tunnelName("vxlan", w.host("net1"))
	for _, c := range []struct {
		name string
		args []string
		says string
		as   func(f *fabric) error
	}{
		{"tag_changed", []string{"set", "Port", w.b.Tap, "tag=999"}, w.b.Tap, func(f *fabric) error {
			return notEqual("tag", f.vsctl("cmp1", "get", "Port", w.b.Tap, "tag"), "999")
		}},
		{"tunnel_port_deleted", []string{"del-port", "br-tun", tunnel}, tunnel, nil},
		{"tunnel_led_elsewhere", []string{"set", "Interface", tunnel, "options:remote_ip=172.31.0.250"}, tunnel, nil},
		{"patch_port_deleted", []string{"del-port", "br-int", "patch-tun"}, "patch-tun", nil},
		{"controller_removed", []string{"del-controller", "br-tun"}, "br-tun", func(f *fabric) error {
			return notEqual("controller", f.vsctl("cmp1", "get-controller", "br-tun"), "")
		}},
		{"fail_mode_loosened", []string{"set-fail-mode", "br-int", "standalone"}, "br-int", func(f *fabric) error {
			return wantEqual("fail mode", f.vsctl("cmp1", "get-fail-mode", "br-int"), "secure")
		}},
		{"bridge_deleted", []string{"del-br", "br-tun"}, "br-tun", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := w.in(t)
			last, err := f.api.lastEvent()
			ok(t, err)
			f.vsctl("cmp1", c.args...)
			begin := time.Now()
			e := f.api.awaitEvent(t, repairLimit, last, "drift", "cmp1", c.says)
			if !strings.Contains(string(e.Body), `"target":"ovsdb"`) {
				t.Errorf("event says %s, want target ovsdb", e.Body)
			}
			if c.as != nil {
				eventually(t, repairLimit, "row is repaired", func() error { return c.as(f) })
			}
			f.reaches(repairLimit, w.a, w.b.IP())
			f.awaitHost("cmp1")
			f.asWanted(repairLimit, "cmp1")
			f.active(w.a, w.b)
			t.Logf("repaired after %v", time.Since(begin).Round(time.Millisecond))
		})
	}
}

func notEqual(what, got, not string) error {
	if got == not {
		return fmt.Errorf("%s is still %q", what, got)
	}
	return nil
}

// backLimit is how long after ovs-vswitchd listens again everything may take.
const backLimit = 2 * time.Second

func (w *altered) testVswitchd(t *testing.T, end func(context.Context) error) {
	f := w.in(t)
	ok(t, end(t.Context()))
	f.unreachable(w.b, w.a.IP())
	f.awaitPort(10*time.Second, w.a.port.ID, "DOWN", "SwitchDown")
	ok(t, f.host("net1").StartVswitchd(t.Context()))
	begin := time.Now()
	f.reaches(backLimit, w.b, w.a.IP())
	t.Logf("ping answered %v after ovs-vswitchd listened", time.Since(begin).Round(time.Millisecond))
	f.asWanted(backLimit, "net1")
	f.active(w.a, w.b)
}

// testNumbers makes ovs-vswitchd give other OpenFlow port numbers than before: the flows of before
// would lead to the wrong ports.
func (w *altered) testNumbers(t *testing.T) {
	f := w.in(t)
	old := f.vsctl("net1", "get", "Interface", w.a.Tap, "ofport")
	ok(t, f.host("net1").KillVswitchd(t.Context()))
	f.vsctl("net1", "--no-wait", "set", "Interface", w.a.Tap, "ofport_request=77", "--", "set", "Interface", "patch-tun", "ofport_request="+old)
	ok(t, f.host("net1").StartVswitchd(t.Context()))
	eventually(t, 5*time.Second, "port has its new number", func() error {
		return wantEqual("ofport", f.vsctl("net1", "get", "Interface", w.a.Tap, "ofport"), "77")
	})
	f.reaches(backLimit, w.b, w.a.IP())
	f.asWanted(backLimit, "net1")
}

// testPower takes the power of a host and gives it back: its database survives, flows and virtual
// machines do not.
func (w *altered) testPower(t *testing.T) {
	f := w.in(t)
	h := f.host("cmp1")
	ok(t, h.Kill())
	ok(t, h.Boot(t.Context()))
	red := network{Prefix: netPrefix("10.0.22.0/24")}
	// The database still has the port of the virtual machine, but its device is gone.
	f.vsctl("cmp1", "--no-wait", "--if-exists", "del-port", "br-int", w.b.Tap)
	b := f.plug("cmp1", red, w.b.port)
	f.reaches(15*time.Second, w.a, b.IP())
	f.active(w.a, b)
	f.asWanted(repairLimit, "net1", "cmp1")
}
