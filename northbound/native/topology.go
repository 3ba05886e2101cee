package native

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

// topologyView is everything there is and how it hangs together.
type topologyView struct {
	Revision     uint64        `json:"revision"`
	Hosts        []topoHost    `json:"hosts"`
	Tunnels      []tunnelView  `json:"tunnels"`
	Networks     []topoNetwork `json:"networks"`
	Routers      []topoRouter  `json:"routers"`
	Ports        []topoPort    `json:"ports"`
	PortsTotal   int           `json:"ports_total"`
	TunnelsTotal int           `json:"tunnels_total"`
}

type topoHost struct {
	Name      string       `json:"name"`
	Connected bool         `json:"connected"`
	Gateway   bool         `json:"gateway"`
	Drained   bool         `json:"drained"`
	EncapIP   string       `json:"encap_ip,omitempty"`
	Bridges   []topoBridge `json:"bridges"`
	Agent     *topoAgent   `json:"agent,omitempty"`
	Problems  []problem    `json:"problems"`
	Ports     int          `json:"ports"`
	Networks  int          `json:"networks"`
}

// topoBridge is a bridge that a host needs, or has connected.
type topoBridge struct {
	Name      string `json:"name"`
	DPID      string `json:"dpid,omitempty"` // of a connected one
	Connected bool   `json:"connected"`
}

type topoAgent struct {
	Connected bool      `json:"connected"`
	Seen      time.Time `json:"seen,omitzero"`
}

type topoNetwork struct {
	ID       model.ID          `json:"id"`
	Name     string            `json:"name"`
	Project  string            `json:"project_id"`
	Type     model.NetworkType `json:"type,omitempty"`
	Segment  uint32            `json:"segment_id,omitempty"`
	External bool              `json:"external"`
	MTU      int               `json:"mtu"`
	Subnets  []topoSubnet      `json:"subnets"`
	Hosts    []string          `json:"hosts"`
	Ports    int               `json:"ports"`
	Status   string            `json:"status"`
}

type topoSubnet struct {
	ID      model.ID `json:"id"`
	Name    string   `json:"name"`
	CIDR    string   `json:"cidr"`
	Gateway string   `json:"gateway_ip,omitempty"`
}

type topoRouter struct {
	ID          model.ID  `json:"id"`
	Name        string    `json:"name"`
	Project     string    `json:"project_id"`
	Host        string    `json:"host,omitempty"`
	Status      string    `json:"status"`
	OK          bool      `json:"conditions_ok"`
	Interfaces  []topoLeg `json:"interfaces"`
	Gateway     *topoLeg  `json:"gateway,omitempty"`
	FloatingIPs int       `json:"floating_ips"`
}

// topoLeg is a port of a router.
type topoLeg struct {
	Port    model.ID `json:"port_id"`
	Network model.ID `json:"network_id"`
	IPs     []string `json:"ips"`
}

type topoPort struct {
	ID      model.ID      `json:"id"`
	Name    string        `json:"name"`
	Network model.ID      `json:"network_id"`
	Host    string        `json:"host,omitempty"`
	Owner   string        `json:"device_owner"`
	MAC     string        `json:"mac"`
	IPs     []string      `json:"ips"`
	Status  string        `json:"status"`
	Reason  status.Reason `json:"reason,omitempty"`
}

// How many ports and tunnels a topology shows unless it is asked for more.
const (
	topologyPorts   = 500
	topologyTunnels = 2000
)

func (s *server) topology(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "ports", "tunnels")
	if err != nil {
		return err
	}
	ports, err := q.number("ports", topologyPorts)
	if err != nil {
		return err
	}
	tunnels, err := q.number("tunnels", topologyTunnels)
	if err != nil {
		return err
	}
	m := s.Store.Snapshot()
	t := topology{m: m, who: identity.From(r.Context()), objects: s.viewObjects(m, identity.From(r.Context()))}
	v := topologyView{Revision: m.Rev, Hosts: []topoHost{}, Tunnels: []tunnelView{}, Networks: t.networks(), Routers: t.routers()}
	if t.who.Admin {
		v.Hosts = t.hosts(s.Fabric.Switches())
		var paths []status.Path
		paths, v.TunnelsTotal = t.objects.hosts.somePaths(int(min(tunnels, uint64(noLimit))))
		v.Tunnels = s.viewTunnels(r.Context(), paths)
	}
	v.Ports, v.PortsTotal = t.ports(int(min(ports, uint64(m.Ports.Len()))))
	return writeJSON(w, http.StatusOK, v)
}

// topology makes views of everything, as one sender sees it at one moment.
type topology struct {
	m       *model.Model
	who     identity.Identity
	objects objects
}

