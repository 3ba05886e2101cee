package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

const (
	port1 = "11111111-1111-4333-8444-000000000001"
	port2 = "22222222-2222-4333-8444-000000000002"
	mac1  = "fa:16:3e:00:00:01"
	mac2  = "fa:16:3e:00:00:02"
)

var (
	ip1 = netip.MustParsePrefix("10.0.22.1/24")
	ip2 = netip.MustParsePrefix("10.0.22.2/24")
)

// joinByVXLAN plays the controller: one flat network over all hosts, every host a tunnel port to
// every other.
func joinByVXLAN(t testing.TB, l *lab.Lab) {
	t.Helper()
	for _, h := range l.Hosts() {
		args := []string{"--may-exist", "add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow13"}
		for i, peer := range l.Hosts() {
			if peer == h {
				continue
			}
			name := fmt.Sprintf("vxlan%d", i)
			args = append(args, "--", "--may-exist", "add-port", "br-int", name, "--", "set", "Interface", name, "type=vxlan",
				fmt.Sprintf("ofport_request=%d", 100+i), "options:key=22", "options:df_default=true",
				"options:local_ip="+h.Underlay().String(), "options:remote_ip="+peer.Underlay().String())
		}
		if _, err := h.Vsctl(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			_, err := h.Output(t.Context(), "ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br-int", "actions=NORMAL")
			return err
		})
	}
}

