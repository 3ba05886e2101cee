package l2

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// walk is a random walk of the model and of the hosts that follow it.
type walk struct {
	*world
	*rand.Rand
	f   *cluster
	did []string // the steps, for people

	delivered, across int // frames that reached a VM, and one on another host
}

// overlap is the addresses of VMs: the same in all networks.
var overlap = []of.MAC{{0xfa, 0x16, 0x3e, 0, 0, 1}, {0xfa, 0x16, 0x3e, 0, 0, 2}, {0xfa, 0x16, 0x3e, 0, 0, 3}, {0xfa, 0x16, 0x3e, 0, 0, 4}}

func newWalk(t testing.TB, seed uint64, cfg Config) *walk {
	cfg.Rand = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	// The VLANs of the wire have the numbers of local ones.
	cfg.Physnets = []Physnet{{Name: "physnet1", VLANs: []SegmentRange{{1, 100}}}}
	w := &walk{world: newWorld(t, cfg), Rand: rand.New(rand.NewPCG(seed, 0)), f: newCluster(t, "h1", "h2", "h3")}
	for _, name := range w.f.names {
		w.must(w.try(func(tx *store.Tx) error {
			_, err := w.ops.SetHostSaid(tx, name, w.f.hosts[name].settings())
			return err
		}))
	}
	for _, kind := range []model.NetworkType{model.TypeVXLAN, model.TypeVXLAN, model.TypeVLAN, model.TypeVLAN, model.TypeFlat, model.TypeGRE} {
		w.newNetwork(kind)
	}
	return w
}

func (w *walk) newNetwork(kind model.NetworkType) {
	req := NetworkCreate{Type: Val(kind)}
	if kind == model.TypeVLAN || kind == model.TypeFlat {
		req.Physnet = Val("physnet1")
	}
	n, err := w.network("", req)
	w.must(err)
	_, err = w.subnet("", SubnetCreate{Network: n.ID, CIDR: cidr("10.0.0.0/24")})
	w.must(err)
}

func (w *walk) note(format string, args ...any) { w.did = append(w.did, fmt.Sprintf(format, args...)) }

// anyOf is one of the items; ok is false if there are none.
func anyOf[T any](w *walk, items []T) (x T, ok bool) {
	if len(items) == 0 {
		return x, false
	}
	return items[w.IntN(len(items))], true
}

// step changes the model, or what is plugged, or both.
func (w *walk) step() {
	w.t.Helper()
	host, _ := anyOf(w, w.f.names)
	vms := w.f.all()
	switch w.IntN(14) {
	case 0, 1, 2, 3:
		if id, ok := anyOf(w, w.m.Networks.Sorted()); ok && len(vms) < 9 {
			p, err := w.port("", PortCreate{Network: id, MAC: Val(overlap[w.IntN(len(overlap))])})
			if err == nil {
				w.plug(p, host)
			}
		}
	case 4, 5:
		// A migration begins: the port is plugged on two hosts.
		if v, ok := anyOf(w, vms); ok && v.host != host {
			if p, is := w.m.Ports.Get(v.port); is && !slices.ContainsFunc(vms, func(o *vm) bool { return o.port == v.port && o.host == host }) {
				w.plug(p, host)
			}
		}
	case 6, 7:
		if v, ok := anyOf(w, vms); ok {
			w.note("unplug %s from %s", v.iface, v.host)
			w.f.stop(v)
			w.unbind(v.port, v.host)
		}
	case 8:
		// The VM stays plugged for a while.
		if id, ok := anyOf(w, w.m.Ports.Sorted()); ok {
			w.note("delete port %s", id)
			_ = w.try(func(tx *store.Tx) error { return w.ops.DeletePort(tx, id) })
		}
	case 9:
		if id, ok := anyOf(w, w.m.Ports.Sorted()); ok {
			w.note("change port %s", id)
			_, _ = w.updatePort(id, PortUpdate{AdminUp: Val(w.IntN(3) > 0), MAC: Val(overlap[w.IntN(len(overlap))])})
		}
	case 10:
		if id, ok := anyOf(w, w.m.Networks.Sorted()); ok {
			w.note("change network %s", id)
			_, _ = w.updateNetwork(id, NetworkUpdate{AdminUp: Val(w.IntN(2) > 0)})
		}
	case 11:
		w.replaceNetwork()
	case 12:
		// Bridges lose their connection, or have it again: they may fall behind by many changes.
		away, all := w.IntN(2) == 0, w.IntN(2) == 0
		for _, br := range bridges {
			if all || w.IntN(3) == 0 {
				w.f.hosts[host].switches[br].away = away
				w.note("%s of %s is away: %v", br, host, away)
			}
		}
	case 13:
		if w.IntN(3) == 0 {
			w.note("ovs-vswitchd of %s starts again", host)
			w.f.restart(host)
		}
	}
}

func (w *walk) plug(p *model.Port, host string) {
	v := w.f.start(p, host)
	w.note("plug %s of port %s, network %s, into %s", v.iface, p.ID, p.Network, host)
	w.must(w.bind(p.ID, host, v.iface))
}

