package neutron

import (
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// agent is one of the reference's agents as clients look for them. Heddle has none: what they did is done
// by the controller for every host, and by its own agent on gateway hosts.
type agent struct {
	model.Meta // only the id
	host       *model.Host
	kind       AgentType
}

// agentUpdate asks for changes of an agent.
type agentUpdate struct {
	AdminUp l2.Opt[bool] // false keeps new services off its host
}

type agentCollection = collection[*agent, struct{}, agentUpdate]

// agentKinds says how each type calls itself, and whether it is only on gateway hosts.
var agentKinds = map[AgentType]struct {
	binary, topic string
	gateway       bool
	service       string // that is placed on its host; empty for none
}{
	AgentOVS:      {"neutron-openvswitch-agent", "N/A", false, ""},
	AgentL3:       {"neutron-l3-agent", "l3_agent", true, model.ServiceRouter},
	AgentDHCP:     {"neutron-dhcp-agent", "dhcp_agent", true, model.ServiceDHCP},
	AgentMetadata: {"neutron-metadata-agent", "N/A", true, ""},
}

// newAgent makes the agent of a type on a host; its id follows from both.
func newAgent(h *model.Host, kind AgentType) *agent {
	id := uuid.NewSHA1(uuid.NameSpaceDNS, []byte(h.Name+"/"+string(kind)))
	return &agent{Meta: model.Meta{ID: model.ID(id.String())}, host: h, kind: kind}
}

// allAgents visits the agents of every host.
func allAgents(m *model.Model) iter.Seq[*agent] {
	return func(yield func(*agent) bool) {
		for _, h := range m.Hosts.All() {
			for kind, k := range agentKinds {
				if k.gateway && !h.Settings().IsGateway() {
					continue
				}
				if !yield(newAgent(h, kind)) {
					return
				}
			}
		}
	}
}

func findAgent(m *model.Model, id model.ID) (*agent, bool) {
	for a := range allAgents(m) {
		if a.ID == id {
			return a, true
		}
	}
	return nil, false
}

func agentTable(ops *l2.Ops) *resource[*agent, struct{}, agentUpdate] {
	return newResource(resource[*agent, struct{}, agentUpdate]{
		name: "agent", plural: "agents", path: "agents", title: "Agent",
		attrs:   agentAttrs(),
		meta:    func(a *agent) *model.Meta { return &a.Meta },
		find:    findAgent,
		scan:    func(m *model.Model, _ filters) iter.Seq[*agent] { return allAgents(m) },
		visible: func(v *view, _ *agent) bool { return v.who.Admin },
		update: func(tx *store.Tx, id model.ID, q agentUpdate) (*agent, error) {
			a, ok := findAgent(tx.Model(), id)
			switch {
			case !ok:
				return nil, model.NotFoundError("Agent", id)
			case !q.AdminUp.Set():
				return a, nil
			case agentKinds[a.kind].service == "" && !q.AdminUp.Value:
				return nil, model.Errorf(model.Invalid, "BadRequest", "Bad agent request: %s cannot be switched off.", a.kind)
			case agentKinds[a.kind].service == "":
				return a, nil
			}
			h, err := ops.DrainHost(tx, a.host.Name, !q.AdminUp.Value)
			if err != nil {
				return nil, err
			}
			return newAgent(h, a.kind), nil
		},
	})
}

func agentAttrs() []attr[*agent, struct{}, agentUpdate] {
	state := func(v *view, a *agent) AgentState { return v.status.Agent(a.host.Name, a.kind) }
	at := func(of func(AgentState) time.Time) func(*view, *agent) scalar {
		return func(v *view, a *agent) scalar {
			if t := of(state(v, a)); !t.IsZero() {
				return text(t.UTC().Format(time.DateTime))
			}
			return none
		}
	}
	since := func(s AgentState) time.Time { return s.Since }
	return []attr[*agent, struct{}, agentUpdate]{
		{name: "id", ops: filtered | sorted, get: func(_ *view, a *agent) scalar { return text(a.ID) }},
		{name: "agent_type", ops: filtered | sorted, get: func(_ *view, a *agent) scalar { return text(a.kind) }},
		{name: "binary", ops: filtered | sorted, get: func(_ *view, a *agent) scalar { return text(agentKinds[a.kind].binary) }},
		{name: "topic", ops: filtered | sorted, get: func(_ *view, a *agent) scalar { return text(agentKinds[a.kind].topic) }},
		{name: "host", ops: filtered | sorted, get: func(_ *view, a *agent) scalar { return text(a.host.Name) }},
		{name: "admin_state_up", ops: filtered | sorted, as: asBool,
			get: func(_ *view, a *agent) scalar {
				return boolean(!a.host.Drained || agentKinds[a.kind].service == "")
			},
			put: opt(toBool, func(q *agentUpdate) *l2.Opt[bool] { return &q.AdminUp })},
		{name: "alive", ops: filtered | sorted, as: asBool, get: func(v *view, a *agent) scalar { return boolean(state(v, a).Alive) }},
		{name: "availability_zone", ops: filtered | sorted, get: func(_ *view, a *agent) scalar {
			if agentKinds[a.kind].service == "" {
				return none
			}
			return text(zone)
		}},
		{name: "configurations", json: jsonConfigurations},
		{name: "created_at", get: at(since)},
		{name: "started_at", get: at(since)},
		{name: "heartbeat_timestamp", get: at(func(s AgentState) time.Time { return s.Heard })},
		{name: "description", ops: filtered, get: null[*agent]},
		{name: "resources_synced", get: null[*agent]},
	}
}

// jsonConfigurations tells what clients and people look for in an agent's configuration.
func jsonConfigurations(dst []byte, v *view, a *agent) []byte {
	m, host := v.model, a.host
	s := host.Settings()
	doc := map[string]any{}
	switch a.kind {
	case AgentOVS:
		ip, datapath := "", s.DatapathType
		if s.EncapIP.IsValid() {
			ip = s.EncapIP.String()
		}
		if datapath == "" {
			datapath = "system"
		}
		mappings := s.BridgeMappings
		if mappings == nil {
			mappings = map[string]string{}
		}
		doc = map[string]any{"bridge_mappings": mappings, "tunnel_types": append([]model.NetworkType{}, s.EncapTypes...), "tunneling_ip": ip,
			"datapath_type": datapath, "integration_bridge": "br-int", "devices": len(m.PlugsAt(host.Name)),
			"arp_responder_enabled": true, "l2_population": true, "in_distributed_mode": false, "enable_distributed_routing": false}
	case AgentL3:
		routers := m.PlacedAt(host.Name, model.ServiceRouter)
		gateways, interfaces, floating := 0, 0, 0
		for _, id := range routers {
			if r, ok := m.Routers.Get(id); ok && r.Gateway != nil {
				gateways++
			}
			interfaces += len(m.InterfacesOf(id))
			floating += len(m.FloatingIPsOf(id))
		}
		doc = map[string]any{"agent_mode": "legacy", "routers": len(routers), "ex_gw_ports": gateways, "interfaces": interfaces,
			"floating_ips": floating, "handle_internal_only_routers": true, "extensions": []string{"port_forwarding"}}
	case AgentDHCP:
		networks := m.PlacedAt(host.Name, model.ServiceDHCP)
		subnets, ports := 0, 0
		for _, id := range networks {
			subnets += len(m.SubnetsOf(id))
			ports += len(m.PortsOf(id))
		}
		doc = map[string]any{"networks": len(networks), "subnets": subnets, "ports": ports, "dhcp_driver": "dnsmasq"}
	}
	return appendAny(dst, doc)
}

// serveAgents adds the routes of agents and of what is scheduled to them.
func (s *server) serveAgents() {
	table := agentTable(s.L2)
	serve(s, table)
	c := agentCollection{table, s}
	s.handle("GET", "/v2.0/networks/{id}/dhcp-agents", s.agentsOf(c, AgentDHCP, "get_dhcp-agents", func(v *view, id model.ID) error {
		_, err := v.network(id)
		return err
	}))
	s.handle("GET", "/v2.0/routers/{id}/l3-agents", s.agentsOf(c, AgentL3, "get_l3-agents", func(v *view, id model.ID) error {
		if _, ok := v.model.Routers.Get(id); !ok {
			return model.NotFoundError("Router", id)
		}
		return nil
	}))
	serveSchedule(c, networkTable(s.L2), AgentDHCP, "dhcp-network")
	serveSchedule(c, routerTable(s.Routers), AgentL3, "l3-router")
	s.handle("GET", "/v2.0/availability_zones", s.listZones)
}

// serveSchedule adds the routes by which administrators see, and choose, which objects of a table an agent
// serves; name is what these are called in paths and policies.
func serveSchedule[T, C, U any](c agentCollection, of *resource[T, C, U], kind AgentType, name string) {
	all := "/v2.0/agents/{id}/" + name + "s"
	c.srv.handle("GET", all, placedOn(c, of, kind, "get_"+name+"s"))
	c.srv.handle("POST", all, putOn(c, of, kind, "create_"+name))
	c.srv.handle("DELETE", all+"/{object}", takenOff(c, of, kind, "delete_"+name))
}

// agentsOf makes the handler that tells which agents serve an object: one, or none while it has no place.
func (s *server) agentsOf(c agentCollection, kind AgentType, action string, look func(*view, model.ID) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v := s.view(r, s.Store.Snapshot())
		if !v.who.Admin {
			return forbidden(action)
		}
		if err := look(v, pathID(r)); err != nil {
			return err
		}
		var found []*agent
		if h, ok := v.model.Hosts.Get(v.model.HostOfService(agentKinds[kind].service, pathID(r))); ok {
			found = append(found, newAgent(h, kind))
		}
		c.answerList(w, v, found, parseQuery(r.URL.RawQuery).all("fields"))
		return nil
	}
}

