// Package neutron serves the OpenStack Networking API v2.0 over the store: networks, subnets, ports,
// routers, floating IPs and their port forwardings; and agents, which are derived from hosts.
//
// What a resource is like is a table, one row an attribute (networks.go, routers.go, …); what
// can be done with it is written once for all of them: decoding and its order of checks (resource.go),
// lists with filters, sorting and pages (list.go), the handlers (handlers.go), tags (tags.go). A new
// resource is a new table. Answers follow the reference implementation, Neutron, to the message,
// because clients look at it.
package neutron

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Store is where the API reads and writes; [store.Store] is one.
type Store interface {
	Snapshot() *model.Model
	Update(ctx context.Context, fn func(*store.Tx) error) (*model.Model, error)
}

// Status tells what the fabric has confirmed of what is stored. Its methods are called for each object
// of a list and must be quick; they may be called from any goroutine.
type Status interface {
	// PortStatus is "ACTIVE", "BUILD" or "DOWN".
	PortStatus(m *model.Model, p *model.Port) string
	// NetworkStatus is "ACTIVE", "BUILD" or "DOWN".
	NetworkStatus(m *model.Model, n *model.Network) string
	// RouterStatus is "ACTIVE", "ALLOCATING" or "ERROR".
	RouterStatus(m *model.Model, r *model.Router) string
	// FloatingIPStatus is "ACTIVE" if the floating IP leads to a port and its host has confirmed it, else
	// "DOWN" or "ERROR".
	FloatingIPStatus(m *model.Model, f *model.FloatingIP) string
	// Agent tells of what Heddle runs on a host, or for it, in place of one of the reference's agents.
	Agent(host string, kind AgentType) AgentState
}

// AgentType is what an agent is for, as the API names it.
type AgentType string

// The types of agents.
const (
	AgentOVS      AgentType = "Open vSwitch agent"
	AgentL3       AgentType = "L3 agent"
	AgentDHCP     AgentType = "DHCP agent"
	AgentMetadata AgentType = "Metadata agent"
)

// AgentState is whether an agent lives.
type AgentState struct {
	Alive bool
	Since time.Time // when it was last connected; zero if not known
	Heard time.Time // when it was last heard of; zero if never
}

// Config is what the API is made of. Store, L2, Routers, NAT, Auth, Status and Log are needed.
type Config struct {
	Store   Store
	L2      *l2.Ops
	Routers *router.Ops
	NAT     *nat.Ops
	Auth    identity.Authenticator
	Status  Status
	Log     *logrus.Entry

	// KeystoneURI is where clients without a token are sent; default http://127.0.0.1:5000.
	KeystoneURI string
	// PublicURL replaces scheme and host of the links in answers, for a server behind a proxy:
	// "https://net.example.org/network". Empty: what the request says.
	PublicURL string
	// DNSDomain is the domain of ports' names in dns_assignment, on networks that have none themselves;
	// default "openstacklocal".
	DNSDomain string
	// MaxBody is the longest request body in bytes; default 4 MiB.
	MaxBody int64
	// Observe is told of every request: its route ("/v2.0/networks/{id}", empty if there is none),
	// method, status code and how long it took. It may be nil.
	Observe func(route, method string, code int, took time.Duration)
	// Around is put around what requests reach once it is known who sent them. It may be nil.
	Around func(http.Handler) http.Handler
}

type server struct {
	Config
	router     *mux.Router
	describers []change.Attributes

	networks    *resource[*model.Network, l2.NetworkCreate, l2.NetworkUpdate]
	subnets     *resource[*model.Subnet, l2.SubnetCreate, l2.SubnetUpdate]
	ports       *resource[*model.Port, l2.PortCreate, l2.PortUpdate]
	routers     *resource[*model.Router, router.Create, router.Update]
	floatingIPs *resource[*model.FloatingIP, nat.FloatingIPCreate, nat.FloatingIPUpdate]
}

// API is the handler of "/" and of everything below "/v2.0".
type API struct {
	http.Handler
	srv *server
}

// New returns the API.
func New(c Config) *API {
	if c.KeystoneURI == "" {
		c.KeystoneURI = "http://127.0.0.1:5000"
	}
	if c.DNSDomain == "" {
		c.DNSDomain = "openstacklocal"
	}
	if c.MaxBody == 0 {
		c.MaxBody = 4 << 20
	}
	s := &server{Config: c, router: mux.NewRouter().UseEncodedPath().SkipClean(true),
		networks: networkTable(c.L2), subnets: subnetTable(c.L2), ports: portTable(c.L2, c.DNSDomain),
		routers: routerTable(c.Routers), floatingIPs: floatingIPTable(c.NAT)}
	s.handle("GET", "/", s.versions)
	s.handle("GET", "/v2.0", s.resources)
	s.handle("GET", "/v2.0/extensions", s.listExtensions)
	s.handle("GET", "/v2.0/extensions/{alias}", s.showExtension)
	serve(s, s.networks)
	serve(s, s.subnets)
	serve(s, s.ports)
	s.serveRouters(s.routers)
	serve(s, s.floatingIPs)
	serve(s, forwardingTable(c.NAT))
	s.serveAgents()
	s.router.NotFoundHandler = s.endpoint("", func(http.ResponseWriter, *http.Request) error { return errNotFound })
	s.router.MethodNotAllowedHandler = s.endpoint("", s.otherMethod)

	var known http.Handler = s.router
	if c.Around != nil {
		known = c.Around(known)
	}
	private := identity.Middleware(c.Auth, c.KeystoneURI)(known)
	requests := httpd.Requests{Log: c.Log, MaxBody: c.MaxBody, Observe: c.Observe, Panicked: func(w http.ResponseWriter) {
		code, body, _ := describe(errInternal)
		writeError(w, code, body)
	}}
	handler := requests.Around(withoutSlash(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" { // the list of versions is open to all
			s.router.ServeHTTP(w, r)
			return
		}
		private.ServeHTTP(w, r)
	})))
	return &API{handler, s}
}

// otherMethod answers a request whose path has routes, but none for its method.
func (s *server) otherMethod(w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		try := *r
		try.Method = method
		var m mux.RouteMatch
		if s.router.Match(&try, &m) && m.MatchErr == nil {
			allowed = append(allowed, method)
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return errMethod
}

// base is the URL that links in an answer begin with.
func (s *server) base(r *http.Request) string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if p := r.Header.Get("X-Forwarded-Proto"); p == "http" || p == "https" {
		scheme = p
	}
	return scheme + "://" + r.Host
}
