package history

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// shelf is a backend that forgets everything with the process.
type shelf struct{}

func (shelf) Load(context.Context, func(store.Record) error) (uint64, error) { return 0, nil }
func (shelf) Commit(context.Context, uint64, uint64, []store.Record) error   { return nil }
func (shelf) Close() error                                                   { return nil }

// lines is a log that a test reads as text.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Append(host string, b event.Body) {
	data, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, strings.TrimSpace(fmt.Sprintf("%s %s %s", b.Kind(), host, data)))
}

func (l *lines) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.text)
}

// follow runs Follow on a new store while fn changes it, and returns what the log says at the end.
func follow(t *testing.T, remember int, fn func(ctx context.Context, s *store.Store)) []string {
	t.Helper()
	var log lines
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), shelf{}, store.Options{Remember: remember})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); Follow(ctx, s, s.Snapshot().Rev, &log) }()
		synctest.Wait()
		fn(store.WithCause(ctx, store.Cause{Request: "req-1", User: "ann"}), s)
		synctest.Wait()
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return log.get()
}

func update(t *testing.T, ctx context.Context, s *store.Store, fn func(tx *store.Tx)) {
	t.Helper()
	if _, err := s.Update(ctx, func(tx *store.Tx) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

func plug(port, host, iface string) *model.Plug {
	return &model.Plug{Port: model.ID(port), Network: "n1", Host: host, Iface: iface, Since: time.Unix(1, 0).UTC()}
}

func TestChangesAreTold(t *testing.T) {
	network := &model.Network{Meta: model.Meta{ID: "n1"}, Type: model.TypeLocal}
	port := func(tag uint32) *model.Port {
		return &model.Port{Meta: model.Meta{ID: "p1"}, Network: "n1", Tag: tag}
	}
	vlan := &model.LocalVLAN{Host: "h1", Network: "n1", VLAN: 7}
	for name, test := range map[string]struct {
		change []func(tx *store.Tx)
		want   []string
	}{
		"objects_by_request": {
			[]func(*store.Tx){
				func(tx *store.Tx) { tx.Put(network); tx.Put(port(1)); tx.Put(&model.Sequence{Name: "tag", Last: 2}) },
				func(tx *store.Tx) { tx.Delete(port(1)) },
			},
			[]string{
				`changed  {"rev":1,"request":"req-1","user":"ann","put":["network/n1","port/p1"]}`,
				`changed  {"rev":2,"request":"req-1","user":"ann","deleted":["port/p1"]}`,
			},
		},
		"what_follows_from_objects_is_not_told": {
			[]func(*store.Tx){func(tx *store.Tx) { tx.Put(vlan); tx.Put(&model.Sequence{Name: "tag", Last: 2}) }},
			nil,
		},
		"services_that_are_placed_moved_and_taken_away": {
			[]func(*store.Tx){
				func(tx *store.Tx) {
					tx.Put(&model.Placement{Service: "router", Object: "r1", Host: "h1", Cause: model.CauseFirst})
				},
				func(tx *store.Tx) {
					tx.Put(&model.Placement{Service: "router", Object: "r1", Host: "h2", Leaving: "h1", Cause: model.CauseDrained})
				},
				func(tx *store.Tx) {
					tx.Put(&model.Placement{Service: "router", Object: "r1", Host: "h2", Cause: model.CauseDrained})
				},
				func(tx *store.Tx) { tx.Delete(&model.Placement{Service: "router", Object: "r1"}) },
			},
			[]string{
				`service_moved h1 {"service":"router","object":"router/r1","to":"h1","cause":"first_placement","rev":1,"request":"req-1","user":"ann"}`,
				`service_moved h2 {"service":"router","object":"router/r1","from":"h1","to":"h2","cause":"drained","rev":2,"request":"req-1","user":"ann"}`,
				`service_moved h2 {"service":"router","object":"router/r1","from":"h2","cause":"not_needed","rev":4,"request":"req-1","user":"ann"}`,
			},
		},
		"a_service_that_no_host_can_run": {
			[]func(*store.Tx){
				func(tx *store.Tx) {
					tx.Put(network)
					tx.Put(&model.Subnet{Meta: model.Meta{ID: "s1"}, Network: "n1", IPVersion: 4, EnableDHCP: true})
					tx.Put(&model.Placement{Service: "dhcp", Object: "n1", Host: "h1", Cause: model.CauseAgentLost})
				},
				func(tx *store.Tx) { tx.Delete(&model.Placement{Service: "dhcp", Object: "n1"}) },
			},
			[]string{
				`changed  {"rev":1,"request":"req-1","user":"ann","put":["network/n1","subnet/s1"]}`,
				`service_moved h1 {"service":"dhcp","object":"network/n1","to":"h1","cause":"agent_lost","rev":1,"request":"req-1","user":"ann"}`,
				`service_moved h1 {"service":"dhcp","object":"network/n1","from":"h1","cause":"no_gateway","rev":2,"request":"req-1","user":"ann"}`,
			},
		},
		"plugged_with_a_new_vlan": {
			[]func(*store.Tx){func(tx *store.Tx) { tx.Put(plug("p1", "h1", "tap1")); tx.Put(vlan) }},
			[]string{`port_plugged h1 {"port":"p1","interface":"tap1","vlan":7}`},
		},
		"plugged_with_the_vlan_of_others": {
			[]func(*store.Tx){
				func(tx *store.Tx) { tx.Put(vlan) },
				func(tx *store.Tx) { tx.Put(plug("p1", "h1", "tap1")) },
			},
			[]string{`port_plugged h1 {"port":"p1","interface":"tap1","vlan":7}`},
		},
		"plugged_under_another_name": {
			[]func(*store.Tx){
				func(tx *store.Tx) { tx.Put(vlan); tx.Put(plug("p1", "h1", "tap1")) },
				func(tx *store.Tx) { tx.Put(plug("p1", "h1", "tap2")) },
			},
			[]string{
				`port_plugged h1 {"port":"p1","interface":"tap1","vlan":7}`,
				`port_unplugged h1 {"port":"p1","interface":"tap1"}`,
				`port_plugged h1 {"port":"p1","interface":"tap2","vlan":7}`,
			},
		},
		"unplugged": {
			[]func(*store.Tx){
				func(tx *store.Tx) { tx.Put(vlan); tx.Put(plug("p1", "h1", "tap1")) },
				func(tx *store.Tx) { tx.Delete(plug("p1", "h1", "")); tx.Delete(vlan) },
			},
			[]string{
				`port_plugged h1 {"port":"p1","interface":"tap1","vlan":7}`,
				`port_unplugged h1 {"port":"p1","interface":"tap1"}`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := follow(t, 100, func(ctx context.Context, s *store.Store) {
				for _, fn := range test.change {
					update(t, ctx, s, fn)
				}
			})
			if !slices.Equal(got, test.want) {
				t.Errorf("log:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// forgetful is a store that remembers only the newest change, and that changes twice before it is read.
type forgetful struct {
	m       *model.Model
	changes []store.Change
	never   chan struct{}
}

func (f forgetful) Snapshot() *model.Model { return f.m }

func (f forgetful) Changed(after uint64) <-chan struct{} {
	if after < f.m.Rev {
		now := make(chan struct{})
		close(now)
		return now
	}
	return f.never
}

func (f forgetful) ChangesSince(rev uint64) ([]store.Change, bool) {
	if rev >= f.m.Rev {
		return nil, false
	}
	return f.changes, true
}

func TestWhatIsNoLongerRememberedIsTold(t *testing.T) {
	change := store.Change{Rev: 9, Edits: []store.Edit{{After: &model.Host{Name: "h1"}}}}
	for name, test := range map[string]struct {
		changes []store.Change
		want    []string
	}{
		"some":    {[]store.Change{change}, []string{`changes_missed  {"after":3}`, `changed  {"rev":9,"put":["host/h1"]}`}},
		"nothing": {nil, []string{`changes_missed  {"after":3}`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log lines
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				f := forgetful{&model.Model{Rev: 9}, test.changes, make(chan struct{})}
				go func() { defer close(done); Follow(ctx, f, 3, &log) }()
				synctest.Wait()
				cancel()
				<-done
				if got := log.get(); !slices.Equal(got, test.want) {
					t.Errorf("log: %q, want %q", got, test.want)
				}
			})
		})
	}
}
