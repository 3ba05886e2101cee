// Package pipeline is the program of Heddle's bridges: which tables there are, what each may match and
// where it may send a packet, and the flows that fill them. The declarations are the documentation:
// docs/pipeline.md is generated from them. Table numbers and bridge names are Neutron's, so that its
// users find their way.
package pipeline

import (
	"fmt"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Table declares one flow table of a bridge.
type Table struct {
	ID    of.TableID
	Name  string
	Match []of.Field   // fields its flows may match
	Goto  []of.TableID // tables its flows may continue in
	Miss  Miss         // what happens to a packet that no flow of the table takes
	Doc   string
}

// Miss is the fate of a packet that matches nothing: the flow of priority 0 that a table ends with.
type Miss struct {
	Actions []of.Action
	None    bool // the table's flows leave nothing to miss
}

var (
	drop   = Miss{}
	none   = Miss{None: true}
	normal = Miss{Actions: []of.Action{of.Output{Port: of.PortNormal}}}
)

func next(t of.TableID) Miss { return Miss{Actions: []of.Action{of.GotoTable{Table: t}}} }

func to(tables ...of.TableID) []of.TableID { return tables }

func on(fields ...of.Field) []of.Field { return fields }

// Pipeline is the tables of a bridge, in the order packets visit them.
type Pipeline struct {
	Bridge string
	Doc    string
	Tables []Table
}

// Table returns the declaration of a table, or nil.
func (p *Pipeline) Table(id of.TableID) *Table {
	i := slices.IndexFunc(p.Tables, func(t Table) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return &p.Tables[i]
}

// base returns the flows that do not depend on anything: the misses of the tables.
func (p *Pipeline) base() []of.Flow {
	flows := make([]of.Flow, 0, len(p.Tables))
	for _, t := range p.Tables {
		if !t.Miss.None {
			flows = append(flows, of.Flow{Table: t.ID, Cookie: Base, Actions: t.Miss.Actions})
		}
	}
	return flows
}

// Check returns an error for the first flow that its table does not declare: an unknown table, a match
// or a goto that is not listed, a cookie that is not Heddle's. A wrong plan is found here, before any
// switch sees it.
func (p *Pipeline) Check(flows []of.Flow) error {
	for _, f := range flows {
		if err := p.check(f); err != nil {
			return fmt.Errorf("%s: flow %q: %w", p.Bridge, f, err)
		}
	}
	return nil
}

func (p *Pipeline) check(f of.Flow) error {
	t := p.Table(f.Table)
	if t == nil {
		return fmt.Errorf("table %d is not declared", f.Table)
	}
	if !Ours(f.Cookie) {
		return fmt.Errorf("cookie %v is not one of Heddle's", f.Cookie)
	}
	for _, m := range f.Match {
		if !slices.Contains(t.Match, m.Field) {
			return fmt.Errorf("table %s (%d) does not declare a match on %v", t.Name, t.ID, m.Field)
		}
	}
	for _, a := range f.Actions {
		if g, ok := a.(of.GotoTable); ok && !slices.Contains(t.Goto, g.Table) {
			return fmt.Errorf("table %s (%d) does not declare a way to table %d", t.Name, t.ID, g.Table)
		}
	}
	return nil
}

// Overlaps returns a pair of flows of equal table and priority that some packet matches both of, so
// that the switch may choose either; ok is false if there is none. It compares all pairs: for tests.
func Overlaps(flows []of.Flow) (a, b of.Flow, ok bool) {
	for i, a := range flows {
		for _, b := range flows[i+1:] {
			if a.Table == b.Table && a.Priority == b.Priority && compatible(a.Match, b.Match) {
				return a, b, true
			}
		}
	}
	return of.Flow{}, of.Flow{}, false
}

// compatible reports whether some packet satisfies both matches.
func compatible(a, b of.Match) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Field != y.Field {
				continue
			}
			mask := exact(x).And(exact(y))
			if x.Value.And(mask) != y.Value.And(mask) {
				return false
			}
		}
	}
	return true
}

// exact returns the bits a field match looks at.
func exact(m of.FieldMatch) of.Value {
	if m.Mask.IsZero() {
		return of.Value{Hi: ^uint64(0), Lo: ^uint64(0)}
	}
	return m.Mask
}

// Of returns the pipeline of a bridge by the bridge's name; bridges other than br-int and br-tun are
// provider bridges.
func Of(bridge string) *Pipeline {
	switch bridge {
	case Int.Bridge:
		return &Int
	case Tun.Bridge:
		return &Tun
	}
	return &Ext
}
