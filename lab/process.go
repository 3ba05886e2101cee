package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is process 1 of a set of namespaces, as seen from outside. Its exported fields name it
// for good: a number alone may be used again by another process.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot, field 22 of /proc/PID/stat

	tether *os.File      // nil if this process did not start it, or let go
	reaped chan struct{} // closed when it was waited for; nil if this process did not start it
}

// startProcess starts scripts/init.sh under a name in new namespaces and returns when the mounts
// in there are made. It runs in dir, and its complaints go to dir/init.log.
func startProcess(ctx context.Context, title, script, dir string, args ...string) (_ *process, err error) {
	stderr, err := os.Create(filepath.Join(dir, "init.log"))
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	tetherOut, tether, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer tetherOut.Close()
	ready, stdout, err := os.Pipe()
	if err != nil {
		tether.Close()
		return nil, err
	}
	defer ready.Close()

	cmd := exec.Command("/bin/sh", append([]string{script}, args...)...)
	cmd.Args[0] = title // what ps shows
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, tetherOut, stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID,
		Setsid:     true, // Ctrl-C is for the builder
	}
	err = cmd.Start()
	stdout.Close()
	if err != nil {
		tether.Close()
		return nil, fmt.Errorf("new namespaces: %w", explainClone(err))
	}
	p := &process{PID: cmd.Process.Pid, tether: tether, reaped: make(chan struct{})}
	go func() {
		defer close(p.reaped)
		_ = cmd.Wait() // ends with the process; its status says nothing
	}()
	if p.Start, err = startTime(p.PID); err == nil {
		stop := context.AfterFunc(ctx, func() { _ = ready.SetReadDeadline(time.Unix(1, 0)) })
		_, err = bufio.NewReader(ready).ReadString('\n')
		stop()
	}
	if err != nil {
		_ = p.kill()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		said, _ := os.ReadFile(stderr.Name())
		return nil, fmt.Errorf("private mounts of %s: %s", title, strings.TrimSpace(string(said)))
	}
	return p, nil
}

// letGo makes the process outlive its builder.
func (p *process) letGo() error {
	if p.tether == nil {
		return nil
	}
	_, err := p.tether.WriteString("stay\n")
	return errors.Join(err, p.tether.Close())
}

// kill ends the process, and with it everything in its PID namespace, and returns when all of it
// has ended. A process that is not there is fine.
func (p *process) kill() error {
	if p == nil || p.PID == 0 {
		return nil
	}
	err := p.signalAndWait(unix.SIGKILL, 10*time.Second)
	if err == nil && p.reaped != nil {
		<-p.reaped
		p.tether.Close()
	}
	return err
}

// signalAndWait sends a signal to the process and waits for its end. The file descriptor of the
// process makes sure that it is not another one of the same number.
func (p *process) signalAndWait(sig unix.Signal, limit time.Duration) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	if !p.alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal to process %d: %w", p.PID, err)
	}
	for deadline := time.Now().Add(limit); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("process %d has not ended %v after signal %d", p.PID, limit, sig)
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("waiting for process %d: %w", p.PID, err)
		}
	}
}

// alive says whether the process is still there and the one that was started.
func (p *process) alive() bool {
	if p == nil || p.PID == 0 {
		return false
	}
	start, err := startTime(p.PID)
	return err == nil && start == p.Start
}

// startTime returns when a process started, in clock ticks after boot; an error if there is none
// or if it has ended and only waits to be reaped.
func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	// The second field is the command in parentheses and may hold anything; field 3 follows the last one.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// enterArgs are the arguments of nsenter(1) for a command in all namespaces of the process.
func (p *process) enterArgs(name string) []string {
	return []string{"-t", strconv.Itoa(p.PID), "-m", "-u", "-i", "-n", "-p", "--", name}
}

// path returns the path by which a file inside the mount namespace of the process is reached from
// outside.
func (p *process) path(inside string) string {
	return "/proc/" + strconv.Itoa(p.PID) + "/root" + inside
}
