package explain

import (
	"net/netip"
	"slices"

	"github.com/heddle-sdn/heddle/controller/kernel"
	"github.com/heddle-sdn/heddle/controller/nft"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ovsdb/row"
	"github.com/heddle-sdn/heddle/store/model"
)

// asked is a question that was read, or the one that its answer asks.
type asked struct {
	from   station
	goal   goal
	p      kernel.Packet
	arp    bool   // only who has p.Dst is asked
	reply  bool   // it answers another packet
	dstMAC of.MAC // zero: found out
	cannot *cause // why From cannot send
}

// station is somebody who sends frames and gets them: a port, a link of a namespace, or someone outside.
type station struct {
	host    *host  // nil outside
	bridge  string // with inPort, how its frames come in
	inPort  of.PortNo
	iface   string
	mac     of.MAC
	port    *model.Port    // nil if it is of none
	end     *end           // of a namespace; nil if it is none
	outside *model.Network // it is outside, on this network
	exit    *host          // by which a packet got outside; nil if it is from there
}

// same reports whether two stations are one.
func (s *station) same(other *station) bool {
	if s.outside != nil {
		return s.outside == other.outside
	}
	return s.host == other.host && s.bridge == other.bridge && s.iface == other.iface
}

// goal is who the packet is for; the zero value is whoever has the address.
type goal struct {
	port    model.ID
	station *station
	dhcp    bool // a DHCP server
}

func (g goal) accepts(s *station) bool {
	switch {
	case g.station != nil:
		return g.station.same(s)
	case g.port != "":
		return s.port != nil && s.port.ID == g.port
	case g.dhcp:
		return s.end != nil && s.end.space.Spec().DHCP != nil
	}
	return true
}

// outsideMAC stands for whoever is outside: a locally administered address that no port has.
var outsideMAC = of.MAC{0x02, 0, 0, 0, 0, 0xfe}

var (
	everybody   = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	unspecified = netip.IPv4Unspecified()
	metadata4   = netip.MustParseAddr("169.254.169.254")
)

const dhcpPort = 67

// read finds what a question names.
func (f *fabric) read(q Question) (asked, error) {
	a := asked{p: kernel.Packet{SrcPort: q.SrcPort, DstPort: q.DstPort, TTL: 64}, arp: q.Protocol == "arp", dstMAC: q.DstMAC}
	var err error
	if q.From.External {
		err = f.readOutside(q, &a)
	} else {
		if err = f.readFrom(q.From, &a); err == nil {
			err = f.readTo(q, &a)
		}
	}
	if err != nil {
		return asked{}, err
	}
	if f.err != nil {
		return asked{}, f.err
	}
	switch q.Protocol {
	case "icmp":
		a.p.Protocol = nft.ICMP
		if a.p.Dst.Is6() {
			a.p.Protocol = nft.ICMPv6
		}
	case "tcp":
		a.p.Protocol = nft.TCP
	case "udp":
		a.p.Protocol = nft.UDP
	case "arp":
	default:
		return asked{}, badQuestion("protocol is %q, which is not one of icmp, tcp, udp, arp", q.Protocol)
	}
	if a.p.Protocol != nft.TCP && a.p.Protocol != nft.UDP {
		a.p.SrcPort, a.p.DstPort = 0, 0
	} else if a.p.SrcPort == 0 {
		a.p.SrcPort = 40000 // as a client's system might choose
	}
	a.goal.dhcp = a.p.Dst == everybody && a.p.Protocol == nft.UDP && a.p.DstPort == dhcpPort
	if a.p.Src, err = f.source(q, &a); err != nil {
		return asked{}, err
	}
	if a.p.Src.Is4() != a.p.Dst.Is4() {
		return asked{}, badQuestion("%s cannot send to %s: they are of two IP versions", a.p.Src, a.p.Dst)
	}
	if q.SrcMAC != (of.MAC{}) {
		a.from.mac = q.SrcMAC
	}
	return a, nil
}

