package explain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/controller/status"
	"github.com/heddle-sdn/heddle/controller/view"
	"github.com/heddle-sdn/heddle/store/model"
)

// enter lets a frame into a bridge.
func (w *walk) enter(h *host, bridge string, p interp.Packet, parent int) {
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > maxDepth {
		w.endInside(parent, h, bridge, cause{weight: broken, reason: Loop, msg: "it goes in a circle"})
		return
	}
	b := h.bridges[bridge]
	if b == nil {
		w.endInside(parent, h, bridge, *causef(broken, BridgeMissing, "%s%s is not there", bridge, w.on(h)))
		return
	}
	if !w.known(h, bridge, parent) {
		return
	}
	trace := b.Run(p)
	if trace.Limit != interp.NoReason {
		w.endInside(parent, h, bridge, *causef(broken, Reason(trace.Limit.String()), "flows of %s%s lead the packet in a circle, so that the switch drops it", bridge, w.on(h)))
		return
	}
	for _, l := range trace.Learned {
		l.Apply()
	}
	w.follow(h, trace.Steps, parent)
}

// known reports whether it is known what a bridge does. If what it should do is told instead, that is
// noted.
func (w *walk) known(h *host, bridge string, parent int) bool {
	why, away := h.Away[bridge]
	if !away {
		if b := h.Spec.Bridges[bridge]; h.Flows == nil && b != nil && b.Err != nil {
			w.note("%s%s keeps the flows that it has: %v", bridge, w.on(h), b.Err)
		}
		return true
	}
	if h.Flows != nil {
		c := causef(broken, SwitchDown, "what %s%s does is not known: %s", bridge, w.on(h), why)
		c.unknown = true
		w.endInside(parent, h, bridge, *c)
		return false
	}
	w.note("%s%s: %s; this is what it should do", bridge, w.on(h), why)
	return true
}

// follow tells what bridges did.
func (w *walk) follow(h *host, steps []*interp.Step, parent int) {
	for _, s := range steps {
		if len(w.steps) > maxSteps {
			w.end(parent, h, "", cause{weight: broken, reason: TooMany, unknown: true, msg: "it is copied to more places than are followed here"})
			return
		}
		switch s.Kind {
		case interp.KindTable:
			w.follow(h, s.Steps, w.table(h, s, parent))
		case interp.KindOutput:
			w.output(h, s, parent)
		case interp.KindBridge:
			if w.known(h, s.Bridge.Name(), parent) {
				w.follow(h, s.Steps, parent)
			}
		case interp.KindDrop:
			w.dropped(h, s, parent)
		default:
			w.follow(h, s.Steps, parent)
		}
	}
}

// maxSteps bounds the answer: a broadcast on a network of thousands of ports is not told to the end.
const maxSteps = 5000

// table tells of a look-up.
func (w *walk) table(h *host, s *interp.Step, parent int) int {
	bridge, number := s.Bridge.Name(), int(s.Table)
	step := Step{Kind: KindTable, Host: h.name, Where: bridge, Table: &number}
	if t := pipeline.Of(bridge).Table(s.Table); t != nil {
		step.TableName = t.Name
	}
	after := s.Packet
	for _, below := range s.Steps {
		if below.Kind == interp.KindAction {
			after = below.Packet
		}
	}
	step.Packet, step.Changed = after.String(), changed(s.Packet, after)
	step.Says = "no flow takes it"
	if s.Flow != nil {
		step.Text, step.Says = s.Flow.String(), w.flowSays(h, bridge, s.Flow)
		if pipeline.Ours(s.Flow.Cookie) {
			if r := w.cause(s.Flow.Cookie); r != nil {
				step.Object, step.ObjectName = w.object(r)
			}
		}
		w.flowState(h, bridge, s.Flow, &step)
	}
	lacks := h.lacks(bridge, s.Table, s.Flow, s.Packet)
	if lacks != nil {
		step.Says += "; a flow is missing that would have taken it: " + lacks.String()
	}
	if s.Flow != nil && s.Packet.ARP.Op == arpRequest && after.ARP.Op == arpReply {
		step.Kind = KindAnswer
		if w.inquiry != nil {
			w.inquiry.answered(step, w.flowStation(h, s.Flow))
		}
	}
	id := w.add(parent, step)
	if lacks != nil {
		of := ""
		if r := w.cause(lacks.Cookie); r != nil {
			of = " of " + w.title(r)
		}
		w.wrong(FlowMissing, "a flow%s is missing in table %d of %s%s: %s", of, number, bridge, w.on(h), lacks)
	}
	return id
}

