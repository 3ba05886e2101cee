package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// cloud is a gateway with everything that gateway hosts do: tenant-a has red (IPv4, SLAAC), blue (IPv4,
// stateful DHCPv6) and gray (IPv4, stateless DHCPv6, another kind of tunnel and thus another MTU) behind one
// router; tenant-b has green, with the addresses of red, behind another one. x, y, z and v answer to floating
// IPs and port forwardings, w is silent and sees what comes to green.
type cloud struct {
	*gateway
	gray, green network
	z, v, w     *vm // on gray, green and green

	second         string // tenant-b's router
	floatX, floatV netip.Addr
	forwarded      netip.Addr // a floating IP of which ports are y's
	gateA, gateB   netip.Addr // of the routers on the external network

	leak     *capture // what comes to w
	open     net.Conn // from the internet to x
	internet internetHost
}

func newCloud(t testing.TB) *cloud {
	t.Helper()
	c := &cloud{gateway: newGateway(t)}
	f := c.fabric
	c.internet = internetHost{f}
	c.gray = f.servedOver("gre", "gray", "tenant-a", "10.0.33.0/24")
	six := map[string]string{}
	for _, s := range []struct {
		n    network
		mode string
	}{{c.red, "slaac"}, {c.blue, "dhcpv6-stateful"}, {c.gray, "dhcpv6-stateless"}} {
		six[s.n.ID] = text(t, f.create("subnets", "subnet", object{"network_id": s.n.ID, "project_id": "tenant-a", "ip_version": 6,
			"cidr": "fd00:" + s.n.Prefix.Addr().String()[5:7] + "::/64", "ipv6_ra_mode": s.mode, "ipv6_address_mode": s.mode,
			"dns_nameservers": []string{"2001:db8::53"}})["id"])
	}
	c.green = f.served("green", "tenant-b", c.red.Prefix.String())
	ok(t, f.api.put("/v2.0/networks/"+c.green.ID, object{"network": object{"dns_domain": "green.test."}}, nil))
	c.z = f.client("z", "cmp1", c.gray, object{"extra_dhcp_opts": []object{{"opt_name": "dns-server", "opt_value": "2001:db8::54", "ip_version": 6}}})
	c.v = f.client("v", "cmp1", c.green, fixed(c.green, c.x.IP().String()), object{"dns_name": "vee"})
	c.w = f.client("w", "net2", c.green)
	// What ports get later is told as well.
	c.x.port = f.changePort(c.x.port.ID, object{"extra_dhcp_opts": []object{
		{"opt_name": "bootfile-name", "opt_value": "pxelinux.0"}, {"opt_name": "42", "opt_value": "192.0.2.123"}}})
	c.y.port = f.changePort(c.y.port.ID, object{
		"fixed_ips":       []object{{"subnet_id": c.blue.Subnet}, {"subnet_id": six[c.blue.ID]}},
		"extra_dhcp_opts": []object{{"opt_name": "domain-search", "opt_value": "blue.test", "ip_version": 6}}})

	c.router = f.router("tenant-a", &c.outside, c.red, c.blue, c.gray)
	for _, subnet := range six {
		ok(t, f.api.put("/v2.0/routers/"+c.router+"/add_router_interface", object{"subnet_id": subnet}, nil))
	}
	c.second = f.router("tenant-b", &c.outside, c.green)
	c.gateA, c.gateB = f.gateOf(c.router), f.gateOf(c.second)
	f.active(c.x, c.y, c.z, c.v, c.w)
	c.leases()
	_, c.floatX = f.floatingIP(c.outside, c.x)
	_, c.floatV = f.floatingIP(c.outside, c.v)
	made := f.create("floatingips", "floatingip", object{"floating_network_id": c.outside.ID, "project_id": "tenant-a"})
	ok(t, errors.Join(c.forwarded.UnmarshalText([]byte(text(t, made["floating_ip_address"]))),
		c.forward(text(t, made["id"]), "tcp", 8080), c.forward(text(t, made["id"]), "udp", 8053)))

	for _, v := range []*vm{c.x, c.y, c.z, c.v} {
		answers(t, v, v.Name)
	}
	answers(t, c.internet, "internet")
	c.leak = captureOn(t, c.w.VM)
	return c
}

