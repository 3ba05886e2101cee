package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// program is the heddle under test, built once for all tests.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "heddle-ui")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "heddle")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/heddle").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building heddle: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// modules are the browser driver and axe, as `make ui-check` installs them.
const modules = "../../northbound/dashboard/ui/node_modules"

// needBrowser skips the test where there is no browser, or nothing to drive one with.
func needBrowser(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s: apt-get install nodejs npm chromium", program)
		}
	}
	if _, err := os.Stat(filepath.Join(modules, "playwright-core")); err != nil {
		t.Skip("needs the packages of the dashboard: make ui-check")
	}
}

// server is a heddle server that ends with the test.
type server struct {
	t   *testing.T
	url string
	pid int
}

// start starts a server whose API is at an address of this machine, with further flags.
func start(t *testing.T, host string, flags ...string) *server {
	t.Helper()
	dir := t.TempDir()
	free := func() string {
		ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		ok(t, err)
		defer ln.Close()
		return ln.Addr().String()
	}
	api := free()
	log, err := os.Create(filepath.Join(dir, "log"))
	ok(t, err)
	defer log.Close()
	cmd := exec.Command(program, append([]string{"server", "--data-dir", filepath.Join(dir, "data"), "--listen-api", api}, flags...)...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "HEDDLE_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ok(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name()) // without it there is nothing to show
			t.Logf("end of the server's log:\n%s", text[max(0, len(text)-6000):])
		}
	})
	s := &server{t: t, url: "http://" + api, pid: cmd.Process.Pid}
	s.eventually(20*time.Second, "the server answers", func() error {
		r, err := http.Get(s.url + "/livez")
		if err == nil {
			err = r.Body.Close()
		}
		return err
	})
	return s
}

type object map[string]any

// create posts an object of the Networking API and returns it.
func (s *server) create(plural, singular string, attrs object) object {
	s.t.Helper()
	var made map[string]object
	s.do("POST", "/v2.0/"+plural, object{singular: attrs}, &made)
	return made[singular]
}

// do sends a request and decodes the answer, which has to be a success.
func (s *server) do(method, path string, body, answer any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	ok(s.t, err)
	r, err := http.NewRequest(method, s.url+path, bytes.NewReader(text))
	ok(s.t, err)
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	ok(s.t, err)
	defer got.Body.Close()
	text, err = io.ReadAll(got.Body)
	ok(s.t, err)
	if got.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s", method, path, got.Status, text)
	}
	if answer != nil {
		ok(s.t, json.Unmarshal(text, answer))
	}
}

// eventually waits until check returns nil.
func (s *server) eventually(limit time.Duration, what string, check func() error) {
	s.t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Since(begin) > limit {
			s.t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}

// browse runs a script against the server; facts are what it is told in its environment.
func (s *server) browse(script string, facts map[string]string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "node", "--test-reporter=tap", "--test", script)
	cmd.Env = append(os.Environ(), "UI_URL="+s.url, "UI_PROGRAM="+program, fmt.Sprint("UI_PID=", s.pid))
	for name, value := range facts {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	s.t.Logf("%s", out)
	if err != nil {
		s.t.Errorf("%s: %v", script, err)
	}
}

// agent runs the node agent of a host until the test ends.
func (s *server) agent(h *lab.Host) {
	s.t.Helper()
	cmd := h.Command(s.t.Context(), program, "agent", "--server", s.url, "--host", h.Name, "--state-dir", filepath.Join(s.t.TempDir(), "state"))
	ok(s.t, cmd.Start())
	s.t.Cleanup(func() { _ = cmd.Wait() }) // killed when the test's context ends
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
