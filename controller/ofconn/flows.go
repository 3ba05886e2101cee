package ofconn

import (
	"context"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Stat is one flow of a switch with its counters.
type Stat struct {
	Key     of.Key
	Entry   wire.Entry
	Packets uint64 // all ones if the switch does not count
	Bytes   uint64
	Age     time.Duration // since the flow was added
}

// Flows returns the flows of a table, or of all with of.TableAll, whose cookie
// equals cookie in the bits of mask. The map is the caller's.
func (s *Session) Flows(ctx context.Context, table of.TableID, cookie, mask of.Cookie) (map[of.Key]wire.Entry, error) {
	// Most dumps find about what the last one found. A map of the right size
	// is made in half the time of one that grows.
	out := make(map[of.Key]wire.Entry, s.dumped.Load())
	err := s.dump(ctx, table, cookie, mask, func(stats []wire.FlowStat) error {
		for i := range stats {
			k, err := stats[i].Key()
			if err != nil {
				return err
			}
			out[k] = stats[i].Entry()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.dumped.Store(int64(len(out)))
	return out, nil
}

// FlowStats is Flows with counters, in the order of the switch.
func (s *Session) FlowStats(ctx context.Context, table of.TableID, cookie, mask of.Cookie) ([]Stat, error) {
	var out []Stat
	err := s.dump(ctx, table, cookie, mask, func(stats []wire.FlowStat) error {
		out = slices.Grow(out, len(stats))
		for i := range stats {
			st := &stats[i]
			k, err := st.Key()
			if err != nil {
				return err
			}
			out = append(out, Stat{Key: k, Entry: st.Entry(), Packets: st.Packets, Bytes: st.Bytes, Age: st.Duration})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// dump asks for flows and calls each for every part of the answer with the
// flows in it, which are valid only during the call.
func (s *Session) dump(ctx context.Context, table of.TableID, cookie, mask of.Cookie, each func(stats []wire.FlowStat) error) error {
	var stats []wire.FlowStat
	return s.multipart(ctx, wire.MultipartFlow, func(dst []byte, xid uint32) ([]byte, error) {
		return wire.AppendFlowStatsRequest(dst, xid, wire.FlowStatsRequest{Table: table, Cookie: cookie, CookieMask: mask})
	}, func(body []byte) error {
		var err error
		if stats, err = wire.AppendFlowStats(stats[:0], body); err != nil {
			return err
		}
		return each(stats)
	})
}
