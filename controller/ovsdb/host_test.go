package ovsdb

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/reconcile"
)

const schemaFile = "/usr/share/openvswitch/vswitch.ovsschema"

// testHost is a real ovsdb-server, and an ovs-vswitchd if a test asks for one, in a directory of its own.
type testHost struct {
	t      testing.TB
	dir    string
	server *exec.Cmd
	args   []string
}

// newHost starts the database of a host. Arguments are added to ovsdb-server's.
func newHost(t testing.TB, args ...string) *testHost {
	t.Helper()
	for _, bin := range []string{"ovsdb-tool", "ovsdb-server", "ovs-vsctl"} {
		if _, err := exec.LookPath(bin); err != nil {
			t.Skipf("needs Open vSwitch: %v", err)
		}
	}
	// Not t.TempDir: its names may be too long for a unix socket.
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &testHost{t: t, dir: dir, args: args}
	h.run("ovsdb-tool", "create", h.path("conf.db"), schemaFile)
	h.startServer()
	h.vsctl("init")
	return h
}

func (h *testHost) path(name string) string { return filepath.Join(h.dir, name) }

func (h *testHost) startServer() {
	h.t.Helper()
	os.Remove(h.path("db.sock"))
	args := append([]string{h.path("conf.db"), "--remote=punix:" + h.path("db.sock"),
		"--remote=db:Open_vSwitch,Open_vSwitch,manager_options", "--unixctl=" + h.path("db.ctl"), "-vconsole:err"}, h.args...)
	h.server = h.start(nil, "ovsdb-server", args...)
	eventually(h.t, "ovsdb-server listens", func() bool {
		c, err := net.Dial("unix", h.path("db.sock"))
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

func (h *testHost) stopServer() { stop(h.server) }

// startVSwitchd starts ovs-vswitchd in a network namespace of its own.
func (h *testHost) startVSwitchd() *exec.Cmd {
	h.t.Helper()
	if os.Geteuid() != 0 {
		h.t.Skip("needs root: ovs-vswitchd makes network devices")
	}
	cmd := h.start(&syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}, "ovs-vswitchd", "unix:"+h.path("db.sock"),
		"--unixctl="+h.path("vs.ctl"), "-vconsole:off", "--disable-system")
	return cmd
}

func (h *testHost) start(attr *syscall.SysProcAttr, name string, args ...string) *exec.Cmd {
	h.t.Helper()
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Pdeathsig = syscall.SIGKILL
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = attr
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+h.dir, "OVS_LOGDIR="+h.dir, "OVS_DBDIR="+h.dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { stop(cmd) })
	return cmd
}

func stop(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

func (h *testHost) run(name string, args ...string) string {
	h.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// vsctl runs ovs-vsctl without waiting for ovs-vswitchd.
func (h *testHost) vsctl(args ...string) string {
	h.t.Helper()
	return h.run("ovs-vsctl", append([]string{"--db=unix:" + h.path("db.sock"), "--no-wait", "--timeout=10"}, args...)...)
}

// show returns ovs-vsctl show without the first line, a random uuid.
func (h *testHost) show() string {
	_, s, _ := strings.Cut(h.vsctl("show"), "\n")
	return s + "\n"
}

// dial returns a session to the host over its unix socket.
func (h *testHost) dial() *Session {
	h.t.Helper()
	return h.dialTo("unix:"+h.path("db.sock"), Options{})
}

func (h *testHost) dialTo(target string, opt Options) *Session {
	h.t.Helper()
	network, address, secure, err := ParseTarget(target)
	if err != nil {
		h.t.Fatal(err)
	}
	d := &Dialer{Options: opt}
	s, err := d.dial(h.t.Context(), network, address, secure)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { s.Close() })
	return s
}

// converge makes passes like a reconcile loop until there is nothing to change, at most three.
func converge(t *testing.T, s *Session, want ...row.Row) {
	t.Helper()
	for range 3 {
		c := difference(t, s, want...)
		if c.Empty() {
			return
		}
		if err := s.Apply(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if c := difference(t, s, want...); !c.Empty() {
		t.Fatalf("still to do after three passes: %+v", c)
	}
}

func difference(t *testing.T, s *Session, want ...row.Row) reconcile.Change[row.Key, row.Row] {
	t.Helper()
	have, err := s.Actual(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return reconcile.Diff(row.Map(want...), have, s.Equal)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 15 s: %s", what)
		}
	}
}

func quiet() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

// listen serves hosts on a loopback port and returns its manager target and the sessions that come in. It ends with
// the test.
func listen(t *testing.T, l *Listener) (target string, sessions <-chan *Session) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Listener = ln
	if l.Log == nil {
		l.Log = quiet()
	}
	ctx, cancel := context.WithCancel(t.Context())
	ch := make(chan *Session, 16)
	done := make(chan error)
	go func() {
		done <- l.Serve(ctx, func(ctx context.Context, s *Session) {
			ch <- s
			<-ctx.Done() // ends with the session
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), ch
}

func receive(t *testing.T, sessions <-chan *Session) *Session {
	t.Helper()
	select {
	case s := <-sessions:
		return s
	case <-time.After(15 * time.Second):
		t.Fatal("no session within 15 s")
		return nil
	}
}

type (
	change    = reconcile.Change[row.Key, row.Row]
	operation = ovsdb.Operation
)
