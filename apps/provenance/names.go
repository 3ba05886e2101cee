package provenance

import (
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/store/model"
)

// Names tells what the numbers in the flows of a bridge stand for. It remembers what it was asked, so that
// fifty thousand flows cost little, and must not be used from several goroutines.
type Names struct {
	m       *model.Model
	host    string
	ports   map[of.PortNo]string
	vlans   map[uint16]string
	objects map[of.Cookie]string
}

var _ pipeline.Names = (*Names)(nil)

// NewNames returns the names of a host's bridge that has some ports, by interface name.
func NewNames(m *model.Model, host, bridge string, ports map[string]of.Port) *Names {
	n := &Names{m: m, host: host, ports: make(map[of.PortNo]string, len(ports)), vlans: map[uint16]string{}, objects: map[of.Cookie]string{}}
	roles := map[string]string{}
	if h, ok := m.Hosts.Get(host); ok {
		roles = rolesOf(m, h, bridge)
	}
	for name, p := range ports {
		if role := roles[name]; role != "" {
			name = role
		}
		n.ports[p.No] = name
	}
	return n
}

// rolesOf says what the ports that Heddle makes on a bridge are, by name.
func rolesOf(m *model.Model, h *model.Host, bridge string) map[string]string {
	out := map[string]string{}
	is := h.Settings()
	switch bridge {
	case row.IntBridge:
		out[row.PatchTun] = "br-tun"
		for _, br := range is.BridgeMappings {
			onInt, _ := row.MappingPorts(br)
			out[onInt] = br
		}
	case row.TunBridge:
		out[row.PatchInt] = "br-int"
		for name, other := range m.Hosts.All() {
			ip := other.Settings().EncapIP
			if name == h.Name || !ip.IsValid() {
				continue
			}
			for _, t := range row.TunnelTypes() {
				out[row.TunnelName(t, ip)] = "the " + t + " tunnel to host " + name
			}
		}
	default:
		_, onBridge := row.MappingPorts(bridge)
		out[onBridge] = "br-int"
	}
	return out
}

// Port names a port of the bridge; empty if it has none of that number.
func (n *Names) Port(no of.PortNo) string {
	if no == of.PortInPort {
		return "where it came from"
	}
	return n.ports[no]
}

// Network names the network that has a local VLAN on the host.
func (n *Names) Network(vlan uint16) string {
	name, known := n.vlans[vlan]
	if !known {
		if id, ok := n.m.NetworkOfVLAN(n.host, vlan); ok {
			if network, ok := n.m.Networks.Get(id); ok {
				name = model.Title(network)
			}
		}
		n.vlans[vlan] = name
	}
	return name
}

// Object names what caused the flows with a cookie, of a port with its addresses: "VM port web (10.0.0.5)".
func (n *Names) Object(c of.Cookie) string {
	name, known := n.objects[c]
	if !known {
		if _, tag := pipeline.Cause(c); tag != 0 {
			name = titleOf(n.m.OfTag(tag))
		}
		n.objects[c] = name
	}
	return name
}

func titleOf(r model.Resource) string {
	if r == nil {
		return ""
	}
	p, is := r.(*model.Port)
	if !is || len(p.FixedIPs) == 0 || p.Name == "" {
		return model.Title(r)
	}
	addresses := make([]string, len(p.FixedIPs))
	for i, f := range p.FixedIPs {
		addresses[i] = f.IP.String()
	}
	return model.Title(p) + " (" + strings.Join(addresses, ", ") + ")"
}
