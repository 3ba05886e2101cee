package netns

import (
	"errors"
	"fmt"
	"net"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// putVeth makes a pair as wanted. One whose other end is elsewhere is made anew.
func (e *editor) putVeth(v Veth) error {
	link, there := e.links[v.Name]
	if there && link.Attrs().Group != Group {
		return fmt.Errorf("link %s: %w", v.Name, errForeign)
	}
	peer, err := e.peer(v, link)
	if err != nil {
		return err
	}
	if there && peer == nil {
		if err := e.nl.LinkDel(link); err != nil && !missing(err) {
			return fmt.Errorf("remove link %s: %w", v.Name, err)
		}
		there = false
	}
	if !there {
		if err := e.createVeth(v); err != nil {
			return fmt.Errorf("make pair of %s and %s: %w", v.Name, v.Peer, err)
		}
		if link, err = e.nl.LinkByName(v.Name); err != nil {
			return fmt.Errorf("find link %s: %w", v.Name, err)
		}
		if peer, err = e.host.link.LinkByName(v.Peer); err != nil {
			return fmt.Errorf("find link %s: %w", v.Peer, err)
		}
		e.links[v.Name] = link
	}
	for _, end := range []struct {
		nl   *netlink.Handle
		link netlink.Link
	}{{e.nl, link}, {e.host.link, peer}} {
		if err := shapeLink(end.nl, end.link, v); err != nil {
			return err
		}
	}
	return e.shapeEnds(v, link, peer)
}

// shapeLink sets what both ends have.
func shapeLink(h *netlink.Handle, l netlink.Link, v Veth) error {
	a := l.Attrs()
	if a.Alias != v.Alias {
		if err := h.LinkSetAlias(l, v.Alias); err != nil {
			return fmt.Errorf("alias of %s: %w", a.Name, err)
		}
	}
	if a.MTU != v.MTU {
		if err := h.LinkSetMTU(l, v.MTU); err != nil {
			return fmt.Errorf("MTU %d of %s: %w", v.MTU, a.Name, err)
		}
	}
	return nil
}

// shapeEnds sets what the ends do not share, and brings them up when all is set. The host's end is
// quiet before it is up: otherwise the host would tell the tenant of its address.
func (e *editor) shapeEnds(v Veth, link, peer netlink.Link) error {
	if string(link.Attrs().HardwareAddr) != string(v.MAC[:]) {
		if err := e.nl.LinkSetHardwareAddr(link, net.HardwareAddr(v.MAC[:])); err != nil {
			return fmt.Errorf("MAC address of %s: %w", v.Name, err)
		}
	}
	if have, err := e.tool.offload(v.Name); err != nil || have != v.Offload {
		if err := e.tool.setOffload(v.Name, v.Offload); err != nil {
			return err
		}
	}
	if v.Quiet {
		if err := e.host.silence(v.Peer); err != nil {
			return err
		}
	}
	if err := e.host.link.LinkSetUp(peer); err != nil {
		return fmt.Errorf("bring %s up: %w", v.Peer, err)
	}
	if err := e.nl.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring %s up: %w", v.Name, err)
	}
	return nil
}

// silence makes the host speak no IPv6 on a link. The caller is on a thread in another namespace, where
// /proc shows other links.
func (h *Host) silence(link string) error {
	return enter(h.self, func() error {
		if quiet(link) {
			return nil
		}
		return writeSysctl(quietSysctl(link))
	})
}

// peer returns the host's end of a link if the two are a pair of the names wanted, else nil.
func (e *editor) peer(v Veth, link netlink.Link) (netlink.Link, error) {
	if link == nil {
		return nil, nil
	}
	p, err := e.host.link.LinkByName(v.Peer)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find link %s: %w", v.Peer, err)
	}
	a, b := link.Attrs(), p.Attrs()
	if p.Type() != "veth" || a.ParentIndex != b.Index || b.ParentIndex != a.Index || b.Group != Group {
		return nil, nil
	}
	return p, nil
}

// createVeth makes both ends, down and marked, with one message: the inside end here, its peer on the
// host. The library has no group for the peer.
func (e *editor) createVeth(v Veth) error {
	err := e.sendVeth(v)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := e.host.freePeer(v.Peer); err != nil {
		return err
	}
	return e.sendVeth(v)
}

func (e *editor) sendVeth(v Veth) error {
	sock, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	handle := &nl.SocketHandle{Socket: sock}
	defer handle.Close()
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: handle}
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.Name)))
	req.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, v.MAC[:]))
	req.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.MTU))))
	req.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(Group)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.Peer))
	peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.MTU)))
	peer.AddRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(Group))
	peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(e.host.self)))
	req.AddData(info)
	_, err = req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// freePeer removes a link of ours from the host whose other end is in no namespace that has a name: one
// that was removed while a process was in it. The pair of a namespace with a name is that one's to remove.
func (h *Host) freePeer(name string) error {
	l, err := h.link.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	a := l.Attrs()
	if a.Group != Group {
		return fmt.Errorf("link %s: %w", name, errForeign)
	}
	if owner := h.ownerOf(a.NetNsID); owner != "" {
		return fmt.Errorf("link %s is still plugged into namespace %s", name, owner)
	}
	if err := h.link.LinkDel(l); err != nil && !missing(err) {
		return fmt.Errorf("remove link %s: %w", name, err)
	}
	return nil
}

func (e *editor) removeVeth(v Veth) error {
	link, ok := e.links[v.Name]
	if !ok {
		return nil
	}
	if err := e.nl.LinkDel(link); err != nil && !missing(err) {
		return fmt.Errorf("remove link %s: %w", v.Name, err)
	}
	delete(e.links, v.Name)
	return nil
}

// nativeIndex reads an int as the kernel writes it.
func nativeIndex(b []byte) int {
	if len(b) < 4 {
		return -1
	}
	return int(*(*int32)(unsafe.Pointer(&b[0])))
}
