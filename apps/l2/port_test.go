package l2

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// fabric makes a network "net" with subnets "v4" 10.0.0.0/24, "small" 10.1.0.0/29 with two addresses to
// choose, "stateful" fd01::/64 and "slaac" fd00::/64; a network "other" with subnet "far"; and the port
// "taken" with 10.0.0.50 and MAC fa:16:3e:00:00:50.
func fabric(t *testing.T) (w *world, net *model.Network, sub map[string]model.ID) {
	t.Helper()
	w = newWorld(t, Config{})
	net, err := w.network("net", NetworkCreate{})
	w.must(err)
	other, err := w.network("other", NetworkCreate{})
	w.must(err)
	sub = map[string]model.ID{}
	for _, c := range []struct {
		name string
		req  SubnetCreate
	}{
		{"v4", SubnetCreate{Network: net.ID, CIDR: cidr("10.0.0.0/24")}},
		{"small", SubnetCreate{Network: net.ID, CIDR: cidr("10.1.0.0/29"), Pools: Val([]model.Range{pool("10.1.0.2", "10.1.0.3")})}},
		{"stateful", SubnetCreate{Network: net.ID, CIDR: cidr("fd01::/64"), Pools: Val([]model.Range{pool("fd01::5", "fd01::5"), pool("fd01::a", "fd01::ffff")})}},
		{"slaac", SubnetCreate{Network: net.ID, CIDR: cidr("fd00::/64"), RAMode: "slaac", AddressMode: "slaac"}},
		{"far", SubnetCreate{Network: other.ID, CIDR: cidr("10.0.0.0/24")}},
	} {
		s, err := w.subnet(c.name, c.req)
		w.must(err)
		sub[c.name] = s.ID
	}
	_, err = w.port("taken", PortCreate{Network: net.ID, FixedIPs: fixed("10.0.0.50"), MAC: Val(mac("fa:16:3e:00:00:50"))})
	w.must(err)
	return w, net, sub
}