func (t topology) hosts(switches []view.Switch) []topoHost {
	bridges := map[string][]topoBridge{}
	for _, sw := range switches {
		if sw.Host != "" {
			bridges[sw.Host] = append(bridges[sw.Host], topoBridge{sw.Bridge, sw.DPID.String(), true})
		}
	}
	out := make([]topoHost, 0, t.m.Hosts.Len())
	for _, name := range t.m.Hosts.Sorted() {
		h, _ := t.m.Hosts.Get(name)
		is, state := h.Settings(), t.objects.hosts.state[name]
		v := topoHost{Name: name, Connected: len(state.Targets) > 0 && state.Down() == "", Gateway: is.IsGateway(), Drained: h.Drained,
			Bridges: bridges[name], Problems: t.objects.hosts.problems(h), Ports: len(t.m.PlugsAt(name)), Networks: len(t.m.NetworksAt(name))}
		if is.EncapIP.IsValid() {
			v.EncapIP = is.EncapIP.String()
		}
		for target := range state.Targets {
			if target != targetOVSDB && !slices.ContainsFunc(v.Bridges, func(b topoBridge) bool { return b.Name == target }) {
				v.Bridges = append(v.Bridges, topoBridge{Name: target})
			}
		}
		slices.SortFunc(v.Bridges, func(a, b topoBridge) int { return strings.Compare(a.Name, b.Name) })
		if v.Bridges == nil {
			v.Bridges = []topoBridge{}
		}
		if state.Node != nil {
			v.Agent = &topoAgent{state.Node.Connected, state.Node.Seen}
		}
		out = append(out, v)
	}
	return out
}

func (t topology) networks() []topoNetwork {
	out := []topoNetwork{}
	for _, id := range t.m.Networks.Sorted() {
		n, _ := t.m.Networks.Get(id)
		if !mayShow(t.m, t.who, n) {
			continue
		}
		v := topoNetwork{ID: n.ID, Name: n.Name, Project: n.Project, External: n.External, MTU: n.MTU, Subnets: []topoSubnet{}, Hosts: []string{},
			Status: status.Active}
		if !n.AdminUp {
			v.Status = status.Down
		}
		for _, sub := range t.m.SubnetsOf(id) {
			if !mayShow(t.m, t.who, sub) {
				continue
			}
			w := topoSubnet{ID: sub.ID, Name: sub.Name, CIDR: sub.CIDR.String()}
			if sub.Gateway.IsValid() {
				w.Gateway = sub.Gateway.String()
			}
			v.Subnets = append(v.Subnets, w)
		}
		if t.who.Admin {
			v.Type, v.Segment = n.Type, n.SegmentID
			v.Hosts, v.Ports = append(v.Hosts, t.m.HostsOf(id)...), t.m.CountPorts(id)
		} else {
			for _, p := range t.m.PortsOf(id) {
				if t.who.Owns(p.Project) {
					v.Ports++
				}
			}
		}
		out = append(out, v)
	}
	return out
}

func (t topology) routers() []topoRouter {
	out := []topoRouter{}
	for _, id := range t.m.Routers.Sorted() {
		r, _ := t.m.Routers.Get(id)
		if !mayShow(t.m, t.who, r) {
			continue
		}
		state := t.objects.state(r)
		v := topoRouter{ID: id, Name: r.Name, Project: r.Project, Host: state.Host, Status: state.Status, OK: state.OK(), Interfaces: []topoLeg{},
			FloatingIPs: len(t.m.FloatingIPsOf(id))}
		for _, p := range t.m.InterfacesOf(id) {
			v.Interfaces = append(v.Interfaces, viewLeg(p))
		}
		if r.Gateway != nil {
			if p, ok := t.m.Ports.Get(r.Gateway.Port); ok {
				leg := viewLeg(p)
				v.Gateway = &leg
			}
		}
		out = append(out, v)
	}
	return out
}

func viewLeg(p *model.Port) topoLeg { return topoLeg{p.ID, p.Network, texted(p)} }

// ports shows at most limit ports, by id, and counts them all.
func (t topology) ports(limit int) (out []topoPort, total int) {
	out = []topoPort{}
	for _, id := range t.m.Ports.Sorted() {
		p, _ := t.m.Ports.Get(id)
		if !t.who.Owns(p.Project) {
			continue
		}
		if total++; total > limit {
			continue
		}
		state := t.objects.hosts.state.Port(t.m, p)
		v := topoPort{ID: id, Name: p.Name, Network: p.Network, Owner: p.DeviceOwner, MAC: p.MAC.String(), IPs: texted(p), Status: state.Status}
		if t.who.Admin {
			v.Host = state.Host
		}
		v.Reason = reasonOf(state.Conditions)
		out = append(out, v)
	}
	return out, total
}

// texted are the addresses of a port.
func texted(p *model.Port) []string {
	out := make([]string, len(p.FixedIPs))
	for i, f := range p.FixedIPs {
		out[i] = f.IP.String()
	}
	return out
}
