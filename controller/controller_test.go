package controller_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/apps/maclearn"
	"github.com/heddle-sdn/heddle/controller"
	"github.com/heddle-sdn/heddle/controller/event"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/ofconn/fakeswitch"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/bolt"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fabric is a controller with a store, and switches in memory that connect to it.
type fabric struct {
	t       *testing.T
	store   *store.Store
	ops     *l2.Ops
	events  *event.Log
	control *controller.Controller
	addr    string
	broken  atomic.Pointer[error] // what planning fails with
}

type noMetrics struct{}

func (noMetrics) Pass(string, string, time.Duration, int, int, int, int, error) {}
func (noMetrics) Planned(string, time.Duration)                                 {}
func (noMetrics) Converged(time.Duration)                                       {}

func newFabric(t *testing.T) *fabric {
	t.Helper()
	backend, err := bolt.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), backend, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ops, err := l2.New(l2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fabric{t: t, store: st, ops: ops}
	t.Cleanup(func() { _ = st.Close() })
	f.serve(1)
	return f
}

// serve runs a controller of a role generation until the test ends.
func (f *fabric) serve(generation uint64) (stop func()) {
	log := logrus.New()
	log.SetOutput(f.t.Output())
	log.SetLevel(logrus.WarnLevel)
	events := event.NewLog(1000, time.Now)
	c := controller.New(controller.Config{
		Store: f.store, Facts: l2.Facts{Ops: f.ops, Store: f.store}, Plug: f.ops.Plug, Events: events, MACs: maclearn.New(time.Now), Metrics: noMetrics{},
		Log: logrus.NewEntry(log), Generation: generation, OpenFlowPort: 6653, Resync: time.Hour,
		Planners: []spec.Planner{l2.Plan, func(*model.Model, spec.Observed, *spec.Spec) error {
			if err := f.broken.Load(); err != nil {
				return *err
			}
			return nil
		}},
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.events, f.control, f.addr = events, c, ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) })
	wg.Go(func() {
		_ = ofconn.NewListener(ofconn.Config{EchoInterval: 100 * time.Millisecond, DeadAfter: time.Second}).Serve(ctx, ln, c.ServeSwitch)
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	f.t.Cleanup(stop)
	return stop
}

func (f *fabric) update(fn func(tx *store.Tx) error) {
	f.t.Helper()
	if _, err := f.store.Update(f.t.Context(), fn); err != nil {
		f.t.Fatal(err)
	}
}

// host adds a host without OVSDB whose br-int and br-tun are dpids n*16+1 and n*16+2.
func (f *fabric) host(name string, n byte) (brInt, brTun fakeswitch.Options) {
	f.t.Helper()
	id := func(i of.DPID) of.DPID { return of.DPID(n)*16 + i }
	f.update(func(tx *store.Tx) error {
		_, err := f.ops.PutHost(tx, name, l2.HostPut{
			Override: model.HostSettings{EncapIP: netip.AddrFrom4([4]byte{10, 99, 0, n}), EncapTypes: []model.NetworkType{model.TypeVXLAN}},
			Bridges:  map[string]of.DPID{"br-int": id(1), "br-tun": id(2)},
		})
		return err
	})
	return fakeswitch.Options{DPID: id(1), Bridge: "br-int", Ports: []of.Port{{No: 1, Name: "patch-tun"}}},
		fakeswitch.Options{DPID: id(2), Bridge: "br-tun", Ports: []of.Port{{No: 1, Name: "patch-int"}, {No: 2, Name: "vxlan-0a630001"}, {No: 3, Name: "vxlan-0a630002"}}}
}

// connect keeps a switch connected until the test ends.
func (f *fabric) connect(o fakeswitch.Options) *fakeswitch.Switch {
	f.t.Helper()
	sw := fakeswitch.New(o)
	f.dial(sw)
	return sw
}

func (f *fabric) dial(sw *fakeswitch.Switch) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	addr := f.addr
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := sw.Dial(ctx, addr); err != nil && ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
	}()
	f.t.Cleanup(func() { cancel(); sw.Disconnect(); <-done })
}

