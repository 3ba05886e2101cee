package bridgenic

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

var update = flag.Bool("update", false, "write golden files")

// machine is what ip(8) prints of a host, and what else its state is made of.
type machine struct {
	addresses        string // ip -j address show dev eth0
	bridge           string // of br-ex
	routes4, routes6 string // ip -o -d -4 route show table all
	rules4, rules6   string
	settings         map[string]string
	netdev, plugged  bool
	hwaddr           string
	bridgeUp         bool
}

const noAddresses = `[{"ifname":"br-ex","flags":["BROADCAST"],"address":"02:00:00:00:00:0b","addr_info":[]}]`

func (m machine) state(t testing.TB) State {
	t.Helper()
	s := State{Taken: time.Unix(1_700_000_000, 0).UTC(), NIC: "eth0", Bridge: "br-ex", Netdev: m.netdev, Plugged: m.plugged, HWAddr: m.hwaddr, BridgeUp: m.bridgeUp, Settings: map[string]string{}}
	s.Guarded = m.netdev && m.plugged
	for _, path := range Settings("eth0", "br-ex") {
		s.Settings[path] = "0"
		if strings.HasSuffix(path, reversePath) || strings.HasSuffix(path, acceptRA) {
			s.Settings[path] = "1"
		}
	}
	for path, v := range m.settings {
		s.Settings[path] = v
	}
	if m.bridge == "" {
		m.bridge = noAddresses
	}
	for _, l := range []struct{ name, text string }{{"eth0", m.addresses}, {"br-ex", m.bridge}} {
		link, err := ParseLink(l.name, []byte(l.text))
		ok(t, err)
		s.Addresses = append(s.Addresses, link.Addresses...)
		if l.name == "eth0" {
			s.MAC = link.MAC
		}
	}
	for i, text := range []string{m.routes4, m.routes6} {
		routes, err := ParseRoutes(4+2*i, []byte(text), "eth0", "br-ex")
		ok(t, err)
		s.Routes = append(s.Routes, routes...)
	}
	s.Rules = append(ParseRules(4, []byte(m.rules4), "eth0", "br-ex"), ParseRules(6, []byte(m.rules6), "eth0", "br-ex")...)
	return s
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const eth0 = `[{"ifname":"eth0","flags":["BROADCAST","UP"],"address":"72:9d:eb:cf:5f:4e","addr_info":[`

var machines = map[string]machine{
	"one_address": {
		addresses: eth0 + `{"family":"inet","local":"10.0.0.5","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`,
		routes4: "unicast default via 10.0.0.1 dev eth0 table main proto static scope global \n" +
			"unicast 10.0.0.0/24 dev eth0 table main proto kernel scope link src 10.0.0.5 \n" +
			"local 10.0.0.5 dev eth0 table local proto kernel scope host src 10.0.0.5 \n",
	},
	"lease_with_metric": {
		addresses: eth0 + `{"family":"inet","local":"10.0.0.5","prefixlen":24,"metric":100,"broadcast":"10.0.0.255","scope":"global","dynamic":true,"label":"eth0","valid_life_time":499,"preferred_life_time":399}]}]`,
		routes4: "unicast default via 10.0.0.1 dev eth0 table main proto dhcp scope global src 10.0.0.5 metric 100 \n" +
			"unicast 10.0.0.0/24 dev eth0 table main proto kernel scope link src 10.0.0.5 metric 100 \n" +
			"unicast 10.0.0.1 dev eth0 table main proto dhcp scope link src 10.0.0.5 metric 100 \n",
	},
	"route_of_a_network_manager": {
		addresses: eth0 + `{"family":"inet","local":"10.0.0.5","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","noprefixroute":true,"label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`,
		routes4: "unicast default via 10.0.0.1 dev eth0 table main proto static scope global metric 100 \n" +
			"unicast 10.0.0.0/24 dev eth0 table main proto kernel scope link src 10.0.0.5 metric 100 \n",
	},
	"labels_peers_and_secondaries": {
		addresses: eth0 + `{"family":"inet","local":"10.0.0.5","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295},
			{"family":"inet","local":"10.0.1.1","address":"10.0.1.2","prefixlen":32,"scope":"global","label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295},
			{"family":"inet","local":"10.0.0.6","prefixlen":24,"scope":"global","secondary":true,"label":"eth0:1","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`,
		routes4: "unicast default via 10.0.0.1 dev eth0 table main proto boot scope global \n" +
			"unicast 10.0.0.0/24 dev eth0 table main proto kernel scope link src 10.0.0.5 \n" +
			"unicast 10.0.1.2 dev eth0 table main proto kernel scope link src 10.0.1.1 \n",
	},
	"policy_routing": {
		addresses: eth0 + `{"family":"inet","local":"10.0.0.5","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`,
		routes4: "unicast 10.50.0.0/16 via 10.0.0.2 dev eth0 table 100 proto boot scope global mtu lock 1400 \n" +
			"unicast default via 10.0.0.1 dev eth0 table main proto dhcp scope global metric 100 linkdown \n" +
			"unicast 10.0.0.0/24 dev eth0 table main proto kernel scope link src 10.0.0.5 \n" +
			"unicast 10.51.0.0/16 table main proto boot scope global \\\tnexthop via 10.0.0.2 dev eth0 weight 1 \\\tnexthop via 10.0.0.3 dev eth0 weight 1 \n",
		rules4: "0:\tfrom all lookup local\n50:\tfrom all iif eth0 lookup 100\n32766:\tfrom all lookup main\n",
		rules6: "0:\tfrom all lookup local\n32765:\tnot from 2001:db8::/32 fwmark 0x1/0xff oif eth0 [detached] lookup 100\n",
	},
	"ipv6": {
		addresses: eth0 + `{"family":"inet","local":"10.0.0.5","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295},
			{"family":"inet6","local":"2001:db8::5","prefixlen":64,"scope":"global","dynamic":true,"mngtmpaddr":true,"valid_life_time":299,"preferred_life_time":199},
			{"family":"inet6","local":"fe80::709d:ebff:fecf:5f4e","prefixlen":64,"scope":"link","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`,
		routes4: "unicast default via 10.0.0.1 dev eth0 table main proto static scope global \n" +
			"unicast 10.0.0.0/24 dev eth0 table main proto kernel scope link src 10.0.0.5 \n",
		routes6: "unicast 2001:db8::/64 dev eth0 table main proto kernel scope global metric 256 expires 298sec pref medium\n" +
			"unicast fe80::/64 dev eth0 table main proto kernel scope global metric 256 pref medium\n" +
			"unicast default via fe80::1 dev eth0 table main proto ra scope global metric 1024 expires 98sec pref medium\n" +
			"unicast default via fe80::2 dev eth0 table main proto ra scope global metric 1024 expires 98sec pref medium\n" +
			"local 2001:db8::5 dev eth0 table local proto kernel scope global metric 0 pref medium\n" +
			"multicast ff00::/8 dev eth0 table local proto kernel scope global metric 256 pref medium\n",
	},
	"userspace_datapath": {
		netdev:    true,
		addresses: eth0 + `{"family":"inet","local":"10.0.0.5","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`,
		routes4: "unicast default via 10.0.0.1 dev eth0 table main proto static scope global \n" +
			"unicast 10.0.0.0/24 dev eth0 table main proto kernel scope link src 10.0.0.5 \n",
	},
	"bridge_with_an_address_of_its_own": {
		bridgeUp: true, hwaddr: "02:00:00:00:00:0b",
		addresses: eth0 + `{"family":"inet","local":"10.0.0.5","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`,
		bridge:    `[{"ifname":"br-ex","flags":["BROADCAST","UP"],"address":"02:00:00:00:00:0b","addr_info":[{"family":"inet","local":"192.0.2.1","prefixlen":24,"scope":"global","label":"br-ex","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]`,
		routes4: "unicast default via 10.0.0.1 dev eth0 table main proto static scope global \n" +
			"unicast 10.0.0.0/24 dev eth0 table main proto kernel scope link src 10.0.0.5 \n" +
			"unicast 192.0.2.0/24 dev br-ex table main proto kernel scope link src 192.0.2.1 \n",
	},
}

// each runs a test for every machine.
func each(t *testing.T, test func(t *testing.T, s State)) {
	for name, m := range machines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, m.state(t))
		})
	}
}

