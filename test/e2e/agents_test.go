package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// agent is a heddle agent on a host of a lab, which can be killed and started again on the same state.
type agent struct {
	f       *fabric
	host    string
	state   string
	logFile string

	cmd  *exec.Cmd // nil while it does not run
	stop context.CancelFunc
}

// newGatewayFabric is newFabric with an external plane, a server that agents reach, and all hosts joined.
// No agent runs yet.
func newGatewayFabric(t testing.TB, hosts []lab.HostConfig) *fabric {
	t.Helper()
	f := newFabric(t, lab.Config{Hosts: hosts, External: true}, "--physnets", "physnet1:100:200", "--allow-remote-noauth", "--dns-domain", "cloud.test")
	f.server.kill()
	f.server.api = net.JoinHostPort(f.server.addr.String(), freePort(t, f.server.addr.String()))
	f.api = newClient(f.server.api)
	f.server.start()
	f.join(f.lab.Hosts()...)
	return f
}

// agent starts the agent of a host. It ends with the test.
func (f *fabric) agent(host string) *agent {
	f.t.Helper()
	dir := f.t.TempDir()
	a := &agent{f: f, host: host, state: filepath.Join(dir, "state"), logFile: filepath.Join(dir, "log")}
	f.t.Cleanup(func() {
		a.kill()
		if f.t.Failed() {
			text, _ := os.ReadFile(a.logFile) // it may not have come to exist
			f.t.Logf("end of the log of %s's agent:\n%s", host, text[max(0, len(text)-8000):])
		}
	})
	a.start()
	return a
}

func (a *agent) start() {
	a.f.t.Helper()
	log, err := os.OpenFile(a.logFile, os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	ok(a.f.t, err)
	defer log.Close()
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.f.t.Context()))
	a.cmd, a.stop = a.f.host(a.host).Command(ctx, program, "agent", "--server", "http://"+a.f.server.api, "--host", a.host, "--state-dir", a.state), cancel
	a.cmd.Stdout, a.cmd.Stderr = log, log
	ok(a.f.t, a.cmd.Start())
}

// awaitStart waits until an agent that was started again knows what to work on.
func (a *agent) awaitStart() {
	a.f.t.Helper()
	eventually(a.f.t, 10*time.Second, "the agent of "+a.host+" is back", func() error {
		log, err := os.ReadFile(a.logFile)
		if err == nil && !strings.Contains(string(log), "working on the ") {
			err = errors.New("it says nothing")
		}
		return err
	})
}

// kill ends the agent with SIGKILL.
func (a *agent) kill() {
	if a.cmd == nil {
		return
	}
	a.stop()
	_ = a.cmd.Wait() // killed
	a.cmd = nil
}

// create posts an object and returns what was made of it.
func (f *fabric) create(plural, singular string, attrs object) map[string]json.RawMessage {
	f.t.Helper()
	var made map[string]map[string]json.RawMessage
	ok(f.t, f.api.post("/v2.0/"+plural, object{singular: attrs}, &made))
	return made[singular]
}

// text is a string in an answer.
func text(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	var s string
	ok(t, json.Unmarshal(raw, &s))
	return s
}

// served makes a VXLAN network whose subnet has DHCP and a gateway address.
func (f *fabric) served(name, project, cidr string, more ...object) network {
	f.t.Helper()
	return f.servedOver("vxlan", name, project, cidr, more...)
}

// servedOver is served with a choice of the network's type; more are attributes of its subnet.
func (f *fabric) servedOver(kind, name, project, cidr string, more ...object) network {
	f.t.Helper()
	var made struct{ Network network }
	ok(f.t, f.api.post("/v2.0/networks", object{"network": object{"name": name, "project_id": project, "provider:network_type": kind}}, &made))
	n := made.Network
	attrs := object{"network_id": n.ID, "project_id": project, "ip_version": 4, "cidr": cidr}
	for _, m := range more {
		for k, v := range m {
			attrs[k] = v
		}
	}
	n.Subnet, n.Prefix = text(f.t, f.create("subnets", "subnet", attrs)["id"]), netip.MustParsePrefix(cidr)
	return n
}

// outside makes the external network of the lab.
func (f *fabric) outside() network {
	f.t.Helper()
	n := network{ID: text(f.t, f.create("networks", "network", object{"name": "outside", "provider:network_type": "flat",
		"provider:physical_network": "physnet1", "router:external": true})["id"])}
	n.Prefix = netip.MustParsePrefix("198.51.100.0/24")
	n.Subnet = text(f.t, f.create("subnets", "subnet", object{"network_id": n.ID, "ip_version": 4, "cidr": n.Prefix.String(),
		"gateway_ip": "198.51.100.1", "enable_dhcp": false, "allocation_pools": []object{{"start": "198.51.100.100", "end": "198.51.100.200"}}})["id"])
	return n
}

// client makes a port and a virtual machine that has no address yet.
func (f *fabric) client(name, host string, n network, more ...object) *vm {
	f.t.Helper()
	p := f.port(name, n, more...)
	m, err := f.lab.PlugVM(f.t.Context(), lab.VMConfig{Name: name, Host: host, Port: p.ID, MAC: p.MAC, MTU: 1500})
	ok(f.t, err)
	return &vm{m, p}
}

