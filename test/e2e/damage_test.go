package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

// unstarted is a fabric whose server does not run yet.
func unstarted(t testing.TB, hosts int, flags ...string) *fabric {
	t.Helper()
	l := labtest.Up(t, lab.Config{Name: fmt.Sprintf("%s-%d", mark, labs.Add(1)), Hosts: lab.Hosts(hosts)})
	s := newServer(t, l.Address(), flags...)
	return &fabric{t: t, lab: l, server: s, api: newClient(s.api)}
}

// heddle runs a command of the program under test and returns its output, both streams, and its exit code.
func heddle(t testing.TB, args ...string) (output string, code int) {
	t.Helper()
	return exitOf(t, exec.CommandContext(within(t, 20*time.Second), program, args...))
}

// exitOf runs a command to its end.
func exitOf(t testing.TB, cmd *exec.Cmd) (output string, code int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", cmd, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// refusal starts a server that must not come up, and returns what it said.
func (s *server) refusal() string {
	s.t.Helper()
	return s.refusalOf(s.command())
}

// refusalOf is refusal for another command line of a server.
func (s *server) refusalOf(cmd *exec.Cmd) string {
	s.t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := startProcess(cmd)
	ok(s.t, err)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.signal(syscall.SIGKILL)
		p.wait()
		s.t.Fatalf("the server runs:\n%s", out.String())
	}
	if p.exitCode() != 1 {
		s.t.Errorf("exit code %d, want 1", p.exitCode())
	}
	return out.String()
}

// awaitSnapshot waits until there is a snapshot of all that the store holds.
func (f *fabric) awaitSnapshot() {
	f.t.Helper()
	eventually(f.t, 10*time.Second, "a snapshot of the newest revision", func() error {
		var overview struct{ Revision uint64 }
		if err := f.api.get("/v1/status", &overview); err != nil {
			return err
		}
		found, err := filepath.Glob(filepath.Join(f.server.dataDir, "snapshots", fmt.Sprintf("heddle-%06d-*.db", overview.Revision)))
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("there is none of revision %d", overview.Revision)
		}
		if err != nil {
			return err
		}
		return nil
	})
}

// The store is damaged in every way that disks and people know. The server says what to do, that helps,
// and the hosts notice nothing of it.
func TestDamagedStoreIsRestoredByThePrintedCommand(t *testing.T) {
	labtest.Skip(t)
	f := unstarted(t, 2, "--snapshot-every", "100ms")
	f.server.dataDir = filepath.Join(t.TempDir(), "data of Heddle's") // the command must survive a shell
	f.server.start()
	f.join(f.lab.Hosts()...)
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	a, b := f.vm("a", "net1", red), f.vm("b", "cmp1", red)
	f.active(a, b)
	f.reaches(5*time.Second, a, b.IP())
	f.asWanted(10*time.Second, "net1", "cmp1")
	unchanged := f.untouched("net1", "cmp1")
	pings := probeFrom(t, a.VM, b.IP(), 20*time.Millisecond)

	file := filepath.Join(f.server.dataDir, "heddle.db")
	overwrite := func(change func([]byte) []byte) func() error {
		return func() error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, change(text), 0o600)
		}
	}
	for _, c := range []struct {
		name   string
		damage func() error
	}{
		// Not in half: the file grows ahead of what it holds, and nothing may be lost with its end.
		{"truncated_to_three_pages", overwrite(func(b []byte) []byte { return b[:3*4096] })},
		{"truncated_to_one_page", overwrite(func(b []byte) []byte { return b[:4096] })},
		{"emptied", overwrite(func([]byte) []byte { return nil })},
		{"zeroed", overwrite(func(b []byte) []byte { return make([]byte, len(b)) })},
		{"one_header_zeroed", overwrite(func(b []byte) []byte { clear(b[:4096]); return b })},
		{"bytes_flipped", overwrite(func(b []byte) []byte {
			for i := 8192 + 100; i < len(b); i += 512 {
				b[i] ^= 0x40
			}
			return b
		})},
		{"replaced_by_a_text", overwrite(func([]byte) []byte { return []byte("see the wiki\n") })},
		{"deleted", func() error { return os.Remove(file) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := f.in(t)
			f.awaitSnapshot()
			f.server.kill()
			ok(t, c.damage())
			text := f.server.refusal()
			m := regexp.MustCompile(`(?m)^  (heddle restore .*)$`).FindStringSubmatch(text)
			if m == nil || !strings.Contains(text, file) {
				t.Fatalf("no command, or no file, in:\n%s", text)
			}
			cmd := exec.CommandContext(within(t, 20*time.Second), "sh", "-c", m[1])
			cmd.Env = []string{"PATH=" + filepath.Dir(program)}
			if out, code := exitOf(t, cmd); code != 0 || !strings.Contains(out, "restored revision") {
				t.Fatalf("%s: exit code %d:\n%s", m[1], code, out)
			}
			f.server.start()
			f.awaitHost("net1")
			f.awaitHost("cmp1")
			f.active(a, b)
			var made struct{ Port port }
			ok(t, f.api.post("/v2.0/ports", object{"port": object{"network_id": red.ID}}, &made))
			ok(t, f.api.delete("/v2.0/ports/"+made.Port.ID))
		})
	}
	if sent, lost := pings.end(); sent < 50 || len(lost) > 0 {
		t.Errorf("%d of %d pings were lost", len(lost), sent)
	}
	f.asWanted(10*time.Second, "net1", "cmp1")
	unchanged(t, nil)
}

