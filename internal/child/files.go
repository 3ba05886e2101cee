package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// changed is a file that is in a daemon's directory while its files differ from what it was told of.
// It is written before the files and removed after the signal, so that a keeper that dies in between
// leaves word that the signal is due.
const changed = ".changed"

// read returns what a daemon is, and its process. The daemon may be nothing but a directory.
func (s *Set) read(name string, procs []process) (Child, process, error) {
	c := Child{Files: map[string]string{}}
	entries, err := os.ReadDir(s.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, process{}, fmt.Errorf("read files of %s: %w", name, err)
	}
	for _, e := range entries {
		switch {
		case e.Name() == changed:
			c.Stale = true
		case s.own(e.Name()):
		default:
			text, err := os.ReadFile(s.path(name, e.Name()))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return c, process{}, fmt.Errorf("read files of %s: %w", name, err)
			}
			c.Files[e.Name()] = string(text)
		}
	}
	main, fault := s.main(name, procs)
	c.Fault = fault
	dir := s.path(name)
	for _, a := range main.args {
		c.Args = append(c.Args, strings.ReplaceAll(a, dir, Dir))
	}
	return c, main, nil
}

// main chooses a daemon's main process among those that are of it, and says what is wrong with it.
func (s *Set) main(name string, procs []process) (main process, fault string) {
	if len(procs) == 0 {
		return process{}, "is not running"
	}
	text, err := os.ReadFile(s.path(name, pidFile))
	if err != nil {
		return procs[0], "has lost its pid file"
	}
	pid, err := parsePID(text)
	if err != nil {
		return procs[0], "has a pid file that holds no process id"
	}
	i := slices.IndexFunc(procs, func(p process) bool { return p.pid == pid })
	if i < 0 {
		return procs[0], "is not the process in its pid file"
	}
	main = procs[i]
	if slices.ContainsFunc(procs, func(p process) bool { return p.pid != pid && p.parent != pid }) {
		return main, "runs twice"
	}
	if main.state == 'T' || main.state == 't' {
		return main, "is stopped by a signal"
	}
	ns, err := namespaceOf(s.Namespace(name))
	if err != nil {
		return main, "has lost its network namespace"
	}
	if main.netns != ns {
		return main, "is in another network namespace"
	}
	return main, ""
}

// own reports whether a file of a daemon's directory is not the keeper's.
func (s *Set) own(file string) bool {
	return file == pidFile || strings.HasPrefix(file, ".") || slices.Contains(s.cfg.Own, file)
}

// write makes a daemon's files as wanted, each at once, and notes that it has to be told.
func (s *Set) write(name string, files map[string]string) error {
	if err := os.MkdirAll(s.path(name), 0o755); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if err := os.WriteFile(s.path(name, changed), nil, 0o644); err != nil {
		return fmt.Errorf("note a change: %w", err)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := s.replace(name, file, files[file]); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(s.path(name))
	if err != nil {
		return fmt.Errorf("read files: %w", err)
	}
	for _, e := range entries {
		if _, wanted := files[e.Name()]; !wanted && !s.own(e.Name()) {
			if err := os.RemoveAll(s.path(name, e.Name())); err != nil {
				return fmt.Errorf("remove a file: %w", err)
			}
		}
	}
	return nil
}

// tell makes a daemon read its files, and waits until it says that it did.
func (s *Set) tell(ctx context.Context, name string, p process) error {
	if s.cfg.Told == "" {
		return s.signal(p, unix.SIGHUP)
	}
	log, err := os.Open(s.path(name, s.cfg.Log))
	if err != nil {
		return err
	}
	defer log.Close()
	if _, err := log.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if err := s.signal(p, unix.SIGHUP); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, toldTimeout)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	want := strings.ReplaceAll(s.cfg.Told, Dir, s.path(name))
	var said strings.Builder
	for {
		if _, err := io.Copy(&said, log); err != nil {
			return err
		}
		if strings.Contains(said.String(), want) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not say that it read them: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// signalled notes that a daemon was told of its files.
func (s *Set) signalled(name string) error {
	if err := os.Remove(s.path(name, changed)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("note that files were read: %w", err)
	}
	return nil
}

// seed writes files that are not there.
func (s *Set) seed(name string, files map[string]string) error {
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if _, err := os.Stat(s.path(name, file)); err == nil {
			continue
		}
		if err := s.replace(name, file, files[file]); err != nil {
			return err
		}
	}
	return nil
}

// replace gives a file its contents so that no reader sees a part of them. It is not synced: after a
// power failure the daemons are gone too, and contents are compared before they are started again.
func (s *Set) replace(name, file, text string) error {
	temp := s.path(name, ".new-"+file)
	if err := os.WriteFile(temp, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(temp, s.path(name, file)); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// trimLog empties a log that grew too large. Daemons append to it, so they need not know.
func (s *Set) trimLog(name string) {
	if s.cfg.Log == "" {
		return
	}
	path := s.path(name, s.cfg.Log)
	if fi, err := os.Stat(path); err == nil && fi.Size() > MaxLog {
		if err := os.Truncate(path, 0); err != nil {
			s.cfg.Logger.WithField("namespace", name).WithError(err).Warnf("log of %s not emptied", s.cfg.Program)
		}
	}
}

// parsePID reads the contents of a pid file.
func parsePID(text []byte) (int, error) {
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 || pid > 1<<22 { // PID_MAX_LIMIT, proc(5)
		return 0, fmt.Errorf("%q is no process id", text)
	}
	return pid, nil
}
