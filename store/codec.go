package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/heddle-sdn/heddle/store/model"
)

// load reads the whole backend into a model and its history.
func load(ctx context.Context, b Backend, h *history) (*model.Model, error) {
	d := NewDecoder()
	m := &model.Model{}
	past := map[uint64][]byte{}
	rev, err := b.Load(ctx, func(r Record) (err error) {
		if r.Kind == historyKind {
			rev, err := strconv.ParseUint(r.Key, 10, 64)
			if err != nil {
				return fmt.Errorf("record %s %q: its key is no revision", r.Kind, r.Key)
			}
			past[rev] = bytes.Clone(r.Value)
			return nil
		}
		m, err = d.Add(m, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load store: %w", err)
	}
	h.load(past, rev)
	out := *m
	out.Rev = rev
	return &out, nil
}

// Decoder turns records into resources.
type Decoder struct {
	kinds map[string]func() model.Resource
}

// NewDecoder returns a decoder for every kind that the model knows.
func NewDecoder() Decoder { return Decoder{model.Kinds()} }

// Decode reads a record. What it does not know entirely, it refuses: a kind or field that another
// version wrote must not be dropped in silence.
func (d Decoder) Decode(r Record) (model.Resource, error) {
	empty, ok := d.kinds[r.Kind]
	if !ok {
		return nil, fmt.Errorf("record %q of kind %q, which is not known here: %w", r.Key, r.Kind, ErrNewerVersion)
	}
	res := empty()
	dec := json.NewDecoder(bytes.NewReader(r.Value))
	dec.DisallowUnknownFields()
	if err := dec.Decode(res); err != nil {
		return nil, fmt.Errorf("record %s %q: %w", r.Kind, r.Key, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("record %s %q: more than one JSON value", r.Kind, r.Key)
	}
	if res.Key() != r.Key {
		return nil, fmt.Errorf("record %s %q: holds the resource of key %q", r.Kind, r.Key, res.Key())
	}
	return res, nil
}

// Add returns the model with what a record holds. What tells of the past is read, and adds nothing.
func (d Decoder) Add(m *model.Model, r Record) (*model.Model, error) {
	if r.Kind == historyKind {
		var p pastChange
		if err := json.Unmarshal(r.Value, &p); err != nil {
			return nil, fmt.Errorf("record %s %q: %w", r.Kind, r.Key, err)
		}
		_, err := p.edits(d, m)
		return m, err
	}
	res, err := d.Decode(r)
	if err != nil {
		return nil, err
	}
	return m.With(res), nil
}

// encode returns the records that a transaction writes.
func encode(edits []Edit) ([]Record, error) {
	records := make([]Record, len(edits))
	for i, e := range edits {
		r, err := e.record()
		if err != nil {
			return nil, err
		}
		records[i] = r
	}
	return records, nil
}

func (e Edit) record() (Record, error) {
	if e.After == nil {
		return Record{Kind: e.Before.Kind(), Key: e.Before.Key()}, nil
	}
	r := Record{Kind: e.After.Kind(), Key: e.After.Key()}
	value, err := json.Marshal(e.After)
	if err != nil {
		return Record{}, fmt.Errorf("encode %s %q: %w", r.Kind, r.Key, err)
	}
	r.Value = value
	return r, nil
}
