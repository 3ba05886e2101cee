package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// explanation is what /v1/explain says.
type explanation struct {
	Verdict, Reason, Message string
	Steps                    []struct {
		ID                    int
		Parent                *int
		Kind, Host, Where     string
		Table                 int
		Text, Says, Packet    string
		State, Object, Reason string
	}
	Reply *explanation
}

// works reports whether a ping that is explained so is answered.
func (e *explanation) works() bool {
	return e.Verdict == "delivered" && e.Reply != nil && e.Reply.Verdict == "delivered"
}

func (f *fabric) explain(from, to string, more ...string) *explanation {
	f.t.Helper()
	q := url.Values{"from": {from}, "to": {to}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	var e explanation
	ok(f.t, f.api.get("/v1/explain?"+q.Encode(), &e))
	return &e
}

// tell is an explanation for a failed test.
func (e *explanation) tell() string {
	b, err := json.MarshalIndent(e, "", " ")
	return fmt.Sprint(string(b), err)
}

// TestExplanationsHoldAgainstRealPackets asks what would become of pings, and sends them.
func TestExplanationsHoldAgainstRealPackets(t *testing.T) {
	f := newGatewayFabric(t, []lab.HostConfig{{Name: "net1", Gateway: true}, {Name: "cmp1"}, {Name: "cmp2"}})
	f.agent("net1")
	outside := f.outside()
	red, blue := f.served("red", "tenant-a", "10.0.31.0/24"), f.served("blue", "tenant-a", "10.0.32.0/24")
	green := f.served("green", "tenant-b", "10.0.31.0/24") // without a router
	x, z, y := f.client("x", "cmp1", red), f.client("z", "cmp2", red), f.client("y", "cmp2", blue)
	near := f.client("near", "cmp1", red)
	v := f.client("v", "cmp2", green, fixed(green, "10.0.31.77"))
	absent := f.port("absent", red)
	f.router("tenant-a", &outside, red, blue)
	f.active(x, near, z, y, v)
	f.leased(x, near, z, y, v)
	_, ip := f.floatingIP(outside, x)
	free, err := netip.ParseAddr(text(t, f.create("floatingips", "floatingip", object{"floating_network_id": outside.ID, "project_id": "tenant-a"})["floating_ip_address"]))
	ok(t, err)
	f.fromInternet(20*time.Second, ip)
	f.reaches(10*time.Second, y, internet)

	type pair struct {
		name string
		from *vm // nil for the internet
		to   netip.Addr
	}
	pairs := []pair{
		{"same_host", x, near.IP()}, {"other_host", x, z.IP()}, {"router", x, y.IP()}, {"router_back", y, x.IP()},
		{"other_tenant", x, v.IP()}, {"other_tenant_back", v, x.IP()}, {"nobody", x, netip.MustParseAddr("10.0.31.99")},
		{"not_plugged", x, absent.IP()}, {"the_router", x, netip.MustParseAddr("10.0.31.1")}, {"its_other_side", x, netip.MustParseAddr("10.0.32.1")},
		{"without_a_router", v, internet}, {"snat", y, internet}, {"floating_ip_out", x, internet}, {"floating_ip_in", nil, ip},
		{"floating_ip_from_inside", y, ip}, {"floating_ip_of_oneself", x, ip}, {"floating_ip_of_nobody", nil, free},
		{"gateway_address", nil, f.gatewayAddress(t)}, {"inside_address_from_outside", y, free},
	}
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			f := f.in(t)
			from := "external"
			if p.from != nil {
				from = "port/" + p.from.port.ID
			}
			real := f.pings(p.from, p.to)
			for _, state := range []string{"desired", "actual"} {
				e := f.explain(from, p.to.String(), "state", state)
				t.Logf("%s: %s %s: %s", state, e.Verdict, e.Reason, e.Message)
				if e.works() != real {
					t.Errorf("a ping is answered: %v; by the %s state: %s", real, state, e.tell())
				}
			}
		})
	}
	t.Run("metadata", func(t *testing.T) {
		f := f.in(t)
		for _, vm := range []*vm{y, v} { // by a router, and by the DHCP service of a network without one
			_, err := vm.Output(t.Context(), "curl", "-sSf", "-m", "2", "http://169.254.169.254/latest/meta-data/hostname")
			e := f.explain("port/"+vm.port.ID, "169.254.169.254", "protocol", "tcp", "dst_port", "80")
			if err != nil || !e.works() || !strings.Contains(e.Message, "the metadata service of the agent takes it") {
				t.Errorf("%s reads metadata: %v; %s", vm.Name, err, e.tell())
			}
		}
	})
	t.Run("dhcp", func(t *testing.T) {
		f := f.in(t)
		f.leased(x)
		if e := f.explain("port/"+x.port.ID, "255.255.255.255", "protocol", "udp", "src_port", "68", "dst_port", "67"); e.Verdict != "delivered" ||
			!strings.Contains(e.Message, "the DHCP server takes it") {
			t.Error(e.tell())
		}
	})
	t.Run("tables_are_those_of_ofproto_trace", func(t *testing.T) { f.in(t).testTraces(x, z, y) })
	t.Run("foreign_flow", func(t *testing.T) { f.in(t).testForeignFlow(x, z) })
	t.Run("wrong_tunnel_address", func(t *testing.T) { f.in(t).testTunnelAddress(x, z) })
	t.Run("past", func(t *testing.T) { f.in(t).testPast(x, z) })
	t.Run("host_out_of_reach", func(t *testing.T) { f.in(t).testCutOff(x, z) })
}

