// Package ovstest gives tests a private Open vSwitch: an ovsdb-server and an ovs-vswitchd with a datapath in memory,
// reachable over unix sockets in a directory of their own. It needs no network namespace, touches no device of the
// machine, and is gone when the test ends, or when the test's process dies.
package ovstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// schema is where Debian's openvswitch-common keeps the database schema.
const schema = "/usr/share/openvswitch/vswitch.ovsschema"

// startTimeout bounds the wait for a daemon to answer; commandTimeout that for a command to end.
const (
	startTimeout   = 20 * time.Second
	commandTimeout = 30 * time.Second
)

// OVS is a running Open vSwitch. Its methods may be called from the test's goroutine only, since they may end the test.
type OVS struct {
	RunDir string // sockets, pid files, logs and the database

	t        testing.TB
	vswitchd *process
	opts     Options
}

// Options say how Open vSwitch is started.
type Options struct {
	// Tunnels makes tunnels known to the datapath, so that ofproto/trace says what a packet enters one with; without it
	// they are ports like any other there.
	Tunnels bool
}

// Start starts an empty Open vSwitch and ends it when the test does. It skips the test where Open vSwitch is not
// installed or the user is not root.
//
// The daemons run with --enable-dummy=override: bridges, ports and tunnels are made in the usual way and behave in
// OpenFlow, OVSDB and ofproto/trace, but no packet leaves the process. Inject some with
// AppCtl("netdev-dummy/receive", port, packet).
func Start(t testing.TB) *OVS {
	t.Helper()
	return StartWith(t, Options{})
}

