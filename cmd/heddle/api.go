package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/heddle-sdn/heddle/controller"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/northbound/dashboard"
	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/northbound/metrics"
	"github.com/heddle-sdn/heddle/northbound/native"
	"github.com/heddle-sdn/heddle/northbound/neutron"
	"github.com/heddle-sdn/heddle/northbound/nodeapi"
	"github.com/heddle-sdn/heddle/northbound/plan"
	"github.com/heddle-sdn/heddle/store/model"
)

// api returns everything the REST listener serves.
func (s *server) api() (http.Handler, error) {
	auth, err := s.authenticator()
	if err != nil {
		return nil, err
	}
	log := s.log.WithField("component", "api")
	plans := plan.New(plan.Config{Store: s.store, Fabric: s.control})
	drafts := plan.Drafts{Store: s.store}
	networking := neutron.New(neutron.Config{Store: drafts, L2: s.ops, Routers: s.routers, NAT: s.nat, Auth: auth, Status: portStatus{s},
		DNSDomain: s.config.DNSDomain, Log: log, Observe: s.metrics.Request, Around: plans.Around(neutron.Refuse)})
	plans.Show(networking.Attributes, native.HostAttributes)
	return httpd.Mounts{
		"/":   dashboard.Front(networking),
		"/ui": dashboard.New(),
		"/v1": native.New(native.Config{Store: drafts, Past: s.store, History: s.store, Attributes: networking.Attributes, Plans: plans, Documents: networking, Hosts: s.ops, Fabric: s.control, MACs: s.macs, Events: s.events,
			Counters: s.metrics, Auth: auth, Log: log, Version: version().Version, Observe: s.metrics.Request}),
		"/node":    nodeapi.New(nodeapi.Config{Specs: nodes{s.control}, Reports: nodes{s.control}, Auth: auth, Log: log}),
		"/metrics": s.metrics.Handler(),
		"/livez":   httpd.Livez(),
		"/readyz": httpd.Readyz(
			httpd.Check{Name: "store", Ready: s.storeReady},
			httpd.Check{Name: "hosts", Ready: s.hostsReady}),
	}, nil
}

func (s *server) authenticator() (identity.Authenticator, error) {
	if s.config.Auth == "noauth" {
		return identity.NoAuth{}, nil
	}
	tokens, err := identity.OpenTokens(s.config.TokenFile, s.log.WithField("component", "identity"))
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	return tokens, nil
}

