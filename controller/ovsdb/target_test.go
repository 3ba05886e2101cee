package ovsdb

import (
	"net/netip"
	"testing"

	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
)

// fabric is what a host with one peer wants, as Neutron would have it.
func fabric(local, remote string) []row.Row {
	l, r := netip.MustParseAddr(local), netip.MustParseAddr(remote)
	controllers := []string{"tcp:127.0.0.1:6653"}
	rows := []row.Row{
		row.Bridge{Name: "br-int", DatapathType: "netdev", Controllers: controllers, OtherConfig: row.DefaultOtherConfig()},
		row.Bridge{Name: "br-tun", DatapathType: "netdev", Controllers: controllers, OtherConfig: row.DefaultOtherConfig()},
		row.NewTunnel("br-tun", "vxlan", l, r), row.NewTunnel("br-tun", "gre", l, r), row.NewTunnel("br-tun", "geneve", l, r),
	}
	a, b := row.Cable("br-int", row.PatchTun, "br-tun", row.PatchInt)
	return append(rows, a, b)
}

func TestBridgesPatchesAndTunnelsAppearAsNeutronMakesThem(t *testing.T) {
	h := newHost(t)
	s := h.dial()
	converge(t, s, fabric("10.99.0.1", "10.99.0.2")...)
	t.Log(h.show())
	for _, c := range []struct{ table, record, columns, want string }{
		{"bridge", "br-int", "fail_mode,datapath_type,protocols,other_config,external_ids", ""},
		{"controller", "", "target,connection_mode,max_backoff,inactivity_probe,external_ids", ""},
	} {
		args := []string{"--columns=" + c.columns, "list", c.table}
		if c.record != "" {
			args = append(args, c.record)
		}
		t.Log(h.vsctl(args...))
	}
}
