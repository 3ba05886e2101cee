package status

import (
	"fmt"
	"math/big"
	"net/netip"
	"strings"

	"github.com/heddle-sdn/heddle/store/model"
)

// SubnetExhausted says that no address of a subnet's pools is left for a port that asks for any.
const SubnetExhausted Reason = "SubnetExhausted"

// Usage is how many addresses of a subnet's pools are taken.
type Usage struct {
	Total *big.Int // of all pools; an IPv6 subnet has more than 64 bits count
	Used  int      // of these, by ports
}

// Exhausted reports whether none is left.
func (u Usage) Exhausted() bool { return u.Total.Cmp(big.NewInt(int64(u.Used))) <= 0 }

// UsageOf counts the addresses of a subnet that are taken.
func UsageOf(m *model.Model, s *model.Subnet) Usage {
	u := Usage{Total: new(big.Int)}
	for _, p := range s.Pools {
		u.Total.Add(u.Total, sizeOf(p))
	}
	for _, p := range m.PortsOf(s.Network) {
		for _, f := range p.FixedIPs {
			if f.Subnet == s.ID && inPools(s, f.IP) {
				u.Used++
			}
		}
	}
	return u
}

func inPools(s *model.Subnet, ip netip.Addr) bool {
	for _, p := range s.Pools {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// sizeOf is the number of addresses of a range.
func sizeOf(r model.Range) *big.Int {
	first, last := r.First.As16(), r.Last.As16()
	n := new(big.Int).Sub(new(big.Int).SetBytes(last[:]), new(big.Int).SetBytes(first[:]))
	return n.Add(n, big.NewInt(1))
}

// addresses is the condition that a subnet has addresses left.
func addresses(m *model.Model, s *model.Subnet) Condition {
	u := UsageOf(m, s)
	c := Condition{Type: "Addresses", OK: !u.Exhausted()}
	left := new(big.Int).Sub(u.Total, big.NewInt(int64(u.Used)))
	pools := make([]string, len(s.Pools))
	for i, p := range s.Pools {
		pools[i] = p.First.String() + "-" + p.Last.String()
	}
	if c.OK {
		c.Msg = fmt.Sprintf("%d of %d addresses of its pools (%s) are used, %d are left", u.Used, u.Total, strings.Join(pools, ", "), left)
		return c
	}
	c.Reason = SubnetExhausted
	c.Msg = fmt.Sprintf("all %d addresses of its pools (%s) are used, a new port gets none: delete ports that are no longer needed, widen allocation_pools within %s, or add a subnet to the network",
		u.Total, strings.Join(pools, ", "), s.CIDR)
	if len(s.Pools) == 0 {
		c.Msg = fmt.Sprintf("the subnet has no allocation pool, so that a port gets an address only if it names one: give it allocation_pools within %s", s.CIDR)
	}
	return c
}
