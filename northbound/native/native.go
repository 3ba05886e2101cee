// Package native serves /v1, Heddle's own API: hosts and what is said of them, the switches and every
// flow on them with its cause, learned addresses, why a port is not ACTIVE, and what happened.
//
// It reads a snapshot of the store, the state that the controller derives, and the event log; the only
// thing it writes is what an operator says of a host. docs/api.md describes it for users.
package native

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"
	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/maclearn"
	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/northbound/change"
	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/northbound/plan"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// Store is where the API reads and writes; [store.Store] is one.
type Store interface {
	Snapshot() *model.Model
	Update(ctx context.Context, fn func(*store.Tx) error) (*model.Model, error)
}

// Hosts are the transactions on hosts; [l2.Ops] has them.
type Hosts interface {
	PutHost(tx *store.Tx, name string, put l2.HostPut) (*model.Host, error)
	DeleteHost(tx *store.Tx, name string) error
}

// Fabric is what the controller knows of hosts and switches. Its methods may be called from any
// goroutine.
type Fabric interface {
	// Switches returns the connected bridges by host and name, unclaimed ones first.
	Switches() []view.Switch
	// Flows reads a connected bridge and compares it with what is wanted, in the order of tables,
	// descending priority and match.
	Flows(ctx context.Context, id of.DPID) ([]view.Flow, error)
	// Status returns what hosts have confirmed.
	Status() status.View
	// Problems returns what a host says of itself and cannot be read, one sentence each.
	Problems(host string) []string
	// Planned returns what a host should be by its newest plan, nil while nothing is known of it.
	Planned(host string) *spec.Spec
	// Inspect returns what a host should be by a model and, if actual is set, what its bridges hold.
	Inspect(ctx context.Context, m *model.Model, host string, actual bool) (*view.HostState, error)
	// FlowsOf reads the flows with a cookie from the connected bridges that should have some, and compares
	// them with what is wanted.
	FlowsOf(ctx context.Context, cookie of.Cookie) []view.BridgeFlows
	// Leases returns what the DHCP servers of hosts have given out, by host.
	Leases() map[string][]spec.Lease
	// TunnelCounters returns the counters of the ports of each host's br-tun, by host and interface, read a
	// second ago at most.
	TunnelCounters(ctx context.Context) map[string]map[string]view.Counters
}

// Past remembers models; [store.Store] does. Its errors may be [store.ErrForgotten] and [store.ErrFuture].
type Past interface {
	At(rev uint64) (*model.Model, error)
}

// History tells of the changes that are wanted, newest first, until visit returns false, and returns the
// oldest revision that it could tell of; [store.Store] does.
type History interface {
	History(want func(store.Touched) bool, visit func(store.Past) bool) (oldest uint64, err error)
}

// MACs is the view of learned addresses; [maclearn.View] is one.
type MACs interface {
	List() []maclearn.Entry
}

// Events is the log; [event.Log] is one.
type Events interface {
	Since(id uint64) (evs []event.Event, gap bool, more <-chan struct{})
	Last() uint64
}

// Documents applies declarative documents; the Networking API does.
type Documents interface {
	Apply(ctx context.Context, who identity.Identity, d change.Document) (change.Applied, error)
}

// Counters tell what the loops found since the process started.
type Counters interface {
	Drifted() uint64 // flows and rows that others had altered, and that were repaired
	Failed() uint64  // passes that failed
}

// Config is what the API is made of. The fields of the first group are needed.
type Config struct {
	Store     Store
	Past      Past
	History   History
	Hosts     Hosts
	Fabric    Fabric
	MACs      MACs
	Events    Events
	Counters  Counters
	Plans     *plan.Plans
	Documents Documents
	Auth      identity.Authenticator
	Log       *logrus.Entry

	// Attributes shows the objects of the Networking API. Nil: they are not shown where attributes are.
	Attributes change.Attributes
	// Version is the program's, for /v1/status.
	Version string
	// Now is the clock; default time.Now.
	Now func() time.Time
	// KeystoneURI is where clients without a token are sent; default http://127.0.0.1:5000.
	KeystoneURI string
	// MaxStreams bounds the clients that follow events at a time; default 256.
	MaxStreams int
	// StreamTimeout is how long a client that follows events may take no data before it is dropped;
	// default 15 s.
	StreamTimeout time.Duration
	// Heartbeat is how often a stream of events carries a comment when nothing happens, so that both
	// ends and what lies between see that it lives; default 15 s.
	Heartbeat time.Duration
	// Observe is told of every request but streams: its route, method, status code and how long it
	// took. It may be nil.
	Observe func(route, method string, code int, took time.Duration)
}

