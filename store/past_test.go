package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/store/model"
)

func TestThePastIsAsItWas(t *testing.T) {
	s, err := Open(context.Background(), &memory{records: map[ref][]byte{}, rev: 10}, Options{Remember: 6, History: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	was := map[uint64]string{10: hosts(s.Snapshot())}
	for i := range 8 {
		m, err := s.Update(context.Background(), func(tx *Tx) error {
			tx.Put(&model.Host{Name: fmt.Sprint(i), Rev: tx.Rev()})
			if i > 2 {
				tx.Put(&model.Host{Name: "0", OVSDB: fmt.Sprint(i)})
				tx.Delete(&model.Host{Name: fmt.Sprint(i - 2)})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		was[m.Rev] = hosts(m)
	}
	for rev, want := range was {
		switch m, err := s.At(rev); {
		case rev < 16:
			if !errors.Is(err, ErrForgotten) || !strings.Contains(err.Error(), "the oldest is 16") {
				t.Errorf("revision %d: %v, want that it is forgotten", rev, err)
			}
		case err != nil:
			t.Errorf("revision %d: %v", rev, err)
		case m.Rev != rev || hosts(m) != want:
			t.Errorf("revision %d is %d: %s, was %s", rev, m.Rev, hosts(m), want)
		}
	}
	if _, err := s.At(19); !errors.Is(err, ErrFuture) {
		t.Errorf("the future: %v", err)
	}
}

func hosts(m *model.Model) string {
	var b strings.Builder
	for _, name := range m.Hosts.Sorted() {
		h, _ := m.Hosts.Get(name)
		b.WriteString(name + h.OVSDB + " ")
	}
	return b.String()
}
