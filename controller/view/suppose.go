package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// firstSupposed is the first number given to ports that are not there. Open vSwitch gives none from
// OFPP_MAX (0xff00) of OpenFlow 1.0 on to real ports.
const firstSupposed of.PortNo = 0x10000

// Suppose returns what a host should be by a model, given what is seen of it. Where something that should
// be there is not, such as a bridge that is not connected, the state says so and goes on as if it were.
// planned is the host's plan by that model and what is seen, if it is at hand and has rows; else nil.
func Suppose(m *model.Model, host string, seen spec.Observed, planned *spec.Spec, planners ...spec.Planner) (*HostState, error) {
	if _, ok := m.Hosts.Get(host); !ok {
		return nil, fmt.Errorf("host %s is not known", host)
	}
	s := supposition{m: m, host: host, seen: seen, planners: planners, next: firstSupposed,
		out: &HostState{Ports: map[string]map[string]of.Port{}, Absent: map[string]map[string]bool{}, Away: map[string]string{}, Tunnels: map[string]row.Tunnel{}}}
	if err := s.suppose(planned); err != nil {
		return nil, err
	}
	if s.out.Spec = planned; planned != nil && len(s.out.Absent) == 0 && len(s.out.Away) == 0 {
		return s.out, nil
	}
	var err error
	s.out.Spec, err = spec.Plan(m, spec.Observed{Ports: s.out.Ports, Rows: s.rows}, host, planners...)
	return s.out, err
}

// supposition is what is seen of a host, completed by what should be there.
type supposition struct {
	m        *model.Model
	host     string
	seen     spec.Observed
	planners []spec.Planner
	rows     *spec.Rows
	out      *HostState
	next     of.PortNo // for the next port that is not there
}

// suppose finds out which ports should be there and are not, given the host's plan if there is one.
func (s *supposition) suppose(planned *spec.Spec) error {
	is, _ := s.m.Hosts.Get(s.host)
	s.rows = s.seen.Rows
	if s.rows == nil {
		s.rows = &spec.Rows{Bridges: map[string]bool{}, Plugged: map[string]string{}}
		for _, bridge := range is.Settings().BridgeMappings {
			s.rows.Bridges[bridge] = true
		}
		for _, plug := range s.m.PlugsAt(s.host) {
			s.rows.Plugged[plug.Iface] = string(plug.Port)
		}
	}
	if planned == nil || s.seen.Rows == nil {
		// Which ports there should be does not depend on which there are.
		var err error
		if planned, err = spec.Plan(s.m, spec.Observed{Rows: s.rows}, s.host, s.planners...); err != nil {
			return err
		}
	}
	for name := range planned.Needs {
		if planned.Needs[name] || s.seen.Ports[name] != nil {
			s.bridge(name)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(planned.Rows), func(a, b row.Key) int { return strings.Compare(a.String(), b.String()) }) {
		switch r := planned.Rows[k].(type) {
		case row.Patch:
			s.port(r.Bridge, r.Name)
		case row.Tunnel:
			s.port(r.Bridge, r.Name)
			s.out.Tunnels[r.Name] = r
		}
	}
	for _, plug := range s.m.PlugsAt(s.host) {
		s.port(row.IntBridge, plug.Iface)
	}
	return nil
}

// bridge takes over what is seen of a bridge.
func (s *supposition) bridge(name string) {
	if ports := s.seen.Ports[name]; ports != nil {
		s.out.Ports[name] = maps.Clone(ports)
		return
	}
	s.out.Ports[name] = map[string]of.Port{name: {No: of.PortLocal, Name: name}}
	s.out.Away[name] = "it is not connected to Heddle"
}

// port makes a port be there.
func (s *supposition) port(bridge, name string) {
	ports := s.out.Ports[bridge]
	if ports == nil || ports[name].No != 0 {
		return
	}
	ports[name] = of.Port{No: s.next, Name: name}
	s.next++
	if s.out.Away[bridge] != "" {
		return // nobody knows which of its ports are there
	}
	if s.out.Absent[bridge] == nil {
		s.out.Absent[bridge] = map[string]bool{}
	}
	s.out.Absent[bridge][name] = true
}
