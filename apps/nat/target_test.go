package nat_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/nstest"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestRouterHidesItsInside(t *testing.T) {
	l := newLab(t)
	l.apply()
	l.serve("out", ":7000")
	l.serve("vm3", ":7000")
	l.expect("vm1", "198.51.100.1:7000", "out sees 198.51.100.2")
	l.expect("vm4", "198.51.100.1:7000", "out sees 198.51.100.3")
	l.expect("vm1", "10.0.1.13:7000", "vm3 sees 10.0.0.11") // inside nothing is translated
}

func TestRouterWithoutSNATForwardsAddressesAsTheyAre(t *testing.T) {
	l := newLab(t)
	s := l.want[r1]
	s.snat(false)
	l.want[r1] = s
	l.floatingIP(r1, "198.51.100.9", "10.0.0.12")
	l.apply()
	nstest.IP(t, "-n out route add 10.0.1.0/24 via 198.51.100.2")
	l.serve("out", ":7000")
	l.serve("vm2", ":7000")
	l.expect("vm3", "198.51.100.1:7000", "out sees 10.0.1.13")
	l.expect("vm2", "198.51.100.1:7000", "out sees 198.51.100.9")
	l.expect("vm1", "198.51.100.9:7000", "vm2 sees 198.51.100.2") // or its answer would not come back
}

func TestFloatingIPWorksBothWays(t *testing.T) {
	l := newLab(t)
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.floatingIP(r1, "198.51.100.12", "10.0.0.12")
	l.floatingIP(r2, "198.51.100.14", "10.0.0.11")
	l.apply()
	for _, ns := range []string{"out", "vm1", "vm2", "vm4"} {
		l.serve(ns, ":7000")
	}
	l.expect("out", "198.51.100.11:7000", "vm1 sees 198.51.100.1")
	l.expect("vm1", "198.51.100.1:7000", "out sees 198.51.100.11")
	t.Run("of two routers to each other", func(*testing.T) {
		l.expect("vm1", "198.51.100.14:7000", "vm4 sees 198.51.100.11")
		l.expect("vm4", "198.51.100.11:7000", "vm1 sees 198.51.100.14")
		l.expect("vm3", "198.51.100.14:7000", "vm4 sees 198.51.100.2")
	})
	t.Run("of one router to each other", func(*testing.T) {
		l.expect("vm1", "198.51.100.12:7000", "vm2 sees 198.51.100.11")
		l.expect("vm3", "198.51.100.12:7000", "vm2 sees 198.51.100.2")
	})
	t.Run("to oneself", func(*testing.T) { l.expect("vm1", "198.51.100.11:7000", "vm1 sees 198.51.100.11") })
	t.Run("from the router itself", func(*testing.T) { l.expect(r1, "198.51.100.12:7000", "vm2 sees 198.51.100.2") })
}

// A client that sent its first packets when the router had the address, and did not translate it yet, must
// not be kept as a client of the router.
func TestClientsThatAreEarlyReachTheFloatingIP(t *testing.T) {
	l := newLab(t)
	l.apply()
	nstest.IP(t, "-n %s addr add 198.51.100.12/32 dev qg-1", r1)
	l.serveUDP("vm2", ":7000")
	for _, ns := range []string{"out", "vm1"} {
		early := l.dialUDP(ns, "198.51.100.12:7000")
		if got, err := early.ask(200 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("from %s an address that is nobody's yet answers %q, %v", ns, got, err)
		}
		defer l.alive(early, "vm2 sees "+map[string]string{"out": "198.51.100.1", "vm1": "198.51.100.2"}[ns])
	}
	l.floatingIP(r1, "198.51.100.12", "10.0.0.12")
	l.apply()
}

func TestPortForwardingsLeadToTheirPorts(t *testing.T) {
	l := newLab(t)
	s := l.want[r1]
	f := s.floatingIP("198.51.100.20", "")
	s.forward(f, "tcp", model.PortRange{First: 80, Last: 80}, "10.0.0.11", model.PortRange{First: 7001, Last: 7001})
	s.forward(f, "tcp", model.PortRange{First: 8000, Last: 8002}, "10.0.0.12", model.PortRange{First: 7001, Last: 7003})
	s.forward(f, "icmp", model.PortRange{}, "10.0.0.12", model.PortRange{})
	l.want[r1] = s
	nstest.IP(t, "-n %s addr add 198.51.100.20/32 dev qg-1", r1)
	l.apply()
	l.serve("vm1", ":7001")
	l.serve("vm2", ":7002")
	l.expect("out", "198.51.100.20:80", "vm1 sees 198.51.100.1")
	l.expect("out", "198.51.100.20:8001", "vm2 sees 198.51.100.1")
	l.refused("out", "198.51.100.20:8002")
	l.refused("out", "198.51.100.20:7001")
	l.expect("vm1", "198.51.100.20:80", "vm1 sees 198.51.100.2") // hairpin
	l.expect("vm4", "198.51.100.20:80", "vm1 sees 198.51.100.3") // across two routers
	l.run("out", "ping", "-c1", "-W2", "198.51.100.20")
	nstest.IP(t, "-n vm2 link set eth0 down") // so it was vm2 that answered
	if out, err := nstest.In("out", "ping", "-c1", "-W1", "198.51.100.20").CombinedOutput(); err == nil {
		t.Errorf("somebody else answers pings: %s", out)
	}
}