// StartWith is Start with options.
func StartWith(t testing.TB, opts Options) *OVS {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to run ovs-vswitchd")
	}
	for _, name := range []string{"ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl", "ovs-appctl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs Open vSwitch: %v", err)
		}
	}
	// Not t.TempDir: the path of a unix socket must be shorter than 108 bytes.
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatalf("make run directory: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })

	o := &OVS{RunDir: dir, t: t, opts: opts}
	o.mustRun("ovsdb-tool", "create", o.path("conf.db"), schema)
	db, err := o.daemon("ovsdb-server", o.path("conf.db"), "--remote=punix:"+o.path("db.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.stop)
	if err := o.await(db, "db.sock"); err != nil {
		t.Fatal(err)
	}
	o.mustRun("ovs-vsctl", "--no-wait", "init")
	o.startVswitchd()
	t.Cleanup(o.KillVswitchd)
	return o
}

// VSCtl runs ovs-vsctl and gives what it prints; it waits for ovs-vswitchd to have done the change. If the command
// fails, so does the test.
func (o *OVS) VSCtl(args ...string) string {
	o.t.Helper()
	return o.mustRun("ovs-vsctl", append([]string{"--timeout=20"}, args...)...)
}

// OFCtl runs ovs-ofctl for OpenFlow 1.3 and gives what it prints. If the command fails, so does the test.
func (o *OVS) OFCtl(args ...string) string {
	o.t.Helper()
	return o.mustRun("ovs-ofctl", append([]string{"-O", "OpenFlow13"}, args...)...)
}

// AppCtl runs ovs-appctl against ovs-vswitchd and gives what it prints. If the command fails, so does the test.
func (o *OVS) AppCtl(args ...string) string {
	o.t.Helper()
	return o.mustRun("ovs-appctl", append([]string{"-t", o.path("vswitchd.ctl")}, args...)...)
}

// Run runs any of Open vSwitch's commands against this one and gives its standard output. The error holds what it
// printed to standard error.
func (o *OVS) Run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = o.environ()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// AddBridge makes a bridge in fail mode secure, with OpenFlow 1.3 allowed and no flows.
func (o *OVS) AddBridge(name string) {
	o.t.Helper()
	args := []string{"add-br", name, "--", "set-fail-mode", name, "secure", "--", "set", "bridge", name, "protocols=OpenFlow13"}
	if o.opts.Tunnels {
		args = append(args, "datapath_type=dummy")
	}
	o.VSCtl(args...)
	if o.opts.Tunnels {
		// A datapath in memory would do the encapsulation by itself, and fail for want of routes.
		o.AppCtl("dpif/set-dp-features", name, "tnl_push_pop", "false")
	}
}

// AddPort makes a port of a bridge with the OpenFlow port number given.
func (o *OVS) AddPort(bridge, name string, number int) {
	o.t.Helper()
	o.VSCtl("add-port", bridge, name, "--", "set", "interface", name, fmt.Sprint("ofport_request=", number))
}

// MgmtSocket is the path of the unix socket on which a bridge accepts OpenFlow connections, as ovs-ofctl uses it. Such
// a connection is a "service" connection: no asynchronous messages before it asks for them.
func (o *OVS) MgmtSocket(bridge string) string { return o.path(bridge + ".mgmt") }

// DBSocket is the path of the unix socket on which ovsdb-server accepts OVSDB connections.
func (o *OVS) DBSocket() string { return o.path("db.sock") }

// RestartVswitchd kills ovs-vswitchd and starts it again, as after a crash: the database stays, flows are gone. It
// returns when the daemon answers; bridges may take a moment longer to listen.
func (o *OVS) RestartVswitchd() {
	o.t.Helper()
	o.KillVswitchd()
	o.startVswitchd()
}

// KillVswitchd kills ovs-vswitchd with SIGKILL and returns when it is gone. It may be called again without effect.
func (o *OVS) KillVswitchd() {
	if o.vswitchd != nil {
		o.vswitchd.stop()
		o.vswitchd = nil
	}
}

// StartVswitchd starts ovs-vswitchd after KillVswitchd.
func (o *OVS) StartVswitchd() {
	o.t.Helper()
	if o.vswitchd == nil {
		o.startVswitchd()
	}
}

func (o *OVS) startVswitchd() {
	o.t.Helper()
	// A socket left by a killed daemon would look like a living one.
	os.Remove(o.path("vswitchd.ctl"))
	dummy := "--enable-dummy=override"
	if o.opts.Tunnels {
		dummy = "--enable-dummy=system"
	}
	p, err := o.daemon("ovs-vswitchd", "unix:"+o.path("db.sock"), dummy, "--disable-system")
	if err != nil {
		o.t.Fatal(err)
	}
	o.vswitchd = p
	if err := o.await(p, "vswitchd.ctl"); err != nil {
		o.t.Fatal(err)
	}
	// cur_cfg moves once the bridges of the database are there.
	o.VSCtl("set", "open_vswitch", ".", "external_ids:ovstest=started")
}

func (o *OVS) path(name string) string { return filepath.Join(o.RunDir, name) }

func (o *OVS) environ() []string {
	return append(os.Environ(), "OVS_RUNDIR="+o.RunDir, "OVS_LOGDIR="+o.RunDir, "OVS_DBDIR="+o.RunDir, "OVS_SYSCONFDIR="+o.RunDir)
}

func (o *OVS) mustRun(name string, args ...string) string {
	o.t.Helper()
	out, err := o.Run(name, args...)
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

// daemon starts name in the foreground with its control socket at <name without prefix>.ctl and its log at name.log.
func (o *OVS) daemon(name string, args ...string) (*process, error) {
	short := strings.TrimPrefix(name, "ovs-")
	log, err := os.OpenFile(o.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	defer log.Close()
	cmd := exec.Command(name, append(args, "--unixctl="+o.path(short+".ctl"), "--pidfile="+o.path(name+".pid"), "--overwrite-pidfile", "--no-chdir")...)
	cmd.Env = o.environ()
	cmd.Stdout, cmd.Stderr = log, log
	return start(cmd)
}

// await waits until something accepts connections on a socket of the run directory.
func (o *OVS) await(p *process, socket string) error {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("unix", o.path(socket)); err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-p.done:
			log, _ := os.ReadFile(o.path(filepath.Base(p.name) + ".log"))
			return fmt.Errorf("%s ended at once: %w\n%s", p.name, errors.Join(p.err, errEnded), log)
		case <-deadline.C:
			return fmt.Errorf("%s does not listen on %s after %s", p.name, socket, startTimeout)
		}
	}
}

var errEnded = errors.New("process ended")
