package cli

import (
	"context"
	"net/url"
	"strconv"
	"strings"
)

// The resources of the fabric: those of /v1, for administrators.

func hostResource() *resource {
	return &resource{name: "host", plural: "hosts", short: []string{"ho"}, says: "the hosts that Heddle knows",
		path: "/v1/hosts", list: "hosts", key: "name", kind: "host", lone: true,
		columns: []column{nameColumn, {title: "UP", path: "connected"}, {title: "TUNNEL IP", path: "effective.encap_ip"},
			{title: "GATEWAY", path: "effective.gateway", show: func(o object) string { return yesNo(o.yes("effective.gateway")) }},
			{title: "REVISION", path: "revision"}, {title: "NETWORKS", path: "counts.networks"}, {title: "PORTS", path: "counts.ports"},
			{title: "WHY NOT", path: "problems", show: func(o object) string {
				var out []string
				for _, p := range o.objects("problems") {
					out = append(out, p.text("reason"))
				}
				return strings.Join(out, ",")
			}},
			{title: "TUNNELS", path: "effective.encap_types", wide: true}, {title: "DRAINED", path: "drained", wide: true},
			{title: "BRIDGES", path: "effective.bridge_mappings", wide: true}, {title: "DATAPATH", path: "effective.datapath_type", wide: true},
			{title: "MESSAGE", path: "problems", wide: true, show: func(o object) string {
				var out []string
				for _, p := range o.objects("problems") {
					out = append(out, p.text("message"))
				}
				return strings.Join(out, "; ")
			}}},
		attributes: hostAttributes(), create: "PUT", update: "PATCH", remove: true}
}

func switchResource() *resource {
	return &resource{name: "switch", plural: "switches", short: []string{"sw"}, says: "connected bridges",
		path: "/v1/switches", list: "switches", key: "dpid", lone: true,
		columns: []column{{title: "DPID", path: "dpid"}, {title: "HOST", path: "host"}, {title: "BRIDGE", path: "bridge"},
			{title: "MANAGED", path: "managed"}, {title: "PORTS", path: "ports"}, {title: "REVISION", path: "target.rev"}, {title: "REMOTE", path: "remote"},
			{title: "HINT", path: "hint", wide: true}, {title: "ERROR", path: "target.error", wide: true}},
		filters: []filter{{flag: "host", member: "host", says: "bridges of a host", param: "host"}}}
}

func flowResource() *resource {
	return &resource{name: "flow", plural: "flows", short: []string{"fl"}, says: "flows, read from the bridges now and compared with what is wanted",
		path: "/v1/switches", list: "flows", key: "text",
		columns: []column{{title: "HOST", path: "host"}, {title: "BRIDGE", path: "bridge"}, {title: "TABLE", path: "table", show: func(o object) string {
			return strings.TrimSpace(o.text("table") + " " + o.text("table_name"))
		}}, {title: "PRIORITY", path: "priority"}, {title: "STATE", path: "state"}, {title: "PACKETS", path: "packets"},
			{title: "MATCH", path: "match"}, {title: "ACTIONS", path: "actions"}, {title: "OBJECT", path: "object", show: objectColumn},
			{title: "BYTES", path: "bytes", wide: true}, {title: "AGE", path: "age_seconds", wide: true}, {title: "COOKIE", path: "cookie", wide: true},
			{title: "USER", path: "user", wide: true}, {title: "REQUEST", path: "request", wide: true}, {title: "SAYS", path: "says", wide: true}},
		filters: []filter{{flag: "host", member: "host", says: "flows of a host's bridges"}, {flag: "bridge", member: "bridge", says: "flows of bridges with a name: br-tun"},
			{flag: "table", says: "flows of a table, by number or name: to_unicast"}, {flag: "state", says: "ok, missing, altered, stale, learned, foreign"},
			{flag: "kind", says: "base, network, port, learned"}, {flag: "object", says: "flows that an object causes: port/web"},
			{flag: "grep", says: "flows whose text holds this"}},
		fetch: fetchFlows}
}

func namespaceResource() *resource {
	return &resource{name: "namespace", plural: "namespaces", short: []string{"ns"}, says: "network namespaces of gateway hosts: routers and DHCP servers",
		path: "/v1/hosts", list: "namespaces", key: "name",
		columns: []column{{title: "HOST", path: "host"}, nameColumn, {title: "OBJECT", path: "object", show: objectColumn}, {title: "WANTED", path: "rev"},
			{title: "CONFIRMED", path: "confirmed_rev"}, {title: "REMOVING", path: "removing", wide: true}, {title: "ERROR", path: "error"}},
		filters: []filter{{flag: "host", member: "host", says: "namespaces of a host"}},
		fetch:   fetchNamespaces}
}

