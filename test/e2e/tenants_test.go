package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/lab"
)

// tenants is a fabric of three hosts with two tenants: red and blue have the same subnet, and their
// virtual machines have the same addresses, IP and MAC. Green is red's second network.
type tenants struct {
	*fabric
	red, blue, green    network
	reds, blues, greens []*vm
}

const overlap = "10.0.22.0/24"

func newTenants(t *testing.T) *tenants {
	t.Helper()
	w := &tenants{fabric: newJoinedFabric(t, 3)}
	w.red = w.network("red", "vxlan", "tenant-a", overlap)
	w.blue = w.network("blue", "gre", "tenant-b", overlap)
	w.green = w.network("green", "geneve", "tenant-a", "10.0.33.0/24")
	for i, host := range []string{"net1", "cmp1", "cmp2"} {
		twin := func(n network) []object {
			return []object{fixed(n, fmt.Sprintf("10.0.22.%d", 11+i)), {"mac_address": fmt.Sprintf("fa:16:3e:00:22:%02x", 11+i)}}
		}
		w.reds = append(w.reds, w.vm("red-"+host, host, w.red, twin(w.red)...))
		w.blues = append(w.blues, w.vm("blue-"+host, host, w.blue, twin(w.blue)...))
		if host != "cmp1" {
			w.greens = append(w.greens, w.vm("green-"+host, host, w.green))
		}
	}
	w.active(slices.Concat(w.reds, w.blues, w.greens)...)
	return w
}

func TestTwoTenantsThreeTunnelTypes(t *testing.T) {
	w := newTenants(t)
	t.Run("every_network_reaches_its_own", func(t *testing.T) {
		f := w.in(t)
		for _, vms := range [][]*vm{w.reds, w.blues, w.greens} {
			f.allReach(5*time.Second, vms...)
		}
	})
	t.Run("no_network_reaches_another", w.testIsolation)
	t.Run("flows_are_as_wanted_and_diff_flows_agrees", func(t *testing.T) {
		w.in(t).asWanted(10*time.Second, "net1", "cmp1", "cmp2")
	})
	t.Run("bridges_and_ports_are_named_as_Neutron_names_them", w.testShow)
	t.Run("tunnels_have_Neutrons_tables", w.testTables)
	t.Run("trace_takes_the_expected_tables", w.testTrace)
	t.Run("port_goes_from_down_by_build_to_active", w.testStatus)
	t.Run("flows_name_the_object_that_caused_them", w.testCause)
	w.noDrift()
}

func (w *tenants) testIsolation(t *testing.T) {
	const text = "heddle-isolation"
	mine := map[*vm]*capture{}
	others := map[*vm]*capture{}
	for _, v := range w.reds[1:] {
		mine[v] = captureOn(t, v.VM)
	}
	for _, v := range slices.Concat(w.blues, w.greens) {
		others[v] = captureOn(t, v.VM)
	}
	f := w.in(t)
	sender := w.reds[0]
	f.allReach(5*time.Second, w.reds...)
	for _, to := range []string{"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:99", "fa:16:3e:de:ad:01", w.reds[2].MAC} {
		sendFrame(t, sender.VM, to, text)
	}
	// Nobody has this address: the request is flooded.
	f.unreachable(sender, w.red.Prefix.Addr().Next())
	for v, c := range mine {
		eventually(t, 5*time.Second, "broadcast, multicast and unknown unicast come to "+v.Name, func() error {
			want := 3
			if v == w.reds[2] {
				want++ // the frame to its own address
			}
			return wantEqual("number of frames", c.seen(text), want)
		})
	}
	for v, c := range others {
		if n := len(c.end()); n > 0 {
			t.Errorf("%s saw %d frames of a network that is not its own", v.Name, n)
		}
	}
	// The twin of another tenant answered nothing that red asked: red's frames did not reach it.
	f.unreachable(sender, w.greens[1].IP())
}

func (w *tenants) testShow(t *testing.T) {
	f := w.in(t)
	want := []string{
		"Bridge br-int Controller \"tcp:" + w.server.openFlow + "\" is_connected: true fail_mode: secure datapath_type: netdev",
		"Bridge br-tun Controller \"tcp:" + w.server.openFlow + "\" is_connected: true fail_mode: secure datapath_type: netdev",
		"Port patch-tun Interface patch-tun type: patch options: {peer=patch-int}",
		"Port patch-int Interface patch-int type: patch options: {peer=patch-tun}",
	}
	for _, kind := range []string{"gre", "vxlan", "geneve"} {
		for _, to := range []string{"net1", "cmp2"} {
			name := tunnelName(kind, f.host(to))
			want = append(want, fmt.Sprintf("Port %s Interface %s type: %s options: {df_default=\"true\", egress_pkt_mark=\"0\", in_key=flow, local_ip=%q, out_key=flow, remote_ip=%q}",
				name, name, kind, f.host("cmp1").Underlay(), f.host(to).Underlay()))
		}
	}
	// Open vSwitch refreshes is_connected every five seconds.
	eventually(t, 10*time.Second, "ovs-vsctl show is as Neutron has it", func() error {
		show := strings.Join(strings.Fields(f.vsctl("cmp1", "show")), " ")
		for _, part := range want {
			if !strings.Contains(show, part) {
				return fmt.Errorf("it lacks %q:\n%s", part, f.vsctl("cmp1", "show"))
			}
		}
		return nil
	})
	tags := map[string]bool{}
	for _, v := range []*vm{w.reds[1], w.blues[1]} {
		tag := f.vsctl("cmp1", "get", "Port", v.Tap, "tag")
		if n, err := strconv.Atoi(tag); err != nil || n < 1 || n > 4094 || tags[tag] {
			t.Errorf("tag of %s is %s, want a VLAN of its network alone", v.Tap, tag)
		}
		tags[tag] = true
	}
}