func TestPlan(t *testing.T) {
	each(t, func(t *testing.T, s State) {
		f := newFake(t, s)
		ok(t, f.reached())
		there := Plan(s, Moved(s))
		for _, step := range there {
			ok(t, f.Do(t.Context(), step))
		}
		back := Plan(f.s, Back(f.s, s))
		got := Text(there) + "\n# back\n" + Text(back)
		golden := filepath.Join("testdata", filepath.Base(t.Name())+".steps")
		if *update {
			ok(t, os.WriteFile(golden, []byte(got), 0o644))
		}
		want, err := os.ReadFile(golden)
		ok(t, err)
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}

// mover returns a mover of a machine that is confirmed at once.
func mover(t testing.TB, f *fake) *Mover {
	log := logrus.New()
	log.SetOutput(t.Output())
	return &Mover{Host: f, Dir: t.TempDir(), Log: logrus.NewEntry(log), Timeout: time.Second, Confirm: func(context.Context, State) error { return f.reached() }}
}

// as fails the test unless a machine is as wanted, but for what may be left: IPv6's link-local addresses,
// and times.
func as(t testing.TB, what string, f *fake, want State) {
	t.Helper()
	if left := Plan(f.s, want); len(left) > 0 {
		t.Errorf("%s, to be done would be:\n%s", what, Text(left))
	}
	if f.s.Plugged != want.Plugged || f.s.HWAddr != want.HWAddr {
		t.Errorf("%s: plugged %v, MAC address %q; want %v, %q", what, f.s.Plugged, f.s.HWAddr, want.Plugged, want.HWAddr)
	}
	ok(t, f.reached())
}

func TestMovedTwiceAndBack(t *testing.T) {
	each(t, func(t *testing.T, s State) {
		f := newFake(t, s)
		m := mover(t, f)
		_, err := m.Move(t.Context(), "eth0", "br-ex")
		ok(t, err)
		as(t, "moved", f, Moved(s))
		taken, err := m.Move(t.Context(), "eth0", "br-ex")
		ok(t, err)
		if len(taken) > 0 {
			t.Errorf("moved again, it took\n%s", Text(taken))
		}
		_, err = m.Undo(t.Context(), "eth0", "br-ex")
		ok(t, err)
		as(t, "undone", f, s)
		taken, err = m.Undo(t.Context(), "eth0", "br-ex")
		ok(t, err)
		if len(taken) > 0 {
			t.Errorf("undone again, it took\n%s", Text(taken))
		}
		noJournal(t, m)
	})
}

func noJournal(t testing.TB, m *Mover) {
	t.Helper()
	files, err := m.journals()
	ok(t, err)
	if len(files) > 0 {
		t.Errorf("%v is left", files)
	}
}

// TestAFailureAtAnyStepRollsBack lets each step of a move, and of the way back, fail once, and in another
// run be the last one of the process.
func TestAFailureAtAnyStepRollsBack(t *testing.T) {
	each(t, func(t *testing.T, s State) {
		for _, undo := range []bool{false, true} {
			for _, kill := range []bool{false, true} {
				for n := 1; ; n++ {
					f := newFake(t, s)
					m := mover(t, f)
					act := m.Move
					if undo {
						_, err := m.Move(t.Context(), "eth0", "br-ex")
						ok(t, err)
						act = m.Undo
					}
					before := f.s.clone()
					f.done, f.fail, f.kill = 0, n, kill
					err := crash(func() error { _, err := act(t.Context(), "eth0", "br-ex"); return err })
					if err == nil {
						if n < 5 {
							t.Fatalf("only %d steps", n)
						}
						break
					}
					if kill {
						if _, err := m.Steps(t.Context(), "eth0", "br-ex", false); err == nil {
							t.Error("a plan is made from the middle of a move")
						}
						f.fail = 0
						nics, err := m.Recover(t.Context())
						ok(t, err)
						if len(nics) != 1 {
							t.Errorf("rolled back: %v", nics)
						}
					} else if !errors.Is(err, errInjected) {
						t.Errorf("step %d: %v", n, err)
					}
					as(t, fmt.Sprintf("step %d failed, undo %v, kill %v", n, undo, kill), f, before)
					if !undo {
						noJournal(t, m)
					}
					// All of it works afterwards.
					f.fail = 0
					_, err = act(t.Context(), "eth0", "br-ex")
					ok(t, err)
				}
			}
		}
	})
}

// crash runs fn in what stands for a process: if it is killed the error is killed.
func crash(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			err = errors.New("killed")
		}
	}()
	return fn()
}