func TestRestoreRefusesWhatWouldDoHarm(t *testing.T) {
	labtest.Skip(t)
	s := newServer(t, loopback, "--snapshot-every", "100ms")
	s.start()
	f := &fabric{t: t, server: s, api: newClient(s.api)}
	f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	f.awaitSnapshot()
	list, _ := heddle(t, "restore", "--list", "--data-dir", s.dataDir)
	newest, _, _ := strings.Cut(list, "\t")
	restore := func(snapshot string) (string, int) {
		return heddle(t, "restore", "--data-dir", s.dataDir, "--snapshot", snapshot)
	}

	if out, code := restore(newest); code == 0 || !strings.Contains(out, fmt.Sprintf("process %d", s.process.pid)) {
		t.Errorf("while the server runs: exit code %d, %s", code, out)
	}
	s.stop()
	bad := filepath.Join(filepath.Dir(newest), "heddle-999999-20990101T000000Z.db")
	ok(t, os.WriteFile(bad, bytes.Repeat([]byte("x"), 65536), 0o600))
	if out, code := restore(bad); code == 0 || !strings.Contains(out, bad) {
		t.Errorf("a damaged snapshot: exit code %d, %s", code, out)
	}
	if list, code := heddle(t, "restore", "--list", "--data-dir", s.dataDir); code != 0 || !strings.Contains(list, bad+"\tdamaged: ") || !strings.Contains(list, newest+"\trevision ") {
		t.Errorf("list, exit code %d:\n%s", code, list)
	}
	// The newest snapshot is damaged, so the command names the one before.
	ok(t, os.Truncate(filepath.Join(s.dataDir, "heddle.db"), 100))
	if text := s.refusal(); !strings.Contains(text, newest) || strings.Contains(text, bad) {
		t.Errorf("want the command to name %s:\n%s", newest, text)
	}
	if out, code := restore(newest); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	s.start()
	var list2 struct{ Networks []network }
	ok(t, f.api.get("/v2.0/networks", &list2))
	if len(list2.Networks) != 1 || list2.Networks[0].Name != "red" {
		t.Errorf("networks after restore: %+v", list2.Networks)
	}
}

// small is the size of the disk in bytes that a test fills.
const small = 8 << 20