func TestPortAddresses(t *testing.T) {
	w, net, sub := fabric(t)
	at := func(name, ip string) model.FixedIP {
		f := model.FixedIP{Subnet: sub[name]}
		if ip != "" {
			f.IP = addr(ip)
		}
		return f
	}
	const eui = " fd00::f816:3eff:fe00:1"
	for name, c := range map[string]struct {
		asked Opt[[]model.FixedIP]
		owner string
		want  string
	}{
		"by_address":            {fixed("10.0.0.9"), "", "10.0.0.9" + eui},
		"by_both":               {Val([]model.FixedIP{at("small", "10.1.0.6")}), "", "10.1.0.6" + eui},
		"several_subnets":       {fixed("10.1.0.6", "10.0.0.9", "fd01::77"), "", "10.1.0.6 10.0.0.9 fd01::77" + eui},
		"two_of_one_subnet":     {fixed("10.0.0.9", "10.0.0.10"), "", "10.0.0.9 10.0.0.10" + eui},
		"outside_of_pools":      {fixed("10.1.0.6"), "", "10.1.0.6" + eui},
		"gateway":               {fixed("10.0.0.1"), OwnerRouterInterface, "10.0.0.1"},
		"none":                  {fixed(), "", eui[1:]},
		"none_for_router":       {fixed(), OwnerRouterInterface, ""},
		"slaac_by_subnet":       {Val([]model.FixedIP{at("slaac", "")}), "", eui[1:]},
		"slaac_by_own_address":  {fixed("fd00::f816:3eff:fe00:1"), "", eui[1:]},
		"slaac_for_router":      {fixed("fd00::"), OwnerRouterInterface, "fd00::"},
		"slaac_other_address":   {fixed("fd00::9"), "", "AllocationOnAutoAddressSubnet: IPv6 address fd00::9 cannot be directly assigned to a port on subnet slaac as the subnet is configured for automatic addresses"},
		"taken":                 {fixed("10.0.0.50"), "", "IpAddressAlreadyAllocated: IP address 10.0.0.50 already allocated in subnet v4"},
		"twice":                 {fixed("10.0.0.9", "10.0.0.9"), "", "IpAddressAlreadyAllocated: IP address 10.0.0.9 already allocated in subnet v4"},
		"nowhere":               {fixed("192.168.9.9"), "", "InvalidIpForNetwork: IP address 192.168.9.9 is not a valid IP for any of the subnets on the specified network."},
		"network_address":       {fixed("10.0.0.0"), "", "InvalidIpForNetwork: IP address 10.0.0.0 is not a valid IP for any of the subnets on the specified network."},
		"broadcast_address":     {Val([]model.FixedIP{at("v4", "10.0.0.255")}), "", "InvalidIpForSubnet: IP address 10.0.0.255 is not a valid IP for the specified subnet."},
		"of_another_subnet":     {Val([]model.FixedIP{at("v4", "10.1.0.6")}), "", "InvalidIpForSubnet: IP address 10.1.0.6 is not a valid IP for the specified subnet."},
		"of_another_network":    {Val([]model.FixedIP{at("far", "")}), "", "InvalidInput: Invalid input for operation: Failed to create port on network net, because fixed_ips included invalid subnet far."},
		"unknown_subnet":        {Val([]model.FixedIP{{Subnet: "gone"}}), "", "SubnetNotFound: Subnet gone could not be found."},
		"empty_entry":           {Val([]model.FixedIP{{}}), "", "InvalidInput: Invalid input for operation: IP allocation requires subnet_id or ip_address."},
		"too_many":              {fixed("10.0.0.9", "10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.14"), "", "InvalidInput: Invalid input for operation: Exceeded maximum amount of fixed ips per port."},
		"subnet_router_anycast": {fixed("fd01::"), "", "InvalidIpForNetwork: IP address fd01:: is not a valid IP for any of the subnets on the specified network."},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.m
			defer func() { w.m = before }()
			p, err := w.port("p", PortCreate{Network: net.ID, DeviceOwner: c.owner, FixedIPs: c.asked, MAC: Val(mac("fa:16:3e:00:00:01"))})
			got := w.explain(err)
			if err == nil {
				got = addresses(p)
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestPortGetsOneAddressOfEachVersion(t *testing.T) {
	w, net, sub := fabric(t)
	p, err := w.port("p", PortCreate{Network: net.ID})
	w.must(err)
	var subnets []string
	for _, ip := range p.FixedIPs {
		subnets = append(subnets, w.names[ip.Subnet])
		if s, _ := w.m.Subnets.Get(ip.Subnet); ip.Subnet != sub["slaac"] && !slices.ContainsFunc(s.Pools, func(r model.Range) bool { return r.Contains(ip.IP) }) {
			t.Errorf("%s is in no pool", ip.IP)
		}
	}
	if len(subnets) != 3 || subnets[0] != "v4" && subnets[0] != "small" || subnets[1] != "stateful" || subnets[2] != "slaac" {
		t.Errorf("addresses of %v", subnets)
	}
	empty, err := w.network("empty", NetworkCreate{})
	w.must(err)
	if p, err := w.port("p", PortCreate{Network: empty.ID}); err != nil || len(p.FixedIPs) != 0 {
		t.Errorf("on a network without subnets: %v, %v", p, err)
	}
	_, err = w.port("p", PortCreate{Network: empty.ID, FixedIPs: fixed("10.0.0.9")})
	w.expect(err, "InvalidInput: Invalid input for operation: IP allocation requires subnets for network.")
	_, err = w.port("p", PortCreate{Network: "nowhere"})
	w.expect(err, "NetworkNotFound: Network nowhere could not be found.")
}

func TestAddressesRunOut(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	a, err := w.subnet("a", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/29")})
	w.must(err)
	_, err = w.subnet("b", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.1.0/28")})
	w.must(err)
	for range 5 {
		_, err := w.port("p", PortCreate{Network: n.ID, FixedIPs: Val([]model.FixedIP{{Subnet: a.ID}})})
		w.must(err)
	}
	_, err = w.port("p", PortCreate{Network: n.ID, FixedIPs: Val([]model.FixedIP{{Subnet: a.ID}})})
	w.expect(err, "IpAddressGenerationFailure: No more IP addresses available for subnet a.")
	for range 13 {
		_, err := w.port("p", PortCreate{Network: n.ID})
		w.must(err)
	}
	_, err = w.port("p", PortCreate{Network: n.ID})
	w.expect(err, "IpAddressGenerationFailure: No more IP addresses available on network net.")
}

func TestNamedAddressesAreNotGivenToOpenEntries(t *testing.T) {
	for seed := range 20 {
		w, net, sub := fabric(t)
		for range seed {
			_, err := w.ops.newID() // another place in the sequence of random numbers
			w.must(err)
		}
		_, err := w.port("p", PortCreate{Network: net.ID, FixedIPs: Val([]model.FixedIP{{Subnet: sub["small"]}, {IP: addr("10.1.0.2")}})})
		w.must(err)
	}
}

func TestServiceTypesChooseTheSubnet(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	_, err = w.subnet("fip", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24"), ServiceTypes: []string{OwnerFloatingIP}})
	w.must(err)
	_, err = w.port("p", PortCreate{Network: n.ID})
	w.expect(err, "IpAddressGenerationFailureNoMatchingSubnet: No valid service subnet for the given device owner.")
	p, err := w.port("p", PortCreate{Network: n.ID, DeviceOwner: OwnerFloatingIP})
	w.must(err)
	if len(p.FixedIPs) != 1 {
		t.Errorf("floating ip has %s", addresses(p))
	}
}

func TestPortMAC(t *testing.T) {
	w, net, _ := fabric(t)
	p, err := w.port("p", PortCreate{Network: net.ID})
	w.must(err)
	if p.MAC[0] != 0xfa || p.MAC[1] != 0x16 || p.MAC[2] != 0x3e {
		t.Errorf("chosen mac is %s", p.MAC)
	}
	for address, want := range map[string]string{
		"fa:16:3e:00:00:50": "MacAddressInUse: Unable to complete operation for network net. The mac address fa:16:3e:00:00:50 is in use.",
		"ff:ff:ff:ff:ff:ff": "HTTPBadRequest: Invalid input for mac_address. Reason: 'ff:ff:ff:ff:ff:ff' is not a valid MAC address.",
		"00:00:00:00:00:00": "HTTPBadRequest: Invalid input for mac_address. Reason: '00:00:00:00:00:00' is not a valid MAC address.",
		"01:00:5e:00:00:01": "HTTPBadRequest: Invalid input for mac_address. Reason: '01:00:5e:00:00:01' is not a valid MAC address.",
		"52:54:00:00:00:01": "",
	} {
		_, err := w.port("q", PortCreate{Network: net.ID, MAC: Val(mac(address))})
		w.expect(err, want)
	}
	elsewhere, err := w.network("elsewhere", NetworkCreate{})
	w.must(err)
	_, err = w.port("q", PortCreate{Network: elsewhere.ID, MAC: Val(mac("fa:16:3e:00:00:50"))})
	w.expect(err, "")
}

func TestMACChange(t *testing.T) {
	w, net, _ := fabric(t)
	p, err := w.port("p", PortCreate{Network: net.ID, FixedIPs: fixed("10.0.0.9"), MAC: Val(mac("fa:16:3e:00:00:01"))})
	w.must(err)
	p2, err := w.updatePort(p.ID, PortUpdate{MAC: Val(mac("fa:16:3e:00:00:02")), AddressPairs: Val([]model.AddressPair{{IP: "10.0.0.99"}})})
	w.must(err)
	if got := addresses(p2); got != "10.0.0.9 fd00::f816:3eff:fe00:2" || p2.Revision != 2 {
		t.Errorf("addresses %s at revision %d", got, p2.Revision)
	}
	p3, err := w.updatePort(p.ID, PortUpdate{MAC: Null[macType]()})
	w.must(err)
	if p3.MAC == p2.MAC || p3.AddressPairs[0].MAC != p2.MAC {
		t.Errorf("regenerated mac %s, address pair %v", p3.MAC, p3.AddressPairs)
	}
	_, err = w.updatePort(p.ID, PortUpdate{MAC: Val(mac("fa:16:3e:00:00:50"))})
	w.expect(err, "MacAddressInUse: Unable to complete operation for network net. The mac address fa:16:3e:00:00:50 is in use.")
	w.must(w.bind(p.ID, "h1", "tap1"))
	_, err = w.updatePort(p.ID, PortUpdate{MAC: Val(mac("fa:16:3e:00:00:03"))})
	w.expect(err, fmt.Sprintf("PortBound: Unable to complete operation on port p, port is already bound, port type: ovs, old_mac %s, new_mac fa:16:3e:00:00:03.", p3.MAC))
	_, err = w.updatePort(p.ID, PortUpdate{MAC: Val(p3.MAC)})
	w.expect(err, "")
}

func TestFixedIPChange(t *testing.T) {
	w, net, sub := fabric(t)
	p, err := w.port("p", PortCreate{Network: net.ID, FixedIPs: fixed("10.0.0.9", "10.0.0.10"), MAC: Val(mac("fa:16:3e:00:00:01"))})
	w.must(err)
	const eui = " fd00::f816:3eff:fe00:1"
	for _, c := range []struct {
		name  string
		asked Opt[[]model.FixedIP]
		want  string
	}{
		{"swap_one", fixed("10.0.0.9", "10.0.0.11"), "10.0.0.9 10.0.0.11" + eui},
		{"echo_of_what_is", fixed("10.0.0.9", "10.0.0.11", "fd00::f816:3eff:fe00:1"), "10.0.0.9 10.0.0.11" + eui},
		{"subnet_keeps_address", Val([]model.FixedIP{{Subnet: sub["v4"]}}), "10.0.0.9" + eui},
		{"subnet_does_not_keep_a_named_one", Val([]model.FixedIP{{IP: addr("10.0.0.9")}, {Subnet: sub["small"], IP: addr("10.1.0.6")}}), "10.0.0.9 10.1.0.6" + eui},
		{"other_subnet", fixed("fd01::77"), "fd01::77" + eui},
		{"taken", fixed("10.0.0.50"), "IpAddressAlreadyAllocated: IP address 10.0.0.50 already allocated in subnet v4"},
		{"null_is_none", Null[[]model.FixedIP](), eui[1:]},
		{"free_again", fixed("10.0.0.10"), "10.0.0.10" + eui},
	} {
		p, err := w.updatePort(p.ID, PortUpdate{FixedIPs: c.asked})
		got := w.explain(err)
		if err == nil {
			got = addresses(p)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPortDefaultsAndRevisions(t *testing.T) {
	w, net, _ := fabric(t)
	p, err := w.port("p", PortCreate{Network: net.ID, FixedIPs: fixed("10.0.0.9")})
	w.must(err)
	if !p.AdminUp || !p.PortSecurity || !p.UplinkStatus || p.VNICType != "normal" || p.Revision != 1 || p.Tag == 0 {
		t.Errorf("created %+v", p)
	}
	same, err := w.updatePort(p.ID, PortUpdate{Name: Val("p"), FixedIPs: Val(p.FixedIPs), MAC: Val(p.MAC)})
	w.must(err)
	if same.Revision != 1 {
		t.Errorf("an update that changes nothing made revision %d", same.Revision)
	}
	p2, err := w.updatePort(p.ID, PortUpdate{
		DeviceID: Val("vm1"), DeviceOwner: Val("compute:nova"), BindingHost: Val("h1"),
		Profile: Val(map[string]any{"a": "b"}), DataPlane: Val("DOWN"), AdminUp: Val(false),
	})
	w.must(err)
	if p2.DeviceID != "vm1" || p2.BindingHost != "h1" || p2.Profile["a"] != "b" || p2.DataPlane != "DOWN" || p2.AdminUp || p2.Revision != 2 {
		t.Errorf("updated %+v", p2)
	}
	p3, err := w.updatePort(p.ID, PortUpdate{BindingHost: Null[string](), Profile: Null[map[string]any](), DataPlane: Null[string]()})
	w.must(err)
	if p3.BindingHost != "" || p3.Profile != nil || p3.DataPlane != "" {
		t.Errorf("after null %+v", p3)
	}
	own, err := w.port("dhcp", PortCreate{Network: net.ID, DeviceOwner: OwnerDHCP, PortSecurity: Val(true)})
	w.must(err)
	if own.PortSecurity {
		t.Error("a port of the fabric itself is filtered")
	}
	open, err := w.network("open", NetworkCreate{PortSecurity: Val(false)})
	w.must(err)
	q, err := w.port("q", PortCreate{Network: open.ID})
	w.must(err)
	if q.PortSecurity {
		t.Error("the network's port security is not the port's default")
	}
	_, err = w.updatePort("nowhere", PortUpdate{})
	w.expect(err, "PortNotFound: Port nowhere could not be found.")
}

func TestPortSecurityRules(t *testing.T) {
	groups := []model.ID{"00000000-0000-0000-0000-000000000001"}
	pairs := func(ips ...string) []model.AddressPair {
		var out []model.AddressPair
		for _, ip := range ips {
			out = append(out, model.AddressPair{IP: ip})
		}
		return out
	}
	const (
		required = "PortSecurityAndIPRequiredForSecurityGroups: Port security must be enabled and port must have an IP address in order to use security groups."
		pairNeed = "AddressPairAndPortSecurityRequired: Port Security must be enabled in order to have allowed address pairs on a port."
		attached = "PortSecurityPortHasSecurityGroup: Port has security group associated. Cannot disable port security or IP address until security group is removed."
	)
	for name, c := range map[string]struct {
		create PortCreate
		update *PortUpdate
		want   string
	}{
		"groups":                    {PortCreate{SecurityGroups: groups}, nil, ""},
		"groups_without_security":   {PortCreate{SecurityGroups: groups, PortSecurity: Val(false)}, nil, required},
		"groups_without_address":    {PortCreate{SecurityGroups: groups, FixedIPs: fixed()}, nil, required},
		"groups_on_fabrics_port":    {PortCreate{SecurityGroups: groups, DeviceOwner: OwnerDHCP}, nil, required},
		"pairs":                     {PortCreate{AddressPairs: pairs("10.0.0.99", "10.2.0.0/16")}, nil, ""},
		"pairs_without_security":    {PortCreate{AddressPairs: pairs("10.0.0.99"), PortSecurity: Val(false)}, nil, pairNeed},
		"pair_twice":                {PortCreate{MAC: Val(mac("fa:16:3e:00:00:01")), AddressPairs: append(pairs("10.0.0.99"), model.AddressPair{IP: "10.0.0.99", MAC: mac("fa:16:3e:00:00:01")})}, nil, "DuplicateAddressPairInRequest: Request contains duplicate address pair: mac_address fa:16:3e:00:00:01 ip_address 10.0.0.99."},
		"too_many_pairs":            {PortCreate{AddressPairs: make([]model.AddressPair, 11)}, nil, "AllowedAddressPairExhausted: The number of allowed address pair exceeds the maximum 10."},
		"security_off_with_groups":  {PortCreate{SecurityGroups: groups}, &PortUpdate{PortSecurity: Val(false)}, attached},
		"security_off_and_groups":   {PortCreate{SecurityGroups: groups}, &PortUpdate{PortSecurity: Val(false), SecurityGroups: Val([]model.ID{})}, ""},
		"addresses_off_with_groups": {PortCreate{SecurityGroups: groups}, &PortUpdate{FixedIPs: fixed()}, attached},
		"security_off_with_pairs":   {PortCreate{AddressPairs: pairs("10.0.0.99")}, &PortUpdate{PortSecurity: Val(false)}, pairNeed},
		"groups_on_open_port":       {PortCreate{PortSecurity: Val(false)}, &PortUpdate{SecurityGroups: Val(groups)}, required},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			n, err := w.network("net", NetworkCreate{})
			w.must(err)
			_, err = w.subnet("sub", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24")})
			w.must(err)
			c.create.Network = n.ID
			p, err := w.port("p", c.create)
			if c.update != nil {
				w.must(err)
				_, err = w.updatePort(p.ID, *c.update)
			}
			w.expect(err, c.want)
		})
	}
}

func TestDHCPOptionsAreChangedOneByOne(t *testing.T) {
	value := func(s string) *string { return &s }
	w, net, _ := fabric(t)
	p, err := w.port("p", PortCreate{Network: net.ID, DHCPOptions: []DHCPOptionChange{{Name: "mtu", Value: value("1400")}, {Name: "gone"}}})
	w.must(err)
	for _, c := range []struct {
		changes []DHCPOptionChange
		want    string
	}{
		{nil, "[{mtu 1400 4}]"},
		{[]DHCPOptionChange{{Name: "tftp-server", Value: value("10.0.0.2")}}, "[{mtu 1400 4} {tftp-server 10.0.0.2 4}]"},
		{[]DHCPOptionChange{{Name: "mtu", Value: value("1300")}, {Name: "mtu", Value: value("1280"), IPVersion: 6}}, "[{mtu 1300 4} {tftp-server 10.0.0.2 4} {mtu 1280 6}]"},
		{[]DHCPOptionChange{{Name: "mtu"}, {Name: "unknown"}}, "[{tftp-server 10.0.0.2 4} {mtu 1280 6}]"},
	} {
		p, err = w.updatePort(p.ID, PortUpdate{DHCPOptions: Val(c.changes)})
		w.must(err)
		if got := fmt.Sprint(p.DHCPOptions); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestPortDelete(t *testing.T) {
	w, net, _ := fabric(t)
	p, err := w.port("p", PortCreate{Network: net.ID})
	w.must(err)
	leg, err := w.port("leg", PortCreate{Network: net.ID, DeviceOwner: OwnerRouterInterface, FixedIPs: fixed("10.0.0.1")})
	w.must(err)
	w.must(w.bind(p.ID, "h1", "tap1"))
	w.must(w.bind(p.ID, "h2", "tap1"))
	remove := func(id model.ID) error {
		return w.try(func(tx *store.Tx) error { return w.ops.DeletePort(tx, id) })
	}
	w.expect(remove("nowhere"), "PortNotFound: Port nowhere could not be found.")
	w.expect(remove(leg.ID), "ServicePortInUse: Port leg cannot be deleted directly via the port API: has device owner network:router_interface.")
	w.must(remove(p.ID))
	if w.m.Plugs.Len() != 0 || w.m.VLANs.Len() != 0 {
		t.Errorf("%d plugs and %d vlans are left", w.m.Plugs.Len(), w.m.VLANs.Len())
	}
	w.must(w.try(func(tx *store.Tx) error {
		return errors.Join(w.ops.RemovePort(tx, leg.ID), w.ops.RemovePort(tx, "nowhere"))
	}))
	if _, ok := w.m.Ports.Get(leg.ID); ok {
		t.Error("the router could not remove its leg")
	}
}