func (f *fabric) readFrom(o Origin, a *asked) error {
	if o.Host != "" {
		return f.readInterface(o, a)
	}
	p, ok := f.m.Ports.Get(o.Port)
	if !ok {
		return notFound("there is no port %s", o.Port)
	}
	a.from = station{port: p, mac: p.MAC}
	a.cannot = f.reach(p, &a.from)
	return nil
}

// reach finds where a port is plugged, or says why it is not to be reached.
func (f *fabric) reach(p *model.Port, s *station) *cause {
	if why := f.notThere(p); why != nil {
		return why
	}
	home := f.m.HostOf(p)
	s.host, s.bridge, s.iface = f.host(home.Host), row.IntBridge, home.Iface
	if s.host == nil {
		return causef(major, HostUnknown, "%s is on host %s, which is not known", f.title(p), home.Host)
	}
	no, ok := s.host.port(row.IntBridge, home.Iface)
	if !ok {
		return causef(major, PortNotOnSwitch, "interface %s of %s is not on br-int%s", home.Iface, f.title(p), f.on(s.host))
	}
	s.inPort = no
	if e, ok := s.host.ends[home.Iface]; ok {
		s.end = &e
	}
	return nil
}

func (f *fabric) readInterface(o Origin, a *asked) error {
	if _, ok := f.m.Hosts.Get(o.Host); !ok {
		return notFound("there is no host %s", o.Host)
	}
	h := f.host(o.Host)
	if h == nil {
		return f.err
	}
	bridge, no, err := h.bridgeOf(o.Interface)
	if err != nil {
		return notFound("%v", err)
	}
	a.from = station{host: h, bridge: bridge, inPort: no, iface: o.Interface, mac: outsideMAC}
	if bridge == row.IntBridge {
		a.from.port = f.portAt(o.Host, o.Interface)
	}
	if p := a.from.port; p != nil {
		a.from.mac = p.MAC
		a.cannot = f.notThere(p)
	}
	if e, ok := h.ends[o.Interface]; ok {
		a.from.end = &e
	}
	return nil
}

// portAt returns the port that an interface on br-int is of, nil if it is of none.
func (f *fabric) portAt(host, iface string) *model.Port {
	for _, plug := range f.m.PlugsAt(host) {
		if plug.Iface == iface {
			p, _ := f.m.Ports.Get(plug.Port)
			return p
		}
	}
	return nil
}

// readTo finds the address that the packet is for.
func (f *fabric) readTo(q Question, a *asked) error {
	if q.Port == "" {
		a.p.Dst = q.Address
		return nil
	}
	to, ok := f.m.Ports.Get(q.Port)
	if !ok {
		return notFound("there is no port %s", q.Port)
	}
	a.goal.port = to.ID
	ips := to.FixedIPs
	if q.SrcIP.IsValid() {
		ips = slices.DeleteFunc(slices.Clone(ips), func(ip model.FixedIP) bool { return ip.IP.Is4() != q.SrcIP.Is4() })
	}
	if len(ips) == 0 {
		return badQuestion("%s has no address that could be sent to", f.title(to))
	}
	a.p.Dst = ips[0].IP
	for _, ip := range ips {
		if a.from.port != nil && slices.ContainsFunc(a.from.port.FixedIPs, func(own model.FixedIP) bool { return own.Subnet == ip.Subnet }) {
			a.p.Dst = ip.IP
			break
		}
	}
	return nil
}

