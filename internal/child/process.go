package child

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a process that belongs to a daemon of the set.
type process struct {
	pid, parent int
	state       byte // 'S', 'T', … as in proc(5)
	args        []string
	netns       namespace
}

// namespace is the identity of a network namespace.
type namespace struct{ dev, ino uint64 }

func namespaceOf(path string) (namespace, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return namespace{}, fmt.Errorf("network namespace %s: %w", path, err)
	}
	return namespace{dev: uint64(st.Dev), ino: st.Ino}, nil
}

// scan finds the processes of all daemons of the set. Pid files alone would not do: one that was deleted
// would hide a daemon that goes on answering.
func (s *Set) scan() (map[string][]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	out := map[string][]process{}
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		name, args := s.identify(pid)
		if name == "" {
			continue
		}
		p, err := inspect(pid, args)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		out[name] = append(out[name], p)
	}
	for _, procs := range out {
		slices.SortFunc(procs, func(a, b process) int { return a.pid - b.pid })
	}
	return out, nil
}

// identify returns the name of the daemon that a process belongs to, "" if to none, and its arguments.
func (s *Set) identify(pid int) (name string, args []string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "", nil // ended
	}
	args = parseArgs(text)
	return owner(args, s.cfg.Program, s.cfg.Dir), args
}

// owner returns the name of the daemon whose arguments these are, "" if it is none of the set's.
func owner(args []string, program, dir string) string {
	if len(args) == 0 || filepath.Base(args[0]) != program {
		return ""
	}
	for _, a := range args[1:] {
		before, ok := strings.CutSuffix(a, "/"+pidFile)
		if !ok {
			continue
		}
		i := strings.LastIndexByte(before, '/')
		if i < 0 {
			continue
		}
		if parent, name := before[:i], before[i+1:]; name != "" && (parent == dir || strings.HasSuffix(parent, "="+dir)) {
			return name
		}
	}
	return ""
}

// parseArgs reads /proc/<pid>/cmdline: each argument ends in a zero byte. A process that ended has none.
func parseArgs(text []byte) []string {
	text = bytes.TrimSuffix(text, []byte{0})
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\x00")
}

func inspect(pid int, args []string) (process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	p := process{pid: pid, args: args}
	if p.state, p.parent, err = parseStat(text); err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	p.netns, err = namespaceOf(fmt.Sprintf("/proc/%d/ns/net", pid))
	return p, err
}

// parseStat reads the state and the parent of a process from /proc/<pid>/stat. The second field, the
// program's name in parentheses, may hold anything.
func parseStat(text []byte) (state byte, parent int, err error) {
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 2 || len(f[0]) != 1 {
		return 0, 0, fmt.Errorf("%q is no process state", text)
	}
	if parent, err = strconv.Atoi(f[1]); err != nil {
		return 0, 0, fmt.Errorf("%q is no process state", text)
	}
	return f[0][0], parent, nil
}

// open returns a handle of a process that no other process can take over, or nil if the process ended.
func (s *Set) open(p process) (*os.File, error) {
	fd, err := unix.PidfdOpen(p.pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", p.pid, err)
	}
	f := os.NewFile(uintptr(fd), fmt.Sprintf("pidfd %d", p.pid))
	// Its number may have gone to another process since it was found.
	if _, args := s.identify(p.pid); !slices.Equal(args, p.args) {
		f.Close()
		return nil, nil
	}
	return f, nil
}

// signal sends a signal to a process of the set; one that ended is an error.
func (s *Set) signal(p process, sig unix.Signal) error {
	f, err := s.open(p)
	if err != nil {
		return err
	}
	if f == nil {
		return fmt.Errorf("process %d: %w", p.pid, unix.ESRCH)
	}
	defer f.Close()
	return send(f, sig)
}

func send(f *os.File, sig unix.Signal) error {
	if err := unix.PidfdSendSignal(int(f.Fd()), sig, nil, 0); err != nil {
		return fmt.Errorf("signal %s to %s: %w", unix.SignalName(sig), f.Name(), err)
	}
	return nil
}

// stop ends the processes of a daemon and returns when they are gone.
func (s *Set) stop(name string, procs []process) error {
	s.mu.Lock()
	s.unwatch(name)
	s.mu.Unlock()
	for _, p := range procs {
		f, err := s.open(p)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		err = end(f)
		reap(p.pid)
		f.Close()
		if err != nil {
			return fmt.Errorf("stop %s, process %d: %w", s.cfg.Program, p.pid, err)
		}
	}
	return nil
}

// end asks a process to end, and makes it.
func end(f *os.File) error {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := send(f, sig); errors.Is(err, unix.ESRCH) {
			return nil
		} else if err != nil {
			return err
		}
		if sig == unix.SIGTERM {
			// A process that is stopped by a signal would not hear of it.
			if err := send(f, unix.SIGCONT); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if gone, err := await(f, stopTimeout); err != nil || gone {
			return err
		}
	}
	return errors.New("does not end")
}

// await waits until a process ended.
func await(f *os.File, timeout time.Duration) (gone bool, err error) {
	deadline := time.Now().Add(timeout)
	for {
		fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, max(0, int(time.Until(deadline).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return false, fmt.Errorf("wait for %s: %w", f.Name(), err)
		case n > 0 || time.Now().After(deadline):
			return n > 0, nil
		}
	}
}

// reap takes note of the end of a process whose parent became this one, which happens where the keeper
// is the first process of a container. Elsewhere it does nothing.
func reap(pid int) {
	_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
}
