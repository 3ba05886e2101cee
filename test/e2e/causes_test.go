package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// stateOf is an object in /v1/objects/{kind}/{id}.
type stateOf struct {
	Status     string
	OK         bool
	Conditions []struct {
		Type    string
		OK      bool
		Unknown bool
		Info    bool
		Reason  string
		Message string
		Host    string
		Since   time.Time
	}
	Effects []struct{ Host, Where, Type, Text, Says, State, Object string }
}

// object returns an object with all that is known of it.
func (f *fabric) object(kind, id string) (stateOf, error) {
	var o stateOf
	return o, f.api.get("/v1/objects/"+kind+"/"+id, &o)
}

// tells waits until a condition of an object does not hold for a reason, and its message says all of some
// things; it returns since when that is so.
func (f *fabric) tells(limit time.Duration, kind, id, condition, reason string, says ...string) time.Time {
	f.t.Helper()
	var since time.Time
	eventually(f.t, limit, fmt.Sprintf("%s %s tells %s of %s", kind, id, reason, condition), func() error {
		o, err := f.object(kind, id)
		if err != nil {
			return err
		}
		for _, c := range o.Conditions {
			if c.Type == condition && !c.OK && !c.Unknown && c.Reason == reason && containsAll(c.Message, says) {
				since = c.Since
				return nil
			}
		}
		return fmt.Errorf("want %q; it says %+v", says, o.Conditions)
	})
	return since
}

// well waits until nothing is wrong with an object.
func (f *fabric) well(limit time.Duration, kind, id string) {
	f.t.Helper()
	eventually(f.t, limit, kind+" "+id+" is well", func() error {
		o, err := f.object(kind, id)
		if err == nil && !o.OK {
			err = fmt.Errorf("it says %+v", o.Conditions)
		}
		return err
	})
}

