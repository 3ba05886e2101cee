package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

// fabric is a server and the hosts it controls.
type fabric struct {
	t      testing.TB
	lab    *lab.Lab
	server *server
	api    *client
}

var labs atomic.Int64

// newFabric builds a lab and starts a server beside it. The hosts have not joined yet.
func newFabric(t testing.TB, cfg lab.Config, flags ...string) *fabric {
	t.Helper()
	cfg.Name = fmt.Sprintf("%s-%d", mark, labs.Add(1))
	l := labtest.Up(t, cfg)
	s := newServer(t, l.Address(), flags...)
	f := &fabric{t: t, lab: l, server: s, api: newClient(s.api)}
	s.start()
	return f
}

// newJoinedFabric is newFabric with n hosts that have joined.
func newJoinedFabric(t testing.TB, n int, flags ...string) *fabric {
	t.Helper()
	f := newFabric(t, lab.Config{Hosts: lab.Hosts(n)}, flags...)
	f.join(f.lab.Hosts()...)
	return f
}

// in returns the fabric for a subtest.
func (f *fabric) in(t testing.TB) *fabric {
	g := *f
	g.t = t
	return &g
}

func (f *fabric) host(name string) *lab.Host {
	f.t.Helper()
	h := f.lab.Host(name)
	if h == nil {
		f.t.Fatalf("lab has no host %s", name)
	}
	return h
}

// join runs the one stock command that joins a host and waits until the hosts are whole.
func (f *fabric) join(hosts ...*lab.Host) {
	f.t.Helper()
	for _, h := range hosts {
		ok(f.t, h.Join(f.t.Context(), "tcp:"+f.server.ovsdb))
	}
	for _, h := range hosts {
		f.awaitHost(h.Name)
	}
}

// hostState is what /v1/hosts says of a host.
type hostState struct {
	Name      string
	Connected bool
	Revision  uint64
	Targets   map[string]struct {
		Connected bool
		Error     string
	}
	Problems []struct{ Reason, Message string }
}

func (f *fabric) hostState(name string) (hostState, error) {
	var h hostState
	return h, f.api.get("/v1/hosts/"+name, &h)
}

// awaitHost waits until all that a host needs is connected.
func (f *fabric) awaitHost(name string) {
	f.t.Helper()
	eventually(f.t, 20*time.Second, "host "+name+" is connected", func() error {
		h, err := f.hostState(name)
		if err == nil && !(h.Connected && len(h.Targets) >= 2) {
			err = fmt.Errorf("it is %+v", h)
		}
		return err
	})
}

// network makes a network of a type for a project, with one subnet.
func (f *fabric) network(name, kind, project, cidr string, more ...object) network {
	f.t.Helper()
	attrs := object{"name": name, "project_id": project, "provider:network_type": kind}
	for _, m := range more {
		for k, v := range m {
			attrs[k] = v
		}
	}
	var made struct{ Network network }
	ok(f.t, f.api.post("/v2.0/networks", object{"network": attrs}, &made))
	n := made.Network
	var sub struct{ Subnet struct{ ID string } }
	ok(f.t, f.api.post("/v2.0/subnets", object{"subnet": object{"network_id": n.ID, "project_id": project, "ip_version": 4, "cidr": cidr,
		"gateway_ip": nil, "enable_dhcp": false}}, &sub))
	n.Subnet, n.Prefix = sub.Subnet.ID, netip.MustParsePrefix(cidr)
	return n
}

// port makes a port. Attributes may be overridden.
func (f *fabric) port(name string, n network, more ...object) port {
	f.t.Helper()
	attrs := object{"name": name, "network_id": n.ID}
	for _, m := range more {
		for k, v := range m {
			attrs[k] = v
		}
	}
	var made struct{ Port port }
	ok(f.t, f.api.post("/v2.0/ports", object{"port": attrs}, &made))
	return made.Port
}

// fixed is the attribute of a port with a given address.
func fixed(n network, ip string) object {
	return object{"fixed_ips": []object{{"subnet_id": n.Subnet, "ip_address": ip}}}
}

// vm is a virtual machine and the port it is plugged as.
type vm struct {
	*lab.VM
	port port
}

func (v *vm) IP() netip.Addr { return v.port.IP() }

// guest describes the virtual machine of a port.
func guest(host string, n network, p port) lab.VMConfig {
	return lab.VMConfig{Name: p.Name, Host: host, Port: p.ID, MAC: p.MAC, Addresses: []netip.Prefix{netip.PrefixFrom(p.IP(), n.Prefix.Bits())}, MTU: 1400}
}

// plug makes the virtual machine of a port and plugs it in.
func (f *fabric) plug(host string, n network, p port) *vm {
	f.t.Helper()
	m, err := f.lab.PlugVM(f.t.Context(), guest(host, n, p))
	ok(f.t, err)
	return &vm{m, p}
}

// vm makes a port and plugs its virtual machine.
func (f *fabric) vm(name, host string, n network, more ...object) *vm {
	f.t.Helper()
	return f.plug(host, n, f.port(name, n, more...))
}

// awaitStatus waits for the status of ports.
func (f *fabric) awaitStatus(limit time.Duration, status string, vms ...*vm) {
	f.t.Helper()
	for _, v := range vms {
		f.awaitPort(limit, v.port.ID, status, "")
	}
}

