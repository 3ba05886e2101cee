package metadata

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/store/model"
)

// Instances returns who may ask from which address of some networks, by address. Instances with IPv6 may
// ask from the link-local address that goes with their MAC address too. An address that means two
// instances, on two of the networks, means none.
func Instances(m *model.Model, networks ...model.ID) map[string]spec.Instance {
	out := map[string]spec.Instance{}
	twice := map[string]bool{}
	for _, id := range networks {
		n, ok := m.Networks.Get(id)
		if !ok {
			continue
		}
		for _, p := range m.PortsOf(id) {
			if strings.HasPrefix(p.DeviceOwner, "network:") || len(p.FixedIPs) == 0 {
				continue
			}
			i := instance(p, n)
			for _, a := range asksFrom(p) {
				key := a.String()
				if _, had := out[key]; had {
					twice[key] = true
				}
				out[key] = i
			}
		}
	}
	for key := range twice {
		delete(out, key)
	}
	return out
}

func instance(p *model.Port, n *model.Network) spec.Instance {
	i := spec.Instance{Port: p.ID, Device: p.DeviceID, Project: p.Project, Hostname: hostname(p), MAC: p.MAC, MTU: n.MTU}
	i.UserData, _ = p.Profile["user_data"].(string)
	for _, k := range publicKeys(p.Profile["public_keys"]) {
		if text, ok := k.(string); ok && strings.TrimSpace(text) != "" {
			i.PublicKey = append(i.PublicKey, strings.TrimSpace(text))
		}
	}
	return i
}

// publicKeys returns the keys of a port's profile, in an order that stays. They are a list, or an object of
// names and keys, as Nova's metadata has them; who gives these does not expect that they are passed over.
func publicKeys(given any) []any {
	switch keys := given.(type) {
	case []any:
		return keys
	case map[string]any:
		out := make([]any, 0, len(keys))
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			out = append(out, keys[name])
		}
		return out
	}
	return nil
}

// asksFrom returns the addresses of a port that questions may come from.
func asksFrom(p *model.Port) []netip.Addr {
	out := p.Addresses()
	for _, a := range out {
		if a.Is6() {
			return append(out, p.MAC.LinkLocal())
		}
	}
	return out
}

// hostname is the DNS name of a port, or one made of its first address as Neutron makes it.
func hostname(p *model.Port) string {
	if p.DNSName != "" {
		return p.DNSName
	}
	return "host-" + strings.NewReplacer(".", "-", ":", "-").Replace(p.FixedIPs[0].IP.String())
}
