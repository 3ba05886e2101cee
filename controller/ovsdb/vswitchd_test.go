package ovsdb

import (
	"net/netip"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
)

func TestVSwitchdActsOnTheRows(t *testing.T) {
	h := newHost(t)
	vswitchd := h.startVSwitchd()
	s := h.dial()
	want := fabric("10.99.0.1", "10.99.0.2")
	converge(t, s, want...)
	ready := func() bool {
		st := s.State()
		for _, name := range []string{"br-int", "br-tun"} {
			if st.Bridge(name).DPID == 0 {
				return false
			}
		}
		for _, r := range want {
			if k := r.Key(); k.Kind == row.KindPort && st.Interface(k.Name).OFPort <= 0 {
				return false
			}
		}
		return true
	}
	eventually(t, "port numbers and datapath ids", ready)
	for _, r := range want {
		if k := r.Key(); k.Kind == row.KindPort && s.State().Interface(k.Name).Error != "" {
			t.Errorf("%s: %s", k, s.State().Interface(k.Name).Error)
		}
	}
	ofport := s.State().Interface("vxlan-0a630002").OFPort

	t.Run("wrong_address_corrected_keeps_the_port_number", func(t *testing.T) {
		want = fabric("10.99.0.5", "10.99.0.2")
		converge(t, s, want...)
		eventually(t, "ovs-vswitchd took it", ready)
		if got := s.State().Interface("vxlan-0a630002").OFPort; got != ofport {
			t.Errorf("port number %d, was %d", got, ofport)
		}
	})
	t.Run("dead_vswitchd_does_not_hold_up_writes", func(t *testing.T) {
		stop(vswitchd)
		start := time.Now()
		want = append(want, row.NewTunnel("br-tun", "gre", netip.MustParseAddr("10.99.0.5"), netip.MustParseAddr("10.99.0.9")))
		converge(t, s, want...)
		if d := time.Since(start); d > time.Second {
			t.Errorf("writing took %s", d)
		}
		h.startVSwitchd()
		eventually(t, "the new ovs-vswitchd made the port", ready)
	})
	t.Run("port_that_cannot_be_made_has_an_error", func(t *testing.T) {
		h.vsctl("add-port", "br-int", "nodev0")
		eventually(t, "error", func() bool {
			i := s.State().Interface("nodev0")
			return i != nil && i.OFPort == -1 && i.Error != ""
		})
	})
}
