package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// WatchNames calls changed with the name of each namespace that is taken away, whoever takes it, until ctx
// ends: the kernel tells of a namespace that ended, and one that something still runs in goes on without
// its name. An empty name stands for any.
func (h *Host) WatchNames(ctx context.Context, changed func(name string)) error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return fmt.Errorf("watch names of namespaces: %w", err)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch names of namespaces: %w", err)
	}
	defer w.Close()
	if err := w.Add(h.dir); err != nil {
		return fmt.Errorf("watch names of namespaces: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch names of namespaces: %w", err)
			}
			changed("")
		case e := <-w.Events:
			switch {
			case filepath.Clean(e.Name) == filepath.Clean(h.dir):
				return errors.New("watch names of namespaces: their directory is gone")
			case e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename):
				changed(filepath.Base(e.Name))
			}
		}
	}
}
