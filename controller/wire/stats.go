package wire

import (
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Desc is what a switch says about itself (ofp_desc).
type Desc struct{ Manufacturer, Hardware, Software, Serial, Datapath string }

// DecodeDesc reads the body of a desc reply.
func DecodeDesc(body []byte) (Desc, error) {
	c := NewCursor(body, "desc")
	d := Desc{Manufacturer: c.text(256), Hardware: c.text(256), Software: c.text(256), Serial: c.text(32), Datapath: c.text(256)}
	return d, c.err
}

// AppendDesc appends the body of a desc reply.
func AppendDesc(dst []byte, d Desc) []byte {
	dst = putText(putText(putText(dst, d.Manufacturer, 256), d.Hardware, 256), d.Software, 256)
	return putText(putText(dst, d.Serial, 32), d.Datapath, 256)
}

// Aggregate is the sums over the flows of an aggregate request.
type Aggregate struct {
	Packets, Bytes uint64
	Flows          uint32
}

// DecodeAggregate reads the body of an aggregate reply.
func DecodeAggregate(body []byte) (Aggregate, error) {
	c := NewCursor(body, "aggregate stats")
	a := Aggregate{Packets: c.U64(), Bytes: c.U64(), Flows: c.U32()}
	c.Skip(4)
	return a, c.err
}

// AppendAggregate appends the body of an aggregate reply.
func AppendAggregate(dst []byte, a Aggregate) []byte {
	return pad(put32(put64(put64(dst, a.Packets), a.Bytes), a.Flows), 4)
}

// TableStat is the counters of one table.
type TableStat struct {
	Table           of.TableID
	Active          uint32 // flows in the table
	Lookup, Matched uint64 // packets
}

// DecodeTableStats reads the body of a table statistics reply.
func DecodeTableStats(body []byte) ([]TableStat, error) {
	c := NewCursor(body, "table stats")
	stats := make([]TableStat, 0, len(body)/24)
	for c.Len() > 0 {
		s := TableStat{Table: of.TableID(c.U8())}
		c.Skip(3)
		s.Active, s.Lookup, s.Matched = c.U32(), c.U64(), c.U64()
		if c.err != nil {
			return nil, c.err
		}
		stats = append(stats, s)
	}
	return stats, nil
}

// AppendTableStat appends one entry of a table statistics reply.
func AppendTableStat(dst []byte, s TableStat) []byte {
	return put64(put64(put32(append(dst, byte(s.Table), 0, 0, 0), s.Active), s.Lookup), s.Matched)
}

// PortStat is the counters of one port (ofp_port_stats). A counter that the switch does not keep is all ones.
type PortStat struct {
	Port                             of.PortNo
	RxPackets, TxPackets             uint64
	RxBytes, TxBytes                 uint64
	RxDropped, TxDropped             uint64
	RxErrors, TxErrors               uint64
	RxFrame, RxOverrun, RxCRC, Colls uint64
	Duration                         time.Duration // since the port was added
}

// DecodePortStats reads the body of a port statistics reply.
func DecodePortStats(body []byte) ([]PortStat, error) {
	c := NewCursor(body, "port stats")
	stats := make([]PortStat, 0, len(body)/portStatLen)
	for c.Len() > 0 {
		s := PortStat{Port: of.PortNo(c.U32())}
		c.Skip(4)
		for _, counter := range s.counters() {
			*counter = c.U64()
		}
		s.Duration = duration(&c)
		if c.err != nil {
			return nil, c.err
		}
		stats = append(stats, s)
	}
	return stats, nil
}

const portStatLen = 112

func (s *PortStat) counters() [12]*uint64 {
	return [...]*uint64{
		&s.RxPackets, &s.TxPackets, &s.RxBytes, &s.TxBytes, &s.RxDropped, &s.TxDropped,
		&s.RxErrors, &s.TxErrors, &s.RxFrame, &s.RxOverrun, &s.RxCRC, &s.Colls,
	}
}

// AppendPortStat appends one entry of a port statistics reply.
func AppendPortStat(dst []byte, s PortStat) []byte {
	dst = pad(put32(dst, uint32(s.Port)), 4)
	for _, counter := range s.counters() {
		dst = put64(dst, *counter)
	}
	return appendDuration(dst, s.Duration)
}

func duration(c *Cursor) time.Duration {
	return time.Duration(c.U32())*time.Second + time.Duration(c.U32())
}

func appendDuration(dst []byte, d time.Duration) []byte {
	return put32(put32(dst, uint32(d/time.Second)), uint32(d%time.Second))
}

const portLen = 64

func decodePort(c *Cursor) of.Port {
	p := of.Port{No: of.PortNo(c.U32())}
	c.Skip(4)
	copy(p.MAC[:], c.Bytes(6))
	c.Skip(2)
	p.Name = c.text(16)
	p.Config, p.State = of.PortConfig(c.U32()), of.PortState(c.U32())
	p.Current, p.Advertised, p.Supported, p.Peer = c.U32(), c.U32(), c.U32(), c.U32()
	p.CurrentSpeed, p.MaxSpeed = c.U32(), c.U32()
	return p
}

// AppendPort appends a port as port desc and port status hold it (ofp_port).
func AppendPort(dst []byte, p of.Port) []byte {
	dst = append(pad(put32(dst, uint32(p.No)), 4), p.MAC[:]...)
	dst = putText(pad(dst, 2), p.Name, 16)
	for _, v := range [...]uint32{uint32(p.Config), uint32(p.State), p.Current, p.Advertised, p.Supported, p.Peer, p.CurrentSpeed, p.MaxSpeed} {
		dst = put32(dst, v)
	}
	return dst
}

// DecodePortDesc reads the body of a port desc reply.
func DecodePortDesc(body []byte) ([]of.Port, error) {
	c := NewCursor(body, "port desc")
	ports := make([]of.Port, 0, len(body)/portLen)
	for c.Len() > 0 {
		p := decodePort(&c)
		if c.err != nil {
			return nil, c.err
		}
		ports = append(ports, p)
	}
	return ports, nil
}
