package native

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/store/model"
)

// newLarge is a fabric of some hosts with a tunnel between any two, that hold networks of ten ports each.
func newLarge(b *testing.B, hosts, networks int) *fixture {
	f := newFixture(b)
	m := new(model.Model)
	f.fabric.state = status.View{}
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range hosts {
		name := fmt.Sprintf("host%03d", i)
		m = m.With(&model.Host{Name: name, Said: model.HostSettings{EncapIP: address(i), EncapTypes: []model.NetworkType{model.TypeVXLAN}}})
		t := status.Target{Connected: true, Rev: 1}
		h := status.Host{Name: name, Targets: map[string]status.Target{"ovsdb": t, "br-int": t, "br-tun": t}, Tunnels: map[string]status.Tunnel{}}
		for j := range hosts {
			h.Tunnels[row.TunnelName("vxlan", address(j))] = status.Tunnel{State: status.TunnelUp, Watched: true, Egress: "eth0", Carrier: true, MTU: 1500}
		}
		f.fabric.state[name] = h
	}
	for i := range networks {
		id := model.ID(fmt.Sprintf("n%06d", i))
		m = m.With(&model.Network{Meta: model.Meta{ID: id, Project: "acme"}, AdminUp: true, Type: model.TypeVXLAN, SegmentID: uint32(i + 1), MTU: 1450, Tag: uint32(i + 1)})
		for j := range 10 {
			port := model.ID(fmt.Sprintf("p%06d-%d", i, j))
			host := fmt.Sprintf("host%03d", (i+j)%hosts)
			m = m.With(&model.Port{Meta: model.Meta{ID: port, Project: "acme"}, Network: id, AdminUp: true, MAC: of.MAC{2, 0, 0, byte(i >> 8), byte(i), byte(j)}, Tag: uint32(networks + 10*i + j + 1)})
			m = m.With(&model.Plug{Port: port, Network: id, Host: host, Iface: "tap" + string(port)})
			m = m.With(&model.LocalVLAN{Host: host, Network: id, VLAN: uint16(i%4000 + 1)})
		}
	}
	m.Rev = 1
	f.store.m = m
	return f
}

// BenchmarkPolled asks for what a page asks for again and again, of 200 hosts with 39,800 tunnels and
// 20,000 ports.
func BenchmarkPolled(b *testing.B) {
	f := newLarge(b, 200, 2000)
	for name, path := range map[string]string{
		"topology": "/v1/topology", "ports": "/v1/objects/port?limit=100", "networks": "/v1/objects/network?limit=100", "hosts": "/v1/objects/host",
		"port": "/v1/objects/port/p000000-0", "network": "/v1/objects/network/n000000", "tunnels_down": "/v1/tunnels?state=down",
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("X-Auth-Token", "admin")
			for b.Loop() {
				w := &sink{header: http.Header{}}
				f.ServeHTTP(w, r)
				b.SetBytes(w.bytes)
			}
		})
	}
}
