package neutron

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/heddle-sdn/heddle/store/model"
)

// whenOpen gives an attribute a value unless the document has one.
func whenOpen(attrs map[string]any, name string, value any) {
	if _, given := attrs[name]; !given {
		attrs[name] = value
	}
}

func (x *application) resolveNetwork(e *entry, _ *model.Network) (map[string]any, error) {
	return maps.Clone(e.attrs), nil
}

// network puts the id of a network that is meant by "network" under the API's name for it.
func (x *application) network(e *entry, attrs map[string]any, name string) error {
	ref, given := take(attrs, "network")
	if !given {
		return nil
	}
	id, err := x.networks.refer(e.path+".network", e.project, ref)
	attrs[name] = string(id)
	return err
}

func (x *application) resolveSubnet(e *entry, _ *model.Subnet) (map[string]any, error) {
	attrs := maps.Clone(e.attrs)
	if err := x.network(e, attrs, "network_id"); err != nil {
		return nil, err
	}
	if p, err := netip.ParsePrefix(str(attrs["cidr"])); err == nil {
		version := json.Number("6")
		if p.Addr().Is4() {
			version = "4"
		}
		whenOpen(attrs, "ip_version", version)
	}
	return attrs, nil
}

func (x *application) resolvePort(e *entry, old *model.Port) (map[string]any, error) {
	attrs := maps.Clone(e.attrs)
	if err := x.network(e, attrs, "network_id"); err != nil {
		return nil, err
	}
	var have []model.FixedIP
	network := model.ID(str(attrs["network_id"]))
	if old != nil {
		have, network = old.FixedIPs, old.Network
		if attrs["mac_address"] == nil {
			delete(attrs, "mac_address") // any is as good as another
		}
		if options, ok := attrs["extra_dhcp_opts"].([]any); ok {
			attrs["extra_dhcp_opts"] = withoutOthers(options, old.DHCPOptions)
		}
	}
	if ips, given := attrs["fixed_ips"]; given {
		resolved, err := x.addresses(e.path+".fixed_ips", e.project, ips, network, have)
		if err != nil {
			return nil, err
		}
		attrs["fixed_ips"] = resolved
	}
	return attrs, nil
}

// addresses resolves the subnets of a list of addresses. Where the document leaves an address open, one
// that the port has on the subnet stays.
func (x *application) addresses(path, project string, v any, network model.ID, have []model.FixedIP) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return v, nil
	}
	out := make([]any, len(list))
	have = slices.Clone(have)
	claim := func(is func(model.FixedIP) bool) (model.FixedIP, bool) {
		i := slices.IndexFunc(have, is)
		if i < 0 {
			return model.FixedIP{}, false
		}
		f := have[i]
		have = slices.Delete(have, i, i+1)
		return f, true
	}
	var open []map[string]any
	for i, item := range list {
		attrs, ok := item.(map[string]any)
		if !ok {
			return nil, at(index(path, i), badRequest("it is an object with subnet, ip_address, or both"))
		}
		attrs = maps.Clone(attrs)
		if ref, given := take(attrs, "subnet"); given {
			onIt := func(s *model.Subnet) bool { return s.Network == network }
			id, err := x.subnets.refer(index(path, i)+".subnet", project, ref, onIt)
			if err != nil {
				return nil, err
			}
			attrs["subnet_id"] = string(id)
		}
		if ip, err := netip.ParseAddr(str(attrs["ip_address"])); err == nil {
			_, _ = claim(func(f model.FixedIP) bool { return f.IP == ip })
		} else if attrs["ip_address"] == nil {
			open = append(open, attrs)
		}
		out[i] = attrs
	}
	for _, attrs := range open {
		subnet := model.ID(str(attrs["subnet_id"]))
		if f, found := claim(func(f model.FixedIP) bool { return f.Subnet == subnet }); found {
			attrs["ip_address"] = f.IP.String()
		}
	}
	return out, nil
}

// withoutOthers adds the removal of those DHCP options that a list does not name.
func withoutOthers(asked []any, have []model.DHCPOption) []any {
	out := slices.Clone(asked)
	for _, o := range have {
		named := slices.ContainsFunc(asked, func(a any) bool {
			attrs, _ := a.(map[string]any)
			version, err := toInt(attrs["ip_version"])
			return attrs["opt_name"] == o.Name && (err != nil && o.IPVersion == 4 || version == o.IPVersion)
		})
		if !named {
			out = append(out, map[string]any{"opt_name": o.Name, "opt_value": nil, "ip_version": json.Number(strconv.Itoa(o.IPVersion))})
		}
	}
	return out
}

func (x *application) resolveRouter(e *entry, old *model.Router) (map[string]any, error) {
	attrs := maps.Clone(e.attrs)
	_, _ = take(attrs, "interfaces") // see addInterfaces
	_, _ = take(attrs, "routes")     // see setRoutes
	ref, given := take(attrs, "external_gateway")
	if !given {
		return attrs, nil
	}
	path := e.path + ".external_gateway"
	var info map[string]any
	switch ref := ref.(type) {
	case nil:
		attrs["external_gateway_info"] = nil
		return attrs, nil
	case map[string]any:
		info = maps.Clone(ref)
	default:
		info = map[string]any{"network": ref}
	}
	network, _ := take(info, "network")
	id, err := x.networks.refer(path+".network", e.project, network)
	if err != nil {
		return nil, err
	}
	info["network_id"] = string(id)
	var have []model.FixedIP
	if old != nil && old.Gateway != nil && old.Gateway.Network == id {
		whenOpen(info, "enable_snat", old.Gateway.SNAT)
		if p, ok := x.tx.Model().Ports.Get(old.Gateway.Port); ok {
			have = p.FixedIPs
		}
	}
	if ips, given := take(info, "fixed_ips"); given {
		if info["external_fixed_ips"], err = x.addresses(path+".fixed_ips", e.project, ips, id, have); err != nil {
			return nil, err
		}
	}
	attrs["external_gateway_info"] = info
	return attrs, nil
}

func (x *application) resolveFloatingIP(e *entry, old *model.FloatingIP) (map[string]any, error) {
	attrs := maps.Clone(e.attrs)
	_, _ = take(attrs, "router") // see checkRouters
	if err := x.network(e, attrs, "floating_network_id"); err != nil {
		return nil, err
	}
	if ref, given := take(attrs, "port"); given {
		attrs["port_id"] = nil
		if ref != nil {
			id, err := x.ports.refer(e.path+".port", e.project, ref)
			if err != nil {
				return nil, err
			}
			attrs["port_id"] = string(id)
		}
	}
	if _, fixed := attrs["fixed_ip_address"]; old != nil && !fixed && old.Target != "" && attrs["port_id"] == string(old.Target) {
		delete(attrs, "port_id") // to ask for the same port anew would ask for any of its addresses
	}
	return attrs, nil
}
