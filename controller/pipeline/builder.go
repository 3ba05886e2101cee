package pipeline

import "github.com/heddle-sdn/heddle/controller/of"

// groupBit is the bit of a MAC address that multicast and broadcast have (IEEE 802).
var groupBit = of.MAC{0x01}

// builder collects the flows of one bridge. Its cookie is that of whatever is being added.
type builder struct {
	cookie of.Cookie
	flows  []of.Flow
}

// newBuilder starts with the misses of the pipeline's tables.
func newBuilder(p *Pipeline, c of.Cookie) *builder { return &builder{cookie: c, flows: p.base()} }

func (b *builder) add(t of.TableID, priority uint16, m of.Match, actions ...of.Action) {
	b.flows = append(b.flows, of.Flow{Table: t, Priority: priority, Match: m, Cookie: b.cookie, Actions: actions})
}

func match(fields ...of.FieldMatch) of.Match { return fields }