func tunnelResource() *resource {
	return &resource{name: "tunnel", plural: "tunnels", short: []string{"tun"}, says: "each direction of each tunnel",
		path: "/v1/tunnels", list: "tunnels", key: "interface",
		columns: []column{{title: "FROM", path: "from"}, {title: "TO", path: "to"}, {title: "TYPE", path: "type"}, {title: "STATE", path: "state"},
			{title: "WHY NOT", path: "reason"}, {title: "LOCAL", path: "local_ip"}, {title: "REMOTE", path: "remote_ip"},
			{title: "INTERFACE", path: "interface", wide: true}, {title: "SINCE", path: "since", wide: true}, {title: "RX BYTES", path: "rx_bytes", wide: true},
			{title: "TX BYTES", path: "tx_bytes", wide: true}},
		filters: []filter{{flag: "host", member: "from", says: "tunnels that begin at a host"}, {flag: "to", member: "to", says: "tunnels to a host"},
			{flag: "type", member: "type", says: "gre, vxlan or geneve"}, {flag: "status", member: "state", says: "up, down or unknown"}}}
}

func macResource() *resource {
	return &resource{name: "mac", plural: "macs", says: "where MAC addresses are",
		path: "/v1/macs", list: "macs", key: "mac",
		columns: []column{{title: "MAC", path: "mac"}, {title: "SOURCE", path: "source"}, {title: "HOST", path: "host"}, {title: "BRIDGE", path: "bridge"},
			{title: "NETWORK", path: "network_id", refers: "network"}, {title: "VLAN", path: "vlan"}, {title: "INTERFACE", path: "interface"},
			{title: "API PORT", path: "port_id", refers: "port"}, {title: "SINCE", path: "since", wide: true}},
		filters: []filter{{flag: "network", member: "network_id", refers: "network", says: "addresses on a network", param: "network"}, {flag: "mac", member: "mac", says: "one address", param: "mac"},
			{flag: "host", member: "host", says: "addresses seen by a host", param: "host"}, {flag: "source", member: "source", says: "port or learned", param: "source"}}}
}

func leaseResource() *resource {
	return &resource{name: "lease", plural: "leases", says: "addresses that DHCP gives to ports",
		path: "/v1/leases", list: "leases", key: "ip",
		columns: []column{{title: "ADDRESS", path: "ip"}, {title: "MAC", path: "mac"}, {title: "PORT", path: "port_id", refers: "port"},
			{title: "NETWORK", path: "network_id", refers: "network"}, {title: "STATE", path: "state"}, {title: "HOST", path: "host"},
			{title: "HOSTNAME", path: "hostname", wide: true}, {title: "EXPIRES", path: "expires", wide: true}},
		filters: []filter{{flag: "network", member: "network_id", refers: "network", says: "leases on a network", param: "network"},
			{flag: "port", member: "port_id", refers: "port", says: "leases of a port", param: "port"}, {flag: "host", member: "host", says: "leases that a host gives"}}}
}

func agentResource() *resource {
	return &resource{name: "agent", plural: "agents", short: []string{"ag"}, says: "node agents, which make routers and DHCP servers",
		path: "/v1/agents", list: "agents", key: "host",
		columns: []column{{title: "HOST", path: "host"}, {title: "UP", path: "connected"}, {title: "NAMESPACES", path: "namespaces"}, {title: "FAILED", path: "failed"},
			{title: "PENDING", path: "pending"}, {title: "DRAINED", path: "drained"}, {title: "SEEN", path: "seen"},
			{title: "STARTED", path: "started", wide: true}, {title: "VERSION", path: "version", wide: true}, {title: "ERRORS", path: "errors", wide: true}}}
}

func eventResource() *resource {
	return &resource{name: "event", plural: "events", short: []string{"ev"}, says: "what happened; heddle events is the same, and follows them",
		path: "/v1/events", list: "events", key: "id",
		columns: []column{{title: "TIME", path: "time"}, {title: "KIND", path: "kind"}, {title: "HOST", path: "host"}, {title: "WHAT", path: "body"}, {title: "ID", path: "id", wide: true}},
		filters: []filter{{flag: "kind", member: "kind", says: "events of a kind: changed, drift"}, {flag: "host", member: "host", says: "events of a host"},
			{flag: "limit", says: "how many, the newest (100)"}},
		fetch: fetchEvents}
}

func planResource() *resource {
	return &resource{name: "plan", plural: "plans", says: "changes that were asked for with --plan and can be applied",
		path: "/v1/plans", list: "plans", one: "plan", key: "id", lone: true,
		columns: []column{idColumn, {title: "REVISION", path: "rev"}, {title: "CREATED", path: "created"}, {title: "EXPIRES", path: "expires"},
			{title: "USER", path: "request.user"}, {title: "REQUEST", path: "request", show: func(o object) string {
				return strings.TrimSpace(o.text("request.method") + " " + o.text("request.path"))
			}}, {title: "OBJECTS", path: "summary.objects"}, {title: "HOSTS", path: "summary.hosts"}},
		remove: true}
}

