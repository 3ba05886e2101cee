// Package plan tries requests out before they are done: a request that asks for a plan runs in the same
// handlers as any other, on a draft of the store that nobody stores, and is answered with everything that
// it would change. A plan can be applied later, exactly as it was shown, as long as nothing else changed.
package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/heddle-sdn/heddle/controller/difference"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Keep is how long a plan can be applied.
const Keep = 15 * time.Minute

// maxPlans bounds how many plans are kept; the oldest leave first.
const maxPlans = 256

// Store is where plans are made on and applied to; [store.Store] is one.
type Store interface {
	Snapshot() *model.Model
	Update(ctx context.Context, fn func(*store.Tx) error) (*model.Model, error)
	ChangesSince(rev uint64) (changes []store.Change, gap bool)
}

// Fabric says what follows on hosts when a model changes.
type Fabric interface {
	Preview(before, after *model.Model) difference.Fabric
}

// Config is what plans are made with. Every field but Now is needed.
type Config struct {
	Store  Store
	Fabric Fabric
	Now    func() time.Time // default time.Now
}

// Plans keeps plans in memory. Its methods may be called from any goroutine.
type Plans struct {
	cfg Config

	previewing sync.Mutex // a preview plans every host: one at a time is enough

	mu    sync.Mutex
	show  []change.Attributes
	plans []*plan // by age, oldest first
}

// New returns an empty set of plans.
func New(c Config) *Plans {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Plans{cfg: c}
}

// Show tells how objects are shown. It must not be called any more once there are plans.
func (p *Plans) Show(show ...change.Attributes) { p.show = append(p.show, show...) }

// preview says what follows on hosts.
func (p *Plans) preview(before, after *model.Model) difference.Fabric {
	p.previewing.Lock()
	defer p.previewing.Unlock()
	return p.cfg.Fabric.Preview(before, after)
}

// plan is a request that was tried out.
type plan struct {
	id      string
	request Request
	maker   identity.Identity
	created time.Time
	before  *model.Model
	after   *model.Model
	change  store.Change
	fabric  difference.Fabric
	status  int
	result  json.RawMessage
}

// Request is what a plan was made of.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	User   string `json:"user,omitempty"`
	ID     string `json:"id"`
}

// View is a plan as it is shown.
type View struct {
	ID        string                 `json:"id"`
	Rev       uint64                 `json:"rev"` // revision that it was made on
	Created   time.Time              `json:"created"`
	Expires   time.Time              `json:"expires"`
	Request   Request                `json:"request"`
	Changes   []change.Object        `json:"changes"`
	Hosts     []difference.Host      `json:"hosts"`
	Unplanned []difference.Unplanned `json:"unplanned"`
	Summary   Summary                `json:"summary"`
	Status    int                    `json:"status"` // code that the request would have been answered with
	Result    json.RawMessage        `json:"result"` // body of that answer, null for none
}

// Summary counts what a plan changes.
type Summary struct {
	Objects int `json:"objects"`
	Hosts   int `json:"hosts"`
	difference.Summary
}

// view shows a plan to somebody: hosts are the operator's business.
func (p *Plans) view(who identity.Identity, x *plan) View {
	v := View{ID: x.id, Rev: x.before.Rev, Created: x.created, Expires: x.created.Add(Keep), Request: x.request,
		Changes: change.Describe(who, x.before, x.after, x.change.Edits, p.show...),
		Hosts:   []difference.Host{}, Unplanned: []difference.Unplanned{}, Status: x.status, Result: x.result}
	v.Summary.Objects = len(v.Changes)
	if who.Admin {
		v.Hosts, v.Unplanned = append(v.Hosts, x.fabric.Hosts...), append(v.Unplanned, x.fabric.Unplanned...)
		v.Summary.Hosts, v.Summary.Summary = len(x.fabric.Hosts), x.fabric.Count()
	}
	return v
}

// ErrNotFound says that there is no such plan, any more or for the one who asks.
var ErrNotFound = errors.New("there is no such plan; plans are kept for 15 minutes")

// MovedError says that a plan cannot be applied, because the store is no longer as it was planned on.
type MovedError struct {
	Planned, Rev uint64
	Since        []string // what changed, as far as it is remembered
}

// Error says what changed.
func (e *MovedError) Error() string {
	since := "what changed is no longer remembered"
	if len(e.Since) > 0 {
		since = strings.Join(e.Since, "; ")
	}
	return fmt.Sprintf("the plan was made on revision %d and the store is at %d: %s; plan again", e.Planned, e.Rev, since)
}

// keep puts a plan among the others.
func (p *Plans) keep(x *plan) {
	x.id = "plan-" + uuid.NewString()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expireLocked()
	if len(p.plans) >= maxPlans {
		p.plans = slices.Delete(p.plans, 0, len(p.plans)-maxPlans+1)
	}
	p.plans = append(p.plans, x)
}