// problem waits until a host has a problem with a reason whose message says all of some things.
func (f *fabric) problem(limit time.Duration, host, reason string, says ...string) {
	f.t.Helper()
	eventually(f.t, limit, fmt.Sprintf("host %s has problem %s", host, reason), func() error {
		h, err := f.hostState(host)
		if err != nil {
			return err
		}
		for _, p := range h.Problems {
			if p.Reason == reason && containsAll(p.Message, says) {
				return nil
			}
		}
		return fmt.Errorf("want %q; it has %+v", says, h.Problems)
	})
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// TestCausesAreNamed makes what goes wrong most often, one thing after another, and looks for its cause
// where somebody would who has the API and nothing else.
func TestCausesAreNamed(t *testing.T) {
	f := newGatewayFabric(t, []lab.HostConfig{{Name: "net1", Gateway: true}, {Name: "cmp1"}, {Name: "cmp2"}})
	w := &causes{fabric: f, agent: f.agent("net1")}
	w.red = f.served("red", "tenant-a", "10.0.31.0/24")
	w.a, w.b = f.client("a", "cmp1", w.red), f.client("b", "cmp2", w.red)
	f.active(w.a, w.b)
	f.well(20*time.Second, "port", w.a.port.ID)
	t.Run("nothing_is_wrong", func(t *testing.T) { w.in(t).testTunnels() })
	t.Run("vm_is_not_plugged", func(t *testing.T) { w.in(t).testNotPlugged() })
	t.Run("manager_is_unreachable", func(t *testing.T) { w.in(t).testManager() })
	t.Run("flow_is_deleted_by_hand", func(t *testing.T) { w.in(t).testFlow() })
	t.Run("patch_port_is_missing", func(t *testing.T) { w.in(t).testPatchPort() })
	t.Run("subnet_is_exhausted", func(t *testing.T) { w.in(t).testExhausted() })
	t.Run("dnsmasq_is_dead", func(t *testing.T) { w.in(t).testDnsmasq() })
	t.Run("router_has_no_gateway", func(t *testing.T) { w.in(t).testNoGateway() })
	t.Run("tunnel_address_is_wrong", func(t *testing.T) { w.in(t).testTunnelAddress() })
	t.Run("underlay_is_too_narrow", func(t *testing.T) { w.in(t).testUnderlay() })
}

// causes is a fabric of a gateway host and two hosts with a virtual machine each, on one network.
type causes struct {
	*fabric
	agent *agent // of net1
	red   network
	a, b  *vm // on cmp1 and cmp2
}

func (w *causes) in(t testing.TB) *causes {
	x := *w
	x.fabric = w.fabric.in(t)
	return &x
}

// testTunnels: all tunnels are up, and what goes through them is counted.
func (w *causes) testTunnels() {
	type tunnel struct {
		From, To, State string
		Rx              uint64 `json:"rx_packets"`
		Tx              uint64 `json:"tx_packets"`
		MTU             int    `json:"egress_mtu"`
	}
	read := func() (out struct{ Tunnels []tunnel }) {
		ok(w.t, w.api.get("/v1/tunnels", &out))
		return out
	}
	w.leased(w.a, w.b) // through the tunnels to the gateway host
	eventually(w.t, 15*time.Second, "all tunnels are up and counted", func() error {
		all := read().Tunnels
		if len(all) != 6 {
			return fmt.Errorf("%d tunnels between three hosts", len(all))
		}
		for _, t := range all {
			if t.State != "up" || t.MTU != 1500 || (t.From == "net1" || t.To == "net1") && (t.Rx == 0 || t.Tx == 0) {
				return fmt.Errorf("it is %+v", t)
			}
		}
		return nil
	})
}

// testNotPlugged: an instance that does not run.
func (w *causes) testNotPlugged() {
	p := w.port("idle", w.red)
	w.tells(5*time.Second, "port", p.ID, "Bound", "NotPlugged", "start its instance", "iface-id="+p.ID)
	ok(w.t, w.api.delete("/v2.0/ports/"+p.ID))
}

// testManager: a host whose OVSDB looks for Heddle where it is not.
func (w *causes) testManager() {
	last, err := w.api.lastEvent()
	ok(w.t, err)
	ok(w.t, w.host("cmp1").Join(w.t.Context(), "tcp:"+w.server.addr.String()+":1"))
	since := w.tells(20*time.Second, "host", "cmp1", "Connected", "HostDown", "OVSDB of host cmp1 is not connected, and its bridges are", "ovs-vsctl get-manager")
	if since.IsZero() || time.Since(since) > time.Minute {
		w.t.Errorf("the host is away since %v", since)
	}
	w.problem(5*time.Second, "cmp1", "NotConnected", "ovsdb is not connected since", "ovs-vsctl get-manager")
	w.tells(5*time.Second, "port", w.a.port.ID, "Connected", "HostDown", "ovs-vsctl get-manager")
	w.api.awaitEvent(w.t, 5*time.Second, last, "host_down", "cmp1", "")
	ok(w.t, w.host("cmp1").Join(w.t.Context(), "tcp:"+w.server.ovsdb))
	w.well(20*time.Second, "port", w.a.port.ID)
}

// testFlow: somebody deletes the flow that delivers to a virtual machine. Heddle puts it back at once, and
// tells whose it was. The port's page says of every host how frames for it go there.
func (w *causes) testFlow() {
	last, err := w.api.lastEvent()
	ok(w.t, err)
	w.ofctl("cmp1", "del-flows", "br-int", "table=61,dl_dst="+w.a.port.MAC)
	e := w.api.awaitEvent(w.t, 10*time.Second, last, "drift", "cmp1", w.a.port.MAC)
	for _, want := range []string{`"target":"br-int"`, `"missing":["`, `"objects":["port/` + w.a.port.ID + `"]`} {
		if !strings.Contains(string(e.Body), want) {
			w.t.Errorf("event says %s, want %s in it", e.Body, want)
		}
	}
	o, err := w.object("port", w.a.port.ID)
	ok(w.t, err)
	here, elsewhere := "frames for port a ("+w.a.IP().String()+") in local VLAN ", "leave by the vxlan tunnel to host cmp1"
	var hosts []string
	for _, e := range o.Effects {
		if e.Type == "flow" && e.State != "ok" {
			w.t.Errorf("%s of %s is %s: %s", e.Where, e.Host, e.State, e.Text)
		}
		if e.Type == "flow" && strings.Contains(e.Says, here) && (e.Host == "cmp1" || strings.Contains(e.Says, elsewhere) || e.Where == "br-int") {
			hosts = append(hosts, e.Host)
		}
	}
	for _, host := range []string{"net1", "cmp1", "cmp2"} {
		if !strings.Contains(strings.Join(hosts, " "), host) {
			w.t.Errorf("no flow on %s says where frames for the port go: %+v", host, o.Effects)
		}
	}
}

// testPatchPort: the cable between two bridges is taken away, which is put right, and then somebody else's
// port has its name, which only he can put right.
func (w *causes) testPatchPort() {
	last, err := w.api.lastEvent()
	ok(w.t, err)
	w.vsctl("cmp1", "del-port", "patch-tun")
	w.api.awaitEvent(w.t, 10*time.Second, last, "drift", "cmp1", "port patch-tun")
	w.well(15*time.Second, "port", w.a.port.ID)
	w.vsctl("cmp1", "del-port", "patch-tun", "--", "add-port", "br-int", "patch-tun", "--", "set", "Interface", "patch-tun", "type=internal", "external_ids:iface-id=mine")
	why := []string{"patch-tun", "its name is that of someone else's port on br-int", "delete or rename"}
	w.problem(10*time.Second, "cmp1", "ApplyFailed", why...)
	w.tells(5*time.Second, "host", "cmp1", "Applied", "ApplyFailed", why...)
	w.api.awaitEvent(w.t, 5*time.Second, last, "reconcile_failed", "cmp1", "patch-tun")
	w.vsctl("cmp1", "del-port", "patch-tun")
	w.well(15*time.Second, "host", "cmp1")
	w.well(15*time.Second, "port", w.a.port.ID)
}

// testExhausted: one more port than a subnet has addresses for.
func (w *causes) testExhausted() {
	n := w.network("tiny", "vxlan", "tenant-a", "10.0.33.0/30")
	for _, name := range []string{"first", "second"} {
		w.port(name, n)
	}
	err := w.api.post("/v2.0/ports", object{"port": object{"network_id": n.ID}}, nil)
	if err == nil || !strings.Contains(err.Error(), "IpAddressGenerationFailure") {
		w.t.Errorf("a third port of a subnet with two addresses: %v", err)
	}
	w.tells(5*time.Second, "subnet", n.Subnet, "Addresses", "SubnetExhausted", "all 2 addresses of its pools (10.0.33.1-10.0.33.2) are used", "add a subnet")
}

// testDnsmasq: the process that gives leases dies, and is started again; then it cannot be started.
func (w *causes) testDnsmasq() {
	last, err := w.api.lastEvent()
	ok(w.t, err)
	pid := w.agent.state + "/dhcp/qdhcp-" + w.red.ID + "/pid"
	w.sh("net1", "kill -9 $(cat "+pid+")")
	e := w.api.awaitEvent(w.t, agentRepairLimit, last, "drift", "net1", "start dnsmasq again")
	if !strings.Contains(string(e.Body), `"objects":["network/`+w.red.ID+`"]`) {
		w.t.Errorf("event says %s", e.Body)
	}
	w.well(15*time.Second, "network", w.red.ID)
	program := w.sh("net1", "command -v dnsmasq")
	broken := w.t.TempDir() + "/dnsmasq"
	w.sh("net1", `printf '#!/bin/sh\necho dnsmasq: no memory >&2\nexit 3\n' >`+broken+` && chmod +x `+broken)
	w.sh("net1", "mount --bind "+broken+" "+program)
	mended := false
	mend := func() {
		if !mended {
			mended = true
			w.sh("net1", "umount "+program)
		}
	}
	defer mend()
	w.sh("net1", "kill -9 $(cat "+pid+")")
	w.tells(15*time.Second, "network", w.red.ID, "DHCP", "ServiceFailed", "qdhcp-"+w.red.ID+" on host net1", "dhcp: ", "dnsmasq")
	w.tells(5*time.Second, "port", w.a.port.ID, "DHCP", "ServiceFailed", "dnsmasq")
	w.tells(5*time.Second, "subnet", w.red.Subnet, "DHCP", "ServiceFailed", "dnsmasq")
	mend()
	w.well(30*time.Second, "network", w.red.ID)
}

// testNoGateway: a router that was given networks, and no way out.
func (w *causes) testNoGateway() {
	outside := w.outside()
	id := w.fabric.router("tenant-a", nil, w.red)
	eventually(w.t, 10*time.Second, "the router tells that it has no gateway", func() error {
		o, err := w.object("router", id)
		if err != nil {
			return err
		}
		for _, c := range o.Conditions {
			if c.Type == "Gateway" && c.Info && c.Reason == "NoGateway" && containsAll(c.Message, []string{"nothing outside", "openstack router set --external-gateway"}) {
				return nil
			}
		}
		return fmt.Errorf("it says %+v", o.Conditions)
	})
	w.well(15*time.Second, "router", id) // it may be meant so
	ok(w.t, w.api.put("/v2.0/routers/"+id, object{"router": object{"external_gateway_info": object{"network_id": outside.ID}}}, nil))
	eventually(w.t, 15*time.Second, "the router has a gateway", func() error {
		o, err := w.object("router", id)
		if err != nil {
			return err
		}
		for _, c := range o.Conditions {
			if !c.OK {
				return fmt.Errorf("it says %+v", c)
			}
		}
		return nil
	})
}

// testTunnelAddress: a host says that its end of tunnels is where nobody is.
func (w *causes) testTunnelAddress() {
	last, err := w.api.lastEvent()
	ok(w.t, err)
	right := w.host("cmp1").Underlay().String()
	w.vsctl("cmp1", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip=172.31.0.99")
	why := []string{"no tunnel of host cmp1 is up", "172.31.0.99", "heddle-encap-ip", "PATCH /v1/hosts/cmp1"}
	w.problem(20*time.Second, "cmp1", "TunnelDown", why...)
	w.problem(20*time.Second, "cmp2", "TunnelDown", append(why, "to host cmp1")...)
	w.tells(5*time.Second, "port", w.a.port.ID, "Tunnels", "TunnelDown", why...)
	w.tells(5*time.Second, "network", w.red.ID, "Tunnels", "TunnelDown", why...)
	w.tells(5*time.Second, "host", "cmp1", "Tunnels", "TunnelDown", why...)
	w.api.awaitEvent(w.t, 10*time.Second, last, "tunnel_down", "cmp2", `"to":"cmp1"`)
	w.vsctl("cmp1", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip="+right)
	w.well(20*time.Second, "port", w.a.port.ID)
	w.well(20*time.Second, "host", "cmp2")
}

// testUnderlay: what the tunnels of a host leave by takes less than the network needs.
func (w *causes) testUnderlay() {
	w.vsctl("cmp1", "set", "Interface", "br-phy", "mtu_request=1400")
	why := []string{"network red has MTU 1450 and VXLAN needs 50 bytes more", "br-phy of host cmp1 carries 1400", "to 1350", "to 1500"}
	w.problem(10*time.Second, "cmp1", "UnderlayMTU", why...)
	w.tells(5*time.Second, "network", w.red.ID, "MTU", "UnderlayMTU", why...)
	w.tells(5*time.Second, "port", w.a.port.ID, "MTU", "UnderlayMTU", why...)
	w.vsctl("cmp1", "remove", "Interface", "br-phy", "mtu_request", "1400")
	w.vsctl("cmp1", "set", "Interface", "br-phy", "mtu_request=1500")
	w.well(10*time.Second, "network", w.red.ID)
}
