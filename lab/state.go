package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// state is what the directory of a lab says of it, in state.json.
type state struct {
	Config   Config
	Complete bool       // false while it is being built
	Maker    *process   // who builds or built it
	Wires    *process   `json:",omitempty"`
	Hosts    []*process // in the order of Config.Hosts, null where not started yet
}

// ErrNoLab says that there is no lab of the name asked for.
var ErrNoLab = errors.New("no such lab")

const stateFile = "state.json"

// writeJSON replaces a file at once: a reader sees the old or the new content.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(data, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// save writes the state of the lab. The caller holds l.mu or is the only one who knows the lab.
func (l *Lab) save(complete bool) error {
	s := state{Config: l.cfg, Complete: complete, Maker: l.maker, Wires: l.wires, Hosts: make([]*process, len(l.hosts))}
	for i, h := range l.hosts {
		s.Hosts[i] = h.proc
	}
	if err := writeJSON(filepath.Join(l.dir, stateFile), s); err != nil {
		return fmt.Errorf("state of lab %s: %w", l.cfg.Name, err)
	}
	return nil
}

// claimDir makes the lab's directory. The name of a lab that nobody can run any more is free.
func claimDir(cfg Config) (string, error) {
	dir := filepath.Join(cfg.Dir, cfg.Name)
	for range 10 {
		if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
			return "", err
		}
		err := os.Mkdir(dir, 0o755)
		switch {
		case err == nil:
			return dir, nil
		case errors.Is(err, fs.ErrNotExist): // a lab that ended took the empty parent with it
			continue
		case !errors.Is(err, fs.ErrExist):
			return "", err
		}
		if old, err := load(dir); err != nil || old.anyAlive() {
			return "", fmt.Errorf("lab %s exists: end it with `heddle lab down --name %s`, or choose another name", cfg.Name, cfg.Name)
		}
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("directory %s comes and goes", dir)
}

// releaseDir removes the lab's directory, and the default parent with the last lab.
func releaseDir(cfg Config) error {
	err := os.RemoveAll(filepath.Join(cfg.Dir, cfg.Name))
	if cfg.Dir == DefaultDir {
		_ = os.Remove(cfg.Dir) // fails while there are others
	}
	return err
}

func (s *state) anyAlive() bool {
	return s.Wires.alive() || !s.Complete && s.Maker.alive() || slices.ContainsFunc(s.Hosts, (*process).alive)
}

func load(dir string) (*state, error) {
	s := &state{}
	if err := readJSON(filepath.Join(dir, stateFile), s); err != nil {
		return nil, err
	}
	return s, nil
}

// Open returns the lab of a name that was built by another process, whether it is still whole or
// not. Empty dir and name stand for DefaultDir and DefaultName. The error is ErrNoLab if there is none.
func Open(dir, name string) (*Lab, error) {
	cfg, err := Config{Dir: dir, Name: name}.withDefaults()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(cfg.Dir, cfg.Name)
	s, err := load(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(path); statErr != nil {
			return nil, fmt.Errorf("lab %s: %w: start it with `heddle lab up --name %s`", cfg.Name, ErrNoLab, cfg.Name)
		}
		// Its builder was killed before it could write a line: nothing was started.
		s, err = &state{Config: cfg}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lab %s: %w", cfg.Name, err)
	}
	// The directory is the truth about its own place.
	s.Config.Dir, s.Config.Name = cfg.Dir, cfg.Name
	return fromState(path, s), nil
}

func fromState(dir string, s *state) *Lab {
	l := &Lab{cfg: s.Config, dir: dir, complete: s.Complete, maker: s.Maker, wires: s.Wires}
	for i, hc := range l.cfg.Hosts {
		h := &Host{HostConfig: hc, lab: l, index: i}
		if i < len(s.Hosts) {
			h.proc = s.Hosts[i]
		}
		l.hosts = append(l.hosts, h)
	}
	return l
}

// Names returns the names of the labs under a directory, sorted. Empty dir stands for DefaultDir.
func Names(dir string) ([]string, error) {
	if dir == "" {
		dir = DefaultDir
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && labName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// rootLink returns the name of the veth by which the caller's namespace is attached to a
// management plane. It says which subnet, so that the kernel itself refuses to give one twice.
func rootLink(management netip.Prefix) string {
	a := management.Masked().Addr().As4()
	return fmt.Sprintf("heddle-%02x%02x%02x%02x", a[0], a[1], a[2], a[3])
}

// vmFile returns the name of the file that records a virtual machine.
func (l *Lab) vmFile(name string) string { return filepath.Join(l.dir, "vms", name+".json") }

// vmNames returns the names of the recorded virtual machines, sorted.
func (l *Lab) vmNames() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, "vms"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, found := strings.CutSuffix(e.Name(), ".json"); found {
			names = append(names, name)
		}
	}
	return names, nil
}
