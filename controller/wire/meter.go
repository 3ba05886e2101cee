package wire

import (
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// MeterCommand says what a meter mod does (ofp_meter_mod_command).
type MeterCommand uint16

// The commands of a meter mod.
const (
	MeterAdd MeterCommand = iota
	MeterModify
	MeterDelete
)

const bandLen = 16

// AppendMeterMod appends a whole meter mod. MeterDelete takes a meter without bands, or of.MeterAll.
func AppendMeterMod(dst []byte, xid uint32, cmd MeterCommand, m of.MeterEntry) ([]byte, error) {
	start := len(dst)
	dst = put32(put16(put16(begin(dst, TypeMeterMod, xid), uint16(cmd)), uint16(m.Flags)), uint32(m.ID))
	return finish(appendBands(dst, m.Bands), start)
}

func appendBands(dst []byte, bands []of.MeterBand) []byte {
	for _, b := range bands {
		dst = put32(put32(put16(put16(dst, uint16(b.Type)), bandLen), b.Rate), b.Burst)
		dst = append(dst, b.PrecLevel, 0, 0, 0)
	}
	return dst
}

func decodeBands(c *Cursor) []of.MeterBand {
	var bands []of.MeterBand
	for c.Len() > 0 {
		kind, length := c.U16(), int(c.U16())
		if c.err == nil && length < bandLen {
			c.Fail(ErrLength)
		}
		sub := c.Sub(length-4, "meter band")
		b := of.MeterBand{Type: of.BandType(kind), Rate: sub.U32(), Burst: sub.U32()}
		if b.Type == of.BandDSCPRemark {
			b.PrecLevel = sub.U8()
		}
		if c.Join(&sub); c.err != nil {
			return nil
		}
		bands = append(bands, b)
	}
	return bands
}

// DecodeMeterMod reads the body of a meter mod.
func DecodeMeterMod(body []byte) (MeterCommand, of.MeterEntry, error) {
	c := NewCursor(body, "meter mod")
	cmd := MeterCommand(c.U16())
	m := of.MeterEntry{Flags: of.MeterFlags(c.U16()), ID: of.MeterID(c.U32())}
	m.Bands = decodeBands(&c)
	return cmd, m, c.err
}

// DecodeMeterConfig reads the body of a meter config reply.
func DecodeMeterConfig(body []byte) ([]of.MeterEntry, error) {
	c := NewCursor(body, "meter config")
	var meters []of.MeterEntry
	for c.Len() > 0 {
		length := int(c.U16())
		if c.err == nil && length < 8 {
			c.Fail(ErrLength)
		}
		sub := c.Sub(length-2, "meter config")
		m := of.MeterEntry{Flags: of.MeterFlags(sub.U16()), ID: of.MeterID(sub.U32())}
		m.Bands = decodeBands(&sub)
		if c.Join(&sub); c.err != nil {
			return nil, c.err
		}
		meters = append(meters, m)
	}
	return meters, nil
}

// AppendMeterConfig appends one entry of a meter config reply.
func AppendMeterConfig(dst []byte, m of.MeterEntry) []byte {
	start := len(dst)
	dst = appendBands(put32(put16(pad(dst, 2), uint16(m.Flags)), uint32(m.ID)), m.Bands)
	setLength16(dst, start, 0)
	return dst
}

// MeterStat is the counters of one meter.
type MeterStat struct {
	ID    of.MeterID
	Flows uint32 // flows that use it
	Input Counter
	Age   time.Duration // since the meter was added
	Bands []Counter     // what each band acted on
}

// DecodeMeterStats reads the body of a meter statistics reply.
func DecodeMeterStats(body []byte) ([]MeterStat, error) {
	c := NewCursor(body, "meter stats")
	var stats []MeterStat
	for c.Len() > 0 {
		s := MeterStat{ID: of.MeterID(c.U32())}
		length := int(c.U16())
		if c.err == nil && length < 40 {
			c.Fail(ErrLength)
		}
		sub := c.Sub(length-6, "meter stats")
		sub.Skip(6)
		s.Flows, s.Input = sub.U32(), Counter{sub.U64(), sub.U64()}
		s.Age = duration(&sub)
		for sub.Len() > 0 {
			s.Bands = append(s.Bands, Counter{sub.U64(), sub.U64()})
		}
		if c.Join(&sub); c.err != nil {
			return nil, c.err
		}
		stats = append(stats, s)
	}
	return stats, nil
}

// AppendMeterStat appends one entry of a meter statistics reply.
func AppendMeterStat(dst []byte, s MeterStat) []byte {
	start := len(dst)
	dst = put32(pad(put32(dst, uint32(s.ID)), 8), s.Flows)
	dst = appendDuration(put64(put64(dst, s.Input.Packets), s.Input.Bytes), s.Age)
	for _, b := range s.Bands {
		dst = put64(put64(dst, b.Packets), b.Bytes)
	}
	setLength16(dst, start, 4)
	return dst
}