// awaitPort waits until a port has a status and, if one is given, a reason for it.
func (f *fabric) awaitPort(limit time.Duration, id, status, reason string) portState {
	f.t.Helper()
	var s portState
	eventually(f.t, limit, fmt.Sprintf("port %s is %s %s", id, status, reason), func() (err error) {
		if s, err = f.api.portState(id); err != nil {
			return err
		}
		if s.Status != status || reason != "" && s.reason() != reason {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	})
	return s
}

// active waits until the ports of virtual machines are ACTIVE.
func (f *fabric) active(vms ...*vm) {
	f.t.Helper()
	f.awaitStatus(15*time.Second, "ACTIVE", vms...)
}

// reaches fails the test unless a ping is answered in time; it returns how long that took.
func (f *fabric) reaches(limit time.Duration, from *vm, to netip.Addr) time.Duration {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), limit)
	defer cancel()
	took, err := from.WaitPing(ctx, to)
	ok(f.t, err)
	return took
}

// allReach fails the test unless every virtual machine reaches every other one.
func (f *fabric) allReach(limit time.Duration, vms ...*vm) {
	f.t.Helper()
	for _, a := range vms {
		for _, b := range vms {
			if a != b {
				f.reaches(limit, a, b.IP())
			}
		}
	}
}

// unreachable fails the test if one of some pings is answered.
func (f *fabric) unreachable(from *vm, to netip.Addr) {
	f.t.Helper()
	n, err := from.Ping(f.t.Context(), to, 5)
	if err == nil && n > 0 {
		f.t.Fatalf("%s reaches %s: %d of 5 pings were answered", from.Name, to, n)
	}
}

// cutOff waits until pings are not answered any more, and checks that it stays so.
func (f *fabric) cutOff(from *vm, to netip.Addr) {
	f.t.Helper()
	eventually(f.t, 5*time.Second, to.String()+" is out of "+from.Name+"'s reach", func() error {
		n, err := from.Ping(f.t.Context(), to, 1)
		return errors.Join(err, wantEqual("number of answers", n, 0))
	})
	f.unreachable(from, to)
}

// ofctl runs ovs-ofctl on a host.
func (f *fabric) ofctl(host string, args ...string) string {
	f.t.Helper()
	out, err := f.tryOfctl(host, args...)
	ok(f.t, err)
	return out
}

func (f *fabric) tryOfctl(host string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	return f.lab.Host(host).Output(ctx, "ovs-ofctl", append([]string{"-O", "OpenFlow13"}, args...)...)
}

// vsctl runs ovs-vsctl on a host.
func (f *fabric) vsctl(host string, args ...string) string {
	f.t.Helper()
	out, err := f.lab.Host(host).Vsctl(f.t.Context(), args...)
	ok(f.t, err)
	return out
}

// dump returns the lines of ovs-ofctl dump-flows that a filter selects, without counters.
func (f *fabric) dump(host, bridge, filter string) []string {
	f.t.Helper()
	args := []string{"--no-stats", "dump-flows", bridge}
	if filter != "" {
		args = append(args, filter)
	}
	return lines(f.ofctl(host, args...))
}

// lines returns the lines of a text that are not empty, without the blanks around them.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// isLearned says of a line of ovs-ofctl that its flow was made by the switch.
func isLearned(line string) bool { return strings.Contains(line, "cookie=0x5d04") }

// foreignCookie is the cookie of flows that tests add in someone else's name.
const foreignCookie = "0x1234"

// diffFlows compares what Heddle wants of a bridge with what is there, by Open vSwitch's own tool,
// and returns the differences. Learned flows and those of others are wanted by nobody and are left out.
func (f *fabric) diffFlows(host, bridge string) ([]string, error) {
	dpid, err := f.api.switchOf(host, bridge)
	if err != nil {
		return nil, err
	}
	flows, err := f.api.flows(dpid, "?state=ok,missing,altered")
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, w := range flows {
		if w.State == "altered" {
			w.Text = w.Wanted
		}
		fmt.Fprintln(&text, w.Text)
	}
	file := filepath.Join(f.t.TempDir(), host+"-"+bridge+".flows")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	h := f.lab.Host(host)
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	// The host's /tmp is this machine's. diff-flows exits with 2 if there are differences.
	out, err := h.Output(ctx, "sh", "-c", `ovs-ofctl -O OpenFlow13 diff-flows "$1" "$2" || [ $? -eq 2 ]`, "diff", file, bridge)
	if err != nil {
		return nil, err
	}
	var diff []string
	for _, line := range lines(out) {
		if !isLearned(line) && !strings.Contains(line, "cookie="+foreignCookie) {
			diff = append(diff, line)
		}
	}
	if len(flows) == 0 {
		return diff, fmt.Errorf("no flow is wanted on %s of %s", bridge, host)
	}
	return diff, nil
}

// noDrift fails the test if the server found something altered by others: where nobody altered
// anything, it would have to be a mistake of its own.
func (f *fabric) noDrift() {
	f.t.Helper()
	evs, err := f.api.events(0)
	ok(f.t, err)
	for _, e := range evs {
		if e.Kind == "drift" {
			f.t.Errorf("event of %s: %s", e.Host, e.Body)
		}
	}
}

// asWanted waits until the bridges of hosts hold exactly what Heddle wants.
func (f *fabric) asWanted(limit time.Duration, hosts ...string) {
	f.t.Helper()
	for _, h := range hosts {
		for _, bridge := range []string{"br-int", "br-tun"} {
			eventually(f.t, limit, bridge+" of "+h+" is as wanted", func() error {
				diff, err := f.diffFlows(h, bridge)
				if err == nil && len(diff) > 0 {
					err = fmt.Errorf("diff-flows says:\n%s", strings.Join(diff, "\n"))
				}
				return err
			})
		}
	}
}