func TestMetadataProxyIsReachedOnlyByItsAddress(t *testing.T) {
	l := newLab(t)
	l.apply()
	l.serve(r1, ":9697")
	l.expect("vm1", "169.254.169.254:80", r1+" sees 10.0.0.11")
	l.refused("vm1", "10.0.0.1:9697")
	l.refused("out", "198.51.100.2:9697")
	nstest.IP(t, "-n out route add 169.254.169.254/32 via 198.51.100.2")
	l.refused("out", "169.254.169.254:80")
}

func TestMetadataProxyIsReachedByIPv6(t *testing.T) {
	l := newLab(t)
	l.apply()
	nstest.IP(t, "-n %s addr add fe80::a9fe:a9fe/64 dev qr-1 nodad", r1)
	l.serve(r1, ":9697")
	own := strings.Fields(l.run("vm1", "ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link"))[3]
	deadline := time.Now().Add(10 * time.Second)
	for strings.Contains(l.run("vm1", "ip", "-6", "addr", "show", "dev", "eth0"), "tentative") && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	l.expect("vm1", "[fe80::a9fe:a9fe%eth0]:80", r1+" sees "+strings.TrimSuffix(own, "/64"))
}

func TestSessionsOutliveWhatHappensToOthers(t *testing.T) {
	l := newLab(t)
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.floatingIP(r1, "198.51.100.12", "10.0.0.12")
	l.apply()
	for _, ns := range []string{"out", "vm1", "vm2"} {
		l.serve(ns, ":7000")
	}
	in := l.expect("out", "198.51.100.11:7000", "vm1 sees 198.51.100.1")
	out := l.expect("vm1", "198.51.100.1:7000", "out sees 198.51.100.11")
	hidden := l.expect("vm3", "198.51.100.1:7000", "out sees 198.51.100.2")
	in2 := l.expect("out", "198.51.100.12:7000", "vm2 sees 198.51.100.1")
	out2 := l.expect("vm2", "198.51.100.1:7000", "out sees 198.51.100.12")
	others := func() {
		t.Helper()
		l.alive(in, "vm1 sees 198.51.100.1")
		l.alive(out, "out sees 198.51.100.11")
		l.alive(hidden, "out sees 198.51.100.2")
	}
	l.floatingIP(r1, "198.51.100.13", "10.0.1.13")
	l.apply()
	others()                                                        // vm3's session too, which began before it had a floating IP
	l.run(r1, "nft", "delete", "chain", "inet", "heddle", "listed") // so that the table is made anew
	l.apply()
	others()
	l.takeAway(r1, "198.51.100.12")
	l.apply()
	others()
	l.dead(in2)
	l.dead(out2)
	l.refused("out", "198.51.100.12:7000")
	l.expect("vm2", "198.51.100.1:7000", "out sees 198.51.100.2")
	if got := l.run(r1, "nft", "list", "set", "inet", "heddle", "leaving"); strings.Contains(got, "elements") {
		t.Errorf("something is still leaving: %s", got)
	}
}

func TestNoPacketSeesARouterWithoutTable(t *testing.T) {
	l := newLab(t)
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.apply()
	l.serve("out", ":7000")
	l.serve("vm1", ":7000")
	in := l.expect("out", "198.51.100.11:7000", "vm1 sees 198.51.100.1")
	out := l.expect("vm1", "198.51.100.1:7000", "out sees 198.51.100.11")
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { done <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, s := range []*session{in, out} {
				if _, err := s.ask(2 * time.Second); err != nil {
					t.Errorf("after %d answers: %v", n, err)
					return
				}
				n++
			}
		}
	}()
	for range 20 {
		l.run(r1, "nft", "delete", "chain", "inet", "heddle", "listed") // so that the table is made anew
		if c, err := l.pass(); err != nil || c.Len() != 1 {
			t.Errorf("%d tables changed: %v", c.Len(), err)
		}
	}
	close(stop)
	t.Logf("%d answers while the table was made anew 20 times", <-done)
}

