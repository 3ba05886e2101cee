package cli

import (
	"bytes"
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/maclearn"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/router"
	"github.com/heddle-sdn/heddle/controller/difference"
	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/northbound/httpd"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/northbound/native"
	"github.com/heddle-sdn/heddle/northbound/neutron"
	"github.com/heddle-sdn/heddle/northbound/plan"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/bolt"
	"github.com/heddle-sdn/heddle/store/model"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// world is the real API over a real store, with hosts that hold what they should.
type world struct {
	t      *testing.T
	store  *store.Store
	ops    *l2.Ops
	fabric *fabric
	events *event.Log
	server *httptest.Server
	api    http.Handler
	env    map[string]string
	before func(w http.ResponseWriter, r *http.Request) bool // answers in place of the API
}

// fabric is hosts that are as planned: cmp1 and cmp2, each with br-int and br-tun, cables and tunnels, and the
// gateway host net1.
type fabric struct {
	w     *world
	ports map[string]map[string]map[string]of.Port // by host, bridge and name
	down  map[string]bool                          // bridges that are away, "cmp2/br-tun"
	looks atomic.Uint64
	flows func(host, bridge string, flows []view.Flow) []view.Flow
}

var planners = []spec.Planner{l2.Plan, dhcp.Plan, router.Plan(nat.Rules)}

func (f *fabric) observed(m *model.Model, host string) spec.Observed {
	rows := &spec.Rows{Controller: "tcp:10.0.0.9:6653", Bridges: map[string]bool{}, Plugged: map[string]string{}}
	for bridge := range f.ports[host] {
		rows.Bridges[bridge] = true
	}
	for _, p := range m.PlugsAt(host) {
		rows.Plugged[p.Iface] = string(p.Port)
	}
	return spec.Observed{Ports: f.ports[host], Rows: rows}
}

func (f *fabric) plan(m *model.Model, host string) *spec.Spec {
	if f.ports[host] == nil {
		return nil
	}
	s, err := spec.Plan(m, f.observed(m, host), host, planners...)
	if err != nil {
		f.w.t.Error(err)
	}
	return s
}

func (f *fabric) Planned(host string) *spec.Spec { return f.plan(f.w.store.Snapshot(), host) }
func (f *fabric) Problems(string) []string       { return nil }

func (f *fabric) Switches() []view.Switch {
	var out []view.Switch
	for i, host := range sortedKeys(f.ports) {
		for j, bridge := range sortedKeys(f.ports[host]) {
			if !f.down[host+"/"+bridge] {
				out = append(out, view.Switch{DPID: of.DPID(0xa0 + 16*i + j), Host: host, Bridge: bridge, Remote: "10.0.0.1:40001", Managed: true, Ports: f.ports[host][bridge]})
			}
		}
	}
	return out
}

func (f *fabric) Status() status.View {
	m := f.w.store.Snapshot()
	out := status.View{}
	for host := range m.Hosts.All() {
		h := status.Host{Name: host, Targets: map[string]status.Target{}}
		if f.ports[host] != nil {
			h.OVSDB = true
			h.Tunnels = map[string]status.Tunnel{}
			for name := range f.ports[host]["br-tun"] {
				if strings.HasPrefix(name, "vxlan-") {
					h.Tunnels[name] = status.Tunnel{State: status.TunnelUp, Watched: true, Carrier: true, Egress: "eth0", MTU: 1550, Since: noon}
				}
			}
			h.Targets["ovsdb"] = status.Target{Connected: true, Rev: m.Rev, At: noon}
			for bridge := range f.ports[host] {
				h.Targets[bridge] = status.Target{Connected: !f.down[host+"/"+bridge], Rev: m.Rev, At: noon}
			}
		}
		if host == "net1" && f.ports[host] != nil {
			h.Node = &status.Node{Connected: true, Seen: noon, Started: noon, Objects: map[string]spec.NodeObject{}}
			for name := range f.plan(m, host).Namespaces {
				h.Node.Objects[name] = spec.NodeObject{Rev: m.Rev}
			}
		}
		out[host] = h
	}
	return out
}

func (f *fabric) Flows(_ context.Context, id of.DPID) ([]view.Flow, error) {
	for _, sw := range f.Switches() {
		if sw.DPID == id {
			return f.of(sw.Host, sw.Bridge), nil
		}
	}
	return nil, nil
}

// of returns the flows of a bridge, all as planned.
func (f *fabric) of(host, bridge string) []view.Flow {
	m := f.w.store.Snapshot()
	var out []view.Flow
	planned := f.plan(m, host).Bridges[bridge]
	if planned == nil {
		return nil
	}
	for _, part := range planned.Parts {
		for _, flow := range part.Flows {
			out = append(out, viewFlow(m, bridge, flow))
		}
	}
	slices.SortFunc(out, func(a, b view.Flow) int { return strings.Compare(a.Flow.String(), b.Flow.String()) })
	slices.SortStableFunc(out, func(a, b view.Flow) int { return int(a.Flow.Table) - int(b.Flow.Table) })
	if f.flows != nil {
		out = f.flows(host, bridge, out)
	}
	return out
}

func (f *fabric) FlowsOf(_ context.Context, cookie of.Cookie) []view.BridgeFlows {
	var out []view.BridgeFlows
	for _, sw := range f.Switches() {
		b := view.BridgeFlows{Host: sw.Host, Bridge: sw.Bridge}
		for _, flow := range f.of(sw.Host, sw.Bridge) {
			if flow.Flow.Cookie == cookie {
				b.Flows = append(b.Flows, flow)
			}
		}
		out = append(out, b)
	}
	return out
}

func (f *fabric) Preview(before, after *model.Model) difference.Fabric {
	var out difference.Fabric
	for _, host := range sortedKeys(f.ports) {
		side := func(m *model.Model) difference.Side {
			return difference.Side{Spec: f.plan(m, host), Plugged: f.observed(m, host).Rows.Plugged, Object: func(c of.Cookie) string { return viewFlow(m, "br-int", of.Flow{Cookie: c}).Object }}
		}
		if diff := difference.Of(side(before), side(after)); len(diff) > 0 {
			out.Hosts = append(out.Hosts, difference.Host{Host: host, Diff: diff})
		}
	}
	return out
}

func (f *fabric) Inspect(_ context.Context, m *model.Model, host string, actual bool) (*view.HostState, error) {
	out, err := view.Suppose(m, host, f.observed(m, host), f.plan(m, host), planners...)
	if err != nil {
		return nil, err
	}
	out.Node = f.Status()[host].Node
	if actual {
		out.Flows = map[string][]view.Flow{}
		for bridge := range f.ports[host] {
			out.Flows[bridge] = f.of(host, bridge)
		}
	}
	return out, nil
}

// TunnelCounters count a thousand bytes more with every look at them.
func (f *fabric) TunnelCounters(context.Context) map[string]map[string]view.Counters {
	looks := f.looks.Add(1)
	out := map[string]map[string]view.Counters{}
	for host, bridges := range f.ports {
		out[host] = map[string]view.Counters{}
		for name := range bridges["br-tun"] {
			out[host][name] = view.Counters{RxBytes: 1000 * looks, TxBytes: 2000 * looks, RxPackets: 10 * looks, TxPackets: 20 * looks}
		}
	}
	return out
}

func (f *fabric) Leases() map[string][]spec.Lease { return nil }

type tally struct{}

func (tally) Drifted() uint64 { return 0 }
func (tally) Failed() uint64  { return 0 }

// states are those that the controller would derive.
type states struct{ f *fabric }

func (s states) PortStatus(m *model.Model, p *model.Port) string {
	return s.f.Status().Port(m, p).Status
}
func (states) NetworkStatus(*model.Model, *model.Network) string { return status.Active }
func (states) RouterStatus(*model.Model, *model.Router) string   { return status.Active }
func (s states) FloatingIPStatus(m *model.Model, f *model.FloatingIP) string {
	return s.f.Status().FloatingIP(m, f).Status
}
func (states) Agent(string, neutron.AgentType) neutron.AgentState { return neutron.AgentState{} }

// newWorld starts an API with hosts and nothing on them; auth may be nil.
func newWorld(t *testing.T, auth identity.Authenticator) *world {
	t.Helper()
	backend, err := bolt.Open(t.TempDir())
	check(t, err)
	w := &world{t: t, env: map[string]string{}, events: event.NewLog(1000, clock)}
	w.store, err = store.Open(t.Context(), backend, store.Options{Now: clock})
	check(t, err)
	w.ops, err = l2.New(l2.Config{Rand: rand.NewChaCha8([32]byte{})}) // ids and addresses as in every run
	check(t, err)
	dhcp.NewPorts(w.ops)
	w.fabric = &fabric{w: w, ports: map[string]map[string]map[string]of.Port{}, down: map[string]bool{}}
	if auth == nil {
		auth = identity.NoAuth{}
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	entry := logrus.NewEntry(log)
	plans := plan.New(plan.Config{Store: w.store, Fabric: w.fabric, Now: clock})
	drafts := plan.Drafts{Store: w.store}
	networking := neutron.New(neutron.Config{Store: drafts, L2: w.ops, Routers: router.New(w.ops), NAT: nat.New(w.ops), Auth: auth, Status: states{w.fabric},
		Log: entry, Around: plans.Around(neutron.Refuse)})
	plans.Show(networking.Attributes, native.HostAttributes)
	w.api = httpd.Mounts{"/": networking, "/v1": native.New(native.Config{Store: drafts, Past: w.store, History: w.store, Attributes: networking.Attributes, Plans: plans, Documents: networking, Hosts: w.ops, Fabric: w.fabric, MACs: maclearn.New(clock),
		Events: w.events, Counters: tally{}, Auth: auth, Log: entry, Version: "1.2.0", Now: clock}),
		"/livez": httpd.Livez(), "/readyz": httpd.Readyz(httpd.Check{Name: "store", Ready: func() error { return nil }})}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.before == nil || !w.before(rw, r) {
			w.api.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
		check(t, w.store.Close())
	})
	w.env["HEDDLE_SERVER"], w.env["HEDDLE_TOKEN"] = w.server.URL, "root"
	w.addHost("cmp1", "10.0.0.1", false)
	w.addHost("cmp2", "10.0.0.2", false)
	w.addHost("net1", "10.0.0.3", true)
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// addHost makes a host known, with the ports that its bridges have.
func (w *world) addHost(name, ip string, gateway bool) {
	args := []string{"create", "host", name, "--tunnel-ip", ip, "--tunnel-types", "vxlan"}
	if gateway {
		args = append(args, "--gateway")
	}
	w.must(args...)
	hex := map[string]string{"10.0.0.1": "0a000001", "10.0.0.2": "0a000002", "10.0.0.3": "0a000003"}
	tun := map[string]of.Port{"patch-int": {No: 1}}
	no := of.PortNo(2)
	for _, other := range sortedKeys(hex) {
		if other != ip {
			tun["vxlan-"+hex[other]] = of.Port{No: no}
			no++
		}
	}
	w.fabric.ports[name] = map[string]map[string]of.Port{"br-int": {"patch-tun": {No: 1}}, "br-tun": tun}
	_, err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		if !gateway {
			return nil
		}
		return w.ops.SetAgent(tx, name, model.AgentUp)
	})
	check(w.t, err)
}

