package child

import (
	"errors"
	"os"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// watch waits for the end of one process.
type watch struct {
	pid  int
	file *os.File // of the process; closed by unwatch, or by the goroutine at the end
}

// watch tells Died when a process ends, unless unwatch comes first. It does nothing if the process is
// watched already.
func (s *Set) watch(name string, pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.watches[name]; s.closed || w != nil && w.pid == pid {
		return
	}
	s.unwatch(name)
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		s.running.Go(func() { s.died(name, pid) })
		return
	}
	if err != nil {
		// The keeper still finds out when it looks again.
		s.cfg.Logger.WithFields(logrus.Fields{"namespace": name, "pid": pid}).WithError(err).Warnf("%s not watched", s.cfg.Program)
		return
	}
	w := &watch{pid: pid, file: os.NewFile(uintptr(fd), "pidfd")}
	s.watches[name] = w
	s.running.Go(func() { s.wait(name, w) })
}

// unwatch forgets a process. The caller holds the lock.
func (s *Set) unwatch(name string) {
	if w := s.watches[name]; w != nil {
		delete(s.watches, name)
		w.file.Close()
	}
}

// wait waits in the runtime's poller, which costs no thread: a pidfd is readable once its process ended.
func (s *Set) wait(name string, w *watch) {
	conn, err := w.file.SyscallConn()
	if err != nil {
		return // closed
	}
	err = conn.Read(func(fd uintptr) bool { return ended(int(fd)) })
	if err != nil {
		return // closed while waiting
	}
	reap(w.pid)
	s.mu.Lock()
	unasked := s.watches[name] == w
	if unasked {
		s.unwatch(name)
	}
	s.mu.Unlock()
	if unasked {
		s.died(name, w.pid)
	}
}

// died reports an end that nobody asked for.
func (s *Set) died(name string, pid int) {
	s.cfg.Logger.WithFields(logrus.Fields{"namespace": name, "pid": pid}).Warnf("%s ended by itself", s.cfg.Program)
	if s.cfg.Died != nil {
		s.cfg.Died(name, pid)
	}
}

// ended asks, without waiting, whether the process of a pidfd ended.
func ended(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}
