package native

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// switchView is a connected bridge.
type switchView struct {
	DPID    string      `json:"dpid"`
	Host    string      `json:"host"`   // empty if no host claims it
	Bridge  string      `json:"bridge"` // likewise
	Remote  string      `json:"remote"`
	Managed bool        `json:"managed"` // Heddle programs it
	Since   time.Time   `json:"since,omitzero"`
	Ports   int         `json:"ports"`
	Target  *targetView `json:"target,omitempty"` // what it confirmed last
	Hint    string      `json:"hint,omitempty"`   // what to do about a bridge that is not programmed
}

func (s *server) listSwitches(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "host")
	if err != nil {
		return err
	}
	views := []switchView{}
	state := s.Fabric.Status()
	for _, sw := range s.Fabric.Switches() {
		if !q.has("host") || sw.Host == q.text("host") {
			views = append(views, viewSwitch(sw, state[sw.Host].Targets[sw.Bridge]))
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"switches": views})
}

func (s *server) showSwitch(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	sw, err := s.findSwitch(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, viewSwitch(sw, s.Fabric.Status()[sw.Host].Targets[sw.Bridge]))
}

// findSwitch returns the bridge that a path names.
func (s *server) findSwitch(r *http.Request) (view.Switch, error) {
	id, err := of.ParseDPID(pathVar(r, "dpid"))
	if err != nil {
		return view.Switch{}, badRequest("dpid: %v", err)
	}
	for _, sw := range s.Fabric.Switches() {
		if sw.DPID == id {
			return sw, nil
		}
	}
	return view.Switch{}, notFound("no bridge with datapath id %v is connected; GET /v1/switches lists those that are", id)
}

// switchPort is a port of a bridge.
type switchPort struct {
	Number  of.PortNo `json:"number"`
	Name    string    `json:"name"`
	MAC     of.MAC    `json:"mac"`
	AdminUp bool      `json:"admin_up"`
	LinkUp  bool      `json:"link_up"`
	Speed   uint32    `json:"speed_kbps,omitempty"`
	Port    model.ID  `json:"port_id,omitempty"` // whose interface it is
	Network model.ID  `json:"network_id,omitempty"`
	VLAN    uint16    `json:"vlan,omitempty"` // local to the host
}

func (s *server) listSwitchPorts(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	sw, err := s.findSwitch(r)
	if err != nil {
		return err
	}
	m := s.Store.Snapshot()
	plugs := map[string]*model.Plug{}
	if sw.Host != "" && sw.Bridge == row.IntBridge {
		for _, plug := range m.PlugsAt(sw.Host) {
			plugs[plug.Iface] = plug
		}
	}
	ports := make([]switchPort, 0, len(sw.Ports))
	for _, name := range slices.Sorted(maps.Keys(sw.Ports)) {
		p := sw.Ports[name]
		v := switchPort{Number: p.No, Name: name, MAC: p.MAC, AdminUp: !p.AdminDown(), LinkUp: !p.LinkDown(), Speed: p.CurrentSpeed}
		if plug := plugs[name]; plug != nil {
			v.Port, v.Network = plug.Port, plug.Network
			v.VLAN, _ = m.VLAN(sw.Host, plug.Network)
		}
		ports = append(ports, v)
	}
	slices.SortStableFunc(ports, func(a, b switchPort) int { return cmp.Compare(a.Number, b.Number) })
	return writeJSON(w, http.StatusOK, map[string]any{"dpid": sw.DPID.String(), "host": sw.Host, "bridge": sw.Bridge, "ports": ports})
}

func viewSwitch(sw view.Switch, t status.Target) switchView {
	v := switchView{DPID: sw.DPID.String(), Host: sw.Host, Bridge: sw.Bridge, Remote: sw.Remote, Managed: sw.Managed, Since: sw.Since, Ports: len(sw.Ports)}
	switch {
	case sw.Host == "":
		v.Hint = "no host claims it: run ovs-vsctl set-manager on its host, or name the datapath id under bridges in /v1/hosts"
	case !sw.Managed:
		v.Hint = "it is not a bridge that Heddle programs on this host: br-int, br-tun, and those of bridge_mappings are"
	default:
		v.Target = &targetView{t.Connected, t.Rev, t.At, t.Err}
	}
	return v
}
