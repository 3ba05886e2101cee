package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CommandError is a command that could not be run or did not exit with 0.
type CommandError struct {
	Args   []string // the command as it was run; for a script of this package only its name
	Stderr string   // what it said, without the final newline
	Err    error    // usually an *exec.ExitError
}

func (e *CommandError) Error() string {
	s := strings.Join(e.Args, " ") + ": " + e.Err.Error()
	if e.Stderr != "" {
		s += ": " + e.Stderr
	}
	return s
}

// Unwrap returns the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// run runs a command and returns its standard output. The error is a *CommandError.
func run(cmd *exec.Cmd) ([]byte, error) {
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return out.Bytes(), &CommandError{Args: cmd.Args, Stderr: strings.TrimSpace(stderr.String()), Err: err}
	}
	return out.Bytes(), nil
}

// script runs a shell script in all namespaces of a process, with further environment, input and
// arguments. Errors name it, and do not show its text.
func (p *process) script(ctx context.Context, name, text string, env []string, stdin string, args ...string) error {
	cmd := command(ctx, "nsenter", append(p.enterArgs("sh"), append([]string{"-c", text, name}, args...)...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(stdin)
	_, err := run(cmd)
	if cmdErr := (*CommandError)(nil); errors.As(err, &cmdErr) {
		cmdErr.Args = []string{name}
	}
	return err
}

// command is exec.CommandContext for nsenter, which forks to enter a PID namespace: the end of the
// context ends all it has started too.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// killGroup ends a process group, its leader last and, if it can, by itself: the leader is to reap
// its children. A host cannot end while an ended child of a dead nsenter waits for the machine's
// process 1 to find time for it.
func killGroup(leader int) error {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", leader, leader))
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended already
		}
	}
	for deadline := time.Now().Add(100 * time.Millisecond); len(children) > 0 && time.Now().Before(deadline); {
		if _, err := startTime(leader); err != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := syscall.Kill(-leader, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// ipBatch runs lines of ip(8) commands in one go, in the caller's network namespace or, with a
// process, in that of the process.
func ipBatch(ctx context.Context, in *process, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	var cmd *exec.Cmd
	if in == nil {
		cmd = command(ctx, "ip", "-batch", "-")
	} else {
		cmd = command(ctx, "nsenter", "-t", fmt.Sprint(in.PID), "-n", "ip", "-batch", "-")
	}
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	_, err := run(cmd)
	return err
}
