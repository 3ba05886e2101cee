package l2

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/store/model"
)

// nic is the port of br-ex that is a host's physical interface. All of them are on one wire.
const nic of.PortNo = 999

// bridges are those of each host.
var bridges = []string{row.IntBridge, row.TunBridge, "br-ex"}

// cluster is hosts as they are, whatever the model says: their switches with the flows that these hold, and the VMs that
// are plugged into them.
type cluster struct {
	t     testing.TB
	hosts map[string]*machine
	names []string
	taps  int
}

type machine struct {
	name     string
	ip       netip.Addr
	switches map[string]*bridge
	vms      map[of.PortNo]*vm // by port of br-int
}

// bridge is a switch and the flows in it, as a dump of it would say.
type bridge struct {
	*interp.Bridge
	ports map[string]of.Port
	next  of.PortNo
	held  map[of.Key]wire.Entry
	away  bool // not connected: it keeps what it has
}

// vm is who is behind a tap. It is the network's for as long as it is plugged, even if its port was deleted.
type vm struct {
	port    model.ID
	network model.ID
	iface   string
	no      of.PortNo
	host    string
}

func newCluster(t testing.TB, hosts ...string) *cluster {
	f := &cluster{t: t, hosts: map[string]*machine{}, names: hosts}
	for i, name := range hosts {
		m := &machine{name: name, ip: netip.AddrFrom4([4]byte{10, 99, 0, byte(1 + i)}), switches: map[string]*bridge{}, vms: map[of.PortNo]*vm{}}
		for _, br := range bridges {
			m.switches[br] = &bridge{Bridge: interp.NewBridge(interp.Config{Name: br}), ports: map[string]of.Port{}, held: map[of.Key]wire.Entry{}}
		}
		m.switches["br-ex"].SetPort(interp.Port{No: nic, Name: "eth1"})
		m.cable(row.IntBridge, row.PatchTun, row.TunBridge, row.PatchInt)
		onInt, onBridge := row.MappingPorts("br-ex")
		m.cable(row.IntBridge, onInt, "br-ex", onBridge)
		f.hosts[name] = m
	}
	return f
}

// settings is what a host says of itself.
func (m *machine) settings() model.HostSettings {
	return model.HostSettings{EncapIP: m.ip, EncapTypes: []model.NetworkType{model.TypeGRE, model.TypeVXLAN, model.TypeGeneve},
		BridgeMappings: map[string]string{"physnet1": "br-ex"}, DatapathType: "netdev"}
}

// plug makes a port. A number is not given again.
func (b *bridge) plug(p interp.Port) of.PortNo {
	if has, ok := b.ports[p.Name]; ok {
		return has.No
	}
	b.next++
	p.No = b.next
	b.SetPort(p)
	b.ports[p.Name] = of.Port{No: p.No, Name: p.Name}
	return p.No
}

func (b *bridge) unplug(name string) {
	b.RemovePort(b.ports[name].No)
	delete(b.ports, name)
}

func (m *machine) cable(bridgeA, portA, bridgeB, portB string) {
	a, b := m.switches[bridgeA], m.switches[bridgeB]
	interp.Patch(a.Bridge, a.plug(interp.Port{Name: portA}), b.Bridge, b.plug(interp.Port{Name: portB}))
}

// start plugs a VM into a host.
func (f *cluster) start(p *model.Port, host string) *vm {
	f.taps++
	m := f.hosts[host]
	v := &vm{port: p.ID, network: p.Network, iface: fmt.Sprint("tap", f.taps), host: host}
	v.no = m.switches[row.IntBridge].plug(interp.Port{Name: v.iface})
	m.vms[v.no] = v
	return v
}

func (f *cluster) stop(v *vm) {
	m := f.hosts[v.host]
	m.switches[row.IntBridge].unplug(v.iface)
	delete(m.vms, v.no)
}

// restart empties the switches of a host.
func (f *cluster) restart(host string) {
	for _, b := range f.hosts[host].switches {
		for k, e := range b.held {
			b.Remove(f.unpack(k, e))
		}
		clear(b.held)
	}
}

// all lists the VMs.
func (f *cluster) all() []*vm {
	var out []*vm
	for _, host := range f.names {
		for _, no := range slices.Sorted(maps.Keys(f.hosts[host].vms)) {
			out = append(out, f.hosts[host].vms[no])
		}
	}
	return out
}

// plan plans every host, after OVS has made the tunnels that are planned.
func (f *cluster) plan(m *model.Model) map[string]*spec.Spec {
	f.t.Helper()
	out := map[string]*spec.Spec{}
	for made := true; made; {
		made = false
		for _, name := range f.names {
			host := f.hosts[name]
			o := spec.Observed{Ports: map[string]map[string]of.Port{}, Rows: &spec.Rows{Controller: "tcp:192.0.2.1:6653", Bridges: map[string]bool{"br-ex": true}, Plugged: map[string]string{}}}
			for br, b := range host.switches {
				o.Ports[br] = b.ports
			}
			for _, v := range host.vms {
				o.Rows.Plugged[v.iface] = string(v.port)
			}
			s, err := spec.Plan(m, o, name, Plan)
			if err != nil {
				f.t.Fatal(err)
			}
			for _, k := range slices.SortedFunc(maps.Keys(s.Rows), func(a, b row.Key) int { return strings.Compare(a.String(), b.String()) }) {
				if tunnel, ok := s.Rows[k].(row.Tunnel); ok {
					b := host.switches[tunnel.Bridge]
					_, had := b.ports[tunnel.Name]
					b.plug(interp.Port{Name: tunnel.Name, Local: tunnel.Local, Remote: tunnel.Remote})
					made = made || !had
				}
			}
			out[name] = s
		}
	}
	return out
}

