package explain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/heddle-sdn/heddle/apps/explain"
	"github.com/heddle-sdn/heddle/apps/explain/explaintest"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// Whatever is broken and whatever is asked, there is an answer that says what became of the packet, and no
// packet gets from one tenant to another.
func TestAnyQuestionAboutABrokenCloudIsAnswered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := explaintest.New()
		w.Actual = rapid.Bool().Draw(rt, "actual")
		for range rapid.IntRange(0, 4).Draw(rt, "damages") {
			damage(rt, w)
		}
		q := question(rt, w)
		a, err := explain.Explain(w.Model, w, q)
		var wrong *explain.Error
		if errors.As(err, &wrong) {
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		check(rt, a)
		if q.From.Port != "" && q.From.Port != explaintest.Rival {
			for _, d := range a.Delivered {
				if d.Port == explaintest.Rival {
					rt.Fatalf("a packet gets to another tenant:\n%s", steps(a))
				}
			}
		}
		told, err := explain.ExplainTo(func(model.Resource) bool { return false }, w.Model, w, q)
		if err != nil {
			rt.Fatal(err)
		}
		check(rt, told)
		text, err := json.Marshal(told)
		if err != nil {
			rt.Fatal(err)
		}
		for _, speaksOfHosts := range []string{"cmp1", "cmp2", "gw1", "br-tun", "br-ex", "192.0.2.", "vxlan", "key 100", "physnet1"} {
			if q.From.Host == "" && bytes.Contains(text, []byte(speaksOfHosts)) {
				rt.Fatalf("a project is told of %s: %s", speaksOfHosts, text)
			}
		}
		if told.Verdict != a.Verdict || told.Reason != a.Reason {
			rt.Fatalf("a project is told %s %s, an administrator %s %s", told.Verdict, told.Reason, a.Verdict, a.Reason)
		}
	})
}

func check(rt *rapid.T, a *explain.Answer) {
	failed := a.Verdict == explain.Dropped || a.Verdict == explain.Unknown
	if a.Message == "" || len(a.Steps) == 0 || failed != (a.Reason != "") {
		rt.Fatalf("the answer is not whole:\n%s", steps(a))
	}
	for i, s := range a.Steps {
		if s.ID != i || s.Says == "" || (s.Parent == nil) != (i == 0) || s.Parent != nil && *s.Parent >= i {
			rt.Fatalf("step %d is not whole: %+v\n%s", i, s, steps(a))
		}
	}
	if a.Reply != nil {
		check(rt, a.Reply)
	}
}

// damage breaks something.
func damage(rt *rapid.T, w *explaintest.World) {
	host := rapid.SampledFrom(w.Model.Hosts.Sorted()).Draw(rt, "host")
	switch rapid.IntRange(0, 7).Draw(rt, "kind") {
	case 0:
		w.Forget(host, "br-int", rapid.SampledFrom([]string{"patch-tun", "int-br-ex", "tap11000000-00", "tap31000000-00", "tap33000000-00"}).Draw(rt, "port"))
	case 1:
		w.Forget(host, "br-tun", rapid.SampledFrom([]string{"patch-int", "vxlan-c0000201", "vxlan-c0000202", "vxlan-c0000203"}).Draw(rt, "port"))
	case 2:
		w.Disconnect(host)
	case 3:
		plugs := w.Model.Plugs.Sorted()
		if len(plugs) > 0 {
			p, _ := w.Model.Plugs.Get(rapid.SampledFrom(plugs).Draw(rt, "plug"))
			w.Drop(p)
		}
	case 4:
		p, _ := w.Model.Ports.Get(rapid.SampledFrom(w.Model.Ports.Sorted()).Draw(rt, "port"))
		down := *p
		down.AdminUp = false
		w.Put(&down)
	case 5:
		w.Put(edge(w, func(r *model.Router) { r.AdminUp = !r.AdminUp }))
	case 6:
		w.Drop(&model.Placement{Service: model.ServiceRouter, Object: explaintest.Router})
	case 7: // flows are missing
		n := rapid.IntRange(0, 30).Draw(rt, "flow")
		w.Spoil = func(name string, s *view.HostState) {
			for _, bridge := range []string{"br-int", "br-tun", "br-ex"} {
				if flows := s.Flows[bridge]; name == host && n < len(flows) {
					s.Flows[bridge][n].State = view.FlowMissing
				}
			}
		}
	}
}

func question(rt *rapid.T, w *explaintest.World) explain.Question {
	vms := []model.ID{explaintest.Web, explaintest.App, explaintest.DB, explaintest.Other, explaintest.Rival, explaintest.Spare, explaintest.Server, explaintest.Client}
	q := explain.Question{Protocol: rapid.SampledFrom([]string{"icmp", "tcp", "udp", "arp"}).Draw(rt, "protocol"), DstPort: rapid.SampledFrom([]uint16{0, 67, 80, 9697}).Draw(rt, "dst_port")}
	switch rapid.IntRange(0, 3).Draw(rt, "from") {
	case 0:
		q.From.External = true
	case 1:
		q.From.Host = rapid.SampledFrom(w.Model.Hosts.Sorted()).Draw(rt, "host")
		q.From.Interface = rapid.SampledFrom([]string{"tap11000000-00", "tap13000000-00", "tap31000000-00", "eth1", "vxlan-c0000201", "patch-tun"}).Draw(rt, "iface")
		q.SrcIP = to("10.0.0.12")
	default:
		q.From.Port = rapid.SampledFrom(vms).Draw(rt, "port")
	}
	if rapid.Bool().Draw(rt, "to port") {
		q.Port = rapid.SampledFrom(slices.Concat(vms, w.Model.Ports.Sorted())).Draw(rt, "to")
	} else {
		q.Address = to(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2", "10.0.0.11", "10.0.0.99", "10.0.1.14", "198.51.100.1", "198.51.100.2", "198.51.100.11",
			"198.51.100.12", "203.0.113.9", "169.254.169.254", "255.255.255.255", "224.0.0.1", "172.16.0.16", "fd00::13", "fe80::a9fe:a9fe", "ff02::1"}).Draw(rt, "address"))
	}
	if rapid.IntRange(0, 5).Draw(rt, "mac") == 0 {
		q.DstMAC = [6]byte{0xfa, 0x16, 0x3e, 0, 0, byte(rapid.IntRange(0, 0x22).Draw(rt, "last"))}
	}
	return q
}