// launchOnSmallDisk starts the server with its data on a small file system of its own, that no other
// process sees and that ends with it. It returns the path by which this process reaches it.
func (s *server) launchOnSmallDisk() string {
	s.t.Helper()
	ok(s.t, os.MkdirAll(s.dataDir, 0o700))
	cmd := s.command()
	script := fmt.Sprintf(`mount -t tmpfs -o size=%d tmpfs "$0" && exec "$@"`, small)
	cmd.Args = append([]string{"unshare", "--mount", "sh", "-c", script, s.dataDir}, cmd.Args...)
	var err error
	cmd.Path, err = exec.LookPath("unshare")
	ok(s.t, err)
	log, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ok(s.t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	s.process, err = startProcess(cmd)
	ok(s.t, err)
	eventually(s.t, 20*time.Second, "server answers", func() error { return newClient(s.api).get("/livez", nil) })
	return filepath.Join(fmt.Sprintf("/proc/%d/root", s.process.pid), s.dataDir)
}

// fill writes a file until the disk has no room.
func fill(t testing.TB, path string) {
	t.Helper()
	file, err := os.Create(path)
	ok(t, err)
	defer file.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	labtest.Skip(t)
	f := unstarted(t, 2)
	disk := f.server.launchOnSmallDisk()
	f.join(f.lab.Hosts()...)
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	a, b := f.vm("a", "net1", red), f.vm("b", "cmp1", red)
	c := f.port("c", red)
	f.active(a, b)
	f.reaches(5*time.Second, a, b.IP())
	f.asWanted(10*time.Second, "net1", "cmp1")
	readyz := func() (int, string) {
		resp, err := http.Get("http://" + f.server.api + "/readyz?verbose")
		ok(t, err)
		defer resp.Body.Close()
		var text bytes.Buffer
		_, err = text.ReadFrom(resp.Body)
		ok(t, err)
		return resp.StatusCode, text.String()
	}
	if c, text := readyz(); c != http.StatusOK || !strings.Contains(text, "[+]store ok") {
		t.Errorf("readyz before: %d %s", c, text)
	}
	var before struct{ Ports []port }
	ok(t, f.api.get("/v2.0/ports", &before))
	pings := probeFrom(t, a.VM, b.IP(), 20*time.Millisecond)

	fill(t, filepath.Join(disk, "ballast"))
	made := len(before.Ports)
	// A little may fit where the file has room inside.
	refused := func() (status int, body string) {
		t.Helper()
		for range 2000 {
			err := f.api.post("/v2.0/ports", object{"port": object{"network_id": red.ID}}, nil)
			if err != nil {
				return code(err)
			}
			made++
		}
		t.Fatal("a full disk takes 2000 ports")
		return 0, ""
	}
	status, body := refused()
	var answer struct {
		NeutronError struct{ Type, Message, Detail string }
	}
	if json.Unmarshal([]byte(body), &answer) != nil || answer.NeutronError.Type == "" || status != 500 && status != 503 {
		t.Errorf("POST on a full disk: %d %s", status, body)
	}
	eventually(t, 5*time.Second, "readyz tells that the disk is full", func() error {
		refused()
		if c, text := readyz(); c != http.StatusServiceUnavailable || !strings.Contains(text, "[-]store") || !strings.Contains(text, "no space left") {
			return fmt.Errorf("%d %s", c, text)
		}
		return nil
	})
	f.server.awaitLog(time.Second, "store cannot be written", "no space left")
	var list struct{ Ports []port }
	ok(t, f.api.get("/v2.0/ports", &list))
	if len(list.Ports) != made {
		t.Errorf("%d ports, and %d were acknowledged", len(list.Ports), made)
	}
	v := f.plug("cmp1", red, c) // it may be that this cannot be stored
	always(t, 300*time.Millisecond, "a full disk can be read", func() error { return f.api.get("/v2.0/ports/"+c.ID, &struct{}{}) })
	refused()
	ok(t, os.Remove(filepath.Join(disk, "ballast")))
	// Nobody writes: the server finds out by itself, and takes up what it could not store.
	eventually(t, 5*time.Second, "server is ready again", func() error {
		c, text := readyz()
		if c != http.StatusOK {
			return errors.New(text)
		}
		return nil
	})
	f.active(v)
	f.reaches(5*time.Second, v, a.IP())
	f.server.awaitLog(time.Second, "store can be written again")
	ok(t, f.api.post("/v2.0/ports", object{"port": object{"network_id": red.ID}}, nil))
	if sent, lost := pings.end(); sent < 10 || len(lost) > 0 {
		t.Errorf("%d of %d pings were lost", len(lost), sent)
	}
}
