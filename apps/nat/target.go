package nat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// Table is the nftables table of one namespace, wanted or actual.
type Table struct {
	text  string
	rules *ruleset
	err   error // why it could not be read
	held  *held // of one that is wanted
}

// held is what is known of a table that is wanted: whether the kernel has had it, and how nft listed its
// rules then. What differs from that was altered by somebody else.
type held struct {
	mu        sync.Mutex
	yes       bool
	structure string
}

func (h *held) note(structure string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.yes, h.structure = true, structure
}

func (h *held) was() (structure string, yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.structure, h.yes
}

// TargetConfig is where the namespaces are. The zero value will do.
type TargetConfig struct {
	Dir string // of named namespaces; default "/run/netns"
	// Match says which namespaces are looked into. The default are those of routers, "qrouter-…".
	Match func(name string) bool
	// Altered is told what others had changed of a table, a sentence each, once it is as wanted again. Nil:
	// nobody is.
	Altered func(namespace string, texts []string)
}

// Target is the tables of all routers on this machine, by namespace. Tables of other names are never
// touched. It needs CAP_NET_ADMIN and CAP_SYS_ADMIN. Its methods may be called from any goroutine, for
// one namespace from one at a time.
type Target struct {
	dir     string
	match   func(string) bool
	altered func(namespace string, texts []string)

	mu    sync.Mutex
	wants map[string]Table   // what [Target.Want] read last, by namespace
	seen  map[string]reading // what was listed last, by namespace
}

// reading is a listing of a table.
type reading struct {
	table Table
	exist bool
	stamp stamp
	at    time.Time
}

// readingAge is how long a listing is relied on although nothing tells of a change: a namespace that was
// made anew may by chance look as if it was the old one.
const readingAge = time.Minute

// commandTimeout bounds one run of nft.
const commandTimeout = 30 * time.Second

var _ reconcile.Target[string, Table] = (*Target)(nil)

// NewTarget returns a target. It reads and changes nothing yet.
func NewTarget(c TargetConfig) *Target {
	if c.Dir == "" {
		c.Dir = "/run/netns"
	}
	if c.Match == nil {
		c.Match = func(name string) bool { return strings.HasPrefix(name, "qrouter-") }
	}
	if c.Altered == nil {
		c.Altered = func(string, []string) {}
	}
	return &Target{dir: c.Dir, match: c.Match, altered: c.Altered, wants: map[string]Table{}, seen: map[string]reading{}}
}

// Want returns the table of a planned namespace, and whether it has one.
func (t *Target) Want(ns spec.Namespace) (Table, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ns.NFT == nil || !t.match(ns.Name) {
		delete(t.wants, ns.Name)
		return Table{}, false
	}
	if have, ok := t.wants[ns.Name]; ok && have.text == ns.NFT.Text {
		return have, true
	}
	w := Table{text: ns.NFT.Text, held: &held{}}
	w.rules, w.err = parse(ns.NFT.Text)
	if w.err == nil && (ns.NFT.Family != Family || ns.NFT.Table != TableName) {
		w.err = fmt.Errorf("table %s %s is not %s %s", ns.NFT.Family, ns.NFT.Table, Family, TableName)
	}
	t.wants[ns.Name] = w
	return w, true
}

// Actual reads our table in each namespace that has one. What cannot be read is there and equals nothing,
// so that Apply comes upon the error, and it keeps no other namespace from its work.
func (t *Target) Actual(ctx context.Context) (map[string]Table, error) {
	entries, err := os.ReadDir(t.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		out   = map[string]Table{}
		slots = make(chan struct{}, 4) // nft is a process, and waits for the kernel a lot
	)
	for _, e := range entries {
		if !t.match(e.Name()) {
			continue
		}
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			have, exist, err := t.read(ctx, e.Name())
			if err != nil {
				have, exist = Table{err: err}, !errors.Is(err, fs.ErrNotExist)
			}
			if exist {
				mu.Lock()
				out[e.Name()] = have
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	t.prune(entries, out)
	return out, ctx.Err()
}

// prune forgets what was read of namespaces without table, and what is wanted of those that are gone.
func (t *Target) prune(namespaces []fs.DirEntry, have map[string]Table) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, r := range t.seen {
		if _, ok := have[name]; !ok && (r.exist || time.Since(r.at) > readingAge) {
			delete(t.seen, name)
		}
	}
	maps.DeleteFunc(t.wants, func(name string, _ Table) bool {
		return !slices.ContainsFunc(namespaces, func(e fs.DirEntry) bool { return e.Name() == name })
	})
}

// Equal reports whether a table is as wanted and nothing is left to be forgotten.
func (t *Target) Equal(want, have Table) bool {
	same := want.err == nil && have.err == nil && have.rules.intact(want.rules.structure) && want.rules.sets.equal(have.rules.sets)
	if same && want.held != nil {
		want.held.note(have.rules.structure)
	}
	return same
}

// Foreign reports whether the tables of a namespace have changed since they were last read or changed by
// the target.
func (t *Target) Foreign(name string) bool {
	if !t.match(name) {
		return false
	}
	t.mu.Lock()
	r, known := t.seen[name]
	t.mu.Unlock()
	now, err := readStamp(t.path(name))
	return !known || err != nil || r.stamp != now
}

// Apply makes tables as wanted. If only elements differ, only these change. Either way sessions go on,
// but for those of what was taken away, which have ended when Apply returns. The error holds one of each
// namespace that failed.
func (t *Target) Apply(ctx context.Context, c reconcile.Change[string, Table]) error {
	var errs []error
	for _, changed := range []map[string]Table{c.Add, c.Update} {
		for name, want := range changed {
			errs = append(errs, wrap(name, t.put(ctx, name, want)))
		}
	}
	for name := range c.Delete {
		errs = append(errs, wrap(name, t.remove(ctx, name)))
	}
	return errors.Join(errs...)
}

func wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("nftables of namespace %s: %w", name, err)
}