// plug gives a host the interfaces of ports.
func (w *world) plug(host string, ports ...string) {
	w.t.Helper()
	ifaces := map[model.ID]string{}
	for i, name := range ports {
		id := strings.TrimSpace(w.must("get", "port", name, "-o", "jsonpath={.id}"))
		iface := "tap" + name
		if id == name {
			iface = "tap" + id[:11]
		}
		ifaces[model.ID(id)] = iface
		w.fabric.ports[host]["br-int"][iface] = of.Port{No: of.PortNo(10 + i)}
	}
	_, err := w.store.Update(w.t.Context(), func(tx *store.Tx) error { return w.ops.Plug(tx, host, ifaces) })
	check(w.t, err)
}

// newOffice is a world with a tenant's network, a router to the outside, two VMs and a floating IP.
func newOffice(t *testing.T) *world {
	w := newWorld(t, nil)
	for _, line := range []string{
		"create network blue --project acme",
		"create subnet blue-v4 --network blue --cidr 10.0.22.0/24 --dns 9.9.9.9 --project acme",
		"create port web --network blue --ip 10.0.22.9 --project acme",
		"create port db --network blue --ip subnet=blue-v4 --project acme",
		"create network public --external --type flat --physnet physnet1",
		"create subnet public-v4 --network public --cidr 198.51.100.0/24 --dhcp=false",
		"create router edge --gateway public --project acme",
		"router add-interface edge blue-v4",
		"create floatingip --network public --address 198.51.100.9 --port web --project acme",
		"create floatingip --network public --address 198.51.100.10 --project acme",
		"create portforwarding --floatingip 198.51.100.10 --protocol tcp --outside 2222 --inside 22 --port db",
	} {
		w.must(strings.Fields(line)...)
	}
	w.must("set", "host", "net1", "--bridge-mapping", "physnet1=br-ex")
	w.fabric.ports["net1"]["br-ex"] = map[string]of.Port{"phy-br-ex": {No: 1}, "eth1": {No: 2}}
	w.fabric.ports["net1"]["br-int"]["int-br-ex"] = of.Port{No: 2}
	var services []string // as the agent of net1 plugs them
	for _, owner := range []string{"network:dhcp", "network:router_interface", "network:router_gateway"} {
		services = append(services, strings.TrimSpace(w.must("get", "ports", "--owner", owner, "-o", "jsonpath={.items[0].id}")))
	}
	w.plug("net1", services...)
	w.plug("cmp1", "web")
	w.plug("cmp2", "db")
	return w
}

