package explain_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/heddle-sdn/heddle/apps/explain"
	"github.com/heddle-sdn/heddle/apps/explain/explaintest"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// planned is a world whose hosts are planned already, as a server's are.
type planned map[string]*view.HostState

func (p planned) Host(name string) (*view.HostState, error) { return p[name], nil }

// BenchmarkExplain follows a ping over two hosts and a router, and its answer, beside other ports on the
// same network.
func BenchmarkExplain(b *testing.B) {
	for _, others := range []int{0, 1000} {
		b.Run(fmt.Sprintf("beside %d ports", others), func(b *testing.B) {
			w := explaintest.New()
			for i := range others {
				id := model.ID(fmt.Sprintf("%08x-%03x0-4000-8000-000000000000", i, i%4096))
				ip := netip.AddrFrom4([4]byte{10, 0, byte(2 + i/200), byte(i%200 + 1)})
				w.Put(&model.Port{Meta: model.Meta{ID: id}, Network: "blue", AdminUp: true, MAC: of.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, Tag: uint32(1000 + i),
					FixedIPs: []model.FixedIP{{Subnet: "blue-s", IP: ip}}},
					&model.Plug{Port: id, Network: "blue", Host: "cmp2", Iface: fmt.Sprintf("tap%d", i)})
			}
			hosts := planned{}
			for _, name := range w.Model.Hosts.Sorted() {
				s, err := w.Host(name)
				if err != nil {
					b.Fatal(err)
				}
				hosts[name] = s
			}
			q := explain.Question{From: explain.Origin{Port: explaintest.Web}, Port: explaintest.Other, Protocol: "icmp"}
			for b.Loop() {
				a, err := explain.Explain(w.Model, hosts, q)
				if err != nil || a.Verdict != explain.Delivered || a.Reply.Verdict != explain.Delivered {
					b.Fatal(err, a)
				}
			}
		})
	}
}