func TestFloatingIPThatMovesEndsItsOldSessions(t *testing.T) {
	l := newLab(t)
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.apply()
	l.serve("vm1", ":7000")
	l.serve("vm2", ":7000")
	old := l.expect("out", "198.51.100.11:7000", "vm1 sees 198.51.100.1")
	l.floatingIP(r1, "198.51.100.11", "10.0.0.12")
	l.apply()
	l.dead(old)
	l.expect("out", "198.51.100.11:7000", "vm2 sees 198.51.100.1")
}

func TestSNATTurnedOffEndsWhatWasHidden(t *testing.T) {
	l := newLab(t)
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.apply()
	l.serve("out", ":7000")
	hidden := l.expect("vm3", "198.51.100.1:7000", "out sees 198.51.100.2")
	floating := l.expect("vm1", "198.51.100.1:7000", "out sees 198.51.100.11")
	s := l.want[r1]
	s.snat(false)
	l.want[r1] = s
	l.apply()
	l.dead(hidden)
	l.alive(floating, "out sees 198.51.100.11")
}

func TestPortForwardingThatGoesEndsOnlyItsSessions(t *testing.T) {
	l := newLab(t)
	s := l.want[r1]
	f := s.floatingIP("198.51.100.20", "")
	one := model.PortRange{First: 80, Last: 80}
	s.forward(f, "tcp", one, "10.0.0.11", model.PortRange{First: 7000, Last: 7000})
	s.forward(f, "tcp", model.PortRange{First: 81, Last: 81}, "10.0.0.11", model.PortRange{First: 7000, Last: 7000})
	l.want[r1] = s
	nstest.IP(t, "-n %s addr add 198.51.100.20/32 dev qg-1", r1)
	l.apply()
	l.serve("vm1", ":7000")
	goes := l.expect("out", "198.51.100.20:80", "vm1 sees 198.51.100.1")
	stays := l.expect("out", "198.51.100.20:81", "vm1 sees 198.51.100.1")
	s.Model = s.Without(&model.PortForwarding{Meta: model.Meta{ID: model.ID(fmt.Sprint(f, "tcp", 80))}})
	l.want[r1] = s
	l.apply()
	l.dead(goes)
	l.alive(stays, "vm1 sees 198.51.100.1")
}

// A crash may come after the table was changed and before the sessions were ended. All that is left then
// is in the table.
func TestSessionsOfWhatLeftBeforeACrashAreEnded(t *testing.T) {
	l := newLab(t)
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.apply()
	l.serve("vm1", ":7000")
	left := l.expect("out", "198.51.100.11:7000", "vm1 sees 198.51.100.1")
	l.takeAway(r1, "198.51.100.11")
	l.run(r1, "nft", "delete element inet heddle fip_dnat { 198.51.100.11 }; delete element inet heddle fip_snat { 10.0.0.11 };"+
		"add element inet heddle leaving { 198.51.100.11 . 10.0.0.11 . 0 . 0 }")
	l.alive(left, "vm1 sees 198.51.100.1")
	l.apply()
	l.dead(left)
}