// gatewayAddress is the outside address of the only router.
func (f *fabric) gatewayAddress(t *testing.T) netip.Addr {
	t.Helper()
	var got struct{ Ports []port }
	ok(t, f.api.get("/v2.0/ports?device_owner=network:router_gateway", &got))
	if len(got.Ports) != 1 {
		t.Fatalf("%d gateways", len(got.Ports))
	}
	return got.Ports[0].IP()
}

// pings reports whether pings are answered.
func (f *fabric) pings(from *vm, to netip.Addr) bool {
	f.t.Helper()
	if from == nil {
		return f.lab.Internet(within(f.t, 10*time.Second), "ping", "-c2", "-W1", to.String()).Run() == nil
	}
	n, err := from.Ping(f.t.Context(), to, 3)
	return err == nil && n > 0
}

// tracedLook is a line of ofproto/trace that names a bridge, or a look-up in a table with the cookie of the
// flow that was found.
var tracedLook = regexp.MustCompile(`^\s*(?:bridge\("([^"]+)"\)|(\d+)\. .*?(?:, cookie (0x[0-9a-f]+))?)$`)

// traced lists the look-ups that ofproto/trace tells of in the bridges that Heddle makes, "br-int 61 0x5d03…":
// a tunnel's own packets go through the bridge of the lab's underlay besides.
func traced(text string) []string {
	var out []string
	bridge := ""
	for line := range strings.Lines(text) {
		m := tracedLook.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case m == nil:
		case m[1] != "":
			bridge = m[1]
		case bridge == "br-int" || bridge == "br-tun":
			out = append(out, fmt.Sprintf("%s %s %s", bridge, m[2], m[3]))
		}
	}
	return out
}

var (
	textCookie = regexp.MustCompile(`cookie=(0x[0-9a-f]+)`)
)

// told lists the look-ups on a host that an explanation tells of.
func (e *explanation) told(host string) []string {
	var out []string
	for _, s := range e.Steps {
		if s.Host != host || s.Table == 0 && s.Kind != "table" {
			continue
		}
		cookie := ""
		if m := textCookie.FindStringSubmatch(s.Text); m != nil {
			cookie = m[1]
		}
		out = append(out, fmt.Sprintf("%s %d %s", s.Where, s.Table, cookie))
	}
	return out
}

// testTraces compares the tables that packets go through with what ofproto/trace of the real switches says.
func (f *fabric) testTraces(x, z, y *vm) {
	t := f.t
	trace := func(host, bridge, flow string) []string {
		t.Helper()
		out, err := f.host(host).Appctl(t.Context(), "ofproto/trace", bridge, flow)
		ok(t, err)
		return traced(out)
	}
	for name, c := range map[string]struct {
		to         *vm
		mac, proto string
	}{"other_host": {z, z.MAC, "icmp"}, "by_the_router": {y, f.macOf(t, "10.0.31.1"), "icmp"}} {
		e := f.explain("port/"+x.port.ID, c.to.IP().String(), "state", "actual")
		want := trace("cmp1", "br-int", fmt.Sprintf("in_port=%s,%s,dl_src=%s,dl_dst=%s,nw_src=%s,nw_dst=%s,nw_ttl=64", x.Tap, c.proto, x.MAC, c.mac, x.IP(), c.to.IP()))
		if got := e.told("cmp1"); len(want) < 4 || !slices.Equal(got, want) {
			t.Errorf("%s: on cmp1\n%v, ofproto/trace says\n%v", name, got, want)
		}
	}
	// The receiver's side begins at the tunnel.
	e := f.explain("port/"+x.port.ID, z.IP().String(), "state", "actual")
	tunnel := ""
	for _, s := range e.Steps {
		if m := regexp.MustCompile(`tun_id=(0x[0-9a-f]+)`).FindStringSubmatch(s.Packet); s.Kind == "tunnel" && m != nil {
			tunnel = m[1]
		}
	}
	from := f.host("cmp1").Underlay()
	b := from.As4()
	want := trace("cmp2", "br-tun", fmt.Sprintf("in_port=vxlan-%x,tun_id=%s,tun_src=%s,icmp,dl_src=%s,dl_dst=%s,nw_src=%s,nw_dst=%s,nw_ttl=64", b[:], tunnel, from, x.MAC, z.MAC, x.IP(), z.IP()))
	if got := e.told("cmp2"); len(want) < 4 || !slices.Equal(got, want) {
		t.Errorf("on cmp2\n%v, ofproto/trace says\n%v", got, want)
	}
}