func (p *Plans) expireLocked() {
	now := p.cfg.Now()
	p.plans = slices.DeleteFunc(p.plans, func(x *plan) bool { return !now.Before(x.created.Add(Keep)) })
}

func (x *plan) belongsTo(who identity.Identity) bool {
	return who.Admin || who.User == x.maker.User && who.Project == x.maker.Project
}

// List returns the plans of somebody, newest first; an administrator's are all.
func (p *Plans) List(who identity.Identity) []View {
	p.mu.Lock()
	p.expireLocked()
	plans := slices.Clone(p.plans)
	p.mu.Unlock()
	out := []View{}
	for _, x := range slices.Backward(plans) {
		if x.belongsTo(who) {
			out = append(out, p.view(who, x))
		}
	}
	return out
}

func (p *Plans) find(who identity.Identity, id string) (*plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expireLocked()
	i := slices.IndexFunc(p.plans, func(x *plan) bool { return x.id == id && x.belongsTo(who) })
	if i < 0 {
		return nil, ErrNotFound
	}
	return p.plans[i], nil
}

// Get returns a plan, or [ErrNotFound].
func (p *Plans) Get(who identity.Identity, id string) (View, error) {
	x, err := p.find(who, id)
	if err != nil {
		return View{}, err
	}
	return p.view(who, x), nil
}

// Drop forgets a plan. Its error is [ErrNotFound].
func (p *Plans) Drop(who identity.Identity, id string) error {
	if _, err := p.find(who, id); err != nil {
		return err
	}
	p.remove(id)
	return nil
}

func (p *Plans) remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plans = slices.DeleteFunc(p.plans, func(x *plan) bool { return x.id == id })
}

// Applied says when a plan was applied, and the revision that it made.
type Applied struct {
	Rev uint64    `json:"rev"`
	At  time.Time `json:"at"`
}

// Apply stores what a plan shows, and forgets the plan. Its errors are [ErrNotFound], a [*MovedError] and
// those of the store.
//
// What is stored is what was shown, but for who did it and when: that is who applies it.
func (p *Plans) Apply(ctx context.Context, who identity.Identity, id string) (View, Applied, error) {
	x, err := p.find(who, id)
	if err != nil {
		return View{}, Applied{}, err
	}
	var at time.Time
	moved := &MovedError{Planned: x.before.Rev}
	m, err := p.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if moved.Rev = tx.Model().Rev; moved.Rev != moved.Planned {
			return moved
		}
		at = tx.Now()
		tx.Replay(signed(tx, x.change.Edits))
		return nil
	})
	if errors.Is(err, moved) {
		moved.Since = p.since(who, moved.Planned)
	}
	if err != nil {
		return View{}, Applied{}, err
	}
	p.remove(id)
	return p.view(who, x), Applied{m.Rev, at}, nil
}

// signed returns the edits with the cause and the time of a transaction, which has the revision that they
// were made for.
func signed(tx *store.Tx, edits []store.Edit) []store.Edit {
	out := slices.Clone(edits)
	for i, e := range out {
		if e.After == nil {
			continue
		}
		out[i].After = model.WithMeta(e.After, func(m *model.Meta) {
			if m.Rev != tx.Rev() {
				return
			}
			if e.Before == nil {
				m.Created = tx.Now()
			}
			m.Updated, m.Request, m.User = tx.Now(), tx.Cause().Request, tx.Cause().User
		})
	}
	return out
}

// maxSince bounds how many changes an error lists.
const maxSince = 5

// since says what changed since a revision, as far as it is remembered and the one who asks may know.
func (p *Plans) since(who identity.Identity, rev uint64) []string {
	var out []string
	changes, _ := p.cfg.Store.ChangesSince(rev)
	more := 0
	for _, c := range changes {
		var names []string
		for _, edit := range c.Edits {
			if name := change.AboutEdit(edit); name != "" && !slices.Contains(names, name) && p.mayKnow(who, edit) {
				names = append(names, name)
			}
		}
		switch {
		case len(names) == 0:
			continue
		case len(out) == maxSince:
			more++
			continue
		}
		what := fmt.Sprintf("%s changed in revision %d", strings.Join(names, ", "), c.Rev)
		if c.Cause.User != "" {
			what += " by " + c.Cause.User
		}
		if c.Cause.Request != "" {
			what += " (" + c.Cause.Request + ")"
		}
		out = append(out, what)
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("and %d changes more", more))
	}
	if len(out) == 0 && len(changes) > 0 {
		out = []string{"objects of others changed"}
	}
	return out
}

func (p *Plans) mayKnow(who identity.Identity, e store.Edit) bool {
	r := e.After
	if r == nil {
		r = e.Before
	}
	meta := model.MetaOf(r)
	return who.Admin || meta != nil && who.Owns(meta.Project)
}
