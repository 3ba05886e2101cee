package interp_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// goldens are the bridges of the golden files: those of package pipeline, and those of three hosts of package l2.
var goldens = map[string]func(*testing.T) (ports map[string][]interp.Port, cables []cable, flows map[string]string){
	"pipeline": pipelineGolden,
	"h1":       func(t *testing.T) (map[string][]interp.Port, []cable, map[string]string) { return planGolden(t, "h1") },
	"h2":       func(t *testing.T) (map[string][]interp.Port, []cable, map[string]string) { return planGolden(t, "h2") },
	"h3":       func(t *testing.T) (map[string][]interp.Port, []cable, map[string]string) { return planGolden(t, "h3") },
}

// pipelineGolden has the ports that the tests of package pipeline number so.
func pipelineGolden(t *testing.T) (map[string][]interp.Port, []cable, map[string]string) {
	other := netip.MustParseAddr("10.99.0.3")
	ports := map[string][]interp.Port{
		"br-int": {{No: 1, Name: "patch-tun"}, {No: 2, Name: "int-br-ex"}},
		"br-tun": {{No: 1, Name: "patch-int"}, {No: 2, Name: "vxlan2", Remote: remote}, {No: 3, Name: "gre3", Remote: remote},
			{No: 4, Name: "geneve4", Remote: remote}, {No: 5, Name: "vxlan5", Remote: other}},
		"br-ex": {{No: 1, Name: "phy-br-ex"}, {No: 2, Name: "eth1"}},
	}
	for no := of.PortNo(10); no <= 16; no++ {
		ports["br-int"] = append(ports["br-int"], interp.Port{No: no, Name: fmt.Sprint("vm", no)})
	}
	flows := map[string]string{}
	for bridge, file := range map[string]string{"br-int": "int", "br-tun": "tun", "br-ex": "ext"} {
		flows[bridge] = read(t, filepath.Join("..", "pipeline", "testdata", file+".flows"))
	}
	return withLocal(ports), []cable{{"br-int", "patch-tun", "br-tun", "patch-int"}, {"br-int", "int-br-ex", "br-ex", "phy-br-ex"}}, flows
}

var (
	portRow = regexp.MustCompile(`^port \S+: \{Bridge:(\S+) Name:(\S+) (?:Peer:(\S+)\}|Type:\S+ Local:\S+ Remote:([0-9.]+))`)
	inPort  = regexp.MustCompile(`in_port=(\d+)`)
)

// planGolden reads the plan of a host. Its ports have the numbers 1, 2, … in the order of their rows; what else comes in
// by a number is a tap.
func planGolden(t *testing.T, host string) (map[string][]interp.Port, []cable, map[string]string) {
	ports, flows := map[string][]interp.Port{"br-int": nil, "br-tun": nil, "br-ex": {{No: 90, Name: "eth1"}}}, map[string]string{}
	peers := map[string]string{}
	bridge, next := "", of.PortNo(0)
	known := map[string]bool{}
	for line := range strings.Lines(read(t, filepath.Join("..", "..", "apps", "l2", "testdata", host+".plan"))) {
		if m := portRow.FindStringSubmatch(line); m != nil {
			next++
			p := interp.Port{No: next, Name: m[2]}
			if m[4] != "" {
				p.Remote = netip.MustParseAddr(m[4])
			}
			ports[m[1]] = append(ports[m[1]], p)
			peers[m[2]] = m[3]
			known[fmt.Sprint(m[1], next)] = true
			continue
		}
		if name, ok := strings.CutPrefix(line, "# "); ok {
			bridge = strings.TrimSpace(name)
			continue
		}
		if !strings.HasPrefix(line, "cookie=") {
			continue
		}
		flows[bridge] += line
		if m := inPort.FindStringSubmatch(line); m != nil && !known[bridge+m[1]] {
			known[bridge+m[1]] = true
			no, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			ports[bridge] = append(ports[bridge], interp.Port{No: of.PortNo(no), Name: "tap" + m[1]})
		}
	}
	if peers["patch-int"] == "" || peers["phy-br-ex"] == "" || len(flows) != 3 {
		t.Fatalf("the plan of %s was not understood: peers %v", host, peers)
	}
	return withLocal(ports), []cable{{"br-int", "patch-tun", "br-tun", "patch-int"}, {"br-int", "int-br-ex", "br-ex", "phy-br-ex"}}, flows
}

