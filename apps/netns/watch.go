package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// tracker knows which numbers the kernel gave to namespaces, as seen from the host. Notifications carry
// the number.
type tracker struct {
	mu     sync.Mutex
	byID   map[int]string
	byName map[string]int
}

func newTracker() *tracker { return &tracker{byID: map[int]string{}, byName: map[string]int{}} }

func (t *tracker) set(name string, id int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.byName[name]; ok && t.byID[old] == name {
		delete(t.byID, old)
	}
	t.byName[name], t.byID[id] = id, name
}

func (t *tracker) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id, ok := t.byName[name]; ok && t.byID[id] == name {
		delete(t.byID, id)
	}
	delete(t.byName, name)
}

func (t *tracker) name(id int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// track notes the number of an open namespace; the host gives it one if it has none. Without a number
// changes of others are found by the next full reading only, so failures do not matter.
func (h *Host) track(name string, ns int) {
	id, err := h.link.GetNetNsIdByFd(ns)
	if err == nil && id < 0 {
		if err = h.link.SetNetNsIdByFd(ns, -1); err == nil {
			id, err = h.link.GetNetNsIdByFd(ns)
		}
	}
	if err != nil || id < 0 {
		h.log.WithError(err).WithField("namespace", name).Debug("namespace has no number: no notifications")
		return
	}
	h.tracker.set(name, id)
}

// ownerOf returns the name of the namespace with a number, if it still leads there.
func (h *Host) ownerOf(id int) string {
	name := h.tracker.name(id)
	if name == "" || id < 0 {
		return ""
	}
	ns, err := h.openNamed(name)
	if err != nil {
		return ""
	}
	defer unix.Close(ns)
	if have, err := h.link.GetNetNsIdByFd(ns); err != nil || have != id {
		return ""
	}
	return name
}

// watched are the kinds of changes that Watch hears of. Settings of links, such as forwarding, are among
// them; the kernel does not tell of all.
var watched = []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
	unix.RTNLGRP_NSID, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF}

// Watch calls changed with the name of each namespace that has been read and in which a link, an address,
// a route or a setting changes, whoever changes it, until ctx ends. An empty name stands for any, and for
// the host's ends of links. It hears all namespaces with one socket.
func (h *Host) Watch(ctx context.Context, changed func(name string)) error {
	return h.listen(ctx, unix.NETLINK_ROUTE, watched, func(msg, oob []byte) {
		if msg == nil {
			changed("")
			return
		}
		h.notify(msg, oob, changed)
	})
}

// WatchRules calls changed with the name of each namespace that has been read and whose nftables tables
// change, whoever changes them, once for each transaction until ctx ends. An empty name stands for any.
func (h *Host) WatchRules(ctx context.Context, changed func(name string)) error {
	return h.listen(ctx, unix.NETLINK_NETFILTER, []int{unix.NFNLGRP_NFTABLES}, func(msg, oob []byte) {
		if msg == nil {
			changed("")
			return
		}
		id, other := numberOf(oob)
		messages, err := unixMessages(msg)
		if err != nil || !other {
			return
		}
		for _, m := range messages {
			// The last message of a transaction; there may be thousands before it.
			if m.kind == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN {
				if name := h.tracker.name(id); name != "" {
					changed(name)
				}
			}
		}
	})
}

// listen calls heard with each datagram from groups of a netlink protocol, in any namespace that has a
// number, and with what came beside it. Nil stands for those that were lost.
func (h *Host) listen(ctx context.Context, protocol int, groups []int, heard func(msg, oob []byte)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return fmt.Errorf("watch namespaces: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netlink")
	defer file.Close()
	// The socket of a big host is busy: what it cannot hold is read anew.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
	if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1); err != nil {
		return fmt.Errorf("watch all namespaces: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("watch namespaces: %w", err)
	}
	for _, group := range groups {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			return fmt.Errorf("watch group %d: %w", group, err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = file.Close() })
	defer stop()
	conn, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("watch namespaces: %w", err)
	}
	buf, oob := make([]byte, 64<<10), make([]byte, 256)
	for {
		var n, oobn int
		var failed error
		err := conn.Read(func(uintptr) bool {
			n, oobn, _, _, failed = unix.Recvmsg(fd, buf, oob, 0)
			return !errors.Is(failed, unix.EAGAIN)
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("watch namespaces: %w", err)
		case errors.Is(failed, unix.ENOBUFS):
			heard(nil, nil)
		case errors.Is(failed, unix.EINTR):
		case failed != nil:
			return fmt.Errorf("watch namespaces: %w", failed)
		default:
			heard(buf[:n], oob[:oobn])
		}
	}
}

// notify finds out where a change was. On the host itself only links of ours matter.
func (h *Host) notify(msg, oob []byte, changed func(string)) {
	if id, ok := numberOf(oob); ok {
		if name := h.tracker.name(id); name != "" {
			changed(name)
		}
		return
	}
	messages, err := unixMessages(msg)
	if err != nil {
		return
	}
	for _, m := range messages {
		if m.kind == unix.RTM_DELNSID {
			if name := h.tracker.name(endedNumber(m.data)); name != "" {
				changed(name)
			}
			continue
		}
		if m.kind != unix.RTM_NEWLINK && m.kind != unix.RTM_DELLINK {
			continue
		}
		if l, err := netlink.LinkDeserialize(nil, m.data); err == nil && l.Attrs().Group == Group {
			if name := h.tracker.name(l.Attrs().NetNsID); name != "" {
				changed(name)
			}
			changed("")
			return
		}
	}
}

// endedNumber returns the number of a namespace that ended: attribute NETNSA_NSID (1) behind a struct
// rtgenmsg; -1 if it is not there.
func endedNumber(b []byte) int {
	attrs, err := nl.ParseRouteAttr(b[min(len(b), unix.NLMSG_ALIGNTO):])
	if err != nil {
		return -1
	}
	for _, a := range attrs {
		if a.Attr.Type == 1 {
			return nativeIndex(a.Value)
		}
	}
	return -1
}

// numberOf returns the number of the namespace that a notification is from; false is the host's own.
func numberOf(oob []byte) (int, bool) {
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, c := range controls {
		if c.Header.Level == unix.SOL_NETLINK && c.Header.Type == unix.NETLINK_LISTEN_ALL_NSID {
			return nativeIndex(c.Data), true
		}
	}
	return 0, false
}

type message struct {
	kind uint16
	data []byte
}

// unixMessages splits what a netlink socket gave.
func unixMessages(b []byte) ([]message, error) {
	var out []message
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(nl.NativeEndian().Uint32(b[:4]))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return nil, fmt.Errorf("netlink message of %d bytes in %d", size, len(b))
		}
		out = append(out, message{kind: nl.NativeEndian().Uint16(b[4:6]), data: b[unix.SizeofNlMsghdr:size]})
		b = b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return out, nil
}

// path is where a name is.
func (h *Host) path(name string) string { return filepath.Join(h.dir, name) }