// put makes a table as wanted.
func (t *Target) put(ctx context.Context, name string, want Table) error {
	if want.err != nil {
		return want.err
	}
	have, exist, err := t.read(ctx, name)
	if err != nil {
		return err
	}
	var altered []string
	if structure, held := want.held.was(); held {
		altered = alterations(structure, want.rules, have.rules)
	}
	if err := t.set(ctx, name, want, have, exist); err != nil {
		return err
	}
	if now, exist, err := t.read(ctx, name); err == nil && exist {
		t.Equal(want, now)
	}
	if len(altered) > 0 {
		t.altered(name, altered)
	}
	return nil
}

// set makes a table as wanted that reads as told.
func (t *Target) set(ctx context.Context, name string, want, have Table, exist bool) (err error) {
	if !exist {
		return t.replace(ctx, name, want, elements{})
	}
	old := have.rules.sets
	leaving := leavingOf(old, want.rules.sets)
	if !have.rules.intact(want.rules.structure) {
		err = t.replace(ctx, name, want, leaving)
	} else {
		err = t.change(ctx, name, old, want.rules.sets, leaving)
	}
	if err != nil || len(leaving) == 0 {
		return err
	}
	return t.forget(ctx, name, leaving[leavingSet])
}

// change makes the elements of a table as wanted, in one transaction.
func (t *Target) change(ctx context.Context, name string, old, want, leaving elements) error {
	gone := old.without(want)
	delete(gone, leavingSet) // those are deleted once they have left
	script := gone.command("delete") + want.without(old).command("add") + leaving.without(old).command("add")
	if script == "" {
		return nil
	}
	now := maps.Clone(want)
	if _, ok := now[leavingSet]; ok {
		now[leavingSet] = leaving[leavingSet]
	}
	return t.edit(ctx, name, script, now)
}

// replace makes a table anew, in one transaction, and notes how it is listed in a second one. Without
// the second it is made once more.
func (t *Target) replace(ctx context.Context, name string, want Table, leaving elements) error {
	table := Family + " " + TableName
	script := "add table " + table + "\ndelete table " + table + "\ntable " + table + " {\n" + want.text + "}\n" + leaving.command("add")
	if _, err := t.nft(ctx, name, script, "-f", "-"); err != nil {
		return err
	}
	have, _, err := t.read(ctx, name)
	if err != nil {
		return err
	}
	s := seal{made: digest(want.rules.structure), listed: digest(have.rules.structure)}
	_, err = t.nft(ctx, name, fmt.Sprintf("add chain %s %s { comment \"%s\"; }\n", table, sealChain, s), "-f", "-")
	return err
}

// remove takes a table away.
func (t *Target) remove(ctx context.Context, name string) error {
	have, exist, err := t.read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !exist {
		return nil
	}
	if err != nil {
		return err
	}
	if leaving := leavingOf(have.rules.sets, elements{}); len(leaving) > 0 {
		if err := t.change(ctx, name, have.rules.sets, elements{leavingSet: nil}, leaving); err != nil {
			return err
		}
		if err := t.forget(ctx, name, leaving[leavingSet]); err != nil {
			return err
		}
	}
	_, err = t.nft(ctx, name, "delete table "+Family+" "+TableName+"\n", "-f", "-")
	return err
}

// forget ends the sessions of what left, and then says that it is done.
func (t *Target) forget(ctx context.Context, name string, left map[string]string) error {
	if err := t.endSessions(name, left); err != nil {
		return err
	}
	have, exist, err := t.read(ctx, name)
	if err != nil || !exist {
		return err
	}
	now := maps.Clone(have.rules.sets)
	now[leavingSet] = nil
	return t.edit(ctx, name, "flush set "+Family+" "+TableName+" "+leavingSet+"\n", now)
}

func (t *Target) path(name string) string { return filepath.Join(t.dir, name) }