// withLocal adds the port that each bridge has of its own.
func withLocal(ports map[string][]interp.Port) map[string][]interp.Port {
	for bridge := range ports {
		ports[bridge] = append(ports[bridge], interp.Port{No: of.PortLocal, Name: bridge})
	}
	return ports
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// dump reads the flows of a bridge over OpenFlow.
func (l *lab) dump(bridge string) []of.Flow {
	l.Helper()
	var out []of.Flow
	err := ofconn.Dialer{Network: "unix", Addr: l.ovs.MgmtSocket(bridge)}.Dial(l.Context(), func(ctx context.Context, s *ofconn.Session) {
		dump, err := s.Flows(ctx, of.TableAll, 0, 0)
		if err != nil {
			l.Error(err)
		}
		for k, e := range dump {
			f, err := wire.Unpack(k, e)
			if err != nil {
				l.Error(err)
			}
			out = append(out, f)
		}
	})
	if len(out) == 0 || l.Failed() {
		l.Fatalf("no flows of %s: %v", bridge, err)
	}
	return out
}

// loadGolden gives the flows of golden files to Open vSwitch and makes bridges of what it holds then.
func loadGolden(t *testing.T, name string) (*lab, map[string]*interp.Bridge, map[string]string) {
	t.Helper()
	ports, cables, text := goldens[name](t)
	l := newLab(t, ports, cables...)
	flows := map[string][]of.Flow{}
	for bridge := range ports {
		l.ovs.OFCtl("add-flows", bridge, write(t, filepath.Join(t.TempDir(), "flows"), text[bridge]))
		flows[bridge] = l.dump(bridge)
	}
	return l, l.bridges(flows, nil), text
}

// TestTracesOfGoldenPipelines sends packets of the addresses, VLANs and keys of the golden files through them.
func TestTracesOfGoldenPipelines(t *testing.T) {
	for name := range goldens {
		t.Run(name, func(t *testing.T) {
			l, bridges, text := loadGolden(t, name)
			var all strings.Builder
			for _, bridge := range slices.Sorted(maps.Keys(text)) {
				all.WriteString(text[bridge])
			}
			const seed = 1
			g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
			words := wordsOf(t, all.String())
			for _, bridge := range slices.Sorted(maps.Keys(l.ports)) {
				for range 250 {
					port := l.ports[bridge][g.IntN(len(l.ports[bridge]))]
					l.compare(bridges[bridge], words.packet(g, port))
				}
			}
		})
	}
}

// vocabulary is the values that flows match on.
type vocabulary struct {
	macs []of.MAC
	vids []uint16
	keys []uint64
	ips  []netip.Addr
}

func wordsOf(t *testing.T, flows string) vocabulary {
	t.Helper()
	w := vocabulary{macs: []of.MAC{{2, 0, 0, 0, 0, 1}, of.Broadcast, {1, 0, 0x5e, 0, 0, 1}}, vids: []uint16{77}, keys: []uint64{77}, ips: []netip.Addr{netip.MustParseAddr("10.9.9.9")}}
	for _, m := range regexp.MustCompile(`(dl_src|dl_dst|dl_vlan|tun_id|arp_tpa)=([^ ,/]+)`).FindAllStringSubmatch(flows, -1) {
		n, _ := strconv.ParseUint(m[2], 0, 64) // only some are numbers
		switch m[1] {
		case "dl_src", "dl_dst":
			w.macs = append(w.macs, mac(t, m[2]))
		case "dl_vlan":
			w.vids = append(w.vids, uint16(n))
		case "tun_id":
			w.keys = append(w.keys, n)
		case "arp_tpa":
			w.ips = append(w.ips, netip.MustParseAddr(m[2]))
		}
	}
	return w
}

// packet is a packet that comes in by a port.
func (w vocabulary) packet(g *generator, port interp.Port) interp.Packet {
	p := interp.Packet{InPort: port.No, EthSrc: pick(g, w.macs...), EthDst: pick(g, w.macs...), EthType: of.EthTypeIPv4, IP: interp.IP{TTL: 64, Proto: of.ProtoICMP}}
	if g.oneIn(2) {
		p.VLANs[0] = interp.Tag(pick(g, w.vids...))
	}
	if g.oneIn(3) {
		p.EthType, p.IP = of.EthTypeARP, interp.IP{}
		p.ARP = interp.ARP{Op: 1, SPA: pick(g, w.ips...), TPA: pick(g, w.ips...), SHA: p.EthSrc}
		if g.oneIn(2) {
			p.EthDst = of.Broadcast
		}
	}
	if port.Remote.IsValid() {
		p.Tunnel = interp.Tunnel{ID: pick(g, w.keys...), Src: port.Remote, Dst: netip.MustParseAddr("10.99.0.100")}
	}
	return p
}
