package child

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// start starts a daemon in its namespace, detached from this process, and returns its process id once it
// runs. Daemons go to the background themselves when they are ready, so the wait for the command is the
// wait for the service.
func (s *Set) start(ctx context.Context, name string, args []string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := os.Remove(s.path(name, pidFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("remove old pid file: %w", err)
	}
	// A file, not a pipe: a daemon that keeps its standard error would keep us waiting.
	printed, err := os.Create(s.path(name, ".printed"))
	if err != nil {
		return 0, fmt.Errorf("catch what %s prints: %w", s.cfg.Program, err)
	}
	defer os.Remove(printed.Name())
	defer printed.Close()
	args = s.expand(name, args)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"} // no secrets of ours, and messages in one language
	cmd.Stdout, cmd.Stderr = printed, printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // signals to our terminal or group are not meant for it
	if err := InNamespace(s.Namespace(name), cmd.Start); err != nil {
		return 0, fmt.Errorf("start %s: %w", s.cfg.Program, err)
	}
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("start %s: %w%s", s.cfg.Program, err, s.said(name, printed))
	}
	pid, err := s.started(ctx, name, args)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w%s", s.cfg.Program, err, s.said(name, printed))
	}
	return pid, nil
}

// expand fills a daemon's directory into its arguments.
func (s *Set) expand(name string, args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strings.ReplaceAll(a, Dir, s.path(name))
	}
	return out
}

// started waits until the process in the pid file is the daemon.
func (s *Set) started(ctx context.Context, name string, args []string) (int, error) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(s.path(name, pidFile)); err == nil {
			if pid, err := parsePID(text); err == nil {
				if _, have := s.identify(pid); slices.Equal(have, args) {
					return pid, nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return 0, errors.New("it ended, or wrote no pid file")
		case <-tick.C:
		}
	}
}

// said is what a daemon printed, or else the end of its log, as the tail of an error text.
func (s *Set) said(name string, printed *os.File) string {
	text, _ := os.ReadFile(printed.Name())
	if len(text) == 0 && s.cfg.Log != "" {
		text, _ = os.ReadFile(s.path(name, s.cfg.Log))
	}
	lines := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	if len(lines) == 0 {
		return ""
	}
	const last = 3
	return ": " + strings.TrimSpace(strings.Join(lines[max(0, len(lines)-last):], "; "))
}
