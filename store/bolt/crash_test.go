package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

const writerEnv = "HEDDLE_TEST_WRITER" // "DIR PREFIX": be a writer instead of running tests

func TestMain(m *testing.M) {
	if spec := os.Getenv(writerEnv); spec != "" {
		dir, prefix, _ := strings.Cut(spec, " ")
		if err := write(dir, prefix); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// write stores hosts from several goroutines until it is killed, and prints each one's name once it is
// acknowledged.
func write(dir, prefix string) error {
	s, err := tryOpen(dir)
	if err != nil {
		return err
	}
	fmt.Println("open")
	var out sync.Mutex
	errs := make(chan error)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%s-%d-%d", prefix, w, i)
				_, err := s.Update(context.Background(), func(tx *store.Tx) error {
					tx.Put(&model.Host{Name: name, OVSDB: strings.Repeat("x", 1+i%3000), Rev: tx.Rev()})
					return nil
				})
				if err != nil {
					errs <- err
					return
				}
				out.Lock()
				fmt.Println(name)
				out.Unlock()
			}
		}()
	}
	return <-errs
}

// startWriter starts a writing process and returns once its store is open.
func startWriter(t *testing.T, dir, prefix string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+dir+" "+prefix)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	out := bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); line != "open\n" {
		t.Fatalf("writer said %q: %v", line, err)
	}
	return cmd, out
}

func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	dir := t.TempDir()
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	acked := map[string]bool{}
	for round := range rounds {
		cmd, out := startWriter(t, dir, fmt.Sprintf("r%d", round))
		time.AfterFunc(time.Duration(5+rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		rest, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(rest), "\n")
		for _, name := range lines[:len(lines)-1] { // the last line may be cut short
			acked[name] = true
		}
		_ = cmd.Wait()

		s := openStore(t, dir)
		for name := range acked {
			if _, ok := s.Snapshot().Hosts.Get(name); !ok {
				t.Errorf("round %d: host %s was acknowledged and is gone", round, name)
			}
		}
		closeStore(t, s)
	}
	if len(acked) < rounds {
		t.Errorf("only %d writes were acknowledged in %d rounds", len(acked), rounds)
	}
}

func TestSecondProcessIsLockedOutAndToldWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := startWriter(t, dir, "a")
	_, err := tryOpen(dir)
	if want := fmt.Sprintf("process %d holds", cmd.Process.Pid); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
	if _, _, err := Restore(dir, dataFile(dir), time.Now()); !errors.Is(err, ErrLocked) {
		t.Errorf("restore under a running server: %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	openStore(t, dir)
}

// TestPowerCut builds the files that a power cut in the middle of a commit can leave: bbolt first writes
// new pages, waits until they are on disk, and then writes one header. Before the wait any of the pages
// may have arrived, wholly or in part, and the header has not been written.
func TestPowerCutDuringACommitLeavesTheAcknowledgedState(t *testing.T) {
	dir, wantBefore := filled(t)
	before := trimmed(t, readFile(t, dataFile(dir)))
	s := openStore(t, dir)
	m, err := s.Update(context.Background(), func(tx *store.Tx) error {
		for i := range 40 {
			tx.Put(&model.Host{Name: fmt.Sprintf("host%03d", i), OVSDB: strings.Repeat("y", 60*i)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantAfter := text(t, m)
	closeStore(t, s)
	after := trimmed(t, readFile(t, dataFile(dir)))

	page := os.Getpagesize()
	changed := changedPages(before, after, page)
	if len(changed) < 4 {
		t.Fatalf("the commit wrote pages %v only", changed)
	}
	header := changed[0] // 0 or 1: whichever it wrote
	if header > 1 {
		t.Fatalf("the commit wrote no header: pages %v", changed)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		cut := append([]byte(nil), before...)
		if rng.IntN(2) == 0 && len(after) > len(cut) {
			cut = append(cut, make([]byte, len(after)-len(cut))...) // the file had grown already
		}
		for _, p := range changed[1:] {
			from, to := p*page, (p+1)*page
			if rng.IntN(3) == 0 {
				to = from + 512*rng.IntN(page/512) // torn between sectors
			}
			if rng.IntN(2) == 0 && to <= len(cut) {
				copy(cut[from:to], after[from:to])
			}
		}
		if got := loaded(t, cut); got != wantBefore {
			t.Fatalf("case %d: before the header was written: got %.200s", i, got)
		}
	}
	if got := loaded(t, after); got != wantAfter {
		t.Errorf("with the header written: got %.200s", got)
	}

	// A header cut within its one sector cannot be told from one that rotted: not opened in silence, and
	// nothing acknowledged is lost by the command that the refusal names.
	torn := append([]byte(nil), after...)
	copy(torn[header*page+40:(header+1)*page], before[header*page+40:(header+1)*page])
	broken := t.TempDir()
	writeFile(t, dataFile(broken), torn)
	_, err = tryOpen(broken)
	var damaged *DamagedError
	if !errors.As(err, &damaged) || damaged.Copy == nil || damaged.Copy.Path != dataFile(broken) {
		t.Fatalf("torn header: %v", err)
	}
	if _, _, err := Restore(broken, damaged.Copy.Path, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := text(t, openStore(t, broken).Snapshot()); got != wantBefore {
		t.Errorf("after the restore: got %.200s", got)
	}
}

func changedPages(a, b []byte, page int) []int {
	var out []int
	for p := 0; p*page < len(b); p++ {
		to := (p + 1) * page
		if to > len(a) || string(a[p*page:to]) != string(b[p*page:to]) {
			out = append(out, p)
		}
	}
	return out
}

// loaded returns what a store over the file's bytes holds.
func loaded(t *testing.T, file []byte) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dataFile(dir), file)
	s, err := tryOpen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return text(t, s.Snapshot())
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
