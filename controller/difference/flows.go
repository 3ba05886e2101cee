package difference

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// flow is a flow in the forms that are compared and shown.
type flow struct {
	of.Flow
	entry wire.Entry
}

// flows compares bridges that both sides know the flows of. A bridge that only one side has comes or goes
// as a whole.
func flows(before, after Side) []Item {
	var out []Item
	was, will := before.spec().Bridges, after.spec().Bridges
	for _, name := range bothKeys(was, will) {
		if unknown(was[name]) || unknown(will[name]) {
			continue
		}
		old, now := collect(was[name], will[name]), collect(will[name], was[name])
		for _, k := range flowKeys(old, now) {
			o, had := old[k]
			n, has := now[k]
			item := Item{Where: name, Type: spec.LineFlow}
			switch {
			case had && has && o.entry == n.entry:
				continue
			case had && has:
				item.Op, item.Before = Change, before.text(name, o.Flow)
				after.tell(&item, n.Flow)
			case has:
				item.Op = Add
				after.tell(&item, n.Flow)
			default:
				item.Op = Delete
				before.tell(&item, o.Flow)
			}
			out = append(out, item)
		}
	}
	return out
}

func unknown(b *spec.Bridge) bool { return b != nil && b.Err != nil }

// collect returns the flows of a bridge, without the parts that the other side has too.
func collect(b, other *spec.Bridge) map[of.Key]flow {
	out := map[of.Key]flow{}
	if b == nil {
		return out
	}
	shared := map[*spec.Part]bool{}
	if other != nil {
		for _, p := range other.Parts {
			shared[p] = true
		}
	}
	for _, p := range b.Parts {
		if shared[p] {
			continue
		}
		for i, k := range p.Keys {
			out[k] = flow{p.Flows[i], p.Entries[i]}
		}
	}
	return out
}

// flowKeys returns the keys of both, in the order of tables, descending priority and match.
func flowKeys(a, b map[of.Key]flow) []of.Key {
	keys := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, both := a[k]; !both {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b of.Key) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Match, b.Match))
	})
	return keys
}

// portNumber finds the numbers of ports in the text of a flow.
var portNumber = regexp.MustCompile(`\b(in_port=|output:)(\d+)`)

// text is the flow as ovs-ofctl prints it.
func (s Side) text(bridge string, f of.Flow) string {
	text, names := f.String(), s.Names[bridge]
	if len(names) == 0 {
		return text
	}
	return portNumber.ReplaceAllStringFunc(text, func(found string) string {
		parts := portNumber.FindStringSubmatch(found)
		n, err := strconv.ParseUint(parts[2], 10, 32)
		if name, ok := names[of.PortNo(n)]; ok && err == nil {
			return parts[1] + strconv.Quote(name)
		}
		return found
	})
}

// tell fills in what a flow is, what it does and what it is there for.
func (s Side) tell(i *Item, f of.Flow) {
	i.Text = s.text(i.Where, f)
	if s.Object != nil {
		i.Object = s.Object(f.Cookie)
	}
	if s.Words != nil {
		i.Says = s.Words.Flow(i.Where, &f)
	}
}

// bothKeys returns the keys of both, sorted, each once.
func bothKeys[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}
