package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// movedLimit is how long after a move a virtual machine may be out of reach.
const movedLimit = time.Second

func TestMovesAndDepartures(t *testing.T) {
	f := newJoinedFabric(t, 3)
	for _, c := range []struct{ kind, cidr string }{{"vxlan", "10.1.0.0/24"}, {"gre", "10.2.0.0/24"}, {"geneve", "10.3.0.0/24"}} {
		t.Run("moved_vm_is_reached_"+c.kind, func(t *testing.T) {
			f := f.in(t)
			n := f.network("move-"+c.kind, c.kind, "tenant-a", c.cidr)
			f.testMove(n)
		})
	}
	t.Run("network_that_leaves_a_host_takes_all_with_it", func(t *testing.T) { f.in(t).testDeparture() })
	t.Run("nested_address_moves_when_it_speaks", func(t *testing.T) { f.in(t).testNested() })
	f.noDrift()
}

// silentTwin makes a virtual machine on another host that will be plugged as the same port and says
// nothing by itself, as the target of a live migration.
func (f *fabric) silentTwin(v *vm, host string) *vm {
	f.t.Helper()
	cfg := v.VMConfig
	cfg.Name, cfg.Host, cfg.UUID = v.Name+"-on-"+host, host, ""
	m, err := f.lab.PrepareVM(f.t.Context(), cfg)
	ok(f.t, err)
	twin := &vm{m, v.port}
	twin.silence(f.t)
	return twin
}

