package fakeswitch

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// multipart answers a multipart request, in as many parts as it takes.
func (k *conn) multipart(h wire.Header, body []byte) error {
	m, err := wire.DecodeMultipart(body)
	if err != nil {
		return err
	}
	if m.Type == wire.MultipartExperimenter {
		return k.monitor(h, m.Body)
	}
	items, err := k.items(m)
	if err != nil {
		return err
	}
	var part []byte
	for _, item := range items {
		if len(part) > 0 && len(part)+len(item) > k.s.opts.PartSize {
			k.sendEncoded(wire.AppendMultipartReply(nil, h.XID, m.Type, true, part))
			part = part[:0]
		}
		part = append(part, item...)
	}
	k.sendEncoded(wire.AppendMultipartReply(nil, h.XID, m.Type, false, part))
	return nil
}

// items are the encoded items of an answer.
func (k *conn) items(m wire.Multipart) ([][]byte, error) {
	t := &k.s.tables
	switch m.Type {
	case wire.MultipartDesc:
		return [][]byte{wire.AppendDesc(nil, wire.Desc{Manufacturer: "Heddle", Hardware: "none", Software: "fakeswitch", Datapath: k.s.opts.Bridge})}, nil
	case wire.MultipartFlow:
		return k.flowStats(m.Body)
	case wire.MultipartAggregate:
		flows, err := k.requested(m.Body)
		return [][]byte{wire.AppendAggregate(nil, wire.Aggregate{Flows: uint32(len(flows))})}, err
	case wire.MultipartTable:
		return each(slices.Sorted(maps.Keys(t.counts)), func(id of.TableID) ([]byte, error) {
			return wire.AppendTableStat(nil, wire.TableStat{Table: id, Active: uint32(t.counts[id])}), nil
		})
	case wire.MultipartPortDesc:
		return each(k.s.sortedPorts(), func(p of.Port) ([]byte, error) { return wire.AppendPort(nil, p), nil })
	case wire.MultipartPortStats:
		return each(k.s.sortedPorts(), func(p of.Port) ([]byte, error) {
			return wire.AppendPortStat(nil, wire.PortStat{Port: p.No}), nil
		})
	case wire.MultipartGroupDesc:
		return each(byKey(t.groups), func(g of.GroupEntry) ([]byte, error) { return wire.AppendGroupDesc(nil, g) })
	case wire.MultipartGroup:
		return each(byKey(t.groups), func(g of.GroupEntry) ([]byte, error) {
			return wire.AppendGroupStat(nil, wire.GroupStat{ID: g.ID, Buckets: make([]wire.Counter, len(g.Buckets))}), nil
		})
	case wire.MultipartMeterConfig:
		return each(byKey(t.meters), func(m of.MeterEntry) ([]byte, error) { return wire.AppendMeterConfig(nil, m), nil })
	case wire.MultipartMeter:
		return each(byKey(t.meters), func(m of.MeterEntry) ([]byte, error) {
			return wire.AppendMeterStat(nil, wire.MeterStat{ID: m.ID, Bands: make([]wire.Counter, len(m.Bands))}), nil
		})
	}
	return nil, errBadMultipart
}

func each[T any](list []T, encode func(T) ([]byte, error)) ([][]byte, error) {
	out := make([][]byte, 0, len(list))
	for _, v := range list {
		b, err := encode(v)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func byKey[K cmp.Ordered, V any](m map[K]V) []V {
	out := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

// requested are the flows that a flow or aggregate request asks for.
func (k *conn) requested(body []byte) ([]*flow, error) {
	r, err := wire.DecodeFlowStatsRequest(body)
	if err != nil {
		return nil, err
	}
	m := wire.FlowMod{Command: wire.Delete, CookieMask: r.CookieMask, OutPort: r.OutPort, OutGroup: r.OutGroup}
	m.Flow.Table, m.Flow.Cookie, m.Flow.Match = r.Table, r.Cookie, r.Match
	flows := k.s.tables.selected(&m, of.Key{})
	slices.SortFunc(flows, func(a, b *flow) int {
		return cmp.Or(cmp.Compare(a.key.Table, b.key.Table), cmp.Compare(b.key.Priority, a.key.Priority), cmp.Compare(a.key.Match, b.key.Match))
	})
	return flows, nil
}

func (k *conn) flowStats(body []byte) ([][]byte, error) {
	flows, err := k.requested(body)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return each(flows, func(f *flow) ([]byte, error) {
		return wire.AppendFlowStat(nil, &wire.FlowStat{
			Table: f.key.Table, Priority: f.key.Priority, IdleTimeout: f.entry.IdleTimeout, HardTimeout: f.entry.HardTimeout,
			Flags: f.entry.Flags, Cookie: f.entry.Cookie, Duration: now.Sub(f.since), Match: []byte(f.key.Match),
			Instructions: []byte(f.entry.Instructions),
		})
	})
}

// monitor starts a flow monitor (ONF extension 187) and tells the flows there are.
func (k *conn) monitor(h wire.Header, body []byte) error {
	x, err := wire.DecodeExperimenter(body)
	if err != nil {
		return err
	}
	if x.ID != of.ExperimenterONF || x.Type != wire.ONFFlowMonitor || k.s.opts.NoMonitor {
		return errBadExpType
	}
	r, err := wire.DecodeMonitorRequest(x.Body)
	if err != nil {
		return err
	}
	if _, there := k.monitors[r.ID]; there {
		return wire.Error{Type: wire.ErrFlowMonitorFailed, Code: 1}
	}
	k.monitors[r.ID] = r
	var updates []wire.MonitorUpdate
	if r.Flags&wire.MonitorInitial != 0 {
		for _, f := range k.s.tables.flows {
			if watches(r, f) {
				updates = append(updates, full(change{event: wire.MonitorAdded, flow: f}, r.Flags))
			}
		}
	}
	for first := true; first || len(updates) > 0; first = false {
		n := min(len(updates), monitorPart)
		reply, err := wire.AppendMonitorReply(nil, h.XID, updates[:n]...)
		if err != nil {
			return err
		}
		updates = updates[n:]
		if len(updates) > 0 {
			reply[wire.HeaderLen+3] |= 1 // OFPMPF_REPLY_MORE
		}
		k.send(reply)
	}
	return nil
}

// monitorPart is how many updates go into one part of a reply.
const monitorPart = 100