// in returns the cloud for a subtest.
func (c *cloud) in(t testing.TB) *cloud {
	d := *c
	d.gateway = c.gateway.in(t)
	return &d
}

// forward leads a port of the forwarded floating IP to where y answers.
func (c *cloud) forward(id, protocol string, port int) error {
	return c.api.post("/v2.0/floatingips/"+id+"/port_forwardings", object{"port_forwarding": object{"protocol": protocol, "external_port": port,
		"internal_port": askedAt, "internal_port_id": c.y.port.ID, "internal_ip_address": c.y.IP().String()}}, nil)
}

// changePort changes attributes of a port and returns what it became.
func (f *fabric) changePort(id string, attrs object) port {
	f.t.Helper()
	var changed struct{ Port port }
	ok(f.t, f.api.put("/v2.0/ports/"+id, object{"port": attrs}, &changed))
	return changed.Port
}

// gateOf is the address of a router on its external network.
func (f *fabric) gateOf(router string) netip.Addr {
	f.t.Helper()
	var got struct {
		Router struct {
			Gateway struct {
				Fixed []struct {
					IP netip.Addr `json:"ip_address"`
				} `json:"external_fixed_ips"`
			} `json:"external_gateway_info"`
		}
	}
	ok(f.t, f.api.get("/v2.0/routers/"+router, &got))
	return got.Router.Gateway.Fixed[0].IP
}

// ip6 is a port's IPv6 address.
func (v *vm) ip6() netip.Addr {
	for _, f := range v.port.Fixed {
		if f.IP.Is6() {
			return f.IP
		}
	}
	return netip.Addr{}
}

// leases has everybody ask for addresses and checks all options.
func (c *cloud) leases() {
	t := c.t
	t.Helper()
	c.testLease()
	c.leased(c.w)
	got, err := c.lease(c.v, 10)
	ok(t, err)
	wantOptions(t, "v", got, map[string]string{"ip": c.v.IP().String(), "hostname": "vee", "domain": "green.test"})
	ok(t, wantEqual("v's name in the API", c.v.port.Names[0].FQDN, "vee.green.test."))
	got, err = c.lease(c.x, 10)
	ok(t, err)
	wantOptions(t, "x", got, map[string]string{"bootfile": "pxelinux.0", "ntpsrv": "192.0.2.123", "msstaticroutes": got["staticroutes"]})
	got, err = c.lease(c.z, 10)
	ok(t, err)
	wantOptions(t, "z", got, map[string]string{"ip": c.z.IP().String(), "mtu": "1458"})
	eventually(t, 10*time.Second, "y's address by DHCPv6", func() error {
		got, err = c.lease6(c.y)
		return err
	})
	wantOptions(t, "y", got, map[string]string{"new_ip6_address": c.y.ip6().String(), "new_dhcp6_name_servers": "2001:db8::53", "new_dhcp6_domain_search": "blue.test."})
	eventually(t, 10*time.Second, "z's options by DHCPv6", func() error {
		got, err = c.lease6(c.z, "-S")
		return err
	})
	wantOptions(t, "z", got, map[string]string{"new_dhcp6_name_servers": "2001:db8::54"})
}

func wantOptions(t testing.TB, whose string, got, want map[string]string) {
	t.Helper()
	for option, w := range want {
		if got[option] != w {
			t.Errorf("%s: option %s is %q, want %q", whose, option, got[option], w)
		}
	}
}

// fault is what does not work at the moment: nothing of it is asked for.
type fault struct{ noServer, noAgent bool }

// works checks everything, and ends the test if anything does not work.
func (c *cloud) works(t *testing.T, broken fault) {
	t.Helper()
	whole := t.Run("leases", func(t *testing.T) { c.in(t).leases() })
	checks := map[string]func(*cloud){
		"source_nat":      (*cloud).sourceNAT,
		"floating_ips":    (*cloud).floatingIPs,
		"port_forwarding": (*cloud).portForwarding,
		"ipv6":            (*cloud).ipv6,
		"tenants":         (*cloud).tenants,
	}
	if !broken.noAgent { // which is who answers
		checks["metadata"] = (*cloud).metadata
	}
	if !broken.noServer {
		checks["mtu"] = (*cloud).mtu
		checks["stranger"] = func(c *cloud) { c.testStranger() }
	}
	whole = t.Run("traffic", func(t *testing.T) {
		for name, check := range checks {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				check(c.in(t))
			})
		}
	}) && whole
	whole = t.Run("no_leak", func(t *testing.T) { c.in(t).noLeak() }) && whole
	if !whole {
		t.FailNow()
	}
}

