package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// Addresses of the host on its only NIC to the outside.
var (
	nicAddress  = netip.MustParseAddr("198.51.100.50")
	nicAddress6 = netip.MustParseAddr("2001:db8:51::50")
)

// uplink is a host that is reached from the internet through its NIC ext0, which is no port of br-ex yet.
type uplink struct {
	*fabric
	state string // directory
}

func newUplink(t *testing.T) *uplink {
	u := &uplink{newGatewayFabric(t, []lab.HostConfig{{Name: "net1", Gateway: true}}), t.TempDir()}
	u.sh("net1", `set -e
		ovs-vsctl --if-exists del-port br-ex ext0
		nft delete chain netdev heddle-lab ext0
		echo 0 >/proc/sys/net/ipv6/conf/ext0/disable_ipv6
		echo 1 >/proc/sys/net/ipv4/conf/ext0/rp_filter
		echo 1 >/proc/sys/net/ipv4/conf/br-ex/rp_filter
		ip addr add 198.51.100.50/24 brd + dev ext0 metric 100 valid_lft 3600 preferred_lft 3000
		ip addr add 198.51.100.51/24 dev ext0 label ext0:1
		ip addr add 2001:db8:51::50/64 dev ext0 nodad
		ip route add default via 198.51.100.1 dev ext0 proto dhcp src 198.51.100.50 metric 100
		ip route add 192.0.2.0/24 dev ext0 table 100 mtu lock 1400
		ip -6 route add default via 2001:db8:51::1 dev ext0 metric 512
		ip rule add pref 50 iif ext0 lookup 100`)
	out, err := u.lab.Internet(within(t, 5*time.Second), "ip", "addr", "add", "2001:db8:51::1/64", "dev", "eth0", "nodad").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	u.fromInternet(10*time.Second, nicAddress)
	u.fromInternet(10*time.Second, nicAddress6)
	return u
}

func (u *uplink) in(t testing.TB) *uplink {
	v := *u
	v.fabric = u.fabric.in(t)
	return &v
}

// bridgeNIC runs the command on the host. In the environment may be a PATH.
func (u *uplink) bridgeNIC(env string, args ...string) (string, error) {
	u.t.Helper()
	args = append([]string{env, program, "agent", "bridge-nic", "--state-dir", u.state}, args...)
	out, err := u.host("net1").Command(within(u.t, time.Minute), "env", args...).CombinedOutput()
	return string(out), err
}

// look is everything about the NIC and br-ex that a move may change, but for times and link-local addresses
// of IPv6.
func (u *uplink) look() string {
	u.t.Helper()
	return regexp.MustCompile(`(valid_lft|preferred_lft) \d+sec`).ReplaceAllString(u.sh("net1", `
		for l in ext0 br-ex; do ip -o addr show dev $l | cut -d' ' -f2- | grep -v fe80; cat /proc/sys/net/ipv4/conf/$l/rp_filter /proc/sys/net/ipv6/conf/$l/disable_ipv6 /proc/sys/net/ipv6/conf/$l/accept_ra; done
		ip route show table all | grep -v "table local" | sort; ip rule; ip -6 route | grep -v fe80 | sort; ovs-vsctl list-ports br-ex; ovs-vsctl get Bridge br-ex other_config; nft list table netdev heddle-nic 2>/dev/null || true`), "$1 TIME")
}

// session is somebody on the internet who pings the host every 10 ms, over both protocols, and types lines in
// a TCP session, while something happens.
func (u *uplink) session(happens func()) {
	t := u.t
	t.Helper()
	l := u.echo()
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	stop := filepath.Join(dir, "stop")
	// Every line comes back before the next one is sent; a session that breaks, or an answer that takes
	// longer than five seconds, is the end.
	typing := u.lab.Internet(ctx, "bash", "-c", fmt.Sprintf(`exec 3<>/dev/tcp/%s/2222; i=0
		until [ -e %s ]; do echo $i >&3 && read -r -t 5 -u 3 got && [ "$got" = $i ] || { echo "broken at line $i"; exit 1; }; i=$((i+1)); sleep 0.01; done`, nicAddress, stop))
	typed := make(chan error, 1)
	go func() {
		out, err := typing.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("TCP session: %w: %s", err, out)
		}
		typed <- err
	}()
	ping4 := ping(t, "to the host", u.lab.Internet, nicAddress)
	ping6 := ping(t, "to the host by IPv6", u.lab.Internet, nicAddress6)
	eventually(t, 10*time.Second, "lines are typed", func() error {
		if l.lines.Load() < 5 {
			return errors.New("none came")
		}
		return nil
	})
	happens()
	// What comes late is seen as well: the bridge has another datapath id now, and meets its controller anew.
	enough := l.lines.Load() + 150
	eventually(t, 20*time.Second, "lines are typed afterwards", func() error {
		if n := l.lines.Load(); n < enough {
			return fmt.Errorf("%d of them came", n)
		}
		return nil
	})
	ok(t, os.WriteFile(stop, nil, 0o600))
	ok(t, <-typed)
	ping4.end(t, 10)
	ping6.end(t, 10)
	t.Logf("the longest wait for a line of the TCP session was %v", time.Duration(l.gap.Load()).Round(time.Millisecond))
}

