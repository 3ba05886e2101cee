package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Lab is a set of hosts and the planes between them.
type Lab struct {
	cfg      Config
	dir      string // the lab's own directory
	complete bool
	maker    *process
	wires    *process
	hosts    []*Host

	mu         sync.Mutex // held while hosts gain or lose power, and while their record is written
	progressMu sync.Mutex // one line at a time
}

// Name returns the lab's name.
func (l *Lab) Name() string { return l.cfg.Name }

// Dir returns the lab's own directory. Logs of a host are in hosts/NAME/log below it.
func (l *Lab) Dir() string { return l.dir }

// Hosts returns the hosts in the order of the configuration.
func (l *Lab) Hosts() []*Host { return l.hosts }

// Host returns the host of a name, or nil.
func (l *Lab) Host(name string) *Host {
	for _, h := range l.hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// findHost is Host with an error that names the hosts there are.
func (l *Lab) findHost(name string) (*Host, error) {
	if h := l.Host(name); h != nil {
		return h, nil
	}
	names := make([]string, len(l.hosts))
	for i, h := range l.hosts {
		names[i] = h.Name
	}
	return nil, fmt.Errorf("lab %s has no host %q: it has %s", l.cfg.Name, name, strings.Join(names, ", "))
}

// Address returns the address this machine has on the management plane, where hosts reach a
// controller that runs beside the lab. Invalid if the lab was not completed.
func (l *Lab) Address() netip.Addr {
	if !l.cfg.Management.IsValid() {
		return netip.Addr{}
	}
	return nth(l.cfg.Management, 1)
}

// internetName is what the host on the external plane is called; it is no host of Open vSwitch.
const internetName = "internet"

// Internet returns a command that runs in the namespace "internet", which stands on the external
// plane with its first address; nil if the lab has no external plane.
func (l *Lab) Internet(ctx context.Context, name string, args ...string) *exec.Cmd {
	if !l.cfg.External {
		return nil
	}
	return command(ctx, "nsenter", append(l.internetArgs(name), args...)...)
}

// InternetDo runs a function on a thread of its own inside the network namespace "internet". Sockets it
// makes stay there; goroutines it starts do not.
func (l *Lab) InternetDo(fn func() error) error {
	return inNetwork(l.wires.path("/run/netns/"+internetName), fn)
}

func (l *Lab) internetArgs(name string) []string {
	args := l.wires.enterArgs(name)
	return append([]string{"--net=" + l.wires.path("/run/netns/"+internetName)}, withoutNet(args)...)
}

// withoutNet leaves the network namespace out of nsenter's arguments.
func withoutNet(args []string) []string {
	kept := make([]string, 0, len(args))
	for i, a := range args {
		if a == "-n" {
			return append(kept, args[i+1:]...)
		}
		kept = append(kept, a)
	}
	return kept
}

// ExecArgs returns the command line, nsenter first, that runs a command on a host, in a virtual
// machine or in "internet", for callers that replace themselves with it.
func (l *Lab) ExecArgs(where, name string, args ...string) ([]string, error) {
	var enter []string
	switch h := l.Host(where); {
	case where == internetName && l.cfg.External:
		enter = l.internetArgs(name)
	case h != nil:
		if !h.Alive() {
			return nil, h.noPower()
		}
		enter = h.process().enterArgs(name)
	default:
		_, err := l.findHost(where)
		return nil, err
	}
	return append(append([]string{"nsenter"}, enter...), args...), nil
}

// Down ends the lab, whole or half-built, and leaves nothing of it: every process, namespace, link
// and mount is gone when it returns, and the directory too. A second Down does nothing.
func (l *Lab) Down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if !l.complete && l.maker.alive() && l.maker.PID != os.Getpid() {
		// `lab up` is still at it and would go on; it cleans up itself when told to stop.
		if err := l.maker.signalAndWait(unix.SIGTERM, 20*time.Second); err != nil {
			return fmt.Errorf("lab %s is being built: %w", l.cfg.Name, err)
		}
	}
	errs = append(errs, l.removeRootLink())
	var g errgroup.Group
	for _, h := range l.hosts {
		g.Go(h.process().kill)
	}
	g.Go(l.wires.kill)
	errs = append(errs, g.Wait())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("lab %s: %w", l.cfg.Name, err)
	}
	if err := releaseDir(l.cfg); err != nil {
		return fmt.Errorf("lab %s: %w", l.cfg.Name, err)
	}
	return nil
}

// removeRootLink deletes the veth in the caller's namespace now; without that it goes with the
// namespace of its peer, a moment after the last process in there.
func (l *Lab) removeRootLink() error {
	if !l.cfg.Management.IsValid() || l.wires == nil {
		return nil
	}
	link := rootLink(l.cfg.Management)
	alias, err := os.ReadFile(filepath.Join("/sys/class/net", link, "ifalias"))
	if err != nil || strings.TrimSpace(string(alias)) != l.rootAlias() {
		return nil // not there, or by now another lab's
	}
	err = ipBatch(context.Background(), nil, []string{"link del " + link})
	if err != nil && strings.Contains(err.Error(), "Cannot find device") {
		return nil
	}
	return err
}

// rootAlias says in the veth's alias whose it is. No spaces: ip -batch would split it.
func (l *Lab) rootAlias() string { return fmt.Sprintf("heddle-lab:%s:%d", l.cfg.Name, l.wires.PID) }
