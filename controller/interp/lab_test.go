package interp_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/interp"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// lab is bridges in Open vSwitch, and what is needed to make the same in this package.
type lab struct {
	*testing.T
	ovs     *ovstest.OVS
	control *ovstest.Control
	ports   map[string][]interp.Port // by bridge
	cables  []cable
	numbers map[string]string // of the datapath, by bridge and port
	tunnels []string          // those of tunnels
	macs    []interp.MAC      // that br0 was given
}

// cable joins a port of each of two bridges.
type cable struct{ bridgeA, portA, bridgeB, portB string }

// newLab makes bridges with ports. A port with a remote address is a tunnel of the type that its name begins with.
func newLab(t *testing.T, ports map[string][]interp.Port, cables ...cable) *lab {
	t.Helper()
	l := &lab{T: t, ovs: ovstest.StartWith(t, ovstest.Options{Tunnels: true}), ports: ports, cables: cables}
	for bridge := range ports {
		l.ovs.AddBridge(bridge)
	}
	var commands []string
	for bridge, ports := range ports {
		for _, p := range ports {
			if p.No != of.PortLocal {
				commands = append(commands, l.addPort(bridge, p)...)
			}
		}
	}
	l.ovs.VSCtl(commands...)
	l.control = l.ovs.Control()
	l.numbers = datapathNumbers(l.call("dpif/show"))
	for bridge, ports := range ports {
		for _, p := range ports {
			if p.Remote.IsValid() {
				l.tunnels = append(l.tunnels, l.numbers[bridge+" "+p.Name])
			}
		}
	}
	return l
}

func (l *lab) call(command string, args ...string) string {
	l.Helper()
	out, err := l.control.Call(command, args...)
	if err != nil {
		l.Fatal(err)
	}
	return out
}

// addPort is the commands of ovs-vsctl that make a port.
func (l *lab) addPort(bridge string, p interp.Port) []string {
	iface := []string{"--", "set", "interface", p.Name, fmt.Sprint("ofport_request=", p.No)}
	port := []string{"--", "set", "port", p.Name}
	if peer := l.peer(p.Name); peer != "" {
		iface = append(iface, "type=patch", "options:peer="+peer)
	}
	if p.Remote.IsValid() {
		iface = append(iface, "type="+tunnelType(p.Name), "options:key=flow", "options:remote_ip="+p.Remote.String())
	}
	if p.VLAN != 0 {
		port = append(port, fmt.Sprint("tag=", p.VLAN))
	}
	if len(p.Trunks) > 0 {
		port = append(port, "trunks="+strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Trunks), " ", ","), "[]"))
	}
	if mode := map[interp.VLANMode]string{interp.NativeTagged: "native-tagged", interp.NativeUntagged: "native-untagged"}[p.VLANMode]; mode != "" {
		port = append(port, "vlan_mode="+mode)
	}
	if len(port) == 4 {
		port = nil
	}
	return append(append([]string{"--", "add-port", bridge, p.Name}, iface...), port...)
}

func tunnelType(name string) string {
	for _, t := range []string{"vxlan", "gre", "geneve"} {
		if strings.HasPrefix(name, t) {
			return t
		}
	}
	return ""
}

func (l *lab) peer(port string) string {
	for _, c := range l.cables {
		switch port {
		case c.portA:
			return c.portB
		case c.portB:
			return c.portA
		}
	}
	return ""
}

// datapathNumbers reads dpif/show: rows such as "    p1 1/2: (dummy)" below a row "  br0:".
func datapathNumbers(text string) map[string]string {
	out := map[string]string{}
	bridge := ""
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "    ") && len(fields) >= 2:
			_, number, _ := strings.Cut(strings.TrimSuffix(fields[1], ":"), "/")
			out[bridge+" "+fields[0]] = number
		case strings.HasPrefix(line, "  "):
			bridge = strings.TrimSuffix(fields[0], ":")
		}
	}
	return out
}

func (l *lab) datapathPort(b *interp.Bridge, no of.PortNo) (name string, tunnel bool) {
	p, _ := b.Port(no)
	return l.numbers[b.Name()+" "+p.Name], p.Remote.IsValid()
}

// load gives flows and groups to Open vSwitch.
func (l *lab) load(bridge string, flows []of.Flow, groups []of.GroupEntry) {
	l.Helper()
	file := filepath.Join(l.TempDir(), bridge)
	l.ovs.OFCtl("del-flows", bridge)
	l.ovs.OFCtl("del-groups", bridge)
	l.ovs.OFCtl("add-groups", bridge, write(l.T, file+".groups", lines(groups)))
	if _, err := l.ovs.Run("ovs-ofctl", "-O", "OpenFlow13", "add-flows", bridge, write(l.T, file+".flows", lines(flows))); err != nil {
		l.Fatalf("%v\nin\n%s", err, lines(flows))
	}
}

// bridges makes the bridges of this package, joined as those of Open vSwitch are.
func (l *lab) bridges(flows map[string][]of.Flow, groups map[string][]of.GroupEntry) map[string]*interp.Bridge {
	l.Helper()
	out := map[string]*interp.Bridge{}
	for bridge, ports := range l.ports {
		out[bridge] = interp.NewBridge(interp.Config{Name: bridge, Ports: ports, Flows: flows[bridge], Groups: groups[bridge]})
	}
	for _, c := range l.cables {
		a, okA := out[c.bridgeA].PortNamed(c.portA)
		b, okB := out[c.bridgeB].PortNamed(c.portB)
		if !okA || !okB {
			l.Fatalf("no ports for cable %v", c)
		}
		interp.Patch(out[c.bridgeA], a, out[c.bridgeB], b)
	}
	return out
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func lines[T fmt.Stringer](items []T) string {
	var b strings.Builder
	for _, x := range items {
		b.WriteString(x.String() + "\n")
	}
	return b.String()
}

// compare traces a packet in both worlds.
func (l *lab) compare(b *interp.Bridge, p interp.Packet) {
	l.Helper()
	arg := p.TraceArg()
	text := l.call("ofproto/trace", b.Name(), arg)
	want, err := readTrace(text, l.tunnels)
	if err != nil {
		l.Fatalf("%v in the trace of %s:\n%s", err, arg, text)
	}
	trace := b.Run(p)
	if diff := differences(sections(trace, l.datapathPort), want); len(diff) > 0 {
		l.Fatalf("%s\n%s\n---- Open vSwitch\n%s\n---- here\n%s", arg, strings.Join(diff, "\n"), text, trace)
	}
}

var remote = netip.MustParseAddr("10.99.0.1")
