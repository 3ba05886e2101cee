package spec

import (
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Part is some of a bridge's flows that were planned together, such as those of one network: as they
// read, and packed as they are compared with the switch. A Part is never written once it was made, so
// that a planner may use it in one Spec after another: the same Part means the same flows.
type Part struct {
	Flows   []of.Flow
	Keys    []of.Key     // of Flows
	Entries []wire.Entry // of Flows
}

// NewPart checks flows against the tables that they are for, and packs them.
func NewPart(tables *pipeline.Pipeline, flows []of.Flow) (*Part, error) {
	if err := tables.Check(flows); err != nil {
		return nil, err
	}
	p := &Part{Flows: flows, Keys: make([]of.Key, len(flows)), Entries: make([]wire.Entry, len(flows))}
	for i, f := range flows {
		var err error
		if p.Keys[i], p.Entries[i], err = wire.Pack(f); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Equal reports whether two parts have equal flows in equal order.
func (p *Part) Equal(other *Part) bool {
	return p == other || p != nil && other != nil && slices.Equal(p.Keys, other.Keys) && slices.Equal(p.Entries, other.Entries)
}

// Flows returns all flows of the bridge, part after part.
func (b *Bridge) Flows() []of.Flow {
	var all []of.Flow
	for _, p := range b.Parts {
		all = append(all, p.Flows...)
	}
	return all
}