// placedOn makes the handler that lists the objects of a table that an agent serves.
func placedOn[T, C, U any](c agentCollection, of *resource[T, C, U], kind AgentType, action string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v := c.srv.view(r, c.srv.Store.Snapshot())
		if !v.who.Admin {
			return forbidden(action)
		}
		a, err := c.look(v, pathID(r))
		if err != nil {
			return err
		}
		var found []T
		if a.kind == kind {
			for _, id := range v.model.PlacedAt(a.host.Name, agentKinds[kind].service) {
				if t, ok := of.find(v.model, id); ok {
					found = append(found, t)
				}
			}
		}
		collection[T, C, U]{of, c.srv}.answerList(w, v, found, parseQuery(r.URL.RawQuery).all("fields"))
		return nil
	}
}

// answerList writes objects that are not read page by page, by id.
func (c collection[T, C, U]) answerList(w http.ResponseWriter, v *view, list []T, fields []string) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(string(c.meta(a).ID), string(c.meta(b).ID)) })
	s := c.shapeFor(v, fields)
	b := append([]byte(nil), `{"`+c.plural+`":`...)
	b = appendList(b, list, func(dst []byte, t T) []byte { return s.append(dst, v, t) })
	writeJSON(w, http.StatusOK, append(b, '}'))
}
