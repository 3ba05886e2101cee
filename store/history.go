package store

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/heddle-sdn/heddle/store/model"
)

// historyKind is the kind of the records that tell of changes. Their keys are revisions, with zeros in
// front so that they sort.
const historyKind = "change"

// maxHistory bounds the bytes of history that are kept, however few changes they are.
const maxHistory = 32 << 20

// pastChange is a change as its record has it: only what was before. What came of it is what the next
// change of the same resource found, or else what there is.
type pastChange struct {
	Time    time.Time  `json:"time"`
	Request string     `json:"request,omitempty"`
	User    string     `json:"user,omitempty"`
	Edits   []pastEdit `json:"edits"`
}

type pastEdit struct {
	Kind   string          `json:"kind"`
	Key    string          `json:"key"`
	Before json.RawMessage `json:"before,omitempty"` // left out: it did not exist
}

// historyRecord is the record of a change.
func historyRecord(c Change) (Record, error) {
	p := pastChange{Time: c.Time, Request: c.Cause.Request, User: c.Cause.User, Edits: make([]pastEdit, len(c.Edits))}
	for i, e := range c.Edits {
		r := e.After
		if e.Before != nil {
			r = e.Before
			before, err := json.Marshal(e.Before)
			if err != nil {
				return Record{}, fmt.Errorf("encode what %s %q was: %w", r.Kind(), r.Key(), err)
			}
			p.Edits[i].Before = before
		}
		p.Edits[i].Kind, p.Edits[i].Key = r.Kind(), r.Key()
	}
	value, err := json.Marshal(p)
	if err != nil {
		return Record{}, fmt.Errorf("encode change of revision %d: %w", c.Rev, err)
	}
	return Record{Kind: historyKind, Key: historyKey(c.Rev), Value: value}, nil
}

func historyKey(rev uint64) string { return fmt.Sprintf("%020d", rev) }

// touched tells of the change in short.
func (p pastChange) touched(rev uint64) Touched {
	t := Touched{Rev: rev, Time: p.Time, Cause: Cause{Request: p.Request, User: p.User}, Resources: make([]Ref, len(p.Edits))}
	for i, e := range p.Edits {
		t.Resources[i] = Ref{e.Kind, e.Key}
	}
	return t
}

