package interp_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
)

// section is what a trace says of a packet, or of a copy of it that went through the connection tracker.
type section struct {
	lookups []string // "table priority", "table miss"; a line for each look-up
	final   interp.Packet
	sent    []sent
	limit   bool
}

// sent is a copy of a packet that left.
type sent struct {
	port   string // as the datapath numbers it; "controller"
	packet string
}

var (
	tookFlow = regexp.MustCompile(`^ *(\d+)\. .*?\bpriority (\d+)`)
	// In the bridge behind a patch cable the trace shows the hidden flow that stands for a miss.
	tookNone  = regexp.MustCompile(`^ *(\d+)\. (?:No match\.|reg0=0x2, priority 0$)`)
	recircRow = regexp.MustCompile(`^recirc\(`)
)

// readTrace reads what ofproto/trace prints; tunnels are the datapath's numbers of tunnel ports.
func readTrace(text string, tunnels []string) ([]section, error) {
	var out []section
	var first interp.Packet
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "Flow: "):
			p, err := interp.ParsePacket(strings.TrimPrefix(line, "Flow: "))
			if err != nil {
				return nil, err
			}
			out = append(out, section{})
			first = p
		case len(out) == 0 || recircRow.MatchString(line):
		case tookNone.MatchString(line):
			s := &out[len(out)-1]
			s.lookups = append(s.lookups, tookNone.FindStringSubmatch(line)[1]+" miss")
		case tookFlow.MatchString(line):
			m, s := tookFlow.FindStringSubmatch(line), &out[len(out)-1]
			s.lookups = append(s.lookups, m[1]+" "+m[2])
		case line == "Final flow: unchanged":
			out[len(out)-1].final = first
		case strings.HasPrefix(line, "Final flow: "):
			p, err := interp.ParsePacket(strings.TrimPrefix(line, "Final flow: "))
			if err != nil {
				return nil, err
			}
			out[len(out)-1].final = p
		case strings.HasPrefix(line, "Datapath actions: "):
			d := datapath{packet: first.At(0), tunnels: tunnels}
			d.packet.Mark, d.packet.CT = first.Mark, first.CT
			if err := d.run(strings.TrimPrefix(line, "Datapath actions: ")); err != nil {
				return nil, fmt.Errorf("%w in %s", err, line)
			}
			out[len(out)-1].sent = d.sent
		case strings.HasPrefix(line, "Translation failed"):
			out[len(out)-1].limit = true
		}
	}
	return out, nil
}

// datapath does the actions of a datapath, so that two traces can be compared by what leaves.
type datapath struct {
	packet  interp.Packet
	tunnels []string
	sent    []sent
}

func (d *datapath) run(actions string) error {
	for _, a := range splitTop(actions) {
		name, args, _ := strings.Cut(a, "(")
		args = strings.TrimSuffix(args, ")")
		switch name {
		case "drop", "recirc", "ct", "ct_clear":
		case "push_vlan":
			d.packet.VLANs[1] = d.packet.VLANs[0]
			d.packet.VLANs[0] = interp.VLAN{TPID: of.EthTypeVLAN, TCI: of.VLANPresent}
			for k, v := range pairs(args) {
				n, err := strconv.ParseUint(v, 0, 16)
				if err != nil {
					return err
				}
				switch k {
				case "vid":
					d.packet.VLANs[0].TCI |= uint16(n)
				case "pcp":
					d.packet.VLANs[0].TCI |= uint16(n) << 13
				}
			}
		case "pop_vlan":
			d.packet.VLANs = [2]interp.VLAN{d.packet.VLANs[1]}
		case "set":
			kind, inner, _ := strings.Cut(args, "(")
			if err := d.set(kind, strings.TrimSuffix(inner, ")")); err != nil {
				return err
			}
		case "clone":
			inside := datapath{packet: d.packet, tunnels: d.tunnels}
			if err := inside.run(args); err != nil {
				return err
			}
			d.sent = append(d.sent, inside.sent...)
		case "userspace":
			if !strings.Contains(args, "controller(") {
				return fmt.Errorf("unknown action %s", a)
			}
			d.sent = append(d.sent, sent{port: "controller"})
		default:
			if _, err := strconv.Atoi(a); err != nil {
				return fmt.Errorf("unknown action %s", a)
			}
			p := d.packet
			if !slices.Contains(d.tunnels, a) {
				p.Tunnel = interp.Tunnel{}
			}
			d.sent = append(d.sent, sent{a, onWire(p)})
		}
	}
	return nil
}

