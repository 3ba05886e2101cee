package lab_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
	"github.com/heddle-sdn/heddle/lab/labtest"
)

// builderEnv makes this test binary a program that builds a lab: its value is the name, and whether
// the lab is to outlive it.
const builderEnv = "HEDDLE_TEST_BUILDS_LAB"

func TestMain(m *testing.M) {
	name, mode, asked := strings.Cut(os.Getenv(builderEnv), " ")
	if !asked {
		os.Exit(m.Run())
	}
	_, err := lab.Up(context.Background(), lab.Config{Name: name, Hosts: lab.Hosts(2), Detached: mode == "detached"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("built")
	if mode == "attached" {
		select {} // until killed
	}
}

// processName makes a lab's name differ from those of the same test in other processes.
func processName(name string) string { return fmt.Sprintf("%s-%d", name, os.Getpid()) }

// startBuilder starts another process that builds a lab. The returned function waits until it has.
func startBuilder(t *testing.T, name, mode string) (*exec.Cmd, func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), builderEnv+"="+name+" "+mode)
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if l, err := lab.Open("", name); err == nil {
			ok(t, l.Down())
		}
	})
	return cmd, func() {
		t.Helper()
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "built\n" {
			t.Fatalf("builder says %q", line)
		}
	}
}

// traces is what a lab has that could be left behind.
type traces struct {
	name       string
	link       string   // in this namespace
	namespaces []string // as readlink /proc/PID/ns/* shows them
}

// tracesOf keeps the namespaces from being freed until the test ends: the number of a freed one would
// be given to the next one, which may be of another test. What runs in them is seen to end all the same.
func tracesOf(t *testing.T, l *lab.Lab) traces {
	t.Helper()
	tr := traces{name: l.Name()}
	if a := l.Address(); a.IsValid() {
		b := a.As4()
		tr.link = fmt.Sprintf("heddle-%02x%02x%02x00", b[0], b[1], b[2])
	}
	for _, h := range l.Hosts() {
		for _, ns := range []string{"net", "mnt", "pid", "uts", "ipc"} {
			path := fmt.Sprintf("/proc/%d/ns/%s", h.PID(), ns)
			keep, err := os.Open(path)
			if err != nil {
				continue // not started yet
			}
			t.Cleanup(func() { keep.Close() })
			if id, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", keep.Fd())); err == nil {
				tr.namespaces = append(tr.namespaces, id)
			}
		}
	}
	return tr
}

