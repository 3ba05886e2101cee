package model

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
)

// sound is a small model that breaks no invariant.
func sound() []Resource {
	cidr := netip.MustParsePrefix("10.0.0.0/24")
	return []Resource{
		&Sequence{Name: SequenceTag, Last: 9},
		&Network{Meta: Meta{ID: "n1"}, Type: TypeVXLAN, SegmentID: 1, MTU: 1450, Tag: 1},
		&Network{Meta: Meta{ID: "n2"}, Type: TypeFlat, Physnet: "p", MTU: 1500, Tag: 2},
		&Network{Meta: Meta{ID: "n3"}, Type: TypeLocal, MTU: 1500, Tag: 3},
		&Network{Meta: Meta{ID: "n4"}, Type: TypeLocal, MTU: 1500, Tag: 4},
		subnet("s1", "n1", cidr),
		subnet("s2", "n2", cidr),
		port("p1", "n1", 1, 5, FixedIP{"s1", netip.MustParseAddr("10.0.0.5")}),
		port("p2", "n2", 1, 6, FixedIP{"s2", netip.MustParseAddr("10.0.0.5")}),
		&Host{Name: "h1", Said: HostSettings{Gateway: new(true)}},
		&Plug{Port: "p1", Network: "n1", Host: "h1", Iface: "tap1"},
		&LocalVLAN{Host: "h1", Network: "n1", VLAN: 1},
		&Placement{Service: ServiceDHCP, Object: "n1", Host: "h1"},
	}
}

func subnet(id, network ID, cidr netip.Prefix) *Subnet {
	first := cidr.Addr().Next()
	return &Subnet{
		Meta: Meta{ID: id}, Network: network, IPVersion: 4, CIDR: cidr, Gateway: first,
		Pools: []Range{{First: first.Next(), Last: first.Next().Next().Next().Next()}}, EnableDHCP: true,
	}
}

func port(id, network ID, mac byte, tag uint32, ips ...FixedIP) *Port {
	return &Port{Meta: Meta{ID: id}, Network: network, MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, mac}, Tag: tag, FixedIPs: ips}
}

func build(rs []Resource) *Model {
	m := &Model{}
	for _, r := range rs {
		m = m.With(r)
	}
	return m
}

func TestCheckPassesASoundModel(t *testing.T) {
	if err := Check(build(sound())); err != nil {
		t.Error(err)
	}
	if err := Check(&Model{}); err != nil {
		t.Error(err)
	}
}