// macOf is the MAC address of the port that has an address.
func (f *fabric) macOf(t testing.TB, ip string) string {
	t.Helper()
	var got struct{ Ports []port }
	ok(t, f.api.get("/v2.0/ports?fixed_ips=ip_address%3D"+ip+"&device_owner=network:router_interface", &got))
	if len(got.Ports) != 1 {
		t.Fatalf("%d ports have %s", len(got.Ports), ip)
	}
	return got.Ports[0].MAC
}

// testForeignFlow: someone added a flow, which Heddle leaves alone. What should be works; what is does not.
func (f *fabric) testForeignFlow(x, z *vm) {
	t := f.t
	f.ofctl("cmp2", "add-flow", "br-int", fmt.Sprintf("cookie=%s,table=61,priority=100,dl_dst=%s,actions=drop", foreignCookie, z.MAC))
	if f.pings(x, z.IP()) {
		t.Error("the ping is answered")
	}
	e := f.explain("port/"+x.port.ID, z.IP().String(), "state", "actual")
	if e.works() || e.Reason != "FlowForeign" || !strings.Contains(e.Message, "table 61 of br-int on host cmp2") {
		t.Error(e.tell())
	}
	if e := f.explain("port/"+x.port.ID, z.IP().String()); !e.works() {
		t.Error(e.tell())
	}
	f.ofctl("cmp2", "del-flows", "br-int", "cookie="+foreignCookie+"/-1")
	f.reaches(5*time.Second, x, z.IP())
}

// testTunnelAddress: a host says that its tunnels end at an address that it does not have.
func (f *fabric) testTunnelAddress(x, z *vm) {
	t := f.t
	right := f.host("cmp2").Underlay().String()
	f.vsctl("cmp2", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip=172.31.0.77")
	var e *explanation
	eventually(t, 20*time.Second, "the tunnel is told to be down", func() error {
		e = f.explain("port/"+x.port.ID, z.IP().String(), "state", "actual")
		return wantEqual("reason", e.Reason, "TunnelDown")
	})
	if f.pings(x, z.IP()) || !strings.Contains(e.Message, "is its tunnel address 172.31.0.77 really one of host cmp2") {
		t.Error(e.tell())
	}
	f.vsctl("cmp2", "set", "Open_vSwitch", ".", "external_ids:heddle-encap-ip="+right)
	f.reaches(20*time.Second, x, z.IP())
	eventually(t, 20*time.Second, "the tunnel is told to be up", func() error {
		if e = f.explain("port/"+x.port.ID, z.IP().String()); !e.works() {
			return errors.New(e.Message)
		}
		return nil
	})
}

// testPast: a port is taken down; before, its packets arrived.
func (f *fabric) testPast(x, z *vm) {
	t := f.t
	var before, after struct{ Revision uint64 }
	ok(t, f.api.get("/v1/status", &before))
	ok(t, f.api.put("/v2.0/ports/"+z.port.ID, object{"port": object{"admin_state_up": false}}, nil))
	f.cutOff(x, z.IP())
	ok(t, f.api.get("/v1/status", &after))
	if e := f.explain("port/"+x.port.ID, z.IP().String()); e.Reason != "AdminDown" {
		t.Error(e.tell())
	}
	if e := f.explain("port/"+x.port.ID, z.IP().String(), "rev", fmt.Sprint(before.Revision)); !e.works() {
		t.Errorf("at revision %d: %s", before.Revision, e.tell())
	}
	var refused *statusError
	if err := f.api.get("/v1/explain?from=port/"+x.port.ID+"&to=port/"+z.port.ID+"&rev="+fmt.Sprint(after.Revision+100), nil); !errors.As(err, &refused) || refused.Code != 400 {
		t.Errorf("a revision that is yet to come: %v", err)
	}
	ok(t, f.api.put("/v2.0/ports/"+z.port.ID, object{"port": object{"admin_state_up": true}}, nil))
	f.reaches(10*time.Second, x, z.IP())
}

// testCutOff: a host's manager is out of reach; its bridges forward as before.
func (f *fabric) testCutOff(x, z *vm) {
	t := f.t
	ok(t, f.host("cmp2").CutManagement(t.Context(), true))
	eventually(t, 60*time.Second, "cmp2 is not connected", func() error {
		h, err := f.hostState("cmp2")
		if err == nil && h.Targets["br-int"].Connected {
			err = errors.New("it is")
		}
		return err
	})
	f.reaches(5*time.Second, x, z.IP())
	e := f.explain("port/"+x.port.ID, z.IP().String())
	if !e.works() || !strings.Contains(e.Message, "br-tun on host cmp2: it is not connected to Heddle") {
		t.Error(e.tell())
	}
	if e := f.explain("port/"+x.port.ID, z.IP().String(), "state", "actual"); e.Verdict != "unknown" || e.Reason != "SwitchDown" {
		t.Error(e.tell())
	}
	ok(t, f.host("cmp2").CutManagement(t.Context(), false))
}