// run runs a command line and returns what it printed and its exit code.
func (w *world) run(args ...string) (stdout, stderr string, code int) {
	return w.runIn(w.t.Context(), nil, args...)
}

func (w *world) runIn(ctx context.Context, in io.Reader, args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	p := &Program{Version: "1.2.0", Environ: func(name string) string { return w.env[name] }, Now: clock}
	var out, errs bytes.Buffer
	root := newRoot(p)
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetIn(in)
	code, says := ExitCode(root.ExecuteContext(ctx))
	if says != "" {
		errs.WriteString("heddle: " + says + "\n")
	}
	return out.String(), errs.String(), code
}

func newRoot(p *Program) *cobra.Command {
	return NewRoot(&cobra.Command{Use: "heddle", SilenceErrors: true, SilenceUsage: true}, p)
}

// must runs a command that succeeds, and returns its output.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, errs, code := w.run(args...)
	if code != 0 {
		w.t.Fatalf("heddle %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// random is what differs between runs.
var random = regexp.MustCompile(`(req|plan)-[0-9a-f]{8}-[0-9a-f-]{27}`)

// golden compares an output with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = random.ReplaceAllString(got, "$1-…")
	path := filepath.Join("testdata", name+".txt")
	if *update {
		check(t, os.MkdirAll("testdata", 0o755))
		check(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if got != string(want) {
		t.Errorf("output is not as in %s:\n%s", path, got)
	}
}

// viewFlow shows a planned flow as one that is there.
func viewFlow(m *model.Model, bridge string, flow of.Flow) view.Flow {
	out := view.Flow{State: view.FlowOK, Flow: flow, Age: time.Minute, Packets: 5, Bytes: 500}
	if t := pipeline.Of(bridge).Table(flow.Table); t != nil {
		out.Table = t.Name
	}
	kind, tag := pipeline.Cause(flow.Cookie)
	out.Kind = kind.String()
	if kind != pipeline.KindNetwork && kind != pipeline.KindPort {
		return out
	}
	if r := m.OfTag(tag); r != nil {
		out.Object = r.Kind() + "/" + r.Key()
	}
	return out
}