// TestARollBackThatFailsIsTriedAgain: the step that has to be undone cannot be, for a while.
func TestARollBackThatFailsIsTriedAgain(t *testing.T) {
	s := machines["one_address"].state(t)
	f := newFake(t, s)
	f.free = true
	m := mover(t, f)
	unplug := Unplug{"br-ex", "eth0"}.String()
	f.down = map[string]bool{unplug: true, "ip address delete 10.0.0.5/24 dev eth0": true}
	_, err := m.Move(t.Context(), "eth0", "br-ex")
	if !errors.Is(err, errInjected) || !strings.Contains(err.Error(), "--recover") || !strings.Contains(err.Error(), unplug) {
		t.Fatalf("error %v does not say what is left to do", err)
	}
	f.down, f.free = nil, false
	_, err = m.Recover(t.Context())
	ok(t, err)
	as(t, "recovered", f, s)
	noJournal(t, m)
}

func TestWithoutConfirmationItIsRolledBack(t *testing.T) {
	s := machines["ipv6"].state(t)
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, s)
		m := mover(t, f)
		m.Timeout = 10 * time.Second
		m.Confirm = func(context.Context, State) error {
			if f.s.Plugged {
				return errors.New("no answer from 10.0.0.1")
			}
			return nil
		}
		begin := time.Now()
		_, err := m.Move(t.Context(), "eth0", "br-ex")
		if !errors.Is(err, ErrUnconfirmed) || !strings.Contains(err.Error(), "10.0.0.1") {
			t.Errorf("error is %v", err)
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		as(t, "rolled back", f, s)
		noJournal(t, m)
	})
}

