package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/maclearn"
	"github.com/heddle-sdn/heddle/controller/difference"
	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/northbound/identity"
	"github.com/heddle-sdn/heddle/northbound/plan"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The ids of the objects of the fixture.
const (
	blue    = "b1000000-0000-4000-8000-000000000001"
	red     = "12000000-0000-4000-8000-000000000002"
	bluePt1 = "b1000000-0000-4000-8000-0000000000a1" // on h1, which has no tunnel to h2
	bluePt2 = "b1000000-0000-4000-8000-0000000000a2" // on h2, whose br-tun is away
	bluePt3 = "b1000000-0000-4000-8000-0000000000a3" // plugged nowhere
	redPt1  = "12000000-0000-4000-8000-0000000000a1" // on h1, flows pending
)

var noon = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func mac(last byte) of.MAC { return of.MAC{0xfa, 0x16, 0x3e, 0, 0, last} }

// memory is a store that forgets everything with the test.
type memory struct {
	mu      sync.Mutex
	m       *model.Model
	changes []store.Change
}

func (s *memory) Snapshot() *model.Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m
}

func (s *memory) Update(ctx context.Context, fn func(*store.Tx) error) (*model.Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := store.NewTx(s.m, at(100), store.CauseOf(ctx))
	if err := fn(tx); err != nil {
		return nil, err
	}
	m := *tx.Model()
	m.Rev = tx.Rev()
	s.m = &m
	s.changes = append(s.changes, store.Change{Rev: m.Rev, Time: tx.Now(), Cause: tx.Cause(), Edits: tx.Edits()})
	return s.m, nil
}

func (s *memory) ChangesSince(rev uint64) ([]store.Change, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.changes, func(c store.Change) bool { return c.Rev > rev })
	if i < 0 {
		return nil, false
	}
	return s.changes[i:], false
}

// History tells what was changed since the fixture was made.
func (s *memory) History(want func(store.Touched) bool, visit func(store.Past) bool) (uint64, error) {
	s.mu.Lock()
	after, changes := s.m, slices.Clone(s.changes)
	s.mu.Unlock()
	for _, c := range slices.Backward(changes) {
		before := after
		for _, e := range slices.Backward(c.Edits) {
			if e.Before != nil {
				before = before.With(e.Before)
			} else {
				before = before.Without(e.After)
			}
		}
		t := store.Touched{Rev: c.Rev, Time: c.Time, Cause: c.Cause}
		for _, e := range c.Edits {
			r := e.After
			if r == nil {
				r = e.Before
			}
			t.Resources = append(t.Resources, store.Ref{Kind: r.Kind(), Key: r.Key()})
		}
		if want(t) && !visit(store.Past{Change: c, Before: before, After: after}) {
			break
		}
		after = before
	}
	return 10, nil
}

// fabric is a controller that says what a test tells it to say.
type fabric struct {
	switches []view.Switch
	flows    []view.Flow
	flowsErr error
	state    status.View
	plans    map[string]*spec.Spec
}

func (f *fabric) Switches() []view.Switch { return f.switches }
func (f *fabric) Status() status.View     { return f.state }
func (f *fabric) Flows(context.Context, of.DPID) ([]view.Flow, error) {
	return f.flows, f.flowsErr
}

func (f *fabric) Preview(before, after *model.Model) difference.Fabric {
	if before == after {
		return difference.Fabric{}
	}
	return difference.Fabric{
		Hosts: []difference.Host{{Host: "h1", Diff: []difference.Item{{Where: "br-int", Type: spec.LineFlow, Op: difference.Add,
			Text: "cookie=0x5d03000000000004, table=0 actions=drop", Object: "port/" + bluePt2}}}},
		Unplanned: []difference.Unplanned{{Host: "h3", Cause: "host h3 is not connected"}},
	}
}

func (f *fabric) Problems(host string) []string {
	if host == "h2" {
		return []string{`heddle-gateway: "maybe" is neither true nor false`}
	}
	return nil
}

// Inspect knows nothing: explanations are tested in a cloud of their own.
func (f *fabric) Inspect(context.Context, *model.Model, string, bool) (*view.HostState, error) {
	return nil, errBroken
}

func (f *fabric) Planned(host string) *spec.Spec { return f.plans[host] }

