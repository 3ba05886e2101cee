package child_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/internal/child"
	"github.com/heddle-sdn/heddle/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// daemon is a daemon in shell: it goes to the background, writes its pid file last, notes the signals it
// gets in the file "heard", and ends on SIGTERM unless it is stubborn.
const daemon = `dir=${1%/pid}
case $2 in
refuse*) echo "testd: $2" >&2; exit 3;;
vanish) echo "testd: gone" > $dir/log; exit 0;;
esac
[ -z "$INSIDE" ] && { INSIDE=1 setsid /bin/sh $0 "$@" </dev/null >/dev/null 2>&1 & exit 0; }
trap 'echo hup >> $dir/heard; [ -f $dir/deaf ] || echo read $dir/all >> $dir/log' HUP
: >> $dir/log
[ "$2" = stubborn ] && trap '' TERM
echo $$ > $dir/.pid; mv $dir/.pid $dir/pid
while :; do sleep 0.02; done
`

type world struct {
	t    *testing.T
	dir  string
	prog string
	set  *child.Set
	died chan string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	nstest.Need(t, "setsid")
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "set"), prog: filepath.Join(t.TempDir(), "testd"), died: make(chan string, 10)}
	if err := os.WriteFile(w.prog, []byte(daemon), 0o755); err != nil {
		t.Fatal(err)
	}
	w.open()
	nstest.Namespace(t, "ns1")
	t.Cleanup(func() {
		if _, err := w.pass(nil); err != nil {
			t.Error(err)
		}
		w.set.Close()
	})
	return w
}

func (w *world) open(told ...string) {
	w.t.Helper()
	l := logrus.New()
	l.SetOutput(io.Discard)
	set, err := child.New(child.Config{Program: "sh", Dir: w.dir, Own: []string{"heard", "log"}, Log: "log", Told: strings.Join(told, ""),
		Died: func(name string, _ int) { w.died <- name }, Logger: logrus.NewEntry(l)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.set = set
}

// want is a daemon of a behaviour, with files: name, contents, ….
func (w *world) want(mode string, files ...string) map[string]child.Child {
	c := child.Child{Args: []string{"/bin/sh", w.prog, child.Dir + "/pid", mode}, Files: map[string]string{}}
	for i := 0; i < len(files); i += 2 {
		c.Files[files[i]] = files[i+1]
	}
	return map[string]child.Child{"ns1": c}
}

func (w *world) pass(want map[string]child.Child) (reconcile.Change[string, child.Child], error) {
	have, err := w.set.Actual(context.Background())
	if err != nil {
		return reconcile.Change[string, child.Child]{}, err
	}
	c := reconcile.Diff(want, have, w.set.Equal)
	return c, w.set.Apply(context.Background(), c)
}

func (w *world) must(want map[string]child.Child) reconcile.Change[string, child.Child] {
	w.t.Helper()
	c, err := w.pass(want)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) pid() int {
	w.t.Helper()
	text, err := os.ReadFile(w.set.Path("ns1", "pid"))
	if err != nil {
		w.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		w.t.Fatal(err)
	}
	return pid
}

// heard is how many signals a daemon noted; it waits for as many as are expected.
func (w *world) heard(want int) {
	w.t.Helper()
	var text []byte
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, _ = os.ReadFile(w.set.Path("ns1", "heard"))
		if strings.Count(string(text), "hup") == want {
			return
		}
	}
	w.t.Errorf("the daemon heard %q, want %d signals", text, want)
}

func TestLifeOfADaemon(t *testing.T) {
	w := newWorld(t)
	if c := w.must(w.want("run", "a", "1")); len(c.Add) != 1 {
		t.Errorf("first pass: %+v", c)
	}
	pid := w.pid()
	if c := w.must(w.want("run", "a", "1")); !c.Empty() {
		t.Errorf("second pass: %+v", c)
	}
	w.heard(0)
	w.must(w.want("run", "a", "2", "b", "1"))
	w.heard(1)
	w.must(w.want("run", "b", "1")) // a file less
	w.heard(2)
	if _, err := os.Stat(w.set.Path("ns1", "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not wanted: %v", err)
	}
	if w.pid() != pid {
		t.Error("changed files restarted the daemon")
	}
	w.must(w.want("walk", "b", "1"))
	if w.pid() == pid {
		t.Error("a changed command line did not restart the daemon")
	}
	pid = w.pid()
	w.must(nil)
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("a daemon that is not wanted runs")
	}
	if _, err := os.Stat(filepath.Join(w.dir, "ns1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("files of a daemon that is not wanted: %v", err)
	}
	select {
	case <-w.died:
		t.Error("ends that were asked for were reported")
	default:
	}
}

func TestDaemonIsInItsNamespaceAndNobodyElse(t *testing.T) {
	w := newWorld(t)
	before := own(t)
	for range 20 {
		w.must(w.want("run"))
		var here, there unix.Stat_t
		if err := errors.Join(unix.Stat(fmt.Sprintf("/proc/%d/ns/net", w.pid()), &there), unix.Stat("/run/netns/ns1", &here)); err != nil {
			t.Fatal(err)
		}
		if here.Ino != there.Ino {
			t.Fatalf("daemon is in namespace %d, want %d", there.Ino, here.Ino)
		}
		w.must(nil)
	}
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads: %v, %v", threads, err)
	}
	for _, path := range threads {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err == nil && st.Ino != before {
			t.Errorf("thread %s was left in namespace %d", path, st.Ino)
		}
	}
}

