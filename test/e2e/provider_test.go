package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// onPhysnet is the attributes of a network on the lab's physical network.
var onPhysnet = object{"provider:physical_network": "physnet1"}

func TestProviderNetworks(t *testing.T) {
	hosts := lab.Hosts(3)
	hosts[2].ExternalIDs = map[string]string{"heddle-bridge-mappings": ""} // cmp2 has no physical network
	f := newFabric(t, lab.Config{Hosts: hosts, External: true}, "--physnets", "physnet1:100:200")
	f.join(f.lab.Hosts()...)
	flat := f.network("flat", "flat", "admin", "198.51.100.0/24", onPhysnet)
	vlan := f.network("vlan", "vlan", "tenant-a", "10.0.66.0/24", onPhysnet, object{"provider:segmentation_id": 101})
	other := f.network("other", "vlan", "tenant-b", "10.0.66.0/24", onPhysnet) // its id is chosen
	if other.Segment < 100 || other.Segment > 200 || other.Segment == 101 {
		t.Errorf("chosen VLAN is %d, want one of 100 to 200 that is free", other.Segment)
	}
	x, y := f.vm("flat-x", "net1", flat, fixed(flat, "198.51.100.51")), f.vm("flat-y", "cmp1", flat, fixed(flat, "198.51.100.52"))
	var vlans, others []*vm
	for i, host := range []string{"net1", "cmp1"} {
		ip := fmt.Sprintf("10.0.66.%d", 11+i)
		vlans = append(vlans, f.vm("vlan-"+host, host, vlan, fixed(vlan, ip)))
		others = append(others, f.vm("other-"+host, host, other, fixed(other, ip)))
	}
	f.active(append(append(vlans, others...), x, y)...)

	t.Run("flat_network_reaches_the_internet", func(t *testing.T) {
		f := f.in(t)
		f.allReach(5*time.Second, x, y)
		for _, v := range []*vm{x, y} {
			f.reaches(5*time.Second, v, netip.MustParseAddr("198.51.100.1"))
			ok(t, f.lab.Internet(within(t, 10*time.Second), "ping", "-c1", "-W5", v.IP().String()).Run())
		}
	})
	t.Run("vlan_networks_stay_apart", func(t *testing.T) {
		f := f.in(t)
		seen := captureOn(t, others[1].VM)
		onFlat := captureOn(t, y.VM)
		f.allReach(5*time.Second, vlans...)
		sendFrame(t, vlans[0].VM, "ff:ff:ff:ff:ff:ff", "vlan-101")
		f.unreachable(vlans[0], vlan.Prefix.Addr().Next())
		if a, b := len(seen.end()), len(onFlat.end()); a+b > 0 {
			t.Errorf("virtual machines of another VLAN and of the untagged network saw %d and %d frames", a, b)
		}
		f.allReach(5*time.Second, others...)
	})
	t.Run("explanations_hold", func(t *testing.T) {
		f := f.in(t)
		for _, c := range []struct {
			from *vm // nil for the internet
			to   netip.Addr
		}{{x, y.IP()}, {y, x.IP()}, {x, netip.MustParseAddr("198.51.100.1")}, {nil, x.IP()}, {nil, y.IP()}, {vlans[0], vlans[1].IP()}, {others[1], others[0].IP()},
			{vlans[0], netip.MustParseAddr("10.0.66.99")}} {
			from := "external"
			if c.from != nil {
				from = "port/" + c.from.port.ID
			}
			e := f.explain(from, c.to.String(), "state", "actual")
			// Nobody knows who is on a physical network: an address that no port has may be there.
			if real := f.pings(c.from, c.to); e.works() != real && !strings.Contains(e.Message, "who is there is not known") {
				t.Errorf("a ping from %s to %s is answered: %v, and explained: %s", from, c.to, real, e.tell())
			}
		}
	})
	t.Run("frames_carry_the_networks_tag_on_the_wire", func(t *testing.T) { f.in(t).testWireTags(x, vlans[0], others[0], other.Segment) })
	t.Run("host_without_the_physical_network_says_so", func(t *testing.T) { f.in(t).testNoPhysnet(vlan, vlans[0]) })
	f.noDrift()
	t.Run("flows_are_repaired_and_others_left", func(t *testing.T) { f.in(t).testExternalFlows(vlans[0], vlans[1]) })
	f.asWanted(repairLimit, "net1", "cmp1", "cmp2")
}

