// Package child keeps daemons that live in network namespaces and outlive the process that started them:
// dnsmasq, radvd. A daemon is started detached, is found again after its keeper died and came back, is told
// of changed files by a signal, and is restarted only if its command line changed or it is not running.
//
// A daemon is ours if its program is the set's and one of its arguments names the pid file that the set
// would give it. Others are never signalled.
package child

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/reconcile"
)

// Dir stands for a daemon's own directory in its arguments.
const Dir = "%d"

// pidFile is the file of a daemon's directory to which it writes its process id. Its path, as "%d/pid" or
// behind an equals sign, has to be among the arguments.
const pidFile = "pid"

// Child is a daemon, wanted or actual.
type Child struct {
	Args  []string          // the command, Args[0] its program; Dir stands for the daemon's directory
	Files map[string]string // contents by name, in its directory; a change is signalled
	Seed  map[string]string // files that are written before a start if they are missing; not compared
	// Fault says why an actual daemon is not to be trusted: "is not running". Empty if it is well.
	Fault string
	// Stale is set if files of an actual daemon were written, but not yet signalled.
	Stale bool
}

// Equal reports whether an actual daemon is as wanted.
func (c Child) Equal(have Child) bool {
	return have.Fault == "" && !have.Stale && slices.Equal(c.Args, have.Args) && maps.Equal(c.Files, have.Files)
}

// Error is what keeps one daemon from being as wanted.
type Error struct {
	Name string // of the namespace
	Err  error  // with what the daemon printed
}

// Error says where and why.
func (e *Error) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Config is what a Set needs.
type Config struct {
	Program string   // base name of the daemons' program: "dnsmasq"
	Dir     string   // directory that holds one directory a daemon, named like its namespace
	Netns   string   // directory of named network namespaces; default "/run/netns"
	Own     []string // files in a daemon's directory that it writes itself, beside its pid file
	Log     string   // the one of Own that it logs to; it is cut to nothing beyond MaxLog bytes
	// Told is what a daemon writes to its log once it read changed files; [Dir] stands for its directory.
	// A change is done then; a daemon that does not say so in time is
	// restarted. Empty: it is not waited for.
	Told string
	// Died is told of a daemon that ended though nobody asked it to, from a goroutine of the set. It may
	// be nil, and must not call the set.
	Died   func(name string, pid int)
	Logger *logrus.Entry
}

// MaxLog is the size, in bytes, beyond which a daemon's log is emptied.
const MaxLog = 1 << 20

// Bounds of what is waited for.
const (
	startTimeout = 10 * time.Second // from the start of a daemon until it runs
	toldTimeout  = 5 * time.Second  // from SIGHUP until a daemon says that it read its files
	stopTimeout  = 3 * time.Second  // from SIGTERM to SIGKILL, and from there to giving up
	parallel     = 4                // daemons that are started or stopped at a time
)

// Set is the daemons of one program on this machine, at most one in each namespace. It is a
// [reconcile.Target]. Its methods may be called from any goroutine, but Apply of the same namespace from
// one at a time.
type Set struct {
	cfg Config

	mu      sync.Mutex
	seen    map[string][]process // processes by namespace, as Actual saw them
	acted   map[string]bool      // namespaces to which something was done since; nil before Actual
	watches map[string]*watch    // by namespace
	closed  bool
	running sync.WaitGroup // goroutines of watches
}

// New returns the set of daemons that a directory describes, which is made if it is missing. It starts
// and stops nothing.
func New(cfg Config) (*Set, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("directory of %s: %w", cfg.Program, err)
	}
	cfg.Dir = dir
	if cfg.Netns == "" {
		cfg.Netns = "/run/netns"
	}
	// Daemons that give up root have to reach their files.
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("directory of %s: %w", cfg.Program, err)
	}
	return &Set{cfg: cfg, watches: map[string]*watch{}}, nil
}

