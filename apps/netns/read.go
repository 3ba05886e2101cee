package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/controller/of"
)

// view is a namespace as read: what is ours of it, and what it takes to change it.
type view struct {
	nl      *netlink.Handle // in the namespace
	tool    ethtool
	links   map[string]netlink.Link // all of the namespace, by name
	objects map[Path]Object
}

// look runs fn inside a namespace with handles on it. Links are read.
func (h *Host) look(ns int, fn func(*view) error) error {
	return enter(ns, func() error {
		nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		defer nl.Close()
		tool, err := openEthtool()
		if err != nil {
			return err
		}
		defer tool.close()
		v := &view{nl: nl, tool: tool, links: map[string]netlink.Link{}, objects: map[Path]Object{}}
		links, err := again(func() ([]netlink.Link, error) { return nl.LinkList() })
		if err != nil {
			return fmt.Errorf("list links: %w", err)
		}
		for _, l := range links {
			v.links[l.Attrs().Name] = l
		}
		return fn(v)
	})
}

// again repeats a dump that changes of others made inconsistent.
func again[T any](dump func() (T, error)) (out T, err error) {
	for range 5 {
		if out, err = dump(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return out, err
}

// Actual reads what is ours of the namespace.
func (t *Target) Actual(ctx context.Context) (map[Path]Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ns, err := t.host.openNamed(t.name)
	if errors.Is(err, os.ErrNotExist) {
		t.exists.Store(false)
		return t.host.unmounted(t.name)
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(ns)
	var out map[Path]Object
	var pairs map[Path]peerOf
	err = t.host.look(ns, func(v *view) error {
		mark, err := v.mark()
		if err != nil {
			return err
		}
		v.objects[pathMark] = mark
		if pairs, err = v.readLinks(); err != nil {
			return err
		}
		if err := v.readAddresses(t.wants); err != nil {
			return err
		}
		if err := v.readRoutes(); err != nil {
			return err
		}
		v.readSysctls(t.sysctls())
		out = v.objects
		return nil
	})
	t.exists.Store(err == nil)
	if err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", t.name, err)
	}
	t.host.track(t.name, ns)
	if err := t.host.readPeers(out, pairs); err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", t.name, err)
	}
	return out, nil
}

// unmounted is what there is under a name that leads to no namespace: nothing, or our file.
func (h *Host) unmounted(name string) (map[Path]Object, error) {
	m, err := h.mark(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return map[Path]Object{}, nil
	case err != nil:
		return nil, err
	case m.Object == "":
		return nil, fmt.Errorf("namespace %s: %w", name, errForeign)
	}
	return map[Path]Object{pathMark: m}, nil
}

// mark is whose the namespace is.
func (v *view) mark() (Mark, error) {
	lo, ok := v.links[loopback]
	if !ok {
		return Mark{}, errForeign
	}
	object, ours := strings.CutPrefix(lo.Attrs().Alias, markPrefix)
	if !ours || object == "" {
		return Mark{}, errForeign
	}
	return Mark{Object: object, Mounted: true}, nil
}

// peerOf is where the other end of a pair is said to be.
type peerOf struct{ index, self int }

func (v *view) readLinks() (map[Path]peerOf, error) {
	pairs := map[Path]peerOf{}
	for name, l := range v.links {
		a := l.Attrs()
		up := a.RawFlags&unix.IFF_UP != 0
		if name == loopback {
			v.objects[pathLoopback] = Loopback{Up: up}
			continue
		}
		if a.Group != Group {
			continue
		}
		offload, err := v.tool.offload(name)
		if err != nil {
			return nil, err
		}
		veth := Veth{Name: name, Alias: a.Alias, MTU: a.MTU, Up: up, Offload: offload}
		if len(a.HardwareAddr) == len(veth.MAC) {
			veth.MAC = of.MAC(a.HardwareAddr)
		}
		v.objects[veth.path()] = veth
		pairs[veth.path()] = peerOf{index: a.ParentIndex, self: a.Index}
	}
	return pairs, nil
}

// readPeers completes pairs with what the host's end is like. An end that is elsewhere leaves Peer
// empty: such a pair is not as anyone wants it.
func (h *Host) readPeers(objects map[Path]Object, pairs map[Path]peerOf) error {
	for path, p := range pairs {
		l, err := h.link.LinkByIndex(p.index)
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			continue
		}
		if err != nil {
			return fmt.Errorf("peer of %s: %w", path, err)
		}
		a := l.Attrs()
		if l.Type() != "veth" || a.ParentIndex != p.self || a.Group != Group {
			continue
		}
		v := objects[path].(Veth)
		v.Peer = a.Name
		v.Up = v.Up && a.RawFlags&unix.IFF_UP != 0
		if a.Alias != v.Alias {
			v.Alias = ""
		}
		if a.MTU != v.MTU {
			v.MTU = 0
		}
		v.Quiet = quiet(a.Name)
		objects[path] = v
	}
	return nil
}

