// Package difference says what changes on a host from one plan of it to another, in the words of the tools
// that an operator would look at the host with: flows as ovs-ofctl prints them, rows as ovs-vsctl takes
// them, namespaces as ip, nft and sysctl show them, and the lines that dnsmasq reads. It is exact: who
// makes the changes that it lists, and no others, comes from one plan to the other.
package difference

import (
	"cmp"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// Op is what happens to a thing.
type Op string

// The operations.
const (
	Add    Op = "add"
	Change Op = "change" // it stays what it is, and is otherwise than before
	Delete Op = "delete"
)

// order is the order in which things of one place are listed.
var order = map[spec.LineType]int{spec.LineFlow: 0, spec.LineRow: 1, spec.LineNamespace: 2, spec.LineLink: 3, spec.LineAddress: 4,
	spec.LineRoute: 5, spec.LineSysctl: 6, spec.LineNFT: 7, spec.LineDHCP: 8, spec.LineRA: 9, spec.LineMetadata: 10}

// OVSDB is the place of rows.
const OVSDB = "ovsdb"

// Item is one thing that changes.
type Item struct {
	Where  string        `json:"where"` // a bridge, "ovsdb", or a namespace
	Type   spec.LineType `json:"type"`
	Op     Op            `json:"op"`
	Text   string        `json:"text"`             // as it is afterwards; of what is deleted, as it was
	Before string        `json:"before,omitempty"` // of what changes, as it was
	Says   string        `json:"says,omitempty"`   // in plain words, for people
	Object string        `json:"object,omitempty"` // API object that it is there for, "port/<id>"; empty if for none
}

// Host is what changes on a host.
type Host struct {
	Host string `json:"host"`
	Diff []Item `json:"diff"`
}

// Unplanned says of what nothing is known: a host, or a part of one. Nothing is claimed of it.
type Unplanned struct {
	Host  string `json:"host"`
	Cause string `json:"cause"`
}

// Fabric is what changes on all hosts.
type Fabric struct {
	Hosts     []Host      // on which something changes, by name
	Unplanned []Unplanned // by host
}

// Side is a plan of a host, with what has to be known to name the things in it. A nil Spec is a host that
// is not there.
type Side struct {
	Spec *spec.Spec
	// Plugged are the interfaces on br-int that have an iface-id, by name: they keep a tag, if only the
	// dead one, while they are plugged.
	Plugged map[string]string
	// Names are ports without a number yet, by bridge and the number that stands for them in the plan. They
	// are printed by their names, as ovs-ofctl --names does.
	Names map[string]map[of.PortNo]string
	// Object names the API object that a cookie tells of, "port/<id>"; empty if it tells of none.
	Object func(of.Cookie) string
	// Words say what things are for. Nil: nothing is said.
	Words Words
}

// Words tell of the things of one plan of a host, in plain words.
type Words interface {
	// Flow says what a flow of a bridge does.
	Flow(bridge string, f *of.Flow) string
	// Row says what a row is for.
	Row(r row.Row) string
	// Namespace tells of the lines of a namespace; what it does not tell of is not said.
	Namespace(ns spec.Namespace) []spec.Line
}

// Of returns what changes from before to after: bridge by bridge, then rows, then namespaces.
func Of(before, after Side) []Item {
	out := slices.Concat(flows(before, after), rows(before, after), namespaces(before, after))
	slices.SortStableFunc(out, func(a, b Item) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Where, b.Where), cmp.Compare(order[a.Type], order[b.Type]))
	})
	return out
}

// place orders bridges before the OVSDB before namespaces.
func place(i Item) int { return min(order[i.Type], order[spec.LineNamespace]) }

// spec is the plan, empty for a host that is not there.
func (s Side) spec() *spec.Spec {
	if s.Spec == nil {
		return &spec.Spec{}
	}
	return s.Spec
}

// Summary counts the operations of items.
type Summary struct {
	Add    int `json:"add"`
	Change int `json:"change"`
	Delete int `json:"delete"`
}

// Count counts what changes on all hosts.
func (f Fabric) Count() Summary {
	var s Summary
	for _, h := range f.Hosts {
		for _, i := range h.Diff {
			switch i.Op {
			case Add:
				s.Add++
			case Change:
				s.Change++
			case Delete:
				s.Delete++
			}
		}
	}
	return s
}
