package l2

import (
	"fmt"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestLocalVLANsComeAndGoWithPlugs(t *testing.T) {
	w := newWorld(t, Config{})
	var nets []*model.Network
	var ports []*model.Port
	for i := range 4 {
		n, err := w.network(fmt.Sprintf("net%d", i), NetworkCreate{})
		w.must(err)
		nets = append(nets, n)
		for j := range 2 {
			p, err := w.port(fmt.Sprintf("p%d-%d", i, j), PortCreate{Network: n.ID})
			w.must(err)
			ports = append(ports, p)
		}
	}
	vlans := func(host string) string {
		out := ""
		for _, n := range nets {
			v, _ := w.m.VLAN(host, n.ID)
			out += fmt.Sprintf("%d ", v)
		}
		return out
	}
	for _, step := range []struct {
		port   int
		host   string
		gone   bool
		h1, h2 string
	}{
		{0, "h1", false, "1 0 0 0 ", "0 0 0 0 "},
		{2, "h1", false, "1 2 0 0 ", "0 0 0 0 "},
		{4, "h1", false, "1 2 3 0 ", "0 0 0 0 "},
		{4, "h2", false, "1 2 3 0 ", "0 0 1 0 "}, // a live migration: plugged twice
		{1, "h1", false, "1 2 3 0 ", "0 0 1 0 "},
		{0, "h1", true, "1 2 3 0 ", "0 0 1 0 "},
		{1, "h1", true, "0 2 3 0 ", "0 0 1 0 "},
		{1, "h1", true, "0 2 3 0 ", "0 0 1 0 "},  // again: nothing to do
		{6, "h1", false, "0 2 3 4 ", "0 0 1 0 "}, // 1 rests
		{4, "h1", true, "0 2 0 4 ", "0 0 1 0 "},
		{0, "h1", false, "5 2 0 4 ", "0 0 1 0 "},
	} {
		if step.gone {
			w.unbind(ports[step.port].ID, step.host)
		} else {
			w.must(w.bind(ports[step.port].ID, step.host, "tap"))
		}
		if vlans("h1") != step.h1 || vlans("h2") != step.h2 {
			t.Errorf("after %+v: h1 %q, h2 %q", step, vlans("h1"), vlans("h2"))
		}
	}
}

func TestBindAgainChangesOnlyWhatIsNew(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	p, err := w.port("p", PortCreate{Network: n.ID})
	w.must(err)
	w.must(w.bind(p.ID, "h1", "tap1"))
	first := must(w.m.Plugs.Get(model.PlugKey(p.ID, "h1")))
	w.must(w.bind(p.ID, "h1", "tap1"))
	if again := must(w.m.Plugs.Get(model.PlugKey(p.ID, "h1"))); again != first {
		t.Error("to see the same interface again was stored")
	}
	w.must(w.bind(p.ID, "h1", "tap2"))
	renamed := must(w.m.Plugs.Get(model.PlugKey(p.ID, "h1")))
	if renamed.Iface != "tap2" || renamed.Rev != first.Rev || !renamed.Since.Equal(first.Since) {
		t.Errorf("renamed plug is %+v, was %+v", renamed, first)
	}
	w.expect(w.bind("nowhere", "h1", "tap"), "PortNotFound: Port nowhere could not be found.")
}

func TestNewestPlugIsThePortsHome(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	p, err := w.port("p", PortCreate{Network: n.ID})
	w.must(err)
	home := func() string {
		if g := w.m.HostOf(must(w.m.Ports.Get(p.ID))); g != nil {
			return g.Host
		}
		return ""
	}
	w.must(w.bind(p.ID, "h2", "tap"))
	w.must(w.bind(p.ID, "h1", "tap"))
	if home() != "h1" {
		t.Errorf("home is %q after the move", home())
	}
	_, err = w.updatePort(p.ID, PortUpdate{BindingHost: Val("h2")})
	w.must(err)
	if home() != "h2" {
		t.Errorf("home is %q although the caller named h2", home())
	}
	w.unbind(p.ID, "h2")
	if home() != "h1" {
		t.Errorf("home is %q", home())
	}
}

func TestHostWithoutLocalVLANLeft(t *testing.T) {
	w := newWorld(t, Config{})
	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	p, err := w.port("p", PortCreate{Network: n.ID})
	w.must(err)
	tx := store.NewTx(w.m, w.now, store.Cause{})
	for vlan := uint16(1); vlan <= 4094; vlan++ {
		if vlan != 77 {
			tx.Put(&model.LocalVLAN{Host: "h1", Network: model.ID(fmt.Sprint("n", vlan)), VLAN: vlan})
		}
	}
	_, err = w.ops.Bind(tx, p.ID, "h1", "tap")
	w.must(err)
	if vlan, _ := tx.Model().VLAN("h1", n.ID); vlan != 77 {
		t.Errorf("got local vlan %d, the only free one is 77", vlan)
	}
	w.ops.Unbind(tx, p.ID, "h1")
	tx.Put(&model.LocalVLAN{Host: "h1", Network: "n77", VLAN: 77})
	_, err = w.ops.Bind(tx, p.ID, "h1", "tap")
	w.expect(err, "NoLocalVLANAvailable: Host h1 holds 4094 networks already, there is no local VLAN left for network net.")
}

func TestHosts(t *testing.T) {
	w := newWorld(t, Config{})
	yes := true
	said := model.HostSettings{EncapIP: addr("192.0.2.1"), EncapTypes: []model.NetworkType{"vxlan"}, Gateway: &yes}
	hear := func(s model.HostSettings) {
		w.must(w.try(func(tx *store.Tx) error { _, err := w.ops.SetHostSaid(tx, "h1", s); return err }))
	}
	get := func() *model.Host { return must(w.m.Hosts.Get("h1")) }
	hear(said)
	first := get()
	again := true
	said.Gateway = &again
	hear(said)
	if get() != first {
		t.Error("to hear the same again was stored")
	}
	put := HostPut{
		Override: model.HostSettings{EncapIP: addr("192.0.2.9")}, OVSDB: "tcp:192.0.2.9:6640",
		OpenFlow: map[string]string{"br-tun": "tcp:192.0.2.9:6653"}, Bridges: map[string]of.DPID{"br-tun": 7},
	}
	w.must(w.try(func(tx *store.Tx) error { _, err := w.ops.PutHost(tx, "h1", put); return err }))
	if h := get(); h.Settings().EncapIP != addr("192.0.2.9") || !h.Settings().Speaks("vxlan") || h.OVSDB != put.OVSDB || h.Rev <= first.Rev {
		t.Errorf("host is %+v", h)
	}
	override := func(name string, s model.HostSettings) error {
		return w.try(func(tx *store.Tx) error { _, err := w.ops.OverrideHost(tx, name, s); return err })
	}
	w.must(override("h1", model.HostSettings{}))
	if h := get(); h.Settings().EncapIP != addr("192.0.2.1") || h.OVSDB != put.OVSDB {
		t.Errorf("without overrides the host is %+v", h)
	}
	for want, s := range map[string]model.HostSettings{
		"InvalidInput: Invalid input for operation: encap_ip 0.0.0.0 cannot be a tunnel end point.":     {EncapIP: addr("0.0.0.0")},
		"InvalidInput: Invalid input for operation: encap_ip 127.0.0.1 cannot be a tunnel end point.":   {EncapIP: addr("127.0.0.1")},
		"InvalidInput: Invalid input for operation: encap_ip 224.0.0.5 cannot be a tunnel end point.":   {EncapIP: addr("224.0.0.5")},
		"InvalidInput: Invalid input for operation: encap_types: 'vlan' is not a tunnel type.":          {EncapTypes: []model.NetworkType{"vlan"}},
		"InvalidInput: Invalid input for operation: datapath_type 'dpdk' is neither system nor netdev.": {DatapathType: "dpdk"},
	} {
		w.expect(override("h1", s), want)
	}
	w.expect(override("nowhere", model.HostSettings{}), "HostNotFound: Host nowhere could not be found.")
	w.expect(w.try(func(tx *store.Tx) error { _, err := w.ops.SetHostSaid(tx, "", said); return err }),
		"InvalidInput: Invalid input for operation: a host needs a name.")

	n, err := w.network("net", NetworkCreate{})
	w.must(err)
	p, err := w.port("p", PortCreate{Network: n.ID})
	w.must(err)
	w.must(w.bind(p.ID, "h1", "tap"))
	remove := func(name string) error {
		return w.try(func(tx *store.Tx) error { return w.ops.DeleteHost(tx, name) })
	}
	w.must(remove("h1"))
	if w.m.Hosts.Len()+w.m.Plugs.Len()+w.m.VLANs.Len() != 0 {
		t.Error("something is left of the host")
	}
	w.expect(remove("h1"), "HostNotFound: Host h1 could not be found.")
}
