package metadata_test

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/heddle-sdn/heddle/apps/metadata"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

func port(id, network, owner string, mac byte, ips ...string) *model.Port {
	p := &model.Port{Meta: model.Meta{ID: model.ID(id), Project: "p1"}, Network: model.ID(network), DeviceID: "dev-" + id, DeviceOwner: owner, MAC: of.MAC{0xfa, 0x16, 0x3e, 0, 0, mac}}
	for _, ip := range ips {
		p.FixedIPs = append(p.FixedIPs, model.FixedIP{IP: netip.MustParseAddr(ip)})
	}
	return p
}

func TestInstanceHasKeysThatAreGivenByName(t *testing.T) {
	web := port("web", "a", "compute:nova", 1, "10.0.0.5")
	web.Profile = map[string]any{"public_keys": map[string]any{"you": "ssh-rsa two\n", "me": "ssh-rsa one", "none": nil}}
	m := (&model.Model{}).With(&model.Network{Meta: model.Meta{ID: "a"}}).With(web)
	want := []string{"ssh-rsa one", "ssh-rsa two"}
	if got := metadata.Instances(m, "a")["10.0.0.5"].PublicKey; !reflect.DeepEqual(got, want) {
		t.Errorf("keys %q, want %q in the order of their names", got, want)
	}
}

func TestInstancesAreThosePortsThatMayAsk(t *testing.T) {
	web := port("web", "a", "compute:nova", 1, "10.0.0.5")
	web.DNSName = "www"
	web.Profile = map[string]any{"public_keys": []any{"ssh-rsa one \n", "", 7, "ssh-rsa two"}, "user_data": "#!"}
	m := &model.Model{}
	for _, r := range []model.Resource{
		&model.Network{Meta: model.Meta{ID: "a"}, MTU: 1450}, &model.Network{Meta: model.Meta{ID: "b"}, MTU: 1442},
		web, port("dual", "a", "", 2, "10.0.0.6", "fd00::6"), port("other", "b", "", 3, "10.0.1.5", "fd01::5"),
		port("twin", "b", "", 2, "fd01::6"), port("dhcp", "a", model.OwnerDHCP, 4, "10.0.0.2"), port("bare", "a", "", 5),
	} {
		m = m.With(r)
	}
	mac := func(last byte) of.MAC { return of.MAC{0xfa, 0x16, 0x3e, 0, 0, last} }
	dual := spec.Instance{Port: "dual", Device: "dev-dual", Project: "p1", Hostname: "host-10-0-0-6", MAC: mac(2), MTU: 1450}
	want := map[string]spec.Instance{
		"10.0.0.5": {Port: "web", Device: "dev-web", Project: "p1", Hostname: "www", MAC: mac(1), MTU: 1450, PublicKey: []string{"ssh-rsa one", "ssh-rsa two"}, UserData: "#!"},
		"10.0.0.6": dual, "fd00::6": dual, "fe80::f816:3eff:fe00:2": dual,
	}
	if got := metadata.Instances(m, "a"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	both := metadata.Instances(m, "a", "b", "gone")
	if _, ok := both["fe80::f816:3eff:fe00:2"]; ok {
		t.Error("a link-local address of two instances means one of them")
	}
	if len(both) != 7 {
		t.Errorf("got %d addresses: %v", len(both), both)
	}
}