func at(ip netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(ip, port) }

// sourceNAT: who has no floating IP comes from the router's address.
func (c *cloud) sourceNAT() {
	c.hears(c.y, "tcp", at(internet, askedAt), "internet", c.gateA)
	c.hears(c.z, "udp", at(internet, askedAt), "internet", c.gateA)
	c.hears(c.w, "tcp", at(internet, askedAt), "internet", c.gateB)
	// Frames as large as the network allows, and no larger.
	for _, s := range []struct {
		from *vm
		mtu  int
	}{{c.x, 1450}, {c.z, 1458}} {
		const headers = 28 // of IPv4 and ICMP
		_, err := s.from.Output(c.t.Context(), "ping", "-c3", "-i0.2", "-W2", "-Mdo", fmt.Sprint("-s", s.mtu-headers), internet.String())
		ok(c.t, err)
	}
}

func (c *cloud) floatingIPs() {
	for _, network := range []string{"tcp", "udp"} {
		c.hears(c.internet, network, at(c.floatX, askedAt), "x", internet)
		c.hears(c.internet, network, at(c.floatV, askedAt), "v", internet)
		c.hears(c.x, network, at(internet, askedAt), "internet", c.floatX)
		c.hears(c.v, network, at(internet, askedAt), "internet", c.floatV)
		// From one to the other across two routers, though both have the same address inside.
		c.hears(c.x, network, at(c.floatV, askedAt), "v", c.floatX)
		c.hears(c.v, network, at(c.floatX, askedAt), "x", c.floatV)
		// From the inside, by oneself and by who has none.
		c.hears(c.x, network, at(c.floatX, askedAt), "x", netip.Addr{})
		c.hears(c.y, network, at(c.floatX, askedAt), "x", netip.Addr{})
		c.hears(c.w, network, at(c.floatX, askedAt), "x", c.gateB)
	}
}

func (c *cloud) portForwarding() {
	c.hears(c.internet, "tcp", at(c.forwarded, 8080), "y", internet)
	c.hears(c.internet, "udp", at(c.forwarded, 8053), "y", internet)
	c.hears(c.v, "tcp", at(c.forwarded, 8080), "y", c.floatV)
	c.hears(c.y, "tcp", at(c.forwarded, 8080), "y", netip.Addr{})
	if conn, err := dial(c.internet, "tcp", at(c.forwarded, 8081)); err == nil {
		conn.Close()
		c.t.Error("a port that is not forwarded can be connected to")
	}
}