// leaseScript is what udhcpc runs: it prints what it was told and takes the address, the MTU and the routes.
const leaseScript = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
env
[ -z "$mtu" ] || ip link set eth0 mtu "$mtu"
ip -4 addr flush dev eth0
ip addr add "$ip/$mask" dev eth0
set -- $staticroutes
while [ $# -ge 2 ]; do
	case $2 in
	0.0.0.0) ip route replace "$1" dev eth0 ;;
	*) ip route replace "$1" via "$2" dev eth0 ;;
	esac
	shift 2
done
[ -n "$staticroutes" ] || [ -z "$router" ] || ip route replace default via "$router"
`

// lease has a virtual machine ask for an address, for as long as tries of a second each, and returns the
// options it got, by udhcpc's names.
func (f *fabric) lease(v *vm, tries int) (map[string]string, error) {
	f.t.Helper()
	script := filepath.Join(f.t.TempDir(), "lease.sh")
	ok(f.t, os.WriteFile(script, []byte(leaseScript), 0o700))
	out, err := v.Output(f.t.Context(), "udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", fmt.Sprint(tries), "-T", "1", "-s", script,
		"-O", "staticroutes", "-O", "msstaticroutes", "-O", "mtu", "-O", "domain", "-O", "dns", "-O", "bootfile", "-O", "ntpsrv")
	if err != nil {
		return nil, err
	}
	return variables(out), nil
}

// variables are those that env printed.
func variables(text string) map[string]string {
	got := map[string]string{}
	for _, line := range lines(text) {
		if k, val, isVar := strings.Cut(line, "="); isVar {
			got[k] = val
		}
	}
	return got
}

// lease6Script is what dhclient runs: it notes what it was told and takes the address.
const lease6Script = `#!/bin/sh
case $reason in
BOUND6|RENEW6|REBIND6) env >"$TOLD" ;;
*) exit 0 ;;
esac
[ -z "$new_ip6_address" ] || ip -6 addr replace "$new_ip6_address/128" dev eth0 nodad
`

// lease6 has a virtual machine ask for an IPv6 address, or with "-S" for options alone, and returns what it
// was told, by dhclient's names.
func (f *fabric) lease6(v *vm, args ...string) (map[string]string, error) {
	f.t.Helper()
	dir := f.t.TempDir()
	script, told, pid := filepath.Join(dir, "lease6.sh"), filepath.Join(dir, "told"), filepath.Join(dir, "pid")
	ok(f.t, os.WriteFile(script, []byte(lease6Script), 0o700))
	// It stays to renew the lease, which is not what is tested; a kill does not give the lease back.
	line := `timeout 15 dhclient -6 -1 -D LL -sf "$0" -cf /dev/null -e TOLD="$1" -lf "$1.leases" -pf "$2" "${@:3}" eth0
		got=$?; [ ! -s "$2" ] || kill -9 "$(cat "$2")"; exit $got`
	if _, err := v.Output(f.t.Context(), "bash", append([]string{"-c", line, script, told, pid}, args...)...); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(told)
	return variables(string(text)), err
}

// leased has virtual machines get their addresses.
func (f *fabric) leased(vms ...*vm) {
	f.t.Helper()
	for _, v := range vms {
		got, err := f.lease(v, 10)
		ok(f.t, err)
		ok(f.t, wantEqual("address of "+v.Name, got["ip"], v.IP().String()))
	}
}

// router makes a router with interfaces on networks, and with a gateway if there is an outside.
func (f *fabric) router(project string, outside *network, inside ...network) string {
	f.t.Helper()
	attrs := object{"name": "router-" + project, "project_id": project}
	if outside != nil {
		attrs["external_gateway_info"] = object{"network_id": outside.ID}
	}
	id := text(f.t, f.create("routers", "router", attrs)["id"])
	for _, n := range inside {
		ok(f.t, f.api.put("/v2.0/routers/"+id+"/add_router_interface", object{"subnet_id": n.Subnet}, nil))
	}
	return id
}

// floatingIP gives a virtual machine an address of the outside.
func (f *fabric) floatingIP(outside network, v *vm) (id string, ip netip.Addr) {
	f.t.Helper()
	made := f.create("floatingips", "floatingip", object{"floating_network_id": outside.ID, "port_id": v.port.ID, "project_id": "tenant-a"})
	ip, err := netip.ParseAddr(text(f.t, made["floating_ip_address"]))
	ok(f.t, err)
	return text(f.t, made["id"]), ip
}

// fromInternet waits until the internet host reaches an address.
func (f *fabric) fromInternet(limit time.Duration, to netip.Addr) time.Duration {
	f.t.Helper()
	return eventually(f.t, limit, "the internet reaches "+to.String(), func() error {
		return f.lab.Internet(within(f.t, 10*time.Second), "ping", "-c1", "-W1", to.String()).Run()
	})
}

// sh runs a line of shell on a host.
func (f *fabric) sh(host, line string) string {
	f.t.Helper()
	out, err := f.host(host).Output(f.t.Context(), "sh", "-c", line)
	ok(f.t, err)
	return strings.TrimSpace(out)
}
