// Package nstest runs a package's tests on a machine of their own: in new network, mount and process
// namespaces, with an empty /run. Namespaces, links and daemons that a test makes are seen by nobody else,
// and are gone with the test's process, however it ends.
package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inside marks the environment of the tests' own machine.
const inside = "HEDDLE_NSTEST"

// Main is TestMain of a package: it runs the package's tests on a machine of their own. Without root they
// run as they are, and [Need] skips.
func Main(m *testing.M) {
	unshare, err := exec.LookPath("unshare")
	if os.Getuid() != 0 || err != nil {
		os.Exit(m.Run())
	}
	if os.Getenv(inside) != "" {
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	cmd := exec.Command(unshare, append([]string{"--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"}, os.Args...)...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

// settle makes the machine usable. Processes of a test find it done.
func settle() error {
	if os.Getpid() != 1 {
		return nil
	}
	if err := syscall.Mount("none", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	return os.MkdirAll("/run/netns", 0o755)
}

// Need skips a test that does not run on a machine of its own, or for which programs are missing.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("needs root, to run in namespaces of its own")
	}
	for _, p := range append(programs, "ip") {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s: %v", p, err)
		}
	}
}

// IP runs ip(8) with words of a command line.
func IP(t testing.TB, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, out)
	}
}

// Namespace makes a network namespace that goes with the test.
func Namespace(t testing.TB, name string) {
	t.Helper()
	IP(t, "netns add %s", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	IP(t, "-n %s link set lo up", name)
}

// Cable joins two namespaces by a veth pair whose ends are up.
func Cable(t testing.TB, ns1, link1, ns2, link2 string) {
	t.Helper()
	IP(t, "-n %s link add %s type veth peer name %s netns %s", ns1, link1, link2, ns2)
	IP(t, "-n %s link set %s up", ns1, link1)
	IP(t, "-n %s link set %s up", ns2, link2)
}

// In returns a command that runs in a namespace.
func In(ns string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", ns}, args...)...)
}
