package neutron

import "net/http"

// extension is an optional part of the API. Clients switch features by its presence, so one is listed
// only when all of it works.
type extension struct {
	Name        string   `json:"name"`
	Alias       string   `json:"alias"`
	Description string   `json:"description"`
	Updated     string   `json:"updated"`
	Links       []string `json:"links"`
}

// extensions lists what is served; names and dates are the reference's, by which clients know them.
func extensions() []extension {
	none := []string{}
	return []extension{
		{"agent", "agent", "Hosts show as the agents that clients look for", "2013-02-03T10:00:00-00:00", none},
		{"Availability Zone", "availability_zone", "Agents and objects say in which zone they are", "2015-01-01T10:00:00-00:00", none},
		{"Availability Zone Filter Extension", "availability_zone_filter", "Availability zones can be filtered", "2018-06-22T10:00:00-00:00", none},
		{"Port Binding", "binding", "Ports say on which host they are and how they are wired there", "2014-02-03T10:00:00-00:00", none},
		{"DHCP Agent Scheduler", "dhcp_agent_scheduler", "Administrators choose which agent serves a network", "2013-02-07T10:00:00-00:00", none},
		{"Empty String Filtering Extension", "empty-string-filtering", "An empty filter value selects objects whose attribute is empty", "2018-05-01T10:00:00-00:00", none},
		{"Expose Floating IP port forwardings", "expose-port-forwarding-in-fip", "Floating IPs list their port forwardings", "2018-06-28T16:00:00-00:00", none},
		{"Neutron L3 Configurable external gateway mode", "ext-gw-mode", "Source NAT of a router can be switched off", "2013-03-28T10:00:00-00:00", none},
		{"Neutron external network", "external-net", "Networks can be marked as leading outside", "2013-01-14T10:00:00-00:00", none},
		{"Neutron Extra Route", "extraroute", "Routers have static routes", "2013-02-01T10:00:00-00:00", none},
		{"Atomically add/remove extra routes", "extraroute-atomic", "Routes can be added and removed one by one", "2019-07-10T00:00:00+00:00", none},
		{"Filter parameters validation", "filter-validation", "Unknown filters are refused instead of ignored", "2018-07-04T10:00:00-00:00", none},
		{"Floating IP Port Details Extension", "fip-port-details", "Floating IPs tell of the port that they lead to", "2018-04-09T10:00:00-00:00", none},
		{"Floating IP Port Forwarding", "floating-ip-port-forwarding", "Ports of a floating IP can be given to different ports", "2018-01-19T10:00:00-00:00", none},
		{"Floating IP Port Forwarding new attribute description", "floating-ip-port-forwarding-description", "Port forwardings have a description", "2019-11-01T10:00:00-00:00", none},
		{"Floating IP port forwarding detail", "floating-ip-port-forwarding-detail", "Floating IPs list their port forwardings with ids", "2022-05-06T10:00:00-00:00", none},
		{"Floating IP Port Forwarding support port ranges", "floating-ip-port-forwarding-port-ranges", "A port forwarding can be of a range of ports", "2020-07-01T10:00:00-00:00", none},
		{"IP address substring filtering", "ip-substring-filtering", "Ports can be filtered by part of an address", "2017-11-28T09:00:00-00:00", none},
		{"IP Allocation", "ip_allocation", "Ports say whether they were given addresses", "2016-06-10T23:00:00-00:00", none},
		{"L3 Agent Scheduler", "l3_agent_scheduler", "Administrators choose which agent runs a router", "2013-02-07T10:00:00-00:00", none},
		{"L2 Adjacency", "l2_adjacency", "Networks say that their ports share one segment", "2016-04-12T16:00:00-00:00", none},
		{"Network MTU", "net-mtu", "Networks say the largest packet they carry", "2015-03-25T10:00:00-00:00", none},
		{"Network MTU (writable)", "net-mtu-writable", "The largest packet of a network can be chosen", "2017-07-12T00:00:00-00:00", none},
		{"Network Availability Zone", "network_availability_zone", "Networks say in which zones their DHCP servers are", "2015-01-01T10:00:00-00:00", none},
		{"Pagination support", "pagination", "Lists can be read page by page", "2016-06-12T00:00:00-00:00", none},
		{"Neutron Port MAC address regenerate", "port-mac-address-regenerate", "A null MAC address asks for another one", "2018-05-03T10:00:00-00:00", none},
		{"project_id field enabled", "project-id", "project_id is another name of tenant_id", "2016-09-09T09:09:09-09:09", none},
		{"Provider Network", "provider", "Administrators choose and see how a network's frames travel", "2012-09-07T10:00:00-00:00", none},
		{"If-Match constraints based on revision_number", "revision-if-match", "Changes can be made conditional on a revision number", "2016-12-11T00:00:00-00:00", none},
		{"Neutron L3 Router", "router", "Routers connect networks, and networks with the outside by floating IPs", "2012-07-20T10:00:00-00:00", none},
		{"Exposes the router \"enable_snat\" read-only configuration flag", "router-enable-snat", "Routers say whether they hide source addresses", "2025-09-18T18:00:00-00:00", none},
		{"Router Availability Zone", "router_availability_zone", "Routers say in which zones they are", "2015-01-01T10:00:00-00:00", none},
		{"Sort keys validation", "sort-key-validation", "Unknown sort keys are refused instead of ignored", "2018-07-04T10:00:00-00:00", none},
		{"Sorting support", "sorting", "Lists can be sorted by several attributes", "2016-06-12T00:00:00-00:00", none},
		{"standard-attr-description", "standard-attr-description", "Objects have a description", "2016-02-10T10:00:00-00:00", none},
		{"Resource revision numbers", "standard-attr-revisions", "Objects count their changes", "2016-04-11T10:00:00-00:00", none},
		{"Tag support for resources with standard attribute: network, port, subnet, router, floatingip", "standard-attr-tag", "Objects have tags, and lists can be filtered by them", "2017-01-01T00:00:00-00:00", none},
		{"Resource timestamps", "standard-attr-timestamp", "Objects say when they were made and changed", "2016-09-12T10:00:00-00:00", none},
		{"Tag creation extension", "tag-creation", "Tags can be added to those there are", "2024-23-07T10:00:00-00:00", none},
		{"Tag Ports During Bulk Creation", "tag-ports-during-bulk-creation", "Ports can be given tags when they are created", "2019-12-29T19:00:00-00:00", none},
	}
}

func (s *server) listExtensions(w http.ResponseWriter, _ *http.Request) error {
	return writeDocument(w, map[string]any{"extensions": extensions()})
}

func (s *server) showExtension(w http.ResponseWriter, r *http.Request) error {
	alias := pathVar(r, "alias")
	for _, e := range extensions() {
		if e.Alias == alias {
			return writeDocument(w, map[string]any{"extension": e})
		}
	}
	return &httpError{http.StatusNotFound, "HTTPNotFound", "Extension with alias " + alias + " does not exist"}
}
