package of

import "strconv"

// GroupEntry is a group of a switch: buckets of actions and how to choose among them (OpenFlow 1.3.5 §5.6).
type GroupEntry struct {
	ID      GroupID
	Type    GroupType
	Buckets []Bucket
}

// GroupType says which buckets of a group are executed.
type GroupType uint8

// The types of groups (ofp_group_type).
const (
	GroupTypeAll GroupType = iota
	GroupTypeSelect
	GroupTypeIndirect
	GroupTypeFastFailover
)

// String is the type as ovs-ofctl prints it.
func (t GroupType) String() string {
	switch t {
	case GroupTypeAll:
		return "all"
	case GroupTypeSelect:
		return "select"
	case GroupTypeIndirect:
		return "indirect"
	case GroupTypeFastFailover:
		return "ff"
	}
	return strconv.Itoa(int(t))
}

// Bucket is one choice of a group.
type Bucket struct {
	Weight     uint16  // share of the traffic, in select groups
	WatchPort  PortNo  // the bucket is live while this port is; 0 for none
	WatchGroup GroupID // the bucket is live while this group is; 0 for none, so group 0 cannot be watched
	Actions    []Action
}

// String is the group as `ovs-ofctl add-group` accepts it.
func (g GroupEntry) String() string {
	dst := strconv.AppendUint([]byte("group_id="), uint64(g.ID), 10)
	dst = append(append(dst, ",type="...), g.Type.String()...)
	for _, b := range g.Buckets {
		dst = append(dst, ",bucket="...)
		if b.Weight != 0 {
			dst = append(strconv.AppendUint(append(dst, "weight:"...), uint64(b.Weight), 10), ',')
		}
		if b.WatchPort != 0 && b.WatchPort != PortAny {
			dst = append(b.WatchPort.append(append(dst, "watch_port:"...)), ',')
		}
		if b.WatchGroup != 0 && b.WatchGroup != GroupAny {
			dst = append(strconv.AppendUint(append(dst, "watch_group:"...), uint64(b.WatchGroup), 10), ',')
		}
		dst = AppendActions(append(dst, "actions="...), b.Actions)
	}
	return string(dst)
}

// MeterEntry is a meter of a switch: limits on a rate and what happens beyond them (OpenFlow 1.3.5 §5.7).
type MeterEntry struct {
	ID    MeterID
	Flags MeterFlags
	Bands []MeterBand
}

// MeterFlags say in what a meter counts (ofp_meter_flags).
type MeterFlags uint16

// Bits of MeterFlags.
const (
	MeterKbps  MeterFlags = 1 << 0 // rates are kbit/s
	MeterPktps MeterFlags = 1 << 1 // rates are packets/s
	MeterBurst MeterFlags = 1 << 2 // burst sizes count
	MeterStats MeterFlags = 1 << 3 // statistics are kept
)

// BandType says what a band does with packets beyond its rate.
type BandType uint16

// The types of bands (ofp_meter_band_type).
const (
	BandDrop       BandType = 1
	BandDSCPRemark BandType = 2
)

// MeterBand is one limit of a meter.
type MeterBand struct {
	Type      BandType
	Rate      uint32 // kbit/s or packets/s, by the meter's flags
	Burst     uint32 // kbit or packets
	PrecLevel uint8  // drop precedence to add, for BandDSCPRemark
}

// String is the meter as `ovs-ofctl add-meter` accepts it.
func (m MeterEntry) String() string {
	dst := strconv.AppendUint([]byte("meter="), uint64(m.ID), 10)
	for _, flag := range [...]struct {
		bit  MeterFlags
		name string
	}{{MeterKbps, ",kbps"}, {MeterPktps, ",pktps"}, {MeterBurst, ",burst"}, {MeterStats, ",stats"}} {
		if m.Flags&flag.bit != 0 {
			dst = append(dst, flag.name...)
		}
	}
	dst = append(dst, ",bands="...)
	for i, b := range m.Bands {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, "type="...)
		switch b.Type {
		case BandDrop:
			dst = append(dst, "drop"...)
		case BandDSCPRemark:
			dst = append(dst, "dscp_remark"...)
		default:
			dst = strconv.AppendUint(dst, uint64(b.Type), 10)
		}
		dst = strconv.AppendUint(append(dst, ",rate="...), uint64(b.Rate), 10)
		if m.Flags&MeterBurst != 0 {
			dst = strconv.AppendUint(append(dst, ",burst_size="...), uint64(b.Burst), 10)
		}
		if b.Type == BandDSCPRemark {
			dst = strconv.AppendUint(append(dst, ",prec_level="...), uint64(b.PrecLevel), 10)
		}
	}
	return string(dst)
}