// maxBody is the longest request body in bytes. A document of ten thousand ports fits.
const maxBody = 4 << 20

type server struct {
	Config
	router  *mux.Router
	started time.Time
	epoch   uint64        // added to the ids of events; see newEpoch
	streams chan struct{} // holds one token for each client that follows events
}

// New returns the handler of everything below "/v1".
func New(c Config) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.KeystoneURI == "" {
		c.KeystoneURI = "http://127.0.0.1:5000"
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 256
	}
	if c.StreamTimeout == 0 {
		c.StreamTimeout = 15 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 15 * time.Second
	}
	now := c.Now()
	s := &server{Config: c, started: now, epoch: newEpoch(now), streams: make(chan struct{}, c.MaxStreams),
		router: mux.NewRouter().UseEncodedPath().SkipClean(true)}
	s.routes()
	requests := httpd.Requests{Log: c.Log, MaxBody: maxBody, Observe: c.Observe,
		Panicked: func(w http.ResponseWriter) { writeError(w, errInternal) }}
	return requests.Around(withoutSlash(identity.Middleware(c.Auth, c.KeystoneURI)(c.Plans.Around(refuse)(s.router))))
}

// methods are the handlers of one path.
type methods map[string]handler

func (s *server) routes() {
	s.route("/v1", methods{"GET": s.index})
	s.route("/v1/whoami", methods{"GET": s.whoami})
	s.route("/v1/status", methods{"GET": s.admin(s.showStatus)})
	s.route("/v1/hosts", methods{"GET": s.admin(s.listHosts)})
	s.route("/v1/hosts/{name}", methods{
		"GET": s.admin(s.showHost), "PUT": s.admin(s.putHost), "PATCH": s.admin(s.patchHost), "DELETE": s.admin(s.deleteHost)})
	s.route("/v1/hosts/{name}/namespaces", methods{"GET": s.admin(s.listNamespaces)})
	s.route("/v1/hosts/{name}/namespaces/{ns}", methods{"GET": s.admin(s.showNamespace)})
	s.route("/v1/topology", methods{"GET": s.topology})
	s.route("/v1/tunnels", methods{"GET": s.admin(s.listTunnels)})
	s.route("/v1/agents", methods{"GET": s.admin(s.listAgents)})
	s.route("/v1/leases", methods{"GET": s.listLeases})
	s.route("/v1/objects/{kind}", methods{"GET": s.listObjects})
	s.route("/v1/objects/{kind}/{id}", methods{"GET": s.showObject})
	s.route("/v1/explain", methods{"GET": s.explainPacket})
	s.route("/v1/switches", methods{"GET": s.admin(s.listSwitches)})
	s.route("/v1/switches/{dpid}", methods{"GET": s.admin(s.showSwitch)})
	s.route("/v1/switches/{dpid}/flows", methods{"GET": s.admin(s.listFlows)})
	s.route("/v1/switches/{dpid}/ports", methods{"GET": s.admin(s.listSwitchPorts)})
	s.route("/v1/macs", methods{"GET": s.admin(s.listMACs)})
	s.route("/v1/events", methods{"GET": s.admin(s.events)})
	s.route("/v1/ports/{id}", methods{"GET": s.showPort})
	s.route("/v1/networks/{id}", methods{"GET": s.showNetwork})
	s.route("/v1/history", methods{"GET": s.showHistory})
	s.route("/v1/apply", methods{"POST": s.apply})
	s.route("/v1/plans", methods{"GET": s.listPlans})
	s.route("/v1/plans/{id}", methods{"GET": s.showPlan, "DELETE": s.dropPlan})
	s.route("/v1/plans/{id}/apply", methods{"POST": s.applyPlan})
	s.router.NotFoundHandler = s.endpoint("", func(_ http.ResponseWriter, r *http.Request) error {
		return notFound("there is no %s; GET /v1 lists what there is", r.URL.Path)
	})
}