// echo is a server on the host that sends lines back.
type echo struct {
	net.Listener
	lines, gap atomic.Int64 // gap is the longest between two lines, in nanoseconds
}

func (u *uplink) echo() *echo {
	u.t.Helper()
	e := &echo{}
	ok(u.t, u.host("net1").Do(func() (err error) {
		e.Listener, err = net.Listen("tcp", nicAddress.String()+":2222")
		return err
	}))
	go func() {
		for {
			c, err := e.Accept()
			if err != nil {
				return
			}
			last := time.Now()
			for in := bufio.NewScanner(c); in.Scan(); {
				e.gap.Store(max(e.gap.Load(), int64(time.Since(last))))
				last = time.Now()
				e.lines.Add(1)
				if _, err := fmt.Fprintln(c, in.Text()); err != nil {
					break
				}
			}
			_ = c.Close()
		}
	}()
	return e
}

// TestBridgeNIC moves the NIC by which a host is reached, there and back, while somebody is connected to it
// through that NIC.
func TestBridgeNIC(t *testing.T) {
	u := newUplink(t)
	before := u.look()
	var moved string
	t.Run("moved_while_in_use", func(t *testing.T) {
		u := u.in(t)
		steps, err := u.bridgeNIC("A=1", "ext0", "br-ex", "--dry-run")
		ok(t, err)
		t.Logf("steps:\n%s", steps)
		ok(t, wantEqual("host after a dry run", u.look(), before))
		u.session(func() {
			out, err := u.bridgeNIC("A=1", "ext0", "br-ex")
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		moved = u.look()
		for _, want := range []string{"br-ex    inet 198.51.100.50/24 metric 100 brd 198.51.100.255 scope global dynamic br-ex",
			"br-ex    inet 198.51.100.51/24 scope global secondary br-ex:1", "br-ex    inet6 2001:db8:51::50/64",
			"default via 198.51.100.1 dev br-ex proto dhcp src 198.51.100.50 metric 100", "192.0.2.0/24 dev br-ex table 100 scope link mtu lock 1400",
			"from all iif br-ex lookup 100", "default via 2001:db8:51::1 dev br-ex metric 512", "\next0\n", "guard-ext0"} {
			if !strings.Contains(moved, want) {
				t.Errorf("no %q in\n%s", want, moved)
			}
		}
		if left := u.sh("net1", "ip -o addr show dev ext0"); left != "" {
			t.Errorf("the NIC still has %s", left)
		}
		lifetime := regexp.MustCompile(`valid_lft (\d+)sec`).FindStringSubmatch(u.sh("net1", "ip -o addr show dev br-ex to 198.51.100.50"))
		if lifetime == nil {
			t.Error("the lease has no end any more")
		} else if s, _ := strconv.Atoi(lifetime[1]); s < 3000 || s > 3600 {
			t.Errorf("the lease ends in %d s", s)
		}
	})
	t.Run("moved_again_nothing_changes", func(t *testing.T) {
		u := u.in(t)
		out, err := u.bridgeNIC("A=1", "ext0", "br-ex")
		ok(t, err)
		ok(t, wantEqual("host", u.look(), moved))
		if steps, err := u.bridgeNIC("A=1", "ext0", "br-ex", "--dry-run"); err != nil || steps != "" {
			t.Errorf("%v, it said %q; to be done would be %s", err, out, steps)
		}
	})
	t.Run("undone_while_in_use", func(t *testing.T) {
		u := u.in(t)
		u.session(func() {
			out, err := u.bridgeNIC("A=1", "ext0", "br-ex", "--undo")
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		ok(t, wantEqual("host", u.look(), before))
	})
	t.Run("rolled_back_without_confirmation", func(t *testing.T) {
		u := u.in(t)
		// Frames from br-ex are lost on their way out, as if the switch beyond refused the port.
		u.sh("net1", `ovs-ofctl -O OpenFlow13 add-flow br-ex cookie=0x1234,priority=1000,in_port=LOCAL,actions=drop`)
		out, err := u.bridgeNIC("A=1", "ext0", "br-ex", "--confirm", internet.String(), "--confirm-timeout", "2s")
		if err == nil || !strings.Contains(out, "not confirmed in time") {
			t.Errorf("it says %v: %s", err, out)
		}
		u.sh("net1", `ovs-ofctl -O OpenFlow13 del-flows br-ex cookie=0x1234/-1`)
		ok(t, wantEqual("host", u.look(), before))
		u.fromInternet(5*time.Second, nicAddress)
	})
	t.Run("rolled_back_by_a_running_agent", func(t *testing.T) {
		u := u.in(t)
		a := u.fabric.agent("net1")
		u.state = a.state
		u.api.awaitEvent(t, 10*time.Second, 0, "agent_up", "net1", "")
		dir := u.trap(true)
		ok(t, os.WriteFile(filepath.Join(dir, "count"), []byte("9"), 0o600))
		u.session(func() {
			if out, err := u.bridgeNIC("PATH="+dir+":"+os.Getenv("PATH"), "ext0", "br-ex"); err == nil {
				t.Errorf("it is not killed: %s", out)
			}
			took := eventually(t, 15*time.Second, "the host is as before", func() error { return wantEqual("host", u.look(), before) })
			t.Logf("rolled back after %v", took.Round(time.Millisecond))
		})
	})
	for _, end := range []string{"fails", "kills"} {
		t.Run("rolled_back_when_a_step_"+end, func(t *testing.T) {
			u := u.in(t)
			u.session(func() { u.eachStep(end == "kills", before) })
		})
	}
}

// eachStep lets each step of a move that is a command fail, or kill the program with SIGKILL, before it is
// done: the host is then as before, at once or by recovering.
func (u *uplink) eachStep(kill bool, before string) {
	t := u.t
	t.Helper()
	dir := u.trap(kill)
	for n := 1; ; n++ {
		ok(t, os.WriteFile(filepath.Join(dir, "count"), []byte(strconv.Itoa(n)), 0o600))
		out, err := u.bridgeNIC("PATH="+dir+":"+os.Getenv("PATH"), "ext0", "br-ex")
		if err == nil {
			if n < 8 {
				t.Errorf("only %d steps were commands", n)
			}
			out, err = u.bridgeNIC("A=1", "ext0", "br-ex", "--undo")
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			ok(t, wantEqual("host at the end", u.look(), before))
			return
		}
		if kill {
			if out, err := u.bridgeNIC("A=1", "--recover"); err != nil {
				t.Errorf("step %d: %v: %s", n, err, out)
			}
		} else if !strings.Contains(out, "step does not work") {
			t.Errorf("step %d: it says %s", n, out)
		}
		if err := wantEqual(fmt.Sprintf("host after step %d", n), u.look(), before); err != nil {
			t.Fatal(err)
		}
	}
}

// trap makes commands of which the one that the file count in the returned directory tells fails, or kills
// who runs it. The directory goes first in a PATH.
func (u *uplink) trap(kill bool) (dir string) {
	t := u.t
	t.Helper()
	dir = t.TempDir()
	end := "exit 1"
	if kill {
		end = "kill -9 $PPID; exit 1"
	}
	for _, name := range []string{"ip", "ovs-vsctl", "nft"} {
		script := fmt.Sprintf(`#!/bin/sh
case "$*" in *show*|*list*|*find*) ;; *)
	n=$(cat %[1]s/count); echo $((n-1)) >%[1]s/count
	[ "$n" != 1 ] || { echo "step does not work" >&2; %[2]s; } ;;
esac
PATH=%[3]s exec %[4]s "$@"
`, dir, end, os.Getenv("PATH"), name)
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
	}
	return dir
}