// eventually repeats what may fail for a moment, for 10 s.
func eventually(t testing.TB, fn func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := fn()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func mustPlug(t *testing.T, l *lab.Lab, cfg lab.VMConfig) *lab.VM {
	t.Helper()
	vm, err := l.PlugVM(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// reaches waits until a ping passes, and then a whole series.
func reaches(t *testing.T, vm *lab.VM, to netip.Addr) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := vm.WaitPing(ctx, to); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := vm.Ping(ctx, to, 5)
		if err != nil {
			t.Fatalf("%s to %s: %d of 5 pings answered, %v", vm.Name, to, n, err)
		}
		if n == 5 {
			return
		}
	}
}

// twoVMs is a lab of two hosts with a virtual machine on each that reach each other.
func twoVMs(t *testing.T) (l *lab.Lab, a, b *lab.VM) {
	t.Helper()
	l = labtest.Up(t, lab.Config{Hosts: lab.Hosts(2)})
	joinByVXLAN(t, l)
	a = mustPlug(t, l, lab.VMConfig{Name: "vm-a", Host: "net1", Port: port1, MAC: mac1, Addresses: []netip.Prefix{ip1}})
	b = mustPlug(t, l, lab.VMConfig{Name: "vm-b", Host: "cmp1", Port: port2, MAC: mac2, Addresses: []netip.Prefix{ip2}})
	reaches(t, a, ip2.Addr())
	return l, a, b
}

// silent wants no answer at all.
func silent(t *testing.T, vm *lab.VM, to netip.Addr) {
	t.Helper()
	if n, err := vm.Ping(t.Context(), to, 3); err != nil || n != 0 {
		t.Fatalf("%s to %s: %d of 3 pings answered, want none, %v", vm.Name, to, n, err)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTCPPassesBetweenVMsOfTwoHosts(t *testing.T) {
	t.Parallel()
	_, a, b := twoVMs(t)
	reaches(t, b, ip1.Addr())

	// Ping alone would not notice checksums that nobody computed.
	var listener net.Listener
	ok(t, b.Do(func() (err error) {
		listener, err = net.Listen("tcp", ip2.Addr().String()+":80")
		return err
	}))
	defer listener.Close()
	sent := strings.Repeat("heddle", 20000)
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.WriteString(conn, sent)
			conn.Close()
		}
	}()
	var got []byte
	ok(t, a.Do(func() error {
		conn, err := net.DialTimeout("tcp", ip2.Addr().String()+":80", 5*time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		got, err = io.ReadAll(conn)
		return err
	}))
	if string(got) != sent {
		t.Errorf("got %d bytes of %d", len(got), len(sent))
	}
}

func TestVMThatMovesIsReachedOnItsNewHost(t *testing.T) {
	t.Parallel()
	l, a, b := twoVMs(t)
	ok(t, b.Move(t.Context(), "net1"))
	reaches(t, a, ip2.Addr())
	if b.Host != "net1" {
		t.Errorf("host of moved VM: %s", b.Host)
	}
	if again, err := l.VM("vm-b"); err != nil || again.Host != "net1" {
		t.Errorf("record of moved VM: %+v, %v", again, err)
	}
	noTrace(t, l.Host("cmp1"), b)
}

// noTrace wants nothing of a virtual machine on a host.
func noTrace(t *testing.T, h *lab.Host, vm *lab.VM) {
	t.Helper()
	out, err := h.Output(t.Context(), "sh", "-ec", "ip netns list; ip -br link; nft list ruleset; ovs-vsctl --columns=name list Interface")
	ok(t, err)
	if strings.Contains(out, vm.Tap) || strings.Contains(out, vm.Name) {
		t.Errorf("left of %s on %s:\n%s", vm.Name, h.Name, out)
	}
}

func TestDeletedVMLeavesNothingAndCanComeBack(t *testing.T) {
	t.Parallel()
	l, a, b := twoVMs(t)
	sleeper := b.Command(t.Context(), "sleep", "1000")
	ok(t, sleeper.Start())
	ok(t, b.Delete(t.Context()))
	_ = sleeper.Wait() // ends: whatever runs in a VM dies with it
	noTrace(t, l.Host("cmp1"), b)
	silent(t, a, ip2.Addr())
	if _, err := l.VM("vm-b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("looking for a deleted VM: %v", err)
	}
	ok(t, b.Delete(t.Context())) // what is not there is fine
	mustPlug(t, l, b.VMConfig)
	reaches(t, a, ip2.Addr())
	if _, err := l.PlugVM(t.Context(), b.VMConfig); err == nil {
		t.Error("a second VM of the same name was plugged")
	}
}

func TestPowerLossEndsAHostAndBootBringsItsDatabaseBack(t *testing.T) {
	t.Parallel()
	l, a, b := twoVMs(t)
	h := l.Host("cmp1")
	pid := h.PID()
	ok(t, h.Kill())
	if h.Alive() {
		t.Fatal("the host has power")
	}
	silent(t, a, ip2.Addr())
	if vms, err := l.VMs(); err != nil || len(vms) != 1 {
		t.Errorf("VMs after the power loss: %v, %v", vms, err)
	}
	if _, err := l.PrepareVM(t.Context(), b.VMConfig); err == nil {
		t.Error("a VM started on a host without power")
	}

	ok(t, h.Boot(t.Context()))
	if h.PID() == pid {
		t.Error("the same process")
	}
	bridges, err := h.Vsctl(t.Context(), "list-br")
	if err != nil || bridges != "br-int\nbr-phy" {
		t.Errorf("bridges after boot: %q, %v", bridges, err)
	}
	joinByVXLAN(t, l)
	// The port is still in the database, as it would be on a real host until Nova plugs again.
	_, err = h.Vsctl(t.Context(), "--no-wait", "del-port", b.Tap)
	ok(t, err)
	mustPlug(t, l, b.VMConfig)
	reaches(t, a, ip2.Addr())
}

func TestVswitchdRestartKeepsPortsAndLosesFlows(t *testing.T) {
	t.Parallel()
	l, a, _ := twoVMs(t)
	h := l.Host("cmp1")
	for _, step := range []struct {
		name string
		end  func(context.Context) error
	}{{"stop", h.StopVswitchd}, {"kill", h.KillVswitchd}} {
		ok(t, step.end(t.Context()))
		if _, err := h.Appctl(t.Context(), "version"); err == nil {
			t.Errorf("%s: ovs-vswitchd answers", step.name)
		}
		silent(t, a, ip2.Addr())
		ok(t, h.StartVswitchd(t.Context()))
		flows, err := h.Output(t.Context(), "ovs-ofctl", "-O", "OpenFlow13", "dump-flows", "br-int")
		if err != nil || strings.Contains(flows, "NORMAL") {
			t.Errorf("%s: flows %q, %v", step.name, flows, err)
		}
		joinByVXLAN(t, l)
		reaches(t, a, ip2.Addr())
	}
	ok(t, h.RestartVswitchd(t.Context()))
}

func TestCutCablesCarryNothingUntilTheyAreBack(t *testing.T) {
	t.Parallel()
	l, a, _ := twoVMs(t)
	h := l.Host("cmp1")
	ok(t, h.CutUnderlay(t.Context(), true))
	silent(t, a, ip2.Addr())
	ok(t, h.CutUnderlay(t.Context(), false))
	reaches(t, a, ip2.Addr())

	ok(t, h.Join(t.Context(), "ptcp:6640"))
	addr := h.Management().String() + ":6640"
	dial := func() error {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}
	eventually(t, dial)
	ok(t, h.CutManagement(t.Context(), true))
	if dial() == nil {
		t.Error("the management plane still carries")
	}
	ok(t, h.CutManagement(t.Context(), false))
	eventually(t, dial)
}

func TestHostsKernelKeepsOutOfTenantTraffic(t *testing.T) {
	t.Parallel()
	l := labtest.Up(t, lab.Config{Hosts: lab.Hosts(1)})
	joinByVXLAN(t, l)
	h := l.Host("net1")
	inside := netip.PrefixFrom(h.Management().Next(), 24)
	vm := mustPlug(t, l, lab.VMConfig{Name: "vm-a", Host: "net1", Port: port1, MAC: mac1, Addresses: []netip.Prefix{inside}})
	silent(t, vm, h.Management())
}

func TestHostsConnectToTheirController(t *testing.T) {
	t.Parallel()
	labtest.Skip(t)
	controller, err := net.Listen("tcp", ":0")
	ok(t, err)
	defer controller.Close()
	_, port, _ := net.SplitHostPort(controller.Addr().String())
	l := labtest.Up(t, lab.Config{Hosts: lab.Hosts(2), Controllers: []string{":" + port}})
	from := map[string]bool{}
	_ = controller.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	for len(from) < 2 {
		conn, err := controller.Accept()
		ok(t, err)
		defer conn.Close()
		from[conn.RemoteAddr().(*net.TCPAddr).IP.String()] = true
	}
	for _, h := range l.Hosts() {
		if !from[h.Management().String()] {
			t.Errorf("%s did not connect from %s: %v", h.Name, h.Management(), from)
		}
	}
	ok(t, l.Host("net1").Leave(t.Context()))
	s, err := l.Status(t.Context())
	ok(t, err)
	if n := len(s.Hosts[0].Managers); n != 0 {
		t.Errorf("net1 left, and has %d managers", n)
	}
	if m := s.Hosts[1].Managers; len(m) != 1 || m[0].Target != "tcp:"+l.Address().String()+":"+port {
		t.Errorf("managers of cmp1: %v", m)
	}
}

func TestHostsSayWhoTheyAre(t *testing.T) {
	t.Parallel()
	l := labtest.Up(t, lab.Config{External: true, Hosts: []lab.HostConfig{
		{Name: "alpha", Gateway: true, EncapTypes: []string{"geneve"}, ExternalIDs: map[string]string{"rack": "7", "system-id": ""}},
		{Name: "beta", BridgeMappings: "physnet2:br-ex"},
	}})
	for host, want := range map[string]string{
		"alpha": `{heddle-bridge-mappings="physnet1:br-ex", heddle-datapath-type=netdev, heddle-encap-ip="172.31.0.11", heddle-encap-type=geneve, heddle-gateway="true", hostname=alpha, rack="7"}`,
		"beta":  `heddle-bridge-mappings="physnet2:br-ex", heddle-datapath-type=netdev, heddle-encap-ip="172.31.0.12", heddle-encap-type="gre,vxlan,geneve", heddle-gateway="false", hostname=beta, system-id=`,
	} {
		got, err := l.Host(host).Vsctl(t.Context(), "get", "Open_vSwitch", ".", "external_ids")
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%s says\n%s, %v\nwant\n%s", host, got, err, want)
		}
	}
	name, err := l.Host("beta").Output(t.Context(), "hostname")
	if err != nil || name != "beta\n" {
		t.Errorf("hostname: %q, %v", name, err)
	}
	if _, err := l.Host("beta").Output(t.Context(), "ovs-appctl", "version"); err != nil {
		t.Errorf("a stock tool with default paths: %v", err)
	}
}

func TestInternetReachesTheExternalBridgeOfAHost(t *testing.T) {
	t.Parallel()
	l := labtest.Up(t, lab.Config{External: true})
	_, err := l.Host("net1").Output(t.Context(), "sh", "-ec", "ip addr add 198.51.100.50/24 dev br-ex; ip link set br-ex up")
	ok(t, err)
	eventually(t, func() error { return l.Internet(t.Context(), "ping", "-c1", "-W1", "198.51.100.50").Run() })
}

func TestErrorsOfCommandsSayWhatTheCommandSaid(t *testing.T) {
	t.Parallel()
	l := labtest.Up(t, lab.Config{})
	_, err := l.Host("net1").Output(t.Context(), "sh", "-c", "echo out of luck >&2; exit 3")
	var cmdErr *lab.CommandError
	if !errors.As(err, &cmdErr) || cmdErr.Stderr != "out of luck" {
		t.Errorf("error: %v", err)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("exit status: %v", err)
	}
}

func TestEndedContextEndsWhatRunsOnTheHost(t *testing.T) {
	t.Parallel()
	l := labtest.Up(t, lab.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := l.Host("net1").Command(ctx, "sleep", "4242").Run(); err == nil {
		t.Error("sleep ended in good order")
	}
	out, err := l.Host("net1").Output(t.Context(), "ps", "ax")
	if err != nil || strings.Contains(out, "4242") {
		t.Errorf("still running, %v:\n%s", err, out)
	}
}

func TestLabsStandBesideEachOther(t *testing.T) {
	t.Parallel()
	first := labtest.Up(t, lab.Config{})
	second := labtest.Up(t, lab.Config{})
	if first.Address() == second.Address() {
		t.Errorf("both have %s", first.Address())
	}
	third, err := lab.Up(t.Context(), lab.Config{Name: first.Name()})
	if err == nil {
		t.Error("a second lab of the same name", third.Down())
	}
	taken := netip.PrefixFrom(first.Address(), 24).Masked()
	third, err = lab.Up(t.Context(), lab.Config{Name: second.Name() + "x", Management: taken})
	if err == nil {
		t.Error("a second lab of the same management subnet", third.Down())
	}
	if !first.Host("net1").Alive() || first.Host("net1").Management() == second.Host("net1").Management() {
		t.Error("the first lab suffered")
	}
}

// BenchmarkPlugToPing measures from the plugging of a prepared virtual machine to the answer of its
// first ping across two hosts, with flows that are there already.
func BenchmarkPlugToPing(b *testing.B) {
	l := labtest.Up(b, lab.Config{Hosts: lab.Hosts(2)})
	joinByVXLAN(b, l)
	prepare := func(cfg lab.VMConfig) *lab.VM {
		vm, err := l.PrepareVM(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		return vm
	}
	x := prepare(lab.VMConfig{Name: "vm-a", Host: "net1", MAC: mac1, Addresses: []netip.Prefix{ip1}})
	y := prepare(lab.VMConfig{Name: "vm-b", Host: "cmp1", MAC: mac2, Addresses: []netip.Prefix{ip2}})
	if err := x.PlugAs(b.Context(), port1); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := y.PlugAs(b.Context(), port2); err != nil {
			b.Fatal(err)
		}
		if _, err := x.WaitPing(b.Context(), ip2.Addr()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := y.Unplug(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
