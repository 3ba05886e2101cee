package native

import (
	"net/http"
	"time"

	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store/model"
)

// causeView is the API request that changed an object last.
type causeView struct {
	Request string    `json:"request,omitempty"`
	User    string    `json:"user,omitempty"`
	At      time.Time `json:"at"`
	Rev     uint64    `json:"rev"` // the revision it made
}

func causeOf(m model.Meta) causeView { return causeView{m.Request, m.User, m.Updated, m.Rev} }

// portView is why a port has the status it has.
type portView struct {
	ID         model.ID           `json:"id"`
	Name       string             `json:"name"`
	Project    string             `json:"project_id"`
	Network    model.ID           `json:"network_id"`
	Status     string             `json:"status"`
	Host       string             `json:"host,omitempty"`
	Conditions []status.Condition `json:"conditions"`
	Plugs      []plugView         `json:"plugs,omitempty"`
	Changed    causeView          `json:"changed"`
}

// plugView is a host that has an interface of a port.
type plugView struct {
	Host      string    `json:"host"`
	Interface string    `json:"interface"`
	VLAN      uint16    `json:"vlan"`
	Since     time.Time `json:"since"`
	Home      bool      `json:"home"` // frames for the port go here
}

func (s *server) showPort(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	m, who := s.Store.Snapshot(), identity.From(r.Context())
	id := model.ID(pathVar(r, "id"))
	p, ok := m.Ports.Get(id)
	if !ok || !who.Owns(p.Project) {
		return notFound("there is no port %s", id)
	}
	state := s.Fabric.Status().Object(m, p)
	v := portView{ID: p.ID, Name: p.Name, Project: p.Project, Network: p.Network, Status: state.Status, Host: state.Host,
		Conditions: state.Conditions, Changed: causeOf(p.Meta)}
	if !who.Admin {
		v.Host, v.Conditions = "", withoutHosts(state.Conditions)
		return writeJSON(w, http.StatusOK, v)
	}
	home := m.HostOf(p)
	for _, plug := range m.PlugsOf(id) {
		vlan, _ := m.VLAN(plug.Host, plug.Network)
		v.Plugs = append(v.Plugs, plugView{plug.Host, plug.Iface, vlan, plug.Since, home != nil && home.Host == plug.Host})
	}
	return writeJSON(w, http.StatusOK, v)
}

// withoutHosts leaves out what conditions say of hosts: those are the operator's business. The reasons
// stay, and so do the messages that speak of the object itself.
func withoutHosts(conditions []status.Condition) []status.Condition {
	out := make([]status.Condition, len(conditions))
	for i, c := range conditions {
		if !ownReasons[c.Reason] && (!c.OK || c.Host != "") {
			c.Msg = ""
		}
		c.Host = ""
		out[i] = c
	}
	return out
}

// ownReasons are those whose messages speak of objects of the API alone.
var ownReasons = map[status.Reason]bool{
	status.AdminDown: true, status.NotPlugged: true, status.SubnetExhausted: true,
	status.NoGateway: true, status.NoWayOut: true, status.NoInterface: true, status.NotAssociated: true,
}

// networkView is where a network is and how its ports are.
type networkView struct {
	ID      model.ID          `json:"id"`
	Name    string            `json:"name"`
	Project string            `json:"project_id"`
	Type    model.NetworkType `json:"type,omitempty"`
	Physnet string            `json:"physnet,omitempty"`
	Segment uint32            `json:"segment_id,omitempty"`
	MTU     int               `json:"mtu"`
	Hosts   []holderView      `json:"hosts,omitempty"`
	Ports   []memberView      `json:"ports"`
	Changed causeView         `json:"changed"`
}

// holderView is a host that holds a network.
type holderView struct {
	Host    string   `json:"host"`
	VLAN    uint16   `json:"vlan"`
	Ports   int      `json:"ports"`
	Pending *problem `json:"pending,omitempty"` // what keeps the network from being whole there
}

// memberView is a port of a network.
type memberView struct {
	ID     model.ID      `json:"id"`
	Name   string        `json:"name"`
	MAC    string        `json:"mac"`
	IPs    []string      `json:"ips"`
	Status string        `json:"status"`
	Host   string        `json:"host,omitempty"`
	Reason status.Reason `json:"reason,omitempty"` // of the first condition that does not hold
}

// showNetwork shows a network; a project sees its own ports of it, and nothing of hosts and segments.
func (s *server) showNetwork(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	m, who := s.Store.Snapshot(), identity.From(r.Context())
	id := model.ID(pathVar(r, "id"))
	n, ok := m.Networks.Get(id)
	if !ok || !who.Owns(n.Project) {
		return notFound("there is no network %s", id)
	}
	state := s.Fabric.Status()
	v := networkView{ID: n.ID, Name: n.Name, Project: n.Project, MTU: n.MTU, Ports: []memberView{}, Changed: causeOf(n.Meta)}
	if who.Admin {
		v.Type, v.Physnet, v.Segment = n.Type, n.Physnet, n.SegmentID
		v.Hosts = holders(m, state, id)
	}
	for _, p := range m.PortsOf(id) {
		if who.Owns(p.Project) {
			v.Ports = append(v.Ports, viewMember(state.Port(m, p), p, who.Admin))
		}
	}
	return writeJSON(w, http.StatusOK, v)
}

func holders(m *model.Model, state status.View, network model.ID) []holderView {
	out := []holderView{}
	for _, host := range m.HostsOf(network) {
		vlan, _ := m.VLAN(host, network)
		h := holderView{Host: host, VLAN: vlan, Ports: len(m.PortsAt(host, network))}
		if why, waits := state[host].Pending[network]; waits {
			h.Pending = &problem{why.Reason, why.Msg}
		}
		out = append(out, h)
	}
	return out
}

func viewMember(state status.Port, p *model.Port, admin bool) memberView {
	v := memberView{ID: p.ID, Name: p.Name, MAC: p.MAC.String(), IPs: []string{}, Status: state.Status}
	for _, ip := range p.FixedIPs {
		v.IPs = append(v.IPs, ip.IP.String())
	}
	if admin {
		v.Host = state.Host
	}
	v.Reason = reasonOf(state.Conditions)
	return v
}

// reasonOf is why the first condition that does not hold does not; empty if all hold.
func reasonOf(conditions []status.Condition) status.Reason {
	for _, c := range conditions {
		if !c.OK {
			return c.Reason
		}
	}
	return ""
}
