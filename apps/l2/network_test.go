package l2

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

func provider(t model.NetworkType, physnet string, id int) NetworkCreate {
	req := NetworkCreate{Type: Val(t)}
	if physnet != "" {
		req.Physnet = Val(physnet)
	}
	if id != 0 {
		req.SegmentID = Val(id)
	}
	return req
}

func TestNetworkSegments(t *testing.T) {
	physnets := []Physnet{
		{Name: "physnet1", VLANs: []SegmentRange{{100, 101}}, MTU: 9000},
		{Name: "physnet2"},
	}
	for name, c := range map[string]struct {
		cfg  Config
		have []NetworkCreate
		req  NetworkCreate
		want string // type/physnet/segment mtu, or the error
	}{
		"tenants_get_vxlan":                  {want: "vxlan//1 1450"},
		"next_after_the_last":                {have: make([]NetworkCreate, 3), want: "vxlan//4 1450"},
		"first_tenant_type_with_room":        {cfg: Config{TenantTypes: []model.NetworkType{"vlan", "gre"}}, want: "gre//1 1458"},
		"tenant_vlan":                        {cfg: Config{TenantTypes: []model.NetworkType{"vlan"}, Physnets: physnets}, want: "vlan/physnet1/100 9000"},
		"tenant_local":                       {cfg: Config{TenantTypes: []model.NetworkType{"local"}}, want: "local//0 1500"},
		"no_room_left":                       {cfg: Config{Ranges: map[model.NetworkType][]SegmentRange{"vxlan": {{7, 8}}}}, have: make([]NetworkCreate, 2), want: "NoNetworkAvailable: Unable to create the network. No tenant network is available for allocation."},
		"ranges_are_used_in_order":           {cfg: Config{Ranges: map[model.NetworkType][]SegmentRange{"vxlan": {{7, 8}, {20, 20}}}}, have: make([]NetworkCreate, 2), want: "vxlan//20 1450"},
		"gre_with_key":                       {req: provider("gre", "", 77), want: "gre//77 1458"},
		"highest_gre_key":                    {req: provider("gre", "", 1<<32-1), want: "gre//4294967295 1458"},
		"geneve_without_id":                  {req: provider("geneve", "", 0), want: "geneve//1 1450"},
		"each_type_counts_for_itself":        {have: []NetworkCreate{provider("gre", "", 77)}, req: provider("vxlan", "", 77), want: "vxlan//77 1450"},
		"ipv6_underlay":                      {cfg: Config{UnderlayIPv6: true}, want: "vxlan//1 1430"},
		"jumbo_underlay":                     {cfg: Config{UnderlayMTU: 9000}, req: provider("gre", "", 5), want: "gre//5 8958"},
		"flat":                               {req: provider("flat", "physnet1", 0), want: "flat/physnet1/0 1500"},
		"flat_with_mtu_of_its_own":           {cfg: Config{Physnets: physnets}, req: provider("flat", "physnet1", 0), want: "flat/physnet1/0 9000"},
		"vlan":                               {req: provider("vlan", "physnet1", 7), want: "vlan/physnet1/7 1500"},
		"vlan_chosen":                        {cfg: Config{Physnets: physnets}, have: []NetworkCreate{provider("vlan", "physnet1", 100)}, req: provider("vlan", "physnet1", 0), want: "vlan/physnet1/101 9000"},
		"vlan_on_other_physnet":              {have: []NetworkCreate{provider("vlan", "a", 7)}, req: provider("vlan", "b", 7), want: "vlan/b/7 1500"},
		"local":                              {req: provider("local", "", 0), want: "local//0 1500"},
		"tunnel_id_in_use":                   {have: []NetworkCreate{provider("gre", "", 77)}, req: provider("gre", "", 77), want: "TunnelIdInUse: Unable to create the network. The tunnel ID 77 is in use."},
		"vlan_in_use":                        {have: []NetworkCreate{provider("vlan", "physnet1", 7)}, req: provider("vlan", "physnet1", 7), want: "VlanIdInUse: Unable to create the network. The VLAN 7 on physical network physnet1 is in use."},
		"flat_in_use":                        {have: []NetworkCreate{provider("flat", "physnet1", 0)}, req: provider("flat", "physnet1", 0), want: "FlatNetworkInUse: Unable to create the flat network. Physical network physnet1 is in use."},
		"unknown_type":                       {req: provider("token-ring", "", 0), want: "InvalidInput: Invalid input for operation: network_type value 'token-ring' not supported."},
		"id_without_type":                    {req: NetworkCreate{SegmentID: Val(7)}, want: "InvalidInput: Invalid input for operation: network_type required."},
		"vni_too_high":                       {req: provider("vxlan", "", 1<<24), want: "InvalidInput: Invalid input for operation: segmentation_id out of range (1 through 16777215)."},
		"vlan_too_high":                      {req: provider("vlan", "physnet1", 4095), want: "InvalidInput: Invalid input for operation: segmentation_id out of range (1 through 4094)."},
		"negative_key":                       {req: provider("gre", "", -1), want: "InvalidInput: Invalid input for operation: segmentation_id out of range (1 through 4294967295)."},
		"tunnel_with_physnet":                {req: provider("gre", "physnet1", 0), want: "InvalidInput: Invalid input for operation: provider:physical_network specified for gre network."},
		"flat_without_physnet":               {req: provider("flat", "", 0), want: "InvalidInput: Invalid input for operation: physical_network required for flat provider network."},
		"flat_with_id":                       {req: provider("flat", "physnet1", 7), want: "InvalidInput: Invalid input for operation: provider:segmentation_id prohibited for flat provider network."},
		"flat_on_unknown_physnet":            {cfg: Config{Physnets: physnets}, req: provider("flat", "moon", 0), want: "InvalidInput: Invalid input for operation: physical_network 'moon' unknown for flat provider network."},
		"vlan_on_unknown_physnet":            {cfg: Config{Physnets: physnets}, req: provider("vlan", "moon", 7), want: "InvalidInput: Invalid input for operation: physical_network 'moon' unknown for VLAN provider network."},
		"vlan_without_physnet":               {req: provider("vlan", "", 7), want: "InvalidInput: Invalid input for operation: segmentation_id requires physical_network for VLAN provider network."},
		"vlan_without_id_on_physnet_of_none": {cfg: Config{Physnets: physnets}, req: provider("vlan", "physnet2", 0), want: "InvalidInput: Invalid input for operation: Physical network physnet2 requires segmentation_id to be specified when creating a provider network."},
		"no_vlan_left":                       {cfg: Config{Physnets: physnets}, have: []NetworkCreate{provider("vlan", "physnet1", 0), provider("vlan", "physnet1", 0)}, req: provider("vlan", "physnet1", 0), want: "NoNetworkAvailable: Unable to create the network. No tenant network is available for allocation."},
		"local_with_id":                      {req: provider("local", "", 7), want: "InvalidInput: Invalid input for operation: provider:segmentation_id prohibited for local provider network."},
		"local_with_physnet":                 {req: provider("local", "physnet1", 0), want: "InvalidInput: Invalid input for operation: provider:physical_network prohibited for local provider network."},
		"smaller_mtu":                        {req: NetworkCreate{MTU: Val(1400)}, want: "vxlan//1 1400"},
		"mtu_0_is_the_largest":               {req: NetworkCreate{MTU: Val(0)}, want: "vxlan//1 1450"},
		"mtu_too_big":                        {req: NetworkCreate{MTU: Val(1451)}, want: "InvalidInput: Invalid input for operation: Requested MTU is too big, maximum is 1450."},
		"mtu_too_small":                      {req: NetworkCreate{MTU: Val(67)}, want: "InvalidInput: Invalid input for operation: Requested MTU is too small, minimum is 68."},
		"second_default_external_network":    {have: []NetworkCreate{{External: true, Default: true}}, req: NetworkCreate{External: true, Default: true}, want: "DefaultExternalNetworkExists: A default external network already exists: have0."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.cfg)
			for i, req := range c.have {
				_, err := w.network(fmt.Sprintf("have%d", i), req)
				w.must(err)
			}
			n, err := w.network("net", c.req)
			got := w.explain(err)
			if err == nil {
				got = fmt.Sprintf("%s/%s/%d %d", n.Type, n.Physnet, n.SegmentID, n.MTU)
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestFreedSegmentRestsUntilTheRangeIsThrough(t *testing.T) {
	w := newWorld(t, Config{Ranges: map[model.NetworkType][]SegmentRange{"vxlan": {{1, 3}}}})
	var got []uint32
	for range 4 {
		n, err := w.network("n", NetworkCreate{})
		w.must(err)
		got = append(got, n.SegmentID)
		w.must(w.try(func(tx *store.Tx) error { return w.ops.DeleteNetwork(tx, n.ID) }))
	}
	if want := []uint32{1, 2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if w.m.LastTag() != 4 {
		t.Errorf("last tag is %d: a tag was given twice", w.m.LastTag())
	}
}

func TestNetworkDefaultsAndRevisions(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("n", NetworkCreate{})
	w.must(err)
	if !n.AdminUp || !n.PortSecurity || n.Shared || n.Revision != 1 || n.Tag != 1 || n.Request != "req-1" {
		t.Errorf("created %+v", n)
	}
	same, err := w.updateNetwork(n.ID, NetworkUpdate{Name: Val("n"), Type: Val(model.TypeVXLAN), SegmentID: Val(1)})
	w.must(err)
	if same.Revision != 1 {
		t.Errorf("an update that changes nothing made revision %d", same.Revision)
	}
	n2, err := w.updateNetwork(n.ID, NetworkUpdate{Name: Val("m"), AdminUp: Val(false), MTU: Val(1300), Tags: Val([]string{"a"})})
	w.must(err)
	if n2.Name != "m" || n2.AdminUp || n2.MTU != 1300 || n2.Revision != 2 || !n2.Updated.After(n.Updated) || n2.Rev <= n.Rev {
		t.Errorf("updated %+v", n2)
	}
	if n.Name != "n" {
		t.Error("the update wrote to the old snapshot")
	}
	s, err := w.subnet("s", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24")})
	w.must(err)
	revision := func() int { n, _ := w.m.Networks.Get(n.ID); return n.Revision }
	if revision() != 3 {
		t.Errorf("a new subnet left the network at revision %d", revision())
	}
	_, err = w.updateSubnet(s.ID, SubnetUpdate{Name: Val("x")})
	w.must(err)
	w.must(w.try(func(tx *store.Tx) error { return w.ops.DeleteSubnet(tx, s.ID) }))
	if revision() != 5 {
		t.Errorf("changes of its subnet left the network at revision %d", revision())
	}
}

func TestNetworkUpdateRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{Shared: true, External: true})
	w.must(err)
	other, err := w.network("default", NetworkCreate{External: true, Default: true})
	w.must(err)
	foreign, err := w.port("foreign", PortCreate{Network: n.ID, Project: "p2"})
	w.must(err)
	_, err = w.port("gateway", PortCreate{Network: n.ID, DeviceOwner: OwnerRouterGateway})
	w.must(err)
	for name, c := range map[string]struct {
		id   model.ID
		req  NetworkUpdate
		want string
	}{
		"unknown":        {"nowhere", NetworkUpdate{}, "NetworkNotFound: Network nowhere could not be found."},
		"type":           {n.ID, NetworkUpdate{Type: Val(model.TypeGRE)}, "InvalidInput: Invalid input for operation: Plugin does not support updating provider attributes."},
		"segment":        {n.ID, NetworkUpdate{SegmentID: Val(99)}, "InvalidInput: Invalid input for operation: Plugin does not support updating provider attributes."},
		"physnet":        {n.ID, NetworkUpdate{Physnet: Val("x")}, "InvalidInput: Invalid input for operation: Plugin does not support updating provider attributes."},
		"mtu":            {n.ID, NetworkUpdate{MTU: Val(9000)}, "InvalidInput: Invalid input for operation: Requested MTU is too big, maximum is 1450."},
		"unshare":        {n.ID, NetworkUpdate{Shared: Val(false)}, "InvalidSharedSetting: Unable to reconfigure sharing settings for network net. Multiple tenants are using it."},
		"make_internal":  {n.ID, NetworkUpdate{External: Val(false)}, "ExternalNetworkInUse: External network net cannot be updated to be made non-external, since it has existing gateway ports."},
		"second_default": {n.ID, NetworkUpdate{Default: Val(true)}, "DefaultExternalNetworkExists: A default external network already exists: default."},
		"still_default":  {other.ID, NetworkUpdate{Default: Val(true), Name: Val("default")}, ""},
	} {
		_, err := w.updateNetwork(c.id, c.req)
		if got := w.explain(err); got != c.want {
			t.Errorf("%s: got  %q\nwant %q", name, got, c.want)
		}
	}
	_, err = w.updateNetwork(n.ID, NetworkUpdate{Shared: Val(false)})
	var e *model.Error
	if !errors.As(err, &e) || !slices.Equal(e.Blockers, []string{string(foreign.ID)}) {
		t.Errorf("blockers %v", e)
	}
}

func TestNetworkDelete(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	_, err = w.subnet("sub", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24")})
	w.must(err)
	dhcp, err := w.port("dhcp", PortCreate{Network: n.ID, DeviceOwner: OwnerDHCP})
	w.must(err)
	a, err := w.port("vm-a", PortCreate{Network: n.ID})
	w.must(err)
	b, err := w.port("vm-b", PortCreate{Network: n.ID})
	w.must(err)
	w.must(w.bind(dhcp.ID, "h1", "tap0"))
	remove := func(id model.ID) error {
		return w.try(func(tx *store.Tx) error { return w.ops.DeleteNetwork(tx, id) })
	}
	first, second := "vm-a", "vm-b"
	if b.ID < a.ID {
		first, second = second, first
	}
	w.expect(remove(n.ID), "NetworkInUse: Unable to complete operation on network net. There are one or more ports still in use on the network, id for these ports is: "+first+","+second+".")
	w.expect(remove("nowhere"), "NetworkNotFound: Network nowhere could not be found.")
	for _, p := range []*model.Port{a, b} {
		w.must(w.try(func(tx *store.Tx) error { return w.ops.DeletePort(tx, p.ID) }))
	}
	w.must(remove(n.ID))
	if w.m.Networks.Len()+w.m.Subnets.Len()+w.m.Ports.Len()+w.m.Plugs.Len()+w.m.VLANs.Len() != 0 {
		t.Error("something is left of the network")
	}
}

func TestConfigMistakesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"flat_for_tenants":  {Config{TenantTypes: []model.NetworkType{"flat"}}, `network settings: tenants cannot be given networks of type "flat"`},
		"range_backwards":   {Config{Ranges: map[model.NetworkType][]SegmentRange{"gre": {{5, 4}}}}, "network settings: ranges of gre: 5:4 does not lie within 1:4294967295"},
		"range_too_high":    {Config{Ranges: map[model.NetworkType][]SegmentRange{"vxlan": {{1, 1 << 24}}}}, "network settings: ranges of vxlan: 1:16777216 does not lie within 1:16777215"},
		"range_of_vlan":     {Config{Ranges: map[model.NetworkType][]SegmentRange{"vlan": {{1, 2}}}}, `network settings: type "vlan" takes no segment ranges`},
		"physnet_twice":     {Config{Physnets: []Physnet{{Name: "a"}, {Name: "a"}}}, `network settings: physical network "a" is unnamed or named twice`},
		"vlan_0":            {Config{Physnets: []Physnet{{Name: "a", VLANs: []SegmentRange{{0, 5}}}}}, "network settings: vlans of physical network a: 0:5 does not lie within 1:4094"},
		"tiny_physnet_mtu":  {Config{Physnets: []Physnet{{Name: "a", MTU: 10}}}, "network settings: mtu 10 of physical network a is below 68"},
		"tiny_underlay_mtu": {Config{UnderlayMTU: 500}, "network settings: underlay mtu 500 is below 576"},
		"multicast_mac":     {Config{BaseMAC: of.MAC{1}}, "network settings: base mac 01:00:00:00:00:00 is a multicast address"},
		"nothing":           {Config{}, "<nil>"},
	} {
		if _, err := New(c.cfg); fmt.Sprint(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