// splitTop splits at the commas that are in no parentheses.
func splitTop(s string) []string {
	var out []string
	depth, start := 0, 0
	for i, c := range s {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func pairs(s string) map[string]string {
	out := map[string]string{}
	for _, item := range splitTop(s) {
		if k, v, ok := strings.Cut(item, "="); ok {
			out[k] = v
		}
	}
	return out
}

// setters are the members of the datapath's set action, by kind and name.
var setters = map[string]of.Field{
	"eth src": of.FieldEthSrc, "eth dst": of.FieldEthDst,
	"ipv4 src": of.FieldIPv4Src, "ipv4 dst": of.FieldIPv4Dst, "ipv4 ttl": of.FieldIPTTL,
	"ipv6 src": of.FieldIPv6Src, "ipv6 dst": of.FieldIPv6Dst, "ipv6 label": of.FieldIPv6Label, "ipv6 hlimit": of.FieldIPTTL,
	"tcp src": of.FieldTCPSrc, "tcp dst": of.FieldTCPDst, "udp src": of.FieldUDPSrc, "udp dst": of.FieldUDPDst,
	"sctp src": of.FieldSCTPSrc, "sctp dst": of.FieldSCTPDst,
	"icmp type": of.FieldICMPType, "icmp code": of.FieldICMPCode, "icmpv6 type": of.FieldICMP6Type, "icmpv6 code": of.FieldICMP6Code,
	"arp sip": of.FieldARPSPA, "arp tip": of.FieldARPTPA, "arp op": of.FieldARPOp, "arp sha": of.FieldARPSHA, "arp tha": of.FieldARPTHA,
	"nd target": of.FieldNDTarget, "nd sll": of.FieldNDSLL, "nd tll": of.FieldNDTLL,
	"tunnel tun_id": of.FieldTunID, "tunnel dst": of.FieldTunDst, "tunnel src": of.FieldTunSrc,
}

func (d *datapath) set(kind, args string) error {
	if kind == "skb_mark" {
		v, mask, err := masked(of.FieldPktMark, args)
		d.packet.Mark = d.packet.Mark&^uint32(mask.Lo) | uint32(v.Lo&mask.Lo)
		return err
	}
	for name, text := range pairs(args) {
		f := setters[kind+" "+name]
		if kind != "tunnel" && (name == "tos" || name == "tclass") {
			v, mask, err := masked(of.FieldPktMark, text)
			d.packet.IP.TOS = d.packet.IP.TOS&^uint8(mask.Lo) | uint8(v.Lo&mask.Lo)
			if err != nil {
				return err
			}
			continue
		}
		if kind == "tunnel" && f == of.FieldUnknown {
			continue // ttl, port and flags of the outer header
		}
		v, mask, err := masked(f, text)
		if err != nil {
			return fmt.Errorf("set %s %s=%s: %w", kind, name, text, err)
		}
		if !d.packet.Set(f, d.packet.Get(f).AndNot(mask).Or(v.And(mask))) {
			return fmt.Errorf("set %s %s of %s", kind, name, d.packet)
		}
	}
	return nil
}

// masked reads a value of a field with its mask, if it has one.
func masked(f of.Field, text string) (v, mask of.Value, err error) {
	value, m, has := strings.Cut(text, "/")
	if v, err = parse(f, value); err != nil || !has {
		return v, of.Ones(128), err
	}
	mask, err = parse(f, m)
	return v, mask, err
}

func parse(f of.Field, text string) (of.Value, error) {
	if m, err := of.ParseMAC(text); err == nil {
		return m.Value(), nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return of.AddrValue(a), nil
	}
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return of.Value{}, fmt.Errorf("value %q of %s", text, f)
	}
	return of.Num(n), nil
}

// onWire is what of a packet can be seen by who gets it, and what enters a tunnel.
func onWire(p interp.Packet) string {
	tunnel := p.Tunnel
	p = p.At(0)
	return fmt.Sprintf("%s tunnel %d to %s", p, tunnel.ID, tunnel.Dst)
}

// sections brings a trace into the form of ofproto/trace: what comes out of the connection tracker is told later.
// datapathPort names a port as the datapath does; tunnel says whether it is one.
func sections(t *interp.Trace, datapathPort func(*interp.Bridge, of.PortNo) (name string, tunnel bool)) []section {
	queue := [][]*interp.Step{t.Steps}
	var out []section
	for len(queue) > 0 {
		now := queue[0]
		queue = queue[1:]
		s := section{final: asPrinted(t.Final), limit: t.Limit != interp.NoReason}
		var visit func(steps []*interp.Step)
		visit = func(steps []*interp.Step) {
			for _, x := range steps {
				switch x.Kind {
				case interp.KindTable:
					line := fmt.Sprint(x.Table, " miss")
					if x.Flow != nil {
						line = fmt.Sprint(x.Table, " ", x.Flow.Priority)
					}
					s.lookups = append(s.lookups, line)
				case interp.KindTracked:
					queue = append(queue, x.Steps)
					continue
				case interp.KindOutput:
					if peer, _ := port(x).Peer(); x.Void || peer != nil {
						break
					}
					if x.Port == of.PortController {
						s.sent = append(s.sent, sent{port: "controller"})
						break
					}
					name, tunnel := datapathPort(x.Bridge, x.Port)
					p := x.Packet
					if !tunnel {
						p.Tunnel = interp.Tunnel{}
					}
					s.sent = append(s.sent, sent{name, onWire(p)})
				}
				visit(x.Steps)
			}
		}
		visit(now)
		out = append(out, s)
	}
	return out
}

// asPrinted is a packet without what its text leaves out, such as the ICMP type that an action gave to a later
// fragment.
func asPrinted(p interp.Packet) interp.Packet {
	out, err := interp.ParsePacket(p.String())
	if err != nil {
		panic(err) // the fuzz test is about this
	}
	return out
}

func port(s *interp.Step) interp.Port {
	p, _ := s.Bridge.Port(s.Port)
	return p
}

// differences says in what two traces differ; nothing if they agree.
func differences(got, want []section) []string {
	var out []string
	if len(got) != len(want) {
		return []string{fmt.Sprintf("%d passes, want %d", len(got), len(want))}
	}
	if want[0].limit {
		// The whole packet is dropped. ofproto/trace goes on with copies that never come into being.
		got, want = got[:1], want[:1]
	}
	for i := range got {
		g, w := got[i], want[i]
		if !slices.Equal(g.lookups, w.lookups) {
			out = append(out, fmt.Sprintf("pass %d: look-ups %q, want %q", i, g.lookups, w.lookups))
		}
		for _, s := range []*section{&g, &w} {
			slices.SortFunc(s.sent, func(a, b sent) int {
				return cmp.Or(strings.Compare(a.port, b.port), strings.Compare(a.packet, b.packet))
			})
		}
		if !slices.Equal(g.sent, w.sent) {
			out = append(out, fmt.Sprintf("pass %d: sent too much:\n   %q, missing:\n   %q", i, without(g.sent, w.sent), without(w.sent, g.sent)))
		}
		if i > 0 {
			continue // a Trace does not tell how the packet is at the end of a later pass
		}
		if g.limit != w.limit {
			out = append(out, fmt.Sprintf("limit %v, want %v", g.limit, w.limit))
		}
		// ofproto/trace does not print the key of a tunnel beside its addresses, nor actset_output.
		if w.final.Tunnel.Dst.IsValid() {
			g.final.Tunnel.ID = 0
		}
		g.final.ActsetOutput = 0
		if fields := interp.Changed(g.final, w.final); len(fields) > 0 {
			out = append(out, fmt.Sprintf("pass %d: final packet differs in %s:\n   %s, want\n   %s", i, fields, g.final, w.final))
		}
	}
	return out
}

// without is what is in one list more often than in another.
func without(a, b []sent) []sent {
	a = slices.Clone(a)
	for _, x := range b {
		if i := slices.Index(a, x); i >= 0 {
			a = slices.Delete(a, i, i+1)
		}
	}
	return a
}
