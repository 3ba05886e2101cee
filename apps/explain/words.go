package explain

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/heddle-sdn/heddle/apps/provenance"
	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/nft"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/pipeline"
	"github.com/heddle-sdn/heddle/store/model"
)

// object names a resource for programs and for people.
func (f *fabric) object(r model.Resource) (object, name string) {
	if f.sees != nil && !f.sees(r) {
		return "", ""
	}
	if meta := model.MetaOf(r); meta != nil {
		name = meta.Name
	}
	if fip, ok := r.(*model.FloatingIP); ok {
		name = fip.IP.String()
	}
	return r.Kind() + "/" + r.Key(), name
}

// byName returns the resource "kind/key", nil if there is none.
func (f *fabric) byName(object string) model.Resource {
	kind, key, _ := strings.Cut(object, "/")
	return f.m.Get(kind, key)
}

// named names an object of a plan.
func (f *fabric) named(object string) (string, string) {
	if r := f.byName(object); r != nil {
		return f.object(r)
	}
	return object, ""
}

// title is what people call a resource.
func (f *fabric) title(r model.Resource) string {
	if f.sees != nil && !f.sees(r) {
		kind, _, _ := strings.Cut(model.Title(r), " ")
		return "another project's " + kind
	}
	return model.Title(r)
}

func (f *fabric) networkTitle(id model.ID) string {
	if n, ok := f.m.Networks.Get(id); ok {
		return f.title(n)
	}
	return "network " + string(id)
}

func (f *fabric) hostTitle(h *host) string {
	if f.sees != nil {
		return "a host"
	}
	return "host " + h.name
}

// on is " on host cmp1", to be put behind what is there.
func (f *fabric) on(h *host) string {
	if f.sees != nil {
		return ""
	}
	return " on host " + h.name
}

// stationTitle is what people call a station.
func (f *fabric) stationTitle(s *station) string {
	switch {
	case s.end != nil:
		return fmt.Sprintf("%s (%s)%s", f.spaceTitle(s.end.space.Spec().Object), s.end.link.Name, f.on(s.host))
	case s.outside != nil:
		return "someone outside on " + f.title(s.outside)
	case s.port != nil && s.host != nil:
		return f.title(s.port) + f.on(s.host)
	case s.port != nil:
		return f.title(s.port)
	}
	return fmt.Sprintf("interface %s%s", s.iface, f.on(s.host))
}

// spaceTitle is what people call a namespace of an object.
func (f *fabric) spaceTitle(object string) string {
	r := f.byName(object)
	switch r := r.(type) {
	case *model.Network:
		return "the DHCP service of " + f.title(r)
	case nil:
		return object
	}
	return f.title(r)
}

// packetSays describes a packet in words.
func (f *fabric) packetSays(p kernel.Packet) string {
	name := map[uint8]string{nft.ICMP: "a ping", nft.ICMPv6: "a ping", nft.TCP: "TCP", nft.UDP: "UDP"}[p.Protocol]
	if name == "" {
		name = fmt.Sprintf("protocol %d", p.Protocol)
	}
	if p.SrcPort == 0 && p.DstPort == 0 {
		return fmt.Sprintf("%s from %s to %s", name, p.Src, p.Dst)
	}
	return fmt.Sprintf("%s from %s to %s", name, netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort))
}

// flowSays describes what a flow does in words.
func (w *walk) flowSays(h *host, bridge string, f *of.Flow) string {
	if h.names[bridge] == nil {
		h.names[bridge] = provenance.NewNames(w.m, h.name, bridge, h.Ports[bridge])
	}
	return pipeline.Of(bridge).Says(f, h.names[bridge])
}

func (w *walk) routeSays(s kernel.Step) string {
	switch r := s.Route; {
	case r.Via.IsValid() && r.Destination.Bits() == 0:
		return fmt.Sprintf("the default route leads to %s over %s", s.Packet.Dst, r.Via)
	case r.Via.IsValid():
		return fmt.Sprintf("the route to %s leads over %s", r.Destination, r.Via)
	}
	return fmt.Sprintf("%s is on the link %s", s.Packet.Dst, s.Route.Link)
}

