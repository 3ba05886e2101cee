package explain_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/apps/explain"
	"github.com/heddle-sdn/heddle/apps/explain/explaintest"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// ask explains how a port pings an address.
func ask(t testing.TB, w *explaintest.World, q explain.Question) *explain.Answer {
	t.Helper()
	if q.Protocol == "" {
		q.Protocol = "icmp"
	}
	a, err := explain.Explain(w.Model, w, q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func from(p model.ID) explain.Origin { return explain.Origin{Port: p} }

func to(s string) netip.Addr { return netip.MustParseAddr(s) }

// tell is an answer in a few words, for tables.
func tell(a *explain.Answer) string {
	text := string(a.Verdict)
	if a.Reason != "" {
		text += " " + string(a.Reason)
	}
	var who []string // in whatever order copies were made
	for _, d := range a.Delivered {
		who = append(who, " "+d.Name+"@"+d.Host)
	}
	slices.Sort(who)
	text += strings.Join(who, "")
	if a.Reply != nil {
		text += ", reply " + tell(a.Reply)
	}
	return text
}

// steps lists an answer's steps, for people who look at a failure.
func steps(a *explain.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n", a.Verdict, a.Reason, a.Message)
	depth := map[int]int{}
	for _, s := range a.Steps {
		if s.Parent != nil {
			depth[s.ID] = depth[*s.Parent] + 1
		}
		fmt.Fprintf(&b, "%s%d %s %s %s %s: %s %s %s\n", strings.Repeat("  ", depth[s.ID]), s.ID, s.Kind, s.Host, s.Where, s.TableName, s.Says, s.Object, s.Reason)
	}
	if a.Reply != nil {
		b.WriteString("REPLY " + steps(a.Reply))
	}
	return b.String()
}

func TestWhereAPacketGets(t *testing.T) {
	outside := explain.Origin{External: true}
	for name, c := range map[string]struct {
		q    explain.Question
		want string
	}{
		"same host":  {explain.Question{From: from(explaintest.Web), Port: explaintest.App}, "delivered app@cmp1, reply delivered web@cmp1"},
		"other host": {explain.Question{From: from(explaintest.Web), Port: explaintest.DB}, "delivered db@cmp2, reply delivered web@cmp1"},
		"other host by IPv6": {explain.Question{From: from(explaintest.Web), Address: to("fd00::13")},
			"delivered db@cmp2, reply delivered web@cmp1"},
		"other network by router": {explain.Question{From: from(explaintest.Web), Port: explaintest.Other}, "delivered other@cmp2, reply delivered web@cmp1"},
		"tcp":                     {explain.Question{From: from(explaintest.Web), Port: explaintest.DB, Protocol: "tcp", DstPort: 80}, "delivered db@cmp2, reply delivered web@cmp1"},
		"other tenant has the address too": {explain.Question{From: from(explaintest.App), Port: explaintest.Rival},
			"dropped OtherReceiver web@cmp1"},
		"out by the gateway":     {explain.Question{From: from(explaintest.App), Address: to("203.0.113.9")}, "delivered physical network physnet1@gw1, reply delivered app@cmp1"},
		"out with a floating IP": {explain.Question{From: from(explaintest.Web), Address: to("203.0.113.9")}, "delivered physical network physnet1@gw1, reply delivered web@cmp1"},
		"to a floating IP":       {explain.Question{From: outside, Address: to("198.51.100.11")}, "delivered web@cmp1, reply delivered physical network physnet1@gw1"},
		"to the floating IP of a port": {explain.Question{From: outside, Port: explaintest.Web, Protocol: "tcp", DstPort: 22},
			"delivered web@cmp1, reply delivered physical network physnet1@gw1"},
		"inside to a floating IP":     {explain.Question{From: from(explaintest.DB), Address: to("198.51.100.11")}, "delivered web@cmp1, reply delivered db@cmp2"},
		"to one's own floating IP":    {explain.Question{From: from(explaintest.Web), Address: to("198.51.100.11")}, "delivered web@cmp1, reply delivered web@cmp1"},
		"a floating IP that is free":  {explain.Question{From: outside, Address: to("198.51.100.12")}, "dropped NotAssociated"},
		"the router from outside":     {explain.Question{From: outside, Address: to("198.51.100.2")}, "delivered router edge@gw1, reply delivered physical network physnet1@gw1"},
		"the router":                  {explain.Question{From: from(explaintest.Web), Address: to("10.0.0.1")}, "delivered router edge@gw1, reply delivered web@cmp1"},
		"DHCP":                        {explain.Question{From: from(explaintest.Web), Address: to("255.255.255.255"), Protocol: "udp", SrcPort: 68, DstPort: 67}, "delivered the DHCP service of network blue@gw1"},
		"DHCP where there is none":    {explain.Question{From: from(explaintest.Other), Address: to("255.255.255.255"), Protocol: "udp", SrcPort: 68, DstPort: 67}, "dropped NoDHCP"},
		"metadata":                    {explain.Question{From: from(explaintest.Web), Address: to("169.254.169.254"), Protocol: "tcp", DstPort: 80}, "delivered router edge@gw1, reply delivered web@cmp1"},
		"broadcast":                   {explain.Question{From: from(explaintest.Web), Address: to("255.255.255.255"), Protocol: "udp", DstPort: 9}, "flooded app@cmp1 db@cmp2 the DHCP service of network blue@gw1"},
		"an address of nobody":        {explain.Question{From: from(explaintest.Web), Address: to("10.0.0.99")}, "dropped NoSuchMAC"},
		"a port that is not plugged":  {explain.Question{From: from(explaintest.Web), Port: explaintest.Spare}, "dropped NotPlugged"},
		"from one that is not":        {explain.Question{From: from(explaintest.Spare), Port: explaintest.Web}, "dropped NotPlugged"},
		"without a router":            {explain.Question{From: from(explaintest.Rival), Address: to("203.0.113.9")}, "dropped NoRouter"},
		"provider network":            {explain.Question{From: from(explaintest.Client), Port: explaintest.Server}, "delivered server@cmp2, reply delivered client@cmp1"},
		"provider network to outside": {explain.Question{From: from(explaintest.Client), Address: to("172.16.0.1")}, "delivered physical network physnet1@cmp1, reply delivered client@cmp1"},
		"arp":                         {explain.Question{From: from(explaintest.Web), Port: explaintest.DB, Protocol: "arp"}, "delivered db@cmp2"},
		"arp on one host":             {explain.Question{From: from(explaintest.Web), Port: explaintest.App, Protocol: "arp"}, "delivered app@cmp1"},
		"arp for nobody":              {explain.Question{From: from(explaintest.Web), Address: to("10.0.0.99"), Protocol: "arp"}, "dropped NoSuchMAC"},
		"a wrong MAC address":         {explain.Question{From: from(explaintest.Web), Port: explaintest.DB, DstMAC: [6]byte{2, 0, 0, 0, 0, 1}}, "dropped NoSuchMAC"},
		"another source MAC":          {explain.Question{From: from(explaintest.Web), Port: explaintest.DB, SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}}, "delivered db@cmp2, reply delivered web@cmp1"},
		"from an interface":           {explain.Question{From: explain.Origin{Host: "cmp1", Interface: "tap11000000-00"}, Port: explaintest.DB}, "delivered db@cmp2, reply delivered web@cmp1"},
		"from a router":               {explain.Question{From: explain.Origin{Host: "gw1", Interface: "tap31000000-00"}, Port: explaintest.DB}, "delivered db@cmp2, reply delivered router edge@gw1"},
	} {
		t.Run(name, func(t *testing.T) {
			a := ask(t, explaintest.New(), c.q)
			if got := tell(a); got != c.want {
				t.Errorf("got  %s\nwant %s\n%s", got, c.want, a.Message)
				if testing.Verbose() {
					t.Log(steps(a))
				}
			}
		})
	}
}

// What is wrong is named, with where and what to do.
func TestWhatIsWrong(t *testing.T) {
	const tapWeb, tapDB = "tap11000000-00", "tap13000000-00"
	webToDB := explain.Question{From: from(explaintest.Web), Port: explaintest.DB}
	webOut := explain.Question{From: from(explaintest.Web), Address: to("203.0.113.9")}
	for name, c := range map[string]struct {
		q         explain.Question
		spoil     func(w *explaintest.World)
		want, say string // verdict with reason, and a part of the message
	}{
		"patch port missing": {webToDB, func(w *explaintest.World) { w.Forget("cmp1", "br-int", "patch-tun") },
			"dropped PatchPortMissing", "the cable between br-int and br-tun on host cmp1 is not there"},
		"the other end of it missing": {webToDB, func(w *explaintest.World) { w.Forget("cmp2", "br-tun", "patch-int") },
			"dropped PatchPortMissing", "the cable between br-tun and br-int on host cmp2 is not there"},
		"tunnel port missing": {webToDB, func(w *explaintest.World) { w.Forget("cmp1", "br-tun", "vxlan-c0000202") },
			"dropped TunnelPortMissing", "the vxlan tunnel to host cmp2 at 192.0.2.2 is not there: br-tun on host cmp1 has no port vxlan-c0000202"},
		"tunnel port missing there": {webToDB, func(w *explaintest.World) { w.Forget("cmp2", "br-tun", "vxlan-c0000201") },
			"dropped TunnelPortMissing", "br-tun on host cmp2 has no vxlan tunnel to 192.0.2.1"},
		"wrong tunnel address": {webToDB, func(w *explaintest.World) {
			w.Actual = true
			w.Spoil = func(host string, s *view.HostState) {
				if t := s.Tunnels["vxlan-c0000202"]; host == "cmp1" {
					t.Remote = to("192.0.2.9")
					s.Tunnels["vxlan-c0000202"] = t
				}
			}
		}, "dropped TunnelLeadsNowhere", "tunnel vxlan-c0000202 leads to 192.0.2.9, and no host has that address"},
		"tunnel without carrier": {webToDB, func(w *explaintest.World) {
			w.Spoil = func(host string, s *view.HostState) {
				p := s.Ports["br-tun"]["vxlan-c0000202"]
				p.State = of.PortStateLinkDown
				s.Ports["br-tun"]["vxlan-c0000202"] = p
			}
		}, "dropped TunnelDown", "vxlan-c0000202"},
		"tunnel that nothing comes through": {webToDB, func(w *explaintest.World) {
			w.Spoil = func(host string, s *view.HostState) {
				if host == "cmp1" {
					s.Paths = map[string]status.Path{"vxlan-c0000202": {Type: "vxlan", From: "cmp1", To: "cmp2", Remote: to("192.0.2.2"),
						State: status.TunnelDown, Reason: status.TunnelIsDown, Msg: "is its tunnel address right?"}}
				}
			}
		}, "dropped TunnelDown", "the vxlan tunnel to host cmp2 (192.0.2.2) of host cmp1 is down: is its tunnel address right?"},
		"underlay that is too narrow": {webToDB, func(w *explaintest.World) {
			w.Spoil = func(host string, s *view.HostState) {
				if host == "cmp1" {
					s.Paths = map[string]status.Path{"vxlan-c0000202": {Type: "vxlan", From: "cmp1", To: "cmp2", Remote: to("192.0.2.2"), State: status.TunnelUp, Egress: "eth0", MTU: 1400}}
				}
			}
		}, "delivered", "long packets do not come through: network blue has MTU 1450 and VXLAN needs 50 bytes more; eth0 of host cmp1 carries 1400"},
		"bridges not connected": {webToDB, func(w *explaintest.World) { w.Disconnect("cmp2") },
			"delivered", "br-tun on host cmp2: it is not connected to Heddle; this is what it should do"},
		"bridges not connected, of which the actual is asked": {webToDB, func(w *explaintest.World) { w.Disconnect("cmp2"); w.Actual = true },
			"unknown SwitchDown", "what br-tun on host cmp2 does is not known: it is not connected to Heddle"},
		"flow deleted": {webToDB, func(w *explaintest.World) { lose(w, "cmp1", "br-int", "to_known", explaintest.DB) },
			"delivered", "all is not well, though: a flow of VM port db is missing in table 61 of br-int on host cmp1"}, // it is flooded instead
		"flow of a key deleted": {webToDB, func(w *explaintest.World) { lose(w, "cmp2", "br-tun", "from_vxlan", "blue") },
			"dropped FlowMissing", "a flow of network blue is missing in table 4 of br-tun on host cmp2"},
		"flow of a port deleted": {webToDB, func(w *explaintest.World) { lose(w, "cmp1", "br-int", "local", explaintest.Web) },
			"dropped FlowMissing", "a flow of VM port web is missing in table 0 of br-int on host cmp1"},
		"interface gone": {webToDB, func(w *explaintest.World) { w.Forget("cmp1", "br-int", tapWeb) },
			"dropped PortNotOnSwitch", "interface tap11000000-00 of VM port web is not on br-int on host cmp1"},
		"receiver's interface gone": {webToDB, func(w *explaintest.World) { w.Forget("cmp2", "br-int", tapDB) },
			"dropped PortNotOnSwitch", "br-int on host cmp2 has no port tap13000000-00"},
		"receiver without carrier": {webToDB, func(w *explaintest.World) {
			w.Spoil = func(host string, s *view.HostState) {
				p := s.Ports["br-int"][tapDB]
				p.State = of.PortStateLinkDown
				s.Ports["br-int"][tapDB] = p
			}
		}, "dropped PortDown", tapDB},
		"port down": {webToDB, func(w *explaintest.World) {
			w.Put(change(w, explaintest.DB, func(p *model.Port) { p.AdminUp = false }))
		},
			"dropped AdminDown", "nobody answers for 10.0.0.13: VM port db is down: its admin_state_up is false"},
		"sender down": {webToDB, func(w *explaintest.World) {
			w.Put(change(w, explaintest.Web, func(p *model.Port) { p.AdminUp = false }))
		},
			"dropped AdminDown", "VM port web is down"},
		"router down": {webOut, func(w *explaintest.World) { w.Put(edge(w, func(r *model.Router) { r.AdminUp = false })) },
			"dropped AdminDown", "router edge is down: its admin_state_up is false"},
		"router without gateway": {webOut, func(w *explaintest.World) {
			w.Put(edge(w, func(r *model.Router) { r.Gateway = nil }))
			p, _ := w.Model.Ports.Get("33000000-0000-4000-8000-000000000000")
			w.Drop(p)
		}, "dropped NoRoute", "router edge has no route to 203.0.113.9: it has no gateway; set its external gateway"},
		"router on no host": {webOut, func(w *explaintest.World) {
			w.Drop(&model.Placement{Service: model.ServiceRouter, Object: explaintest.Router})
			for _, leg := range []model.ID{"31000000-0000-4000-8000-000000000000", "32000000-0000-4000-8000-000000000000", "33000000-0000-4000-8000-000000000000"} {
				for _, plug := range w.Model.PlugsOf(leg) {
					w.Drop(plug)
				}
			}
		}, "dropped NoGatewayHost", "router edge is on no host"},
		"without SNAT": {explain.Question{From: from(explaintest.App), Address: to("203.0.113.9")}, func(w *explaintest.World) {
			w.Put(edge(w, func(r *model.Router) { g := *r.Gateway; g.SNAT = false; r.Gateway = &g }))
		}, "delivered", "its answer does not come back: outside nobody knows the way to 10.0.0.12"},
		"agent that failed": {webOut, func(w *explaintest.World) {
			w.Spoil = func(host string, s *view.HostState) {
				s.Node = &status.Node{Connected: true, Objects: map[string]spec.NodeObject{"qrouter-" + string(explaintest.Router): {Error: "nft: no such program"}}}
			}
		}, "delivered", "the agent of host gw1 has not made all of qrouter-20000000-0000-4000-8000-000000000001: nft: no such program"},
		"agent that is silent": {webOut, func(w *explaintest.World) {
			w.Spoil = func(host string, s *view.HostState) { s.Node = &status.Node{} }
		}, "delivered", "the agent of host gw1 does not report"},
		"no way out of br-ex": {webOut, func(w *explaintest.World) {
			for _, port := range []string{"eth1", "br-ex"} {
				w.Forget("gw1", "br-ex", port)
			}
		}, "dropped NoPhysicalPort", "br-ex on host gw1 has no port that leads to the physical network"},
		"no bridge for the physical network": {explain.Question{From: from(explaintest.Client), Port: explaintest.Server}, func(w *explaintest.World) {
			h, _ := w.Model.Hosts.Get("cmp1")
			changed := *h
			changed.Said.BridgeMappings = nil
			w.Put(&changed)
		}, "dropped PhysnetMissing", "host cmp1 has no bridge for physical network physnet1"},
		"rules that cannot be read": {webOut, func(w *explaintest.World) {
			w.Spoil = func(host string, s *view.HostState) {
				changed := *s.Spec
				changed.Namespaces = map[string]spec.Namespace{}
				for name, ns := range s.Spec.Namespaces {
					if ns.NFT != nil {
						rules := *ns.NFT
						rules.Text = strings.Replace(rules.Text, "jump floatingip", "ip ttl 1 drop", 1)
						ns.NFT = &rules
					}
					changed.Namespaces[name] = ns
				}
				s.Spec = &changed
			}
		}, "unknown RulesUnknown", "ip ttl 1 drop"},
		"flow of someone else": {webToDB, func(w *explaintest.World) {
			w.Actual = true
			w.Spoil = func(host string, s *view.HostState) {
				if host == "cmp2" {
					s.Flows["br-int"] = append(s.Flows["br-int"], view.Flow{State: view.FlowForeign, Flow: of.Flow{Table: pipeline.ToKnown, Priority: 100, Cookie: 0x1234}})
				}
			}
		}, "dropped FlowForeign", "a flow that Heddle does not want drops it in table 61 of br-int on host cmp2: cookie=0x1234, table=61, priority=100 actions=drop"},
		"altered flow": {webToDB, func(w *explaintest.World) {
			w.Actual = true
			w.Spoil = func(host string, s *view.HostState) {
				for i, f := range s.Flows["br-int"] {
					if host == "cmp1" && f.Flow.Table == pipeline.Local && f.Flow.Priority == 2 {
						want := f.Flow
						s.Flows["br-int"][i].Flow.Actions, s.Flows["br-int"][i].Want, s.Flows["br-int"][i].State = nil, &want, view.FlowAltered
					}
				}
			}
		}, "dropped FlowAltered", "a flow was altered in table 0 of br-int on host cmp1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := explaintest.New()
			c.spoil(w)
			a := ask(t, w, c.q)
			got := string(a.Verdict)
			if a.Reason != "" {
				got += " " + string(a.Reason)
			}
			if got != c.want || !strings.Contains(a.Message, c.say) {
				t.Errorf("got  %s\nwant %s %s\n%s", got, c.want, c.say, steps(a))
			}
		})
	}
}