// tunnelName is Neutron's name of the tunnel port that leads to a host.
func tunnelName(kind string, to *lab.Host) string {
	return fmt.Sprintf("%s-%x", kind, to.Underlay().AsSlice())
}

func (w *tenants) testTables(t *testing.T) {
	f := w.in(t)
	var tables []string
	for _, line := range f.dump("cmp1", "br-tun", "") {
		n := "0"
		if m := regexp.MustCompile(`table=(\d+),`).FindStringSubmatch(line); m != nil {
			n = m[1]
		}
		if !slices.Contains(tables, n) {
			tables = append(tables, n)
		}
	}
	if want := []string{"0", "2", "3", "4", "6", "10", "20", "21", "22"}; !slices.Equal(tables, want) {
		t.Errorf("tables of br-tun are %v, want Neutron's %v", tables, want)
	}
	redTag := f.vsctl("cmp1", "get", "Port", w.reds[1].Tap, "tag")
	for _, want := range []string{
		fmt.Sprintf("table=4, priority=1,tun_id=%#x actions=push_vlan:0x8100,set_field:%s->vlan_vid,goto_table:10", w.red.Segment, present(t, redTag)),
		fmt.Sprintf("table=20, priority=2,dl_vlan=%s,dl_dst=%s actions=pop_vlan,set_field:%#x->tun_id,output:", redTag, w.reds[0].MAC, w.red.Segment),
		fmt.Sprintf("table=21, priority=1,arp,dl_vlan=%s,arp_tpa=%s actions=set_field:2->arp_op,", redTag, w.reds[0].IP()),
		fmt.Sprintf("table=22, priority=1,dl_vlan=%s actions=pop_vlan,set_field:%#x->tun_id,output:", redTag, w.red.Segment),
	} {
		if !slices.ContainsFunc(f.dump("cmp1", "br-tun", ""), func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("br-tun of cmp1 has no flow %q", want)
		}
	}
	// cmp1 holds no green port, so nobody floods green there.
	toCmp1 := f.vsctl("net1", "get", "Interface", tunnelName("geneve", f.host("cmp1")), "ofport")
	for _, line := range f.dump("net1", "br-tun", "table=22") {
		if slices.Contains(strings.Split(line, ","), "output:"+toCmp1) {
			t.Errorf("net1 floods green to cmp1: %s", line)
		}
	}
	if lines := f.dump("cmp1", "br-tun", "table=6"); len(lines) != 1 {
		t.Errorf("cmp1 knows Geneve keys though it holds no Geneve network: %v", lines)
	}
}

// present is a VLAN id with the bit that says that there is a tag.
func present(t testing.TB, vlan string) string {
	n, err := strconv.Atoi(vlan)
	ok(t, err)
	return strconv.Itoa(0x1000 | n)
}

var traceStep = regexp.MustCompile(`(?m)^ *(bridge\("([^"]+)"\)|(\d+)\. )`)

// traceTables runs ofproto/trace and returns the tables a packet takes, "br-tun:21", and the whole text.
func traceTables(t testing.TB, h *lab.Host, bridge, packet string) (tables []string, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	text, err := h.Appctl(ctx, "ofproto/trace", bridge, packet)
	ok(t, err)
	at := bridge
	for _, m := range traceStep.FindAllStringSubmatch(text, -1) {
		if m[2] != "" {
			at = m[2]
		} else if at != "br-phy" { // the lab's
			tables = append(tables, at+":"+m[3])
		}
	}
	return tables, text
}

