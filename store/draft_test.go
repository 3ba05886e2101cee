package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

func TestDraftShowsWhatItWouldChangeAndStoresNothing(t *testing.T) {
	b := &memory{}
	s := opened(t, b)
	base, err := s.Update(context.Background(), put("old"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	d := NewDraft(base, func() time.Time { return now })
	ctx := WithCause(context.Background(), Cause{Request: "req-1", User: "ann"})
	if m, err := d.Update(ctx, put("new")); err != nil || m.Hosts.Len() != 2 || m.Rev != 2 {
		t.Fatalf("draft after one update: %v", err)
	}
	bad := errors.New("bad")
	if _, err := d.Update(ctx, func(tx *Tx) error {
		tx.Put(&model.Host{Name: "trace"})
		return bad
	}); err != bad {
		t.Errorf("failing update returned %v", err)
	}
	if _, err := d.Update(ctx, func(tx *Tx) error {
		if _, ok := tx.Model().Hosts.Get("new"); !ok {
			t.Error("the second update does not see the first")
		}
		tx.Delete(&model.Host{Name: "old"})
		tx.Put(&model.Host{Name: "brief"})
		tx.Delete(&model.Host{Name: "brief"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c := d.Changed()
	got := ""
	for _, e := range c.Edits {
		got += fmt.Sprintf("%v→%v ", e.Before != nil, e.After != nil)
	}
	if got != "false→true true→false " || c.Rev != 2 || c.Cause.User != "ann" || !c.Time.Equal(now) {
		t.Errorf("change %+v, edits %s", c, got)
	}
	if s.Snapshot() != base || d.Base() != base || len(b.committed()) != 1 {
		t.Error("the draft changed the store")
	}
	m, err := s.Update(ctx, func(tx *Tx) error { tx.Replay(c.Edits); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Hosts.Get("new"); !ok || m.Hosts.Len() != 1 || m.Rev != 2 {
		t.Errorf("replayed: %d hosts at revision %d", m.Hosts.Len(), m.Rev)
	}
}

func TestDraftThatChangesNothing(t *testing.T) {
	d := NewDraft(&model.Model{Rev: 7}, time.Now)
	if c := d.Changed(); c.Rev != 0 || len(c.Edits) != 0 {
		t.Errorf("an untouched draft changes %+v", c)
	}
	_, err := d.Update(context.Background(), func(tx *Tx) error {
		tx.Put(&model.Host{Name: "x"})
		tx.Delete(&model.Host{Name: "x"})
		return nil
	})
	if c := d.Changed(); err != nil || c.Rev != 0 || len(c.Edits) != 0 {
		t.Errorf("made and deleted again: %+v, %v", c, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Update(ctx, put("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