// edits reads the edits of a change; after is the model that it led to.
func (p pastChange) edits(d Decoder, after *model.Model) ([]Edit, error) {
	out := make([]Edit, len(p.Edits))
	for i, e := range p.Edits {
		out[i].After = after.Get(e.Kind, e.Key)
		var err error
		if out[i].Before, err = e.before(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// before is what the resource was, nil if it did not exist.
func (e pastEdit) before(d Decoder) (model.Resource, error) {
	if e.Before == nil {
		return nil, nil
	}
	return d.Decode(Record{Kind: e.Kind, Key: e.Key, Value: e.Before})
}

// history is the records of the newest changes, without a gap up to the published revision. It is safe
// for concurrent use.
type history struct {
	limit int // changes

	mu      sync.Mutex
	last    uint64   // revision of the newest
	records [][]byte // values, oldest first; of revisions that follow each other
	bytes   int
}

// load takes records that were found, by their keys, up to the revision of the store. History that does
// not lead up to it tells of another model.
func (h *history) load(found map[uint64][]byte, rev uint64) {
	first := rev + 1
	for first > 1 && found[first-1] != nil {
		first--
	}
	for r := first; r <= rev; r++ {
		h.records = append(h.records, found[r])
		h.bytes += len(found[r])
	}
	h.last = rev
}

// over returns the keys of the records that leave once more come: those that are too many.
func (h *history) over(more []Record) []Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Record
	n, bytes := len(h.records)+len(more), h.bytes
	for _, r := range more {
		bytes += len(r.Value)
	}
	for i := 0; i < len(h.records) && (n-i > h.limit || bytes > maxHistory); i++ {
		bytes -= len(h.records[i])
		out = append(out, Record{Kind: historyKind, Key: historyKey(h.last - uint64(len(h.records)-1-i))})
	}
	return out
}

// add takes over records that became durable, and lets go of as many old ones.
func (h *history) add(more []Record, gone int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.records[:gone] {
		h.bytes -= len(r)
	}
	clear(h.records[:gone])
	h.records = h.records[gone:]
	for _, r := range more {
		h.records = append(h.records, r.Value)
		h.bytes += len(r.Value)
	}
	h.last += uint64(len(more))
}

// upTo returns the records of the changes up to a revision, oldest first, and the revision of the first.
func (h *history) upTo(rev uint64) (first uint64, records [][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first = h.last + 1 - uint64(len(h.records))
	n := len(h.records)
	if rev < h.last {
		n -= int(min(h.last-rev, uint64(n)))
	}
	return first, h.records[:n:n]
}

// Touched is a change in short.
type Touched struct {
	Rev       uint64
	Time      time.Time
	Cause     Cause
	Resources []Ref // in the order they were first changed
}

// Ref names a resource.
type Ref struct{ Kind, Key string }

// Past is a change with the models around it.
type Past struct {
	Change
	Before, After *model.Model
}

// History visits those of the changes that are kept that are wanted, newest first, until visit returns
// false, and returns the revision of the oldest one that is kept. They are durable, and so told of after a
// restart as well. What is not wanted costs little.
func (s *Store) History(want func(Touched) bool, visit func(Past) bool) (oldest uint64, err error) {
	m := s.Snapshot()
	oldest, records := s.history.upTo(m.Rev)
	w := walker{decoder: NewDecoder(), model: m}
	for i := len(records) - 1; i >= 0; i-- {
		rev := oldest + uint64(i)
		var p pastChange
		if err := json.Unmarshal(records[i], &p); err != nil {
			return oldest, fmt.Errorf("change of revision %d: %w", rev, err)
		}
		t := p.touched(rev)
		if !want(t) {
			w.pass(p)
			continue
		}
		past, err := w.step(t, p)
		if err != nil {
			return oldest, fmt.Errorf("change of revision %d: %w", rev, err)
		}
		if !visit(past) {
			break
		}
	}
	return oldest, nil
}

// walker goes back through changes.
type walker struct {
	decoder Decoder
	model   *model.Model     // without what was passed
	passed  map[Ref]pastEdit // the oldest edit of each resource that was passed
}

// pass notes that a change has to be undone.
func (w *walker) pass(p pastChange) {
	if w.passed == nil {
		w.passed = map[Ref]pastEdit{}
	}
	for _, e := range p.Edits {
		w.passed[Ref{e.Kind, e.Key}] = e
	}
}

// settle undoes what was passed.
func (w *walker) settle() error {
	edits := make([]Edit, 0, len(w.passed))
	for r, e := range w.passed {
		before, err := e.before(w.decoder)
		if err != nil {
			return err
		}
		edits = append(edits, Edit{Before: before, After: w.model.Get(r.Kind, r.Key)})
	}
	w.model, w.passed = undo(w.model, edits), nil
	return nil
}

// step undoes a change, and returns it.
func (w *walker) step(t Touched, p pastChange) (Past, error) {
	if err := w.settle(); err != nil {
		return Past{}, err
	}
	edits, err := p.edits(w.decoder, w.model)
	if err != nil {
		return Past{}, err
	}
	after, before := *w.model, *undo(w.model, edits)
	after.Rev, before.Rev = t.Rev, t.Rev-1
	w.model = &before
	return Past{Change{Rev: t.Rev, Time: t.Time, Cause: t.Cause, Edits: edits}, &before, &after}, nil
}

// undo returns the model before edits. All of them leave it before any comes back: what two have exchanged,
// such as an address, must not be taken from the one by the other.
func undo(m *model.Model, edits []Edit) *model.Model {
	for _, e := range edits {
		if e.After != nil {
			m = m.Without(e.After)
		}
	}
	for _, e := range edits {
		if e.Before != nil {
			m = m.With(e.Before)
		}
	}
	return m
}
