package ra_test

import (
	"context"
	"flag"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/ra"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/child"
	"github.com/heddle-sdn/heddle/internal/nstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { nstest.Main(m) }

func prefix(p string, autonomous bool) spec.RAPrefix {
	return spec.RAPrefix{Prefix: netip.MustParsePrefix(p), Autonomous: autonomous}
}

func TestGolden(t *testing.T) {
	for name, ras := range map[string][]spec.RA{
		"slaac":     {{Link: "qr-1", Source: netip.MustParseAddr("fe80::f816:3eff:feeb:d4ce"), MTU: 1442, Prefixes: []spec.RAPrefix{prefix("fd00:3::/64", true)}}},
		"stateless": {{Link: "qr-1", MTU: 1450, Other: true, Prefixes: []spec.RAPrefix{prefix("fd00:3::/64", true)}, DNS: []netip.Addr{netip.MustParseAddr("fd00::53"), netip.MustParseAddr("fd00::54")}}},
		"stateful":  {{Link: "qr-1", MTU: 1450, Managed: true, Other: true, Prefixes: []spec.RAPrefix{prefix("fd00:3::/64", false)}}},
		"several": {{Link: "qr-2", MTU: 1458, Managed: true, Prefixes: []spec.RAPrefix{prefix("fd00:4::/64", false), prefix("fd00:5::/64", true)}},
			{Link: "qr-1", Prefixes: []spec.RAPrefix{prefix("fd00:3::/64", true)}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ra.Text(ras)
			path := filepath.Join("testdata", name+".conf")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("configuration differs from %s; got\n%s", path, got)
			}
			if _, err := exec.LookPath("radvd"); err != nil {
				t.Skipf("radvd does not check it: %v", err)
			}
			if out, err := exec.Command("radvd", "--configtest", "-C", path).CombinedOutput(); err != nil {
				t.Errorf("radvd refuses it: %v: %s", err, out)
			}
		})
	}
}

func silent() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

type world struct {
	t    *testing.T
	dir  string
	set  *child.Set
	died chan string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	nstest.Need(t, "radvd")
	w := &world{t: t, dir: t.TempDir(), died: make(chan string, 10)}
	set, err := ra.NewSenders(ra.Config{Dir: w.dir, Logger: silent(), Died: func(name string, _ int) { w.died <- name }})
	if err != nil {
		t.Fatal(err)
	}
	w.set = set
	nstest.Namespace(t, "qrouter-1")
	nstest.Namespace(t, "vm")
	nstest.Cable(t, "qrouter-1", "qr-1", "vm", "eth0")
	nstest.IP(t, "-n qrouter-1 addr add fd00:3::1/64 dev qr-1 nodad")
	t.Cleanup(func() {
		w.must()
		w.set.Close()
		if left, _ := os.ReadDir(w.dir); len(left) > 0 {
			t.Errorf("%d directories are left", len(left))
		}
	})
	return w
}

func (w *world) must(ras ...spec.RA) reconcile.Change[string, child.Child] {
	w.t.Helper()
	have, err := w.set.Actual(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	c := reconcile.Diff(ra.Wanted(map[string]spec.Namespace{"qrouter-1": {RA: ras}}), have, w.set.Equal)
	if err := w.set.Apply(context.Background(), c); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) pid() int {
	w.t.Helper()
	text, err := os.ReadFile(w.set.Path("qrouter-1", "pid"))
	if err != nil {
		w.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		w.t.Fatal(err)
	}
	return pid
}

// await waits until the client's state, as ip(8) tells it, has a text.
func (w *world) await(want string, show ...string) {
	w.t.Helper()
	var out []byte
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		out, _ = exec.Command("ip", append([]string{"-n", "vm", "-6"}, show...)...).Output()
		if strings.Contains(string(out), want) {
			return
		}
	}
	w.t.Fatalf("no %q in 10 s:\n%s", want, out)
}

func TestHostsFollowAdvertisements(t *testing.T) {
	w := newWorld(t)
	advert := spec.RA{Link: "qr-1", MTU: 1442, Prefixes: []spec.RAPrefix{prefix("fd00:3::/64", true)}}
	w.must(advert)
	pid := w.pid()
	w.await("inet6 fd00:3::", "addr", "show", "dev", "eth0")
	w.await("default via fe80::", "route")
	w.await("mtu 1442", "route", "show", "default")
	if c := w.must(advert); !c.Empty() {
		t.Errorf("a second pass changes %+v", c)
	}
	more := advert
	more.Prefixes = append(more.Prefixes, prefix("fd00:4::/64", true))
	nstest.IP(t, "-n qrouter-1 addr add fd00:4::1/64 dev qr-1 nodad")
	w.must(more)
	w.await("inet6 fd00:4::", "addr", "show", "dev", "eth0")
	if w.pid() != pid {
		t.Error("radvd was restarted")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.died:
	case <-time.After(2 * time.Second):
		t.Fatal("nobody noticed in 2 s that radvd was killed")
	}
	w.must(more)
	if w.pid() == pid {
		t.Error("radvd did not come back")
	}
	if c := w.must(more); !c.Empty() {
		t.Errorf("a pass after the repair changes %+v", c)
	}
}
