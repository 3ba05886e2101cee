package model

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Check reports every invariant that the model breaks: what it refers to exists, what must be unique
// is, a local VLAN is held exactly while a port of the network is plugged, and the indexes say what
// the resources say. A model made by the transactions of this program breaks none.
func Check(m *Model) error {
	c := &check{m: m, owner: map[string]string{}}
	c.networks()
	c.subnets()
	c.ports()
	c.plugs()
	c.vlans()
	c.routers()
	c.floatingIPs()
	c.placements()
	c.indexes()
	slices.SortFunc(c.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(c.errs...)
}

type check struct {
	m     *Model
	owner map[string]string // what must be unique → who has it
	errs  []error
}

func (c *check) errorf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// unique notes that who has what, which nobody else may have.
func (c *check) unique(what, who string) {
	if other, taken := c.owner[what]; taken && other != who {
		c.errorf("%s belongs to %s and to %s", what, min(who, other), max(who, other))
	}
	c.owner[what] = who
}

// tag checks the number that cookies carry for a network or port.
func (c *check) tag(tag uint32, who string) {
	c.unique("tag "+tagKey(tag), who)
	if tag == 0 || tag > c.m.LastTag() {
		c.errorf("%s has tag %d, the last given is %d", who, tag, c.m.LastTag())
	}
}

func (c *check) networks() {
	for id, n := range c.m.Networks.All() {
		c.tag(n.Tag, "network "+string(id))
		if n.Type != TypeLocal {
			c.unique("segment "+SegmentKey(n.Type, n.Physnet, n.SegmentID), "network "+string(id))
		}
		if (n.Type.Tunnel() || n.Type == TypeVLAN) && n.SegmentID == 0 {
			c.errorf("network %s of type %s has no segment id", id, n.Type)
		}
		if n.MTU <= 0 {
			c.errorf("network %s has mtu %d", id, n.MTU)
		}
	}
}

func (c *check) subnets() {
	for id, s := range c.m.Subnets.All() {
		if _, ok := c.m.Networks.Get(s.Network); !ok {
			c.errorf("subnet %s is of network %s, which does not exist", id, s.Network)
		}
		if s.CIDR != s.CIDR.Masked() || s.CIDR.Addr().Is4() != (s.IPVersion == 4) {
			c.errorf("subnet %s of IP version %d has range %s", id, s.IPVersion, s.CIDR)
		}
		for _, p := range s.Pools {
			if p.First.Compare(p.Last) > 0 || !s.CIDR.Contains(p.First) || !s.CIDR.Contains(p.Last) {
				c.errorf("subnet %s has pool %s to %s outside of %s", id, p.First, p.Last, s.CIDR)
			}
			if s.Gateway.IsValid() && p.Contains(s.Gateway) {
				c.errorf("subnet %s has gateway %s inside of a pool", id, s.Gateway)
			}
		}
		for _, other := range c.m.SubnetsOf(s.Network) {
			if other.ID > id && other.CIDR.Overlaps(s.CIDR) {
				c.errorf("subnets %s and %s of a network overlap", id, other.ID)
			}
		}
	}
}

func (c *check) ports() {
	for id, p := range c.m.Ports.All() {
		if _, ok := c.m.Networks.Get(p.Network); !ok {
			c.errorf("port %s is on network %s, which does not exist", id, p.Network)
		}
		c.tag(p.Tag, "port "+string(id))
		c.unique("mac "+MACKey(p.Network, p.MAC), "port "+string(id))
		if p.MAC.IsZero() || p.MAC.IsMulticast() {
			c.errorf("port %s has mac %s", id, p.MAC)
		}
		for i, ip := range p.FixedIPs {
			s, ok := c.m.Subnets.Get(ip.Subnet)
			if !ok || s.Network != p.Network {
				c.errorf("port %s has an address of subnet %s, which is not of its network", id, ip.Subnet)
				continue
			}
			if !s.CIDR.Contains(ip.IP) {
				c.errorf("port %s has address %s outside of %s", id, ip.IP, s.CIDR)
			}
			if slices.Contains(p.FixedIPs[:i], ip) {
				c.errorf("port %s has address %s twice", id, ip.IP)
			}
			c.unique("address "+AddressKey(ip.Subnet, ip.IP), "port "+string(id))
		}
	}
}

func (c *check) plugs() {
	for key, g := range c.m.Plugs.All() {
		p, ok := c.m.Ports.Get(g.Port)
		if !ok || p.Network != g.Network {
			c.errorf("plug %s is of no port of network %s", key, g.Network)
		}
		if _, ok := c.m.VLAN(g.Host, g.Network); !ok {
			c.errorf("plug %s has no local vlan", key)
		}
	}
}

func (c *check) vlans() {
	for key, v := range c.m.VLANs.All() {
		if v.VLAN < 1 || v.VLAN > 4094 {
			c.errorf("local vlan %s is %d", key, v.VLAN)
		}
		if len(c.m.PortsAt(v.Host, v.Network)) == 0 {
			c.errorf("local vlan %s is held by no port", key)
		}
		c.unique("vlan "+vlanUserKey(v.Host, v.VLAN), "network "+string(v.Network))
	}
}

// indexes compares the indexes with those of a model that is built anew.
func (c *check) indexes() {
	fresh := &Model{}
	for r := range c.m.All {
		fresh = fresh.With(r)
	}
	for _, x := range []struct {
		name      string
		got, want Index
	}{
		{"subnets by network", c.m.subnetsByNetwork, fresh.subnetsByNetwork},
		{"ports by network", c.m.portsByNetwork, fresh.portsByNetwork},
		{"ports by device", c.m.portsByDevice, fresh.portsByDevice},
		{"floating IPs by router", c.m.floatingByRouter, fresh.floatingByRouter},
		{"floating IPs by target", c.m.floatingByTarget, fresh.floatingByTarget},
		{"port forwardings by floating IP", c.m.forwardingsByIP, fresh.forwardingsByIP},
		{"port forwardings by target", c.m.forwardingsByTarget, fresh.forwardingsByTarget},
		{"placements by host", c.m.placementsByHost, fresh.placementsByHost},
		{"placements by the host they leave", c.m.placementsByLeft, fresh.placementsByLeft},
		{"plugs by port", c.m.plugsByPort, fresh.plugsByPort},
		{"plugs by host", c.m.plugsByHost, fresh.plugsByHost},
		{"ports by network and host", c.m.plugsByNetHost, fresh.plugsByNetHost},
		{"hosts by network", c.m.vlansByNetwork, fresh.vlansByNetwork},
		{"networks by host", c.m.networksByHost, fresh.networksByHost},
	} {
		if got, want := maps.Collect(x.got.sets.All()), maps.Collect(x.want.sets.All()); !reflect.DeepEqual(got, want) {
			c.errorf("index of %s is wrong", x.name)
		}
	}
	compare(c, "segments", c.m.segments, fresh.segments)
	compare(c, "tags", c.m.tags, fresh.tags)
	compare(c, "addresses", c.m.addresses, fresh.addresses)
	compare(c, "macs", c.m.macs, fresh.macs)
	compare(c, "local vlans", c.m.vlanUsers, fresh.vlanUsers)
	if !slices.Equal(c.m.stamps.Sorted(), c.m.Networks.Sorted()) {
		c.errorf("there are %d stamps for %d networks", c.m.stamps.Len(), c.m.Networks.Len())
	}
	for t, n := range fresh.typeUse.All() {
		if got, _ := c.m.typeUse.Get(t); got != n {
			c.errorf("%d networks are counted as %s, there are %d", got, t, n)
		}
	}
}

func compare[V comparable](c *check, name string, got, want Table[string, V]) {
	if got.Len() != want.Len() || !maps.Equal(maps.Collect(got.All()), maps.Collect(want.All())) {
		c.errorf("index of %s is wrong", name)
	}
}