// quietSysctl keeps the host from speaking IPv6 on a link.
func quietSysctl(link string) Sysctl {
	return Sysctl{Name: "net.ipv6.conf." + strings.ReplaceAll(link, ".", "/") + ".disable_ipv6", Value: "1"}
}

// quiet reports whether the host speaks no IPv6 on a link of its own; it does not where there is no IPv6.
func quiet(link string) bool {
	s := quietSysctl(link)
	have, err := readSysctl(s.Name)
	return errors.Is(err, os.ErrNotExist) || err == nil && have == s
}

func (v *view) readAddresses(wanted func(Path) bool) error {
	names := map[int]string{}
	for _, l := range v.links {
		if l.Attrs().Group == Group {
			names[l.Attrs().Index] = l.Attrs().Name
		}
	}
	addrs, err := again(func() ([]netlink.Addr, error) { return v.nl.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		link, ours := names[a.LinkIndex]
		// Without the flag it was made by an advertisement and will expire.
		if !ours || a.Flags&unix.IFA_F_PERMANENT == 0 {
			continue
		}
		ip, ok := netip.AddrFromSlice(a.IP)
		bits, _ := a.Mask.Size()
		if !ok {
			continue
		}
		o := Address{Link: link, Prefix: netip.PrefixFrom(ip, bits)}
		if own := v.links[link].Attrs().HardwareAddr; bytes.Equal(a.IP, linkLocal(own)) && !wanted(o.path()) {
			continue // the kernel gives every link one
		}
		v.objects[o.path()] = o
	}
	return nil
}

// linkLocal is the address that the kernel derives from a MAC address (RFC 4291 §2.5.6, appendix A).
func linkLocal(mac []byte) []byte {
	if len(mac) != 6 {
		return nil
	}
	return []byte{0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}
}

func (v *view) readRoutes() error {
	names := map[int]string{}
	for name, l := range v.links {
		names[l.Attrs().Index] = name
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := again(func() ([]netlink.Route, error) {
			return v.nl.RouteListFiltered(family, &netlink.Route{Protocol: Protocol}, netlink.RT_FILTER_PROTOCOL)
		})
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, r := range routes {
			o := Route{Metric: r.Priority, Link: names[r.LinkIndex]}
			o.Via, _ = netip.AddrFromSlice(r.Gw)
			if o.Via.Is4In6() {
				o.Via = o.Via.Unmap()
			}
			if o.Destination, err = destination(r, family); err != nil {
				return err
			}
			v.objects[o.path()] = o
		}
	}
	return nil
}

func destination(r netlink.Route, family int) (netip.Prefix, error) {
	if r.Dst == nil {
		if family == netlink.FAMILY_V4 {
			return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
		}
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil
	}
	ip, ok := netip.AddrFromSlice(r.Dst.IP)
	if !ok {
		return netip.Prefix{}, fmt.Errorf("route to %s cannot be read", r.Dst)
	}
	if family == netlink.FAMILY_V4 {
		ip = ip.Unmap()
	}
	bits, _ := r.Dst.Mask.Size()
	return netip.PrefixFrom(ip, bits), nil
}

// readSysctls reads those that are wanted; which others were set by whom cannot be known. One that is
// not there is left out.
func (v *view) readSysctls(names []string) {
	for _, name := range names {
		if s, err := readSysctl(name); err == nil {
			v.objects[s.path()] = s
		}
	}
}