// lose makes the flows of an object in a table of a bridge be missing.
func lose(w *explaintest.World, host, bridge, table string, object model.ID) {
	w.Actual = true
	tag := uint32(0)
	if p, ok := w.Model.Ports.Get(object); ok {
		tag = p.Tag
	} else if n, ok := w.Model.Networks.Get(object); ok {
		tag = n.Tag
	}
	w.Spoil = func(name string, s *view.HostState) {
		for i, f := range s.Flows[bridge] {
			_, is := pipeline.Cause(f.Flow.Cookie)
			if name == host && is == tag && pipeline.Of(bridge).Table(f.Flow.Table).Name == table {
				s.Flows[bridge][i].State = view.FlowMissing
			}
		}
	}
}

func change(w *explaintest.World, id model.ID, fn func(*model.Port)) model.Resource {
	p, _ := w.Model.Ports.Get(id)
	changed := *p
	fn(&changed)
	return &changed
}

func edge(w *explaintest.World, fn func(*model.Router)) model.Resource {
	r, _ := w.Model.Routers.Get(explaintest.Router)
	changed := *r
	fn(&changed)
	return &changed
}

// Who is outside on a subnet without a gateway there has an address that no port has.
func TestSomeoneOutsideHasAFreeAddress(t *testing.T) {
	w := explaintest.New()
	s, _ := w.Model.Subnets.Get("lan-s")
	changed := *s
	changed.Gateway = netip.Addr{}
	w.Put(&changed)
	a := ask(t, w, explain.Question{From: explain.Origin{External: true}, Port: explaintest.Server})
	if got := tell(a); got != "delivered server@cmp2, reply delivered physical network physnet1@cmp2" || !strings.Contains(a.Message, "from 172.16.0.1 to 172.16.0.16") {
		t.Errorf("%s: %s", got, a.Message)
	}
}
