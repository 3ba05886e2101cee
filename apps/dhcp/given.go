package dhcp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// Given reads which leases the servers of this machine have given out. A file is read again only once it
// changed. Its methods may not be called at the same time.
type Given struct {
	dir   string
	files map[string]givenFile // by namespace
}

type givenFile struct {
	changed time.Time
	size    int64
	leases  []spec.Lease
}

// NewGiven returns the leases of the servers whose files are in a directory, as of [ServersConfig].
func NewGiven(dir string) *Given { return &Given{dir: dir, files: map[string]givenFile{}} }

// Read returns all leases, by namespace and in the order of its file, and whether they changed since the
// last time. A directory that is not there has none.
func (g *Given) Read() (leases []spec.Lease, changed bool, err error) {
	dirs, err := os.ReadDir(g.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("leases: %w", err)
	}
	now := map[string]givenFile{}
	for _, d := range dirs {
		path := filepath.Join(g.dir, d.Name(), fileLeases)
		info, err := os.Stat(path)
		if err != nil {
			continue // no server's directory, or one that is about to come or go
		}
		f := g.files[d.Name()]
		if !f.changed.Equal(info.ModTime()) || f.size != info.Size() {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, false, fmt.Errorf("leases: %w", err)
			}
			f = givenFile{info.ModTime(), info.Size(), parseGiven(d.Name(), string(text))}
			changed = true
		}
		now[d.Name()] = f
		leases = append(leases, f.leases...)
	}
	changed = changed || len(now) != len(g.files)
	g.files = now
	return leases, changed, nil
}

// parseGiven reads a lease file for who has an address until when. Entries without end are those that a
// server begins with, which nobody has asked for yet; see seed.
func parseGiven(namespace, text string) []spec.Lease {
	var out []spec.Lease
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 5 || !strings.HasSuffix(line, "\n") {
			continue
		}
		expires, err := strconv.ParseInt(f[0], 10, 64)
		l, bad := parseLease(f, nil)
		if err != nil || bad != nil || expires <= 0 {
			continue
		}
		given := spec.Lease{Namespace: namespace, IP: l.IP, MAC: l.MAC, Expires: time.Unix(expires, 0).UTC()}
		if f[3] != "*" {
			given.Hostname = f[3]
		}
		out = append(out, given)
	}
	return slices.Clip(out)
}
