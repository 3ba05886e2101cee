package l2

import (
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

const (
	maxFixedIPs = 5  // addresses a request may name
	probes      = 16 // random tries before looking one by one
)

// addressing chooses and checks the addresses of one port.
type addressing struct {
	ops     *Ops
	tx      *store.Tx
	port    *model.Port // with its new MAC and owner
	had     []model.FixedIP
	subnets []*model.Subnet
	out     []model.FixedIP
}

// addresses returns the addresses of a port for which asked is wanted and which has had so far.
func (o *Ops) addresses(tx *store.Tx, p *model.Port, asked Opt[[]model.FixedIP], had []model.FixedIP) ([]model.FixedIP, error) {
	a := &addressing{ops: o, tx: tx, port: p, had: had, subnets: tx.Model().SubnetsOf(p.Network)}
	var err error
	if asked.Set() {
		err = a.requested(asked.Value)
	} else {
		err = a.defaults()
	}
	if err != nil {
		return nil, err
	}
	return a.out, a.auto()
}

// requested handles a list of addresses, subnets, or both.
func (a *addressing) requested(asked []model.FixedIP) error {
	if len(asked) > maxFixedIPs && !routerLeg(a.port.DeviceOwner) && a.port.DeviceOwner != OwnerDHCP {
		return invalid("Exceeded maximum amount of fixed ips per port")
	}
	if len(asked) > 0 && len(a.subnets) == 0 {
		return invalid("IP allocation requires subnets for network")
	}
	// Named addresses go first, so that none of them is chosen for an entry that leaves it open.
	var open []*model.Subnet
	for _, want := range asked {
		s, err := a.subnetFor(want)
		if err != nil {
			return err
		}
		auto := autoAddress(s) && !routerLeg(a.port.DeviceOwner)
		switch {
		case want.IP.IsValid() && auto:
			if want.IP != eui64(s.CIDR, a.port.MAC) && !slices.Contains(a.had, model.FixedIP{Subnet: s.ID, IP: want.IP}) {
				return model.Errorf(model.Invalid, "AllocationOnAutoAddressSubnet",
					"IPv6 address %s cannot be directly assigned to a port on subnet %s as the subnet is configured for automatic addresses",
					want.IP, s.ID)
			}
		case want.IP.IsValid():
			if err := a.take(s, want.IP); err != nil {
				return err
			}
		case !auto:
			open = append(open, s)
		}
	}
	for _, s := range open {
		if !a.keep(s) && !a.pick(s) {
			return model.Errorf(model.Conflict, "IpAddressGenerationFailure",
				"No more IP addresses available for subnet %s.", s.ID)
		}
	}
	return nil
}

// subnetFor finds the subnet that an entry of a request means.
func (a *addressing) subnetFor(want model.FixedIP) (*model.Subnet, error) {
	if want.Subnet == "" {
		if !want.IP.IsValid() {
			return nil, invalid("IP allocation requires subnet_id or ip_address")
		}
		for _, s := range a.subnets {
			if a.valid(s, want.IP) {
				return s, nil
			}
		}
		return nil, model.Errorf(model.Invalid, "InvalidIpForNetwork",
			"IP address %s is not a valid IP for any of the subnets on the specified network.", want.IP)
	}
	s, ok := a.tx.Model().Subnets.Get(want.Subnet)
	switch {
	case !ok:
		return nil, model.NotFoundError("Subnet", want.Subnet)
	case s.Network != a.port.Network:
		return nil, invalid("Failed to create port on network %s, because fixed_ips included invalid subnet %s",
			a.port.Network, want.Subnet)
	case want.IP.IsValid() && !a.valid(s, want.IP):
		return nil, model.Errorf(model.Invalid, "InvalidIpForSubnet",
			"IP address %s is not a valid IP for the specified subnet.", want.IP)
	}
	return s, nil
}

// valid reports whether a port may have an address of a subnet, free or not. Only routers may have the
// subnet-router anycast address.
func (a *addressing) valid(s *model.Subnet, ip netip.Addr) bool {
	if !s.CIDR.Contains(ip) || networkOrBroadcast(s.CIDR, ip) {
		return false
	}
	return ip.Is4() || ip != s.CIDR.Addr() || s.CIDR.Bits() == 128 || servicePort(a.port.DeviceOwner)
}

// defaults gives one address of each IP version that the network has.
func (a *addressing) defaults() error {
	var eligible []*model.Subnet
	for _, s := range a.subnets {
		if len(s.ServiceTypes) == 0 || slices.Contains(s.ServiceTypes, a.port.DeviceOwner) {
			eligible = append(eligible, s)
		}
	}
	if len(eligible) == 0 && len(a.subnets) > 0 {
		return model.Errorf(model.Conflict, "IpAddressGenerationFailureNoMatchingSubnet",
			"No valid service subnet for the given device owner.")
	}
	for _, version := range []int{4, 6} {
		var of []*model.Subnet
		for _, s := range eligible {
			if s.IPVersion == version && !autoAddress(s) {
				of = append(of, s)
			}
		}
		if len(of) > 0 && !slices.ContainsFunc(of, a.pick) {
			return model.Errorf(model.Conflict, "IpAddressGenerationFailure",
				"No more IP addresses available on network %s.", a.port.Network)
		}
	}
	return nil
}

// auto adds the addresses that follow from the MAC. A router's leg has only those it was given.
func (a *addressing) auto() error {
	if routerLeg(a.port.DeviceOwner) {
		return nil
	}
	for _, s := range a.subnets {
		if autoAddress(s) {
			if err := a.take(s, eui64(s.CIDR, a.port.MAC)); err != nil {
				return err
			}
		}
	}
	return nil
}

// take adds an address unless somebody has it.
func (a *addressing) take(s *model.Subnet, ip netip.Addr) error {
	if !a.free(s, ip) {
		return model.Errorf(model.Conflict, "IpAddressAlreadyAllocated",
			"IP address %s already allocated in subnet %s", ip, s.ID)
	}
	a.out = append(a.out, model.FixedIP{Subnet: s.ID, IP: ip})
	return nil
}

func (a *addressing) free(s *model.Subnet, ip netip.Addr) bool {
	if user, used := a.tx.Model().AddressUser(s.ID, ip); used && user != a.port.ID {
		return false
	}
	return !slices.Contains(a.out, model.FixedIP{Subnet: s.ID, IP: ip})
}

// keep adds an address of the subnet that the port has already, if there is one left.
func (a *addressing) keep(s *model.Subnet) bool {
	for _, ip := range a.had {
		if ip.Subnet == s.ID && a.take(s, ip.IP) == nil {
			return true
		}
	}
	return false
}

// pick adds a free address out of the subnet's pools. It is a random one: an address just given back
// is still in caches and sessions of its neighbours, and should rest.
func (a *addressing) pick(s *model.Subnet) bool {
	var total uint64
	for _, r := range s.Pools {
		total = min(total+size(r), 1<<62)
	}
	if total == 0 {
		return false
	}
	for range probes {
		k, err := a.ops.random(total)
		if err == nil && a.take(s, nth(s.Pools, k)) == nil {
			return true
		}
	}
	// Nearly full, or no randomness to be had: look one by one.
	for k := range total {
		if a.take(s, nth(s.Pools, k)) == nil {
			return true
		}
	}
	return false
}

// nth is the address at place k of the pools.
func nth(pools []model.Range, k uint64) netip.Addr {
	for _, r := range pools {
		n := size(r)
		if k < n {
			return plus(r.First, k)
		}
		k -= n
	}
	return netip.Addr{}
}

// eui64 is the address of a MAC in a /64 (RFC 4291 appendix A).
func eui64(cidr netip.Prefix, mac of.MAC) netip.Addr {
	b := cidr.Addr().As16()
	copy(b[8:], []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
	return netip.AddrFrom16(b)
}

// addAutoAddresses gives the ports of a network their addresses in a subnet that was just made.
func (o *Ops) addAutoAddresses(tx *store.Tx, s *model.Subnet) error {
	for _, old := range tx.Model().PortsOf(s.Network) {
		if routerLeg(old.DeviceOwner) {
			continue
		}
		p := *old
		p.FixedIPs = append(slices.Clone(old.FixedIPs), model.FixedIP{Subnet: s.ID, IP: eui64(s.CIDR, p.MAC)})
		tx.Stamp(&p.Meta)
		if err := o.putPort(tx, old, &p); err != nil {
			return err
		}
	}
	return nil
}

// chooseMAC returns a MAC that is free on a network: the configured first three bytes, the rest random.
func (o *Ops) chooseMAC(tx *store.Tx, network model.ID) (of.MAC, error) {
	start, err := o.random(1 << 24)
	if err != nil {
		return of.MAC{}, err
	}
	mac := o.cfg.BaseMAC
	for i := range uint64(1 << 24) {
		n := start + i
		mac[3], mac[4], mac[5] = byte(n>>16), byte(n>>8), byte(n)
		if _, used := tx.Model().MACUser(network, mac); !used {
			return mac, nil
		}
	}
	return of.MAC{}, model.Errorf(model.Exhausted, "MacAddressGenerationFailure",
		"Unable to generate unique mac on network %s.", network)
}