func (f *fabric) testWireTags(untagged, tagged, other *vm, segment int) {
	for _, c := range []struct {
		from *vm
		want string
	}{{untagged, ""}, {tagged, "push_vlan(vid=101,"}, {other, fmt.Sprintf("push_vlan(vid=%d,", segment)}} {
		in := f.vsctl("net1", "get", "Interface", c.from.Tap, "ofport")
		_, text := traceTables(f.t, f.host("net1"), "br-int", fmt.Sprintf("in_port=%s,dl_type=0x88b5,dl_src=%s,dl_dst=ff:ff:ff:ff:ff:ff", in, c.from.MAC))
		_, actions, _ := strings.Cut(text, "Datapath actions: ")
		actions, _, _ = strings.Cut(actions, "\n")
		if c.want == "" && strings.Contains(actions, "push_vlan") || !strings.Contains(actions, c.want) {
			f.t.Errorf("a broadcast of %s leaves by %s, want %q", c.from.Name, actions, c.want)
		}
	}
}

func (f *fabric) testNoPhysnet(n network, peer *vm) {
	t := f.t
	v := f.vm("stranded", "cmp2", n)
	f.awaitPort(5*time.Second, v.port.ID, "BUILD", "PhysnetMissing")
	f.unreachable(v, peer.IP())
	ok(t, f.api.patch("/v1/hosts/cmp2", object{"bridge_mappings": object{"physnet1": "br-ex"}}, nil))
	f.active(v)
	f.allReach(5*time.Second, v, peer)
	// The mapping goes again, and with it the way out.
	ok(t, f.api.patch("/v1/hosts/cmp2", object{"bridge_mappings": nil}, nil))
	f.awaitPort(5*time.Second, v.port.ID, "BUILD", "PhysnetMissing")
	eventually(t, 5*time.Second, "the cable to br-ex is gone", func() error {
		if show := f.vsctl("cmp2", "show"); strings.Contains(show, "int-br-ex") || strings.Contains(show, "phy-br-ex") {
			return fmt.Errorf("ovs-vsctl show says:\n%s", show)
		}
		return nil
	})
	f.cutOff(v, peer.IP())
	ok(t, v.Delete(t.Context()))
}

// testExternalFlows: br-ex is somebody's bridge on which Heddle has a few flows.
func (f *fabric) testExternalFlows(a, b *vm) {
	t := f.t
	f.ofctl("net1", "add-flow", "br-ex", "cookie="+foreignCookie+",priority=7,in_port=99,actions=drop")
	before := f.dump("net1", "br-ex", "cookie=0x5d00000000000000/0xff00000000000000")
	f.ofctl("net1", "del-flows", "br-ex", "cookie=0x5d02000000000000/0xffff000000000000")
	eventually(t, repairLimit, "flows of br-ex are back", func() error {
		now := f.dump("net1", "br-ex", "cookie=0x5d00000000000000/0xff00000000000000")
		return wantEqual("number of flows", len(now), len(before))
	})
	f.allReach(2*time.Second, a, b)
	if left := f.dump("net1", "br-ex", "cookie="+foreignCookie+"/-1"); len(left) != 1 {
		t.Errorf("foreign flows of br-ex: %v, want one", left)
	}
	ok(t, f.host("net1").KillVswitchd(context.WithoutCancel(t.Context())))
	ok(t, f.host("net1").StartVswitchd(t.Context()))
	f.allReach(5*time.Second, a, b)
}