func (w *tenants) testTrace(t *testing.T) {
	f := w.in(t)
	h := f.host("cmp1")
	from, to := w.reds[1], w.reds[0]
	in := f.vsctl("cmp1", "get", "Interface", from.Tap, "ofport")
	tunnel := func(kind, host string) string {
		return f.vsctl("cmp1", "get", "Interface", tunnelName(kind, f.host(host)), "ofport")
	}
	for _, c := range []struct {
		name, bridge, packet string
		tables               string
		says                 string
	}{
		{"arp_for_a_port_of_another_host_is_answered_here", "br-int",
			fmt.Sprintf("in_port=%s,arp,dl_src=%s,dl_dst=ff:ff:ff:ff:ff:ff,arp_spa=%s,arp_tpa=%s,arp_op=1,arp_sha=%s", in, from.MAC, from.IP(), to.IP(), from.MAC),
			"br-int:0 br-int:61 br-int:62 br-tun:0 br-tun:2 br-tun:21 br-int:0 br-int:60 br-int:61", "set_field:2->arp_op"},
		{"unicast_to_another_host_enters_the_tunnel", "br-int",
			fmt.Sprintf("in_port=%s,icmp,dl_src=%s,dl_dst=%s,nw_src=%s,nw_dst=%s", in, from.MAC, to.MAC, from.IP(), to.IP()),
			"br-int:0 br-int:61 br-tun:0 br-tun:2 br-tun:20", fmt.Sprintf("set_field:%#x->tun_id", w.red.Segment)},
		{"broadcast_floods", "br-int",
			fmt.Sprintf("in_port=%s,dl_type=0x88b5,dl_src=%s,dl_dst=ff:ff:ff:ff:ff:ff", in, from.MAC),
			"br-int:0 br-int:61 br-int:62 br-tun:0 br-tun:2 br-tun:22", "output:" + tunnel("vxlan", "net1")},
		{"tunnel_delivers_by_key", "br-tun",
			fmt.Sprintf("in_port=%s,tun_id=%#x,icmp,dl_src=%s,dl_dst=%s", tunnel("vxlan", "net1"), w.red.Segment, to.MAC, from.MAC),
			"br-tun:0 br-tun:4 br-tun:10 br-int:0 br-int:60 br-int:61", "output:" + in},
		{"unknown_key_is_dropped", "br-tun",
			fmt.Sprintf("in_port=%s,tun_id=0xabcdef,icmp,dl_src=%s,dl_dst=%s", tunnel("gre", "net1"), to.MAC, from.MAC),
			"br-tun:0 br-tun:3", "drop"},
		{"vm_that_tags_by_itself_gets_nowhere", "br-int",
			fmt.Sprintf("in_port=%s,dl_vlan=7,dl_src=%s,dl_dst=ff:ff:ff:ff:ff:ff", in, from.MAC), "br-int:0", "drop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tables, text := traceTables(t, h, c.bridge, c.packet)
			if got := strings.Join(tables, " "); got != c.tables || !strings.Contains(text, c.says) {
				t.Errorf("tables %s, want %s, and %q in:\n%s", got, c.tables, c.says, text)
			}
		})
	}
}

// testStatus stops ovs-vswitchd for a moment, so that the state in between can be seen.
func (w *tenants) testStatus(t *testing.T) {
	f := w.in(t)
	p := f.port("late", w.red, object{"binding:host_id": "cmp2"})
	f.awaitPort(2*time.Second, p.ID, "DOWN", "NotPlugged")
	resume := f.pauseVswitchd("cmp2")
	v := f.plug("cmp2", w.red, p)
	f.awaitPort(5*time.Second, p.ID, "BUILD", "")
	resume()
	f.active(v)
	f.reaches(2*time.Second, v, w.reds[0].IP())
	ok(t, v.Unplug(t.Context()))
	f.awaitPort(5*time.Second, p.ID, "DOWN", "NotPlugged")
	ok(t, v.Delete(t.Context()))
	ok(t, f.api.delete("/v2.0/ports/"+p.ID))

	absent := f.port("nowhere", w.red, object{"binding:host_id": "no-such-host"})
	f.awaitPort(2*time.Second, absent.ID, "DOWN", "NoSuchHost")
	ok(t, f.api.delete("/v2.0/ports/"+absent.ID))
}

// pauseVswitchd stops ovs-vswitchd of a host, and returns what lets it go on; the end of the test does.
func (f *fabric) pauseVswitchd(host string) (resume func()) {
	f.t.Helper()
	const script = `read -r pid </run/openvswitch/ovs-vswitchd.pid; kill -"$1" "$pid"`
	send := func(ctx context.Context, signal string) error {
		_, err := f.host(host).Output(ctx, "sh", "-c", script, "signal", signal)
		return err
	}
	ok(f.t, send(f.t.Context(), "STOP"))
	f.t.Cleanup(func() { _ = send(context.WithoutCancel(f.t.Context()), "CONT") })
	return func() {
		f.t.Helper()
		ok(f.t, send(f.t.Context(), "CONT"))
	}
}

func (w *tenants) testCause(t *testing.T) {
	f := w.in(t)
	dpid, err := f.api.switchOf("cmp1", "br-tun")
	ok(t, err)
	flows, err := f.api.flows(dpid, "?object=port/"+w.reds[0].port.ID)
	ok(t, err)
	var texts []string
	for _, fl := range flows {
		texts = append(texts, fl.Text)
		if fl.State != "ok" {
			t.Errorf("%s is %s", fl.Text, fl.State)
		}
	}
	if len(flows) != 2 || !strings.Contains(texts[0], w.reds[0].MAC) || !strings.Contains(texts[1], w.reds[0].IP().String()) {
		t.Errorf("flows of %s on cmp1 are %v, want its address in tables 20 and 21", w.reds[0].Name, texts)
	}
}