// objectColumn shows what something is there for: "port/web", or with its id if it has no name.
func objectColumn(o object) string {
	kind, id, is := strings.Cut(o.text("object"), "/")
	if !is {
		return o.text("object")
	}
	if name := o.text("object_name"); name != "" {
		return kind + "/" + name
	}
	return kind + "/" + id
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// fetchForwardings asks every floating IP that has port forwardings for them.
func fetchForwardings(ctx context.Context, s *session, chosen url.Values) ([]object, error) {
	query := url.Values{}
	if id := chosen.Get("floatingip"); id != "" {
		query.Set("id", id)
	}
	if s.project != "" {
		query.Set("project_id", s.project)
	}
	ips, err := s.list(ctx, mustResource("floatingip"), query)
	if err != nil {
		return nil, err
	}
	var out []object
	for _, ip := range ips {
		if len(ip.objects("port_forwardings")) == 0 {
			continue
		}
		var answer object
		if err := s.Get(ctx, forwardingsPath(ip.text("id")), nil, &answer); err != nil {
			return nil, err
		}
		for _, f := range answer.objects("port_forwardings") {
			f["floatingip_id"] = ip["id"]
			out = append(out, f)
		}
	}
	return out, nil
}

func forwardingsPath(floatingIP string) string {
	return "/v2.0/floatingips/" + url.PathEscape(floatingIP) + "/port_forwardings"
}

// fetchFlows reads the flows of every bridge that was chosen.
func fetchFlows(ctx context.Context, s *session, chosen url.Values) ([]object, error) {
	query := url.Values{}
	for flag, param := range map[string]string{"table": "table", "state": "state", "kind": "kind", "grep": "q"} {
		if chosen.Has(flag) {
			query.Set(param, chosen.Get(flag))
		}
	}
	if chosen.Has("object") {
		kind, id, err := s.resolveObject(ctx, chosen.Get("object"))
		if err != nil {
			return nil, err
		}
		query.Set("object", kind+"/"+id)
	}
	bridges, err := s.list(ctx, mustResource("switch"), nil)
	if err != nil {
		return nil, err
	}
	var out []object
	read := 0
	for _, b := range bridges {
		if chosen.Has("host") && chosen.Get("host") != b.text("host") || chosen.Has("bridge") && chosen.Get("bridge") != b.text("bridge") {
			continue
		}
		read++
		var answer object
		if err := s.Get(ctx, "/v1/switches/"+b.text("dpid")+"/flows", query, &answer); err != nil {
			return nil, err
		}
		for _, f := range answer.objects("flows") {
			f["host"], f["bridge"], f["dpid"] = b["host"], b["bridge"], b["dpid"]
			out = append(out, f)
		}
	}
	if read == 0 {
		return nil, notFoundf("no connected bridge is %s of host %s; heddle get switches lists those that are", orAny(chosen.Get("bridge")), orAny(chosen.Get("host")))
	}
	return out, nil
}

func orAny(s string) string {
	if s == "" {
		return "any"
	}
	return s
}

// fetchEvents reads the newest events that were chosen.
func fetchEvents(ctx context.Context, s *session, chosen url.Values) ([]object, error) {
	limit := 100
	if chosen.Has("limit") {
		var err error
		if limit, err = strconv.Atoi(chosen.Get("limit")); err != nil {
			return nil, usagef("--limit %q is no number", chosen.Get("limit"))
		}
	}
	events, _, err := s.recentEvents(ctx, func(e object) bool {
		return (!chosen.Has("kind") || e.text("kind") == chosen.Get("kind")) && (!chosen.Has("host") || e.text("host") == chosen.Get("host"))
	}, limit)
	return events, err
}

// fetchNamespaces lists the namespaces of every host, or of the chosen one.
func fetchNamespaces(ctx context.Context, s *session, chosen url.Values) ([]object, error) {
	hosts, err := s.list(ctx, mustResource("host"), nil)
	if err != nil {
		return nil, err
	}
	var out []object
	for _, h := range hosts {
		if chosen.Has("host") && chosen.Get("host") != h.text("name") {
			continue
		}
		var answer object
		if err := s.Get(ctx, "/v1/hosts/"+url.PathEscape(h.text("name"))+"/namespaces", nil, &answer); err != nil {
			return nil, err
		}
		for _, ns := range answer.objects("namespaces") {
			ns["host"] = h["name"]
			out = append(out, ns)
		}
	}
	return out, nil
}
