package e2e

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// TestHostsSetUpOtherwise joins hosts that are not as the lab would set them up: others name, prepare
// and plug differently.
func TestHostsSetUpOtherwise(t *testing.T) {
	hosts := lab.Hosts(3)
	hosts[0].ExternalIDs = map[string]string{"hostname": "", "system-id": "6c2f3bd4-0000-4000-8000-00000000abcd"}
	hosts[1].ExternalIDs = map[string]string{"hostname": "Node-2.Example.COM"}
	hosts[2].EncapTypes = []string{"vxlan"}
	f := newFabric(t, lab.Config{Hosts: hosts})
	bySystemID, byFQDN, onlyVXLAN := hosts[0].ExternalIDs["system-id"], hosts[1].ExternalIDs["hostname"], "cmp2"

	// net1 has been used before: bridges without a fail mode, another controller, another manager.
	f.vsctl("net1", "add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "protocols=OpenFlow10",
		"--", "set-controller", "br-int", "tcp:127.0.0.1:9", "--", "add-br", "br-tun", "--", "set", "Bridge", "br-tun", "datapath_type=netdev")
	ok(t, f.host("net1").Join(t.Context(), "ptcp:6641:127.0.0.1", "tcp:"+f.server.ovsdb))
	ok(t, f.host("cmp1").Join(t.Context(), "tcp:"+f.server.ovsdb))
	ok(t, f.host("cmp2").Join(t.Context(), "tcp:"+f.server.ovsdb))
	for _, name := range []string{bySystemID, byFQDN, onlyVXLAN} {
		f.awaitHost(name)
	}
	if out := f.vsctl("net1", "get-controller", "br-int"); !strings.Contains(out, "tcp:127.0.0.1:9") || !strings.Contains(out, f.server.openFlow) {
		t.Errorf("controllers of net1's br-int are %q, want both", out)
	}
	if out := f.vsctl("net1", "get", "Bridge", "br-int", "protocols"); !strings.Contains(out, "OpenFlow10") || !strings.Contains(out, "OpenFlow13") {
		t.Errorf("protocols of net1's br-int are %s, want both", out)
	}
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	a, b := f.vm("a", "net1", red, fixed(red, "10.0.22.11")), f.vm("b", "cmp1", red, fixed(red, "10.0.22.12"))
	c := f.vm("c", "cmp2", red, fixed(red, "10.0.22.13"))
	f.active(a, b, c)
	f.allReach(5*time.Second, a, b, c)

	t.Run("ipv6_and_multicast_pass", func(t *testing.T) { f.in(t).testIPv6(a, b) })
	t.Run("interface_of_other_software_is_no_drift", func(t *testing.T) {
		f := f.in(t)
		f.vsctl("cmp2", "add-port", "br-int", "other0", "--", "set", "Interface", "other0", "type=internal", "external_ids:iface-id=not-a-port")
		eventually(t, 5*time.Second, "it is on the dead VLAN", func() error {
			return wantEqual("tag", f.vsctl("cmp2", "get", "Port", "other0", "tag"), "4095")
		})
		f.vsctl("cmp2", "del-port", "other0")
	})
	t.Run("iface_id_comes_after_the_port", func(t *testing.T) { f.in(t).testLateID(red, b) })
	t.Run("iface_id_changes_in_place", func(t *testing.T) { f.in(t).testChangedID(red, b) })
	t.Run("two_ports_of_one_host", func(t *testing.T) {
		f := f.in(t)
		d := f.vm("d", "net1", red)
		f.active(d)
		f.allReach(5*time.Second, a, d)
		ok(t, d.Delete(t.Context()))
	})
	t.Run("host_that_lacks_the_tunnel_type_says_so", func(t *testing.T) {
		f := f.in(t)
		gre := f.network("gre", "gre", "tenant-a", "10.0.55.0/24")
		x, y, z := f.vm("gre-x", "net1", gre), f.vm("gre-y", "cmp1", gre), f.vm("gre-z", "cmp2", gre)
		f.allReach(5*time.Second, x, y)
		f.awaitPort(5*time.Second, z.port.ID, "BUILD", "TunnelPortMissing")
		f.unreachable(z, x.IP())
		f.vsctl("cmp2", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-type=vxlan,gre")
		f.active(x, y, z)
		f.allReach(5*time.Second, x, y, z)
	})
	t.Run("address_of_a_port_changes", func(t *testing.T) { f.in(t).testNewAddress(red, a, b) })
	t.Run("network_goes_down_and_up", func(t *testing.T) {
		f := f.in(t)
		set := func(up bool) {
			ok(t, f.api.put("/v2.0/networks/"+red.ID, object{"network": object{"admin_state_up": up}}, nil))
		}
		set(false)
		f.awaitPort(5*time.Second, b.port.ID, "DOWN", "AdminDown")
		f.cutOff(a, b.IP())
		set(true)
		f.active(a, b, c)
		f.allReach(5*time.Second, a, b, c)
	})
	f.noDrift()
	t.Run("ovsdb_server_restarts", func(t *testing.T) { f.in(t).testDatabaseRestart(byFQDN, a, b) })
}

func (f *fabric) testIPv6(a, b *vm) {
	t := f.t
	out, err := b.Output(t.Context(), "ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link")
	ok(t, err)
	fields := strings.Fields(out)
	for i, word := range fields {
		if word == "inet6" {
			to := netip.MustParsePrefix(fields[i+1]).Addr().WithZone("eth0")
			// Guests first make sure that their address is theirs alone.
			eventually(t, 10*time.Second, to.String()+" is reached", func() error {
				n, err := a.Ping(t.Context(), to, 1)
				return errors.Join(err, wantEqual("number of answers", n, 1))
			})
			return
		}
	}
	t.Fatalf("%s has no link-local address: %q", b.Name, out)
}

// testLateID plugs an interface first and says later whose it is.
func (f *fabric) testLateID(n network, peer *vm) {
	t := f.t
	p := f.port("late-id", n)
	m, err := f.lab.PrepareVM(t.Context(), guest("net1", n, p))
	ok(t, err)
	v := &vm{m, p}
	f.vsctl("net1", "add-port", "br-int", v.Tap)
	seen := captureOn(t, peer.VM)
	sendFrame(t, v.VM, "ff:ff:ff:ff:ff:ff", "too-early")
	f.unreachable(v, peer.IP())
	f.vsctl("net1", "set", "Interface", v.Tap, "external_ids:iface-id="+p.ID)
	f.active(v)
	f.allReach(5*time.Second, v, peer)
	if n := seen.seen("too-early"); n > 0 {
		t.Errorf("%d frames came from an interface that was nobody's", n)
	}
	ok(t, v.Delete(t.Context()))
}

// testChangedID gives a plugged interface to a port of another network.
func (f *fabric) testChangedID(from network, peer *vm) {
	t := f.t
	to := f.network("elsewhere", "geneve", "tenant-b", "10.0.22.0/24")
	v := f.vm("changes", "net1", from)
	f.active(v)
	f.allReach(5*time.Second, v, peer)
	other := f.port("other-id", to, object{"mac_address": v.MAC}, fixed(to, v.IP().String()))
	f.vsctl("net1", "set", "Interface", v.Tap, "external_ids:iface-id="+other.ID)
	f.awaitPort(5*time.Second, v.port.ID, "DOWN", "NotPlugged")
	there := f.vm("there", "cmp1", to)
	moved := &vm{v.VM, other}
	f.active(moved, there)
	f.allReach(5*time.Second, moved, there)
	seen := captureOn(t, peer.VM)
	sendFrame(t, v.VM, "ff:ff:ff:ff:ff:ff", "of-the-other-network")
	f.unreachable(v, peer.IP())
	if n := seen.seen("of-the-other-network"); n > 0 {
		t.Errorf("%d frames came to the network that the interface left", n)
	}
	ok(t, v.Delete(t.Context()))
	ok(t, there.Delete(t.Context()))
}

// testNewAddress gives a port another address: other hosts answer ARP for it at once, and no longer for
// the old one.
func (f *fabric) testNewAddress(n network, a, b *vm) {
	t := f.t
	const ip = "10.0.22.200"
	old := b.port.IP()
	var changed struct{ Port port }
	ok(t, f.api.put("/v2.0/ports/"+b.port.ID, object{"port": fixed(n, ip)}, &changed))
	_, err := b.Output(t.Context(), "ip", "addr", "add", ip+"/24", "dev", "eth0")
	ok(t, err)
	f.active(b)
	f.reaches(5*time.Second, a, changed.Port.IP())
	for _, line := range f.dump("net1", "br-tun", "table=21") {
		if strings.Contains(line, "arp_tpa="+old.String()+" ") {
			t.Errorf("net1 still answers ARP for the old address: %s", line)
		}
	}
	ok(t, f.api.put("/v2.0/ports/"+b.port.ID, object{"port": fixed(n, old.String())}, nil))
	_, err = b.Output(t.Context(), "ip", "addr", "del", ip+"/24", "dev", "eth0")
	ok(t, err)
	f.active(b)
}

// testDatabaseRestart kills and restarts cmp1's ovsdb-server. No flow is touched, no ping is lost.
func (f *fabric) testDatabaseRestart(name string, a, b *vm) {
	t := f.t
	unchanged := f.untouched("net1", "cmp1")
	p := probeFrom(t, a.VM, b.IP(), 10*time.Millisecond)
	last, err := f.api.lastEvent()
	ok(t, err)
	const script = `set -e
read -r pid </run/openvswitch/ovsdb-server.pid
kill -KILL "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
rm -f /run/openvswitch/ovsdb-server.* /run/openvswitch/db.sock
exec ovsdb-server /etc/openvswitch/conf.db --detach --no-chdir --pidfile --unixctl=/run/openvswitch/ovsdb-server.ctl \
	--log-file -vconsole:off --remote=punix:/run/openvswitch/db.sock --remote=db:Open_vSwitch,Open_vSwitch,manager_options`
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = f.host("cmp1").Output(ctx, "sh", "-c", script)
	ok(t, err)
	f.api.awaitEvent(t, 10*time.Second, last, "host_up", name, "")
	f.awaitHost(name)
	unchanged(t, nil)
	if sent, lost := p.end(); len(lost) > 0 {
		t.Errorf("%d of %d pings were lost", len(lost), sent)
	}
	c := f.vm("after-restart", "cmp1", network{ID: a.port.Network, Prefix: netPrefix("10.0.22.0/24")})
	f.active(c)
	f.allReach(5*time.Second, a, b, c)
}