// flowState adds how the flow stands between what is wanted and what is there.
func (w *walk) flowState(h *host, bridge string, f *of.Flow, step *Step) {
	v, ok := h.stateOf(bridge, f)
	if !ok {
		return
	}
	step.State = string(v.State)
	switch v.State {
	case view.FlowAltered:
		step.Says += "; it was altered, and should be " + v.Want.String()
		w.wrong(FlowAltered, "a flow was altered in table %d of %s%s: it is %s and should be %s", f.Table, bridge, w.on(h), f, v.Want)
	case view.FlowForeign:
		step.Says += "; it is not Heddle's"
	case view.FlowStale:
		step.Says += "; it should not be there any more"
	}
	if len(f.Actions) == 0 && (v.State == view.FlowForeign || v.State == view.FlowStale) {
		w.wrong(FlowForeign, "a flow that Heddle does not want drops it in table %d of %s%s: %s", f.Table, bridge, w.on(h), f)
	}
}

// cause returns the network or port that a flow is there for, nil if it is for none.
func (w *walk) cause(c of.Cookie) model.Resource {
	kind, tag := pipeline.Cause(c)
	if kind != pipeline.KindNetwork && kind != pipeline.KindPort {
		return nil
	}
	return w.m.OfTag(tag)
}

// flowStation is the station of the port that a flow is there for.
func (w *walk) flowStation(h *host, f *of.Flow) *station {
	p, ok := w.cause(f.Cookie).(*model.Port)
	if !ok {
		return &station{host: h}
	}
	s := &station{port: p, mac: p.MAC}
	if home := w.m.HostOf(p); home != nil {
		s.host, s.iface = w.host(home.Host), home.Iface
	}
	return s
}

// changed names the fields that differ.
func changed(before, after interp.Packet) []string {
	was := map[string]bool{}
	for _, f := range strings.Split(before.String(), ",") {
		was[f] = true
	}
	var out []string
	for _, f := range strings.Split(after.String(), ",") {
		if name, _, isField := strings.Cut(f, "="); isField && !was[f] {
			out = append(out, name)
		}
	}
	return out
}

// output tells where a copy goes that leaves a bridge.
func (w *walk) output(h *host, s *interp.Step, parent int) {
	bridge := s.Bridge.Name()
	port, _ := s.Bridge.Port(s.Port)
	iface := h.ifaces[bridge][s.Port]
	step := Step{Kind: KindOutput, Host: h.name, Where: bridge, Packet: s.Packet.String()}
	switch peer, _ := port.Peer(); {
	case peer != nil:
		step.Kind, step.Says = KindPatch, fmt.Sprintf("it goes by %s into %s", iface, peer.Name())
		w.follow(h, s.Steps, w.add(parent, step))
	case s.Port == of.PortController:
		step.Says = "a copy goes to the controller"
		w.add(parent, step)
	case h.cables[bridge][iface] != "": // and it was not taken
		other := h.cables[bridge][iface]
		w.endInside(parent, h, bridge, *causef(broken, PatchPortMissing, "the cable between %s and %s%s is not there: %s has no other end", bridge, other, w.on(h), iface))
	case h.Absent[bridge][iface]:
		w.endInside(parent, h, bridge, w.absent(h, bridge, iface))
	case bridge == row.TunBridge:
		w.tunnel(h, iface, port, s.Packet, parent)
	case bridge == row.IntBridge:
		step.Says = fmt.Sprintf("it leaves by port %s", iface)
		w.arrive(h, iface, s.Port, s.Packet, w.add(parent, step))
	default:
		w.leaveBridge(h, bridge, iface, s.Packet, parent)
	}
}

// absent says what it means that a port is not there.
func (w *walk) absent(h *host, bridge, iface string) cause {
	if t, ok := h.Tunnels[iface]; ok && bridge == row.TunBridge {
		return *causef(broken, TunnelPortMissing, "the %s tunnel to %s is not there: br-tun%s has no port %s", t.Type, w.hostAt(t, h), w.on(h), iface)
	}
	return *causef(broken, PortNotOnSwitch, "%s%s has no port %s", bridge, w.on(h), iface)
}

// tunnel takes a copy to the host at the other end of a tunnel.
func (w *walk) tunnel(h *host, iface string, port interp.Port, p interp.Packet, parent int) {
	t := h.Tunnels[iface]
	if !port.Remote.IsValid() {
		w.endInside(parent, h, row.TunBridge, *causef(broken, TunnelUnknown, "port %s of br-tun%s leads to no known address", iface, w.on(h)))
		return
	}
	if path, told := h.Paths[iface]; told {
		if path.State == status.TunnelDown && path.Reason == status.TunnelIsDown {
			w.endInside(parent, h, row.TunBridge, *causef(broken, TunnelDown, "%s of %s is down: %s", path.Title(), w.hostTitle(h), path.Msg))
			return
		}
		if id, ok := w.m.SegmentUser(path.Type, "", uint32(p.Tunnel.ID)); ok {
			n, _ := w.m.Networks.Get(id)
			if c := path.Fits(n); c.Wrong() {
				w.note("long packets do not come through: %s", c.Msg)
			}
		}
	}
	step := Step{Kind: KindTunnel, Host: h.name, Where: row.TunBridge, Packet: p.String(),
		Says: fmt.Sprintf("it goes through the %s tunnel %s to %s, under key %d", t.Type, iface, w.hostAt(t, h), p.Tunnel.ID)}
	id := w.add(parent, step)
	found := false
	for _, name := range w.m.Hosts.Sorted() {
		other, _ := w.m.Hosts.Get(name)
		if name == h.name || other.Settings().EncapIP.Unmap() != port.Remote {
			continue
		}
		found = true
		to := w.host(name)
		if to == nil {
			continue
		}
		in, ok := to.tunnelFrom(t.Type, t)
		if !ok {
			w.endInside(id, to, row.TunBridge, *causef(broken, TunnelPortMissing, "br-tun%s has no %s tunnel to %s, so it does not take what comes from there", w.on(to), t.Type, t.Local))
			continue
		}
		w.enter(to, row.TunBridge, p.Tunnelled(in, t.Local, t.Remote), id)
	}
	if !found {
		w.endInside(id, h, row.TunBridge, *causef(broken, TunnelLeadsNowhere, "tunnel %s leads to %s, and no host has that address", iface, port.Remote))
	}
}

