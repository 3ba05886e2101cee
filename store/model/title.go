package model

import "strings"

// Title is what people call a resource in a sentence: "network blue", "port web", "floating IP
// 198.51.100.9". One without a name is called by the first letters of its id.
func Title(r Resource) string {
	switch r := r.(type) {
	case *Network:
		return "network " + nameOr(r.Meta)
	case *Subnet:
		if r.Name == "" {
			return "subnet " + r.CIDR.String()
		}
		return "subnet " + r.Name
	case *Port:
		return portTitle(r)
	case *Router:
		return "router " + nameOr(r.Meta)
	case *FloatingIP:
		return "floating IP " + r.IP.String()
	case *PortForwarding:
		return strings.TrimSpace("port forwarding " + r.Protocol + " " + r.External.String())
	case *Host:
		return "host " + r.Name
	case nil:
		return "nothing"
	}
	return r.Kind() + " " + r.Key()
}

// shortID is how many letters of an id tell it from others for people.
const shortID = 8

func nameOr(m Meta) string {
	if m.Name != "" {
		return m.Name
	}
	return string(m.ID[:min(shortID, len(m.ID))])
}

// portTitle says whose port it is, where the port's owner tells.
func portTitle(p *Port) string {
	name := "port " + nameOr(p.Meta)
	if p.Name == "" && len(p.FixedIPs) > 0 {
		name = "port " + p.FixedIPs[0].IP.String()
	}
	switch {
	case p.DeviceOwner == OwnerDHCP:
		return "DHCP " + name
	case p.DeviceOwner == OwnerRouterInterface:
		return "router " + name
	case p.DeviceOwner == OwnerRouterGateway:
		return "router gateway " + name
	case strings.HasPrefix(p.DeviceOwner, "compute:"):
		return "VM " + name
	}
	return name
}