func TestCheckFindsWhatIsBroken(t *testing.T) {
	ip := netip.MustParseAddr
	for name, c := range map[string]struct {
		add  Resource
		want string
	}{
		"tag_twice":             {port("p3", "n1", 3, 1), "tag 1 belongs to network n1 and to port p3"},
		"tag_never_given":       {&Network{Meta: Meta{ID: "n5"}, Type: TypeLocal, MTU: 1500, Tag: 10}, "network n5 has tag 10, the last given is 9"},
		"tag_zero":              {port("p3", "n1", 3, 0), "port p3 has tag 0"},
		"segment_twice":         {&Network{Meta: Meta{ID: "n5"}, Type: TypeVXLAN, SegmentID: 1, MTU: 1450, Tag: 9}, "segment vxlan//1 belongs to network n1 and to network n5"},
		"physnet_twice":         {&Network{Meta: Meta{ID: "n5"}, Type: TypeFlat, Physnet: "p", MTU: 1450, Tag: 9}, "segment flat/p/0 belongs to network n2 and to network n5"},
		"no_segment":            {&Network{Meta: Meta{ID: "n5"}, Type: TypeGRE, MTU: 1450, Tag: 9}, "network n5 of type gre has no segment id"},
		"no_mtu":                {&Network{Meta: Meta{ID: "n5"}, Type: TypeLocal, Tag: 9}, "network n5 has mtu 0"},
		"subnet_of_nothing":     {subnet("s9", "gone", netip.MustParsePrefix("10.9.0.0/24")), "subnet s9 is of network gone, which does not exist"},
		"subnet_host_bits":      {&Subnet{Meta: Meta{ID: "s9"}, Network: "n1", IPVersion: 4, CIDR: netip.MustParsePrefix("10.9.0.1/24")}, "subnet s9 of IP version 4 has range 10.9.0.1/24"},
		"subnet_version":        {&Subnet{Meta: Meta{ID: "s9"}, Network: "n1", IPVersion: 6, CIDR: netip.MustParsePrefix("10.9.0.0/24")}, "subnet s9 of IP version 6 has range 10.9.0.0/24"},
		"subnets_overlap":       {subnet("s9", "n1", netip.MustParsePrefix("10.0.0.0/28")), "subnets s1 and s9 of a network overlap"},
		"pool_outside":          {&Subnet{Meta: Meta{ID: "s9"}, Network: "n1", IPVersion: 4, CIDR: netip.MustParsePrefix("10.9.0.0/24"), Pools: []Range{{ip("10.9.0.2"), ip("10.9.1.2")}}}, "subnet s9 has pool 10.9.0.2 to 10.9.1.2 outside of 10.9.0.0/24"},
		"gateway_in_pool":       {&Subnet{Meta: Meta{ID: "s9"}, Network: "n1", IPVersion: 4, CIDR: netip.MustParsePrefix("10.9.0.0/24"), Gateway: ip("10.9.0.2"), Pools: []Range{{ip("10.9.0.2"), ip("10.9.0.3")}}}, "subnet s9 has gateway 10.9.0.2 inside of a pool"},
		"port_of_nothing":       {port("p3", "gone", 3, 9), "port p3 is on network gone, which does not exist"},
		"mac_twice":             {port("p3", "n1", 1, 9), "mac n1/fa:16:3e:00:00:01 belongs to port p1 and to port p3"},
		"no_mac":                {&Port{Meta: Meta{ID: "p3"}, Network: "n1", Tag: 9}, "port p3 has mac 00:00:00:00:00:00"},
		"address_twice":         {port("p3", "n1", 3, 9, FixedIP{"s1", ip("10.0.0.5")}), "address s1/10.0.0.5 belongs to port p1 and to port p3"},
		"address_twice_at_once": {port("p3", "n1", 3, 9, FixedIP{"s1", ip("10.0.0.6")}, FixedIP{"s1", ip("10.0.0.6")}), "port p3 has address 10.0.0.6 twice"},
		"address_outside":       {port("p3", "n1", 3, 9, FixedIP{"s1", ip("10.1.0.6")}), "port p3 has address 10.1.0.6 outside of 10.0.0.0/24"},
		"address_of_other_net":  {port("p3", "n1", 3, 9, FixedIP{"s2", ip("10.0.0.6")}), "port p3 has an address of subnet s2, which is not of its network"},
		"address_of_nothing":    {port("p3", "n1", 3, 9, FixedIP{"gone", ip("10.0.0.6")}), "port p3 has an address of subnet gone, which is not of its network"},
		"plug_without_vlan":     {&Plug{Port: "p1", Network: "n1", Host: "h2", Iface: "t"}, "plug p1@h2 has no local vlan"},
		"plug_of_nothing":       {&Plug{Port: "gone", Network: "n1", Host: "h1", Iface: "t"}, "plug gone@h1 is of no port of network n1"},
		"plug_of_other_network": {&Plug{Port: "p2", Network: "n1", Host: "h1", Iface: "t"}, "plug p2@h1 is of no port of network n1"},
		"vlan_without_plug":     {&LocalVLAN{Host: "h1", Network: "n2", VLAN: 2}, "local vlan h1/n2 is held by no port"},
		"vlan_twice":            {&LocalVLAN{Host: "h1", Network: "n2", VLAN: 1}, "vlan h1/1 belongs to network n1 and to network n2"},
		"vlan_out_of_range":     {&LocalVLAN{Host: "h1", Network: "n1", VLAN: 4095}, "local vlan h1/n1 is 4095"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(build(append(sound(), c.add)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestCheckFindsIndexesThatWereNotKept(t *testing.T) {
	for name, harm := range map[string]func(*Model){
		"subnets by network":                func(m *Model) { m.subnetsByNetwork = Index{} },
		"ports by network":                  func(m *Model) { m.portsByNetwork = m.portsByNetwork.with("n1", "ghost") },
		"ports by device":                   func(m *Model) { m.portsByDevice = m.portsByDevice.with("d", "p1") },
		"placements by host":                func(m *Model) { m.placementsByHost = Index{} },
		"placements by the host they leave": func(m *Model) { m.placementsByLeft = m.placementsByLeft.with("h9", "dhcp/n1") },
		"floating IPs by target":            func(m *Model) { m.floatingByTarget = m.floatingByTarget.with("p1", "f") },
		"plugs by host":                     func(m *Model) { m.plugsByHost = Index{} },
		"plugs by port":                     func(m *Model) { m.plugsByPort = Index{} },
		"ports by network and host":         func(m *Model) { m.plugsByNetHost = m.plugsByNetHost.with("h9/n1", "p1") },
		"hosts by network":                  func(m *Model) { m.vlansByNetwork = Index{} },
		"networks by host":                  func(m *Model) { m.networksByHost = Index{} },
		"segments":                          func(m *Model) { m.segments = Table[string, ID]{} },
		"tags":                              func(m *Model) { m.tags = m.tags.Without("1") },
		"addresses":                         func(m *Model) { m.addresses = m.addresses.With("s1/10.0.0.99", "p1") },
		"macs":                              func(m *Model) { m.macs = Table[string, ID]{} },
		"local vlans":                       func(m *Model) { m.vlanUsers = Table[string, ID]{} },
	} {
		m := *build(sound())
		harm(&m)
		if err := Check(&m); err == nil || !strings.Contains(err.Error(), "index of "+name+" is wrong") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