// left lists what is still there.
func (tr traces) left() (found []string) {
	if _, err := os.Stat(filepath.Join(lab.DefaultDir, tr.name)); err == nil {
		found = append(found, "directory")
	}
	if _, err := os.Stat("/sys/class/net/" + tr.link); err == nil && tr.link != "" {
		// Another lab may have got the subnet by now: the alias says whose it is.
		alias, _ := os.ReadFile("/sys/class/net/" + tr.link + "/ifalias")
		if strings.Contains(string(alias), ":"+tr.name+":") {
			found = append(found, "link "+tr.link)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if strings.Contains(string(mounts), tr.name) {
		found = append(found, "mount")
	}
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range procs {
		if stat, _ := os.ReadFile(proc + "/stat"); strings.Contains(string(stat), ") Z ") {
			continue // ended, and not reaped yet by whoever has inherited it
		}
		cmdline, _ := os.ReadFile(proc + "/cmdline")
		if strings.HasPrefix(string(cmdline), "heddle-lab-"+tr.name) {
			found = append(found, "process "+filepath.Base(proc)+" "+string(cmdline))
		}
		for _, id := range tr.namespaces {
			kind, _, _ := strings.Cut(id, ":")
			if got, _ := os.Readlink(proc + "/ns/" + kind); got == id {
				found = append(found, "process "+filepath.Base(proc)+" in "+id)
			}
		}
	}
	return found
}

// wantNothing wants nothing left within a while.
func wantNothing(t *testing.T, tr traces, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for found := tr.left(); len(found) > 0; found = tr.left() {
		if time.Now().After(deadline) {
			t.Fatalf("left of lab %s: %v", tr.name, found)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestDownLeavesNothing(t *testing.T) {
	t.Parallel()
	l := labtest.Up(t, lab.Config{Hosts: lab.Hosts(2), External: true})
	joinByVXLAN(t, l)
	mustPlug(t, l, lab.VMConfig{Name: "vm-a", Host: "net1", Port: port1, MAC: mac1, Addresses: []netip.Prefix{ip1}})
	tr := tracesOf(t, l)
	if len(tr.left()) < 10 {
		t.Fatalf("a running lab shows only %v", tr.left())
	}
	ok(t, l.Down())
	wantNothing(t, tr, 0)
	ok(t, l.Down())
}

func TestKilledTestProcessLeavesNothing(t *testing.T) {
	t.Parallel()
	labtest.Skip(t)
	name := processName("killed")
	cmd, built := startBuilder(t, name, "attached")
	built()
	l, err := lab.Open("", name)
	ok(t, err)
	joinByVXLAN(t, l)
	mustPlug(t, l, lab.VMConfig{Name: "vm-a", Host: "net1", Port: port1, MAC: mac1})
	tr := tracesOf(t, l)
	ok(t, cmd.Process.Kill())
	_ = cmd.Wait()
	wantNothing(t, tr, 5*time.Second)
}

func TestDetachedLabOutlivesItsBuilderUntilDown(t *testing.T) {
	t.Parallel()
	labtest.Skip(t)
	name := processName("detached")
	cmd, built := startBuilder(t, name, "detached")
	built()
	ok(t, cmd.Wait())
	l, err := lab.Open("", name)
	ok(t, err)
	joinByVXLAN(t, l)
	a := mustPlug(t, l, lab.VMConfig{Name: "vm-a", Host: "net1", Port: port1, MAC: mac1, Addresses: []netip.Prefix{ip1}})
	mustPlug(t, l, lab.VMConfig{Name: "vm-b", Host: "cmp1", Port: port2, MAC: mac2, Addresses: []netip.Prefix{ip2}})
	reaches(t, a, ip2.Addr())
	ok(t, l.Host("cmp1").Kill())

	// Whoever opens the lab finds what others did to it.
	l, err = lab.Open("", name)
	ok(t, err)
	if vms, err := l.VMs(); err != nil || len(vms) != 1 || vms[0].Name != "vm-a" {
		t.Errorf("VMs: %v, %v", vms, err)
	}
	ok(t, l.Host("cmp1").Boot(t.Context()))
	l, err = lab.Open("", name)
	ok(t, err)
	if !l.Host("cmp1").Alive() {
		t.Error("cmp1 has no power after boot")
	}
	tr := tracesOf(t, l)
	ok(t, l.Down())
	wantNothing(t, tr, 0)
	if _, err := lab.Open("", name); !errors.Is(err, lab.ErrNoLab) {
		t.Errorf("opening a lab that is gone: %v", err)
	}
}

func TestBuilderKilledHalfWayLeavesNothing(t *testing.T) {
	t.Parallel()
	labtest.Skip(t)
	for _, after := range []time.Duration{10, 30, 60, 100, 150, 200, 250, 300} {
		name := processName(fmt.Sprintf("half-way-%d", after))
		cmd, _ := startBuilder(t, name, "detached")
		time.Sleep(after * time.Millisecond) // the moment is what is tested
		l, openErr := lab.Open("", name)
		tr := traces{name: name}
		if openErr == nil {
			tr = tracesOf(t, l)
		}
		ok(t, cmd.Process.Kill())
		_ = cmd.Wait()
		// `lab down` ends what the tethers did not, as when the builder was just done.
		l, openErr = lab.Open("", name)
		if openErr == nil {
			ok(t, l.Down())
		} else if !errors.Is(openErr, lab.ErrNoLab) {
			t.Errorf("after %d ms: %v", after, openErr)
		}
		wantNothing(t, tr, 5*time.Second)
	}
}

func TestEndedContextWhileBuildingLeavesNothing(t *testing.T) {
	t.Parallel()
	labtest.Skip(t)
	for _, after := range []time.Duration{0, 20, 50, 100, 150, 200} {
		name := processName(fmt.Sprintf("cancelled-%d", after))
		ctx, cancel := context.WithTimeout(t.Context(), after*time.Millisecond)
		l, err := lab.Up(ctx, lab.Config{Name: name, Hosts: lab.Hosts(2)})
		cancel()
		if err == nil {
			ok(t, l.Down())
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %d ms: %v", after, err)
		}
		wantNothing(t, traces{name: name}, 0)
	}
}

func TestFailureWhileBuildingLeavesNothing(t *testing.T) {
	t.Parallel()
	labtest.Skip(t)
	name := processName("failing")
	l, err := lab.Up(t.Context(), lab.Config{Name: name, Controllers: []string{"nowhere:port"}})
	if err == nil {
		ok(t, l.Down())
		t.Fatal("built with a controller that has no port")
	}
	wantNothing(t, traces{name: name}, 0)
}

func TestNameOfALabThatWasPulledOutIsFree(t *testing.T) {
	t.Parallel()
	labtest.Skip(t)
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	ok(t, os.Mkdir(stale, 0o755))
	ok(t, os.WriteFile(filepath.Join(stale, "state.json"),
		[]byte(`{"Config":{"Hosts":[{"Name":"net1"}]},"Complete":true,"Maker":{"pid":1,"start":1},"Wires":{"pid":1,"start":1},"Hosts":[{"pid":1,"start":1}]}`), 0o644))
	l := labtest.Up(t, lab.Config{Dir: dir, Name: "stale"})
	if !l.Host("net1").Alive() {
		t.Error("no power")
	}
}