// FlowsOf gives the flows of the fixture that have the cookie, as if br-tun of h1 had them, and says that
// br-tun of h2 does not answer.
func (f *fabric) FlowsOf(_ context.Context, cookie of.Cookie) []view.BridgeFlows {
	out := view.BridgeFlows{Host: "h1", Bridge: "br-tun"}
	for _, flow := range f.flows {
		if flow.Flow.Cookie == cookie {
			out.Flows = append(out.Flows, flow)
		}
	}
	return []view.BridgeFlows{out, {Host: "h2", Bridge: "br-tun", Err: errBroken}}
}

// Leases says that port web has taken its address, by the DHCP server of blue on h1, and that the address of
// port db has been given out by another host, which has it no more.
func (f *fabric) Leases() map[string][]spec.Lease {
	return map[string][]spec.Lease{
		"h1": {{Namespace: "qdhcp-" + blue, IP: netip.MustParseAddr("10.0.22.3"), MAC: mac(0xa1), Hostname: "web", Expires: at(3600)}},
		"h2": {{Namespace: "qdhcp-" + blue, IP: netip.MustParseAddr("10.0.22.4"), MAC: mac(0xa2), Expires: at(3600)}},
	}
}

func (f *fabric) TunnelCounters(context.Context) map[string]map[string]view.Counters {
	return map[string]map[string]view.Counters{"h1": {"vxlan-0a000002": {RxPackets: 3, TxPackets: 4, RxBytes: 300, TxBytes: 400}}}
}

type tally struct{ drifted, failed uint64 }

func (c tally) Drifted() uint64 { return c.drifted }
func (c tally) Failed() uint64  { return c.failed }

// tokens accepts "admin" and the names of projects as tokens.
type tokens struct{}

func (tokens) Authenticate(r *http.Request) (identity.Identity, error) {
	switch token := r.Header.Get("X-Auth-Token"); token {
	case "":
		return identity.Identity{}, identity.ErrUnauthorized
	case "admin":
		return identity.Identity{User: "root", Project: "ops", Roles: []string{"admin"}, Admin: true}, nil
	default:
		return identity.Identity{User: "user of " + token, Project: token, Roles: []string{"member"}}, nil
	}
}

// fixture is the API over a small model: network blue of project acme on hosts h1 and h2, network red
// of project other on h1, and host h3, which never connected.
type fixture struct {
	http.Handler
	store  *memory
	fabric *fabric
	events *event.Log
	config Config
	clock  func() time.Time // of plans
}