// silence keeps a virtual machine from sending anything that nobody asked it for.
func (v *vm) silence(t testing.TB) {
	t.Helper()
	_, err := v.Output(t.Context(), "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
	ok(t, err)
}

// testMove moves a virtual machine from net1 to cmp1 and back, talking or silent, and reaches it from
// the host it left, from the one it came to, and from a third.
func (f *fabric) testMove(n network) {
	t := f.t
	mover := f.vm("mover-"+n.Name, "net1", n)
	stays := []*vm{f.vm("net1-"+n.Name, "net1", n), f.vm("cmp1-"+n.Name, "cmp1", n), f.vm("cmp2-"+n.Name, "cmp2", n)}
	f.active(append(stays, mover)...)
	for _, s := range stays {
		f.reaches(5*time.Second, s, mover.IP())
		f.reaches(5*time.Second, mover, s.IP()) // it has spoken: where it was is learned everywhere
	}
	away := f.silentTwin(mover, "cmp1")
	f.move(mover, away, stays)
	ok(t, mover.Delete(t.Context()))
	home := f.silentTwin(mover, "net1")
	f.move(away, home, stays)
	f.asWanted(repairLimit, "net1", "cmp1", "cmp2")
	for _, v := range append(stays, away, home) {
		ok(t, v.Delete(t.Context()))
	}
}

// move plugs the twin and unplugs the original, as a live migration does, and checks that everybody
// reaches the port in time.
func (f *fabric) move(from, to *vm, others []*vm) {
	f.t.Helper()
	ok(f.t, to.Plug(f.t.Context()))
	ok(f.t, from.Unplug(f.t.Context()))
	begin := time.Now()
	for _, o := range others {
		f.reaches(movedLimit, o, to.IP())
	}
	f.t.Logf("%s reached by all %v after it moved to %s", to.port.Name, time.Since(begin).Round(time.Millisecond), to.Host)
	s := f.awaitPort(5*time.Second, to.port.ID, "ACTIVE", "")
	if s.Host != to.Host {
		f.t.Errorf("port is on %s, want %s", s.Host, to.Host)
	}
}

// learned returns the flows of a bridge that the switch learned.
func (f *fabric) learned(host, bridge string) []string {
	f.t.Helper()
	return slices.DeleteFunc(f.dump(host, bridge, ""), func(line string) bool { return !isLearned(line) })
}

func (f *fabric) testDeparture() {
	t := f.t
	n := f.network("leaving", "vxlan", "tenant-a", "10.4.0.0/24")
	a, b, c := f.vm("leave-a", "net1", n), f.vm("leave-b", "cmp1", n), f.vm("leave-c", "cmp2", n)
	f.active(a, b, c)
	f.allReach(5*time.Second, a, b, c)
	// Addresses that Heddle does not know, behind each of them.
	nested := map[*vm]string{a: "fa:16:3e:aa:00:0a", b: "fa:16:3e:aa:00:0b", c: "fa:16:3e:aa:00:0c"}
	for v, mac := range nested {
		sendFrameFrom(t, v.VM, mac, "ff:ff:ff:ff:ff:ff", "hello")
	}
	knows := func(host, bridge, mac string) bool {
		return slices.ContainsFunc(f.learned(host, bridge), func(l string) bool { return strings.Contains(l, mac) })
	}
	eventually(t, 5*time.Second, "addresses are learned", func() error {
		for _, host := range []string{"net1", "cmp1", "cmp2"} {
			for v, mac := range nested {
				if !knows(host, "br-int", mac) || v.Host != host && !knows(host, "br-tun", mac) {
					return fmt.Errorf("%s does not know %s", host, mac)
				}
			}
		}
		return nil
	})
	vlan := f.vsctl("net1", "get", "Port", a.Tap, "tag")
	tunnel := f.vsctl("cmp1", "get", "Interface", tunnelName("vxlan", f.host("net1")), "ofport")
	ok(t, a.Unplug(t.Context()))

	eventually(t, 5*time.Second, "net1 knows nothing of the network any more", func() error {
		for _, bridge := range []string{"br-int", "br-tun"} {
			for _, line := range f.dump("net1", bridge, "") {
				for _, mac := range nested {
					if strings.Contains(line, mac) {
						return fmt.Errorf("%s has %s", bridge, line)
					}
				}
				if strings.Contains(line, "dl_vlan="+vlan+" ") || strings.Contains(line, "dl_vlan="+vlan+",") {
					return fmt.Errorf("%s has %s", bridge, line)
				}
			}
		}
		return nil
	})
	eventually(t, 2*time.Second, "/v1/macs forgets what was learned on net1", func() error {
		macs, err := f.api.macs("net1")
		for _, m := range macs {
			if m.Network == n.ID || m.MAC == nested[b] {
				err = fmt.Errorf("it shows %+v", m)
			}
		}
		return err
	})
	eventually(t, 5*time.Second, "nobody sends the network's frames to net1", func() error {
		cmp1Vlan := f.vsctl("cmp1", "get", "Port", b.Tap, "tag")
		for _, line := range append(f.dump("cmp1", "br-tun", "table=22"), f.dump("cmp1", "br-tun", "table=20")...) {
			match, actions, _ := strings.Cut(line, " actions=")
			ofVLAN := strings.Contains(match, "dl_vlan="+cmp1Vlan) || strings.Contains(match, fmt.Sprintf("vlan_tci=0x%04s", cmp1Vlan))
			if ofVLAN && slices.Contains(strings.Split(actions, ","), "output:"+tunnel) {
				return fmt.Errorf("cmp1 has %s", line)
			}
		}
		return nil
	})
	f.allReach(2*time.Second, b, c)
	if !knows("cmp1", "br-tun", nested[c]) {
		t.Error("cmp1 forgot an address behind a host that still holds the network")
	}

	// The next network on net1 gets what the old one left; nothing of the old one may come to it.
	next := f.network("next", "vxlan", "tenant-b", "10.4.0.0/24")
	d, e := f.vm("next-d", "net1", next, fixed(next, a.IP().String()), object{"mac_address": a.MAC}), f.vm("next-e", "cmp1", next)
	f.active(d, e)
	f.allReach(5*time.Second, d, e)
	seen, control := captureOn(t, d.VM), captureOn(t, c.VM)
	for _, to := range []string{nested[a], a.MAC, "ff:ff:ff:ff:ff:ff"} {
		sendFrame(t, b.VM, to, "leaving-network")
	}
	eventually(t, 5*time.Second, "the broadcast comes to the rest of the network", func() error {
		if control.seen("leaving-network") == 0 {
			return errors.New("no frame")
		}
		return nil
	})
	if n := seen.seen("leaving-network"); n > 0 {
		t.Errorf("%s, a virtual machine of another network, saw %d frames", d.Name, n)
	}
	f.unreachable(e, c.IP())
	for _, v := range []*vm{a, b, c, d, e} {
		ok(t, v.Delete(t.Context()))
	}
}

// testNested moves an address that only the switches know: behind a virtual machine of one host, then
// behind one of another.
func (f *fabric) testNested() {
	t := f.t
	n := f.network("nested", "geneve", "tenant-a", "10.5.0.0/24")
	a, b, c := f.vm("nest-a", "net1", n), f.vm("nest-b", "cmp1", n), f.vm("nest-c", "cmp2", n)
	f.active(a, b, c)
	const mac = "fa:16:3e:bb:00:01"
	seenA, seenB := captureOn(t, a.VM), captureOn(t, b.VM)
	for i, owner := range []*vm{a, b, a} {
		text := fmt.Sprintf("to-nested-%d", i)
		sendFrameFrom(t, owner.VM, mac, "ff:ff:ff:ff:ff:ff", "here-I-am")
		mine, other := seenA, seenB
		if owner == b {
			mine, other = seenB, seenA
		}
		eventually(t, 5*time.Second, "only "+owner.Name+" gets the frames", func() error {
			before := other.seen(text)
			had := mine.seen(text)
			sendFrame(t, c.VM, mac, text)
			wait(t.Context(), 30*time.Millisecond)
			if mine.seen(text) != had+1 || other.seen(text) != before {
				return fmt.Errorf("%d and %d frames", mine.seen(text)-had, other.seen(text)-before)
			}
			return nil
		})
		eventually(t, 5*time.Second, "/v1/macs follows", func() error {
			macs, err := f.api.macs("cmp2")
			for _, m := range macs {
				if m.Bridge == "br-tun" && m.MAC == mac && m.Interface == tunnelName("geneve", f.host(owner.Host)) {
					return nil
				}
			}
			return errors.Join(err, fmt.Errorf("cmp2 has the address elsewhere: %+v", macs))
		})
	}
	for _, v := range []*vm{a, b, c} {
		ok(t, v.Delete(t.Context()))
	}
}
