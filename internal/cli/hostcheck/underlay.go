package hostcheck

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/heddle-sdn/heddle/internal/cli/checks"
)

// parallel is how many other hosts are pinged at a time.
const parallel = 16

// tunnelTypes are the types of interfaces that are tunnels.
var tunnelTypes = []string{"gre", "vxlan", "geneve"}

// underlay looks at the host's tunnel address and at the way to the other end of every tunnel.
func (d *doctor) underlay(ctx context.Context) {
	var err error
	if d.links, err = d.host.Links(); err != nil {
		d.Fail("network interfaces", err.Error(), "run it as root")
		return
	}
	d.tunnelAddress(d.database.id("heddle-encap-ip"), "external_ids:heddle-encap-ip")
	b := d.database.bridge(tunBridge)
	if b == nil {
		return
	}
	tunnels := slices.DeleteFunc(d.database.interfacesOf(b), func(i row) bool { return !slices.Contains(tunnelTypes, i.text("type")) })
	slices.SortFunc(tunnels, func(a, b row) int { return strings.Compare(a.text("name"), b.text("name")) })
	if len(tunnels) == 0 {
		d.Warn("tunnels", "there are none", "Heddle makes them once another host has a port on a network that this host has, or is a gateway")
		return
	}
	var remotes []string
	locals := map[string]bool{}
	for _, t := range tunnels {
		if local := t.at("options", "local_ip"); local != "" && !locals[local] {
			locals[local] = true
			if local != d.database.id("heddle-encap-ip") {
				d.tunnelAddress(local, "local_ip of tunnels")
			}
		}
		d.bfd(t)
		if remote := t.at("options", "remote_ip"); remote != "" && !slices.Contains(remotes, remote) {
			remotes = append(remotes, remote)
		}
	}
	if !d.host.Has("ping") {
		d.Warn("other ends of tunnels", "ping is not installed, so they were not tried", "install it (Debian: apt install iputils-ping)")
		return
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	results := make([][]checks.Check, len(remotes))
	for i, remote := range remotes {
		g.Go(func() error {
			results[i] = d.reach(ctx, remote)
			return nil
		})
	}
	_ = g.Wait() // none of them fails
	for _, found := range results {
		d.All = append(d.All, found...)
	}
}

// tunnelAddress looks for the interface that has the host's tunnel address, and at its MTU.
func (d *doctor) tunnelAddress(address, from string) {
	what := "tunnel address"
	if address == "" {
		d.Warn(what, from+" is not set", "ovs-vsctl set Open_vSwitch . external_ids:heddle-encap-ip=ADDRESS, unless Heddle was told: heddle get host NAME -o wide")
		return
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		d.Fail(what, fmt.Sprintf("%s is %q, which is no address", from, address), "ovs-vsctl set Open_vSwitch . external_ids:heddle-encap-ip=ADDRESS")
		return
	}
	i := slices.IndexFunc(d.links, func(l Link) bool { return slices.Contains(l.Addresses, ip) })
	if i < 0 {
		d.Fail(what, address+" ("+from+") is on no interface of this host: nothing that other hosts send there arrives",
			"correct it: ovs-vsctl set Open_vSwitch . external_ids:heddle-encap-ip=ADDRESS, or heddle set host NAME --tunnel-ip ADDRESS")
		return
	}
	link := d.links[i]
	switch {
	case !link.Up:
		d.Fail(what, address+" is on "+link.Name+", which is down", "ip link set "+link.Name+" up")
	case link.MTU < d.opts.MTU:
		d.Fail(what, fmt.Sprintf("%s has MTU %d, and the underlay has to carry %d: large packets of VMs are lost", link.Name, link.MTU, d.opts.MTU),
			fmt.Sprintf("ip link set %s mtu %d, or heddle server --underlay-mtu %d (networks made from then on have smaller MTUs)", link.Name, d.opts.MTU, link.MTU))
	default:
		d.OK(what, "%s on %s, MTU %d", address, link.Name, link.MTU)
	}
}

// bfd looks at a tunnel's session with its other end, if there is one.
func (d *doctor) bfd(t row) {
	what := fmt.Sprintf("tunnel %s to %s", t.text("name"), t.at("options", "remote_ip"))
	state := t.at("bfd_status", "state")
	switch {
	case t.at("bfd", "enable") != "true" || state == "":
		return // nobody watches it, so there is nothing to say
	case state == "up":
		d.OK(what, "up by BFD")
	default:
		says := "BFD says " + state
		if why := t.at("bfd_status", "diagnostic"); why != "" && why != "No Diagnostic" {
			says += ": " + why
		}
		d.Fail(what, says, "does the other end have this host's tunnel address right, is ovs-vswitchd running there, and does a firewall pass "+portOf(t.text("type"))+"?")
	}
}

// portOf is what a firewall has to let through for a type of tunnel.
func portOf(kind string) string {
	return map[string]string{"vxlan": "UDP port 4789", "geneve": "UDP port 6081", "gre": "IP protocol 47"}[kind]
}

// Bytes of the headers of a ping: IP and ICMP (RFC 791, RFC 792; RFC 8200, RFC 4443).
const (
	overhead4 = 20 + 8
	overhead6 = 40 + 8
)

// reach pings the other end of a tunnel, and once more with a packet as large as the underlay has to carry.
func (d *doctor) reach(ctx context.Context, remote string) []checks.Check {
	var out checks.List
	what := "underlay to " + remote
	size := d.opts.MTU - overhead4
	if ip, err := netip.ParseAddr(remote); err == nil && ip.Is6() {
		size = d.opts.MTU - overhead6
	}
	if _, err := d.run(ctx, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", remote); err != nil {
		out.Fail(what, "it does not answer pings", "is the host up, is that its address (heddle get hosts), and does the route lead there: ip route get "+remote+"?")
		return out.All
	}
	text, err := d.run(ctx, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", "-M", "do", "-s", strconv.Itoa(size), remote)
	if err != nil {
		says := fmt.Sprintf("packets of %d bytes do not get there, smaller ones do", d.opts.MTU)
		if mtu := pathMTU(text + err.Error()); mtu != "" {
			says += "; the path carries " + mtu
		}
		out.Fail(what, says, fmt.Sprintf("raise the MTU of every link and switch on the way to %d, or heddle server --underlay-mtu with what they carry", d.opts.MTU))
		return out.All
	}
	out.OK(what, "it answers, packets of %d bytes as well", d.opts.MTU)
	return out.All
}

// pathMTU finds the number in what ping says of a packet that was too large: "mtu=1400", "mtu = 1400".
func pathMTU(text string) string {
	_, rest, found := strings.Cut(text, "mtu")
	if !found {
		return ""
	}
	rest = strings.TrimLeft(rest, " =:")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	return rest[:end]
}
