// Package labtest gives tests a lab that is cleaned up whatever happens to the test.
package labtest

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/lab"
)

// logTail is how much of each log a failed test shows.
const logTail = 2000

// Skip skips the test where no lab can be built, and says why.
func Skip(t testing.TB) {
	t.Helper()
	if err := lab.Check(); err != nil {
		t.Skipf("needs a lab: %v", err)
	}
}

// Up builds a lab for a test, or skips the test where none can be built. The lab ends with the test,
// and with the test's process however that ends. Empty fields get defaults as lab.Up has them, but
// for the name, which is one of its own. When the test has failed, the end of the hosts' logs is
// logged.
func Up(t testing.TB, cfg lab.Config) *lab.Lab {
	t.Helper()
	Skip(t)
	if cfg.Name == "" {
		cfg.Name = uniqueName(t.Name())
	}
	l, err := lab.Up(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			showLogs(t, l)
		}
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// uniqueName turns a test's name into one for a lab that no other test uses.
func uniqueName(test string) string {
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(test), "-"), "-")
	if len(name) > 24 {
		name = strings.TrimRight(name[:24], "-")
	}
	return name + "-" + strconv.FormatUint(uint64(rand.Uint32()), 36)
}

func showLogs(t testing.TB, l *lab.Lab) {
	for _, h := range l.Hosts() {
		logs, err := filepath.Glob(filepath.Join(l.Dir(), "hosts", h.Name, "log", "*.log"))
		if err != nil {
			t.Log(err)
		}
		for _, file := range logs {
			text, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if len(text) > logTail {
				text = text[len(text)-logTail:]
			}
			t.Logf("%s, %s:\n%s", h.Name, filepath.Base(file), text)
		}
	}
}
