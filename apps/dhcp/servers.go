package dhcp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/child"
)

// Server is a dnsmasq, wanted or actual.
type Server struct {
	child.Child
	Outdated []Lease // leases of an actual one that contradict its hosts; nobody wants any
}

// ServersConfig is what Servers needs.
type ServersConfig struct {
	Dir    string                     // directory of the servers' files
	Netns  string                     // directory of named network namespaces; default "/run/netns"
	Died   func(name string, pid int) // see [child.Config]; a reason to verify
	Logger *logrus.Entry
}

// Servers are the dnsmasqs of this machine, by namespace. It is a [reconcile.Target]. It needs root. Its
// methods may be called from any goroutine, but Apply of the same namespace from one at a time.
type Servers struct {
	set  *child.Set
	user []string // argument that keeps dnsmasq root, if it could not read its files otherwise
	log  *logrus.Entry
}

// NewServers returns the servers whose files are in a directory. It starts and stops nothing.
func NewServers(cfg ServersConfig) (*Servers, error) {
	set, err := child.New(child.Config{Program: "dnsmasq", Dir: cfg.Dir, Netns: cfg.Netns, Own: []string{fileLeases, fileLog},
		Log: fileLog, Told: "read " + child.Dir + "/" + fileOpts, Died: cfg.Died, Logger: cfg.Logger}) // the options are read last
	if err != nil {
		return nil, err
	}
	s := &Servers{set: set, log: cfg.Logger}
	// dnsmasq gives up root before it reads the files, and reads them again later.
	if open, err := reachable(set.Path("", "")); err != nil {
		return nil, err
	} else if !open {
		s.user = []string{"--user=root"}
	}
	return s, nil
}

// Close stops watching. The servers go on.
func (s *Servers) Close() error { return s.set.Close() }

// Wanted are the servers of a spec, by namespace.
func (s *Servers) Wanted(namespaces map[string]spec.Namespace) map[string]Server {
	out := map[string]Server{}
	for name, ns := range namespaces {
		if ns.DHCP != nil {
			out[name] = Server{Child: child.Child{Args: slices.Concat(ns.DHCP.Args, s.user), Files: ns.DHCP.Files,
				Seed: map[string]string{fileLeases: seed(ns.DHCP.Files[fileHost])}}}
		}
	}
	return out
}

// Equal reports whether an actual server is as wanted.
func (s *Servers) Equal(want, have Server) bool {
	return want.Child.Equal(have.Child) && len(have.Outdated) == 0
}

// Actual reads the servers there are.
func (s *Servers) Actual(ctx context.Context) (map[string]Server, error) {
	have, err := s.set.Actual(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Server, len(have))
	for name, c := range have {
		leases, err := s.leases(name, c.Args)
		if err != nil {
			return nil, err
		}
		hosts := c.Files[fileHost]
		out[name] = Server{Child: c, Outdated: outdated(leases, hosts, hosts)}
	}
	return out, nil
}

// Apply starts and stops servers, tells them of changed files, and releases leases that are outdated
// then. It does all that can be done; its error joins a [child.Error] for each server that is not as
// wanted.
func (s *Servers) Apply(ctx context.Context, c reconcile.Change[string, Server]) error {
	if len(c.Add)+len(c.Update) > 0 {
		if err := writeMACTags(s.set.Path("", "")); err != nil {
			return err
		}
	}
	before := map[string]string{}
	for name := range c.Update {
		hosts, err := os.ReadFile(s.set.Path(name, fileHost))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("hosts of %s: %w", name, err)
		}
		before[name] = string(hosts)
	}
	errs := []error{s.set.Apply(ctx, reconcile.Change[string, child.Child]{Add: children(c.Add), Update: children(c.Update), Delete: children(c.Delete)})}
	for _, name := range slices.Sorted(maps.Keys(c.Update)) {
		if err := s.release(name, c.Update[name], before[name]); err != nil {
			errs = append(errs, &child.Error{Name: name, Err: fmt.Errorf("release leases: %w", err)})
		}
	}
	return errors.Join(errs...)
}

// release gives back the leases that contradict a server's hosts.
func (s *Servers) release(name string, want Server, before string) error {
	leases, err := s.leases(name, want.Args)
	if err != nil {
		return err
	}
	old := outdated(leases, want.Files[fileHost], before)
	if len(old) == 0 {
		return nil
	}
	s.log.WithFields(logrus.Fields{"namespace": name, "leases": len(old)}).Info("leases released")
	return release(s.set.Namespace(name), old)
}

// leases are those of addresses that a server with these arguments gives.
func (s *Servers) leases(name string, args []string) ([]Lease, error) {
	text, err := os.ReadFile(s.set.Path(name, fileLeases))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("leases of %s: %w", name, err)
	}
	return within(parseLeases(string(text)), served(args)), nil
}

func children(servers map[string]Server) map[string]child.Child {
	out := make(map[string]child.Child, len(servers))
	for name, s := range servers {
		out[name] = s.Child
	}
	return out
}

// reachable reports whether every user may enter a directory.
func reachable(dir string) (bool, error) {
	for {
		fi, err := os.Stat(dir)
		if err != nil {
			return false, fmt.Errorf("directory of dnsmasq: %w", err)
		}
		if fi.Mode().Perm()&0o001 == 0 {
			return false, nil
		}
		if dir == "/" {
			return true, nil
		}
		dir = filepath.Dir(dir)
	}
}
