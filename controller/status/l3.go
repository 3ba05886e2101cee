package status

import (
	"fmt"
	"slices"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// The reasons of what gateway hosts do.
const (
	NoGatewayHost  Reason = "NoGatewayHost"  // no gateway host with a running agent is there to be put on
	AgentDown      Reason = "AgentDown"      // the agent of its gateway host does not report
	ServicePending Reason = "ServicePending" // the agent has not confirmed the revision yet
	ServiceFailed  Reason = "ServiceFailed"  // the agent says why it cannot
	NotAssociated  Reason = "NotAssociated"  // a floating IP is given to no port
)

// Node is what a host's agent last reported.
type Node struct {
	Connected  bool                       `json:"connected"`
	Seen       time.Time                  `json:"seen"`    // when it last reported
	Started    time.Time                  `json:"started"` // when this run of the agent began
	Objects    map[string]spec.NodeObject `json:"objects"` // by name of the namespace
	LastRepair uint64                     `json:"-"`       // id of the newest repair that was logged
	Since      time.Time                  `json:"-"`       // when it began to report, or stopped
	Held       map[string]NodeMarks       `json:"-"`       // since when the namespaces are as they are, by name
}

// Service is the state of a router or a floating IP.
type Service struct {
	Status     string      `json:"status"`
	Host       string      `json:"host,omitempty"` // gateway host it is on
	Conditions []Condition `json:"conditions"`
}

// Router derives the state of a router; like Neutron's it is ACTIVE from the start, and its conditions
// say whether it is realized.
func (v View) Router(m *model.Model, r *model.Router) Service {
	host, c := v.placed(m, model.ServiceRouter, r.ID, "qrouter-"+string(r.ID), r.Rev)
	return Service{Status: Active, Host: host, Conditions: []Condition{c}}
}

// FloatingIP derives the state of a floating IP: ACTIVE once its router's host has confirmed it.
func (v View) FloatingIP(m *model.Model, f *model.FloatingIP) Service {
	if f.Router == "" {
		return Service{Status: Down, Conditions: []Condition{{Type: "Placed", Reason: NotAssociated, Msg: "the floating IP is given to no port"}}}
	}
	host, c := v.placed(m, model.ServiceRouter, f.Router, "qrouter-"+string(f.Router), f.Rev)
	s := Service{Status: Active, Host: host, Conditions: []Condition{c}}
	if !c.OK {
		s.Status = Down
	}
	return s
}

// dhcp is the condition that a port's DHCP entry is in place; needed is false if it has none: no address
// of a subnet with DHCP, a port of Heddle's own, or no gateway host in the fabric.
func (v View) dhcp(m *model.Model, p *model.Port) (c Condition, needed bool) {
	if _, placed := m.Placements.Get(model.PlacementKey(model.ServiceDHCP, p.Network)); !placed || p.DeviceOwner == model.OwnerDHCP {
		return Condition{}, false
	}
	for _, ip := range p.FixedIPs {
		if s, ok := m.Subnets.Get(ip.Subnet); ok && s.EnableDHCP {
			needed = true
		}
	}
	if !needed {
		return Condition{}, false
	}
	_, c = v.placed(m, model.ServiceDHCP, p.Network, "qdhcp-"+string(p.Network), p.Rev)
	c.Type = "DHCP"
	return c, true
}

// Arrived reports whether a service works on its host: the agent has made all of it, its ports are plugged
// there, and frames for them go there from every host that is connected.
func (v View) Arrived(m *model.Model, p *model.Placement) bool {
	namespace, ports := "qrouter-"+string(p.Object), m.PortsOfDevice(string(p.Object))
	if p.Service == model.ServiceDHCP {
		namespace, ports = "qdhcp-"+string(p.Object), slices.DeleteFunc(m.PortsOf(p.Object), func(q *model.Port) bool {
			return q.DeviceOwner != model.OwnerDHCP || q.BindingHost != p.Host
		})
	}
	if _, c := v.placed(m, p.Service, p.Object, namespace, p.Rev); !v.stillThere(c, namespace, nil).OK {
		return false
	}
	for _, port := range ports {
		if _, plugged := m.Plugs.Get(model.PlugKey(port.ID, p.Host)); !plugged {
			return false
		}
		for _, c := range v.Port(m, port).Conditions {
			if c.Type == "Realized" && !c.OK {
				return false
			}
		}
	}
	return true
}

// placed is the condition that the namespace of a service holds a revision, and the host it is on.
func (v View) placed(m *model.Model, service string, object model.ID, namespace string, rev uint64) (host string, c Condition) {
	c = Condition{Type: "Placed"}
	at, ok := m.Placements.Get(model.PlacementKey(service, object))
	if !ok {
		c.Reason, c.Msg = NoGatewayHost, "no host is a gateway (heddle-gateway=true) and runs heddle agent"
		return "", c
	}
	c.Host = at.Host
	node := v[at.Host].Node
	if node == nil || !node.Connected {
		if node != nil {
			c.Since = node.Since
		}
		c.Reason, c.Msg = AgentDown, fmt.Sprintf("the agent of host %s does not report: is heddle agent running there?", at.Host)
		return at.Host, c
	}
	switch is := node.Objects[namespace]; {
	case is.Rev >= max(rev, at.Rev):
		c.OK, c.Since = true, node.Held[namespace].Held.Since(max(rev, at.Rev), node.Since)
	case is.Error != "":
		c.Since = node.Held[namespace].ErrSince
		c.Reason, c.Msg = ServiceFailed, fmt.Sprintf("%s on host %s: %s", namespace, at.Host, is.Error)
	default:
		c.Reason, c.Msg = ServicePending, fmt.Sprintf("%s on host %s holds revision %d, %d is needed", namespace, at.Host, is.Rev, max(rev, at.Rev))
	}
	return at.Host, c
}