// dropped tells why a copy ends in a bridge.
func (w *walk) dropped(h *host, s *interp.Step, parent int) {
	bridge := s.Bridge.Name()
	c := cause{weight: minor, reason: Reason(s.Reason.String())}
	switch s.Reason {
	case interp.NoFlow, interp.FlowDrops:
		c = w.noFlow(h, s)
	case interp.PortDown:
		c.weight = broken
		if c.msg = fmt.Sprintf("%s%s: %s, it has no carrier", bridge, w.on(h), s.Note); bridge == row.TunBridge {
			c.reason = TunnelDown
		}
	case interp.NoPort:
		c.weight, c.msg = broken, fmt.Sprintf("a flow of %s%s leads to a port that is not there: %s", bridge, w.on(h), s.Note)
		for _, iface := range slices.Sorted(maps.Keys(h.Absent[bridge])) {
			if h.cables[bridge][iface] != "" {
				c.reason, c.msg = PatchPortMissing, fmt.Sprintf("%s%s has no port %s", bridge, w.on(h), iface)
			}
		}
	case interp.NotModelled:
		c.weight, c.unknown, c.msg = broken, true, fmt.Sprintf("what %s%s does with it is not known: %s", bridge, w.on(h), s.Note)
	case interp.SameLink:
		return // nothing goes back to where it came from: there is nothing to tell
	case interp.WrongVLAN:
		c.weight, c.msg = major, fmt.Sprintf("%s%s drops it: %s", bridge, w.on(h), s.Note)
		if _, _, leads := h.outside(bridge); !leads {
			c.reason, c.msg = NoPhysicalPort, fmt.Sprintf("%s%s has no port that leads to the physical network: add the NIC to it", bridge, w.on(h))
		}
	default:
		c.msg = fmt.Sprintf("%s%s drops it", bridge, w.on(h))
		if s.Note != "" {
			c.msg += ": " + s.Note
		}
	}
	w.endInside(parent, h, bridge, c)
}

// noFlow says what it means that a table has nothing for the packet.
func (w *walk) noFlow(h *host, s *interp.Step) cause {
	bridge := s.Bridge.Name()
	in := h.ifaces[bridge][s.Packet.InPort]
	c := cause{weight: major, reason: NoFlow}
	switch {
	case bridge == row.IntBridge && s.Table == pipeline.Local:
		if _, isEnd := h.ends[in]; w.portAt(h.name, in) != nil || isEnd {
			c.msg = fmt.Sprintf("br-int%s drops what port %s sends like this: its frames must come without a VLAN tag", w.on(h), in)
			if !s.Packet.VLANs[0].Present() {
				c.msg = fmt.Sprintf("br-int%s has no flow for port %s: it does not forward for it (yet)", w.on(h), in)
			}
			return c
		}
		c.weight, c.msg = minor, fmt.Sprintf("br-int%s has no network for what comes by %s in this VLAN", w.on(h), in)
	case bridge == row.IntBridge:
		c.weight, c.msg = minor, fmt.Sprintf("nobody%s has %s, and the network leads nowhere else from there", w.on(h), s.Packet.EthDst)
	case bridge == row.TunBridge && s.Table == pipeline.ToFlood:
		c.weight, c.msg = minor, fmt.Sprintf("no other host holds the network, so nobody elsewhere has %s", s.Packet.EthDst)
	case bridge == row.TunBridge && (s.Table == pipeline.FromVXLAN || s.Table == pipeline.FromGRE || s.Table == pipeline.FromGeneve):
		c.msg = fmt.Sprintf("br-tun%s has no network with tunnel key %d", w.on(h), s.Packet.Tunnel.ID)
	default:
		c.msg = fmt.Sprintf("table %d of %s%s has no flow for it", s.Table, bridge, w.on(h))
	}
	if id, held := w.m.NetworkOfVLAN(h.name, s.Packet.VLANs[0].VID()); held {
		if why, pends := h.Spec.Pending[id]; pends {
			return cause{weight: broken, reason: Reason(why.Reason), msg: why.Msg}
		}
	}
	return c
}
