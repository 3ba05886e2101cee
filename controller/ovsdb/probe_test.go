package ovsdb

import (
	"net/netip"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
)

// probed is the fabric with one tunnel, which is probed so often.
func probed(every time.Duration) []row.Row {
	t := row.NewTunnel("br-tun", "vxlan", netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("10.99.0.2"))
	t.Probe = every
	return []row.Row{row.Bridge{Name: "br-tun", DatapathType: "netdev"}, t}
}

func TestTunnelIsProbedAsOftenAsWanted(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	bfd := func() string { return h.vsctl("get", "interface", "vxlan-0a630002", "bfd") }
	converge(t, s, probed(time.Second)...)
	if got := bfd(); got != `{enable="true", min_rx="1000", min_tx="1000"}` {
		t.Errorf("bfd of a new tunnel: %s", got)
	}
	h.vsctl("set", "interface", "vxlan-0a630002", "bfd:min_tx=7", "bfd:bfd_local_dst_mac=02:00:00:00:00:01")
	eventually(t, "the change is seen", func() bool { return s.State().Interface("vxlan-0a630002").BFD["min_tx"] == "7" })
	if difference(t, s, probed(time.Second)...).Empty() {
		t.Error("another interval is no difference")
	}
	converge(t, s, probed(2*time.Second)...)
	if got := bfd(); got != `{bfd_local_dst_mac="02:00:00:00:00:01", enable="true", min_rx="2000", min_tx="2000"}` {
		t.Errorf("bfd with another interval: %s", got)
	}
	converge(t, s, probed(0)...)
	if got := bfd(); got != `{bfd_local_dst_mac="02:00:00:00:00:01"}` {
		t.Errorf("bfd of a tunnel that is not probed any more: %s", got)
	}
}

func TestProbesOfOthersStay(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	converge(t, s, probed(0)...)
	h.vsctl("set", "interface", "vxlan-0a630002", "bfd:enable=true", "bfd:min_tx=50")
	eventually(t, "the session is seen", func() bool { return s.State().Interface("vxlan-0a630002").BFD["enable"] == "true" })
	if c := difference(t, s, probed(0)...); !c.Empty() {
		t.Errorf("a session of someone else's is a difference: %+v", c)
	}
	converge(t, s, probed(0)...)
	if got := h.vsctl("get", "interface", "vxlan-0a630002", "bfd"); got != `{enable="true", min_tx="50"}` {
		t.Errorf("bfd of someone else's: %s", got)
	}
}

func TestProbeIsReadAsItIsWritten(t *testing.T) {
	for every, want := range map[time.Duration]time.Duration{0: 0, time.Second: time.Second, 50 * time.Millisecond: 50 * time.Millisecond} {
		if got := row.ProbeOf(row.Tunnel{Probe: every}.BFD()); got != want {
			t.Errorf("%s is read as %s", every, got)
		}
	}
	for _, odd := range []map[string]string{
		{"enable": "true"}, {"enable": "true", "min_rx": "1000"}, {"enable": "true", "min_rx": "x", "min_tx": "x"}, {"enable": "true", "min_rx": "0", "min_tx": "0"},
	} {
		if got := row.ProbeOf(odd); got >= 0 {
			t.Errorf("%v is read as %s", odd, got)
		}
	}
}
