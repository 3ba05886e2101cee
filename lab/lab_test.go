package lab_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

const (
	port1 = "11111111-2222-4333-8444-000000000001"
	port2 = "11111111-2222-4333-8444-000000000002"
	mac1  = "fa:16:3e:00:00:01"
	mac2  = "fa:16:3e:00:00:02"
)

var (
	ip1 = netip.MustParsePrefix("10.0.22.1/24")
	ip2 = netip.MustParsePrefix("10.0.22.2/24")
)

// joinByVXLAN plays the controller: one flat network over all hosts, every host a tunnel port to
// every other.
func joinByVXLAN(t *testing.T, l *lab.Lab) {
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
		if _, err := h.Output(t.Context(), "ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br-int", "actions=NORMAL"); err != nil {
			t.Fatal(err)
		}
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

// reaches waits until a ping passes and then wants a whole series to pass.
func reaches(t *testing.T, vm *lab.VM, to netip.Addr) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := vm.WaitPing(ctx, to); err != nil {
		t.Fatal(err)
	}
	if n, err := vm.Ping(t.Context(), to, 5); err != nil || n != 5 {
		t.Fatalf("%s to %s: %d of 5 pings answered, %v", vm.Name, to, n, err)
	}
}

func TestVMsOnTwoHostsPingOverVXLAN(t *testing.T) {
	l := labtest.Up(t, lab.Config{Hosts: lab.Hosts(2), Progress: func(s string) { t.Log(s) }})
	joinByVXLAN(t, l)
	begin := time.Now()
	a := mustPlug(t, l, lab.VMConfig{Name: "a", Host: "net1", Port: port1, MAC: mac1, Addresses: []netip.Prefix{ip1}})
	t.Log("plug a", time.Since(begin))
	begin = time.Now()
	b := mustPlug(t, l, lab.VMConfig{Name: "b", Host: "cmp1", Port: port2, MAC: mac2, Addresses: []netip.Prefix{ip2}})
	t.Log("plug b", time.Since(begin))
	reaches(t, a, ip2.Addr())
	reaches(t, b, ip1.Addr())
}