func TestDriftIsRepaired(t *testing.T) {
	l := newLab(t)
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.apply()
	if l.told != nil {
		t.Errorf("what nobody altered is told: %q", l.told)
	}
	for by, told := range map[string][]string{
		"flush ruleset":                                                                           {"put back table inet heddle"},
		"delete table inet heddle":                                                                {"put back table inet heddle"},
		"flush chain inet heddle output":                                                          {`put back "jump floatingip" of chain output`},
		"flush map inet heddle fip_dnat":                                                          {"put back element 198.51.100.11 : 10.0.0.11 of fip_dnat"},
		"delete element inet heddle fip_snat { 10.0.0.11 }":                                       {"put back element 10.0.0.11 : 198.51.100.11 of fip_snat"},
		"add element inet heddle fip_dnat { 198.51.100.77 : 10.0.0.77 }":                          {"removed element 198.51.100.77 : 10.0.0.77 of fip_dnat"},
		"add element inet heddle leaving { 1.2.3.4 . 1.2.3.4 . 0 . 0 }":                           nil, // a run that ended may have left it
		"insert rule inet heddle forward drop":                                                    {`removed "drop" of chain forward`},
		"add chain inet heddle mine":                                                              {"removed chain mine"},
		"add set inet heddle mine { type ipv4_addr; elements = { 1.2.3.4 } }":                     {"removed set mine", "removed element 1.2.3.4 of mine"},
		"delete chain inet heddle listed":                                                         {"put in order table inet heddle"},
		"add chain inet heddle input { type filter hook input priority 0; policy drop; }":         {`put back "type filter hook input priority 0; policy accept;" of chain input`, `removed "type filter hook input priority 0; policy drop;" of chain input`},
		"delete element inet heddle own { 10.0.0.1 }; add element inet heddle own { 192.0.2.99 }": {"put back element 10.0.0.1 of own", "removed element 192.0.2.99 of own"},
	} {
		t.Run(by, func(t *testing.T) {
			before := l.run(r1, "nft", "list", "ruleset")
			if l.target.Foreign(r1) {
				t.Error("what the target did itself counts as others'")
			}
			l.run(r1, "nft", by)
			if !l.target.Foreign(r1) || l.target.Foreign(r2) {
				t.Error("what others did does not count, or counts elsewhere")
			}
			l.told = nil
			if c, err := l.pass(); err != nil || c.Len() != 1 {
				t.Fatalf("%d tables changed, want one: %v", c.Len(), err)
			}
			var want []string
			for _, text := range told {
				want = append(want, r1+": "+text)
			}
			if !slices.Equal(l.told, want) {
				t.Errorf("told\n%s\nwant\n%s", strings.Join(l.told, "\n"), strings.Join(want, "\n"))
			}
			l.apply()
			if after := l.run(r1, "nft", "list", "ruleset"); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
		})
	}
	t.Run("many are counted", func(t *testing.T) {
		for n := range 30 {
			l.floatingIP(r1, fmt.Sprintf("198.51.100.%d", 100+n), fmt.Sprintf("10.0.0.%d", 100+n))
		}
		l.apply()
		l.told = nil
		l.run(r1, "nft", "flush map inet heddle fip_dnat")
		l.apply()
		if n := len(l.told); n != 11 || l.told[10] != r1+": and 21 more of table inet heddle" {
			t.Errorf("%d are told, the last as %q", n, l.told[n-1])
		}
	})
}

func TestTablesOfOthersAreNotTouched(t *testing.T) {
	l := newLab(t)
	l.run(r1, "nft", "add table inet mine { chain c { type filter hook forward priority 5; }; }; add table ip heddle; add table inet heddle2")
	others := func() string {
		var out []string
		for _, table := range []string{"inet mine", "ip heddle", "inet heddle2"} {
			out = append(out, l.run(r1, "nft", "list table "+table))
		}
		return strings.Join(out, "")
	}
	before := others()
	l.apply()
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.apply()
	delete(l.want, r1)
	l.apply()
	if after := others(); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if got := l.run(r1, "nft", "list", "tables"); strings.Contains(got, "inet heddle\n") {
		t.Errorf("our table is still there: %s", got)
	}
}

func TestTableThatIsNotWantedGoesWithItsSessions(t *testing.T) {
	l := newLab(t)
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
	l.apply()
	l.serve("vm1", ":7000")
	in := l.expect("out", "198.51.100.11:7000", "vm1 sees 198.51.100.1")
	delete(l.want, r1)
	l.apply()
	l.dead(in)
}

func TestBrokenNamespaceStopsNoOther(t *testing.T) {
	l := newLab(t)
	if err := os.WriteFile("/run/netns/qrouter-broken", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove("/run/netns/qrouter-broken") })
	l.want["qrouter-gone"] = newSite("198.51.100.2")
	_, err := l.pass()
	if err == nil || !strings.Contains(err.Error(), "qrouter-broken") || !strings.Contains(err.Error(), "qrouter-gone") {
		t.Errorf("got error %v, want one of each namespace", err)
	}
	delete(l.want, "qrouter-gone")
	if c, err := l.pass(); err == nil || c.Len() != 1 {
		t.Errorf("%d tables changed, want only the broken one: %v", c.Len(), err)
	}
}

func TestErrorsSayWhatNFTPrinted(t *testing.T) {
	l := newLab(t)
	bad, _ := l.target.Want(spec.Namespace{Name: r1, NFT: &spec.NFT{Family: nat.Family, Table: nat.TableName, Text: "\tchain c {\n\t\tno rule\n\t}\n"}})
	err := l.target.Apply(t.Context(), reconcile.Change[string, nat.Table]{Add: map[string]nat.Table{r1: bad}})
	if err == nil || !strings.Contains(err.Error(), "syntax error") || !strings.Contains(err.Error(), r1) {
		t.Errorf("got %v", err)
	}
}