// mod is one flow mod, and what undoes it.
type mod struct {
	to     *bridge
	key    of.Key
	entry  wire.Entry // of an add; zero for a delete
	flow   of.Flow
	delete bool

	before    wire.Entry
	hadBefore bool
}

// change is what the controller sends to a bridge: the difference between its plan and what it read, deletes before
// adds (see ofconn.Change), and within those in no order.
func (f *cluster) change(rnd *rand.Rand, b *bridge, want *spec.Bridge) []*mod {
	f.t.Helper()
	have := maps.Clone(b.held)
	maps.DeleteFunc(have, func(k of.Key, e wire.Entry) bool {
		if kind, _ := pipeline.Cause(e.Cookie); kind != pipeline.KindLearned {
			return false
		}
		mac, ok := pipeline.ReadLearned(f.unpack(k, e))
		return ok && mac.Holds(want.Learn)
	})
	wanted := map[of.Key]wire.Entry{}
	for _, part := range want.Parts {
		for i, k := range part.Keys {
			wanted[k] = part.Entries[i]
		}
	}
	d := reconcile.Diff(wanted, have, func(a, b wire.Entry) bool { return a == b })
	var deletes, adds []*mod
	for k, e := range d.Delete {
		deletes = append(deletes, &mod{to: b, key: k, flow: f.unpack(k, e), delete: true})
	}
	maps.Copy(d.Add, d.Update)
	for k, e := range d.Add {
		adds = append(adds, &mod{to: b, key: k, entry: e, flow: f.unpack(k, e)})
	}
	for _, mods := range [][]*mod{deletes, adds} {
		slices.SortFunc(mods, func(a, b *mod) int { return compareKeys(a.key, b.key) }) // maps have an order of their own
		rnd.Shuffle(len(mods), func(i, j int) { mods[i], mods[j] = mods[j], mods[i] })
	}
	return append(deletes, adds...)
}

func compareKeys(a, b of.Key) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Match, b.Match))
}

func (f *cluster) unpack(k of.Key, e wire.Entry) of.Flow {
	f.t.Helper()
	flow, err := wire.Unpack(k, e)
	if err != nil {
		f.t.Fatal(err)
	}
	return flow
}

func (m *mod) do() {
	m.before, m.hadBefore = m.to.held[m.key]
	if m.delete {
		m.to.Remove(m.flow)
		delete(m.to.held, m.key)
		return
	}
	m.to.Add(m.flow)
	m.to.held[m.key] = m.entry
}

func (f *cluster) undo(m *mod) {
	f.t.Helper()
	if !m.hadBefore {
		m.to.Remove(m.flow)
		delete(m.to.held, m.key)
		return
	}
	m.to.Add(f.unpack(m.key, m.before))
	m.to.held[m.key] = m.before
}

// frame is a packet that a VM sends.
type frame struct {
	from   *vm
	packet interp.Packet
}

// send takes a frame to everybody who gets it. What switches learn from it is learned if teach is set.
func (f *cluster) send(x frame, teach bool) []*vm {
	f.t.Helper()
	type place struct {
		host   string
		bridge string
		packet interp.Packet
	}
	x.packet.InPort = x.from.no
	queue := []place{{x.from.host, row.IntBridge, x.packet}}
	var got []*vm
	for hops := 0; len(queue) > 0; hops++ {
		if hops > 200 {
			f.t.Fatalf("%s from %s runs in a circle", x.packet, x.from.iface)
		}
		at := queue[0]
		queue = queue[1:]
		host := f.hosts[at.host]
		trace := host.switches[at.bridge].Run(at.packet)
		if teach {
			f.learn(host, trace)
		}
		for _, out := range trace.Outputs() {
			port, _ := out.Bridge.Port(out.Port)
			switch {
			case host.vms[out.Port] != nil && out.Bridge.Name() == row.IntBridge:
				got = append(got, host.vms[out.Port])
			case out.Bridge.Name() == row.TunBridge && port.Remote.IsValid():
				for _, other := range f.names {
					if o := f.hosts[other]; o.ip == port.Remote {
						in, ok := o.switches[row.TunBridge].ports[row.TunnelName(tunnelKind(port.Name), host.ip)]
						if ok {
							queue = append(queue, place{other, row.TunBridge, out.Packet.Tunnelled(in.No, host.ip, o.ip)})
						}
					}
				}
			case out.Bridge.Name() == "br-ex" && out.Port == nic:
				for _, other := range f.names {
					if other != at.host {
						queue = append(queue, place{other, "br-ex", out.Packet.At(nic)})
					}
				}
			}
		}
	}
	return got
}

// tunnelKind is the type in the name of a tunnel port, such as vxlan-0a630001.
func tunnelKind(port string) string {
	for _, t := range tunnelTypes {
		if len(port) > len(t) && port[:len(t)] == string(t) {
			return string(t)
		}
	}
	return ""
}

// learn puts what a trace teaches into the switches.
func (f *cluster) learn(m *machine, t *interp.Trace) {
	f.t.Helper()
	for _, l := range t.Learned {
		l.Apply()
		if l.Flow == nil {
			continue
		}
		k, e, err := wire.Pack(*l.Flow)
		if err != nil {
			f.t.Fatal(err)
		}
		m.switches[l.Bridge.Name()].held[k] = e
	}
}
