package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

func TestWrongTunnelAddressIsCorrectedByOneCall(t *testing.T) {
	hosts := lab.Hosts(3)
	hosts[1].ExternalIDs = map[string]string{"heddle-encap-ip": "172.31.0.99"} // cmp1: nobody has that
	f := newFabric(t, lab.Config{Hosts: hosts})
	f.join(f.lab.Hosts()...)
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	green := f.network("green", "geneve", "tenant-a", "10.0.33.0/24")
	a, b, c := f.vm("a", "net1", red), f.vm("b", "cmp1", red), f.vm("c", "cmp2", red)
	d, e := f.vm("d", "cmp1", green), f.vm("e", "cmp2", green)
	f.active(a, b, c, d, e)
	f.reaches(5*time.Second, a, c.IP())
	f.unreachable(a, b.IP())

	pid := f.server.process.pid
	ok(t, f.api.patch("/v1/hosts/cmp1", object{"encap_ip": f.host("cmp1").Underlay()}, nil))
	begin := time.Now()
	f.allReach(5*time.Second, a, b, c)
	f.allReach(5*time.Second, d, e)
	t.Logf("all pings pass %v after the call", time.Since(begin).Round(time.Millisecond))
	if f.server.process.pid != pid || f.server.process.ended() {
		t.Error("the server was restarted")
	}
	for _, host := range []string{"net1", "cmp1", "cmp2"} {
		eventually(t, 5*time.Second, "the wrong address is gone from "+host, func() error {
			if show := f.vsctl(host, "show"); strings.Contains(show, "172.31.0.99") {
				return fmt.Errorf("ovs-vsctl show says:\n%s", show)
			}
			return nil
		})
	}
	f.asWanted(repairLimit, "net1", "cmp1", "cmp2")

	// The host says it right at last, the override goes, and nothing changes.
	unchanged := f.untouched("net1", "cmp1", "cmp2")
	f.vsctl("cmp1", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip="+f.host("cmp1").Underlay().String())
	ok(t, f.api.patch("/v1/hosts/cmp1", object{"encap_ip": nil}, nil))
	f.allReach(2*time.Second, a, b, c)
	unchanged(t, nil)

	// And a host that corrects itself needs no call at all.
	f.vsctl("cmp2", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip=172.31.0.98")
	eventually(t, 5*time.Second, "tunnels follow what the host says", func() error {
		if show := f.vsctl("net1", "show"); !strings.Contains(show, "172.31.0.98") {
			return fmt.Errorf("ovs-vsctl show says:\n%s", show)
		}
		return nil
	})
	f.vsctl("cmp2", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip="+f.host("cmp2").Underlay().String())
	f.allReach(5*time.Second, a, b, c)
}

// TestHostsThatListenAndHostsWithoutOVSDB joins four hosts in four ways; virtual machines on all of
// them reach each other.
func TestHostsThatListenAndHostsWithoutOVSDB(t *testing.T) {
	f := newFabric(t, lab.Config{Hosts: lab.Hosts(4)})
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	dialled, usual, plain, listening := f.host("net1"), f.host("cmp1"), f.host("cmp2"), f.host("cmp3")

	ok(t, dialled.Join(t.Context(), "ptcp:6640"))
	ok(t, f.api.put("/v1/hosts/net1", object{"ovsdb": fmt.Sprintf("tcp:%s:6640", dialled.Management())}, nil))
	ok(t, usual.Join(t.Context(), "tcp:"+f.server.ovsdb))

	// Hosts without OVSDB: everything is there already, named as Neutron names it.
	prepare := func(h *lab.Host) (ids object) {
		f.bridgesByHand(h, "vxlan", dialled, usual, plain, listening)
		ids = object{}
		for _, br := range []string{"br-int", "br-tun"} {
			ids[br] = strings.Trim(f.vsctl(h.Name, "get", "Bridge", br, "datapath_id"), `"`)
		}
		return ids
	}
	ids := prepare(plain)
	for br := range ids {
		f.vsctl(plain.Name, "set-controller", br, "tcp:"+f.server.openFlow)
	}
	f.api.awaitEvent(t, 20*time.Second, 0, "switch_unknown", "", ids["br-int"].(string))
	ok(t, f.api.put("/v1/hosts/cmp2", object{"encap_ip": plain.Underlay(), "encap_types": []string{"vxlan"}, "bridges": ids}, nil))

	prepare(listening)
	f.vsctl(listening.Name, "set-controller", "br-int", "ptcp:6653", "--", "set-controller", "br-tun", "ptcp:6654")
	ok(t, f.api.put("/v1/hosts/cmp3", object{"encap_ip": listening.Underlay(), "encap_types": []string{"vxlan"}, "openflow": object{
		"br-int": fmt.Sprintf("tcp:%s:6653", listening.Management()), "br-tun": fmt.Sprintf("tcp:%s:6654", listening.Management())}}, nil))

	var vms []*vm
	for _, h := range f.lab.Hosts() {
		f.awaitHost(h.Name)
		vms = append(vms, f.vm("vm-"+h.Name, h.Name, red))
	}
	f.active(vms...)
	f.allReach(5*time.Second, vms...)
	f.asWanted(5*time.Second, "net1", "cmp1", "cmp2", "cmp3")

	t.Run("ovs_vswitchd_restarts_on_all_of_them", func(t *testing.T) {
		f := f.in(t)
		for _, h := range f.lab.Hosts() {
			ok(t, h.KillVswitchd(t.Context()))
			ok(t, h.StartVswitchd(t.Context()))
		}
		f.allReach(10*time.Second, vms...)
		f.asWanted(5*time.Second, "net1", "cmp1", "cmp2", "cmp3")
	})
	t.Run("unplugged_port_goes_down", func(t *testing.T) {
		f := f.in(t)
		for _, v := range vms {
			ok(t, v.Unplug(t.Context()))
		}
		f.awaitStatus(10*time.Second, "DOWN", vms...)
	})
}

// bridgesByHand makes the bridges of a host with ports as Neutron's agent would have left them.
func (f *fabric) bridgesByHand(h *lab.Host, kind string, to ...*lab.Host) {
	f.t.Helper()
	var args []string
	do := func(more ...string) {
		if len(args) > 0 {
			args = append(args, "--")
		}
		args = append(args, more...)
	}
	for _, br := range []string{"br-int", "br-tun"} {
		do("add-br", br)
		do("set", "Bridge", br, "datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow13")
	}
	do("add-port", "br-int", "patch-tun")
	do("set", "Interface", "patch-tun", "type=patch", "options:peer=patch-int")
	do("add-port", "br-tun", "patch-int")
	do("set", "Interface", "patch-int", "type=patch", "options:peer=patch-tun")
	for _, peer := range to {
		if peer == h {
			continue
		}
		name := tunnelName(kind, peer)
		do("add-port", "br-tun", name)
		do("set", "Interface", name, "type="+kind, "options:local_ip="+h.Underlay().String(), "options:remote_ip="+peer.Underlay().String(),
			"options:in_key=flow", "options:out_key=flow", "options:df_default=true")
	}
	f.vsctl(h.Name, args...)
}

func TestOrderOfEventsDoesNotMatter(t *testing.T) {
	f := newFabric(t, lab.Config{Hosts: lab.Hosts(3)})
	// The API comes first.
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	early := f.port("early", red, object{"binding:host_id": "cmp1"})
	f.awaitPort(2*time.Second, early.ID, "DOWN", "NoSuchHost")

	// On net1 a virtual machine is plugged into a bridge that is there before the host joins.
	net1 := f.host("net1")
	f.vsctl("net1", "add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev")
	before := f.vm("before", "net1", red)
	ok(t, net1.Join(t.Context(), "tcp:"+f.server.ovsdb))
	f.active(before)

	// cmp1 joins, and then its virtual machine is plugged.
	f.join(f.host("cmp1"))
	f.awaitPort(2*time.Second, early.ID, "DOWN", "NotPlugged")
	e := f.plug("cmp1", red, early)
	f.active(e)
	f.allReach(5*time.Second, before, e)

	t.Run("interface_of_no_port_is_kept_off", func(t *testing.T) { f.in(t).testUnknownInterface(red, before) })
	t.Run("deleted_port_is_cut_off_while_plugged", func(t *testing.T) { f.in(t).testDeletedPort(red, e) })
	t.Run("port_that_is_down_is_cut_off", func(t *testing.T) { f.in(t).testAdminDown(red, e) })
	t.Run("host_joins_under_another_name", func(t *testing.T) { f.in(t).testRename(red, before) })
	t.Run("second_host_of_a_name_is_told", func(t *testing.T) { f.in(t).testSameName(before, e) })
	t.Run("host_with_nothing_but_a_name", func(t *testing.T) { f.in(t).testBareHost() })
}

// testUnknownInterface plugs an interface whose iface-id is nobody's, and then gives it a port.
func (f *fabric) testUnknownInterface(n network, witness *vm) {
	t := f.t
	p := f.port("later", n)
	cfg := guest("net1", n, p)
	cfg.Port = "deadbeef-0000-4000-8000-000000000001"
	m, err := f.lab.PlugVM(t.Context(), cfg)
	ok(t, err)
	v := &vm{m, p}
	seen := captureOn(t, witness.VM)
	f.unreachable(v, witness.IP())
	sendFrame(t, v.VM, "ff:ff:ff:ff:ff:ff", "nobody")
	wait(t.Context(), 100*time.Millisecond)
	if n := seen.seen(""); n > 0 {
		t.Errorf("%d frames came from an interface of no port", n)
	}
	ok(t, v.Unplug(t.Context()))
	ok(t, v.PlugAs(t.Context(), p.ID))
	f.active(v)
	f.reaches(5*time.Second, v, witness.IP())
	ok(t, v.Delete(t.Context()))
	f.awaitPort(5*time.Second, p.ID, "DOWN", "NotPlugged")
}

func (f *fabric) testDeletedPort(n network, witness *vm) {
	t := f.t
	v := f.vm("doomed", "net1", n)
	f.active(v)
	f.allReach(5*time.Second, v, witness)
	seen := captureOn(t, witness.VM)
	ok(t, f.api.delete("/v2.0/ports/"+v.port.ID))
	eventually(t, 5*time.Second, "its interface is on the dead VLAN", func() error {
		return wantEqual("tag", f.vsctl("net1", "get", "Port", v.Tap, "tag"), "4095")
	})
	eventually(t, 5*time.Second, "its frames go nowhere", func() error {
		had := seen.seen("doomed")
		sendFrame(t, v.VM, "ff:ff:ff:ff:ff:ff", "doomed")
		wait(t.Context(), 50*time.Millisecond)
		return wantEqual("number of new frames", seen.seen("doomed")-had, 0)
	})
	f.unreachable(witness, v.IP())
	f.asWanted(5*time.Second, "net1", "cmp1")
	ok(t, v.Delete(t.Context()))
}

func (f *fabric) testAdminDown(n network, witness *vm) {
	t := f.t
	v := f.vm("switched", "net1", n)
	f.active(v)
	f.reaches(5*time.Second, v, witness.IP())
	set := func(up bool) {
		t.Helper()
		ok(t, f.api.put("/v2.0/ports/"+v.port.ID, object{"port": object{"admin_state_up": up}}, nil))
	}
	set(false)
	f.awaitPort(5*time.Second, v.port.ID, "DOWN", "AdminDown")
	eventually(t, 5*time.Second, "its interface is on the dead VLAN", func() error {
		return wantEqual("tag", f.vsctl("net1", "get", "Port", v.Tap, "tag"), "4095")
	})
	f.asWanted(5*time.Second, "net1", "cmp1")
	f.unreachable(v, witness.IP())
	f.unreachable(witness, v.IP())
	set(true)
	f.active(v)
	f.allReach(5*time.Second, v, witness)
	ok(t, v.Delete(t.Context()))
}

// testRename gives cmp1 another name: it joins as another host, and its virtual machine is reached.
func (f *fabric) testRename(n network, a *vm) {
	t := f.t
	h := f.host("cmp1")
	onRenamed := f.vm("unbound", "cmp1", n)
	f.active(onRenamed)
	rename := func(name string) {
		t.Helper()
		f.vsctl("cmp1", "set", "Open_vSwitch", ".", "external_ids:hostname="+name)
		ok(t, h.Leave(t.Context()))
		ok(t, h.Join(t.Context(), "tcp:"+f.server.ovsdb))
		f.awaitHost(name)
	}
	rename("cmp1-renamed")
	f.reaches(5*time.Second, a, onRenamed.IP())
	eventually(t, 10*time.Second, "port is on the renamed host", func() error {
		s, err := f.api.portState(onRenamed.port.ID)
		if err == nil && (s.Status != "ACTIVE" || s.Host != "cmp1-renamed") {
			err = fmt.Errorf("it is %+v", s)
		}
		return err
	})
	f.allReach(5*time.Second, a, onRenamed)
	rename("cmp1")
	f.allReach(5*time.Second, a, onRenamed)
	ok(t, f.api.delete("/v1/hosts/cmp1-renamed"))
	f.active(onRenamed)
	f.allReach(5*time.Second, a, onRenamed)
}

// testSameName lets cmp2 join as net1, which is there already: an event says so, and net1 goes on.
func (f *fabric) testSameName(onNet1, other *vm) {
	t := f.t
	last, err := f.api.lastEvent()
	ok(t, err)
	p := probeFrom(t, other.VM, onNet1.IP(), 10*time.Millisecond)
	f.vsctl("cmp2", "set", "Open_vSwitch", ".", "external_ids:hostname=net1")
	ok(t, f.host("cmp2").Join(t.Context(), "tcp:"+f.server.ovsdb))
	f.api.awaitEvent(t, 10*time.Second, last, "host_refused", "net1", f.host("cmp2").Management().String())
	f.reaches(2*time.Second, other, onNet1.IP())
	downs := 0
	evs, err := f.api.events(last)
	ok(t, err)
	for _, e := range evs {
		if e.Kind == "host_down" && e.Host == "net1" {
			downs++
		}
	}
	if downs > 0 {
		t.Errorf("the first host of the name lost its connection %d times", downs)
	}
	f.vsctl("cmp2", "set", "Open_vSwitch", ".", "external_ids:hostname=cmp2")
	f.awaitHost("cmp2")
	if sent, lost := p.end(); len(lost) > 0 {
		t.Errorf("%d of %d pings were lost meanwhile", len(lost), sent)
	}
}

// testBareHost joins a host that says nothing of tunnels.
func (f *fabric) testBareHost() {
	t := f.t
	for _, key := range []string{"heddle-encap-ip", "heddle-encap-type"} {
		f.vsctl("cmp2", "remove", "Open_vSwitch", ".", "external_ids", key)
	}
	eventually(t, 10*time.Second, "host says what it lacks", func() error {
		h, err := f.hostState("cmp2")
		for _, p := range h.Problems {
			if p.Reason == "NoTunnelAddress" {
				return nil
			}
		}
		return fmt.Errorf("%v; problems are %+v", err, h.Problems)
	})
	n := f.network("local", "vxlan", "tenant-a", "10.0.44.0/24")
	a, b := f.vm("local-a", "cmp2", n), f.vm("local-b", "cmp2", n)
	f.allReach(5*time.Second, a, b)
}