// readOutside finds the network outside that has the address which is asked for.
func (f *fabric) readOutside(q Question, a *asked) error {
	a.p.Dst = q.Address
	if q.Port != "" {
		to, ok := f.m.Ports.Get(q.Port)
		if !ok {
			return notFound("there is no port %s", q.Port)
		}
		a.goal.port = to.ID
		if fips := f.m.FloatingIPsTo(to.ID); len(fips) > 0 {
			a.p.Dst = fips[0].IP
		} else if len(to.FixedIPs) > 0 {
			a.p.Dst = to.FixedIPs[0].IP
		}
	}
	n := f.networkOutside(a.p.Dst)
	switch {
	case n == nil && q.Port != "":
		return badQuestion("port %s has no floating IP, and none of its addresses is on an external network: outside nobody can send to it", q.Port)
	case n == nil:
		return badQuestion("no external network has a subnet with %s: outside nobody can send to it", a.p.Dst)
	case n.Physnet == "":
		return badQuestion("%s is of type %s: it has no physical network, so there is nothing outside", f.title(n), n.Type)
	}
	a.from = station{outside: n, mac: outsideMAC}
	return nil
}

// networkOutside returns the network with a subnet that has an address: an external one, or else one on a
// physical network.
func (f *fabric) networkOutside(ip netip.Addr) *model.Network {
	var found *model.Network
	for _, id := range f.m.Networks.Sorted() {
		n, _ := f.m.Networks.Get(id)
		if !n.External && n.Physnet == "" || found != nil && found.External {
			continue
		}
		if f.subnetWith(n, ip) != nil && (found == nil || n.External) {
			found = n
		}
	}
	return found
}

func (f *fabric) subnetWith(n *model.Network, ip netip.Addr) *model.Subnet {
	for _, s := range f.m.SubnetsOf(n.ID) {
		if s.CIDR.Contains(ip) {
			return s
		}
	}
	return nil
}

// source finds the address that the packet is from.
func (f *fabric) source(q Question, a *asked) (netip.Addr, error) {
	if q.SrcIP.IsValid() {
		return q.SrcIP, nil
	}
	version := map[bool]string{true: "IPv4", false: "IPv6"}[a.p.Dst.Is4()]
	var own []netip.Prefix
	switch {
	case a.from.outside != nil:
		return f.someoneOutside(a)
	case a.goal.dhcp:
		return unspecified, nil
	case a.from.end != nil:
		own = a.from.end.link.Addresses
	case a.from.port != nil:
		for _, ip := range a.from.port.FixedIPs {
			if s, ok := f.m.Subnets.Get(ip.Subnet); ok {
				own = append(own, netip.PrefixFrom(ip.IP, s.CIDR.Bits()))
			}
		}
	}
	var src netip.Addr
	for _, p := range own {
		if p.Addr().Is4() == a.p.Dst.Is4() && (!src.IsValid() || p.Contains(a.p.Dst)) {
			src = p.Addr()
		}
	}
	if !src.IsValid() {
		return netip.Addr{}, badQuestion("src_ip is needed: where the packet comes from there is no %s address", version)
	}
	return src, nil
}

// someoneOutside is an address for who is outside: that of the subnet's gateway, or else one that no port has.
func (f *fabric) someoneOutside(a *asked) (netip.Addr, error) {
	s := f.subnetWith(a.from.outside, a.p.Dst)
	if s.Gateway.IsValid() && f.userOf(a.from.outside, s.Gateway) == nil {
		return s.Gateway, nil
	}
	for ip := s.CIDR.Masked().Addr().Next(); s.CIDR.Contains(ip.Next()); ip = ip.Next() {
		if ip != a.p.Dst && f.userOf(a.from.outside, ip) == nil {
			return ip, nil
		}
	}
	return netip.Addr{}, badQuestion("src_ip is needed: all addresses of %s are in use", f.title(s))
}

// userOf returns the port that has an address on a network, nil if none has.
func (f *fabric) userOf(n *model.Network, ip netip.Addr) *model.Port {
	for _, s := range f.m.SubnetsOf(n.ID) {
		if id, ok := f.m.AddressUser(s.ID, ip); ok {
			p, _ := f.m.Ports.Get(id)
			return p
		}
	}
	return nil
}

// answered reports whether somebody who gets the packet answers it.
func (a *asked) answered() bool {
	return !a.arp && !a.reply && !a.p.Dst.IsMulticast() && a.p.Dst != everybody
}
