package neutron

import (
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store/model"
)

// Renderers of a port's composite attributes.

func jsonFixedIPs(dst []byte, _ *view, p *model.Port) []byte {
	return appendList(dst, p.FixedIPs, func(dst []byte, f model.FixedIP) []byte {
		dst = append(dst, `{"subnet_id":`...)
		dst = appendString(dst, string(f.Subnet))
		dst = append(dst, `,"ip_address":"`...)
		return append(f.IP.AppendTo(dst), `"}`...)
	})
}

func jsonAddressPairs(dst []byte, _ *view, p *model.Port) []byte {
	return appendList(dst, p.AddressPairs, func(dst []byte, a model.AddressPair) []byte {
		mac := a.MAC
		if mac == (of.MAC{}) {
			mac = p.MAC
		}
		return appendPairs(dst, "mac_address", mac.String(), "ip_address", a.IP)
	})
}

func jsonDHCPOptions(dst []byte, _ *view, p *model.Port) []byte {
	return appendList(dst, p.DHCPOptions, func(dst []byte, o model.DHCPOption) []byte {
		dst = append(dst, `{"opt_name":`...)
		dst = appendString(dst, o.Name)
		dst = append(dst, `,"opt_value":`...)
		dst = appendString(dst, o.Value)
		dst = append(dst, `,"ip_version":`...)
		return append(integer(o.IPVersion).append(dst), '}')
	})
}

// jsonDNSAssignment renders the names that a port's addresses have: the port's name, or one made of
// the address, below the domain of the network, or else the one given. DHCP gives hosts the same names.
func jsonDNSAssignment(domain string) func([]byte, *view, *model.Port) []byte {
	return func(dst []byte, v *view, p *model.Port) []byte {
		below := strings.TrimSuffix(domain, ".")
		if n, ok := v.model.Networks.Get(p.Network); ok {
			below = n.Domain(domain)
		}
		suffix := appendString(nil, "."+below+".")[1:] // its quote opens before the host
		return appendList(dst, p.FixedIPs, func(dst []byte, f model.FixedIP) []byte {
			dst = append(dst, `{"ip_address":"`...)
			dst = f.IP.AppendTo(dst)
			dst = append(dst, `","hostname":"`...)
			dst = appendHostname(dst, p, f)
			dst = append(dst, `","fqdn":"`...)
			dst = appendHostname(dst, p, f)
			dst = append(dst, suffix...)
			return append(dst, '}')
		})
	}
}

// appendHostname adds the first label of an address's name, which never needs escaping in JSON.
func appendHostname(dst []byte, p *model.Port, f model.FixedIP) []byte {
	if isLabel(p.DNSName) {
		return append(dst, p.DNSName...)
	}
	dst = append(dst, "host-"...)
	start := len(dst)
	dst = f.IP.AppendTo(dst)
	for i, c := range dst[start:] {
		if c == '.' || c == ':' {
			dst[start+i] = '-'
		}
	}
	return dst
}

// The values of binding:vif_type.
const (
	vifUnbound = "unbound"
	vifOVS     = "ovs"
	vifFailed  = "binding_failed" // bound to a host that Heddle does not know
)

func vifType(m *model.Model, p *model.Port) string {
	if p.BindingHost == "" {
		return vifUnbound
	}
	if _, known := m.Hosts.Get(p.BindingHost); !known {
		return vifFailed
	}
	return vifOVS
}

// jsonVIFDetails tells a hypervisor how to plug a bound port in.
func jsonVIFDetails(dst []byte, v *view, p *model.Port) []byte {
	if vifType(v.model, p) != vifOVS {
		return append(dst, "{}"...)
	}
	datapath := "system"
	if h, ok := v.model.Hosts.Get(p.BindingHost); ok && h.Settings().DatapathType != "" {
		datapath = h.Settings().DatapathType
	}
	dst = append(dst, `{"connectivity":"l2","port_filter":true,"ovs_hybrid_plug":false,"datapath_type":`...)
	dst = appendString(dst, datapath)
	return append(dst, `,"bridge_name":"br-int","bound_drivers":{"0":"openvswitch"}}`...)
}
