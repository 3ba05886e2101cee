package l2

import (
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// segmentLimits are the segment ids that a type's frames can carry: 12 bits of a VLAN tag less the
// two reserved values (IEEE 802.1Q), a 32-bit GRE key (RFC 2890), a 24-bit VNI (RFC 7348 §5, RFC 8926
// §3.4). Zero is left out everywhere: a zero tun_id is a packet without key.
var segmentLimits = map[model.NetworkType]SegmentRange{
	model.TypeVLAN:   {1, 4094},
	model.TypeGRE:    {1, 1<<32 - 1},
	model.TypeVXLAN:  {1, 1<<24 - 1},
	model.TypeGeneve: {1, 1<<24 - 1},
}

// segment is where a network's frames travel.
type segment struct {
	kind    model.NetworkType
	physnet string
	id      uint32
}

// providerSegment returns the segment that an administrator asked for.
func (o *Ops) providerSegment(tx *store.Tx, req NetworkCreate) (segment, error) {
	switch t := req.Type.Or(""); {
	case !req.Type.Set():
		return segment{}, invalid("network_type required")
	case t == model.TypeLocal:
		return segment{kind: t}, prohibited(req, "local")
	case t == model.TypeFlat:
		return o.flatSegment(tx, req)
	case t == model.TypeVLAN:
		return o.vlanSegment(tx, req)
	case t.Tunnel():
		return o.tunnelSegment(tx, req)
	default:
		return segment{}, invalid("network_type value '%s' not supported", t)
	}
}

// prohibited refuses the provider attributes that a type has no use for.
func prohibited(req NetworkCreate, kind string) error {
	if req.Physnet.Set() {
		return invalid("provider:physical_network prohibited for %s provider network", kind)
	}
	if req.SegmentID.Set() {
		return invalid("provider:segmentation_id prohibited for %s provider network", kind)
	}
	return nil
}

func (o *Ops) flatSegment(tx *store.Tx, req NetworkCreate) (segment, error) {
	if !req.Physnet.Set() || req.Physnet.Value == "" {
		return segment{}, invalid("physical_network required for flat provider network")
	}
	s := segment{kind: model.TypeFlat, physnet: req.Physnet.Value}
	if _, ok := o.physnet(s.physnet); !ok {
		return segment{}, invalid("physical_network '%s' unknown for flat provider network", s.physnet)
	}
	if req.SegmentID.Set() {
		return segment{}, invalid("provider:segmentation_id prohibited for flat provider network")
	}
	return s, free(tx, s)
}

func (o *Ops) vlanSegment(tx *store.Tx, req NetworkCreate) (segment, error) {
	if !req.Physnet.Set() || req.Physnet.Value == "" {
		if req.SegmentID.Set() {
			return segment{}, invalid("segmentation_id requires physical_network for VLAN provider network")
		}
		return o.anyVLAN(tx)
	}
	s := segment{kind: model.TypeVLAN, physnet: req.Physnet.Value}
	p, ok := o.physnet(s.physnet)
	if !ok {
		return segment{}, invalid("physical_network '%s' unknown for VLAN provider network", s.physnet)
	}
	if req.SegmentID.Set() {
		var err error
		if s.id, err = checkSegment(model.TypeVLAN, req.SegmentID.Value); err != nil {
			return segment{}, err
		}
		return s, free(tx, s)
	}
	if len(p.VLANs) == 0 {
		return segment{}, invalid("Physical network %s requires segmentation_id to be specified when creating a provider network", s.physnet)
	}
	if s, ok = choose(tx, s, p.VLANs); !ok {
		return segment{}, noNetwork()
	}
	return s, nil
}

func (o *Ops) tunnelSegment(tx *store.Tx, req NetworkCreate) (segment, error) {
	s := segment{kind: req.Type.Value}
	if req.Physnet.Set() {
		return segment{}, invalid("provider:physical_network specified for %s network", s.kind)
	}
	if req.SegmentID.Set() {
		var err error
		if s.id, err = checkSegment(s.kind, req.SegmentID.Value); err != nil {
			return segment{}, err
		}
		return s, free(tx, s)
	}
	s, ok := choose(tx, s, o.ranges(s.kind))
	if !ok {
		return segment{}, noNetwork()
	}
	return s, nil
}

// tenantSegment chooses a segment for a network of which the caller said nothing.
func (o *Ops) tenantSegment(tx *store.Tx) (segment, error) {
	for _, t := range o.cfg.TenantTypes {
		switch {
		case t == model.TypeLocal:
			return segment{kind: t}, nil
		case t == model.TypeVLAN:
			if s, err := o.anyVLAN(tx); err == nil {
				return s, nil
			}
		default:
			if s, ok := choose(tx, segment{kind: t}, o.ranges(t)); ok {
				return s, nil
			}
		}
	}
	return segment{}, noNetwork()
}

// anyVLAN chooses a VLAN of the first physical network that has one left.
func (o *Ops) anyVLAN(tx *store.Tx) (segment, error) {
	for _, p := range o.cfg.Physnets {
		if s, ok := choose(tx, segment{kind: model.TypeVLAN, physnet: p.Name}, p.VLANs); ok {
			return s, nil
		}
	}
	return segment{}, noNetwork()
}

// choose takes the next free id after the one chosen last, around the ranges. An id that was freed is
// not given again soon: a host that missed the deletion must not find itself in another network.
func choose(tx *store.Tx, s segment, ranges []SegmentRange) (segment, bool) {
	name := "segment/" + string(s.kind)
	if s.physnet != "" {
		name += "/" + s.physnet
	}
	var last uint32
	if seq, ok := tx.Model().Sequences.Get(name); ok {
		last = uint32(seq.Last)
	}
	id, ok := nextFree(ranges, last, func(id uint32) bool {
		_, used := tx.Model().SegmentUser(s.kind, s.physnet, id)
		return !used
	})
	if !ok {
		return segment{}, false
	}
	tx.Put(&model.Sequence{Name: name, Last: uint64(id)})
	s.id = id
	return s, true
}

// nextFree returns the first free id of the ranges after last, else the first from their beginning.
func nextFree(ranges []SegmentRange, last uint32, free func(uint32) bool) (uint32, bool) {
	// The ids are walked in 64 bits: a GRE key may be the highest of 32.
	within := func(first, last uint64) (uint32, bool) {
		for id := first; id <= last; id++ {
			if free(uint32(id)) {
				return uint32(id), true
			}
		}
		return 0, false
	}
	for _, r := range ranges {
		if id, ok := within(max(uint64(r.First), uint64(last)+1), uint64(r.Last)); ok {
			return id, true
		}
	}
	for _, r := range ranges {
		if id, ok := within(uint64(r.First), min(uint64(r.Last), uint64(last))); ok {
			return id, true
		}
	}
	return 0, false
}

// free returns the error for a segment that a network has already.
func free(tx *store.Tx, s segment) error {
	if _, used := tx.Model().SegmentUser(s.kind, s.physnet, s.id); !used {
		return nil
	}
	switch s.kind {
	case model.TypeFlat:
		return model.Errorf(model.Conflict, "FlatNetworkInUse",
			"Unable to create the flat network. Physical network %s is in use.", s.physnet)
	case model.TypeVLAN:
		return model.Errorf(model.Conflict, "VlanIdInUse",
			"Unable to create the network. The VLAN %d on physical network %s is in use.", s.id, s.physnet)
	default:
		return model.Errorf(model.Conflict, "TunnelIdInUse",
			"Unable to create the network. The tunnel ID %d is in use.", s.id)
	}
}

func checkSegment(t model.NetworkType, id int) (uint32, error) {
	limit := segmentLimits[t]
	if id < int(limit.First) || id > int(limit.Last) {
		return 0, invalid("segmentation_id out of range (%d through %d)", limit.First, limit.Last)
	}
	return uint32(id), nil
}

func noNetwork() error {
	return model.Errorf(model.Exhausted, "NoNetworkAvailable",
		"Unable to create the network. No tenant network is available for allocation.")
}

// physnet returns a physical network's settings, and whether it may be used.
func (o *Ops) physnet(name string) (Physnet, bool) {
	for _, p := range o.cfg.Physnets {
		if p.Name == name {
			return p, true
		}
	}
	return Physnet{Name: name}, len(o.cfg.Physnets) == 0
}

func (o *Ops) ranges(t model.NetworkType) []SegmentRange {
	if r := o.cfg.Ranges[t]; len(r) > 0 {
		return r
	}
	return []SegmentRange{segmentLimits[t]}
}

const (
	minMTU     = 68   // RFC 791 §3.2: every link carries as much
	minIPv6MTU = 1280 // RFC 8200 §5
)

// maxMTU is the largest MTU that frames of a segment can have.
func (o *Ops) maxMTU(t model.NetworkType, physnet string) int {
	mtu := o.cfg.UnderlayMTU
	if t.Tunnel() {
		return mtu - t.Overhead(o.cfg.UnderlayIPv6)
	}
	if p, _ := o.physnet(physnet); physnet != "" && p.MTU != 0 {
		return p.MTU
	}
	return mtu
}
