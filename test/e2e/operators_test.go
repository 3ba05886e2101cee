package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// tell runs the command line against the fabric's server.
func (f *fabric) tell(args ...string) (string, int) {
	f.t.Helper()
	cmd := exec.CommandContext(within(f.t, time.Minute), program, args...)
	cmd.Env = append(os.Environ(), "HEDDLE_SERVER=http://"+f.server.api)
	return exitOf(f.t, cmd)
}

// must is tell that succeeds.
func (f *fabric) must(args ...string) string {
	f.t.Helper()
	out, code := f.tell(args...)
	if code != 0 {
		f.t.Fatalf("heddle %s: exit code %d:\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// says runs a command until it ends with a code and says all of some things.
func (f *fabric) says(limit time.Duration, args string, code int, parts ...string) {
	f.t.Helper()
	eventually(f.t, limit, "heddle "+args, func() error {
		out, got := f.tell(strings.Fields(args)...)
		if got != code || !containsAll(out, parts) {
			return fmt.Errorf("exit code %d, want %d and %q:\n%s", got, code, parts, out)
		}
		return nil
	})
}

// local runs heddle doctor --local on a host, which has nothing of Heddle's but the binary.
func (f *fabric) local(host string, code int, parts ...string) {
	f.t.Helper()
	eventually(f.t, 20*time.Second, "heddle doctor --local on "+host, func() error {
		out, got := exitOf(f.t, f.host(host).Command(within(f.t, time.Minute), program, "doctor", "--local"))
		if got != code || !containsAll(out, parts) {
			return fmt.Errorf("exit code %d, want %d and %q:\n%s", got, code, parts, out)
		}
		return nil
	})
}

// TestOperatorsUseTheCommandLine makes a fabric with it, and finds causes with it alone.
func TestOperatorsUseTheCommandLine(t *testing.T) {
	f := newGatewayFabric(t, []lab.HostConfig{{Name: "net1", Gateway: true}, {Name: "cmp1"}, {Name: "cmp2"}})
	f.agent("net1")
	file := filepath.Join(t.TempDir(), "office.yaml")
	ok(t, os.WriteFile(file, []byte(`
networks:
  - name: blue
subnets:
  - {name: blue-v4, network: blue, cidr: 10.0.41.0/24}
routers:
  - {name: edge, interfaces: [blue-v4]}
ports:
  - {name: web, network: blue, fixed_ips: [{subnet: blue-v4, ip_address: 10.0.41.9}]}
  - {name: db, network: blue}
`), 0o600))
	f.says(time.Second, "diff -f "+file+" --project acme", 1, "+ network/", "name: blue-v4")
	f.must("apply", "-f", file, "--project", "acme")
	f.says(time.Second, "diff -f "+file+" --project acme", 0)

	var blue struct{ Networks []network }
	ok(t, f.api.get("/v2.0/networks?name=blue", &blue))
	blue.Networks[0].Prefix = netPrefix("10.0.41.0/24")
	vms := map[string]*vm{}
	for name, host := range map[string]string{"web": "cmp1", "db": "cmp2"} {
		var ports struct{ Ports []port }
		ok(t, f.api.get("/v2.0/ports?name="+name, &ports))
		vms[name] = f.plug(host, blue.Networks[0], ports.Ports[0])
	}
	f.says(time.Minute, "watch port web --for ok --timeout 30s", 0, "port/web ACTIVE all conditions hold")
	f.says(30*time.Second, "explain web db --state actual", 0, "delivered", "cmp2")
	f.says(30*time.Second, "doctor --deep", 0, "host cmp1: connected, no problems", "agent of net1", "0 wrong")
	for _, host := range []string{"net1", "cmp1", "cmp2"} {
		f.local(host, 0, "ok    bridge br-int", "ok    manager", "bytes as well", "0 wrong")
	}
	f.says(10*time.Second, "get flows --host cmp1 --bridge br-tun --table to_unicast --object port/db", 0, "port/db")
	f.says(10*time.Second, "top flows --once --interval 200ms --limit 5", 0, "PACKETS/S")

	t.Run("vm_is_not_plugged", func(t *testing.T) {
		f := f.in(t)
		f.must("create", "port", "idle", "--network", "blue", "--project", "acme")
		f.says(10*time.Second, "describe port idle", 0, "no", "NotPlugged", "start its instance")
		f.says(10*time.Second, "explain web idle", 1, "NotPlugged")
	})
	t.Run("manager_is_unreachable", func(t *testing.T) {
		f := f.in(t)
		ok(t, f.host("cmp1").Join(t.Context(), "tcp:"+f.server.addr.String()+":1"))
		f.says(20*time.Second, "doctor", 1, "fail  host cmp1: NotConnected: ovsdb", "ovs-vsctl get-manager")
		f.local("cmp1", 1, "fail  manager tcp:"+f.server.addr.String()+":1: not connected", "--listen-ovsdb")
		ok(t, f.host("cmp1").Join(t.Context(), "tcp:"+f.server.ovsdb))
		f.says(30*time.Second, "watch host cmp1 --for ok --timeout 20s", 0)
	})
	t.Run("tunnel_address_is_wrong", func(t *testing.T) {
		f := f.in(t)
		f.must("set", "host", "cmp1", "--tunnel-ip", "172.31.0.99")
		f.says(30*time.Second, "doctor", 1, "TunnelDown", "172.31.0.99")
		f.says(30*time.Second, "get tunnels --host cmp1", 0, "down")
		f.local("cmp1", 1, "172.31.0.99 (local_ip of tunnels) is on no interface of this host")
		f.must("set", "host", "cmp1", "--tunnel-ip", "none")
		f.says(40*time.Second, "watch port web --for ok --timeout 30s", 0)
	})
	t.Run("patch_port_is_missing", func(t *testing.T) {
		f := f.in(t)
		f.vsctl("cmp1", "del-port", "patch-tun", "--", "add-port", "br-int", "patch-tun", "--", "set", "Interface", "patch-tun", "type=internal", "external_ids:iface-id=mine")
		f.says(20*time.Second, "describe host cmp1", 0, "ApplyFailed", "patch-tun", "delete or rename")
		f.local("cmp1", 1, "fail  cable patch-tun on br-int", "ovs-vsctl del-port patch-tun")
		f.vsctl("cmp1", "del-port", "patch-tun")
		f.says(40*time.Second, "watch port web --for ok --timeout 30s", 0)
	})
	t.Run("underlay_is_too_narrow", func(t *testing.T) {
		f := f.in(t)
		f.vsctl("cmp1", "set", "Interface", "br-phy", "mtu_request=1400")
		f.says(20*time.Second, "doctor", 1, "UnderlayMTU", "carries 1400")
		f.local("cmp1", 1, "has MTU 1400, and the underlay has to carry 1500")
		f.vsctl("cmp1", "set", "Interface", "br-phy", "mtu_request=1500")
		f.says(30*time.Second, "watch port web --for ok --timeout 20s", 0)
	})
	t.Run("router_has_no_gateway", func(t *testing.T) {
		f := f.in(t)
		f.says(10*time.Second, "describe router edge", 0, "note", "NoGateway")
		f.says(10*time.Second, "explain web 203.0.113.9", 1, "dropped")
	})
	t.Run("flow_is_deleted_by_hand", func(t *testing.T) {
		f := f.in(t)
		f.ofctl("cmp1", "del-flows", "br-int", "table=61,dl_dst="+vms["web"].port.MAC)
		f.says(20*time.Second, "events --kind drift --host cmp1", 0, "target=br-int", vms["web"].port.MAC)
		f.says(10*time.Second, "describe port web", 0, "drift")
	})
	t.Run("subnet_is_exhausted", func(t *testing.T) {
		f := f.in(t)
		f.must("create", "network", "tiny", "--project", "acme")
		f.must("create", "subnet", "tiny-v4", "--network", "tiny", "--cidr", "10.0.42.0/30", "--gateway", "none", "--dhcp=false", "--project", "acme")
		f.must("create", "port", "first", "--network", "tiny", "--project", "acme")
		f.must("create", "port", "second", "--network", "tiny", "--project", "acme")
		f.says(time.Second, "create port third --network tiny --project acme", 3, "No more IP addresses")
		f.says(5*time.Second, "doctor", 1, "SubnetExhausted", "add a subnet")
	})
	t.Run("support_bundle", func(t *testing.T) {
		f := f.in(t)
		path := filepath.Join(t.TempDir(), "bundle.tar.gz")
		f.must("support-bundle", "-f", path, "--log", f.server.logFile)
		out, code := exitOf(t, exec.CommandContext(t.Context(), "tar", "-tzf", path))
		if code != 0 || !containsAll(out, []string{"heddle-support/manifest.json", "heddle-support/flows/cmp1.br-tun.", "heddle-support/metrics.txt", "heddle-support/namespaces/net1/qrouter-", "heddle-support/logs/1-server.log"}) {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	})
}