// port makes a network, if it is new, and a port that is plugged on a host by its tap's name.
func (f *fabric) port(network *model.Network) *model.Port {
	f.t.Helper()
	var p *model.Port
	f.update(func(tx *store.Tx) (err error) {
		p, err = f.ops.CreatePort(tx, l2.PortCreate{Project: "p1", Network: network.ID, AdminUp: l2.Val(true)})
		return err
	})
	return p
}

func (f *fabric) network() *model.Network {
	f.t.Helper()
	var n *model.Network
	f.update(func(tx *store.Tx) (err error) {
		n, err = f.ops.CreateNetwork(tx, l2.NetworkCreate{Project: "p1", AdminUp: l2.Val(true)})
		return err
	})
	return n
}

func tap(p *model.Port, no of.PortNo) of.Port {
	return of.Port{No: no, Name: "tap" + string(p.ID[:11])}
}

func (f *fabric) wait(what string, ok func() bool) {
	f.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			f.t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (f *fabric) has(sw *fakeswitch.Switch, part string) func() bool {
	return func() bool {
		return slices.ContainsFunc(sw.Flows(), func(flow string) bool { return strings.Contains(flow, part) })
	}
}

func (f *fabric) hasEvent(kind string, part string) func() bool {
	return func() bool {
		evs, _, _ := f.events.Since(0)
		return slices.ContainsFunc(evs, func(e event.Event) bool {
			text, _ := e.Body.(event.Drift)
			return e.Kind == kind && (part == "" || slices.ContainsFunc(slices.Concat(text.Missing, text.Altered, text.Foreign), func(s string) bool { return strings.Contains(s, part) }))
		})
	}
}

// counted counts the flow mods that a switch gets.
func counted(o *fakeswitch.Options) *atomic.Int64 {
	var n atomic.Int64
	o.Fault = func(m fakeswitch.Message) fakeswitch.Reaction {
		if m.Mod != nil {
			n.Add(1)
		}
		return fakeswitch.Reaction{}
	}
	return &n
}

func TestBridgesOfAHostGetTheirPipelineAndPorts(t *testing.T) {
	f := newFabric(t)
	intOpt, tunOpt := f.host("h1", 1)
	f.host("h2", 2)
	brInt, brTun := f.connect(intOpt), f.connect(tunOpt)
	f.wait("the pipeline of br-tun", f.has(brTun, "table=10"))
	p := f.port(f.network())
	brInt.SetPort(tap(p, 7))
	f.wait("the port's delivery", f.has(brInt, "dl_dst="+p.MAC.String()+" actions=pop_vlan,output:7"))
	f.wait("the port to be ACTIVE", func() bool {
		m := f.store.Snapshot()
		port, _ := m.Ports.Get(p.ID)
		return f.control.Status().Port(m, port).Status == status.Active
	})
	brInt.RemovePort(7)
	f.wait("the port's flows to go", func() bool { return !f.has(brInt, p.MAC.String())() })
}

func TestUnclaimedBridgeIsLeftAlone(t *testing.T) {
	f := newFabric(t)
	o := fakeswitch.Options{DPID: 0xabc, Bridge: "br-int", Ports: []of.Port{{No: 1, Name: "patch-tun"}}}
	mods := counted(&o)
	f.connect(o)
	f.wait("the bridge to be shown", func() bool {
		return slices.ContainsFunc(f.control.Switches(), func(s view.Switch) bool { return s.DPID == 0xabc && s.Host == "" && !s.Managed })
	})
	intOpt, _ := f.host("h1", 1)
	brInt := f.connect(intOpt)
	f.wait("the pipeline of a claimed bridge", f.has(brInt, "table=62"))
	if n := mods.Load(); n != 0 {
		t.Errorf("%d flow mods sent to a bridge that nobody claims", n)
	}
}

func TestReconnectChangesNothingThatIsAsWanted(t *testing.T) {
	f := newFabric(t)
	intOpt, _ := f.host("h1", 1)
	mods := counted(&intOpt)
	brInt := f.connect(intOpt)
	f.wait("the pipeline", f.has(brInt, "table=62"))
	before := mods.Load()
	for range 3 {
		seen := f.events.Last() // it may be back before anybody has seen it gone
		brInt.Disconnect()
		f.wait("the bridge to be back and confirmed", func() bool {
			evs, _, _ := f.events.Since(seen)
			at := f.control.Status()["h1"].Targets["br-int"]
			return at.Connected && slices.ContainsFunc(evs, func(e event.Event) bool { return e.Kind == "switch_up" && at.At.After(e.Time) })
		})
	}
	if n := mods.Load() - before; n != 0 {
		t.Errorf("%d flow mods after reconnects, want none", n)
	}
	brInt.Restart()
	f.wait("all flows after a restart of the switch", f.has(brInt, "table=62"))
}

func TestFailedPlanTouchesNoSwitch(t *testing.T) {
	f := newFabric(t)
	failure := errors.New("planner is broken")
	f.broken.Store(&failure)
	intOpt, _ := f.host("h1", 1)
	mods := counted(&intOpt)
	sw := fakeswitch.New(intOpt)
	stale := of.Flow{Table: 61, Priority: 9, Match: of.Match{of.VLAN(9)}, Cookie: pipeline.CookieOf(pipeline.KindPort, 99)}
	if err := sw.Apply(wire.FlowMod{Command: wire.Add, Flow: stale}); err != nil {
		t.Fatal(err)
	}
	f.dial(sw)
	f.wait("the bridge to be connected", func() bool { return f.control.Status()["h1"].Targets["br-int"].Connected })
	f.network() // a change, which cannot be planned either
	f.wait("the bridge to be shown with its flow", func() bool {
		flows, err := f.control.Flows(t.Context(), intOpt.DPID)
		return err == nil && len(flows) == 1
	})
	if n := mods.Load(); n != 0 {
		t.Errorf("%d flow mods without a plan", n)
	}
	f.broken.Store(nil)
	f.network()
	f.wait("the pipeline once planning works", f.has(sw, "table=62"))
	if f.has(sw, "table=61, priority=9")() {
		t.Error("a flow of ours that is not wanted was kept")
	}
}

func TestFlowsOfOthersAreNeverTouched(t *testing.T) {
	f := newFabric(t)
	intOpt, _ := f.host("h1", 1)
	sw := fakeswitch.New(intOpt)
	foreign := of.Flow{Table: 5, Priority: 77, Match: of.Match{of.InPort(3)}, Cookie: 0x1234, Actions: []of.Action{of.Output{Port: 4}}}
	if err := sw.Apply(wire.FlowMod{Command: wire.Add, Flow: foreign}); err != nil {
		t.Fatal(err)
	}
	f.dial(sw)
	f.wait("the pipeline", f.has(sw, "table=62"))
	if !f.has(sw, "cookie=0x1234")() {
		t.Fatal("a foreign flow is gone")
	}
	flows, err := f.control.Flows(t.Context(), intOpt.DPID)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(flows, func(fl view.Flow) bool { return fl.State == view.FlowForeign && fl.Flow.Cookie == 0x1234 }) {
		t.Error("the foreign flow is not shown as such")
	}
}

func TestDriftIsRepairedAndReported(t *testing.T) {
	f := newFabric(t)
	intOpt, _ := f.host("h1", 1)
	sw := f.connect(intOpt)
	f.wait("the pipeline to be confirmed", func() bool { return !f.control.Status()["h1"].Targets["br-int"].At.IsZero() && f.has(sw, "table=62")() })
	want := sw.Flows()
	dead := of.Flow{Table: 0, Priority: 65535, Match: of.Match{of.VLAN(4095)}, Cookie: pipeline.Base}
	for name, c := range map[string]struct {
		mod  wire.FlowMod
		part string
	}{
		"deleted": {wire.FlowMod{Command: wire.DeleteStrict, Flow: dead, CookieMask: 0}, "dl_vlan=4095"},
		"added":   {wire.FlowMod{Command: wire.Add, Flow: of.Flow{Table: 61, Priority: 5, Match: of.Match{of.VLAN(77)}, Cookie: pipeline.Base}}, "dl_vlan=77"},
		"altered": {wire.FlowMod{Command: wire.Add, Flow: of.Flow{Table: 62, Priority: 0, Cookie: pipeline.Base, Actions: []of.Action{of.Output{Port: of.PortFlood}}}}, "table=62, priority=0"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := sw.Apply(c.mod); err != nil {
				t.Fatal(err)
			}
			f.wait("the event", f.hasEvent("drift", c.part))
			if got := sw.Flows(); !slices.Equal(got, want) {
				t.Errorf("flows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestRefusedFlowLeavesTheOldOnesAndIsNamed(t *testing.T) {
	f := newFabric(t)
	intOpt, _ := f.host("h1", 1)
	otherOpt, _ := f.host("h2", 2)
	sw, other := f.connect(intOpt), f.connect(otherOpt)
	f.wait("the pipelines", func() bool { return f.has(sw, "table=62")() && f.has(other, "table=62")() })
	want := sw.Flows()
	sw.SetFault(func(m fakeswitch.Message) fakeswitch.Reaction {
		if m.Mod != nil && m.Mod.Flow.Table == pipeline.ToLocal {
			return fakeswitch.Reaction{Refuse: &wire.Error{Type: 5, Code: 1}}
		}
		return fakeswitch.Reaction{}
	})
	network := f.network()
	p, q := f.port(network), f.port(network)
	sw.SetPort(tap(p, 7))
	other.SetPort(tap(q, 7))
	f.wait("the other switch to be programmed", f.has(other, q.MAC.String()))
	f.wait("the event that names flow and object", func() bool {
		evs, _, _ := f.events.Since(0)
		return slices.ContainsFunc(evs, func(e event.Event) bool {
			body, ok := e.Body.(event.ReconcileFailed)
			return ok && body.Object == "network/"+string(network.ID) && strings.Contains(body.Flow, "table=62")
		})
	})
	if got := sw.Flows(); !slices.Equal(got, want) {
		t.Errorf("flows changed though the change was refused:\n%s", strings.Join(got, "\n"))
	}
	f.wait("the port to say why", func() bool {
		m := f.store.Snapshot()
		port, _ := m.Ports.Get(p.ID)
		return slices.ContainsFunc(f.control.Status().Port(m, port).Conditions, func(c status.Condition) bool {
			return c.Reason == status.ApplyFailed && strings.Contains(c.Msg, "table=62")
		})
	})
	sw.SetFault(nil)
	f.wait("the flows once the switch takes them", f.has(sw, p.MAC.String()))
}

func TestSwitchThatStandsStillDelaysNoOther(t *testing.T) {
	f := newFabric(t)
	intOpt, _ := f.host("h1", 1)
	otherOpt, _ := f.host("h2", 2)
	sw, other := f.connect(intOpt), f.connect(otherOpt)
	f.wait("the pipelines", func() bool { return f.has(sw, "table=62")() && f.has(other, "table=62")() })
	sw.SetFault(fakeswitch.Always(fakeswitch.Reaction{Stall: true}))
	network := f.network()
	p, q := f.port(network), f.port(network)
	sw.SetPort(tap(p, 7))
	other.SetPort(tap(q, 7))
	start := time.Now()
	f.wait("the other switch", f.has(other, q.MAC.String()))
	if took := time.Since(start); took > 900*time.Millisecond {
		t.Errorf("took %v: as long as the dead switch is waited for", took)
	}
	f.wait("the dead switch to be noticed", func() bool {
		evs, _, _ := f.events.Since(0)
		return slices.ContainsFunc(evs, func(e event.Event) bool { return e.Kind == "switch_down" && e.Host == "h1" })
	})
}

func TestNewerControllerTakesOverAndOlderIsRefused(t *testing.T) {
	f := newFabric(t)
	intOpt, _ := f.host("h1", 1)
	sw := f.connect(intOpt)
	f.wait("the pipeline", f.has(sw, "table=62"))
	older := f.control
	f.serve(2)
	f.dial(sw)
	f.wait("the newer one to lead", func() bool { return f.control.Status()["h1"].Targets["br-int"].Connected })
	sw.Disconnect()
	f.wait("the newer one to lead again", func() bool { return f.control.Status()["h1"].Targets["br-int"].Connected })
	f.wait("the older one to be turned away", func() bool { return !older.Status()["h1"].Targets["br-int"].Connected })
}