// ipv6: addresses by advertisements and by DHCPv6, the router between them, the advertised MTU.
func (c *cloud) ipv6() {
	for _, s := range []struct {
		v   *vm
		mtu string
	}{{c.x, "1450"}, {c.y, "1450"}, {c.z, "1458"}} {
		eventually(c.t, 15*time.Second, s.v.Name+" has "+s.v.ip6().String(), func() error {
			addr, err := s.v.Output(c.t.Context(), "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
			if err == nil && !strings.Contains(addr, s.v.ip6().String()+"/") {
				err = errors.New(addr)
			}
			mtu, err2 := s.v.Output(c.t.Context(), "cat", "/proc/sys/net/ipv6/conf/eth0/mtu")
			return errors.Join(err, err2, wantEqual("MTU", strings.TrimSpace(mtu), s.mtu))
		})
	}
	for _, s := range [][2]*vm{{c.x, c.y}, {c.y, c.z}, {c.z, c.x}} {
		c.hears(s[0], "tcp", at(s[1].ip6(), askedAt), s[1].Name, s[0].ip6())
	}
}

// metadata: everybody reads of himself, also who shares his address with another tenant's.
func (c *cloud) metadata() {
	t := c.t
	for _, m := range []struct {
		v        *vm
		url      string
		hostname string
	}{
		{c.x, "http://169.254.169.254", "host-10-0-31-"}, {c.x, "http://[fe80::a9fe:a9fe%25eth0]", "host-10-0-31-"},
		{c.y, "http://169.254.169.254", "host-10-0-32-"}, {c.y, "http://[fe80::a9fe:a9fe%25eth0]", "host-10-0-32-"},
		{c.v, "http://169.254.169.254", "vee"},
	} {
		eventually(t, 15*time.Second, m.v.Name+" reads its name at "+m.url, func() error {
			got, err := m.v.Output(t.Context(), "curl", "-gsS", "-m", "2", m.url+"/latest/meta-data/hostname")
			if err == nil && !strings.HasPrefix(got, m.hostname) {
				err = fmt.Errorf("it is %q, want %q", got, m.hostname)
			}
			return err
		})
	}
}

// mtu: the devices of routers and DHCP services have the MTU of their networks, on both sides.
func (c *cloud) mtu() {
	t := c.t
	var nets struct {
		Networks []struct {
			ID  string
			MTU int
		}
	}
	ok(t, c.api.get("/v2.0/networks", &nets))
	seen := 0
	for _, n := range nets.Networks {
		var list struct {
			Ports []struct {
				ID     string
				Owner  string `json:"device_owner"`
				Device string `json:"device_id"`
				Host   string `json:"binding:host_id"`
			}
		}
		ok(t, c.api.get("/v2.0/ports?network_id="+n.ID, &list))
		for _, p := range list.Ports {
			namespace, device := map[string]string{"network:router_interface": "qrouter-" + p.Device, "network:router_gateway": "qrouter-" + p.Device,
				"network:dhcp": "qdhcp-" + n.ID}[p.Owner], map[string]string{"network:router_interface": "qr-", "network:router_gateway": "qg-", "network:dhcp": "ns-"}[p.Owner]
			if namespace == "" {
				continue
			}
			seen++
			for where, got := range map[string]string{
				device + p.ID[:11]: c.sh(p.Host, "ip netns exec "+namespace+" cat /sys/class/net/"+device+p.ID[:11]+"/mtu"),
				"tap" + p.ID[:11]:  c.sh(p.Host, "cat /sys/class/net/tap"+p.ID[:11]+"/mtu"),
			} {
				if got != fmt.Sprint(n.MTU) {
					t.Errorf("MTU of %s is %s, want %d", where, got, n.MTU)
				}
			}
		}
	}
	if seen < 12 { // seven links of routers to four networks, two gateways, four DHCP services
		t.Errorf("only %d devices were looked at", seen)
	}
}

// tenants: nobody reaches the other tenant's addresses but by floating IPs.
func (c *cloud) tenants() {
	c.unreachable(c.x, c.w.IP())
	c.unreachable(c.v, c.y.IP())
}

// noLeak: no frame of tenant-a came to the network of tenant-b.
func (c *cloud) noLeak() {
	c.leak.mu.Lock()
	defer c.leak.mu.Unlock()
	for _, v := range []*vm{c.x, c.y, c.z} {
		mac, err := net.ParseMAC(v.MAC)
		ok(c.t, err)
		for _, frame := range c.leak.frames {
			if bytes.Contains(frame, mac) {
				c.t.Fatalf("a frame of %s came through: %x", v.Name, frame)
			}
		}
	}
	if len(c.leak.frames) == 0 {
		c.t.Error("nothing came to w, so nothing was shown")
	}
}

// connect opens a connection from the internet to x.
func (c *cloud) connect(t *testing.T) {
	t.Helper()
	if c.open != nil {
		c.open.Close()
	}
	conn, err := dial(c.internet, "tcp", at(c.floatX, askedAt))
	ok(t, err)
	c.open = conn
	t.Cleanup(func() { conn.Close() })
}

// lives checks that the connection is one still.
func (c *cloud) lives(t *testing.T) {
	t.Helper()
	// Lost frames are sent again.
	eventually(t, 15*time.Second, "the connection of before answers", func() error {
		got, err := ask(c.open)
		return errors.Join(err, wantEqual("answer", strings.Split(got, "\n")[0], "x "+internet.String()))
	})
}
