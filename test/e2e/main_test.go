package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// program is the heddle under test, built once for all tests.
var program string

// mark is part of the name of every lab of this run, so that what is left of one can be told from the
// labs of others.
var mark = fmt.Sprintf("e2e-%d", os.Getpid())

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if lab.Check() != nil {
		return m.Run() // every test skips and says why
	}
	dir, err := os.MkdirTemp("", "heddle-e2e")
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
	code := m.Run()
	if left := leftovers(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: tests left behind:\n%s\n", strings.Join(left, "\n"))
		return 1
	}
	return code
}

// leftovers lists what the tests made and did not clean up: processes, links, directories.
func leftovers() []string {
	var left []string
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left = left[:0]
		for _, glob := range []string{"/proc/[0-9]*/cmdline", "/sys/class/net/*/ifalias"} {
			files, _ := filepath.Glob(glob) // the pattern is well-formed
			for _, f := range files {
				text, _ := os.ReadFile(f) // processes come and go
				if strings.Contains(string(text), mark) || strings.HasPrefix(string(text), program) {
					left = append(left, f+": "+strings.ReplaceAll(string(text), "\x00", " "))
				}
			}
		}
		dirs, _ := filepath.Glob(filepath.Join(lab.DefaultDir, "*"+mark+"*"))
		left = append(left, dirs...)
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}
