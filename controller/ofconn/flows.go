package ofconn

import (
	"context"
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
	var out map[of.Key]wire.Entry
	err := s.dump(ctx, table, cookie, mask, func(stats []wire.FlowStat, size int) error {
		if out == nil {
			out = make(map[of.Key]wire.Entry, size)
		}
		for i := range stats {
			k, err := stats[i].Key()
			if err != nil {
				return err
			}
			out[k] = stats[i].Entry()
		}
		return nil
	})
	return out, err
}

// FlowStats is Flows with counters, in the order of the switch.
func (s *Session) FlowStats(ctx context.Context, table of.TableID, cookie, mask of.Cookie) ([]Stat, error) {
	var out []Stat
	err := s.dump(ctx, table, cookie, mask, func(stats []wire.FlowStat, size int) error {
		if out == nil {
			out = make([]Stat, 0, size)
		}
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
	return out, err
}

// dump asks for flows and calls each for every part of the answer with the
// flows in it, which are valid only during the call, and a guess at how many
// there are in all.
func (s *Session) dump(ctx context.Context, table of.TableID, cookie, mask of.Cookie, each func(stats []wire.FlowStat, size int) error) error {
	var stats []wire.FlowStat
	return s.multipart(ctx, wire.MultipartFlow, func(dst []byte, xid uint32) ([]byte, error) {
		return wire.AppendFlowStatsRequest(dst, xid, wire.FlowStatsRequest{Table: table, Cookie: cookie, CookieMask: mask})
	}, func(body []byte) error {
		var err error
		if stats, err = wire.AppendFlowStats(stats[:0], body); err != nil {
			return err
		}
		return each(stats, len(stats))
	})
}