func own(t *testing.T) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestStubbornDaemonIsKilled(t *testing.T) {
	w := newWorld(t)
	w.must(w.want("stubborn"))
	pid := w.pid()
	start := time.Now()
	w.must(nil)
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("it runs on")
	}
	if took := time.Since(start); took < time.Second || took > 8*time.Second {
		t.Errorf("it took %v, want about the 3 s that a daemon has to end", took)
	}
}

func TestErrorsTellWhatTheDaemonSaid(t *testing.T) {
	w := newWorld(t)
	_, err := w.pass(w.want("refuse to run"))
	var e *child.Error
	if !errors.As(err, &e) || e.Name != "ns1" || err.Error() != "ns1: start sh: exit status 3: testd: refuse to run" {
		t.Errorf("error %v", err)
	}
	// Other daemons are not held up by one that fails.
	both := w.want("refuse to run")
	both["ns2"] = w.want("run")["ns1"]
	nstest.Namespace(t, "ns2")
	if _, err := w.pass(both); err == nil {
		t.Error("no error")
	}
	have, err := w.set.Actual(t.Context())
	if err != nil || have["ns2"].Fault != "" || have["ns1"].Fault != "is not running" {
		t.Errorf("have %+v, %v", have, err)
	}
}

func TestDaemonThatDoesNotSayThatItReadItsFilesIsRestarted(t *testing.T) {
	w := newWorld(t)
	w.set.Close()
	w.open("read " + child.Dir + "/all")
	w.must(w.want("run", "a", "1"))
	pid := w.pid()
	w.must(w.want("run", "a", "2"))
	if w.pid() != pid {
		t.Error("restarted though it heard")
	}
	w.must(w.want("run", "a", "2", "deaf", ""))
	if w.pid() == pid {
		t.Error("not restarted though it did not hear")
	}
	pid = w.pid()
	if err := os.Remove(w.set.Path("ns1", "log")); err != nil {
		t.Fatal(err)
	}
	w.must(w.want("run", "a", "3"))
	if w.pid() == pid {
		t.Error("not restarted though its log is gone")
	}
	if c := w.must(w.want("run", "a", "3")); !c.Empty() {
		t.Errorf("a pass afterwards changes %+v", c)
	}
}

func TestAppliesAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	want := map[string]child.Child{}
	for i := range 8 {
		name := fmt.Sprint("many", i)
		nstest.Namespace(t, name)
		want[name] = w.want("run")["ns1"]
	}
	if _, err := w.set.Actual(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time what was seen is out of date
		var wg sync.WaitGroup
		for name, c := range want {
			wg.Go(func() {
				if err := w.set.Apply(context.Background(), reconcile.Change[string, child.Child]{Add: map[string]child.Child{name: c}}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if c := w.must(want); !c.Empty() {
		t.Errorf("a pass afterwards changes %+v", c)
	}
}

func TestSeedIsWrittenOnce(t *testing.T) {
	w := newWorld(t)
	want := w.want("run")
	c := want["ns1"]
	c.Seed = map[string]string{"heard": "seed\n"}
	want["ns1"] = c
	w.must(want)
	if err := os.WriteFile(w.set.Path("ns1", "heard"), []byte("grown\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(w.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if name := <-w.died; name != "ns1" {
		t.Errorf("%s died", name)
	}
	w.must(want)
	if text, err := os.ReadFile(w.set.Path("ns1", "heard")); err != nil || string(text) != "grown\n" {
		t.Errorf("%q, %v: want what the daemon wrote", text, err)
	}
}

func TestLogIsBounded(t *testing.T) {
	w := newWorld(t)
	want := w.want("run")
	w.must(want)
	if err := os.WriteFile(w.set.Path("ns1", "log"), make([]byte, child.MaxLog+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if c := w.must(want); !c.Empty() {
		t.Errorf("a log is no change: %+v", c)
	}
	if fi, err := os.Stat(w.set.Path("ns1", "log")); err != nil || fi.Size() != 0 {
		t.Errorf("log %v, %v", fi, err)
	}
}

func TestCloseStopsGoroutinesAndNotDaemons(t *testing.T) {
	w := newWorld(t)
	before := goleak.IgnoreCurrent()
	w.must(w.want("run"))
	pid := w.pid()
	w.set.Close()
	goleak.VerifyNone(t, before)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the daemon ended: %v", err)
	}
	w.open()
	if c := w.must(w.want("run")); !c.Empty() {
		t.Errorf("adoption changes %+v", c)
	}
}