// replaceNetwork deletes a network with all its ports and makes another of its type. A flat network stays: the next one
// on the same wire would be the same segment, and VMs of the first one reach it until their hosts know better.
func (w *walk) replaceNetwork() {
	id, ok := anyOf(w, w.m.Networks.Sorted())
	if !ok {
		return
	}
	n, _ := w.m.Networks.Get(id)
	if n.Type == model.TypeFlat {
		return
	}
	w.note("replace network %s (%s %d)", id, n.Type, n.SegmentID)
	for _, p := range w.m.PortsOf(id) {
		w.must(w.try(func(tx *store.Tx) error { return w.ops.DeletePort(tx, p.ID) }))
	}
	w.must(w.try(func(tx *store.Tx) error { return w.ops.DeleteNetwork(tx, id) }))
	w.newNetwork(n.Type)
}

// frames is what VMs may send: to each address there is and to none, by their own address or another's, tagged, ARP for
// each address.
func (w *walk) frames(n int) []frame {
	vms := w.f.all()
	if len(vms) == 0 {
		return nil
	}
	out := make([]frame, n)
	for i := range out {
		v := vms[w.IntN(len(vms))]
		p := interp.Packet{EthSrc: overlap[w.IntN(len(overlap))], EthDst: overlap[w.IntN(len(overlap))], EthType: of.EthTypeIPv4}
		if port, ok := w.m.Ports.Get(v.port); ok && w.IntN(4) > 0 {
			p.EthSrc = port.MAC
		}
		switch w.IntN(8) {
		case 0, 1:
			p.EthDst, p.EthType = of.Broadcast, of.EthTypeARP
			p.ARP = interp.ARP{Op: 1, SHA: p.EthSrc, SPA: netip.MustParseAddr("10.0.0.2"), TPA: netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + w.IntN(8))})}
		case 2:
			p.EthDst = of.MAC{1, 0, 0x5e, 0, 0, 1}
		case 3:
			p.EthDst = of.MAC{0xfa, 0x16, 0x3e, 0, 0, 0x77}
		case 4:
			if w.IntN(2) == 0 {
				p.VLANs[0] = interp.Tag(uint16(1 + w.IntN(20)))
			}
		}
		out[i] = frame{v, p}
	}
	return out
}

// deliveries says who gets each frame, and fails if that is a VM of another network.
func (w *walk) deliveries(when string, frames []frame) []map[*vm]bool {
	w.t.Helper()
	out := make([]map[*vm]bool, len(frames))
	for i, x := range frames {
		out[i] = map[*vm]bool{}
		for _, to := range w.f.send(x, false) {
			out[i][to] = true
			w.delivered++
			if to.host != x.from.host {
				w.across++
			}
			if to.network != x.from.network {
				w.t.Fatalf("%s: %s, sent by %s of network %s on %s, reaches %s of network %s on %s\nafter\n%s", when, x.packet, x.from.iface, x.from.network, x.from.host,
					to.iface, to.network, to.host, strings.Join(w.did, "\n"))
			}
		}
	}
	return out
}

// commit is the flow mods of one bridge, which it does all at once.
type commit struct {
	host, bridge string
	mods         []*mod
}

// transition is the commits that take all connected bridges to what is planned now.
func (w *walk) transition() []commit {
	w.t.Helper()
	var out []commit
	specs := w.f.plan(w.m)
	for _, host := range w.f.names {
		for _, br := range bridges {
			b := w.f.hosts[host].switches[br]
			if b.away {
				continue
			}
			if mods := w.f.change(w.Rand, b, specs[host].Bridges[br]); len(mods) > 0 {
				out = append(out, commit{host, br, mods})
			}
		}
	}
	return out
}

// TestNoPrefixOfFlowModsLeaksAPacket walks at random through changes of six networks with the same addresses on three
// hosts. The bundles that the controller sends reach the bridges in any order: after each, no frame of a VM may reach a
// VM of another network, and frames that arrive before the change and after it have to arrive in between.
//
// What the switches learn from frames stays in them; some come just after the controller has read a switch.
func TestNoPrefixOfFlowModsLeaksAPacket(t *testing.T) {
	eachWalk(t, 8*time.Second, (*walk).follow)
}

// eachWalk takes random walks for a while, each with a seed that is logged, and calls follow after each step of one.
// LEAK_SEED starts with the walk of the seed it says.
func eachWalk(t *testing.T, d time.Duration, follow func(*walk)) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LEAK_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	steps, delivered, across := 0, 0, 0
	for start := time.Now(); time.Since(start) < d; seed++ {
		t.Logf("LEAK_SEED=%d", seed)
		w := newWalk(t, seed, Config{})
		for range 30 {
			w.did = append(w.did, "--")
			for range 1 + w.IntN(3) {
				w.step()
			}
			follow(w)
			steps++
		}
		delivered, across = delivered+w.delivered, across+w.across
	}
	t.Logf("%d steps; frames reached %d VMs, %d on other hosts", steps, delivered, across)
	if across == 0 {
		t.Error("no frame reached another host: nothing was tested")
	}
}