func newFixture(t testing.TB, change ...func(*Config)) *fixture {
	t.Helper()
	ops, err := l2.New(l2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	macs := maclearn.New(func() time.Time { return at(30) })
	tun := maclearn.Bridge{Host: "h1", Name: "br-tun"}
	macs.Learn(tun, 1, mac(0xa2), 5)
	macs.Learn(tun, 1, of.MAC{2, 0, 0, 0, 0, 9}, 5)
	macs.Learn(tun, 77, of.MAC{2, 0, 0, 0, 0, 8}, 6)
	log := logrus.New()
	log.SetOutput(io.Discard)
	f := &fixture{store: &memory{m: fixtureModel()}, fabric: fixtureFabric(), events: event.NewLog(8, func() time.Time { return at(40) })}
	f.clock = func() time.Time { return noon }
	plans := plan.New(plan.Config{Store: f.store, Fabric: f.fabric, Now: func() time.Time { return f.clock() }})
	plans.Show(HostAttributes)
	f.config = Config{Store: plan.Drafts{Store: f.store}, History: f.store, Plans: plans, Hosts: ops, Fabric: f.fabric, MACs: macs, Events: f.events, Counters: tally{3, 1},
		Auth: tokens{}, Log: logrus.NewEntry(log), Version: "1.2.0", Now: func() time.Time { return noon }}
	for _, fn := range change {
		fn(&f.config)
	}
	f.Handler = New(f.config)
	return f
}

func fixtureModel() *model.Model {
	yes := true
	meta := func(id, name, project string, rev uint64) model.Meta {
		return model.Meta{ID: model.ID(id), Name: name, Project: project, Created: at(0), Updated: at(int(rev)), Revision: 1, Rev: rev,
			Request: "req-" + name, User: "ann"}
	}
	ip := func(s string) []model.FixedIP { return []model.FixedIP{{Subnet: "s", IP: netip.MustParseAddr(s)}} }
	all := []model.NetworkType{model.TypeGeneve, model.TypeGRE, model.TypeVXLAN}
	m := &model.Model{}
	for _, r := range []model.Resource{
		&model.Host{Name: "h1", Rev: 1, Said: model.HostSettings{EncapIP: netip.MustParseAddr("10.0.0.1"), EncapTypes: all,
			BridgeMappings: map[string]string{"physnet1": "br-ex"}, Gateway: &yes, DatapathType: "netdev"}},
		&model.Host{Name: "h2", Rev: 2, Said: model.HostSettings{EncapIP: netip.MustParseAddr("192.168.0.2"), EncapTypes: all},
			Override: model.HostSettings{EncapIP: netip.MustParseAddr("10.0.0.1")}, OVSDB: "tcp:10.0.0.2:6640"},
		&model.Host{Name: "h3", Rev: 3, OpenFlow: map[string]string{"br-tun": "tcp:10.0.0.3:6653"}, Bridges: map[string]of.DPID{"br-tun": 0xc3}},
		&model.Network{Meta: meta(blue, "blue", "acme", 4), AdminUp: true, Type: model.TypeVXLAN, SegmentID: 1001, MTU: 1450, Tag: 1},
		&model.Network{Meta: meta(red, "red", "other", 5), AdminUp: true, Type: model.TypeGRE, SegmentID: 7, MTU: 1458, Tag: 2},
		&model.Port{Meta: meta(bluePt1, "web", "acme", 6), Network: blue, AdminUp: true, MAC: mac(0xa1), FixedIPs: ip("10.0.22.3"), Tag: 3},
		&model.Port{Meta: meta(bluePt2, "db", "acme", 7), Network: blue, AdminUp: true, MAC: mac(0xa2), FixedIPs: ip("10.0.22.4"), Tag: 4},
		&model.Port{Meta: meta(bluePt3, "spare", "other", 8), Network: blue, AdminUp: true, MAC: mac(0xa3), BindingHost: "h9", Tag: 5},
		&model.Port{Meta: meta(redPt1, "red", "other", 9), Network: red, AdminUp: true, MAC: mac(0xb1), FixedIPs: ip("fd00::5"), Tag: 6},
		&model.LocalVLAN{Host: "h1", Network: blue, VLAN: 1, Rev: 6},
		&model.LocalVLAN{Host: "h2", Network: blue, VLAN: 3, Rev: 7},
		&model.LocalVLAN{Host: "h1", Network: red, VLAN: 2, Rev: 9},
		&model.Plug{Port: bluePt1, Network: blue, Host: "h1", Iface: "tapweb", Rev: 6, Since: at(6)},
		&model.Plug{Port: bluePt2, Network: blue, Host: "h2", Iface: "tapdb", Rev: 7, Since: at(7)},
		&model.Plug{Port: redPt1, Network: red, Host: "h1", Iface: "tapred", Rev: 9, Since: at(9)},
		&model.Sequence{Name: model.SequenceTag, Last: 6},
	} {
		m = m.With(r)
	}
	m.Rev = 9
	return m
}

func fixtureFabric() *fabric {
	port := func(no of.PortNo, last byte) of.Port {
		return of.Port{No: no, MAC: mac(last), CurrentSpeed: 10_000_000}
	}
	down := port(4, 4)
	down.State = of.PortStateLinkDown
	return &fabric{
		switches: []view.Switch{
			{DPID: 0xff, Remote: "10.0.0.9:41000", Since: at(20)},
			{DPID: 0xa1, Host: "h1", Bridge: "br-int", Remote: "10.0.0.1:40001", Managed: true,
				Ports: map[string]of.Port{"tapweb": port(3, 3), "tapred": down, "patch-tun": port(1, 1)}},
			{DPID: 0xa2, Host: "h1", Bridge: "br-tun", Remote: "10.0.0.1:40002", Managed: true,
				Ports: map[string]of.Port{"patch-int": port(1, 1), "vxlan-0a000002": port(5, 5)}},
			{DPID: 0xa3, Host: "h1", Bridge: "br-lan", Remote: "10.0.0.1:40003"},
		},
		flows: fixtureFlows(),
		state: status.View{
			"h1": {Name: "h1", OVSDB: true, Targets: map[string]status.Target{
				"ovsdb": {Connected: true, Rev: 9, At: at(9)}, "br-int": {Connected: true, Rev: 8, At: at(8)}, "br-tun": {Connected: true, Rev: 9, At: at(9)}},
				Pending: map[model.ID]spec.Pending{blue: {Reason: "TunnelPortMissing", Msg: "host h1 has no vxlan tunnel to host h2"}}},
			"h2": {Name: "h2", OVSDB: true, Targets: map[string]status.Target{
				"ovsdb": {Connected: true, Rev: 7, At: at(7), Err: "no row: bridge br-int"}, "br-tun": {}}},
		},
	}
}

func fixtureFlows() []view.Flow {
	missing := of.Flow{Table: pipeline.FromVXLAN, Priority: 1, Cookie: pipeline.CookieOf(pipeline.KindNetwork, 1),
		Match: of.Match{of.Is(of.FieldTunID, 1001)}, Actions: []of.Action{of.GotoTable{Table: pipeline.LearnMAC}}}
	want := missing
	want.Priority, want.Match = 2, of.Match{of.Is(of.FieldTunID, 1002)}
	altered := want
	altered.Actions = nil
	unicast := of.Flow{Table: pipeline.ToUnicast, Priority: 2, Cookie: pipeline.CookieOf(pipeline.KindPort, 4),
		Match: of.Match{of.VLAN(1), of.EthDst(mac(0xa2))}, Actions: []of.Action{of.PopVLAN{}, of.SetTunnel(1001), of.Output{Port: 5}}}
	learned := unicast
	learned.Priority, learned.Cookie, learned.HardTimeout = 1, pipeline.Learned, 300
	stale := unicast
	stale.Cookie = pipeline.CookieOf(pipeline.KindPort, 99)
	return []view.Flow{
		{State: view.FlowOK, Flow: of.Flow{Cookie: pipeline.Base}, Table: "classify", Kind: "base", Packets: 1, Bytes: 60, Age: 90 * time.Second},
		{State: view.FlowAltered, Flow: altered, Want: &want, Table: "from_vxlan", Kind: "network", Object: "network/" + blue, Age: time.Second},
		{State: view.FlowMissing, Flow: missing, Table: "from_vxlan", Kind: "network", Object: "network/" + blue},
		{State: view.FlowOK, Flow: unicast, Table: "to_unicast", Kind: "port", Object: "port/" + bluePt2, Packets: 12, Bytes: 1234, Age: 1500 * time.Millisecond},
		{State: view.FlowLearned, Flow: learned, Table: "to_unicast", Kind: "learned", Packets: 3, Bytes: 180, Age: time.Second},
		{State: view.FlowStale, Flow: stale, Table: "to_unicast", Kind: "port", Age: time.Second},
		{State: view.FlowForeign, Flow: of.Flow{Table: 200, Cookie: 7, Priority: 5}, Age: time.Second},
	}
}

// call sends a request as an administrator; header is "Name: value" lines.
func (f *fixture) call(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Auth-Token", "admin")
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// golden compares a JSON answer with a file.
func golden(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, w.Body.Bytes(), "", "  "); err != nil {
		t.Fatalf("%d is not JSON: %v\n%s", w.Code, err, w.Body)
	}
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("answer is not as in %s:\n%s", path, got.Bytes())
	}
}

// failure reads the error that an answer holds.
func failure(t *testing.T, w *httptest.ResponseRecorder) apiError {
	t.Helper()
	var body struct {
		Error apiError `json:"error"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%d: %v\n%s", w.Code, err, w.Body)
	}
	if body.Error.Code != w.Code {
		t.Errorf("error says code %d, the answer has %d", body.Error.Code, w.Code)
	}
	return body.Error
}

// replaced is a body with something that is random put by something that is not.
func replaced(b *bytes.Buffer, random, by string) *bytes.Buffer {
	return bytes.NewBuffer(bytes.ReplaceAll(b.Bytes(), []byte(random), []byte(by)))
}

var errBroken = errors.New("broken")
