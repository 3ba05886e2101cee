package wire

import (
	"fmt"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// GroupCommand says what a group mod does (ofp_group_mod_command).
type GroupCommand uint16

// The commands of a group mod.
const (
	GroupAdd GroupCommand = iota
	GroupModify
	GroupDelete
)

// AppendGroupMod appends a whole group mod. GroupDelete takes a group without buckets, or of.GroupAll.
func AppendGroupMod(dst []byte, xid uint32, cmd GroupCommand, g of.GroupEntry) ([]byte, error) {
	start := len(dst)
	dst = append(put16(begin(dst, TypeGroupMod, xid), uint16(cmd)), byte(g.Type), 0)
	dst, err := appendBuckets(put32(dst, uint32(g.ID)), g.Buckets)
	if err != nil {
		return dst[:start], fmt.Errorf("encode group %d: %w", g.ID, err)
	}
	return finish(dst, start)
}

func appendBuckets(dst []byte, buckets []of.Bucket) ([]byte, error) {
	for _, b := range buckets {
		start := len(dst)
		port, group := b.WatchPort, b.WatchGroup
		if port == 0 {
			port = of.PortAny
		}
		if group == 0 {
			group = of.GroupAny
		}
		dst = pad(put32(put32(put16(pad(dst, 2), b.Weight), uint32(port)), uint32(group)), 4)
		var err error
		if dst, err = AppendActions(dst, b.Actions); err != nil {
			return dst, err
		}
		if len(dst)-start > MaxMessage {
			return dst, ErrTooLong
		}
		setLength16(dst, start, 0)
	}
	return dst, nil
}

func decodeBuckets(c *Cursor) []of.Bucket {
	var buckets []of.Bucket
	for c.Len() > 0 {
		length := int(c.U16())
		if c.err == nil && length < 16 {
			c.Fail(ErrLength)
		}
		sub := c.Sub(length-2, "bucket")
		b := of.Bucket{Weight: sub.U16(), WatchPort: of.PortNo(sub.U32()), WatchGroup: of.GroupID(sub.U32())}
		sub.Skip(4)
		if b.WatchPort == of.PortAny {
			b.WatchPort = 0
		}
		if b.WatchGroup == of.GroupAny {
			b.WatchGroup = 0
		}
		b.Actions = decodeActions(&sub, nil)
		if c.Join(&sub); c.err != nil {
			return nil
		}
		buckets = append(buckets, b)
	}
	return buckets
}

// DecodeGroupMod reads the body of a group mod.
func DecodeGroupMod(body []byte) (GroupCommand, of.GroupEntry, error) {
	c := NewCursor(body, "group mod")
	cmd := GroupCommand(c.U16())
	g := of.GroupEntry{Type: of.GroupType(c.U8())}
	c.Skip(1)
	g.ID = of.GroupID(c.U32())
	g.Buckets = decodeBuckets(&c)
	return cmd, g, c.err
}

// DecodeGroupDesc reads the body of a group desc reply.
func DecodeGroupDesc(body []byte) ([]of.GroupEntry, error) {
	c := NewCursor(body, "group desc")
	var groups []of.GroupEntry
	for c.Len() > 0 {
		length := int(c.U16())
		if c.err == nil && length < 8 {
			c.Fail(ErrLength)
		}
		sub := c.Sub(length-2, "group desc")
		g := of.GroupEntry{Type: of.GroupType(sub.U8())}
		sub.Skip(1)
		g.ID = of.GroupID(sub.U32())
		g.Buckets = decodeBuckets(&sub)
		if c.Join(&sub); c.err != nil {
			return nil, c.err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// AppendGroupDesc appends one entry of a group desc reply.
func AppendGroupDesc(dst []byte, g of.GroupEntry) ([]byte, error) {
	start := len(dst)
	dst, err := appendBuckets(put32(append(dst, 0, 0, byte(g.Type), 0), uint32(g.ID)), g.Buckets)
	if err != nil {
		return dst[:start], err
	}
	if len(dst)-start > MaxMessage {
		return dst[:start], ErrTooLong
	}
	setLength16(dst, start, 0)
	return dst, nil
}

// Counter counts packets and bytes.
type Counter struct{ Packets, Bytes uint64 }

// GroupStat is the counters of one group.
type GroupStat struct {
	ID      of.GroupID
	Refs    uint32 // flows and groups that use it
	Total   Counter
	Buckets []Counter
	Age     time.Duration // since the group was added
}

// DecodeGroupStats reads the body of a group statistics reply.
func DecodeGroupStats(body []byte) ([]GroupStat, error) {
	c := NewCursor(body, "group stats")
	var stats []GroupStat
	for c.Len() > 0 {
		length := int(c.U16())
		if c.err == nil && length < 40 {
			c.Fail(ErrLength)
		}
		sub := c.Sub(length-2, "group stats")
		sub.Skip(2)
		s := GroupStat{ID: of.GroupID(sub.U32()), Refs: sub.U32()}
		sub.Skip(4)
		s.Total = Counter{sub.U64(), sub.U64()}
		s.Age = duration(&sub)
		for sub.Len() > 0 {
			s.Buckets = append(s.Buckets, Counter{sub.U64(), sub.U64()})
		}
		if c.Join(&sub); c.err != nil {
			return nil, c.err
		}
		stats = append(stats, s)
	}
	return stats, nil
}

// AppendGroupStat appends one entry of a group statistics reply.
func AppendGroupStat(dst []byte, s GroupStat) []byte {
	start := len(dst)
	dst = pad(put32(put32(pad(dst, 4), uint32(s.ID)), s.Refs), 4)
	dst = appendDuration(put64(put64(dst, s.Total.Packets), s.Total.Bytes), s.Age)
	for _, b := range s.Buckets {
		dst = put64(put64(dst, b.Packets), b.Bytes)
	}
	setLength16(dst, start, 0)
	return dst
}