func TestNothingIsDoneIfNobodyIsReachedBefore(t *testing.T) {
	s := machines["one_address"].state(t)
	f := newFake(t, s)
	m := mover(t, f)
	m.Confirm = func(context.Context, State) error { return errors.New("no answer") }
	if _, err := m.Move(t.Context(), "eth0", "br-ex"); !errors.Is(err, ErrNotConfirmable) || f.done > 0 {
		t.Errorf("error %v after %d steps", err, f.done)
	}
}

func TestCancelledItIsRolledBack(t *testing.T) {
	s := machines["one_address"].state(t)
	f := newFake(t, s)
	m := mover(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	m.Confirm = func(context.Context, State) error {
		if f.s.Plugged {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	if _, err := m.Move(ctx, "eth0", "br-ex"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	as(t, "rolled back", f, s)
}

// TestAfterABootAddressesOfBeforeDoNotCount: the machine was started anew in the middle of a move, and got
// another address.
func TestAfterABootAddressesOfBeforeDoNotCount(t *testing.T) {
	s := machines["one_address"].state(t)
	f := newFake(t, s)
	m := mover(t, f)
	f.fail, f.kill = 8, true
	if crash(func() error { _, err := m.Move(t.Context(), "eth0", "br-ex"); return err }) == nil || !f.s.Plugged {
		t.Fatalf("the process is to end with the NIC plugged: %v", f.afterwards)
	}
	other := machines["one_address"]
	other.addresses = strings.ReplaceAll(other.addresses, "10.0.0.5", "10.0.0.77")
	other.routes4 = strings.ReplaceAll(other.routes4, "10.0.0.5", "10.0.0.77")
	now := other.state(t)
	now.Plugged, now.HWAddr, now.BridgeUp = true, s.MAC, false // what Open vSwitch remembers
	f.s, f.boot, f.fail, f.free = now, "2", 0, true
	_, err := m.Recover(t.Context())
	ok(t, err)
	as(t, "recovered", f, other.state(t))
	noJournal(t, m)
}

// TestALeaseOnAPluggedNICIsMovedToo: a DHCP client that goes on running has given the NIC its address
// again.
func TestALeaseOnAPluggedNICIsMovedToo(t *testing.T) {
	s := machines["lease_with_metric"].state(t)
	f := newFake(t, s)
	m := mover(t, f)
	_, err := m.Move(t.Context(), "eth0", "br-ex")
	ok(t, err)
	again := s.Addresses[0]
	ok(t, f.do(AddAddress{again}))
	_, err = m.Move(t.Context(), "eth0", "br-ex")
	ok(t, err)
	as(t, "moved", f, Moved(s))
	_, err = m.Undo(t.Context(), "eth0", "br-ex")
	ok(t, err)
	as(t, "undone", f, s)
}

func TestLifetimesRun(t *testing.T) {
	s := machines["ipv6"].state(t)
	for age, want := range map[time.Duration]string{
		0:                 "ip address replace 2001:db8::5/64 dev br-ex scope global mngtmpaddr nodad valid_lft 299 preferred_lft 199\n",
		250 * time.Second: "ip address replace 2001:db8::5/64 dev br-ex scope global mngtmpaddr nodad valid_lft 49 preferred_lft 0\n",
		300 * time.Second: "",
	} {
		have := s.clone()
		have.Taken = have.Taken.Add(age)
		text := Text(Plan(have, Moved(s)))
		if want != "" && !strings.Contains(text, want) || want == "" && strings.Contains(text, "2001:db8::5/64 dev br-ex") {
			t.Errorf("after %v, want %q in\n%s", age, want, text)
		}
	}
}

func TestRoutesThatCannotBeMovedAreAnError(t *testing.T) {
	if _, err := ParseRoutes(4, []byte("unicast 10.9.0.0/16 nhid 5 via 10.0.0.1 dev eth0 table main proto static scope global \n"), "eth0"); err == nil {
		t.Error("a route that uses a next-hop object is taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range machines {
		f.Add([]byte(m.addresses))
		f.Add([]byte(m.routes4))
		f.Add([]byte(m.routes6))
		f.Add([]byte(m.rules6))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseLink("eth0", b); err == nil && l.MAC == "" {
			t.Error("a link without MAC address")
		}
		routes, err := ParseRoutes(6, b, "eth0")
		for _, r := range routes {
			if err == nil && !r.through("eth0", "br-ex").on("br-ex") {
				t.Errorf("route %q does not move", r.Text)
			}
		}
		for _, r := range ParseRules(4, b, "eth0") {
			if !r.through("eth0", "br-ex").on("br-ex") {
				t.Errorf("rule %q does not move", r.Text)
			}
		}
	})
}