// follow lets the switches follow the model.
func (w *walk) follow() {
	w.t.Helper()
	commits := w.transition()
	frames := w.frames(40)
	before, after := w.beforeAndAfter(commits, frames)
	for range 3 {
		w.Shuffle(len(commits), func(i, j int) { commits[i], commits[j] = commits[j], commits[i] })
		for i, c := range commits {
			c.do()
			w.expectBoth(fmt.Sprintf("after the bundles of %v", commits[:i+1]), frames, before, after)
		}
		w.undo(commits)
	}
	// In earnest, with frames that the switches learn from.
	w.teach(10)
	for i, c := range commits {
		c.do()
		w.deliveries(fmt.Sprintf("with frames learned from, after the bundles of %v", commits[:i+1]), w.frames(20))
		w.teach(3)
	}
	// A flow that was learned too late has the loop run again.
	for _, c := range w.transition() {
		c.do()
	}
	w.deliveries("in the end", w.frames(40))
	w.expectReach()
	if again := w.transition(); len(again) > 0 {
		w.t.Fatalf("there is something to do after all was done: %v", again)
	}
}

// expectBoth checks that what is delivered before and after is delivered now.
func (w *walk) expectBoth(when string, frames []frame, before, after []map[*vm]bool) {
	w.t.Helper()
	for i, now := range w.deliveries(when, frames) {
		for to := range before[i] {
			if after[i][to] && !now[to] {
				w.t.Fatalf("%s: %s of %s on %s does not reach %s on %s, which it does before and after\nafter\n%s", when,
					frames[i].packet, frames[i].from.iface, frames[i].from.host, to.iface, to.host, strings.Join(w.did, "\n"))
			}
		}
	}
}

// expectReach checks that all VMs of a network reach each other, if all bridges are connected and nothing is down. In
// provider networks they do not need to: br-ex believes frames with the address of another VM.
func (w *walk) expectReach() {
	w.t.Helper()
	for _, host := range w.f.hosts {
		for _, b := range host.switches {
			if b.away {
				return
			}
		}
	}
	up := func(v *vm) (*model.Port, bool) {
		p, ok := w.m.Ports.Get(v.port)
		if !ok || !p.AdminUp {
			return nil, false
		}
		n, _ := w.m.Networks.Get(v.network)
		return p, n.AdminUp && n.Type.Tunnel()
	}
	for _, from := range w.f.all() {
		src, ok := up(from)
		if !ok {
			continue
		}
		for _, to := range w.f.all() {
			dst, ok := up(to)
			if !ok || to.network != from.network || to.port == from.port || w.m.HostOf(dst).Host != to.host {
				continue
			}
			x := frame{from, interp.Packet{EthSrc: src.MAC, EthDst: dst.MAC, EthType: of.EthTypeIPv4}}
			if got := w.f.send(x, false); !slices.Equal(got, []*vm{to}) {
				w.t.Fatalf("%s of %s on %s reaches %d VMs, want %s on %s alone\nafter\n%s", x.packet, from.iface, from.host, len(got), to.iface, to.host, strings.Join(w.did, "\n"))
			}
		}
	}
}

func (c commit) do() {
	for _, m := range c.mods {
		m.do()
	}
}

func (w *walk) undo(commits []commit) {
	for _, c := range slices.Backward(commits) {
		for _, m := range slices.Backward(c.mods) {
			w.f.undo(m)
		}
	}
}

// beforeAndAfter says who gets frames before the commits and after them. It leaves them undone.
func (w *walk) beforeAndAfter(commits []commit, frames []frame) (before, after []map[*vm]bool) {
	w.t.Helper()
	before = w.deliveries("before", frames)
	for _, c := range commits {
		c.do()
	}
	after = w.deliveries("after", frames)
	w.undo(commits)
	return before, after
}

func (c commit) String() string { return c.host + " " + c.bridge }

// TestSingleFlowModsLeakNoPacket sends the flow mods of all bridges one by one, mixed at random, as if there were no
// bundles: that nothing leaks or is lost does not hang on them.
func TestSingleFlowModsLeakNoPacket(t *testing.T) {
	eachWalk(t, 4*time.Second, (*walk).followSingly)
}

// followSingly lets the switches follow the model by one flow mod after the other.
func (w *walk) followSingly() {
	w.t.Helper()
	commits := w.transition()
	frames := w.frames(30)
	before, after := w.beforeAndAfter(commits, frames)
	for done := 1; len(commits) > 0; done++ {
		i := w.IntN(len(commits))
		commits[i].mods[0].do()
		if commits[i].mods = commits[i].mods[1:]; len(commits[i].mods) == 0 {
			commits = slices.Delete(commits, i, i+1)
		}
		if w.IntN(3) == 0 {
			w.expectBoth(fmt.Sprintf("%d mods done, %d bridges to go", done, len(commits)), frames, before, after)
		}
	}
	w.teach(10)
	for _, c := range w.transition() {
		c.do()
	}
}

// teach sends frames that the switches learn from.
func (w *walk) teach(n int) {
	w.t.Helper()
	for _, x := range w.frames(n) {
		w.f.send(x, true)
	}
}