// ruleStep tells of a rule that did something.
func (w *walk) ruleStep(object string, hit *nft.Hit, s *Step) {
	s.Text = fmt.Sprintf("%s (chain %s)", hit.Rule, hit.Chain)
	if hit.Set != "" {
		s.Text = fmt.Sprintf("%s : %s (map %s)", hit.Key, hit.Value, hit.Set)
	}
	switch hit.Does {
	case nft.DoesDNAT:
		s.Says = fmt.Sprintf("%s leads to %s", strings.ReplaceAll(hit.Key, " . ", " port "), strings.ReplaceAll(hit.Value, " . ", " port "))
		key, _, _ := strings.Cut(hit.Key, " ")
		if ip, err := netip.ParseAddr(key); err == nil {
			if fip := w.floatingIPAt(ip); fip != nil {
				s.Object, s.ObjectName = w.object(fip)
				s.Says = "floating IP " + s.Says
			}
		}
	case nft.DoesSNAT:
		s.Says = "its source becomes " + hit.Value
		if ip, err := netip.ParseAddr(hit.Value); err == nil {
			if fip := w.floatingIPAt(ip); fip != nil {
				s.Object, s.ObjectName = w.object(fip)
				s.Says += ", the sender's floating IP"
			} else {
				s.Says += ", the address of the router's gateway"
			}
		}
		if hit.RandomPort {
			s.Says += "; the kernel chooses the source port, which is shown as it was"
		}
	case nft.DoesRedirect:
		s.Says = "the metadata service of the agent takes it"
	case nft.DoesDrop:
		s.Says = "a rule drops it"
	case nft.DoesAccept:
		s.Says = "nothing of it is translated"
	case nft.DoesUnknown:
		s.Says = "what this rule does is not known: " + hit.Cause
	}
}

// floatingIPAt returns the floating IP with an address, nil if there is none.
func (f *fabric) floatingIPAt(ip netip.Addr) *model.FloatingIP {
	n := f.networkOutside(ip)
	if n == nil {
		return nil
	}
	p := f.userOf(n, ip)
	if p == nil || p.DeviceOwner != model.OwnerFloatingIP {
		return nil
	}
	fip, _ := f.m.FloatingIPs.Get(model.ID(p.DeviceID))
	return fip
}

// Ports at which namespaces listen.
const (
	dnsPort       = 53
	metadataPort  = 80
	metadataProxy = 9697
)

// service says who in a namespace takes a packet.
func (w *walk) service(space *kernel.Space, p kernel.Packet) string {
	ns := space.Spec()
	title := w.spaceTitle(ns.Object)
	transport := p.Protocol == nft.TCP || p.Protocol == nft.UDP
	switch {
	case ns.DHCP != nil && p.Protocol == nft.UDP && p.DstPort == dhcpPort:
		return "the DHCP server takes it: " + title
	case ns.DHCP != nil && transport && p.DstPort == dnsPort:
		return "the DNS server takes it: " + title
	case ns.Metadata != nil && p.Protocol == nft.TCP && (p.DstPort == metadataProxy || p.Dst == metadata4 && p.DstPort == metadataPort):
		return "the metadata service of the agent takes it, in the namespace of " + title
	case transport:
		return fmt.Sprintf("%s itself gets it; nothing listens at port %d there, so it refuses", title, p.DstPort)
	}
	return title + " itself gets it and answers"
}

// noDHCP says why no DHCP server takes what a port asks; nil if one should.
func (f *fabric) noDHCP(p *model.Port) *cause {
	if p == nil {
		return nil
	}
	n, ok := f.m.Networks.Get(p.Network)
	if !ok {
		return nil
	}
	if !f.m.NeedsPlace(model.ServiceDHCP, n.ID) {
		return causef(major, NoDHCP, "no subnet of %s has DHCP enabled", f.title(n))
	}
	for _, server := range f.m.PortsOf(n.ID) {
		if server.DeviceOwner == model.OwnerDHCP {
			return f.notThere(server)
		}
	}
	return causef(major, NoGatewayHost, "DHCP of %s is on no host: there is no gateway host with an agent that runs", f.title(n))
}
