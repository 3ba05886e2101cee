package native

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// Where an address is known from.
const (
	sourcePort    = "port"    // an API port has it, and is plugged there
	sourceLearned = "learned" // the bridge saw a frame from it
)

// macView is an address and where it is.
type macView struct {
	Source    string    `json:"source"`
	Host      string    `json:"host"`
	Bridge    string    `json:"bridge"`
	Network   model.ID  `json:"network_id,omitempty"` // empty if the VLAN is of no network any more
	VLAN      uint16    `json:"vlan"`
	MAC       of.MAC    `json:"mac"`
	Port      of.PortNo `json:"port,omitempty"`      // OpenFlow number of the port it is behind
	Interface string    `json:"interface,omitempty"` // name of that port
	PortID    model.ID  `json:"port_id,omitempty"`   // the API port that has the address on the network
	Since     time.Time `json:"since"`
}

func (s *server) listMACs(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "network", "mac", "host", "source", "limit", "offset")
	if err != nil {
		return err
	}
	page, err := q.page()
	if err != nil {
		return err
	}
	sources, err := q.oneOf("source", sourcePort, sourceLearned)
	if err != nil {
		return err
	}
	var mac of.MAC
	if q.has("mac") {
		if mac, err = of.ParseMAC(q.text("mac")); err != nil {
			return badRequest("query: %v", err)
		}
	}
	macs := s.macs()
	macs = slices.DeleteFunc(macs, func(v macView) bool {
		return q.has("mac") && v.MAC != mac ||
			q.has("network") && v.Network != model.ID(q.text("network")) ||
			q.has("host") && v.Host != q.text("host") ||
			sources != nil && !slices.Contains(sources, v.Source)
	})
	start, end := page.bounds(len(macs))
	return writeJSON(w, http.StatusOK, map[string]any{"matched": len(macs), "offset": start, "macs": macs[start:end]})
}

// macs returns all known addresses, by host, bridge, VLAN and address; never nil.
func (s *server) macs() []macView {
	m := s.Store.Snapshot()
	byNumber, byName := portNames(s.Fabric.Switches())
	out := []macView{}
	for _, e := range s.MACs.List() {
		v := macView{Source: sourceLearned, Host: e.Host, Bridge: e.Name, VLAN: e.VLAN, MAC: e.MAC, Port: e.Port, Since: e.Since,
			Interface: byNumber[bridgePort{e.Host, e.Name, e.Port}]}
		if network, ok := m.NetworkOfVLAN(e.Host, e.VLAN); ok {
			v.Network = network
			v.PortID, _ = m.MACUser(network, e.MAC)
		}
		out = append(out, v)
	}
	for _, plug := range m.Plugs.All() {
		p, ok := m.Ports.Get(plug.Port)
		if !ok {
			continue
		}
		vlan, _ := m.VLAN(plug.Host, plug.Network)
		out = append(out, macView{Source: sourcePort, Host: plug.Host, Bridge: row.IntBridge, Network: plug.Network, VLAN: vlan, MAC: p.MAC,
			Port: byName[bridgeInterface{plug.Host, row.IntBridge, plug.Iface}], Interface: plug.Iface, PortID: p.ID, Since: plug.Since})
	}
	slices.SortFunc(out, func(a, b macView) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Bridge, b.Bridge), cmp.Compare(a.VLAN, b.VLAN),
			slices.Compare(a.MAC[:], b.MAC[:]), cmp.Compare(a.Source, b.Source))
	})
	return out
}

type bridgePort struct {
	host, bridge string
	no           of.PortNo
}

type bridgeInterface struct{ host, bridge, name string }

// portNames returns the ports of all bridges, by number and by name.
func portNames(switches []view.Switch) (byNumber map[bridgePort]string, byName map[bridgeInterface]of.PortNo) {
	byNumber, byName = map[bridgePort]string{}, map[bridgeInterface]of.PortNo{}
	for _, sw := range switches {
		for name, p := range sw.Ports {
			byNumber[bridgePort{sw.Host, sw.Bridge, p.No}] = name
			byName[bridgeInterface{sw.Host, sw.Bridge, name}] = p.No
		}
	}
	return byNumber, byName
}
