package l2

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/store/model"
)

// defaultGateway is the first address of an IPv4 range; of an IPv6 range it is the subnet-router
// anycast address (RFC 4291 §2.6.1).
func defaultGateway(cidr netip.Prefix) netip.Addr {
	if cidr.Addr().Is6() {
		return cidr.Addr()
	}
	if first := cidr.Addr().Next(); cidr.Contains(first) {
		return first
	}
	return cidr.Addr()
}

// networkOrBroadcast reports whether an IPv4 address names a range as a whole. Ranges of one or two
// addresses have no such (RFC 3021).
func networkOrBroadcast(cidr netip.Prefix, a netip.Addr) bool {
	return a.Is4() && cidr.Bits() < 31 && (a == cidr.Addr() || a == lastOf(cidr))
}

// usable is the range of addresses that ports can have.
func usable(cidr netip.Prefix) model.Range {
	r := model.Range{First: cidr.Addr(), Last: lastOf(cidr)}
	switch {
	case cidr.Addr().Is4() && cidr.Bits() < 31:
		r.First, r.Last = r.First.Next(), r.Last.Prev()
	case cidr.Addr().Is6() && cidr.Bits() < 128:
		r.First = r.First.Next()
	}
	return r
}

// pools returns a subnet's pools: those that were asked for, checked, or all usable addresses but the
// gateway.
func pools(s *model.Subnet, asked Opt[[]model.Range]) ([]model.Range, error) {
	if !asked.Set() {
		return defaultPools(s), nil
	}
	all := usable(s.CIDR)
	for i, p := range asked.Value {
		if p.First.Is4() != s.CIDR.Addr().Is4() || p.Last.Is4() != p.First.Is4() || p.First.Zone()+p.Last.Zone() != "" ||
			p.First.Compare(p.Last) > 0 {
			return nil, model.Errorf(model.Invalid, "InvalidAllocationPool",
				"The allocation pool %s is not valid.", poolText(p))
		}
		if !all.Contains(p.First) || !all.Contains(p.Last) {
			return nil, model.Errorf(model.Invalid, "OutOfBoundsAllocationPool",
				"The allocation pool %s spans beyond the subnet cidr %s.", poolText(p), s.CIDR)
		}
		for _, q := range asked.Value[:i] {
			if p.First.Compare(q.Last) <= 0 && q.First.Compare(p.Last) <= 0 {
				return nil, model.Errorf(model.Conflict, "OverlappingAllocationPools",
					"Found overlapping allocation pools: %s %s for subnet %s.", poolText(q), poolText(p), s.CIDR)
			}
		}
	}
	for _, p := range asked.Value {
		if s.Gateway.IsValid() && p.Contains(s.Gateway) {
			return nil, model.Errorf(model.Conflict, "GatewayConflictWithAllocationPools",
				"Gateway ip %s conflicts with allocation pool %s.", s.Gateway, poolText(p))
		}
	}
	return slices.Clone(asked.Value), nil
}

func defaultPools(s *model.Subnet) []model.Range {
	all := usable(s.CIDR)
	if !s.Gateway.IsValid() || !all.Contains(s.Gateway) {
		return []model.Range{all}
	}
	var out []model.Range
	if s.Gateway != all.First {
		out = append(out, model.Range{First: all.First, Last: s.Gateway.Prev()})
	}
	if s.Gateway != all.Last {
		out = append(out, model.Range{First: s.Gateway.Next(), Last: all.Last})
	}
	return out
}

func poolText(r model.Range) string { return r.First.String() + "-" + r.Last.String() }

// lastOf is the highest address of a range.
func lastOf(cidr netip.Prefix) netip.Addr {
	b := cidr.Addr().AsSlice()
	for i := range b {
		switch host := 8*(i+1) - cidr.Bits(); { // low bits of the byte that vary
		case host >= 8:
			b[i] = 0xff
		case host > 0:
			b[i] |= 1<<host - 1
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// size is the number of addresses of a range, at most 2^63-1 so that sums of a few do not overflow.
func size(r model.Range) uint64 {
	first, last := r.First.As16(), r.Last.As16()
	lo := binary.BigEndian.Uint64(last[8:]) - binary.BigEndian.Uint64(first[8:])
	if string(first[:8]) != string(last[:8]) || lo >= math.MaxInt64 {
		return math.MaxInt64
	}
	return lo + 1
}

// plus is the address n after a; the caller knows that it lies in a range with a.
func plus(a netip.Addr, n uint64) netip.Addr {
	b := a.As16()
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	if lo += n; lo < n {
		hi++
	}
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	out := netip.AddrFrom16(b)
	if a.Is4() {
		return out.Unmap()
	}
	return out
}
