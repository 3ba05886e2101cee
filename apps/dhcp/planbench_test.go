package dhcp_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// BenchmarkPlan plans 1,000 networks of 10 ports, all of them or after a change of one.
func BenchmarkPlan(b *testing.B) {
	m := &model.Model{}
	for i := range 1000 {
		n := model.ID(fmt.Sprintf("%08d-net", i))
		s := model.ID(fmt.Sprintf("%08d-sub", i))
		m = m.With(&model.Network{Meta: model.Meta{ID: n}, AdminUp: true, MTU: 1450, Tag: uint32(i + 1)})
		m = m.With(&model.Placement{Service: model.ServiceDHCP, Object: n, Host: "gw1"})
		m = m.With(&model.Subnet{Meta: model.Meta{ID: s}, Network: n, IPVersion: 4, CIDR: netip.MustParsePrefix("10.0.0.0/24"), Gateway: netip.MustParseAddr("10.0.0.1"), EnableDHCP: true})
		for j := range 11 {
			owner := ""
			if j == 0 {
				owner = model.OwnerDHCP
			}
			m = m.With(&model.Port{Meta: model.Meta{ID: model.ID(fmt.Sprintf("%08d-port-%d", i, j))}, Network: n, DeviceOwner: owner, Tag: uint32(100000 + i*20 + j),
				FixedIPs: []model.FixedIP{{Subnet: s, IP: netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + j)})}}})
		}
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if _, err := spec.Plan(m, spec.Observed{}, "gw1", dhcp.Plan); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one_changed", func(b *testing.B) {
		planner := dhcp.NewPlanner(dhcp.Planner{})
		port, _ := m.Ports.Get("00000500-port-5")
		for b.Loop() {
			m = m.With(port)
			if _, err := spec.Plan(m, spec.Observed{}, "gw1", planner); err != nil {
				b.Fatal(err)
			}
		}
	})
}