// storeReady is nil unless the last commit failed.
func (s *server) storeReady() error {
	if failure := s.commitFailure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// hostsReady is nil once every connected host has been compared with its plan.
func (s *server) hostsReady() error {
	for name, h := range s.control.Status() {
		if _, last := h.Confirmed(); h.Down() == "" && h.Targets[last].At.IsZero() && h.Targets[last].Err == "" {
			return fmt.Errorf("%s of host %s was not read yet", last, name)
		}
	}
	return nil
}

// nodes is what the controller tells agents, and hears from them.
type nodes struct{ *controller.Controller }

// Spec returns what the agent of a host should make.
func (n nodes) Spec(host string) (spec.Node, <-chan struct{}, error) {
	node, changed, err := n.Controller.Spec(host)
	return node, changed, unknownHost(err)
}

// Report takes the status of a host's agent.
func (n nodes) Report(host string, s spec.NodeStatus) error {
	return unknownHost(n.Controller.Report(host, s))
}

// Leases takes the leases of a host's DHCP servers.
func (n nodes) Leases(host string, leases []spec.Lease) error {
	return unknownHost(n.TakeLeases(host, leases))
}

func unknownHost(err error) error {
	if errors.Is(err, controller.ErrUnknownHost) {
		return fmt.Errorf("%w: %w", nodeapi.ErrUnknownHost, err)
	}
	return err
}

// portStatus derives the states that the Networking API shows.
type portStatus struct{ *server }

// PortStatus returns "ACTIVE", "BUILD" or "DOWN".
func (s portStatus) PortStatus(m *model.Model, p *model.Port) string {
	return s.control.Status().Port(m, p).Status
}

// NetworkStatus is always ACTIVE: a network has no state of its own, its ports have.
func (portStatus) NetworkStatus(*model.Model, *model.Network) string { return status.Active }

// RouterStatus is always ACTIVE, as that of the reference's routers; why one forwards nothing is said by /v1.
func (portStatus) RouterStatus(*model.Model, *model.Router) string { return status.Active }

// FloatingIPStatus returns "ACTIVE" or "DOWN".
func (s portStatus) FloatingIPStatus(m *model.Model, f *model.FloatingIP) string {
	return s.control.Status().FloatingIP(m, f).Status
}

// Agent tells whether a host is connected and, of what its node agent does, whether that reports.
func (s portStatus) Agent(host string, kind neutron.AgentType) neutron.AgentState {
	h, known := s.control.Status()[host]
	if kind != neutron.AgentOVS {
		if h.Node == nil {
			return neutron.AgentState{}
		}
		return neutron.AgentState{Alive: h.Node.Connected, Heard: h.Node.Seen}
	}
	out := neutron.AgentState{Alive: known && len(h.Targets) > 0 && h.Down() == ""}
	for _, t := range h.Targets {
		if t.At.After(out.Heard) {
			out.Heard = t.At
		}
	}
	return out
}

// fabric counts everything, for the metrics.
func (s *server) fabric() metrics.Fabric {
	m, view := s.store.Snapshot(), s.control.Status()
	f := metrics.Fabric{Revision: m.Rev, Networks: m.Networks.Len(), Subnets: m.Subnets.Len(), Plugged: m.Plugs.Len(),
		Learned: len(s.macs.List()), Events: s.events.Last(), Ports: map[string]int{status.Active: 0, status.Build: 0, status.Down: 0},
		Routers: m.Routers.Len(), FloatingIPs: map[string]int{status.Active: 0, status.Down: 0}, StoreBytes: s.backend.Size()}
	for _, ip := range m.FloatingIPs.All() {
		f.FloatingIPs[view.FloatingIP(m, ip).Status]++
	}
	for _, p := range m.Ports.All() {
		f.Ports[view.Port(m, p).Status]++
	}
	for _, sw := range s.control.Switches() {
		f.Switches = append(f.Switches, metrics.Switch{DPID: sw.DPID.String(), Host: sw.Host, Bridge: sw.Bridge, Ports: len(sw.Ports), Flows: sw.Flows})
	}
	mesh := view.Mesh(m)
	for name, h := range view {
		for target, t := range h.Targets {
			f.Targets = append(f.Targets, metrics.Target{Host: name, Target: target, Connected: t.Connected, Revision: t.Rev})
		}
		if h.Node != nil {
			a := metrics.Agent{Host: name, Connected: h.Node.Connected, Namespaces: len(h.Node.Objects)}
			for _, o := range h.Node.Objects {
				if o.Error != "" {
					a.Failed++
				}
			}
			f.Agents = append(f.Agents, a)
		}
		f.Tunnels = append(f.Tunnels, tunnels(m, mesh, name)...)
	}
	return f
}

// tunnels counts the tunnels of a host by their states.
func tunnels(m *model.Model, mesh *status.Mesh, host string) []metrics.Tunnels {
	h, ok := m.Hosts.Get(host)
	if !ok {
		return nil
	}
	count := map[status.TunnelState]int{}
	if _, all := mesh.AllUp(h); all {
		count[status.TunnelUp] = mesh.Count(h)
	} else {
		for _, p := range mesh.Paths(h) {
			count[p.State]++
		}
	}
	var out []metrics.Tunnels
	for _, state := range []status.TunnelState{status.TunnelUp, status.TunnelDown, status.TunnelUnknown} {
		out = append(out, metrics.Tunnels{Host: host, State: string(state), Number: count[state]})
	}
	return out
}