// Close stops watching. The daemons go on.
func (s *Set) Close() error {
	s.mu.Lock()
	s.closed = true
	for name := range s.watches {
		s.unwatch(name)
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// Equal reports whether an actual daemon is as wanted.
func (s *Set) Equal(want, have Child) bool { return want.Equal(have) }

// Actual reads the daemons there are, and begins to watch those it did not know.
func (s *Set) Actual(context.Context) (map[string]Child, error) {
	procs, err := s.scan()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("read daemons of %s: %w", s.cfg.Program, err)
	}
	names := slices.Collect(maps.Keys(procs))
	for _, e := range entries {
		if e.IsDir() && procs[e.Name()] == nil {
			names = append(names, e.Name())
		}
	}
	out := make(map[string]Child, len(names))
	for _, name := range names {
		c, main, err := s.read(name, procs[name])
		if err != nil {
			return nil, err
		}
		if c.Fault == "" {
			s.watch(name, main.pid)
			s.trimLog(name)
		}
		out[name] = c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.acted = procs, map[string]bool{}
	return out, nil
}

// processes returns the processes of namespaces that something will be done to. What Actual saw is good
// for one time; to look through all processes for each change would be slow where changes come singly.
// Processes are identified again before they are signalled.
func (s *Set) processes(names []string) (map[string][]process, error) {
	s.mu.Lock()
	fresh := s.acted != nil
	for _, name := range names {
		fresh = fresh && !s.acted[name]
	}
	if fresh {
		defer s.mu.Unlock()
		for _, name := range names {
			s.acted[name] = true
		}
		return s.seen, nil
	}
	s.mu.Unlock()
	return s.scan()
}

// Apply starts, stops and signals daemons. It does all that can be done; its error joins an [Error] for
// each daemon that is not as wanted.
func (s *Set) Apply(ctx context.Context, c reconcile.Change[string, Child]) error {
	names := slices.Concat(slices.Collect(maps.Keys(c.Delete)), slices.Collect(maps.Keys(c.Update)), slices.Collect(maps.Keys(c.Add)))
	procs, err := s.processes(names)
	if err != nil {
		return err
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		errs  []error
		slots = make(chan struct{}, parallel)
	)
	do := func(name string, job func() error) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := job(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, &Error{Name: name, Err: err})
			}
		})
	}
	for name := range c.Delete {
		do(name, func() error { return s.remove(name, procs[name]) })
	}
	for _, wanted := range []map[string]Child{c.Update, c.Add} {
		for name, want := range wanted {
			do(name, func() error { return s.keep(ctx, name, want, procs[name]) })
		}
	}
	wg.Wait()
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// keep makes a daemon as wanted with the least that does.
func (s *Set) keep(ctx context.Context, name string, want Child, procs []process) error {
	have, main, err := s.read(name, procs)
	if err != nil {
		return err
	}
	if want.Equal(have) {
		return nil
	}
	if have.Fault == "" && slices.Equal(want.Args, have.Args) {
		if err := s.write(name, want.Files); err != nil {
			return err
		}
		err := s.tell(ctx, name, main)
		if err == nil {
			return s.signalled(name)
		}
		s.cfg.Logger.WithFields(logrus.Fields{"namespace": name, "pid": main.pid}).WithError(err).Warnf("%s restarted, for it does not hear of changed files", s.cfg.Program)
	}
	// Once it is stopped it is started, even if the keeper is about to end.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.stop(name, procs); err != nil {
		return err
	}
	if err := s.write(name, want.Files); err != nil {
		return err
	}
	if err := s.seed(name, want.Seed); err != nil {
		return err
	}
	pid, err := s.start(context.WithoutCancel(ctx), name, want.Args)
	if err != nil {
		return err
	}
	s.cfg.Logger.WithFields(logrus.Fields{"namespace": name, "pid": pid}).Infof("%s started", s.cfg.Program)
	s.watch(name, pid)
	return s.signalled(name)
}

// remove ends a daemon and forgets it.
func (s *Set) remove(name string, procs []process) error {
	if err := s.stop(name, procs); err != nil {
		return err
	}
	if err := os.RemoveAll(s.path(name)); err != nil {
		return fmt.Errorf("remove files: %w", err)
	}
	s.cfg.Logger.WithField("namespace", name).Infof("%s removed", s.cfg.Program)
	return nil
}

// path is a daemon's directory, or a file in it.
func (s *Set) path(name string, file ...string) string {
	return filepath.Join(append([]string{s.cfg.Dir, name}, file...)...)
}

// Path returns the path of a file in a daemon's directory.
func (s *Set) Path(name, file string) string { return s.path(name, file) }

// Namespace returns the path of a daemon's namespace.
func (s *Set) Namespace(name string) string { return filepath.Join(s.cfg.Netns, name) }
