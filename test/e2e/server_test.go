package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a heddle server that can be killed and started again on the same data and addresses.
type server struct {
	t        testing.TB
	addr     netip.Addr // hosts reach it here
	api      string     // host:port
	openFlow string
	ovsdb    string
	dataDir  string
	flags    []string // further ones
	logFile  string

	process *process // nil while it does not run
}

// newServer prepares a server for hosts that reach this machine at addr; start starts it. When the
// test has failed, the end of its log is shown.
func newServer(t testing.TB, addr netip.Addr, flags ...string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, addr: addr, api: "127.0.0.1:" + freePort(t, "127.0.0.1"), openFlow: net.JoinHostPort(addr.String(), freePort(t, addr.String())),
		ovsdb: net.JoinHostPort(addr.String(), freePort(t, addr.String())), dataDir: filepath.Join(dir, "data"),
		flags: flags, logFile: filepath.Join(dir, "server.log")}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("end of the server's log:\n%s", s.logTail(12000))
		}
	})
	return s
}

// freePort finds a port that nobody listens on, below those that the kernel gives to outgoing
// connections: one of these could take it while the server is down.
func freePort(t testing.TB, host string) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10000 + randN(20000))
		ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			continue
		}
		ok(t, ln.Close())
		return port
	}
	t.Fatalf("no free port on %s", host)
	return ""
}

// command is the server's command line.
func (s *server) command() *exec.Cmd {
	cmd := exec.Command(program, append([]string{"server", "--data-dir", s.dataDir, "--listen-api", s.api, "--listen-openflow", s.openFlow,
		"--listen-ovsdb", s.ovsdb, "--log-level", "debug"}, s.flags...)...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "HEDDLE_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	return cmd
}

// start starts the server and waits until its API answers.
func (s *server) start() {
	s.t.Helper()
	s.launch()
	eventually(s.t, 20*time.Second, "server answers", func() error {
		if s.process.ended() {
			s.t.Fatalf("server ended by itself: %v\n%s", s.process.err, s.logTail(4000))
		}
		return newClient(s.api).get("/livez", nil)
	})
}

// launch starts the server and waits for nothing.
func (s *server) launch() {
	s.t.Helper()
	log, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ok(s.t, err)
	defer log.Close()
	cmd := s.command()
	cmd.Stdout, cmd.Stderr = log, log
	s.process, err = startProcess(cmd)
	ok(s.t, err)
}

// kill ends the server as a crash does.
func (s *server) kill() {
	if s.process != nil {
		s.process.signal(syscall.SIGKILL)
		s.process.wait()
		s.process = nil
	}
}

// stop ends the server in good order.
func (s *server) stop() {
	s.t.Helper()
	s.process.signal(syscall.SIGTERM)
	select {
	case <-s.process.done:
	case <-time.After(10 * time.Second):
		s.t.Fatal("server does not end within 10 s of SIGTERM")
	}
	if s.process.err != nil {
		s.t.Fatalf("server ended on SIGTERM with %v", s.process.err)
	}
	s.process = nil
}

func (s *server) logTail(n int) string {
	text, err := os.ReadFile(s.logFile)
	if err != nil {
		return err.Error()
	}
	if len(text) > n {
		text = text[len(text)-n:]
	}
	return string(bytes.ToValidUTF8(text, nil))
}

// process is a child that ends with this process, however that ends.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // then, how
}

// startProcess starts a command. The signal that ends the child with us comes when the thread ends
// that started it, so one thread does nothing else until the child has ended.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

func (p *process) signal(sig syscall.Signal) {
	if !p.ended() {
		_ = syscall.Kill(p.pid, sig) // it may end at this moment
	}
}

func (p *process) wait() { <-p.done }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// exitCode is the code a process ended with, -1 if a signal ended it.
func (p *process) exitCode() int {
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}
