package e2e

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// TestIPv6ReachesTheOutside: IPv6 is routed to the outside and back, not translated. Who is outside has a
// route to the tenant's prefix by the router, whose address on the external network the API tells.
func TestIPv6ReachesTheOutside(t *testing.T) {
	f := newGatewayFabric(t, []lab.HostConfig{{Name: "net1", Gateway: true}, {Name: "cmp1"}})
	f.agent("net1")
	outside := f.outside()
	f.create("subnets", "subnet", object{"network_id": outside.ID, "ip_version": 6, "cidr": "2001:db8:51::/64", "gateway_ip": "2001:db8:51::1", "enable_dhcp": false})
	inside := f.served("six", "tenant-a", "fd00:61::/64", object{"ip_version": 6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"})
	router := f.router("tenant-a", &outside, inside)
	v := f.client("v", "cmp1", inside)
	f.active(v)

	var got struct {
		Router struct {
			Gateway struct {
				Fixed []struct {
					IP netip.Addr `json:"ip_address"`
				} `json:"external_fixed_ips"`
			} `json:"external_gateway_info"`
		}
	}
	ok(t, f.api.get("/v2.0/routers/"+router, &got))
	var by netip.Addr
	for _, ip := range got.Router.Gateway.Fixed {
		if ip.IP.Is6() {
			by = ip.IP
		}
	}
	if !by.IsValid() {
		t.Fatalf("the router has no IPv6 address outside: %+v", got.Router.Gateway.Fixed)
	}
	far := netip.MustParseAddr("2001:db8:51::1")
	ok(t, f.lab.Internet(within(t, 5*time.Second), "ip", "addr", "add", far.String()+"/64", "dev", "eth0", "nodad").Run())
	ok(t, f.lab.Internet(within(t, 5*time.Second), "ip", "-6", "route", "add", inside.Prefix.String(), "via", by.String()).Run())

	eventually(t, 20*time.Second, "it has heard the router, and reaches the outside", func() error {
		n, err := v.Ping(t.Context(), far, 1)
		return errors.Join(err, wantEqual("answers", n, 1))
	})
	f.fromInternet(10*time.Second, v.ip6())
}
